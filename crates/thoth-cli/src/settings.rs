//! The settings of this machine: reads the files, the environment and the system, and leaves the rest to the rules.

mod key_file;
mod machine;
mod managed_file;
mod show;
mod tls;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use thoth_endpoint::platform::{Environment, Platform};
use thoth_endpoint::settings::managed::{self, Managed};
use thoth_endpoint::settings::table::{keys, server};
use thoth_endpoint::settings::{FileValue, Process, Resolved, Source, Sources, unknown, written};
use thoth_types::Redacted;

use crate::exit::{Code, Failure};
use crate::home::Home;
use crate::terminal::note;

pub(crate) use key_file::{KeyFile, read as read_key_file};
pub(crate) use machine::host_name;
pub(crate) use show::show;
pub(crate) use tls::tls;

/// Flags of `thoth run` and their values.
pub(crate) type Flags = Vec<(&'static str, Redacted<String>)>;

/// What holds, and what is wrong with it. Fails where the managed file cannot be trusted or understood.
pub(crate) fn load(home: &Home, flags: &Flags) -> Result<Resolved, Failure> {
    let environment = environment(std::env::vars_os())?;
    let path = managed::path(Platform::current());
    let managed = managed_file::read(Path::new(&path), managed_file::ROOT)?;
    Ok(resolve(home, flags, &environment, managed.as_ref()))
}

fn resolve(home: &Home, flags: &Flags, environment: &Environment, managed: Option<&Managed>) -> Resolved {
    let (key, trouble) = key_of_files(home, environment);
    let files: Vec<_> = key.into_iter().collect();
    let mut resolved =
        written(&Sources { managed, flags, environment, files: &files }).merge().resolve(&machine::MACHINE);
    resolved.warnings.extend(trouble);
    resolved
}

/// The key from the file that the environment names, or else from the profile's. A file that was named and cannot be
/// read is not replaced by the other one: that may hold another key.
fn key_of_files(home: &Home, environment: &Environment) -> (Option<FileValue>, Option<String>) {
    let name = keys::API_KEY_FILE.names.iter().find_map(|name| environment.get(name));
    let path = name.map_or_else(|| home.api_key(), PathBuf::from);
    let shown = path.display().to_string();
    match key_file::read(&path) {
        Ok(Some(KeyFile { key, .. })) => {
            (key.map(|text| FileValue { setting: &keys::API_KEY, path: shown, text }), None)
        }
        Ok(None) if name.is_some() => (None, Some(format!("`{shown}` with the API key does not exist"))),
        Ok(None) => (None, None),
        Err(problem) => (None, Some(problem)),
    }
}

/// The variables that settings can be in. Foreign ones are left where they are.
fn environment<K: AsRef<OsStr>, V: AsRef<OsStr>>(
    variables: impl IntoIterator<Item = (K, V)>,
) -> Result<Environment, Failure> {
    let mut ours = Vec::new();
    for (name, value) in variables {
        let Some(name) = name.as_ref().to_str() else { continue };
        if !(name.starts_with("THOTH_") || unknown::known().any(|k| k == name)) {
            continue;
        }
        let value = value.as_ref();
        // A path may be anything; this one is read elsewhere, as it is, and only shown from here.
        let text = if name == "THOTH_HOME" {
            Some(value.to_string_lossy().into_owned())
        } else {
            value.to_str().map(str::to_owned)
        };
        let Some(text) = text else {
            return Err(Failure::usage(format!("the value of `{}` is not text", name.escape_debug()))
                .hint("it must be UTF-8; set it again, or unset it"));
        };
        ours.push((name.to_owned(), text));
    }
    Ok(Environment::new(Platform::current(), ours))
}

/// Refuses what must not be: settings that cannot be used, and running as somebody who was ruled out. Tells the rest.
pub(crate) fn demand(resolved: &Resolved) -> Result<(), Failure> {
    for warning in &resolved.warnings {
        note(format_args!("settings: {warning}"));
    }
    if let [first, others @ ..] = resolved.problems.as_slice() {
        for other in others {
            note(format_args!("settings: {other}"));
        }
        let code = if first.origin.source == Source::Managed { Code::Failed } else { Code::Usage };
        let origin = &first.origin;
        let hint = match origin.source {
            Source::Managed => "the administrator of this machine writes that file".to_owned(),
            _ if first.setting == server::ENFORCER_URL.name() => {
                format!("leave {origin} out; the local policy then decides")
            }
            Source::Flag => format!("change {origin}, or leave it out"),
            _ => format!("change or unset {origin}; docs/reference/env.md says what it takes"),
        };
        return Err(Failure::new(code, first).hint(hint));
    }
    resolved
        .guards
        .check(&process(resolved))
        .map_err(|error| Failure::failed(error).hint("`thoth doctor --settings` shows who demands that"))
}

/// As whom this runs; the name is looked up only where somebody asks for it.
pub(crate) fn process(resolved: &Resolved) -> Process {
    let user = resolved.guards.user.as_ref().and_then(|_| machine::user_name());
    Process { uid: rustix::process::geteuid().as_raw(), user }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    /// Defends: a value that is not text is never read as another one, and foreign variables are nobody's business.
    #[test]
    fn values_that_are_not_text() {
        let bad = OsStr::from_bytes(b"a\xff");
        for (name, value, good) in [
            ("THOTH_TENANT_ID", OsStr::new("a"), true),
            ("THOTH_TENANT_ID", bad, false),
            ("THOTH_NEVER_HEARD_OF", bad, false),
            ("INTUNE_DEVICE_ID", bad, false),
            ("THOTH_HOME", bad, true),
            ("OTHER", bad, true),
        ] {
            assert_eq!(environment([(name, value)]).is_ok(), good, "{name}");
        }
    }
}
