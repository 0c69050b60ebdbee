//! Thoth's own directory and who can get into it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::Check;

const NAME: &str = "profile";
/// What stands in the directory, and the bits that others must not have: nobody else may write the policy, and nobody
/// else may read keys, evidence or copies of other programs' configuration.
const ENTRIES: &[(&str, u32)] = &[
    ("", 0o022),
    ("policy.yaml", 0o022),
    ("intent_map.json", 0o022),
    ("proxy_api_key.json", 0o077),
    ("keys", 0o077),
    ("keys/ledger-signing.key", 0o077),
    ("keys/ledger-content.key", 0o077),
    ("ledger", 0o077),
    ("backups", 0o077),
];

/// Looks at the modes and owners of everything that is there.
pub(crate) fn profile(home: &Path) -> Check {
    let shown = home.display();
    match fs::metadata(home) {
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
    for (name, forbidden) in ENTRIES {
        let path = if name.is_empty() { home.to_owned() } else { home.join(name) };
        let Ok(metadata) = fs::metadata(&path) else { continue };
        let shown = path.display();
        let mode = metadata.permissions().mode() & 0o777;
        let owner = metadata.uid();
        if owner != us && owner != 0 {
            let remedy = format!("run `chown {us} {shown}`, or set THOTH_HOME to a directory of yours");
            return Check::failure(NAME, format!("{shown} belongs to user {owner}, and we are user {us}"), remedy);
        }
        if mode & forbidden != 0 {
            let letters = if *forbidden == 0o022 { "go-w" } else { "go-rwx" };
            let what = if *forbidden == 0o022 { "others can change" } else { "others can get at" };
            let remedy = format!("run `chmod {letters} {shown}`");
            return Check::failure(NAME, format!("{what} {shown} (mode {mode:o})"), remedy);
        }
    }
    Check::ok(NAME, shown.to_string())
}
