//! Two servers on one database are one: what one is told, the other knows at once, and nothing passes twice.

use std::sync::Barrier;
use std::thread;

use serde_json::{Value, json};
use thoth_testkit::postgres::cluster;

use crate::published_sdk::thothd::Thothd;
use crate::published_sdk::{POLICY, keys};

const RATES: &[&str] =
    &["--polls-per-minute", "10000", "--enforce-per-minute", "10000", "--governance-per-minute", "10000"];

/// Two servers, a key of an agent, and one of whoever answers.
fn two() -> (Thothd, Thothd, String, String) {
    two_under(POLICY)
}

fn two_under(policy: &str) -> (Thothd, Thothd, String, String) {
    let url = cluster().database();
    let one = Thothd::on(Some(url.clone()), policy, RATES);
    let other = Thothd::on(Some(url), policy, RATES);
    let (agent, person) = keys(&one);
    (one, other, agent, person)
}

fn question(tool: &str, number: usize) -> Value {
    json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "dev@example.com", "session_id": format!("s{number}"),
        "approved_scope": [], "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool,
        "tool_args": { "number": number },
    })
}

fn ask(site: &Thothd, key: &str, question: &Value) -> Value {
    site.ask("POST", "/v1/enforce", key, Some(question)).body
}

fn poll(site: &Thothd, key: &str, hold: &str, wait: u32) -> Value {
    site.ask("GET", &format!("/v1/enforce/hold/{hold}?wait={wait}"), key, None).body
}

/// Defends invariant 1: what one server holds, the other shows and answers; a poll that waits at one hears what was answered
/// at the other, and lets the call through; no further poll does, at either.
#[test]
fn an_answer_at_one_is_heard_at_the_other() {
    let (one, other, agent, person) = two();
    for number in 0..3 {
        let held = ask(&one, &agent, &question("write_file", number));
        let hold = held["hold_token"].as_str().expect("a hold");
        let listed = other.ask("GET", "/acme/thoth/approvals?status=pending", &person, None).body;
        assert_eq!(listed["data"][0]["id"], hold, "{listed}");
        let (polled, answered) = thread::scope(|scope| {
            let polled = scope.spawn(|| poll(&other, &agent, hold, 30));
            let answered = one.resolve(&person, hold, "approve").status;
            (polled.join().unwrap(), answered)
        });
        assert_eq!((&polled["resolution"], answered), (&json!("ALLOW"), 200), "{polled}");
        for site in [&one, &other] {
            assert_eq!(poll(site, &agent, hold, 0)["resolution"], "BLOCK");
            assert_eq!(site.resolve(&person, hold, "deny").status, 409);
        }
    }
}

/// Defends invariant 6: a key that was taken back at one server does nothing at the other from then on, on any route.
#[test]
fn a_key_taken_back_at_one_is_refused_at_the_other() {
    let (one, other, agent, person) = two();
    for (key, method, path, body) in [
        (&agent, "POST", "/v1/enforce", Some(question("read_file", 1))),
        (&agent, "GET", "/v1/enforce/hold/hold_00000000000000000000000000000000", None),
        (&person, "GET", "/acme/thoth/api-keys", None),
    ] {
        for site in [&one, &other] {
            assert_ne!(site.ask(method, path, key, body.as_ref()).status, 401, "{path}");
        }
    }
    let admin = one.key("acme", &["--organization", "--permission", "read", "--permission", "write"]);
    let listed = one.ask("GET", "/acme/thoth/api-keys", &admin, None).body;
    for row in listed["api_keys"].as_array().unwrap().iter().skip(1) {
        let gone = one.ask("DELETE", &format!("/acme/thoth/api-keys/{}", row["id"].as_str().unwrap()), &admin, None);
        assert_eq!(gone.status, 200, "{gone:?}");
    }
    for key in [&agent, &person] {
        for (method, path) in [("POST", "/v1/enforce"), ("GET", "/acme/thoth/approvals")] {
            assert_eq!(other.ask(method, path, key, Some(&question("read_file", 2))).status, 401, "{path}");
        }
    }
}

