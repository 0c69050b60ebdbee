//! People who log in: what their tokens must be, and what they may do then, with an issuer that is played here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};

use super::matrix::{Case, routes};
use super::*;
use crate::OidcOptions;

/// A key pair of the issuer.
struct Pair {
    id: &'static str,
    algorithm: Algorithm,
    secret: EncodingKey,
    public: Value,
}

fn new_pair(id: &'static str, algorithm: Algorithm) -> Pair {
    let kind = match algorithm {
        Algorithm::EdDSA => &rcgen::PKCS_ED25519,
        Algorithm::ES384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        _ => &rcgen::PKCS_ECDSA_P256_SHA256,
    };
    let made = rcgen::KeyPair::generate_for(kind).unwrap();
    let der = made.serialize_der();
    let (secret, mut public) = if algorithm == Algorithm::EdDSA {
        let x = URL_SAFE_NO_PAD.encode(made.public_key_raw());
        (EncodingKey::from_ed_der(&der), json!({ "kty": "OKP", "crv": "Ed25519", "x": x }))
    } else {
        let secret = EncodingKey::from_ec_der(&der);
        let public = serde_json::to_value(Jwk::from_encoding_key(&secret, algorithm).unwrap()).unwrap();
        (secret, public)
    };
    (public["kid"], public["use"]) = (json!(id), json!("sig"));
    Pair { id, algorithm, secret, public }
}

/// An issuer that publishes what it is told to, and counts how often its keys are fetched.
struct Issuer {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    up: Arc<AtomicBool>,
    fetched: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start(keys: &[&Pair]) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = Arc::new(Mutex::new(keys.iter().map(|pair| pair.public.clone()).collect::<Vec<_>>()));
        let (up, fetched) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
        let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        let (published, alive, count) = (Arc::clone(&keys), Arc::clone(&up), Arc::clone(&fetched));
        let about = move || async move {
            if alive.load(Ordering::SeqCst) { Ok(axum::Json(discovery)) } else { Err(StatusCode::BAD_GATEWAY) }
        };
        let keys_route = move || async move {
            count.fetch_add(1, Ordering::SeqCst);
            axum::Json(json!({ "keys": *published.lock().unwrap() }))
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", axum::routing::get(about))
            .route("/keys", axum::routing::get(keys_route));
        drop(tokio::spawn(crate::listen::serve(listener, None, router, std::future::pending())));
        Self { url, keys, up, fetched }
    }

    fn world(&self, keeps: Keeps) -> World {
        World::on(keeps, Rates::default(), POLICY, Mode::Block, |server| server.with_logins(options(&self.url)))
    }

    /// What a good token of an administrator says.
    fn claims(&self) -> Value {
        let now = now();
        json!({
            "iss": self.url, "sub": "p-1", "aud": "thothctl", "iat": now, "exp": now + 300, "auth_time": now - 60,
            "email": "Alice@Acme.example", "email_verified": true, "org_id": "org-1", "realm": { "roles": ["x", "sec-admin"] },
        })
    }

