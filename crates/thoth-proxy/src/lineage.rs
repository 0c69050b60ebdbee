//! The processes above this one, as the system tells of them.

#[cfg(target_os = "linux")]
pub(crate) use linux::{ancestors, line_from};
#[cfg(target_os = "macos")]
pub(crate) use macos::ancestors;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
pub(crate) use unknown::ancestors;

/// A process and those above it: not told on this system.
#[cfg(not(target_os = "linux"))]
pub(crate) fn line_from(
    id: u32,
) -> Result<Vec<thoth_endpoint::lineage::Process>, thoth_endpoint::lineage::LineageError> {
    Err(thoth_endpoint::lineage::LineageError::Unreadable(id))
}

/// The ids of this process's parent.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn parent() -> u32 {
    // None where the parent lies outside of this container.
    rustix::process::getppid().map_or(0, |id| id.as_raw_nonzero().get().unsigned_abs())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::{read, read_link};

    use thoth_endpoint::lineage::{LineageError, Process, line, linux_stat};

    /// How often the line is followed anew: a process of it may end while it is followed, and its children then belong
    /// under another.
    const ATTEMPTS: usize = 3;

    pub(crate) fn ancestors() -> Result<Vec<Process>, LineageError> {
        // In a PID namespace of its own a process has other ids than in the `/proc` of its parents, and no parent.
        let own = read_link("/proc/self").ok().and_then(|link| link.to_str()?.parse().ok());
        if own != Some(std::process::id()) {
            return Err(LineageError::Elsewhere);
        }
        let mut found = line(super::parent(), process);
        for _ in 1..ATTEMPTS {
            if found.is_ok() {
                break;
            }
            found = line(super::parent(), process);
        }
        found
    }

    /// A process and those above it.
    pub(crate) fn line_from(id: u32) -> Result<Vec<Process>, LineageError> {
        line(id, process)
    }

    /// A process in `/proc`. Its program can be read only if the process is the same user's; the name that it was
    /// started by and the one that the kernel keeps, cut to 15 bytes, everybody may read.
    pub(super) fn process(id: u32) -> Option<Process> {
        let stat = read(format!("/proc/{id}/stat")).ok()?;
        let stat = String::from_utf8_lossy(&stat);
        let (name, parent) = linux_stat(&stat)?;
        let mut names = vec![name.to_owned()];
        let words = read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let started_by = words.split(|byte| *byte == 0).next().unwrap_or_default();
        names.push(String::from_utf8_lossy(started_by).into_owned());
        names.extend(read_link(format!("/proc/{id}/exe")).map(|path| path.to_string_lossy().into_owned()));
        Some(Process { id, parent, names })
    }
}

#[cfg(target_os = "macos")]
mod macos {
    use std::process::{Command, Stdio};

    use thoth_endpoint::lineage::{LineageError, Process, line, process_table};

    /// Asks `ps` once: everything comes from the same moment.
    pub(crate) fn ancestors() -> Result<Vec<Process>, LineageError> {
        let first = super::parent();
        let said = Command::new("/bin/ps")
            .args(["-axo", "pid=,ppid=,comm="])
            .env_clear()
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .map_err(|_| LineageError::Unreadable(first))?;
        let table = process_table(&String::from_utf8_lossy(&said.stdout));
        line(first, |id| table.get(&id).cloned())
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod unknown {
    use thoth_endpoint::lineage::{LineageError, Process};

    /// No way to tell is known for this system.
    pub(crate) fn ancestors() -> Result<Vec<Process>, LineageError> {
        Err(LineageError::Unreadable(std::os::unix::process::parent_id()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_line_that_begins_with_its_parent() {
        let line = ancestors().unwrap();
        assert_eq!(line.first().map(|process| process.id), Some(parent()).filter(|id| *id != 0));
        assert!(line.iter().all(|process| process.names.iter().any(|name| !name.is_empty())), "{line:?}");
        assert!(line.windows(2).all(|pair| pair[0].parent == pair[1].id), "{line:?}");
        assert_eq!(line.last().map(|process| process.parent), Some(0).filter(|_| !line.is_empty()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_known_by_its_program() {
        let own = linux::process(std::process::id()).unwrap();
        let program = std::env::current_exe().unwrap();
        assert_eq!(own.parent, parent());
        assert!(own.names.iter().any(|name| *name == program.to_string_lossy()), "{own:?}");
        assert!(linux::process(u32::MAX).is_none());
    }
}
