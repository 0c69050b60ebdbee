//! What was decided is found again, over kills, and proven without the server.
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_audit::note::Verifier;
use thoth_audit::seal::SealOpener;
use thoth_audit::session_bundle::{Seal, verify_bundle};

use super::thothd::Thothd;
use super::{POLICY, keys};

fn question(agent: &str, session: &str, tool: &str) -> Value {
    json!({
        "agent_id": agent, "tenant_id": "acme", "user_id": "dev@example.com", "session_id": session, "approved_scope": [],
        "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool, "tool_args": { "secret": "s3cret" },
    })
}

/// Asks until the answer is as expected: the index is about a second behind the ledger.
fn until(site: &Thothd, key: &str, path: &str, expected: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let reply = site.ask("GET", path, key, None);
        if expected(&reply.body) {
            return reply.body;
        }
        assert!(Instant::now() < deadline, "{path}: {reply:?}");
        std::thread::yield_now();
    }
}

fn texts<'v>(list: &'v Value, member: &str) -> Vec<&'v str> {
    list["data"].as_array().expect("a list").iter().filter_map(|row| row[member].as_str()).collect()
}

/// Defends: each decision is listed once and in order, with its reason and by its names, whatever happens to the server in
/// between; and a session's evidence verifies with the public key alone.
#[test]
fn what_was_decided_is_found_and_proven() {
    let mut site = Thothd::start(POLICY, &["--enforce-per-minute", "5000", "--governance-per-minute", "1000000"]);
    let (_, person) = keys(&site);
    let agents = site.key("acme", &["--organization", "--permission", "execute"]);
    let foreign = site.key("other", &["--organization", "--permission", "read"]);
    for turn in 0..4 {
        for (agent, session, tool) in [
            ("bot", "s1", "read_file"),
            ("bot", "s1", "delete_file"),
            ("bot", "s2", "write_file"),
            ("eve", "s3", "read_file"),
        ] {
            let asked = site.ask("POST", "/v1/enforce", &agents, Some(&question(agent, session, tool)));
            assert_eq!(asked.status, 200, "{asked:?}");
        }
        if turn == 1 {
            until(&site, &person, "/acme/thoth/decisions", |list| texts(list, "tool_name").len() == 8);
            site.kill();
            site.again();
        }
    }
    let all = until(&site, &person, "/acme/thoth/decisions?limit=1000", |list| texts(list, "tool_name").len() == 16);
    let mut sessions = texts(&all, "session_id");
    sessions.reverse();
    assert_eq!(sessions, ["s1", "s1", "s2", "s3"].repeat(4), "{all}");
    let indices: Vec<u64> = all["data"].as_array().unwrap().iter().filter_map(|row| row["index"].as_u64()).collect();
    assert!(indices.is_sorted_by(|newer, older| newer > older), "{all}");
    assert!(!all.to_string().contains("s3cret"), "{all}");

    let first = &all["data"][15];
    assert_eq!(
        (
            &first["decision"],
            &first["outcome"],
            &first["decision_reason_code"],
            &first["agent_id"],
            &first["violation_id"]
        ),
        (&json!("ALLOW"), &json!("allowed"), &json!("default_auto"), &json!("bot"), &Value::Null)
    );
    let ask = |path: &str| site.ask("GET", path, &person, None).body;
    let since = first["occurred_at"].as_str().unwrap();
    for (query, count) in [
        ("agent_id=eve", 4),
        ("session_id=s1&tool_name=delete_file", 4),
        ("decision=STEP_UP", 4),
        ("decision=allow&agent_id=bot", 4),
        ("reason_code=rule_block&rule=no_deleting", 4),
        ("user_id=nobody", 0),
        ("until=2020-01-01T00:00:00Z", 0),
        (&format!("since={since}"), 16),
    ] {
        let list = ask(&format!("/acme/thoth/decisions?{query}"));
        assert_eq!(texts(&list, "tool_name").len(), count, "{query}: {list}");
    }
    let violations = ask("/acme/thoth/violations?order=oldest");
    assert_eq!(texts(&violations, "decision"), ["BLOCK", "STEP_UP"].repeat(4), "{violations}");
    let one = violations["data"][0]["violation_id"].as_str().unwrap();
    let shown = ask(&format!("/acme/thoth/violations/{one}"));
    assert_eq!(
        (&shown["violation"], &shown["event"]["rule"], &shown["event"]["toolName"]),
        (&violations["data"][0], &json!("no_deleting"), &json!("delete_file"))
    );
    assert_eq!(site.ask("GET", "/acme/thoth/violations/vio_none", &person, None).status, 404);
    assert_eq!(site.ask("GET", "/acme/thoth/decisions?since=tomorrow", &person, None).status, 400);
    assert_eq!(site.ask("GET", "/acme/thoth/decisions?decision=odd", &person, None).status, 400);
    assert_eq!(site.ask("GET", "/acme/thoth/decisions?cursor=odd", &person, None).status, 400);

    let listed = ask("/acme/thoth/sessions?agent_id=bot");
    assert_eq!(texts(&listed, "session_id"), ["s2", "s1"], "{listed}");
    let session = ask("/acme/thoth/sessions/s1");
    assert_eq!(session, listed["data"][1]);
    assert_eq!(
        (&session["decisions"]["allow"], &session["decisions"]["block"], &session["tools"][0]["name"]),
        (&json!(4), &json!(4), &json!("delete_file"))
    );
    assert_eq!(site.ask("GET", "/acme/thoth/sessions/none", &person, None).status, 404);
    assert_eq!(texts(&ask("/acme/thoth/agents"), "agent_id"), ["bot", "eve"]);
    assert_eq!(ask("/acme/thoth/agents/eve")["decisions"]["total"], 4);
    assert!(ask("/acme/thoth/agents/eve")["policy_digest"].is_string());
    for path in ["decisions", "violations", "sessions", "agents"] {
        let list = site.ask("GET", &format!("/other/thoth/{path}"), &foreign, None).body;
        assert_eq!(list["data"], json!([]), "{path}");
    }

    proven(&site, &person);
    // What was shown is what the ledger has.
    site.stop();
    let ledger = site.ledger("acme");
    let recorded = ledger.iter().filter(|leaf| leaf.contains(r#""eventType":"TOOL_CALL_PRE""#)).count();
    assert_eq!(recorded, 16);
}

/// Defends: a decision is found by what its client calls it, and so is what became of the call once it was held; the name
/// changes nothing about the call.
#[test]
fn a_decision_is_found_by_the_trace_of_its_client() {
    let mut site = Thothd::start(POLICY, &["--governance-per-minute", "1000000", "--polls-per-minute", "1000"]);
    let (agent, person) = keys(&site);
    let (long, kept) = ("x".repeat(400), "x".repeat(256));
    let called = |tool: &str, trace: &str| {
        let mut asked = question("bot", "s1", tool);
        asked["enforcement_trace_id"] = json!(trace);
        let told = site.ask("POST", "/v1/enforce", &agent, Some(&asked)).body;
        assert_eq!(told["enforcement_trace_id"], trace, "{told}");
        told
    };
    let unnamed = site.ask("POST", "/v1/enforce", &agent, Some(&question("bot", "s1", "read_file"))).body;
    assert_eq!(unnamed["enforcement_trace_id"], Value::Null, "{unnamed}");
    called("read_file", &long);
    called("delete_file", "nul \0 \u{e9}");
    let hold = called("write_file", "first")["hold_token"].as_str().expect("a hold").to_owned();
    assert_eq!(called("write_file", "second")["hold_token"], hold, "it is the same call");
    assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
    let polled = site.ask("GET", &format!("/v1/enforce/hold/{hold}"), &agent, None).body;
    assert_eq!(polled["resolution"], "ALLOW", "{polled}");
    until(&site, &person, "/acme/thoth/decisions", |list| texts(list, "tool_name").len() == 6);
    for (trace, kept, decisions) in [
        (&*long, &*kept, &["ALLOW"][..]),
        ("nul%20%00%20%C3%A9", "", &["BLOCK"]),
        ("first", "first", &["ALLOW", "STEP_UP"]),
        ("second", "second", &["STEP_UP"]),
        ("third", "", &[]),
    ] {
        let list = site.ask("GET", &format!("/acme/thoth/decisions?enforcement_trace_id={trace}"), &person, None).body;
        assert_eq!(texts(&list, "decision"), decisions, "{trace}: {list}");
        let told = texts(&list, "enforcement_trace_id");
        assert!(told.len() == decisions.len() && (kept.is_empty() || told.iter().all(|told| *told == kept)), "{list}");
    }
    let violations = "/acme/thoth/violations?enforcement_trace_id=second&agent_id=bot";
    assert_eq!(texts(&site.ask("GET", violations, &person, None).body, "decision"), ["STEP_UP"]);
    site.stop();
    let ledger = site.ledger("acme");
    let kinds = |trace: &str| {
        let mine = ledger.iter().map(|leaf| serde_json::from_str::<Value>(leaf).unwrap());
        let mine = mine.filter(|event| event["enforcementTraceId"] == trace);
        mine.map(|event| event["eventType"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for kind in ["TOOL_CALL_PRE", "HOLD_CREATED", "HOLD_RESOLVED", "HOLD_SPENT"] {
        assert!(kinds("first").iter().any(|found| found == kind), "{kind}: {:?}", kinds("first"));
    }
    assert_eq!(kinds(&kept), ["TOOL_CALL_PRE"]);
}

fn proven(site: &Thothd, person: &str) {
    let ask = |path: &str| site.ask("GET", path, person, None).body;
    let checked = ask("/acme/thoth/evidence/verify");
    let size = checked["chain_head"]["size"].as_u64().unwrap();
    assert_eq!((&checked["verified"], checked["records_checked"].as_u64()), (&json!(true), Some(size)), "{checked}");
    let (mut from, mut records) = (0, Vec::new());
    loop {
        let part = ask(&format!("/acme/thoth/evidence/chain?from_sequence={from}&limit=7"));
        records.extend(part["data"].as_array().unwrap().iter().cloned());
        match part["next_sequence"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    let indices: Vec<u64> = records.iter().filter_map(|record| record["index"].as_u64()).collect();
    assert!(u64::try_from(records.len()).unwrap() >= size && indices.iter().copied().eq(0..indices.len() as u64));
    let latest = ask("/acme/thoth/evidence/chain?limit=500")["latest_session_id"].clone();
    assert_eq!(latest, "s3");

    let key = Verifier::parse(checked["chain_head"]["vkey"].as_str().unwrap()).unwrap();
    let bundle = site.ask("GET", "/acme/thoth/sessions/s1/evidence-bundle", person, None);
    let machines = site.key("acme", &["--organization", "--permission", "execute"]);
    let machine = json!({ "tenant_id": "acme", "endpoint_id": "m1", "hostname": "h" });
    let told = site.ask("POST", "/v1/endpoints/register", &machines, Some(&machine)).body;
    let seal = SealOpener::parse(told["signing_key"]["public_key"].as_str().unwrap()).unwrap();
    let found = verify_bundle(bundle.body.to_string().as_bytes(), &key, Some(&seal)).unwrap();
    assert_eq!(found.seal, Seal::Verified(seal.id().to_owned()));
    let of_session = records.iter().filter(|record| record["event"]["sessionId"] == "s1").count();
    assert_eq!((found.records, &*found.session, found.next), (of_session, "s1", None), "{bundle:?}");
    assert_eq!(Vec::from_iter(found.decisions), [("ALLOW".to_owned(), 4), ("BLOCK".to_owned(), 4)]);
    let again = site.ask("GET", "/acme/thoth/sessions/s1/evidence-bundle", person, None);
    assert_eq!(again.body["bundle_hash"], bundle.body["bundle_hash"]);
    assert_eq!(site.ask("GET", "/acme/thoth/sessions/none/evidence-bundle", person, None).status, 404);
}
