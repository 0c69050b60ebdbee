//! The upstream's program on this machine, and the environment that it gets.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use rustix::fs::{Access, access};
use thoth_endpoint::platform::{Environment, Platform};
use thoth_endpoint::program::{self, Kind, Probe, Resolved, Search, Seen};

use crate::upstream::SpawnError;

/// What a program without any `PATH` gets to begin with: what the system's own tools use then.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// Variables of this name are Thoth's own.
const OURS: &str = "THOTH_";

/// This machine's files, as the search for programs asks for them.
#[derive(Debug, Clone, Copy)]
pub struct RealFiles;

impl Probe for RealFiles {
    fn look(&self, path: &str) -> Seen {
        match Path::new(path).metadata() {
            Err(_) => Seen::Nothing,
            Ok(found) if found.is_file() && access(path, Access::EXEC_OK).is_ok() => Seen::Executable,
            Ok(_) => Seen::NotExecutable,
        }
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// A command whose program was found.
#[derive(Debug)]
pub(crate) struct Program<'c> {
    /// The program as the command names it.
    pub(crate) name: &'c str,
    pub(crate) arguments: &'c [OsString],
    pub(crate) resolved: Resolved,
}

/// Finds the program of a command under an environment, which is this process's own outside of tests.
pub(crate) fn find<'c>(command: &'c [OsString], environment: &Environment) -> Result<Program<'c>, SpawnError> {
    find_in(command, environment, None)
}

/// The same from another directory, to which relative paths are relative.
pub(crate) fn find_in<'c>(
    command: &'c [OsString],
    environment: &Environment,
    directory: Option<&Path>,
) -> Result<Program<'c>, SpawnError> {
    let (name, arguments) = command.split_first().ok_or(SpawnError::NoCommand)?;
    let name = name.to_str().ok_or_else(|| SpawnError::NotUnicode(name.to_string_lossy().into_owned()))?;
    // Only relative paths need it. Where it cannot be told they stay relative, which means the same.
    let directory = directory.map(Path::to_path_buf).or_else(|| std::env::current_dir().ok());
    let directory = directory.as_deref().and_then(Path::to_str).unwrap_or(".");
    let search = Search { program: name, environment, directory };
    let resolved = program::resolve(Platform::current(), &search, &RealFiles).map_err(SpawnError::NotFound)?;
    if resolved.kind == Kind::BatchFile {
        let texts: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        program::check_batch_arguments(&resolved.path, texts.iter().map(AsRef::as_ref))
            .map_err(|source| SpawnError::Arguments { program: name.to_owned(), source })?;
    }
    Ok(Program { name, arguments, resolved })
}

/// This process's environment, as far as it is text.
pub(crate) fn own_environment() -> Environment {
    let text = |value: OsString| value.to_string_lossy().into_owned();
    Environment::new(Platform::current(), std::env::vars_os().map(|(name, value)| (text(name), text(value))))
}

/// The variables that the upstream does not inherit: the governed side neither sees our secrets nor learns how it is
/// governed.
pub(crate) fn withheld_variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with(OURS))
}

/// A `PATH` with one more directory at its end, where it can overrule nothing. `None` when `PATH` cannot hold it.
pub(crate) fn extended_path(path: Option<&OsStr>, directory: &str) -> Option<OsString> {
    if directory.contains(Platform::current().path_list_separator()) {
        return None;
    }
    let mut extended = path.filter(|path| !path.is_empty()).unwrap_or(OsStr::new(DEFAULT_PATH)).to_owned();
    extended.push(":");
    extended.push(directory);
    Some(extended)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use thoth_endpoint::program::NotFound;

    use super::*;

    fn write(path: &Path, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn environment(path: &Path, home: &Path) -> Environment {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        Environment::new(Platform::current(), [("PATH".to_owned(), text(path)), ("HOME".to_owned(), text(home))])
    }

    fn found(environment: &Environment, word: &str) -> Result<Resolved, SpawnError> {
        find(&[word.into()], environment).map(|program| program.resolved)
    }

    #[test]
    fn real_files_are_seen_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("program"), 0o755);
        write(&at("plain"), 0o644);
        symlink(at("program"), at("link")).unwrap();
        symlink(at("nowhere"), at("broken")).unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        let look = |name: &str| RealFiles.look(at(name).to_str().unwrap());
        for (name, seen) in [
            ("program", Seen::Executable),
            ("link", Seen::Executable),
            ("plain", Seen::NotExecutable),
            ("folder", Seen::NotExecutable),
            ("broken", Seen::Nothing),
            ("missing", Seen::Nothing),
            ("program/x", Seen::Nothing),
        ] {
            assert_eq!(look(name), seen, "{name}");
        }
        let mut names = RealFiles.list(folder.path().to_str().unwrap());
        names.sort();
        assert_eq!(names, ["broken", "folder", "link", "plain", "program"]);
        assert!(RealFiles.list(at("missing").to_str().unwrap()).is_empty());
    }

    #[test]
    fn the_users_own_directories_come_after_path() {
        let folder = tempfile::tempdir().unwrap();
        let (path, home) = (folder.path().join("bin"), folder.path().join("home"));
        let environment = environment(&path, &home);
        let tool = "thoth-test-tool";
        let error = found(&environment, tool).unwrap_err().to_string();
        for searched in [&path, Path::new("/usr/local/bin"), &home.join(".local/bin")] {
            assert!(error.contains(searched.to_str().unwrap()), "{error}");
        }
        let version = home.join(".nvm/versions/node/v22.1.0/bin");
        write(&version.join(tool), 0o755);
        let resolved = found(&environment, tool).unwrap();
        assert_eq!(Path::new(&resolved.path), version.join(tool));
        assert_eq!(resolved.add_to_path.as_deref(), version.to_str());
        write(&path.join(tool), 0o755);
        let resolved = found(&environment, tool).unwrap();
        assert_eq!((Path::new(&resolved.path), resolved.add_to_path), (&*path.join(tool), None));
        assert!(matches!(
            found(&environment, "./thoth-test-tool"),
            Err(SpawnError::NotFound(NotFound::Missing { .. }))
        ));
        // A relative path is relative to where we are, whatever `PATH` says: tests run in the crate's directory.
        let here = found(&environment, "src/lib.rs");
        assert!(matches!(here, Err(SpawnError::NotFound(NotFound::NotExecutable { .. }))), "{here:?}");
    }

    #[test]
    fn a_directory_is_added_at_the_end_of_path() {
        let extended = |path: Option<&str>, directory| extended_path(path.map(OsStr::new), directory);
        for (path, directory, expected) in [
            (Some("/usr/bin:/bin"), "/opt/x", Some("/usr/bin:/bin:/opt/x")),
            (Some("/a b"), "/c d", Some("/a b:/c d")),
            (None, "/opt/x", Some("/usr/bin:/bin:/opt/x")),
            // An empty entry would mean the working directory.
            (Some(""), "/opt/x", Some("/usr/bin:/bin:/opt/x")),
            (Some("/a"), "/b:c", None),
        ] {
            assert_eq!(extended(path, directory), expected.map(OsString::from), "{path:?} {directory}");
        }
    }
}
