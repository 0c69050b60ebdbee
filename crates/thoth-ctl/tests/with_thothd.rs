//! `thothctl` and the typed clients with the real server: what one side writes the other understands.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_api::contract::hold::Outcome;
use thoth_api::contract::key::{ApiKey, Create, Permission, ScopeLevel};
use thoth_api::contract::{endpoint, enforce, event, policy_bundle, read};
use thoth_api::{Enforcer, Exchange, RemoteError, Timeouts, TlsSettings, Url};
use thoth_server::{Options, Rates, Server, create_key};
use thoth_types::{Decision, Mode};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

const POLICY: &str = r#"version: "1"
defaults: { approval: block, risk_level: low }
rules:
  - { name: ask, match: { tool: wire_money }, approval: approve, risk_level: high }
"#;

/// What a server starts with.
const STARTER: &str = include_str!("../../thoth-policy/src/starter.yaml");

const DENY: &str =
    "version: \"1\"\nrules:\n  - { name: no_wires, match: { tool: wire_money }, approval: block, risk_level: high }\n";

/// A server on a folder of its own, and two keys of the tenant `acme`.
struct Site {
    data: TempDir,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
    runtime: Runtime,
}

impl Site {
    fn start() -> Self {
        Self::under(POLICY)
    }

    /// One with this policy.
    fn under(text: &str) -> Self {
        let data = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap();
        let policy = data.path().join("policy.yaml");
        fs::write(&policy, text).unwrap();
        let options = Options {
            data: data.path().to_owned(),
            policy,
            mode: Mode::Block,
            rates: Rates::default(),
            access_log: false,
        };
        let (stop, stopped) = oneshot::channel();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let stop = async move { drop(stopped.await) };
                Server::new(options).unwrap().serve(listener, None, stop).await;
            });
        });
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        Self { data, url, stop: Some(stop), serving: Some(serving), runtime }
    }

    fn key(&self, level: ScopeLevel, target: Option<&str>, permissions: &[Permission]) -> ApiKey {
        let wanted = Create {
            name: None,
            scope_level: level,
            scope_target_id: target.map(str::to_owned),
            permissions: permissions.iter().copied().collect(),
            ttl_seconds: None,
            jit_reason: None,
        };
        create_key(self.data.path(), &"acme".parse().unwrap(), &wanted).unwrap().api_key
    }

    fn enforcer(&self, key: ApiKey) -> Enforcer {
        let url = Url::parse(&self.url).unwrap();
        Enforcer::new(url, key, &TlsSettings::default(), Duration::from_secs(120)).unwrap()
    }

    fn thothctl(&self, key: &ApiKey, tenant: &str, words: &[&str]) -> (i32, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thothctl"));
        command.env_clear().env("THOTH_ORG_API_KEY", key.expose_secret());
        let output = command.args(["--url", &self.url, "--tenant-id", tenant]).args(words).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ended = stop.send(());
        }
        if let Some(serving) = self.serving.take() {
            drop(serving.join());
        }
    }
}

fn request() -> enforce::Request {
    read(
        br#"{"agent_id":"bot","tenant_id":"acme","user_id":"dev@example.com","session_id":"s","tool_name":"wire_money",
            "approved_scope":[],"enforcement_mode":"block","session_tool_calls":["wire_money"],
            "tool_args":{"amount":100.00},"action_attestation_id":"att"}"#,
    )
    .unwrap()
}

