//! The servers that a client's file names, and whether each is governed.

mod contents;
mod find;

use std::fmt;

pub use contents::{Contents, Reach, contents};
pub(crate) use find::{Slot, Start, Style, find};

use crate::document::{Document, Place};
use crate::hosts::Shape;
use crate::launch::{self, Launch, Reading};

/// One server of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub server: String,
    /// What it is private to, such as a project's path; nothing where it stands at the top.
    pub group: Option<String>,
    /// Where it is in the file.
    pub place: Place,
    /// The client does not start it now. It is wrapped like any other: it can be switched on at any time.
    pub disabled: bool,
    /// Whether it is governed.
    pub state: State,
    /// The names of environment variables that the entry itself sets and that the gate would read before its server
    /// does: every `THOTH_*`, the home directory, what loads code into programs, and `PATH`; as written, in any case. What
    /// wrapping added is not among them, unless it says where the gate's own files are. A YAML reference stands for the
    /// names that cannot be seen behind it.
    pub variables: Vec<String>,
}

/// Whether a server is governed.
#[derive(Clone, PartialEq, Eq)]
pub enum State {
    /// It runs under `thoth run`.
    Governed(Box<Launch>),
    /// It does not, and can; these are the words of its command, which can hold secrets.
    Plain(Vec<String>),
    /// It does not, and cannot.
    NotWrappable(Reason),
}

/// Without commands: they can hold secrets.
impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Governed(launch) => f.debug_tuple("Governed").field(launch).finish(),
            Self::Plain(_) => f.write_str("Plain(..)"),
            Self::NotWrappable(reason) => f.debug_tuple("NotWrappable").field(reason).finish(),
        }
    }
}

/// Why a server cannot be put under `thoth run`. Displayed as a fragment: "not governed: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It is reached over the network. Only the host is named: the rest of an address can hold secrets.
    #[error("remote server{}", .host.as_ref().map(|host| format!(" at {host}")).unwrap_or_default())]
    Remote {
        /// The address's host, with its port.
        host: Option<String>,
    },
    /// It has no command, and no address either.
    #[error("it has no command")]
    NoCommand,
    /// A part of the client.
    #[error("it is part of the client (type `{kind}`)")]
    BuiltIn {
        /// What the entry says it is.
        kind: String,
    },
    /// An extension of the client starts it.
    #[error("an extension of the client starts it")]
    Extension,
    /// A reference stands in its place: an alias or merged table of YAML, or a block of Continue's hub.
    #[error("its command is defined elsewhere")]
    Referenced,
    /// The command is a whole command line, which `thoth run` would take for a program's name.
    #[error("its command is a whole command line")]
    CommandLine,
    /// It sets variables that the gate reads, in a file that its user does not control.
    #[error("it sets {}, which would govern the gate itself", listed(.names))]
    OwnSettings {
        /// Their names, as written.
        names: Vec<String>,
    },
    /// It is Thoth, as a server of its own or without one.
    #[error("it is Thoth itself, without a server behind `--`")]
    Thoth,
    /// The entry is not written as the client's documentation says.
    #[error("{0}")]
    Malformed(&'static str),
    /// The entry is written in a way in which it could not be changed, or not be restored to the byte.
    #[error("it cannot be changed in place: {0}")]
    Unwritable(String),
}

