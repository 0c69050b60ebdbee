//! Whatever is accepted means the same to every reader, and nothing makes the decoder panic.

use proptest::prelude::*;
use thoth_mcp::{BatchRule, Decoder, Direction};
use thoth_testkit::readers::disagreement;

/// Pieces from which hostile messages are made: keys in all spellings, values of all kinds.
fn key() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "jsonrpc",
        "id",
        "method",
        "params",
        "result",
        "error",
        "name",
        "arguments",
        "_meta",
        "Name",
        "ID",
        "METHOD",
        "param\u{17f}",
        "\\u006eame",
        "name\\u0000",
        "tas\u{212a}",
        "task",
        "requestState",
        "x",
        "X",
        "content",
        "tools",
        "io.modelcontextprotocol/protocolVersion",
    ])
}

fn scalar() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "\"2.0\"",
        "\"tools/call\"",
        "\"ping\"",
        "\"a\"",
        "7",
        "7.0",
        "\"7\"",
        "null",
        "true",
        "1e999",
        "NaN",
        "1e-400",
        "123456789012345678901234567890",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "2.0",
        "\"2025-11-25\"",
    ])
}

fn json() -> impl Strategy<Value = String> {
    let leaf = scalar().prop_map(str::to_owned);
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            4 => proptest::collection::vec((key(), inner.clone()), 0..6).prop_map(|members| object(&members)),
            1 => proptest::collection::vec(inner, 0..4).prop_map(|elements| format!("[{}]", elements.join(","))),
        ]
    })
}

fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A message that is right but for what is added to it, so that many are accepted.
fn nearly_right() -> impl Strategy<Value = String> {
    let extra = || proptest::collection::vec((key(), json()), 0..2);
    (extra(), extra(), json(), 0_usize..4).prop_map(|(outer, inner, arguments, shape)| {
        let join = |members: Vec<(&'static str, String)>| {
            members.into_iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect::<String>()
        };
        let (outer, inner) = (join(outer), join(inner));
        match shape {
            0 => format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"t","arguments":{arguments}{inner}}}{outer}}}"#
            ),
            1 => format!(r#"{{"jsonrpc":"2.0","id":"a","result":{{"content":[]{inner}}}{outer}}}"#),
            2 => format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{"data":1{inner}}}{outer}}}"#),
            _ => format!(r#"[{{"jsonrpc":"2.0","id":1,"error":{{"code":1,"message":"m"{inner}}}{outer}}}]"#),
        }
    })
}

fn check(body: &[u8]) -> Result<bool, TestCaseError> {
    let mut accepted = false;
    for direction in [Direction::ClientToServer, Direction::ServerToClient] {
        let mut decoder = Decoder::default();
        match decoder.decode(body, direction, BatchRule::Accept) {
            Ok(frame) => {
                accepted = true;
                prop_assert_eq!(disagreement(body, &frame, direction), None);
            }
            Err(refusal) => {
                prop_assert!(refusal.offset <= body.len());
                if let Some(reply) = refusal.response() {
                    prop_assert!(serde_json::from_slice::<serde_json::Value>(&reply).is_ok());
                }
            }
        }
    }
    Ok(accepted)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn all_readers_agree_on_hostile_messages(body in json()) {
        check(body.as_bytes())?;
    }

    #[test]
    fn all_readers_agree_on_nearly_right_messages(body in nearly_right()) {
        check(body.as_bytes())?;
    }

    #[test]
    fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        check(&body)?;
    }

    #[test]
    fn one_changed_byte_is_survived(body in nearly_right(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut body = body.into_bytes();
        let at = at.index(body.len());
        body[at] = byte;
        check(&body)?;
    }
}

/// Defends the property tests themselves: they are no good if nothing they make is accepted, or everything is.
#[test]
fn the_generator_makes_both_kinds() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let accepted = (0..500)
        .filter(|_| {
            let body = nearly_right().new_tree(&mut runner).expect("a value").current();
            check(body.as_bytes()).expect("agreement")
        })
        .count();
    assert!((50..450).contains(&accepted), "{accepted} of 500 accepted");
}
