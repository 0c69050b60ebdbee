//! Thoth's own directory and who can get into it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

use thoth_audit::LedgerKeys;

use super::Check;
use crate::profile::{DECIDING, SECRET};
use thoth_shell::home::Home;

const NAME: &str = "profile";
/// What stands in the directory, and the bits that others must not have: nobody else may change what decides, and nobody
/// else may read keys, evidence or copies of other programs' configuration. And whether it is a directory.
fn entries(home: &Home) -> [(PathBuf, u32, bool); 10] {
    let keys = home.keys();
    [
        (home.path().to_owned(), DECIDING, true),
        (home.policy_file(), DECIDING, false),
        (home.intent_map(), DECIDING, false),
        (home.api_key(), SECRET, false),
        (LedgerKeys::signing_file(&keys), SECRET, false),
        (LedgerKeys::content_file(&keys), SECRET, false),
        (keys, SECRET, true),
        (home.ledger(), SECRET, true),
        (home.backups(), SECRET, true),
        (home.state(), SECRET, false),
    ]
}

/// Looks at the modes and owners of everything that is there.
pub(crate) fn profile(home: &Home) -> Check {
    let shown = home.path().display();
    match fs::metadata(home.path()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Check::skipped(NAME, format!("there is no {shown} yet; the first `thoth run` creates it"));
        }
        Err(error) => {
            let remedy = "make it readable for you, or set THOTH_HOME to a directory of yours";
            return Check::failure(NAME, format!("cannot read {shown}: {error}"), remedy);
        }
        Ok(metadata) if !metadata.is_dir() => {
            let remedy = "move it away, or set THOTH_HOME to a directory of yours";
            return Check::failure(NAME, format!("{shown} is not a directory"), remedy);
        }
        Ok(_) => {}
    }
    let us = rustix::process::geteuid().as_raw();
    for (path, forbidden, is_directory) in entries(home) {
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let shown = path.display();
        if metadata.is_dir() != is_directory || !(metadata.is_dir() || metadata.is_file()) {
            let what = if is_directory { "a directory" } else { "a regular file" };
            return Check::failure(
                NAME,
                format!("{shown} is not {what}"),
                "move it away; the next `thoth run` makes a new one",
            );
        }
        let mode = metadata.permissions().mode() & 0o777;
        let owner = metadata.uid();
        if owner != us && owner != 0 {
            let remedy = format!("run `chown {us} {shown}`, or set THOTH_HOME to a directory of yours");
            return Check::failure(NAME, format!("{shown} belongs to user {owner}, and we are user {us}"), remedy);
        }
        if mode & forbidden != 0 {
            let letters = if forbidden == DECIDING { "go-w" } else { "go-rwx" };
            let what = if forbidden == DECIDING { "others can change" } else { "others can get at" };
            let remedy = format!("run `chmod {letters} {shown}`");
            return Check::failure(NAME, format!("{what} {shown} (mode {mode:o})"), remedy);
        }
    }
    Check::ok(NAME, shown.to_string())
}
