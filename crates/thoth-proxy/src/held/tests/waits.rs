//! Calls that wait for an answer from elsewhere.

use super::*;
use crate::server_side::ServerSide;

const STEP_UP: i64 = -32002;
const BLOCK: i64 = -32001;

/// Invariants 1 and 5, and nobody is left waiting: whatever becomes of a call that waits, it is forwarded or answered,
/// once, and forwarded only after somebody has agreed to it.
#[test]
#[expect(clippy::too_many_lines, reason = "one table of all that can happen")]
fn each_end_of_waiting_has_one_answer() {
    /// What happens, how many lines the server gets, the code and reason of the refusal, and the states of the holds.
    type Case = (&'static str, fn(&mut World) -> Out, usize, Option<(i64, &'static str)>, &'static [HoldState]);
    use HoldState::{Approved, Denied, Expired, Pending, Spent};
    let approve = |world: &mut World| {
        world.vote(true);
        world.blink()
    };
    let cases: [Case; 9] = [
        ("approved", approve, 1, None, &[Spent]),
        (
            "approved in the last moment",
            |world| {
                let out = world.pass(44);
                assert!(out.is_nothing(), "{out:?}");
                world.vote(true);
                NOW_US.set(NOW_US.get() + SECOND);
                world.look()
            },
            1,
            None,
            &[Spent],
        ),
        (
            "denied",
            |world| {
                world.vote(false);
                world.blink()
            },
            0,
            Some((BLOCK, "approval_denied")),
            &[Denied],
        ),
        ("nobody answers", |world| world.pass(60), 0, Some((STEP_UP, "rule_approve")), &[Pending]),
        (
            "its hold ends first",
            |world| {
                world.gate.replace(load(&POLICY.replace("15m", "10s")));
                let out = world.hear(&cancel("1"));
                assert!(out.is_nothing(), "{out:?}");
                let out = world.hear(&call(1, "t")).and(world.pass(9));
                assert!(out.is_nothing(), "{out:?}");
                world.pass(2)
            },
            0,
            Some((STEP_UP, "rule_approve")),
            // Nobody is asked a second time for a call that was let pass.
            &[Expired, Expired],
        ),
        (
            "the policy forbids it meanwhile",
            |world| {
                world.gate.replace(load(&POLICY.replace("approval: approve", "approval: block")));
                world.vote(true);
                world.blink()
            },
            0,
            Some((BLOCK, "rule_block")),
            &[Approved],
        ),
        (
            "it cannot be recorded",
            |world| {
                world.vote(true);
                world.disk.full.store(true, Ordering::Relaxed);
                world.blink()
            },
            0,
            Some((BLOCK, "evidence_unavailable")),
            &[Approved],
        ),
        (
            "the client calls it off",
            |world| {
                let out = world.hear(&cancel("1"));
                assert!(!world.side.waits() && world.session.lock().from_client.is_empty());
                world.vote(true);
                out.and(world.pass(60))
            },
            0,
            None,
            &[Approved],
        ),
        (
            "the session ends",
            |world| {
                let caller = world.side.caller().clone();
                assert!(!world.session.lock().client_waits(), "the server has nothing to answer");
                let replies = ServerSide::close(&world.gate, &caller, &world.session, "was closed");
                world.vote(true);
                let late = world.pass(60);
                assert!(late.is_nothing(), "{late:?}");
                Out { server: Vec::new(), client: vec![serde_json::from_slice(&replies).unwrap()] }
            },
            0,
            Some((-32603, "")),
            &[Approved],
        ),
    ];
    for (name, happens, forwarded, refused, states) in cases {
        let mut world = World::new(POLICY, None);
        assert!(world.hear(&call(1, "t")).is_nothing(), "{name}: it waits");
        let out = happens(&mut world);
        let whole = format!("{}\n", call(1, "t"));
        assert_eq!(out.server, vec![whole; forwarded], "{name}: byte by byte");
        match refused {
            None => assert!(out.client.is_empty(), "{name}: {out:?}"),
            Some((number, reason)) => {
                assert_eq!(out.client.len(), 1, "{name}: {out:?}");
                assert_eq!(code(out.answer(1)), number, "{name}: {out:?}");
                assert_eq!(
                    out.answer(1)["error"]["data"]["reason_code"].as_str().unwrap_or_default(),
                    reason,
                    "{name}"
                );
            }
        }
        assert_eq!(world.states(), states, "{name}");
        assert!(!world.side.waits(), "{name}");
        let open = world.session.lock().from_client.len();
        assert_eq!(open, forwarded, "{name}");
    }
}

