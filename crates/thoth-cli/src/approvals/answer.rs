//! `thoth approvals approve` and `deny`: a person's answer, recorded before it counts.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use thoth_store::{Desk, Hold, HoldState, HoldsError};
use thoth_types::Channel;

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{self, BAD, CARE, GOOD, harmless_text, line, styled};

use super::grants::{self, Leave};
use super::page::Detail;
use super::person::{Person, not_taken};
use super::show;
use super::store::{Store, failed};
use super::times::{self, clock};
use thoth_shell::arguments::Extent;

/// How much of the arguments is shown with the question.
const QUESTION_BYTES: usize = 8 * 1024;

/// How long a waiting sidecar is given to use an approval, so that what happened can be said.
const GRACE: Duration = Duration::from_millis(300);
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// `thoth approvals approve`
#[derive(Debug, Args)]
#[command(after_help = "\
Each call is shown, and asked about one by one. An approval lets exactly one call through: the same \
tool of the same server with the same arguments, asked for by the same agent. With --for, further \
calls pass until the time is over, if the policy allows it (`approvals.grants`).

Examples:
  thoth approvals approve 1f0c
  thoth approvals approve 1f0c 77ab --yes
  thoth approvals approve 1f0c --for 30m --match 'path=/srv/data/*'")]
pub(crate) struct ApproveArgs {
    /// The holds: the first digits of their names, at least 4
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Do not ask; an approval needs a terminal all the same
    #[arg(long, short = 'y')]
    yes: bool,
    /// Let further calls of this tool pass for so long: `30m`, `1h30m`
    #[arg(long = "for", value_name = "TIME", value_parser = times::parse)]
    length: Option<SignedDuration>,
    /// With --for: only calls in which this argument matches the glob; repeat for several, all of which must match
    #[arg(long = "match", value_name = "ARG=GLOB", value_parser = grants::pattern, requires = "length")]
    patterns: Vec<thoth_types::ArgumentPattern>,
    /// With --for: calls with any arguments
    #[arg(long, requires = "length", conflicts_with = "patterns")]
    any_arguments: bool,
}

/// `thoth approvals deny`
#[derive(Debug, Args)]
#[command(after_help = "\
A denial takes no terminal. It stands as long as the policy's `approvals.ttl`: the same call is \
refused at once until then. An approval that is not used yet can be denied, too.

Examples:
  thoth approvals deny 1f0c
  thoth approvals deny 1f0c --reason 'wrong folder'")]
pub(crate) struct DenyArgs {
    /// The holds: the first digits of their names, at least 4
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Why, for the records; the agent is not told
    #[arg(long, value_name = "TEXT", value_parser = crate::cli::entry)]
    reason: Option<String>,
}

pub(crate) fn approve(arguments: &ApproveArgs) -> Outcome {
    let leave = match arguments.length {
        None => None,
        Some(length) => Some(Leave::new(length, &arguments.patterns, arguments.any_arguments)?),
    };
    let person = Person::here();
    let store = Store::locate()?;
    each(&store, &arguments.ids, |hold| approve_one(&store, hold, &person, arguments.yes, leave.as_ref()))
}

pub(crate) fn deny(arguments: &DenyArgs) -> Outcome {
    let mut person = Person::here();
    if let Some(reason) = &arguments.reason {
        person.origin = format!("{}; reason: {reason}", person.origin);
    }
    let store = Store::locate()?;
    each(&store, &arguments.ids, |hold| {
        let open = store.desk(&hold.token)?;
        let denied = answer(&open.desk, hold, &person, false);
        open.close();
        let denied = denied?;
        let until = clock(denied.ends_at, Timestamp::now());
        line(format_args!("{} {}: the same call is refused until {until}", styled(BAD, "denied"), hold.token.short()))
    })
}

/// Answers one hold after the other. All must be there; one that is not answered does not keep the others.
fn each(store: &Store, ids: &[String], mut one: impl FnMut(&Hold) -> Result<(), Failure>) -> Outcome {
    let mut holds: Vec<Hold> = Vec::new();
    for id in ids {
        let hold = store.find(id)?;
        if holds.iter().all(|known| known.token != hold.token) {
            holds.push(hold);
        }
    }
    let (mut code, mut latest) = (ExitCode::SUCCESS, None::<Failure>);
    for hold in &holds {
        if let Some(earlier) = latest.take() {
            code = earlier.report();
        }
        latest = one(hold).err();
    }
    latest.map_or(Ok(code), Err)
}

/// Puts an answer into the store: checked, recorded, written. Its approvals must have passed [`Person::may_approve`].
pub(crate) fn answer(desk: &Desk, hold: &Hold, person: &Person, approves: bool) -> Result<Hold, Failure> {
    let vote = if approves { person.approval(hold)? } else { person.denial() };
    desk.vote(&hold.token, &vote).map_err(|error| match error {
        HoldsError::Vote(error) => not_taken(hold, &error, &vote),
        error => failed(&error),
    })
}

fn approve_one(store: &Store, hold: &Hold, person: &Person, yes: bool, leave: Option<&Leave>) -> Result<(), Failure> {
    person.may_approve(hold)?;
    if let Some(leave) = leave {
        leave.suits(hold)?;
    }
    let open = store.desk(&hold.token)?;
    let done = (|| {
        show::print(hold, Timestamp::now(), Detail::Brief, Extent::Brief(QUESTION_BYTES))?;
        show::record(&open, hold, person);
        if !yes && person.channel == Channel::Terminal && !agrees(hold, leave)? {
            return Err(Failure::failed(format!("{} was not approved; it still waits", hold.token.short()))
                .hint(format_args!("`thoth approvals deny {}` refuses it", hold.token.short())));
        }
        let answered = answer(&open.desk, hold, person, true)?;
        match leave {
            Some(leave) if answered.state == HoldState::Approved => leave.give(&open.desk, &answered),
            _ => after(&open.desk, &answered, leave.is_some()),
        }
    })();
    open.close();
    done
}

/// Asks.
fn agrees(hold: &Hold, leave: Option<&Leave>) -> Result<bool, Failure> {
    let what = leave.map_or_else(String::new, |leave| format!(" {}", leave.describe(hold)));
    terminal::agrees(format_args!("Approve{what}?"))
}

/// Says what comes of an approval.
fn after(desk: &Desk, hold: &Hold, wanted_leave: bool) -> Result<(), Failure> {
    let id = hold.token.short();
    let now = Timestamp::now();
    if hold.state == HoldState::Pending {
        let given = hold.votes.iter().filter(|vote| vote.approves).count();
        let (who, _) = thoth_policy::describe_requirement(&hold.requirement);
        line(format_args!(
            "{} {id}: {given} of {} approvals; it still needs another account: {}",
            styled(CARE, "noted"),
            hold.requirement.quorum,
            harmless_text(&who)
        ))?;
        if wanted_leave {
            line("no grant was given: whoever gives the last approval can give one")?;
        }
        return Ok(());
    }
    let until = clock(hold.ends_at, now);
    let deadline = Instant::now() + GRACE;
    loop {
        // A failure here changes nothing: the approval is given.
        match desk.holds().look(&hold.token).map(|hold| hold.state) {
            Ok(HoldState::Spent) => {
                return line(format_args!("{} {id}: the waiting call went out", styled(GOOD, "approved")));
            }
            Ok(_) if Instant::now() < deadline => {}
            _ => break,
        }
        #[expect(clippy::disallowed_methods, reason = "another process may use it soon; this is how often to look")]
        std::thread::sleep(LOOK_EVERY);
    }
    line(format_args!("{} {id}: the same call passes once until {until}", styled(GOOD, "approved")))
}
