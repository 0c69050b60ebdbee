//! A multi-round-trip retry goes on with the call that was approved; it is no other call.

use thoth_types::Mode;

use crate::world::{ASKS, POLICY, World, short, standing};

/// Approves a call and makes it; its id in the ledger.
fn sent(world: &mut World, arguments: &str, second: i64) -> String {
    world.approved("write_note", arguments, second);
    assert_eq!(short(&world.call("write_note", arguments, second + 1)), None);
    last_id(world)
}

fn last_id(world: &World) -> String {
    world.last_decision()["callId"].as_str().unwrap().to_owned()
}

#[test]
fn a_retry_of_an_approved_call_asks_nobody_again() {
    let mut world = World::new(POLICY, Mode::Block);
    let first = sent(&mut world, "{}", 0);
    assert_eq!(short(&world.retry("write_note", "{}", Some(&first), 2)), None);
    let decision = world.last_decision();
    assert_eq!((&decision["reasonCode"], &decision["retryOf"]), (&"approved".into(), &first.as_str().into()));
    assert_eq!(decision["reason"], format!("continues `{first}`, which was approved by dev"));
    assert_eq!(decision["holdTokenDigest"], world.events_of("HOLD_SPENT")[0]["holdTokenDigest"]);
    assert_eq!(world.events_of("HOLD_SPENT").len(), 1, "the approval is used up once");
    // The server may ask once more: the chain goes on from its last call, and from no other.
    let second = last_id(&world);
    assert_eq!(short(&world.retry("write_note", "{}", Some(&first), 3)), ASKS);
    assert_eq!(short(&world.retry("write_note", "{}", Some(&second), 4)), None);
    assert_eq!(short(&world.retry("write_note", "{}", Some(&second), 5)), ASKS);
}

#[test]
fn what_is_no_retry_of_an_approved_call_is_asked() {
    let mut world = World::new(POLICY, Mode::Block);
    let first = sent(&mut world, "{}", 0);
    assert_eq!(short(&world.call("read_note", "{}", 2)), None);
    let read = last_id(&world);
    assert_eq!(short(&world.call("write_note", r#"{"held":1}"#, 2)), ASKS);
    let held = last_id(&world);
    for (tool, arguments, retry_of) in [
        ("write_note", r#"{"a":1}"#, first.as_str()),
        ("write_file", "{}", &first),
        ("write_note", "{}", &read),
        ("write_note", "{}", &held),
        ("write_note", "{}", "session-99"),
        ("write_note", "{}", ""),
    ] {
        assert_eq!(short(&world.retry(tool, arguments, Some(retry_of), 3)), ASKS, "{tool} {arguments} {retry_of}");
    }
    assert_eq!(short(&world.retry("write_note", "{}", Some(&first), 4)), None, "nothing of that used it up");
    assert!(world.retry("delete_note", "{}", Some(&first), 5).is_some());
}

/// A retry is measured by what is required when it comes.
#[test]
fn a_retry_must_meet_what_is_required_now() {
    for (from, to, expected) in [
        ("[local_user]", "[\"user:root\"]", ASKS),
        ("[local_user]", "[local_user, \"user:root\"]\n  quorum: 2", ASKS),
        ("longest: 30m", "longest: 1m", None),
    ] {
        let mut world = World::new(POLICY, Mode::Block);
        let first = sent(&mut world, "{}", 0);
        world.gate.replace(standing(&POLICY.replace(from, to)));
        assert_eq!(short(&world.retry("write_note", "{}", Some(&first), 2)), expected, "{to}");
    }
}

/// A retry that could not be recorded did not go out and may come again.
#[test]
fn a_retry_that_could_not_be_recorded_may_come_again() {
    let mut world = World::new(POLICY, Mode::Block);
    let first = sent(&mut world, "{}", 0);
    world.break_ledger(true);
    assert!(world.retry("write_note", "{}", Some(&first), 2).is_some());
    world.break_ledger(false);
    assert_eq!(short(&world.retry("write_note", "{}", Some(&first), 3)), None);
    // A call that never went out has no retry.
    let token = world.approved("write_note", r#"{"b":1}"#, 4);
    world.break_ledger(true);
    assert!(world.call("write_note", r#"{"b":1}"#, 5).is_some());
    world.break_ledger(false);
    assert_eq!(world.state(&token), thoth_gate::hold::HoldState::Approved);
    assert_eq!(short(&world.call("write_note", r#"{"b":1}"#, 6)), None);
    let number: u64 = last_id(&world).rsplit('-').next().unwrap().parse().unwrap();
    let never = format!("session-{}", number - 1);
    assert_eq!(short(&world.retry("write_note", r#"{"b":1}"#, Some(&never), 7)), ASKS);
}

/// Other sessions know nothing of it.
#[test]
fn a_retry_belongs_to_its_session() {
    let mut world = World::new(POLICY, Mode::Block);
    let first = sent(&mut world, "{}", 0);
    world.session = crate::world::session(crate::world::caller(Mode::Block));
    assert_eq!(short(&world.retry("write_note", "{}", Some(&first), 2)), ASKS);
}