/// Defends invariants 3 and 6: a machine that is put into quarantine and a policy that is put in force at one server hold at
/// the other from the next call on, until they are taken back; and both seal with one key.
#[test]
fn quarantine_and_policies_at_one_hold_at_the_other() {
    let (one, other, agent, person) = two();
    let machine = json!({ "tenant_id": "acme", "endpoint_id": "laptop", "hostname": "laptop", "agent_ids": ["bot"] });
    let registered = [&one, &other].map(|site| site.ask("POST", "/v1/endpoints/register", &agent, Some(&machine)));
    assert_eq!(registered.each_ref().map(|reply| reply.status), [200, 200], "{registered:?}");
    let [first, second] = registered.map(|reply| reply.body["signing_key"].clone());
    assert!(first.is_object() && first == second, "{first} {second}");
    let asked = |number: usize| {
        let mut asked = question("read_file", number);
        asked["endpoint_id"] = json!("laptop");
        asked
    };
    let decisions = |number: usize| [&one, &other].map(|site| ask(site, &agent, &asked(number))["decision"].clone());
    assert_eq!(decisions(1), ["ALLOW", "ALLOW"]);
    let quarantine = |site: &Thothd, on: bool| {
        let body = json!({ "quarantined": on, "reason": "lost" });
        site.ask("POST", "/acme/thoth/endpoints/laptop/quarantine", &person, Some(&body)).status
    };
    assert_eq!((quarantine(&one, true), decisions(2)), (200, ["BLOCK", "BLOCK"].map(|word| json!(word))));
    assert_eq!((quarantine(&other, false), decisions(3)), (200, ["ALLOW", "ALLOW"].map(|word| json!(word))));
    let policy = "version: \"1\"\nrules: [{ name: no_reading, match: { tool: read_file }, approval: block }]\n";
    let bundle = json!({ "name": "freeze", "policy": policy, "assignments": ["endpoint:laptop"] });
    let uploaded = one.ask("POST", "/acme/thoth/policy-bundles", &person, Some(&bundle));
    assert_eq!(uploaded.status, 201, "{uploaded:?}");
    assert_eq!(decisions(4), ["ALLOW", "ALLOW"], "it is not active");
    let activate = json!({ "version": 1 });
    let activated = other.ask("POST", "/acme/thoth/policy-bundles/freeze/activate", &person, Some(&activate));
    assert_eq!((activated.status, decisions(5)), (200, ["BLOCK", "BLOCK"].map(|word| json!(word))), "{activated:?}");
    assert_eq!(ask(&one, &agent, &question("read_file", 6))["decision"], "ALLOW", "another machine");
    let taken = one.ask("POST", "/acme/thoth/policy-bundles/freeze/deactivate", &person, None);
    assert_eq!((taken.status, decisions(7)), (200, ["ALLOW", "ALLOW"].map(|word| json!(word))), "{taken:?}");
}

