//! Saying what became of files.

use std::path::Path;

use serde_json::{Map, Value, json};
use thoth_endpoint::entry::Reason;
use thoth_endpoint::rewrite::{Change, Outcome};

use super::{Direction, Done, OwnSettings, Purpose, Report, is_stdout};
use crate::clients::{Machine, Ungoverned};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, json_line, line, note, styled};

/// What to do about what an entry of a project says about its own gate.
pub(crate) const OWN_SETTINGS: &str =
    "remove them from the entry: whoever can change the project's file would decide how it is governed";

/// All that there is to say.
pub(crate) struct Answer<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) direction: Direction,
    pub(crate) purpose: Purpose,
    pub(crate) reports: &'a [Report],
    pub(crate) ungoverned: &'a [Ungoverned],
    /// What concerns no single file, as sentences.
    pub(crate) notes: &'a [String],
    /// Where the result went, if not to where it came from.
    pub(crate) output: Option<&'a Path>,
}

pub(crate) fn print(answer: &Answer<'_>, json: bool) -> Result<(), Failure> {
    if json {
        return json_line(&answer.to_json().to_string());
    }
    let text = answer.to_text();
    if is_stdout(answer.output) {
        for one in text.lines() {
            note(anstream::adapter::strip_str(one));
        }
    } else {
        text.lines().try_for_each(line)?;
    }
    for problem in answer.reports.iter().filter_map(|report| report.result.as_ref().err()) {
        problem.report();
    }
    Ok(())
}

