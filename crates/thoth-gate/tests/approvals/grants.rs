//! Grants: leave for more calls of one kind, no wider and no longer than was given.

use thoth_gate::hold::{HoldState, VoteError};
use thoth_gate::{Holds as _, HoldsError};
use thoth_types::{Caller, Channel, Decision, GrantScope, Mode, ReasonCode, Requester, Vote};

use crate::world::{ASKS, POLICY, Use, World, caller, requester, session, short, standing, time, vote};

const HELD: &str = r#"{"path":"/srv/data/a","force":false}"#;
const PATTERNS: &[(&str, &str)] = &[("path", "/srv/data/*"), ("force", "false")];

/// A world with a grant for [`PATTERNS`] until second 1000, whose approval is used up.
fn granted() -> World {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", HELD, 0);
    assert_eq!(short(&world.call("write_note", HELD, 1)), None);
    world.desk().grant(&world.wish(&token, PATTERNS, 1000), time(2)).unwrap();
    world
}

#[test]
fn a_grant_covers_what_it_names() {
    let mut world = granted();
    for second in [3, 4, 999] {
        assert_eq!(short(&world.call("write_note", r#"{"path":"/srv/data/b","force":false,"x":1}"#, second)), None);
    }
    let decision = world.last_decision();
    assert_eq!((&decision["reasonCode"], &decision["decision"]), (&"granted".into(), &"ALLOW".into()));
    let given = world.events_of("GRANT_GIVEN").remove(0);
    assert_eq!(decision["grantId"], given["grantId"]);
    assert!(given["grantId"].is_string());
    assert_eq!((&given["approver"], &given["approvalChannel"]), (&"dev".into(), &"terminal".into()));
    assert_eq!(given["holdTokenDigest"], world.events_of("HOLD_CREATED")[0]["holdTokenDigest"]);
    assert!(decision["reason"].as_str().unwrap().contains("given by dev"), "{decision}");
    let blocked = Some((Decision::Block, ReasonCode::RuleBlock));
    for (tool, arguments, second, expected) in [
        ("write_note", r#"{"path":"/srv/data/b","force":true}"#, 3, ASKS),
        ("write_note", r#"{"path":"/srv/data/b"}"#, 3, ASKS),
        ("write_note", r#"{"path":"/srv/data/../keys","force":false}"#, 3, ASKS),
        ("write_file", HELD, 3, ASKS),
        ("delete_note", HELD, 3, blocked),
        ("write_note", HELD, 1000, ASKS),
        // A clock that was put back by hours tells nothing.
        ("write_note", HELD, -9000, ASKS),
    ] {
        assert_eq!(short(&granted().call(tool, arguments, second)), expected, "{tool} {arguments} {second}");
    }
    let others = [
        Caller { agent: "other".parse().ok(), ..caller(Mode::Block) },
        Caller { agent: None, ..caller(Mode::Block) },
        Caller { tenant: "acme".parse().ok(), ..caller(Mode::Block) },
        Caller { server: "other".parse().unwrap(), ..caller(Mode::Block) },
    ];
    for other in others {
        let mut world = granted();
        world.session = session(other);
        assert_eq!(short(&world.call("write_note", HELD, 3)), ASKS);
    }
    let named = |uid, user: &str| Requester { uid, user: user.parse().ok(), ..requester() };
    for (asker, expected) in [(named(1000, ""), None), (named(1001, ""), ASKS), (named(1000, "somebody"), ASKS)] {
        let mut world = granted();
        world.session = session(caller(Mode::Block)).requested_by(asker);
        assert_eq!(short(&world.call("write_note", HELD, 3)), expected);
    }
}

/// A grant lets through only what the policy lets grants let through, now.
#[test]
fn a_grant_must_meet_what_is_required_now() {
    let blocked = Some((Decision::Block, ReasonCode::RuleBlock));
    for (from, to, second, expected) in [
        ("grants: { longest: 30m }", "requester_may_approve: true", 3, ASKS),
        ("longest: 30m", "longest: 1m", 3, None),
        ("longest: 30m", "longest: 1m", 60, ASKS),
        ("[local_user]", "[\"user:root\"]", 3, ASKS),
        ("[local_user]", "[local_user, \"user:root\"]\n  quorum: 2", 3, ASKS),
        ("approval: approve", "approval: block", 3, blocked),
    ] {
        let mut world = granted();
        world.gate.replace(standing(&POLICY.replace(from, to)));
        assert_eq!(short(&world.call("write_note", HELD, second)), expected, "{to} {second}");
    }
}

/// A "no" to this very call goes before any grant.
#[test]
fn a_denial_goes_before_a_grant() {
    let mut world = World::new(POLICY, Mode::Block);
    let other = r#"{"path":"/srv/data/z","force":false}"#;
    assert_eq!(short(&world.call("write_note", other, 0)), ASKS);
    world.answer(false, 1);
    let token = world.approved("write_note", HELD, 2);
    world.desk().grant(&world.wish(&token, PATTERNS, 1000), time(3)).unwrap();
    let denied = Some((Decision::Block, ReasonCode::ApprovalDenied));
    assert_eq!(short(&world.call("write_note", other, 4)), denied);
    assert_eq!(short(&world.call("write_note", other, 601)), None, "the denial is over, the grant is not");
}

/// Who gave a grant, to whom and for which tool is what the hold says, whatever the wish says.
#[test]
fn a_wish_cannot_say_who_gave_it() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", HELD, 0);
    let mut wish = world.wish(&token, &[], 100);
    wish.scope = GrantScope { tenant: None, agent: None, server: "other".parse().unwrap(), tool: "write_file".into() };
    wish.requester = Requester { uid: 7, ..requester() };
    wish.given = vec![vote(7, true, 0), Vote { channel: Channel::Client, ..vote(0, true, 50) }];
    let given = world.desk().grant(&wish, time(2)).unwrap();
    let hold = world.holds.look(&token).unwrap();
    assert_eq!((&given.given, &given.requester), (&hold.votes, &hold.requester));
    assert_eq!((given.scope.server.as_str(), &*given.scope.tool), ("files", "write_note"));
    assert_eq!(world.holds.grants(time(3)).unwrap(), [given]);
}

/// Which holds and lengths allow a grant.
#[test]
fn grants_are_no_wider_than_the_policy_and_the_approval() {
    type Prepare = fn(&mut World);
    let none: Prepare = |_| {};
    let denied: Prepare = |world| drop(world.answer(false, 2));
    let spent: Prepare = |world| assert_eq!(short(&world.call("write_note", HELD, 2)), None);
    /// The longest that the policy allows, what happens first, patterns, wanted end, when; the end, or why not.
    type Case<'c> = (&'c str, Prepare, &'c [(&'c str, &'c str)], i64, i64, Result<i64, &'c str>);
    let cases: &[Case<'_>] = &[
        ("30m", none, PATTERNS, 1000, 3, Ok(1000)),
        ("30m", spent, &[], 1000, 3, Ok(1000)),
        // It counts from the approval, at second 1.
        ("30m", none, &[], 1803, 3, Ok(1801)),
        ("30m", spent, &[], 2000, 1000, Ok(1801)),
        ("30m", none, &[], 1804, 3, Err("1800 seconds at most")),
        ("30m", spent, &[], 1900, 1801, Err("too long ago")),
        ("30m", none, &[], 3, 3, Err("end at once")),
        ("30m", none, &[], -5, 3, Err("end at once")),
        ("30m", none, &[], 700, 650, Err("expired")),
        ("30m", denied, &[], 100, 3, Err("denied")),
        ("30m", none, &[("path", "/other/*")], 100, 3, Err("do not cover")),
        ("30m", none, &[("pa..th", "*")], 100, 3, Err("no argument path")),
        ("0", none, &[], 100, 3, Err("allows no grants")),
    ];
    for (longest, prepare, patterns, ends, second, expected) in cases {
        let policy = match *longest {
            "0" => POLICY.replace("grants: { longest: 30m }", "terminal: true"),
            longest => POLICY.replace("longest: 30m", &format!("longest: {longest}")),
        };
        let mut world = World::new(&policy, Mode::Block);
        assert_eq!(short(&world.call("write_note", HELD, 0)), ASKS);
        let token = world.answer(true, 1);
        prepare(&mut world);
        let given = world.desk().grant(&world.wish(&token, patterns, *ends), time(*second));
        match (&given, expected) {
            (Ok(grant), Ok(ends)) => assert_eq!(grant.ends_at, time(*ends)),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error} {part}"),
            _ => panic!("{given:?} {expected:?}"),
        }
        let recorded = world.events_of("GRANT_GIVEN").len();
        assert_eq!((recorded, world.holds.grants(time(0)).unwrap().len()), if given.is_ok() { (1, 1) } else { (0, 0) });
    }
    let mut pending = World::new(POLICY, Mode::Block);
    assert_eq!(short(&pending.call("write_note", HELD, 0)), ASKS);
    let refused = pending.desk().grant(&pending.wish(&pending.newest().token, &[], 100), time(1));
    assert!(matches!(refused, Err(HoldsError::Vote(VoteError::Closed(HoldState::Pending)))), "{refused:?}");
}

/// Two accounts that agreed to one call have not agreed to more: neither can make a grant of it.
#[test]
fn dual_control_is_not_widened_by_one() {
    let policy = POLICY.replace("[local_user]", "[local_user, \"user:account7\"]\n  quorum: 2");
    let mut world = World::new(&policy, Mode::Block);
    assert_eq!(short(&world.call("write_note", HELD, 0)), ASKS);
    let token = world.answer(true, 1);
    assert_eq!(short(&world.call("write_note", HELD, 2)), ASKS, "one of two");
    world.desk().vote(&token, &vote(7, true, 3)).unwrap();
    let refused = world.desk().grant(&world.wish(&token, &[], 100), time(4));
    assert!(matches!(refused, Err(HoldsError::NotGranted(_))), "{refused:?}");
    assert_eq!(short(&world.call("write_note", HELD, 5)), None);
    let words = |kind| world.events_of(kind).iter().map(|event| event["approver"].clone()).collect::<Vec<_>>();
    assert_eq!((words("HOLD_ANSWERED"), words("HOLD_RESOLVED")), (vec!["dev".into()], vec!["account7".into()]));
}

/// An approval that came with a grant ends with it, however it ends.
#[test]
fn nothing_of_a_grant_is_left_when_it_ends() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", HELD, 0);
    let grant = world.desk().grant(&world.wish(&token, &[], 60), time(1)).unwrap();
    assert_eq!(short(&world.call("write_note", HELD, 59)), None);
    assert_eq!(world.state(&token), HoldState::Approved, "the grant covered it");
    assert_eq!(short(&world.call("write_note", HELD, 60)), ASKS);

    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", HELD, 0);
    world.desk().grant(&world.wish(&token, &[], 60), time(1)).unwrap();
    world.desk().revoke(&grant.id, &vote(1000, false, 2)).unwrap();
    assert_eq!(short(&world.call("write_note", HELD, 3)), ASKS);
    assert_eq!(world.state(&token), HoldState::Expired);
    assert_eq!(world.events_of("GRANT_REVOKED")[0]["grantId"], world.events_of("GRANT_GIVEN")[0]["grantId"]);
    assert_eq!(world.events_of("HOLD_EXPIRED").len(), 1);
    assert!(matches!(world.desk().revoke(&grant.id, &vote(1000, false, 4)), Err(HoldsError::Unknown(_))));
}

/// A grant that could not be recorded is none; a revocation that could not be is one.
#[test]
fn failures_tighten_grants() {
    let mut world = World::new(POLICY, Mode::Block);
    let token = world.approved("write_note", HELD, 0);
    world.break_ledger(true);
    assert!(world.desk().grant(&world.wish(&token, &[], 100), time(1)).is_err());
    world.break_ledger(false);
    world.fail(&[Use::Grant]);
    assert!(world.desk().grant(&world.wish(&token, &[], 100), time(1)).is_err());
    world.fail(&[]);
    assert_eq!(world.holds.grants(time(1)).unwrap(), []);

    let mut world = granted();
    world.break_ledger(true);
    let id = std::sync::Arc::clone(&world.holds.grants(time(3)).unwrap()[0].id);
    assert!(world.desk().revoke(&id, &vote(1000, false, 3)).is_err());
    world.break_ledger(false);
    assert_eq!(short(&world.call("write_note", HELD, 4)), ASKS);
}
