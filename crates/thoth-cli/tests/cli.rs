//! What commands say and how they end, where no server is involved: for people on standard error, for scripts on
//! standard output, and nothing is written that nobody asked for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use thoth_audit::{Durability, Leaves, Ledger, LedgerKeys, LedgerOptions};

const ALLOW: &str = "version: \"1\"\ndefaults: { approval: auto }\n";

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// Runs `thoth` in a folder, with the folder's `home` as its home.
fn thoth(folder: &Path, words: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_thoth"))
        .args(words)
        .current_dir(folder)
        .env("THOTH_HOME", folder.join("home"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Answer {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A closed ledger with these events.
fn ledger(dir: &Path, events: &[&str]) {
    let keys = LedgerKeys::new([1; 32], [2; 32]);
    let ledger = Ledger::open(dir, &keys, LedgerOptions { durability: Durability::Process }).unwrap();
    let mut leaves = Leaves::new();
    for event in events {
        leaves.push_canonical(event.as_bytes()).unwrap();
    }
    ledger.append(&leaves).unwrap();
    ledger.close().unwrap();
}

const EVENTS: [&str; 3] = [
    r#"{"decision":"ALLOW","eventType":"TOOL_CALL_PRE","occurredAt":"2026-11-21T03:07:45.252Z","reasonCode":"rule_block","rule":"deletes","serverName":"notes","toolName":"delete_note","wouldBe":"BLOCK"}"#,
    r#"{"eventType":"TOOL_CALL_POST","occurredAt":"2026-11-21T03:07:45.252Z","outcome":"tool_error","serverName":"notes","toolName":"delete_note"}"#,
    r#"{"detail":"message refused","eventType":"FRAME_REFUSED","occurredAt":"2026-11-21T03:07:45.702Z","refusalCode":"duplicate_key","serverName":"notes"}"#,
];

/// Defends: every failure that a script can meet is one JSON object on standard output with a code, beside an exit
/// code; for people the same stands on standard error.
#[test]
fn failures_are_told_to_scripts_and_to_people() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::create_dir(folder.join("other")).unwrap();
    fs::write(folder.join("other/readme"), "").unwrap();
    fs::write(folder.join("bad.yaml"), "version: \"1\"\nrule: []\n").unwrap();
    ledger(&folder.join("good"), &EVENTS);
    ledger(&folder.join("damaged"), &EVENTS);
    ledger(&folder.join("keyless"), &EVENTS);
    fs::remove_file(folder.join("keyless/log.vkey")).unwrap();
    let entries = folder.join("damaged/tile/entries/000.p/3");
    let text = fs::read(&entries).unwrap();
    fs::write(&entries, [b"\0", &text[1..text.len() - 1], b"]"].concat()).unwrap();

    let mut seen = String::new();
    for words in [
        "audit verify missing",
        "audit verify empty",
        "audit verify other",
        "audit verify",
        "audit verify good --checkpoint missing",
        "audit verify good --vkey x",
        "audit verify damaged",
        "audit verify keyless",
        "audit tail missing",
        "audit tail empty",
        "audit tail",
        "audit tail keyless",
        "audit prove 0 empty",
        "audit prove 0 keyless",
        "audit prove 3 good",
        "policy check missing.yaml",
        "policy check bad.yaml",
        "policy check empty",
        "policy explain --tool x --policy bad.yaml",
        "policy explain --tool x --at tomorrow",
        "policy explain --tool x --args []",
    ] {
        let mut words: Vec<_> = words.split(' ').collect();
        let person = thoth(folder, &words);
        words.push("--json");
        let script = thoth(folder, &words);
        assert_eq!((person.code, &*person.stdout), (script.code, ""), "{words:?}");
        let answer = script.json();
        let told = answer["error"].as_str().unwrap();
        assert!(person.stderr.contains(told), "{words:?}: {} has not {told}", person.stderr);
        assert!(person.stderr.starts_with("error: ") || words.contains(&"explain"), "{}", person.stderr);
        seen += &format!("{} {} {}\n", script.code, words.join(" "), answer["code"].as_str().unwrap());
        if words.contains(&"verify") {
            assert_eq!(answer["verified"], false, "{words:?}");
        }
        if words.contains(&"keyless") {
            assert!(told.contains("log.vkey`") && told.contains("is missing"), "{told}");
        }
        if words.contains(&"damaged") {
            let place = [&answer["file"], &answer["offset"], &answer["index"]].map(ToString::to_string);
            let offset = EVENTS[0].len() + EVENTS[1].len() + 4;
            assert_eq!(place, ["\"tile/entries/000.p/3\"", &offset.to_string(), "2"]);
        }
        if words.contains(&"bad.yaml") {
            assert_eq!((&answer["valid"], &answer["errors"][0]["code"]), (&false.into(), &"unknown_key".into()));
        }
    }
    insta::assert_snapshot!(seen, @"
    1 audit verify missing --json no_ledger
    4 audit verify empty --json no_ledger
    4 audit verify other --json no_ledger
    1 audit verify --json no_ledger
    1 audit verify good --checkpoint missing --json unreadable_checkpoint
    4 audit verify good --vkey x --json other_key
    4 audit verify damaged --json leaf_hash
    4 audit verify keyless --json missing
    1 audit tail missing --json no_ledger
    1 audit tail empty --json no_ledger
    1 audit tail --json no_ledger
    1 audit tail keyless --json unreadable_ledger
    1 audit prove 0 empty --json no_ledger
    1 audit prove 0 keyless --json unreadable_ledger
    1 audit prove 3 good --json no_such_event
    3 policy check missing.yaml --json invalid_policy
    3 policy check bad.yaml --json invalid_policy
    3 policy check empty --json invalid_policy
    3 policy explain --tool x --policy bad.yaml --json invalid_policy
    2 policy explain --tool x --at tomorrow --json usage
    2 policy explain --tool x --args [] --json usage
    ");
    assert!(!folder.join("home").exists(), "a command that reads has written");
}

/// Defends: `tail` shows how each event came out, whatever kind it is, and what a mode has softened.
#[test]
fn tail_and_verify_show_what_matters() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    ledger(&folder.join("good"), &EVENTS[..1]);
    fs::copy(folder.join("good/checkpoint"), folder.join("earlier")).unwrap();
    ledger(&folder.join("good"), &EVENTS[1..]);
    insta::assert_snapshot!(thoth(folder, &["audit", "tail", "good"]).stdout, @"
    2026-11-21T03:07:45.252Z  TOOL_CALL_PRE     ALLOW           notes         delete_note  would be BLOCK  deletes  rule_block
    2026-11-21T03:07:45.252Z  TOOL_CALL_POST    tool_error      notes         delete_note
    2026-11-21T03:07:45.702Z  FRAME_REFUSED     duplicate_key   notes           message refused
    ");
    let verified = thoth(folder, &["audit", "verify", "good", "--checkpoint", "earlier"]);
    assert!(verified.stdout.contains("extends  1 event"), "{}", verified.stdout);
    assert_eq!(thoth(folder, &["audit", "prove", "2", "good"]).json()["index"], 2);
}

/// Defends: whoever stops reading ends the command quietly.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let scratch = tempfile::tempdir().unwrap();
    ledger(&scratch.path().join("good"), &EVENTS);
    for words in [["audit", "tail", "good"], ["audit", "verify", "good"], ["audit", "verify", "missing"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
        command.args(words).arg("--json").current_dir(scratch.path()).stdout(writer);
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(141), &b""[..]), "{words:?}");
    }
}

/// Defends: asking about the default policy writes nothing, and says which policy answered.
#[test]
fn explain_says_which_policy_answered() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let words = ["policy", "explain", "--tool", "read_x", "--agent-id", "a", "--user-id", "u", "--json"];
    let answer = thoth(folder, &words);
    assert_eq!(answer.json()["policy_file"], "built-in starter");
    assert!(answer.stderr.contains("built-in starter"), "{}", answer.stderr);
    let ask = thoth(folder, &["policy", "explain", "--tool", "write_x"]);
    assert!(ask.stdout.contains("\napprover   one of local_user\nanswer     within 15m\n"), "{}", ask.stdout);
    assert!(!folder.join("home").exists());
    fs::create_dir(folder.join("home")).unwrap();
    fs::write(folder.join("home/policy.yaml"), ALLOW).unwrap();
    let answer = thoth(folder, &words);
    assert_eq!(answer.json()["policy_file"], folder.join("home/policy.yaml").to_str().unwrap());
    assert_eq!(answer.stderr, "");
}

/// Defends: a home that somebody chose is never changed, and never used where others can write to it; the default one
/// is closed, and that is said.
#[test]
fn a_home_that_others_can_write_to_is_not_used() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let home = folder.join("home");
    fs::create_dir(&home).unwrap();
    for (before, used) in [(0o777, false), (0o770, false), (0o755, true), (0o700, true)] {
        chmod(&home, before);
        let answer = thoth(folder, &["run", "--", "true"]);
        assert_eq!(answer.code == 0, used, "{before:o}: {}", answer.stderr);
        assert_eq!(answer.stderr.contains("chmod go-w"), !used, "{}", answer.stderr);
        assert_eq!(mode(&home), before);
    }
    assert_eq!(mode(&home.join("policy.yaml")), 0o600);

    let default = folder.join(".thoth");
    fs::create_dir(&default).unwrap();
    chmod(&default, 0o775);
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    command.args(["run", "--", "true"]).env("HOME", folder).env_remove("THOTH_HOME").stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("it is private now"));
    assert_eq!(mode(&default), 0o700);
}