impl Answer<'_> {
    fn to_json(&self) -> Value {
        let files: Vec<_> = self.reports.iter().map(file_json).collect();
        let ungoverned: Vec<_> = self.ungoverned.iter().map(ungoverned_json).collect();
        json!({
            "schema_version": 1,
            "written": self.purpose == Purpose::Write,
            "changed": self.reports.iter().any(|report| report.result.as_ref().is_ok_and(|done| done.changed)),
            "files": files,
            "not_governed": ungoverned,
            "notes": self.notes,
        })
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        self.diffs(&mut text);
        self.files(&mut text);
        self.remarks(&mut text);
        self.ending(&mut text);
        text
    }

    fn diffs(&self, text: &mut String) {
        for diff in self.reports.iter().filter_map(|report| report.result.as_ref().ok()?.diff.as_ref()) {
            text.push_str(diff);
            text.push('\n');
        }
    }

    /// One line per file. Files without servers are left out, unless they are all there is.
    fn files(&self, text: &mut String) {
        let shown: Vec<_> = self.reports.iter().filter(|report| is_interesting(report)).collect();
        let rows: Vec<_> =
            shown.iter().map(|report| (client(report), self.path(&report.path), self.summary(report))).collect();
        if shown.iter().all(|report| report.result.is_err()) && !shown.is_empty() {
            return;
        }
        let width = |column: fn(&(String, String, String)) -> usize| rows.iter().map(column).max().unwrap_or_default();
        let (client_width, path_width) = (width(|row| row.0.chars().count()), width(|row| row.1.chars().count()));
        for ((client, path, summary), report) in rows.iter().zip(shown) {
            say(text, format_args!("{client:client_width$}  {path:path_width$}  {summary}"));
            let Ok(done) = &report.result else { continue };
            if let Some(backup) = &done.backup {
                let backup = format!("backup: {}", self.path(backup));
                say(text, format_args!("{:client_width$}  {}", "", styled(DIM, backup)));
            }
        }
        if rows.is_empty() {
            say(text, "no MCP servers are configured in the files of the clients on this machine");
        }
    }

    fn summary(&self, report: &Report) -> String {
        let Ok(done) = &report.result else { return styled(BAD, "failed") };
        if report.file.as_ref().is_some_and(|file| file.not_ours.is_some()) {
            return styled(CARE, "left alone");
        }
        let would = if self.purpose == Purpose::Write { "" } else { "to be " };
        let count = |change: fn(&Change) -> bool| done.count(change);
        let skipped = if self.direction == Direction::Wrap { "cannot be wrapped" } else { "cannot be restored" };
        let parts = [
            (count(|change| *change == Change::Wrapped), format!("{would}wrapped"), GOOD),
            (count(|change| *change == Change::Updated), format!("{would}updated"), GOOD),
            (count(|change| *change == Change::Restored), format!("{would}restored"), GOOD),
            (count(|change| *change == Change::Unchanged), "unchanged".to_owned(), DIM),
            (count(|change| matches!(change, Change::Skipped(_))), skipped.to_owned(), CARE),
        ];
        let parts: Vec<_> = parts
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, what, style)| styled(style, format_args!("{count} {what}")))
            .collect();
        if parts.is_empty() { styled(DIM, "no servers") } else { parts.join(", ") }
    }

    fn remarks(&self, text: &mut String) {
        let start = text.len();
        let mut remarks = Vec::new();
        for note in self.notes {
            say(text, format_args!("{} {}", styled(CARE, "note:"), harmless_text(note)));
        }
        for report in self.reports {
            let path = self.path(&report.path);
            let Ok(done) = &report.result else { continue };
            for kept in &done.rescued {
                let kept = self.path(kept);
                say(
                    text,
                    format_args!(
                        "{} {path}: an interrupted run had left content; it is kept in {kept}",
                        styled(CARE, "note:")
                    ),
                );
            }
            if let Some(advice) = report.file.as_ref().and_then(|file| file.not_ours) {
                say(text, format_args!("{} {path}: {}", styled(CARE, "left alone:"), advice.reason));
                remedy(text, Some(advice.remedy));
            }
            for outcome in &done.outcomes {
                let name = named(&outcome.server, outcome.group.as_ref());
                for warning in &outcome.warnings {
                    say(
                        text,
                        format_args!("{} {name} in {path}: {}", styled(CARE, "warning:"), harmless_text(warning)),
                    );
                }
                if let Change::Skipped(reason) = &outcome.change {
                    let (path, reason_text) = (format!("{path}:{}", outcome.place), harmless_text(&reason.to_string()));
                    let what = format!("{} {name} in {path}: {reason_text}", styled(CARE, "not governed:"));
                    remarks.push((what, reason.remedy()));
                }
            }
        }
        for report in self.reports {
            for own in report.result.iter().flat_map(|done| done.untold()) {
                let place = format!("{}:{}", self.path(&report.path), own.place);
                let (name, names) = (named(&own.server, own.group.as_ref()), harmless_text(&own.names.join(", ")));
                let what = format!("{} {name} in {place}: {names}", styled(CARE, "settings of its own:"));
                remarks.push((what, OWN_SETTINGS));
            }
        }
        for one in self.ungoverned {
            let place = one
                .path
                .as_ref()
                .map_or_else(|| ", if there are any".to_owned(), |path| format!(" ({})", self.path(path)));
            let label = styled(CARE, "not governed:");
            remarks.push((
                format!("{label} {} of {}{place}: {}", one.what, one.host.name, one.advice.reason),
                one.advice.remedy,
            ));
        }
        for (whats, how) in by_remedy(remarks) {
            whats.iter().for_each(|what| say(text, what));
            remedy(text, Some(how));
        }
        if text.len() > start {
            text.insert(start, '\n');
        }
    }

    fn ending(&self, text: &mut String) {
        let changed = |report: &&Report| report.result.as_ref().is_ok_and(|done| done.changed);
        let mut clients: Vec<&str> = Vec::new();
        for file in self.reports.iter().filter(changed).filter_map(|report| report.file.as_ref()) {
            if !clients.contains(&file.host.name) {
                clients.push(file.host.name);
            }
        }
        if clients.is_empty() {
            return;
        }
        let wrapping = self.direction == Direction::Wrap;
        match self.purpose {
            Purpose::Write if self.output.is_some() => {}
            Purpose::Write => {
                let undo = if wrapping { "; undo with `thoth unwrap-config`" } else { "" };
                say(text, format_args!("\nRestart {} for this to take effect{undo}.", list(&clients)));
            }
            Purpose::Show => say(text, "\nNothing was changed (--dry-run)."),
            Purpose::Check => {
                say(text, "\nNot as it should be; run the same command without --check.");
            }
        }
    }

    /// A path for people: short, and harmless.
    fn path(&self, path: &Path) -> String {
        self.machine.shown(path)
    }
}

impl Done {
    /// What servers say about their own gate, as far as no outcome says it.
    fn untold(&self) -> impl Iterator<Item = &OwnSettings> {
        let is_told = |own: &OwnSettings| {
            let skipped = |outcome: &Outcome| matches!(outcome.change, Change::Skipped(Reason::OwnSettings { .. }));
            self.outcomes.iter().any(|outcome| outcome.place == own.place && skipped(outcome))
        };
        self.own.iter().filter(move |own| !is_told(own))
    }
}

