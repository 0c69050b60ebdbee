//! Requests that go wrong after they were let in, and a server that is broken.

use std::convert::Infallible;
use std::os::unix::fs::DirBuilderExt as _;
use std::pin::Pin;
use std::task::{Context, Poll as Turn};

use hyper::body::Frame;
use thoth_api::contract::key::Created;
use thoth_store::server::{KeyRecords as _, ServerStore};

use super::matrix::{Case, routes};
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
    for Case { method, path, accepts, body, .. } in routes() {
        let (key, take_back) = fleeting(&world, &accepts[..1]);
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        let reply = world.ask(method, &path, Some(&key), late(text, take_back)).await;
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

/// Defends invariant 5: a client that is set to go on without a server does not go on because the server is broken, and
/// learns nothing of its folders.
#[tokio::test]
async fn a_broken_server_blocks() {
    let folder = |world: &World| {
        let folder = world.data.path().join("tenants/acme");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
        folder
    };
    type Breaks<'b> = &'b dyn Fn(&World);
    let cases: [(&str, Breaks<'_>, &str, &str, u16); 4] = [
        (
            "the ledger is a file",
            &|world| std::fs::write(folder(world).join("ledger"), "x").unwrap(),
            "read",
            "evidence_unavailable",
            503,
        ),
        (
            "no tenant's folder",
            &|world| std::fs::write(world.data.path().join("tenants"), "x").unwrap(),
            "read",
            "evidence_unavailable",
            503,
        ),
        (
            "no keys",
            &|world| {
                for file in ["thothd.db-wal", "thothd.db-shm"] {
                    drop(std::fs::remove_file(world.data.path().join(file)));
                }
                std::fs::write(world.data.path().join("thothd.db"), "x".repeat(8192)).unwrap();
            },
            "read",
            "evidence_unavailable",
            503,
        ),
        (
            "no holds",
            &|world| std::fs::write(folder(world).join("state.db"), "x".repeat(8192)).unwrap(),
            "write",
            "approval_unavailable",
            404,
        ),
    ];
    for (about, breaks, tool, code, poll) in cases {
        let world = World::new(Rates::default());
        let key = world.key("acme", None, &[Permission::Execute], None);
        breaks(&world);
        let reply = world.ask("POST", "/v1/enforce", Some(&key), question(tool).to_string()).await;
        assert_eq!((reply.status, &reply.body["decision"]), (200, &json!("BLOCK")), "{about}: {}", reply.body);
        assert_eq!(reply.body["decision_reason_code"], code, "{about}: {}", reply.body);
        let place = world.data.path().to_str().unwrap();
        assert!(!reply.body.to_string().contains(place), "{about}: {}", reply.body);
        // Whatever is not about letting a call run says what it is.
        let polled = world.ask("GET", "/v1/enforce/hold/hold_0", Some(&key), Body::empty()).await;
        assert_eq!(polled.status, poll, "{about}: {}", polled.body);
        let keyless = world.ask("POST", "/v1/enforce", None, question(tool).to_string()).await;
        assert_fault(&keyless, 401, "unauthorized", about);
    }
}

/// What is left of a body would be taken for the next request: whoever keeps connections is told that this one ends.
#[tokio::test]
async fn an_unread_body_closes_the_connection() {
    let world = World::new(Rates { enforce: NonZeroU32::MIN, ..Rates::default() });
    let key = world.key("acme", None, Permission::ALL, None);
    let good = question("read").to_string();
    let long = "x".repeat(MAX_BODY + 1);
    for (about, method, path, key, body, status, closes) in [
        ("decided", "POST", "/v1/enforce", Some(&key), &*good, 200, false),
        ("put off", "POST", "/v1/enforce", Some(&key), &*good, 200, true),
        ("no key", "POST", "/v1/enforce", None, &*good, 401, true),
        ("no key and no body", "POST", "/v1/enforce", None, "", 401, false),
        ("no such method", "PATCH", "/v1/enforce", Some(&key), &*good, 405, true),
        ("nowhere", "POST", "/v2", Some(&key), &*good, 404, true),
        ("unreadable", "POST", "/v1/events/batch", Some(&key), "{", 400, false),
        ("too long", "POST", "/v1/events/batch", Some(&key), &*long, 413, true),
    ] {
        let reply = world.ask(method, path, key.map(|key| &**key), body.to_owned()).await;
        assert_eq!(reply.status, status, "{about}: {}", reply.body);
        let told = reply.headers.get(header::CONNECTION).is_some_and(|value| value == "close");
        assert_eq!(told, closes, "{about}");
    }
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
