//! Our own round trip is cut out of a request, and nothing else of it changes.

#![expect(clippy::panic, clippy::expect_used, reason = "the helpers of these tests panic as the tests do")]

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use thoth_mcp::{BatchRule, Decoder, Direction, Frame, Message, StateOf, cut_round_trip};

const PREFIX: &str = "io.thoth/approval-";

fn cut(line: &[u8], state: StateOf) -> Vec<u8> {
    let mut decoder = Decoder::default();
    let body = line.strip_suffix(b"\n").unwrap_or(line);
    let text = String::from_utf8_lossy(line);
    match decoder.decode(body, Direction::ClientToServer, BatchRule::Refuse) {
        Ok(Frame::One(Message::Request(request))) => cut_round_trip(line, &request, PREFIX, state),
        other => panic!("a request, not {other:?}: {text}"),
    }
}

/// The same removal on values instead of bytes.
fn model(line: &[u8], state: StateOf) -> Value {
    let mut message: Value = serde_json::from_slice(line).expect("JSON");
    if let Some(params) = message.get_mut("params").and_then(Value::as_object_mut) {
        if state == StateOf::Gate {
            params.remove("requestState");
        }
        if let Some(responses) = params.get_mut("inputResponses").and_then(Value::as_object_mut) {
            let before = responses.len();
            responses.retain(|key, _| !key.starts_with(PREFIX));
            if before > 0 && responses.is_empty() {
                params.remove("inputResponses");
            }
        }
    }
    message
}

fn is_subsequence(short: &[u8], long: &[u8]) -> bool {
    let mut long = long.iter();
    short.iter().all(|byte| long.any(|other| other == byte))
}

