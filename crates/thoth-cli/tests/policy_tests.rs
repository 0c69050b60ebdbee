//! `thoth policy test` and `init`: the guide and the packs do what they say, and what is wrong is told.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

struct Answer {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs `thoth policy` in a folder.
fn policy(folder: &Path, words: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_thoth"))
        .arg("policy")
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

/// The fenced blocks of a document: what follows the fence, the text, and its line.
fn blocks(text: &str) -> Vec<(String, String, usize)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, String, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.to_owned(), String::new(), number + 1)),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, text, _)), None) => text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block that is not closed");
    blocks
}

/// Each policy of the guide passes the tests that stand below it, each wrong one is refused as shown, and the outputs of
/// commands are those of its first example.
#[test]
fn every_example_of_the_guide_is_true() {
    let guide = include_str!("../../../docs/guide/policy.md");
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let blocks = blocks(guide);
    let (mut tested, mut refused) = (0, 0);
    let mut rest = blocks.iter().filter(|(info, ..)| info != "console").peekable();
    while let Some((info, text, line)) = rest.next() {
        let place = format!("docs/guide/policy.md:{line}");
        let Some((next, below, _)) = rest.next() else { panic!("{place}: nothing below it") };
        fs::write(folder.join("policy.yaml"), text).unwrap();
        match (info.as_str(), next.as_str()) {
            ("yaml", "yaml") => {
                fs::write(folder.join("policy.test.yaml"), below).unwrap();
                let answer = policy(folder, &["test", "policy.yaml"]);
                assert_eq!(answer.code, 0, "{place}: {}{}", answer.stdout, answer.stderr);
                tested += 1;
            }
            ("yaml wrong", "text") => {
                let answer = policy(folder, &["check", "policy.yaml"]);
                assert_eq!(answer.code, 3, "{place}: {}", answer.stdout);
                for line in below.lines() {
                    assert!(answer.stderr.contains(line), "{place}: {line}\n{}", answer.stderr);
                }
                refused += 1;
            }
            other => panic!("{place}: {other:?}"),
        }
    }
    assert!(tested >= 15 && refused >= 3, "{tested} {refused}");

    let first: Vec<&str> =
        blocks.iter().filter(|(info, ..)| info == "yaml").map(|(_, text, _)| text.as_str()).collect();
    fs::write(folder.join("policy.yaml"), first[0]).unwrap();
    fs::write(folder.join("policy.test.yaml"), first[1]).unwrap();
    for (_, text, line) in blocks.iter().filter(|(info, ..)| info == "console") {
        let (command, output) = text.split_once('\n').unwrap();
        let words: Vec<&str> = command.strip_prefix("$ thoth policy ").unwrap().split(' ').collect();
        assert_eq!(policy(folder, &words).stdout, output, "docs/guide/policy.md:{line}");
    }
}

/// Each pack is written with its tests, passes them, reaches everything and notices every change.
#[test]
fn packs_are_tested_to_the_last_condition() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let listed = policy(folder, &["init"]).stdout;
    let names: Vec<&str> = listed.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let known = ["read-only", "developer", "database", "web", "hipaa-minimum-necessary", "soc2", "pci-dss", "gdpr"];
    assert_eq!(names, known);
    for name in names {
        let file = format!("{name}.yaml");
        assert_eq!(policy(folder, &["init", "--pack", name, &file]).code, 0);
        let checked: Value = serde_json::from_str(&policy(folder, &["check", &file, "--json"]).stdout).unwrap();
        assert_eq!(checked["valid"], true, "{name}");
        let answer = policy(folder, &["test", &file, "--coverage", "--mutate", "--json"]);
        let report: Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!(report["suites"].as_array().unwrap().len(), 1, "{name}: the tests of other packs are left out");
        assert_eq!(report["counts"]["failed"], 0, "{name}: {report:#}");
        let held = &report["counts"];
        assert!(held["invariants_hold"].as_u64() >= Some(2), "{name}: {report:#}");
        assert_eq!((&held["invariants_violated"], &held["invariants_unknown"]), (&json!(0), &json!(0)), "{name}");
        assert_eq!(answer.code, 0, "{name}");
        let coverage = &report["coverage"];
        assert_eq!(coverage["rules_decided"], coverage["rules"], "{name}: {coverage:#}");
        assert_eq!(coverage["outcomes_seen"], coverage["outcomes"], "{name}: {coverage:#}");
        let unnoticed: Vec<&Value> =
            report["mutants"].as_array().unwrap().iter().filter(|mutant| mutant["noticed_by"].is_null()).collect();
        assert_eq!(unnoticed, Vec::<&Value>::new(), "{name}");
        let explained = policy(folder, &["init", "--pack", name, "--explain"]).stdout;
        assert!(explained.starts_with("# "), "{name}");
    }
}

