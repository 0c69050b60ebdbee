//! `thoth update` of a build from source. What official builds do is tested in `thoth-update`, where there is a key.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::process::{Command, Output};

use serde_json::{Value, json};

/// Nothing at run time makes a build official: these variables count when the program is compiled.
fn thoth(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    command.args(arguments).env("THOTH_RELEASE_URL", "https://localhost:1/");
    command.env("THOTH_RELEASE_KEY", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k");
    command.output().unwrap()
}

/// A build from source says what it is and what to do instead, under both names of the command, for people and scripts.
#[test]
fn a_build_from_source_says_how_it_is_updated() {
    let said = "this thoth was built from source; only official builds update themselves";
    let hint =
        "in a clone of https://github.com/thoth-mcp/thoth: git pull && cargo install --locked --path crates/thoth-cli";
    for arguments in [&["update"][..], &["self-update"], &["update", "--check"], &["update", "--force"]] {
        let output = thoth(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(
            String::from_utf8(output.stderr).unwrap(),
            format!("error: {said}\n  hint: {hint}\n"),
            "{arguments:?}"
        );
    }
    let output = thoth(&["update", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value, json!({ "error": said, "hint": hint, "code": "built_from_source" }));
    assert_eq!(thoth(&["update", "--check", "--force"]).status.code(), Some(2), "one or the other");
}
