//! Tables of texts from outside.

use thoth_shell::cells::{cell, columns};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::{DIM, line, styled};

/// The widest cell.
const WIDEST: usize = 40;

/// A text that may be absent, as a cell.
pub(crate) fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| cell(text, WIDEST))
}

/// A time as the contract has it, to the second.
pub(crate) fn time(text: Option<&str>) -> String {
    let Some(text) = text else { return "-".to_owned() };
    match text.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Err(_) => cell(text, WIDEST),
    }
}

/// Reads an instant of a command line, so that a word that is none asks nobody.
pub(crate) fn instant(text: &str) -> Result<String, &'static str> {
    let told = text.parse::<jiff::Timestamp>().map(|_| text.to_owned());
    told.map_err(|_| "it is no instant like `2026-01-31T12:00:00Z`")
}

/// Prints rows below a heading, aligned.
pub(crate) fn print<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Result<(), Failure> {
    let mut widths = heading.map(columns);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let padded = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell}{}", " ".repeat(width - columns(cell))));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    line(styled(DIM, padded(&heading.map(str::to_owned))))?;
    rows.iter().try_for_each(|row| line(padded(row)))
}