/// Defends: what cannot be meant is a usage error, and nothing is started or written.
#[test]
fn empty_words_are_usage_errors() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    for words in [
        &["run", "--", ""][..],
        &["run", "--session-intent", "", "--", "true"],
        &["run", "--approved-scope", "", "--", "true"],
        &["run", "--approved-scope", "a,,b", "--", "true"],
        &["run", "--approved-scope", "a, b", "--", "true"],
        &["run", "--agent-id", "", "--", "true"],
        &["policy", "explain", "--tool", ""],
        &["policy", "explain", "--tool", "x", "--agent", ""],
        &["policy", "explain", "--tool", "x", "--session-intent", ""],
        &["policy", "explain", "--tool", "x", "--at", "2026-11-20 22h"],
    ] {
        let answer = thoth(folder, words);
        assert_eq!((answer.code, &*answer.stdout), (2, ""), "{words:?}: {}", answer.stderr);
        assert!(!folder.join("home/ledger").exists(), "{words:?}");
    }
}

/// Defends: an interrupted update is a verdict of its own, told only where all that is signed verifies, and repaired only
/// there and only with the key.
#[test]
fn an_interrupted_ledger_is_told_and_repaired() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    for name in ["ledger", "damaged"] {
        ledger(&folder.join(name), &EVENTS);
        fs::write(folder.join(name).join("integrate.lock"), "1").unwrap();
    }
    let entries = folder.join("damaged/tile/entries/000.p/3");
    let text = fs::read(&entries).unwrap();
    fs::write(&entries, [&text[..40], b"x", &text[41..]].concat()).unwrap();

    let answer = thoth(folder, &["audit", "verify", "ledger"]);
    assert_eq!((answer.code, answer.stdout.lines().next()), (5, Some("interrupted ledger")), "{}", answer.stderr);
    assert!(answer.stdout.contains("events  3") && answer.stderr.contains("thoth audit repair ledger"));
    let answer = thoth(folder, &["audit", "verify", "ledger", "--json"]);
    let report = answer.json();
    assert_eq!((answer.code, &report["verified"], &report["code"]), (5, &false.into(), &"interrupted".into()));
    assert_eq!((&report["size"], &report["pending"]), (&3.into(), &0.into()));

    let answer = thoth(folder, &["audit", "repair", "ledger"]);
    assert!(answer.code == 1 && answer.stderr.contains("ledger-signing.key` is missing"), "{}", answer.stderr);
    let keys = folder.join("home/keys");
    fs::create_dir_all(&keys).unwrap();
    fs::write(keys.join("ledger-signing.key"), format!("{}\n", "01".repeat(32))).unwrap();
    chmod(&keys.join("ledger-signing.key"), 0o600);
    let answer = thoth(folder, &["audit", "repair", "damaged"]);
    assert!(answer.code == 4 && answer.stderr.contains("nothing was changed"), "{}", answer.stderr);
    assert_eq!(fs::read(folder.join("damaged/integrate.lock")).unwrap(), b"1");
    for _ in 0..2 {
        let answer = thoth(folder, &["audit", "repair", "ledger"]);
        assert_eq!((answer.code, answer.stdout.lines().next()), (0, Some("verified ledger")), "{}", answer.stderr);
    }
}

