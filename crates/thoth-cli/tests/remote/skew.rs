//! An enforcer whose clock is days off: what ends by its clock ends by its clock, nothing passes that would not else, and
//! nothing waits for a time that never comes.

use serde_json::{Value, json};

use crate::decisions::{HERE, THERE};
use crate::reports::{administrator, govern};
use crate::site::{Asking, Session, Thothd, eventually, refused, text};

const CLOCKS: [&str; 2] = ["-2d", "+2d"];

fn there(ttl: &str) -> String {
    let asks = "  - { name: ask_first, match: { tool: write_note }, approval: approve, risk_level: high }\n";
    format!("{}{asks}", THERE.replace("15m", ttl))
}

fn both(test: impl Fn(&'static str) + Sync) {
    std::thread::scope(|scope| {
        for clock in CLOCKS {
            let test = &test;
            scope.spawn(move || test(clock));
        }
    });
}

/// A key that the server makes, so by its own clock.
fn key(site: &Thothd, ops: &str, lives: u64) -> String {
    let wanted =
        json!({ "scope_level": "agent", "scope_target_id": "bot", "permissions": ["execute"], "ttl_seconds": lives });
    let made = govern(site, ops, "POST", "/acme/thoth/api-keys", Some(&wanted));
    made["api_key"].as_str().unwrap().to_owned()
}

fn asking(site: &Thothd, key: String) -> Asking {
    Asking::of(site.url(), key).var("THOTH_ENV", "dev").var("THOTH_ENFORCER_FAILURE_DECISION", "allow")
}

/// Defends the premise of the others: the server's clock is off.
#[test]
fn the_clocks_are_days_apart() {
    both(|clock| {
        let site = Thothd::start_at(Some(clock), THERE, &[]);
        let ops = administrator(&site);
        let machine = json!({ "tenant_id": "acme", "endpoint_id": "laptop", "hostname": "laptop" });
        let told = govern(&site, &ops, "POST", "/v1/endpoints/register", Some(&machine));
        let there: jiff::Timestamp = told["server_time"].as_str().unwrap().parse().unwrap();
        let hours = (there.as_second() - jiff::Timestamp::now().as_second()) / 3600;
        assert!(
            if clock == "-2d" { (-49..=-47).contains(&hours) } else { (47..=49).contains(&hours) },
            "{clock} {hours}"
        );
    });
}

/// Defends invariant 5: a key lives as long as the server says, by its clock, and one that is over refuses every call, also where an
/// outage would not. One that has an end and was made by another clock, days apart, is never taken.
#[test]
fn keys_end_by_the_clock_of_the_server() {
    both(|clock| {
        let site = Thothd::start_at(Some(clock), THERE, &[]);
        let ops = administrator(&site);
        let welcome = json!({ "name": "welcome" });
        let mut session = Session::begin(HERE, &asking(&site, key(&site, &ops, 3600)));
        assert_eq!(text(&session.call("read_note", &welcome)), "Welcome to the notes server.", "{clock}");
        let mut session = Session::begin(HERE, &asking(&site, key(&site, &ops, 1)));
        eventually("the key's time is over", || session.call("read_note", &welcome)["error"].is_object());
        let ran = session.ran("read_note");
        let answer = session.call("read_note", &welcome);
        assert_eq!(refused(&answer), (-32001, "enforcer_refused"), "{clock} {answer}");
        assert_eq!(answer["error"]["data"]["decision_reason_code"], "key_expired", "{clock} {answer}");
        assert_eq!(session.ran("read_note"), ran, "{clock}");
        // Made by a clock that is right: past its end there, or not made yet.
        let right = site.key(&["--agent-id", "bot", "--permission", "execute", "--ttl-seconds", "3600"]);
        let answer = Session::begin(HERE, &asking(&site, right)).call("read_note", &welcome);
        assert_eq!(answer["error"]["data"]["decision_reason_code"], "key_expired", "{clock} {answer}");
    });
}

/// Defends invariants 1 and 5: a held call waits here for as long as it is held there, whatever `expires_at` looks like from here;
/// approved it passes once, and one whose time is over there goes nowhere.
#[test]
fn held_calls_end_by_the_clock_of_the_server() {
    let note = |text: &str| json!({ "name": "plan", "text": text });
    let begin = |clock: &'static str, ttl: &str| {
        let site = Thothd::start_at(Some(clock), &there(ttl), &[]);
        let ops = administrator(&site);
        // What ends the wait is the hold's own end.
        let inline = asking(&site, key(&site, &ops, 3600)).flag("--approval=inline").flag("--hold-timeout=600");
        let session = Session::begin(HERE, &inline);
        (site, ops, session)
    };
    both(|clock| {
        // Long enough to find it and to answer.
        let (site, ops, mut session) = begin(clock, "10m");
        let id = session.begin_call("write_note", &note("approved"));
        let mut hold = Value::Null;
        eventually("nothing is held", || {
            let listed = govern(&site, &ops, "GET", "/acme/thoth/approvals?status=pending", None);
            hold = listed["data"][0]["id"].clone();
            hold.is_string()
        });
        site.resolve(hold.as_str().unwrap(), "approve");
        assert_eq!(text(&session.answer(id)), "wrote plan", "{clock}");
        assert_eq!(session.ran("write_note"), 1, "{clock}");

        let (_site, _, mut session) = begin(clock, "10s");
        let answer = session.call("write_note", &note("nobody answers"));
        assert!((-32002..=-32001).contains(&refused(&answer).0), "{clock} {answer}");
        assert_eq!(session.ran("write_note"), 0, "{clock}");
    });
}

/// Defends invariant 5: a quarantine reaches a machine whose clock is another than the server's, and ends there, too.
#[test]
fn a_quarantine_needs_no_common_clock() {
    both(|clock| {
        let site = Thothd::start_at(Some(clock), THERE, &[]);
        let ops = administrator(&site);
        let asking = asking(&site, key(&site, &ops, 3600))
            .var("THOTH_ENDPOINT_ID", "laptop")
            .var("THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC", "1");
        let mut session = Session::begin(HERE, &asking);
        let online = || {
            govern(&site, &ops, "GET", "/acme/thoth/endpoints?status=online", None)["data"][0]["endpoint_id"]
                == "laptop"
        };
        eventually("the machine is not online", online);
        let quarantine = |quarantined: bool| {
            let body = json!({ "quarantined": quarantined, "reason": "test" });
            govern(&site, &ops, "POST", "/acme/thoth/endpoints/laptop/quarantine", Some(&body));
        };
        let welcome = json!({ "name": "welcome" });
        quarantine(true);
        eventually("it is not heard", || {
            session.call("read_note", &welcome)["error"]["data"]["reason_code"] == "endpoint_quarantined"
        });
        quarantine(false);
        eventually("its end is not heard", || session.call("read_note", &welcome)["result"].is_object());
    });
}