/// A held call is seen, approved by a person's key and let through once; the agent's own key can approve nothing; a key
/// that was taken back is refused from then on.
#[test]
fn a_held_call_from_question_to_answer() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let bot = site.key(ScopeLevel::Agent, Some("bot"), &[Permission::Execute, Permission::Write]);
    let enforcer = site.enforcer(bot.clone());
    let envelope = site.runtime.block_on(enforcer.decide(&request())).unwrap();
    assert_eq!(envelope.decision(), Decision::StepUp, "{envelope:?}");
    let token = envelope.hold_token.unwrap();
    let outcome = || site.runtime.block_on(enforcer.hold(&token, None)).unwrap().outcome();
    assert_eq!(outcome(), Outcome::Pending);

    let (code, said) = site.thothctl(&ops, "acme", &["approvals", "list"]);
    assert!(code == 0 && said.contains("wire_money") && said.contains("bot"), "{said}");
    let (code, said) = site.thothctl(&ops, "acme", &["approvals", "show", &token]);
    assert!(code == 0 && said.ends_with("\narguments\n  {\n    \"amount\": 100.00\n  }\n"), "{said}");
    let (code, said) = site.thothctl(&bot, "acme", &["approvals", "approve", &token, "--yes"]);
    assert!(code == 1 && said.contains("(forbidden)"), "{said}");
    let (code, said) = site.thothctl(&ops, "beta", &["approvals", "list"]);
    assert!(code == 1 && said.contains("(forbidden)"), "{said}");
    assert_eq!(outcome(), Outcome::Pending);

    let (code, said) = site.thothctl(&ops, "acme", &["approvals", "approve", &token, "--yes", "--reason", "known"]);
    assert!(code == 0 && said.contains("approved"), "{said}");
    assert_eq!(outcome(), Outcome::Resolved(Decision::Allow));
    assert_eq!(outcome(), Outcome::Resolved(Decision::Block), "once");
    let (code, said) = site.thothctl(&ops, "acme", &["approvals", "deny", &token]);
    assert!(code == 1 && said.contains("(conflict)") && said.contains("it was answered, used or ended"), "{said}");
    let (code, said) = site.thothctl(&ops, "acme", &["approvals", "show", &token]);
    assert!(code == 0 && said.contains("approved by key_") && said.contains("(api): known"), "{said}");
    let (code, said) = site.thothctl(&ops, "acme", &["approvals", "--status", "spent"]);
    assert!(code == 0 && said.contains("wire_money"), "{said}");

    let (_, said) = site.thothctl(&ops, "acme", &["--json", "keys", "list"]);
    let keys: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    let id =
        keys["api_keys"].as_array().unwrap().iter().find(|key| key["scope_level"] == "agent").unwrap()["id"].clone();
    assert_eq!(site.thothctl(&ops, "acme", &["keys", "revoke", id.as_str().unwrap()]).0, 0);
    let refused = site.runtime.block_on(enforcer.decide(&request())).unwrap_err();
    assert!(matches!(refused, RemoteError::Refused { status: 401, .. }), "{refused}");
}

