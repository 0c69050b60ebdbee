//! Calls about which a modern client asks its user: the question goes out as the answer, the call comes back with what
//! the user said, and the server gets it as if nothing had been asked.

use super::*;

/// A call of revision 2026-07-28 with `more` members of its parameters behind the arguments.
fn modern(id: u32, number: &str, more: &str) -> String {
    let meta = r#"{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"m","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}"#;
    format!(
        r#"{{ "jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t" , "_meta":{meta},"arguments":{{"n": {number}}}{more}}}}}"#
    )
}

/// A call that was answered with a question: its key, its state.
fn asked(world: &mut World, id: u32) -> (String, String) {
    let out = world.hear(&modern(id, "1.0", ""));
    assert!(out.server.is_empty() && !world.side.waits() && world.session.lock().from_client.is_empty());
    let result = &out.answer(id)["result"];
    assert_eq!(result["resultType"], json!("input_required"));
    let requests = result["inputRequests"].as_object().unwrap();
    let (key, request) = requests.iter().next().unwrap();
    assert_eq!((requests.len(), &request["method"]), (1, &json!("elicitation/create")));
    (key.clone(), result["requestState"].as_str().unwrap().to_owned())
}

fn answer(key: &str, state: &str, result: &str) -> String {
    format!(r#","inputResponses":{{"{key}":{result}}},"requestState":"{state}""#)
}

const ALLOW: &str = r#"{"action":"accept","content":{"decision":"allow once"}}"#;

/// Invariant 5, and nothing of ours leaks: only the chosen word lets the call through, and then the server gets the bytes
/// that it would have got.
#[test]
fn each_answer_means_one_thing() {
    use HoldState::{Denied, Pending, Spent};
    for (result, refused, state) in [
        (ALLOW, None, Spent),
        (r#"{"action":"accept","content":{"decision":"deny"}}"#, Some(-32001), Denied),
        (r#"{"action":"decline"}"#, Some(-32001), Denied),
        (r#"{"action":"cancel"}"#, Some(-32002), Pending),
        (r#"{"action":"accept","content":{}}"#, Some(-32002), Pending),
        ("5", Some(-32002), Pending),
    ] {
        let mut world = World::new(POLICY, None);
        let (key, sealed) = asked(&mut world, 1);
        assert_eq!(world.holds()[0].shown, [Channel::Client]);
        let out = world.hear(&modern(2, "1.0", &answer(&key, &sealed, result)));
        match refused {
            None => assert_eq!((out.server, out.client), (vec![format!("{}\n", modern(2, "1.0", ""))], vec![])),
            Some(number) => assert_eq!((out.server.len(), code(out.answer(2))), (0, number), "{result}"),
        }
        assert_eq!(world.states(), [state], "{result}");
        if state == Pending {
            assert_eq!(code(world.hear(&modern(3, "1.0", "")).answer(3)), -32002, "not asked twice");
            world.vote(true);
            assert_eq!(world.hear(&modern(4, "1.0", "")).server.len(), 1);
        }
    }
}

/// What claims to be an answer to us and is none goes nowhere and approves nothing.
#[test]
fn a_false_answer_goes_nowhere() {
    type Case = (&'static str, fn(&mut World, &str, &str) -> String, HoldState);
    use HoldState::{Expired, Pending, Spent};
    let cases: [Case; 5] = [
        (
            "used before",
            |world, key, state| {
                assert_eq!(world.hear(&modern(2, "1.0", &answer(key, state, ALLOW))).server.len(), 1);
                modern(3, "1.0", &answer(key, state, ALLOW))
            },
            Spent,
        ),
        ("of another call", |_, key, state| modern(3, "1", &answer(key, state, ALLOW)), Pending),
        (
            "changed",
            |_, key, state| {
                let mut state = state.to_owned();
                let last = if state.pop() == Some('A') { 'B' } else { 'A' };
                state.push(last);
                modern(3, "1.0", &answer(key, &state, ALLOW))
            },
            Pending,
        ),
        (
            "too late",
            |_, key, state| {
                NOW_US.set(NOW_US.get() + 16 * 60 * SECOND);
                modern(3, "1.0", &answer(key, state, ALLOW))
            },
            Expired,
        ),
        (
            "of another session",
            |_, key, _| {
                let mut other = World::new(POLICY, None);
                other.side.kept.dialogues.sealer =
                    crate::sealed_state::Sealer::new(thoth_types::Redacted::new([9; 32]), &rehearsal::caller().session);
                let (_, state) = asked(&mut other, 1);
                modern(3, "1.0", &answer(key, &state, ALLOW))
            },
            Pending,
        ),
    ];
    for (name, make, state) in cases {
        let mut world = World::new(POLICY, None);
        let (key, sealed) = asked(&mut world, 1);
        let line = make(&mut world, &key, &sealed);
        let out = world.hear(&line);
        assert!(out.server.is_empty(), "{name}");
        assert_eq!(code(out.answer(3)), -32002, "{name}");
        assert_eq!((world.states(), world.disk.count("FRAME_REFUSED")), (vec![state], 1), "{name}");
    }
}

/// What is the server's passes as it stands, and a call that carries it is not asked about in this way: its state would
/// have to give way to ours.
#[test]
fn the_servers_own_round_trip_is_left_alone() {
    let own = r#","inputResponses":{"k":{"action":"accept"}},"requestState":"thoth1.x""#;
    let mut world = World::new(POLICY, None);
    let free = modern(1, "1.0", own).replace(r#""name":"t""#, r#""name":"free""#);
    assert_eq!(world.hear(&free).server, [format!("{free}\n")]);
    assert!(world.hear(&modern(2, "1.0", own)).is_nothing() && world.side.waits());
    world.vote(true);
    assert_eq!(world.blink().server, [format!("{}\n", modern(2, "1.0", own))]);
    // The answer to our earlier question beside the server's state: only ours is taken out.
    let mut world = World::new(POLICY, Some(Way::Inline));
    let key = "io.github.thoth-mcp/approval-00000000";
    let mixed = format!(r#","inputResponses":{{"{key}":{ALLOW},"k":1}},"requestState":"s""#);
    assert!(world.hear(&modern(1, "1.0", &mixed)).is_nothing());
    world.vote(true);
    let cut = modern(1, "1.0", r#","inputResponses":{"k":1},"requestState":"s""#);
    assert_eq!(world.blink().server, [format!("{cut}\n")]);
}

/// A client that does not say that it can ask is not made to, whatever an earlier request said.
#[test]
fn every_request_says_whether_it_can_be_asked() {
    let mut world = World::new(POLICY, None);
    let (key, sealed) = asked(&mut world, 1);
    let silent = modern(2, "2", "").replace(r#"{"elicitation":{}}"#, "{}");
    assert!(world.hear(&silent).is_nothing() && world.side.waits());
    let out = world.hear(&modern(3, "1.0", &answer(&key, &sealed, ALLOW)));
    assert_eq!(out.server, [format!("{}\n", modern(3, "1.0", ""))], "others are answered while one waits");
}

/// A server that asks for more after the call was approved gets it: the call that brings it continues the approved one,
/// and no person is asked twice about one call.
#[test]
fn a_server_may_ask_more_of_an_approved_call() {
    let mut world = World::new(POLICY, None);
    let (caller, session) = (world.side.caller().clone(), Arc::clone(&world.session));
    let labels = thoth_gate::SessionLabels::default();
    let gate = Arc::clone(&world.gate);
    let mut server = crate::server_side::ServerSide::new(gate, caller, labels, session, Limits::default());
    let (key, sealed) = asked(&mut world, 1);
    assert_eq!(world.hear(&modern(2, "1.0", &answer(&key, &sealed, ALLOW))).server.len(), 1);
    let line = r#"{"jsonrpc":"2.0","id":2,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":"s"}}"#;
    let mut buffer = FrameBuffer::new(10_000);
    let line = format!("{line}\n");
    buffer.spare()[..line.len()].copy_from_slice(line.as_bytes());
    buffer.advance(line.len());
    assert_eq!(server.deliver(buffer.frames()).frames.len(), 1);
    // Some clients send all the answers that they ever gave.
    let all = format!(r#","inputResponses":{{"k":{{"roots":[]}},"{key}":{ALLOW}}},"requestState":"s""#);
    let out = world.hear(&modern(3, "1.0", &all));
    let cut = modern(3, "1.0", r#","inputResponses":{"k":{"roots":[]}},"requestState":"s""#);
    assert_eq!((out.server, out.client), (vec![format!("{cut}\n")], vec![]));
    assert_eq!(world.states(), [HoldState::Spent]);
    // That was the one call that continues it.
    assert!(world.hear(&modern(4, "1.0", &all)).server.is_empty());
}
