//! The enforcer's policy as a document: what is decided by it here, how it changes, and what is never believed.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_api::contract::key::ApiKey;
use thoth_api::contract::policy_bundle::{Decisions, Upload};
use thoth_api::{Administration, CaBundle, TlsSettings, Url};

use crate::fake_documents::{Office, Wrong};
use crate::site::{Asking, PATIENCE, Session, Thothd, eventually, of_kind, refused, text};
use crate::trust::certificate;

const REVISION: &str = "2025-06-18";
/// What the sidecar decides by itself.
const HERE: &str = "version: \"1\"\ndefaults: { approval: auto, risk_level: low }\n";
/// The enforcer's own policy.
const THERE: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
approvals: { approvers: [local_user], ttl: 15m, url: "https://approve.example/{hold}" }
rules:
  - { name: ask_writing, match: { tool: write_note, server: sdk }, approval: approve, risk_level: medium }
"#;
/// A bundle.
const NO_DELETING: &str = "version: \"1\"\nrules:\n  - { name: no_deleting, match: { tool: \"delete*\" }, approval: block, reason: nothing is deleted here }\n";
/// Another version of it.
const NO_READING: &str = "version: \"1\"\nrules:\n  - { name: no_reading, match: { tool: read_note }, approval: block, reason: nothing is read here }\n";

/// A real enforcer over TLS, and its administrator.
struct Site {
    folder: TempDir,
    thothd: Thothd,
    administration: Administration,
    runtime: tokio::runtime::Runtime,
    key: String,
}

impl Site {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificate(folder.path());
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let thothd = Thothd::start_with(THERE, &["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")]);
        let administrator =
            thothd.key(&["--name", "ops", "--organization", "--permission", "read", "--permission", "write"]);
        let key = thothd.key(&["--agent-id", "bot", "--permission", "execute", "--permission", "write"]);
        let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
        let tls = TlsSettings { ca_bundle: Some(CaBundle { name: "ca".into(), pem }), ..TlsSettings::default() };
        let url = Url::parse(&url(&thothd)).unwrap();
        let key_of_ops = ApiKey::parse(&administrator).unwrap();
        let administration = Administration::new(url, "acme".into(), key_of_ops, &tls, PATIENCE).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { folder, thothd, administration, runtime, key }
    }

    fn asking(&self) -> Asking {
        Asking::of(url(&self.thothd), self.key.clone())
            .var("THOTH_TLS_CA_BUNDLE", self.folder.path().join("ca.pem").to_str().unwrap())
            .var("THOTH_ENDPOINT_ID", "laptop")
            .var("THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC", "1")
            .var("THOTH_ENV", "dev")
            .flag("--approval=ticket")
    }

    /// Puts a version of the bundle `notes` in force.
    fn activate(&self, policy: &str, version: u32, decisions: Decisions) {
        let upload = Upload {
            name: "notes".into(),
            policy: policy.into(),
            description: None,
            decisions: Some(decisions),
            assignments: Some(vec!["agent:bot".into()]),
            framework: None,
            status: None,
        };
        self.runtime.block_on(self.administration.upload_bundle(&upload)).unwrap();
        self.runtime.block_on(self.administration.activate_bundle("notes", Some(version))).unwrap();
    }
}

fn url(thothd: &Thothd) -> String {
    thothd.url().replace("http://127.0.0.1", "https://localhost")
}

fn folder() -> Arc<TempDir> {
    Arc::new(tempfile::tempdir().unwrap())
}

fn welcome() -> Value {
    json!({"name": "welcome"})
}

/// What `thoth health` says of the reports of a home.
fn health(folder: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    let output = command.args(["health", "--json"]).env("THOTH_HOME", folder.join("home")).output().unwrap();
    let health: Value = serde_json::from_slice(&output.stdout).unwrap();
    health["reports"][0].clone()
}

