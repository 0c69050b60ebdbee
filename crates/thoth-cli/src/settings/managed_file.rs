//! Reads the managed file, if it is there, and only if nobody but the administrator can have written it.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use thoth_endpoint::platform::Platform;
use thoth_endpoint::settings::managed::{Custody, MAX_BYTES, Managed, ManagedError};

use super::machine;
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;

/// Never to wait when opening, and never to be led elsewhere.
const FLAGS: i32 = OFlags::NONBLOCK.union(OFlags::NOFOLLOW).bits().cast_signed();
/// Whose the file must be.
pub(super) const ROOT: u32 = 0;

/// What the file says; none where there is no file. Anything else stops: the file may demand what nobody reads then.
/// `administrator` is whose it must be: root, except in tests.
pub(super) fn read(path: &Path, administrator: u32) -> Result<Option<Managed>, Failure> {
    let shown = path.display().to_string();
    let stop = |problem: String| {
        Failure::failed(harmless_text(&problem))
            .hint("the administrator of this machine writes that file; nothing runs past a broken one")
    };
    let unreadable = |error: io::Error| stop(format!("cannot read `{shown}`: {error}"));
    let mut file = match File::options().read(true).custom_flags(FLAGS).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(stop(format!("`{shown}` is not a regular file")));
    }
    let directory = path.parent().unwrap_or(Path::new("/"));
    let around = fs::symlink_metadata(directory).map_err(unreadable)?;
    for (path, metadata) in [(directory, around), (path, metadata)] {
        let owner = if metadata.uid() == administrator { ROOT } else { metadata.uid() };
        let custody = Custody { owner, mode: metadata.mode() };
        if !custody.is_trusted() {
            return Err(stop(ManagedError::Untrusted { path: path.display().to_string(), custody }.to_string()));
        }
    }
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    file.by_ref().take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    let managed = Managed::parse(&shown, &bytes, Platform::current(), &machine::user_name);
    managed.map(Some).map_err(|error| stop(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// Defends: a file that somebody else could have written, or that is none, stops; none at all does not.
    #[test]
    fn only_the_administrators_file_is_read() {
        let us = rustix::process::geteuid().as_raw();
        for (what, mode, around, administrator, said) in [
            (r#"{"tenant_id": "acme"}"#, 0o644, 0o755, us, "acme"),
            (r#"{"tenant_id": "acme"}"#, 0o664, 0o755, us, "others than root can write to it (mode 664)"),
            (r#"{"tenant_id": "acme"}"#, 0o644, 0o777, us, "others than root can write to it (mode 777)"),
            (r#"{"tenant_id": "acme"}"#, 0o644, 0o755, us + 1, "it belongs to user"),
            ("{\"tenant_id\": }", 0o644, 0o755, us, ":1:15: expected value"),
            ("pipe", 0, 0o755, us, "is not a regular file"),
            ("directory", 0o755, 0o755, us, "is not a regular file"),
            ("link", 0, 0o755, us, "cannot read"),
            ("", 0, 0o755, us, "nothing"),
        ] {
            let scratch = tempfile::tempdir().unwrap();
            let folder = scratch.path().join("thoth");
            let path = folder.join("thoth-config.json");
            fs::create_dir(&folder).unwrap();
            let chmod = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
            match what {
                "" => {}
                "pipe" => drop(std::process::Command::new("mkfifo").arg(&path).status().unwrap()),
                "directory" => fs::create_dir(&path).unwrap(),
                "link" => {
                    fs::write(folder.join("other"), "{}").unwrap();
                    symlink("other", &path).unwrap();
                }
                text => {
                    fs::write(&path, text).unwrap();
                    chmod(&path, mode);
                }
            }
            chmod(&folder, around);
            // With another administrator than us, root's own files are still good.
            if us == 0 && administrator != us {
                std::os::unix::fs::chown(&path, Some(4242), None).unwrap();
            }
            let seen = match read(&path, administrator) {
                Ok(None) => "nothing".to_owned(),
                Ok(Some(managed)) => managed.entries[0].value.clone(),
                Err(failure) => format!("{failure:?}"),
            };
            assert!(seen.contains(said), "{what} {mode:o} {around:o}: {seen}");
        }
    }
}
