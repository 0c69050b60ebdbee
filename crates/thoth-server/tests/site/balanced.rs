//! Three servers on one database behind a load balancer that goes round: nobody knows which of them answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_testkit::balancer::Balancer;
use thoth_testkit::postgres::cluster;

use crate::published_sdk::thothd::{Reply, Thothd};
use crate::published_sdk::{POLICY, keys};

const RATES: &[&str] = &[
    "--polls-per-minute",
    "100000",
    "--enforce-per-minute",
    "100000",
    "--governance-per-minute",
    "100000",
    "--events-per-minute",
    "100000",
];

/// Longer than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(120);

struct Balanced {
    servers: [Thothd; 3],
    balancer: Balancer,
    agent: String,
    person: String,
}

impl Balanced {
    fn under(policy: &str) -> Self {
        let url = cluster().database();
        let servers = [(); 3].map(|()| Thothd::on(Some(url.clone()), policy, RATES));
        let addresses = servers.each_ref().map(|server| server.url().trim_start_matches("http://").parse().unwrap());
        let (agent, person) = keys(&servers[0]);
        Self { balancer: Balancer::start(&addresses).unwrap(), servers, agent, person }
    }

    /// One request to whichever server it is; nothing if that one died over it.
    fn ask(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Option<Reply> {
        Thothd::try_ask(&self.balancer.address(), method, path, key, body)
    }

    fn govern(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        self.ask(method, path, &self.person, body).expect("an answer")
    }

    /// Ends all of them: the ledger's events, which verify.
    fn end(mut self) -> Vec<String> {
        self.servers.iter_mut().for_each(Thothd::stop);
        self.servers[0].ledger("acme")
    }
}

fn question(session: &str, tool: &str) -> Value {
    json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "dev@example.com", "session_id": session, "tool_name": tool,
        "approved_scope": [], "enforcement_mode": "block", "session_tool_calls": [], "tool_args": { "tool": tool },
    })
}

/// How often each tool was allowed, by the ledger.
fn allowed(events: &[String]) -> BTreeMap<String, usize> {
    let mut tools = BTreeMap::new();
    for event in events.iter().filter_map(|leaf| serde_json::from_str::<Value>(leaf).ok()) {
        if event["eventType"] == "TOOL_CALL_PRE" && event["decision"] == "ALLOW" {
            *tools.entry(event["toolName"].as_str().unwrap().to_owned()).or_default() += 1;
        }
    }
    tools
}

