//! Who answers, and from where, as the system tells; and whether that is the side that asked.

use std::io::IsTerminal as _;

use jiff::Timestamp;
use rustix::termios::ttyname;
use thoth_endpoint::lineage::LineageError;
use thoth_proxy::{Governed, governed_above, own_line};
use thoth_store::{Hold, HoldState, VoteError};
use thoth_types::{Approver, Channel, ProcessRef, Unentitled, Vote};

use crate::account;
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;

use super::times::clock;

/// Whoever runs this command.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) approver: Approver,
    pub(crate) channel: Channel,
    pub(crate) origin: String,
}

impl Person {
    /// The account of this process, at the terminal that it reads from and writes to, if it has one.
    pub(crate) fn here() -> Self {
        let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let name = || ttyname(std::io::stdin(), Vec::new()).ok().map(|name| name.to_string_lossy().into_owned());
        let (channel, origin) = if terminal {
            (Channel::Terminal, name().unwrap_or_else(|| "a terminal".to_owned()))
        } else {
            (Channel::Script, "no terminal".to_owned())
        };
        Self { approver: account::person(), channel, origin: harmless_text(&origin) }
    }

    /// A "no" of now. It counts wherever it comes from.
    pub(crate) fn denial(&self) -> Vote {
        self.vote(false, own_line().unwrap_or_default())
    }

    /// A "yes" of now to this hold.
    pub(crate) fn approval(&self, hold: &Hold) -> Result<Vote, Failure> {
        let line = own_line().map_err(|error| unknown_lineage(hold, &error))?;
        Ok(self.vote(true, line))
    }

    fn vote(&self, approves: bool, line: Vec<ProcessRef>) -> Vote {
        let (approver, channel, origin) = (self.approver.clone(), self.channel, self.origin.clone());
        Vote { approver, approves, channel, origin, at: Timestamp::now(), line }
    }

    /// Why an approval by this person would not be taken; the gate's own answer may still be another one.
    pub(crate) fn may_approve(&self, hold: &Hold) -> Result<(), Failure> {
        let id = hold.token.short();
        let counts = |vote: &Vote| hold.clone().vote(vote).map_err(|error| not_taken(hold, &error, vote));
        counts(&self.vote(true, Vec::new()))?;
        let above = governed_above(hold.requester.client).map_err(|error| unknown_lineage(hold, &error))?;
        let under = match above {
            None => return counts(&self.approval(hold)?),
            Some(Governed::UnderClient(process)) => format!("the client that asked (process {process})"),
            Some(Governed::UnderGate(process)) => format!("a server that `thoth run` governs (process {process})"),
        };
        Err(Failure::failed(format!("{id} was not approved: this approval comes from under {under}"))
            .detail("code", "governed_side")
            .hint("approve it in a terminal that the client did not start"))
    }
}

fn unknown_lineage(hold: &Hold, error: &LineageError) -> Failure {
    let id = hold.token.short();
    Failure::failed(format!("{id} was not approved: it cannot be told what this runs under: {error}"))
        .detail("code", "unknown_lineage")
        .hint("approve it in a terminal of its own; where processes are hidden from other accounts, as root")
}

/// Why an answer was not taken, and what to do.
pub(crate) fn not_taken(hold: &Hold, error: &VoteError, vote: &Vote) -> Failure {
    let id = hold.token.short();
    let account = harmless_text(&vote.approver.account);
    let (code, message, hint) = match error {
        VoteError::Closed(state) => return closed(hold, *state, vote.at),
        VoteError::Unentitled(Unentitled::NotAnApprover) => {
            let (who, _) = thoth_policy::describe_requirement(&hold.requirement);
            ("not_an_approver", format!("{account} may not approve it"), format!("it takes {}", harmless_text(&who)))
        }
        VoteError::Unentitled(Unentitled::IsRequester) => (
            "is_requester",
            format!("{account} made the call, and may not approve it, too"),
            "another account must; the policy says so (`approvals.requester_may_approve`)".to_owned(),
        ),
        VoteError::Unentitled(Unentitled::NoTerminal) => (
            "no_terminal",
            "an approval must be given at a terminal".to_owned(),
            "run this in a terminal; a policy that trusts scripts says `approvals: { terminal: false }`".to_owned(),
        ),
        VoteError::Unentitled(Unentitled::UnderClient) => (
            "governed_side",
            "this approval comes from under the client that asked".to_owned(),
            "approve it in a terminal that the client did not start".to_owned(),
        ),
        VoteError::Unentitled(Unentitled::OutOfSight) => (
            "unknown_lineage",
            "it cannot be told what this runs under: the client that asked runs in another container".to_owned(),
            "approve it where the client runs: in the same container, or outside of one".to_owned(),
        ),
        VoteError::Unentitled(Unentitled::Again) => (
            "again",
            format!("{account} has approved it already, and it takes {} accounts", hold.requirement.quorum),
            "somebody else must approve it, under another account".to_owned(),
        ),
    };
    Failure::failed(format!("{id} was not approved: {message}")).detail("code", code).hint(hint)
}

/// There is nothing left to answer.
fn closed(hold: &Hold, state: HoldState, now: Timestamp) -> Failure {
    let id = hold.token.short();
    let until = clock(hold.ends_at, now);
    let (message, hint) = match state {
        HoldState::Pending => (format!("{id} has been asked anew"), "look at it again".to_owned()),
        HoldState::Approved => (
            format!("{id} is approved already"),
            format!("the same call passes once until {until}; `thoth approvals deny {id}` takes that back"),
        ),
        HoldState::Denied => {
            (format!("{id} is denied"), format!("that stands until {until}; after it, the same call is asked for anew"))
        }
        HoldState::Expired => {
            (format!("{id} expired at {until}"), "the same call, made again, is asked for anew".to_owned())
        }
        HoldState::Spent => (
            format!("{id} was approved, and the call went out"),
            "the same call, made again, is asked for anew".to_owned(),
        ),
    };
    Failure::failed(message).detail("code", state.as_str()).hint(hint)
}
