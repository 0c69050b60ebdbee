//! `thoth run` as it stands in a client's configuration: read back from an entry, and written into one.
//!
//! An entry carries all that is needed to restore it. What stands after `--` is the original command; the last flag
//! before it, `--wrapped`, lists which fields were added, so that nothing else is ever taken away.

use std::fmt;

/// The subcommand that governs a server.
const RUN: &str = "run";
/// How the program's name begins.
const THOTH: &str = "thoth";
/// What separates our flags from the server's command.
const SEPARATOR: &str = "--";
/// The flag that says what was added.
const WRAPPED: &str = "--wrapped";

/// A governed server's launch.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// What the client starts: `thoth`, or a path to it.
    pub program: String,
    /// `--agent-id`
    pub agent_id: Option<String>,
    /// `--server-name`
    pub server_name: Option<String>,
    /// `--tenant-id`
    pub tenant_id: Option<String>,
    /// `--enforcement-mode`
    pub enforcement_mode: Option<String>,
    /// `--session-intent`
    pub session_intent: Option<String>,
    /// `--policy`
    pub policy: Option<String>,
    /// Every other word of ours, as it stands. Can hold secrets: `--api-key` takes one.
    pub other: Vec<String>,
    /// What wrapping added; nothing where the entry was written by hand.
    pub added: Option<Added>,
    /// The server's own command. Can hold secrets.
    pub upstream: Vec<String>,
}

/// Without the parts that can hold secrets.
impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launch")
            .field("program", &self.program)
            .field("agent_id", &self.agent_id)
            .field("server_name", &self.server_name)
            .field("tenant_id", &self.tenant_id)
            .field("enforcement_mode", &self.enforcement_mode)
            .field("session_intent", &self.session_intent)
            .field("policy", &self.policy)
            .field("added", &self.added)
            .finish_non_exhaustive()
    }
}

/// The fields of an entry that wrapping added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    /// The list of arguments.
    pub args: bool,
    /// The table of environment variables.
    pub env: bool,
    /// Single environment variables.
    pub variables: Vec<String>,
}

impl Added {
    /// `args,env,env.NAME`, in that order.
    fn write(&self) -> String {
        let fields = [(self.args, "args"), (self.env, "env")].into_iter().filter(|(added, _)| *added);
        let variables = self.variables.iter().map(|name| format!("env.{name}"));
        fields.map(|(_, name)| name.to_owned()).chain(variables).collect::<Vec<_>>().join(",")
    }

    /// What nobody knows is passed over: it was added by a version that also knew how to do without.
    fn read(list: &str) -> Self {
        let mut added = Self::default();
        for item in list.split(',') {
            match item.split_once('.') {
                None => {
                    added.args |= item == "args";
                    added.env |= item == "env";
                }
                Some(("env", name)) => added.variables.push(name.to_owned()),
                Some(_) => {}
            }
        }
        added
    }
}

/// What the words of a command turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A governed server, and how many words come before its own command (of the arguments, not counting the program).
    Launch(Box<Launch>, usize),
    /// Thoth, but not as the governor of a server.
    Thoth,
    /// Another program.
    Other,
}

/// Reads the words of a command.
///
/// Only the program decides who governs: the words after it can be written by anybody, as in a file of a cloned project.
pub(crate) fn read<S: AsRef<str>>(program: &str, arguments: &[S]) -> Reading {
    if !is_gate(program) {
        return Reading::Other;
    }
    // Another program whose name only begins so is a server like any other, where it is not started as we write it.
    let otherwise = || if is_thoth(program) { Reading::Thoth } else { Reading::Other };
    let words: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let runs = words.first() == Some(&RUN);
    let separator = words.iter().position(|word| *word == SEPARATOR);
    let (Some(separator), true) = (separator, runs) else { return otherwise() };
    let (flags, upstream) =
        (words.get(1..separator).unwrap_or_default(), words.get(separator + 1..).unwrap_or_default());
    if upstream.first().is_none_or(|program| program.is_empty()) {
        return otherwise();
    }
    let mut launch = Launch { program: program.to_owned(), ..Launch::default() };
    launch.upstream = upstream.iter().map(|word| (*word).to_owned()).collect();
    launch.read_flags(flags);
    Reading::Launch(Box::new(launch), separator + 1)
}

/// How a client's file names the user's home directory, before a separator. What else a client fills in can be chosen
/// by the project that it has open.
const HOMES: [&str; 6] = ["~", "$HOME", "${HOME}", "${userHome}", "${env:HOME}", "%USERPROFILE%"];

