//! Every state of a hold and everything that can be done to it; and the desk, where it is done.

use std::cell::Cell;

use thoth_gate::hold::{Consulted, Hold, HoldState, Question, VoteError, consult};
use thoth_gate::{Holds as _, HoldsError};
use thoth_types::{Channel, GrantScope, Mode, Unentitled, Vote};

use crate::world::{ASKS, POLICY, World, requester, short, time, vote};

/// A hold of second 0 that ends at second 600, brought into a state by its own transitions. A denial is of second 100.
fn hold(state: HoldState) -> Hold {
    let mut world = World::new(POLICY, Mode::Block);
    assert_eq!(short(&world.call("write_note", "{}", 0)), ASKS);
    let mut hold = world.newest();
    match state {
        HoldState::Pending => {}
        HoldState::Approved => hold.vote(&vote(1000, true, 100)).unwrap(),
        HoldState::Denied => hold.vote(&vote(1000, false, 100)).unwrap(),
        HoldState::Expired => assert!(hold.expire(time(600))),
        HoldState::Spent => {
            hold.vote(&vote(1000, true, 100)).unwrap();
            let (_, changed) = ask(&hold, Some("spender"), 100);
            hold = changed.unwrap();
        }
    }
    assert_eq!(hold.state, state);
    hold
}

/// What a call meets that is made at `second`: the answer, and how the hold is changed.
fn ask(hold: &Hold, spender: Option<&str>, second: i64) -> (&'static str, Option<Hold>) {
    let scope = GrantScope { tenant: None, agent: None, server: hold.caller.server.clone(), tool: hold.tool.clone() };
    let drafted = Cell::new(0);
    let draft = || {
        drafted.set(drafted.get() + 1);
        let fresh = Hold { state: HoldState::Pending, votes: Vec::new(), created_at: time(second), ..hold.clone() };
        Some(fresh)
    };
    let asker = requester();
    let question = Question {
        binding: &hold.binding,
        scope: &scope,
        covers: &|_| false,
        requirement: &hold.requirement,
        requester: &asker,
        spender,
        draft: &draft,
    };
    // A store hands over only what is neither used nor marked as ended.
    let open = !matches!(hold.state, HoldState::Spent | HoldState::Expired);
    let step = consult(&question, open.then(|| hold.clone()), &[], time(second));
    let word = match step.consulted.unwrap() {
        Consulted::Granted(_) => "granted",
        Consulted::Spent(_) => "spent",
        Consulted::Approved(_) => "approved",
        Consulted::Pending(_) => "pending",
        Consulted::Denied(_) => "denied",
        Consulted::Created(_, None) => "new",
        Consulted::Created(_, Some(_)) => "new, old ended",
    };
    assert_eq!(drafted.get(), i32::from(word.starts_with("new")), "a hold is named only if it is needed");
    assert_eq!(step.created.is_some(), word.starts_with("new"));
    (word, step.changed)
}

