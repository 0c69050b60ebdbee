//! Sealed documents: JSON objects that a tenant's server has signed, and that anyone can check who has its public key.
//!
//! A sealed document is the object itself with three members more: `key_id`, `signing_algorithm` (`ed25519`) and `signature`
//! (base64). Signed are the bytes `thoth seal v1`, a newline, the domain, a newline, and the RFC 8785 form of the object without
//! its member `signature`. The domain says what kind of document it is, so that none can be taken for one of another kind. A
//! number in it is an integer that RFC 8785 keeps exact: what was signed has one meaning.
//!
//! A signature says who wrote a document, not that it is the newest or still holds: whoever opens one looks at its times, and
//! at whom it is for.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use thoth_types::json::{Limits, Tape, Value};

use crate::canonical::{exact_without, jcs};
use crate::keys::{KeyError, create, read};

/// The longest document that is sealed or opened, in bytes.
pub const MAX_SEALED_BYTES: usize = 16 << 20;
/// The algorithm, as documents name it.
pub const ALGORITHM: &str = "ed25519";

/// What the key is called in a directory of keys.
pub const SIGNING_FILE: &str = "seal-signing.key";
const PREFIX: &str = "thoth seal v1\n";
/// The members that make up a seal.
pub(crate) const MEMBERS: [&str; 3] = ["key_id", "signing_algorithm", "signature"];

/// Why a document is not sealed, or not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is no JSON object, is too long, or names a member twice.
    #[error("it is not a JSON object of at most {MAX_SEALED_BYTES} bytes")]
    NoObject,
    /// It has a number that readers could take for different ones.
    #[error("it has a number that is not an integer of at most 2^53 - 1")]
    Number,
    /// What is to be sealed has a member of the seal already.
    #[error("it has a `key_id`, `signing_algorithm` or `signature` of its own")]
    Sealed,
    /// It has no seal.
    #[error("it is not signed: it has no `key_id`, `signing_algorithm` and `signature`")]
    Unsealed,
    /// It is signed in a way that is not known here.
    #[error("it is not signed with {ALGORITHM}")]
    Algorithm,
    /// It is signed with another key.
    #[error("it is signed with another key")]
    AnotherKey,
    /// The signature does not belong to it.
    #[error("the signature is wrong: it was changed, or is a document of another kind")]
    BadSignature,
    /// The text is no public key.
    #[error("it is not an Ed25519 public key: 32 bytes in base64")]
    BadKey,
}

/// The key that seals a tenant's documents.
pub struct SealKey {
    key: SigningKey,
    id: String,
}

impl std::fmt::Debug for SealKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealKey({})", self.id)
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of the public key.
fn id_of(key: &VerifyingKey) -> String {
    let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
    crate::hex::encode(digest.split_at(8).0)
}

impl SealKey {
    /// The key of this seed of RFC 8032.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        Self { id: id_of(&key.verifying_key()), key }
    }

    /// Reads the key from the directory `keys`, which is there, and makes one where there is none. Two processes may do so at
    /// once: both get the same one.
    ///
    /// # Errors
    /// When it cannot be read, written or trusted.
    pub fn load_or_create(keys: &Path) -> Result<Self, KeyError> {
        let path = keys.join(SIGNING_FILE);
        let seed = read(&path)?.map_or_else(|| create(&path), Ok)?;
        Ok(Self::new(&seed))
    }

    /// Reads the key, and makes none.
    ///
    /// # Errors
    /// When it cannot be read or trusted.
    pub fn load(keys: &Path) -> Result<Option<Self>, KeyError> {
        Ok(read(&keys.join(SIGNING_FILE))?.map(|seed| Self::new(&seed)))
    }

    /// Names the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What opens what this seals.
    #[must_use]
    pub fn opener(&self) -> SealOpener {
        SealOpener { key: self.key.verifying_key(), id: self.id.clone() }
    }

    /// The object with its seal.
    ///
    /// # Errors
    /// When it is no object that can be sealed.
    pub fn seal(&self, domain: &str, object: &str) -> Result<String, SealError> {
        let mut tape = Tape::new();
        let value = parsed(&mut tape, object.as_bytes())?;
        if MEMBERS.iter().any(|name| member(value, name).is_some()) {
            return Err(SealError::Sealed);
        }
        let members = value.members().next().is_some();
        let body =
            object.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or(SealError::NoObject)?;
        let comma = if members { "," } else { "" };
        let mut sealed = format!("{{{body}{comma}\"key_id\":\"{}\",\"signing_algorithm\":\"{ALGORITHM}\"}}", self.id);
        let mut tape = Tape::new();
        let signed = signed_bytes(domain, parsed(&mut tape, sealed.as_bytes())?)?;
        let signature = STANDARD.encode(self.key.sign(&signed).to_bytes());
        sealed.pop();
        sealed.push_str(&format!(",\"signature\":\"{signature}\"}}"));
        Ok(sealed)
    }
}

