//! Evidence of one session for people who do not have the ledger: its records, each with the proof that it is under one signed
//! head.
//!
//! A bundle has one exact content: whoever verifies it makes it anew from its records, its head and its names, and compares all
//! of it in the form of RFC 8785. It cannot prove that a session has no further records: that is the word of whoever exported it,
//! which a seal shows to be theirs.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use thoth_types::json::{Limits, Tape, Value};

use crate::canonical::{exact, exact_without};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::json::{MAX_EXACT, Object, string};
use crate::merkle::{Hash, leaf_hash};
use crate::note::{MAX_NOTE_BYTES, NoteError, Verifier};
use crate::proof;
use crate::seal::{MEMBERS, SealError, SealKey, SealOpener, claimed_key};
use crate::tiles::MAX_ENTRY_BYTES;
use crate::view::{Proven, is_canonical};

/// How many records a bundle has at most.
pub const MAX_RECORDS: usize = 1_000;
/// How long the events of a bundle are together at most, beyond the first one.
pub const MAX_RECORD_BYTES: usize = 4 << 20;
/// How long a bundle is at most. Where it was laid out for people, it is longer than it was made.
pub const MAX_BUNDLE_BYTES: usize = 32 << 20;
/// The version of their shape.
pub const BUNDLE_VERSION: &str = "1";
/// What bundles are sealed as.
pub const BUNDLE_DOMAIN: &str = "thoth/session-evidence/1";

/// The longest path: a log has no more than 2^64 events.
const MAX_PATH: usize = 64;
/// The longest name of anything.
const MAX_NAME: usize = 4 << 10;

/// Why a bundle is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It is longer than any bundle.
    #[error("it is longer than {MAX_BUNDLE_BYTES} bytes")]
    TooLong,
    /// It is not JSON.
    #[error("it is not a JSON object: {0}")]
    NoJson(String),
    /// A member is missing, or of another kind.
    #[error("`{0}` is missing, or not what a bundle has there")]
    Member(&'static str),
    /// It is of another shape.
    #[error("it is of version `{0}`, which is not known here; update thoth")]
    Version(String),
    /// The key in it is no key.
    #[error("`vkey`: {0}")]
    Key(#[from] NoteError),
    /// It names another key than the one that was to have signed it.
    #[error("it is of another log: its key is not the one that was asked for")]
    OtherKey,
    /// The head.
    #[error("the checkpoint is not acceptable: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// A record is not what is under the head.
    #[error("record {index}: {what}")]
    Record {
        /// Its place in the ledger.
        index: u64,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The hash is that of another content.
    #[error("`bundle_hash` is not that of its content")]
    Hash,
    /// The seal is not that of the key that was asked for, or there is none.
    #[error("the seal is not acceptable: {0}")]
    Seal(#[from] SealError),
    /// Something else is not what the records say.
    #[error("it says something else than its records do: the summary, or a member that a bundle does not have")]
    Content,
}

/// Of what a bundle is made.
#[derive(Debug, Clone)]
pub struct Material<'m> {
    /// The organisation.
    pub tenant: &'m str,
    /// The session.
    pub session: &'m str,
    /// The head that all records are under, as it stands in the ledger.
    pub checkpoint: &'m str,
    /// The key that signed it.
    pub verifier: &'m Verifier,
    /// The records, in order.
    pub records: &'m [Proven],
    /// The place in the ledger from which on they were looked for.
    pub from: u64,
    /// The place from which on there are more that this bundle has no room for.
    pub next: Option<u64>,
}

/// A bundle that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The organisation.
    pub tenant: String,
    /// The session.
    pub session: String,
    /// How many records.
    pub records: usize,
    /// How many decisions of each kind.
    pub decisions: BTreeMap<String, u64>,
    /// What is signed.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub vkey: String,
    /// When it was exported, which nothing but a seal proves.
    pub exported_at: String,
    /// The digest of everything else.
    pub bundle_hash: String,
    /// Where the rest of the session begins, where whoever exported it says so.
    pub next: Option<u64>,
    /// Who has sealed all of it.
    pub seal: Seal,
}

impl Verified {
    /// All of it as one JSON object, for scripts.
    #[must_use]
    pub fn json(&self) -> String {
        let mut out = Vec::new();
        let mut o = Object::open(&mut out);
        o.text("bundle_hash", &self.bundle_hash, MAX_NAME);
        counts(o.key("decisions"), &self.decisions);
        o.text("exported_at", &self.exported_at, MAX_NAME);
        if let Some(next) = self.next {
            o.number("next_sequence", next);
        }
        o.text("origin", &self.checkpoint.origin, MAX_NAME);
        o.number("records", u64::try_from(self.records).unwrap_or(u64::MAX));
        let (seal, key) = match &self.seal {
            Seal::Missing => ("missing", None),
            Seal::Unchecked(key) => ("unchecked", Some(&**key)),
            Seal::Verified(key) => ("verified", Some(&**key)),
        };
        o.word("seal", seal);
        o.optional("seal_key_id", key, MAX_NAME);
        o.text("session_id", &self.session, MAX_NAME);
        o.number("size", self.checkpoint.size);
        o.text("tenant_id", &self.tenant, MAX_NAME);
        o.flag("verified", true);
        o.text("vkey", &self.vkey, MAX_NAME);
        o.close();
        String::from_utf8(out).unwrap_or_default()
    }
}

/// What is known of the seal of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It has none: whoever had it could leave records out, and make the rest anew.
    Missing,
    /// It names this key, and nobody gave a key to check it with.
    Unchecked(String),
    /// It is good, and of this key.
    Verified(String),
}

