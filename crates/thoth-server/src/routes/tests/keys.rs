//! Keys are made, replaced and taken back, and the ledger has who did it before it counts.

use super::*;

/// What the ledger tells of keys: the type, and in which words.
fn told(world: &World) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let ledger = world.data.path().join("tenants/acme/ledger");
    thoth_audit::verify_each(&ledger, &thoth_audit::VerifyOptions::default(), &mut |leaf| {
        let event: Value = serde_json::from_slice(leaf).unwrap();
        if let Some(kind) = event["eventType"].as_str().filter(|kind| kind.starts_with("KEY_")) {
            told.push((kind.to_owned(), event["detail"].as_str().unwrap().to_owned()));
        }
    })
    .unwrap();
    told
}

/// Defends: who made a key, for whom and what it may do, who replaced it and who took it back is evidence, once each; the keys
/// themselves are not in it. A new one does what the old one did, and the old one ends when it was said.
#[tokio::test]
async fn a_key_from_creation_to_revocation() {
    const KEYS: &str = "/acme/thoth/api-keys";
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let ask = async |method: &str, path: &str, body: Value, status: u16| {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let reply = world.ask(method, &format!("{KEYS}{path}"), Some(&admin), text).await;
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
        reply.body
    };
    let works = async |key: &Value| {
        let question = question("read").to_string();
        world.ask("POST", "/v1/enforce", key["api_key"].as_str(), question).await.status
    };
    let wanted = json!({
        "scope_level": "agent", "scope_target_id": "bot", "permissions": ["execute"], "ttl_seconds": 600, "name": "the bot",
    });
    let first = ask("POST", "", wanted, 201).await;
    let path = |key: &Value, rest: &str| format!("/{}{rest}", key["id"].as_str().unwrap());

    let second = ask("POST", &path(&first, "/rotate"), json!({ "graceSeconds": 60 }), 201).await;
    for name in ["scope_level", "scope_target_id", "permissions", "name"] {
        assert_eq!(second[name], first[name], "{name}");
    }
    assert_ne!((&second["id"], &second["api_key"]), (&first["id"], &first["api_key"]));
    let at = |text: &Value| text.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let lives = |key: &Value| at(&key["expires_at"]).duration_since(at(&key["created_at"])).as_secs();
    assert_eq!((lives(&first), lives(&second)), (600, 600));
    let grace = at(&second["replaced"]["expires_at"]).duration_since(at(&second["created_at"])).as_secs();
    assert_eq!((&second["replaced"]["id"], grace), (&first["id"], 60));
    assert_eq!((works(&first).await, works(&second).await), (200, 200), "both, for a while");

    let third = ask("POST", &path(&second, "/rotate"), Value::Null, 201).await;
    assert!(third["replaced"]["revoked_at"].is_string(), "{third}");
    assert_eq!((works(&second).await, works(&third).await), (401, 200), "at once where nothing is said");

    ask("POST", &path(&second, "/rotate"), Value::Null, 409).await;
    ask("POST", &path(&third, "/rotate"), json!({ "grace_seconds": 2_592_001 }), 400).await;
    ask("POST", &path(&third, "/rotate"), json!({ "grace": 1 }), 400).await;
    for _ in 0..2 {
        ask("DELETE", &path(&third, ""), Value::Null, 200).await;
    }
    ask("DELETE", "/key_none", Value::Null, 404).await;

    // Each is asked for, and done.
    let (told, done): (Vec<_>, Vec<_>) =
        told(&world).into_iter().partition(|(_, detail)| detail.starts_with("asked for by key key_"));
    assert!(done.len() == told.len() && done.iter().all(|(_, detail)| detail.starts_with("done: ")), "{done:?}");
    let kinds: Vec<&str> = told.iter().map(|(kind, _)| &**kind).collect();
    let (made, gone) = ("KEY_CREATED", "KEY_REVOKED");
    assert_eq!(kinds, [made, made, gone, made, gone, gone], "each once: {told:?}");
    let ids = [&first, &second, &first, &third, &second, &third].map(|key| key["id"].as_str().unwrap());
    for ((_, detail), id) in told.iter().zip(ids) {
        assert!(detail.contains(id), "{detail}");
    }
    for (_, detail) in told.iter().chain(&done) {
        for key in [&first, &second, &third] {
            assert!(!detail.contains(key["api_key"].as_str().unwrap()), "{detail}");
        }
    }
    let said: Value = serde_json::from_str(told[0].1.split_once(": ").unwrap().1).unwrap();
    assert_eq!((&said["permissions"], &said["ttl_seconds"]), (&json!(["execute"]), &json!(600)), "{said}");
}