impl Reason {
    /// A stable name for scripts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Remote { .. } => "remote",
            Self::NoCommand => "no_command",
            Self::BuiltIn { .. } => "built_in",
            Self::Extension => "extension",
            Self::Referenced => "referenced",
            Self::CommandLine => "command_line",
            Self::OwnSettings { .. } => "own_settings",
            Self::Thoth => "thoth",
            Self::Malformed(_) => "malformed",
            Self::Unwritable(_) => "unwritable",
        }
    }

    /// What to do about it, as a sentence in the imperative.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Remote { .. } => {
                "this version governs stdio servers: bridge it with a stdio client such as `npx mcp-remote URL` and wrap \
                 that, or put it behind an HTTP gateway"
            }
            Self::NoCommand => "give it a command, or remove the entry",
            Self::BuiltIn { .. } => "switch it off in the client if it must not act ungoverned",
            Self::Extension => "configure the server with a command of its own, or remove the extension",
            Self::Referenced => "write its command here, in place of the reference",
            Self::CommandLine => "put the program alone in the command, and each argument in the list of arguments",
            Self::OwnSettings { .. } => {
                "remove the variable from the entry; use `thoth wrap-config --env` for settings of yours"
            }
            Self::Thoth => "put the server's command behind `--`, or leave the entry as it is",
            Self::Malformed(_) => "correct the entry",
            Self::Unwritable(_) => "write the entry in the usual way, or put `thoth run --` before its command by hand",
        }
    }
}

/// Names in a sentence, harmless.
pub(crate) fn listed(names: &[String]) -> String {
    names.iter().map(|name| name.escape_debug().to_string()).collect::<Vec<_>>().join(", ")
}

/// Whether the gate takes its settings from a variable of that name, on one platform or another, or whether the name is
/// a reference behind which such variables can be.
pub(crate) fn is_setting(name: &str) -> bool {
    begins(name, "THOTH_") || moves_the_gate(name) || name.starts_with(['*', '<'])
}

/// Whether a variable of that name says which policy and ledger the gate has, or puts other code into its process. Such
/// ones are never taken for ours, whatever a file says about who added them.
fn moves_the_gate(name: &str) -> bool {
    let homes = ["THOTH_HOME", "HOME", "USERPROFILE"];
    homes.into_iter().any(|home| name.eq_ignore_ascii_case(home)) || begins(name, "LD_") || begins(name, "DYLD_")
}

fn begins(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The servers of a file, in order of appearance. A name that appears twice gives two entries.
#[must_use]
pub fn entries(document: &Document, shape: &Shape) -> Vec<Entry> {
    find(document, shape).iter().map(|slot| slot.entry(document)).collect()
}

impl Slot<'_> {
    pub(crate) fn entry(&self, document: &Document) -> Entry {
        let reading = self.reading(document);
        let added = match &reading {
            Ok(Reading::Launch(launch, _)) => launch.added.as_ref().map(|added| added.variables.as_slice()),
            _ => None,
        };
        let names = self.start.as_ref().map(|start| start.variables(document)).unwrap_or_default();
        let is_own = |name: &String| moves_the_gate(name) || !added.unwrap_or_default().contains(name);
        let is_read = |name: &String| is_setting(name) || name.eq_ignore_ascii_case("PATH");
        Entry {
            variables: names.into_iter().filter(is_read).filter(is_own).collect(),
            server: self.server.clone(),
            group: self.group.clone(),
            place: document.place(self.at),
            disabled: self.disabled,
            state: match reading {
                Err(reason) => State::NotWrappable(reason),
                Ok(Reading::Launch(launch, _)) => State::Governed(launch),
                Ok(Reading::Thoth) => State::NotWrappable(Reason::Thoth),
                Ok(Reading::Other) => match self.start.as_ref().map(|start| start.words(document)) {
                    Ok(words) if is_command_line(&words) => State::NotWrappable(Reason::CommandLine),
                    Ok(words) => State::Plain(words),
                    Err(reason) => State::NotWrappable(reason.clone()),
                },
            },
        }
    }

    pub(crate) fn reading(&self, document: &Document) -> Result<Reading, Reason> {
        let words = self.start.as_ref().map_err(Clone::clone)?.words(document);
        Ok(words.split_first().map_or(Reading::Other, |(program, arguments)| launch::read(program, arguments)))
    }
}

/// Some clients give a command to a shell. A name with a space that is searched for in `PATH` is not known to exist.
fn is_command_line(words: &[String]) -> bool {
    matches!(words, [program] if program.trim().contains(' ') && !program.split(' ').next().unwrap_or_default().contains(['/', '\\']))
}
