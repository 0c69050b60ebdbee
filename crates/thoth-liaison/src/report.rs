//! How the reports of a home are going, for whoever looks after it. It asks nobody and changes nothing.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::document::{Recipient, Verified};
use crate::events::{self, is_cursor};
use crate::folder::Folder;
use crate::{keeper, machine};

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
    /// Its policy document, where one is kept that opens.
    pub document: Option<DocumentReport>,
    /// What is wrong, each in a sentence.
    pub errors: Vec<String>,
}

/// A policy document that is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DocumentReport {
    /// The digest of its policy.
    pub policy_digest: String,
    /// `local` where calls that it allows need not be asked about; else `remote`.
    pub decisions: String,
    /// The bundles in it, each as `NAME@VERSION`.
    pub bundles: Vec<String>,
    /// How often the tenant's bundles had changed.
    pub sequence: u64,
    /// When it was made, RFC 3339.
    pub issued_at: String,
    /// Until when it holds, RFC 3339.
    pub expires_at: String,
    /// Whether that is over.
    pub expired: bool,
    /// The key that sealed it.
    pub key_id: String,
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
            report.errors.extend(kept.document_error.map(|error| format!("policy document: {error}")));
            match document(folder, &report.owner, kept.endpoint) {
                Ok(document) => report.document = document,
                Err(error) => report.errors.push(format!("policy document: {error}")),
            }
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

/// What is kept, if it opens with the key that is trusted.
fn document(folder: &Folder, owner: &Owner, endpoint: String) -> Result<Option<DocumentReport>, String> {
    let (Some(opener), Some(bytes)) =
        (keeper::pinned(folder).map_err(|e| e.to_string())?, keeper::kept(folder).map_err(|e| e.to_string())?)
    else {
        return Ok(None);
    };
    let whose = Recipient { tenant: owner.tenant_id.clone(), agent: owner.agent_id.clone(), endpoint, fleet: None };
    let verified = Verified::open(&bytes, &opener, &whose).map_err(|error| error.to_string())?;
    let document = verified.document();
    Ok(Some(DocumentReport {
        policy_digest: document.policy_digest.clone(),
        decisions: document.decisions.to_string(),
        bundles: document.bundles.iter().map(|bundle| format!("{}@{}", bundle.name, bundle.version)).collect(),
        sequence: document.sequence,
        issued_at: verified.issued_at().to_string(),
        expires_at: verified.expires_at().to_string(),
        expired: verified.expires_at() <= Timestamp::now(),
        key_id: document.key_id.clone(),
    }))
}
