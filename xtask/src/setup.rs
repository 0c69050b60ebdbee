//! Doing set-up work once.
//!
//! Each piece of set-up has an output folder and a stamp that holds the very text of its inputs. Equal text means that
//! nothing needs doing. The stamp is written last, so an interrupted set-up starts over. One lock per checkout keeps
//! concurrent runs apart.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::report;

/// Holds the set-up lock of a folder until dropped.
#[derive(Debug)]
pub(crate) struct SetupLock {
    _file: File,
}

impl SetupLock {
    /// Waits for the lock of `folder`, making the folder first.
    pub(crate) fn acquire(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        let path = folder.join(".lock");
        let file = File::create(&path).with_context(|| format!("cannot open `{}`", path.display()))?;
        if file.try_lock().is_err() {
            report::say("waiting for another run that is setting up the same checkout");
            file.lock().with_context(|| format!("cannot lock `{}`", path.display()))?;
        }
        Ok(Self { _file: file })
    }
}

/// One piece of set-up.
#[derive(Debug)]
pub(crate) struct Piece {
    /// What is set up, for people.
    pub(crate) what: &'static str,
    /// The folder that holds the result.
    pub(crate) folder: PathBuf,
    /// The text of everything that the result depends on.
    pub(crate) inputs: String,
}

impl Piece {
    /// Runs `build` with the folder emptied, unless the folder already holds the result of the same inputs.
    pub(crate) fn ensure(&self, build: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let stamp = self.folder.join(".stamp");
        if fs::read_to_string(&stamp).is_ok_and(|text| text == self.inputs) {
            return Ok(());
        }
        report::say(&format!("setting up {}", self.what));
        if self.folder.exists() {
            fs::remove_dir_all(&self.folder).with_context(|| format!("cannot empty `{}`", self.folder.display()))?;
        }
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot make `{}`", self.folder.display()))?;
        build(&self.folder).with_context(|| format!("cannot set up {}", self.what))?;
        fs::write(&stamp, &self.inputs).with_context(|| format!("cannot write `{}`", stamp.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(folder: &Path, inputs: &str) -> Piece {
        Piece { what: "a test", folder: folder.to_owned(), inputs: inputs.to_owned() }
    }

    /// Set-up runs once per content of its inputs, and starts from an empty folder when they change.
    #[test]
    fn set_up_runs_once_for_equal_inputs() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("out");
        let build = |name: &'static str| move |dir: &Path| Ok(fs::write(dir.join(name), "x")?);
        piece(&folder, "1").ensure(build("first")).unwrap();
        piece(&folder, "1").ensure(|_| anyhow::bail!("must not run")).unwrap();
        piece(&folder, "2").ensure(build("second")).unwrap();
        assert!(!folder.join("first").exists() && folder.join("second").exists());
    }

    /// A set-up that broke half-way is not taken for a finished one.
    #[test]
    fn a_failed_set_up_is_done_again() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("out");
        piece(&folder, "1").ensure(|_| anyhow::bail!("no network")).unwrap_err();
        let mut ran = false;
        piece(&folder, "1")
            .ensure(|_| {
                ran = true;
                Ok(())
            })
            .unwrap();
        assert!(ran);
    }
}
