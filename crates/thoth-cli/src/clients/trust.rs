//! What an entry may decide about its own gate: less where it stands in a file of a project, which is written by whoever
//! wrote the project.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use thoth_endpoint::entry::{Entry, State};
use thoth_endpoint::program::desktop_environment;

use super::{ClientFile, Machine, is_executable};

/// How many links are followed on the way to one file.
const MAX_LINKS: usize = 40;

/// Names of other files that depend on who asks.
const VIEWS: [&str; 2] = ["/proc", "/dev/fd"];

/// Flags that say what is recorded, and where.
const RECORDS: [&str; 2] = ["--ledger", "--content"];

impl Machine {
    /// The outermost directory that comes with a project: its repository's, or without one its own. The home directory is
    /// its user's, whatever is in it.
    pub(super) fn project_root(&self, directory: &Path) -> Option<PathBuf> {
        let home = followed(Path::new(&self.home))?;
        let directory = followed(directory)?;
        if directory == home {
            return None;
        }
        let inside = directory.ancestors().take_while(|path| !home.starts_with(path));
        let root = inside.filter(|path| path.join(".git").exists()).last().map(Path::to_path_buf);
        Some(root.unwrap_or(directory))
    }

    /// The current project, if a file lies in it.
    pub(super) fn project_around(&self, file: &Path) -> Option<PathBuf> {
        let root = self.project_root(self.directory.as_deref()?)?;
        is_below(file, &root).then_some(root)
    }

    /// The file that an entry's program is, if it is there and not to be taken for `thoth`: it comes with the project whose
    /// file names it, or is another one for each directory that it is started in.
    pub(crate) fn foreign(&self, program: &str, file: &ClientFile) -> Option<PathBuf> {
        let path = self.started(program)?;
        let Some(target) = followed(&path) else { return Some(path) };
        let root = file.project.as_ref()?;
        let running = std::env::current_exe().ok().and_then(|path| followed(&path));
        let is_this = running.as_ref() == Some(&target) && (target.starts_with(root) || !path.starts_with(root));
        (!is_this && is_below(&path, root)).then_some(path)
    }

    /// The file that a client starts, if it is there: as the desktop finds it, or else as this process does.
    fn started(&self, program: &str) -> Option<PathBuf> {
        let path = match program.split_once('/') {
            None => {
                let desktop = desktop_environment(self.platform, &self.environment);
                let paths = [desktop.get("PATH"), self.environment.get("PATH")];
                let directories =
                    paths.into_iter().flatten().flat_map(|path| path.split(self.platform.path_list_separator()));
                let candidates = directories.map(|directory| Path::new(directory).join(program));
                return candidates.filter(|path| path.is_absolute()).find(|path| is_executable(path));
            }
            // The ways to write the home directory are the only others that are read as a governed server's.
            Some((base, rest)) if base.starts_with(['~', '$', '%']) => Path::new(&self.home).join(rest),
            Some(_) => PathBuf::from(program),
        };
        (followed(&path).is_none() || is_executable(&path)).then_some(path)
    }

    /// The names of what a governed entry says about its own gate, without values. A user's own `PATH` says nothing; in a
    /// project, it can say which `thoth` is found.
    pub(crate) fn own_settings(entry: &Entry, file: &ClientFile) -> Vec<String> {
        let State::Governed(launch) = &entry.state else { return Vec::new() };
        let is_found_by_path = file.project.is_some() && !launch.program.contains(['/', '\\']);
        let counts = |name: &&String| is_found_by_path || !name.eq_ignore_ascii_case("PATH");
        let mut names: Vec<String> = entry.variables.iter().filter(counts).cloned().collect();
        let Some(root) = &file.project else { return names };
        let is_theirs = |path: &String| !Path::new(path).is_absolute() || is_below(Path::new(path), root);
        if launch.policy.as_ref().is_some_and(is_theirs) {
            names.push("--policy".to_owned());
        }
        let is_given = |flag: &&str| launch.other.iter().any(|word| word.split('=').next() == Some(*flag));
        names.extend(RECORDS.iter().filter(|flag| is_given(flag)).map(|flag| (*flag).to_owned()));
        names
    }
}

/// Whether a path is below a directory, as it is written or as it leads. One that leads elsewhere for each who asks is.
fn is_below(path: &Path, root: &Path) -> bool {
    path.starts_with(root) || followed(path).is_none_or(|target| target.starts_with(root))
}

/// The path without links, as far as it exists; nothing where it leads through what is different for each process.
fn followed(path: &Path) -> Option<PathBuf> {
    let parts =
        |path: &Path| path.components().rev().map(|part| part.as_os_str().to_owned()).collect::<Vec<OsString>>();
    let (mut at, mut links) = (PathBuf::from("/"), 0);
    let mut rest = parts(path);
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => {
                at.pop();
                continue;
            }
            Some(Component::Normal(name)) => at.push(name),
            _ => continue,
        }
        if VIEWS.iter().any(|view| at.starts_with(view)) {
            return None;
        }
        if let Ok(target) = at.read_link() {
            links += 1;
            if links > MAX_LINKS {
                return None;
            }
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            rest.extend(parts(&target));
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Defends: links are followed wherever they stand, and no path that is another one for each process is believed.
    #[test]
    fn paths_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let at = |name: &str| root.join(name);
        std::fs::create_dir_all(at("real/bin")).unwrap();
        for (link, target) in [
            ("relative", "real/./bin"),
            ("back", "relative/../x"),
            ("here", "/proc/self/cwd"),
            ("loop", "loop"),
            ("descriptor", "/dev/fd/../cwd"),
        ] {
            symlink(target, at(link)).unwrap();
        }
        symlink(at("real"), at("absolute")).unwrap();
        for (path, expected) in [
            ("relative/thoth", Some("real/bin/thoth")),
            ("absolute/bin/../thoth", Some("real/thoth")),
            ("back", Some("real/x")),
            ("missing/../thoth", Some("thoth")),
            ("here/thoth", None),
            ("loop/thoth", None),
            ("descriptor/thoth", None),
            ("x/../../../../../../proc/self/cwd/bin/thoth", None),
        ] {
            assert_eq!(followed(&at(path)), expected.map(at), "{path}");
        }
    }
}
