//! Writing to standard output, coloured only where a person sees it.

use std::fmt::Display;
use std::io::Write as _;

use clap::builder::styling::{AnsiColor, Style};

use crate::exit::Failure;

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const CARE: Style = AnsiColor::Yellow.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();

/// Prints one line. A reader that has gone away, such as `head`, ends the command quietly.
pub(crate) fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::failed(format!("cannot write to standard output: {error}")))
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
