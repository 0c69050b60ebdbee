//! The policies that single servers are governed by instead of the profile's.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Check, Verdict, policy};
use crate::status::Seen;

const NAME: &str = "policies";

/// The worst that is found among the policies that clients' files name; nothing where they name none.
pub(crate) fn policies(seen: &Seen) -> Option<Check> {
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in &seen.rows {
        if let Some(policy) = row.launch().and_then(|launch| launch.policy.as_ref()) {
            named.entry(policy).or_default().push(&row.entry.server);
        }
    }
    let count = named.len();
    let checks = named.into_iter().map(|(path, servers)| judge(path, &servers.join(", ")));
    let worst = checks.max_by_key(|check| check.verdict)?;
    Some(if worst.verdict == Verdict::Ok {
        Check::ok(NAME, format!("of single servers: {count}, all valid"))
    } else {
        worst
    })
}

fn judge(path: &str, servers: &str) -> Check {
    if Path::new(path).is_relative() {
        let evidence = format!("{servers}: which file `{path}` is depends on where the client is");
        return Check::warning(NAME, evidence, "run `thoth wrap-config --policy FILE`, which writes the full path");
    }
    let found = policy(Path::new(path)).check;
    match found.verdict {
        Verdict::Ok => Check::ok(NAME, found.evidence),
        // Only the profile's policy is written on first use.
        Verdict::Skipped => {
            let evidence = format!("{servers}: there is no {path}, so that every call is refused");
            Check::failure(NAME, evidence, "restore it, or run `thoth wrap-config --policy FILE`")
        }
        Verdict::Warning | Verdict::Failure => {
            Check { name: NAME, evidence: format!("{servers}: {}", found.evidence), ..found }
        }
    }
}
