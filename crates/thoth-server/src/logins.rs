//! The issuer whose logins are taken, and what they grant, as the settings say. Nobody has asked it anything yet.

use std::collections::BTreeSet;
use std::str::FromStr;

use thoth_api::{CaBundle, TlsSettings};
use thoth_server::{ClaimName, NoOidc, OidcOptions};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;

use crate::options::Resolved;
use crate::places::authorities;
use crate::serving::lonely;

/// What an issuer needs, to be of use.
const NEEDED: [&str; 3] = ["oidc_client_id", "oidc_tenant", "oidc_role"];
/// What else says nothing without an issuer. The claims have defaults, so that they may stand alone.
const BESIDE: [&str; 3] = ["oidc_audience", "oidc_scope", "oidc_ca_file"];

/// Whose logins are taken, if anybody's.
pub(crate) fn logins(resolved: &Resolved) -> Result<Option<OidcOptions>, Failure> {
    let is_given = |name: &&&str| resolved.get(name).is_some();
    if resolved.get("oidc_issuer").is_none() {
        let alone = NEEDED.iter().chain(&BESIDE).find(is_given);
        return alone.map_or(Ok(None), |given| Err(lonely(resolved, given, "oidc_issuer")));
    }
    if let Some(missing) = NEEDED.iter().find(|name| !is_given(name)) {
        return Err(lonely(resolved, "oidc_issuer", missing));
    }
    let audiences: Vec<String> = resolved.list("oidc_audience").into_iter().map(str::to_owned).collect();
    let scope = resolved.get("oidc_scope").map(|value| value.text.expose_secret());
    let tenants = (claim(resolved, "oidc_tenant_claim")?, parsed(resolved, "oidc_tenant")?);
    let roles = (claim(resolved, "oidc_role_claim")?, parsed(resolved, "oidc_role")?);
    let options = OidcOptions::new((resolved.word("oidc_issuer"), resolved.word("oidc_client_id")), tenants, roles)
        .and_then(|options| options.audiences(&audiences))
        .and_then(|options| scope.iter().try_fold(options, |options, scope| options.scope(scope)));
    let options = options.map_err(|error| wrong(resolved, culprit(resolved, &error), &error))?;
    Ok(Some(options.tls(tls(resolved)?)))
}

fn wrong(resolved: &Resolved, name: &str, what: &dyn std::fmt::Display) -> Failure {
    let place = resolved.get(name).map(|value| value.origin.to_string()).unwrap_or_default();
    Failure::usage(format!("{place}: `{name}`: {what}"))
}

fn claim(resolved: &Resolved, name: &str) -> Result<ClaimName, Failure> {
    resolved.word(name).parse().map_err(|error: NoOidc| wrong(resolved, name, &error))
}

fn parsed<T: FromStr<Err = NoOidc>>(resolved: &Resolved, name: &str) -> Result<Vec<T>, Failure> {
    let parts = resolved.list(name).into_iter().map(str::parse);
    parts.collect::<Result<_, _>>().map_err(|error| wrong(resolved, name, &error))
}

/// Which setting it is that cannot be used.
fn culprit(resolved: &Resolved, error: &NoOidc) -> &'static str {
    let values =
        |name| resolved.list(name).into_iter().map(|part| part.rsplit_once('=').map_or(part, |(value, _)| value));
    let is_twice = |name| {
        let mut seen = BTreeSet::new();
        values(name).any(|value| !seen.insert(value))
    };
    match error {
        NoOidc::Twice(_) if is_twice("oidc_tenant") => "oidc_tenant",
        NoOidc::Twice(_) => "oidc_role",
        NoOidc::Nobody if resolved.list("oidc_tenant").is_empty() => "oidc_tenant",
        NoOidc::Nobody => "oidc_role",
        NoOidc::Scope => "oidc_scope",
        // Everything else was looked at before.
        _ => "oidc_issuer",
    }
}

fn tls(resolved: &Resolved) -> Result<TlsSettings, Failure> {
    let Some(path) = resolved.path("oidc_ca_file") else { return Ok(TlsSettings::default()) };
    let bundle = CaBundle { name: harmless_text(&path.to_string_lossy()), pem: authorities(path)? };
    TlsSettings::parse(None, Some(bundle), None).map_err(|error| wrong(resolved, "oidc_ca_file", &error))
}
