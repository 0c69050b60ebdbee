//! The typed views show what the messages of every revision say, and refuse what they cannot.

#![expect(clippy::panic, reason = "the helpers of these tests panic as the tests do")]

use thoth_mcp::{
    BatchRule, Decoder, Direction, Era, Frame, IdKey, MAX_TASK_ID_BYTES, Message, Notification, RefusalCode,
    RefusedShape, Request, Response, ResultType, TaskMethod, TaskStatus,
};

fn decoded<T>(direction: Direction, body: &str, look: impl FnOnce(Message<'_>) -> T) -> T {
    let mut decoder = Decoder::default();
    let frame = decoder.decode(body.as_bytes(), direction, BatchRule::Refuse).unwrap_or_else(|e| panic!("{body}: {e}"));
    let Frame::One(message) = frame else { panic!("one message") };
    look(message)
}

fn request<T>(members: &str, look: impl FnOnce(Request<'_>) -> T) -> T {
    decoded(Direction::ClientToServer, &format!(r#"{{"jsonrpc":"2.0","id":"r",{members}}}"#), |message| match message {
        Message::Request(request) => look(request),
        other => panic!("a request, not {other:?}"),
    })
}

fn result<T>(result: &str, look: impl FnOnce(Response<'_>) -> T) -> T {
    decoded(Direction::ServerToClient, &format!(r#"{{"jsonrpc":"2.0","id":"r","result":{result}}}"#), |m| match m {
        Message::Response(response) => look(response),
        other => panic!("a response, not {other:?}"),
    })
}

fn notification<T>(members: &str, look: impl FnOnce(Notification<'_>) -> T) -> T {
    decoded(Direction::ServerToClient, &format!(r#"{{"jsonrpc":"2.0",{members}}}"#), |message| match message {
        Message::Notification(notification) => look(notification),
        other => panic!("a notification, not {other:?}"),
    })
}

#[test]
fn a_legacy_call() {
    let members = r#""method":"tools/call","params":{"name":"t\u00e9","arguments":{"n":9007199254740993},"task":{"ttl":5},"_meta":{"progressToken":"p"}}"#;
    request(members, |request| {
        assert_eq!(request.era, Era::Legacy);
        let call = request.tool_call().expect("a call");
        assert_eq!(call.name, "té");
        assert_eq!(call.arguments.expect("arguments").raw(), br#"{"n":9007199254740993}"#);
        assert_eq!(call.progress_token.expect("token").key(), IdKey::text("p"));
        assert!(call.task);
        assert!(call.input_responses.is_none() && call.request_state.is_none() && call.traceparent.is_none());
    });
}

#[test]
fn a_modern_multi_round_trip_retry() {
    let members = r#""method":"tools/call","params":{"name":"t","arguments":null,"inputResponses":{"k":{"action":"accept"}},"requestState":"s\"1","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"traceparent":"00-1"}}"#;
    request(members, |request| {
        assert_eq!(request.era, Era::Modern);
        let call = request.tool_call().expect("a call");
        assert!(call.arguments.is_none() && !call.task);
        assert_eq!(call.request_state.expect("state").raw(), br#""s\"1""#);
        assert_eq!(call.input_responses.expect("answers").raw(), br#"{"k":{"action":"accept"}}"#);
        assert_eq!(call.traceparent.as_deref(), Some("00-1"));
        let meta = request.meta().expect("_meta");
        assert_eq!(meta.protocol_version().as_deref(), Some("2026-07-28"));
        assert!(meta.client_capabilities().is_some_and(|can| can.get("elicitation").is_some()));
    });
}

#[test]
fn another_method_is_no_call() {
    request(r#""method":"tools/list""#, |request| {
        assert!(!request.is_tool_call());
        let refusal = request.tool_call().expect_err("no call");
        assert_eq!((refusal.code, refusal.shape), (RefusalCode::BadMethod, RefusedShape::Request));
    });
}

#[test]
fn the_start_of_a_session() {
    let members = r#""method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{"roots":{}},"clientInfo":{"name":"c"}}"#;
    request(members, |request| {
        let start = request.initialize().expect("the method").expect("its parameters");
        assert_eq!(start.protocol_version, "2025-03-26");
        assert!(start.capabilities.is_some() && start.client_info.is_some());
    });
    request(r#""method":"initialize","params":{}"#, |request| {
        assert_eq!(request.initialize().expect("the method").expect_err("no version").code, RefusalCode::BadParams);
    });
    let answer =
        r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s"},"instructions":"be kind"}"#;
    result(answer, |response| {
        let session = response.initialize_result().expect("a result").expect("its members");
        assert_eq!(session.protocol_version, "2025-11-25");
        assert_eq!(session.instructions.as_deref(), Some("be kind"));
    });
}

#[test]
fn a_page_of_tools() {
    let page =
        r#"{"tools":[{"name":"a","description":"x"},{"name":"b","inputSchema":{"A":1,"a":2}}],"nextCursor":"c"}"#;
    result(page, |response| {
        let list = response.tools_list().expect("a result").expect("a list");
        assert_eq!(list.tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(list.tools[0].definition.raw(), br#"{"name":"a","description":"x"}"#);
        assert_eq!(list.next_cursor.as_deref(), Some("c"));
    });
    for (bad, code) in [
        (r#"{"tools":{}}"#, RefusalCode::BadResult),
        ("{}", RefusalCode::BadResult),
        (r#"{"tools":[{"title":"x"}]}"#, RefusalCode::BadResult),
        (r#"{"tools":[7]}"#, RefusalCode::BadResult),
        (r#"{"tools":[{"name":"a","Description":"x"}]}"#, RefusalCode::FoldedKey),
        (r#"{"tools":[],"nextCursor":7}"#, RefusalCode::BadResult),
        (&format!(r#"{{"tools":[{{"name":"{}"}}]}}"#, "é".repeat(513)), RefusalCode::ToolNameTooLong),
    ] {
        result(bad, |response| {
            let refusal = response.tools_list().expect("a result").expect_err(bad);
            assert_eq!((refusal.code, refusal.id.as_deref()), (code, Some(br#""r""#.as_slice())), "{bad}");
        });
    }
}

#[test]
fn every_form_of_answer_to_a_call() {
    type Case = (&'static str, Era, ResultType<'static>, bool, Option<&'static str>, Option<&'static str>);
    let cases: &[Case] = &[
        (r#"{"content":[]}"#, Era::Legacy, ResultType::Complete, false, None, None),
        (r#"{"content":[],"isError":true}"#, Era::Legacy, ResultType::Complete, true, None, None),
        (r#"{"resultType":"complete","content":[]}"#, Era::Modern, ResultType::Complete, false, None, None),
        (
            r#"{"resultType":"input_required","inputRequests":{},"requestState":"s"}"#,
            Era::Modern,
            ResultType::InputRequired,
            false,
            None,
            None,
        ),
        (
            r#"{"resultType":"task","taskId":"k","status":"working"}"#,
            Era::Modern,
            ResultType::Task,
            false,
            Some("k"),
            Some("working"),
        ),
        (
            r#"{"task":{"taskId":"k","status":"working"}}"#,
            Era::Legacy,
            ResultType::Task,
            false,
            Some("k"),
            Some("working"),
        ),
        (
            r#"{"content":[],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"k"}}}"#,
            Era::Legacy,
            ResultType::Complete,
            false,
            Some("k"),
            None,
        ),
        (r#"{"resultType":"new"}"#, Era::Modern, ResultType::Other("new".into()), false, None, None),
    ];
    for (text, era, result_type, is_error, task_id, status) in cases {
        result(text, |response| {
            assert_eq!(response.era, *era, "{text}");
            let answer = response.call_result().expect("a result").expect("readable");
            assert_eq!(answer.result_type, *result_type, "{text}");
            assert_eq!(answer.is_error, *is_error, "{text}");
            assert_eq!(answer.task_id.as_deref(), *task_id, "{text}");
            assert_eq!(answer.status.as_deref(), *status, "{text}");
            assert_eq!(answer.request_state.is_some(), text.contains("requestState"), "{text}");
        });
    }
    for bad in [r#"{"isError":"true"}"#, r#"{"resultType":7}"#, r#"{"task":[]}"#, r#"{"requestState":{}}"#] {
        result(bad, |response| {
            assert_eq!(response.call_result().expect("a result").expect_err(bad).code, RefusalCode::BadResult);
        });
    }
}

#[test]
fn tasks_of_both_eras() {
    for (method, expected) in [
        ("tasks/get", TaskMethod::Get),
        ("tasks/result", TaskMethod::Result),
        ("tasks/cancel", TaskMethod::Cancel),
        ("tasks/update", TaskMethod::Update),
    ] {
        request(&format!(r#""method":"{method}","params":{{"taskId":"k"}}"#), |request| {
            let task = request.task_request().expect("the method").expect("its parameters");
            assert_eq!((task.method, &*task.task_id), (expected, "k"));
        });
        request(&format!(r#""method":"{method}","params":{{}}"#), |request| {
            let refusal = request.task_request().expect("the method").expect_err("no task");
            assert_eq!(refusal.code, RefusalCode::BadParams);
        });
    }
    request(r#""method":"tasks/list""#, |request| assert!(request.task_request().is_none()));
    let done = r#"{"resultType":"complete","taskId":"k","status":"completed","result":{"content":[]}}"#;
    result(done, |response| {
        let state = response.task_state().expect("a result").expect("readable");
        assert!(state.status.is_final());
        assert_eq!(state.result.expect("inline").raw(), br#"{"content":[]}"#);
    });
    for method in ["notifications/tasks", "notifications/tasks/status"] {
        notification(&format!(r#""method":"{method}","params":{{"taskId":"k","status":"input_required"}}"#), |said| {
            let state = said.task_state().expect("the method").expect("readable");
            assert_eq!((&*state.task_id, state.status), ("k", TaskStatus::InputRequired));
        });
    }
}

/// Defends the bound on what a session remembers: a task's id is short wherever it comes from, and the longest passes.
#[test]
fn ids_of_tasks_have_a_length() {
    for (bytes, refused) in [(MAX_TASK_ID_BYTES, None), (MAX_TASK_ID_BYTES + 1, Some(RefusalCode::TaskIdTooLong))] {
        let id = "k".repeat(bytes);
        request(&format!(r#""method":"tasks/get","params":{{"taskId":"{id}"}}"#), |request| {
            assert_eq!(request.task_request().expect("the method").err().map(|refusal| refusal.code), refused);
        });
        let members = format!(r#""taskId":"{id}","status":"working""#);
        let state = format!("{{{members}}}");
        result(&state, |response| {
            assert_eq!(response.task_state().expect("a result").err().map(|refusal| refusal.code), refused);
        });
        notification(&format!(r#""method":"notifications/tasks","params":{state}"#), |said| {
            assert_eq!(said.task_state().expect("the method").err().map(|refusal| refusal.code), refused);
        });
        let related = format!(r#"{{"content":[],"_meta":{{"io.modelcontextprotocol/related-task":{state}}}}}"#);
        let created = [format!(r#"{{"resultType":"task",{members}}}"#), format!(r#"{{"task":{state}}}"#), related];
        for answer in created {
            result(&answer, |response| {
                let refusal = response.call_result().expect("a result").err();
                assert_eq!(refusal.map(|refusal| refusal.code), refused, "{answer}");
            });
        }
    }
}

#[test]
fn what_is_called_off() {
    notification(r#""method":"notifications/cancelled","params":{"requestId":7.0,"reason":"tired"}"#, |said| {
        let cancelled = said.cancelled().expect("the method").expect("readable");
        assert_eq!(cancelled.request_id.expect("named").key(), IdKey::integer(7));
        assert_eq!(cancelled.reason.as_deref(), Some("tired"));
    });
    notification(r#""method":"notifications/cancelled","params":{"requestId":[]}"#, |said| {
        assert_eq!(said.cancelled().expect("the method").expect_err("unreadable").code, RefusalCode::BadId);
    });
    notification(r#""method":"notifications/other""#, |said| assert!(said.cancelled().is_none()));
}
