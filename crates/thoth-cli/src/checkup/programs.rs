//! Programs, as a client that was started from the desktop finds them: no shell start-up file has set its `PATH`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use thoth_endpoint::platform::{Environment, Platform};
use thoth_endpoint::program::{NotFound, Resolved, Search, desktop_environment, resolve};
use thoth_proxy::RealFiles;

use super::Check;

/// How long Node.js may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);
/// The oldest Node.js that the official MCP packages for npm run on.
const OLDEST_NODE: u32 = 18;

/// The programs that servers are started with, and the servers that need each.
pub(crate) type Needed = BTreeMap<String, Vec<String>>;

/// Looks for everything that is needed under the environment of a desktop client.
pub(crate) fn programs(needed: &Needed, environment: &Environment) -> Vec<Check> {
    let desktop = desktop_environment(Platform::current(), environment);
    // What a client's file means by a relative path depends on the client; from `/` none is found by chance.
    let find = |program: &str| {
        let search = Search { program, environment: &desktop, directory: "/" };
        resolve(Platform::current(), &search, &RealFiles)
    };
    vec![thoth(find("thoth")), servers(needed, &find), node(needed, find("node"))]
}

fn thoth(found: Result<Resolved, NotFound>) -> Check {
    const NAME: &str = "thoth";
    let Ok(this) = std::env::current_exe().and_then(|path| path.canonicalize()) else {
        return Check::skipped(NAME, "this system does not say which program this is");
    };
    let version = env!("CARGO_PKG_VERSION");
    match found {
        Ok(found) if Path::new(&found.path).canonicalize().is_ok_and(|path| path == this) => {
            Check::ok(NAME, format!("{version}, {}", this.display()))
        }
        Ok(found) => Check::warning(
            NAME,
            format!("this is {}, but desktop clients find {} first", this.display(), found.path),
            "remove the one that is not wanted; `thoth wrap-config` writes the full path of the one that runs it",
        ),
        Err(_) => Check::ok(
            NAME,
            format!("{version}, {}; not where desktop clients look, so its full path is written", this.display()),
        ),
    }
}

fn servers(needed: &Needed, find: &dyn Fn(&str) -> Result<Resolved, NotFound>) -> Check {
    const NAME: &str = "programs";
    if needed.is_empty() {
        return Check::skipped(NAME, "no client starts a server here");
    }
    let trouble = |(program, servers): (&String, &Vec<String>)| {
        let servers = servers.join(", ");
        if program.contains('/') && Path::new(program).is_relative() {
            return Some(format!(
                "{servers}: `{program}` is relative, and each client starts it in a directory of its own"
            ));
        }
        Some(format!("{servers} cannot start: {}", brief(&find(program).err()?)))
    };
    let missing: Vec<String> = needed.iter().filter_map(trouble).collect();
    if missing.is_empty() {
        let names: Vec<&str> = needed.keys().map(String::as_str).collect();
        return Check::ok(NAME, format!("found as desktop clients look for them: {}", names.join(", ")));
    }
    let remedy = "install them, give their full paths in the client's file, or run `thoth wrap-config --inherit-path`";
    Check::warning(NAME, missing.join("; "), remedy)
}

/// Without the long list of where was looked, which is the same for all.
fn brief(error: &NotFound) -> String {
    let NotFound::Nowhere(nowhere) = error else { return error.to_string() };
    let hint = nowhere.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("`{}` is in none of the {} directories searched{hint}", nowhere.program, nowhere.places.searched.len())
}

fn node(needed: &Needed, found: Result<Resolved, NotFound>) -> Check {
    const NAME: &str = "node";
    let uses = |program: &str| needed.get(program).map_or(0, Vec::len);
    let users = uses("npx") + uses("node") + uses("npm");
    let path = match found {
        Ok(found) => found.path,
        Err(_) if users == 0 => return Check::skipped(NAME, "no server here needs Node.js"),
        Err(_) => {
            let remedy = "install Node.js from https://nodejs.org or with your package manager";
            return Check::warning(NAME, format!("{users} servers need Node.js, and it was not found"), remedy);
        }
    };
    let Some(version) = version(&path) else {
        let remedy = "reinstall Node.js";
        return Check::warning(NAME, format!("{path} does not say its version"), remedy);
    };
    let major = version.trim_start_matches('v').split('.').next().and_then(|number| number.parse::<u32>().ok());
    if major.is_some_and(|major| major >= OLDEST_NODE) {
        Check::ok(NAME, format!("{version}, {path}"))
    } else {
        let remedy = "install a newer Node.js";
        Check::warning(NAME, format!("{version} at {path} is too old for most MCP servers"), remedy)
    }
}

/// The first line that a program says to `--version`, if it says one in time.
fn version(path: &str) -> Option<String> {
    let mut child = Command::new(path)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let mut text = String::new();
        let read = output.take(256).read_to_string(&mut text);
        drop(sender.send(read.map(|_| text)));
    });
    let text = receiver.recv_timeout(PATIENCE);
    // It may have ended by itself.
    drop(child.kill());
    drop(child.wait());
    text.ok()?.ok()?.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
}
