//! What an enforcer has decided, verified by whoever has its public key and nothing else of it.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::decisions::THERE;
use crate::reports::{administrator, govern};
use crate::site::Thothd;

const GOOD: i32 = 0;
const UNREADABLE: i32 = 1;
const USAGE: i32 = 2;
const NOT_VERIFIED: i32 = 4;

fn verify(words: &[&str], document: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
    command.args(["audit", "verify-receipt"]).args(words);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It need not read what it is not asked about.
    drop(stdin.write_all(document.unwrap_or_default().as_bytes()));
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

/// The public key of a tenant's seal, as its machines are told it.
fn public_key(site: &Thothd, tenant: &str, key: &str) -> String {
    let machine = json!({ "tenant_id": tenant, "endpoint_id": "laptop", "hostname": "laptop" });
    let told = govern(site, key, "POST", "/v1/endpoints/register", Some(&machine));
    told["signing_key"]["public_key"].as_str().unwrap().to_owned()
}

/// Every place in a document that has something that is no object.
fn leaves(document: &Value, at: &str, found: &mut Vec<String>) {
    match document {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{name}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// The same document without what stands there.
fn without(document: &Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut changed = document.clone();
    changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    changed
}

/// Defends: a receipt of a real server verifies with its public key alone and with its folder of keys, and says what was decided;
/// no member of it can be changed, taken away or added; no other key will do.
#[test]
fn a_receipt_verifies_as_it_is_and_not_otherwise() {
    let site = Thothd::start(THERE);
    let ops = administrator(&site);
    let agent = site.agent_key();
    let key = public_key(&site, "acme", &ops);
    let keys = site.data().join("tenants/acme/keys").to_str().unwrap().to_owned();
    for (tool, outcome) in [("read_note", "allowed"), ("delete_note", "blocked")] {
        let question = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": "ada@example.com", "session_id": "s", "tool_name": tool,
            "approved_scope": [], "enforcement_mode": "block", "session_tool_calls": [], "tool_args": { "name": "plan" },
            "endpoint_id": "laptop", "enforcement_trace_id": "trace", "action_attestation_id": "attestation",
        });
        let answer = govern(&site, &agent, "POST", "/v1/enforce", Some(&question));
        let receipt = &answer["receipt"];
        for words in [&["-", "--key", &*key][..], &["-", "--keys", &*keys]] {
            for document in [&answer, receipt] {
                let output = verify(words, Some(&document.to_string()));
                let said = String::from_utf8_lossy(&output.stdout);
                assert!(
                    code(&output) == GOOD && said.contains("verified") && said.contains(tool),
                    "{words:?} {output:?}"
                );
            }
        }
        let told = verify(&["-", "--key", &key, "--json"], Some(&answer.to_string()));
        let told: Value = serde_json::from_slice(&told.stdout).unwrap();
        assert_eq!(
            (&told["verified"], &told["outcome"], &told["tool_name"]),
            (&json!(true), &json!(outcome), &json!(tool))
        );
        assert_eq!(told["arguments_sha256"], receipt["arguments_sha256"]);

        let refuses = |changed: &Value, what: &str| {
            let output = verify(&["-", "--key", &key], Some(&changed.to_string()));
            assert!(code(&output) == NOT_VERIFIED && output.stdout.is_empty(), "{what}: {output:?}");
        };
        let mut places = Vec::new();
        leaves(receipt, "", &mut places);
        assert!(places.len() >= 18, "{places:?}");
        for place in &places {
            let mut changed = receipt.clone();
            let value = changed.pointer_mut(place).unwrap();
            *value = value.as_str().map_or(json!("x"), |text| json!(format!("{text}x")));
            refuses(&changed, place);
            refuses(&without(receipt, place), place);
        }
        let mut more = receipt.clone();
        more["more"] = json!("x");
        refuses(&more, "one member more");
        let twice = receipt.to_string().replacen('{', r#"{"tool_name":"read_note","#, 1);
        assert_eq!(code(&verify(&["-", "--key", &key], Some(&twice))), NOT_VERIFIED, "a member given twice");
    }
}

/// Defends: what is wrong is told apart by how the command ends, and standard output has nothing then.
#[test]
fn what_is_no_receipt_of_this_key() {
    let site = Thothd::start(THERE);
    let agent = site.agent_key();
    let question = json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "tool_name": "read_note",
        "approved_scope": [], "enforcement_mode": "block", "session_tool_calls": [], "tool_args": {},
    });
    let answer = govern(&site, &agent, "POST", "/v1/enforce", Some(&question)).to_string();
    // Of another server, and so of another tenant.
    let another = Thothd::start(THERE);
    let wrong = public_key(&another, "acme", &administrator(&another));
    let nowhere = site.data().join("nowhere").to_str().unwrap().to_owned();
    let right = public_key(&site, "acme", &administrator(&site));
    for (words, document, ends) in [
        (&["-", "--key", &*wrong][..], &*answer, NOT_VERIFIED),
        (&["-", "--key", "no key"], &answer, USAGE),
        (&["-", "--key", ""], &answer, USAGE),
        (&["-"], &answer, USAGE),
        (&["-", "--keys", &nowhere], &answer, UNREADABLE),
        (&[&nowhere, "--key", &right], "", UNREADABLE),
        (&["-", "--key", &right], "", NOT_VERIFIED),
        (&["-", "--key", &right], "{}", NOT_VERIFIED),
        (&["-", "--key", &right], "[[[[", NOT_VERIFIED),
        (&["-", "--key", &right], r#"{"receipt":null}"#, NOT_VERIFIED),
        (&["-", "--key", &right], &answer, GOOD),
    ] {
        let output = verify(words, Some(document));
        assert_eq!(code(&output), ends, "{words:?} {document}: {output:?}");
        assert_eq!(output.stdout.is_empty(), ends != GOOD, "{words:?} {output:?}");
    }
}