/// Whether an entry that starts this program with `run … -- COMMAND` is taken for governed.
///
/// The file's name begins with `thoth`, in any case. It is found through `PATH`, or stands at an absolute path or below
/// the home directory (`~`, `$HOME`, `${HOME}`, `${userHome}`, `${env:HOME}`, `%USERPROFILE%`): never at a path that
/// depends on the directory in which the client happens to run, and that a project can have brought along. Characters
/// and placeholders that a client or its shell would put something else for are refused.
#[must_use]
pub fn is_gate(program: &str) -> bool {
    let name = file_name(program);
    let is_named = name.get(..THOTH.len()).is_some_and(|start| start.eq_ignore_ascii_case(THOTH));
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+'));
    let is_bare = name.len() == program.len();
    is_named && is_plain && (is_bare || is_fixed(program))
}

/// Whether a path leads to the same place from every directory.
fn is_fixed(path: &str) -> bool {
    let homes = HOMES.into_iter().filter_map(|home| path.strip_prefix(home));
    let below_home = homes.into_iter().find(|rest| rest.starts_with(['/', '\\']));
    let drive = || path.strip_prefix(|c: char| c.is_ascii_alphabetic()).and_then(|rest| rest.strip_prefix(':'));
    let Some(rest) = below_home.or_else(drive).or(Some(path)).filter(|rest| rest.starts_with(['/', '\\'])) else {
        return false;
    };
    // Linux has a name for the current directory that looks absolute.
    let is_current = rest.contains("proc/") && rest.contains("/cwd/");
    let is_literal = |c: char| !c.is_control() && !"$%{}`\"*?<>|;&".contains(c);
    !is_current && rest.chars().all(is_literal)
}

/// Whether the program is called `thoth` or `thoth.exe`, wherever it is.
fn is_thoth(program: &str) -> bool {
    let name = file_name(program).to_ascii_lowercase();
    name.strip_suffix(".exe").unwrap_or(&name) == THOTH
}

/// The last component of a path, on whatever platform it was written.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

