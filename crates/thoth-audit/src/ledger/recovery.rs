//! The record that a repair leaves behind.

use std::path::Path;

use thoth_types::{Mode, ServerName, SessionId};

use super::JOURNAL_DIR;
use super::error::LedgerError;
use super::files;
use crate::event::{Event, EventType, SessionFields};

/// An event that says what was repaired in a journal of the ledger in `root`.
pub(super) fn recovery_leaf(root: &Path, journal: &str, detail: &str) -> Result<Vec<u8>, LedgerError> {
    let id = files::random::<16>().map_err(LedgerError::NoRandomness)?;
    let bad = |error: thoth_types::IdError| LedgerError::Damaged {
        file: root.join(JOURNAL_DIR).join(journal),
        reason: error.to_string(),
    };
    let session = SessionFields {
        tenant: None,
        user: None,
        endpoint: None,
        agent: None,
        session: format!("ledger:{journal}").parse::<SessionId>().map_err(bad)?,
        server: "ledger".parse::<ServerName>().map_err(bad)?,
        intent: None,
        approved_scope: Vec::new(),
        mode: Mode::Block,
    };
    let event = Event {
        event_type: EventType::LedgerRecovered,
        event_id: &crate::hex::encode(&id),
        occurred_at: jiff::Timestamp::now(),
        session: &session,
        call: None,
        decision: None,
        outcome: None,
        hold: None,
        pin: None,
        refusal: None,
        detail: Some(detail),
    };
    let mut leaf = Vec::new();
    event.write_canonical(&mut leaf);
    Ok(leaf)
}
