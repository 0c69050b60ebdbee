//! `thoth pins approve` and `revoke`: recorded before they count.

use std::process::ExitCode;
use std::str::FromStr as _;
use std::sync::Arc;

use clap::Args;
use thoth_audit::Ledger;
use thoth_store::{Pin, PinDesk, SqlitePins};
use thoth_types::{Caller, Channel, ItemKind, Mode, PinState, SessionId, Threat};

use crate::approvals::person::Person;
use crate::approvals::store::Store;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{BAD, GOOD, agrees, line, note, styled};

use super::chosen::{Chosen, failed, store, title};
use super::found::Found;
use super::person::{Needs, approval, may_approve};
use super::{diff, show};

/// `thoth pins approve`
#[derive(Debug, Args)]
#[command(after_help = "\
What changed is shown, and asked about one by one. What is approved is what was shown: if the server changes it once more
in between, nothing is. Running sessions know it within a second; a client sees a tool that was hidden when it lists the
tools again, which most do when they are told of the change.

Examples:
  thoth pins approve files
  thoth pins approve files read_file --yes")]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// Do not ask; an approval needs a terminal all the same
    #[arg(long, short = 'y')]
    yes: bool,
}

/// `thoth pins revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Calls are refused, in running sessions within a second, until somebody approves the definition anew.

Examples:
  thoth pins revoke files delete_file
  thoth pins revoke files --all")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// All of this server
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

pub(crate) fn approve(arguments: &ApproveArgs) -> Outcome {
    let person = Person::here();
    may_approve(&person, Needs::Terminal)?;
    let (store, pins) = store()?;
    let mut chosen = arguments.chosen.find(&pins, |_| true)?;
    let found = Found::of(&pins, &chosen)?;
    if arguments.chosen.names.is_empty() {
        chosen.retain(|pin| found.may_be_kept_back(pin));
    }
    if chosen.is_empty() {
        line("everything of this server is as it was approved")?;
    }
    each(&chosen, |pin| approve_one((&store, &pins), pin, &found.threats(pin), &person, arguments.yes))
}

pub(crate) fn revoke(arguments: &RevokeArgs) -> Outcome {
    if arguments.chosen.names.is_empty() && arguments.chosen.kind.is_none() && !arguments.all {
        return Err(Failure::usage("it is not said what to revoke").hint("name it, or give --all"));
    }
    let person = Person::here();
    let (store, pins) = store()?;
    let chosen = arguments.chosen.find(&pins, |pin| pin.state() != PinState::Revoked)?;
    each(&chosen, |pin| {
        let open = open(&store, &pins, pin)?;
        let by = approval(&person, Vec::new());
        let revoked = open.desk.revoke(&caller(pin)?, &pin.key, &by);
        open.close();
        revoked.map_err(|error| failed(&error))?;
        line(format_args!("{} {}: {}", styled(BAD, "revoked"), title(pin), consequence(pin.key.kind)))
    })
}

/// What comes of a revocation.
const fn consequence(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::Tool => "its calls are refused",
        ItemKind::Prompt => "it is taken out of lists, and asking for it is refused",
        ItemKind::Resource | ItemKind::ResourceTemplate => "it is taken out of lists",
        ItemKind::Instructions => "clients get none of it from the next start on",
        ItemKind::Launch => "nothing is kept back; `thoth pins list` shows it until it is approved again",
    }
}

/// Answers one after the other. One that fails does not keep the others.
fn each(pins: &[Pin], mut one: impl FnMut(&Pin) -> Result<(), Failure>) -> Outcome {
    let mut latest = None;
    for pin in pins {
        if let Err(failure) = one(pin)
            && let Some(before) = latest.replace(failure)
        {
            before.report();
        }
    }
    latest.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn approve_one(
    (store, pins): (&Store, &SqlitePins),
    pin: &Pin,
    threats: &[Threat],
    person: &Person,
    yes: bool,
) -> Result<(), Failure> {
    let Some(latest) = pin.latest() else {
        return Err(Failure::failed(format!("{}: nothing was seen of it yet", title(pin))));
    };
    let by = approval(person, threats.iter().map(|threat| threat.rule.clone()).collect());
    // Nobody is asked about what would be refused then.
    pin.clone().approve(latest.fingerprint.digest, by.clone()).map_err(|error| failed(&error))?;
    if pin.approved.is_some() && pin.candidate.is_some() {
        diff::print(pin, true)?;
        show::findings(threats)?;
    } else {
        show::print(pin, threats)?;
    }
    if !yes && person.channel == Channel::Terminal && !agrees("Approve?")? {
        return Err(Failure::failed(format!("{} was not approved", title(pin))));
    }
    let open = open(store, pins, pin)?;
    let approved = open.desk.approve(&caller(pin)?, &pin.key, latest.fingerprint.digest, &by);
    open.close();
    approved.map_err(|error| failed(&error))?;
    line(format_args!("{} {}", styled(GOOD, "approved"), title(pin)))
}

/// A desk, and the ledger that it writes to.
#[derive(Debug)]
pub(crate) struct OpenPins {
    pub(crate) desk: PinDesk,
    ledger: Arc<Ledger>,
}

impl OpenPins {
    pub(crate) fn on(pins: SqlitePins, ledger: Arc<Ledger>) -> Self {
        Self { desk: PinDesk::new(Arc::new(pins), Arc::<Ledger>::clone(&ledger)), ledger }
    }

    /// Brings the ledger up to date. What cannot be done now, the next session does.
    pub(crate) fn close(self) {
        drop(self.desk);
        if let Err(error) = self.ledger.close() {
            note(format_args!("the ledger was not brought up to date: {error}; the next session will do it"));
        }
    }
}

/// The desk for a pin, on the ledger that has its records.
fn open(store: &Store, pins: &SqlitePins, pin: &Pin) -> Result<OpenPins, Failure> {
    let directory = pins.ledger_of(&pin.key).map_err(|error| failed(&error))?;
    let directory = directory.unwrap_or_else(|| store.usual_ledger());
    let (ledger, _) = store.ledger(&directory, &title(pin))?;
    Ok(OpenPins::on(store.holds().pins(), ledger))
}

/// As whom the ledger knows this command.
pub(crate) fn caller(pin: &Pin) -> Result<Caller, Failure> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| Failure::failed(format!("cannot get randomness: {error}")))?;
    let session = SessionId::from_str(&format!("{:032x}", u128::from_be_bytes(random))).map_err(Failure::failed)?;
    Ok(Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: None,
        session,
        server: pin.key.server.clone(),
        intent: None,
        approved_scope: Vec::new(),
        mode: Mode::Block,
    })
}
