//! How much is kept, and for how long.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use thoth_gate::hold::{Consulted, HoldState};
use thoth_gate::{Holds as _, HoldsError};
use thoth_testkit::holds_suite::{HeldCall, answer, at, vote};
use thoth_types::HoldToken;

use super::{Scene, in_memory};
use crate::rows::{self, nanoseconds};
use crate::{MAX_ARGUMENT_BYTES, MAX_WAITING, MAX_WAITING_OF_AGENT, room};

const HOUR: i64 = 3600;

fn token(number: u128) -> HoldToken {
    HoldToken::new(number.to_be_bytes())
}

/// Puts one more hold in, if there is room for it.
fn put(connection: &Connection, call: &HeldCall, number: u128, now: Timestamp) -> Result<(), String> {
    let hold = call.hold(number, now);
    let now = nanoseconds(now).unwrap();
    match room::admit(connection, &hold, now) {
        Ok(()) => {}
        Err(crate::error::Fault::Holds(HoldsError::Full(why))) => return Err(why),
        Err(other) => panic!("{other:?}"),
    }
    rows::insert(connection, &hold, Path::new("/ledger")).unwrap();
    Ok(())
}

fn call(number: u128, agent: u128) -> HeldCall {
    let agent = format!("agent-{agent}").parse().ok();
    HeldCall { agent, ..HeldCall::new(u16::try_from(number).unwrap()) }
}

/// Defends: no agent can fill the queue for the others, nor all of them together without end; what has ended or was
/// answered takes no place, and whoever is turned away learns why.
#[test]
fn the_queue_is_bounded() {
    let connection = in_memory();
    let of_agent = u128::from(MAX_WAITING_OF_AGENT);
    for number in 0..of_agent {
        put(&connection, &call(number, 0), number, at(0)).unwrap();
    }
    let full = put(&connection, &call(of_agent, 0), of_agent, at(0)).unwrap_err();
    assert!(full.contains("256 calls of this agent to this server") && full.contains("thoth approvals"), "{full}");
    // Another server, another agent, no agent.
    let elsewhere = HeldCall { server: "mail".parse().unwrap(), ..call(of_agent, 0) };
    put(&connection, &elsewhere, of_agent, at(0)).unwrap();
    put(&connection, &HeldCall { agent: None, ..call(of_agent + 1, 0) }, of_agent + 1, at(0)).unwrap();
    for number in of_agent + 2..u128::from(MAX_WAITING) {
        put(&connection, &call(number, number), number, at(0)).unwrap();
    }
    let next = u128::from(MAX_WAITING);
    let full = put(&connection, &call(next, next), next, at(0)).unwrap_err();
    assert!(full.contains("4096 calls wait"), "{full}");
    // One is answered.
    let mut hold = rows::hold(&connection, &token(7)).unwrap();
    hold.vote(&answer(1000, true, at(1))).unwrap();
    rows::rewrite(&connection, &hold, None).unwrap();
    put(&connection, &call(next, 0), next, at(1)).unwrap();
    assert!(put(&connection, &call(next + 1, 0), next + 1, at(1)).is_err());
    // All have ended.
    put(&connection, &call(next + 1, 0), next + 1, at(HOUR)).unwrap();
}

/// Defends: what waits takes bounded room on the disk, also where each call is large.
#[test]
fn arguments_are_bounded() {
    let connection = in_memory();
    let large = |number: u128, bytes: i64| HeldCall {
        arguments: vec![b'x'; usize::try_from(bytes).unwrap()].into(),
        ..call(number, number)
    };
    for number in 0..4 {
        put(&connection, &large(number, MAX_ARGUMENT_BYTES / 4 - 10), number, at(0)).unwrap();
    }
    let full = put(&connection, &large(5, 41), 5, at(0)).unwrap_err();
    assert!(full.contains("67108824 bytes already, and with 41 more"), "{full}");
    put(&connection, &large(5, 40), 5, at(0)).unwrap();
    // What is approved or denied still counts, what is over does not.
    let mut hold = rows::hold(&connection, &token(0)).unwrap();
    hold.vote(&answer(1000, false, at(1))).unwrap();
    rows::rewrite(&connection, &hold, None).unwrap();
    assert!(put(&connection, &large(6, 1), 6, at(1)).is_err());
    put(&connection, &large(6, 1), 6, at(15 * 60)).unwrap();
}