/// What the records say.
#[derive(Debug, Default)]
struct Summary {
    agents: BTreeMap<String, u64>,
    decisions: BTreeMap<String, u64>,
    event_types: BTreeMap<String, u64>,
    tools: BTreeMap<String, u64>,
    users: BTreeMap<String, u64>,
    first: Option<String>,
    last: Option<String>,
}

impl Summary {
    fn of(records: &[Proven]) -> Self {
        let mut summary = Self::default();
        for record in records {
            let mut tape = Tape::new();
            let Ok(event) = tape.parse(&record.leaf, &event_limits()) else { continue };
            let text = |name: &str| event.get(name).and_then(|value| value.as_str()).map(std::borrow::Cow::into_owned);
            let count = |counts: &mut BTreeMap<String, u64>, name: Option<String>| {
                if let Some(name) = name {
                    *counts.entry(name).or_default() += 1;
                }
            };
            let kind = text("eventType");
            // A decision stands in the records that follow it, too.
            if kind.as_deref() == Some("TOOL_CALL_PRE") {
                count(&mut summary.decisions, text("decision"));
                count(&mut summary.tools, text("toolName"));
            }
            count(&mut summary.event_types, kind);
            count(&mut summary.agents, text("agentId"));
            count(&mut summary.users, text("userId"));
            if let Some(at) = text("occurredAt") {
                // In one form, so that the order of the texts is that of the instants.
                summary.first = summary.first.take().filter(|first| *first <= at).or_else(|| Some(at.clone()));
                summary.last = summary.last.take().filter(|last| *last >= at).or(Some(at));
            }
        }
        summary
    }

    fn write(&self, out: &mut Vec<u8>, records: usize) {
        let mut o = Object::open(out);
        counts(o.key("agents"), &self.agents);
        counts(o.key("decisions"), &self.decisions);
        counts(o.key("event_types"), &self.event_types);
        o.optional("first_occurred_at", self.first.as_deref(), MAX_ENTRY_BYTES);
        o.optional("last_occurred_at", self.last.as_deref(), MAX_ENTRY_BYTES);
        o.number("records", u64::try_from(records).unwrap_or(u64::MAX));
        counts(o.key("tools"), &self.tools);
        counts(o.key("users"), &self.users);
        o.close();
    }
}

/// Names and how often, in the order of RFC 8785.
fn counts(out: &mut Vec<u8>, counts: &BTreeMap<String, u64>) {
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by(|(a, _), (b, _)| thoth_types::json::canonical::utf16_order(a, b));
    out.push(b'{');
    for (at, (name, count)) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, name);
        out.extend_from_slice(format!(":{}", (*count).min(MAX_EXACT)).as_bytes());
    }
    out.push(b'}');
}

fn event_limits() -> Limits {
    Limits { max_bytes: MAX_ENTRY_BYTES, ..Limits::default() }
}

