//! What `wrap-config` and `unwrap-config` share: changing files of clients one after the other, so that one that cannot be
//! changed keeps no other from it, and saying what became of each.

mod diff;
mod report;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use thoth_endpoint::document::{Document, Place};
use thoth_endpoint::entry::{self, Reason};
use thoth_endpoint::hosts::{self, Host, Scope};
use thoth_endpoint::rewrite::{Change, Outcome, Rewrite, WrapError};

use crate::clients::{ClientFile, Machine, Reach, known_hosts, parse};
use thoth_shell::config_file::{self, Backups, FileProblem};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;

pub(crate) use report::{Answer, OWN_SETTINGS, by_remedy, print, problem_json, ungoverned_json};

/// Which files.
#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Files of clients; without, those of the clients found on this machine
    #[arg(value_name = "INPUT")]
    pub(crate) files: Vec<PathBuf>,
    /// Write the result there instead of changing the file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Only files of this client, such as claude-desktop or cursor; repeatable. With INPUT: whose file it is
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// Also the files of every other project that Claude Code has been used in
    #[arg(long, conflicts_with = "files")]
    pub(crate) all: bool,
    /// Only servers of this name; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Vec<String>,
    /// Change nothing, and show what would be changed
    #[arg(long, conflicts_with = "output")]
    pub(crate) dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Wrap,
    Unwrap,
}

/// What is to happen to the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// They are changed.
    Write,
    /// The changes are shown.
    Show,
    /// Whether there would be any decides how the command ends.
    Check,
}

/// One run over some files.
pub(crate) struct Task<'a> {
    pub(crate) purpose: Purpose,
    pub(crate) output: Option<&'a Path>,
    pub(crate) backups: Backups,
    pub(crate) change: &'a dyn Fn(&Document, &ClientFile) -> Result<Rewrite, WrapError>,
    /// What servers of the changed file say about their own gate and must not.
    pub(crate) own: &'a dyn Fn(&Document, &ClientFile) -> Vec<OwnSettings>,
}

/// What a server says about its own gate, in a file that its user does not control.
#[derive(Debug)]
pub(crate) struct OwnSettings {
    pub(crate) server: String,
    pub(crate) group: Option<String>,
    pub(crate) place: Place,
    /// Variables and flags, without values.
    pub(crate) names: Vec<String>,
}

/// A file to work on.
pub(crate) struct Selected {
    pub(crate) path: PathBuf,
    pub(crate) file: Result<ClientFile, FileProblem>,
}

/// What became of one file.
#[derive(Debug)]
pub(crate) struct Report {
    /// None for a file that could not be read at all.
    pub(crate) file: Option<ClientFile>,
    pub(crate) path: PathBuf,
    pub(crate) result: Result<Done, FileProblem>,
}

/// A file that was looked at to the end.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) own: Vec<OwnSettings>,
    /// Whether the file was changed, or would be.
    pub(crate) changed: bool,
    pub(crate) backup: Option<PathBuf>,
    pub(crate) rescued: Vec<PathBuf>,
    pub(crate) diff: Option<String>,
}

impl Selection {
    /// The files to work on: those that are named, or those that are found here. A named file that cannot be read has its
    /// place among them.
    pub(crate) fn files(&self, machine: &Machine) -> Result<Vec<Selected>, Failure> {
        let hosts: Vec<&'static Host> = self.host.iter().map(|name| known(name)).collect::<Result<_, _>>()?;
        if self.output.is_some() && self.files.len() != 1 {
            return Err(Failure::usage("--output needs exactly one INPUT file"));
        }
        if self.json && is_stdout(self.output.as_deref()) {
            return Err(Failure::usage("standard output cannot carry both the file and --json"));
        }
        if self.files.is_empty() {
            let files = machine.files(if self.all { Reach::AllProjects } else { Reach::Here });
            let wanted = |file: &ClientFile| hosts.is_empty() || hosts.iter().any(|host| host.id == file.host.id);
            let selected = |file: ClientFile| Selected { path: file.path.clone(), file: Ok(file) };
            return Ok(files.into_iter().filter(wanted).map(selected).collect());
        }
        if hosts.len() > 1 {
            return Err(Failure::usage("a file belongs to one client; give --host once"));
        }
        let host = hosts.first().copied();
        let named = |path: &PathBuf| Selected { path: path.clone(), file: machine.named(path, host) };
        Ok(self.files.iter().map(named).collect())
    }

    /// Refuses names of servers that no file has, before anything is changed.
    pub(crate) fn check_servers(&self, files: &[Selected]) -> Result<(), Failure> {
        if self.server.is_empty() {
            return Ok(());
        }
        let mut names = BTreeSet::new();
        for file in files.iter().filter_map(|selected| selected.file.as_ref().ok()) {
            if let Ok(document) = config_file::read(&file.path).and_then(|found| parse(file, found.bytes())) {
                names.extend(entry::entries(&document, file.shape).into_iter().map(|entry| entry.server));
            }
        }
        let Some(unknown) = self.server.iter().find(|name| !names.contains(*name)) else { return Ok(()) };
        let names: Vec<_> = names.iter().map(|name| harmless_text(name)).collect();
        let hint = if names.is_empty() {
            "there are no servers".to_owned()
        } else {
            format!("there are: {}", names.join(", "))
        };
        Err(Failure::usage(format!("--server: there is no server `{unknown}`")).hint(hint))
    }
}