#[test]
fn what_is_cut_byte_by_byte() {
    let cases: &[(&str, &str)] = &[
        (r#""requestState":"s","name":"t""#, r#""name":"t""#),
        (r#""name":"t" , "requestState" : "s" "#, r#""name":"t" "#),
        (r#" "a":1, "requestState":"s", "name":"t""#, r#" "a":1, "name":"t""#),
        (
            r#""inputResponses":{"io.thoth/approval-1":{"action":"accept"}},"requestState":"s","name":"t""#,
            r#""name":"t""#,
        ),
        (r#""name":"t","requestState":"s","inputResponses":{"io.thoth/approval-1":{}}"#, r#""name":"t""#),
        (
            r#""name":"t","inputResponses":{ "io.thoth/approval-1":{}, "k":{"x": 1.0} },"requestState":"s""#,
            r#""name":"t","inputResponses":{ "k":{"x": 1.0} }"#,
        ),
        (
            r#""name":"t","inputResponses":{"k":{},"io.thoth/approval-1":{},"io.thoth/approval-2":{}}"#,
            r#""name":"t","inputResponses":{"k":{}}"#,
        ),
        // The key may be written with escapes.
        (r#""name":"t","inputResponses":{"io.thoth\/appr\u006fval-1":{}}"#, r#""name":"t""#),
        (r#""name":"t","requestState":"s""#, r#""name":"t""#),
        // What is not ours stays, also where it looks like it.
        (r#""name":"t","arguments":{"requestState":"s","io.thoth/approval-1":1}"#, ""),
        (r#""name":"t","inputResponses":{}"#, ""),
        (r#""name":"t","inputResponses":null"#, ""),
        (r#""name":"t","inputResponses":{"IO.thoth/approval-1":{},"xio.thoth/approval-1":{}}"#, ""),
    ];
    for (params, expected) in cases {
        let line = |params: &str| {
            format!(" {{\"jsonrpc\":\"2.0\", \"method\":\"tools/call\",\"params\": {{{params}}} , \"id\":1}} \n")
        };
        let expected = line(if expected.is_empty() { params } else { expected });
        assert_eq!(String::from_utf8_lossy(&cut(line(params).as_bytes(), StateOf::Gate)), expected);
    }
}

#[test]
fn the_servers_own_state_stays() {
    let line = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","requestState":"theirs","inputResponses":{"io.thoth/approval-1":{},"k":{}}}}"#;
    let left = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","requestState":"theirs","inputResponses":{"k":{}}}}"#;
    assert_eq!(cut(line, StateOf::Server), left);
}

#[test]
fn a_request_without_parameters_has_nothing_to_cut() {
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
    assert_eq!(cut(line, StateOf::Gate), line);
}

/// A value as text, with the white space and the spellings that a client may use.
fn value() -> impl Strategy<Value = String> {
    let leaf = select(vec!["null", "1", "1.0", "-0", "9007199254740993", "\"\"", "\"a\\u0062,}\"", "{ }", "[ 1 ,2]"]);
    leaf.prop_map(str::to_owned)
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", " ", "\t", "  "])
}

/// One member: its text without the white space around it, and that white space.
fn member(key: impl Strategy<Value = &'static str>) -> impl Strategy<Value = (String, String)> {
    (key, space(), space(), value(), space(), space()).prop_map(|(key, a, b, value, before, after)| {
        let text = format!("\"{key}\"{a}:{b}{value}");
        (text.clone(), format!("{before}{text}{after}"))
    })
}

fn object(members: &[(String, String)]) -> String {
    format!("{{{}}}", members.iter().map(|(_, spaced)| spaced.as_str()).collect::<Vec<_>>().join(","))
}

/// Members with different keys, in any order.
fn members(keys: &'static [&'static str]) -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::sample::subsequence(keys, 0..=keys.len())
        .prop_shuffle()
        .prop_flat_map(|keys| keys.into_iter().map(|key| member(Just(key)).boxed()).collect::<Vec<_>>())
}

const RESPONSES: &[&str] =
    &["k", "io.thoth/approval-1", "\\u0069o.thoth/approval-2", "io.thoth/approval-", "io.thoth/a"];
const OTHERS: &[&str] = &["zoo", "x\\u0079", "progress"];

proptest! {
    /// Defends that a server sees nothing of ours and everything else as the client wrote it.
    #[test]
    fn only_what_is_ours_goes(
        responses in proptest::option::of(members(RESPONSES)),
        others in members(OTHERS),
        state in any::<bool>(),
        order in any::<[u8; 8]>(),
        whose in select(vec![StateOf::Gate, StateOf::Server]),
        end in select(vec!["", "\n"]),
    ) {
        let mut params = others;
        params.push(("\"name\":\"t\"".to_owned(), " \"name\":\"t\"".to_owned()));
        if state {
            params.push(("\"requestState\" : \"s,\\\"\"".to_owned(), "\"requestState\" : \"s,\\\"\" ".to_owned()));
        }
        if let Some(responses) = &responses {
            let text = format!("\"inputResponses\":{}", object(responses));
            params.push((text.clone(), text));
        }
        // Any order: each member has a number to be sorted by.
        let mut numbered: Vec<_> = params.into_iter().enumerate().map(|(i, m)| (order[i], m)).collect();
        numbered.sort_by_key(|(number, _)| *number);
        let params: Vec<_> = numbered.into_iter().map(|(_, member)| member).collect();
        let line = format!(" {{\"id\" :7,\"params\":{},\"method\":\"tools/call\",\"jsonrpc\":\"2.0\"}}{end}", object(&params));
        let line = line.as_bytes();

        let after = cut(line, whose);
        prop_assert_eq!(serde_json::from_slice::<Value>(&after).expect("JSON"), model(line, whose));
        // Nothing was added or moved.
        prop_assert!(is_subsequence(&after, line));
        // Every member that stays has its very bytes, in the old order; so has each of the answers.
        let text = String::from_utf8(after.clone()).expect("UTF-8");
        let ours = |member: &str| member.contains("o.thoth/approval-");
        let answers: Vec<_> = responses.iter().flatten().collect();
        let all_ours = !answers.is_empty() && answers.iter().all(|(answer, _)| ours(answer));
        let mut at = 0;
        let mut find = |piece: &str| {
            let found = text.get(at..).and_then(|rest| rest.find(piece));
            at += found.map_or(0, |place| place + piece.len());
            found.is_some()
        };
        for (member, _) in &params {
            if member.starts_with("\"inputResponses\"") {
                let opening = "\"inputResponses\":{";
                prop_assert!(all_ours || find(opening));
                for (answer, _) in answers.iter().filter(|(answer, _)| !ours(answer)) {
                    prop_assert!(find(answer), "{answer} in {text}");
                }
            } else if !member.starts_with("\"requestState\"") || whose == StateOf::Server {
                prop_assert!(find(member), "{member} in {text}");
            }
        }
        // Cutting again finds nothing.
        prop_assert_eq!(cut(&after, whose), after);
    }
}
