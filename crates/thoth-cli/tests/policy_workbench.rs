//! What is proved of policies on the command line: exit codes, revisions of a repository, and what scripts read.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const GUIDE: &str = include_str!("../../thoth-policy/tests/policies/guide.yaml");

fn run(program: &str, folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = Command::new(program)
        .args(words)
        .current_dir(folder)
        .env("THOTH_HOME", folder.join("home"))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn thoth(folder: &Path, words: &str) -> (i32, String, String) {
    run(env!("CARGO_BIN_EXE_thoth"), folder, &words.split(' ').collect::<Vec<_>>())
}

fn git(folder: &Path, words: &[&str]) {
    let own = [&["-c", "user.name=a", "-c", "user.email=a@example.com"], words].concat();
    let (code, _, said) = run("git", folder, &own);
    assert_eq!(code, 0, "git {words:?}: {said}");
}

/// What `first-match` has no meaning for.
const OVERRIDING: &str = "\
# Two rules.
defaults: {approval: block}
rules:
  - {name: a, match: {tool: a}, approval: auto, override: b}
  - {name: b, match: {tool: a}, approval: block}
";

fn first_match() -> String {
    GUIDE.replace("version: \"1\"", "version: \"1\"\nevaluation: first-match")
}

/// Defends the exit codes that pipelines look at, and that the witness of the guide's case is told.
#[test]
fn exit_codes_say_what_was_found() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("strict.yaml"), GUIDE).unwrap();
    fs::write(folder.join("first.yaml"), first_match()).unwrap();
    fs::write(folder.join("bad.yaml"), "rule: []\n").unwrap();
    fs::write(folder.join("other.yaml"), format!("{GUIDE}integrity: {{on_change: ask}}\n")).unwrap();
    fs::write(folder.join("tools.json"), r#"{"tools": [{"name": "read_fil"}]}"#).unwrap();
    fs::write(folder.join("page.json"), r#"{"tools": [], "nextCursor": "2"}"#).unwrap();
    fs::write(folder.join("override.yaml"), OVERRIDING).unwrap();
    for (words, expected, told) in [
        ("policy check strict.yaml", 0, "valid strict.yaml"),
        ("policy check first.yaml", 5, "read_file on prod-filesystem"),
        ("policy check strict.yaml --tools tools.json", 5, "did you mean `read_fil`?"),
        ("policy check strict.yaml --tools bad.yaml", 2, "does not list tools"),
        ("policy check strict.yaml --tools page.json", 5, "`tools` has a `nextCursor`"),
        ("policy migrate override.yaml", 3, "override.yaml:4:59"),
        ("policy check bad.yaml", 3, "unknown key"),
        ("policy diff strict.yaml strict.yaml", 0, "every call gets the same answer"),
        ("policy diff first.yaml strict.yaml", 1, "stricter"),
        ("policy diff strict.yaml first.yaml", 2, "looser"),
        ("policy diff strict.yaml other.yaml", 2, "section `integrity` differs"),
        ("policy diff strict.yaml bad.yaml", 3, "unknown key"),
        ("policy diff strict.yaml missing.yaml", 3, "missing.yaml"),
        ("policy migrate first.yaml --output new.yaml", 1, "stricter"),
        ("policy diff new.yaml strict.yaml", 0, "every call gets the same answer"),
        ("policy migrate first.yaml --output new.yaml", 2, "cannot write `new.yaml`"),
        ("policy migrate first.yaml --output no/new.yaml", 2, "cannot write `no/new.yaml`"),
    ] {
        let (code, out, err) = thoth(folder, words);
        assert_eq!(code, expected, "{words}\n{out}{err}");
        assert!(out.contains(told) || err.contains(told), "{words}\n{out}{err}");
    }
}

/// Defends what scripts and code hosts read.
#[test]
fn findings_and_differences_are_told_to_scripts() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("strict.yaml"), GUIDE).unwrap();
    fs::write(folder.join("first.yaml"), first_match()).unwrap();
    let json = |words: &str| -> Value { serde_json::from_str(&thoth(folder, words).1).unwrap() };
    let check = json("policy check first.yaml --json --at 2026-03-02T12:00:00Z");
    let shadowed =
        check["findings"].as_array().unwrap().iter().find(|found| found["code"] == "partially_shadowed").unwrap();
    assert_eq!(shadowed["rule"], "prod_fs_block");
    assert_eq!((&shadowed["witness"]["tool"], &shadowed["answer"]), (&"read_file".into(), &"auto".into()));
    assert_eq!(check["exact"], true);
    let sarif = json("policy check first.yaml --sarif");
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let result = results.iter().find(|result| result["ruleId"] == "partially_shadowed").unwrap();
    let line = &result["locations"][0]["physicalLocation"]["region"]["startLine"];
    assert_eq!((&result["level"], line), (&"warning".into(), &27.into()));
    fs::write(folder.join("bad.yaml"), "rules: []\nrule: []\n").unwrap();
    for (words, place) in [("bad.yaml", Some(("bad.yaml", 2, 1))), ("missing.yaml", None)] {
        let (code, out, err) = thoth(folder, &format!("policy check {words} --sarif"));
        let sarif: Value = serde_json::from_str(&out).unwrap();
        let result = &sarif["runs"][0]["results"][0];
        assert_eq!((code, &result["level"]), (3, &"error".into()), "{out}{err}");
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        let at = &result["locations"][0]["physicalLocation"];
        let told = at["artifactLocation"]["uri"].as_str().map(|file| {
            let number = |key: &str| at["region"][key].as_u64().unwrap();
            (file, number("startLine"), number("startColumn"))
        });
        assert_eq!(told, place, "{out}");
        assert!(err.contains("the policy is invalid"), "{err}");
    }
    let diff = json("policy diff strict.yaml first.yaml --json");
    assert_eq!((&diff["looser"], &diff["equal"]), (&true.into(), &false.into()));
    assert_eq!(diff["changes"][0]["witness"]["server"], "prod-filesystem");
}

