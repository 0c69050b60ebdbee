//! Policy files on disk: the policy crate reads through this and does no I/O itself.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use thoth_policy::{LoadError, Policy, Source, SourceError, SourceText};

/// Never to wait when opening.
const NONBLOCK: i32 = OFlags::NONBLOCK.bits().cast_signed();
/// The largest policy file read.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A policy's root file, and what was read for it.
#[derive(Debug)]
pub struct PolicyFiles {
    root: PathBuf,
    seen: RefCell<Vec<(PathBuf, Option<Stamp>)>>,
}

/// By what a changed file is recognised: device, inode, length, and the times of its last change and of the last change
/// of its inode. Any tool can set the first of these times back, and another file of the same length can take its place;
/// neither goes unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        file: (metadata.dev(), metadata.ino()),
        length: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

impl PolicyFiles {
    /// The policy whose root is the file `root`. Nothing is read yet.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root, seen: RefCell::new(Vec::new()) }
    }

    /// Reads and compiles the policy.
    ///
    /// # Errors
    /// If there is none, or it is not valid.
    pub fn load(&mut self) -> Result<Policy, Problem> {
        self.seen.borrow_mut().clear();
        // The root is looked at even when reading it fails before its stamp is noted.
        let root = self.root.to_string_lossy().into_owned();
        thoth_policy::load(&root, self).map_err(Problem)
    }

    /// Does so, and keeps the texts that it was read from.
    ///
    /// # Errors
    /// If there is none, or it is not valid.
    pub fn load_with_texts(&mut self) -> Result<(Policy, PolicyTexts), Problem> {
        self.seen.borrow_mut().clear();
        let root = self.root.to_string_lossy().into_owned();
        let keeping = Keeping { files: self, kept: RefCell::default() };
        let policy = thoth_policy::load(&root, &keeping).map_err(Problem)?;
        let kept = keeping.kept.into_inner();
        Ok((policy, PolicyTexts { root, kept }))
    }

    /// Whether one of the files that were read is another one now, or says something else.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.seen.borrow().iter().any(|(path, seen)| stamp(path) != *seen)
    }
}

impl Source for PolicyFiles {
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError> {
        let path = match from.and_then(|from| Path::new(from).parent()) {
            Some(directory) if Path::new(name).is_relative() => directory.join(name),
            _ => PathBuf::from(name),
        };
        self.seen.borrow_mut().push((path.clone(), stamp(&path)));
        let shown = path.display().to_string();
        let unreadable = |error: &std::io::Error| match error.kind() {
            ErrorKind::NotFound => SourceError::NotFound(shown.clone()),
            _ => SourceError::Unreadable { name: shown.clone(), why: error.to_string() },
        };
        let not_regular = |kind: fs::FileType| {
            let what = if kind.is_dir() { "a directory" } else { "a pipe, a device or a socket" };
            SourceError::Unreadable { name: shown.clone(), why: format!("it is {what}; a policy is a regular file") }
        };
        let kind = fs::metadata(&path).map_err(|e| unreadable(&e))?.file_type();
        if !kind.is_file() {
            return Err(not_regular(kind));
        }
        let identity = fs::canonicalize(&path).map_err(|e| unreadable(&e))?.to_string_lossy().into_owned();
        // Should a pipe have taken the file's place since, opening it does not wait for a writer.
        let file = File::options().read(true).custom_flags(NONBLOCK).open(&path).map_err(|e| unreadable(&e))?;
        let metadata = file.metadata().map_err(|e| unreadable(&e))?;
        if !metadata.is_file() {
            return Err(not_regular(metadata.file_type()));
        }
        let bytes = metadata.len();
        if bytes > MAX_BYTES {
            return Err(SourceError::TooLong { name: shown, bytes, limit: MAX_BYTES });
        }
        let mut text = Vec::new();
        // A file that grows is cut off just beyond the limit and refused by the loader.
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|e| unreadable(&e))?;
        Ok(SourceText { identity, name: shown, bytes: text })
    }
}

/// A text that was read: what was asked for, and the identity of the file that asked.
type Kept = (Option<String>, String, SourceText);

struct Keeping<'f> {
    files: &'f PolicyFiles,
    kept: RefCell<Vec<Kept>>,
}

impl Source for Keeping<'_> {
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError> {
        let text = self.files.read(name, from)?;
        self.kept.borrow_mut().push((from.map(str::to_owned), name.to_owned(), text.clone()));
        Ok(text)
    }
}

/// The texts that a policy was loaded from, as they were then.
#[derive(Debug)]
pub struct PolicyTexts {
    root: String,
    kept: Vec<Kept>,
}

impl PolicyTexts {
    /// By what the policy is loaded again from these.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Each file once, the root first: the root's own name, or the name by which a file is included, and its text. `None`
    /// where two files are included by one name, which are one file for whoever only has these names.
    #[must_use]
    pub fn by_name(&self) -> Option<Vec<(String, String)>> {
        let mut found: Vec<(String, String, &str)> = Vec::new();
        for (from, name, text) in &self.kept {
            let name = match from {
                None => Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned(),
                Some(_) => name.clone(),
            };
            let is_known = |(known, _, identity): &(String, String, &str)| (*known == name, *identity == text.identity);
            match found.iter().map(is_known).find(|(name, identity)| *name || *identity) {
                Some((true, true)) => {}
                Some(_) => return None,
                None => found.push((name, String::from_utf8(text.bytes.clone()).ok()?, &text.identity)),
            }
        }
        Some(found.into_iter().map(|(name, text, _)| (name, text)).collect())
    }
}

impl Source for PolicyTexts {
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError> {
        let found = self.kept.iter().find(|(by, asked, _)| by.as_deref() == from && asked == name);
        found.map(|(_, _, text)| text.clone()).ok_or_else(|| SourceError::NotFound(name.to_owned()))
    }
}

/// Why a policy cannot be used.
#[derive(Debug)]
pub struct Problem(LoadError);

impl Problem {
    /// What loading it said.
    #[must_use]
    pub const fn of(error: LoadError) -> Self {
        Self(error)
    }

    /// All findings, for a terminal.
    #[must_use]
    pub fn rendered(&self) -> String {
        self.0.render(false)
    }

    /// What loading it said.
    #[must_use]
    pub const fn error(&self) -> &LoadError {
        &self.0
    }

    /// The first finding in one line, with its place.
    #[must_use]
    pub fn first(&self) -> String {
        self.0.first()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another policy of the same length and age, put in place by a rename or behind a link, is another policy.
    #[test]
    fn a_replaced_file_is_noticed_whatever_its_times_say() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let old = |name: &str, approval: &str| {
            fs::write(place(name), format!("version: \"1\"\ndefaults: {{ approval: {approval} }}\n")).unwrap();
            File::open(place(name)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
        };
        old("policy.yaml", "auto ");
        old("stricter", "block");
        std::os::unix::fs::symlink(place("policy.yaml"), place("link")).unwrap();
        let (mut files, mut linked) = (PolicyFiles::new(place("policy.yaml")), PolicyFiles::new(place("link")));
        files.load().unwrap();
        linked.load().unwrap();
        assert!(!files.changed() && !linked.changed());
        fs::rename(place("stricter"), place("policy.yaml")).unwrap();
        assert!(files.changed() && linked.changed());
        files.load().unwrap();
        old("policy.yaml", "auto ");
        assert!(files.changed(), "written in place, and its time set back");
    }
}
