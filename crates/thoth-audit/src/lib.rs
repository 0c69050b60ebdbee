//! Evidence.
//!
//! What happened becomes an [`Event`]; its canonical bytes are the leaf of an RFC 6962 Merkle tree; the tree is kept
//! as C2SP tlog-tiles under signed checkpoints, so that anyone can verify it without trusting Thoth.
//!
//! This crate does no I/O except in [`ledger`] and in what reads a ledger's directory ([`mod@verify`], [`tail`],
//! [`prove`]) or the key directory ([`keys`]). It knows neither policy nor protocol.

pub mod checkpoint;
pub mod content;
pub mod digest;
pub mod event;
pub mod frontier;
mod hex;
mod json;
pub mod keys;
pub mod ledger;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod prove;
pub mod receipt;
mod redaction;
pub mod seal;
pub mod session_bundle;
pub mod tail;
mod tile_source;
pub mod tiles;
pub mod verify;
pub mod view;

pub use content::{Content, ContentMode};
pub use digest::{ContentKey, arguments_digest};
pub use event::{
    CallFields, DecisionFields, Event, EventType, HoldFields, OutcomeFields, PinFields, RefusalFields, RemoteFields,
    SessionFields, ShadowFields,
};
pub use frontier::Frontier;
pub use keys::{KeyError, LedgerKeys};
pub use ledger::{Durability, Leaves, Ledger, LedgerCopy, LedgerError, LedgerOptions};
pub use thoth_types::json::canonical;
pub use tile_source::{TileError, TileSource};
pub use verify::{Report, VerifyError, VerifyOptions, verify, verify_each};
