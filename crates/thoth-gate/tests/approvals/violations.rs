//! Progressive mode: what was passed with a warning is asked about, and then blocked.

use thoth_gate::Holds as _;
use thoth_types::{Caller, Decision, Mode, ReasonCode};

use crate::world::{Answered, BATCH, Use, World, caller, session, short};

const POLICY: &str = r#"
version: "1"
defaults: { approval: block, risk_level: high }
gateway: { allowed_tools: ["read_*"] }
approvals: { approvers: [local_user], grants: { longest: 30m } }
rules:
  - { name: all, match: { tool: "*" }, approval: auto, risk_level: low }
  - { name: delete, match: { tool: "delete_*" }, approval: block, risk_level: critical }
"#;

const ASKED: Option<(Decision, ReasonCode)> = Some((Decision::StepUp, ReasonCode::ToolNotInScope));
const BLOCKED: Option<(Decision, ReasonCode)> = Some((Decision::Block, ReasonCode::ToolNotInScope));

fn reason(answered: &Answered) -> &str {
    answered.as_ref().map_or("", |refused| &refused.reason)
}

#[test]
fn each_violation_says_which_it_is_and_what_comes_next() {
    let mut world = World::new(POLICY, Mode::Progressive);
    assert_eq!(short(&world.call("read_a", "{}", 0)), None);
    assert_eq!(short(&world.call("write_a", "{}", 1)), None);
    let warned = world.last_decision();
    assert_eq!((&warned["decision"], &warned["wouldBe"]), (&"ALLOW".into(), &"BLOCK".into()));
    let told = |text: &str, note: &str| assert!(text.ends_with(note), "{text}");
    told(warned["reason"].as_str().unwrap(), "(violation 1 of this session: a warning; the next one asks)");
    let asked = world.call("write_b", "{}", 2);
    assert_eq!(short(&asked), ASKED);
    told(reason(&asked), "(violation 2 of this session: asks; the next one is blocked)");
    told(&world.newest().why.reason, "(violation 2 of this session: asks; the next one is blocked)");
    let blocked = world.call("write_c", "{}", 3);
    assert_eq!(short(&blocked), BLOCKED);
    told(reason(&blocked), "(violation 3 of this session: blocked; the next one is blocked)");
    assert_eq!(short(&world.call("read_a", "{}", 4)), None);
}

/// Made again, a held call keeps its number; else an approved one could never pass.
#[test]
fn a_held_call_made_again_is_no_new_violation() {
    let mut world = World::new(POLICY, Mode::Progressive);
    assert_eq!(short(&world.call("write_a", "{}", 0)), None);
    let token = {
        for second in 1..9 {
            assert_eq!(short(&world.call("write_b", "{}", second)), ASKED);
        }
        world.answer(true, 9)
    };
    world.break_ledger(true);
    assert!(world.call("write_b", "{}", 10).is_some());
    world.break_ledger(false);
    assert_eq!(short(&world.call("write_b", "{}", 11)), None);
    assert_eq!(world.state(&token), thoth_gate::hold::HoldState::Spent);
    let went = world.last_decision();
    assert_eq!((&went["reasonCode"], &went["wouldBe"]), (&"approved".into(), &"BLOCK".into()));
    // It went out: the next one is the third.
    assert_eq!(short(&world.call("write_b", "{}", 12)), BLOCKED);
}

