//! What a run that was killed has left beside a file.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Backups, FileProblem, Found, Look, held, mark, parent};

/// Ends the name of new content that was never exchanged.
const UNUSED: &str = "new";
/// Ends the name of what is exchanged with the file.
const EXCHANGED: &str = "swap";

/// The two names of one temporary file: while it is written, and once it can be exchanged. Short whatever the file's own
/// name, and telling whose they are.
pub(super) struct Names {
    pub(super) unused: PathBuf,
    pub(super) exchanged: PathBuf,
}

impl Names {
    pub(super) fn new(target: &Path, random: u64) -> Self {
        let name = |end| parent(target).join(format!("{}{random:016x}.{end}", start(target)));
        Self { unused: name(UNUSED), exchanged: name(EXCHANGED) }
    }
}

fn start(target: &Path) -> String {
    format!(".thoth-{}-", mark(target))
}

/// Removes what earlier runs have left beside this file. Content that may exist nowhere else goes to the backups, whose
/// paths are returned. Only to be called while the directory is locked: then nobody works with these files.
pub(super) fn clear(found: &Found, backups: &Backups) -> Result<Vec<PathBuf>, FileProblem> {
    let start = start(&found.target);
    let mut rescued = Vec::new();
    for entry in fs::read_dir(parent(&found.target)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some((random, end)) = name.to_str().and_then(|name| name.strip_prefix(&start)?.split_once('.')) else {
            continue;
        };
        if random.len() != 16 || !random.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        let path = entry.path();
        let known = match (end, held(&path)) {
            (UNUSED, _) => true,
            (EXCHANGED, Ok(Look::Regular(left))) => {
                if left.bytes != found.bytes() && !backups.holds(&found.target, &left.bytes) {
                    rescued.push(backups.store(&found.target, &left.bytes)?);
                }
                true
            }
            _ => false,
        };
        if known {
            // It is tried again next time.
            drop(fs::remove_file(&path));
        }
    }
    Ok(rescued)
}
