//! Which processes stand above this one, told apart from later ones with the same ids: by that, an answer from inside of
//! the governed side is known.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;

use thoth_endpoint::lineage::LineageError;
use thoth_types::ProcessRef;

#[cfg(target_os = "linux")]
pub use linux::process_ref;
#[cfg(not(target_os = "linux"))]
pub use unknown::process_ref;

/// Shells that clients put between themselves and what they start.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "fish", "ksh", "busybox"];

/// How much of two programs is compared at a time.
const CHUNK: usize = 64 * 1024;

/// Why this process belongs to the governed side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Governed {
    /// The client that asked stands above it.
    UnderClient(u32),
    /// A `thoth run` stands above it: it is a server, or was started by one.
    UnderGate(u32),
}

/// A process above this one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Above {
    process: Option<ProcessRef>,
    id: u32,
    /// Its command line.
    words: Vec<String>,
    /// The names of its program.
    names: Vec<String>,
    /// It runs the same program as this process, whatever that is called.
    is_twin: bool,
}

/// The process that started this sidecar, without a shell that only passes a command on: the client.
///
/// None where the system does not tell.
#[must_use]
pub fn client_of_this_process() -> Option<ProcessRef> {
    match above() {
        Ok(line) => client_of(&line),
        Err(_) => process_ref(std::os::unix::process::parent_id()),
    }
}

fn client_of(line: &[Above]) -> Option<ProcessRef> {
    line.iter().find(|above| !passes_a_command_on(&above.words))?.process
}

/// This process and those above it, as far as the system tells them apart from later ones.
///
/// # Errors
/// If the processes above this one cannot be told.
pub fn own_line() -> Result<Vec<ProcessRef>, LineageError> {
    let above = above()?;
    Ok(process_ref(std::process::id()).into_iter().chain(above.into_iter().filter_map(|one| one.process)).collect())
}

/// Whether this process belongs to the side that is governed, for a hold that `client` has asked for.
///
/// # Errors
/// If the processes above this one cannot be told.
pub fn governed_above(client: Option<ProcessRef>) -> Result<Option<Governed>, LineageError> {
    Ok(governed(&above()?, client))
}

/// Whether this process belongs to the side that any `thoth run` of this account governs that runs now: for answers that
/// no single client has asked for.
///
/// # Errors
/// If the processes above this one cannot be told.
pub fn governed_by_any() -> Result<Option<Governed>, LineageError> {
    let above = above()?;
    if let Some(governed) = governed(&above, None) {
        return Ok(Some(governed));
    }
    let clients = clients_of_gates();
    Ok(above
        .iter()
        .find(|one| one.process.is_some_and(|process| clients.iter().any(|client| client.is(&process))))
        .map(|one| Governed::UnderClient(one.id)))
}

/// The clients of every `thoth run` that can be seen. Those of other accounts cannot start anything under this one.
fn clients_of_gates() -> Vec<ProcessRef> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let ids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let line = line_from(id).ok()?;
        let (gate, above) = line.split_first()?;
        if is_gate(gate) { client_of(above) } else { None }
    })
    .collect()
}

fn governed(line: &[Above], client: Option<ProcessRef>) -> Option<Governed> {
    line.iter().find_map(|above| {
        if client.zip(above.process).is_some_and(|(client, process)| client.is(&process)) {
            return Some(Governed::UnderClient(above.id));
        }
        is_gate(above).then_some(Governed::UnderGate(above.id))
    })
}

/// Whether it is a `thoth run`. What started it chose the first word, so that every name that it has is looked at; and what
/// its program is, since a link or a copy can have any name.
fn is_gate(above: &Above) -> bool {
    let is_thoth = |name: &String| file_name(name).trim_end_matches(" (deleted)") == "thoth";
    runs(&above.words) && (above.is_twin || above.names.iter().any(is_thoth))
}

fn runs(words: &[String]) -> bool {
    words.get(1).is_some_and(|word| word == "run")
}