/// A ticket is worth what it says: the call passes once it is approved, and asks again after that.
#[test]
fn a_ticket_is_redeemed_once() {
    for way in [Way::Ticket, Way::Inline] {
        let mut world = World::new(POLICY, Some(way));
        let out = world.hear(&call(1, "t")).and(world.pass(60));
        let data = &out.answer(1)["error"]["data"];
        let hold = world.holds().pop().unwrap();
        let text = out.answer(1)["error"]["message"].as_str().unwrap();
        let command = format!("thoth approvals approve {}", hold.token.short());
        assert_eq!(data["hold_token"], json!(hold.token.as_str()));
        assert_eq!(data["approve_with"], json!(command));
        assert_eq!(data["expires_at"], json!("2027-01-15T08:15:00Z"));
        assert!(text.contains(&command) && text.contains("2027-01-15T08:15:00Z"), "{text}");
        assert_eq!(hold.shown, [Channel::Ticket]);
        world.vote(true);
        assert_eq!(world.hear(&call(2, "t")).server.len(), 1);
        let again = world.hear(&call(3, "t")).and(world.pass(60));
        assert_eq!(code(again.answer(3)), STEP_UP);
        assert_eq!(world.states(), [HoldState::Spent, HoldState::Pending]);
    }
}

/// What was denied stays denied, and the refusal says so and until when.
#[test]
fn a_denial_is_told_and_stands() {
    for style in [RefusalStyle::Error, RefusalStyle::Result] {
        let mut world = World::new(POLICY, None);
        world.side.style = style;
        assert!(world.hear(&call(1, "t")).is_nothing());
        world.vote(false);
        let first = world.blink();
        let again = world.hear(&call(2, "t"));
        for answer in [first.answer(1), again.answer(2)] {
            let text = answer.to_string();
            assert!(text.contains("A person said no") && text.contains("2027-01-15T08:15:00Z"), "{text}");
            assert!(!text.contains("approvals approve"), "{text}");
        }
        assert_eq!(world.states(), [HoldState::Denied]);
    }
}

/// One approval, one call: of two equal calls that wait for the same answer, one goes out; the other waits on, for an
/// answer of its own and no longer than it would have.
#[test]
fn equal_calls_need_an_answer_each() {
    let mut world = World::new(POLICY, None);
    assert!(world.hear(&format!("{}\n{}", call(1, "t"), call(2, "t"))).is_nothing());
    assert_eq!(world.states(), [HoldState::Pending]);
    assert!(world.pass(20).is_nothing());
    world.vote(true);
    let out = world.blink();
    assert_eq!((out.server, out.client.len()), (vec![format!("{}\n", call(1, "t"))], 0));
    assert_eq!(world.states(), [HoldState::Spent, HoldState::Pending]);
    assert!(world.pass(20).is_nothing());
    let late = world.pass(5);
    assert_eq!(code(late.answer(2)), STEP_UP);
    world.vote(true);
    assert_eq!(world.hear(&call(3, "t")).server.len(), 1);
    assert_eq!(world.states(), [HoldState::Spent, HoldState::Spent]);
}

