//! Taking `thoth run` off again.

use crate::document::Document;
use crate::entry::Slot;
use crate::hosts::Shape;
use crate::launch::Reading;
use crate::rewrite::{Change, Plan, Rewrite, WrapError, carry_out, outcome, slots};

/// Restores the governed servers of a file; only those with these names, or all if there are none.
///
/// Only the file is needed: an entry says what was added to it. An entry that nobody changed since it was wrapped gets
/// its very bytes back. An entry whose `thoth run` was written by hand is left with the command behind `--`.
///
/// # Errors
///
/// More than [`MAX_SERVERS`](crate::rewrite::MAX_SERVERS) servers.
pub fn unwrap(document: &Document, shape: &Shape, servers: &[String]) -> Result<Rewrite, WrapError> {
    let task = |slot: &Slot<'_>| {
        let is_selected = servers.is_empty() || servers.contains(&slot.server);
        let is_governed = is_selected && matches!(slot.reading(document), Ok(Reading::Launch(..)));
        let change = if is_governed { Change::Restored } else { Change::Unchanged };
        let outcome = is_selected.then(|| outcome(document, slot, change, Vec::new()));
        (is_governed.then_some(Plan::Restore), outcome)
    };
    Ok(carry_out(document, shape, slots(document, shape)?.iter().map(task).collect()))
}
