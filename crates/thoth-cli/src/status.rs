//! `thoth status`: which servers are governed, and which are not and why.

mod sections;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use clap::builder::styling::Style;
use serde_json::{Value, json};
use thoth_endpoint::entry::{self, Entry, Reason, State};
use thoth_endpoint::hosts::Scope;
use thoth_endpoint::launch::Launch;

use crate::cli::refusal;
use crate::clients::{ClientFile, Machine, Reach, Ungoverned, known_hosts, parse};
use crate::rewriting::{OWN_SETTINGS, problem_json, ungoverned_json};
use thoth_shell::config_file::{self, FileProblem};
use thoth_shell::exit::{Outcome, finish};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, json_line, line, quoted, styled};

use sections::{Heading, remedy, say};

/// The first five columns, their order and spelling are part of the contract.
const COLUMNS: [&str; 7] = ["Server", "Governed", "Agent ID", "Session Intent", "Enforcement", "Client", "Scope"];
const YES: &str = "✓";
const ABSENT: &str = "—";

/// The widest cell, in characters; `--json` has everything.
const WIDEST_CELL: usize = 60;

/// The mode of a server whose launch names none.
const DEFAULT_MODE: &str = "block";

/// `thoth status`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all files were read, whether their servers are governed or not; 1 a file could not be read.

Examples:
  thoth status
  thoth status --json | jq '.servers[] | select(.governed | not) | .server'
  thoth status .mcp.json")]
pub(crate) struct StatusArgs {
    /// Files of clients; without, those of the clients found on this machine, in all projects
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// One server.
pub(crate) struct Row {
    pub(crate) file: ClientFile,
    pub(crate) entry: Entry,
    /// Governed, and what the client would start is not there.
    pub(crate) lost: bool,
    /// Governed, and why `thoth run` would not take its arguments.
    pub(crate) refused: Option<String>,
    /// It looks governed, and this, which the client would start, is not to be taken for `thoth`.
    foreign: Option<PathBuf>,
    /// Governed, and these variables and flags of its own decide how.
    pub(crate) own: Vec<String>,
}

/// Everything that was found.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) files: Vec<ClientFile>,
    pub(crate) rows: Vec<Row>,
    /// Files that cannot be read.
    pub(crate) problems: Vec<(PathBuf, FileProblem)>,
    pub(crate) ungoverned: Vec<Ungoverned>,
}

pub(crate) fn run(arguments: &StatusArgs) -> Outcome {
    finish(status(arguments), arguments.json)
}

