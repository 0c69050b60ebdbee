//! Requests that arguments would send behind the walls: internal addresses and schemes that are no web.

use super::address::{Judged, Reach, judge};
use super::argument_role::Role;
use super::detection::{Class, Confidence};
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

/// Judges a value that is an address, or that an address stands in.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    let text = leaf.text.trim();
    match leaf.role {
        Role::Prose | Role::Search => {}
        Role::Command => {
            // A command may speak to the machine it runs on; it has no business with metadata.
            let addresses = memchr::memchr_iter(b':', leaf.text.as_bytes())
                .filter_map(|at| leaf.text.get(at..)?.strip_prefix("://"));
            for rest in addresses.take(64) {
                let judged = judge(host_of(rest));
                if judged.reach == Reach::Metadata {
                    hits.push(hit(
                        "ssrf.metadata",
                        0..leaf.text.len(),
                        Confidence::High,
                        "the metadata service of a cloud",
                    ));
                    return;
                }
            }
        }
        Role::Host => host(leaf, text.split(['/', ' ', '?']).next().unwrap_or(text), settings, hits),
        _ if text.len() > 8192 => {}
        _ => address(leaf, text, settings, hits),
    }
}

fn address(leaf: &Leaf<'_>, text: &str, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    // Browsers drop these characters, so `ht\ttp:` is `http:`.
    let joined: String;
    let broken = memchr::memchr3(b'\t', b'\r', b'\n', text.as_bytes()).is_some();
    let text = if broken {
        joined = text.replace(['\t', '\r', '\n'], "");
        &joined
    } else {
        text
    };
    let from = hits.len();
    let Some((scheme, rest)) = split_scheme(text) else {
        if leaf.role == Role::Url {
            let bare = text.strip_prefix("//").unwrap_or(text);
            host(leaf, host_of(bare), settings, hits);
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
        host(leaf, host_of(rest), settings, hits);
        let slashes = text.get(scheme.len() + 1..text.len() - rest.len()).unwrap_or_default();
        orders(rest, broken || slashes != "//" || !is_one_of(USUAL), hits.get_mut(from..).unwrap_or_default());
        // An address inside the parameters of an address: open redirects and proxies.
        let query = rest.split_once('?').map_or("", |(_, query)| query);
        let inner = thoth_text::percent::decode(query);
        if let Some((_, rest)) = inner.text.split_once("://")
            && judge(host_of(rest)).reach == Reach::Metadata
        {
            hits.push(hit("ssrf.metadata", 0..leaf.text.len(), Confidence::High, "the metadata service of a cloud"));
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
    let authority = rest.split(['/', '?', '#', '\\', ' ', '"', '\'', '\n']).next().unwrap_or(rest);
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
    let known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    (valid && (slashed || known)).then(|| (scheme, rest.trim_start_matches(['/', '\\'])))
}

/// The host of what follows `scheme://`: user information and port left off.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#', '\\', ' ', '"', '\'', '\n']).next().unwrap_or(rest);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return host.find(']').and_then(|end| host.get(..=end)).unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
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
    if bare.is_empty() || bare.len() > 255 || is_allowed(bare, settings) {
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
