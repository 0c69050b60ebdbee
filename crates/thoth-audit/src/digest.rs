//! Keyed digests: equal content can be recognised by those who hold the key, and by nobody else.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use thoth_types::{AgentId, Arguments, Binding, Caller, Redacted, TenantId};

/// The key under which arguments and content are hashed. Destroying it makes all digests meaningless, while the
/// ledger still verifies.
#[derive(Debug, Clone)]
pub struct ContentKey(Redacted<[u8; 32]>);

impl ContentKey {
    /// A key from 32 random bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Redacted::new(key))
    }

    fn mac(&self, domain: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&(*self.0.expose_secret()).into_block());
        mac.update(domain);
        mac
    }
}

trait IntoBlock {
    fn into_block(self) -> hmac::digest::Key<Hmac<Sha256>>;
}

impl IntoBlock for [u8; 32] {
    /// HMAC pads a short key with zeros to its block (RFC 2104, 2).
    fn into_block(self) -> hmac::digest::Key<Hmac<Sha256>> {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (to, from) in block.iter_mut().zip(self) {
            *to = from;
        }
        block
    }
}

fn finish(mac: Hmac<Sha256>) -> String {
    let mut out = b"hmac-sha256:".to_vec();
    crate::hex::push(&mut out, &mac.finalize().into_bytes());
    String::from_utf8(out).unwrap_or_default()
}

/// The digest of one call: `hmac-sha256:<64 hex>` over the tool's name and the exact canonical form of its arguments.
/// Two different calls never share one; spellings of the same call do.
#[must_use]
pub fn arguments_digest(key: &ContentKey, tool: &str, arguments: Arguments<'_>) -> String {
    let mut form = Vec::with_capacity(arguments.raw().len() + 16);
    match arguments.value() {
        Some(value) => crate::canonical::exact(value, &mut form),
        None => form.extend_from_slice(b"{}"),
    }
    let mut mac = key.mac(b"thoth arguments v1\0");
    mac.update(&length(tool.len()));
    mac.update(tool.as_bytes());
    mac.update(&form);
    finish(mac)
}

/// What an approval is bound to: the SHA-256 of who calls what, where, with which arguments, in the exact canonical form
/// of [`arguments_digest`]. It needs no key: it never leaves the store that also holds the arguments.
///
/// The members at the paths in `volatile` (names joined by dots, through objects only) make no difference: they are left
/// out, and the object that held them stays. Which paths these are makes one, so that an approval does not outlive a
/// change of them. `also_sent` is what else stands in the call's parameters, an object in its exact canonical form, or
/// empty. `definition` is what the server says of the tool, where the approval is one of that, too.
#[must_use]
pub fn call_binding(
    caller: &Caller,
    tool: &str,
    arguments: Arguments<'_>,
    also_sent: &[u8],
    definition: Option<&str>,
    volatile: &[&str],
) -> Binding {
    let mut form = Vec::with_capacity(arguments.raw().len() + 16);
    match arguments.value() {
        Some(value) => crate::canonical::exact_without(value, volatile, &mut form),
        None => form.extend_from_slice(b"{}"),
    }
    let mut hash = Sha256::new_with_prefix(b"thoth approval v1\0");
    let parts = [
        caller.tenant.as_ref().map(TenantId::as_str),
        caller.agent.as_ref().map(AgentId::as_str),
        Some(caller.server.as_str()),
        Some(tool),
    ];
    for part in parts {
        // An absent part differs from an empty one.
        hash.update([u8::from(part.is_some())]);
        push(&mut hash, part.unwrap_or_default());
    }
    let mut volatile = volatile.to_vec();
    volatile.sort_unstable();
    volatile.dedup();
    hash.update(length(volatile.len()));
    volatile.iter().for_each(|path| push(&mut hash, path));
    hash.update(&form);
    // One object after the other, if there is another: where the first ends is plain.
    hash.update(also_sent);
    if let Some(definition) = definition {
        // No object begins with it, so that it is told from what was also sent.
        hash.update(b"\0");
        push(&mut hash, definition);
    }
    Binding(hash.finalize().into())
}

