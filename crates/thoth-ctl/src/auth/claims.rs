//! What an ID token says. It came from the issuer itself over TLS, or from the session file; only the server verifies the
//! signature, and what is read here is for showing, and for noticing that it is not the token that was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thoth_api::contract::login::LoginToken;
use thoth_api::contract::read;
use thoth_shell::exit::Failure;

/// How long before its end a token is renewed.
const SOON: SignedDuration = SignedDuration::from_secs(60);

/// The claims.
#[derive(Debug, Deserialize)]
pub(crate) struct Claims {
    iss: String,
    #[serde(rename = "sub")]
    pub(super) subject: String,
    aud: Audience,
    exp: f64,
    auth_time: Option<f64>,
    nonce: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

fn time(seconds: f64) -> Option<Timestamp> {
    Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}

impl Claims {
    pub(crate) fn read(token: &LoginToken) -> Result<Self, Failure> {
        let wrong = || Failure::failed("the issuer's token is not what OpenID Connect says");
        let part = token.expose_secret().split('.').nth(1).ok_or_else(wrong)?;
        let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| wrong())?;
        read(&bytes).map_err(|error| Failure::failed(format!("{}: {error}", wrong().message())))
    }

    /// Whether it is a token of this issuer for this client, and not over.
    pub(super) fn check(&self, issuer: &str, client: &str) -> Result<(), Failure> {
        let named = match &self.aud {
            Audience::One(one) => one == client,
            Audience::Several(several) => several.iter().any(|one| one == client),
        };
        match () {
            () if self.iss != issuer => Err(Failure::failed("the issuer's token is of another issuer")),
            () if !named => Err(Failure::failed("the issuer's token is for another client")),
            () if self.is_over() => {
                Err(Failure::failed("the issuer's token is over already").hint("does the clock of this machine agree?"))
            }
            () => Ok(()),
        }
    }

    /// Whether it answers the question that had this in it.
    pub(super) fn answers(&self, nonce: &str) -> Result<(), Failure> {
        if self.nonce.as_deref() == Some(nonce) {
            return Ok(());
        }
        Err(Failure::failed("the issuer's token answers another login").hint("log in again"))
    }

    /// Their address, where the issuer says that it is theirs; else by what the issuer knows them.
    pub(super) fn name(&self) -> &str {
        self.verified_email().unwrap_or(&self.subject)
    }

    pub(super) fn verified_email(&self) -> Option<&str> {
        self.email.as_deref().filter(|_| self.email_verified == Some(true))
    }

    pub(super) fn logged_in(&self) -> Option<Timestamp> {
        time(self.auth_time?)
    }

    pub(super) fn ends(&self) -> Option<Timestamp> {
        time(self.exp)
    }

    pub(super) fn is_over(&self) -> bool {
        self.ends().is_none_or(|ends| ends <= Timestamp::now())
    }

    pub(super) fn ends_soon(&self) -> bool {
        self.ends().is_none_or(|ends| ends.duration_since(Timestamp::now()) < SOON)
    }
}
