//! Room on the disk: a build that runs out of it fails in a hundred places, and none of them says why.

use anyhow::{Context as _, Result};

use crate::report;
use crate::workspace::Workspace;

/// What a cold run writes under `target`, measured, and a little more.
const NEEDED: u64 = 6 << 30;

/// Whether there is room for a cold run. Says so where there is not; a warm run may still do with less.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let disk = rustix::fs::statvfs(workspace.root()).context("cannot ask how much room the disk has")?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free < NEEDED {
        report::warning(&format!(
            "the disk has {} GiB left, and a cold run writes up to {}: if a step fails with `No space left on device`, \
             free some (`cargo clean`)",
            free >> 30,
            NEEDED >> 30
        ));
    }
    Ok(())
}
