//! Policies of the past: files as a git repository remembers them.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use thoth_policy::{Policy, Source, SourceError, SourceText};
use thoth_shell::exit::{Code, Failure};

use super::invalid;
use crate::policy_files::{PolicyFiles, Problem};

/// The largest policy file read.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The policy of a file, or of `REVISION:PATH`. What exists as a file is one.
pub(super) fn load(named: &str) -> Result<Policy, Failure> {
    let as_revision = named.split_once(':').filter(|(revision, path)| {
        !revision.is_empty() && !path.is_empty() && !revision.starts_with('-') && !Path::new(named).exists()
    });
    let Some((revision, path)) = as_revision else {
        return PolicyFiles::new(PathBuf::from(named)).load().map_err(|problem| invalid(named, &problem));
    };
    let source = Revision { revision };
    // A name that git cannot resolve is told as git says it.
    source.read(path, None).map_err(|error| {
        Failure::new(Code::InvalidPolicy, format!("`{named}`: {error}"))
            .detail("code", "unreadable")
            .hint("name a file, or a revision and a path from the top of the repository, such as HEAD~1:policy.yaml")
    })?;
    thoth_policy::load(path, &source).map_err(|error| invalid(named, &Problem::of(error)))
}

/// The files of one revision; includes come from the same one.
struct Revision<'a> {
    revision: &'a str,
}

impl Source for Revision<'_> {
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError> {
        let path = match from.and_then(|from| Path::new(from).parent()) {
            Some(folder) => plain(&folder.join(name)),
            None => name.to_owned(),
        };
        let shown = format!("{}:{path}", self.revision);
        let unreadable = |why: String| SourceError::Unreadable { name: shown.clone(), why };
        let started = Command::new("git")
            .args(["cat-file", "blob", &shown])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut git = started.map_err(|error| unreadable(format!("git cannot be started: {error}")))?;
        let mut bytes = Vec::new();
        if let Some(out) = git.stdout.take() {
            out.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| unreadable(error.to_string()))?;
        }
        if bytes.len() as u64 > MAX_BYTES {
            // It still writes: nobody reads on.
            drop(git.kill());
            drop(git.wait());
            return Err(SourceError::TooLong { name: shown, bytes: bytes.len() as u64, limit: MAX_BYTES });
        }
        let ended = git.wait_with_output().map_err(|error| unreadable(error.to_string()))?;
        if !ended.status.success() {
            let said = String::from_utf8_lossy(&ended.stderr);
            let said = said.trim().trim_start_matches("fatal: ");
            return Err(unreadable(format!("git says: {said}")));
        }
        Ok(SourceText { identity: path, name: shown, bytes })
    }
}

/// The path without `.` and `..`, which git does not resolve inside a revision.
fn plain(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_string_lossy().into_owned()),
            Component::ParentDir if parts.pop().is_none() => parts.push("..".to_owned()),
            _ => {}
        }
    }
    parts.join("/")
}
