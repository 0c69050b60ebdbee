//! Signed notes and verifier keys as C2SP signed-note defines them, with Ed25519 (signature type `0x01`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

const ED25519: u8 = 1;
/// No note of ours is longer; the limit keeps a forged one from costing memory.
pub const MAX_NOTE_BYTES: usize = 1 << 20;

/// Why a note or a verifier key is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The bytes are not a signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The text is not a verifier key.
    #[error("not an Ed25519 verifier key of the form `name+keyid+base64`")]
    BadVerifierKey,
    /// A key name that a note cannot carry.
    #[error("`{0}` cannot be a key name")]
    BadName(String),
    /// None of the signatures is by the key.
    #[error("no signature by `{0}`")]
    NotSigned(String),
    /// A signature that claims to be by the key is wrong.
    #[error("the signature by `{0}` is wrong")]
    BadSignature(String),
}

fn good_name(name: &str) -> bool {
    !name.is_empty() && !name.contains('+') && !name.chars().any(|c| c.is_whitespace() || c.is_control())
}

fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', ED25519]);
    hasher.update(key.as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// Signs notes under one name.
pub struct Signer {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({:?})", self.name)
    }
}

impl Signer {
    /// A signer from the 32-byte seed of RFC 8032.
    ///
    /// # Errors
    /// When the name is empty or has white space, a control character or `+`.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        if !good_name(name) {
            return Err(NoteError::BadName(name.escape_debug().to_string()));
        }
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    /// The verifier that accepts what this signs.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.name.clone(), self.key.verifying_key())
    }

    /// The signed note with this text, which must end in a newline.
    #[must_use]
    pub fn sign(&self, text: &str) -> String {
        let mut signature = Vec::with_capacity(68);
        signature.extend_from_slice(&key_id(&self.name, &self.key.verifying_key()));
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n\u{2014} {} {}\n", self.name, STANDARD.encode(signature))
    }
}

/// Checks notes signed under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl Verifier {
    fn new(name: String, key: VerifyingKey) -> Self {
        Self { id: key_id(&name, &key), name, key }
    }

    /// Reads `name+hex(key id)+base64(type, key)`.
    ///
    /// # Errors
    /// When it is anything else, or the id does not belong to the key, or the key is weak.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let bad = || NoteError::BadVerifierKey;
        let (name, rest) = text.split_once('+').ok_or_else(bad)?;
        let (id, key) = rest.split_once('+').ok_or_else(bad)?;
        let key = STANDARD.decode(key).map_err(|_| bad())?;
        let Some((&ED25519, key)) = key.split_first() else { return Err(bad()) };
        let key = VerifyingKey::from_bytes(key.try_into().map_err(|_| bad())?).map_err(|_| bad())?;
        let verifier = Self::new(name.to_owned(), key);
        if !good_name(name) || key.is_weak() || id != crate::hex::encode(&verifier.id) {
            return Err(bad());
        }
        Ok(verifier)
    }

    /// The text that [`Self::parse`] reads.
    #[must_use]
    pub fn to_vkey(&self) -> String {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        format!("{}+{}+{}", self.name, crate::hex::encode(&self.id), STANDARD.encode(key))
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same public key under another name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Self {
        Self::new(name.to_owned(), self.key)
    }

    /// The text of a note that this key has signed. Signatures by other keys are ignored, as the specification asks.
    ///
    /// # Errors
    /// When the bytes are not a note, or this key's signature is missing or wrong.
    pub fn open<'n>(&self, note: &'n [u8]) -> Result<&'n str, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("too long"));
        }
        let note = std::str::from_utf8(note).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        if note.bytes().any(|b| b < 0x20 && b != b'\n') {
            return Err(NoteError::Malformed("control character"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed("no blank line before the signatures"))?;
        let (text, signatures) = note.split_at(at + 1);
        let signatures = signatures.strip_prefix('\n').unwrap_or_default();
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed("no newline at the end"))?;
        let mut signed = false;
        for line in lines.split('\n') {
            let bad = || NoteError::Malformed("bad signature line");
            let (name, blob) = line.strip_prefix("\u{2014} ").and_then(|l| l.split_once(' ')).ok_or_else(bad)?;
            let blob = STANDARD.decode(blob).map_err(|_| bad())?;
            let (id, signature) = blob.split_at_checked(4).ok_or_else(bad)?;
            if !good_name(name) || signature.is_empty() {
                return Err(bad());
            }
            if name != self.name || id != self.id {
                continue;
            }
            let good = Signature::from_slice(signature)
                .is_ok_and(|signature| self.key.verify_strict(text.as_bytes(), &signature).is_ok());
            if signed || !good {
                return Err(NoteError::BadSignature(self.name.clone()));
            }
            signed = true;
        }
        if signed { Ok(text) } else { Err(NoteError::NotSigned(self.name.clone())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the note that the specification prints verify here: our reading of it is the common one.
    #[test]
    fn the_example_of_the_specification_verifies() {
        let key = Verifier::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k").unwrap();
        let note = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ON\
                    ncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        assert_eq!(key.open(note.as_bytes()).unwrap(), "This is an example message.\n");
    }

    /// A note signed here opens, and with any byte changed it does not.
    #[test]
    fn every_byte_of_a_note_counts() {
        let signer = Signer::new("thoth.local/ledger/1", &[7; 32]).unwrap();
        let verifier = Verifier::parse(&signer.verifier().to_vkey()).unwrap();
        let note = signer.sign("thoth.local/ledger/1\n0\nroot\n");
        assert_eq!(verifier.open(note.as_bytes()).unwrap(), "thoth.local/ledger/1\n0\nroot\n");
        for at in 0..note.len() {
            for change in [1_u8, 0x20, 0x80] {
                let mut bytes = note.clone().into_bytes();
                bytes[at] ^= change;
                assert!(verifier.open(&bytes).is_err(), "byte {at} ^ {change}");
            }
        }
    }

    /// A note that several keys have signed opens with each of them, and with no other.
    #[test]
    fn signatures_by_others_are_ignored() {
        let ours = Signer::new("ours", &[1; 32]).unwrap();
        let theirs = Signer::new("theirs", &[2; 32]).unwrap();
        let line = theirs.sign("text\n").split_once("\n\n").unwrap().1.to_owned();
        let note = format!("{}{line}", ours.sign("text\n"));
        assert!(ours.verifier().open(note.as_bytes()).is_ok());
        assert!(theirs.verifier().open(note.as_bytes()).is_ok());
        let stranger = Signer::new("ours", &[3; 32]).unwrap();
        assert_eq!(stranger.verifier().open(note.as_bytes()), Err(NoteError::NotSigned("ours".to_owned())));
    }
}
