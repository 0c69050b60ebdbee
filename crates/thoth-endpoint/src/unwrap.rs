//! Taking `thoth run` off again.

use crate::document::Document;
use crate::entry::{Slot, find};
use crate::hosts::Shape;
use crate::launch::Reading;
use crate::rewrite::{Change, Plan, Rewrite, WrapError, carry_out, outcome};

/// Restores the governed servers of a file; only those with these names, or all if there are none.
///
/// Only the file is needed: an entry says what was added to it. An entry that nobody changed since it was wrapped gets
/// its very bytes back. An entry whose `thoth run` was written by hand is left with the command behind `--`.
///
/// # Errors
///
/// A fault of ours, found before anything was given out.
pub fn unwrap(document: &Document, shape: &Shape, servers: &[String]) -> Result<Rewrite, WrapError> {
    let task = |slot: &Slot<'_>| {
        let is_selected = servers.is_empty() || servers.contains(&slot.server);
        let is_governed = is_selected && matches!(slot.reading(document), Ok(Reading::Launch(..)));
        let change = if is_governed { Change::Restored } else { Change::Unchanged };
        let outcome = is_selected.then(|| outcome(document, slot, change, Vec::new()));
        (is_governed.then_some(Plan::Restore), outcome)
    };
    carry_out(document, shape, find(document, shape).iter().map(task).collect())
}
