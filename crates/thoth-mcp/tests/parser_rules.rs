//! The parser rules, one row each: where real servers and clients understand the same bytes differently, the frame is
//! refused with this code, and its sender is told under this id.

#![expect(clippy::too_many_lines, reason = "the table is long")]
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the helpers of these tests panic as the tests do"
)]

use thoth_mcp::{BatchRule, Decoder, Direction, Frame, FrameBuffer, Framed, IdKey, InFlight, InFlightError, Message};

/// What became of one line.
#[derive(Debug, PartialEq)]
enum Verdict {
    /// Decoded; the key under which it would be correlated.
    Taken(Option<IdKey>),
    /// Refused; the id under which its sender is told, as it stands in the reply.
    Refused(&'static str, Option<String>),
}

const MAX_FRAME: usize = 10 * 1024 * 1024;

/// Everything between the wire and the gate: framing, decoding, correlating.
fn judge(input: &[u8], direction: Direction, batch: BatchRule) -> Vec<Verdict> {
    let mut buffer = FrameBuffer::new(MAX_FRAME);
    let mut decoder = Decoder::default();
    let mut in_flight = InFlight::new(100);
    let mut verdicts = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let spare = buffer.spare();
        let n = spare.len().min(rest.len());
        spare[..n].copy_from_slice(&rest[..n]);
        rest = &rest[n..];
        buffer.advance(n);
        for framed in buffer.frames() {
            let decoded = match framed {
                Framed::Line { body, .. } => decoder.decode(body, direction, batch),
                Framed::Refused(refusal) => Err(refusal),
            };
            match decoded {
                Ok(frame) => verdicts.extend(frame.messages().iter().map(|message| track(&mut in_flight, message))),
                Err(refusal) => verdicts.push(refused(&refusal)),
            }
        }
        buffer.consume();
    }
    verdicts.extend(buffer.finish().as_ref().map(refused));
    verdicts
}

fn track(in_flight: &mut InFlight<()>, message: &Message<'_>) -> Verdict {
    if let Message::Request(request) = message
        && in_flight.insert(request.id.key(), ()) == Err(InFlightError::InUse)
    {
        return refused(&request.refuse_reused_id());
    }
    Verdict::Taken(message.id().map(|id| id.key()))
}

fn refused(refusal: &thoth_mcp::Refusal) -> Verdict {
    let reply = refusal.response().map(|line| {
        let reply: serde_json::Value = serde_json::from_slice(&line).expect("a reply is JSON");
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "a reply is one line");
        let replies = reply.as_array().cloned().unwrap_or_else(|| vec![reply]);
        for reply in &replies {
            assert_eq!(reply["jsonrpc"], "2.0");
            assert_eq!(reply["error"]["code"], refusal.code.jsonrpc_code());
            assert_eq!(reply["error"]["data"]["reason_code"], refusal.code.as_str());
        }
        replies.iter().map(|reply| reply["id"].to_string()).collect::<Vec<_>>().join(",")
    });
    Verdict::Refused(refusal.code.as_str(), reply)
}

/// A call with `params` as given.
fn call(params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#)
}

/// A message with these members besides the version.
fn with(members: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0",{members}}}"#)
}

