//! Calls about which a legacy client asks its user.

use super::*;

const FORM: &str = r#"{"elicitation":{}}"#;

/// The question in what the client hears: its id and its parameters.
fn question(out: &Out) -> Option<(Value, Value)> {
    let mut asked = out.client.iter().filter(|message| message["method"] == "elicitation/create");
    let question = asked.next().map(|message| (message["id"].clone(), message["params"].clone()));
    assert!(asked.next().is_none(), "{out:?}");
    question
}

fn respond(id: &Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn called_off(out: &Out, id: &Value) -> usize {
    let off =
        |message: &&Value| message["method"] == "notifications/cancelled" && message["params"]["requestId"] == *id;
    out.client.iter().filter(off).count()
}

/// A legacy session whose client shows forms, with one call that waits, and the question's id.
fn asked() -> (World, Value) {
    let mut world = World::new(POLICY, None);
    world.initialize(FORM, "a client");
    let out = world.hear(&call(1, "t"));
    assert_eq!((out.server.len(), out.client.len()), (0, 1));
    let (id, parameters) = question(&out).unwrap();
    assert!(parameters["message"].as_str().unwrap().contains("1.0"), "{parameters}");
    assert_eq!(world.holds()[0].shown, [Channel::Client]);
    (world, id)
}

/// Invariant 5: only the chosen word approves. What the client answers is consumed, whatever it is, and late and repeated
/// answers change nothing.
#[test]
fn each_answer_means_one_thing() {
    use HoldState::{Denied, Pending, Spent};
    let cases: [(&str, Option<i64>, HoldState); 9] = [
        (r#""result":{"action":"accept","content":{"decision":"allow once"}}"#, None, Spent),
        (r#""result":{"action":"accept","content":{"decision":"deny"}}"#, Some(-32001), Denied),
        (r#""result":{"action":"decline"}"#, Some(-32001), Denied),
        (r#""result":{"action":"cancel"}"#, Some(-32002), Pending),
        (r#""result":{"action":"accept"}"#, Some(-32002), Pending),
        (r#""result":{"action":"accept","content":{"decision":"ALLOW ONCE"}}"#, Some(-32002), Pending),
        (r#""result":{"action":"accept","content":{"decision":true}}"#, Some(-32002), Pending),
        (r#""result":{"verdict":"accept"}"#, Some(-32002), Pending),
        (r#""error":{"code":-32600,"message":"no"}"#, Some(-32002), Pending),
    ];
    for (answer, refused, state) in cases {
        let (mut world, id) = asked();
        let line = format!(r#"{{"jsonrpc":"2.0","id":{id},{answer}}}"#);
        let out = world.hear(&line);
        assert_eq!(world.states(), [state], "{line}");
        match refused {
            None => assert_eq!((out.server, out.client.len()), (vec![format!("{}\n", call(1, "t"))], 0), "{line}"),
            Some(number) => {
                assert_eq!((out.server.len(), out.client.len()), (0, 1), "{line}");
                assert_eq!(code(out.answer(1)), number, "{line}");
            }
        }
        for late in [&line, &respond(&id, r#"{"action":"accept","content":{"decision":"allow once"}}"#)] {
            assert!(world.hear(late).is_nothing(), "{late}");
            assert_eq!(world.disk.count("FRAME_REFUSED"), 0, "{late}");
        }
        assert_eq!(world.states(), [state], "{line}");
        if state == Pending {
            let again = world.hear(&call(2, "t"));
            assert_eq!(again.client.len(), 1, "the client is not asked twice: {again:?}");
            assert_eq!(code(again.answer(2)), -32002);
        }
        let votes = &world.holds()[0].votes;
        assert!(votes.iter().all(|vote| vote.channel == Channel::Client && vote.origin == "a client"), "{votes:?}");
    }
}

/// A dialogue that nobody needs any more is called off, and only such a one.
#[test]
fn dialogues_end_with_their_calls() {
    type Case = (&'static str, fn(&mut World) -> Out, usize, usize);
    let cases: [Case; 4] = [
        (
            "approved elsewhere",
            |world| {
                world.vote(true);
                world.blink()
            },
            1,
            0,
        ),
        (
            "denied elsewhere",
            |world| {
                world.vote(false);
                world.blink()
            },
            0,
            1,
        ),
        ("nobody answers", |world| world.pass(60), 0, 1),
        ("called off", |world| world.hear(&cancel("1")), 0, 0),
    ];
    for (name, happens, forwarded, answers) in cases {
        let (mut world, id) = asked();
        let out = happens(&mut world);
        assert_eq!(called_off(&out, &id), 1, "{name}: {out:?}");
        assert_eq!((out.server.len(), out.client.len()), (forwarded, answers + 1), "{name}: {out:?}");
        let before = world.states();
        let late = world.hear(&respond(&id, r#"{"action":"accept","content":{"decision":"allow once"}}"#));
        assert!(late.is_nothing(), "{name}: {late:?}");
        assert_eq!(world.states(), before, "{name}");
    }
    let (mut world, id) = asked();
    assert!(world.pass(60).client.len() == 2);
    let again = world.hear(&call(2, "t"));
    assert!(question(&again).is_none() && again.client.len() == 1, "not asked again about the same hold: {again:?}");
    assert!(world.hear(&respond(&id, "{}")).is_nothing());
}

/// Equal calls are one question; the one that its answer does not cover is a question of its own.
#[test]
fn equal_calls_are_asked_about_one_by_one() {
    let (mut world, first) = asked();
    assert!(world.hear(&call(2, "t")).is_nothing());
    let out = world.hear(&respond(&first, r#"{"action":"accept","content":{"decision":"allow once"}}"#));
    assert_eq!(out.server, [format!("{}\n", call(1, "t"))]);
    let (second, _) = question(&out).unwrap();
    assert_ne!(first, second);
    let out = world.hear(&respond(&second, r#"{"action":"decline"}"#));
    assert_eq!((out.server.len(), code(out.answer(2))), (0, -32001));
}

/// A client is asked only where it said that it can, where its answer would count, and in the way that was chosen.
#[test]
fn who_is_asked() {
    let terminal = POLICY.replace("local_user", "local_terminal");
    let two = POLICY.replace("approvers: [local_user]", "quorum: 2, approvers: [local_user, \"user:root\"]");
    let says = |way: &str| POLICY.replace("ttl: 15m", &format!("ttl: 15m, ask: {way}"));
    let long = "x".repeat(500);
    /// What the client can do, its name, the revision, the policy, the flag; whether it is asked, and whether the call waits.
    type Case<'c> = (&'c str, &'c str, &'c str, &'c str, Option<Way>, bool, bool);
    let ticket = says("ticket");
    let inline = says("inline");
    let elicit = says("elicit");
    let cases: &[Case<'_>] = &[
        (FORM, "c", "2025-11-25", POLICY, None, true, true),
        (FORM, &long, "2025-06-18", POLICY, None, true, true),
        (r#"{"elicitation":{"form":{}}}"#, "c", "2025-11-25", POLICY, None, true, true),
        (r#"{"elicitation":{"url":{}}}"#, "c", "2025-11-25", POLICY, None, false, true),
        ("{}", "c", "2025-11-25", POLICY, None, false, true),
        ("{}", "c", "2025-11-25", POLICY, Some(Way::Elicit), false, true),
        (r#"{"elicitation":true}"#, "c", "2025-11-25", POLICY, Some(Way::Elicit), false, true),
        (FORM, "c", "2025-03-26", POLICY, Some(Way::Elicit), false, true),
        (FORM, "c", "2025-11-25", &terminal, Some(Way::Elicit), false, true),
        (FORM, "c", "2025-11-25", &two, Some(Way::Elicit), false, true),
        (FORM, "c", "2025-11-25", POLICY, Some(Way::Inline), false, true),
        (FORM, "c", "2025-11-25", POLICY, Some(Way::Ticket), false, false),
        (FORM, "claude-ai", "2025-11-25", POLICY, None, false, true),
        (FORM, "claude-ai", "2025-11-25", POLICY, Some(Way::Elicit), true, true),
        (FORM, "claude-ai", "2025-11-25", &elicit, None, true, true),
        (FORM, "c", "2025-11-25", &ticket, None, false, false),
        (FORM, "c", "2025-11-25", &inline, None, false, true),
        (FORM, "c", "2025-11-25", &ticket, Some(Way::Auto), true, true),
    ];
    for case in cases {
        let (capabilities, name, revision, policy, way, is_asked, waits) = *case;
        let mut world = World::new(policy, way);
        world.initialize(capabilities, name);
        world.session.lock().negotiate(revision);
        let out = world.hear(&call(1, "t"));
        assert_eq!((question(&out).is_some(), world.side.waits()), (is_asked, waits), "{case:?}: {out:?}");
    }
    let mut world = World::new(POLICY, None);
    world.side.approval.hold_timeout = std::time::Duration::ZERO;
    world.initialize(FORM, "c");
    assert_eq!(code(world.hear(&call(1, "t")).answer(1)), -32002, "nothing waits where there is no time to");
}

/// To go to an address is not to approve: the call waits on until it is approved there.
#[test]
fn an_address_approves_nothing() {
    let policy = POLICY
        .replace("local_user", "\"user:root\"")
        .replace("ttl: 15m", "ttl: 15m, url: \"https://a.example/{hold}\"");
    for (answer, refused) in [("accept", None), ("decline", Some(-32001)), ("cancel", Some(-32002))] {
        let mut world = World::new(&policy, None);
        world.initialize(r#"{"elicitation":{"url":{}}}"#, "c");
        let out = world.hear(&call(1, "t"));
        let (id, parameters) = question(&out).unwrap();
        let hold = world.holds().pop().unwrap();
        assert_eq!(parameters["mode"], json!("url"));
        assert_eq!(parameters["url"], json!(format!("https://a.example/{}", hold.token)));
        let out = world.hear(&respond(&id, &format!(r#"{{"action":"{answer}"}}"#)));
        assert!(out.server.is_empty(), "{answer}");
        let done = |out: &Out| {
            let done = |message: &&Value| message["method"] == "notifications/elicitation/complete";
            out.client.iter().find(done).map(|message| message["params"]["elicitationId"].clone())
        };
        if let Some(number) = refused {
            assert_eq!(code(out.answer(1)), number, "{answer}");
            assert_eq!(done(&out), Some(parameters["elicitationId"].clone()), "{answer}");
            continue;
        }
        assert!(out.is_nothing() && world.states() == [HoldState::Pending]);
        let approver = Approver { account: "root".into(), uid: 0 };
        let vote = Vote {
            approver,
            approves: true,
            channel: Channel::Terminal,
            origin: String::new(),
            at: now().wall,
            line: Vec::new(),
        };
        world.gate.desk().vote(&hold.token, &vote).unwrap();
        let out = world.blink();
        assert_eq!(out.server.len(), 1);
        assert_eq!((done(&out), called_off(&out, &id)), (Some(parameters["elicitationId"].clone()), 0));
    }
}

/// What answers nobody's question is refused as before, and reaches no server.
#[test]
fn what_we_did_not_ask_is_not_ours() {
    let (mut world, _) = asked();
    let made_up = respond(&json!("thoth-00000000000000000000000000000000"), r#"{"action":"accept"}"#);
    assert!(world.hear(&made_up).server.is_empty());
    assert_eq!((world.disk.count("FRAME_REFUSED"), world.states()), (1, vec![HoldState::Pending]));
}