impl Launch {
    /// The flags that we know, with the field that holds each, in the order in which they are written.
    fn known(&mut self) -> [(&'static str, &mut Option<String>); 6] {
        [
            ("--agent-id", &mut self.agent_id),
            ("--server-name", &mut self.server_name),
            ("--tenant-id", &mut self.tenant_id),
            ("--enforcement-mode", &mut self.enforcement_mode),
            ("--session-intent", &mut self.session_intent),
            ("--policy", &mut self.policy),
        ]
    }

    fn read_flags(&mut self, words: &[&str]) {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let (flag, attached) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (*word, None),
            };
            if flag == WRAPPED {
                self.added = Some(Added::read(attached.unwrap_or_default()));
            } else if let Some((_, field)) = self.known().into_iter().find(|(name, _)| *name == flag) {
                *field = attached.or_else(|| words.next().copied()).map(str::to_owned);
            } else {
                self.other.push((*word).to_owned());
            }
        }
    }

    /// Whether everything but what was added and what is governed is the same.
    pub(crate) fn has_settings_of(&self, other: &Self) -> bool {
        let settings = |launch: &Self| Self { added: None, upstream: Vec::new(), ..launch.clone() };
        settings(self) == settings(other)
    }

    /// Our words, up to and with the separator: what comes between the program and the server's command.
    #[must_use]
    pub fn write(&self) -> Vec<String> {
        let mut words = vec![RUN.to_owned()];
        for (flag, value) in self.clone().known() {
            match value {
                // A value that looks like a flag would be taken for one.
                Some(value) if value.starts_with('-') || value.is_empty() => words.push(format!("{flag}={value}")),
                Some(value) => words.extend([flag.to_owned(), value.clone()]),
                None => {}
            }
        }
        words.extend(self.other.iter().cloned());
        match self.added.as_ref().map(Added::write) {
            Some(list) if !list.is_empty() => words.push(format!("{WRAPPED}={list}")),
            Some(_) => words.push(WRAPPED.to_owned()),
            None => {}
        }
        words.push(SEPARATOR.to_owned());
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        text.split(' ').filter(|word| !word.is_empty()).collect()
    }

    /// What is a governed server, what is Thoth itself, and what is neither.
    #[test]
    fn recognised() {
        for (program, arguments, expected) in [
            ("thoth", "run -- npx -y x", "launch"),
            ("/opt/thoth/bin/thoth", "run -- npx", "launch"),
            (r"C:\Program Files\Thoth\THOTH.EXE", "run --policy p -- npx", "launch"),
            ("thoth-nightly", "run --wrapped -- npx", "launch"),
            ("thoth-nightly", "run -- npx", "launch"),
            ("thoth-weather", "--city x", "other"),
            ("thoth-weather", "run --", "other"),
            ("uv", "run --directory . -- server", "other"),
            ("npx", "thoth run -- npx", "other"),
            ("thoth", "run npx", "thoth"),
            ("thoth", "run --", "thoth"),
            ("thoth", "", "thoth"),
            ("thoth", "demo-server", "thoth"),
            ("thoth", "trust serve -- x", "thoth"),
            ("", "", "other"),
        ] {
            let found = match read(program, &words(arguments)) {
                Reading::Launch(..) => "launch",
                Reading::Thoth => "thoth",
                Reading::Other => "other",
            };
            assert_eq!(found, expected, "{program} {arguments}");
        }
    }

    /// Defends: a project cannot have its own program taken for the gate, whatever words follow it.
    #[test]
    fn only_the_gate_governs() {
        for program in [
            "thoth",
            "Thoth.exe",
            "thoth-0.3",
            "/opt/thoth/bin/thoth",
            "/home/o'brien/my tools/thoth",
            r"C:\Program Files\Thoth\thoth.exe",
            "d:/thoth",
            r"\\server\tools\thoth.exe",
            "~/bin/thoth",
            "$HOME/bin/thoth",
            "${HOME}/bin/thoth",
            "${userHome}/bin/thoth",
            "${env:HOME}/bin/thoth",
            r"%USERPROFILE%\bin\thoth.exe",
        ] {
            assert!(is_gate(program), "{program}");
        }
        for program in [
            "",
            "bash",
            "node",
            "/bin/bash",
            "mythoth",
            "/opt/thoth/bash",
            "thoth/",
            "./thoth",
            "bin/thoth",
            r"bin\thoth.exe",
            "C:thoth",
            r"C:bin\thoth.exe",
            "${workspaceFolder}/bin/thoth",
            "${workspaceFolder}thoth",
            "/${workspaceFolder}/bin/thoth",
            "~/${workspaceFolderBasename}/thoth",
            "${env:THOTH}",
            "${env:THOTH}/thoth",
            "${HOMES}/thoth",
            "$PWD/thoth",
            "%CD%/thoth",
            "{{project}}/thoth",
            "~mallory/bin/thoth",
            "/proc/self/cwd/thoth",
            "//proc/7/cwd/bin/thoth",
            "thoth; evil",
            "thoth&evil",
            "thoth$x",
            "/; evil; /thoth",
            "/`evil`/thoth",
            "/a\n/thoth",
        ] {
            assert!(!is_gate(program), "{program}");
            for arguments in ["run -- evil", "run --wrapped -- evil", "run --wrapped=args --policy p -- evil"] {
                assert_eq!(read(program, &words(arguments)), Reading::Other, "{program} {arguments}");
            }
        }
    }

    /// Reading what was written gives it back, and what was written by hand is kept word by word.
    #[test]
    fn read_and_written() {
        for (given, written) in [
            ("run -- npx", "run --"),
            ("run --agent-id a --server-name=s --wrapped -- x", "run --agent-id a --server-name s --wrapped --"),
            ("run --policy p --agent-id a -- x", "run --agent-id a --policy p --"),
            (
                "run --ledger d --api-key=k --wrapped=args,env,env.A.B -- x -- y",
                "run --ledger d --api-key=k --wrapped=args,env,env.A.B --",
            ),
            ("run --server-name=-x --wrapped=future.thing,env -- x", "run --server-name=-x --wrapped=env --"),
            ("run --agent-id a --agent-id b -- x", "run --agent-id b --"),
            ("run --tenant-id -- x", "run --"),
        ] {
            let given = words(given);
            let Reading::Launch(launch, at) = read("thoth", &given) else { panic!("{given:?}") };
            assert_eq!(launch.write().join(" "), written);
            assert_eq!(launch.upstream, given[at..]);
            let again: Vec<String> = launch.write().into_iter().chain(launch.upstream.clone()).collect();
            let Reading::Launch(second, _) = read("thoth", &again) else { panic!("{again:?}") };
            assert_eq!(second, launch);
        }
    }

    #[test]
    fn secrets_are_not_printed() {
        let Reading::Launch(launch, _) = read("thoth", &words("run --api-key hush -- x --token hush")) else {
            panic!()
        };
        assert!(!format!("{launch:?}").contains("hush"));
    }
}
