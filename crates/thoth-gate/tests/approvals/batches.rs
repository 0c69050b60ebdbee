//! A batch goes out whole or not at all, and its approvals are used up all or not at all.

use thoth_gate::Holds as _;
use thoth_gate::hold::HoldState;
use thoth_types::{Decision, Mode, ReasonCode};

use crate::world::{ASKS, BATCH, POLICY, Use, World, short};

const A: (&str, &str) = ("write_a", "{}");
const B: (&str, &str) = ("write_b", "{}");
const READ: (&str, &str) = ("read_a", "{}");

#[test]
fn approvals_of_a_batch_are_used_up_together() {
    let mut world = World::new(POLICY, Mode::Block);
    let first = world.approved(A.0, A.1, 0);
    assert_eq!(world.batch(&[A, READ, B], 1), (vec![BATCH, BATCH, ASKS], false));
    assert_eq!(world.state(&first), HoldState::Approved, "nothing of a refused batch is used up");
    assert_eq!(world.events_of("HOLD_SPENT"), Vec::<serde_json::Value>::new());
    let second = world.answer(true, 2);
    assert_eq!(world.batch(&[A, READ, B], 3), (vec![None; 3], true));
    assert_eq!((world.state(&first), world.state(&second)), (HoldState::Spent, HoldState::Spent));
    let decisions = world.events_of("TOOL_CALL_PRE");
    let spenders: Vec<_> = world.events_of("HOLD_SPENT").iter().map(|event| event["spentBy"].clone()).collect();
    let calls = &decisions[decisions.len() - 3..];
    assert_eq!(spenders, [calls[0]["callId"].clone(), calls[2]["callId"].clone()]);
    assert_eq!(world.batch(&[A, READ, B], 4), (vec![ASKS, BATCH, ASKS], false), "once");
}

#[test]
fn a_blocked_call_uses_up_no_approval_of_its_batch() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved(A.0, A.1, 0);
    let blocked = Some((Decision::Block, ReasonCode::RuleBlock));
    assert_eq!(world.batch(&[A, ("delete_a", "{}")], 1), (vec![BATCH, blocked], false));
    assert_eq!(world.state(&token), HoldState::Approved);
    assert_eq!(short(&world.call(A.0, A.1, 2)), None);
}

/// An approval lets one call through: a batch that makes the call twice needs two, or a grant.
#[test]
fn the_same_call_twice_is_not_approved_once() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved(A.0, A.1, 0);
    assert_eq!(world.batch(&[A, A], 1), (vec![BATCH, BATCH], false));
    let reason = world.last_decision()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("more than once"), "{reason}");
    assert_eq!((world.state(&token), world.holds.list().unwrap().len()), (HoldState::Approved, 1));
    assert_eq!(world.batch(&[A, READ], 2), (vec![None; 2], true));

    let token = world.approved(A.0, A.1, 3);
    world.desk().grant(&world.wish(&token, &[], 100), crate::world::time(4)).unwrap();
    assert_eq!(world.batch(&[A, A], 5), (vec![None; 2], true));
    assert_eq!(world.batch(&[A, A], 100), (vec![ASKS, ASKS], false), "the grant has ended");
}

/// Another process may use an approval up between the look and the use: then nothing of the batch is used up.
#[test]
fn a_batch_that_loses_a_race_gives_everything_back() {
    for calls in [[A, B], [B, A]] {
        let mut world = World::new(POLICY, Mode::Block);
        let first = world.approved(calls[0].0, calls[0].1, 0);
        let second = world.approved(calls[1].0, calls[1].1, 1);
        *world.holds.stolen.lock().unwrap() = Some(second.clone());
        assert_eq!(world.batch(&calls, 2), (vec![BATCH, ASKS], false));
        assert_eq!(world.holds.look(&second).unwrap().spent_by.as_deref(), Some("another"));
        assert_eq!(world.state(&first), HoldState::Approved);
        assert_eq!(world.events_of("HOLD_SPENT"), Vec::<serde_json::Value>::new());
        *world.holds.stolen.lock().unwrap() = None;
        // What was given back and what was asked anew are good for the next try.
        world.answer(true, 3);
        assert_eq!(world.batch(&calls, 4), (vec![None; 2], true));
    }
}

/// Where the store fails, nothing goes out; where it fails twice, an approval is lost, and never used twice.
#[test]
fn a_batch_whose_store_fails_does_not_go_out() {
    let unavailable = Some((Decision::Block, ReasonCode::ApprovalUnavailable));
    for (failing, kept) in [(vec![Use::Spend], true), (vec![Use::Spend, Use::Update], true)] {
        let mut world = World::new(POLICY, Mode::Block);
        let first = world.approved(A.0, A.1, 0);
        world.approved(B.0, B.1, 0);
        world.fail(&failing);
        assert_eq!(world.batch(&[A, B], 1), (vec![unavailable, BATCH], false));
        world.fail(&[]);
        assert_eq!(world.state(&first) == HoldState::Approved, kept);
    }
    let mut world = World::new(POLICY, Mode::Block);
    let first = world.approved(A.0, A.1, 0);
    let second = world.approved(B.0, B.1, 0);
    *world.holds.stolen.lock().unwrap() = Some(second);
    world.fail(&[Use::Update]);
    assert_eq!(world.batch(&[A, B], 1), (vec![BATCH, ASKS], false));
    world.fail(&[]);
    assert_eq!(world.state(&first), HoldState::Spent, "it could not be given back");
    assert_eq!(short(&world.call(A.0, A.1, 2)), ASKS);
}
