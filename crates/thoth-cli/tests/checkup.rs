//! What `thoth doctor` and `thoth health` say of machines in good order, half governed, broken, and empty.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::machine::Machine;

const THOTH: &str = env!("CARGO_BIN_EXE_thoth");
const DESKTOP: &str = ".config/Claude/claude_desktop_config.json";
const SERVERS: &str =
    r#"{"mcpServers": {"notes": {"command": "/bin/sh", "args": ["-c", "true"]}, "mail": {"command": "sh"}}}"#;

/// A machine whose name and user do not depend on where the tests run.
fn machine() -> Machine {
    Machine::new(THOTH)
        .unwrap()
        .with_variable("THOTH_ENDPOINT_ID", "laptop-7")
        .with_variable("THOTH_REQUIRE_NON_ROOT", "0")
}

fn write(machine: &Machine, path: &str, text: &str) {
    machine.write(&machine.home().join(path), text.as_bytes()).unwrap();
}

/// Everything that the first session leaves, and two servers governed.
fn healthy() -> Machine {
    let machine = machine();
    write(&machine, DESKTOP, SERVERS);
    assert!(machine.run(["run", "--", "/bin/true"]).unwrap().status.success());
    assert!(machine.run(["wrap-config"]).unwrap().status.success());
    machine
}

fn half_governed() -> Machine {
    let machine = healthy();
    write(&machine, ".codex/config.toml", "[mcp_servers.db]\ncommand = \"no-such-program\"\n");
    machine
}

fn broken() -> Machine {
    let machine = healthy();
    write(&machine, ".thoth/policy.yaml", "version: \"1\"\nrule: []\n");
    write(&machine, ".cursor/mcp.json", "{\"mcpServers\": ");
    let key = machine.home().join(".thoth/proxy_api_key.json");
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    let checkpoint = machine.home().join(".thoth/ledger/checkpoint");
    let text = fs::read_to_string(&checkpoint).unwrap();
    fs::write(&checkpoint, text.replacen("\n3\n", "\n2\n", 1)).unwrap();
    machine.with_variable("THOTH_USER_ID", "nobody in particular")
}

/// Exit code and output, without what depends on this machine and this moment.
fn told(machine: &Machine, words: &[&str]) -> String {
    let output = machine.run(words).unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(machine.home().to_str().unwrap(), "HOME").replace(THOTH, "THOTH");
    format!("exit code {}\n{text}", output.status.code().unwrap())
}

/// Hides what else depends on this machine and this moment.
fn plainly(assertion: impl FnOnce()) {
    let filters = [
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "NOW"),
        (r"(ok|skipped) +node .*", "ok       node      NODE"),
        (r"ledger/[0-9a-f]{32}", "ledger/ID"),
        (r"sha256:[0-9a-f]{64}", "DIGEST"),
        (r"\d+\.\d+\.\d+, THOTH", "VERSION, THOTH"),
        (r"of the \d+ directories", "of the N directories"),
    ];
    insta::with_settings!({ filters => filters }, { assertion() });
}