/// Parameters with a tool's name of this many bytes.
fn named(bytes: usize) -> String {
    format!(r#"{{"name":"{}"}}"#, "x".repeat(bytes))
}

const NO_REPLY: Option<&str> = None;

/// Asserts that one line is refused.
fn assert_refused(row: &str, direction: Direction, body: &[u8], code: &str, reply: Option<&str>) {
    let verdicts = judge(&[body, b"\n"].concat(), direction, BatchRule::Refuse);
    match verdicts.as_slice() {
        [Verdict::Refused(found, id)] => {
            assert_eq!(*found, code, "{row}: {}", String::from_utf8_lossy(body));
            assert_eq!(id.as_deref(), reply, "{row}: {}", String::from_utf8_lossy(body));
        }
        other => panic!("{row}: {} gave {other:?}", String::from_utf8_lossy(body)),
    }
}

/// Defends "what was inspected is what is executed" from client to server.
#[test]
fn every_row_of_the_table_towards_the_server() {
    let id7 = Some("7");
    let good = call(r#"{"name":"t"}"#);
    let deep = |n: usize| call(&format!(r#"{{"name":"t","arguments":{{"a":{}1{}}}}}"#, "[".repeat(n), "]".repeat(n)));
    let rows: Vec<(&str, Vec<u8>, &str, Option<&str>)> = vec![
        ("duplicate name", call(r#"{"name":"a","name":"b"}"#).into(), "duplicate_key", id7),
        (
            "duplicate params",
            with(r#""id":7,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}"#).into(),
            "duplicate_key",
            id7,
        ),
        (
            "duplicate method",
            with(r#""id":7,"method":"ping","method":"tools/call","params":{"name":"a"}"#).into(),
            "duplicate_key",
            id7,
        ),
        (
            "duplicate arguments",
            call(r#"{"name":"a","arguments":{},"arguments":{"x":1}}"#).into(),
            "duplicate_key",
            id7,
        ),
        (
            "duplicate inside arguments",
            call(r#"{"name":"a","arguments":{"p":{"x":1,"x":2}}}"#).into(),
            "duplicate_key",
            id7,
        ),
        ("duplicate id", with(r#""id":7,"id":8,"method":"ping""#).into(), "duplicate_key", NO_REPLY),
        (
            "duplicate spelled with a unicode escape",
            call(r#"{"name":"a","\u006eame":"b"}"#).into(),
            "duplicate_key",
            id7,
        ),
        ("case variants: Name beside name", call(r#"{"name":"a","Name":"b"}"#).into(), "folded_key", id7),
        ("case variants: lone METHOD", with(r#""id":7,"METHOD":"tools/call""#).into(), "folded_key", NO_REPLY),
        (
            "case variants: METHOD beside method",
            with(r#""id":7,"method":"ping","METHOD":"tools/call""#).into(),
            "folded_key",
            id7,
        ),
        ("case variants: ID beside id", with(r#""id":7,"ID":8,"method":"ping""#).into(), "folded_key", NO_REPLY),
        (
            "case variants: long s",
            with("\"id\":7,\"method\":\"tools/call\",\"param\u{17f}\":{\"name\":\"a\"}").into(),
            "folded_key",
            id7,
        ),
        ("case variants: Kelvin sign", call("{\"name\":\"a\",\"tas\u{212a}\":{}}").into(), "folded_key", id7),
        ("case variants: escaped Kelvin sign", call(r#"{"name":"a","tas\u212a":{}}"#).into(), "folded_key", id7),
        ("case variants: dotless i", with("\"\u{131}d\":7,\"method\":\"ping\"").into(), "folded_key", NO_REPLY),
        ("case variants: two unknown keys", call(r#"{"name":"a","xY":1,"Xy":2}"#).into(), "folded_key", id7),
        ("case variants: in _meta", call(r#"{"name":"a","_meta":{"progresstoken":1}}"#).into(), "folded_key", id7),
        (
            "case variants: the protocol's prefix in _meta",
            call(r#"{"name":"a","_meta":{"IO.modelcontextprotocol/protocolVersion":"x"}}"#).into(),
            "folded_key",
            id7,
        ),
        ("case variants: _META", call(r#"{"name":"a","_META":{}}"#).into(), "folded_key", id7),
        (
            "case variants: the method itself",
            with(r#""id":7,"method":"Tools/Call","params":{"name":"a"}"#).into(),
            "folded_method",
            id7,
        ),
        (
            "trailing NUL: envelope",
            with(r#""id":7,"method":"ping","method\u0000":"tools/call""#).into(),
            "control_character_in_key",
            id7,
        ),
        ("trailing NUL: params", call(r#"{"name":"a","name\u0000":"b"}"#).into(), "control_character_in_key", id7),
        (
            "trailing NUL: arguments",
            call(r#"{"name":"a","arguments":{"path\u0000":"b"}}"#).into(),
            "control_character_in_key",
            id7,
        ),
        (
            "control character in a params key",
            call(r#"{"name":"a","name\u0001":"b"}"#).into(),
            "control_character_in_key",
            id7,
        ),
        (
            "control character in a _meta key",
            call(r#"{"name":"a","_meta":{"x\u007f":"b"}}"#).into(),
            "control_character_in_key",
            id7,
        ),
        ("bare CR between two JSON documents", format!("{good}\r{good}").into(), "bare_carriage_return", NO_REPLY),
        ("garbage, CR, call", format!("garbage\r{good}").into(), "bare_carriage_return", NO_REPLY),
        ("two CRs before the newline", format!("{good}\r\r").into(), "bare_carriage_return", id7),
        ("CR as inner whitespace", with("\"id\":7,\r\"method\":\"ping\"").into(), "bare_carriage_return", id7),
        ("UTF-8 BOM + call", format!("\u{feff}{good}").into(), "byte_order_mark", id7),
        (
            "method and result in one object",
            with(r#""id":7,"method":"tools/call","params":{"name":"a"},"result":{}"#).into(),
            "mixed_shape",
            id7,
        ),
        (
            "method and error in one object",
            with(r#""id":7,"method":"ping","error":{"code":1,"message":""}"#).into(),
            "mixed_shape",
            id7,
        ),
        (
            "result and error in one object",
            with(r#""id":7,"result":{},"error":{"code":1,"message":""}"#).into(),
            "mixed_shape",
            NO_REPLY,
        ),
        ("params and result in one object", with(r#""id":7,"params":{},"result":{}"#).into(), "mixed_shape", NO_REPLY),
        ("neither method nor result nor error", with(r#""id":7"#).into(), "no_shape", NO_REPLY),
        ("no jsonrpc", r#"{"id":7,"method":"ping"}"#.into(), "bad_version", id7),
        ("wrong jsonrpc", r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#.into(), "bad_version", id7),
        ("numeric jsonrpc", r#"{"jsonrpc":2.0,"id":7,"method":"ping"}"#.into(), "bad_version", id7),
        (
            "invalid UTF-8 in strings",
            call("{\"name\":\"a?\"}")
                .replace('?', "\u{1}")
                .into_bytes()
                .into_iter()
                .map(|b| if b == 1 { 0xff } else { b })
                .collect(),
            "invalid_utf8",
            id7,
        ),
        (
            "overlong UTF-8",
            [b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xc0\xaf\"}".as_slice()].concat(),
            "invalid_utf8",
            id7,
        ),
        ("lone surrogate escape", call(r#"{"name":"a","arguments":{"x":"\ud800"}}"#).into(), "lone_surrogate", id7),
        ("NaN literal", call(r#"{"name":"a","arguments":{"x":NaN}}"#).into(), "invalid_number", id7),
        ("Infinity literal", call(r#"{"name":"a","arguments":{"x":-Infinity}}"#).into(), "invalid_number", id7),
        ("1e999", call(r#"{"name":"a","arguments":{"x":1e999}}"#).into(), "number_out_of_range", id7),
        ("depth 500", deep(500).into(), "too_deep", id7),
        ("depth 20,000", deep(20_000).into(), "too_deep", id7),
        ("id 7.5", with(r#""id":7.5,"method":"ping""#).into(), "bad_id", NO_REPLY),
        ("id null", with(r#""id":null,"method":"ping""#).into(), "bad_id", NO_REPLY),
        ("id bool", with(r#""id":true,"method":"ping""#).into(), "bad_id", NO_REPLY),
        ("id object", with(r#""id":{},"method":"ping""#).into(), "bad_id", NO_REPLY),
        ("id array", with(r#""id":[7],"method":"ping""#).into(), "bad_id", NO_REPLY),
        (
            "id too long",
            with(&format!(r#""id":"{}","method":"ping""#, "x".repeat(2000))).into(),
            "id_too_long",
            NO_REPLY,
        ),
        (
            "id missing on tools/call",
            with(r#""method":"tools/call","params":{"name":"a"}"#).into(),
            "call_without_id",
            NO_REPLY,
        ),
        ("two documents on a line", format!("{good} {good}").into(), "trailing_data", NO_REPLY),
        ("batch on stdio", format!("[{good}]").into(), "batch_not_negotiated", NO_REPLY),
        ("empty batch", "[]".into(), "batch_not_negotiated", NO_REPLY),
        ("trailing garbage", format!("{good} x").into(), "trailing_data", NO_REPLY),
        ("garbage", "not json".into(), "unexpected_byte", NO_REPLY),
        ("half a document", r#"{"jsonrpc":"2.0","id":7,"method":"#.into(), "unexpected_end", NO_REPLY),
        ("raw control character in a string", call("{\"name\":\"a\u{1}\"}").into(), "control_character", id7),
        ("invalid escape", call(r#"{"name":"\x41"}"#).into(), "invalid_escape", id7),
        ("arguments array", call(r#"{"name":"a","arguments":[]}"#).into(), "arguments_not_object", id7),
        ("arguments string", call(r#"{"name":"a","arguments":"{}"}"#).into(), "arguments_not_object", id7),
        ("name missing", call("{}").into(), "bad_tool_name", id7),
        ("name null", call(r#"{"name":null}"#).into(), "bad_tool_name", id7),
        ("name number", call(r#"{"name":7}"#).into(), "bad_tool_name", id7),
        ("name of 1,025 bytes", call(&named(1025)).into(), "tool_name_too_long", id7),
        ("params missing on tools/call", with(r#""id":7,"method":"tools/call""#).into(), "bad_tool_name", id7),
        ("params array", call(r#"["t"]"#).into(), "params_not_object", id7),
        ("params string", call(r#""t""#).into(), "params_not_object", id7),
        ("_meta array", call(r#"{"name":"a","_meta":[]}"#).into(), "bad_meta", id7),
        (
            "protocolVersion number",
            call(r#"{"name":"a","_meta":{"io.modelcontextprotocol/protocolVersion":1}}"#).into(),
            "bad_meta",
            id7,
        ),
        ("progressToken object", call(r#"{"name":"a","_meta":{"progressToken":{}}}"#).into(), "bad_meta", id7),
        ("task string", call(r#"{"name":"a","task":"x"}"#).into(), "bad_params", id7),
        ("requestState object", call(r#"{"name":"a","requestState":{}}"#).into(), "bad_params", id7),
        ("inputResponses array", call(r#"{"name":"a","inputResponses":[]}"#).into(), "bad_params", id7),
        ("method number", with(r#""id":7,"method":1"#).into(), "bad_method", id7),
        ("method empty", with(r#""id":7,"method":"""#).into(), "bad_method", id7),
        ("method with NUL", with(r#""id":7,"method":"tools/call\u0000""#).into(), "bad_method", id7),
        ("string document", r#""tools/call""#.into(), "not_an_object", NO_REPLY),
        ("result without id", with(r#""result":{}"#).into(), "bad_id", NO_REPLY),
        ("client's error without id", with(r#""error":{"code":1,"message":"x"}"#).into(), "bad_id", NO_REPLY),
    ];
    for (row, body, code, reply) in &rows {
        assert_refused(row, Direction::ClientToServer, body, code, *reply);
    }
}

/// Defends the other direction, where a host could be shown what was not inspected. Nobody is answered.
#[test]
fn every_meaningful_row_towards_the_client() {
    let result = |result: &str| with(&format!(r#""id":7,"result":{result}"#));
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("duplicate content", result(r#"{"content":[],"content":[1]}"#).into(), "duplicate_key"),
        (
            "duplicate spelled with a unicode escape",
            result(r#"{"content":[],"\u0063ontent":[1]}"#).into(),
            "duplicate_key",
        ),
        ("case variants: Result", with(r#""id":7,"result":{},"Result":{}"#).into(), "folded_key"),
        ("case variants: lone RESULT", with(r#""id":7,"RESULT":{}"#).into(), "folded_key"),
        ("case variants: Tools", result(r#"{"tools":[],"Tools":[{"name":"x"}]}"#).into(), "folded_key"),
        ("case variants: lone i\u{17f}Error", result("{\"content\":[],\"i\u{17f}Error\":true}").into(), "folded_key"),
        (
            "case variants: in an error",
            with(r#""id":7,"error":{"code":1,"message":"a","Message":"b"}"#).into(),
            "folded_key",
        ),
        ("case variants: in _meta", result(r#"{"content":[],"_meta":{"ProgressToken":1}}"#).into(), "folded_key"),
        ("trailing NUL", result(r#"{"content":[],"content\u0000":[1]}"#).into(), "control_character_in_key"),
        ("bare CR between two JSON documents", format!("{0}\r{0}", result("{}")).into(), "bare_carriage_return"),
        ("UTF-8 BOM", format!("\u{feff}{}", result("{}")).into(), "byte_order_mark"),
        (
            "method and result in one object",
            with(r#""id":7,"result":{},"method":"sampling/createMessage""#).into(),
            "mixed_shape",
        ),
        (
            "result and error in one object",
            with(r#""id":7,"result":{},"error":{"code":1,"message":""}"#).into(),
            "mixed_shape",
        ),
        ("no jsonrpc", r#"{"id":7,"result":{}}"#.into(), "bad_version"),
        ("invalid UTF-8", b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"x\":\"\xff\"}}".to_vec(), "invalid_utf8"),
        ("lone surrogate", result(r#"{"x":"\udc00"}"#).into(), "lone_surrogate"),
        ("NaN", result(r#"{"x":NaN}"#).into(), "invalid_number"),
        ("1e999", result(r#"{"x":1e999}"#).into(), "number_out_of_range"),
        ("depth 500", result(&format!(r#"{{"x":{}{}}}"#, "[".repeat(500), "]".repeat(500))).into(), "too_deep"),
        ("id bool", with(r#""id":true,"result":{}"#).into(), "bad_id"),
        ("id null with a result", with(r#""id":null,"result":{}"#).into(), "bad_id"),
        ("two documents on a line", format!("{0}{0}", result("{}")).into(), "trailing_data"),
        ("batch on stdio", format!("[{}]", result("{}")).into(), "batch_not_negotiated"),
        ("result array", result("[]").into(), "result_not_object"),
        ("result null", result("null").into(), "result_not_object"),
        ("error string", with(r#""id":7,"error":"x""#).into(), "error_not_object"),
        ("garbage", b"Server listening on stdio".to_vec(), "unexpected_byte"),
    ];
    for (row, body, code) in &rows {
        let reply = row.starts_with("method and result").then_some("7");
        assert_refused(row, Direction::ServerToClient, body, code, reply);
    }
}

/// Defends against refusing what honest peers send.
#[test]
fn rows_that_are_tolerated() {
    let c2s = [
        ("extra top-level member", with(r#""id":7,"method":"ping","x-vendor":1"#)),
        ("name of 1,024 bytes", call(&named(1024))),
        ("arguments null", call(r#"{"name":"t","arguments":null}"#)),
        ("arguments absent", call(r#"{"name":"t"}"#)),
        ("__proto__ argument key", call(r#"{"name":"t","arguments":{"__proto__":{"x":1}}}"#)),
        ("integers > 2^53", call(r#"{"name":"t","arguments":{"n":9007199254740993}}"#)),
        ("id 7.0", with(r#""id":7.0,"method":"ping""#)),
        ("id 7e0", with(r#""id":7e0,"method":"ping""#)),
        ("depth 100", call(&format!(r#"{{"name":"t","arguments":{{"a":{}1{}}}}}"#, "[".repeat(100), "]".repeat(100)))),
        ("spaces around", format!(" \t{} ", call(r#"{"name":"t"}"#))),
        ("CR before the newline", format!("{}\r", call(r#"{"name":"t"}"#))),
        ("escaped keys", with(r#""\u0069d":7,"\u006dethod":"ping""#)),
        ("params null", with(r#""id":7,"method":"ping","params":null"#)),
        ("_meta null", call(r#"{"name":"t","_meta":null}"#)),
        ("case variants inside arguments", call(r#"{"name":"t","arguments":{"a":1,"A":2}}"#)),
        ("case variants inside results of the client", with(r#""id":7,"result":{"content":{"a":1,"A":2}}"#)),
    ];
    for (row, body) in &c2s {
        let verdicts = judge(format!("{body}\n").as_bytes(), Direction::ClientToServer, BatchRule::Refuse);
        assert_eq!(verdicts, [Verdict::Taken(Some(IdKey::integer(7)))], "{row}");
    }
    let error = with(r#""id":null,"error":{"code":-32700,"message":"x"}"#);
    let verdicts = judge(format!("{error}\n").as_bytes(), Direction::ServerToClient, BatchRule::Refuse);
    assert_eq!(verdicts, [Verdict::Taken(None)]);
    assert_eq!(judge(b"\n\r\n \n", Direction::ClientToServer, BatchRule::Refuse), [], "blank lines are left out");
}

/// Defends "an id in flight is not re-used", however it is written, and that big ids keep every digit.
#[test]
fn ids_are_correlated_by_exact_value() {
    let ping = |id: &str| with(&format!(r#""id":{id},"method":"ping""#)) + "\n";
    let verdicts = |ids: &[&str]| {
        let input: String = ids.iter().map(|id| ping(id)).collect();
        judge(input.as_bytes(), Direction::ClientToServer, BatchRule::Refuse)
    };
    let in_use = Verdict::Refused("id_in_use", None);
    for same in [["7", "7.0"], ["7", "7e0"], ["7", "7"], ["\"a\"", "\"\\u0061\""]] {
        assert_eq!(verdicts(&same)[1], in_use, "{same:?}");
    }
    for other in [
        ["7", "\"7\""],
        ["9007199254740993", "9007199254740992"],
        ["123456789012345678901234567890", "123456789012345678901234567891"],
    ] {
        assert!(verdicts(&other).iter().all(|verdict| matches!(verdict, Verdict::Taken(Some(_)))), "{other:?}");
    }
}

/// Defends against what hides in size and in the end of the stream.
#[test]
fn size_and_end_of_stream() {
    let giant = call(&format!(r#"{{"name":"t","arguments":{{"x":"{}"}}}}"#, "y".repeat(11 * 1024 * 1024)));
    let after = call(r#"{"name":"after"}"#).replace("7", "8");
    let direction = Direction::ClientToServer;
    assert_eq!(
        judge(format!("{giant}\n{after}\n").as_bytes(), direction, BatchRule::Refuse),
        [Verdict::Refused("frame_too_long", Some("7".to_owned())), Verdict::Taken(Some(IdKey::integer(8)))],
        "an 11 MiB line"
    );
    assert_eq!(
        judge(after.as_bytes(), direction, BatchRule::Refuse),
        [Verdict::Refused("frame_unterminated", Some("8".to_owned()))],
        "last line without newline at EOF"
    );
    assert_eq!(judge(b"{\"jso", direction, BatchRule::Refuse), [Verdict::Refused("frame_unterminated", None)]);
}

/// Defends batches in the one revision that has them: each element under the same rules, one bad one refuses all.
#[test]
fn batches_where_they_are_negotiated() {
    let judge = |input: String| judge((input + "\n").as_bytes(), Direction::ClientToServer, BatchRule::Accept);
    let (one, two) = (call(r#"{"name":"a"}"#), call(r#"{"name":"b"}"#).replace('7', "\"x\""));
    let bad = call("{}").replace('7', "9");
    assert_eq!(BatchRule::for_revision("2025-03-26"), BatchRule::Accept);
    assert_eq!(BatchRule::for_revision("2025-06-18"), BatchRule::Refuse);
    assert_eq!(
        judge(format!("[{one},{two}]")),
        [Verdict::Taken(Some(IdKey::integer(7))), Verdict::Taken(Some(IdKey::text("x")))]
    );
    let refused = |code, reply: Option<&str>| [Verdict::Refused(code, reply.map(str::to_owned))];
    assert_eq!(judge(format!("[{one},{bad},{two}]")), refused("bad_tool_name", Some("7,9,\"x\"")));
    assert_eq!(judge(format!("[{one},[{two}]]")), refused("not_an_object", Some("7")));
    assert_eq!(judge(format!("[{one},{one}]")), refused("batch_id_reused", None));
    assert_eq!(judge("[]".to_owned()), refused("batch_empty", None));
    let long = vec![r#"{"jsonrpc":"2.0","method":"n"}"#; 257].join(",");
    assert_eq!(judge(format!("[{long}]")), refused("batch_too_long", None));
}

/// Defends against a body that did not come out of a [`FrameBuffer`] and would be forwarded as two lines.
#[test]
fn a_newline_inside_is_refused() {
    let body = with("\"id\":7,\n\"method\":\"ping\"");
    let refusal = Decoder::default()
        .decode(body.as_bytes(), Direction::ClientToServer, BatchRule::Refuse)
        .expect_err("one line holds no newline");
    assert_eq!(refused(&refusal), Verdict::Refused("newline_inside", Some("7".to_owned())));
}

/// Defends evidence: members that JSON-RPC does not know are forwarded, so they can be named.
#[test]
fn extra_members_are_shown() {
    let body = with(r#""id":7,"method":"ping","x":1,"\u0079":[2]"#);
    let mut decoder = Decoder::default();
    let frame = decoder.decode(body.as_bytes(), Direction::ClientToServer, BatchRule::Refuse).expect("tolerated");
    let Frame::One(message) = frame else { panic!("one message") };
    let extra: Vec<_> = message.extra_members().map(|(key, value)| (key.into_owned(), value.raw())).collect();
    assert_eq!(extra, [("x".to_owned(), b"1".as_slice()), ("y".to_owned(), b"[2]".as_slice())]);
    assert_eq!(message.raw(), body.as_bytes());
}