/// Defends: the contents of calls go a day after nothing more can come of them, the rest after a month, and nothing that
/// still stands goes.
#[test]
fn what_is_over_is_forgotten() {
    let scene = Scene::new();
    let store = scene.store();
    let ask = |number: u16, token: u128, ttl: u32, now: i64| {
        HeldCall::new(number).ttl(ttl).consult(&store, token, Some("a"), at(now)).unwrap()
    };
    let arguments = |number: u128| store.look(&token(number)).map(|hold| hold.arguments.len());
    // One each that is spent, denied for two days, over without an answer, and denied and over.
    for (number, ttl) in [(1, 900), (2, 48 * 3600), (3, 900), (4, 900)] {
        ask(number, u128::from(number), ttl, 0);
    }
    vote(&store, &token(1), &answer(1000, true, at(1))).unwrap();
    assert!(matches!(ask(1, 0, 900, 60), Consulted::Spent(_)));
    vote(&store, &token(2), &answer(1000, false, at(1))).unwrap();
    vote(&store, &token(4), &answer(1000, false, at(1))).unwrap();
    let full = br#"{"call":1}"#.len();
    // Counted from when it was used up, which is before its end.
    ask(9, 90, 900, 24 * HOUR + 59);
    assert_eq!([1, 2, 3, 4].map(|number| arguments(number).unwrap()), [full; 4]);
    ask(7, 91, 900, 24 * HOUR + 900);
    assert_eq!([1, 2, 3, 4].map(|number| arguments(number).unwrap()), [0, full, 0, full]);
    ask(8, 92, 900, 24 * HOUR + 901);
    assert_eq!([1, 2, 3, 4].map(|number| arguments(number).unwrap()), [0, full, 0, 0]);
    assert!(matches!(ask(2, 0, 48 * 3600, 47 * HOUR), Consulted::Denied(_)));
    // The rest of a hold whose contents are gone is as it was, and a change brings nothing back.
    let spent = store.update(&token(1), &mut |_| Ok(())).unwrap();
    assert_eq!((spent.state, &*spent.arguments), (HoldState::Spent, &b""[..]));
    ask(8, 93, 900, 30 * 24 * HOUR + 100);
    assert!(matches!(store.look(&token(1)), Err(HoldsError::Unknown(_))));
    assert_eq!(store.look(&token(3)).unwrap().state, HoldState::Pending);
    ask(8, 94, 900, 30 * 24 * HOUR + 2000);
    assert!(matches!(store.look(&token(3)), Err(HoldsError::Unknown(_))));
    assert!(matches!(store.look(&token(2)), Ok(hold) if hold.arguments.is_empty()));
    // Nothing of them is left in the file.
    drop(store);
    let bytes = std::fs::read(scene.path()).unwrap();
    assert!(!bytes.windows(10).any(|window| window == br#"{"call":3}"#));
}

/// Defends: a queue that is filled again and again, each time until all has ended, does not grow for ever, and one call
/// cleans up no more than a little.
#[test]
fn what_is_over_is_bounded() {
    let connection = in_memory();
    let kept = |what: &str| connection.query_row(what, [], |row| row.get::<_, i64>(0)).unwrap();
    let large = vec![b'x'; 1 << 20];
    for number in 0..200_u128 {
        let now = at(i64::try_from(number).unwrap() * HOUR / 10);
        let before = kept("SELECT count(*) FROM holds WHERE argument_bytes > 0");
        put(&connection, &HeldCall { arguments: large.clone().into(), ..call(number, 0) }, number, now).unwrap();
        room::clean(&connection, nanoseconds(now).unwrap()).unwrap();
        assert!(kept("SELECT count(*) FROM holds WHERE argument_bytes > 0") >= before + 1 - 128);
    }
    assert!(kept("SELECT sum(argument_bytes) FROM holds") < 2 * MAX_ARGUMENT_BYTES);
    connection.execute_batch("DELETE FROM holds").unwrap();
    for number in 0..20_000_u128 {
        // Some twenty a second, which all end before the next.
        let now = at(0) + SignedDuration::from_millis(i64::try_from(number).unwrap() * 50);
        put(&connection, &HeldCall::new(u16::try_from(number).unwrap()).ttl(0), number, now).unwrap();
        room::clean(&connection, nanoseconds(now).unwrap()).unwrap();
    }
    assert!(kept("SELECT count(*) FROM holds") <= 16_384 + 64);
    assert_eq!(
        kept("SELECT max(over_at) FROM holds"),
        nanoseconds(at(999) + SignedDuration::from_millis(950)).unwrap()
    );
}

/// Defends: an agent that misbehaves without end takes bounded room, and is never counted for fewer than it did.
#[test]
fn violations_are_bounded() {
    let connection = in_memory();
    let count = |now: i64, since: i64| room::count_violation(&connection, "a", at(now), at(since)).unwrap();
    for number in 0..3_000_i64 {
        assert_eq!(i64::from(count(number, 0)), number + 1);
    }
    let rows = connection.query_row("SELECT count(*) FROM violations", [], |row| row.get::<_, i64>(0)).unwrap();
    assert!(rows <= 1024, "{rows}");
    assert!(count(3_000, 2_900) > 100);
    // Afterwards, it can be good again.
    assert_eq!(count(10_000, 9_000), 1);
    assert_eq!(room::count_violation(&connection, "b", at(401 * 24 * HOUR), at(0)).unwrap(), 1);
    assert_eq!(count(401 * 24 * HOUR, 0), 1);
}

/// Defends: a time that cannot be written is an error, and not another time.
#[test]
fn times_that_cannot_be_written() {
    let scene = Scene::new();
    let store = scene.store();
    let far = Timestamp::MAX;
    assert!(store.count_violation("a", far, far).unwrap_err().to_string().contains("too far away"));
    assert!(store.lapsed(far).unwrap_err().to_string().contains("too far away"));
}