/// A machine registers, is seen, and has its calls refused as long as somebody says so.
#[test]
fn a_machine_from_registration_to_quarantine() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let machine = site.enforcer(site.key(ScopeLevel::Endpoint, Some("m1"), &[Permission::Execute]));
    let register: endpoint::Register =
        read(br#"{"tenant_id":"acme","endpoint_id":"m1","hostname":"mac.local","fleet_id":"berlin"}"#).unwrap();
    let check_in: endpoint::CheckIn = read(br#"{"tenant_id":"acme","endpoint_id":"m1","events_pending":3}"#).unwrap();
    let unknown = site.runtime.block_on(machine.check_in(&check_in)).unwrap_err();
    assert_eq!(unknown.status(), Some(404));
    assert_eq!(site.runtime.block_on(machine.register(&register)).unwrap().status, endpoint::Standing::Active);
    let decided = || {
        let request = enforce::Request { endpoint_id: Some("m1".to_owned()), ..request() };
        site.runtime.block_on(machine.decide(&request)).unwrap().decision_reason_code.unwrap()
    };
    assert_eq!(decided(), "rule_approve");
    for (words, expected) in [
        (&["endpoints", "list", "--fleet-id", "berlin"][..], "mac.local"),
        (&["endpoints", "list", "--status", "quarantined"], "there are no such machines"),
        (&["endpoints", "quarantine", "m1", "--reason", "lost"], "m1: all calls of it are refused"),
        (&["endpoints", "show", "m1"], "lost"),
        (&["--json", "endpoints", "stats"], r#""quarantined": 1"#),
    ] {
        let (code, said) = site.thothctl(&ops, "acme", words);
        assert!(code == 0 && said.replace("\":", "\": ").replace("  ", " ").contains(expected), "{words:?}: {said}");
    }
    assert_eq!(decided(), "endpoint_quarantined");
    let answer = site.runtime.block_on(machine.check_in(&check_in)).unwrap();
    assert_eq!(answer.status, endpoint::Standing::Quarantined);
    assert_eq!(site.thothctl(&ops, "acme", &["endpoints", "release", "m1"]).0, 0);
    assert_eq!(decided(), "rule_approve");
    let (code, said) = site.thothctl(&ops, "acme", &["endpoints", "quarantine", "none"]);
    assert!(code == 1 && said.contains("(not_found)"), "{said}");
}

/// A policy from file to hold and back, and what a sidecar fetches of it.
#[test]
fn a_policy_from_upload_to_rollback() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let enforcer = site.enforcer(site.key(ScopeLevel::Agent, Some("bot"), &[Permission::Execute]));
    let file = site.data.path().join("pay.yaml");
    let path = file.to_str().unwrap();
    let decided = || site.runtime.block_on(enforcer.decide(&request())).unwrap().decision();
    let whose = policy_bundle::WhoseQuery { agent_id: Some("bot".to_owned()), ..Default::default() };
    let fetch = |etag: Option<&str>| site.runtime.block_on(enforcer.policy(&whose, etag)).unwrap();
    let before = fetch(None).unwrap();
    for (text, words, code, expected) in [
        ("version: 7", &["policies", "upload", path, "--name", "pay"][..], 3, "pay.yaml:1:10"),
        ("version: 7", &["policies", "list"], 0, "there are no policy bundles"),
        (DENY, &["policies", "validate", path], 5, "case_bypass"),
        (DENY, &["policies", "upload", path, "--name", "pay", "--assign", "agent:bot"], 0, "pay: version 1"),
        (DENY, &["policies", "rollback", "pay"], 1, "look at it as it stands now"),
        (DENY, &["policies", "upload", path, "--name", "pay", "--assign", "all"], 1, "assign it by itself"),
        (DENY, &["policies"], 0, "agent:bot"),
        (DENY, &["policies", "upload", path, "--name", "pay", "--assign", "agent:bot"], 0, "pay: version 1"),
        (DENY, &["policies", "activate", "pay", "1"], 0, "version 1 holds"),
        (DENY, &["policies", "effective", "--agent-id", "bot"], 0, "pay"),
    ] {
        fs::write(&file, text).unwrap();
        let (found, said) = site.thothctl(&ops, "acme", words);
        assert!(found == code && said.contains(expected), "{words:?}: {found} {said}");
    }
    assert_eq!(decided(), Decision::Block);
    let after = fetch(before.etag.as_deref()).unwrap();
    assert!(String::from_utf8(after.document).unwrap().contains("no_wires"));
    for (words, expected) in [
        (&["policies", "show", "pay"][..], "no_wires"),
        (&["policies", "versions", "pay"], "remote"),
        (&["policies", "assign", "pay", "--nobody"], "it is for nobody"),
        (&["policies", "deactivate", "pay"], "no version holds"),
        (&["policies", "delete", "pay"], "deleted"),
    ] {
        let (code, said) = site.thothctl(&ops, "acme", words);
        assert!(code == 0 && said.contains(expected), "{words:?}: {said}");
    }
    assert_eq!(decided(), Decision::StepUp);
}

/// Whoever finds a key hears whether it is the one that they think, and what it may do; and no command line has it.
#[test]
fn what_a_key_is_good_for() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let out = site.data.path().join("bot.json");
    let path = out.to_str().unwrap();
    let words = ["keys", "create", "--agent-id", "bot", "--permission", "execute", "--out", path];
    let (code, said) = site.thothctl(&ops, "acme", &words);
    assert_eq!(code, 0, "{said}");
    let file: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    let id = file["key_id"].as_str().unwrap();
    for (words, code, expected) in [
        (&[id, "--key-file", path, "--permission", "execute", "--agent-id", "bot"][..], 0, "valid"),
        (&[id, "--key-file", path, "--permission", "read", "--agent-id", "bot"], 1, "may do it"),
        (&[id, "--key-file", path, "--permission", "execute", "--organization"], 1, "for them"),
        (&["key_none", "--key-file", path, "--permission", "execute", "--organization"], 1, "(not_found)"),
        (&[id, "--key-file", "/nonexistent", "--permission", "read", "--organization"], 1, "does not exist"),
        (&[id, "--key-file", path, "--permission", "admin", "--organization"], 2, "it is none of read"),
        (&[id, "--key-file", path, "--permission", "read"], 2, "--organization"),
    ] {
        let (found, said) = site.thothctl(&ops, "acme", &[&["keys", "authorize"], words].concat());
        assert!(found == code && said.contains(expected), "{words:?}: {found} {said}");
        assert!(!said.contains(file["api_key"].as_str().unwrap()), "{said}");
    }
    let asked = ["keys", "authorize", id, "--key-file", path, "--permission", "execute", "--agent-id", "bot", "--json"];
    let (_, said) = site.thothctl(&ops, "acme", &asked);
    let told: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!((&told["valid"], &told["scope_target_id"]), (&json!(true), &json!("bot")), "{said}");
}

