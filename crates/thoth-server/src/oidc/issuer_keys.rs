//! The keys of an issuer, as it publishes them: fetched, remembered for a while, and fetched again when a token names one
//! that is not known, but not as often as somebody likes to name some.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thoth_api::contract::read;
use thoth_api::{Exchange, Timeouts, TlsSettings, Url};
use thoth_shell::terminal::note;
use tokio::sync::OwnedMutexGuard;

/// How long keys are used before they are asked for again.
const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long they are used where the issuer does not answer. A key that it took back counts no longer than this.
const USABLE: Duration = Duration::from_secs(15 * 60);
/// How long it is not asked again because of a key that is not known.
const REFETCH: Duration = Duration::from_secs(30);
/// How long it is not asked again after it did not answer.
const RETRY: Duration = Duration::from_secs(5);
/// How long both answers together may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The largest answer, in bytes.
const MAX_ANSWER: u64 = 256 << 10;
/// The most keys. An issuer has a handful.
const MAX_KEYS: usize = 64;

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The issuer has none of this name for this kind of signature.
    Unknown,
    /// The issuer does not answer, or not as it should.
    Unreached(String),
}

/// What the issuer says of itself.
#[derive(Debug, Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Debug, Deserialize)]
struct Published {
    keys: Vec<Value>,
}

/// One key that can verify.
#[derive(Debug)]
struct IssuerKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

#[derive(Debug)]
struct Fetched {
    keys: Vec<IssuerKey>,
    at: Instant,
}