    /// A token that says this beside, signed with this key.
    fn token(&self, pair: &Pair, changes: &[(&str, Value)]) -> String {
        let mut claims = self.claims();
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        signed(pair, &claims)
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

fn signed(pair: &Pair, claims: &Value) -> String {
    let header = Header { kid: Some(pair.id.to_owned()), ..Header::new(pair.algorithm) };
    encode(&header, claims, &pair.secret).unwrap()
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// Settings with an issuer that nobody asks.
pub(super) fn unasked() -> OidcOptions {
    options("https://login.example")
}

fn options(issuer: &str) -> OidcOptions {
    let tenants = ["org-1=acme", "other"].iter().map(|text| text.parse().unwrap()).collect();
    let roles = ["sec-admin=write", "auditor=read"].iter().map(|text| text.parse().unwrap()).collect();
    let tenants = ("org_id".parse().unwrap(), tenants);
    let roles = ("/realm/roles".parse().unwrap(), roles);
    OidcOptions::new((issuer, "thothctl"), tenants, roles).unwrap().audiences(&["thothd".to_owned()]).unwrap()
}

impl World {
    /// The same as `ask`, by somebody who logged in.
    async fn ask_as(&self, method: &str, path: &str, token: &str, body: impl Into<Body>) -> Reply {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        Reply { status, headers, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
    }

    async fn list_as(&self, token: &str) -> Reply {
        self.ask_as("GET", "/acme/thoth/approvals", token, Body::empty()).await
    }
}

#[tokio::test]
async fn every_route_for_people() {
    routes_for_people(Keeps::Folder).await;
}

#[tokio::test]
async fn tokens_that_do_not_count() {
    bad_tokens(Keeps::Folder).await;
}

#[tokio::test]
async fn changes_take_a_recent_login() {
    recent(Keeps::Folder).await;
}

#[tokio::test]
async fn keys_of_the_issuer_change() {
    keys_change(Keeps::Folder).await;
}

#[tokio::test]
async fn the_issuer_is_down() {
    down(Keeps::Folder).await;
}

#[tokio::test]
async fn where_people_log_in() {
    places(Keeps::Folder).await;
}

#[tokio::test]
async fn people_answer_held_calls() {
    answers(Keeps::Folder).await;
}

/// Defends: all of it on a database, one after the other: what a login is nobody keeps, and what it does is kept there.
#[tokio::test]
async fn logins_on_postgresql() {
    routes_for_people(Keeps::Postgres).await;
    bad_tokens(Keeps::Postgres).await;
    recent(Keeps::Postgres).await;
    keys_change(Keeps::Postgres).await;
    down(Keeps::Postgres).await;
    places(Keeps::Postgres).await;
    answers(Keeps::Postgres).await;
}

/// Defends invariant 6: on every route, a person may what their role says in their own tenant, has no call decided, and is
/// nobody in another tenant, without a role, and without a tenant.
async fn routes_for_people(keeps: Keeps) {
    let pair = new_pair("k1", Algorithm::ES256);
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(keeps);
    let roles = |roles: &[&str]| ("realm", json!({ "roles": roles }));
    let people = BTreeMap::from([
        ("writer", issuer.token(&pair, &[])),
        ("reader", issuer.token(&pair, &[roles(&["auditor"])])),
        ("both", issuer.token(&pair, &[roles(&["auditor", "sec-admin"])])),
        ("without a role", issuer.token(&pair, &[roles(&["admin", "SEC-ADMIN", ""])])),
        ("of another tenant", issuer.token(&pair, &[("org_id", json!("other"))])),
        ("of an unmapped tenant", issuer.token(&pair, &[("org_id", json!("acme"))])),
        ("of two tenants", issuer.token(&pair, &[("org_id", json!(["org-1", "other"]))])),
        ("of no tenant", issuer.token(&pair, &[("org_id", Value::Null)])),
    ]);
    for Case { method, path, accepts, body, good, .. } in routes() {
        let text = body.as_ref().map(Value::to_string).unwrap_or_default();
        for (who, token) in &people {
            let reply = world.ask_as(method, &path, token, text.clone()).await;
            let has = accepts.iter().any(|permission| match permission {
                Permission::Read => matches!(*who, "writer" | "reader" | "both"),
                Permission::Write => matches!(*who, "writer" | "both"),
                // Nobody logs in to have calls decided.
                Permission::Execute => false,
            });
            let expected = if has { good } else { 403 };
            assert_eq!(reply.status, expected, "{method} {path}, {who}: {}", reply.body);
        }
    }
    assert_eq!(issuer.fetched.load(Ordering::SeqCst), 1, "its keys are remembered");
    let tenants = match &world.database {
        None => std::fs::read_dir(world.data.path().join("tenants")).unwrap().count(),
        Some((_, url)) => cluster().sql(url, "SELECT count(*) FROM thoth.ledgers").parse().unwrap(),
    };
    assert_eq!(tenants, 2, "nobody brings a tenant about");
}

/// Defends invariant 5: whatever is wrong with a token refuses it, in words that fit, and nothing of it is repeated.
async fn bad_tokens(keeps: Keeps) {
    let (pair, other) = (new_pair("k1", Algorithm::ES256), new_pair("k1", Algorithm::ES256));
    let p384 = new_pair("k1", Algorithm::ES384);
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(keeps);
    let claims = issuer.claims();
    let (at, token) = (now(), |changes: &[(&str, Value)]| issuer.token(&pair, changes));
    let without = |name: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().remove(name);
        signed(&pair, &claims)
    };
    let good = token(&[]);
    let (head, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    let headed = |header: &str| format!("{}.{body}.{signature}", encoded(header));
    let hmac = |secret: &str| {
        let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes()).unwrap()).unwrap()
    };
    let typed = |typ: &str| {
        let header = Header { kid: Some("k1".to_owned()), typ: Some(typ.to_owned()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &pair.secret).unwrap()
    };
    let elsewhere = {
        let header = Header {
            kid: Some("k1".to_owned()),
            jku: Some("https://evil.example/keys".to_owned()),
            jwk: serde_json::from_value(other.public.clone()).ok(),
            ..Header::new(Algorithm::ES256)
        };
        encode(&header, &claims, &other.secret).unwrap()
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut promoted = claims.clone();
    promoted["sub"] = json!("root");
    let cases: Vec<(&str, String, u16, &str)> = vec![
        ("alg none", headed(r#"{"alg":"none","kid":"k1"}"#), 401, "of no kind that is taken"),
        ("alg none, unsigned", format!("{}.{body}.", encoded(r#"{"alg":"none"}"#)), 401, "of no kind that is taken"),
        ("HMAC with the public key", hmac(&pair.public.to_string()), 401, "of no kind that is taken"),
        ("HMAC with its x", hmac(&text(&pair.public["x"])), 401, "of no kind that is taken"),
        ("RSA named for an EC key", headed(r#"{"alg":"RS256","kid":"k1"}"#), 401, "does not have"),
        ("another curve", signed(&p384, &claims), 401, "does not have"),
        ("a key of somebody else", signed(&other, &claims), 401, "does not verify"),
        ("a key that the token brings along", elsewhere, 401, "does not verify"),
        ("unknown kid", headed(r#"{"alg":"ES256","kid":"k9"}"#), 401, "does not have"),
        ("critical extensions", headed(r#"{"alg":"ES256","kid":"k1","crit":["x"],"x":1}"#), 401, "cannot be verified"),
        ("changed claims", format!("{head}.{}.{signature}", encoded(&promoted.to_string())), 401, "does not verify"),
        ("no signature", format!("{head}.{body}."), 401, "does not verify"),
        ("no header", format!("e30.{body}.{signature}"), 401, "cannot be read"),
        ("no JSON", "YQ.YQ.YQ".to_owned(), 401, "cannot be read"),
        ("another issuer", token(&[("iss", json!("https://login.example"))]), 401, "another issuer"),
        ("an issuer with a slash", token(&[("iss", json!(format!("{}/", issuer.url)))]), 401, "another issuer"),
        ("another audience", token(&[("aud", json!("somebody"))]), 401, "another client"),
        ("audiences without azp", token(&[("aud", json!(["thothctl", "x"]))]), 401, "another client"),
        ("made for another client", token(&[("azp", json!("other-app"))]), 401, "another client"),
        ("expired", token(&[("exp", json!(at - 61)), ("iat", json!(at - 400))]), 401, "has expired"),
        // These count some time later, after all cases.
        ("not yet", token(&[("nbf", json!(at + 280))]), 401, "does not count yet"),
        ("of the future", token(&[("iat", json!(at + 280))]), 401, "of the future"),
        ("logged in in the future", token(&[("auth_time", json!(at + 280))]), 401, "of the future"),
        ("auth_time that is none", token(&[("auth_time", json!("x"))]), 401, "`auth_time` is no time"),
        ("longer than a day", token(&[("exp", json!(at + 90_000))]), 401, "more than a day"),
        ("exp as a text", token(&[("exp", json!("9999999999"))]), 401, ""),
        ("no exp", without("exp"), 401, "lacks one of"),
        ("no iat", without("iat"), 401, "does not say when"),
        ("no aud", without("aud"), 401, "lacks one of"),
        ("no sub", without("sub"), 401, "lacks one of"),
        ("an empty sub", token(&[("sub", json!(""))]), 401, "subject"),
        ("a sub of lines", token(&[("sub", json!("a\nb"))]), 401, "subject"),
        ("a logout token", token(&[("events", json!({}))]), 401, "tells of an event"),
        ("a logout token by its type", typed("logout+jwt"), 401, "neither an ID token"),
        ("a secret event token", typed("secevent+jwt"), 401, "neither an ID token"),
    ];
    for (about, token, status, part) in cases {
        let reply = world.list_as(&token).await;
        let code = if part.contains("expired") { "login_required" } else { "unauthorized" };
        assert_fault(&reply, status, code, about);
        assert!(reply.body["error"]["message"].as_str().unwrap().contains(part), "{about}: {}", reply.body);
        assert!(!reply.body.to_string().contains(signature), "{about}");
    }
    let at = now();
    for (about, token) in [
        // First, while it is within what clocks may be apart.
        ("skewed", token(&[("exp", json!(at - 30)), ("iat", json!(at - 400)), ("nbf", json!(at + 30))])),
        ("good", good.clone()),
        ("an access token", typed("at+JWT")),
        ("for an audience", token(&[("aud", json!(["thothd", "x"])), ("azp", json!("other-app"))])),
        ("audiences with azp", token(&[("aud", json!(["thothctl", "x"])), ("azp", json!("thothctl"))])),
        ("fractions", token(&[("exp", json!(at as f64 + 100.5)), ("auth_time", json!(at as f64 - 100.5))])),
    ] {
        let reply = world.list_as(&token).await;
        assert_eq!(reply.status, 200, "{about}: {}", reply.body);
    }
    // In the header for keys it is none, and without an issuer nobody logs in.
    let reply = world.ask("GET", "/acme/thoth/approvals", Some(&good), Body::empty()).await;
    assert_fault(&reply, 401, "unauthorized", "as a key");
    let keys_only = World::on(keeps, Rates::default(), POLICY, Mode::Block, |server| server);
    assert_fault(&keys_only.list_as(&good).await, 401, "unauthorized", "no issuer");
}

/// Whoever changes something has logged in within six hours; to look, a token that counts is enough.
async fn recent(keeps: Keeps) {
    let pair = new_pair("k1", Algorithm::EdDSA);
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(keeps);
    let six_hours = 6 * 3600;
    for (auth_time, good) in
        [(json!(now() - six_hours + 60), true), (json!(now() - six_hours - 1), false), (json!(0), false)]
    {
        let token = issuer.token(&pair, &[("auth_time", auth_time.clone())]);
        assert_eq!(world.list_as(&token).await.status, 200);
        for (method, path, body, status) in [
            ("POST", "/acme/thoth/api-keys", json!({ "scope_level": "organization", "permissions": ["read"] }), 201),
            (
                "POST",
                "/acme/thoth/approvals/hold_00000000000000000000000000000000/resolve",
                json!({ "decision": "deny" }),
                404,
            ),
            ("POST", "/acme/thoth/policy-bundles/none/activate", json!({ "version": 1 }), 404),
            ("DELETE", "/acme/thoth/api-keys/none", Value::Null, 404),
        ] {
            let reply = world.ask_as(method, path, &token, body.to_string()).await;
            if good {
                assert_eq!(reply.status, status, "{path}: {}", reply.body);
            } else {
                assert_fault(&reply, 401, "login_required", path);
            }
        }
    }
    let mut claims = issuer.claims();
    claims.as_object_mut().unwrap().remove("auth_time");
    let token = signed(&pair, &claims);
    assert_eq!(world.list_as(&token).await.status, 200);
    let reply = world.ask_as("DELETE", "/acme/thoth/api-keys/none", &token, Body::empty()).await;
    assert_fault(&reply, 401, "login_required", "no auth_time");
}

/// A new key counts at once and one that was taken back no longer, and nobody makes the server ask the issuer again and again.
async fn keys_change(keeps: Keeps) {
    let (old, new, newest) =
        (new_pair("k1", Algorithm::ES256), new_pair("k2", Algorithm::ES384), new_pair("k3", Algorithm::EdDSA));
    let issuer = Issuer::start(&[&old]).await;
    let world = issuer.world(keeps);
    let publish = |pair: &Pair| *issuer.keys.lock().unwrap() = vec![pair.public.clone()];
    assert_eq!(world.list_as(&issuer.token(&old, &[])).await.status, 200);
    publish(&new);
    assert_eq!(world.list_as(&issuer.token(&new, &[])).await.status, 200);
    assert_fault(&world.list_as(&issuer.token(&old, &[])).await, 401, "unauthorized", "it was taken back");
    publish(&newest);
    for _ in 0..5 {
        assert_fault(&world.list_as(&issuer.token(&newest, &[])).await, 401, "unauthorized", "so soon");
    }
    assert_eq!(issuer.fetched.load(Ordering::SeqCst), 2);
}

/// Defends invariant 5: without its keys no login counts, and keys of the server do.
async fn down(keeps: Keeps) {
    let pair = new_pair("k1", Algorithm::ES256);
    let issuer = Issuer::start(&[&pair]).await;
    issuer.up.store(false, Ordering::SeqCst);
    let world = issuer.world(keeps);
    let reply = world.list_as(&issuer.token(&pair, &[])).await;
    assert_fault(&reply, 503, "unavailable", "down");
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("API keys are"), "{}", reply.body);
    let key = world.key("acme", None, &[Permission::Read], None);
    assert_eq!(world.ask("GET", "/acme/thoth/approvals", Some(&key), Body::empty()).await.status, 200);
}

/// Where people log in, and that it is said only where they do.
async fn places(keeps: Keeps) {
    let issuer = Issuer::start(&[&new_pair("k1", Algorithm::ES256)]).await;
    let reply = issuer.world(keeps).ask("GET", "/v1/auth/config", None, Body::empty()).await;
    let expected =
        json!({ "issuer": issuer.url, "client_id": "thothctl", "scope": "openid email profile offline_access" });
    assert_eq!((reply.status, reply.body), (200, expected));
    let reply = World::on(keeps, Rates::default(), POLICY, Mode::Block, |server| server)
        .ask("GET", "/v1/auth/config", None, Body::empty())
        .await;
    assert_fault(&reply, 404, "not_found", "no issuer");
}

/// People answer held calls in their own name: a policy names them by their verified address, nobody answers their own, no
/// key counts as a person, and the record says who it was.
async fn answers(keeps: Keeps) {
    let pair = new_pair("k1", Algorithm::ES256);
    let issuer = Issuer::start(&[&pair]).await;
    let world = issuer.world(keeps);
    let policy = format!(
        "{POLICY}approvals: {{ approvers: [\"user:alice@acme.example\", \"user:bob@acme.example\"], quorum: 2, \
         requester_may_approve: false }}\n"
    );
    std::fs::write(world.data.path().join("policy.yaml"), policy).unwrap();
    let agent = world.key("acme", None, &[Permission::Execute], None);
    let mut asked = question("write");
    asked["user_id"] = json!("BOB@acme.example");
    let mut holds = Vec::new();
    for (argument, user) in [(1, "BOB@acme.example"), (2, "carol@acme.example")] {
        (asked["user_id"], asked["tool_args"]) = (json!(user), json!({ "a": argument }));
        let held = world.ask("POST", "/v1/enforce", Some(&agent), asked.to_string()).await.body;
        holds.push(held["hold_token"].as_str().unwrap_or_else(|| panic!("{held}")).to_owned());
    }
    let person = |sub: &str, email: &str, verified: bool| {
        issuer.token(&pair, &[("sub", json!(sub)), ("email", json!(email)), ("email_verified", json!(verified))])
    };
    let (alice, bob) = (person("p-1", "Alice@Acme.example", true), person("p-2", "bob@acme.example", true));
    let claims_to_be = person("p-3", "bob@acme.example", false);
    let carol = person("p-4", "carol@acme.example", true);
    // Made beside the server, before it took logins.
    let wanted = Create {
        name: Some("bob@acme.example".to_owned()),
        scope_level: ScopeLevel::Organization,
        scope_target_id: None,
        permissions: [Permission::Write].into_iter().collect(),
        ttl_seconds: None,
        jit_reason: None,
    };
    let posing = world.make_key("acme", &wanted);
    let approve = json!({ "decision": "approve", "reason": "known" }).to_string();
    let resolve = |hold: &str| format!("/acme/thoth/approvals/{hold}/resolve");
    let reply = world.ask("POST", &resolve(&holds[1]), Some(&posing), approve.clone()).await;
    assert_eq!(reply.status, 403, "a key is no person: {}", reply.body);
    for (hold, who, status, state) in [
        (0, &bob, 403, ""),
        (0, &claims_to_be, 403, ""),
        (1, &claims_to_be, 403, ""),
        (1, &carol, 403, ""),
        (1, &alice, 200, "pending"),
        (1, &alice, 403, ""),
        (1, &bob, 200, "approved"),
    ] {
        let reply = world.ask_as("POST", &resolve(&holds[hold]), who, approve.clone()).await;
        assert_eq!(
            (reply.status, reply.body["status"].as_str().unwrap_or_default()),
            (status, state),
            "{}",
            reply.body
        );
        if state == "approved" {
            assert_eq!(reply.body["resolved_by"], "bob@acme.example", "{}", reply.body);
        }
    }
    let made = json!({ "scope_level": "organization", "permissions": ["write"], "name": "bob@acme.example" });
    let reply = world.ask_as("POST", "/acme/thoth/api-keys", &alice, made.to_string()).await;
    assert_fault(&reply, 400, "bad_request", "a key of a person's name");
    let reader = world.key("acme", None, &[Permission::Read], None);
    let expected = ["p-1", "p-2"].map(|sub| format!("login {}#{sub}; reason: known", issuer.url));
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        // On files a thread of its own folds in what was recorded.
        let chain = world.ask("GET", "/acme/thoth/evidence/chain?limit=500", Some(&reader), Body::empty()).await.body;
        if expected.iter().all(|one| chain.to_string().contains(one)) {
            break;
        }
        assert!(Instant::now() < deadline, "{chain}");
    }
}