/// Waits until `thoth health` tells of an error in all of these words: it is written down after it counts.
fn told(folder: &TempDir, words: &[&str]) {
    eventually(&words.join(" … "), || {
        let errors = health(folder.path())["errors"].to_string();
        words.iter().all(|word| errors.contains(word))
    });
}

/// Waits until calls that the document allows go out though the enforcer does not hear of them.
fn decides_alone(session: &mut Session, asked: impl Fn() -> usize) {
    eventually("calls are still asked about", || {
        let before = asked();
        session.call("read_note", &welcome())["result"].is_object() && asked() == before
    });
}

/// Defends invariants 3 and 5: with a bundle that says so calls are decided here, over TLS and with a real enforcer: what it
/// allows goes out without a question, what it blocks is blocked under its own reason, and what it asks for is asked there. All
/// of that holds while the enforcer is dead, also in a session that begins then.
#[test]
fn a_document_decides_here() {
    let mut site = Site::start();
    site.activate(NO_DELETING, 1, Decisions::Local);
    let folder = folder();
    let mut session = Session::begin_at(&folder, REVISION, HERE, &site.asking());
    decides_alone(&mut session, || site.thothd.decided("read_note"));
    let (reads, deletions) = (site.thothd.decided("read_note"), site.thothd.decided("delete_note"));
    for _ in 0..20 {
        assert_eq!(text(&session.call("read_note", &welcome())), "Welcome to the notes server.");
    }
    let blocked = |session: &mut Session| {
        let answer = session.call("delete_note", &welcome());
        assert_eq!(refused(&answer), (-32001, "rule_block"), "{answer}");
        assert_eq!(answer["error"]["data"]["rule"], "no_deleting", "{answer}");
        assert_eq!(answer["error"]["data"]["reason"], "nothing is deleted here", "{answer}");
    };
    blocked(&mut session);
    assert_eq!((site.thothd.decided("read_note"), site.thothd.decided("delete_note")), (reads, deletions));
    let held = session.call("write_note", &json!({"name": "a", "text": "b"}));
    assert_eq!(refused(&held), (-32002, "enforcer_step_up"), "one question, asked there: {held}");

    let document = health(folder.path())["document"].clone();
    assert_eq!((&document["decisions"], &document["bundles"]), (&json!("local"), &json!(["notes@1"])), "{document}");
    assert_eq!((document["expired"] == false, document["sequence"].as_u64() > Some(0)), (true, true), "{document}");

    site.thothd.kill();
    let ran = session.ran("read_note");
    for _ in 0..5 {
        assert!(session.call("read_note", &welcome())["result"].is_object(), "decided here");
        blocked(&mut session);
        let held = session.call("write_note", &json!({"name": "a", "text": "b"}));
        assert_eq!(refused(&held), (-32001, "enforcer_fallback_block"), "{held}");
    }
    assert_eq!((session.ran("read_note"), session.ran("delete_note")), (ran + 5, 0));
    session.end();
    let mut next = Session::begin_at(&folder, REVISION, HERE, &site.asking());
    blocked(&mut next);
    eventually("it is remembered", || next.call("read_note", &welcome())["result"].is_object());

    site.thothd.again();
    eventually("it is asked again", || {
        refused(&next.call("write_note", &json!({"name": "a", "text": "b"}))) == (-32002, "enforcer_step_up")
    });
    let events = next.end();
    let digest = document["policy_digest"].clone();
    let alone: Vec<&Value> = of_kind(&events, "TOOL_CALL_PRE")
        .into_iter()
        .filter(|event| event["decision"] == "ALLOW" && event["enforcerAttestationId"].is_null())
        .collect();
    assert!(alone.len() >= 26, "{}", alone.len());
    assert!(alone.iter().all(|event| event["enforcerPolicyDigest"] == digest), "{alone:?}");
    let block =
        of_kind(&events, "TOOL_CALL_BLOCK").into_iter().find(|event| event["toolName"] == "delete_note").unwrap();
    assert_eq!((&block["rule"], &block["ruleFile"]), (&json!("no_deleting"), &json!("notes@1.yaml")), "{block}");
    assert_eq!((&block["ruleLine"], &block["enforcerPolicyDigest"]), (&json!(3), &digest), "{block}");
}