/// Everything of a bundle in its canonical form, with what the digest does not cover or without.
fn content(material: &Material<'_>, beside: Option<(&str, &str)>) -> Vec<u8> {
    let Material { tenant, session, checkpoint, verifier, records, from, next } = material;
    let mut out = Vec::with_capacity(records.iter().map(|record| record.leaf.len() * 2 + 1024).sum());
    let mut o = Object::open(&mut out);
    o.optional("bundle_hash", beside.map(|(hash, _)| hash), MAX_NAME);
    o.text("checkpoint", checkpoint, MAX_NOTE_BYTES);
    o.flag("complete", next.is_none());
    o.optional("exported_at", beside.map(|(_, at)| at), MAX_NAME);
    o.number("from_sequence", *from);
    if let Some(next) = next {
        o.number("next_sequence", *next);
    }
    let list = o.key("records");
    list.push(b'[');
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            list.push(b',');
        }
        let path: Vec<String> = record.path.iter().map(|hash| STANDARD.encode(hash)).collect();
        let mut r = Object::open(list);
        r.number("index", record.index);
        string(r.key("leaf"), &String::from_utf8_lossy(&record.leaf));
        r.texts("path", path.iter().map(String::as_str), MAX_PATH, MAX_NAME);
        r.close();
    }
    list.push(b']');
    o.word("schema_version", BUNDLE_VERSION);
    o.text("session_id", session, MAX_NAME);
    Summary::of(records).write(o.key("summary"), records.len());
    o.text("tenant_id", tenant, MAX_NAME);
    o.text("vkey", &verifier.to_vkey(), MAX_NAME);
    o.close();
    out
}

fn digest(material: &Material<'_>) -> String {
    format!("sha256:{}", crate::hex::encode(&Sha256::digest(content(material, None))))
}

/// The bundle, as JSON in the form of RFC 8785.
#[must_use]
pub fn bundle(material: &Material<'_>, exported_at: jiff::Timestamp) -> String {
    let written = content(material, Some((&digest(material), &exported_at.to_string())));
    String::from_utf8(written).unwrap_or_default()
}

/// The same, sealed as a whole: nobody but the holder of the key can leave a record out, or say that there are no others.
///
/// # Errors
/// When it is longer than what is sealed.
pub fn sealed_bundle(
    material: &Material<'_>,
    exported_at: jiff::Timestamp,
    key: &SealKey,
) -> Result<String, SealError> {
    key.seal(BUNDLE_DOMAIN, &bundle(material, exported_at))
}

/// What is known of the seal. One that is there in part, and none where a key was given, are wrong.
fn sealed(value: Value<'_>, opener: Option<&SealOpener>) -> Result<Seal, BundleError> {
    match MEMBERS.iter().filter(|name| value.get(name).is_some()).count() {
        0 if opener.is_none() => return Ok(Seal::Missing),
        found if found < MEMBERS.len() => return Err(SealError::Unsealed.into()),
        _ => {}
    }
    // It may have been laid out for people since.
    let mut form = Vec::with_capacity(value.raw().len());
    exact(value, &mut form);
    let Some(opener) = opener else { return Ok(Seal::Unchecked(claimed_key(&form)?)) };
    opener.open(BUNDLE_DOMAIN, &form)?;
    Ok(Seal::Verified(opener.id().to_owned()))
}

fn text(value: Value<'_>, name: &'static str) -> Result<String, BundleError> {
    value
        .get(name)
        .and_then(|member| member.as_str())
        .map(std::borrow::Cow::into_owned)
        .ok_or(BundleError::Member(name))
}

fn number(value: Value<'_>, name: &'static str) -> Result<u64, BundleError> {
    value.get(name).and_then(|member| member.as_u64()).ok_or(BundleError::Member(name))
}

