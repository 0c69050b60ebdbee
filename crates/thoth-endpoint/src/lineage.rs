//! The processes above a session: who started the one that started it, up to the system's first.

use std::collections::BTreeMap;

/// Most processes that are followed upwards. A longer line is not one that a person or a system makes.
const MAX_ANCESTORS: usize = 128;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// The id of the process that it belongs under; 0 for none.
    pub parent: u32,
    /// What it is called: its name, and the path of its program as far as it can be read.
    pub names: Vec<String>,
}

/// The processes above a session cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineageError {
    /// The system does not say enough about a process.
    #[error("process {0} cannot be read")]
    Unreadable(u32),
    /// What the system shows is about the processes of another container.
    #[error("`/proc` does not show this process's own container")]
    Elsewhere,
    /// The line does not end.
    #[error("it is longer than {MAX_ANCESTORS} processes")]
    TooLong,
}

/// Follows the line from the process `first` upwards, to the one without a parent.
///
/// # Errors
/// If a process of the line cannot be read: what is above it is then unknown.
pub fn line(first: u32, mut read: impl FnMut(u32) -> Option<Process>) -> Result<Vec<Process>, LineageError> {
    let mut line = Vec::new();
    let mut id = first;
    while id != 0 {
        if line.len() == MAX_ANCESTORS {
            return Err(LineageError::TooLong);
        }
        let process = read(id).ok_or(LineageError::Unreadable(id))?;
        id = process.parent;
        line.push(process);
    }
    Ok(line)
}

/// The name and the parent in a Linux `/proc/<pid>/stat` (man 5 `proc_pid_stat`). The name stands in parentheses and may
/// hold any character, further parentheses and spaces included.
#[must_use]
pub fn linux_stat(text: &str) -> Option<(&str, u32)> {
    let (before, rest) = text.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let parent = rest.split_ascii_whitespace().nth(1)?;
    Some((name, parent.parse().ok()?))
}

/// All processes in what `ps -axo pid=,ppid=,comm=` prints. The rest of a line is the program, which on macOS is its
/// whole path. Lines that are none are left out, so that a process in them counts as unreadable.
#[must_use]
pub fn process_table(text: &str) -> BTreeMap<u32, Process> {
    let mut table = BTreeMap::new();
    for line in text.lines() {
        let Some((id, rest)) = line.trim().split_once(char::is_whitespace) else { continue };
        let Some((parent, name)) = rest.trim_start().split_once(char::is_whitespace) else { continue };
        if let (Ok(id), Ok(parent)) = (id.parse(), parent.parse()) {
            table.insert(id, Process { id, parent, names: vec![name.trim_start().to_owned()] });
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_the_name() {
        for (text, expected) in [
            ("12 (bash) S 7 12 12 0 -1", Some(("bash", 7))),
            ("12 (a b) c) R 1) S 7 12", Some(("a b) c) R 1", 7))),
            ("12 (() S 0 0", Some(("(", 0))),
            ("12 () S 1", Some(("", 1))),
            ("12 (bash) S", None),
            ("12 (bash) S x", None),
            ("12 bash S 7", None),
            ("", None),
        ] {
            assert_eq!(linux_stat(text), expected, "{text}");
        }
    }

    const TABLE: &str = "    1     0 /sbin/launchd\n  301     1 /Applications/My App.app/Contents/MacOS/My App\n\
                         41200   301 -zsh\n41300 41200 thoth\n  500   501 a\n  501   500 b\nnonsense\n  7 x y\n";

    #[test]
    fn a_line_is_followed_to_its_end() {
        let table = process_table(TABLE);
        let line = |first| line(first, |id| table.get(&id).cloned());
        let names =
            |first| line(first).map(|line| line.into_iter().flat_map(|process| process.names).collect::<Vec<_>>());
        assert_eq!(names(41200).unwrap(), ["-zsh", "/Applications/My App.app/Contents/MacOS/My App", "/sbin/launchd"]);
        assert_eq!(names(0), Ok(Vec::new()));
        // What cannot be followed to the end is unknown, not short.
        assert_eq!(names(7), Err(LineageError::Unreadable(7)));
        assert_eq!(names(500), Err(LineageError::TooLong));
    }
}
