//! Visiting servers, a few at a time; what is configured several times is started once.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use thoth_api::TlsSettings;
use thoth_proxy::{StdioVisit, Visit, VisitError, visit_command};

use crate::Collected;
use crate::catalogue::{Catalogue, LISTS, Origin};
use crate::http;
use crate::missed::Missed;

/// How many servers are visited at once. Each may well be a package manager that unpacks something.
const AT_ONCE: usize = 4;

/// A server to be visited.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name.
    pub server: String,
    /// Where it was found.
    pub origin: Origin,
    /// The way to it.
    pub way: Way,
}

/// The way to a server. Holds secrets.
#[derive(Clone, PartialEq, Eq)]
pub enum Way {
    /// A command to start.
    Command {
        /// Program and arguments.
        command: Vec<OsString>,
        /// Environment variables beside the few that every server gets.
        variables: Vec<(String, OsString)>,
        /// Where it runs; `None` is our own directory.
        directory: Option<PathBuf>,
    },
    /// An address to connect to.
    Address {
        /// The address.
        url: String,
        /// HTTP headers.
        headers: Vec<(String, String)>,
    },
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { .. } => f.write_str("Command(..)"),
            Self::Address { .. } => f.write_str("Address(..)"),
        }
    }
}

/// Visits all of them and adds what they say.
pub fn run(jobs: Vec<Job>, limit: Duration, tls: &TlsSettings, collected: &mut Collected) {
    let mut ways: Vec<Way> = Vec::new();
    for job in &jobs {
        if !ways.contains(&job.way) {
            ways.push(job.way.clone());
        }
    }
    let count = ways.len();
    let queue: Mutex<VecDeque<(usize, &Way)>> = Mutex::new(ways.iter().enumerate().collect());
    let seen: Mutex<Vec<Option<Result<Visit, VisitError>>>> = Mutex::new((0..count).map(|_| None).collect());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(count) {
            scope.spawn(|| {
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some((at, way)) = next() {
                    let visit = visit(way, limit, tls);
                    if let Some(place) = seen.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                        *place = Some(visit);
                    }
                }
            });
        }
    });
    let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
    for job in jobs {
        let visit = ways.iter().position(|way| *way == job.way).and_then(|at| seen.get(at)?.as_ref());
        match visit {
            Some(Ok(visit)) => take(&job, visit, collected),
            Some(Err(error)) => collected.missed.push(missed(&job, error)),
            None => collected.missed.push(Missed::new(
                &job.server,
                job.origin,
                "not_visited",
                "it was not visited".to_owned(),
            )),
        }
    }
}

fn visit(way: &Way, limit: Duration, tls: &TlsSettings) -> Result<Visit, VisitError> {
    match way {
        Way::Command { command, variables, directory } => visit_command(&StdioVisit {
            command: command.clone(),
            variables: variables.clone(),
            directory: directory.clone(),
            limit,
        }),
        Way::Address { url, headers } => http::visit_url(url, headers, limit, tls),
    }
}

fn take(job: &Job, visit: &Visit, collected: &mut Collected) {
    for gap in &visit.gaps {
        let message = format!("its {} could not be had: {}", gap.list, gap.problem);
        let list = LISTS.iter().find(|(list, _)| *list == gap.list).map(|(_, kind)| *kind);
        let missed = Missed::new(&job.server, job.origin.clone(), "list_failed", message);
        collected.missed.push(Missed { list, ..missed });
    }
    let document = visit.document.clone();
    collected.catalogues.push(Catalogue::of_answers(job.server.clone(), job.origin.clone(), document));
}

fn missed(job: &Job, error: &VisitError) -> Missed {
    let (code, hint) = match error {
        VisitError::Spawn(_) => ("not_started", None),
        VisitError::TimedOut { .. } => {
            ("timed_out", Some("give it longer with --timeout; package runners download on first use"))
        }
        VisitError::Ended { .. } => ("ended", Some("start its command by hand and see what it says")),
        VisitError::NotJson { .. } => ("invalid_json", None),
        VisitError::TooMuch { .. } => ("too_large", None),
        VisitError::Refused { .. } => ("refused", None),
        VisitError::Malformed { .. } => ("malformed", None),
        VisitError::Connection(_) => ("no_connection", None),
    };
    let missed = Missed::new(&job.server, job.origin.clone(), code, error.to_string());
    match hint {
        Some(hint) => missed.hint(hint),
        None => missed,
    }
}
