//! The README's policy does what the README says that it does.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::process::Command;

use serde_json::Value;

fn explain(policy: &str, tool: &str, arguments: &str) -> String {
    let words = ["policy", "explain", "--json", "--policy", policy, "--tool", tool, "--args", arguments];
    let output = Command::new(env!("CARGO_BIN_EXE_thoth")).args(words).output().unwrap();
    assert!(output.status.code().is_some_and(|code| code < 100), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["effect"].as_str().unwrap().to_owned()
}

#[test]
fn the_policy_of_the_readme_works_as_described() {
    let readme = include_str!("../../../README.md");
    let policy = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.yaml");
    std::fs::write(&file, policy).unwrap();
    let file = file.to_str().unwrap();

    let check = Command::new(env!("CARGO_BIN_EXE_thoth")).args(["policy", "check", file]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let cases = [
        ("read_file", r#"{"path": "/etc/hosts"}"#, "allow"),
        ("write_file", r#"{"path": "/home/me/notes/a.md"}"#, "allow"),
        ("write_file", r#"{"path": "/etc/passwd"}"#, "ask"),
        ("write_file", "{}", "ask"),
        ("delete_file", r#"{"path": "/home/me/notes/a.md"}"#, "deny"),
        ("send_mail", "{}", "ask"),
    ];
    for (tool, arguments, effect) in cases {
        assert_eq!(explain(file, tool, arguments), effect, "{tool} {arguments}");
    }
}
