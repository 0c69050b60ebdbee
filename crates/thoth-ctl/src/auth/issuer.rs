//! What an issuer is asked: where it is, for tokens, for a code of a device, and to end a login (OpenID Connect Discovery,
//! RFC 6749, 8628, 7009). Nothing is asked over plain http but on this machine, and no redirect is followed.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use thoth_api::contract::login::LoginToken;
use thoth_api::contract::read;
use thoth_api::{Exchange, Timeouts, TlsSettings, Url};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;
use thoth_types::Redacted;

use crate::connection::{Place, unreached};

/// The largest answer, in bytes.
const MAX_ANSWER: u64 = 256 << 10;
/// What of an issuer's words a person is shown, in characters.
const SHOWN: usize = 300;

/// What an issuer says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Metadata {
    pub(super) issuer: String,
    pub(super) authorization_endpoint: String,
    token_endpoint: String,
    pub(super) device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    #[serde(default)]
    code_challenge_methods_supported: Vec<String>,
}

impl Metadata {
    fn endpoints(&self) -> impl Iterator<Item = &String> {
        let others = [&self.device_authorization_endpoint, &self.revocation_endpoint];
        [&self.authorization_endpoint, &self.token_endpoint].into_iter().chain(others.into_iter().flatten())
    }
}

/// An issuer, and who asks it.
#[derive(Debug)]
pub(super) struct Issuer {
    pub(super) metadata: Metadata,
    pub(super) client_id: String,
    tls: TlsSettings,
    within: Duration,
}

/// What a login comes to.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) id_token: LoginToken,
    pub(super) refresh_token: Option<Redacted<String>>,
}

#[derive(Debug, Deserialize)]
struct Told {
    #[serde(default, deserialize_with = "secret")]
    id_token: Option<Redacted<String>>,
    #[serde(default, deserialize_with = "secret")]
    refresh_token: Option<Redacted<String>>,
}

/// What a device shows to its user, and asks with.
#[derive(Debug, Deserialize)]
pub(super) struct DeviceCode {
    #[serde(deserialize_with = "device_code")]
    pub(super) device_code: Redacted<String>,
    pub(super) user_code: String,
    // An older draft calls it so, and some issuers still do.
    #[serde(alias = "verification_url")]
    pub(super) verification_uri: String,
    pub(super) verification_uri_complete: Option<String>,
    pub(super) expires_in: u64,
    pub(super) interval: Option<u64>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Redacted<String>>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Redacted::new))
}

fn device_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Redacted<String>, D::Error> {
    String::deserialize(deserializer).map(Redacted::new)
}

/// Why there are no tokens.
#[derive(Debug)]
pub(super) enum NoTokens {
    /// The issuer says no, or not yet.
    Refused(Refusal),
    /// It does not answer, or cannot; it may later.
    Unreached(Failure),
    /// It answers what nobody can use.
    Unusable(Failure),
}

impl NoTokens {
    pub(super) fn failure(self) -> Failure {
        match self {
            Self::Refused(refusal) => refusal.failure(),
            Self::Unreached(failure) | Self::Unusable(failure) => failure,
        }
    }
}

/// An issuer's no.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) error: String,
    error_description: Option<String>,
}

impl Refusal {
    /// It in words.
    pub(super) fn failure(&self) -> Failure {
        let described = self.error_description.as_deref().unwrap_or_default();
        let words: String = format!("{} {described}", self.error).trim().chars().take(SHOWN).collect();
        let words = if words.is_empty() { "without a reason".to_owned() } else { harmless_text(&words) };
        Failure::failed(format!("the issuer says no: {words}"))
    }
}