/// Whether a process runs the very file that this one does, or one of the same bytes. That cannot be told of processes of
/// other accounts, nor of another build.
fn is_twin(id: u32) -> bool {
    let programs = (File::open("/proc/self/exe"), File::open(format!("/proc/{id}/exe")));
    let (Ok(own), Ok(other)) = programs else { return false };
    let (Ok(one), Ok(two)) = (own.metadata(), other.metadata()) else { return false };
    let is_same_file = (one.dev(), one.ino()) == (two.dev(), two.ino());
    is_same_file || (one.len() == two.len() && have_same_bytes(own, other))
}

fn have_same_bytes(one: File, other: File) -> bool {
    let (mut one, mut other) = (BufReader::with_capacity(CHUNK, one), BufReader::with_capacity(CHUNK, other));
    loop {
        let (Ok(left), Ok(right)) = (one.fill_buf(), other.fill_buf()) else { return false };
        let both = left.len().min(right.len());
        if both == 0 {
            return left.len() == right.len();
        }
        if left.get(..both) != right.get(..both) {
            return false;
        }
        one.consume(both);
        other.consume(both);
    }
}

/// `sh -c …` or `sh script`; not the shell that a person types into.
fn passes_a_command_on(words: &[String]) -> bool {
    let Some((program, rest)) = words.split_first() else { return false };
    let is_command = |word: &String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    let is_script = rest.first().is_some_and(|word| !word.is_empty() && !word.starts_with('-'));
    SHELLS.contains(&file_name(program)) && (is_script || rest.iter().any(is_command))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn above() -> Result<Vec<Above>, LineageError> {
    Ok(crate::lineage::ancestors()?.into_iter().map(named).collect())
}

/// A process and those above it.
fn line_from(id: u32) -> Result<Vec<Above>, LineageError> {
    Ok(crate::lineage::line_from(id)?.into_iter().map(named).collect())
}

fn named(process: thoth_endpoint::lineage::Process) -> Above {
    let (id, words) = (process.id, words(process.id));
    let is_twin = runs(&words) && is_twin(id);
    Above { process: process_ref(id), id, words, names: process.names, is_twin }
}

/// The command line of a process, as far as it may be read.
fn words(id: u32) -> Vec<String> {
    let text = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words = text.strip_suffix(&[0]).unwrap_or(&text).split(|byte| *byte == 0);
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;

    use thoth_types::{Namespaces, ProcessRef};

    /// The process that has this id now.
    #[must_use]
    pub fn process_ref(id: u32) -> Option<ProcessRef> {
        let stat = std::fs::read(format!("/proc/{id}/stat")).ok()?;
        Some(ProcessRef { id, started: started(&String::from_utf8_lossy(&stat))?, namespaces: namespaces() })
    }

    /// Those of this process, in which `/proc` shows it everything: it changes neither.
    fn namespaces() -> Namespaces {
        static OWN: OnceLock<Namespaces> = OnceLock::new();
        *OWN.get_or_init(|| Namespaces { processes: namespace("pid"), clock: namespace("time") })
    }

    /// The number in `pid:[4026531836]`.
    fn namespace(kind: &str) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/ns/{kind}")).unwrap_or_default();
        let link = link.to_string_lossy();
        let number = link.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
        number.and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// When it started, in clock ticks since the system did: field 22 of man 5 `proc_pid_stat`. The name, which is the
    /// second field, may hold anything.
    pub(super) fn started(stat: &str) -> Option<u64> {
        let (_, rest) = stat.rsplit_once(')')?;
        rest.split_ascii_whitespace().nth(22 - 3)?.parse().ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod unknown {
    use thoth_types::ProcessRef;

    /// No way to tell is known for this system.
    #[must_use]
    pub const fn process_ref(_: u32) -> Option<ProcessRef> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn process(id: u32, started: u64) -> ProcessRef {
        ProcessRef { id, started, namespaces: thoth_types::Namespaces::default() }
    }

    fn above(id: u32, started: u64, words: &[&str]) -> Above {
        let words: Vec<_> = words.iter().map(|&word| word.to_owned()).collect();
        Above {
            process: Some(process(id, started)),
            id,
            names: words.iter().take(1).cloned().collect(),
            words,
            is_twin: false,
        }
    }

    #[test]
    fn a_start_is_read_whatever_the_name() {
        let rest = "S 7 12 12 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 12345 67";
        assert_eq!(linux::started(&format!("12 (a) b) 1 (c) {rest}")), Some(4711));
        assert_eq!(linux::started("12 (a) S 7"), None);
        assert!(process_ref(std::process::id()).is_some_and(|own| own.started > 0));
        assert_eq!(process_ref(u32::MAX), None);
        let line = own_line().unwrap();
        assert_eq!(line.first().copied(), process_ref(std::process::id()));
        assert!(line.iter().all(|one| one.namespaces.processes != 0), "{line:?}");
    }

    /// Defends: an approval from below the client that asked, or from inside of a server, is known as such; a later
    /// process with the client's id is not taken for it.
    #[test]
    fn the_governed_side_is_known() {
        let client = process(30, 5);
        let shell = above(40, 9, &["-zsh"]);
        let init = above(1, 0, &["/sbin/init"]);
        let cases = [
            (vec![shell.clone(), init.clone()], None),
            (vec![shell.clone(), above(30, 5, &["claude"]), init.clone()], Some(Governed::UnderClient(30))),
            (vec![shell.clone(), above(30, 6, &["claude"]), init.clone()], None),
            (
                vec![shell.clone(), above(35, 6, &["/opt/thoth", "run", "--", "sh"]), init.clone()],
                Some(Governed::UnderGate(35)),
            ),
            (vec![shell, above(35, 6, &["thoth", "status"]), above(36, 6, &["go", "run"]), init], None),
        ];
        for (line, expected) in cases {
            assert_eq!(governed(&line, Some(client)), expected, "{line:?}");
        }
        let renamed = Above { names: vec!["thoth".to_owned()], ..above(7, 1, &["server", "run"]) };
        assert_eq!(governed(&[renamed], None), Some(Governed::UnderGate(7)));
        let replaced = Above { names: vec!["/opt/thoth (deleted)".to_owned()], ..above(7, 1, &["x", "run"]) };
        assert_eq!(governed(&[replaced], None), Some(Governed::UnderGate(7)));
        let copied = Above { is_twin: true, ..above(7, 1, &["x", "run"]) };
        assert_eq!(governed(&[copied], None), Some(Governed::UnderGate(7)));
        assert_eq!(governed(&[Above { process: None, ..above(7, 1, &["x"]) }], None), None);
    }

    /// A program is known by what it is: here under the names under which the system knows it, and a copy by its bytes.
    #[test]
    fn a_program_is_known_by_its_bytes() {
        assert!(is_twin(std::process::id()));
        assert!(!is_twin(std::os::unix::process::parent_id()) && !is_twin(u32::MAX));
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), bytes).unwrap();
            File::open(folder.path().join(name)).unwrap()
        };
        let long = vec![7; 3 * CHUNK + 1];
        let other = [&long[..3 * CHUNK], &[8]].concat();
        for (one, two, expected) in
            [(&long, &long, true), (&long, &other, false), (&long, &long[..CHUNK].to_vec(), false)]
        {
            assert_eq!(have_same_bytes(file("one", one), file("two", two)), expected);
        }
        assert!(have_same_bytes(file("one", b""), file("two", b"")));
    }

    #[test]
    fn the_client_is_not_a_shell_that_passes_a_command_on() {
        let client = above(30, 5, &["/usr/bin/node", "claude"]);
        for (words, expected) in [
            (&["/bin/sh", "-c", "thoth run -- x"][..], 30),
            (&["bash", "-lc", "thoth run -- x"], 30),
            (&["/bin/sh", "start.sh"], 30),
            (&["/bin/bash"], 40),
            (&["-bash"], 40),
            (&["bash", "--rcfile", "x"], 40),
            (&["node", "-c"], 40),
        ] {
            let line = [above(40, 9, words), client.clone()];
            assert_eq!(client_of(&line).map(|client| client.id), Some(expected), "{words:?}");
        }
        assert_eq!(client_of(&[]), None);
        assert_eq!(client_of_this_process().is_some(), std::process::id() != 1);
    }
}
