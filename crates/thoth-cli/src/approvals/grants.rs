//! `thoth approvals grants` and `revoke`, and leave that is given with an approval: for further calls, for a while.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use thoth_policy::ArgumentPatterns;
use thoth_store::{Desk, Hold, Holds as _};
use thoth_types::display::{name, quoted};
use thoth_types::json::{Limits, Tape};
use thoth_types::{ArgumentPattern, Arguments, Grant, GrantScope, Vote};

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{CARE, DIM, GOOD, harmless_text, json_line, line, styled};

use super::json::GrantJson;
use super::person::Person;
use super::store::{Store, failed};
use super::times::{between, clock, length};
use super::width;
use thoth_shell::cells::wrapped;

/// How many digits of a grant's name people are shown.
const SHORT: usize = "grant_".len() + 8;

/// `thoth approvals grants`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth approvals grants
  thoth approvals revoke grant_5d31")]
pub(crate) struct GrantsArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `thoth approvals revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  thoth approvals revoke grant_5d31")]
pub(crate) struct RevokeArgs {
    /// The grant: the first digits of its name, at least 4
    #[arg(value_name = "ID")]
    id: String,
}

#[derive(Serialize)]
struct Listing<'g> {
    schema_version: u32,
    grants: Vec<GrantJson<'g>>,
}

pub(crate) fn list(arguments: &GrantsArgs) -> Outcome {
    let store = Store::locate()?;
    let now = Timestamp::now();
    let grants = store.grants(now)?;
    if arguments.json {
        let listing = Listing { schema_version: 1, grants: grants.iter().map(GrantJson::new).collect() };
        json_line(&serde_json::to_string(&listing).map_err(Failure::failed)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if grants.is_empty() {
        line("no grants")?;
    }
    for grant in &grants {
        let ends = format!("until {} ({} left)", clock(grant.ends_at, now), between(now, grant.ends_at));
        line(format_args!("{}  {ends}", styled(GOOD, short(grant))))?;
        let indent = "  ";
        let room = width().unwrap_or(super::USUAL_WIDTH).saturating_sub(indent.len());
        for text in std::iter::once(scope(grant)).chain(grant.patterns.iter().map(demand)).chain([givers(grant)]) {
            wrapped(&text, room).into_iter().try_for_each(|text| line(styled(DIM, format_args!("{indent}{text}"))))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn revoke(arguments: &RevokeArgs) -> Outcome {
    let person = Person::here();
    let store = Store::locate()?;
    let grants = store.grants(Timestamp::now())?;
    let shown = harmless_text(&arguments.id);
    let digits = arguments.id.strip_prefix("grant_").unwrap_or(&arguments.id);
    if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!("`{shown}` names no grant: give at least 4 of its hexadecimal digits"))
            .hint("`thoth approvals grants` has them"));
    }
    let is_meant = |grant: &&Grant| grant.id.strip_prefix("grant_").is_some_and(|id| id.starts_with(digits));
    let found: Vec<&Grant> = grants.iter().filter(is_meant).collect();
    let grant = match found.as_slice() {
        [grant] => *grant,
        [] => {
            return Err(Failure::failed(format!("there is no grant `{shown}`"))
                .detail("code", "unknown_grant")
                .hint("it may have ended; `thoth approvals grants` has those that there are"));
        }
        several => {
            let names: Vec<_> = several.iter().map(|grant| &*grant.id).collect();
            return Err(Failure::failed(format!("{} grants begin with `{shown}`", several.len()))
                .hint(format_args!("give more digits:\n    {}", names.join("\n    "))));
        }
    };
    match store.desk(&grant.hold) {
        Ok(open) => {
            let revoked = open.desk.revoke(&grant.id, &person.denial());
            open.close();
            revoked.map_err(|error| failed(&error))?;
        }
        // To tighten takes no record: a grant that could not be ended would go on letting calls through.
        Err(failure) => {
            store.holds().revoke(&grant.id).map_err(|error| failed(&error))?;
            line(styled(CARE, format_args!("that is not recorded: {}", failure.message())))?;
        }
    }
    line(format_args!("revoked {}: such calls are asked for again", short(grant)))?;
    Ok(ExitCode::SUCCESS)
}

fn short(grant: &Grant) -> &str {
    grant.id.get(..SHORT).unwrap_or(&grant.id)
}

fn scope(grant: &Grant) -> String {
    let GrantScope { agent, server, tool, .. } = &grant.scope;
    let agent = agent.as_ref().map_or_else(|| "any agent without a name".into(), |agent| name(agent.as_str()));
    format!("{} of server {}, called by {agent}", name(tool), name(server.as_str()))
}

fn demand(pattern: &ArgumentPattern) -> String {
    format!("where {} is {}", name(&pattern.argument), quoted(&pattern.glob))
}

fn givers(grant: &Grant) -> String {
    let names: Vec<_> = grant.given.iter().map(|vote| name(&vote.approver.account)).collect();
    let what = if grant.patterns.is_empty() { "with any arguments; " } else { "" };
    format!("{what}given by {}", names.join(" and "))
}

/// Leave that is asked for on the command line.
#[derive(Debug)]
pub(crate) struct Leave {
    length: SignedDuration,
    patterns: Vec<ArgumentPattern>,
    compiled: ArgumentPatterns,
}

/// Reads an `ARG=GLOB`.
pub(crate) fn pattern(text: &str) -> Result<ArgumentPattern, String> {
    let (argument, glob) = text.split_once('=').ok_or("write it as ARG=GLOB")?;
    let pattern = ArgumentPattern { argument: argument.to_owned(), glob: glob.to_owned() };
    match ArgumentPatterns::compile(std::slice::from_ref(&pattern)) {
        Ok(_) => Ok(pattern),
        Err(error) => Err(error.to_string()),
    }
}

impl Leave {
    pub(crate) fn new(length: SignedDuration, patterns: &[ArgumentPattern], any: bool) -> Result<Self, Failure> {
        if patterns.is_empty() && !any {
            return Err(Failure::usage("--for lets further calls of the tool pass, and needs to know which")
                .hint("add `--match ARG=GLOB`, as in `--match 'path=/srv/data/*'`, or `--any-arguments`"));
        }
        let compiled =
            ArgumentPatterns::compile(patterns).map_err(|error| Failure::usage(format!("--match: {error}")))?;
        Ok(Self { length, patterns: patterns.to_owned(), compiled })
    }

    /// Whether it can be given with an approval of this hold; told before anything is answered.
    pub(crate) fn suits(&self, hold: &Hold) -> Result<(), Failure> {
        let id = hold.token.short();
        let longest = SignedDuration::from_secs(i64::from(hold.requirement.longest_grant_seconds));
        if longest.is_zero() {
            return Err(Failure::failed(format!("{id} was not approved: the policy allows no grants for such calls"))
                .detail("code", "no_grants")
                .hint(
                    "approve it without --for; a policy allows them with `approvals: { grants: { longest: 30m } }`",
                ));
        }
        if self.length > longest {
            let most = length(longest);
            return Err(Failure::failed(format!("{id} was not approved: a grant may last {most} at most"))
                .detail("code", "grant_too_long")
                .hint("give a shorter --for; the policy says how long they may be (`approvals.grants.longest`)"));
        }
        let mut tape = Tape::new();
        let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
        let arguments = Arguments::new(tape.parse(&hold.arguments, &limits).ok());
        if !self.compiled.matches(arguments) {
            return Err(Failure::failed(format!("{id} was not approved: the held call itself does not match --match"))
                .detail("code", "no_match")
                .hint("`thoth approvals show` has its arguments"));
        }
        Ok(())
    }

    /// What it means, for the question.
    pub(crate) fn describe(&self, hold: &Hold) -> String {
        let which = match self.patterns.as_slice() {
            [] => "with ANY arguments".to_owned(),
            patterns => patterns.iter().map(demand).collect::<Vec<_>>().join(" and "),
        };
        format!("this and every call of {} {which} for {}", name(&hold.tool), length(self.length))
    }

    /// Gives it, on an approved hold.
    pub(crate) fn give(&self, desk: &Desk, hold: &Hold) -> Result<(), Failure> {
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| {
            Failure::failed(format!(
                "{} is approved, but no grant was given: no randomness: {error}",
                hold.token.short()
            ))
        })?;
        let now = Timestamp::now();
        let ends_at = now.saturating_add(self.length).map_err(Failure::failed)?;
        let given: Vec<Vote> = hold.votes.iter().filter(|vote| vote.approves).cloned().collect();
        let caller = &hold.caller;
        let grant = Grant {
            id: Arc::from(format!("grant_{:032x}", u128::from_be_bytes(random))),
            scope: GrantScope {
                tenant: caller.tenant.clone(),
                agent: caller.agent.clone(),
                server: caller.server.clone(),
                tool: Arc::clone(&hold.tool),
            },
            requester: hold.requester.clone(),
            patterns: self.patterns.clone(),
            given,
            hold: hold.token.clone(),
            ends_at,
        };
        let grant = desk.grant(&grant, now).map_err(|error| {
            let why = failed(&error);
            Failure::failed(format!("{} is approved, but no grant was given: {}", hold.token.short(), why.message()))
        })?;
        let (id, until) = (short(&grant), clock(grant.ends_at, now));
        line(format_args!(
            "{} {}: {id} lets such calls pass until {until}",
            styled(GOOD, "approved"),
            hold.token.short()
        ))?;
        line(format_args!("`thoth approvals revoke {id}` ends it"))
    }
}
