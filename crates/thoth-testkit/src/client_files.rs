//! Configuration files as the clients of each system write them, and readers for them that share nothing with ours.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::fixtures::{FixtureError, Fixtures};

/// How a client reads its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// Strict JSON: a comment is an error.
    Json,
    /// JSON with comments and trailing commas.
    Jsonc,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
}

/// One file of one client.
#[derive(Debug, Clone, Copy)]
pub struct ClientFile {
    /// The client's id.
    pub host: &'static str,
    /// The name of the copy below `fixtures/hosts/<host>/`: the system, or `any`, then whose file it is.
    pub name: &'static str,
    /// How the client reads it.
    pub syntax: Syntax,
    /// Where it is, below the user's home or, for a project's file, below the project.
    pub place: &'static str,
    /// Its servers that are started by a command.
    pub started: usize,
    /// Its other entries: remote servers, what comes with an extension, a command that only a shell could start.
    pub others: usize,
}

const fn file(
    host: &'static str,
    name: &'static str,
    place: &'static str,
    started: usize,
    others: usize,
) -> ClientFile {
    ClientFile { host, name, syntax: Syntax::Json, place, started, others }
}

impl ClientFile {
    const fn read_as(self, syntax: Syntax) -> Self {
        Self { syntax, ..self }
    }

    /// Whether it is a project's file.
    #[must_use]
    pub fn of_project(&self) -> bool {
        self.name.starts_with("any-project")
    }

    /// Whether this file works on the system that the tests run on: its first server has `memory` in its name and can
    /// be started for real.
    #[must_use]
    pub fn runs_here(&self) -> bool {
        self.of_project() || self.name.starts_with("linux-")
    }

    /// Where it is below a folder that stands for the home or the project.
    #[must_use]
    pub fn path_below(&self, folder: &Path) -> PathBuf {
        folder.join(self.place)
    }

    /// The committed copy.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn committed(&self, fixtures: &Fixtures) -> Result<PathBuf, FixtureError> {
        fixtures.program(&format!("hosts/{}/{}", self.host, self.name))
    }
}

/// A path below the folder in which editors keep their settings.
macro_rules! cline {
    ($settings:literal) => {
        concat!($settings, "/Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json")
    };
}