/// Defends: a key that was lost, or that something else stands in the place of, is told with what to do; it is not
/// replaced, and nothing waits.
#[test]
fn a_lost_or_odd_signing_key_is_told_and_never_replaced() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let key = folder.join("home/keys/ledger-signing.key");
    let run = || thoth(folder, &["run", "--", "true"]);
    assert!(!run().stderr.contains("no ledger"));
    fs::remove_file(&key).unwrap();
    let answer = run();
    let told = format!("no ledger: `{}` is missing, with which the ledger `", key.display());
    assert!(answer.stderr.contains(&told) && answer.stderr.contains("every call is refused"), "{}", answer.stderr);
    assert!(!key.exists());
    assert!(Command::new("mkfifo").arg(&key).status().unwrap().success());
    let answer = run();
    assert!(answer.stderr.contains("it is a pipe"), "{}", answer.stderr);
    assert_eq!(thoth(folder, &["audit", "verify"]).code, 0, "the old ledger is still good evidence");
}

/// Defends: a policy is read from regular files only, so that no pipe and no device can hold up or fill the gate.
#[test]
fn a_policy_is_a_regular_file() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    assert!(Command::new("mkfifo").arg(folder.join("fifo")).status().unwrap().success());
    fs::write(folder.join("long.yaml"), vec![b'#'; 8 * 1024 * 1024 + 1]).unwrap();
    fs::write(folder.join("includes.yaml"), "version: \"1\"\ninclude: fifo\n").unwrap();
    let mut seen = String::new();
    for file in ["fifo", ".", "/dev/zero", "long.yaml", "includes.yaml"] {
        let answer = thoth(folder, &["policy", "check", "--json", file]);
        assert_eq!(answer.code, 3, "{file}");
        let message = answer.json()["errors"][0]["message"].to_string();
        seen += &format!("{}\n", message.replace(folder.canonicalize().unwrap().to_str().unwrap(), "DIR"));
    }
    insta::assert_snapshot!(seen, @r#"
    "cannot read `fifo`: it is a pipe, a device or a socket; a policy is a regular file"
    "cannot read `.`: it is a directory; a policy is a regular file"
    "cannot read `/dev/zero`: it is a pipe, a device or a socket; a policy is a regular file"
    "`long.yaml` is 8388609 bytes long; the most is 8388608"
    "cannot include: cannot read `DIR/fifo`: it is a pipe, a device or a socket; a policy is a regular file"
    "#);
}