#[test]
fn doctor_on_a_healthy_machine() {
    plainly(|| {
        insta::assert_snapshot!(told(&healthy(), &["doctor"]), @"
    exit code 0
    ok       settings  all understood
    ok       identity  machine laptop-7 (as named)
    skipped  enforcer  none is configured; calls are decided here
    ok       profile   HOME/.thoth
    ok       policy    HOME/.thoth/policy.yaml, 6 rules
    ok       ledger    HOME/.thoth/ledger, 3 events, verified
    ok       holds     no call has been held here yet
    ok       clock     NOW
    ok       thoth     VERSION, THOTH; not where desktop clients look, so its full path is written
    ok       programs  found as desktop clients look for them: /bin/sh, sh
    ok       node      NODE
    ok       clients   governed servers: 2
    12 checks, 0 failed, 0 with warnings
    ")
    });
}

#[test]
fn doctor_on_a_half_governed_machine() {
    plainly(|| {
        insta::assert_snapshot!(told(&half_governed(), &["doctor"]), @"
    exit code 5
    ok       settings  all understood
    ok       identity  machine laptop-7 (as named)
    skipped  enforcer  none is configured; calls are decided here
    ok       profile   HOME/.thoth
    ok       policy    HOME/.thoth/policy.yaml, 6 rules
    ok       ledger    HOME/.thoth/ledger, 3 events, verified
    ok       holds     no call has been held here yet
    ok       clock     NOW
    ok       thoth     VERSION, THOTH; not where desktop clients look, so its full path is written
    warning  programs  db cannot start: `no-such-program` is in none of the N directories searched
                       -> install them, give their full paths in the client's file, or run `thoth wrap-config --inherit-path`
    ok       node      NODE
    warning  clients   2 governed, 1 not: db
                       -> run `thoth wrap-config`
    12 checks, 0 failed, 2 with warnings
    ")
    });
}

#[test]
fn doctor_on_a_broken_machine() {
    plainly(|| {
        insta::assert_snapshot!(told(&broken(), &["doctor"]), @"
        exit code 1
        failure  settings  THOTH_USER_ID is `nobody in particular`: it is not an e-mail address
                           -> change or unset what is named; `thoth doctor --settings` says where each value comes from
        ok       identity  machine laptop-7 (as named)
        skipped  enforcer  none is configured; calls are decided here
        failure  profile   others can get at HOME/.thoth/proxy_api_key.json (mode 644)
                           -> run `chmod go-rwx HOME/.thoth/proxy_api_key.json`
        failure  policy    invalid, so that every call is refused: HOME/.thoth/policy.yaml:2:1: unknown key `rule` in the policy
                           -> run `thoth policy check HOME/.thoth/policy.yaml` and correct what it names
        failure  ledger    it does not verify: `checkpoint`: the signature by `thoth.local/ledger/ID` is wrong
                           -> run `thoth audit verify HOME/.thoth/ledger`; keep a copy of the directory as evidence before you change anything
        ok       holds     no call has been held here yet
        ok       clock     NOW
        ok       thoth     VERSION, THOTH; not where desktop clients look, so its full path is written
        ok       programs  found as desktop clients look for them: /bin/sh, sh
        ok       node      NODE
        failure  clients   1 of 2 files cannot be read: HOME/.cursor/mcp.json:1:16: expected a value after `:`, found end of the file
                           -> correct HOME/.cursor/mcp.json; `thoth status` lists all
        12 checks, 5 failed, 0 with warnings
        ")
    });
}

#[test]
fn doctor_on_an_empty_machine() {
    plainly(|| {
        insta::assert_snapshot!(told(&machine(), &["doctor"]), @"
    exit code 0
    ok       settings  all understood
    ok       identity  machine laptop-7 (as named)
    skipped  enforcer  none is configured; calls are decided here
    skipped  profile   there is no HOME/.thoth yet; the first `thoth run` creates it
    skipped  policy    there is no HOME/.thoth/policy.yaml yet; the first `thoth run` writes a starter
    skipped  ledger    there is no ledger in HOME/.thoth/ledger yet; the first `thoth run` begins it
    ok       holds     no call has been held here yet
    ok       clock     NOW
    ok       thoth     VERSION, THOTH; not where desktop clients look, so its full path is written
    skipped  programs  no client starts a server here
    ok       node      NODE
    skipped  clients   no client has a server here
    12 checks, 0 failed, 0 with warnings
    ")
    });
}

#[test]
fn health_for_people() {
    plainly(|| {
        insta::assert_snapshot!(told(&healthy(), &["health"]), @"
    exit code 0
    healthy
    ")
    });
    plainly(|| {
        insta::assert_snapshot!(told(&half_governed(), &["health"]), @"
    exit code 0
    healthy
      clients: 2 governed, 1 not: db
        -> run `thoth wrap-config`
    ")
    });
    plainly(|| {
        insta::assert_snapshot!(told(&broken(), &["health"]), @"
        exit code 1
        not healthy
          settings: THOTH_USER_ID is `nobody in particular`: it is not an e-mail address
            -> change or unset what is named; `thoth doctor --settings` says where each value comes from
          profile: others can get at HOME/.thoth/proxy_api_key.json (mode 644)
            -> run `chmod go-rwx HOME/.thoth/proxy_api_key.json`
          policy: invalid, so that every call is refused: HOME/.thoth/policy.yaml:2:1: unknown key `rule` in the policy
            -> run `thoth policy check HOME/.thoth/policy.yaml` and correct what it names
          ledger: it does not verify: `checkpoint`: the signature by `thoth.local/ledger/ID` is wrong
            -> run `thoth audit verify HOME/.thoth/ledger`; keep a copy of the directory as evidence before you change anything
          clients: 1 of 2 files cannot be read: HOME/.cursor/mcp.json:1:16: expected a value after `:`, found end of the file
            -> correct HOME/.cursor/mcp.json; `thoth status` lists all
        ")
    });
    plainly(|| {
        insta::assert_snapshot!(told(&machine(), &["health"]), @"
    exit code 0
    healthy
    ")
    });
}

/// Exit code and JSON of `thoth health`, a key a line.
fn health_json(machine: &Machine) -> String {
    let told = told(machine, &["health", "--json"]);
    let (code, json) = told.split_once('\n').unwrap();
    let mut json: Value = serde_json::from_str(json).unwrap();
    json["version"] = "VERSION".into();
    format!("{code}\n{json:#}")
}

/// Defends: what a fleet's scripts read; the keys are a contract.
#[test]
fn health_for_scripts() {
    plainly(|| {
        insta::assert_snapshot!(health_json(&healthy()), @r#"
    exit code 0
    {
      "checks": {
        "clients": "ok",
        "clock": "ok",
        "ledger": "ok",
        "policy": "ok",
        "profile": "ok",
        "settings": "ok"
      },
      "clients": {
        "broken": 0,
        "files": 1,
        "governed": 2,
        "not_governable": 0,
        "servers": 2,
        "ungoverned": 0,
        "unreadable_files": 0
      },
      "decided_by": "local",
      "endpoint_id": "laptop-7",
      "healthy": true,
      "ledger_events": 3,
      "policy_digest": "DIGEST",
      "problems": [],
      "registration_ok": true,
      "reports": [],
      "schema_version": 1,
      "tenant_id": null,
      "version": "VERSION"
    }
    "#)
    });
}

/// Defends: the same of a machine where nothing is right.
#[test]
fn health_for_scripts_of_a_broken_machine() {
    plainly(|| {
        insta::assert_snapshot!(health_json(&broken()), @r#"
    exit code 1
    {
      "checks": {
        "clients": "failure",
        "clock": "ok",
        "ledger": "failure",
        "policy": "failure",
        "profile": "failure",
        "settings": "failure"
      },
      "clients": {
        "broken": 0,
        "files": 2,
        "governed": 2,
        "not_governable": 0,
        "servers": 2,
        "ungoverned": 0,
        "unreadable_files": 1
      },
      "decided_by": "local",
      "endpoint_id": "laptop-7",
      "healthy": false,
      "ledger_events": null,
      "policy_digest": null,
      "problems": [
        {
          "check": "settings",
          "evidence": "THOTH_USER_ID is `nobody in particular`: it is not an e-mail address",
          "remedy": "change or unset what is named; `thoth doctor --settings` says where each value comes from",
          "verdict": "failure"
        },
        {
          "check": "profile",
          "evidence": "others can get at HOME/.thoth/proxy_api_key.json (mode 644)",
          "remedy": "run `chmod go-rwx HOME/.thoth/proxy_api_key.json`",
          "verdict": "failure"
        },
        {
          "check": "policy",
          "evidence": "invalid, so that every call is refused: HOME/.thoth/policy.yaml:2:1: unknown key `rule` in the policy",
          "remedy": "run `thoth policy check HOME/.thoth/policy.yaml` and correct what it names",
          "verdict": "failure"
        },
        {
          "check": "ledger",
          "evidence": "it does not verify: `checkpoint`: the signature by `thoth.local/ledger/ID` is wrong",
          "remedy": "run `thoth audit verify HOME/.thoth/ledger`; keep a copy of the directory as evidence before you change anything",
          "verdict": "failure"
        },
        {
          "check": "clients",
          "evidence": "1 of 2 files cannot be read: HOME/.cursor/mcp.json:1:16: expected a value after `:`, found end of the file",
          "remedy": "correct HOME/.cursor/mcp.json; `thoth status` lists all",
          "verdict": "failure"
        }
      ],
      "registration_ok": false,
      "reports": [],
      "schema_version": 1,
      "tenant_id": null,
      "version": "VERSION"
    }
    "#)
    });
}

/// Defends: a health check changes nothing and leaves nothing behind.
#[test]
fn looking_changes_nothing() {
    let machine = machine();
    for words in [["health", "--json"], ["doctor", "--json"], ["status", "--json"]] {
        assert!(machine.run(words).unwrap().status.success());
        assert!(!machine.home().join(".thoth").exists(), "{words:?}");
    }
}

/// Defends: the published schemas describe what is printed, on every kind of machine, as an independent validator reads
/// them.
#[test]
fn conformance_of_json_to_the_published_schemas() {
    let fixtures = Fixtures::locate().unwrap();
    let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
    for machine in [healthy(), half_governed(), broken(), machine()] {
        for command in ["health", "doctor", "status"] {
            let mut validator = Command::new("node")
                .arg(fixtures.program("readers/validate.cjs").unwrap())
                .arg(format!("{schemas}/{command}.schema.json"))
                .arg(fixtures.node_modules().unwrap())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let json = machine.run([command, "--json"]).unwrap().stdout;
            std::io::Write::write_all(&mut validator.stdin.take().unwrap(), &json).unwrap();
            let output = validator.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success(), "{command}: {said}\n{}", String::from_utf8_lossy(&json));
        }
    }
}

/// Defends: the policy that a server really has is looked at, and not only the profile's.
#[test]
fn policies_of_single_servers_are_looked_at() {
    let machine = healthy();
    let policy = machine.home().join("own.yaml");
    fs::copy(machine.home().join(".thoth/policy.yaml"), &policy).unwrap();
    let words = ["wrap-config", "--server", "notes", "--policy", policy.to_str().unwrap()];
    assert!(machine.run(words).unwrap().status.success());
    let judged = || {
        let output = machine.run(["doctor", "--json"]).unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let check = json["checks"].as_array().unwrap().iter().find(|check| check["check"] == "policies").cloned();
        check.map(|check| {
            (check["verdict"].as_str().unwrap().to_owned(), check["evidence"].as_str().unwrap().to_owned())
        })
    };
    assert_eq!(judged().unwrap().0, "ok");
    fs::remove_file(&policy).unwrap();
    let (verdict, evidence) = judged().unwrap();
    assert!(verdict == "failure" && evidence.starts_with("notes: there is no "), "{evidence}");
}

/// Defends: what makes `thoth run` refuse every call is a failure here too.
#[test]
fn what_stops_sessions_is_a_failure() {
    type Damage = fn(&std::path::Path);
    let rows: [(&str, &str, Damage); 5] = [
        ("ledger", "keys/ledger-signing.key", |path| fs::write(path, "zz").unwrap()),
        ("ledger", "keys/ledger-signing.key", |path| fs::write(path, format!("{}\n", "ab".repeat(32))).unwrap()),
        ("ledger", "keys/ledger-signing.key", |path| fs::remove_file(path).unwrap()),
        ("ledger", "keys/ledger-content.key", |path| fs::write(path, "zz").unwrap()),
        ("profile", "intent_map.json", |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        }),
    ];
    for (name, path, damage) in rows {
        let machine = healthy();
        damage(&machine.home().join(".thoth").join(path));
        let output = machine.run(["health", "--json"]).unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &json["checks"][name]), (Some(1), &Value::from("failure")), "{path}: {json}");
    }
}

/// Defends: what a project's file says about its own gate is told, and a program of the project is no gate.
#[test]
fn a_project_that_governs_itself_is_told() {
    for (entry, word) in [
        (r#"{"command": "bash", "args": ["run", "--wrapped", "--", "evil"]}"#, "1 not: evil"),
        (r#"{"command": "${workspaceFolder}/thoth", "args": ["run", "--", "x"]}"#, "1 not: evil"),
        (r#"{"command": "THOTH", "args": ["run", "--policy", "loose.yaml", "--", "sh"]}"#, "bring along: evil"),
        (r#"{"command": "THOTH", "args": ["run", "--", "sh"], "env": {"THOTH_HOME": "/x"}}"#, "bring along: evil"),
    ] {
        let machine = machine();
        let text = format!(r#"{{"mcpServers": {{"evil": {}}}}}"#, entry.replace("THOTH\"", &format!("{THOTH}\"")));
        machine.write(&machine.project().join(".mcp.json"), text.as_bytes()).unwrap();
        let told = told(&machine, &["health"]);
        assert!(told.contains(word), "{entry}\n{told}");
        assert_eq!(machine.run(["wrap-config", "--check"]).unwrap().status.code(), Some(1), "{entry}");
    }
}

/// Defends: a policy server that cannot be reached is a warning with the step that failed. The name is one that never
/// exists (RFC 6761 6.4).
#[test]
fn an_enforcer_out_of_reach_is_a_warning() {
    let machine =
        machine().with_variable("THOTH_TENANT_ID", "acme").with_variable("THOTH_APEX_DOMAIN", "thoth.invalid");
    let told = told(&machine, &["doctor"]);
    assert!(told.contains("warning  enforcer  enforce.acme.thoth.invalid: dns: "), "{told}");
}
