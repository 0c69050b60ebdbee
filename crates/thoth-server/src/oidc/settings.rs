//! What is believed of which issuer, and what it grants: nothing that is not written down here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::str::FromStr;

use serde_json::{Map, Value};
use thoth_api::{TlsSettings, Url};

use crate::tenants::TenantName;

/// The longest text of a setting, in bytes.
const MAX_TEXT: usize = 512;
/// What an issuer is asked for where nothing else is said: who it is, their address, and to stay logged in.
const SCOPE: &str = "openid email profile offline_access";

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoOidc {
    /// No address of an issuer.
    #[error("the issuer is no address: it is https://, or http:// on this machine, without `?`, `#` and a password")]
    Issuer,
    /// Empty, too long or not readable.
    #[error("`{0}` is empty, longer than {MAX_TEXT} bytes, or has control characters")]
    Text(&'static str),
    /// No tenant.
    #[error("a tenant is `VALUE=TENANT`, or the name of a tenant that the claim has as it is")]
    Tenant,
    /// No role.
    #[error("a role is `ROLE=read` or `ROLE=write`")]
    Role,
    /// One value, two meanings.
    #[error("`{0}` is mapped twice")]
    Twice(String),
    /// Nobody could log in.
    #[error("nobody could log in: at least one tenant and one role must be mapped")]
    Nobody,
    /// Not what OpenID Connect asks for.
    #[error("the scope has no `openid`")]
    Scope,
}

/// Where in a token something stands: a member by its name, or a path of names as in `/realm_access/roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimName(String);

impl FromStr for ClaimName {
    type Err = NoOidc;

    fn from_str(text: &str) -> Result<Self, NoOidc> {
        Ok(Self(plain("claim", text)?.to_owned()))
    }
}

impl ClaimName {
    /// The texts there: one, or those of a list. Anything else says nothing.
    pub(super) fn texts<'c>(&self, claims: &'c Map<String, Value>) -> Vec<&'c str> {
        let found = match self.0.strip_prefix('/') {
            // Of a name with a `/` in it, such as an address, the whole is meant if there is such a claim.
            Some(path) if !claims.contains_key(&self.0) => {
                let mut parts = path.split('/');
                let first = parts.next().and_then(|name| claims.get(name));
                parts.fold(first, |found, name| found.and_then(|value| value.as_object()?.get(name)))
            }
            _ => claims.get(&self.0),
        };
        match found {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// What somebody with a role may do. Never to have calls decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rights {
    /// To look.
    Read,
    /// To look and to change.
    Write,
}

/// Which value of the tenant's claim means which tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TenantMapping(String, TenantName);

impl FromStr for TenantMapping {
    type Err = NoOidc;

    fn from_str(text: &str) -> Result<Self, NoOidc> {
        let (value, name) = text.rsplit_once('=').unwrap_or((text, text));
        Ok(Self(plain("tenant", value)?.to_owned(), name.parse().map_err(|_| NoOidc::Tenant)?))
    }
}

/// Which value of the role's claim grants what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleMapping(String, Rights);

impl FromStr for RoleMapping {
    type Err = NoOidc;

    fn from_str(text: &str) -> Result<Self, NoOidc> {
        let rights = match text.rsplit_once('=') {
            Some((role, "read")) => (role, Rights::Read),
            Some((role, "write")) => (role, Rights::Write),
            _ => return Err(NoOidc::Role),
        };
        Ok(Self(plain("role", rights.0)?.to_owned(), rights.1))
    }
}

/// Which issuer a server believes, and what that grants to whom.
#[derive(Debug, Clone)]
pub struct OidcOptions {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) audiences: BTreeSet<String>,
    pub(super) scope: String,
    pub(super) tenant_claim: ClaimName,
    pub(super) tenants: BTreeMap<String, TenantName>,
    pub(super) role_claim: ClaimName,
    pub(super) roles: BTreeMap<String, Rights>,
    pub(super) tls: TlsSettings,
}

impl OidcOptions {
    /// An issuer, as it stands in its tokens, and the client as which people log in there; the claims that name the tenant
    /// and the roles of a person, and what their values mean.
    ///
    /// # Errors
    /// If something cannot be used, or nobody could log in.
    pub fn new(
        (issuer, client_id): (&str, &str),
        (tenant_claim, tenants): (ClaimName, Vec<TenantMapping>),
        (role_claim, roles): (ClaimName, Vec<RoleMapping>),
    ) -> Result<Self, NoOidc> {
        let url = Url::parse(issuer).map_err(|_| NoOidc::Issuer)?;
        let host = url.host_str().unwrap_or_default();
        let here = host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(is_loopback);
        let odd = !url.username().is_empty() || url.password().is_some() || issuer.contains(['?', '#']);
        if odd || !(url.scheme() == "https" || url.scheme() == "http" && here) || plain("issuer", issuer).is_err() {
            return Err(NoOidc::Issuer);
        }
        if tenants.is_empty() || roles.is_empty() {
            return Err(NoOidc::Nobody);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            client_id: plain("client id", client_id)?.to_owned(),
            audiences: BTreeSet::new(),
            scope: SCOPE.to_owned(),
            tenant_claim,
            tenants: once(tenants.into_iter().map(|TenantMapping(value, tenant)| (value, tenant)))?,
            role_claim,
            roles: once(roles.into_iter().map(|RoleMapping(role, rights)| (role, rights)))?,
            tls: TlsSettings::default(),
        })
    }

    /// Takes access tokens for these audiences, too, beside tokens for the client.
    ///
    /// # Errors
    /// If one cannot be used.
    pub fn audiences(mut self, audiences: &[String]) -> Result<Self, NoOidc> {
        let audiences = audiences.iter().map(|audience| plain("audience", audience).map(str::to_owned));
        self.audiences = audiences.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// What to ask the issuer for, separated by spaces.
    ///
    /// # Errors
    /// If it is not what OpenID Connect asks for.
    pub fn scope(mut self, scope: &str) -> Result<Self, NoOidc> {
        plain("scope", scope)?.clone_into(&mut self.scope);
        if scope.split(' ').any(|word| word == "openid") { Ok(self) } else { Err(NoOidc::Scope) }
    }

    /// What the connection to the issuer trusts.
    #[must_use]
    pub fn tls(mut self, tls: TlsSettings) -> Self {
        self.tls = tls;
        self
    }

    /// For whom tokens are taken.
    pub(super) fn taken_audiences(&self) -> HashSet<String> {
        self.audiences.iter().chain([&self.client_id]).cloned().collect()
    }
}