/// Defends: what is odd about a policy is said once when a session begins, and scripts get it as they get errors.
#[test]
fn warnings_of_a_policy_are_shown() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("odd.yaml"), "version: \"1\"\nrules: []\n").unwrap();
    let answer = thoth(folder, &["policy", "check", "--json", "odd.yaml"]);
    let warning = &answer.json()["warnings"][0];
    assert_eq!(warning["code"], "lint", "{}", answer.stdout);
    let run = thoth(folder, &["run", "--policy", "odd.yaml", "--", "true"]);
    assert_eq!(run.stderr.matches("policy warning: ").count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains(warning["message"].as_str().unwrap()), "{}", run.stderr);
}

/// Defends: however broken a policy is, what is shown of it has an end, and how much there is besides is told.
#[test]
fn a_policy_with_very_many_errors_or_warnings_shows_some() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let keys: String = (0..2_500).map(|n| format!("key-{n}: 1\n")).collect();
    let rule = |n| format!("  - {{ name: r{n}, match: {{ tool: t{n} }}, approval: auto, override: [base] }}\n");
    let rules: String = (0..250).map(rule).collect();
    let head = "version: \"1\"\ndefaults: { approval: block }\n";
    fs::write(folder.join("errors.yaml"), format!("{head}{keys}")).unwrap();
    fs::write(
        folder.join("warnings.yaml"),
        format!("{head}rules:\n  - {{ name: base, match: {{ tool: x }}, approval: approve }}\n{rules}"),
    )
    .unwrap();
    for (what, code, total) in [("errors", 3, 2_500), ("warnings", 5, 250)] {
        let file = format!("{what}.yaml");
        let answer = thoth(folder, &["policy", "check", "--json", &file]);
        let report = answer.json();
        assert_eq!((answer.code, report[what].as_array().unwrap().len()), (code, 100), "{}", answer.stdout);
        assert_eq!(report[format!("{what}_total")], total);
        assert!(answer.stdout.len() < 100_000, "{} bytes", answer.stdout.len());
        let answer = thoth(folder, &["policy", "check", &file]);
        let told = answer.stdout + &answer.stderr;
        assert!(told.contains(&format!("and {} more", total - 100)), "{told}");
        assert_eq!(told.matches("warning[").count() + told.matches("error[").count(), 100);
    }
}

