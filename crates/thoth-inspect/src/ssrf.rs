//! Requests that arguments would send behind the walls: internal addresses and schemes that are no web.

use std::borrow::Cow;

use super::address::{Judged, Reach, judge};
use super::argument_role::Role;
use super::detection::{Class, Confidence};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf};
use super::settings::InspectSettings;

fn hit(kind: &'static str, range: std::ops::Range<usize>, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::Ssrf, kind, range, confidence, message }
}

/// Schemes that read files or speak other protocols through a fetcher.
const SCHEMES: &[&str] = &[
    "file", "gopher", "dict", "ldap", "ldaps", "tftp", "jar", "netdoc", "phar", "expect", "php", "sftp", "imap", "smb",
    "unix",
];

/// Schemes of addresses that are judged by their host; a program that is developed speaks the usual ones.
const USUAL: &[&str] = &["http", "https", "ws", "wss", "mysql", "postgres"];
const OTHERS: &[&str] = &["ftp", "redis", "tcp"];
/// Schemes behind which browsers and what follows them need no slashes (WHATWG URL, "special scheme").
const SLASHLESS: &[&str] = &["http", "https", "ws", "wss", "ftp"];
/// The longest host that is judged: a name has at most 253 bytes.
const MAX_HOST: usize = 255;

/// Judges a value that is an address, or that an address stands in.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    // Addresses are read without the control characters around them.
    let text = leaf.text.trim_matches(|edge: char| edge <= ' ' || edge.is_whitespace());
    match leaf.role {
        Role::Prose | Role::Search => {}
        Role::Command => {
            // A command may speak to the machine it runs on; it has no business with metadata.
            if names_metadata(leaf.text, effort) || words(leaf.text).any(|word| is_metadata(word, effort)) {
                hits.push(metadata(leaf));
            }
        }
        Role::Host if split_scheme(&without_breaks(text)).is_some() => address(leaf, text, settings, effort, hits),
        Role::Host => {
            let named = text.split(['/', ' ', '?']).next().unwrap_or(text);
            host(leaf, named.rsplit('@').next().unwrap_or(named), settings, hits);
        }
        _ => address(leaf, text, settings, effort, hits),
    }
}

/// A text without the characters that browsers drop: `ht\ttp:` is `http:`.
fn without_breaks(text: &str) -> Cow<'_, str> {
    match memchr::memchr3(b'\t', b'\r', b'\n', text.as_bytes()) {
        Some(_) => Cow::Owned(text.replace(['\t', '\r', '\n'], "")),
        None => Cow::Borrowed(text),
    }
}

fn metadata(leaf: &Leaf<'_>) -> Hit {
    hit("ssrf.metadata", 0..leaf.text.len(), Confidence::High, "the metadata service of a cloud")
}

/// The words of a command.
fn words(command: &str) -> impl Iterator<Item = &str> {
    let parts = |c: char| {
        matches!(c, ' ' | '\t' | '\n' | '\r' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '"' | '\'' | '`' | '=' | ',')
    };
    command.split(parts).filter(|word| !word.is_empty())
}

/// Whether a word is an address of a metadata service: behind a scheme, or with a path behind it.
fn is_metadata(word: &str, effort: &mut Effort) -> bool {
    // The shortest spelling: `192.192`.
    if word.len() < 7 {
        return false;
    }
    let scheme = memchr::memchr(b':', word.as_bytes()).and_then(|at| word.get(at..)?.strip_prefix("://"));
    let bare = scheme.unwrap_or(word);
    if scheme.is_none() && memchr::memchr(b'/', word.as_bytes()).is_none() {
        return false;
    }
    let opens = |name: &str| bare.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    (bare.starts_with(|first: char| first.is_ascii_digit() || first == '[')
        || opens("metadata.")
        || opens("instance-data."))
        && hosts_of(bare).any(|host| is_metadata_host(host, effort::TOKEN, effort))
}

/// Whether one of the addresses in a text is that of a metadata service.
fn names_metadata(text: &str, effort: &mut Effort) -> bool {
    memchr::memmem::find_iter(text.as_bytes(), b"://").any(|at| {
        let rest = text.get(at + 3..).unwrap_or_default();
        hosts_of(rest).any(|host| is_metadata_host(host, effort::TOKEN / 4, effort))
    })
}

/// Pays for a look at where a host leads, and looks if there is room for it. What is not ASCII is normalised.
fn is_metadata_host(host: &str, price: usize, effort: &mut Effort) -> bool {
    if host.len() > MAX_HOST {
        return false;
    }
    effort.reads(price + if host.is_ascii() { 0 } else { 4 * host.len() });
    !effort.is_spent() && judge(host).reach == Reach::Metadata
}

fn address(leaf: &Leaf<'_>, text: &str, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let plain = without_breaks(text);
    let (broken, text) = (matches!(plain, Cow::Owned(_)), &*plain);
    let from = hits.len();
    let Some((scheme, rest)) = split_scheme(text) else {
        if leaf.role == Role::Url {
            let bare = text.strip_prefix("//").unwrap_or(text);
            for named in hosts_of(bare) {
                host(leaf, named, settings, hits);
            }
            orders(bare, false, hits.get_mut(from..).unwrap_or_default());
        }
        return;
    };
    let is_one_of = |schemes: &[&str]| schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    if is_one_of(SCHEMES) && (leaf.role == Role::Url || !is_one_of(&["file"])) {
        hits.push(hit(
            "ssrf.scheme",
            0..leaf.text.len(),
            Confidence::High,
            "a scheme that reads files or speaks other protocols",
        ));
        return;
    }
    if is_one_of(USUAL) || is_one_of(OTHERS) {
        for named in hosts_of(rest) {
            host(leaf, named, settings, hits);
        }
        let slashes = text.get(scheme.len() + 1..text.len() - rest.len()).unwrap_or_default();
        orders(rest, broken || slashes != "//" || !is_one_of(USUAL), hits.get_mut(from..).unwrap_or_default());
        // An address inside of an address: open redirects and proxies.
        if memchr::memchr2(b':', b'%', rest.as_bytes()).is_some()
            && names_metadata(&thoth_text::percent::decode(rest).text, effort)
        {
            hits.push(metadata(leaf));
        }
    }
}