/// All of them.
pub const CLIENT_FILES: &[ClientFile] = &[
    file("claude-desktop", "linux-user.json", ".config/Claude/claude_desktop_config.json", 4, 0),
    file("claude-desktop", "macos-user.json", "Library/Application Support/Claude/claude_desktop_config.json", 5, 1),
    file("claude-desktop", "windows-user.json", "AppData/Roaming/Claude/claude_desktop_config.json", 4, 0),
    file("claude-code", "linux-user.json", ".claude.json", 4, 3),
    file("claude-code", "macos-user.json", ".claude.json", 2, 1),
    file("claude-code", "windows-user.json", ".claude.json", 3, 0),
    file("claude-code", "any-project.json", ".mcp.json", 2, 1),
    file("cursor", "linux-user.json", ".cursor/mcp.json", 2, 1),
    file("cursor", "macos-user.json", ".cursor/mcp.json", 1, 2),
    file("cursor", "windows-user.json", ".cursor/mcp.json", 2, 1),
    file("cursor", "any-project.json", ".cursor/mcp.json", 2, 0),
    file("vscode", "linux-user.json", ".config/Code/User/mcp.json", 2, 1).read_as(Syntax::Jsonc),
    file("vscode", "macos-user.json", "Library/Application Support/Code/User/mcp.json", 2, 1).read_as(Syntax::Jsonc),
    file("vscode", "windows-user.json", "AppData/Roaming/Code/User/mcp.json", 2, 1).read_as(Syntax::Jsonc),
    file("vscode", "any-project.json", ".vscode/mcp.json", 2, 0).read_as(Syntax::Jsonc),
    file("windsurf", "linux-user.json", ".codeium/windsurf/mcp_config.json", 2, 1),
    file("windsurf", "macos-user.json", ".codeium/windsurf/mcp_config.json", 1, 1),
    file("windsurf", "windows-user.json", ".codeium/windsurf/mcp_config.json", 2, 0),
    file("zed", "linux-user.json", ".config/zed/settings.json", 1, 2).read_as(Syntax::Jsonc),
    file("zed", "macos-user.json", ".config/zed/settings.json", 3, 0).read_as(Syntax::Jsonc),
    file("zed", "windows-user.json", "AppData/Roaming/Zed/settings.json", 2, 0).read_as(Syntax::Jsonc),
    file("zed", "any-project.json", ".zed/settings.json", 1, 0).read_as(Syntax::Jsonc),
    file("codex", "linux-user.toml", ".codex/config.toml", 3, 1).read_as(Syntax::Toml),
    file("codex", "macos-user.toml", ".codex/config.toml", 2, 1).read_as(Syntax::Toml),
    file("codex", "windows-user.toml", ".codex/config.toml", 2, 0).read_as(Syntax::Toml),
    file("codex", "any-project.toml", ".codex/config.toml", 1, 1).read_as(Syntax::Toml),
    file("gemini-cli", "linux-user.json", ".gemini/settings.json", 2, 2),
    file("gemini-cli", "macos-user.json", ".gemini/settings.json", 2, 0).read_as(Syntax::Jsonc),
    file("gemini-cli", "windows-user.json", ".gemini/settings.json", 2, 0),
    file("gemini-cli", "any-project.json", ".gemini/settings.json", 1, 1),
    file("cline", "linux-user.json", cline!(".config"), 2, 1),
    file("cline", "macos-user.json", cline!("Library/Application Support"), 1, 1),
    file("cline", "windows-user.json", cline!("AppData/Roaming"), 1, 0),
    file("continue", "linux-user.yaml", ".continue/config.yaml", 2, 1).read_as(Syntax::Yaml),
    file("continue", "macos-user.yaml", ".continue/config.yaml", 2, 1).read_as(Syntax::Yaml),
    file("continue", "windows-user.yaml", ".continue/config.yaml", 2, 0).read_as(Syntax::Yaml),
    file("continue", "any-project.yaml", ".continue/mcpServers/memory.yaml", 1, 0).read_as(Syntax::Yaml),
    file("junie", "linux-user.json", ".junie/mcp/mcp.json", 2, 0),
    file("junie", "macos-user.json", ".junie/mcp/mcp.json", 1, 0),
    file("junie", "windows-user.json", ".junie/mcp/mcp.json", 1, 1),
    file("junie", "any-project.json", ".junie/mcp/mcp.json", 1, 0),
    file("lm-studio", "linux-user.json", ".lmstudio/mcp.json", 1, 1),
    file("lm-studio", "macos-user.json", ".lmstudio/mcp.json", 1, 0),
    file("lm-studio", "windows-user.json", ".lmstudio/mcp.json", 1, 0),
    file("goose", "linux-user.yaml", ".config/goose/config.yaml", 2, 2).read_as(Syntax::Yaml),
    file("goose", "macos-user.yaml", ".config/goose/config.yaml", 2, 1).read_as(Syntax::Yaml),
    file("goose", "windows-user.yaml", "AppData/Roaming/Block/goose/config/config.yaml", 2, 0).read_as(Syntax::Yaml),
    file("amazon-q", "linux-user.json", ".aws/amazonq/mcp.json", 2, 0),
    file("amazon-q", "macos-agent.json", ".aws/amazonq/cli-agents/platform.json", 1, 1),
    file("amazon-q", "windows-agent.json", ".aws/amazonq/agents/default.json", 1, 0),
    file("amazon-q", "any-project.json", ".amazonq/mcp.json", 1, 0),
    file("kiro", "linux-user.json", ".kiro/settings/mcp.json", 2, 1),
    file("kiro", "macos-user.json", ".kiro/settings/mcp.json", 1, 1),
    file("kiro", "windows-user.json", ".kiro/settings/mcp.json", 1, 0),
    file("kiro", "any-project.json", ".kiro/settings/mcp.json", 1, 0),
    file("copilot-cli", "linux-user.json", ".copilot/mcp-config.json", 2, 1),
    file("copilot-cli", "macos-user.json", ".copilot/mcp-config.json", 1, 1),
    file("copilot-cli", "windows-user.json", ".copilot/mcp-config.json", 1, 0),
    file("opencode", "linux-user.jsonc", ".config/opencode/opencode.jsonc", 2, 1).read_as(Syntax::Jsonc),
    file("opencode", "macos-user.json", ".config/opencode/opencode.json", 1, 0).read_as(Syntax::Jsonc),
    file("opencode", "windows-user.json", ".config/opencode/opencode.json", 1, 0).read_as(Syntax::Jsonc),
    file("opencode", "any-project.json", "opencode.json", 1, 1).read_as(Syntax::Jsonc),
];

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// What reads it is not set up.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The reader could not be started.
    #[error("cannot start the reader")]
    Start(#[from] std::io::Error),
    /// The client could not read this file.
    #[error("no client could read this: {0}")]
    Refused(String),
    /// The reader's answer is no JSON.
    #[error("the reader's answer")]
    Answer(#[from] serde_json::Error),
}

/// The values of files, as their clients read them.
///
/// # Errors
/// When one is not written as its client demands.
pub fn read(fixtures: &Fixtures, files: &[(Syntax, &Path)]) -> Result<Vec<Value>, ReadError> {
    let by_node = javascript(fixtures, "read", files)?;
    let mut lines = by_node.split(|byte| *byte == b'\n');
    let mut values = Vec::new();
    for (syntax, path) in files {
        let own = if *syntax == Syntax::Toml { Some(python(fixtures, "read", path)?) } else { None };
        let text = own.as_deref().or_else(|| lines.next()).unwrap_or_default();
        values.push(serde_json::from_slice(text)?);
    }
    Ok(values)
}

/// Writes files anew as a client does that changes a setting: comments and layout are gone, the value is the same.
///
/// # Errors
/// When one is not written as its client demands.
pub fn rewrite(fixtures: &Fixtures, files: &[(Syntax, &Path)]) -> Result<(), ReadError> {
    javascript(fixtures, "rewrite", files)?;
    let mut toml = files.iter().filter(|(syntax, _)| *syntax == Syntax::Toml);
    toml.try_for_each(|(_, path)| python(fixtures, "rewrite", path).map(drop))
}

/// One process for all files: starting it takes longer than reading them.
fn javascript(fixtures: &Fixtures, mode: &str, files: &[(Syntax, &Path)]) -> Result<Vec<u8>, ReadError> {
    let mut command = Command::new("node");
    command.env("NODE_PATH", fixtures.node_modules()?).arg(fixtures.program("readers/config.cjs")?).arg(mode);
    for (syntax, path) in files {
        let name = match syntax {
            Syntax::Json => "json",
            Syntax::Jsonc => "jsonc",
            Syntax::Yaml => "yaml",
            Syntax::Toml => continue,
        };
        command.arg(name).arg(path);
    }
    answer(&mut command)
}

fn python(fixtures: &Fixtures, mode: &str, path: &Path) -> Result<Vec<u8>, ReadError> {
    answer(Command::new("python3").arg(fixtures.program("readers/config_toml.py")?).arg(mode).arg(path))
}

fn answer(command: &mut Command) -> Result<Vec<u8>, ReadError> {
    let output = command.output()?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(ReadError::Refused(String::from_utf8_lossy(&output.stderr).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A file that is not in the table is tested by nothing.
    #[test]
    fn the_table_names_every_file() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join("hosts");
        let names = |path: &Path| -> Vec<String> {
            let entries = std::fs::read_dir(path).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let mut committed = BTreeSet::new();
        for host in names(&folder) {
            committed.extend(names(&folder.join(&host)).into_iter().map(|name| format!("{host}/{name}")));
        }
        let listed: BTreeSet<String> = CLIENT_FILES.iter().map(|file| format!("{}/{}", file.host, file.name)).collect();
        assert_eq!(committed, listed);
        assert_eq!(listed.len(), CLIENT_FILES.len(), "a file is listed twice");
    }
}
