//! What is left of an approval when the ledger or the store fails: never more than one call.

use thoth_gate::Holds as _;
use thoth_gate::hold::{HoldState, VoteError};
use thoth_gate::{HoldsError, NoHolds};
use thoth_types::{Channel, Decision, Mode, ReasonCode};

use crate::world::{ASKS, POLICY, Use, World, short, time, vote};

const LOST: Option<(Decision, ReasonCode)> = Some((Decision::Block, ReasonCode::EvidenceUnavailable));
const UNAVAILABLE: Option<(Decision, ReasonCode)> = Some((Decision::Block, ReasonCode::ApprovalUnavailable));

/// Invariant 4, evidence before effect: a call that cannot be recorded does not go out, and its approval is given back.
#[test]
fn an_approval_whose_use_cannot_be_recorded_is_given_back() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", "{}", 0);
    world.break_ledger(true);
    for second in 1..4 {
        assert_eq!(short(&world.call("write_note", "{}", second)), LOST);
        assert_eq!(world.state(&token), HoldState::Approved);
    }
    world.break_ledger(false);
    assert_eq!(short(&world.call("write_note", "{}", 5)), None);
    assert_eq!(world.events_of("HOLD_SPENT").len(), 1);
    assert_eq!(short(&world.call("write_note", "{}", 6)), ASKS);
}

/// The same for a batch.
#[test]
fn the_approvals_of_a_batch_are_given_back() {
    let mut world = World::new(POLICY, Mode::Block);
    let tokens = ["write_a", "write_b"].map(|tool| world.approved(tool, "{}", 0));
    world.break_ledger(true);
    assert!(!world.batch(&[("write_a", "{}"), ("write_b", "{}")], 1).1);
    world.break_ledger(false);
    assert_eq!(tokens.each_ref().map(|token| world.state(token)), [HoldState::Approved; 2]);
    assert!(world.batch(&[("write_a", "{}"), ("write_b", "{}")], 2).1);
}

/// Where neither can be written, the approval is lost: at most once, never twice.
#[test]
fn an_approval_that_cannot_be_given_back_is_lost() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", "{}", 0);
    world.break_ledger(true);
    world.fail(&[Use::Update]);
    assert_eq!(short(&world.call("write_note", "{}", 1)), LOST);
    world.break_ledger(false);
    world.fail(&[]);
    assert_eq!(world.state(&token), HoldState::Spent);
    assert_eq!(short(&world.call("write_note", "{}", 2)), ASKS);
}

/// An approval that is given back after its time is over lets nothing through.
#[test]
fn what_is_given_back_late_is_over() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", "{}", 0);
    world.break_ledger(true);
    assert_eq!(short(&world.call("write_note", "{}", 599)), LOST);
    world.break_ledger(false);
    assert_eq!(world.holds.look(&token).unwrap().state_at(time(600)), HoldState::Expired);
    assert_eq!(short(&world.call("write_note", "{}", 600)), ASKS);
}

/// What nobody can read of in the ledger, nobody can answer.
#[test]
fn a_hold_that_could_not_be_recorded_is_none() {
    let mut world = World::new(POLICY, Mode::Block);
    world.break_ledger(true);
    assert_eq!(short(&world.call("write_note", "{}", 0)), ASKS);
    world.break_ledger(false);
    let token = world.newest().token;
    let answered = world.desk().vote(&token, &vote(1000, true, 1));
    assert!(matches!(answered, Err(HoldsError::Vote(VoteError::Closed(HoldState::Expired)))), "{answered:?}");
    assert_eq!(short(&world.call("write_note", "{}", 2)), ASKS);
    assert_ne!(world.newest().token, token);
    assert_eq!(world.events_of("HOLD_CREATED").len(), 1);
}

/// An answer takes effect only if it is recorded.
#[test]
fn an_answer_that_cannot_be_recorded_does_not_count() {
    for approves in [true, false] {
        let mut world = World::new(POLICY, Mode::Block);
        assert_eq!(short(&world.call("write_note", "{}", 0)), ASKS);
        let token = world.newest().token;
        world.break_ledger(true);
        let failed = world.desk().vote(&token, &vote(1000, approves, 1));
        assert!(matches!(failed, Err(HoldsError::Evidence(_))), "{failed:?}");
        assert!(world.desk().shown(&token, Channel::Terminal, "pts/1", time(1)).is_err());
        assert!(world.desk().sweep(time(9999)).is_err());
        world.break_ledger(false);
        let hold = world.holds.look(&token).unwrap();
        assert_eq!((hold.state, hold.votes.len(), hold.shown.len()), (HoldState::Pending, 0, 0));
    }
}

/// Failure tightens: where nobody can be asked, what needs a person is refused, with what to do about it.
#[test]
fn where_nobody_can_be_asked_the_call_is_refused() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", "{}", 0);
    world.fail(&[Use::Consult]);
    let refused = world.call("write_note", "{}", 1);
    assert_eq!(short(&refused), UNAVAILABLE);
    let reason = refused.unwrap().reason;
    assert!(reason.contains("the disk is gone") && reason.contains("make the call again"), "{reason}");
    world.fail(&[]);
    assert_eq!(world.state(&token), HoldState::Approved);
    for mode in Mode::ALL {
        let mut world = World::new(POLICY, *mode);
        world.gate = {
            let World { gate, .. } = World::new(POLICY, *mode);
            gate.with_holds(std::sync::Arc::new(NoHolds))
        };
        // Observe never interrupts; it asks nobody either.
        let expected = if *mode == Mode::Observe { None } else { UNAVAILABLE };
        assert_eq!(short(&world.call("write_note", "{}", 0)), expected, "{mode}");
    }
}