impl Issuer {
    /// Asks an issuer what it is.
    pub(super) async fn discover(issuer: &str, client_id: String, place: &Place) -> Result<Self, Failure> {
        // Pins are about the server.
        let (tls, within) = (place.tls.without_pins(), place.within);
        let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let accept = [("accept".to_owned(), "application/json".to_owned())];
        let exchange = exchange(&address, &tls, within)?;
        let mut reply = exchange.get(&accept, MAX_ANSWER, within).await.map_err(|error| unreached(&error))?;
        let body = reply.whole().await.map_err(|error| unreached(&error))?;
        let shown = harmless_text(issuer);
        if reply.status() != 200 {
            return Err(Failure::failed(format!("the issuer `{shown}` answered with status {}", reply.status()))
                .hint("is it the address of an issuer? its tokens name it as `iss`"));
        }
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("the answer of the issuer `{shown}` is not what OpenID Connect says: {error}"))
        };
        let metadata: Metadata = read(&body).map_err(|error| wrong(&error))?;
        if metadata.issuer != issuer {
            return Err(wrong(&"it says that it is another one"));
        }
        let methods = &metadata.code_challenge_methods_supported;
        if !methods.is_empty() && !methods.iter().any(|method| method == "S256") {
            return Err(wrong(&"it does not know S256, without which a login can be stolen"));
        }
        if issuer.starts_with("https:") && metadata.endpoints().any(|endpoint| !endpoint.starts_with("https:")) {
            return Err(wrong(&"one of its addresses is without TLS"));
        }
        Ok(Self { metadata, client_id, tls, within })
    }

    /// Exchanges the code of a login for tokens.
    pub(super) async fn redeem(
        &self,
        code: &Redacted<String>,
        redirect: &str,
        verifier: &Redacted<String>,
    ) -> Result<Tokens, Failure> {
        let grant = [
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", redirect),
            ("code_verifier", verifier.expose_secret()),
        ];
        self.tokens(&grant).await.map_err(NoTokens::failure)
    }

    /// Renews a login.
    pub(super) async fn refresh(&self, token: &Redacted<String>) -> Result<Tokens, Failure> {
        let grant = [("grant_type", "refresh_token"), ("refresh_token", token.expose_secret())];
        self.tokens(&grant).await.map_err(NoTokens::failure)
    }

    /// Asks for a code that somebody enters on another device.
    pub(super) async fn device(&self, scope: &str, max_age: &str) -> Result<DeviceCode, Failure> {
        let endpoint = self.metadata.device_authorization_endpoint.as_deref().ok_or_else(|| {
            Failure::failed("the issuer has no codes for devices")
                .hint("log in with a browser of this machine: leave out --device")
        })?;
        let (status, body) = self.ask(endpoint, &[("scope", scope), ("max_age", max_age)]).await?;
        if status != 200 {
            return Err(read::<Refusal>(body.expose_secret()).unwrap_or_default().failure());
        }
        read(body.expose_secret()).map_err(|error| unreadable(&error))
    }

    /// Asks whether somebody has entered it.
    pub(super) async fn poll(&self, code: &DeviceCode) -> Result<Tokens, NoTokens> {
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        self.tokens(&[("grant_type", grant), ("device_code", code.device_code.expose_secret())]).await
    }

    /// Ends a login, if the issuer can.
    pub(super) async fn revoke(&self, token: &Redacted<String>) -> Result<bool, Failure> {
        let Some(endpoint) = &self.metadata.revocation_endpoint else { return Ok(false) };
        let asked = [("token", token.expose_secret().as_str()), ("token_type_hint", "refresh_token")];
        let (status, body) = self.ask(endpoint, &asked).await?;
        if status == 200 { Ok(true) } else { Err(read::<Refusal>(body.expose_secret()).unwrap_or_default().failure()) }
    }

    async fn tokens(&self, grant: &[(&str, &str)]) -> Result<Tokens, NoTokens> {
        let (status, body) = self.ask(&self.metadata.token_endpoint, grant).await.map_err(NoTokens::Unreached)?;
        if status != 200 {
            return Err(match read::<Refusal>(body.expose_secret()) {
                Ok(refusal) if (400..500).contains(&status) => NoTokens::Refused(refusal),
                _ => NoTokens::Unreached(Failure::failed(format!("the issuer answered with status {status}"))),
            });
        }
        let told: Told = read(body.expose_secret()).map_err(|error| NoTokens::Unusable(unreadable(&error)))?;
        let id_token = told.id_token.as_ref().and_then(|token| LoginToken::parse(token.expose_secret()));
        let id_token = id_token.ok_or_else(|| {
            let failure = Failure::failed("the issuer gave no ID token");
            NoTokens::Unusable(failure.hint("the scope must have `openid`; log in again"))
        })?;
        Ok(Tokens { id_token, refresh_token: told.refresh_token })
    }

    async fn ask(&self, endpoint: &str, pairs: &[(&str, &str)]) -> Result<(u16, Redacted<Vec<u8>>), Failure> {
        let exchange = exchange(endpoint, &self.tls, self.within)?;
        let headers = [
            ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.client_id).extend_pairs(pairs);
        let body = form.finish().into_bytes();
        let asked = exchange.post(&headers, body, MAX_ANSWER, self.within).await;
        let mut reply = asked.map_err(|error| unreached(&error))?;
        let body = reply.whole().await.map_err(|error| unreached(&error))?;
        Ok((reply.status(), Redacted::new(body.to_vec())))
    }
}

fn exchange(address: &str, tls: &TlsSettings, within: Duration) -> Result<Exchange, Failure> {
    let url = Url::parse(address)
        .map_err(|_| Failure::failed(format!("`{}` is no address of an issuer", harmless_text(address))))?;
    let connect = within.min(Timeouts::default().connect);
    Exchange::new(url, tls, Timeouts { connect, idle: within }).map_err(|error| unreached(&error))
}

fn unreadable(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the issuer's answer is not what OAuth says: {error}"))
}