/// What became of asking.
#[derive(Debug, Default)]
struct Latest {
    fetched: Option<Arc<Fetched>>,
    failed: Option<(Instant, String)>,
    /// When it was asked because of a key that was not known.
    asked_for_more: Option<Instant>,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(super) struct IssuerKeys {
    issuer: String,
    tls: TlsSettings,
    latest: Mutex<Latest>,
    /// Held by whoever asks the issuer, so that others wait for that answer.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl IssuerKeys {
    pub(super) fn new(issuer: String, tls: TlsSettings) -> Arc<Self> {
        Arc::new(Self { issuer, tls, latest: Mutex::default(), asking: Arc::default() })
    }

    /// The key of this name for this kind of signature. Without a name, it is the only one for it.
    pub(super) async fn find(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Instant,
    ) -> Result<DecodingKey, NoKey> {
        let fetched = self.current(now).await?;
        if let Some(key) = fetched.find(id, algorithm) {
            return Ok(key);
        }
        self.newer_than(&fetched, now).await.and_then(|newer| newer.find(id, algorithm)).ok_or(NoKey::Unknown)
    }

    /// The keys as the issuer had them a moment ago; older ones where it does not answer.
    async fn current(self: &Arc<Self>, now: Instant) -> Result<Arc<Fetched>, NoKey> {
        if let Some(fetched) = self.known(FRESH, now) {
            return Ok(fetched);
        }
        let alone = Arc::clone(&self.asking).lock_owned().await;
        if let Some(fetched) = self.known(FRESH, now) {
            return Ok(fetched);
        }
        let failed = self.latest(|latest| latest.failed.clone());
        let problem = match failed.filter(|(at, _)| now.saturating_duration_since(*at) < RETRY) {
            Some((_, problem)) => problem,
            None => match self.ask(now, alone).await {
                Ok(fetched) => return Ok(fetched),
                Err(problem) => problem,
            },
        };
        self.known(USABLE, now).ok_or(NoKey::Unreached(problem))
    }

    /// Those that the issuer has instead, if it was not asked for such a reason just before.
    async fn newer_than(self: &Arc<Self>, fetched: &Arc<Fetched>, now: Instant) -> Option<Arc<Fetched>> {
        let alone = Arc::clone(&self.asking).lock_owned().await;
        let newest = self.latest(|latest| latest.fetched.clone());
        if let Some(newest) = newest.filter(|newest| !Arc::ptr_eq(newest, fetched)) {
            return Some(newest);
        }
        let asked = self.latest(|latest| latest.asked_for_more);
        if asked.is_some_and(|at| now.saturating_duration_since(at) < REFETCH) {
            return None;
        }
        self.latest(|latest| latest.asked_for_more = Some(now));
        self.ask(now, alone).await.ok()
    }

    /// Asks the issuer, and keeps what it says or that it says nothing. It is asked to the end, whatever becomes of the request
    /// that it is asked for: otherwise whoever ends their requests early keeps others from newer keys.
    async fn ask(self: &Arc<Self>, now: Instant, alone: OwnedMutexGuard<()>) -> Result<Arc<Fetched>, String> {
        let keys = Arc::clone(self);
        let asked = tokio::spawn(async move {
            let _alone = alone;
            let asked = keys.fetch().await.map(|keys| Arc::new(Fetched { keys, at: now }));
            keys.latest(|latest| match &asked {
                Ok(fetched) => (latest.fetched, latest.failed) = (Some(Arc::clone(fetched)), None),
                Err(problem) => {
                    note(format_args!("logins: {problem}"));
                    latest.failed = Some((now, problem.clone()));
                }
            });
            asked
        });
        asked.await.unwrap_or_else(|_| Err(format!("the issuer `{}` could not be asked", self.issuer)))
    }

    fn latest<T>(&self, with: impl FnOnce(&mut Latest) -> T) -> T {
        with(&mut self.latest.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn known(&self, age: Duration, now: Instant) -> Option<Arc<Fetched>> {
        let fetched = self.latest(|latest| latest.fetched.clone());
        fetched.filter(|fetched| now.saturating_duration_since(fetched.at) < age)
    }

    async fn fetch(&self) -> Result<Vec<IssuerKey>, String> {
        let work = async {
            let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
            let discovery: Discovery = self.get(&address).await?;
            if discovery.issuer != self.issuer {
                return Err(format!("the issuer at `{}` says that it is another one", self.issuer));
            }
            // What came with a certificate is not to be had from whoever listens on this machine.
            if self.issuer.starts_with("https:") && !discovery.jwks_uri.starts_with("https:") {
                return Err(format!("the issuer `{}` has its keys at an address without TLS", self.issuer));
            }
            let published: Published = self.get(&discovery.jwks_uri).await?;
            let keys: Vec<IssuerKey> = published.keys.into_iter().take(MAX_KEYS).filter_map(IssuerKey::of).collect();
            if keys.is_empty() {
                Err(format!("the issuer `{}` has no key that can be used", self.issuer))
            } else {
                Ok(keys)
            }
        };
        let late = |_| Err(format!("the issuer `{}` took too long to answer", self.issuer));
        tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(late)
    }

    async fn get<T: DeserializeOwned>(&self, address: &str) -> Result<T, String> {
        let of_issuer = |what: &dyn std::fmt::Display| format!("the issuer `{}`: {what}", self.issuer);
        let url = Url::parse(address).map_err(|_| of_issuer(&"the address of its keys is none"))?;
        let timeouts = Timeouts { connect: PATIENCE, idle: PATIENCE };
        let exchange = Exchange::new(url, &self.tls, timeouts).map_err(|error| of_issuer(&error))?;
        let accept = [("accept".to_owned(), "application/json".to_owned())];
        let mut reply = exchange.get(&accept, MAX_ANSWER, PATIENCE).await.map_err(|error| of_issuer(&error))?;
        if reply.status() != 200 {
            return Err(of_issuer(&format_args!("it answered with status {}", reply.status())));
        }
        let body = reply.whole().await.map_err(|error| of_issuer(&error))?;
        read(&body).map_err(|error| of_issuer(&format_args!("its answer is not what OpenID Connect says: {error}")))
    }
}

impl Fetched {
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<DecodingKey> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithms.contains(&algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id)));
        let (first, second) = (fitting.next()?, fitting.next());
        // Of two keys nobody knows which was meant.
        second.is_none().then(|| first.key.clone())
    }
}