fn is_interesting(report: &Report) -> bool {
    report.result.as_ref().map_or(true, |done: &Done| !done.outcomes.is_empty())
        || report.file.as_ref().is_none_or(|file| file.scope.is_none() || file.not_ours.is_some())
}

fn client(report: &Report) -> String {
    report.file.as_ref().map_or("?", |file| file.host.name).to_owned()
}

fn named(server: &str, group: Option<&String>) -> String {
    let group = group.map(|group| format!(" ({})", harmless_text(group))).unwrap_or_default();
    format!("`{}`{group}", harmless_text(server))
}

/// What is remedied in the same way, together, so that the remedy is said once.
pub(crate) fn by_remedy<R: PartialEq>(remarks: Vec<(String, R)>) -> Vec<(Vec<String>, R)> {
    let mut groups: Vec<(Vec<String>, R)> = Vec::new();
    for (what, how) in remarks {
        match groups.iter_mut().find(|(_, known)| *known == how) {
            Some((whats, _)) => whats.push(what),
            None => groups.push((vec![what], how)),
        }
    }
    groups
}

fn list(names: &[&str]) -> String {
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn say(text: &mut String, what: impl std::fmt::Display) {
    text.push_str(&format!("{what}\n"));
}

fn remedy(text: &mut String, remedy: Option<&str>) {
    if let Some(remedy) = remedy {
        say(text, styled(DIM, format_args!("  -> {}", harmless_text(remedy))));
    }
}

fn file_json(report: &Report) -> Value {
    let mut json = Map::new();
    json.insert("path".to_owned(), report.path.to_string_lossy().into());
    if let Some(file) = &report.file {
        json.insert("client".to_owned(), file.host.id.into());
        json.insert("scope".to_owned(), file.scope.map(thoth_endpoint::hosts::Scope::as_str).into());
        if let Some(advice) = file.not_ours {
            json.insert("left_alone".to_owned(), json!({ "reason": advice.reason, "remedy": advice.remedy }));
        }
    }
    match &report.result {
        Err(problem) => {
            json.insert("error".to_owned(), problem_json(problem));
        }
        Ok(done) => {
            json.insert("changed".to_owned(), done.changed.into());
            json.insert("backup".to_owned(), done.backup.as_ref().map(|path| path.to_string_lossy()).into());
            json.insert("servers".to_owned(), done.outcomes.iter().map(outcome_json).collect());
            if !done.own.is_empty() {
                let own = |own: &OwnSettings| json!({ "server": own.server, "group": own.group, "names": own.names });
                json.insert("own_settings".to_owned(), done.own.iter().map(own).collect());
            }
            if let Some(diff) = &done.diff {
                json.insert("diff".to_owned(), anstream::adapter::strip_str(diff).to_string().into());
            }
            if !done.rescued.is_empty() {
                let rescued: Vec<_> = done.rescued.iter().map(|path| path.to_string_lossy()).collect();
                json.insert("rescued".to_owned(), rescued.into());
            }
        }
    }
    Value::Object(json)
}

/// A problem of a file, for scripts.
pub(crate) fn problem_json(problem: &thoth_shell::config_file::FileProblem) -> Value {
    json!({
        "message": problem.message,
        "hint": problem.hint,
        "line": problem.place.map(|place| place.line),
        "column": problem.place.map(|place| place.column),
    })
}

fn outcome_json(outcome: &Outcome) -> Value {
    let mut json = json!({
        "server": outcome.server,
        "group": outcome.group,
        "line": outcome.place.line,
        "column": outcome.place.column,
        "change": match outcome.change {
            Change::Wrapped => "wrapped",
            Change::Updated => "updated",
            Change::Unchanged => "unchanged",
            Change::Restored => "restored",
            Change::Skipped(_) => "skipped",
        },
        "warnings": outcome.warnings,
    });
    if let (Change::Skipped(reason), Value::Object(members)) = (&outcome.change, &mut json) {
        members.insert("code".to_owned(), reason.code().into());
        members.insert("reason".to_owned(), reason.to_string().into());
        members.insert("remedy".to_owned(), reason.remedy().into());
    }
    json
}

/// Servers that no file governs, for scripts.
pub(crate) fn ungoverned_json(one: &Ungoverned) -> Value {
    json!({
        "client": one.host.id,
        "what": one.what,
        "path": one.path.as_ref().map(|path| path.to_string_lossy()),
        "reason": one.advice.reason,
        "remedy": one.advice.remedy,
    })
}
