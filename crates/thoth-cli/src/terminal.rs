//! Writing to standard output, coloured only where a person sees it.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

use clap::builder::styling::{AnsiColor, Style};

use crate::exit::{Code, Failure};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();

/// Prints one line. A reader that has gone away, such as `head`, ends the command quietly, with the exit code of
/// programs that SIGPIPE ends.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| {
        let code = if error.kind() == ErrorKind::BrokenPipe { Code::Closed } else { Code::Failed };
        Failure::new(code, format!("cannot write to standard output: {error}"))
    })
}

/// Says something on standard error.
pub(crate) fn note(text: impl Display) {
    // There is nowhere left to report that stderr is closed.
    drop(writeln!(std::io::stderr().lock(), "thoth: {text}"));
}

/// A value in a style that ends with it.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Rows of a label and a value, the values aligned.
pub(crate) fn fields(rows: &[(&str, String)]) -> Result<(), Failure> {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    for (label, value) in rows {
        line(format_args!("{label:width$}  {value}"))?;
    }
    Ok(())
}
