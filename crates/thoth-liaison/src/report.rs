//! How the reports of a home are going, for whoever looks after it. It asks nobody and changes nothing.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::events::{self, is_cursor};
use crate::folder::Folder;
use crate::machine;

/// The file that says whose a folder is.
pub(crate) const WHOSE: &str = "whose.json";
/// How many folders, and files in each, are looked at.
const MOST: usize = 256;

/// Who is told what by whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The enforcer's address.
    pub enforcer: String,
    /// The organisation.
    pub tenant_id: String,
    /// The agent.
    pub agent_id: String,
}

/// How it goes for one enforcer, tenant and agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whose it is.
    #[serde(flatten)]
    pub owner: Owner,
    /// Whether the machine is in quarantine, as far as it is known.
    pub quarantined: bool,
    /// When the enforcer answered a check-in last, RFC 3339.
    pub answered_at: Option<String>,
    /// How many records of all ledgers it has not been told, where that can be seen.
    pub events_pending: Option<u64>,
    /// When it took events last, RFC 3339.
    pub events_delivered_at: Option<String>,
    /// How many events it never took.
    pub events_refused: u64,
    /// What is wrong, each in a sentence.
    pub errors: Vec<String>,
}

/// All of a home, from the folder that [`crate::Options::folder`] names. What cannot be read is an error of its report.
#[must_use]
pub fn reports(beneath: &Path) -> Vec<Report> {
    let names = names(beneath);
    names.iter().map(|name| report(&Folder::at(beneath.join(name)))).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().take(MOST);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn report(folder: &Folder) -> Report {
    let mut report = Report::default();
    match folder.read(WHOSE) {
        Ok(owner) => report.owner = owner.unwrap_or_default(),
        Err(error) => report.errors.push(error.to_string()),
    }
    match folder.read::<machine::Kept>(machine::FILE) {
        Ok(None) => {}
        Ok(Some(kept)) => {
            (report.quarantined, report.answered_at) = (kept.quarantined, kept.answered_at);
            report.errors.extend(kept.error.map(|error| format!("check-in: {error}")));
        }
        Err(error) => {
            report.quarantined = true;
            report.errors.push(error.to_string());
        }
    }
    for name in names(folder.path()).iter().filter(|name| is_cursor(name)) {
        match folder.read::<events::Kept>(name) {
            Ok(None) => {}
            Ok(Some(kept)) => {
                let pending = kept.pending().map(|pending| pending + report.events_pending.unwrap_or_default());
                report.events_pending = pending.or(report.events_pending);
                report.events_refused = report.events_refused.saturating_add(kept.refused);
                // Of instants in RFC 3339 the later one sorts last.
                report.events_delivered_at = report.events_delivered_at.take().max(kept.delivered_at);
                report.errors.extend(kept.error.map(|error| format!("events: {error}")));
            }
            Err(error) => report.errors.push(error.to_string()),
        }
    }
    report
}