/// A public key that opens sealed documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealOpener {
    key: VerifyingKey,
    id: String,
}

impl SealOpener {
    /// Reads a public key: 32 bytes in base64.
    ///
    /// # Errors
    /// When it is none, or a weak one.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SealError::BadKey)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| SealError::BadKey)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| SealError::BadKey)?;
        if key.is_weak() { Err(SealError::BadKey) } else { Ok(Self { id: id_of(&key), key }) }
    }

    /// The text that [`Self::parse`] reads.
    #[must_use]
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.key.as_bytes())
    }

    /// Names the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether this key has sealed this very document, of this domain.
    ///
    /// # Errors
    /// Says why not.
    pub fn open(&self, domain: &str, document: &[u8]) -> Result<(), SealError> {
        let mut tape = Tape::new();
        let value = parsed(&mut tape, document)?;
        let text = |name| member(value, name).and_then(|value| value.as_str()).ok_or(SealError::Unsealed);
        let (id, algorithm, signature) = (text("key_id")?, text("signing_algorithm")?, text("signature")?);
        if algorithm != ALGORITHM {
            return Err(SealError::Algorithm);
        }
        if *id != *self.id {
            return Err(SealError::AnotherKey);
        }
        let signature = STANDARD.decode(signature.as_bytes()).map_err(|_| SealError::BadSignature)?;
        let signature = Signature::from_slice(&signature).map_err(|_| SealError::BadSignature)?;
        let signed = signed_bytes(domain, value)?;
        self.key.verify_strict(&signed, &signature).map_err(|_| SealError::BadSignature)
    }
}

/// Which key has sealed a document, as it says itself: for choosing among several, not for believing it.
///
/// # Errors
/// When it is no object, or does not say.
pub fn claimed_key(document: &[u8]) -> Result<String, SealError> {
    let mut tape = Tape::new();
    let value = parsed(&mut tape, document)?;
    let id = member(value, "key_id").and_then(|value| value.as_str()).ok_or(SealError::Unsealed)?;
    Ok(id.into_owned())
}

fn parsed<'t>(tape: &'t mut Tape, bytes: &'t [u8]) -> Result<Value<'t>, SealError> {
    let limits = Limits { max_bytes: MAX_SEALED_BYTES, ..Limits::default() };
    let value = tape.parse(bytes, &limits).map_err(|_| SealError::NoObject)?;
    if value.is_object() { Ok(value) } else { Err(SealError::NoObject) }
}

fn member<'t>(value: Value<'t>, name: &str) -> Option<Value<'t>> {
    value.members().find(|(key, _)| key.as_str().is_some_and(|key| key == name)).map(|(_, member)| member)
}