fn is_loopback(address: std::net::IpAddr) -> bool {
    address.is_loopback()
}

fn plain<'t>(what: &'static str, text: &'t str) -> Result<&'t str, NoOidc> {
    let good = !text.trim().is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control);
    if good { Ok(text) } else { Err(NoOidc::Text(what)) }
}

fn once<T>(pairs: impl Iterator<Item = (String, T)>) -> Result<BTreeMap<String, T>, NoOidc> {
    let mut map = BTreeMap::new();
    for (value, meaning) in pairs {
        if map.insert(value.clone(), meaning).is_some() {
            return Err(NoOidc::Twice(value));
        }
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(issuer: &str, tenants: &[&str], roles: &[&str]) -> Result<OidcOptions, NoOidc> {
        let tenants = tenants.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        let roles = roles.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        OidcOptions::new((issuer, "thothctl"), ("org_id".parse()?, tenants), ("roles".parse()?, roles))
    }

    /// Nothing is granted that is not written down, and what is written down twice is a mistake.
    #[test]
    fn the_table_of_settings() {
        let good = "https://login.example";
        for (issuer, tenants, roles, expected) in [
            (good, &["acme"][..], &["admin=write"][..], Ok(())),
            ("https://login.example/realms/a/", &["org=1=acme"], &["a=b=read", "c=write"], Ok(())),
            ("http://127.0.0.1:9", &["acme"], &["admin=write"], Ok(())),
            ("http://[::1]:9", &["acme"], &["admin=write"], Ok(())),
            ("http://login.example", &["acme"], &["admin=write"], Err(NoOidc::Issuer)),
            ("https://login.example?x", &["acme"], &["admin=write"], Err(NoOidc::Issuer)),
            ("https://a:b@login.example", &["acme"], &["admin=write"], Err(NoOidc::Issuer)),
            ("login.example", &["acme"], &["admin=write"], Err(NoOidc::Issuer)),
            (good, &[], &["admin=write"], Err(NoOidc::Nobody)),
            (good, &["acme"], &[], Err(NoOidc::Nobody)),
            (good, &["Acme Inc"], &["admin=write"], Err(NoOidc::Tenant)),
            (good, &["=acme"], &["admin=write"], Err(NoOidc::Text("tenant"))),
            (good, &["acme"], &["admin"], Err(NoOidc::Role)),
            (good, &["acme"], &["admin=execute"], Err(NoOidc::Role)),
            (good, &["acme"], &["=write"], Err(NoOidc::Text("role"))),
            (good, &["1=acme", "1=other"], &["admin=write"], Err(NoOidc::Twice("1".to_owned()))),
            (good, &["acme"], &["a=read", "a=write"], Err(NoOidc::Twice("a".to_owned()))),
        ] {
            assert_eq!(options(issuer, tenants, roles).map(|_| ()), expected, "{issuer} {tenants:?} {roles:?}");
        }
        let any = options(good, &["acme"], &["admin=write"]).unwrap();
        assert_eq!(any.clone().scope("email").map(|_| ()), Err(NoOidc::Scope));
        assert_eq!(any.audiences(&[String::new()]).map(|_| ()), Err(NoOidc::Text("audience")));
    }

    /// Where a claim stands, and what says nothing.
    #[test]
    fn the_table_of_claims() {
        let claims = r#"{"roles": ["a", 7, "b"], "org": "acme", "https://x/roles": "c", "realm": {"roles": ["d"], "n": 1},
            "/odd/name": "e"}"#;
        let claims: Map<String, Value> = serde_json::from_str(claims).unwrap();
        for (name, expected) in [
            ("roles", &["a", "b"][..]),
            ("org", &["acme"]),
            ("https://x/roles", &["c"]),
            ("/realm/roles", &["d"]),
            ("/odd/name", &["e"]),
            ("/realm/n", &[]),
            ("/realm/roles/0", &[]),
            ("/realm", &[]),
            ("none", &[]),
            ("/", &[]),
        ] {
            assert_eq!(name.parse::<ClaimName>().unwrap().texts(&claims), expected, "{name}");
        }
    }
}
