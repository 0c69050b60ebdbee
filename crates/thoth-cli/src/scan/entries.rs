//! The servers of clients' files: what each is started with, what its entry shows, and which cannot be visited.

use std::path::PathBuf;

use thoth_endpoint::entry::{Contents, contents};
use thoth_endpoint::hosts;
use thoth_survey::catalogue::Origin;
use thoth_survey::missed::Missed;
use thoth_survey::visits::Job;
use thoth_survey::way::way;
use thoth_survey::{Collected, Fill, configuration, tools_file};

use crate::clients::{ClientFile, Machine, Reach as Far, parse};
use thoth_shell::config_file;

use super::target::TargetArgs;

/// Adds what the named files say, or without names those of all clients found on this machine.
pub(crate) fn collect(
    arguments: &TargetArgs,
    files: &[PathBuf],
    machine: &Machine,
    collected: &mut Collected,
) -> Vec<Job> {
    let host = arguments.host.as_deref().and_then(hosts::host);
    let mut found = Vec::new();
    if files.is_empty() {
        found = machine.files(Far::AllProjects);
        found.retain(|file| host.is_none_or(|host| host.id == file.host.id));
    }
    for path in files {
        match machine.named(path, host) {
            Ok(file) => found.push(file),
            Err(problem) => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                let origin = Origin::File(path.clone());
                let mut missed = Missed::new(&stem, origin, "unreadable", problem.message);
                missed.hint = problem.hint;
                if host.is_none() && tools_file::read(path).is_ok() {
                    missed.hint = Some("it holds definitions of tools: name it with --tools".to_owned());
                }
                collected.missed.push(missed);
            }
        }
    }
    let mut jobs = Vec::new();
    for file in &found {
        match config_file::read(&file.path).and_then(|found| parse(file, found.bytes())) {
            Ok(document) => {
                for contents in contents(&document, file.shape) {
                    entry(arguments, &contents, file, machine, collected, &mut jobs);
                }
            }
            Err(problem) => {
                let origin = Origin::File(file.path.clone());
                let mut missed = Missed::new(file.host.name, origin, "unreadable", problem.message);
                missed.hint = problem.hint;
                collected.missed.push(missed);
            }
        }
    }
    jobs
}

fn entry(
    arguments: &TargetArgs,
    contents: &Contents,
    file: &ClientFile,
    machine: &Machine,
    collected: &mut Collected,
    jobs: &mut Vec<Job>,
) {
    let origin = Origin::Entry { client: file.host.id, path: file.path.clone(), line: contents.place.line };
    let is_named = arguments.server.contains(&contents.server);
    if !arguments.server.is_empty() && !is_named {
        collected.passed_over.push(contents.server.clone());
        return;
    }
    collected.configuration.extend(configuration::check(contents, &origin, file.project.is_some()));
    let missed = |code, message: String| Missed::new(&contents.server, origin.clone(), code, message);
    if arguments.static_only {
        return collected
            .missed
            .push(missed("static_only", "only its entry was looked at (--static-only)".to_owned()).wanted());
    }
    if contents.disabled && !is_named {
        let message = "it is switched off in the client".to_owned();
        let hint = format!("name it to scan it: --server {}", thoth_shell::terminal::quoted(&contents.server));
        return collected.missed.push(missed("disabled", message).hint(hint).wanted());
    }
    let fill = Fill { environment: &machine.environment, home: &machine.home, project: file.project.as_deref() };
    match way(contents, &fill) {
        Ok(way) => jobs.push(Job { server: contents.server.clone(), origin, way }),
        Err((code, message, hint)) => collected.missed.push(missed(code, message).hint(hint)),
    }
}
