//! Addresses that carry data away as soon as they are opened, or that only collect what is sent to them.
//!
//! A client that shows an image fetches it without asking, so that what stands in its address is sent. A plain link does
//! nothing by itself, and ordinary ones have tokens in them: those are no carriers.

use std::sync::LazyLock;

use super::super::words::{Words, in_lower_case};

/// Hosts whose only use is to show what arrives at them.
const COLLECTORS: &[&str] = &[
    "webhook.site",
    "requestbin.com",
    "requestbin.net",
    "requestcatcher.com",
    "hookbin.com",
    "interact.sh",
    "oast.fun",
    "oast.live",
    "oast.me",
    "oast.online",
    "oast.pro",
    "oast.site",
    "burpcollaborator.net",
    "oastify.com",
    "dnslog.cn",
];
/// Hosts that developers use for much else: carriers where something is handed to them.
const TUNNELS: &[&str] =
    &["ngrok.io", "ngrok.app", "ngrok-free.app", "pipedream.net", "transfer.sh", "beeceptor.com", "trycloudflare.com"];
/// Hosts that draw what an image's address says.
const DRAWING: &[&str] = &["api.qrserver.com", "chart.googleapis.com", "quickchart.io"];
/// Names of parameters that are about what a model knows.
const TELLING: &[&str] = &[
    "data",
    "payload",
    "secret",
    "secrets",
    "exfil",
    "dump",
    "token",
    "api_key",
    "apikey",
    "password",
    "chat",
    "conversation",
    "history",
    "leak",
    "context",
];
/// How far before an address the mark of an image may open.
const NEAR: usize = 256;

pub(super) static HOSTS: LazyLock<Words> = LazyLock::new(|| {
    let all: Vec<&str> = [COLLECTORS, TUNNELS, DRAWING].concat();
    Words::of_ends(&all)
});

/// Whether an address carries data away; `before` is the text that it follows.
pub(super) fn carries(before: &[u8], address: &str) -> bool {
    let Some((_, rest)) = address.split_once("://") else { return false };
    let (host, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = host.rsplit('@').next().unwrap_or(host);
    let host = in_lower_case(host.split(':').next().unwrap_or(host));
    let query = path.split_once('?').map(|(_, query)| query);
    // One of these, or one below it.
    match HOSTS.ends(&host, |_, below| below.is_empty() || below.ends_with('.')) {
        Some(place) if place < COLLECTORS.len() => return path.len() > 1 || host.matches('.').count() > 1,
        Some(place) if place < COLLECTORS.len() + TUNNELS.len() => {
            return query.is_some_and(|query| query.contains('='));
        }
        Some(_) => return false,
        None => {}
    }
    let tells = |pair: &str| {
        pair.split_once('=').is_some_and(|(name, _)| TELLING.iter().any(|telling| telling.eq_ignore_ascii_case(name)))
    };
    query.is_some_and(|query| is_image(before) && query.split('&').take(8).any(tells))
}

/// Whether what stands before an address opens an image: `![…](`, or a `src=` in a tag.
fn is_image(before: &[u8]) -> bool {
    let near = before.get(before.len().saturating_sub(NEAR)..).unwrap_or(before).trim_ascii_end();
    if let Some(named) = near.strip_suffix(b"](").or_else(|| near.strip_suffix(b"](<")) {
        return memchr::memrchr(b'[', named).is_some_and(|at| at > 0 && named.get(at - 1) == Some(&b'!'));
    }
    let near = near.strip_suffix(b"\"").or_else(|| near.strip_suffix(b"'")).unwrap_or(near);
    near.strip_suffix(b"=")
        .is_some_and(|near| near.trim_ascii_end().get(near.trim_ascii_end().len().saturating_sub(3)..) == Some(b"src"))
}
