//! Requests that go wrong after they were let in.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll as Turn};

use hyper::body::Frame;
use thoth_api::contract::key::Created;
use thoth_store::server::ServerStore;

use super::*;

/// A body during whose arrival something happens: the request was let in by then.
struct Late(Option<(Box<dyn FnOnce() + Send>, String)>);

impl axum::body::HttpBody for Late {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Turn<Option<Result<Frame<Bytes>, Infallible>>> {
        Turn::Ready(self.0.take().map(|(happens, text)| {
            happens();
            Ok(Frame::data(text.into()))
        }))
    }
}

fn late(text: String, happens: impl FnOnce() + Send + 'static) -> Body {
    Body::new(Late(Some((Box::new(happens), text))))
}

/// A key for everything of these, and what takes it back.
fn fleeting(world: &World, permissions: &[Permission]) -> (String, impl FnOnce() + Send + 'static) {
    let wanted = Create {
        name: None,
        scope_level: ScopeLevel::Organization,
        scope_target_id: None,
        permissions: permissions.iter().copied().collect(),
        ttl_seconds: None,
        jit_reason: None,
    };
    let Created { api_key, row } = create_key(world.data.path(), &"acme".parse().unwrap(), &wanted).unwrap();
    let store = ServerStore::new(world.data.path().join("thothd.db"));
    let take_back = move || {
        let taken = store.revoke_key("acme", &row.id, jiff::Timestamp::now()).unwrap();
        assert!(taken.is_some());
    };
    (api_key.expose_secret().to_owned(), take_back)
}

/// Defends invariant 6: a key that was taken back while the request's body was on its way does nothing, on every route.
#[tokio::test]
async fn a_key_that_ends_under_way_does_nothing() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    for Route { method, path, permission, body, .. } in routes() {
        let (key, take_back) = fleeting(&world, &[permission]);
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let reply = world.ask(method, path, Some(&key), late(text, take_back)).await;
        assert_fault(&reply, 401, "unauthorized", &format!("{method} {path}"));
    }
    let events = world.ask("GET", "/acme/thoth/events", Some(&admin), Body::empty()).await.body;
    assert_eq!(events["data"], json!([]), "{events}");
    let keys = world.ask("GET", "/acme/thoth/api-keys", Some(&admin), Body::empty()).await.body;
    assert_eq!(keys["total"], routes().len() + 1, "none was made: {keys}");
}

/// Defends invariant 6: neither does one that was taken back while a poll waited, and the approval is still there.
#[tokio::test]
async fn a_key_that_ends_while_a_poll_waits_uses_nothing_up() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let (key, take_back) = fleeting(&world, &[Permission::Execute]);
    let held = world.ask("POST", "/v1/enforce", Some(&key), question("write").to_string()).await.body;
    let hold = held["hold_token"].as_str().unwrap().to_owned();
    let (arrived, begun) = tokio::sync::oneshot::channel();
    let body = late(String::new(), move || arrived.send(()).unwrap());
    let path = format!("/v1/enforce/hold/{hold}?wait=30");
    let answer = async {
        begun.await.unwrap();
        take_back();
        let resolve = format!("/acme/thoth/approvals/{hold}/resolve");
        world.ask("POST", &resolve, Some(&admin), json!({ "decision": "approve" }).to_string()).await
    };
    let (polled, answered) = tokio::join!(world.ask("GET", &path, Some(&key), body), answer);
    assert_eq!(answered.status, 200, "{}", answered.body);
    assert_fault(&polled, 401, "unauthorized", "the poll");
    let left = world.ask("GET", "/acme/thoth/approvals?status=approved", Some(&admin), Body::empty()).await.body;
    assert_eq!(left["total"], 1, "{left}");
}

/// Arguments that readers disagree about are refused in words that say what is wrong with them, and do not repeat them.
#[tokio::test]
async fn arguments_that_cannot_be_read_are_told_apart() {
    let world = World::new(Rates::default());
    let key = world.key("acme", None, &[Permission::Execute], None);
    let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));
    let digits = "9".repeat(400);
    for (value, what) in [
        ("1e999", "number out of range"),
        (&*digits, "number out of range"),
        (r#""\ud800""#, "lone surrogate escape"),
        (r#"1,"a":2"#, "duplicate key"),
        (&*deep, "nested too deeply"),
    ] {
        let body = question("read").to_string().replace(r#""a":1"#, &format!(r#""a":{value}"#));
        let reply = world.ask("POST", "/v1/enforce", Some(&key), body).await;
        assert_fault(&reply, 400, "bad_request", what);
        assert_eq!(reply.body["error"]["message"], format!("`tool_args` cannot be read: {what}"), "{}", &reply.body);
    }
}