/// Defends comparing with the past: includes come from the same revision, and what git cannot find is said.
#[test]
fn revisions_of_a_repository_are_compared() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::create_dir(folder.join("more")).unwrap();
    fs::write(folder.join("policy.yaml"), "include: more/base.yaml\ndefaults: {approval: block}\n").unwrap();
    let base = |approval: &str| {
        format!("rules: [{{match: {{tool: a}}, approval: {approval}}}]\ndefaults: {{approval: block}}\n")
    };
    fs::write(folder.join("more/base.yaml"), base("approve")).unwrap();
    git(folder, &["init", "-q"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "-q", "-m", "one"]);
    fs::write(folder.join("more/base.yaml"), base("auto")).unwrap();
    let (code, out, err) = thoth(folder, "policy diff HEAD:policy.yaml policy.yaml");
    assert_eq!(code, 2, "{out}{err}");
    assert!(out.contains("approve -> auto") && out.contains("HEAD:more/base.yaml:1:9"), "{out}");
    assert_eq!(thoth(folder, "policy diff HEAD:policy.yaml HEAD:policy.yaml").0, 0);
    let people =
        "rules: [{match: {tool: a}, approval: approve, approvers: [\"user:a\"]}]\ndefaults: {approval: block}\n";
    fs::write(folder.join("more/base.yaml"), people).unwrap();
    git(folder, &["commit", "-q", "-a", "-m", "two"]);
    let absolute = folder.join("policy.yaml").display().to_string();
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("more")).unwrap();
    for file in ["policy.yaml", "more/base.yaml"] {
        fs::copy(folder.join(file), copy.path().join(file)).unwrap();
    }
    let elsewhere = copy.path().join("policy.yaml").display().to_string();
    for old in ["HEAD:policy.yaml", "policy.yaml", &absolute, &elsewhere] {
        let (code, out, err) = thoth(folder, &format!("policy diff {old} policy.yaml"));
        assert_eq!(code, 0, "{old}\n{out}{err}");
    }
    let (code, _, err) = thoth(folder, "policy diff HEAD~7:policy.yaml policy.yaml");
    assert_eq!(code, 3);
    assert!(
        err.contains("git says: invalid object name 'HEAD~7'") && err.contains("hint: name a file, or a revision"),
        "{err}"
    );
}

/// Defends what migrating says and writes: places are those of the file, and lines end as they did.
#[test]
fn migrating_keeps_places_and_line_ends() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let text = "# c\r\ndefaults: {approval: block}\r\nrules:\r\n  - {name: a, match: {tool: \"a*\"}, approval: auto}\r\n  \
                - {name: b, match: {tool: ab}, approval: block}\r\n";
    fs::write(folder.join("p.yaml"), text).unwrap();
    let (code, out, err) = thoth(folder, "policy migrate p.yaml --output new.yaml");
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("(p.yaml:4:5)") && out.contains("(p.yaml:5:5)"), "{out}");
    let written = fs::read_to_string(folder.join("new.yaml")).unwrap();
    assert_eq!(written, text.replacen("defaults", "evaluation: strictest\r\ndefaults", 1));
}
