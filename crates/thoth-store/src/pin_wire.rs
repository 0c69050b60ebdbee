//! How a pin is written down: one strict JSON document, with types of its own, as for holds.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thoth_gate::pin::{Approval, Pin, Version};
use thoth_types::{Channel, Digest, FieldDigest, Fingerprint};

use crate::wire::Text;

/// What a row says of a pin in its document.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PinDocument {
    approved: Option<ApprovedDocument>,
    candidate: Option<VersionDocument>,
    revoked: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovedDocument {
    version: VersionDocument,
    by: Option<String>,
    channel: Option<Text<Channel>>,
    origin: String,
    at: Text<Timestamp>,
    accepted: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionDocument {
    digest: Text<Digest>,
    fields: Vec<(String, Text<Digest>)>,
    definition: String,
    seen_at: Text<Timestamp>,
}

impl PinDocument {
    /// The document of a pin.
    pub(crate) fn of(pin: &Pin) -> Self {
        let Pin { key: _, first_seen: _, approved, candidate, revoked } = pin;
        Self {
            approved: approved.as_ref().map(|(version, approval)| ApprovedDocument::of(version, approval)),
            candidate: candidate.as_ref().map(VersionDocument::of),
            revoked: *revoked,
        }
    }

    /// The pin, together with what the columns say.
    pub(crate) fn pin(self, key: thoth_gate::PinKey, first_seen: Timestamp) -> Pin {
        Pin {
            key,
            first_seen,
            approved: self.approved.map(ApprovedDocument::parts),
            candidate: self.candidate.map(VersionDocument::version),
            revoked: self.revoked,
        }
    }
}

impl ApprovedDocument {
    fn of(version: &Version, approval: &Approval) -> Self {
        let Approval { by, channel, origin, at, accepted } = approval;
        Self {
            version: VersionDocument::of(version),
            by: by.as_deref().map(str::to_owned),
            channel: channel.map(Text),
            origin: origin.to_string(),
            at: Text(*at),
            accepted: accepted.iter().map(ToString::to_string).collect(),
        }
    }

    fn parts(self) -> (Version, Approval) {
        let approval = Approval {
            by: self.by.map(Into::into),
            channel: self.channel.map(|channel| channel.0),
            origin: self.origin.into(),
            at: self.at.0,
            accepted: self.accepted.into_iter().map(Arc::from).collect(),
        };
        (self.version.version(), approval)
    }
}

impl VersionDocument {
    fn of(version: &Version) -> Self {
        let Version { fingerprint: Fingerprint { digest, fields, definition }, seen_at } = version;
        Self {
            digest: Text(*digest),
            fields: fields.iter().map(|field| (field.field.to_string(), Text(field.digest))).collect(),
            definition: definition.to_string(),
            seen_at: Text(*seen_at),
        }
    }

    fn version(self) -> Version {
        let field = |(field, digest): (String, Text<Digest>)| FieldDigest { field: field.into(), digest: digest.0 };
        let fingerprint = Fingerprint {
            digest: self.digest.0,
            fields: self.fields.into_iter().map(field).collect(),
            definition: self.definition.into(),
        };
        Version { fingerprint, seen_at: self.seen_at.0 }
    }
}
