//! Many sidecars on one store: 200 calls that wait at once, answered while their time ends, while others make the same
//! calls, and while sidecars are killed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use thoth_store::{Hold, HoldState};
use thoth_testkit::bypass::call;
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

use crate::client::eventually;
use crate::site::{Site, Upstream, vote};

const SIDECARS: usize = 8;
/// Calls of each sidecar that are its own, and calls that the sidecar after it makes, too.
const OWN: usize = 25;
const SHARED: usize = 5;
/// Longer than anything here takes; only a test that hangs meets it.
const SOON: Duration = Duration::from_secs(180);

/// `danger` can be answered for long enough; the time of `other` ends while it is answered.
const POLICY: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
approvals: { approvers: [local_terminal] }
rules:
  - { name: ask, match: { tool: danger }, approval: approve, ttl: 10m }
  - { name: ask-briefly, match: { tool: other }, approval: approve, ttl: 10s }
"#;

/// One sidecar. It runs on behalf of a user of its own, by whom the ledger tells what it did.
struct Sidecar {
    peer: Option<StdioPeer>,
    upstream: Upstream,
}

fn user(number: usize) -> String {
    format!("user-{number}")
}

fn start(site: &Site, number: usize, way: &str) -> Sidecar {
    let server = Launch::new(["sh", "-c", "cat > /dev/null"]);
    let user = user(number);
    let (launch, upstream) = site.gated(&server, &["--approval", way, "--hold-timeout", "600", "--user-id", &user]);
    Sidecar { peer: Some(StdioPeer::spawn(&launch).unwrap()), upstream }
}

/// Every seventh call is of the tool whose time ends soon.
fn tool(argument: usize) -> &'static str {
    if argument % 7 == 3 { "other" } else { "danger" }
}