/// Defends: whoever asks about a key hears of the key that they have in hand, and of no other; nothing is changed, and the text is
/// in no answer.
#[tokio::test]
async fn what_a_key_is_good_for() {
    let world = World::new(Rates { governance: NonZeroU32::MAX, ..Rates::default() });
    let reader = world.key("acme", None, &[Permission::Read], None);
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let make = async |wanted: Value| {
        let made = world.ask("POST", "/acme/thoth/api-keys", Some(&admin), wanted.to_string()).await.body;
        (made["api_key"].as_str().unwrap().to_owned(), made["id"].as_str().unwrap().to_owned())
    };
    let bot = make(json!({ "scope_level": "agent", "scope_target_id": "bot", "permissions": ["execute"] })).await;
    let all = make(json!({ "scope_level": "organization", "permissions": ["read", "write"] })).await;
    let short = make(json!({ "scope_level": "organization", "permissions": ["read"], "ttl_seconds": 1 })).await;
    let gone = make(json!({ "scope_level": "organization", "permissions": ["read"] })).await;
    world.ask("DELETE", &format!("/acme/thoth/api-keys/{}", gone.1), Some(&admin), Body::empty()).await;
    let foreign = world.key("other", None, &[Permission::Read], None);
    let end = Instant::now() + Duration::from_secs(60);
    while world.ask("GET", "/acme/thoth/api-keys", Some(&short.0), Body::empty()).await.status == 200 {
        assert!(Instant::now() < end, "it does not end");
    }
    let ask = async |id: &str, key: &str, permission: &str, resource: Option<(&str, &str)>| {
        let mut asked = json!({ "apiKey": key, "permission": permission });
        if let Some((kind, name)) = resource {
            (asked["resource_type"], asked["resource_id"]) = (json!(kind), json!(name));
        }
        let path = format!("/acme/thoth/api-keys/{id}/authorize");
        let reply = world.ask("POST", &path, Some(&reader), asked.to_string()).await;
        assert!(!reply.body.to_string().contains(key), "{}", reply.body);
        reply
    };
    let agent = Some(("agent", "bot"));
    for ((key, id), permission, resource, expected) in [
        ((&bot.0, &bot.1), "execute", agent, [true, true, true, false]),
        ((&bot.0, &bot.1), "write", agent, [true, false, true, false]),
        ((&bot.0, &bot.1), "execute", Some(("agent", "eve")), [true, true, false, false]),
        ((&bot.0, &bot.1), "execute", Some(("endpoint", "bot")), [true, true, false, false]),
        ((&bot.0, &bot.1), "execute", None, [true, true, false, false]),
        ((&all.0, &all.1), "write", Some(("fleet", "f")), [true, true, true, false]),
        ((&all.0, &all.1), "read", None, [true, true, true, false]),
        ((&short.0, &short.1), "read", None, [false, true, true, true]),
        ((&gone.0, &gone.1), "read", None, [false, true, true, false]),
        // Keys, and not the one that is asked about.
        ((&all.0, &bot.1), "execute", agent, [false; 4]),
        ((&foreign, &all.1), "read", None, [false; 4]),
        ((&"thoth_live_unknown".to_owned(), &all.1), "read", None, [false; 4]),
    ] {
        let reply = ask(id, key, permission, resource).await;
        let told = ["valid", "permission_allowed", "scope_allowed", "expired"].map(|name| reply.body[name] == true);
        assert_eq!((reply.status, told), (200, expected), "{permission} {resource:?}: {}", reply.body);
    }
    assert_fault(&ask("key_none", &bot.0, "read", None).await, 404, "not_found", "no such key");
    let nameless = json!({ "api_key": &bot.0, "permission": "read", "resource_type": "agent" }).to_string();
    let path = format!("/acme/thoth/api-keys/{}/authorize", bot.1);
    assert_fault(&world.ask("POST", &path, Some(&reader), nameless).await, 400, "bad_request", "of nobody");
    let listed = world.ask("GET", "/acme/thoth/api-keys", Some(&reader), Body::empty()).await.body;
    let row = listed["api_keys"].as_array().unwrap().iter().find(|row| row["id"] == *bot.1).unwrap();
    assert_eq!(row["last_used_at"], Value::Null, "to be asked about is no use: {row}");
}

/// Defends: where the ledger cannot be written, no key is made, replaced or taken back.
#[tokio::test]
async fn no_key_changes_without_its_record() {
    let world = World::new(Rates::default());
    let admin = world.key("acme", None, &[Permission::Read, Permission::Write], None);
    let bot = world.key("acme", Some("bot"), &[Permission::Execute], None);
    let store = crate::stores::Files::new(world.data.path());
    let all = || crate::stores::Stores::records(&store).keys("acme").unwrap();
    let id = all().into_iter().find(|key| key.scope_level == "agent").unwrap().id;
    let tenant = world.data.path().join("tenants/acme");
    std::fs::create_dir_all(&tenant).unwrap();
    std::fs::write(tenant.join("ledger"), "no folder").unwrap();
    let path = format!("/acme/thoth/api-keys/{id}");
    let wanted = json!({ "scope_level": "organization", "permissions": ["read"] }).to_string();
    for (method, path, body) in
        [("POST", "/acme/thoth/api-keys", &*wanted), ("POST", &*format!("{path}/rotate"), "{}"), ("DELETE", &*path, "")]
    {
        let reply = world.ask(method, path, Some(&admin), body.to_owned()).await;
        assert!(reply.status >= 500, "{method} {path}: {} {}", reply.status, reply.body);
    }
    let states: Vec<_> = all().iter().map(|key| (key.revoked_at, key.expires_at)).collect();
    assert_eq!(states, [(None, None), (None, None)]);
    std::fs::remove_file(tenant.join("ledger")).unwrap();
    assert_eq!(world.ask("POST", "/v1/enforce", Some(&bot), question("read").to_string()).await.status, 200);
}
