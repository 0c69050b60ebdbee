//! `thoth wrap-config`.

mod options;
mod program;

use std::path::PathBuf;

use clap::Args;
use thoth_endpoint::document::Document;
use thoth_endpoint::entry::{self, Entry, State};
use thoth_endpoint::wrap::{WrapOptions, wrap};

use crate::cli::{ModeArg, entry as text};
use crate::clients::{ClientFile, Machine};
use crate::profile;
use crate::rewriting::{self, Answer, Direction, OwnSettings, Purpose, Selection, Task};
use thoth_shell::config_file::Backups;
use thoth_shell::exit::{Failure, Outcome, finish};
use thoth_shell::home::Home;

/// `thoth wrap-config`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 done, 1 a file could not be changed or --check found something to do, 2 wrong command line.

Examples:
  thoth wrap-config --dry-run
  thoth wrap-config
  thoth wrap-config --host cursor --server github --session-intent code_review
  thoth wrap-config --tenant-id acme --enforcement-mode observe --output wrapped.json claude_desktop_config.json
  thoth wrap-config --check --json")]
pub(crate) struct WrapArgs {
    #[command(flatten)]
    selection: Selection,
    /// Change nothing, and end with exit code 1 if anything would have to be changed
    #[arg(long, conflicts_with_all = ["output", "dry_run"])]
    check: bool,
    /// The agent that calls: a name or a DID; the client's name by default
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// The organisation
    #[arg(long, value_name = "ID")]
    tenant_id: Option<String>,
    /// How violations are answered
    #[arg(long, value_name = "MODE", value_enum)]
    enforcement_mode: Option<ModeArg>,
    /// What sessions are for: for all servers that the intent map does not name
    #[arg(long, value_name = "INTENT", value_parser = text)]
    session_intent: Option<String>,
    /// JSON object from a server's name to its intent; the default is `~/.thoth/intent_map.json`, unless --session-intent
    /// is given
    #[arg(long, value_name = "FILE")]
    intent_map: Option<PathBuf>,
    /// Policy file
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Environment variable for the servers; repeatable; one that a server has of its own keeps its value
    #[arg(long, value_name = "KEY=VALUE")]
    env: Vec<String>,
    /// API key; not written without --embed-api-key
    #[arg(long, value_name = "KEY")]
    api_key: Option<String>,
    /// Write the API key into the files, readable by every program that reads them
    #[arg(long)]
    embed_api_key: bool,
    /// Absolute path of the `thoth` that clients start
    #[arg(long, value_name = "PATH", conflicts_with = "auto_thoth_bin")]
    thoth_bin: Option<PathBuf>,
    /// Have clients start this very program by its absolute path
    #[arg(long)]
    auto_thoth_bin: bool,
    /// Give the servers the current PATH
    #[arg(long)]
    inherit_path: bool,
}

pub(crate) fn run(arguments: WrapArgs) -> Outcome {
    let json = arguments.selection.json;
    finish(wrap_files(arguments), json)
}

fn wrap_files(mut arguments: WrapArgs) -> Outcome {
    let machine = Machine::here()?;
    let home = Home::locate()?;
    let purpose = match (arguments.check, arguments.selection.dry_run) {
        (true, _) => Purpose::Check,
        (_, true) => Purpose::Show,
        _ => Purpose::Write,
    };
    let mut notes = Vec::new();
    let options = options::collect(&mut arguments, &home, &machine, &mut notes)?;
    let program = program::choose(arguments.thoth_bin.as_deref(), arguments.auto_thoth_bin, &machine)?;
    let is_chosen = arguments.thoth_bin.is_some() || arguments.auto_thoth_bin;
    let selection = &arguments.selection;
    let files = selection.files(&machine)?;
    selection.check_servers(&files)?;
    if files.is_empty() && !selection.host.is_empty() {
        return Err(Failure::failed(format!("there is no file of {} on this machine", selection.host.join(" or ")))
            .hint("start the client once, or name a file with --host and INPUT"));
    }
    let backups = Backups::new(home.backups());
    if purpose == Purpose::Write && selection.output.is_none() {
        let home = Home::open()?;
        // The first session must not be the one that finds no policy to look at.
        if profile::prepare(&home)? {
            notes.push(profile::starter_note(&home.policy_file()));
        }
    }
    let change = |document: &Document, file: &ClientFile| {
        let options = WrapOptions {
            default_agent: file.host.id.to_owned(),
            default_thoth: Some(program.command.clone()),
            thoth: is_chosen.then(|| program.command.clone()),
            replaced: replaced(document, file, &machine),
            servers: selection.server.clone(),
            of_project: file.project.is_some(),
            ..options.clone()
        };
        wrap(document, file.shape, &options)
    };
    let own = |document: &Document, file: &ClientFile| own_settings(document, file, selection);
    let output = selection.output.as_deref();
    let task = Task { purpose, output, backups, change: &change, own: &own };
    let ungoverned = if selection.files.is_empty() && selection.host.is_empty() {
        let known: Vec<_> = files.iter().filter_map(|selected| selected.file.clone().ok()).collect();
        machine.ungoverned(&known)
    } else {
        Vec::new()
    };
    let left_out = rewriting::left_out(selection, &machine);
    if left_out > 0 {
        notes.push(format!("{left_out} files of other projects were not looked at; --all includes them"));
    }
    let reports = task.run(files);
    if reports.iter().any(|report| report.result.as_ref().is_ok_and(|done| done.changed)) {
        notes.extend(program.note);
    }
    let answer = Answer {
        machine: &machine,
        direction: Direction::Wrap,
        purpose,
        reports: &reports,
        ungoverned: &ungoverned,
        notes: &notes,
        output,
    };
    rewriting::print(&answer, selection.json)?;
    Ok(rewriting::exit_code(purpose, &reports))
}

/// Programs that are not to start governed servers any longer: those that are gone, and those that come with the project.
fn replaced(document: &Document, file: &ClientFile, machine: &Machine) -> Vec<String> {
    let program = |entry: Entry| match entry.state {
        State::Governed(launch) => Some(launch.program),
        State::Plain(_) | State::NotWrappable(_) => None,
    };
    let programs = entry::entries(document, file.shape).into_iter().filter_map(program);
    programs.filter(|program| machine.lost(program) || machine.foreign(program, file).is_some()).collect()
}

/// What the selected servers of a project's file say about their own gate.
fn own_settings(document: &Document, file: &ClientFile, selection: &Selection) -> Vec<OwnSettings> {
    if file.project.is_none() {
        return Vec::new();
    }
    let entries = entry::entries(document, file.shape).into_iter();
    let selected = entries.filter(|entry| selection.server.is_empty() || selection.server.contains(&entry.server));
    let own = selected.map(|entry| OwnSettings {
        names: Machine::own_settings(&entry, file),
        server: entry.server,
        group: entry.group,
        place: entry.place,
    });
    own.filter(|own| !own.names.is_empty()).collect()
}
