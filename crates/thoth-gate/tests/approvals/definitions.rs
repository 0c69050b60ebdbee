//! What a person agrees to is a call of the tool that they know: neither a grant nor an approval covers another one.

use std::sync::Arc;

use thoth_gate::hold::HoldState;
use thoth_types::{Decision, Integrity, Mode, PinState, ReasonCode};

use crate::world::{ASKS, POLICY, World, short, time};

const ARGUMENTS: &str = r#"{"path":"/srv/a"}"#;
const CHANGED: Option<(Decision, ReasonCode)> = Some((Decision::StepUp, ReasonCode::ToolChanged));

fn policy() -> String {
    format!("{POLICY}integrity: {{on_change: ask, on_first_use: ask}}\n")
}

fn known(pin: PinState, definition: &str) -> Option<Arc<Integrity>> {
    Some(Arc::new(Integrity { pin: Some(pin), definition: Some(definition.into()), ..Integrity::default() }))
}

/// Defends `on_change: ask` and its like: leave for a kind of call was given when nobody knew that the tool would change.
#[test]
fn a_grant_does_not_cover_another_tool() {
    let mut world = World::new(&policy(), Mode::Block);
    world.integrity = known(PinState::Approved, "v1");
    let token = world.approved("write_note", ARGUMENTS, 0);
    assert_eq!(short(&world.call("write_note", ARGUMENTS, 1)), None);
    world.desk().grant(&world.wish(&token, &[], 1000), time(2)).unwrap();
    assert_eq!(short(&world.call("write_note", r#"{"path":"/b"}"#, 3)), None, "the grant covers it");
    for (pin, code) in
        [(PinState::Quarantined, ReasonCode::ToolChanged), (PinState::Pending, ReasonCode::ToolNotApproved)]
    {
        world.integrity = known(pin, "v2");
        let asked = short(&world.call("write_note", r#"{"path":"/c"}"#, 4)).unwrap();
        assert_eq!(asked.0, Decision::StepUp, "{pin:?}");
        assert!([code, ReasonCode::RuleApprove].contains(&asked.1), "{pin:?} {asked:?}");
    }
    world.integrity = known(PinState::Approved, "v2");
    assert_eq!(
        short(&world.call("write_note", r#"{"path":"/d"}"#, 5)),
        None,
        "once it is approved, it covers it again"
    );
}

/// An approval that was given while one definition was shown lets no call of another one through.
#[test]
fn an_approval_is_of_the_definition_that_was_shown() {
    let mut world = World::new(&policy(), Mode::Block);
    world.integrity = known(PinState::Quarantined, "v2");
    assert_eq!(short(&world.call("read_note", ARGUMENTS, 0)), CHANGED);
    let token = world.answer(true, 1);
    world.integrity = known(PinState::Quarantined, "v3");
    assert_eq!(short(&world.call("read_note", ARGUMENTS, 2)), CHANGED);
    assert_eq!(world.state(&token), HoldState::Approved, "it was not used up");
    world.integrity = known(PinState::Quarantined, "v2");
    assert_eq!(short(&world.call("read_note", ARGUMENTS, 3)), None);
    assert_eq!(world.state(&token), HoldState::Spent);
}

/// Where nobody is asked about the definition, an approval is of the call alone, as it always was.
#[test]
fn a_definition_in_order_is_no_part_of_an_approval() {
    let mut world = World::new(&policy(), Mode::Block);
    world.integrity = known(PinState::Approved, "v1");
    assert_eq!(short(&world.call("write_note", ARGUMENTS, 0)), ASKS);
    world.answer(true, 1);
    world.integrity = known(PinState::Approved, "v2");
    assert_eq!(short(&world.call("write_note", ARGUMENTS, 2)), None);
}
