//! What a verified token says: whose it is, of which tenant, and in which roles. Whatever is not as it should be refuses it.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value};
use thoth_api::contract::key::{Permission, Permissions, ScopeLevel};

use super::settings::{OidcOptions, Rights};
use super::{Person, SKEW_SECONDS};
use crate::access::Key;
use crate::fault::Fault;
use crate::tenants::TenantName;

/// The longest subject, as OpenID Connect has it.
const MAX_SUBJECT: usize = 255;
/// The longest e-mail address.
const MAX_EMAIL: usize = 254;
/// No token may live longer: nobody can take one back.
const LONGEST_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// The claims of a token whose signature, issuer, audience and end were verified.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// Who it is and what they may do.
    pub(super) fn holder(&self, options: &OidcOptions, now: Timestamp) -> Result<(TenantName, Key), Fault> {
        let refused = |what: &str| Err(Fault::unauthorized(what));
        if self.0.contains_key("events") {
            return refused("the token tells of an event and shows nobody");
        }
        if !self.is_for_the_client(options) {
            return refused("the token was made for another client");
        }
        let (Some(issued), Some(ends)) = (self.time("iat"), self.time("exp")) else {
            return refused("the token does not say when it was made and when it ends");
        };
        let logged_in = self.time("auth_time");
        if self.0.contains_key("auth_time") && logged_in.is_none() {
            return refused("the token's `auth_time` is no time");
        }
        let skew = SignedDuration::from_secs(SKEW_SECONDS.into());
        if [Some(issued), logged_in].into_iter().flatten().any(|at| at.duration_since(now) > skew) {
            return refused("the token is of the future; do the clocks agree?");
        }
        if ends.duration_since(issued) > LONGEST_LIFE {
            return refused("the token lives for more than a day; have the issuer make shorter ones");
        }
        let subject = self.text("sub").unwrap_or_default();
        if subject.is_empty() || subject.len() > MAX_SUBJECT || subject.chars().any(char::is_control) {
            return refused("the token's subject is empty, too long, or not readable");
        }
        let tenant = self.tenant(options)?;
        let permissions = self.permissions(options)?;
        let identity = format!("{}#{subject}", options.issuer);
        let key = Key {
            id: identity.clone(),
            name: self.email(),
            level: ScopeLevel::Organization,
            target: None,
            permissions,
            expired: false,
            person: Some(Person { identity, ends, logged_in }),
        };
        Ok((tenant, key))
    }

    /// An ID token is for whoever asked for it, also where others may read it; an access token for an audience is for that.
    fn is_for_the_client(&self, options: &OidcOptions) -> bool {
        let audiences: Vec<&str> = match self.0.get("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        if audiences.iter().any(|audience| options.audiences.contains(*audience)) {
            return true;
        }
        match self.0.get("azp") {
            Some(party) => party.as_str() == Some(&options.client_id),
            None => audiences == [&*options.client_id],
        }
    }

    fn tenant(&self, options: &OidcOptions) -> Result<TenantName, Fault> {
        let values = options.tenant_claim.texts(&self.0);
        let mut tenants: Vec<&TenantName> = values.iter().filter_map(|value| options.tenants.get(*value)).collect();
        tenants.dedup();
        match tenants[..] {
            [one] => Ok(one.clone()),
            [] => Err(Fault::forbidden("the login is of no tenant of this server")),
            _ => Err(Fault::forbidden("the login is of several tenants of this server, and counts for none")),
        }
    }

    fn permissions(&self, options: &OidcOptions) -> Result<Permissions, Fault> {
        let roles = options.role_claim.texts(&self.0);
        let rights = roles.iter().filter_map(|role| options.roles.get(*role)).max();
        Ok(match rights {
            Some(Rights::Write) => [Permission::Read, Permission::Write].into_iter().collect(),
            Some(Rights::Read) => [Permission::Read].into_iter().collect(),
            None => return Err(Fault::forbidden("the login has no role that may do anything here")),
        })
    }

    /// The address, where the issuer says that it is theirs. Policies name people by it, in lower case.
    fn email(&self) -> Option<String> {
        let is_verified = self.0.get("email_verified") == Some(&Value::Bool(true));
        let address = self.text("email").filter(|_| is_verified)?;
        let odd = |c: char| c.is_control() || c.is_whitespace();
        let good = address.len() <= MAX_EMAIL && address.contains('@') && !address.chars().any(odd);
        // Letters beyond ASCII may fold to others.
        good.then(|| address.to_ascii_lowercase())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// Seconds, which some issuers write with a fraction.
    fn time(&self, name: &str) -> Option<Timestamp> {
        let value = self.0.get(name)?;
        let seconds = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)?;
        Timestamp::UNIX_EPOCH.checked_add(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
    }
}
