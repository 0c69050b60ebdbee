//! The policy document that an enforcer seals for a machine: opened with the key that is trusted, and looked at before it is
//! believed.
//!
//! It is refused where anything about it is not as it must be. What its policy says is not for here.

use std::cmp::Ordering;

use jiff::{SignedDuration, Timestamp};
use thoth_api::contract::policy_bundle::{DOCUMENT_DOMAIN, Document};
use thoth_api::contract::{Unreadable, read};
use thoth_audit::seal::{SealError, SealOpener};

/// How far the enforcer's clock may be ahead of ours.
pub(crate) const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(5);

/// For whom a document must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The organisation.
    pub tenant: String,
    /// The agent.
    pub agent: String,
    /// The machine.
    pub endpoint: String,
    /// The fleet that the machine is in, where it is known.
    pub fleet: Option<String>,
}

/// Why a document is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Its seal does not open.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// It is sealed, and not what the contract says.
    #[error("it is not what the contract says: {0}")]
    Unreadable(#[from] Unreadable),
    /// It is for somebody else.
    #[error("it is for another {0}")]
    Another(&'static str),
    /// Its times cannot be read, or are in no order.
    #[error("its times are no instants in order")]
    Times,
    /// It does not say which texts are the enforcer's own.
    #[error("its `own_texts` are not among its texts")]
    Texts,
    /// Its time has come and gone.
    #[error("it expired at {0}")]
    Expired(Timestamp),
    /// Its time has not come: by this clock nothing can be told.
    #[error("it was issued at {0}, which is still to come by this machine's clock")]
    FromTheFuture(Timestamp),
    /// There was a newer one.
    #[error("it is older (sequence {sequence}, issued at {issued_at}) than the one that is held ({held})")]
    Older {
        /// Its number.
        sequence: u64,
        /// When it was made.
        issued_at: Timestamp,
        /// The number of the other one.
        held: u64,
    },
}

/// A document whose seal was opened, that is for whom it must be, and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    document: Document,
    issued_at: Timestamp,
    expires_at: Timestamp,
}

impl Verified {
    /// Opens a document. Whether it holds at some time is to be asked, too.
    ///
    /// # Errors
    /// Says why it is not believed.
    pub fn open(bytes: &[u8], opener: &SealOpener, whose: &Recipient) -> Result<Self, DocumentError> {
        opener.open(DOCUMENT_DOMAIN, bytes)?;
        let document: Document = read(bytes)?;
        let for_whom = [
            ("tenant", Some(&document.tenant_id), &whose.tenant),
            ("agent", document.agent_id.as_ref(), &whose.agent),
            ("machine", document.endpoint_id.as_ref(), &whose.endpoint),
        ];
        if let Some((what, ..)) = for_whom.iter().find(|(_, named, own)| *named != Some(*own)) {
            return Err(DocumentError::Another(what));
        }
        // Which fleet a machine is in, its enforcer knows better; but not that it is in one that it was never told of.
        if let (Some(named), Some(own)) = (&document.fleet_id, &whose.fleet)
            && named != own
        {
            return Err(DocumentError::Another("fleet"));
        }
        let own = usize::try_from(document.own_texts).unwrap_or(usize::MAX);
        if own == 0 || own > document.policy.len() {
            return Err(DocumentError::Texts);
        }
        let instant = |text: &str| text.parse::<Timestamp>().map_err(|_| DocumentError::Times);
        let (issued_at, expires_at) = (instant(&document.issued_at)?, instant(&document.expires_at)?);
        if issued_at >= expires_at {
            return Err(DocumentError::Times);
        }
        Ok(Self { document, issued_at, expires_at })
    }

    /// Whether it holds at this time.
    pub(crate) fn hold_at(&self, now: Timestamp) -> Result<(), DocumentError> {
        if now >= self.expires_at {
            return Err(DocumentError::Expired(self.expires_at));
        }
        if self.issued_at.saturating_sub(CLOCKS_APART).unwrap_or(Timestamp::MIN) > now {
            return Err(DocumentError::FromTheFuture(self.issued_at));
        }
        Ok(())
    }

    /// Which of two is the newer one: by their numbers, and of one number by when they were made.
    pub(crate) fn age(&self, other: &Self) -> Ordering {
        (self.document.sequence, self.issued_at).cmp(&(other.document.sequence, other.issued_at))
    }

    /// That it is none that is older than the one that is held.
    pub(crate) fn succeeds(&self, held: &Self) -> Result<(), DocumentError> {
        if self.age(held) == Ordering::Less {
            let (sequence, issued_at) = (self.document.sequence, self.issued_at);
            return Err(DocumentError::Older { sequence, issued_at, held: held.document.sequence });
        }
        Ok(())
    }