/// Defends that what is changed at the enforcer holds in running sessions within a check-in, in both directions; and that a
/// bundle that wants each call asked about has it asked.
#[test]
fn a_bundle_takes_effect_in_a_running_session() {
    let site = Site::start();
    let mut session = Session::begin_at(&folder(), REVISION, HERE, &site.asking());
    site.activate(NO_DELETING, 1, Decisions::Local);
    decides_alone(&mut session, || site.thothd.decided("read_note"));
    let asked = site.thothd.decided("read_note");
    site.activate(NO_READING, 2, Decisions::Local);
    eventually("the new version does not hold", || {
        session.call("read_note", &welcome())["error"]["data"]["rule"] == "no_reading"
    });
    assert_eq!(site.thothd.decided("read_note"), asked, "no call was asked about on the way");
    site.runtime.block_on(site.administration.roll_back_bundle("notes")).unwrap();
    eventually("the rollback does not hold", || session.call("read_note", &welcome())["result"].is_object());
    site.activate(NO_DELETING, 3, Decisions::Remote);
    eventually("each call is asked about", || {
        let before = site.thothd.decided("read_note");
        session.call("read_note", &welcome())["result"].is_object() && site.thothd.decided("read_note") > before
    });
    assert_eq!(
        refused(&session.call("delete_note", &welcome())),
        (-32001, "rule_block"),
        "and what it blocks is blocked"
    );
    site.runtime.block_on(site.administration.activate_bundle("notes", None)).unwrap();
    eventually("what was blocked is not any more", || {
        refused_or_ran(&session.call("delete_note", &json!({"name": "nothing"})))
    });
}

/// Whether the gate let it out, whatever the server made of it.
fn refused_or_ran(answer: &Value) -> bool {
    answer["error"]["data"]["reason_code"].is_null()
}

/// Defends invariant 5: no document is believed that was changed, has expired, is older than one that was believed, is for
/// somebody else, is sealed with another key, or has a policy that cannot be used here: each call is asked about, what was
/// believed before is refused on, and `thoth health` says what is wrong. The next good one is believed.
#[test]
fn what_is_never_believed() {
    for (wrong, said) in [
        (Wrong::Changed, "the signature is wrong"),
        (Wrong::Expired, "it expired at"),
        (Wrong::Early, "still to come"),
        (Wrong::Older, "it is older (sequence 4,"),
        (Wrong::Tenant, "it is for another tenant"),
        (Wrong::Agent, "it is for another agent"),
        (Wrong::Machine, "it is for another machine"),
        (Wrong::Kind, "the signature is wrong"),
        (Wrong::Garbage, "it is not a JSON object"),
        (Wrong::Status(404), "status 404"),
        (Wrong::Status(503), "own policy is not valid"),
        (Wrong::CheckIn(401), "status 401"),
        (Wrong::CheckIn(429), "own policy is not valid"),
        (Wrong::CheckIn(503), "own policy is not valid"),
        (Wrong::Clock, "clock of this machine is far from"),
    ] {
        let office = Office::open();
        let folder = folder();
        let mut session = Session::begin_at(&folder, REVISION, HERE, &office.asking());
        decides_alone(&mut session, || office.asked());
        office.be(Some(wrong));
        eventually("each call is asked about", || {
            let before = office.asked();
            session.call("read_note", &welcome())["result"].is_object() && office.asked() > before
        });
        assert_eq!(refused(&session.call("delete_note", &welcome())), (-32001, "rule_block"), "{wrong:?}");
        told(&folder, &["policy document: ", said]);
        // It is not forgotten by the next session, which is not told better.
        session.end();
        office.close();
        let mut next = Session::begin_at(&folder, REVISION, HERE, &office.asking());
        assert_eq!(refused(&next.call("delete_note", &welcome())), (-32001, "rule_block"), "{wrong:?}");
        eventually("it cannot check in", || health(folder.path())["errors"].to_string().contains("check-in: "));
        for _ in 0..3 {
            assert_eq!(refused(&next.call("read_note", &welcome())).1, "enforcer_fallback_block", "{wrong:?}");
        }
        office.be(None);
        office.reopen();
        decides_alone(&mut next, || office.asked());
        eventually(&format!("{wrong:?} is still told"), || health(folder.path())["errors"] == json!([]));
    }
}

