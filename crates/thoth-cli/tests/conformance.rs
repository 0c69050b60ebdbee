//! Conformance: the official suite sees the same server, with and without the gate.
//!
//! The suite speaks HTTP, the gate stdio, so the same neutral front stands before both.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;

use thoth_testkit::conformance::{Verdict, verdicts};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::gated::{ALLOW_ALL, Gated};
use thoth_testkit::stdio_peer::Launch;

/// Scored scenarios only: what is not scored for a revision is not part of what a server promises by it.
fn scored(all: BTreeMap<String, Verdict>) -> BTreeMap<String, Verdict> {
    all.into_iter().filter(|(_, verdict)| verdict.scored).collect()
}

/// Defends invariant 2 with somebody else's idea of what must work: every scored scenario, check for check.
fn assert_same_verdicts(revision: &str, scenarios: usize) {
    let fixtures = Fixtures::locate().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let start = "from mcp_everything_server.server import mcp; mcp.run('stdio')";
    let folder = fixtures.python_everything_server().unwrap();
    let server = Launch::new([fixtures.python(2).unwrap()]).arg("-c").arg(start).in_dir(folder);
    let gate = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), scratch.path(), ALLOW_ALL).unwrap().launch();

    let direct = scored(verdicts(&fixtures, &server, revision, scratch.path()).unwrap());
    let through = scored(verdicts(&fixtures, &server.behind(&gate), revision, scratch.path()).unwrap());

    let failing: Vec<_> = direct.iter().filter(|(_, verdict)| verdict.failed > 0).collect();
    assert!(failing.is_empty(), "the server itself fails {failing:?}, which makes the comparison worth less");
    assert_eq!(direct.len(), scenarios, "{:?}", direct.keys());
    assert_eq!(direct, through);
}

#[test]
fn conformance_to_2025_11_25_is_the_same_behind_the_gate() {
    assert_same_verdicts("2025-11-25", 30);
}

#[test]
fn conformance_to_2026_07_28_is_the_same_behind_the_gate() {
    assert_same_verdicts("2026-07-28", 37);
}
