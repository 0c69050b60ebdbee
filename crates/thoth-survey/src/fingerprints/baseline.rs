//! Comparing fingerprints with those of an earlier day.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use thoth_types::display::harmless;

use super::{FORMAT, ServerPrint};

/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// An earlier document, as far as it is compared.
#[derive(Debug, Deserialize)]
pub struct Baseline {
    format: String,
    servers: Vec<BaselineServer>,
}

#[derive(Debug, Deserialize)]
struct BaselineServer {
    server: String,
    items: Vec<BaselineItem>,
}

#[derive(Debug, Deserialize)]
struct BaselineItem {
    kind: String,
    name: String,
    digest: String,
    fields: Vec<BaselineField>,
}

#[derive(Debug, Deserialize)]
struct BaselineField {
    field: String,
    digest: String,
}

/// One difference.
#[derive(Debug, PartialEq, Eq)]
pub struct Change<'a> {
    /// The server's name.
    pub server: &'a str,
    /// What kind of thing differs.
    pub kind: &'a str,
    /// Its name; empty where there is only one.
    pub name: &'a str,
    /// How it differs.
    pub what: What<'a>,
}

/// What kind of difference.
#[derive(Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// It was not there.
    Added,
    /// It is no longer there.
    Removed,
    /// It says something else.
    Changed {
        /// The names of the fields.
        fields: Vec<&'a str>,
    },
}

impl Change<'_> {
    /// The name, where there is one.
    #[must_use]
    pub const fn shown_name(&self) -> &str {
        if self.name.is_empty() { "-" } else { self.name }
    }

    /// For scripts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (word, fields): (_, &[&str]) = match &self.what {
            What::Added => ("added", &[]),
            What::Removed => ("removed", &[]),
            What::Changed { fields } => ("changed", fields),
        };
        json!({"server": self.server, "kind": self.kind, "name": self.name, "change": word, "fields": fields})
    }
}

/// Why a file is no baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineError {
    /// Why, as a fragment.
    pub message: String,
    /// Whether it could be read at all.
    pub is_other_file: bool,
}

/// Reads an earlier document.
///
/// # Errors
/// When the file cannot be read, or is another one.
pub fn read_baseline(path: &Path) -> Result<Baseline, BaselineError> {
    let problem = |what: &dyn std::fmt::Display| BaselineError { message: what.to_string(), is_other_file: false };
    let other = |what: &dyn std::fmt::Display| BaselineError { message: what.to_string(), is_other_file: true };
    let size = std::fs::metadata(path).map_err(|error| problem(&error))?.len();
    if size > MAX_BYTES {
        return Err(other(&format_args!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    let text = std::fs::read(path).map_err(|error| problem(&error))?;
    let baseline: Baseline = serde_json::from_slice(&text).map_err(|error| other(&harmless(&error.to_string())))?;
    if baseline.format != FORMAT {
        return Err(other(&format_args!("its format is not `{FORMAT}`")));
    }
    Ok(baseline)
}

/// Names an item: server, kind, name, and which one of those that share them.
type Key<'a> = (&'a str, &'a str, &'a str, usize);
/// Its digest, and those of its fields.
type Digests<'a> = (String, Vec<(&'a str, String)>);

/// What differs, in the order of servers, kinds and names.
pub fn compare<'a>(before: &'a Baseline, now: &'a [ServerPrint]) -> Vec<Change<'a>> {
    let mut old: BTreeMap<Key<'a>, Digests<'a>> = BTreeMap::new();
    for server in &before.servers {
        for item in &server.items {
            let fields = item.fields.iter().map(|field| (&*field.field, field.digest.clone()));
            insert(&mut old, (&server.server, &item.kind, &item.name), (item.digest.clone(), fields.collect()));
        }
    }
    let mut new: BTreeMap<Key<'a>, Digests<'a>> = BTreeMap::new();
    for server in now {
        for item in &server.items {
            let fields = item.print.fields.iter().map(|field| (&*field.field, field.digest.to_string()));
            let digests = (item.print.digest.to_string(), fields.collect());
            insert(&mut new, (&server.server, item.kind.as_str(), &item.name), digests);
        }
    }
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let changes = keys.into_iter().filter_map(|key| {
        let what = match (old.get(&key), new.get(&key)) {
            (Some((old, _)), Some((new, _))) if old == new => return None,
            (Some((_, old)), Some((_, new))) => What::Changed { fields: differing(old, new) },
            (None, _) => What::Added,
            (_, None) => What::Removed,
        };
        let (server, kind, name, _) = key;
        Some(Change { server, kind, name, what })
    });
    changes.collect()
}

fn insert<'a>(
    map: &mut BTreeMap<Key<'a>, Digests<'a>>,
    (server, kind, name): (&'a str, &'a str, &'a str),
    digests: Digests<'a>,
) {
    let from = (server, kind, name, 0);
    let to = (server, kind, name, usize::MAX);
    let next = map.range(from..to).next_back().map_or(0, |((.., last), _)| last + 1);
    map.insert((server, kind, name, next), digests);
}

/// The fields of which the digests differ, or that only one has.
fn differing<'a>(old: &[(&'a str, String)], new: &[(&'a str, String)]) -> Vec<&'a str> {
    let one_sided = |these: &[(&'a str, String)], those: &[(&'a str, String)]| -> Vec<&'a str> {
        these.iter().filter(|field| !those.contains(field)).map(|(name, _)| *name).collect()
    };
    let mut fields = one_sided(old, new);
    fields.extend(one_sided(new, old));
    fields.sort_unstable();
    fields.dedup();
    fields
}
