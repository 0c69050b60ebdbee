//! The settings of this machine: reads the files, the environment and the system, and leaves the rest to the rules.

mod machine;
mod managed_file;
mod show;
mod tls;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use thoth_endpoint::platform::{Environment, Platform};
use thoth_endpoint::settings::managed::{self, Managed};
use thoth_endpoint::settings::table::keys;
use thoth_endpoint::settings::{FileValue, Process, Resolved, Source, Sources, unknown, written};
use thoth_types::Redacted;

use thoth_shell::exit::{Code, Failure};
use thoth_shell::home::Home;
use thoth_shell::key_file::{self, KeyFile};
use thoth_shell::terminal::{harmless_text, note};

pub(crate) use machine::host_name;
pub(crate) use show::show;
pub(crate) use tls::tls;

/// Flags of `thoth run` and their values.
pub(crate) type Flags = Vec<(&'static str, Redacted<String>)>;

/// What holds, and what is wrong with it. Fails where the managed file cannot be trusted or understood.
pub(crate) fn load(home: &Home, flags: &Flags) -> Result<Resolved, Failure> {
    let environment = environment(std::env::vars_os());
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
    let shown = harmless_text(&path.display().to_string());
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
///
/// What is not UTF-8 in a value is replaced by a character that no setting takes: the value is there and wrong, which
/// stops what uses it and nothing else.
fn environment<K: AsRef<OsStr>, V: AsRef<OsStr>>(variables: impl IntoIterator<Item = (K, V)>) -> Environment {
    let ours = variables.into_iter().filter_map(|(name, value)| {
        let name = name.as_ref().to_str()?;
        let is_ours = name.starts_with("THOTH_") || unknown::known().any(|known| known == name);
        is_ours.then(|| (name.to_owned(), value.as_ref().to_string_lossy().into_owned()))
    });
    Environment::new(Platform::current(), ours)
}

/// Refuses what must not be: settings that cannot be used, and running as somebody who was ruled out. Tells the rest.
pub(crate) fn demand(resolved: &Resolved) -> Result<(), Failure> {
    for warning in &resolved.warnings {
        note(format_args!("settings: {}", harmless_text(warning)));
    }
    if let [first, others @ ..] = resolved.problems.as_slice() {
        for other in others {
            note(format_args!("settings: {}", harmless_text(&other.to_string())));
        }
        let code = if first.origin.source == Source::Managed { Code::Failed } else { Code::Usage };
        let origin = &first.origin;
        let hint = match origin.source {
            Source::Managed => "the administrator of this machine writes that file".to_owned(),
            Source::Flag => format!("change {origin}, or leave it out"),
            _ => format!("change or unset {origin}; docs/reference/env.md says what it takes"),
        };
        return Err(Failure::new(code, harmless_text(&first.to_string())).hint(harmless_text(&hint)));
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

    /// Defends: a value that is not text is never read as another one, and stops only what uses it.
    #[test]
    fn values_that_are_not_text() {
        let bad = OsStr::from_bytes(b"a\xff");
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::at(scratch.path());
        for (name, problems, warnings) in [
            ("THOTH_TENANT_ID", 1, 0),
            ("INTUNE_DEVICE_ID", 1, 0),
            ("THOTH_REQUIRE_NON_ROOT", 1, 0),
            ("THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES", 1, 0),
            ("THOTH_ENFORCER_URL", 1, 0),
            ("THOTH_FLEET_ID", 0, 1),
            ("THOTH_API_KEY", 0, 1),
            ("THOTH_TLS_VERIFY", 0, 1),
            ("THOTH_TLS_CA_BUNDLE", 0, 1),
            ("THOTH_TLS_PINNED_CERT_SHA256", 0, 1),
            ("THOTH_NEVER_HEARD_OF", 0, 1),
            ("THOTH_WEBHOOK_URL", 0, 0),
            ("OTHER", 0, 0),
        ] {
            let resolved = resolve(&home, &Vec::new(), &environment([(name, bad)]), None);
            assert_eq!((resolved.problems.len(), resolved.warnings.len()), (problems, warnings), "{name}");
            assert!(resolved.api_key.is_none(), "{name}");
            assert_eq!(tls(&resolved).is_err(), name.starts_with("THOTH_TLS_"), "{name}");
        }
        let good = resolve(&home, &Vec::new(), &environment([("THOTH_TENANT_ID", OsStr::new("a"))]), None);
        assert!(good.tenant.is_some() && good.problems.is_empty());
    }
}
