//! The collector of traces that the settings name. Headers for it may have a key, so that they are shown nowhere.

use std::net::IpAddr;
use std::path::Path;

use percent_encoding::percent_decode_str;
use thoth_api::Url;
use thoth_shell::exit::Failure;
use thoth_shell::terminal::{harmless_text, note};
use thoth_telemetry::traces::Options;
use thoth_types::Redacted;

use crate::options::{HEADERS, Origin, Resolved, TRACES_ENDPOINT};
use crate::places::{authorities, secret};

/// Where collectors take traces, below their address.
const PATH: &str = "/v1/traces";

/// Where traces go, if anywhere, of a server that speaks this. Nothing is connected yet.
pub(crate) fn traces(resolved: &Resolved, scheme: &'static str) -> Result<Option<Options>, Failure> {
    let Some(endpoint) = resolved.get("traces_endpoint") else { return Ok(None) };
    let given = endpoint.text.expose_secret();
    let is_whole = given.ends_with(PATH) || endpoint.origin == Origin::Common(TRACES_ENDPOINT);
    let address = if is_whole { given.clone() } else { format!("{}{PATH}", given.trim_end_matches('/')) };
    let headers = headers(resolved)?;
    if !headers.is_empty() && !is_private(&address) {
        note(format_args!("whoever is on the way to `{}` can read the headers for it", harmless_text(&address)));
    }
    let authorities = resolved.path("traces_ca_file").map(authorities).transpose()?;
    Ok(Some(Options {
        endpoint: address,
        headers,
        authorities,
        ratio: resolved.read("traces_ratio")?,
        service: resolved.word("traces_service_name").to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        scheme,
    }))
}

/// Whether nobody on the way to an address reads what is sent there.
fn is_private(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let host = url.host_str().unwrap_or_default();
    let is_here = host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.scheme() == "https" || is_here || host == "localhost"
}

/// Names and values of headers.
type Headers = Vec<(String, Redacted<String>)>;

fn headers(resolved: &Resolved) -> Result<Headers, Failure> {
    let Some((value, in_file)) = resolved.secret(HEADERS) else { return Ok(Vec::new()) };
    let (source, text) = if in_file {
        secret(Path::new(value.text.expose_secret()), "the headers")?
    } else {
        (value.origin.to_string(), value.text.clone())
    };
    if matches!(value.origin, Origin::Flag(_)) && !in_file {
        note(format_args!(
            "other users of this machine can see the headers in {source}; use --traces-headers-file or \
             THOTHD_TRACES_HEADERS"
        ));
    }
    read(text.expose_secret()).ok_or_else(|| {
        Failure::usage(format!("{source} cannot be used: headers are `NAME=VALUE`, separated by commas"))
    })
}

/// `name=value,…`, or one to a line, where `%` and two digits stand for a byte.
fn read(text: &str) -> Option<Headers> {
    let pairs = text.split([',', '\n']).map(str::trim).filter(|pair| !pair.is_empty());
    pairs.map(header).collect()
}

fn header(pair: &str) -> Option<(String, Redacted<String>)> {
    let (name, value) = pair.split_once('=')?;
    let name = name.trim();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let value = Redacted::new(percent_decode_str(value.trim()).decode_utf8().ok()?.into_owned());
    let is_value = value.expose_secret().bytes().all(|byte| (b' '..=b'~').contains(&byte));
    (is_name && is_value && !value.expose_secret().is_empty()).then(|| (name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the variable that many programs know is written, and nothing that could end a header and begin another one.
    #[test]
    fn the_table_of_headers() {
        for (text, expected) in [
            ("a=b", Some(&[("a", "b")][..])),
            (
                " Authorization = Bearer%20x=y, x-scope.org_id=7,",
                Some(&[("Authorization", "Bearer x=y"), ("x-scope.org_id", "7")]),
            ),
            ("a=b\nc=d%2Ce\n", Some(&[("a", "b"), ("c", "d,e")])),
            ("a=100%", Some(&[("a", "100%")])),
            ("", Some(&[])),
            ("a", None),
            ("=b", None),
            ("a=", None),
            ("a b=c", None),
            ("a=b%0d%0Ac: d", None),
            ("a=%ff", None),
            ("a=é", None),
        ] {
            let found = read(text);
            let found = found.as_ref().map(|headers| {
                headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret().as_str())).collect::<Vec<_>>()
            });
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
    }
}
