//! What a task says while it works.
//!
//! Progress goes to standard output, so that a CI log shows it in order with the closing line. A closed pipe is not an
//! error here: whoever stopped reading does not want to hear about it.

use std::io::Write as _;

/// One line of progress.
pub(crate) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// The heading of a step.
pub(crate) fn step(name: &str) {
    say(&format!("==> {name}"));
}

/// A problem that does not fail the step.
pub(crate) fn warning(line: &str) {
    say(&format!("warning: {line}"));
}

/// A problem that fails the step.
pub(crate) fn error(line: &str) {
    say(&format!("error: {line}"));
}
