//! The clients' files, and whether their servers are governed.

use serde_json::{Value, json};
use thoth_endpoint::entry::State;

use super::{Check, programs::Needed};
use crate::status::{Row, Seen};

const NAME: &str = "clients";
/// How many servers are named before the rest is counted.
const NAMED: usize = 5;

/// How many servers there are of each kind.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    files: usize,
    unreadable_files: usize,
    governed: usize,
    /// Could be governed, and are not.
    ungoverned: usize,
    /// Cannot be governed.
    not_governable: usize,
    /// Governed, and the program that their clients would start is not there, or would refuse its arguments.
    broken: usize,
}

impl Count {
    pub(crate) fn of(seen: &Seen) -> Self {
        let mut count = Self { files: seen.files.len(), unreadable_files: seen.problems.len(), ..Self::default() };
        for row in &seen.rows {
            match &row.entry.state {
                State::Governed(_) if row.launch().is_some() => count.governed += 1,
                State::NotWrappable(_) => count.not_governable += 1,
                _ => count.ungoverned += 1,
            }
            count.broken += usize::from(is_broken(row));
        }
        count
    }

    pub(crate) fn to_json(self) -> Value {
        json!({
            "files": self.files,
            "unreadable_files": self.unreadable_files,
            "servers": self.governed + self.ungoverned + self.not_governable,
            "governed": self.governed,
            "ungoverned": self.ungoverned,
            "not_governable": self.not_governable,
            "broken": self.broken,
        })
    }
}

fn is_broken(row: &Row) -> bool {
    row.launch().is_some() && !row.starts()
}

/// Judges what was found in the clients' files.
pub(crate) fn clients(seen: &Seen) -> Check {
    let count = Count::of(seen);
    if let Some((path, problem)) = seen.problems.first() {
        let evidence =
            format!("{} of {} files cannot be read: {}", count.unreadable_files, count.files, problem.message);
        let remedy = format!("correct {}; `thoth status` lists all", path.display());
        return Check::failure(NAME, evidence, remedy);
    }
    let names = |wanted: &dyn Fn(&Row) -> bool| {
        let rows = seen.rows.iter().filter(|row| wanted(row));
        let mut names: Vec<&str> = rows.map(|row| row.entry.server.as_str()).collect();
        let more = names.len().saturating_sub(NAMED);
        names.truncate(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(", "))
    };
    if count.broken > 0 {
        let evidence = format!("governed, and not able to start: {}", names(&is_broken));
        return Check::failure(NAME, evidence, "run `thoth status`, which says why and what to do");
    }
    if count.ungoverned > 0 {
        let evidence = format!(
            "{} governed, {} not: {}",
            count.governed,
            count.ungoverned,
            names(&|row| row.launch().is_none() && !matches!(row.entry.state, State::NotWrappable(_)))
        );
        return Check::warning(NAME, evidence, "run `thoth wrap-config`");
    }
    let own = |row: &Row| !row.own.is_empty() && row.launch().is_some();
    if seen.rows.iter().any(own) {
        let evidence = format!("governed with settings that their entries bring along: {}", names(&own));
        return Check::warning(NAME, evidence, "run `thoth status`, which names the settings");
    }
    if count.governed + count.not_governable == 0 {
        return Check::skipped(NAME, "no client has a server here");
    }
    let rest = match count.not_governable {
        0 => String::new(),
        rest => format!("; {rest} cannot be, `thoth status` says why"),
    };
    Check::ok(NAME, format!("governed servers: {}{rest}", count.governed))
}

/// The programs that the servers of these files are started with.
pub(crate) fn needed(seen: &Seen) -> Needed {
    let mut needed = Needed::new();
    for row in &seen.rows {
        let words = match &row.entry.state {
            State::Governed(launch) => launch.upstream.as_slice(),
            State::Plain(words) => words.as_slice(),
            State::NotWrappable(_) => continue,
        };
        // What holds a variable of the client's is not known here.
        if let Some(program) = words.first().filter(|program| !program.contains('$')) {
            needed.entry(program.clone()).or_default().push(row.entry.server.clone());
        }
    }
    needed
}
