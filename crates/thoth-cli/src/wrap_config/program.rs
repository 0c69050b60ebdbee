//! The command that is written into clients' files: by what name they find this program.

use std::path::{Path, PathBuf};

use thoth_endpoint::launch::is_gate;
use thoth_endpoint::platform::{Environment, Platform};
use thoth_endpoint::program::desktop_environment;

use crate::clients::{Machine, is_executable};
use thoth_shell::exit::Failure;

/// A command, and what there is to say about it.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) command: String,
    pub(super) note: Option<String>,
}

/// What was asked for: `--thoth-bin`, `--auto-thoth-bin`, or nothing.
pub(super) fn choose(given: Option<&Path>, absolute: bool, machine: &Machine) -> Result<Program, Failure> {
    if let Some(path) = given {
        return Ok(Program { command: checked(path)?, note: None });
    }
    let running = std::env::current_exe().map_err(|error| {
        Failure::failed(format!("cannot tell the path of this program: {error}")).hint("give --thoth-bin")
    })?;
    let name = if machine.platform == Platform::Windows { "thoth.exe" } else { "thoth" };
    let desktop = desktop_environment(machine.platform, &machine.environment);
    if !absolute && find(&desktop, machine.platform, name, &running).is_some() {
        return Ok(Program { command: "thoth".to_owned(), note: None });
    }
    // A name in PATH outlives an update of the package that it belongs to; where it leads does not.
    let path = find(&machine.environment, machine.platform, name, &running).unwrap_or(running);
    let command = path.into_os_string().into_string().map_err(|path| {
        Failure::failed(format!("the path of this program is not UTF-8: `{}`", path.display())).hint("give --thoth-bin")
    })?;
    if !is_gate(&command) {
        return Err(Failure::failed(format!("`{command}` cannot be told from other programs by its path"))
            .hint("its file's name has to begin with `thoth`; rename it, or give --thoth-bin"));
    }
    let note = (!absolute).then(|| {
        format!("written with its full path, `{command}`: programs started from the desktop do not find `thoth`")
    });
    Ok(Program { command, note })
}

/// The first program of that name in `PATH`, if it is the one that is running.
fn find(environment: &Environment, platform: Platform, name: &str, running: &Path) -> Option<PathBuf> {
    let directories = environment.get("PATH")?.split(platform.path_list_separator());
    let mut found = directories.map(|directory| Path::new(directory).join(name)).filter(|path| path.is_absolute());
    let first = found.find(|path| is_executable(path))?;
    (first.canonicalize().ok()? == running.canonicalize().ok()?).then_some(first)
}

fn checked(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let refused = |why: &str| Failure::usage(format!("--thoth-bin: `{shown}` {why}"));
    if !path.is_absolute() {
        return Err(refused("is not an absolute path").hint("clients start it from directories of their own"));
    }
    if !path.exists() {
        return Err(refused("does not exist"));
    }
    if !is_executable(path) {
        return Err(refused("is not an executable file"));
    }
    let command = path.to_str().ok_or_else(|| refused("is not UTF-8"))?;
    if !is_gate(command) {
        return Err(refused("has a name that does not begin with `thoth`, or a character that clients replace")
            .hint("only by its name can an entry be told from one that is not governed"));
    }
    Ok(command.to_owned())
}
