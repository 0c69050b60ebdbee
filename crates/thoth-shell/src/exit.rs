//! Exit codes and the one place where failures become text.

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Map, Value};

/// What the exit codes mean; part of the contract, listed in `thoth --help`. `thoth run` ends with the upstream's own
/// exit code instead, or 128 plus the number of the signal that ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Something could not be done.
    Failed = 1,
    /// The command line was wrong. Also used by the argument parser.
    Usage = 2,
    /// A policy file is invalid.
    InvalidPolicy = 3,
    /// A ledger does not verify.
    NotVerified = 4,
    /// It works, and should be looked after: `doctor` or `policy check` has warnings, or all that is signed in a ledger
    /// verifies and an update of it was interrupted.
    Warned = 5,
    /// The upstream's program cannot be executed.
    NotExecutable = 126,
    /// The upstream's program was not found.
    NotFound = 127,
    /// Whoever read standard output has gone away: 128 plus the number of SIGPIPE, as for other programs.
    Closed = 141,
}

impl Code {
    /// The word for scripts, where nothing more exact is known.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::InvalidPolicy => "invalid_policy",
            Self::NotVerified => "not_verified",
            Self::Warned => "warned",
            Self::NotExecutable => "not_executable",
            Self::NotFound => "not_found",
            Self::Closed => "closed",
        }
    }
}

/// A failure that a person or a script reads: what happened, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    message: String,
    hint: Option<String>,
    details: Map<String, Value>,
}

impl Failure {
    /// A failure that ends with `code`.
    pub fn new(code: Code, message: impl Display) -> Self {
        Self { code, message: message.to_string(), hint: None, details: Map::new() }
    }

    /// Something could not be done.
    pub fn failed(message: impl Display) -> Self {
        Self::new(Code::Failed, message)
    }

    /// The command line was wrong.
    pub fn usage(message: impl Display) -> Self {
        Self::new(Code::Usage, message)
    }

    /// The same, with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// The same for commands that keep 1 for what they found: it was not scanned, as if the command line were wrong.
    pub fn not_scanned(mut self) -> Self {
        if self.code == Code::Failed {
            self.code = Code::Usage;
            self.details.entry("code").or_insert_with(|| "not_scanned".into());
        }
        self
    }

    /// What happened, without what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do, where that is known.
    pub fn remedy(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Something that scripts get beside the message; `code` replaces the general word.
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Writes the failure to stderr.
    pub fn report(&self) -> ExitCode {
        if self.code != Code::Closed {
            let mut out = anstream::stderr().lock();
            let style = clap::builder::styling::AnsiColor::Red.on_default().bold();
            // There is nowhere left to report that stderr is closed.
            drop(writeln!(out, "{style}error{style:#}: {}", self.message.trim_end()));
            if let Some(hint) = &self.hint {
                drop(writeln!(out, "  hint: {hint}"));
            }
        }
        self.exit_code()
    }

    /// Writes the failure to stdout as one JSON object, for scripts that read answers there.
    pub fn report_json(mut self) -> ExitCode {
        if self.code != Code::Closed {
            let exit_code = self.exit_code();
            self.details.insert("error".to_owned(), self.message.trim_end().into());
            self.details.entry("code").or_insert_with(|| self.code.as_str().into());
            if let Some(hint) = self.hint {
                self.details.insert("hint".to_owned(), hint.into());
            }
            if crate::terminal::line(Value::Object(self.details)).is_ok() {
                return exit_code;
            }
        }
        ExitCode::from(Code::Closed as u8)
    }

    /// What the program ends with.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code as u8)
    }
}

/// What every subcommand returns.
pub type Outcome = Result<ExitCode, Failure>;

/// Reports a failure where a caller that asked for JSON looks for it.
pub fn finish(outcome: Outcome, json: bool) -> Outcome {
    match outcome {
        Err(failure) if json => Ok(failure.report_json()),
        outcome => outcome,
    }
}