    /// What it says.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// When it was made.
    #[must_use]
    pub const fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// Until when it holds.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use thoth_audit::seal::SealKey;

    use super::*;

    fn whose() -> Recipient {
        Recipient { tenant: "acme".into(), agent: "bot".into(), endpoint: "laptop".into(), fleet: Some("eu".into()) }
    }

    fn plain() -> Value {
        json!({
            "tenant_id": "acme", "agent_id": "bot", "endpoint_id": "laptop", "fleet_id": "eu", "status": "active",
            "bundles": [], "policy": [{ "name": "p", "text": "version: \"1\"" }], "own_texts": 1,
            "policy_digest": "sha256:0", "decisions": "local", "sequence": 7,
            "issued_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-02T00:00:00Z",
        })
    }

    fn with(member: &str, value: Value) -> Value {
        let mut object = plain();
        object[member] = value;
        object
    }

    fn opened(object: &Value) -> Result<Verified, DocumentError> {
        let key = SealKey::new(&[7; 32]);
        Verified::open(key.seal(DOCUMENT_DOMAIN, &object.to_string()).unwrap().as_bytes(), &key.opener(), &whose())
    }

    /// What is not believed, and why.
    #[test]
    fn the_table_of_documents() {
        assert_eq!(opened(&plain()).unwrap().document().policy[0].name, "p");
        let mut nobody = plain();
        nobody.as_object_mut().unwrap().remove("fleet_id");
        assert!(opened(&nobody).is_ok(), "a machine in no fleet");
        for (object, expected) in [
            (with("tenant_id", json!("other")), "it is for another tenant"),
            (with("agent_id", json!("other")), "it is for another agent"),
            (with("agent_id", json!(null)), "it is for another agent"),
            (with("endpoint_id", json!("other")), "it is for another machine"),
            (with("endpoint_id", json!(null)), "it is for another machine"),
            (with("fleet_id", json!("us")), "it is for another fleet"),
            (with("own_texts", json!(0)), "`own_texts`"),
            (with("own_texts", json!(2)), "`own_texts`"),
            (with("expires_at", json!("soon")), "no instants"),
            (with("expires_at", json!("2026-01-01T00:00:00Z")), "no instants"),
            (with("decisions", json!("both")), "not what the contract says"),
            (with("status", json!("odd")), "not what the contract says"),
            (json!({}), "not what the contract says"),
        ] {
            let error = opened(&object).unwrap_err().to_string();
            assert!(error.contains(expected), "{object}: {error}");
        }
        let (key, stranger) = (SealKey::new(&[7; 32]), SealKey::new(&[8; 32]));
        let sealed = key.seal(DOCUMENT_DOMAIN, &plain().to_string()).unwrap();
        let open = |bytes: &[u8], key: &SealKey| Verified::open(bytes, &key.opener(), &whose());
        assert_eq!(open(sealed.as_bytes(), &stranger), Err(SealError::AnotherKey.into()));
        let other = key.seal("thoth/decision-receipt/1", &plain().to_string()).unwrap();
        assert_eq!(open(other.as_bytes(), &key), Err(SealError::BadSignature.into()));
        let changed = sealed.replace("\"local\"", "\"remote\"");
        assert_eq!(open(changed.as_bytes(), &key), Err(SealError::BadSignature.into()));
    }

    /// When one holds, and which of two is the newer one.
    #[test]
    fn times_and_numbers() {
        let document = opened(&plain()).unwrap();
        for (now, expected) in [
            ("2025-12-31T23:54:59Z", Some("still to come")),
            ("2025-12-31T23:55:00Z", None),
            ("2026-01-01T23:59:59Z", None),
            ("2026-01-02T00:00:00Z", Some("expired")),
        ] {
            let found = document.hold_at(now.parse().unwrap()).map_err(|error| error.to_string());
            assert_eq!(found.is_err(), expected.is_some(), "{now}");
            assert!(found.err().is_none_or(|error| error.contains(expected.unwrap())), "{now}");
        }
        for (sequence, issued_at, expected) in [
            (7, "2026-01-01T00:00:00Z", true),
            (7, "2026-01-01T00:00:01Z", true),
            (7, "2025-12-31T23:59:59Z", false),
            (6, "2026-01-01T12:00:00Z", false),
            (8, "2025-12-31T00:00:00Z", true),
        ] {
            let mut other = with("sequence", json!(sequence));
            other["issued_at"] = json!(issued_at);
            assert_eq!(opened(&other).unwrap().succeeds(&document).is_ok(), expected, "{sequence} {issued_at}");
        }
    }
}
