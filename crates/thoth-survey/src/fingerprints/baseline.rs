//! Comparing fingerprints with those of an earlier day.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use thoth_types::display::harmless;

use super::{FORMAT, ServerPrint};
use crate::catalogue::Origin;
use crate::missed::Missed;

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
    #[serde(default)]
    origin: String,
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

/// Names what is compared: server, kind, name.
type Key<'a> = (&'a str, &'a str, &'a str);

/// What goes by one name, before and now: several things where servers of one name offer them, or one lists it twice.
#[derive(Default)]
struct Namesakes<'a> {
    old: Vec<Digests<'a>>,
    new: Vec<Digests<'a>>,
    /// Some of what went by the name may be there and was not read.
    unread: bool,
}

/// The digest of a definition, and those of its fields.
#[derive(PartialEq, Eq)]
struct Digests<'a> {
    whole: String,
    fields: Vec<(&'a str, String)>,
}

/// What differs, in the order of servers, kinds and names. What could not be read is not gone, nor is it what another server
/// of its name offers.
pub fn compare<'a>(before: &'a Baseline, now: &'a [ServerPrint], missed: &[Missed]) -> Vec<Change<'a>> {
    let mut all: BTreeMap<Key<'a>, Namesakes<'a>> = BTreeMap::new();
    for server in &before.servers {
        for item in &server.items {
            let fields = item.fields.iter().map(|field| (&*field.field, field.digest.clone())).collect();
            let namesakes = all.entry((&server.server, &item.kind, &item.name)).or_default();
            namesakes.old.push(Digests { whole: item.digest.clone(), fields });
            namesakes.unread |= missed.iter().any(|one| is_of(one, server, &item.kind));
        }
    }
    for server in now {
        for item in &server.items {
            let fields = item.print.fields.iter().map(|field| (&*field.field, field.digest.to_string())).collect();
            let namesakes = all.entry((&server.server, item.kind.as_str(), &item.name)).or_default();
            namesakes.new.push(Digests { whole: item.print.digest.to_string(), fields });
        }
    }
    all.into_iter().flat_map(|(key, namesakes)| namesakes.changes(key)).collect()
}

/// Whether what was missed can be why a thing of a server is not there: the server itself, one of its lists, or the file in
/// which it was found.
fn is_of(missed: &Missed, server: &BaselineServer, kind: &str) -> bool {
    let origin = missed.origin.shown();
    let in_file = || server.origin.strip_prefix(&*origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
    match missed.list {
        Some(list) => missed.server == server.server && list.as_str() == kind,
        None => missed.server == server.server || (matches!(missed.origin, Origin::File(_)) && in_file()),
    }
}

impl<'a> Namesakes<'a> {
    fn changes(self, (server, kind, name): Key<'a>) -> Vec<Change<'a>> {
        let Self { mut old, mut new, unread } = self;
        if unread {
            // Nobody can tell which of them is missing, so that those that are the same are taken for the same.
            new.retain(|one| {
                let at = old.iter().position(|other| other == one);
                at.map(|at| old.swap_remove(at)).is_none()
            });
        }
        let mut changes = Vec::new();
        for at in 0..old.len().max(new.len()) {
            let what = match (old.get(at), new.get(at)) {
                (Some(old), Some(new)) if old == new => continue,
                (Some(old), Some(new)) => What::Changed { fields: differing(&old.fields, &new.fields) },
                (None, _) => What::Added,
                (_, None) if unread => continue,
                (_, None) => What::Removed,
            };
            changes.push(Change { server, kind, name, what });
        }
        changes
    }
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

#[cfg(test)]
mod tests {
    use thoth_scan::fingerprint::of_text;
    use thoth_types::ItemKind;

    use super::*;
    use crate::fingerprints::ItemPrint;

    fn entry(line: usize) -> Origin {
        Origin::Entry { client: "cursor", path: "/c.json".into(), line }
    }

    fn server(name: &str, origin: Origin, tools: &[&str]) -> ServerPrint {
        let tool = |text: &&str| ItemPrint { kind: ItemKind::Tool, name: "t".to_owned(), print: of_text("d", text) };
        let items = tools.iter().map(tool).collect();
        ServerPrint { server: name.to_owned(), origin, digest: String::new(), items }
    }

    fn missed(name: &str, origin: Origin, list: Option<ItemKind>) -> Missed {
        Missed { list, ..Missed::new(name, origin, "x", String::new()) }
    }

    /// Defends: what was not read today is told neither as removed nor as changed, and everything else still is.
    #[test]
    fn what_was_not_read_is_not_gone() {
        let before =
            [server("a", entry(1), &["one"]), server("a", entry(9), &["two"]), server("b", entry(5), &["three"])];
        let before: Baseline = serde_json::from_value(crate::fingerprints::to_json(&before, &[])).unwrap();
        let b = || server("b", entry(5), &["three"]);
        let without =
            || vec![server("a", entry(1), &["one"]), server("a", entry(9), &["two"]), server("b", entry(5), &[])];
        let list = |kind| missed("b", entry(5), Some(kind));
        let file = |path: &str| missed("Cursor", Origin::File(path.into()), None);
        let cases: [(Vec<ServerPrint>, Vec<Missed>, &[&str]); 9] = [
            (without(), vec![], &["removed"]),
            (without(), vec![list(ItemKind::Tool)], &[]),
            (without(), vec![list(ItemKind::Prompt)], &["removed"]),
            (vec![server("a", entry(9), &["two"]), b()], vec![missed("a", entry(1), None)], &[]),
            (vec![server("a", entry(9), &["2"]), b()], vec![missed("a", entry(1), None)], &["changed"]),
            (vec![server("a", entry(9), &["two"]), b()], vec![], &["changed", "removed"]),
            (vec![], vec![file("/c.json")], &[]),
            (vec![], vec![file("/c")], &["removed", "removed", "removed"]),
            (vec![server("c", entry(2), &["x"])], vec![file("/c.json")], &["added"]),
        ];
        for (at, (now, missed, expected)) in cases.iter().enumerate() {
            let changes = compare(&before, now, missed);
            let words: Vec<Value> = changes.iter().map(|change| change.to_json()["change"].clone()).collect();
            assert_eq!(words, *expected, "{at}");
        }
    }
}