fn push(hash: &mut Sha256, text: &str) {
    hash.update(length(text.len()));
    hash.update(text.as_bytes());
}

/// Before each text stands its length, so that no two rows of texts are the same bytes.
fn length(length: usize) -> [u8; 8] {
    u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes()
}

/// The digest of a piece of content in its exact bytes: `hmac-sha256:<64 hex>`.
#[must_use]
pub fn content_digest(key: &ContentKey, bytes: &[u8]) -> String {
    let mut mac = key.mac(b"thoth content v1\0");
    mac.update(bytes);
    finish(mac)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thoth_types::json::{Limits, Tape};

    use super::*;

    fn digest(tool: &str, arguments: &str) -> String {
        let mut tape = Tape::new();
        let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
        arguments_digest(&ContentKey::new([9; 32]), tool, Arguments::new(Some(value)))
    }

    /// RFC 4231, test case 1 (its key of 20 bytes padded with zeros is the same HMAC key).
    #[test]
    fn the_mac_is_hmac_sha256() {
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let mac = ContentKey::new(key).mac(b"Hi There");
        assert_eq!(finish(mac), "hmac-sha256:b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    }

    /// Different calls differ, also where RFC 8785 would merge them; spellings of one call do not.
    #[test]
    fn a_digest_stands_for_one_call() {
        let one = digest("t", r#"{"a":9007199254740993,"b":"x"}"#);
        assert_eq!(one, digest("t", r#"{ "b":"\u0078", "a":9007199254740993 }"#));
        for (tool, other) in [
            ("t", r#"{"a":9007199254740992,"b":"x"}"#),
            ("u", r#"{"a":9007199254740993,"b":"x"}"#),
            ("t", r#"{"a":"9007199254740993","b":"x"}"#),
            ("t", r#"{"a":[9007199254740993],"b":"x"}"#),
        ] {
            assert_ne!(one, digest(tool, other), "{other}");
        }
        assert_eq!(digest("t", "{}"), arguments_digest(&ContentKey::new([9; 32]), "t", Arguments::NONE));
    }

    /// What was also sent counts, and nothing else changes with it.
    #[test]
    fn a_binding_knows_what_was_also_sent() {
        let of = |also: &[u8]| call_binding(&caller("", "a", "s"), "t", Arguments::NONE, also, None, &[]);
        assert_eq!(of(b""), binding(&caller("", "a", "s"), "t", "{}", &[]));
        assert_ne!(of(b""), of(br#"{"task":{}}"#));
        assert_ne!(of(br#"{"task":{"ttl":1}}"#), of(br#"{"task":{"ttl":2}}"#));
    }

    /// Nor does one that knows the definition stand for another one, or for none.
    #[test]
    fn a_binding_knows_the_definition_where_it_is_asked_about() {
        let of =
            |also: &[u8], definition| call_binding(&caller("", "a", "s"), "t", Arguments::NONE, also, definition, &[]);
        let all = [
            of(b"", None),
            of(b"", Some("")),
            of(b"", Some("{}")),
            of(b"", Some(r#"{"name":"t"}"#)),
            of(b"{}", None),
            of(b"{}", Some("")),
            of(br#"{"name":"t"}"#, None),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| one != other), "{at}");
        }
        assert_eq!(of(b"", Some("{}")), of(b"", Some("{}")));
    }

    fn caller(tenant: &str, agent: &str, server: &str) -> Caller {
        Caller {
            tenant: tenant.parse().ok(),
            user: None,
            endpoint: None,
            agent: agent.parse().ok(),
            session: "s".parse().unwrap(),
            server: server.parse().unwrap(),
            intent: None,
            approved_scope: Vec::new(),
            mode: thoth_types::Mode::Block,
        }
    }

    fn binding(caller: &Caller, tool: &str, arguments: &str, volatile: &[&str]) -> Binding {
        let mut tape = Tape::new();
        let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
        call_binding(caller, tool, Arguments::new(Some(value)), b"", None, volatile)
    }

    /// An approval is for this very call, by this very caller: every part of it counts, down to a byte.
    #[test]
    fn a_binding_stands_for_one_call_of_one_caller() {
        let arguments = r#"{"path":"/a","n":1,"deep":{"x":[1,"é"]}}"#;
        let one = binding(&caller("acme", "bot", "files"), "write", arguments, &[]);
        for same in [
            r#"{"deep":{"x":[1,"é"]},"n":1,"path":"/a"}"#,
            " { \"path\" :\t\"/a\",\r\n\"n\":1, \"deep\":{ \"x\":[ 1 ,\"é\" ] } } ",
            r#"{"\u0070ath":"\/a","n":1,"deep":{"x":[1,"\u00e9"]}}"#,
        ] {
            assert_eq!(one, binding(&caller("acme", "bot", "files"), "write", same, &[]), "{same}");
        }
        // Another session, user, machine, intent or mode of the same agent makes the same call.
        let elsewhere = Caller {
            user: "u".parse().ok(),
            endpoint: "e".parse().ok(),
            session: "other".parse().unwrap(),
            intent: Some("i".to_owned()),
            mode: thoth_types::Mode::Progressive,
            ..caller("acme", "bot", "files")
        };
        assert_eq!(one, binding(&elsewhere, "write", arguments, &[]));
        for (tenant, agent, server, tool) in [
            ("acmf", "bot", "files", "write"),
            ("", "bot", "files", "write"),
            ("acme", "bou", "files", "write"),
            ("acme", "", "files", "write"),
            ("acme", "bot", "filet", "write"),
            ("acme", "bot", "files", "writf"),
            ("acme", "bot", "files", "write "),
            ("acme", "botfiles", "w", "rite"),
            ("acmebot", "", "files", "write"),
            ("", "acme", "files", "write"),
        ] {
            let other = binding(&caller(tenant, agent, server), tool, arguments, &[]);
            assert_ne!(one, other, "{tenant} {agent} {server} {tool}");
        }
        for other in [
            r#"{"path":"/b","n":1,"deep":{"x":[1,"é"]}}"#,
            r#"{"path":"/a","n":1.0,"deep":{"x":[1,"é"]}}"#,
            r#"{"path":"/a","n":1e0,"deep":{"x":[1,"é"]}}"#,
            r#"{"path":"/a","n":"1","deep":{"x":[1,"é"]}}"#,
            r#"{"path":"/a","n":1,"deep":{"x":["é",1]}}"#,
            r#"{"path":"/a","n":1,"deep":{"x":[1,"e\u0301"]}}"#,
            r#"{"path":"/a","n":1,"deep":{"x":[1,"é"]},"o":null}"#,
            r#"{"path":"/a","n":1,"deep":{}}"#,
            r#"{"path":"/a","n":1}"#,
            "{}",
        ] {
            assert_ne!(one, binding(&caller("acme", "bot", "files"), "write", other, &[]), "{other}");
        }
    }

    /// The members that a policy calls volatile make no difference; nothing else is left out with them.
    #[test]
    fn volatile_members_are_left_out_exactly() {
        let bound = |arguments: &str, volatile: &[&str]| binding(&caller("", "a", "s"), "t", arguments, volatile);
        let same = [
            (r#"{"a":1,"timeout":5}"#, r#"{"a":1,"timeout":[6]}"#, vec!["timeout"]),
            (r#"{"a":1,"timeout":5}"#, r#"{"a":1}"#, vec!["timeout"]),
            (r#"{"timeout":5}"#, "{}", vec!["timeout"]),
            (r#"{"a":{"b":1}}"#, r#"{"a":{}}"#, vec!["a.b"]),
            (r#"{"a":{"b":{"c":1}},"d":2}"#, r#"{"a":{"b":{}}}"#, vec!["a.b.c", "d"]),
            (r#"{"a":{"b":1}}"#, r#"{"a":7}"#, vec!["a.b", "a"]),
        ];
        for (one, other, volatile) in same {
            assert_eq!(bound(one, &volatile), bound(other, &volatile), "{one} {other} {volatile:?}");
        }
        let different = [
            (r#"{"a":{"b":1}}"#, "{}", vec!["a.b"]),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, vec!["a.c", "b", "b.a", "a.b.c", "a.", ".b", ""]),
            (r#"{"a.b":1}"#, r#"{"a.b":2}"#, vec!["a.b"]),
            (r#"{"a.b":{"c":1}}"#, r#"{"a.b":{"c":2}}"#, vec!["a.b.c"]),
            (r#"{"a":[{"b":1}]}"#, r#"{"a":[{"b":2}]}"#, vec!["a.b", "a.0.b", "b"]),
            (r#"{"timeouts":1}"#, r#"{"timeouts":2}"#, vec!["timeout"]),
            (r#"{"TIMEOUT":1}"#, r#"{"TIMEOUT":2}"#, vec!["timeout"]),
            (r#"{"a":{"timeout":1}}"#, r#"{"a":{"timeout":2}}"#, vec!["timeout"]),
        ];
        for (one, other, volatile) in different {
            assert_ne!(bound(one, &volatile), bound(other, &volatile), "{one} {other} {volatile:?}");
        }
        // An approval holds under the list under which it was given, in whatever order it is named.
        assert_ne!(bound(r#"{"a":1}"#, &["b"]), bound(r#"{"a":1}"#, &[]));
        assert_ne!(bound(r#"{"a":1}"#, &["b", "c"]), bound(r#"{"a":1}"#, &["bc"]));
        assert_eq!(bound(r#"{"a":1}"#, &["b", "c", "b"]), bound(r#"{"a":1}"#, &["c", "b"]));
        assert_eq!(
            bound(r#"{"timeout":1}"#, &["timeout"]),
            call_binding(&caller("", "a", "s"), "t", Arguments::NONE, b"", None, &["timeout"])
        );
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        let name = || prop_oneof!["[ab]", "[ab]\\.[ab]", Just(String::new())];
        let leaf = prop_oneof![any::<u8>().prop_map(Into::into), "[ab]".prop_map(Into::into)];
        let tree = leaf.prop_recursive(3, 24, 3, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
                prop::collection::hash_map(name(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::hash_map(name(), tree, 0..4)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    }

    /// The obvious way to leave a member out.
    fn remove(document: &mut serde_json::Value, path: &str) {
        let mut steps: Vec<&str> = path.split('.').collect();
        let Some(last) = steps.pop() else { return };
        let mut at = document;
        for step in steps {
            match at.as_object_mut().and_then(|members| members.get_mut(step)) {
                Some(member) => at = member,
                None => return,
            }
        }
        if let Some(members) = at.as_object_mut() {
            members.remove(last);
        }
    }

    proptest! {
        /// Leaving members out while digesting is the same as taking them out of the document before.
        #[test]
        fn volatile_members_agree_with_the_model(
            document in document(),
            paths in prop::collection::vec("[ab](\\.[ab]){0,2}|", 0..4),
        ) {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let mut without = document.clone();
            paths.iter().for_each(|path| remove(&mut without, path));
            let text = serde_json::to_string(&document).unwrap();
            let mut tape = Tape::new();
            let mut form = Vec::new();
            let value = tape.parse(text.as_bytes(), &Limits::default()).unwrap();
            crate::canonical::exact_without(value, &paths, &mut form);
            prop_assert_eq!(String::from_utf8(form).unwrap(), serde_jcs::to_string(&without).unwrap());
            let caller = caller("", "a", "s");
            prop_assert_eq!(
                binding(&caller, "t", &text, &paths),
                binding(&caller, "t", &serde_json::to_string(&without).unwrap(), &paths)
            );
        }
    }
}
