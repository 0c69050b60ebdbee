//! How the server was started, as one more thing that is pinned: its program, that program's digest, and its arguments.
//!
//! It is taken in with the first list of tools, so that a session that lists nothing pays nothing. A changed launch is
//! recorded and said aloud, and keeps nothing back: programs are updated every week.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use serde_json::Value;
use thoth_gate::Pins;
use thoth_scan::fingerprint::{DigestOf, of_launch};
use thoth_types::{Digest, Fingerprint};

use crate::program::Program;

/// A program of more bytes is known by its path and arguments alone.
const MAX_BYTES: u64 = 512 << 20;

/// A command that was started.
#[derive(Debug)]
pub(crate) struct Launch {
    path: String,
    arguments: Vec<Vec<u8>>,
}

impl Launch {
    pub(crate) fn of(program: &Program<'_>) -> Self {
        let arguments = program.arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
        Self { path: program.resolved.path.clone(), arguments }
    }

    /// Its fingerprint. The digest of a program is remembered as long as the file is the same, for programs are large.
    pub(crate) fn fingerprint(&self, pins: &dyn Pins) -> Fingerprint {
        let arguments: Vec<&[u8]> = self.arguments.iter().map(Vec::as_slice).collect();
        of_launch(&self.path, self.binary(pins), &arguments)
    }

    /// What tells it from other servers, with its fingerprint.
    pub(crate) fn origin(&self, fingerprint: &Fingerprint) -> Option<Origin> {
        let runs = Runs::read(&fingerprint.definition)?;
        let is_word = |argument: &Vec<u8>| !argument.starts_with(b"-");
        let named = self.arguments.iter().position(is_word);
        // Behind these words what is run stands further back, among the values of options.
        let is_further = |word: &Vec<u8>| RUN_WORDS.iter().any(|known| known.as_bytes() == word.as_slice());
        let is_whole = named.and_then(|at| self.arguments.get(at)).is_none_or(is_further);
        let named = named.filter(|_| !is_whole).map(|at| at + 1);
        Some(Origin { runs, named })
    }

    fn binary(&self, pins: &dyn Pins) -> Option<Digest> {
        let mut file = File::open(&self.path).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > MAX_BYTES {
            return None;
        }
        let stamp = stamp(&metadata);
        if let Ok(Some(known)) = pins.binary(&self.path, &stamp) {
            return Some(known);
        }
        let digest = digest(&mut file).ok()?;
        // Of no use where it fails: then it is computed again.
        drop(pins.remember_binary(&self.path, &stamp, digest));
        Some(digest)
    }
}

/// Words that say that the next argument or a later one is what is run.
const RUN_WORDS: [&str; 7] = ["run", "exec", "dlx", "x", "tool", "start", "compose"];

/// How a server is started, as its pin has it.
#[derive(Debug)]
struct Runs {
    program: String,
    binary: Option<String>,
    /// Their digests.
    arguments: Vec<String>,
}

impl Runs {
    fn read(definition: &str) -> Option<Self> {
        let definition: Value = serde_json::from_str(definition).ok()?;
        let text = |member: &Value| member.as_str().map(str::to_owned);
        let arguments = definition.get("arguments")?.as_array()?.iter().map(text).collect::<Option<_>>()?;
        Some(Self {
            program: text(definition.get("program")?)?,
            binary: definition.get("binary").and_then(text),
            arguments,
        })
    }
}

/// By what a server is known again under another name: one program that is told to run the same thing. What stands behind that
/// are its own settings, as the folders of a file server.
#[derive(Debug)]
pub(crate) struct Origin {
    runs: Runs,
    /// How many arguments say what is run; all where nobody can tell.
    named: Option<usize>,
}

impl Origin {
    /// Whether a server that is started like this is the same one.
    pub(crate) fn is_also(&self, launch: &Fingerprint) -> bool {
        let Some(other) = Runs::read(&launch.definition) else { return false };
        let told = |runs: &Runs| runs.arguments.get(..self.named.unwrap_or(runs.arguments.len())).map(<[_]>::to_vec);
        self.runs.program == other.program && self.runs.binary == other.binary && told(&self.runs) == told(&other)
    }
}

/// By what a file is taken for the same: whoever can write it can also keep this, and could as well write the pins.
fn stamp(metadata: &Metadata) -> String {
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    format!("{}:{}:{}:{seconds}.{nanoseconds:09}", metadata.dev(), metadata.ino(), metadata.len())
}

fn digest(file: &mut File) -> io::Result<Digest> {
    let mut digest = DigestOf::default();
    let mut chunk = vec![0; 1 << 18];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(digest.finish()),
            count => digest.update(chunk.get(..count).unwrap_or_default()),
        }
    }
}