/// Nothing that exists is overwritten, and a policy is not written without its tests.
#[test]
fn init_overwrites_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    for (existing, text) in [("policy.yaml", "mine"), ("policy.test.yaml", "my tests")] {
        fs::write(folder.join(existing), text).unwrap();
        let answer = policy(folder, &["init", "--pack", "web"]);
        assert_eq!((answer.code, answer.stdout.as_str()), (1, ""), "{existing}");
        assert!(answer.stderr.contains("what exists is never overwritten"), "{}", answer.stderr);
        assert_eq!(fs::read_to_string(folder.join(existing)).unwrap(), text);
        fs::remove_file(folder.join(existing)).unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "{existing}");
    }
    let answer = policy(folder, &["init", "--pack", "wob"]);
    assert_eq!(answer.code, 2);
    let known = "known: read-only, developer, database, web, hipaa-minimum-necessary, soc2, pci-dss, gdpr";
    assert!(answer.stderr.contains(known), "{}", answer.stderr);
}

const RULES: &str = "defaults: {approval: approve}\nrules: [{name: reads, match: {tool: 'read_*'}, approval: auto}]\n";
const GOOD: &str = "tests: [{call: {tool: read_a}, expect: auto}]\n";
const BAD: &str = "tests: [{call: {tool: read_a}, expect: block}]\n";

/// Which files are tests of a policy, and how each ending is told to scripts.
#[test]
fn tests_are_found_beside_the_policy() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::create_dir(folder.join("tests")).unwrap();
    fs::create_dir(folder.join("more")).unwrap();
    for (name, text) in [
        ("p.yaml", RULES),
        ("other.yaml", RULES),
        ("p.test.yaml", GOOD),
        ("other.test.yml", &format!("policy: ./other.yaml\n{BAD}")),
        ("tests/a.yaml", GOOD),
        ("tests/b.yaml", &format!("policy: ../p.yaml\n{GOOD}")),
        ("tests/readme.md", "no test"),
        ("more/bad.yaml", BAD),
        ("more/wrong.yaml", "tests: [{call: {tol: x}, expect: auto}]\n"),
        ("broken.yaml", "rule: []\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let files = |words: &[&str]| {
        let answer = policy(folder, &[words, &["--json"]].concat());
        let report: Value = serde_json::from_str(&answer.stdout).unwrap();
        let suites = report["suites"].as_array().unwrap_or_else(|| panic!("{report:#}"));
        let names: Vec<String> = suites.iter().map(|suite| suite["file"].as_str().unwrap().to_owned()).collect();
        (answer.code, names.join(" "))
    };
    let expect = |words: &[&str], code: i32, names: &str| {
        assert_eq!(files(words), (code, names.to_owned()), "{words:?}");
    };
    expect(&["test", "p.yaml"], 0, "p.test.yaml tests/a.yaml tests/b.yaml");
    expect(&["test", "other.yaml"], 1, "other.test.yml p.test.yaml tests/a.yaml");
    expect(&["test", "p.yaml", "--tests", "more/bad.yaml"], 1, "more/bad.yaml");
    expect(
        &["test", "p.yaml", "--tests", "tests", "--tests", "p.test.yaml"],
        0,
        "tests/a.yaml tests/b.yaml p.test.yaml",
    );

    for (words, code, word) in [
        (&["test", "broken.yaml"][..], 3, "invalid_policy"),
        (&["test", "missing.yaml"][..], 3, "invalid_policy"),
        (&["test", "p.yaml", "--tests", "more/wrong.yaml"][..], 3, "invalid_policy"),
        (&["test", "p.yaml", "--tests", "missing.yaml"][..], 3, "invalid_policy"),
        (&["test", "more/bad.yaml"][..], 3, "invalid_policy"),
    ] {
        let answer = policy(folder, &[words, &["--json"]].concat());
        let report: Value = serde_json::from_str(&answer.stdout).unwrap();
        assert_eq!((answer.code, &report["code"]), (code, &json!(word)), "{words:?} {report:#}");
    }
    let alone = folder.join("alone");
    fs::create_dir(&alone).unwrap();
    fs::write(alone.join("p.yaml"), RULES).unwrap();
    let answer = policy(&alone, &["test", "p.yaml"]);
    assert_eq!(answer.code, 2);
    assert!(answer.stderr.contains("*.test.yaml` beside the policy"), "{}", answer.stderr);

    let answer = policy(folder, &["test", "p.yaml", "--tests", "more/bad.yaml", "--junit"]);
    assert_eq!(answer.code, 1);
    assert!(answer.stdout.contains("<failure message=\"approval: expected block, found auto\">"), "{}", answer.stdout);
    // Only a test notices a change, and the only one fails.
    let answer = policy(folder, &["test", "p.yaml", "--tests", "more/bad.yaml", "--mutate"]);
    assert!(answer.stdout.contains("0 of 3 changes of rules are noticed"), "{}", answer.stdout);
    fs::write(folder.join("weak.yaml"), "tests: [{call: {tool: x}, expect: approve}]\n").unwrap();
    assert_eq!(policy(folder, &["test", "p.yaml", "--tests", "weak.yaml"]).code, 0);
    assert_eq!(policy(folder, &["test", "p.yaml", "--tests", "weak.yaml", "--mutate"]).code, 1);
}

