//! What stands in Thoth's own directory from the first run on.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde_json::json;
use thoth_endpoint::settings::table::keys;

use crate::settings;
use thoth_shell::exit::Failure;
use thoth_shell::home::{Home, write_new};
use thoth_shell::terminal::{harmless_text, note};

/// Permission bits that others must not have: on files with secrets, and on files that decide something.
pub(crate) const SECRET: u32 = 0o077;
pub(crate) const DECIDING: u32 = 0o022;

/// Creates what is missing in an open home and closes what others can get at. Says whether the starter policy was written
/// just now.
///
/// A file that cannot be created is only told: a home that was prepared read-only works without it. Something else in a
/// file's place is an error.
pub(crate) fn prepare(home: &Home) -> Result<bool, Failure> {
    let api_key = format!("{:#}\n", json!({ "api_key": "", "key_id": key_id() }));
    file(&home.intent_map(), "{}\n", DECIDING)?;
    file(&home.api_key(), &api_key, SECRET)?;
    file(&home.policy_file(), thoth_policy::STARTER, DECIDING)
}

/// The name of the key in a new file.
pub(crate) fn key_id() -> String {
    let name = std::env::var("THOTH_API_KEY_ID").ok().filter(|name| keys::API_KEY_ID.kind.read(name).is_ok());
    name.or_else(settings::host_name).unwrap_or_default()
}

/// That the starter policy is new, and what it does.
pub(crate) fn starter_note(path: &Path) -> String {
    format!("wrote a starter policy to {}: it allows reading, asks before writing, and blocks deleting", path.display())
}

/// Sees to one file. Says whether it was written just now.
fn file(path: &Path, text: &str, forbidden: u32) -> Result<bool, Failure> {
    let shown = harmless_text(&path.display().to_string());
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(write_new(path, text).unwrap_or_else(|error| {
                note(format_args!("cannot write {shown}: {error}"));
                false
            }));
        }
        Err(error) => return Err(Failure::failed(format!("cannot read `{shown}`: {error}"))),
    };
    if !metadata.is_file() {
        return Err(Failure::failed(format!("`{shown}` is not a regular file"))
            .hint("move it away; the next run writes a new one"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(false);
    }
    let what = if forbidden == SECRET { "get at" } else { "change" };
    let closed = fs::Permissions::from_mode(mode & !forbidden);
    if metadata.uid() == rustix::process::geteuid().as_raw() && fs::set_permissions(path, closed).is_ok() {
        note(format_args!("others could {what} {shown} (mode {mode:o}); they cannot any more"));
    } else {
        note(format_args!("others can {what} {shown} (mode {mode:o}), and it is not ours to close"));
    }
    Ok(false)
}