fn status(arguments: &StatusArgs) -> Outcome {
    let machine = Machine::here()?;
    let seen = look(&arguments.files, &machine);
    if arguments.json {
        json_line(&seen.to_json().to_string())?;
    } else {
        seen.to_text(&machine, arguments).lines().try_for_each(line)?;
    }
    Ok(if seen.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the named files, or without names those of all clients found on this machine, in all projects.
pub(crate) fn look(files: &[PathBuf], machine: &Machine) -> Seen {
    let mut seen = Seen::default();
    if files.is_empty() {
        seen.files = machine.files(Reach::AllProjects);
        seen.ungoverned = machine.ungoverned(&seen.files);
    }
    for path in files {
        match machine.named(path, None) {
            Ok(file) => seen.files.push(file),
            Err(problem) => seen.problems.push((path.clone(), problem)),
        }
    }
    for file in &seen.files {
        match config_file::read(&file.path).and_then(|found| parse(file, found.bytes())) {
            Err(problem) => seen.problems.push((file.path.clone(), problem)),
            Ok(document) => {
                let entries = entry::entries(&document, file.shape).into_iter();
                seen.rows.extend(entries.map(|entry| Row::new(file, entry, machine)));
            }
        }
    }
    seen
}

impl Seen {
    fn to_text(&self, machine: &Machine, arguments: &StatusArgs) -> String {
        let mut text = String::new();
        if self.rows.is_empty() {
            self.without_servers(&mut text, arguments);
        } else {
            self.table(&mut text, machine);
        }
        self.lost(&mut text, machine);
        self.own(&mut text, machine);
        self.not_governed(&mut text, machine);
        let mut heading = Heading::new("Cannot be read:");
        for (_, problem) in &self.problems {
            heading.item(&mut text, BAD, &problem.message, problem.hint.as_deref());
        }
        text
    }

    fn without_servers(&self, text: &mut String, arguments: &StatusArgs) {
        let mut clients: Vec<&str> = Vec::new();
        for file in &self.files {
            if !clients.contains(&file.host.name) {
                clients.push(file.host.name);
            }
        }
        if !self.problems.is_empty() && clients.is_empty() {
            return;
        }
        if !arguments.files.is_empty() {
            say(text, "no servers in what was named");
        } else if clients.is_empty() {
            say(text, "no MCP client was found on this machine");
            remedy(text, &format!("install one, or name its file: `thoth status FILE`. Known are {}", known_hosts()));
        } else {
            say(text, format_args!("no MCP servers are configured; clients found: {}", clients.join(", ")));
            remedy(text, "add a server in a client, then run `thoth wrap-config`");
        }
    }

    fn table(&self, text: &mut String, machine: &Machine) {
        let rows: Vec<_> = self.rows.iter().map(|row| row.cells(machine).map(|cell| short(&cell))).collect();
        let mut widths = COLUMNS.map(|name| name.chars().count());
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let written = |cells: &[String; 7], mark: Option<Style>| {
            let columns = cells.iter().zip(widths).zip(COLUMNS).map(|((cell, width), column)| {
                let cell = format!("{cell:width$}");
                // Padded before it is coloured, so that the columns stay aligned.
                mark.filter(|_| column == "Governed").map_or(cell.clone(), |style| styled(style, cell))
            });
            columns.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        say(text, styled(DIM, written(&COLUMNS.map(str::to_owned), None)));
        for (row, cells) in self.rows.iter().zip(&rows) {
            let is_good = row.launch().is_some() && row.starts();
            say(text, written(cells, Some(if is_good { GOOD } else { CARE })));
        }
    }

    fn lost(&self, text: &mut String, machine: &Machine) {
        let mut heading = Heading::new("Governed, but not able to start:");
        for row in self.rows.iter().filter(|row| row.lost) {
            let Some(launch) = row.launch() else { continue };
            let what = format!("{}: there is no program `{}`", row.place(machine), launch.program);
            heading.item(text, BAD, &what, Some("run `thoth wrap-config`, which writes the path of this one"));
        }
        for row in self.rows.iter().filter(|row| row.launch().is_some()) {
            let Some(refused) = &row.refused else { continue };
            let what = format!("{}: `thoth run` does not take its arguments: {refused}", row.place(machine));
            heading.item(
                text,
                BAD,
                &what,
                Some("correct the entry, or run `thoth unwrap-config` and `thoth wrap-config`"),
            );
        }
    }

    fn own(&self, text: &mut String, machine: &Machine) {
        let mut items = Vec::new();
        for row in self.rows.iter().filter(|row| row.launch().is_some() && !row.own.is_empty()) {
            let what = format!("{}: {}", row.place(machine), row.own.join(", "));
            let how = if row.file.project.is_some() {
                OWN_SETTINGS
            } else {
                "remove them from the entry if they are not yours: they decide how it is governed"
            };
            items.push((what, how.to_owned()));
        }
        Heading::new("Governed, with settings of their own:").items(text, CARE, items);
    }

    fn not_governed(&self, text: &mut String, machine: &Machine) {
        let mut items = Vec::new();
        for row in &self.rows {
            if let Some((_, reason, remedy)) = row.reason() {
                items.push((format!("{}: {reason}", row.place(machine)), remedy));
            }
        }
        for one in &self.ungoverned {
            let place = one
                .path
                .as_ref()
                .map_or_else(|| ", if there are any".to_owned(), |path| format!(" ({})", machine.shown(path)));
            let what = format!("{} of {}{place}: {}", one.what, one.host.name, one.advice.reason);
            items.push((what, one.advice.remedy.to_owned()));
        }
        Heading::new("Not governed:").items(text, CARE, items);
    }

    fn to_json(&self) -> Value {
        let problem = |(path, problem): &(PathBuf, FileProblem)| {
            let mut json = problem_json(problem);
            if let Value::Object(members) = &mut json {
                members.insert("path".to_owned(), path.to_string_lossy().into());
            }
            json
        };
        json!({
            "schema_version": 1,
            "servers": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "not_governed": self.ungoverned.iter().map(ungoverned_json).collect::<Vec<_>>(),
            "errors": self.problems.iter().map(problem).collect::<Vec<_>>(),
        })
    }
}

impl Row {
    fn new(file: &ClientFile, entry: Entry, machine: &Machine) -> Self {
        let (lost, foreign, refused) = match &entry.state {
            State::Governed(launch) => (
                machine.lost(&launch.program),
                machine.foreign(&launch.program, file),
                refusal(launch.write().into_iter().chain(launch.upstream.iter().cloned())),
            ),
            State::Plain(_) | State::NotWrappable(_) => (false, None, None),
        };
        let own = Machine::own_settings(&entry, file);
        Self { file: file.clone(), entry, lost: lost && foreign.is_none(), refused, foreign, own }
    }

    /// Whether it is governed by a `thoth` that would start it, as far as its entry says.
    pub(crate) const fn starts(&self) -> bool {
        !self.lost && self.refused.is_none()
    }

    /// How it is governed, if it is.
    pub(crate) fn launch(&self) -> Option<&Launch> {
        match &self.entry.state {
            State::Governed(launch) if self.foreign.is_none() => Some(launch),
            _ => None,
        }
    }

    fn cells(&self, machine: &Machine) -> [String; 7] {
        let shown = |text: Option<&String>| text.map_or_else(|| ABSENT.to_owned(), |text| harmless_text(text));
        let server = harmless_text(&self.entry.server);
        let client = self.file.host.name.to_owned();
        let scope = match (&self.entry.group, self.file.scope) {
            (Some(group), _) => format!("local {}", machine.shown(Path::new(group))),
            (None, Some(scope)) => scope.as_str().to_owned(),
            (None, None) => ABSENT.to_owned(),
        };
        match self.launch() {
            Some(launch) => [
                server,
                YES.to_owned(),
                shown(launch.agent_id.as_ref()),
                shown(launch.session_intent.as_ref()),
                shown(Some(&launch.enforcement_mode.clone().unwrap_or_else(|| DEFAULT_MODE.to_owned()))),
                client,
                scope,
            ],
            None => {
                let absent = || ABSENT.to_owned();
                [server, absent(), absent(), absent(), absent(), client, scope]
            }
        }
    }

    /// Name and place, harmless.
    fn place(&self, machine: &Machine) -> String {
        let path = machine.shown(&self.file.path);
        format!("`{}` ({}, {path}:{})", harmless_text(&self.entry.server), self.file.host.name, self.entry.place)
    }

    /// Why it is not governed, as a stable word and for people, and what to do.
    fn reason(&self) -> Option<(&'static str, String, String)> {
        let said = |reason: &Reason| Some((reason.code(), reason.to_string(), reason.remedy().to_owned()));
        let (code, reason) = match &self.entry.state {
            State::Governed(_) => {
                let program = self.foreign.as_ref()?;
                ("foreign", format!("started by another program than this `thoth`: {}", program.display()))
            }
            State::NotWrappable(reason) => return said(reason),
            State::Plain(_) => {
                let settings = self.entry.variables.iter().filter(|name| !name.eq_ignore_ascii_case("PATH"));
                let names: Vec<String> = settings.cloned().collect();
                if self.file.project.is_some() && !names.is_empty() {
                    return said(&Reason::OwnSettings { names });
                }
                ("direct", "the client starts it directly".to_owned())
            }
        };
        if let Some(advice) = self.file.not_ours {
            return Some((code, advice.reason.to_owned(), advice.remedy.to_owned()));
        }
        let remedy = match self.file.scope {
            None => format!("run `thoth wrap-config {}`", quoted(self.file.path.display())),
            Some(Scope::Project) => {
                "run `thoth wrap-config` in its project, or `thoth wrap-config --all` anywhere".to_owned()
            }
            Some(_) => "run `thoth wrap-config`".to_owned(),
        };
        Some((code, reason, remedy))
    }

    fn to_json(&self) -> Value {
        let Entry { server, group, place, disabled, .. } = &self.entry;
        let mut json = json!({
            "server": server,
            "governed": self.launch().is_some(),
            "client": self.file.host.id,
            "scope": if group.is_some() { Some("local") } else { self.file.scope.map(Scope::as_str) },
            "group": group,
            "path": self.file.path.to_string_lossy(),
            "line": place.line,
            "column": place.column,
            "disabled": disabled,
        });
        let Value::Object(members) = &mut json else { return json };
        for name in ["agent_id", "session_intent", "enforcement_mode"] {
            members.insert(name.to_owned(), Value::Null);
        }
        if let Some(launch) = self.launch() {
            let mode = launch.enforcement_mode.as_deref().unwrap_or(DEFAULT_MODE);
            members.insert("agent_id".to_owned(), launch.agent_id.clone().into());
            members.insert("session_intent".to_owned(), launch.session_intent.clone().into());
            members.insert("enforcement_mode".to_owned(), mode.into());
            members.insert("tenant_id".to_owned(), launch.tenant_id.clone().into());
            members.insert("policy".to_owned(), launch.policy.clone().into());
            members.insert("program".to_owned(), launch.program.clone().into());
            members.insert("starts".to_owned(), self.starts().into());
            if !self.own.is_empty() {
                members.insert("own_settings".to_owned(), self.own.clone().into());
            }
        }
        if let Some((code, reason, remedy)) = self.reason() {
            members.insert("code".to_owned(), code.into());
            members.insert("reason".to_owned(), reason.into());
            members.insert("remedy".to_owned(), remedy.into());
        }
        json
    }
}

/// A cell that is not so wide that it hides the others, and in which no spaces draw columns of their own.
fn short(cell: &str) -> String {
    let mut before = None;
    let visible = |c: char| match (before.replace(c), c) {
        (None | Some(' '), ' ') => '·',
        _ => c,
    };
    let text: String = cell.chars().map(visible).collect();
    let cut = text.chars().count() > WIDEST_CELL;
    if cut { text.chars().take(WIDEST_CELL - 1).chain(['…']).collect() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: a name can neither draw a row of the table nor push the rest of it out of sight.
    #[test]
    fn cells_stay_cells() {
        assert_eq!(short("my server"), "my server");
        assert_eq!(short("  a   \u{2713}  b"), "··a ··\u{2713} ·b");
        let long = short(&"n".repeat(70_000));
        assert_eq!((long.chars().count(), long.ends_with('\u{2026}')), (WIDEST_CELL, true));
    }
}