/// Defends invariant 1: of people who answer at once, through whichever server, each answer is heard once at most; the call
/// passes once if nobody's no was heard, and never if one was, and all servers agree on that.
#[test]
fn people_answer_at_once() {
    const ROUNDS: usize = 8;
    let site = Balanced::under(POLICY);
    let other = site.servers[1].key("acme", &["--name", "other", "--organization", "--permission", "write"]);
    let (mut answered, mut approved) = (0, 0);
    for round in 0..ROUNDS {
        let asked = question("s", &format!("write_{round}"));
        let ask = || site.ask("POST", "/v1/enforce", &site.agent, Some(&asked)).expect("an answer").body;
        let hold = ask()["hold_token"].as_str().expect("a hold").to_owned();
        let begin = Barrier::new(8);
        let (answers, passed) = thread::scope(|scope| {
            let answer = |key: &str, decision: &str| {
                begin.wait();
                let path = format!("/acme/thoth/approvals/{hold}/resolve");
                let reply = site.ask("POST", &path, key, Some(&json!({ "decision": decision })));
                (decision.to_owned(), reply.expect("an answer").status)
            };
            let poll = || {
                begin.wait();
                let path = format!("/v1/enforce/hold/{hold}?wait=20");
                let told = site.ask("GET", &path, &site.agent, None).expect("an answer").body;
                usize::from(told["resolution"] == "ALLOW")
            };
            let people = [(&site.person, "approve"), (&other, "deny"), (&site.person, "approve"), (&other, "deny")];
            let people = people.map(|(key, decision)| scope.spawn(move || answer(key, decision)));
            let polls = [(); 4].map(|()| scope.spawn(poll));
            (people.map(|one| one.join().unwrap()), polls.map(|one| one.join().unwrap()))
        });
        let heard = |word: &str| answers.iter().filter(|(said, status)| said == word && *status == 200).count();
        let (yes, no) = (heard("approve"), heard("deny"));
        // A yes that is not used yet can be taken back by a no; never the other way round.
        assert!(yes <= 1 && no <= 1 && yes + no >= 1, "{answers:?}");
        assert_eq!(passed.iter().sum::<usize>(), usize::from(no == 0), "{answers:?} {passed:?}");
        (answered, approved) = (answered + yes + no, approved + usize::from(no == 0));
        assert_eq!(ask()["decision"], if no == 0 { "STEP_UP" } else { "BLOCK" }, "used up, or denied: {answers:?}");
    }
    let events = site.end();
    let has = |kind: &str| events.iter().filter(|leaf| leaf.contains(&format!(r#""eventType":"{kind}""#))).count();
    assert_eq!((has("HOLD_RESOLVED"), has("HOLD_SPENT")), (answered, approved));
    assert_eq!(allowed(&events).values().sum::<usize>(), approved);
}

/// What came of the calls of many that ask one after the other: when each began, and what was said.
fn crowd(
    site: &Balanced,
    many: usize,
    enough: &(dyn Fn(&Reply) -> bool + Sync),
) -> Mutex<Vec<(Instant, String, Reply)>> {
    let seen = Mutex::new(Vec::new());
    let end = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        for number in 0..many {
            let seen = &seen;
            scope.spawn(move || {
                for turn in 0.. {
                    let tool = format!("read_{number}_{turn}");
                    let began = Instant::now();
                    assert!(began < end, "it does not come to an end");
                    let asked = question(&format!("s{number}"), &tool);
                    let reply = site.ask("POST", "/v1/enforce", &site.agent, Some(&asked)).expect("an answer");
                    let last = enough(&reply);
                    seen.lock().unwrap().push((began, tool, reply));
                    if last {
                        break;
                    }
                }
            });
        }
    });
    seen
}

/// Waits until so many are let through; a crowd is at work meanwhile.
fn until(passed: &AtomicUsize, many: usize) {
    let end = Instant::now() + PATIENCE;
    while passed.load(Ordering::SeqCst) < many {
        assert!(Instant::now() < end, "nothing is let through");
        thread::yield_now();
    }
}

/// Defends invariant 6: a key is taken back while 200 calls are in flight. No call that began after that was answered is
/// let through, at any server; every call that was let through before is in the ledger, once.
#[test]
fn a_key_is_taken_back_while_calls_are_in_flight() {
    const MANY: usize = 200;
    let site = Balanced::under(POLICY);
    let listed = site.govern("GET", "/acme/thoth/api-keys", None).body;
    let rows = listed["api_keys"].as_array().unwrap();
    let id = rows.iter().find(|row| row["scope_level"] == "agent").expect("the agent's key")["id"].as_str().unwrap();
    let allowed_so_far = AtomicUsize::new(0);
    let (seen, over) = thread::scope(|scope| {
        let taken = scope.spawn(|| {
            until(&allowed_so_far, MANY / 2);
            assert_eq!(site.govern("DELETE", &format!("/acme/thoth/api-keys/{id}"), None).status, 200);
            Instant::now()
        });
        let seen = crowd(&site, MANY, &|reply| {
            allowed_so_far.fetch_add(usize::from(reply.body["decision"] == "ALLOW"), Ordering::SeqCst);
            reply.status == 401
        });
        (seen.into_inner().unwrap(), taken.join().unwrap())
    });
    let passed: Vec<_> = seen.iter().filter(|(_, _, reply)| reply.body["decision"] == "ALLOW").collect();
    let late: Vec<_> = passed.iter().filter(|(began, _, _)| *began > over).collect();
    assert!(late.is_empty(), "{} of {} calls, {late:?}", late.len(), seen.len());
    assert!(passed.len() >= MANY / 2, "{}", passed.len());
    assert_eq!(
        seen.iter().filter(|(_, _, reply)| reply.status == 401).count(),
        MANY,
        "everybody is refused in the end"
    );
    let recorded = allowed(&site.end());
    for (_, tool, _) in passed {
        assert_eq!(recorded.get(tool), Some(&1), "{tool}");
    }
}

/// Defends invariants 3 and 5: a policy that is put in force at one server holds at all of them for every call that begins after
/// that was answered.
#[test]
fn a_policy_reaches_all_at_once() {
    let site = Balanced::under(POLICY);
    let policy = "version: \"1\"\nrules: [{ name: freeze, match: { tool: \"read*\" }, approval: block }]\n";
    let bundle = json!({ "name": "freeze", "policy": policy, "assignments": ["all"] });
    assert_eq!(site.govern("POST", "/acme/thoth/policy-bundles", Some(&bundle)).status, 201);
    let allowed_so_far = AtomicUsize::new(0);
    let (seen, over) = thread::scope(|scope| {
        let active = scope.spawn(|| {
            until(&allowed_so_far, 30);
            let version = json!({ "version": 1 });
            let path = "/acme/thoth/policy-bundles/freeze/activate";
            assert_eq!(site.govern("POST", path, Some(&version)).status, 200);
            Instant::now()
        });
        let seen = crowd(&site, 12, &|reply| {
            allowed_so_far.fetch_add(usize::from(reply.body["decision"] == "ALLOW"), Ordering::SeqCst);
            reply.body["decision"] == "BLOCK"
        });
        (seen.into_inner().unwrap(), active.join().unwrap())
    });
    let passed = seen.iter().filter(|(_, _, reply)| reply.body["decision"] == "ALLOW");
    let late: Vec<_> = passed.clone().filter(|(began, _, _)| *began > over).collect();
    assert!(late.is_empty() && passed.count() >= 18, "{late:?}");
    for _ in 0..6 {
        let told = site.ask("POST", "/v1/enforce", &site.agent, Some(&question("t", "read_more"))).expect("an answer");
        assert_eq!(told.body["decision"], "BLOCK", "{told:?}");
    }
    assert_eq!(site.govern("POST", "/acme/thoth/policy-bundles/freeze/deactivate", None).status, 200);
    for _ in 0..6 {
        let told = site.ask("POST", "/v1/enforce", &site.agent, Some(&question("t", "read_more"))).expect("an answer");
        assert_eq!(told.body["decision"], "ALLOW", "{told:?}");
    }
    assert!(site.balancer.given().iter().all(|count| *count > 10), "{:?}", site.balancer.given());
}

/// Defends invariant 4: a server is killed while it decides. Every call that was let through is in the ledger, once; every event
/// is there once, though it was sent until somebody took it; and the budget of a session that all share is not exceeded.
#[test]
fn a_server_is_killed_while_it_decides() {
    const MANY: usize = 12;
    const CALLS: usize = 25;
    const BUDGET: usize = 150;
    let policy = format!("{POLICY}gateway: {{ max_tool_calls: {BUDGET} }}\n");
    let mut site = Balanced::under(&policy);
    let address = site.balancer.address();
    let agent = site.agent.clone();
    let (answered, dead) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (passed, lost) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let victim = Mutex::new(&mut site.servers[1]);
    thread::scope(|scope| {
        for number in 0..MANY {
            let (address, agent, answered, dead, passed, lost, victim) =
                (&address, &agent, &answered, &dead, &passed, &lost, &victim);
            scope.spawn(move || {
                for turn in 0..CALLS {
                    let tool = format!("read_{number}_{turn}");
                    let asked = question("shared", &tool);
                    match Thothd::try_ask(address, "POST", "/v1/enforce", agent, Some(&asked)) {
                        Some(reply) if reply.body["decision"] == "ALLOW" => passed.lock().unwrap().push(tool.clone()),
                        Some(reply) => assert_eq!(reply.body["decision"], "BLOCK", "{reply:?}"),
                        None => drop(lost.fetch_add(1, Ordering::SeqCst)),
                    }
                    // In the middle, of all of it.
                    if answered.fetch_add(1, Ordering::SeqCst) >= BUDGET / 2 && !dead.swap(true, Ordering::SeqCst) {
                        victim.lock().unwrap().kill();
                    }
                    let event = json!([{ "event_id": tool, "tenant_id": "acme", "session_id": "shared", "agent_id": "bot",
                                         "tool_name": tool, "event_type": "TOOL_CALL_POST" }]);
                    while Thothd::try_ask(address, "POST", "/v1/events/batch", agent, Some(&event))
                        .is_none_or(|reply| reply.status != 202)
                    {}
                }
            });
        }
    });
    let (passed, lost) = (passed.into_inner().unwrap(), lost.into_inner());
    assert!(lost <= MANY, "{lost} answers were lost, of one server's");
    let listed = site.govern("GET", "/acme/thoth/events?limit=1000&event_type=TOOL_CALL_POST", None).body;
    let mut told: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|event| event["tool_name"].as_str().unwrap()).collect();
    told.sort_unstable();
    let mut sent: Vec<String> =
        (0..MANY).flat_map(|number| (0..CALLS).map(move |turn| format!("read_{number}_{turn}"))).collect();
    sent.sort_unstable();
    assert_eq!(told, sent, "each once");
    site.servers[1].again();
    let recorded = allowed(&site.end());
    for tool in &passed {
        assert_eq!(recorded.get(tool), Some(&1), "{tool}");
    }
    // What is in the ledger and was never answered was not let through. One call of a session at a time is between its record and
    // the count of it, so that a kill leaves at most one that does not count.
    let all = recorded.values().sum::<usize>();
    assert!(passed.len() <= all && all <= passed.len() + lost, "{all} {} {lost}", passed.len());
    assert!(all <= BUDGET + 1, "{all} {lost}");
    assert!(passed.len() <= BUDGET && passed.len() + lost >= BUDGET, "{} {lost}", passed.len());
}
