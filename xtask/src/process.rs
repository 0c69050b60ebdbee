//! Running other programs.
//!
//! Nothing here reads standard input, so that a task can never wait for an answer that CI cannot give.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

/// Runs a command that must succeed; its output goes where ours goes.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    if succeeds(command)? { Ok(()) } else { bail!("`{}` failed", shown(command)) }
}

/// Runs a command; its output goes where ours goes.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    Ok(status.success())
}

/// Whether a program starts and exits with 0, without showing what it prints.
pub(crate) fn answers(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command, passes both of its streams on line by line, and hands every line to `seen` as well.
pub(crate) fn watched(command: &mut Command, mut seen: impl FnMut(&str)) -> Result<bool> {
    let (reader, writer) = std::io::pipe().context("cannot make a pipe")?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().context("cannot share a pipe")?).stderr(writer);
    let spawned = command.spawn().with_context(|| format!("cannot start `{}`", shown(command)));
    // The command keeps our ends of the pipe until it is told otherwise, and reading would never end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = spawned?;
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).context("cannot read the output of a command")? > 0 {
        if !line.ends_with(b"\n") {
            line.push(b'\n');
        }
        seen(String::from_utf8_lossy(&line).trim_end());
        let mut out = std::io::stdout().lock();
        drop(out.write_all(&line).and_then(|()| out.flush()));
        line.clear();
    }
    Ok(child.wait().context("cannot wait for a command")?.success())
}

/// A command as a person would type it, for messages.
fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The count of tests is read from these lines, so both streams must reach it, whole and to the end.
    #[test]
    fn every_line_of_both_streams_is_seen() {
        let mut lines = Vec::new();
        let script = "echo one; echo two >&2; printf three; exit 3";
        let success = watched(Command::new("sh").args(["-c", script]), |line| lines.push(line.to_owned())).unwrap();
        assert!(!success);
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = must(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(format!("{error:#}").contains("`no-such-program-here`"), "{error:#}");
    }
}