/// Defends: the demo shows its server under the server's own name, and each kind of decision in its order.
#[test]
fn the_demo_shows_what_the_gate_does() {
    let scratch = tempfile::tempdir().unwrap();
    // A lax umask makes no home that others can write to.
    let script = format!("umask 0; exec {} demo", env!("CARGO_BIN_EXE_thoth"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(scratch.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer = String::from_utf8(output.stdout).unwrap();
    let server = format!("thoth-demo-notes {}, MCP", env!("CARGO_PKG_VERSION"));
    assert!(answer.contains(&server), "{answer}");
    let words = ["ALLOW", "STEP_UP", "BLOCK", "REFUSED", "VERIFIED"];
    let shown: Vec<_> = answer
        .lines()
        .filter_map(|line| Some((words.iter().find(|word| line.trim_start().starts_with(**word))?, line)))
        .map(|(word, line)| format!("{word} {}", line.split_whitespace().nth(1).unwrap_or_default()))
        .collect();
    let expected = [
        "ALLOW read_note",
        "STEP_UP write_note",
        "ALLOW write_note",
        "BLOCK delete_note",
        "BLOCK search_notes",
        "REFUSED a",
        "ALLOW list_notes",
        "VERIFIED every",
    ];
    assert_eq!(shown, expected, "{answer}");
    let listed = answer.lines().find_map(|line| line.strip_prefix("tools")?.split(';').next()).unwrap_or_default();
    assert!(
        listed.contains("read_note") && !listed.contains("search_notes"),
        "the client sees no poisoned tool: {answer}"
    );
    assert!(answer.contains("(exfiltration.secret-file)"), "{answer}");
    assert!(answer.contains(r#"| text: "ship it""#), "the question shows the arguments: {answer}");
    assert!(answer.contains("wrote plan") && answer.contains("still has: plan, welcome"), "{answer}");
}

/// `thoth auth` hands everything to the `thothctl` beside it, else to the one in the path, and never to one of a project.
#[test]
fn auth_calls_thothctl() {
    // On the file system of the program, so that it can be linked.
    let scratch = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder = |name: &str| {
        let folder = scratch.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    };
    let (bin, path, project) = (folder("bin"), folder("path"), folder("project"));
    let program = bin.join("thoth");
    fs::hard_link(Path::new(env!("CARGO_BIN_EXE_thoth")).canonicalize().unwrap(), &program).unwrap();
    let put = |folder: &Path| {
        let script = folder.join("thothctl");
        fs::write(&script, format!("#!/bin/sh\necho {} \"$@\"\nexit 7\n", folder.display())).unwrap();
        chmod(&script, 0o700);
    };
    let run = |words: &[&str]| {
        let search = format!(":.:project:{}", path.display());
        let mut command = Command::new(&program);
        command.arg("auth").args(words).current_dir(&project).env("PATH", search).stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said)
    };
    put(&project);
    let (code, said) = run(&["login"]);
    assert_eq!(code, 127, "{said}");
    assert!(said.contains("`thothctl` is neither beside this program nor in the path"), "{said}");
    for folder in [&path, &bin] {
        put(folder);
        let words = ["login", "--tenant-id", "acme", "--admin-email", "a@acme.example", "--help"];
        let expected = format!("{} auth {}\n", folder.display(), words.join(" "));
        assert_eq!(run(&words), (7, expected));
    }
    assert_eq!(run(&[]).0, 2);
}