/// What is done to a hold.
#[derive(Debug, Clone, Copy)]
enum Act {
    Approve,
    Deny,
    Expire,
    GiveBack(&'static str),
}

#[test]
fn the_table_of_transitions() {
    use Act::{Approve, Deny, Expire, GiveBack};
    use HoldState::{Approved, Denied, Expired, Pending, Spent};
    // State, act, second; the state that it is in then, and whether the act counted.
    let cases = [
        (Pending, Approve, 599, Approved, true),
        (Pending, Approve, 600, Pending, false),
        (Pending, Deny, 599, Denied, true),
        (Pending, Deny, 600, Pending, false),
        (Pending, Expire, 599, Pending, false),
        (Pending, Expire, 600, Expired, true),
        (Pending, GiveBack("spender"), 200, Pending, true),
        (Approved, Approve, 200, Approved, false),
        (Approved, Deny, 599, Denied, true),
        (Approved, Deny, 600, Approved, false),
        (Approved, Expire, 599, Approved, false),
        (Approved, Expire, 600, Expired, true),
        (Approved, GiveBack("spender"), 200, Approved, true),
        (Denied, Approve, 200, Denied, false),
        (Denied, Deny, 200, Denied, false),
        (Denied, Expire, 9999, Denied, false),
        (Denied, GiveBack("spender"), 200, Denied, true),
        (Expired, Approve, 200, Expired, false),
        (Expired, Deny, 200, Expired, false),
        (Expired, Expire, 9999, Expired, false),
        (Expired, GiveBack("spender"), 200, Expired, true),
        (Spent, Approve, 200, Spent, false),
        (Spent, Deny, 200, Spent, false),
        (Spent, Expire, 9999, Spent, false),
        (Spent, GiveBack("spender"), 200, Approved, true),
        (Spent, GiveBack("other"), 200, Spent, true),
        // A clock that was put back: a little is believed, by more than the time to live it tells nothing any more.
        (Pending, Approve, -600, Approved, true),
        (Pending, Approve, -601, Pending, false),
        (Approved, Deny, -601, Approved, false),
        (Pending, Expire, -601, Expired, true),
        (Approved, Expire, -601, Expired, true),
    ];
    for (state, act, second, then, counted) in cases {
        let before = hold(state);
        let mut after = before.clone();
        let counts = match act {
            Approve | Deny => {
                let taken = after.vote(&vote(1000, matches!(act, Approve), second));
                if let Err(error) = &taken {
                    assert_eq!(*error, VoteError::Closed(before.state_at(time(second))), "{state:?} {act:?} {second}");
                    assert_eq!((&after.votes, after.ends_at), (&before.votes, before.ends_at));
                }
                taken.is_ok()
            }
            Expire => after.expire(time(second)),
            GiveBack(call_id) => {
                after.give_back(call_id);
                true
            }
        };
        assert_eq!((after.state, counts), (then, counted), "{state:?} {act:?} {second}");
        assert_eq!(after.spent_by.is_some(), then == Spent, "{state:?} {act:?} {second}");
    }
}

/// What a call meets, in every state and at every edge of its time.
#[test]
fn the_table_of_calls() {
    use HoldState::{Approved, Denied, Expired, Pending, Spent};
    let cases = [
        (Pending, Some("c"), 599, "pending", None),
        (Pending, Some("c"), 600, "new, old ended", Some(Expired)),
        (Approved, Some("c"), 599, "spent", Some(Spent)),
        (Approved, None, 599, "approved", None),
        (Approved, Some("c"), 600, "new, old ended", Some(Expired)),
        (Approved, None, 600, "new, old ended", Some(Expired)),
        (Approved, Some("c"), -601, "new, old ended", Some(Expired)),
        (Denied, Some("c"), 100, "denied", None),
        (Denied, Some("c"), 699, "denied", None),
        (Denied, Some("c"), -9999, "denied", None),
        (Denied, Some("c"), 700, "new", None),
        (Expired, Some("c"), 200, "new", None),
        (Spent, Some("c"), 200, "new", None),
    ];
    for (state, spender, second, expected, changed) in cases {
        let (word, left) = ask(&hold(state), spender, second);
        assert_eq!((word, left.as_ref().map(|hold| hold.state)), (expected, changed), "{state:?} {second}");
        if let Some(left) = left {
            assert_eq!(left.spent_by.as_deref(), spender.filter(|_| word == "spent"));
        }
    }
}

/// Without a name for a new hold, the old one is left as it is: nobody would be told that it ended.
#[test]
fn nothing_ends_without_anybody_being_told() {
    let old = hold(HoldState::Approved);
    let asker = requester();
    let scope = GrantScope { tenant: None, agent: None, server: old.caller.server.clone(), tool: old.tool.clone() };
    let question = Question {
        binding: &old.binding,
        scope: &scope,
        covers: &|_| true,
        requirement: &old.requirement,
        requester: &asker,
        spender: Some("c"),
        draft: &|| None,
    };
    let step = consult(&question, Some(old.clone()), &[], time(600));
    assert!(step.consulted.is_none() && step.changed.is_none() && step.created.is_none());
}

/// A denial lasts for the whole time to live, however late it was given and wherever the clock stood.
#[test]
fn a_denial_lasts_its_time() {
    for (second, ends) in [(0, 600), (599, 1199), (-500, 600)] {
        let mut hold = hold(HoldState::Pending);
        hold.vote(&vote(1000, false, second)).unwrap();
        assert_eq!(hold.ends_at, time(ends), "{second}");
    }
}

/// Who may approve is asked for each answer; anybody may deny.
#[test]
fn answers_that_do_not_count_change_nothing() {
    let quorum = POLICY.replace("[local_user]", "[local_user, \"user:account7\"]\n  quorum: 2");
    let script = Vote { channel: Channel::Script, ..vote(1000, true, 1) };
    let ticket = Vote { channel: Channel::Ticket, ..vote(1000, true, 1) };
    let again = Some(Unentitled::Again);
    let cases: [(&str, &[Vote], Option<Unentitled>, HoldState); 8] = [
        (POLICY, &[vote(8, true, 1)], Some(Unentitled::NotAnApprover), HoldState::Pending),
        (POLICY, &[script], Some(Unentitled::NoTerminal), HoldState::Pending),
        (POLICY, &[ticket], Some(Unentitled::NotAnApprover), HoldState::Pending),
        (POLICY, &[vote(8, false, 1)], None, HoldState::Denied),
        (&quorum, &[vote(1000, true, 1)], None, HoldState::Pending),
        (&quorum, &[vote(1000, true, 1), vote(1000, true, 2)], again, HoldState::Pending),
        (&quorum, &[vote(1000, true, 1), vote(7, true, 2)], None, HoldState::Approved),
        (&quorum, &[vote(1000, true, 1), vote(8, false, 2)], None, HoldState::Denied),
    ];
    for (policy, votes, expected, state) in cases {
        let mut world = World::new(policy, Mode::Block);
        assert_eq!(short(&world.call("write_note", "{}", 0)), ASKS);
        let token = world.newest().token;
        let answers: Vec<_> = votes.iter().map(|vote| world.desk().vote(&token, vote)).collect();
        match (answers.last().unwrap(), expected) {
            (Ok(hold), None) => assert_eq!(hold.votes, votes),
            (Err(HoldsError::Vote(VoteError::Unentitled(why))), Some(expected)) => assert_eq!(*why, expected),
            (answer, _) => panic!("{answer:?} {votes:?}"),
        }
        assert_eq!(world.state(&token), state, "{votes:?}");
        let recorded = world.events_of("HOLD_ANSWERED").len() + world.events_of("HOLD_RESOLVED").len();
        assert_eq!(recorded, answers.iter().filter(|answer| answer.is_ok()).count());
    }
}

/// What was shown is recorded once for each way, and what ended is recorded once.
#[test]
fn showing_and_ending_are_recorded_once() {
    let mut world = World::new(POLICY, Mode::Block);
    assert_eq!(short(&world.call("write_note", "{}", 0)), ASKS);
    let token = world.newest().token;
    for (channel, origin) in
        [(Channel::Ticket, "client"), (Channel::Terminal, "pts/1"), (Channel::Terminal, "pts/2"), (Channel::Ticket, "")]
    {
        world.desk().shown(&token, channel, origin, time(1)).unwrap();
    }
    let shown = world.events_of("HOLD_SHOWN");
    let ways: Vec<_> = shown.iter().map(|event| (&event["approvalChannel"], &event["approvalOrigin"])).collect();
    assert_eq!(ways, [(&"ticket".into(), &"client".into()), (&"terminal".into(), &"pts/1".into())]);
    let spent = {
        let token = world.approved("write_file", "{}", 2);
        assert_eq!(short(&world.call("write_file", "{}", 3)), None);
        token
    };
    let denied = {
        assert_eq!(short(&world.call("write_third", "{}", 3)), ASKS);
        world.answer(false, 4)
    };
    let approved = world.approved("write_fourth", "{}", 5);
    assert_eq!(world.desk().sweep(time(599)).unwrap(), 0);
    assert_eq!(world.desk().sweep(time(605)).unwrap(), 2);
    assert_eq!(world.desk().sweep(time(9999)).unwrap(), 0);
    assert_eq!(world.events_of("HOLD_EXPIRED").len(), 2);
    let states = [&token, &spent, &denied, &approved].map(|token| world.state(token));
    assert_eq!(states, [HoldState::Expired, HoldState::Spent, HoldState::Denied, HoldState::Expired]);
    let ids: std::collections::BTreeSet<_> = world.events().iter().map(|event| event["eventId"].to_string()).collect();
    assert_eq!(ids.len(), world.events().len(), "every event has an id of its own");
    assert!(world.holds.lapsed(time(9999)).unwrap().is_empty());
}
