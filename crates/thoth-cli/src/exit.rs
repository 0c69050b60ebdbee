//! Exit codes and the one place where failures become text.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

/// What the exit codes mean; part of the contract, listed in `thoth --help`. `thoth run` ends with the upstream's own
/// exit code instead, or 128 plus the number of the signal that ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// Something could not be done.
    Failed = 1,
    /// The command line was wrong. Also used by the argument parser.
    Usage = 2,
    /// A policy file is invalid.
    InvalidPolicy = 3,
    /// A ledger does not verify.
    NotVerified = 4,
    /// The upstream's program cannot be executed.
    NotExecutable = 126,
    /// The upstream's program was not found.
    NotFound = 127,
}

/// A failure that a person reads: what happened, and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Display) -> Self {
        Self { code, message: message.to_string(), hint: None }
    }

    pub(crate) fn failed(message: impl Display) -> Self {
        Self::new(Code::Failed, message)
    }

    pub(crate) fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Writes the failure to stderr.
    pub(crate) fn report(&self) -> ExitCode {
        let mut out = anstream::stderr().lock();
        let style = clap::builder::styling::AnsiColor::Red.on_default().bold();
        // There is nowhere left to report that stderr is closed.
        drop(writeln!(out, "{style}error{style:#}: {}", self.message.trim_end()));
        if let Some(hint) = &self.hint {
            drop(writeln!(out, "  hint: {hint}"));
        }
        ExitCode::from(self.code as u8)
    }
}

/// What every subcommand returns.
pub(crate) type Outcome = Result<ExitCode, Failure>;