/// `fmt` changes what it is told to and nothing when told to check; what it cannot lay out stays, and so does all else
/// that was named with it.
#[test]
fn fmt_lays_files_out() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let untidy = "rules:\n- name:  reads # looks\n  match: {tool:  x}\n";
    let tidy = "rules:\n  - name: reads # looks\n    match: {tool: x}\n";
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    fs::write(folder.join("p.yaml"), untidy).unwrap();
    fs::write(folder.join("broken.yaml"), "a: [").unwrap();
    std::os::unix::fs::symlink("p.yaml", folder.join("link.yaml")).unwrap();

    let answer = policy(folder, &["fmt", "p.yaml", "--check"]);
    assert_eq!((answer.code, answer.stdout.as_str(), read("p.yaml").as_str()), (1, "would change p.yaml\n", untidy));
    let answer = policy(folder, &["fmt", "p.yaml", "broken.yaml"]);
    assert_eq!((answer.code, answer.stdout.as_str(), read("p.yaml").as_str()), (3, "", untidy));
    assert!(answer.stderr.contains("broken.yaml:1:4"), "{}", answer.stderr);
    for (wrong, place) in
        [("defaults: {}\nrulez:  []\n", "wrong.yaml:2:1"), ("tests:  []\ntest: []\n", "wrong.yaml:2:1")]
    {
        fs::write(folder.join("wrong.yaml"), wrong).unwrap();
        let answer = policy(folder, &["fmt", "wrong.yaml"]);
        assert_eq!((answer.code, read("wrong.yaml").as_str()), (3, wrong), "{}", answer.stdout);
        assert!(answer.stderr.contains("unknown key") && answer.stderr.contains(place), "{}", answer.stderr);
    }
    fs::remove_file(folder.join("wrong.yaml")).unwrap();
    let answer = policy(folder, &["fmt", "link.yaml"]);
    assert_eq!((answer.code, answer.stdout.as_str(), read("p.yaml").as_str()), (0, "changed link.yaml\n", tidy));
    assert!(folder.join("link.yaml").is_symlink());
    let answer = policy(folder, &["fmt", "p.yaml", "link.yaml", "--check"]);
    assert_eq!((answer.code, answer.stdout.as_str()), (0, ""));
    assert_eq!(policy(folder, &["fmt", "missing.yaml"]).code, 3);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3, "nothing is left over");
}
