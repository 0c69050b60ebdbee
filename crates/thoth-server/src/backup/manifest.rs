//! What a backup consists of: every file with its SHA-256. It finds what was damaged or lost on the way; it is not signed,
//! so that a backup is worth as much as the place where it is kept.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read as _, Write};
use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use thoth_shell::key_file::regular;
use thoth_shell::terminal::harmless_text;

use super::{BackupError, Copied, Done, file, shown, write};

const NAME: &str = "backup.json";
/// What this version writes and reads.
const FORMAT: u32 = 1;
/// The largest list; files of a ledger have 256 events each.
const MAX_BYTES: u64 = 256 << 20;
/// The longest name of a file.
const MAX_NAME: usize = 512;

/// The list.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    /// The version of `thothd` that wrote it.
    version: String,
    /// Hexadecimal digits by path.
    files: BTreeMap<String, String>,
    /// Tenants that are not set up yet, and what they lack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    unfinished: BTreeMap<String, String>,
}

impl Manifest {
    /// Of what stands in a folder, which was checked.
    pub(super) fn of(folder: &Path, checked: &Copied) -> Done<Self> {
        let mut files = BTreeMap::new();
        walk(folder, "", &mut files)?;
        Ok(Self {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            files,
            unfinished: checked.unfinished.clone(),
        })
    }

    pub(super) fn write(&self, folder: &Path) -> Done<()> {
        let path = folder.join(NAME);
        let text = serde_json::to_vec_pretty(self).map_err(|error| file("write", &path)(error.into()))?;
        write(&path, &text)
    }

    /// Reads that of a backup. A name that leads out of the backup, or does not belong into one, is refused.
    pub(super) fn read(folder: &Path) -> Done<Self> {
        let bad = |what: &str| BackupError::NotABackup(shown(folder), what.to_owned());
        let path = folder.join(NAME);
        let read = regular(&path, MAX_BYTES).map_err(file("read", &path))?;
        let (bytes, complete) = read.ok_or_else(|| bad("it has no `backup.json`"))?;
        if !complete {
            return Err(bad("its `backup.json` is too large"));
        }
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|_| bad("its `backup.json` cannot be read"))?;
        if manifest.format != FORMAT {
            return Err(bad("it was written by a newer version of thothd; update thothd"));
        }
        if let Some(name) = manifest.files.keys().find(|name| !belongs(name)) {
            return Err(bad(&format!("`{}` does not belong into one", harmless_text(name))));
        }
        if !manifest.files.contains_key(super::SERVER_FILE) {
            return Err(bad("it has no `thothd.db`"));
        }
        Ok(manifest)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&String, &String)> {
        self.files.iter()
    }
}

/// Whether a backup may have a file of this name.
fn belongs(name: &str) -> bool {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let known = [super::SERVER_FILE, super::POLICY_FILE].contains(&name)
        || name.strip_prefix("tenants/").and_then(|rest| rest.split_once('/')).is_some_and(|(tenant, rest)| {
            let kept = rest == super::HOLDS_FILE || rest.starts_with("ledger/") || rest.starts_with("keys/");
            tenant.parse::<crate::tenants::TenantName>().is_ok() && kept
        });
    plain && known && name.len() <= MAX_NAME && !name.contains("//") && !name.ends_with('/')
}

fn walk(root: &Path, below: &str, files: &mut BTreeMap<String, String>) -> Done<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).map_err(file("list", &folder))? {
        let entry = entry.map_err(file("list", &folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type().map_err(file("look at", &folder))?.is_dir() {
            walk(root, &path, files)?;
        } else {
            let digest = digest(&root.join(&path), &mut std::io::sink())?;
            files.insert(path, digest);
        }
    }
    Ok(())
}

/// Reads a regular file from begin to end and writes it on; its SHA-256.
pub(super) fn digest(path: &Path, to: &mut impl Write) -> Done<String> {
    let kind = fs::symlink_metadata(path).map_err(file("read", path))?.file_type();
    if !kind.is_file() {
        return Err(file("read", path)(std::io::Error::other("it is not a regular file")));
    }
    let mut from = File::open(path).map_err(file("read", path))?;
    let mut hash = Sha256::new();
    let mut bytes = vec![0; 64 << 10];
    loop {
        let count = from.read(&mut bytes).map_err(file("read", path))?;
        let part = bytes.get(..count).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        hash.update(part);
        to.write_all(part).map_err(file("copy", path))?;
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No list makes a restore write elsewhere.
    #[test]
    fn the_table_of_names() {
        for good in
            ["thothd.db", "policy.yaml", "tenants/a/state.db", "tenants/a/ledger/tile/0/000", "tenants/a/keys/k"]
        {
            assert!(belongs(good), "{good}");
        }
        let long = format!("tenants/a/ledger/{}", "x".repeat(600));
        for bad in [
            "",
            "/etc/passwd",
            "../thothd.db",
            "tenants/../thothd.db",
            "tenants/a/ledger/../../../x",
            "tenants/A/state.db",
            "tenants/a",
            "tenants/a/other",
            "tenants/a/ledger/",
            "tenants/a//keys/k",
            "thothd.db/x",
            "backup.json",
            &long,
        ] {
            assert!(!belongs(bad), "{bad}");
        }
    }
}
