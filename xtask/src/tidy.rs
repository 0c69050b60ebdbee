//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy can hold.
//!
//! Each rule is a pure function from what it looks at to what it found, so that each has tests that show it failing.

mod documents;
mod files;
mod layers;
mod purity;
mod source;

use anyhow::{Context as _, Result};

use crate::report;
use crate::workspace::{Member, Workspace};

/// What a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Worth a look; does not fail the check.
    Warning(String),
    /// Breaks a rule.
    Failure(String),
}

/// One committed text file.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Relative to the root, with `/` between its parts.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

/// Runs every rule, prints what they found and returns whether none failed.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let problems = problems(workspace)?;
    let mut failures = 0_usize;
    for problem in &problems {
        match problem {
            Problem::Warning(line) => report::warning(line),
            Problem::Failure(line) => {
                failures += 1;
                report::error(line);
            }
        }
    }
    if failures == 0 {
        report::say("tidy");
    }
    Ok(failures == 0)
}

fn problems(workspace: &Workspace) -> Result<Vec<Problem>> {
    let members = workspace.members()?;
    let files = text_files(workspace)?;
    let document = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| file.text.as_str());
    let mut problems = Vec::new();
    for member in &members {
        let manifest = member.dir.join("Cargo.toml");
        let text =
            std::fs::read_to_string(&manifest).with_context(|| format!("cannot read `{}`", manifest.display()))?;
        problems.extend(files::lints_are_inherited(&member.name, &text));
    }
    problems.extend(layers::edges_point_down(&members));
    problems.extend(layers::wrappers_agree(&members, document("deny.toml")));
    for file in &files {
        problems.extend(files::check(file));
        problems.extend(purity::check(file));
    }
    problems.extend(files::crates_stay_small(&names(&members), &files));
    problems.extend(documents::architecture(&names(&members), document("ARCHITECTURE.md"), &files));
    problems.extend(documents::changelog(document("CHANGELOG.md")));
    Ok(problems)
}

fn names(members: &[Member]) -> Vec<String> {
    members.iter().map(|member| member.name.clone()).collect()
}

/// Every committed file that is text.
fn text_files(workspace: &Workspace) -> Result<Vec<TextFile>> {
    let mut files = Vec::new();
    for path in workspace.files()? {
        let Ok(bytes) = std::fs::read(workspace.root().join(&path)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        files.push(TextFile { path: path.to_string_lossy().replace('\\', "/"), text });
    }
    Ok(files)
}
