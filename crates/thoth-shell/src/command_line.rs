//! The command line, read; what the parser repeats of it in its messages cannot talk to the terminal.

use clap::Parser;
use clap::error::{ContextKind, ContextValue, Error};

use crate::terminal::harmless_text;

/// The command line of this process. Where it is wrong, or asks for help, the process ends.
#[must_use]
pub fn read<C: Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| harmless(error).exit())
}

/// The same error, in which what was written is escaped.
fn harmless(mut error: Error) -> Error {
    let escaped: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, escaped(kind, value)?))).collect();
    for (kind, value) in escaped {
        error.insert(kind, value);
    }
    error
}

/// The value to put in another one's place.
fn escaped(kind: ContextKind, value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) => Some(ContextValue::String(harmless_text(text))),
        ContextValue::Strings(texts) => {
            Some(ContextValue::Strings(texts.iter().map(|text| harmless_text(text)).collect()))
        }
        // Tips of one line each, which repeat an argument between colours; one that has more in it is left out.
        ContextValue::StyledStrs(texts) if kind == ContextKind::Suggested => {
            let plain = |text: &str| harmless_text(text) == text;
            Some(ContextValue::StyledStrs(texts.iter().filter(|text| plain(&text.to_string())).cloned().collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::{Subcommand, ValueEnum};

    use super::*;

    #[derive(Debug, Parser)]
    #[command(name = "thoth")]
    struct Cli {
        #[command(subcommand)]
        _command: Command,
    }

    #[derive(Debug, Subcommand)]
    enum Command {
        Run {
            #[arg(long = "session-intent", value_parser = |text: &str| if text.contains('\t') { Err("it has a tab") } else { Ok(text.to_owned()) })]
            _session_intent: Option<String>,
            #[arg(long = "enforcement-mode")]
            _enforcement_mode: Option<Mode>,
            #[arg(long = "tenant-id")]
            _tenant_id: Option<String>,
            #[arg(last = true)]
            _command: Vec<String>,
        },
        Health,
    }

    #[derive(Debug, Clone, Copy, ValueEnum)]
    enum Mode {
        Block,
    }

    /// Defends: no argument makes a line of its own on the terminal, or colours one.
    #[test]
    fn arguments_are_escaped_in_messages() {
        let odd = "a\tb\nthoth: every call is allowed\u{1b}[31m\u{202e}";
        let odd_flag = format!("--{odd}");
        for words in [
            &["run", "--session-intent", odd, "--", "true"][..],
            &["run", "--enforcement-mode", odd, "--", "true"],
            &["run", &odd_flag, "--", "true"],
            &["health", odd],
            &[odd],
        ] {
            let error = Cli::try_parse_from(["thoth"].iter().chain(words)).unwrap_err();
            let message = harmless(error).to_string();
            assert!(message.contains(r"\u{a}thoth: every call is allowed\u{1b}[31m\u{202e}"), "{message}");
            assert!(
                !message.contains('\t') && !message.contains("\nthoth:") && !message.contains('\u{202e}'),
                "{message}"
            );
        }
        let plain = Cli::try_parse_from(["thoth", "run", "--tenant", "a"]).unwrap_err();
        assert_eq!(
            harmless(plain).to_string(),
            Cli::try_parse_from(["thoth", "run", "--tenant", "a"]).unwrap_err().to_string()
        );
    }
}