/// Keys that `thothctl` makes work, and what clients tell with them is listed, once.
#[test]
fn keys_and_events() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let out = site.data.path().join("bot.json");
    let words = ["keys", "create", "--agent-id", "bot", "--permission", "execute", "--permission", "write", "--out"];
    let (code, said) = site.thothctl(&ops, "acme", &[&words[..], &[out.to_str().unwrap()]].concat());
    assert_eq!(code, 0, "{said}");
    let file: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    let enforcer = site.enforcer(ApiKey::parse(file["api_key"].as_str().unwrap()).unwrap());
    let events: Vec<event::Event> = ["one", "two"]
        .map(|tool| {
            let text = format!(
                r#"{{"tenant_id":"acme","session_id":"s","agent_id":"bot","event_type":"TOOL_CALL_PRE",
                    "tool_name":"{tool}","occurred_at":"2026-01-01T00:00:00Z"}}"#
            );
            read(text.as_bytes()).unwrap()
        })
        .into();
    let receipt = site.runtime.block_on(enforcer.tell(&events)).unwrap();
    assert_eq!((receipt.accepted, receipt.duplicates), (2, 0));
    let next = site.data.path().join("next.json");
    let rotate = |id: &str, more: &[&str]| site.thothctl(&ops, "acme", &[&["keys", "rotate", id], more].concat());
    let id = file["key_id"].as_str().unwrap();
    let (code, said) = rotate(id, &["--grace-seconds", "600", "--out", next.to_str().unwrap()]);
    assert!(code == 0 && said.contains(&format!("{id} goes on until")), "{said}");
    assert_eq!(fs::metadata(&next).unwrap().permissions().mode() & 0o777, 0o600);
    let file: Value = serde_json::from_str(&fs::read_to_string(&next).unwrap()).unwrap();
    let newer = site.enforcer(ApiKey::parse(file["api_key"].as_str().unwrap()).unwrap());
    for enforcer in [&enforcer, &newer] {
        assert_eq!(site.runtime.block_on(enforcer.tell(&events)).unwrap().duplicates, 2, "both, for a while");
    }
    let id = file["key_id"].as_str().unwrap();
    let (code, said) = rotate(id, &["--json"]);
    let third: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{code} {said}"));
    assert_eq!(third["replaced"]["id"], id, "{said}");
    let refused = site.runtime.block_on(newer.tell(&events)).unwrap_err();
    assert_eq!(refused.status(), Some(401), "at once where nothing is said");
    let (code, said) = rotate(id, &[]);
    assert!(code == 1 && said.contains("(conflict)"), "{said}");
    let (code, said) = site.thothctl(&ops, "acme", &["keys"]);
    assert!(code == 0 && said.contains(id), "{said}");
    let again = site.runtime.block_on(enforcer.tell(&events)).unwrap();
    assert_eq!((again.accepted, again.duplicates), (0, 2));
    let (code, said) = site.thothctl(&ops, "acme", &["events", "--agent-id", "bot"]);
    let (one, two) = (said.find("one"), said.find("two"));
    assert!(code == 0 && two.is_some() && two < one, "newest first: {said}");
    let (_, said) = site.thothctl(&ops, "acme", &["events", "list", "--tool", "one", "--json"]);
    let list: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(list["data"].as_array().unwrap().len(), 1, "{said}");
}