/// Another policy holds from the next look on for what waits: it goes out, is refused, or waits for what is asked now.
#[test]
fn another_policy_holds_for_what_waits() {
    for (old, new, forwarded, answers, holds) in [
        ("approval: approve", "approval: auto", 1, 0, 1),
        ("approval: approve", "approval: block", 0, 1, 1),
        ("local_user", "local_terminal", 0, 0, 2),
        ("asks", "asks", 0, 0, 1),
    ] {
        let mut world = World::new(POLICY, None);
        assert!(world.hear(&call(1, "t")).is_nothing());
        world.gate.replace(load(&POLICY.replace(old, new)));
        world.side.rules_changed();
        let out = world.blink();
        assert_eq!((out.server.len(), out.client.len(), world.holds().len()), (forwarded, answers, holds), "{new}");
        if forwarded + answers == 0 {
            world.vote(true);
            assert_eq!(world.blink().server.len(), 1, "{new}");
        }
    }
    // Another call may be the first to find out: the hold of both then gives way.
    let mut world = World::new(POLICY, None);
    assert!(world.hear(&call(1, "t")).is_nothing());
    world.gate.replace(load(&POLICY.replace("local_user", "local_terminal")));
    assert!(world.hear(&call(2, "t")).is_nothing());
    assert!(world.pass(2).is_nothing());
    for waits in [true, false] {
        world.vote(true);
        assert_eq!((world.blink().server.len(), world.side.waits()), (1, waits));
    }
}

/// Defends invariant 5: the policy files are looked at between the answer and the call that goes out on it, and what they
/// block by then is blocked. As long as nobody has answered, nothing is looked at.
#[test]
fn files_are_looked_at_before_what_was_answered_goes_out() {
    let mut world = World::new(POLICY, None);
    assert!(world.hear(&call(1, "t")).is_nothing());
    NOW_US.set(NOW_US.get() + 2 * SECOND);
    assert!(Out::of(world.side.tick(|_| panic!("nobody has answered"))).is_nothing());
    world.vote(true);
    NOW_US.set(NOW_US.get() + crate::waiting::TICK_US);
    let gate = Arc::clone(&world.gate);
    let out = Out::of(world.side.tick(|_| {
        gate.replace(load(&POLICY.replace("approval: approve", "approval: block")));
        true
    }));
    assert_eq!((out.server.len(), code(out.answer(1)), world.states()), (0, BLOCK, vec![HoldState::Approved]));
}

/// What waits is bounded, in calls and in bytes; what goes beyond is refused with a ticket at once.
#[test]
fn the_waiting_room_is_bounded() {
    let mut world = World::new(POLICY, None);
    for id in 0..64 {
        assert!(world.hear(&call(id, &format!("t{id}"))).is_nothing(), "{id}");
    }
    assert_eq!(code(world.hear(&call(64, "t64")).answer(64)), STEP_UP);
    assert!(world.hear(&cancel("7")).is_nothing());
    assert!(world.hear(&call(65, "t65")).is_nothing());
    let mut world = World::new(POLICY, None);
    let text = "x".repeat(5 * 1024 * 1024);
    let large = |id: u32| call(id, "t").replace("1.0", &format!("\"{text}{id}\""));
    assert!(world.hear(&large(1)).is_nothing());
    assert_eq!(code(world.hear(&large(2)).answer(2)), STEP_UP);
    assert!(world.hear(&call(3, "t")).is_nothing());
}

