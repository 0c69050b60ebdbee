//! Finding the upstream's program without a shell.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Where programs are looked for after `PATH`: hosts started from a graphical session hand over a short `PATH`.
const FALLBACK: [&str; 4] = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"];

/// The upstream's program cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// There is no such program in any directory.
    #[error("cannot find the program `{program}`; looked in {searched}. Install it, or give its full path{hint}")]
    NotFound {
        /// What was asked for.
        program: String,
        /// The directories, in order.
        searched: String,
        /// How well-known programs are installed.
        hint: &'static str,
    },
    /// A path was given and nothing executable is there.
    #[error("`{0}` is not an executable file; check the path after `--`")]
    NotExecutable(PathBuf),
}

/// The program's full path.
pub(crate) fn resolve(program: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, ResolveError> {
    if Path::new(program).components().count() > 1 {
        let here = std::env::current_dir().unwrap_or_default();
        return which::which_in(program, None::<OsString>, here)
            .map_err(|_| ResolveError::NotExecutable(PathBuf::from(program)));
    }
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in path.iter().flat_map(std::env::split_paths).chain(FALLBACK.map(PathBuf::from)) {
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    // An entry that cannot be joined (it holds a separator) came from no `PATH`; there are none.
    let joined = std::env::join_paths(&directories).unwrap_or_default();
    which::which_in_global(program, Some(joined)).ok().and_then(|mut found| found.next()).ok_or_else(|| {
        ResolveError::NotFound {
            program: program.to_string_lossy().into_owned(),
            searched: directories.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", "),
            hint: hint(program),
        }
    })
}

fn hint(program: &OsStr) -> &'static str {
    match program.to_str() {
        Some("node" | "npx" | "npm") => " (`npx` comes with Node.js)",
        Some("uv" | "uvx") => " (`uvx` comes with uv)",
        Some("python" | "python3") => " (some systems have only `python3`)",
        Some("docker") => " (`docker` comes with Docker Engine or Docker Desktop)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_in_path_then_in_the_fallbacks_and_says_where() {
        let home = tempfile::tempdir().unwrap();
        assert!(resolve(OsStr::new("sh"), Some(home.path().as_os_str())).unwrap().ends_with("sh"));
        let error = resolve(OsStr::new("no-such-program"), Some(home.path().as_os_str())).unwrap_err().to_string();
        assert!(error.contains(home.path().to_str().unwrap()) && error.contains("/usr/local/bin"), "{error}");
        let plain = home.path().join("plain");
        std::fs::write(&plain, "").unwrap();
        assert!(matches!(resolve(plain.as_os_str(), None), Err(ResolveError::NotExecutable(_))));
        // A relative path is relative to where we are, whatever `PATH` says: tests run in the crate's directory.
        assert!(matches!(resolve(OsStr::new("src/lib.rs"), None), Err(ResolveError::NotExecutable(_))));
        assert!(resolve(OsStr::new("../../../../../../../../../../bin/sh"), None).unwrap().is_absolute());
    }
}