fn known(name: &str) -> Result<&'static Host, Failure> {
    hosts::host(name).ok_or_else(|| {
        Failure::usage(format!("--host: there is no client `{name}`"))
            .hint(format_args!("the clients are {}", known_hosts()))
    })
}

impl Task<'_> {
    /// Works on all files.
    pub(crate) fn run(&self, files: Vec<Selected>) -> Vec<Report> {
        let one = |Selected { path, file }| match file {
            Err(problem) => Report { path, file: None, result: Err(problem) },
            Ok(file) => Report { path, result: self.one(&file), file: Some(file) },
        };
        files.into_iter().map(one).collect()
    }

    fn one(&self, file: &ClientFile) -> Result<Done, FileProblem> {
        if file.not_ours.is_some() {
            return Ok(Done::default());
        }
        let done = RefCell::new(Done::default());
        let plan = |bytes: &[u8]| {
            let document = parse(file, bytes)?;
            let rewrite = (self.change)(&document, file)
                .map_err(|error| FileProblem::new(format!("{}: {error}", file.path.display())))?;
            let changed = rewrite.is_changed();
            let diff = (changed && self.purpose == Purpose::Show).then(|| diff::shown(&document, &rewrite.text, file));
            let own = (self.own)(&parse(file, rewrite.text.as_bytes())?, file);
            *done.borrow_mut() = Done { outcomes: rewrite.outcomes, own, changed, diff, ..Done::default() };
            Ok(Some(rewrite.text.into_bytes()))
        };
        match (self.purpose, self.output) {
            (Purpose::Show | Purpose::Check, _) => {
                plan(config_file::read(&file.path)?.bytes())?;
            }
            (Purpose::Write, None) => {
                let written = config_file::rewrite(&file.path, &self.backups, plan)?;
                done.borrow_mut().backup = written.backup;
                done.borrow_mut().rescued = written.rescued;
            }
            (Purpose::Write, Some(output)) => {
                let found = config_file::read(&file.path)?;
                let text = plan(found.bytes())?.unwrap_or_default();
                done.borrow_mut().backup = self.write_to(output, &text, found.mode())?;
            }
        }
        Ok(done.into_inner())
    }

    /// Writes the result elsewhere; another file there gets a backup like any that is replaced.
    fn write_to(&self, output: &Path, text: &[u8], mode: u32) -> Result<Option<PathBuf>, FileProblem> {
        if is_stdout(Some(output)) {
            let mut out = std::io::stdout().lock();
            out.write_all(text)
                .and_then(|()| out.flush())
                .map_err(|error| FileProblem::new(format!("cannot write to standard output: {error}")))?;
            return Ok(None);
        }
        if output.symlink_metadata().is_ok() {
            return Ok(config_file::rewrite(output, &self.backups, |_| Ok(Some(text.to_vec())))?.backup);
        }
        config_file::create(output, text, mode & 0o777)?;
        Ok(None)
    }
}

impl Done {
    /// Whether the file is not as wrapping would have it, or holds what wrapping cannot put right.
    fn has_drifted(&self) -> bool {
        self.changed
            || !self.own.is_empty()
            || self.count(|change| matches!(change, Change::Skipped(Reason::OwnSettings { .. }))) > 0
    }

    pub(crate) fn count(&self, change: impl Fn(&Change) -> bool) -> usize {
        self.outcomes.iter().filter(|outcome| change(&outcome.change)).count()
    }
}

/// Whether an output is standard output.
fn is_stdout(output: Option<&Path>) -> bool {
    output == Some(Path::new("-"))
}

/// How a run ends: by what could not be done, and when only asked, by what would have to be done.
pub(crate) fn exit_code(purpose: Purpose, reports: &[Report]) -> std::process::ExitCode {
    let failed = reports.iter().any(|report| report.result.is_err());
    let drifted = reports.iter().any(|report| report.result.as_ref().is_ok_and(Done::has_drifted));
    if failed || (purpose == Purpose::Check && drifted) {
        std::process::ExitCode::FAILURE
    } else {
        std::process::ExitCode::SUCCESS
    }
}

/// How many files of other projects were left out.
pub(crate) fn left_out(selection: &Selection, machine: &Machine) -> usize {
    if selection.all || !selection.files.is_empty() {
        return 0;
    }
    let count = |reach| machine.files(reach).iter().filter(|file| file.scope == Some(Scope::Project)).count();
    count(Reach::AllProjects).saturating_sub(count(Reach::Here))
}
