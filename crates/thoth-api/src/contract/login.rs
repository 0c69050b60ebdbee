//! `GET /v1/auth/config`, and the tokens of people who log in with an issuer (OpenID Connect).

use serde::{Deserialize, Serialize};
use thoth_types::Redacted;

use super::key::ApiKey;
use super::read::text;

/// No token is longer, in bytes: an issuer that writes every group of a person into it comes to some KiB.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Where people log in. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = LoginConfig))]
pub struct Config {
    /// The issuer, exactly as it stands in its tokens.
    pub issuer: String,
    /// As which client of the issuer to log in.
    #[serde(alias = "clientId")]
    pub client_id: String,
    /// What to ask the issuer for, separated by spaces.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub scope: Option<String>,
}

/// A token of an issuer, a JWT. Whoever has it is taken for the person, so nothing prints it.
#[derive(Debug, Clone)]
pub struct LoginToken(Redacted<String>);

impl LoginToken {
    /// A token as somebody gives it. `None`: it has not the form of one. Nothing of it is verified.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_part = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let parts: Vec<&str> = text.split('.').take(4).collect();
        // One that is not signed is a token, too, so that it is refused in words that fit.
        let [header, claims, signature] = parts[..] else { return None };
        let fits = text.len() <= MAX_TOKEN_BYTES && !header.is_empty() && !claims.is_empty();
        (fits && [header, claims, signature].into_iter().all(is_part)).then(|| Self(Redacted::new(text.to_owned())))
    }

    /// The token's text. Every use of this name is a place to review.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

/// By what a server is to know who asks.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A key of the server's own making.
    Key(ApiKey),
    /// A token of the issuer that the server believes.
    Login(LoginToken),
}

impl Credential {
    /// What a server is sent. Every use of this name is a place to review.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        match self {
            Self::Key(key) => key.expose_secret(),
            Self::Login(token) => token.expose_secret(),
        }
    }
}

impl From<ApiKey> for Credential {
    fn from(key: ApiKey) -> Self {
        Self::Key(key)
    }
}

impl From<LoginToken> for Credential {
    fn from(token: LoginToken) -> Self {
        Self::Login(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What has the form of a token, and that it is not printed.
    #[test]
    fn the_forms_of_a_token() {
        let long = format!("a.{}.c", "b".repeat(MAX_TOKEN_BYTES));
        for (text, taken) in [
            ("a.b.c", true),
            (" eyJh-_.eyJz.c2ln\n", true),
            ("a.b.", true),
            ("a.b", false),
            (".b.c", false),
            ("a..c", false),
            ("a.b.c.d.e", false),
            ("a.b c.d", false),
            ("a.b=.c", false),
            ("thoth_org_0011", false),
            ("", false),
            (&long, false),
        ] {
            assert_eq!(LoginToken::parse(text).is_some(), taken, "{text:.40}");
        }
        assert!(!format!("{:?}", LoginToken::parse("a.s3cret.c")).contains("s3cret"));
    }
}
