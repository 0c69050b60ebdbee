//! What the operating system knows of the machine and of the user as whom this runs.

use std::process::{Command, Stdio};

use nix::unistd::{Uid, User};
use thoth_endpoint::identity::{self, Machine};
use thoth_endpoint::platform::Platform;

/// Longer than any machine id file.
const MAX_ID_FILE: u64 = 256;

/// Asks the system.
pub(super) const MACHINE: Machine<'static> = Machine { machine_id: &machine_id, host_name: &host_name };

fn machine_id() -> Option<String> {
    match Platform::current() {
        Platform::Linux => ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(|path| short_file(path)),
        Platform::MacOs => {
            let mut command = Command::new("/usr/sbin/ioreg");
            command.args(["-rd1", "-c", "IOPlatformExpertDevice"]).stdin(Stdio::null()).stderr(Stdio::null());
            let answer = command.output().ok()?.stdout;
            identity::platform_uuid(&String::from_utf8_lossy(&answer)).map(str::to_owned)
        }
        Platform::Windows => None,
    }
}

fn short_file(path: &str) -> Option<String> {
    let bytes = thoth_shell::key_file::regular(std::path::Path::new(path), MAX_ID_FILE).ok()??.0;
    String::from_utf8(bytes).ok()
}

/// The host name, if there is one.
pub(crate) fn host_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_owned();
    (!name.is_empty()).then_some(name)
}

/// The name of the user whose rights this process has.
pub(super) fn user_name() -> Option<String> {
    User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name)
}
