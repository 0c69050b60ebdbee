//! Lists take bounded memory, and come to an end.

use super::*;

/// Defends: however large the arguments of held calls are, a list of them stays small and says what it left out, and one
/// held call is there whole.
#[tokio::test]
async fn a_list_leaves_out_long_arguments() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let reader = world.key("acme", None, &[Permission::Read], None);
    let mut holds = Vec::new();
    for length in [10, 4096 - 8, 4096 - 7, 500_000] {
        let mut question = question("write");
        question["tool_args"] = json!({ "a": "x".repeat(length) });
        let held = world.ask("POST", "/v1/enforce", Some(&key), question.to_string()).await.body;
        holds.push((held["hold_token"].as_str().unwrap().to_owned(), question["tool_args"].clone()));
    }
    let list = async || world.ask("GET", "/acme/thoth/approvals?per_page=200", Some(&reader), Body::empty()).await;
    let (one, two, three, listed) = tokio::join!(list(), list(), list(), list());
    for reply in [&one, &two, &three] {
        assert_eq!((reply.status, &reply.body), (200, &listed.body));
    }
    for (token, arguments) in &holds {
        let row = listed.body["data"].as_array().unwrap().iter().find(|row| row["id"] == **token).unwrap();
        let bytes = arguments.to_string().len();
        assert_eq!(row["tool_args_bytes"], bytes, "{token}");
        assert_eq!(row["tool_args"].is_object(), bytes <= 4096, "{bytes}");
        let path = format!("/acme/thoth/approvals/{token}");
        let shown = world.ask("GET", &path, Some(&reader), Body::empty()).await.body;
        assert_eq!((&shown["tool_args"], &shown["tool_args_bytes"]), (arguments, &json!(bytes)), "{token}");
    }
}

/// A pager that goes on as long as there is a cursor ends, in both orders; whoever follows keeps the last one they got.
#[tokio::test]
async fn pages_of_events_end() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let tell = async |numbers: std::ops::Range<u32>| {
        let event = |number| json!({ "tenant_id": "acme", "session_id": "s", "event_type": "E", "agent_id": "b", "event_id": format!("{number}") });
        let batch: Vec<Value> = numbers.map(event).collect();
        assert_eq!(world.ask("POST", "/v1/events/batch", Some(&key), json!(batch).to_string()).await.status, 202);
    };
    let page = async |order: &str, cursor: &str| {
        let path = format!("/acme/thoth/events?limit=2&order={order}{cursor}");
        let body = world.ask("GET", &path, Some(&key), Body::empty()).await.body;
        let next = body["next_cursor"].as_str().map(|next| format!("&cursor={next}"));
        (body["data"].as_array().unwrap().len(), next)
    };
    assert_eq!(page("oldest", "").await, (0, None));
    tell(0..4).await;
    let mut ends = Vec::new();
    for order in ["newest", "oldest"] {
        let (mut cursor, mut last, mut seen, mut pages) = (Some(String::new()), String::new(), 0, 0);
        while let Some(at) = cursor {
            let (length, next) = page(order, &at).await;
            (last, cursor, seen, pages) = (at, next, seen + length, pages + 1);
            assert!(pages < 5, "{order}: it does not end");
        }
        assert_eq!(seen, 4, "{order}");
        ends.push(last);
    }
    tell(4..5).await;
    assert_eq!(page("oldest", &ends[1]).await.0, 1, "a follower goes on");
}