/// Defends invariant 1: whoever races at whichever server, a hold is made once, approved or denied once, and lets one call
/// through; the ledger has each step once.
#[test]
fn racers_on_both_use_an_approval_once() {
    const ROUNDS: usize = 4;
    let (mut one, mut other, agent, person) = two();
    for round in 0..ROUNDS {
        let asked = question("write_file", round);
        let (one, other, agent, person, asked) = (&one, &other, &agent, &person, &asked);
        let at_once = |work: &(dyn Fn(&Thothd) -> Value + Sync)| -> Vec<Value> {
            let begin = Barrier::new(8);
            thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|number| {
                        let begin = &begin;
                        scope.spawn(move || {
                            begin.wait();
                            work(if number % 2 == 0 { one } else { other })
                        })
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            })
        };
        let holds = at_once(&|site| ask(site, agent, asked)["hold_token"].clone());
        let hold = holds[0].as_str().expect("a hold");
        assert!(holds.iter().all(|other| other == hold), "{holds:?}");
        let answers = at_once(&|site| json!(site.resolve(person, hold, "approve").status));
        assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        let passed = at_once(&|site| {
            let polled = poll(site, agent, hold, 0)["resolution"].clone();
            let called = ask(site, agent, asked)["decision"].clone();
            json!(usize::from(polled == "ALLOW") + usize::from(called == "ALLOW"))
        });
        let passed: u64 = passed.iter().filter_map(Value::as_u64).sum();
        assert_eq!(passed, 1);
    }
    one.stop();
    other.stop();
    let events = one.ledger("acme");
    let has = |kind: &str| events.iter().filter(|leaf| leaf.contains(&format!(r#""eventType":"{kind}""#))).count();
    assert_eq!((has("HOLD_RESOLVED"), has("HOLD_SPENT")), (ROUNDS, ROUNDS));
}

/// Defends: the budget of a session is one over all servers, whoever is asked at whatever moment, and also after both were
/// killed; and what was called at one has been called before at the other.
#[test]
fn a_session_is_one_at_both() {
    const BUDGET: usize = 7;
    let policy = format!(
        "{POLICY}  - {{ name: no_sending_secrets, match: {{ tool: send }}, conditions: {{ after_call: \"read_secret*\" }}, \
         approval: block }}\ngateway: {{ max_tool_calls: {BUDGET} }}\n"
    );
    let (mut one, mut other, agent, _) = two_under(&policy);
    let send = |site: &Thothd, number: usize| ask(site, &agent, &question("send", number))["decision"].clone();
    assert_eq!([send(&one, 1), send(&other, 1)], [json!("ALLOW"), json!("ALLOW")]);
    assert_eq!(ask(&one, &agent, &question("read_secret_1", 1))["decision"], "ALLOW");
    assert_eq!([send(&other, 1), send(&one, 1)], [json!("BLOCK"), json!("BLOCK")]);
    assert_eq!(send(&other, 2), "ALLOW", "another session");
    let (one_, other_, agent_) = (&one, &other, &agent);
    let begin = Barrier::new(12);
    let answers: Vec<Value> = thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|number| {
                let begin = &begin;
                scope.spawn(move || {
                    begin.wait();
                    let site = if number % 2 == 0 { one_ } else { other_ };
                    ask(site, agent_, &question(&format!("read_{number}"), 1))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let allowed = answers.iter().filter(|answer| answer["decision"] == "ALLOW").count();
    assert_eq!(allowed, BUDGET - 3, "{answers:?}");
    for site in [&mut one, &mut other] {
        site.kill();
        site.again();
        let refused = ask(site, &agent, &question("read_file", 1));
        assert_eq!(refused["decision_reason_code"], "budget_exhausted", "{refused}");
    }
}

/// Defends invariant 4: one of two servers is killed in the middle of decisions; every call that either let through is in the
/// ledger, which verifies, every event that either took is listed, and the other goes on.
#[test]
fn one_of_two_is_killed() {
    const CALLS: usize = 40;
    let (one, mut other, agent, person) = two();
    let (answered, seen) = (std::sync::atomic::AtomicUsize::new(0), std::sync::Mutex::new(Vec::new()));
    let killed = std::sync::Mutex::new(one);
    let address = killed.lock().unwrap().url();
    let address = address.trim_start_matches("http://");
    thread::scope(|scope| {
        for (name, address) in [("a", address), ("b", address), ("c", other.url().trim_start_matches("http://"))] {
            let address = address.to_owned();
            let (answered, seen, agent, killed) = (&answered, &seen, &agent, &killed);
            scope.spawn(move || {
                for number in 0..CALLS {
                    let tool = format!("read_{name}_{number}");
                    let event = json!([{ "tenant_id": "acme", "session_id": "s", "agent_id": "bot", "tool_name": tool,
                                         "event_type": "TOOL_CALL_POST" }]);
                    for (path, body) in [("/v1/enforce", question(&tool, number)), ("/v1/events/batch", event)] {
                        let Some(reply) = Thothd::try_ask(&address, "POST", path, agent, Some(&body)) else { continue };
                        if reply.body["decision"] == "ALLOW" || reply.status == 202 {
                            seen.lock().unwrap().push((path, tool.clone()));
                        }
                        // In the middle, of all of it.
                        if answered.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == CALLS {
                            killed.lock().unwrap().kill();
                        }
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().any(|(_, tool)| tool == &format!("read_c_{}", CALLS - 1)), "the other goes on");
    let listed = other.ask("GET", "/acme/thoth/events?limit=1000", &person, None).body["data"].to_string();
    other.stop();
    let events = other.ledger("acme");
    for (path, tool) in &seen {
        let word = format!(r#""toolName":"{tool}""#);
        if *path == "/v1/enforce" {
            let pre = r#""eventType":"TOOL_CALL_PRE""#;
            let times = events.iter().filter(|leaf| leaf.contains(pre) && leaf.contains(&word)).count();
            assert_eq!(times, 1, "{tool}");
        } else {
            assert!(listed.contains(&format!(r#""{tool}""#)), "{tool}");
        }
    }
    // Both had the same sessions, and began to number their calls at the same time.
    let pre = events.iter().filter(|leaf| leaf.contains(r#""eventType":"TOOL_CALL_PRE""#));
    let ids: Vec<_> = pre.filter_map(|leaf| leaf.split_once(r#""callId":""#)?.1.split('"').next()).collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert!(ids.len() >= CALLS && distinct.len() == ids.len(), "{ids:?}");
}