/// Progress is told to those who asked for it, rises, leaves room for the server's own, and ends with the waiting.
#[test]
fn progress_rises_and_ends() {
    let with_token = call(1, "t").replace(r#""name""#, r#""_meta":{"progressToken":"p 1"}, "name""#);
    for (name, end) in [("approved", 0), ("called off", 1), ("over", 2)] {
        let mut world = World::new(POLICY, None);
        let mut heard = world.hear(&with_token).client;
        heard.extend(world.hear(&call(2, "t2")).client);
        heard.extend(world.pass(25).client);
        let values: Vec<_> = heard.iter().map(|message| message["params"]["progress"].as_i64().unwrap()).collect();
        assert_eq!(values.len(), 3, "{name}: {heard:?}");
        assert!(values.is_sorted_by(|a, b| a < b) && values.iter().all(|value| *value < 0), "{values:?}");
        let hold = world.holds().remove(0);
        for message in &heard {
            assert_eq!(message["method"], json!("notifications/progress"));
            assert_eq!(message["params"]["progressToken"], json!("p 1"));
            let text = message["params"]["message"].as_str().unwrap();
            assert!(text.ends_with(&format!("`thoth approvals approve {}`", hold.token.short())), "{text}");
        }
        let out = match end {
            0 => {
                let approver = Approver { account: "dev".into(), uid: 1000 };
                let (channel, origin) = (Channel::Terminal, String::new());
                let vote = Vote { approver, approves: true, channel, origin, at: now().wall, line: Vec::new() };
                world.gate.desk().vote(&hold.token, &vote).unwrap();
                world.blink()
            }
            1 => world.hear(&cancel("1")),
            _ => world.pass(20),
        };
        let late = out.and(world.pass(40));
        let progress: Vec<_> = late.client.iter().filter(|m| m["method"] == "notifications/progress").collect();
        assert_eq!(progress.len(), if end == 2 { 2 } else { 0 }, "{name}: {late:?}");
    }
}

/// What waits stands in nobody's way, and what the server says about it before it has heard of it counts for nothing.
#[test]
fn others_pass_and_a_guess_is_refused() {
    let mut world = World::new(POLICY, None);
    let mut server = ServerSide::new(
        Arc::clone(&world.gate),
        world.side.caller().clone(),
        thoth_gate::SessionLabels::default(),
        Arc::clone(&world.session),
        Limits::default(),
    );
    let mut say = |line: &str| {
        let mut buffer = FrameBuffer::new(10_000);
        buffer.spare()[..line.len()].copy_from_slice(line.as_bytes());
        buffer.advance(line.len());
        server.deliver(buffer.frames()).frames.len()
    };
    let out = world.hear(&format!("{}\n{}\n{}", call(1, "t"), call(2, "free"), call(3, "free")));
    assert_eq!(out.server, [format!("{}\n", call(2, "free")), format!("{}\n", call(3, "free"))]);
    let answer = |id: u32| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[]}}}}\n");
    assert_eq!((say(&answer(1)), say(&answer(2))), (0, 1));
    assert_eq!(world.hear(&call(1, "free")).server.len(), 0, "its id is taken");
    world.vote(true);
    assert_eq!(world.blink().server.len(), 1);
    assert_eq!((say(&answer(1)), say(&answer(1))), (1, 0));
}

/// A batch goes out whole or not at all, and nothing in it waits. What it calls off of ours is called off, and no server
/// hears of that alone.
#[test]
fn batches_are_refused_with_tickets_and_may_call_off() {
    let mut world = World::new(POLICY, None);
    world.session.lock().negotiate("2025-03-26");
    let out = world.hear(&format!("[{},{}]", call(1, "t"), call(2, "free")));
    assert!(out.server.is_empty() && !world.side.waits());
    let answers = out.client[0].as_array().unwrap();
    assert_eq!(answers.iter().map(code).collect::<Vec<_>>(), [STEP_UP, BLOCK]);
    assert!(answers[0]["error"]["data"]["approve_with"].is_string());
    assert_eq!(world.holds()[0].shown, [Channel::Ticket]);
    for (batch, forwarded) in [(format!("[{}]", cancel("3")), 0), (format!("[{},{}]", cancel("3"), call(4, "free")), 1)]
    {
        assert!(world.hear(&call(3, "t3")).is_nothing());
        let refused = format!("[{},{}]", cancel("3"), call(5, "t5"));
        assert_eq!(world.hear(&refused).client.len(), 1);
        assert!(world.side.waits(), "a refused batch changes nothing");
        assert_eq!(world.hear(&batch).server.len(), forwarded, "{batch}");
        assert!(!world.side.waits(), "{batch}");
    }
}

/// Evidence: what a held call goes through is in the ledger, and nobody waits for an answer to what is not.
#[test]
fn what_is_not_recorded_does_not_wait() {
    let mut world = World::new(POLICY, None);
    world.disk.full.store(true, Ordering::Relaxed);
    assert_eq!(code(world.hear(&call(1, "t")).answer(1)), STEP_UP);
    assert!(!world.side.waits());
    let mut world = World::new(POLICY, None);
    assert!(world.hear(&call(1, "t")).is_nothing());
    assert!(world.pass(60).server.is_empty());
    NOW_US.set(NOW_US.get() + 3600 * SECOND);
    world.side.sweep();
    assert_eq!(world.holds()[0].state, HoldState::Expired);
    for event in ["HOLD_CREATED", "HOLD_SHOWN", "HOLD_EXPIRED"] {
        assert_eq!(world.disk.count(event), 1, "{event}");
    }
}
