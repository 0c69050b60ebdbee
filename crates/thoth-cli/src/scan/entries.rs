//! The servers of clients' files: what each is started with, what its entry shows, and which cannot be visited.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use thoth_endpoint::entry::{Contents, Reach, contents};
use thoth_endpoint::hosts;

use crate::clients::{ClientFile, Machine, Reach as Far, parse};
use crate::config_file;

use super::catalogue::Origin;
use super::configuration;
use super::expand::Fill;
use super::missed::Missed;
use super::target::{Collected, TargetArgs};
use super::visits::{Job, Way};

/// The hint where it is the client that knows more.
const ONLY_CLIENT: &str = "scan it with `thoth scan -- COMMAND`, or scan a saved `tools/list` result with --tools";

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
        let hint = format!("name it to scan it: --server {}", crate::terminal::quoted(&contents.server));
        return collected.missed.push(missed("disabled", message).hint(hint).wanted());
    }
    let fill = Fill { environment: &machine.environment, home: &machine.home, project: file.project.as_deref() };
    match way(contents, file, &fill) {
        Ok(way) => jobs.push(Job { server: contents.server.clone(), origin, way }),
        Err((code, message, hint)) => collected.missed.push(missed(code, message).hint(hint)),
    }
}

/// Why an entry cannot be visited: a stable word, why, and what to do.
type Obstacle = (&'static str, String, String);

fn way(contents: &Contents, file: &ClientFile, fill: &Fill<'_>) -> Result<Way, Obstacle> {
    let filled = |text: &String| {
        fill.text(text).map_err(|reference| {
            let message = format!("only the client can fill in `{reference}`");
            ("reference", message, format!("set the variable if it is one; else {ONLY_CLIENT}"))
        })
    };
    match &contents.reach {
        Reach::Command { words, directory, reads_file } => {
            if *reads_file {
                let message = "the client reads variables for it from a file".to_owned();
                return Err(("variables_file", message, ONLY_CLIENT.to_owned()));
            }
            let command: Vec<OsString> =
                words.iter().map(|word| filled(word).map(OsString::from)).collect::<Result<_, _>>()?;
            let directory = directory.as_ref().map(filled).transpose()?.map(PathBuf::from);
            let project = file.project.as_deref();
            let directory = match (directory, project) {
                (Some(directory), Some(project)) => Some(project.join(directory)),
                // A relative one would be relative to wherever this command happens to run.
                (Some(directory), None) => Some(directory).filter(|path| path.is_absolute()),
                (None, project) => project.map(Path::to_path_buf),
            };
            let variables = contents.variables.iter();
            let variables = variables.map(|(name, value)| Ok((name.clone(), filled(value)?.into())));
            Ok(Way::Command { command, variables: variables.collect::<Result<_, Obstacle>>()?, directory })
        }
        Reach::Address { url, headers } => {
            let headers = headers.iter().map(|(name, value)| Ok((name.clone(), filled(value)?)));
            Ok(Way::Address { url: filled(url)?, headers: headers.collect::<Result<_, Obstacle>>()? })
        }
        Reach::Unknown(reason) => Err((reason.code(), reason.to_string(), reason.remedy().to_owned())),
    }
}