#[test]
fn a_denied_call_keeps_its_number_and_others_do_not() {
    let mut world = World::new(POLICY, Mode::Progressive);
    assert_eq!(short(&world.call("write_a", "{}", 0)), None);
    assert_eq!(short(&world.call("write_b", "{}", 1)), ASKED);
    world.answer(false, 2);
    let denied = Some((Decision::Block, ReasonCode::ApprovalDenied));
    assert_eq!(short(&world.call("write_b", "{}", 3)), denied);
    assert_eq!(short(&world.call("write_b", r#"{"x":1}"#, 4)), BLOCKED);
    assert_eq!(short(&world.call("write_b", "{}", 5)), denied);
}

/// A retry that goes on with a call is the same violation, whether that was warned of or approved.
#[test]
fn a_continued_call_is_no_new_violation() {
    let mut world = World::new(POLICY, Mode::Progressive);
    let id = |world: &World| world.last_decision()["callId"].as_str().unwrap().to_owned();
    assert_eq!(short(&world.call("write_a", "{}", 0)), None);
    let mut warned = id(&world);
    for second in 1..5 {
        assert_eq!(short(&world.retry("write_a", "{}", Some(&warned), second)), None);
        let before = std::mem::replace(&mut warned, id(&world));
        assert_ne!(before, warned);
    }
    assert_eq!(short(&world.call("write_b", "{}", 5)), ASKED);
    world.answer(true, 6);
    assert_eq!(short(&world.call("write_b", "{}", 7)), None);
    let approved = id(&world);
    assert_eq!(short(&world.retry("write_b", "{}", Some(&approved), 8)), None);
    assert_eq!(short(&world.retry("write_b", "{}", Some(&approved), 9)), BLOCKED, "once");
}

#[test]
fn the_policy_sets_the_thresholds() {
    let policy = format!("{POLICY}progressive: {{ warn: 2, ask: 1, window: 1m }}\n");
    let mut world = World::new(&policy, Mode::Progressive);
    let answers: Vec<_> = (0..4).map(|n| short(&world.call("write_a", &format!(r#"{{"n":{n}}}"#), n))).collect();
    assert_eq!(answers, [None, None, ASKED, BLOCKED]);
    // After the window they no longer count.
    assert_eq!(short(&world.call("write_a", r#"{"n":9}"#, 90)), None);
    let strict = format!("{POLICY}progressive: {{ warn: 0, ask: 0 }}\n");
    assert_eq!(short(&World::new(&strict, Mode::Progressive).call("write_a", "{}", 0)), BLOCKED);
}

/// Per agent, the violations of all its sessions count, in whatever process they happen; those of others do not.
#[test]
fn violations_of_an_agent_count_across_sessions() {
    let policy = format!("{POLICY}progressive: {{ per: agent }}\n");
    let mut world = World::new(&policy, Mode::Progressive);
    let next = |world: &mut World, agent: &str, tenant: Option<&str>, n: i64| {
        let tenant = tenant.map(|name| name.parse().unwrap());
        let own = Caller { agent: agent.parse().ok(), tenant, ..caller(Mode::Progressive) };
        world.session = session(Caller { session: format!("s{n}").parse().unwrap(), ..own });
        world.call("write_a", &format!(r#"{{"n":{n}}}"#), n)
    };
    assert_eq!(short(&next(&mut world, "bot", None, 0)), None);
    assert_eq!(short(&next(&mut world, "other", None, 1)), None);
    assert_eq!(short(&next(&mut world, "bot", Some("acme"), 2)), None);
    let asked = next(&mut world, "bot", None, 3);
    assert_eq!(short(&asked), ASKED);
    assert!(reason(&asked).ends_with("(violation 2 of this agent: asks; the next one is blocked)"));
    // In the session in which it was held, the call keeps its number.
    world.answer(true, 4);
    assert_eq!(short(&world.call("write_a", r#"{"n":3}"#, 5)), None);
    assert_eq!(short(&next(&mut world, "bot", None, 6)), BLOCKED);
    assert_eq!(short(&next(&mut world, "other", None, 7)), ASKED);
    let counted = world.holds.uses.lock().unwrap().iter().filter(|kind| **kind == Use::Count).count();
    assert_eq!(counted, 6, "each violation once");
}

/// Failure tightens: what cannot be counted is one too many.
#[test]
fn a_violation_that_cannot_be_counted_is_blocked() {
    let policy = format!("{POLICY}progressive: {{ warn: 1000, ask: 1000, per: agent }}\n");
    let mut world = World::new(&policy, Mode::Progressive);
    world.fail(&[Use::Count]);
    let blocked = world.call("write_a", "{}", 0);
    assert_eq!(short(&blocked), BLOCKED);
    assert!(reason(&blocked).contains("violations cannot be counted"), "{}", reason(&blocked));
    assert_eq!(short(&world.call("read_a", "{}", 1)), None);
    world.fail(&[]);
    assert_eq!(short(&world.call("write_a", "{}", 2)), None);
}

/// A grant answers what would be asked, and nothing that is blocked.
#[test]
fn a_grant_covers_no_blocked_violation() {
    let mut world = World::new(POLICY, Mode::Progressive);
    assert_eq!(short(&world.call("write_a", "{}", 0)), None);
    assert_eq!(short(&world.call("write_b", "{}", 1)), ASKED);
    let token = world.answer(true, 2);
    world.desk().grant(&world.wish(&token, &[], 1000), crate::world::time(3)).unwrap();
    assert_eq!(short(&world.call("write_b", "{}", 4)), None);
    assert_eq!(world.last_decision()["reasonCode"], "granted");
    assert_eq!(short(&world.call("write_b", r#"{"n":1}"#, 5)), BLOCKED);
}

/// In a batch, too, a violation that did not go out is no new one when the batch comes again.
#[test]
fn a_refused_batch_keeps_its_numbers() {
    let mut world = World::new(POLICY, Mode::Progressive);
    let batch = [("write_a", "{}"), ("write_b", "{}")];
    for second in 0..5 {
        assert_eq!(world.batch(&batch, second), (vec![BATCH, ASKED], false));
    }
    assert_eq!(world.holds.list().unwrap().len(), 1);
    world.answer(true, 5);
    assert_eq!(world.batch(&batch, 6), (vec![None, None], true));
    assert_eq!(world.batch(&batch, 7), (vec![BLOCKED, BLOCKED], false));
}

/// What is blocked for good is no matter of counting: the text tells its own reason.
#[test]
fn explicit_blocks_stay_explicit() {
    let mut world = World::new(POLICY, Mode::Progressive);
    let blocked = world.call("delete_a", "{}", 0);
    assert_eq!(short(&blocked), Some((Decision::Block, ReasonCode::RuleBlock)));
    assert!(!reason(&blocked).contains("violation"), "{}", reason(&blocked));
}