/// Verifies a bundle with nothing but the log's public key; with `opener`, also that it was sealed as it is.
///
/// # Errors
/// When it is none, is of another key, or anything in it but the time of the export and a seal that is not checked is not what
/// was signed or follows from it.
pub fn verify_bundle(document: &[u8], key: &Verifier, opener: Option<&SealOpener>) -> Result<Verified, BundleError> {
    if document.len() > MAX_BUNDLE_BYTES {
        return Err(BundleError::TooLong);
    }
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: MAX_BUNDLE_BYTES, ..Limits::default() };
    let value = tape.parse(document, &limits).map_err(|error| BundleError::NoJson(error.to_string()))?;
    let version = text(value, "schema_version")?;
    if version != BUNDLE_VERSION {
        return Err(BundleError::Version(version.chars().filter(|c| !c.is_control()).take(40).collect()));
    }
    let (tenant, session) = (text(value, "tenant_id")?, text(value, "session_id")?);
    let checkpoint = text(value, "checkpoint")?;
    let exported_at = text(value, "exported_at")?;
    if exported_at.parse::<jiff::Timestamp>().map(|at| at.to_string()).ok().as_ref() != Some(&exported_at) {
        return Err(BundleError::Member("exported_at"));
    }
    if Verifier::parse(&text(value, "vkey")?)? != *key {
        return Err(BundleError::OtherKey);
    }
    let head = Checkpoint::open(checkpoint.as_bytes(), key)?;
    let records = records(value.get("records").ok_or(BundleError::Member("records"))?)?;
    let from = number(value, "from_sequence")?;
    let next = value.get("next_sequence").map(|next| next.as_u64().ok_or(BundleError::Member("next_sequence")));
    let next = next.transpose()?;
    let mut beyond = from;
    for record in &records {
        check(record, &head, (&tenant, &session))?;
        if record.index < beyond || next.is_some_and(|next| record.index >= next) {
            return Err(BundleError::Record { index: record.index, what: "it is not in order" });
        }
        beyond = record.index + 1;
    }
    let material = Material {
        tenant: &tenant,
        session: &session,
        checkpoint: &checkpoint,
        verifier: key,
        records: &records,
        from,
        next,
    };
    let bundle_hash = text(value, "bundle_hash")?;
    if digest(&material) != bundle_hash {
        return Err(BundleError::Hash);
    }
    let seal = sealed(value, opener)?;
    let mut told = Vec::with_capacity(document.len());
    exact_without(value, &MEMBERS, &mut told);
    if content(&material, Some((&bundle_hash, &exported_at))) != told {
        return Err(BundleError::Content);
    }
    Ok(Verified {
        records: records.len(),
        decisions: Summary::of(&records).decisions,
        vkey: key.to_vkey(),
        checkpoint: head,
        tenant,
        session,
        exported_at,
        bundle_hash,
        next,
        seal,
    })
}

fn records(list: Value<'_>) -> Result<Vec<Proven>, BundleError> {
    const BAD: BundleError = BundleError::Member("records");
    let mut records = Vec::new();
    for record in list.elements() {
        if records.len() >= MAX_RECORDS {
            return Err(BAD);
        }
        let mut path = Vec::new();
        for hash in record.get("path").ok_or(BAD)?.elements() {
            let hash = hash.as_str().and_then(|text| STANDARD.decode(&*text).ok());
            path.push(hash.and_then(|bytes| Hash::try_from(bytes).ok()).filter(|_| path.len() < MAX_PATH).ok_or(BAD)?);
        }
        let leaf = record.get("leaf").and_then(|leaf| leaf.as_str()).ok_or(BAD)?.into_owned().into_bytes();
        records.push(Proven { index: number(record, "index")?, leaf, path });
    }
    Ok(records)
}

fn check(record: &Proven, head: &Checkpoint, (tenant, session): (&str, &str)) -> Result<(), BundleError> {
    let index = record.index;
    let wrong = |what| Err(BundleError::Record { index, what });
    if !is_canonical(&record.leaf) {
        return wrong("it is not an event in the form of RFC 8785");
    }
    if !proof::verify_inclusion(&leaf_hash(&record.leaf), index, head.size, &record.path, &head.root) {
        return wrong("it is not under the signed head");
    }
    let mut tape = Tape::new();
    let Ok(event) = tape.parse(&record.leaf, &event_limits()) else { return wrong("it is no event") };
    let is = |name: &str, expected: &str| event.get(name).is_some_and(|value| value.is_str(expected));
    if !is("sessionId", session) || !is("tenantId", tenant) {
        return wrong("it is of another session");
    }
    Ok(())
}
