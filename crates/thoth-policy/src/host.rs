//! The host of a URL. Deliberately not a URL parser: it accepts only URLs whose host all parsers read alike, and
//! leaves the rest undecided. A lenient parser would have to guess what the server's own parser does with
//! backslashes, user info, percent escapes or odd numbers, and a wrong guess is a bypass.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::glob::Glob;
use crate::truth::Truth;

/// The longest host name (RFC 1035 2.3.4).
const MAX_HOST: usize = 253;

/// Reads the host of an absolute URL; without brackets for IPv6. `None` when parsers could disagree.
pub(crate) fn of_url(url: &str) -> Option<&str> {
    if url.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme_ok = scheme.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !scheme_ok {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = match authority.strip_prefix('[') {
        Some(inner) => {
            let (host, port) = inner.split_once(']')?;
            port_ok(port).then_some(host).filter(|host| host.parse::<Ipv6Addr>().is_ok())?
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            port_ok(port).then_some(host).filter(|host| plain_name(host))?
        }
    };
    Some(host.strip_suffix('.').unwrap_or(host))
}

fn port_ok(port: &str) -> bool {
    port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.is_empty() || port.parse::<u16>().is_ok())
}

/// A host name of letters, digits, hyphens and underscores, or a dotted quad. A name that ends in a number is an
/// address to some parsers (WHATWG URL 3.5), so it must be one to all.
fn plain_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty() || host.len() > MAX_HOST {
        return false;
    }
    let labels_ok = host
        .split('.')
        .all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|b| b.is_ascii_digit())
        || last.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"));
    labels_ok && (!numeric || host.parse::<Ipv4Addr>().is_ok())
}

/// Whether the URL's host is one of `hosts`, which are globs in lower case.
pub(crate) fn is_in(hosts: &[Glob], url: &str) -> Truth {
    let Some(host) = of_url(url) else { return Truth::Error };
    if let Ok(address) = host.parse::<Ipv6Addr>() {
        // One address has many spellings; the canonical one is compared.
        let text = address.to_string();
        return hosts.iter().any(|glob| glob.matches(&text)).into();
    }
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        let lower = host.to_ascii_lowercase();
        return hosts.iter().any(|glob| glob.matches(&lower)).into();
    }
    hosts.iter().any(|glob| glob.matches(host)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends `host_in`: what parsers read differently has no host.
    #[test]
    fn hosts_are_read_only_where_all_agree() {
        for (url, host) in [
            ("https://api.example.com/x?y#z", Some("api.example.com")),
            ("https://example.com.:443/", Some("example.com")),
            ("http://[::1]:80/", Some("::1")),
            ("http://127.0.0.1", Some("127.0.0.1")),
            ("http://127.1", None),
            ("http://2130706433/", None),
            ("http://0x7f000001/", None),
            ("http://0177.0.0.1/", None),
            ("https://good.com@evil.com/", None),
            ("https://good.com\\@evil.com/", None),
            ("https://ev%69l.com/", None),
            ("https://ex\u{00E4}mple.com/", None),
            ("https:///example.com", None),
            ("example.com/x", None),
            ("https://example.com:99999/", None),
            ("https://exa mple.com/", None),
            ("https://a..b/", None),
            ("http:example.com", None),
        ] {
            assert_eq!(of_url(url), host, "{url}");
        }
        let hosts = [Glob::parse("*.example.com").unwrap()];
        assert_eq!(is_in(&hosts, "https://API.Example.com/"), Truth::True);
        assert_eq!(is_in(&hosts, "https://example.com.evil.net/"), Truth::False);
        assert_eq!(is_in(&hosts, "nonsense"), Truth::Error);
    }
}