fn make(sidecar: &mut Sidecar, arguments: impl Iterator<Item = usize>) {
    let peer = sidecar.peer.as_mut().unwrap();
    for (id, argument) in (1..).zip(arguments) {
        peer.send(&call(id, tool(argument), &format!(r#"{{"n":{argument}}}"#))).unwrap();
    }
}

/// What a hold is about.
fn argument(hold: &Hold) -> u64 {
    serde_json::from_slice::<Value>(&hold.arguments).unwrap()["n"].as_u64().unwrap()
}

/// How often the server behind a sidecar was told to make each call.
fn forwarded(sidecar: &Sidecar) -> HashMap<u64, usize> {
    let mut counts = HashMap::new();
    for line in sidecar.upstream.read().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_slice(line).unwrap();
        *counts.entry(message["params"]["arguments"]["n"].as_u64().unwrap()).or_default() += 1;
    }
    counts
}

/// Answers whatever waits, as a person would who looks at all of it: most is approved, some denied, and what ends soon is
/// answered at its very end. Returns how many answers were taken.
fn answer_all(site: &Site) -> usize {
    let desk = site.desk();
    let mut taken = 0;
    for hold in site.held() {
        let now = Timestamp::now();
        if hold.state_at(now) != HoldState::Pending {
            continue;
        }
        let last_moment = hold.ends_at - SignedDuration::from_millis(5);
        if &*hold.tool == "other" && now < last_moment {
            continue;
        }
        let approves = argument(&hold) % 5 != 1;
        taken += usize::from(desk.vote(&hold.token, &vote(approves)).is_ok());
    }
    taken
}

/// Defends invariants 1 and 5: of one hold never two calls, after a denial or an end none, and an approval that was given
/// is not lost but with the sidecar that had used it.
#[test]
fn a_crowd_of_sidecars_kill_9_and_one_queue() {
    let site = Site::with_policy(POLICY);
    let mut sidecars: Vec<Sidecar> = (0..SIDECARS).map(|number| start(&site, number, "inline")).collect();
    let all = SIDECARS * OWN;
    for (number, sidecar) in sidecars.iter_mut().enumerate() {
        let first = number * OWN;
        make(sidecar, (first..first + OWN + SHARED).map(|argument| argument % all));
        // One begins the store, which the others would else wait for; who waits too long refuses its call.
        eventually("no call is held", || number > 0 || !site.held().is_empty());
    }
    eventually("not all calls are held", || site.held().len() >= all);

    let mut killed = Vec::new();
    let deadline = Instant::now() + SOON * 3;
    let mut answers = 0;
    loop {
        answers += answer_all(&site);
        // One of every two is killed, at some place among the answers.
        if killed.len() < SIDECARS / 2 && answers > 20 * (killed.len() + 1) {
            let number = 2 * killed.len() + 1;
            let peer = sidecars[number].peer.take().unwrap();
            let process = Pid::from_raw(i32::try_from(peer.id()).unwrap()).unwrap();
            kill_process(process, Signal::KILL).unwrap();
            peer.finish(SOON).unwrap();
            killed.push(number);
        }
        let now = Timestamp::now();
        let waits = site.held().iter().any(|hold| hold.state_at(now) == HoldState::Pending);
        if !waits && killed.len() == SIDECARS / 2 {
            break;
        }
        assert!(Instant::now() < deadline, "{answers} answers, {killed:?} killed");
    }
    for sidecar in &mut sidecars {
        if let Some(peer) = sidecar.peer.take() {
            peer.finish(SOON).unwrap();
        }
    }

    // What was approved and not used up, because whoever would have used it was killed, lets one call through later.
    let left: Vec<Hold> = site.held();
    let approved = |hold: &&Hold| hold.state_at(Timestamp::now()) == HoldState::Approved && &*hold.tool == "danger";
    let unused: Vec<usize> =
        left.iter().filter(approved).map(|hold| usize::try_from(argument(hold)).unwrap()).collect();
    let mut later = start(&site, SIDECARS, "ticket");
    make(&mut later, unused.iter().copied());
    later.peer.take().unwrap().finish(SOON).unwrap();
    let late = forwarded(&later);
    assert!(unused.iter().all(|argument| late.get(&(*argument as u64)) == Some(&1)), "{unused:?}: {late:?}");
    sidecars.push(later);
    assert_each_went_out_once(&site, &sidecars, &killed);
}

fn assert_each_went_out_once(site: &Site, sidecars: &[Sidecar], killed: &[usize]) {
    let events = site.events();
    let text = |event: &Value, key: &str| event[key].as_str().map(str::to_owned);
    let users: HashMap<String, String> =
        events.iter().filter_map(|event| text(event, "sessionId").zip(text(event, "userId"))).collect();
    let allowed = |call: &str| {
        let pre = |event: &&Value| event["eventType"] == "TOOL_CALL_PRE" && event["callId"] == call;
        events.iter().find(pre).is_some_and(|event| event["decision"] == "ALLOW")
    };
    let mut spent: HashMap<(usize, u64), usize> = HashMap::new();
    let mut states: HashMap<&str, usize> = HashMap::new();
    let holds = site.held();
    for hold in &holds {
        *states.entry(hold.state_at(Timestamp::now()).as_str()).or_default() += 1;
        let Some(call) = &hold.spent_by else { continue };
        let session = call.rsplit_once('-').map_or(&**call, |(session, _)| session);
        let number = (0..sidecars.len()).find(|number| users.get(session) == Some(&user(*number))).unwrap();
        // Killed before it could record that, let alone send it: then it did not go out.
        if !allowed(call) {
            assert!(killed.contains(&number), "{call} used {} and is not recorded", hold.token);
            continue;
        }
        *spent.entry((number, argument(hold))).or_default() += 1;
    }
    for (number, sidecar) in sidecars.iter().enumerate() {
        let went_out = forwarded(sidecar);
        for (argument, count) in &went_out {
            let allowed = spent.get(&(number, *argument)).copied().unwrap_or_default();
            assert!(*count <= allowed, "sidecar {number} made call {argument} {count} times on {allowed} approvals");
        }
        if killed.contains(&number) {
            continue;
        }
        for ((_, argument), count) in spent.iter().filter(|((who, _), _)| *who == number) {
            assert_eq!(went_out.get(argument), Some(count), "sidecar {number}, call {argument}: an approval is lost");
        }
    }
    // Each of the ways to end was met, or the test would show nothing.
    for state in ["spent", "denied"] {
        assert!(states.get(state).is_some_and(|count| *count > 10), "{states:?}");
    }
}