/// Ports on which a machine takes orders: containers, clusters, debuggers, remote control, data without a password.
const PORTS: &[&str] =
    &["22", "23", "2375", "2376", "2379", "4243", "5985", "5986", "6379", "8500", "9229", "9222", "10250", "11211"];

/// An address of this machine is an everyday thing for who develops on it, unless there is more to it: a spelling that
/// hides it, another protocol, or a port on which the machine takes orders.
fn orders(rest: &str, odd: bool, hits: &mut [Hit]) {
    if hits.is_empty() {
        return;
    }
    let authority = authority(rest);
    let authority = authority.split('\\').next().unwrap_or(authority);
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    if odd || rest.contains('\\') || authority.contains('@') || PORTS.contains(&port) {
        for hit in hits.iter_mut().filter(|hit| hit.kind == "ssrf.loopback") {
            hit.kind = "ssrf.loopback_detour";
            hit.message = "an address of the machine itself, hidden or where it takes orders";
        }
    }
}

/// `scheme`, and what follows the slashes; backslashes count as slashes, as in browsers.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let valid = !scheme.is_empty()
        && scheme.len() <= 16
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let slashed = rest.starts_with(['/', '\\']);
    let is_one_of = |schemes: &[&str]| schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    // A short number without slashes is a port and not a host; zero is no port.
    let named = authority(rest);
    let port = named.len() < 8 && named.bytes().all(|byte| byte.is_ascii_digit());
    let port = port && (named.is_empty() || named.bytes().any(|byte| byte != b'0'));
    (valid && (slashed || is_one_of(SCHEMES) || (is_one_of(SLASHLESS) && !port)))
        .then(|| (scheme, rest.trim_start_matches(['/', '\\'])))
}

/// What of an address names whom to speak to, up to the path.
fn authority(rest: &str) -> &str {
    let ends = |byte: u8| matches!(byte, b'/' | b'?' | b'#' | b' ' | b'"' | b'\'' | b'\n');
    rest.bytes().position(ends).and_then(|end| rest.get(..end)).unwrap_or(rest)
}

/// The hosts of what follows `scheme://`. To browsers a backslash ends the host; to other programs it is part of the user
/// information before an `@`.
fn hosts_of(rest: &str) -> impl Iterator<Item = &str> {
    let authority = authority(rest);
    let browsers = memchr::memchr(b'\\', authority.as_bytes()).and_then(|end| authority.get(..end));
    let others = browsers.is_some() && memchr::memchr(b'@', authority.as_bytes()).is_some();
    std::iter::once(host_of(browsers.unwrap_or(authority))).chain(others.then(|| host_of(authority)))
}

/// The host of an authority: user information and port left off.
fn host_of(authority: &str) -> &str {
    let after = memchr::memrchr(b'@', authority.as_bytes()).and_then(|at| authority.get(at + 1..));
    let host = after.unwrap_or(authority);
    let end = if host.starts_with('[') {
        memchr::memchr(b']', host.as_bytes()).map(|end| end + 1)
    } else {
        memchr::memchr(b':', host.as_bytes())
    };
    end.and_then(|end| host.get(..end)).unwrap_or(host)
}

fn is_allowed(host: &str, settings: &InspectSettings) -> bool {
    settings.allowed_hosts.iter().any(|allowed| match allowed.strip_prefix("*.") {
        Some(zone) => {
            host.len() > zone.len()
                && host.to_ascii_lowercase().ends_with(zone)
                && host.as_bytes().get(host.len() - zone.len() - 1) == Some(&b'.')
        }
        None => host.eq_ignore_ascii_case(allowed),
    })
}

fn host(leaf: &Leaf<'_>, host: &str, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    let bare = if host.starts_with('[') || host.matches(':').count() != 1 {
        host
    } else {
        host.split(':').next().unwrap_or(host)
    };
    if bare.is_empty() || bare.len() > MAX_HOST || is_allowed(bare, settings) {
        return;
    }
    let Judged { reach, disguised } = judge(bare);
    let all = 0..leaf.text.len();
    // A lone number in a role that is not quite an address is a number.
    if leaf.role == Role::Host && disguised && bare.bytes().all(|byte| byte.is_ascii_digit()) && bare.len() < 8 {
        return;
    }
    let (kind, message) = match (reach, disguised) {
        (Reach::Metadata, _) => ("ssrf.metadata", "the metadata service of a cloud"),
        (Reach::Public, true) => return,
        (_, true) => ("ssrf.disguised_address", "an internal address in disguise"),
        (Reach::Loopback, _) => ("ssrf.loopback", "an address of the machine itself"),
        (Reach::Private, _) => ("ssrf.private_address", "an address of an internal network"),
        (Reach::LinkLocal, _) => ("ssrf.link_local", "an address of the network segment"),
        (Reach::Public, false) => return,
    };
    hits.push(hit(kind, all, Confidence::High, message));
}

#[cfg(test)]
mod tests;
