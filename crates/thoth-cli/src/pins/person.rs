//! Whether whoever runs this may approve what servers offer.
//!
//! An approval is a person's, at a terminal that no governed agent has started: a model with a shell could otherwise
//! approve the very tools that were made to deceive it. Whoever manages a machine can bring approved pins along as root,
//! without a terminal.

use jiff::Timestamp;
use thoth_proxy::{Governed, governed_by_any};
use thoth_store::Approval;
use thoth_types::Channel;

use crate::approvals::person::Person;
use thoth_shell::exit::Failure;

/// What an approval needs beside a person who is not governed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// A terminal.
    Terminal,
    /// A terminal, or the account of whoever manages the machine.
    TerminalOrRoot,
}

pub(crate) fn may_approve(person: &Person, needs: Needs) -> Result<(), Failure> {
    let managed = needs == Needs::TerminalOrRoot && person.approver.uid == 0;
    if person.channel != Channel::Terminal && !managed {
        return Err(Failure::failed("nothing was approved: an approval must be given at a terminal")
            .detail("code", "no_terminal")
            .hint("run this in a terminal"));
    }
    let above = governed_by_any().map_err(|error| {
        Failure::failed(format!("nothing was approved: it cannot be told what this runs under: {error}"))
            .detail("code", "unknown_lineage")
            .hint("approve it in a terminal of its own; where processes are hidden from other accounts, as root")
    })?;
    let under = match above {
        None => return Ok(()),
        Some(Governed::UnderClient(process)) => format!("a client of `thoth run` (process {process})"),
        Some(Governed::UnderGate(process)) => format!("a server that `thoth run` governs (process {process})"),
    };
    Err(Failure::failed(format!("nothing was approved: this approval comes from under {under}"))
        .detail("code", "governed_side")
        .hint("approve it in a terminal that no client started"))
}

/// An approval by this person, now, of a definition in which these rules found something.
pub(crate) fn approval(person: &Person, accepted: Vec<std::sync::Arc<str>>) -> Approval {
    Approval {
        by: Some(std::sync::Arc::clone(&person.approver.account)),
        channel: Some(person.channel),
        origin: person.origin.as_str().into(),
        at: Timestamp::now(),
        accepted: accepted.into(),
    }
}
