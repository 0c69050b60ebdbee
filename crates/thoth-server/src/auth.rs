//! Who asks: the key or the token that a request came with.

use axum::http::{HeaderMap, HeaderValue, header};
use thoth_api::contract::key::ApiKey;
use thoth_api::contract::login::{Credential, LoginToken};

use crate::fault::Fault;

const API_KEY: &str = "x-api-key";

/// What a request came with, in whichever of the two headers; published clients send a key in one, the other, or both. A
/// token stands in the one for bearers only.
///
/// # Errors
/// If there is none, or there are two that differ: one of them could be somebody else's.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Credential, Fault> {
    let mut found: Option<Credential> = None;
    let plain = headers.get_all(API_KEY).iter().map(plain);
    let bearer = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    for credential in plain.chain(bearer) {
        let malformed = "the API key is not sent as `x-api-key: KEY` or `Authorization: Bearer KEY`";
        let credential = credential.ok_or_else(|| Fault::unauthorized(malformed))?;
        if found.as_ref().is_some_and(|known| known.expose_secret() != credential.expose_secret()) {
            return Err(Fault::unauthorized("the request has two different API keys"));
        }
        found = Some(credential);
    }
    found.ok_or_else(|| Fault::unauthorized("the request has no API key"))
}

fn plain(value: &HeaderValue) -> Option<Credential> {
    ApiKey::parse(value.to_str().ok()?).map(Credential::Key)
}

fn bearer(value: &HeaderValue) -> Option<Credential> {
    let (scheme, text) = value.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    // No key that a server made has a point in it.
    LoginToken::parse(text).map(Credential::Login).or_else(|| ApiKey::parse(text).map(Credential::Key))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    /// Both spellings count; two keys that differ, or half a header, are nobody's.
    #[test]
    fn the_table_of_credentials() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(Headers, Result<&str, &str>); 14] = [
            (&[("x-api-key", "k")], Ok("k")),
            (&[("authorization", "Bearer k")], Ok("k")),
            (&[("authorization", "bearer  k ")], Ok("k")),
            (&[("authorization", "Bearer k"), ("x-api-key", "k")], Ok("k")),
            (&[("authorization", "Bearer k"), ("x-api-key", "l")], Err("two different")),
            (&[("x-api-key", "k"), ("x-api-key", "l")], Err("two different")),
            (&[], Err("has no API key")),
            (&[("x-api-key", "")], Err("is not sent as")),
            (&[("authorization", "Basic k")], Err("is not sent as")),
            (&[("authorization", "Bearer ")], Err("is not sent as")),
            (&[("authorization", "Bearer a.b.c")], Ok("login a.b.c")),
            (&[("authorization", "Bearer a.b.c.d")], Ok("a.b.c.d")),
            (&[("x-api-key", "a.b.c")], Ok("a.b.c")),
            (&[("authorization", "Bearer a.b.c"), ("x-api-key", "k")], Err("two different")),
        ];
        for (headers, expected) in cases {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
                .collect();
            match (credential(&map), expected) {
                (Ok(Credential::Key(key)), Ok(expected)) => assert_eq!(key.expose_secret(), expected, "{headers:?}"),
                (Ok(Credential::Login(token)), Ok(expected)) => {
                    assert_eq!(format!("login {}", token.expose_secret()), expected, "{headers:?}");
                }
                (Err(fault), Err(part)) => assert!(fault.message.contains(part), "{headers:?} {}", fault.message),
                (found, _) => panic!("{headers:?} {found:?}"),
            }
        }
    }
}