fn signed_bytes(domain: &str, value: Value<'_>) -> Result<Vec<u8>, SealError> {
    let (mut form, mut rounded) = (Vec::new(), Vec::new());
    jcs(value, &mut rounded);
    exact_without(value, &[], &mut form);
    if form != rounded {
        return Err(SealError::Number);
    }
    let mut signed = Vec::with_capacity(form.len() + PREFIX.len() + domain.len() + 1);
    signed.extend_from_slice(PREFIX.as_bytes());
    signed.extend_from_slice(domain.as_bytes());
    signed.push(b'\n');
    exact_without(value, &["signature"], &mut signed);
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "thoth test";

    /// Defends: a sealed document opens with its key, whatever its spelling, and not as one of another kind or with any other
    /// value, member or key.
    #[test]
    fn what_was_sealed_opens_and_nothing_else() {
        let key = SealKey::new(&[7; 32]);
        let opener = SealOpener::parse(&key.opener().public_key()).unwrap();
        assert_eq!(opener, key.opener());
        for object in ["{}", r#"{"b":[1,{"x":null}],"a":"\u00e9\n"}"#, " { \"n\" : 9007199254740991 } "] {
            let sealed = key.seal(DOMAIN, object).unwrap();
            assert_eq!(opener.open(DOMAIN, sealed.as_bytes()), Ok(()), "{sealed}");
            assert_eq!(claimed_key(sealed.as_bytes()).as_deref(), Ok(key.id()));
            assert_eq!(opener.open("thoth tests", sealed.as_bytes()), Err(SealError::BadSignature));
            let stranger = SealKey::new(&[8; 32]);
            assert_eq!(stranger.opener().open(DOMAIN, sealed.as_bytes()), Err(SealError::AnotherKey));
            let renamed = sealed.replace(key.id(), stranger.id());
            assert_eq!(stranger.opener().open(DOMAIN, renamed.as_bytes()), Err(SealError::BadSignature));
            let more = sealed.replacen('{', r#"{"more":1,"#, 1);
            assert_eq!(opener.open(DOMAIN, more.as_bytes()), Err(SealError::BadSignature));
            let spaced = sealed.replace(',', " ,\n ");
            assert_eq!(opener.open(DOMAIN, spaced.as_bytes()), Ok(()), "{spaced}");
        }
    }

    /// Defends: no byte of a sealed document can be another one without the seal breaking, except where that is another
    /// spelling of the same.
    #[test]
    fn every_byte_counts() {
        let key = SealKey::new(&[7; 32]);
        let sealed = key.seal(DOMAIN, r#"{"a":[1,"x"],"b":true}"#).unwrap();
        for at in 0..sealed.len() {
            for change in [1_u8, 0x20, 0x80] {
                let mut bytes = sealed.clone().into_bytes();
                bytes[at] ^= change;
                assert!(key.opener().open(DOMAIN, &bytes).is_err(), "byte {at} ^ {change}");
            }
        }
    }

    /// What cannot be sealed or opened, and why.
    #[test]
    fn the_table_of_refusals() {
        let key = SealKey::new(&[7; 32]);
        for (object, expected) in [
            ("", SealError::NoObject),
            ("[]", SealError::NoObject),
            ("{} x", SealError::NoObject),
            (r#"{"a":1,"a":1}"#, SealError::NoObject),
            (r#"{"a":1,"\u0061":1}"#, SealError::NoObject),
            (r#"{"a":1.0}"#, SealError::Number),
            (r#"{"a":[9007199254740993]}"#, SealError::Number),
            (r#"{"signature":"x"}"#, SealError::Sealed),
            (r#"{"key_\u0069d":"x"}"#, SealError::Sealed),
        ] {
            assert_eq!(key.seal(DOMAIN, object), Err(expected), "{object}");
        }
        let sealed = key.seal(DOMAIN, "{}").unwrap();
        for (document, expected) in [
            ("{}".to_owned(), SealError::Unsealed),
            (sealed.replace("\"ed25519\"", "\"none\""), SealError::Algorithm),
            (sealed.replace("\"signature\":\"", "\"signature\":\"AAAA"), SealError::BadSignature),
            (sealed.replace("\"signature\":\"", "\"signature\":\"!"), SealError::BadSignature),
            ("x".repeat(MAX_SEALED_BYTES + 1), SealError::NoObject),
        ] {
            assert_eq!(key.opener().open(DOMAIN, document.as_bytes()), Err(expected), "{}", document.len());
        }
        for text in ["", "AAAA", &STANDARD.encode([0; 32]), &STANDARD.encode([1; 33])] {
            assert_eq!(SealOpener::parse(text), Err(SealError::BadKey), "{text}");
        }
    }

    /// A key is made once, private, and found again.
    #[test]
    fn a_key_is_kept() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (one, two) =
            (SealKey::load_or_create(folder.path()).unwrap(), SealKey::load_or_create(folder.path()).unwrap());
        assert_eq!(one.opener(), two.opener());
        let mode = std::fs::metadata(folder.path().join(SIGNING_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{one:?}").contains(&crate::hex::encode(one.key.as_bytes())));
    }
}
