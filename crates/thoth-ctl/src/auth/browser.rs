//! Opens an address in the browser of whoever sits here.

use std::io;
use std::process::{Command, Stdio};

/// The program that is called, if the user names one.
const VARIABLE: &str = "BROWSER";

fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Whether there seems to be one: somebody who is here from another machine does not see what opens.
pub(super) fn is_here() -> bool {
    let screen = cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY");
    set(VARIABLE) || screen && !set("SSH_CONNECTION")
}

/// Opens an http address. Whether anything came of it is not known.
pub(super) fn open(address: &str) -> io::Result<()> {
    let chosen = std::env::var(VARIABLE).ok().and_then(|list| list.split(':').next().map(str::to_owned));
    let program = match chosen.filter(|program| !program.is_empty()) {
        Some(program) => program,
        None if cfg!(target_os = "macos") => "open".to_owned(),
        None => "xdg-open".to_owned(),
    };
    // It is an address of http or https, so no program takes it for a flag.
    let mut command = Command::new(program);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
