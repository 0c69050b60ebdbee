//! Who asks: the key that a request came with.

use axum::http::{HeaderMap, HeaderValue, header};
use thoth_api::contract::key::ApiKey;

use crate::fault::Fault;

const API_KEY: &str = "x-api-key";

/// The key that a request came with, in whichever of the two headers; published clients send one, the other, or both.
///
/// # Errors
/// If there is none, or there are two that differ: one of them could be somebody else's.
pub(crate) fn credential(headers: &HeaderMap) -> Result<ApiKey, Fault> {
    let mut found: Option<ApiKey> = None;
    let plain = headers.get_all(API_KEY).iter().map(plain);
    let bearer = headers.get_all(header::AUTHORIZATION).iter().map(bearer);
    for key in plain.chain(bearer) {
        let malformed = "the API key is not sent as `x-api-key: KEY` or `Authorization: Bearer KEY`";
        let key = key.ok_or_else(|| Fault::unauthorized(malformed))?;
        if found.as_ref().is_some_and(|known| known.expose_secret() != key.expose_secret()) {
            return Err(Fault::unauthorized("the request has two different API keys"));
        }
        found = Some(key);
    }
    found.ok_or_else(|| Fault::unauthorized("the request has no API key"))
}

fn plain(value: &HeaderValue) -> Option<ApiKey> {
    ApiKey::parse(value.to_str().ok()?)
}

fn bearer(value: &HeaderValue) -> Option<ApiKey> {
    let (scheme, key) = value.to_str().ok()?.trim().split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") { ApiKey::parse(key) } else { None }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    /// Both spellings count; two keys that differ, or half a header, are nobody's.
    #[test]
    fn the_table_of_credentials() {
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(Headers, Result<&str, &str>); 10] = [
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
        ];
        for (headers, expected) in cases {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap()))
                .collect();
            match (credential(&map), expected) {
                (Ok(key), Ok(expected)) => assert_eq!(key.expose_secret(), expected, "{headers:?}"),
                (Err(fault), Err(part)) => assert!(fault.message.contains(part), "{headers:?} {}", fault.message),
                (found, _) => panic!("{headers:?} {found:?}"),
            }
        }
    }
}
