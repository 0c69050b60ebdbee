//! People who administer a tenant and log in with an issuer (OpenID Connect): what their token says, once it is verified,
//! and what they may do then.
//!
//! INVARIANT (the governed side cannot loosen its governance): a login never has `execute`, belongs to one tenant, and may
//! no more than a mapping in the server's own settings says. What an issuer says beyond that grants nothing.

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use thoth_api::contract::fault::Code;
use thoth_api::contract::login::{Config, LoginToken};

use crate::access::Key;
use crate::clock;
use crate::fault::Fault;
use crate::tenants::TenantName;

mod claims;
mod issuer_keys;
mod settings;

pub use settings::{ClaimName, NoOidc, OidcOptions, RoleMapping, TenantMapping};

use claims::Claims;
use issuer_keys::{IssuerKeys, NoKey};

/// How far the clocks of issuer and server may be apart, in seconds.
const SKEW_SECONDS: u32 = 60;
/// How long ago somebody may have logged in who changes something.
pub(crate) const LOGIN_COUNTS_FOR: SignedDuration = SignedDuration::from_hours(6);

/// What signatures are taken: none that whoever can verify it can make, too.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Who logged in, as far as it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    /// The issuer and the subject, as they stand in records.
    pub(crate) identity: String,
    /// When the token ends.
    ends: Timestamp,
    /// When they showed the issuer who they are, if it says so.
    logged_in: Option<Timestamp>,
}

impl Person {
    /// Whether the token still counts, and for changes whether the login is recent enough.
    pub(crate) fn may(&self, changes: bool, now: Timestamp) -> Result<(), Fault> {
        let again = |what: &str| Err(Fault::new(Code::LoginRequired, format!("{what}; log in again")));
        let skew = SignedDuration::from_secs(SKEW_SECONDS.into());
        if now.duration_since(self.ends) > skew {
            return again("the login has expired");
        }
        match self.logged_in {
            _ if !changes => Ok(()),
            None => again("this takes a login that says when it was (`auth_time`), and the token does not"),
            Some(at) if now.duration_since(at) > LOGIN_COUNTS_FOR => {
                again("this takes a login of the last six hours, and this one is older")
            }
            Some(_) => Ok(()),
        }
    }
}

/// The issuer that a server believes.
#[derive(Debug)]
pub(crate) struct Oidc {
    options: OidcOptions,
    keys: Arc<IssuerKeys>,
}

impl Oidc {
    pub(crate) fn new(options: OidcOptions) -> Self {
        let keys = IssuerKeys::new(options.issuer.clone(), options.tls.clone());
        Self { options, keys }
    }

    /// Where people log in.
    pub(crate) fn config(&self) -> Config {
        Config {
            issuer: self.options.issuer.clone(),
            client_id: self.options.client_id.clone(),
            scope: Some(self.options.scope.clone()),
        }
    }

    /// Whether this is how a person would be named who logged in: a key of that name is not them.
    pub(crate) fn names_a_person(&self, name: &str) -> bool {
        name.contains('@') || name.starts_with(&*self.options.issuer)
    }

    /// Whose token it is, in which tenant, and what they may do. The signature, the issuer, the audience and the times are
    /// verified; how recent the login is, is not.
    pub(crate) async fn person(&self, token: &LoginToken) -> Result<(TenantName, Key), Fault> {
        let token = token.expose_secret();
        let refused = |what: &str| Fault::unauthorized(what);
        let header = decode_header(token)
            .map_err(|_| refused("the token's header cannot be read, or its signature is of no kind that is taken"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused("the token's signature is of no kind that is taken (RS, PS, ES, EdDSA)"));
        }
        // A token that an issuer signs for something else is not for showing who somebody is.
        let typ = header.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
        if !["jwt", "at+jwt", "application/at+jwt"].contains(&&*typ) {
            return Err(refused("the token is neither an ID token nor an access token"));
        }
        let key =
            self.keys.find(header.kid.as_deref(), header.alg, Instant::now()).await.map_err(|error| match error {
                NoKey::Unknown => refused("the token is signed with a key that the issuer does not have"),
                NoKey::Unreached(cause) => Fault {
                    cause: Some(cause),
                    ..Fault::new(
                        Code::Unavailable,
                        "the issuer of logins cannot be asked for its keys now, so no login is taken; API keys are",
                    )
                },
            })?;
        let claims =
            decode::<Claims>(token, &key, &self.validation(header.alg)).map_err(|error| fault(error.kind()))?;
        claims.claims.holder(&self.options, clock::now().wall)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = u64::from(SKEW_SECONDS);
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.options.issuer]);
        validation.aud = Some(self.options.taken_audiences());
        validation
    }
}

/// What is wrong with a token, without anything of it.
fn fault(kind: &ErrorKind) -> Fault {
    let what = match kind {
        ErrorKind::ExpiredSignature => {
            return Fault::new(Code::LoginRequired, "the login has expired; log in again");
        }
        ErrorKind::ImmatureSignature => "the token does not count yet; do the clocks agree?",
        ErrorKind::InvalidIssuer => "the token is of another issuer",
        ErrorKind::InvalidAudience => "the token is for another client",
        ErrorKind::InvalidSignature => "the token's signature does not verify",
        ErrorKind::MissingRequiredClaim(_) => "the token lacks one of `exp`, `iss`, `aud` and `sub`",
        _ => "the token cannot be verified",
    };
    Fault::unauthorized(what)
}
