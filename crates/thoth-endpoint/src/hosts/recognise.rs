//! Which client a file belongs to that somebody names.

use super::path::matched_tail;
use super::shape::{
    CLAUDE_CODE, CODE_WORKSPACE, CODEX, CRUSH, DEVCONTAINER, GOOSE, KIRO, OPENCODE, VSCODE, VSCODE_SETTINGS, ZED,
};
use super::{HOSTS, Host, OTHER, Shape};
use crate::document::{Document, Format};
use crate::entry::{Reason, Start, Style, find};
use crate::hosts::{applications, editors, terminals};

/// A file's client, and how it writes its servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recognised {
    /// The client.
    pub host: &'static Host,
    /// Where the servers are.
    pub shape: &'static Shape,
    /// How the file is written.
    pub format: Format,
}

/// Tells a file's client by its path (an absolute one tells most) and by what is in it.
///
/// A file with servers wins over a name: if there are none where the name says, they are looked for elsewhere. Nothing
/// is returned where neither tells anything.
#[must_use]
pub fn recognise(path: &str, text: &str) -> Option<Recognised> {
    let named = by_name(path);
    let format = named.map_or_else(|| format_of(path), |named| named.format);
    let Ok(document) = Document::parse(format, text.as_bytes()) else {
        // The caller reads it again and says where it is malformed.
        return Some(named.unwrap_or(Recognised { host: &OTHER, shape: &CLAUDE_CODE, format }));
    };
    let has_servers = |known: &Recognised| {
        known.format == format
            && find(&document, known.shape).iter().any(|slot| *known.shape != CRUSH || is_apart(&slot.start))
    };
    named.filter(has_servers).or_else(|| KNOWN.into_iter().find(has_servers)).or(named)
}

/// Whether a program stands apart from its arguments.
const fn is_apart(start: &Result<Start<'_>, Reason>) -> bool {
    matches!(start, Ok(Start { style: Style::Apart(..), .. }))
}

/// Shapes that tell a client, the most common first.
const KNOWN: [Recognised; 12] = [
    Recognised { host: &OTHER, shape: &CLAUDE_CODE, format: Format::Json },
    Recognised { host: &editors::VSCODE, shape: &VSCODE, format: Format::Json },
    Recognised { host: &editors::KIRO, shape: &KIRO, format: Format::Json },
    Recognised { host: &editors::ZED, shape: &ZED, format: Format::Json },
    Recognised { host: &editors::VSCODE, shape: &DEVCONTAINER, format: Format::Json },
    Recognised { host: &editors::VSCODE, shape: &CODE_WORKSPACE, format: Format::Json },
    Recognised { host: &OTHER, shape: &CRUSH, format: Format::Json },
    Recognised { host: &terminals::OPENCODE, shape: &OPENCODE, format: Format::Json },
    Recognised { host: &editors::VSCODE, shape: &VSCODE_SETTINGS, format: Format::Json },
    Recognised { host: &terminals::CODEX, shape: &CODEX, format: Format::Toml },
    Recognised { host: &applications::GOOSE, shape: &GOOSE, format: Format::Yaml },
    Recognised { host: &editors::CONTINUE, shape: &CLAUDE_CODE, format: Format::Yaml },
];

/// File names that say nothing without the directory they are in.
const COMMON_NAMES: [&str; 5] = ["settings.json", "config.toml", "config.yaml", "mcp.json", "default.json"];

/// The location whose template describes most of the path's end.
fn by_name(path: &str) -> Option<Recognised> {
    let mut best: Option<(usize, Recognised)> = None;
    for host in HOSTS {
        for location in host.locations {
            let (matched, length) = matched_tail(location.path, path);
            let name = location.path.rsplit('/').next().unwrap_or_default();
            let telling = !name.contains(['*', '}']) && !COMMON_NAMES.contains(&name);
            let enough = matched > 0 && (telling || (matched == length && length > 1));
            if enough && best.is_none_or(|(most, _)| matched > most) {
                best = Some((matched, Recognised { host, shape: location.shape, format: location.format }));
            }
        }
    }
    best.map(|(_, recognised)| recognised)
}

