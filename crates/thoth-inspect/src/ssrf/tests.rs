//! Addresses that lead behind the walls.

use super::super::detection::Direction;
use super::super::leaf::LeafKind;
use super::*;

fn kind(role: Role, text: &str) -> Option<&'static str> {
    let leaf = Leaf::new(text, "x", LeafKind::Text, role, Direction::Arguments);
    let settings = InspectSettings {
        allowed_hosts: vec!["10.1.2.3".to_owned(), "*.corp.localhost".to_owned()],
        ..InspectSettings::default()
    };
    let mut hits = Vec::new();
    find(&leaf, &settings, &mut Effort::of(0), &mut hits);
    hits.first().map(|hit| hit.kind.trim_start_matches("ssrf."))
}

#[test]
fn table() {
    for (role, text, expected) in [
        (Role::Url, "https://example.com/a?b=http://example.org", None),
        (Role::Url, "https://8.8.8.8/", None),
        (Role::Url, "http://10.1.2.3/", None),
        (Role::Url, "http://a.corp.localhost/", None),
        (Role::Url, "example.com/path", None),
        (Role::Url, "http://169.254.169.254/latest/meta-data/", Some("metadata")),
        (Role::Url, "http://[::ffff:169.254.169.254]/", Some("metadata")),
        (Role::Url, "http://2852039166/", Some("metadata")),
        (Role::Url, "http://metadata.google.internal/computeMetadata/v1/", Some("metadata")),
        (Role::Url, "169.254.169.254/latest", Some("metadata")),
        (Role::Url, "http://localhost:3000/", Some("loopback")),
        (Role::Url, "http://example.com@127.0.0.1/", Some("loopback_detour")),
        (Role::Url, "http://127.0.0.1:2375/containers/json", Some("loopback_detour")),
        (Role::Url, "redis://localhost/0", Some("loopback_detour")),
        (Role::Url, "localhost:9229", Some("loopback_detour")),
        (Role::Url, "http:\\\\localhost:8080\\admin", Some("loopback_detour")),
        (Role::Url, "ht\ntp://localhost/", Some("loopback_detour")),
        (Role::Url, "http://0x7f.1/", Some("disguised_address")),
        (Role::Url, "http://127.0.0.1.nip.io/", Some("disguised_address")),
        (Role::Url, "http://192.168.0.1/", Some("private_address")),
        (Role::Url, "http://[fe80::1]/", Some("link_local")),
        (Role::Url, "gopher://example.com/_x", Some("scheme")),
        (Role::Url, "file:///tmp/x", Some("scheme")),
        (Role::Url, "https://example.com/?next=http%3A%2F%2F169.254.169.254%2F", Some("metadata")),
        (Role::Url, "https://example.com/?a=x://&u=http://169.254.169.254/", Some("metadata")),
        (Role::Url, "https://proxy.example/http://metadata.google.internal/x", Some("metadata")),
        (Role::Url, "http:169.254.169.254/latest", Some("metadata")),
        (Role::Url, "http:8080", None),
        (Role::Url, "\u{1}http://169.254.169.254/", Some("metadata")),
        (Role::Url, "http://example.com\\@169.254.169.254/", Some("metadata")),
        (Role::Url, "http://169.254.169.254\\@example.com/", Some("metadata")),
        (Role::Url, "https://me@example.com/a\\b@c", None),
        (Role::Host, "example.com", None),
        (Role::Host, "10.0.0.5:22", Some("private_address")),
        (Role::Host, "169.254.169.254/?u=http://x", Some("metadata")),
        (Role::Host, "10.0.0.5/a://b", Some("private_address")),
        (Role::Host, "ht\ttp://10.0.0.5/", Some("private_address")),
        (Role::Url, "http:0/admin", Some("disguised_address")),
        (Role::Command, "nslookup example.com 169.254.169.253 && git commit -m 'block 169.254.169.254'", None),
        (Role::Host, "42", None),
        (Role::Scalar, "http://127.0.0.1/", Some("loopback")),
        (Role::Scalar, "note: 127.0.0.1", None),
        (Role::Command, "curl http://localhost:3000/health", None),
        (Role::Command, "curl http://169.254.169.254/latest/", Some("metadata")),
        (Role::Command, "curl http:/x http://a http://169.254.169.254/latest/", Some("metadata")),
        (Role::Prose, "open http://localhost:3000", None),
    ] {
        assert_eq!(kind(role, text), expected, "{role:?} {text}");
    }
}
