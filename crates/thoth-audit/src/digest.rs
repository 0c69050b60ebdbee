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
    mac.update(&u64::try_from(tool.len()).unwrap_or(u64::MAX).to_be_bytes());
    mac.update(tool.as_bytes());
    mac.update(&form);
    finish(mac)
}

/// What an approval is bound to: the SHA-256 of who calls what, where, with which arguments, in the exact canonical form
/// of [`arguments_digest`]. It needs no key: it never leaves the store that also holds the arguments.
#[must_use]
pub fn call_binding(caller: &Caller, tool: &str, arguments: Arguments<'_>) -> Binding {
    let mut form = Vec::with_capacity(arguments.raw().len() + 16);
    match arguments.value() {
        Some(value) => crate::canonical::exact(value, &mut form),
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
        let part = part.unwrap_or_default().as_bytes();
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(&form);
    Binding(hash.finalize().into())
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
    use super::*;
    use thoth_types::json::{Limits, Tape};

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
}