/// A policy that this version cannot use is none, also not the one that it replaces.
#[test]
fn a_policy_that_cannot_be_used_is_none() {
    for (wrong, said) in
        [(Wrong::Policy, "cannot use the enforcer's policy"), (Wrong::Digest, "does not have all of it")]
    {
        let office = Office::open();
        let folder = folder();
        let mut session = Session::begin_at(&folder, REVISION, HERE, &office.asking());
        decides_alone(&mut session, || office.asked());
        office.be(Some(wrong));
        eventually("nothing of it is left", || {
            refused_or_ran(&session.call("delete_note", &json!({"name": "nothing"})))
        });
        let before = office.asked();
        assert!(session.call("read_note", &welcome())["result"].is_object());
        assert_eq!(office.asked(), before + 1, "{wrong:?}");
        eventually("health says why", || health(folder.path())["errors"].to_string().contains(said));
    }
}

/// Defends invariant 6: the key that was told first is the one that is trusted, until somebody at this machine removes it; and
/// a quarantine that only the document tells of refuses every call.
#[test]
fn another_key_is_refused_until_an_operator_acts() {
    let office = Office::open();
    let folder = folder();
    let mut session = Session::begin_at(&folder, REVISION, HERE, &office.asking());
    decides_alone(&mut session, || office.asked());
    office.be(Some(Wrong::Key));
    eventually("each call is asked about", || {
        let before = office.asked();
        session.call("read_note", &welcome())["result"].is_object() && office.asked() > before
    });
    let file = std::fs::read_dir(folder.path().join("home/enforcers")).unwrap().next().unwrap().unwrap();
    let file = file.path().join("signing-key.json");
    told(&folder, &["signs with another key", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    decides_alone(&mut session, || office.asked());
    office.be(Some(Wrong::Quarantined));
    eventually("the quarantine is not heard", || {
        let answer = session.call("read_note", &welcome());
        answer["error"]["data"]["reason_code"] == "endpoint_quarantined"
    });
}

/// Defends that what was kept is verified again: a file that somebody changed is no document.
#[test]
fn a_file_that_was_changed_is_no_document() {
    use std::os::unix::fs::PermissionsExt as _;
    let office = Office::open();
    let folder = folder();
    let mut session = Session::begin_at(&folder, REVISION, HERE, &office.asking());
    decides_alone(&mut session, || office.asked());
    session.end();
    office.close();
    let home = std::fs::read_dir(folder.path().join("home/enforcers")).unwrap().next().unwrap().unwrap().path();
    let file = home.join("policy-document.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, good.replace("delete_note", "delete_nots")).unwrap();
    let mut session = Session::begin_at(&folder, REVISION, HERE, &office.asking());
    for _ in 0..3 {
        assert_eq!(refused(&session.call("read_note", &welcome())).1, "enforcer_fallback_block");
    }
    told(&folder, &["the signature is wrong"]);
    office.reopen();
    decides_alone(&mut session, || office.asked());
    // It holds as soon as it has come, and is kept right after.
    eventually("the good document is not kept", || {
        std::fs::read_to_string(&file).is_ok_and(|kept| kept.matches("delete_note").count() == 1)
    });
}