/// What was decided is listed and shown, the ledger is checked, and a session's evidence is written once into a private file.
#[test]
fn what_was_decided_and_its_evidence() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let enforcer = site.enforcer(site.key(ScopeLevel::Agent, Some("bot"), &[Permission::Execute]));
    for tool in ["wire_money", "read_mail"] {
        let request = enforce::Request { tool_name: tool.to_owned(), ..request() };
        site.runtime.block_on(enforcer.decide(&request)).unwrap();
    }
    // The index is about a second behind.
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    let violation = loop {
        let (code, said) = site.thothctl(&ops, "acme", &["--json", "violations", "list"]);
        let list: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{code} {said}"));
        if list["data"].as_array().unwrap().len() == 2 {
            break list["data"][0]["violation_id"].as_str().unwrap().to_owned();
        }
        assert!(std::time::Instant::now() < deadline, "{said}");
    };
    let file = site.data.path().join("session.json");
    let path = file.to_str().unwrap();
    for (words, code, expected) in [
        (&["decisions", "list", "--decision", "STEP_UP"][..], 0, "wire_money"),
        (&["decisions", "list", "--tool", "other"], 0, "there are no such decisions"),
        (&["decisions", "--outcome", "needs_approval"], 0, "wire_money"),
        (&["decisions", "list", "--decision", "deny"], 0, "read_mail"),
        (&["decisions", "list", "--decision", "perhaps"], 2, "it is none of ALLOW"),
        (&["decisions", "list", "--outcome", "perhaps"], 2, "it is none of allowed"),
        (&["decisions", "list", "--since", "noon"], 2, "it is no instant"),
        (&["sessions", "list", "--until", "noon"], 2, "it is no instant"),
        (&["decisions", "--limit", "1", "list"], 2, "flags of a list stand before another command"),
        (&["violations"], 0, "read_mail"),
        (&["sessions", "--agent-id", "bot"], 0, "dev@example.com"),
        (&["agents"], 0, "bot"),
        (&["violations", "show", &violation], 0, "read_mail"),
        (&["violations", "show", "vio_none"], 1, "(not_found)"),
        (&["sessions", "list", "--agent-id", "bot"], 0, "dev@example.com"),
        (&["sessions", "show", "s"], 0, "read_mail (1), wire_money (1)"),
        (&["agents", "list"], 0, "bot"),
        (&["agents", "--since", "2020-01-01T00:00:00Z", "--until", "2100-01-01T00:00:00Z"], 0, "bot"),
        (&["agents", "list", "--since", "2100-01-01T00:00:00Z"], 0, "there are no such agents"),
        (&["agents", "list", "--status", "perhaps"], 2, "it is none of online"),
        (&["agents", "list", "--env", "prod", "--fleet-id", "f", "--endpoint-id", "m"], 0, "there are no such agents"),
        (&["decisions", "--enforcement-trace-id", "never"], 0, "there are no such decisions"),
        (&["agents", "show", "bot"], 0, "2 (0 allowed, 0 modified, 1 held, 0 put off, 1 blocked)"),
        (&["evidence", "verify"], 0, "verified"),
        (&["evidence", "chain", "--limit", "500"], 0, "HOLD_CREATED"),
        (&["evidence", "bundle", "--session-id", "none", "--output", path], 1, "(not_found)"),
        (&["evidence", "bundle", "--session-id", "s", "--output", path], 0, "wrote"),
        (&["evidence", "bundle", "--session-id", "s", "--output", path], 1, "cannot create"),
        (&["inventory"], 0, "not listed"),
    ] {
        let (found, said) = site.thothctl(&ops, "acme", words);
        assert!(found == code && said.contains(expected), "{words:?}: {found} {said}");
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let bundle: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!((&bundle["session_id"], &bundle["complete"]), (&Value::from("s"), &Value::from(true)));

    let ledger = site.data.path().join("tenants/acme/ledger/checkpoint");
    let checkpoint = fs::read(&ledger).unwrap();
    fs::write(&ledger, checkpoint.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }).collect::<Vec<u8>>())
        .unwrap();
    let (code, said) = site.thothctl(&ops, "acme", &["evidence", "verify", "--json"]);
    fs::write(&ledger, checkpoint).unwrap();
    assert!(code == 4 && said.contains(r#""verified":false"#), "{code} {said}");
}

/// Each pack holds beside the policy that a server starts with: what it lets run runs, what nobody names does not, and where the
/// server's own policy is stricter, the answer says so.
#[test]
fn a_pack_holds_beside_the_starter_policy() {
    let stricter = "the policy that others are added to has no rule for it";
    for (pack, group, runs, asks, why) in [
        (
            "hipaa",
            "privacy",
            r#"get_patient {"patient_id":"p1"}"#,
            r#"check_eligibility {"patient_id":"p1"}"#,
            stricter,
        ),
        ("soc2", "reviewers", r#"read_file {"path":"/srv/a"}"#, "git_status {}", stricter),
        ("gdpr", "privacy", r#"get_customer {"id":"c1"}"#, "update_customer {}", "asks for approval"),
    ] {
        let site = Site::under(STARTER);
        let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
        let people: Vec<String> = [group, "security"]
            .iter()
            .flat_map(|group| ["ann", "bob"].map(|user| format!("--approver={group}={user}")))
            .collect();
        let profile = ["bootstrap", "--compliance-profile", pack];
        let words: Vec<&str> = profile.into_iter().chain(people.iter().map(String::as_str)).collect();
        let (code, said) = site.thothctl(&ops, "acme", &words);
        assert_eq!(code, 0, "{pack}: {said}");
        let agent = site.key(ScopeLevel::Agent, Some("bot"), &[Permission::Execute]);
        let enforcer = site.enforcer(agent);
        for (call, decision, reason) in [
            (runs, Decision::Allow, "allows this call"),
            (asks, Decision::StepUp, why),
            ("odd {}", Decision::Block, "no rule matches"),
        ] {
            let (tool, arguments) = call.split_once(' ').unwrap();
            let asked = format!(
                r#"{{"agent_id":"bot","tenant_id":"acme","user_id":"dev@example.com","session_id":"s","tool_name":"{tool}",
                    "approved_scope":[],"enforcement_mode":"block","session_tool_calls":[],"tool_args":{arguments}}}"#
            );
            let envelope = site.runtime.block_on(enforcer.decide(&read(asked.as_bytes()).unwrap())).unwrap();
            let why = envelope.reason.clone().unwrap_or_default();
            assert!(envelope.decision() == decision && why.contains(reason), "{pack} {tool}: {envelope:?}");
            assert_eq!(
                envelope.matched_rule_ids.is_empty(),
                decision == Decision::Block,
                "{pack} {tool}: {envelope:?}"
            );
        }
    }
}

/// Defends: a report of more tools than a page has is shown whole, each tool once.
#[test]
fn an_inventory_of_several_pages() {
    const EACH: usize = 600;
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read]);
    let url = Url::parse(&format!("{}/acme/thoth/tool-inventory", site.url)).unwrap();
    let exchange = Exchange::new(url, &TlsSettings::default(), Timeouts::default()).unwrap();
    for agent in ["bot", "eve"] {
        let key = site.key(ScopeLevel::Agent, Some(agent), &[Permission::Execute]);
        let headers = [("x-api-key".to_owned(), key.expose_secret().to_owned())];
        for first in (0..EACH).step_by(100) {
            let tools: Vec<Value> =
                (first..first + 100).map(|number| json!({ "name": format!("t{number}") })).collect();
            let body = json!({ "agent_id": agent, "tools": tools }).to_string().into_bytes();
            let told = exchange.post(&headers, body, 1 << 20, Duration::from_secs(120));
            assert_eq!(site.runtime.block_on(told).unwrap().status(), 200);
        }
    }
    let (code, said) = site.thothctl(&ops, "acme", &["inventory", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{code} {said}"));
    let agents = report["agents"].as_array().unwrap();
    assert_eq!(agents.iter().map(|agent| &agent["agent_id"]).collect::<Vec<_>>(), ["bot", "eve"]);
    for agent in agents {
        let mut names: Vec<&str> =
            agent["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        names.dedup();
        assert_eq!((names.len(), names.is_sorted()), (EACH, true), "{}", agent["agent_id"]);
    }
    assert_eq!(report.get("next_cursor"), None);
    let (code, said) = site.thothctl(&ops, "acme", &["inventory", "--agent-id", "eve"]);
    assert!(code == 0 && said.lines().filter(|line| line.contains("eve")).count() == EACH, "{said}");
}

/// An organisation is set up in one go, again and again: what is as it should be stays, and every pack holds as a bundle.
#[test]
fn an_organisation_is_set_up() {
    let site = Site::start();
    let ops = site.key(ScopeLevel::Organization, None, &[Permission::Read, Permission::Write]);
    let (file, key) = (site.data.path().join("pay.yaml"), site.data.path().join("bot.json"));
    let (policy, key_path) = (format!("pay={}", file.display()), key.display().to_string());
    let words = |more: &[&str]| {
        let mut words: Vec<String> =
            ["--json", "bootstrap", "--agent-id", "bot", "--agent-key-out", &key_path, "--policy", &policy]
                .map(str::to_owned)
                .into();
        words.extend(more.iter().map(|word| (*word).to_owned()));
        words
    };
    let run = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (code, said) = site.thothctl(&ops, "acme", &words);
        (code, said.lines().find(|line| line.starts_with('{')).map(str::to_owned).unwrap_or(said))
    };
    fs::write(&file, "version: 7").unwrap();
    let (code, said) = run(&words(&["--event-retention-days", "30"]));
    assert_eq!(code, 3, "{said}");
    let (_, said) = site.thothctl(&ops, "acme", &["settings", "get"]);
    assert!(said.contains("nothing was ever set"), "before anything is changed: {said}");
    fs::write(&file, DENY).unwrap();
    let profiles = ["hipaa", "soc2", "gdpr", "pci_dss"].into_iter().flat_map(|name| ["--compliance-profile", name]);
    let start = ["--event-retention-days", "30", "--assign", "agent:bot"];
    let all: Vec<&str> = start.into_iter().chain(profiles).collect();
    let (code, said) = run(&words(&all));
    assert!(code == 2 && said.contains("--approver privacy=USER"), "{said}");
    let people: Vec<String> = ["privacy", "operations", "custodians", "security", "reviewers"]
        .iter()
        .flat_map(|group| ["ann", "bob"].map(|user| format!("{group}={user}")))
        .collect();
    let all: Vec<&str> = all.into_iter().chain(people.iter().flat_map(|person| ["--approver", &**person])).collect();
    for (turn, is_new) in [(0, true), (1, false)] {
        let (code, said) = run(&words(&all));
        assert_eq!(code, 0, "{turn}: {said}");
        let told: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        assert_eq!(
            (&told["settings_updated"], &told["key_created"]),
            (&Value::from(is_new), &Value::from(is_new)),
            "{said}"
        );
        let bundles = told["bundles"].as_array().unwrap();
        assert_eq!(bundles.len(), 5);
        assert!(
            bundles
                .iter()
                .all(|bundle| bundle["uploaded"] == is_new && bundle["activated"] == is_new && bundle["version"] == 1)
        );
    }
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let made: Value = serde_json::from_str(&fs::read_to_string(&key).unwrap()).unwrap();
    let enforcer = site.enforcer(ApiKey::parse(made["api_key"].as_str().unwrap()).unwrap());
    let envelope = site.runtime.block_on(enforcer.decide(&request())).unwrap();
    assert_eq!(envelope.decision(), Decision::Block, "the policies hold");
    for (words, code, expected) in [
        (&["settings", "set", "--enforce-per-minute", "400"][..], 0, "revision 2"),
        (&["settings", "set", "--enforcement-mode", "observe"], 1, "looser than the server's"),
        (&["settings", "set", "--unset", "event-retention-days"], 0, "kept for 90 days (as the server)"),
        (&["--json", "settings", "get"], 0, r#""enforce_per_minute":400"#),
        (&["bootstrap", "--compliance-profile", "odd"], 2, "there is no such pack"),
    ] {
        let (found, said) = site.thothctl(&ops, "acme", words);
        assert!(found == code && said.replace("\": ", "\":").contains(expected), "{words:?}: {found} {said}");
    }
}

/// Defends: help is laid out for the terminal that it is read in. No line of a paragraph breaks off early.
#[test]
fn help_has_no_ragged_lines() {
    for words in
        [&["--help"][..], &["auth", "login", "--help"], &["bootstrap", "--help"], &["policies", "upload", "--help"]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_thothctl")).env_clear().args(words).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = said.lines().collect();
        for pair in lines.windows(2) {
            let (line, next) = (pair[0], pair[1]);
            let is_text =
                |line: &str| line.starts_with(|c: char| c.is_alphabetic() || c == '`') && !line.ends_with(':');
            if is_text(line) && is_text(next) {
                let first = next.split(' ').next().unwrap_or_default().len();
                assert!(line.len() + 1 + first > 80, "{words:?}: {line}\n{next}");
            }
        }
    }
}
