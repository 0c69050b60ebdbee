//! Finding the program that a command names, without a shell: the rules of all three platforms.
//!
//! A command that holds a separator is a path and is taken as it stands. A name is looked for in `PATH` and then in the
//! directories where programs are usually installed, because hosts started from a desktop hand over a short `PATH`. On
//! Windows the extensions of `PATHEXT` are tried in each directory.
//!
//! The working directory is never searched, and neither is an entry of `PATH` that is empty or relative: both mean a
//! place in the workspace, and a workspace must not supply programs.

mod batch;
mod hint;
mod paths;
mod places;
#[cfg(test)]
mod tests;

use std::fmt;

pub use batch::{UnsafeArgument, check_batch_arguments};
pub use places::{Origin, Place, Places, desktop_environment, places};

use crate::platform::{Environment, Platform};

/// What is to be found, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The first word of the command.
    pub program: &'a str,
    /// The environment whose `PATH`, `PATHEXT` and base directories count. It need not be this process's own.
    pub environment: &'a Environment,
    /// The working directory: what a relative path is relative to. Names are never looked for in it.
    pub directory: &'a str,
}

/// What the search needs to know of the file system.
pub trait Probe {
    /// What is at this full path; symbolic links are followed.
    fn look(&self, path: &str) -> Seen;

    /// The names of the entries of a directory, in any order; none if it cannot be read.
    fn list(&self, directory: &str) -> Vec<String>;
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing, or nothing that can be reached.
    Nothing,
    /// Something that cannot be started: a directory, or a file without the permission to execute it. On Windows every
    /// file counts as executable; its extension decides.
    NotExecutable,
    /// A file that the system lets this user execute.
    Executable,
}

/// How a program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// By the system itself.
    Executable,
    /// A Windows `.cmd` or `.bat` file, which the system hands to `cmd.exe`: its arguments go through
    /// [`check_batch_arguments`] first.
    BatchFile,
}

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its full path.
    pub path: String,
    /// Where it was found; `None` for a command that is a path.
    pub origin: Option<Origin>,
    /// How it is started.
    pub kind: Kind,
    /// Its directory, where that is one of the usual ones but not in `PATH`. The program's own `PATH` should end with
    /// it: `npx` begins with `#!/usr/bin/env node`, and `node` lies beside it.
    pub add_to_path: Option<String>,
}

/// Why there is no program to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// No directory has a program of this name.
    Nowhere(Box<Nowhere>),
    /// The command is a path, and no file is there.
    Missing {
        /// The full path.
        path: String,
    },
    /// The command is a path, and what is there cannot be started.
    NotExecutable {
        /// The full path.
        path: String,
        /// What would make it start.
        remedy: &'static str,
    },
    /// The command is a Windows path whose meaning depends on more than the working directory, such as `C:server.exe`.
    Ambiguous {
        /// The command.
        program: String,
    },
}

/// A name that was found in no directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nowhere {
    /// The name.
    pub program: String,
    /// Where it was looked for.
    pub places: Places,
    /// Files of that name that cannot be executed, by their full paths.
    pub not_executable: Vec<String>,
    /// How a well-known program is installed on this platform, as an imperative sentence without its full stop.
    pub hint: Option<String>,
}

/// Finds a program.
///
/// # Errors
/// If there is none; the error says everywhere that was searched.
pub fn resolve(platform: Platform, search: &Search<'_>, probe: &dyn Probe) -> Result<Resolved, NotFound> {
    let places = places(platform, search.environment, probe);
    let extensions = paths::extensions(platform, search.environment);
    let candidates = paths::file_names(platform, search.program, &extensions);
    if paths::is_path(platform, search.program) {
        return at_path(platform, search, &candidates, &places, probe);
    }
    let mut not_executable = Vec::new();
    for place in &places.searched {
        for (name, kind) in &candidates {
            let path = paths::join(platform, &place.directory, name);
            match probe.look(&path) {
                Seen::Executable => {
                    let add_to_path = (place.origin == Origin::WellKnown).then(|| place.directory.clone());
                    return Ok(Resolved { path, origin: Some(place.origin), kind: *kind, add_to_path });
                }
                Seen::NotExecutable => not_executable.push(path),
                Seen::Nothing => {}
            }
        }
    }
    let hint = hint::install(platform, search.program);
    Err(NotFound::Nowhere(Box::new(Nowhere { program: search.program.to_owned(), places, not_executable, hint })))
}

/// A command that is a path: it names one file, which is there or is not.
fn at_path(
    platform: Platform,
    search: &Search<'_>,
    candidates: &[(String, Kind)],
    places: &Places,
    probe: &dyn Probe,
) -> Result<Resolved, NotFound> {
    let full = |text: &str| paths::absolute(platform, search.directory, text);
    let ambiguous = || NotFound::Ambiguous { program: search.program.to_owned() };
    let mut in_the_way = None;
    for (name, kind) in candidates {
        let path = full(name).ok_or_else(ambiguous)?;
        match probe.look(&path) {
            Seen::Executable => {
                let directory = paths::parent(platform, &path);
                let add_to_path = places.well_known_outside_path(platform, directory);
                return Ok(Resolved { path, origin: None, kind: *kind, add_to_path });
            }
            Seen::NotExecutable => in_the_way = in_the_way.or(Some(path)),
            Seen::Nothing => {}
        }
    }
    let path = full(search.program).ok_or_else(ambiguous)?;
    let remedy = match platform {
        Platform::Windows => "Windows starts `.exe`, `.cmd` and `.bat` files; name the interpreter of a script first",
        Platform::Linux | Platform::MacOs => "make it executable with `chmod +x`, or name its interpreter first",
    };
    match in_the_way {
        Some(path) => Err(NotFound::NotExecutable { path, remedy }),
        // On Windows the very file may be there, with an extension that cannot be started.
        None if probe.look(&path) == Seen::Nothing => Err(NotFound::Missing { path }),
        None => Err(NotFound::NotExecutable { path, remedy }),
    }
}

impl std::error::Error for NotFound {}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere(nowhere) => nowhere.fmt(f),
            Self::Missing { path } => {
                write!(f, "there is no file `{}`; check the path after `--`", Visible(path))?;
                if path.contains(['~', '$', '%']) {
                    f.write_str(", where `~` and variables are not expanded")?;
                }
                Ok(())
            }
            Self::NotExecutable { path, remedy } => {
                write!(f, "`{}` is not an executable file; check the path after `--`, or {remedy}", Visible(path))
            }
            Self::Ambiguous { program } => {
                write!(f, "`{}` can mean several files; give the full path with its drive", Visible(program))
            }
        }
    }
}

impl fmt::Display for Nowhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot find the program `{}`; looked in ", Visible(&self.program))?;
        for (index, place) in self.places.searched.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{}", Visible(&place.directory))?;
        }
        if self.places.searched.is_empty() {
            f.write_str("no directory at all")?;
        }
        for path in &self.not_executable {
            write!(f, ". `{}` is not an executable file", Visible(path))?;
        }
        for entry in self.places.skipped.iter().filter(|entry| !entry.is_empty()) {
            write!(f, ". `{}` in PATH was not searched, as it is relative", Visible(entry))?;
        }
        match &self.hint {
            Some(hint) => write!(f, ". {hint}, or give the program's full path"),
            None => f.write_str(". Install it, or give its full path"),
        }
    }
}

/// A text without anything that would talk to the terminal.
struct Visible<'a>(&'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_debug())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}
