//! Whatever the OpenAPI document allows, and much that it does not, is asked of a real server, by a program that is not ours.
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};
use thoth_testkit::fixtures::Fixtures;

use super::POLICY;
use super::thothd::Thothd;

const RATES: [&str; 5] = ["enforce", "events", "polls", "checkins", "governance"];
/// Nobody logs in, so it is asked for nothing; what people need to log in is told.
const ISSUER: [&str; 4] =
    ["--oidc-issuer=http://127.0.0.1:9", "--oidc-client-id=thothctl", "--oidc-tenant=acme", "--oidc-role=admin=write"];
const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/thoth.json");

/// Things that are there to be asked about, so that more than 404 is heard.
fn there(site: &Thothd, agent: &str, person: &str) -> Value {
    let ask = |method: &str, path: &str, key: &str, body: Option<Value>| {
        let reply = site.ask(method, path, key, body.as_ref());
        assert!((200..300).contains(&reply.status), "{path}: {reply:?}");
        reply.body
    };
    let text = |body: Value, name: &str| body[name].as_str().expect("a text").to_owned();
    let own = ask("GET", "/acme/thoth/api-keys", person, None);
    let own: Vec<&Value> = own["api_keys"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    let key = json!({ "scope_level": "organization", "permissions": ["execute"], "name": "spare" });
    let keys = [(); 24].map(|()| text(ask("POST", "/acme/thoth/api-keys", person, Some(key.clone())), "id"));
    let holds: Vec<String> = (0..16)
        .map(|number| {
            let asked = json!({
                "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
                "enforcement_mode": "block", "session_tool_calls": [], "tool_name": "write_file",
                "tool_args": { "number": number },
            });
            text(ask("POST", "/v1/enforce", agent, Some(asked)), "hold_token")
        })
        .collect();
    let violations = ["delete_file", "delete_folder"].map(|tool| {
        let asked = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
            "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool,
        });
        text(ask("POST", "/v1/enforce", agent, Some(asked)), "violation_id")
    });
    let machines = ["laptop", "desktop"];
    // An active one can be rolled back once, and not be deleted.
    let (unused, active) = (["one", "two", "three"], ["four", "five", "six", "seven", "eight", "nine"]);
    let bundles: Vec<&str> = unused.into_iter().chain(active).collect();
    for name in machines {
        let machine = json!({ "tenant_id": "acme", "endpoint_id": name, "hostname": name });
        ask("POST", "/v1/endpoints/register", agent, Some(machine));
    }
    for (name, version) in bundles.iter().flat_map(|name| [(name, 1), (name, 2)]) {
        let rule = format!("{{ name: {name}_{version}, match: {{ tool: read_{name} }}, approval: block }}");
        let bundle = json!({ "name": name, "policy": format!("version: \"1\"\nrules: [{rule}]\n") });
        ask("POST", "/acme/thoth/policy-bundles", person, Some(bundle));
        if active.contains(name) {
            let activate = format!("/acme/thoth/policy-bundles/{name}/activate");
            ask("POST", &activate, person, Some(json!({ "version": version })));
        }
    }
    json!({
        "own_keys": own, "api-keys": keys, "approvals": holds, "hold": holds, "endpoints": machines,
        "policy-bundles": bundles, "active_bundles": active, "unused_bundles": unused, "violations": violations,
    })
}

/// Defends: no request makes the server fail, every answer is one that the document describes, with its status, headers, type and
/// body, no route answers without a key, and what was deleted is gone; whatever schemathesis thinks of, and at every route.
#[test]
fn schemathesis_finds_nothing() {
    let rates = RATES.map(|kind| format!("--{kind}-per-minute=4000000000"));
    let arguments: Vec<&str> = rates.iter().map(String::as_str).chain(ISSUER).collect();
    let mut site = Thothd::start(POLICY, &arguments);
    let agent = site.key("acme", &["--organization", "--permission", "execute", "--permission", "write"]);
    let person = site.key("acme", &["--organization", "--permission", "read", "--permission", "write"]);
    let there = there(&site, &agent, &person);
    // What a database answers it answers more slowly; what differs there is how it is kept, and not what is asked.
    let examples = if env!("CARGO_CRATE_NAME") == "postgres" { "3" } else { "10" };
    let fixtures = Fixtures::locate().unwrap();
    let config = fixtures.program("api/schemathesis.toml").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let seen = folder.path().join("seen.json");
    let set = |name: &str, otherwise: &str| std::env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let output = Command::new(fixtures.schemathesis().unwrap())
        .arg("--config-file")
        .arg(&config)
        .args(["run", DOCUMENT, "--url", &site.url(), "--no-color", "--continue-on-failure", "--request-timeout", "60"])
        .args(["--generation-database", "none", "--max-examples", &set("SCHEMATHESIS_EXAMPLES", examples)])
        .args(["--seed", &set("SCHEMATHESIS_SEED", "1")])
        .current_dir(folder.path())
        .env("PYTHONPATH", config.parent().unwrap())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONUTF8", "1")
        .env("THOTH_AGENT_KEY", &agent)
        .env("THOTH_OPS_KEY", &person)
        .env("THOTH_THERE", there.to_string())
        .env("THOTH_SEEN", &seen)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // It must have been where it matters: each route was had to do what it is for.
    let seen: BTreeMap<String, usize> = serde_json::from_slice(&std::fs::read(seen).unwrap()).unwrap();
    let document: Value = serde_json::from_slice(&std::fs::read(DOCUMENT).unwrap()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let asked = format!("{} {path} 2", method.to_uppercase());
            assert!(seen.keys().any(|key| key.starts_with(&asked)), "{asked}: {seen:#?}");
        }
    }
    assert!(seen.values().sum::<usize>() > 1000, "{seen:#?}");
    site.stop();
    assert!(site.ledger("acme").len() > 100);
}
