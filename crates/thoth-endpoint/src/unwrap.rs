//! Taking `thoth run` off again.

use crate::document::Document;
use crate::entry::find;
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
    let mut plans = Vec::new();
    let mut outcomes = Vec::new();
    for slot in find(document, shape) {
        let is_selected = servers.is_empty() || servers.contains(&slot.server);
        let is_governed = is_selected && matches!(slot.reading(document), Ok(Reading::Launch(..)));
        plans.push(is_governed.then_some(Plan::Restore));
        let change = if is_governed { Change::Restored } else { Change::Unchanged };
        outcomes.push(is_selected.then(|| outcome(document, &slot, change, Vec::new())));
    }
    if plans.iter().all(Option::is_none) {
        return Ok(Rewrite { text: document.text().to_owned(), outcomes: outcomes.into_iter().flatten().collect() });
    }
    let (text, refused) = carry_out(document, shape, plans)?;
    for (index, reason) in refused {
        if let Some(Some(outcome)) = outcomes.get_mut(index) {
            outcome.change = Change::Skipped(reason);
        }
    }
    Ok(Rewrite { text, outcomes: outcomes.into_iter().flatten().collect() })
}
