//! `GET /{tenant}/thoth/evidence/…` and `…/sessions/{id}/evidence-bundle`: the ledger itself, its check, and proofs out of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Json;
use super::read::text;

/// How many records a page of the chain has at most.
pub const MAX_RECORDS: u32 = 500;

/// The signed head of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = LedgerHead))]
pub struct Head {
    /// The log's name.
    pub origin: String,
    /// How many events it covers.
    pub size: u64,
    /// The root over them, in hexadecimal digits.
    pub root: String,
    /// The signed note: C2SP tlog-checkpoint.
    pub checkpoint: String,
    /// The public key that signed it, as `name+keyid+base64`. Compare it with the one that you kept.
    pub vkey: String,
}

/// One record of a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = LedgerRecord))]
pub struct Record {
    /// Its place, from 0.
    pub index: u64,
    /// The hash by which the tree has it, in hexadecimal digits.
    #[serde(alias = "leafHash")]
    pub leaf_hash: String,
    /// The event, exactly as it is hashed.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, serde_json::Value>))]
    pub event: Json,
}

/// A part of a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = LedgerChain))]
pub struct Chain {
    /// The records, in order.
    #[serde(alias = "chain")]
    pub data: Vec<Record>,
    /// The head that they are under.
    pub head: Head,
    /// Where the next part begins, where there is one.
    #[serde(default, alias = "nextSequence", skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u64>,
    /// The session of the last record on this page that has one.
    #[serde(default, alias = "latestSessionId", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub latest_session_id: Option<String>,
}

/// Which part of a ledger is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct ChainQuery {
    /// The first record. The last ones where nothing is said.
    #[serde(default, alias = "fromSequence", skip_serializing_if = "Option::is_none")]
    pub from_sequence: Option<u64>,
    /// How many at most, up to 500.
    #[serde(default, alias = "per_page", alias = "perPage", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", param(minimum = 1, maximum = 500))]
    pub limit: Option<u32>,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = LedgerCheck))]
pub struct Check {
    /// Whether everything that was checked is good. The whole ledger was only if there is no `next_sequence` on the way.
    pub verified: bool,
    /// How many records were checked, and found good, this time.
    #[serde(alias = "recordsChecked")]
    pub records_checked: u64,
    /// Where they begin.
    #[serde(alias = "fromSequence")]
    pub from_sequence: u64,
    /// Where to go on, where there is more.
    #[serde(default, alias = "nextSequence", skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u64>,
    /// The head against which they were checked, unless it is what is wrong.
    #[serde(default, alias = "chainHead", skip_serializing_if = "Option::is_none")]
    pub chain_head: Option<Head>,
    /// What is wrong.
    #[serde(default, alias = "breachDetail", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub breach_detail: Option<String>,
    /// The first record that it may concern.
    #[serde(default, alias = "breachSequence", skip_serializing_if = "Option::is_none")]
    pub breach_sequence: Option<u64>,
}

/// One record of a session, with the proof that it is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SessionBundleRecord))]
pub struct BundleRecord {
    /// Its place, from 0.
    pub index: u64,
    /// The event's text, exactly as it is hashed.
    pub leaf: String,
    /// The audit path of RFC 6962, leaf side first, in base64.
    pub path: Vec<String>,
}

/// What the records of a bundle say. It follows from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SessionBundleSummary))]
pub struct BundleSummary {
    /// How many records there are of each agent.
    pub agents: BTreeMap<String, u64>,
    /// How many decisions there are of each kind.
    pub decisions: BTreeMap<String, u64>,
    /// How many records there are of each type.
    pub event_types: BTreeMap<String, u64>,
    /// The earliest instant in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_occurred_at: Option<String>,
    /// The latest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_occurred_at: Option<String>,
    /// How many records there are.
    pub records: u64,
    /// How many decisions there are about each tool.
    pub tools: BTreeMap<String, u64>,
    /// How many records there are of each person.
    pub users: BTreeMap<String, u64>,
}

/// The evidence of a session: `thoth audit verify-bundle` checks it without the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = SessionBundle))]
pub struct Bundle {
    /// The SHA-256 of the RFC 8785 form of everything else but `exported_at`: the same evidence has the same hash.
    pub bundle_hash: String,
    /// The signed head that all records are under.
    pub checkpoint: String,
    /// Whether nothing of the session is beyond.
    pub complete: bool,
    /// When it was made, RFC 3339.
    pub exported_at: String,
    /// From where on records were looked for.
    pub from_sequence: u64,
    /// The key that sealed it; with the two below as documents of `thoth-audit` are sealed.
    pub key_id: String,
    /// `ed25519`.
    pub signing_algorithm: String,
    /// The signature, in base64, over everything else.
    pub signature: String,
    /// Where the next bundle of the session begins, where there is no room in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_sequence: Option<u64>,
    /// The records, in order.
    pub records: Vec<BundleRecord>,
    /// The version of this shape: `1`.
    pub schema_version: String,
    /// The session.
    pub session_id: String,
    /// What the records say.
    pub summary: BundleSummary,
    /// The organisation.
    pub tenant_id: String,
    /// The public key that signed the head, as `name+keyid+base64`.
    pub vkey: String,
}

/// Which part of a session is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct BundleQuery {
    /// Where to go on, as `next_sequence` of the last one said.
    #[serde(default, alias = "fromSequence", skip_serializing_if = "Option::is_none")]
    pub from_sequence: Option<u64>,
}

/// Which part of a ledger is to be checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct CheckQuery {
    /// The first record; it is checked with the 256 that it is kept with.
    #[serde(default, alias = "fromSequence", skip_serializing_if = "Option::is_none")]
    pub from_sequence: Option<u64>,
    /// How many at most, up to 20,000; they are checked 256 at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
