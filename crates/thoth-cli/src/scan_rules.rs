//! The operator's own rules for scanning definitions: `scan-rules/*.toml` in Thoth's directory.
//!
//! They hold wherever definitions are scanned: while a server is governed, in scans, and where a pin is looked at or
//! approved. One file that cannot be read is not one rule less: nothing is scanned, and nothing governed, until it can.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thoth_scan::definition::Scanner;
use thoth_scan::rules::RuleSet;
use thoth_shell::exit::{Code, Failure};
use thoth_shell::home::Home;
use thoth_shell::terminal::harmless_text;

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;
/// The most files that are read.
const MAX_FILES: usize = 64;

/// Has this process scan by the shipped rules and those of Thoth's directory. Called before anything is scanned.
pub(crate) fn put_in_force(home: &Home) -> Result<(), Failure> {
    if let Some(rules) = load(&home.scan_rules(), &[]).map_err(|wrong| invalid(Code::InvalidPolicy, &wrong))? {
        thoth_proxy::scan_by(Scanner::new(Arc::new(rules)));
    }
    Ok(())
}

/// A scanner by the shipped rules, those of Thoth's directory and those of more files.
pub(crate) fn scanner(home: Option<&Home>, more: &[PathBuf]) -> Result<Scanner, Failure> {
    let folder = home.map(Home::scan_rules).unwrap_or_default();
    // Scans keep their own codes: 1 is for what was found.
    let rules = load(&folder, more).map_err(|wrong| invalid(Code::Usage, &wrong))?;
    Ok(rules.map_or_else(Scanner::default, |rules| Scanner::new(Arc::new(rules))))
}

/// None where there are no files. An error names its file and, within that, its place.
fn load(folder: &Path, more: &[PathBuf]) -> Result<Option<RuleSet>, String> {
    let paths: Vec<PathBuf> = in_folder(folder)?.into_iter().chain(more.iter().cloned()).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let read = |path: &PathBuf| Ok((shown(path), text(path)?));
    let files: Vec<(String, String)> = paths.iter().map(read).collect::<Result<_, String>>()?;
    let mut known = HashSet::new();
    // The same file twice, as when it is tried out and is in place already, is one file.
    let files = files.iter().filter(|(_, text)| known.insert(&**text));
    let files: Vec<(&str, &str)> = files.map(|(name, text)| (&**name, &**text)).collect();
    RuleSet::with_files(&files).map(Some).map_err(|error| error.to_string())
}

/// The rule files of a folder, in the order of their names. A folder that is not there has none.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: cannot be read: {error}", shown(folder))),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: cannot be read: {error}", shown(folder)))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    if paths.len() > MAX_FILES {
        return Err(format!("{}: has {} rule files; at most {MAX_FILES} are read", shown(folder), paths.len()));
    }
    paths.sort();
    Ok(paths)
}

fn text(path: &Path) -> Result<String, String> {
    let wrong = |why: String| format!("{}: {why}", shown(path));
    let metadata = fs::metadata(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if !metadata.is_file() {
        return Err(wrong("is no regular file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(wrong(format!("is {} bytes long; a rule file has at most {MAX_BYTES}", metadata.len())));
    }
    fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))
}

fn shown(path: &Path) -> String {
    harmless_text(&path.display().to_string())
}

fn invalid(code: Code, message: &str) -> Failure {
    Failure::new(code, format!("scan rules: {}", harmless_text(message)))
        .detail("code", "invalid_rules")
        .hint("correct the file or take it away; `thoth scan --rules FILE` tries one out")
}
