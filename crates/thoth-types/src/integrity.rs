//! Whether what a server offers is still what was approved: the nouns of pins, and what is known of a called tool.
//!
//! It computes no digest and compares nothing: it only names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::decision::words;

words! {
    /// What a server offers that is pinned.
    ItemKind {
        /// A tool.
        Tool => "tool",
        /// A prompt.
        Prompt => "prompt",
        /// A resource.
        Resource => "resource",
        /// A template of resources.
        ResourceTemplate => "resource_template",
        /// The server's instructions for the model.
        Instructions => "instructions",
        /// How the server is started: its program, that program's digest, and the arguments.
        Launch => "launch",
    }
}

words! {
    /// How bad what a scanner found is. Ordered.
    Severity {
        /// Worth knowing.
        Info => "info",
        /// Worth a look.
        Warning => "warning",
        /// An attack, as far as can be told.
        Critical => "critical",
    }
}

words! {
    /// Where a pin stands.
    PinState {
        /// What was last seen is what was approved.
        Approved => "approved",
        /// It was seen and never approved.
        Pending => "pending",
        /// What was last seen is not what was approved.
        Quarantined => "quarantined",
        /// A person took the approval back.
        Revoked => "revoked",
    }
}

words! {
    /// What is done about something. Ordered from loosest to strictest.
    Reaction {
        /// Nothing, beyond recording it.
        Allow => "allow",
        /// A person is asked about each call.
        Ask => "ask",
        /// Calls are refused.
        Block => "block",
    }
}

/// A SHA-256 digest: `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `sha256:` and 64 hexadecimal digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let digits = text.strip_prefix("sha256:").ok_or(NoDigest)?;
        if digits.len() != 64 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(NoDigest);
        }
        let mut bytes = [0; 32];
        let (pairs, _) = digits.as_bytes().as_chunks::<2>();
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            let nibble = |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
            let [high, low] = *pair;
            *byte = (nibble(high) << 4) | nibble(low);
        }
        Ok(Self(bytes))
    }
}

/// One field of a definition, and the digest of what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDigest {
    /// The field's name.
    pub field: Arc<str>,
    /// The digest of its canonical form.
    pub digest: Digest,
}

/// One definition as it was seen: its canonical form, and the digests of that and of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The digest of the whole.
    pub digest: Digest,
    /// The digests of its fields, in the order of their names.
    pub fields: Arc<[FieldDigest]>,
    /// The canonical form.
    pub definition: Arc<str>,
}

impl Fingerprint {
    /// The names of the fields in which `other` differs: changed, added or taken away.
    #[must_use]
    pub fn changed_fields(&self, other: &Self) -> Vec<Arc<str>> {
        let differs = |one: &Self, field: &FieldDigest| !one.fields.contains(field);
        let mut names: Vec<_> = other.fields.iter().filter(|field| differs(self, field)).collect();
        names.extend(self.fields.iter().filter(|field| differs(other, field)));
        let mut names: Vec<_> = names.into_iter().map(|field| Arc::clone(&field.field)).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// The worst that a scanner found in a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threat {
    /// How bad it is.
    pub severity: Severity,
    /// The scanner's rule.
    pub rule: Arc<str>,
    /// What it is, for a person.
    pub message: Arc<str>,
}

/// What is known of the definition under which a tool is called.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Integrity {
    /// Where its pin stands with regard to what this session has seen; `None` where there is none.
    pub pin: Option<PinState>,
    /// The fields in which it differs from what was approved.
    pub changed: Arc<[Arc<str>]>,
    /// Whether the server has said since that its tools changed, or the time has run out for which it vouched for them.
    pub stale: bool,
    /// The worst that was found in it and that nobody has accepted.
    pub threat: Option<Threat>,
    /// Why none of this can be told for sure.
    pub problem: Option<Arc<str>>,
    /// The definition itself, as JSON.
    pub definition: Option<Arc<str>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(fields: &[(&str, u8)]) -> Fingerprint {
        let field = |(name, byte): &(&str, u8)| FieldDigest { field: Arc::from(*name), digest: Digest([*byte; 32]) };
        Fingerprint { digest: Digest([0; 32]), fields: fields.iter().map(field).collect(), definition: "".into() }
    }

    #[test]
    fn changed_added_and_removed_fields_are_named_once() {
        let old = fingerprint(&[("annotations", 1), ("name", 2), ("title", 3)]);
        let new = fingerprint(&[("name", 2), ("outputSchema", 5), ("title", 4)]);
        assert_eq!(old.changed_fields(&new), ["annotations", "outputSchema", "title"].map(Arc::<str>::from));
        assert!(old.changed_fields(&old).is_empty());
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest(std::array::from_fn(|n| u8::try_from(n * 7).unwrap()));
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in
            ["", "sha256:", &digest.to_string().split_off(1), &digest.to_string().to_uppercase(), &format!("{digest}0")]
        {
            assert_eq!(bad.parse::<Digest>(), Err(NoDigest), "{bad}");
        }
    }
}