fn format_of(path: &str) -> Format {
    match path.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).as_deref() {
        Some("toml") => Format::Toml,
        Some("yaml" | "yml") => Format::Yaml,
        _ => Format::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = r#"{"x": {"command": "y"}}"#;

    #[test]
    fn by_name_and_content() {
        for (path, key, expected) in [
            ("/home/me/.config/Claude/claude_desktop_config.json", "", Some("claude-desktop")),
            ("claude_desktop_config.json", "mcpServers", Some("claude-desktop")),
            (r"C:\Users\me\AppData\Roaming\Claude\claude_desktop_config.json", "mcpServers", Some("claude-desktop")),
            ("/Users/me/.claude.json", "mcpServers", Some("claude-code")),
            ("/src/app/.mcp.json", "mcpServers", Some("claude-code")),
            ("/home/me/.cursor/mcp.json", "mcpServers", Some("cursor")),
            ("/home/me/.lmstudio/mcp.json", "", Some("lm-studio")),
            ("/src/app/.vscode/mcp.json", "servers", Some("vscode")),
            ("/home/me/.config/Code/User/profiles/-1f/mcp.json", "servers", Some("vscode")),
            ("/src/app/.gemini/settings.json", "mcpServers", Some("gemini-cli")),
            ("/src/app/.zed/settings.json", "context_servers", Some("zed")),
            ("/tmp/copy/settings.json", "context_servers", Some("zed")),
            ("/tmp/copy/settings.json", "", None),
            ("/tmp/a.json", "mcpServers", Some("mcp-client")),
            ("/tmp/crush.json", "mcp", Some("mcp-client")),
            ("/tmp/a.json", "servers", Some("vscode")),
            ("/tmp/a.json", "other", None),
            ("/tmp/config.toml", "", None),
            ("/tmp/opencode.jsonc", "mcp", Some("opencode")),
            ("/home/me/.kiro/agents/reviewer.json", "mcpServers", Some("kiro")),
            ("/home/me/.aws/amazonq/cli-agents/reviewer.json", "mcpServers", Some("amazon-q")),
            ("/src/app/.devcontainer/devcontainer.json", "", Some("vscode")),
            // Servers where the name does not say so: the content is believed.
            ("/src/app/.vscode/mcp.json", "mcpServers", Some("mcp-client")),
        ] {
            let text = if key.is_empty() { String::new() } else { format!("{{\"{key}\": {SERVER}}}") };
            let found = recognise(path, &text).map(|recognised| recognised.host.id);
            assert_eq!(found, expected, "{path} {key}");
        }
    }

    /// OpenCode and Crush have their servers in one place and write their commands differently.
    #[test]
    fn two_clients_with_one_place() {
        for (server, expected, env) in [
            (r#"{"type": "local", "command": ["x"]}"#, "opencode", "environment"),
            (r#"{"type": "remote", "url": "https://a.example"}"#, "opencode", "environment"),
            (r#"{"type": "stdio", "command": "x", "args": []}"#, "mcp-client", "env"),
        ] {
            let text = format!(r#"{{"mcp": {{"a": {server}}}}}"#);
            let found = recognise("/tmp/a.json", &text).map(|found| (found.host.id, found.shape.env));
            assert_eq!(found, Some((expected, env)), "{text}");
        }
    }

    #[test]
    fn a_malformed_file_keeps_its_name() {
        let found = recognise("/home/me/.cursor/mcp.json", "{").map(|recognised| recognised.host.id);
        assert_eq!(found, Some("cursor"));
        assert_eq!(recognise("/tmp/x.json", "{").map(|recognised| recognised.host.id), Some("mcp-client"));
    }
}
