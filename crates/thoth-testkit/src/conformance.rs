//! The official conformance suite against a server on stdio, through the neutral HTTP front.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::fixtures::{FixtureError, Fixtures};
use crate::stdio_peer::{Launch, PeerError, StdioPeer};

/// How long the front may take to listen, and to end.
const FRONT: Duration = Duration::from_secs(120);

/// What the suite found about one scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Checks that passed.
    pub passed: u32,
    /// Checks that failed.
    pub failed: u32,
    /// Whether the scenario counts for the revision.
    pub scored: bool,
}

/// Why the suite has no verdicts.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// Something is not installed.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The front did not behave.
    #[error("the HTTP front")]
    Front(#[from] PeerError),
    /// The front did not say where it listens.
    #[error("the HTTP front does not listen: {0}")]
    Deaf(String),
    /// The suite could not be started.
    #[error("cannot start the conformance suite")]
    Start(#[from] std::io::Error),
    /// The suite printed no summary.
    #[error("no summary from the conformance suite: {0}")]
    Silent(String),
}

/// Runs all scenarios of a revision, such as `2025-11-25`, against a server; returns the verdict on each.
///
/// # Errors
/// When the suite cannot run; a failing scenario is a verdict, not an error.
pub fn verdicts(
    fixtures: &Fixtures,
    server: &Launch,
    revision: &str,
    scratch: &Path,
) -> Result<BTreeMap<String, Verdict>, ConformanceError> {
    let front = Launch::new(["node"]).arg(fixtures.program("http_front.mjs")?);
    let mut front = StdioPeer::spawn(&server.behind(&front))?;
    let said = front.receive(FRONT)?.unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    let Some(port) = said.strip_prefix("listening ") else {
        return Err(ConformanceError::Deaf(format!("{said}{}", front.complaints())));
    };
    let suite = fixtures.npm_server("conformance")?;
    let output = Command::new(fixtures.node_22()?)
        .arg(suite)
        .args(["server", "--url", &format!("http://127.0.0.1:{port}/mcp"), "--requirements", revision, "-o"])
        .arg(scratch)
        .current_dir(scratch)
        .stdin(Stdio::null())
        .output()?;
    front.finish(FRONT)?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = read_summary(&text);
    if found.is_empty() {
        return Err(ConformanceError::Silent(format!("{text}{}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(found)
}

/// Reads the summary: a line for each scenario, and after it the list of those that do not count.
fn read_summary(text: &str) -> BTreeMap<String, Verdict> {
    let summary = text.split("=== SUMMARY ===").nth(1).unwrap_or("");
    let (all, unscored) = summary.split_once("Not scored").unwrap_or((summary, ""));
    let mark = |line: &str| line.trim().strip_prefix(['✓', '✗']).map(|rest| rest.trim().to_owned());
    let unscored: Vec<String> =
        unscored.lines().filter_map(mark).filter_map(|line| Some(line.split(' ').next()?.to_owned())).collect();
    let verdict = |line: String| {
        let (name, counts) = line.split_once(": ")?;
        let (passed, failed) = counts.split_once(" passed, ")?;
        let failed = failed.split(' ').next()?.parse().ok()?;
        let scored = !unscored.iter().any(|other| other == name);
        Some((name.to_owned(), Verdict { passed: passed.parse().ok()?, failed, scored }))
    };
    all.lines().filter_map(mark).filter_map(verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        let text = "Running\n\n=== SUMMARY ===\n✓ ping: 2 passed, 0 failed\n✗ caching: 7 passed, 1 failed, 2 warnings\n\
                    ✗ tasks: 0 passed, 3 failed\n\nTotal: 9 passed, 4 failed\n\n\
                    Not scored for 2026-07-28: 1 scenario(s) run, 1 failing.\n  ✗ tasks (extension)\n";
        let expected = [
            ("caching", Verdict { passed: 7, failed: 1, scored: true }),
            ("ping", Verdict { passed: 2, failed: 0, scored: true }),
            ("tasks", Verdict { passed: 0, failed: 3, scored: false }),
        ];
        assert_eq!(read_summary(text), BTreeMap::from(expected.map(|(name, verdict)| (name.to_owned(), verdict))));
    }
}
