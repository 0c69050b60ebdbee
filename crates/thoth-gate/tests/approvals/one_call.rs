//! One approval, one call: this very one.

use thoth_gate::Holds as _;
use thoth_gate::hold::HoldState;
use thoth_types::{Caller, Decision, Mode, ReasonCode};

use crate::world::{ASKS, POLICY, Use, World, at, caller, session, short, standing, vote};

const ARGUMENTS: &str = r#"{"path":"/a","n":1,"text":"é"}"#;

/// One approval lets exactly one call through, and everything that happened is linked by fields.
#[test]
fn an_approval_lets_one_call_through() {
    let mut world = World::new(POLICY, Mode::Block);
    let asked = world.call("write_note", ARGUMENTS, 0).unwrap();
    let hold = asked.hold.clone().unwrap();
    assert_eq!((asked.decision, asked.reason.as_str()), (Decision::StepUp, "somebody must look"));
    assert_eq!((&*hold.arguments, hold.ends_at), (ARGUMENTS.as_bytes(), at(600).wall));
    let again = world.call("write_note", ARGUMENTS, 1).unwrap();
    assert_eq!(again.hold.unwrap().token, hold.token, "the same hold, however often it is asked");
    world.answer(true, 2);
    assert_eq!(short(&world.call("write_note", ARGUMENTS, 3)), None);
    let spender = world.last_decision();
    assert_eq!(world.state(&hold.token), HoldState::Spent);
    let third = world.call("write_note", ARGUMENTS, 4).unwrap();
    assert_eq!(short(&Some(third.clone())), ASKS);
    assert_ne!(third.hold.unwrap().token, hold.token);

    assert_eq!((&spender["decision"], &spender["reasonCode"]), (&"ALLOW".into(), &"approved".into()));
    assert_eq!((&spender["reason"], &spender["rule"]), (&"approved by dev".into(), &"write".into()));
    let created = world.events_of("HOLD_CREATED").remove(0);
    let resolved = world.events_of("HOLD_RESOLVED").remove(0);
    let spent = world.events_of("HOLD_SPENT").remove(0);
    assert_eq!((&created["holdState"], &created["holdQuorum"]), (&"pending".into(), &1.into()));
    assert!(created["holdEndsAt"].is_string());
    assert_eq!((&resolved["holdState"], &resolved["approver"]), (&"approved".into(), &"dev".into()));
    assert_eq!((&resolved["approvalChannel"], &resolved["approvalOrigin"]), (&"terminal".into(), &"pts/1".into()));
    assert_eq!(spent["spentBy"], spender["callId"]);
    assert_ne!(spent["spentBy"], spent["callId"]);
    for event in [&created, &resolved, &spent] {
        assert_eq!((&event["callId"], &event["traceId"]), (&created["callId"], &created["traceId"]));
        assert_eq!(event["argumentsDigest"], spender["argumentsDigest"]);
    }
    for event in [&resolved, &spent, &spender] {
        assert!(created["holdTokenDigest"].is_string());
        assert_eq!(event["holdTokenDigest"], created["holdTokenDigest"]);
    }
    let text = world.events().iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains(hold.token.as_str()), "the token itself never reaches the ledger");
}

