//! Writing to standard output, coloured only where a person sees it, and asking that person.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{BufRead as _, ErrorKind, IsTerminal as _, Write as _};
use std::sync::OnceLock;

use clap::builder::styling::{AnsiColor, Style};
use rustix::termios::{QueueSelector, tcflush};

use crate::exit::{Code, Failure};

/// What is as it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What to look at.
pub const CARE: Style = AnsiColor::Yellow.on_default();
/// What matters less.
pub const DIM: Style = Style::new().dimmed();

/// Prints one line. A reader that has gone away, such as `head`, ends the command quietly, with the exit code of
/// programs that SIGPIPE ends.
pub fn line(text: impl Display) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(unwritten)
}

/// Prints one line of JSON, byte for byte, to anything but a terminal. `line` would not: what takes the colours out also
/// takes DEL out, which may stand in a JSON string as it is.
pub fn json_line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let text = if out.is_terminal() { harmless(text) } else { Cow::Borrowed(text) };
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(unwritten)
}

/// The same JSON without the control characters that JSON allows in its strings and that terminals obey.
fn harmless(json: &str) -> Cow<'_, str> {
    let control = |c: char| c.is_control();
    if !json.contains(control) {
        return Cow::Borrowed(json);
    }
    let escaped = |c: char| if control(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    Cow::Owned(json.chars().map(escaped).collect())
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn unwritten(error: std::io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::BrokenPipe { Code::Closed } else { Code::Failed };
    Failure::new(code, format!("cannot write to standard output: {error}"))
}

/// Where notes go instead of standard error.
static DIVERTED: OnceLock<fn(&dyn Display)> = OnceLock::new();

/// Has all later notes of this process go there: a program that writes its own lines keeps them of one form. Only the first
/// call counts.
pub fn divert_notes(to: fn(&dyn Display)) {
    let _ = DIVERTED.set(to);
}

/// Says something on standard error.
pub fn note(text: impl Display) {
    if let Some(divert) = DIVERTED.get() {
        return divert(&text);
    }
    // There is nowhere left to report that stderr is closed.
    drop(writeln!(std::io::stderr().lock(), "thoth: {text}"));
}

/// A value in a style that ends with it.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A text from outside as a terminal may see it: what it would obey, and what reorders or hides text, is escaped.
pub fn harmless_text(text: &str) -> String {
    thoth_types::display::harmless(text)
}

/// A text as one word of a shell's command line, for commands that people copy.
pub fn quoted(text: impl Display) -> String {
    format!("'{}'", text.to_string().replace('\'', r"'\''"))
}

/// Rows of a label and a value, the values aligned.
pub fn fields(rows: &[(&str, String)]) -> Result<(), Failure> {
    let width = rows.iter().map(|(label, _)| label.len()).max().unwrap_or_default();
    for (label, value) in rows {
        line(format_args!("{label:width$}  {value}"))?;
    }
    Ok(())
}

/// Asks at the terminal. Only a `y` that was typed after the question is a yes.
pub fn agrees(question: impl Display) -> Result<bool, Failure> {
    let unread = |error: std::io::Error| Failure::failed(format!("nothing was answered: {error}"));
    // Of no use where it fails: then what was typed before the question is taken for its answer.
    let _ = tcflush(std::io::stdin(), QueueSelector::IFlush);
    let mut out = std::io::stderr().lock();
    write!(out, "{question} [y/N] ").and_then(|()| out.flush()).map_err(unread)?;
    let mut answer = String::new();
    if std::io::stdin().lock().read_line(&mut answer).map_err(unread)? == 0 {
        drop(writeln!(out));
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_talk_to_the_terminal() {
        assert_eq!(harmless_text("a \"b\" 'é'\u{1b}[31m\u{202e}\n"), r#"a "b" 'é'\u{1b}[31m\u{202e}\u{a}"#);
    }

    /// No event can talk to the terminal on which it is shown, and it stays the same JSON.
    #[test]
    fn control_characters_are_escaped() {
        let json = "{\"a\":\"x\u{7f}\u{9b}31mé\"}";
        assert_eq!(harmless(json), r#"{"a":"x\u007f\u009b31mé"}"#);
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(json), read(&harmless(json)));
    }
}