impl IssuerKey {
    /// A key that verifies signatures of people's tokens; none of another use, kind or form.
    fn of(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
            return None;
        }
        // INVARIANT: a key is used for what it is, never for what a token says that it is.
        let of_kind: &[Algorithm] = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => &[Algorithm::ES256],
                EllipticCurve::P384 => &[Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
            _ => return None,
        };
        let algorithms = match jwk.common.key_algorithm {
            None => of_kind.to_vec(),
            Some(named) => of_kind.iter().copied().filter(|algorithm| named == (*algorithm).into()).collect(),
        };
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithms, key })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::response::IntoResponse as _;
    use axum::routing::get;
    use serde_json::json;
    use tokio::sync::Semaphore;

    use super::*;

    /// What the issuer answers: 200 and these texts, or a status.
    type Script = Arc<Mutex<Result<(Value, Value), u16>>>;

    struct Played {
        url: String,
        script: Script,
        asked: Arc<AtomicUsize>,
        /// How many answers may go out.
        answers: Arc<Semaphore>,
    }

    /// An issuer that says what it is told to.
    async fn play() -> Played {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let script: Script = Arc::new(Mutex::new(Ok((good(&url), json!({ "keys": [key("a")] })))));
        let asked = Arc::new(AtomicUsize::new(0));
        let answers = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        let (told, count, may) = (Arc::clone(&script), Arc::clone(&asked), Arc::clone(&answers));
        let serve = move |first: bool| {
            let (told, count, may) = (Arc::clone(&told), Arc::clone(&count), Arc::clone(&may));
            move || async move {
                count.fetch_add(usize::from(first), Ordering::SeqCst);
                may.acquire().await.unwrap().forget();
                match &*told.lock().unwrap() {
                    Ok((about, keys)) => axum::Json(if first { about } else { keys }.clone()).into_response(),
                    Err(status) => StatusCode::from_u16(*status).unwrap().into_response(),
                }
            }
        };
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(serve(true)))
            .route("/keys", get(serve(false)));
        drop(tokio::spawn(crate::listen::serve(listener, None, router, std::future::pending())));
        Played { url, script, asked, answers }
    }

    fn good(url: &str) -> Value {
        json!({ "issuer": url, "jwks_uri": format!("{url}/keys") })
    }

    fn key(id: &str) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
    }

    /// How long keys count, how often the issuer is asked, and what it is asked again for.
    #[tokio::test]
    async fn keys_age() {
        let Played { url, script, asked, .. } = play().await;
        let keys = IssuerKeys::new(url.clone(), TlsSettings::default());
        let began = Instant::now();
        let ed = Algorithm::EdDSA;
        let up = || *script.lock().unwrap() = Ok((good(&url), json!({ "keys": [key("a")] })));
        let down = || *script.lock().unwrap() = Err(503);
        let no = Err(NoKey::Unknown);
        // After seconds; whether the issuer answers then; the key; whether there is one; how often it was asked.
        for (after, answers, id, expected, times) in [
            (0, true, "a", Ok(()), 1),
            (1, true, "b", no.clone(), 2),
            (2, true, "b", no.clone(), 2),
            (20, true, "c", no.clone(), 2),
            (32, true, "c", no.clone(), 3),
            (300, true, "a", Ok(()), 3),
            (332, true, "a", Ok(()), 4),
            (632, false, "a", Ok(()), 5),
            (634, true, "a", Ok(()), 5),
            (638, false, "a", Ok(()), 6),
            (1231, false, "a", Ok(()), 7),
            (1232, false, "a", Err(NoKey::Unreached(String::new())), 7),
            (1240, true, "a", Ok(()), 8),
        ] {
            if answers {
                up()
            } else {
                down()
            }
            let found = keys.find(Some(id), ed, began + Duration::from_secs(after)).await;
            let found = found.map(drop).map_err(|error| match error {
                NoKey::Unreached(_) => NoKey::Unreached(String::new()),
                unknown => unknown,
            });
            assert_eq!((found, asked.load(Ordering::SeqCst)), (expected, times), "after {after} s");
        }
    }

    /// Defends: a request that its client ends does not take the keys with it that the issuer was asked for.
    #[tokio::test]
    async fn a_request_that_ends_early_keeps_nobody_from_new_keys() {
        let Played { url, script, asked, answers } = play().await;
        let keys = IssuerKeys::new(url.clone(), TlsSettings::default());
        let (now, ed) = (Instant::now(), Algorithm::EdDSA);
        assert_eq!(keys.find(Some("a"), ed, now).await.map(drop), Ok(()));
        *script.lock().unwrap() = Ok((good(&url), json!({ "keys": [key("b")] })));
        let left = answers.forget_permits(Semaphore::MAX_PERMITS);
        let request = tokio::spawn({
            let keys = Arc::clone(&keys);
            async move { keys.find(Some("odd"), ed, now).await.map(drop) }
        });
        while asked.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        answers.add_permits(left);
        assert_eq!(keys.find(Some("b"), ed, now).await.map(drop), Ok(()));
        assert_eq!(asked.load(Ordering::SeqCst), 2, "the issuer was asked once more");
    }

    /// What an issuer may not say.
    #[tokio::test]
    async fn answers_that_do_not_count() {
        let Played { url, script, .. } = play().await;
        let ec = |change: &str, value: Value| {
            let mut key = json!({ "kty": "EC", "crv": "P-256", "kid": "a", "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" });
            key[change] = value;
            json!({ "keys": [key] })
        };
        let keys = |keys: Value| (good(&url), keys);
        let one = || json!({ "keys": [key("a")] });
        let many = json!({ "keys": vec!["x"; 100_000] });
        for (about, answer, expected) in [
            (
                "another issuer",
                (json!({ "issuer": "https://x", "jwks_uri": format!("{url}/keys") }), one()),
                "another one",
            ),
            ("no address", (json!({ "issuer": url }), one()), "missing field `jwks_uri`"),
            ("keys elsewhere", (json!({ "issuer": url, "jwks_uri": "http://keys.example/" }), one()), "keys.example"),
            ("a file", (json!({ "issuer": url, "jwks_uri": "file:///etc/passwd" }), one()), "file:"),
            ("no list", keys(json!({ "keys": 7 })), "another type"),
            ("no keys", keys(json!({ "keys": [] })), "no key that can be used"),
            ("too many", keys(many), "larger than"),
            ("a secret", keys(json!({ "keys": [{ "kty": "oct", "kid": "a", "k": "c2VjcmV0" }] })), "no key"),
            ("for encryption", keys(ec("use", json!("enc"))), "no key"),
            ("of a curve that is not taken", keys(ec("crv", json!("P-521"))), "no key"),
            ("of a kind that nobody knows", keys(ec("kty", json!("PQ"))), "no key"),
            ("no point", keys(ec("x", json!("!"))), "no key"),
        ] {
            *script.lock().unwrap() = Ok(answer);
            let found =
                IssuerKeys::new(url.clone(), TlsSettings::default()).find(None, Algorithm::ES256, Instant::now()).await;
            match found {
                Err(NoKey::Unreached(problem)) => assert!(problem.contains(expected), "{about}: {problem}"),
                found => panic!("{about}: {:?}", found.map(drop)),
            }
        }
        // A key is used for what it is for; without a name it is taken where no other could be meant.
        let both = json!({ "keys": [key("a"), key("b")] });
        for (answer, id, algorithm, expected) in [
            (ec("alg", json!("ES256")), Some("a"), Algorithm::ES256, true),
            (ec("alg", json!("ES384")), Some("a"), Algorithm::ES256, false),
            (ec("use", json!("sig")), None, Algorithm::ES256, true),
            (ec("use", json!("sig")), Some("a"), Algorithm::RS256, false),
            (ec("use", json!("sig")), Some("a"), Algorithm::HS256, false),
            (both.clone(), None, Algorithm::EdDSA, false),
            (both, Some("b"), Algorithm::EdDSA, true),
        ] {
            *script.lock().unwrap() = Ok(keys(answer.clone()));
            let found = IssuerKeys::new(url.clone(), TlsSettings::default()).find(id, algorithm, Instant::now()).await;
            assert_eq!(found.is_ok(), expected, "{answer} {id:?} {algorithm:?}");
        }
    }
}