/// Another byte of the arguments, another tool, server, agent or organisation is asked again; another spelling is not.
#[test]
fn only_this_very_call_is_approved() {
    let same = [r#"{ "text":"\u00e9", "n":1, "path":"\/a" }"#, ARGUMENTS];
    let other = [
        r#"{"path":"/b","n":1,"text":"é"}"#,
        r#"{"path":"/a","n":1.0,"text":"é"}"#,
        r#"{"path":"/a","n":"1","text":"é"}"#,
        r#"{"path":"/a","n":1,"text":"e"}"#,
        r#"{"path":"/a","n":1,"text":"é","x":null}"#,
        r#"{"path":"/a","n":1}"#,
    ];
    for (arguments, expected) in same.map(|text| (text, None)).into_iter().chain(other.map(|text| (text, ASKS))) {
        let mut world = World::new(POLICY, Mode::Block);
        world.approved("write_note", ARGUMENTS, 0);
        assert_eq!(short(&world.call("write_note", arguments, 1)), expected, "{arguments}");
    }
    let base = || caller(Mode::Block);
    let callers: [(Caller, &str, Option<_>); 6] = [
        (base(), "write_file", ASKS),
        (base(), "write_note ", ASKS),
        (Caller { server: "filed".parse().unwrap(), ..base() }, "write_note", ASKS),
        (Caller { agent: "agens".parse().ok(), ..base() }, "write_note", ASKS),
        (Caller { tenant: "acme".parse().ok(), ..base() }, "write_note", ASKS),
        // A new session of the same agent makes the same call.
        (Caller { session: "other".parse().unwrap(), ..base() }, "write_note", None),
    ];
    for (caller, tool, expected) in callers {
        let mut world = World::new(POLICY, Mode::Block);
        world.approved("write_note", ARGUMENTS, 0);
        world.session = session(caller.clone());
        assert_eq!(short(&world.call(tool, ARGUMENTS, 1)), expected, "{caller:?} {tool}");
    }
}

/// What the policy calls volatile may change between the approval and the call; nothing beside it, and not for long.
#[test]
fn volatile_arguments_may_change() {
    let approved = r#"{"path":"/a","timeout":1,"options":{"trace_id":"x","mode":"r"}}"#;
    for (arguments, expected) in [
        (r#"{"path":"/a","timeout":2,"options":{"trace_id":"y","mode":"r"}}"#, None),
        (r#"{"path":"/a","options":{"mode":"r"}}"#, None),
        (r#"{"path":"/a","timeout":1,"options":{"trace_id":"x","mode":"w"}}"#, ASKS),
        (r#"{"path":"/b","timeout":1,"options":{"trace_id":"x","mode":"r"}}"#, ASKS),
        (r#"{"path":"/a","timeout":1}"#, ASKS),
    ] {
        let mut world = World::new(POLICY, Mode::Block);
        world.approved("write_note", approved, 0);
        assert_eq!(short(&world.call("write_note", arguments, 1)), expected, "{arguments}");
    }
    // For another tool they are arguments as all others.
    let mut world = World::new(POLICY, Mode::Block);
    world.approved("write_file", r#"{"timeout":1}"#, 0);
    assert_eq!(short(&world.call("write_file", r#"{"timeout":2}"#, 1)), ASKS);
    // A policy that no longer says so is obeyed at once.
    let mut world = World::new(POLICY, Mode::Block);
    world.approved("write_note", r#"{"timeout":1}"#, 0);
    world.gate.replace(standing(&POLICY.replace("write_note", "write_other")));
    assert_eq!(short(&world.call("write_note", "{}", 1)), ASKS);
}

/// A model cannot nag: what was denied is refused unasked for the time to live, and says so.
#[test]
fn a_denial_stands() {
    let mut world = World::new(POLICY, Mode::Block);
    let denied = Some((Decision::Block, ReasonCode::ApprovalDenied));
    assert_eq!(short(&world.call("write_note", ARGUMENTS, 0)), ASKS);
    let token = world.answer(false, 60);
    for second in [61, 300, 659] {
        let refused = world.call("write_note", ARGUMENTS, second);
        assert_eq!(short(&refused), denied, "{second}");
        let refused = refused.unwrap();
        assert_eq!(refused.hold.unwrap().token, token);
        let until = at(660).wall;
        assert!(refused.reason.starts_with("a person has denied this very call"), "{}", refused.reason);
        assert!(refused.reason.contains(&until.to_string()), "{} {until}", refused.reason);
    }
    assert_eq!(world.last_decision()["holdTokenDigest"], world.events_of("HOLD_RESOLVED")[0]["holdTokenDigest"]);
    assert_eq!(world.events_of("HOLD_CREATED").len(), 1);
    assert_eq!(short(&world.call("write_note", r#"{"other":1}"#, 62)), ASKS, "another call is another question");
    assert_eq!(short(&world.call("write_note", ARGUMENTS, 660)), ASKS);
    assert_eq!(world.state(&token), HoldState::Denied, "it was answered, and did not expire");
}

/// Calls that need nobody cost nothing: the store is not even asked.
#[test]
fn calls_that_need_nobody_never_touch_the_store() {
    for mode in [Mode::Block, Mode::Observe, Mode::Progressive, Mode::StepUp] {
        let mut world = World::new(POLICY, mode);
        world.fail(&[Use::Consult, Use::Spend, Use::Update, Use::Grant, Use::Count]);
        assert_eq!(short(&world.call("read_note", "{}", 0)), None);
        assert!(world.call("delete_note", "{}", 1).is_some());
        world.batch(&[("read_a", "{}"), ("read_b", "{}")], 2);
        world.batch(&[("read_a", "{}"), ("delete_b", "{}")], 2);
        assert_eq!(*world.holds.uses.lock().unwrap(), [], "{mode}");
    }
}

/// An approval that was given under other demands does not outlive them.
#[test]
fn an_approval_must_meet_what_is_required_now() {
    let tighter = [
        ("approvers: [local_user]", "approvers: [\"user:root\"]", ASKS),
        ("approvers: [local_user]", "approvers: [local_user, \"user:root\"]\n  quorum: 2", ASKS),
        ("approvers: [local_user]", "approvers: [local_user, \"user:root\"]\n  requester_may_approve: false", ASKS),
        ("ttl: 10m", "ttl: 1m", ASKS),
        ("approval: approve", "approval: block", Some((Decision::Block, ReasonCode::RuleBlock))),
        // What makes no difference to an approval that was given asks nobody again.
        ("approvers: [local_user]", "approvers: [local_user, \"user:root\"]", None),
        ("ttl: 10m", "ttl: 20m", None),
    ];
    for (from, to, expected) in tighter {
        let mut world = World::new(POLICY, Mode::Block);
        let token = world.approved("write_note", "{}", 0);
        let changed = POLICY.replace(from, to);
        assert_ne!(changed, POLICY);
        world.gate.replace(standing(&changed));
        assert_eq!(short(&world.call("write_note", "{}", 90)), expected, "{to}");
        let gave_way = expected == ASKS;
        assert_eq!(world.state(&token) == HoldState::Expired, gave_way, "{to}");
        assert_eq!(world.events_of("HOLD_EXPIRED").len(), usize::from(gave_way), "{to}: its end is recorded");
    }
}

/// An approval is not for the account or person who calls next from somewhere else.
#[test]
fn an_approval_is_for_those_who_asked() {
    let stranger = |uid, user: Option<&str>| thoth_types::Requester {
        uid,
        user: user.map(|name| name.parse().unwrap()),
        ..crate::world::requester()
    };
    let apart =
        POLICY.replace("approvers: [local_user]", "approvers: [\"user:account7\"]\n  requester_may_approve: false");
    for (requester, expected) in [
        (stranger(1000, None), None),
        (stranger(7, None), ASKS),
        (stranger(1000, Some("account7")), ASKS),
        (stranger(1000, Some("somebody")), None),
    ] {
        let mut world = World::new(&apart, Mode::Block);
        assert_eq!(short(&world.call("write_note", "{}", 0)), ASKS);
        world.desk().vote(&world.newest().token, &vote(7, true, 1)).unwrap();
        world.session = session(caller(Mode::Block)).requested_by(requester.clone());
        assert_eq!(short(&world.call("write_note", "{}", 2)), expected, "{requester:?}");
    }
}

/// Without a name for the hold there is none, and the call does not go out.
#[test]
fn without_randomness_nobody_is_asked() {
    let mut world = World::new(POLICY, Mode::Block);
    let call = thoth_types::ToolCall {
        tool: "write_note".into(),
        arguments: thoth_types::Arguments::NONE,
        listed: thoth_types::Listed::Yes,
        integrity: None,
        retry_of: None,
        task: false,
        remote: None,
        also_sent: Box::default(),
        enforcement_trace: None,
    };
    let mut round = world.gate.round(&mut world.session);
    let answer = round.admit(&call, b"frame\n".as_slice().into(), &|| None, at(0));
    let thoth_gate::Answer::Refused(refused) = answer else { panic!("admitted") };
    assert_eq!((refused.decision, refused.reason_code), (Decision::Block, ReasonCode::ApprovalUnavailable));
    assert!(round.commit().permits.is_empty());
    assert!(world.holds.list().unwrap().is_empty());
}
