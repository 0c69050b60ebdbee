//! Agents in a terminal.

use super::shape::{CLAUDE_CODE as CLAUDE_CODE_SHAPE, CODEX as CODEX_SHAPE, MCP_SERVERS, OPENCODE as OPENCODE_SHAPE};
use super::{Advice, BlindSpot, Host, LINUX, Location, MACOS, WINDOWS};
use crate::document::Format;
use crate::platform::Platform;

const UNIX: &[Platform] = &[Platform::Linux, Platform::MacOs];

/// Source: code.claude.com/docs/en/mcp. `.mcp.json` is read by Copilot CLI and VS Code too.
pub(super) static CLAUDE_CODE: Host = Host {
    id: "claude-code",
    name: "Claude Code",
    locations: &[
        Location::user("{env:CLAUDE_CONFIG_DIR}/.claude.json", &CLAUDE_CODE_SHAPE),
        Location::user("{home}/.claude.json", &CLAUDE_CODE_SHAPE),
        Location::project("{project}/.mcp.json", &MCP_SERVERS),
        Location::managed(LINUX, "/etc/claude-code/managed-mcp.json", &MCP_SERVERS),
        Location::managed(MACOS, "/Library/Application Support/ClaudeCode/managed-mcp.json", &MCP_SERVERS),
        Location::managed(WINDOWS, "{programs}/ClaudeCode/managed-mcp.json", &MCP_SERVERS),
    ],
    blind_spots: &[
        BlindSpot {
            what: "plugin servers",
            path: Some("{home}/.claude/plugins/cache/*/*/*/.mcp.json"),
            advice: Advice {
                reason: "the server belongs to a plugin; the next update of the plugin would undo the change",
                remedy: "disable the plugin and add its server with `claude mcp add`, or restrict servers with \
                         `allowedMcpServers`",
            },
        },
        BlindSpot {
            what: "servers given by `--mcp-config`",
            path: None,
            advice: Advice {
                reason: "such servers are named on the client's command line",
                remedy: "wrap the file that is given there: `thoth wrap-config FILE`",
            },
        },
    ],
};

/// Source: developers.openai.com/codex/mcp, /codex/config-basic and /codex/config-advanced; `NAME.config.toml` is a
/// profile.
pub(super) static CODEX: Host = Host {
    id: "codex",
    name: "Codex",
    locations: &[
        Location::user("{env:CODEX_HOME}/config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::user("{env:CODEX_HOME}/*.config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::user("{home}/.codex/config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::user("{home}/.codex/*.config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::project("{project}/.codex/config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::managed(UNIX, "/etc/codex/config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::managed(UNIX, "/etc/codex/managed_config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::managed(WINDOWS, "{programdata}/OpenAI/Codex/config.toml", &CODEX_SHAPE).format(Format::Toml),
        Location::managed(WINDOWS, "{home}/.codex/managed_config.toml", &CODEX_SHAPE).format(Format::Toml),
    ],
    blind_spots: &[],
};

/// Source: the repository's docs/tools/mcp-server.md, docs/extensions and docs/get-started/configuration.md.
pub(super) static GEMINI_CLI: Host = Host {
    id: "gemini-cli",
    name: "Gemini CLI",
    locations: &[
        Location::user("{env:GEMINI_CLI_HOME}/.gemini/settings.json", &MCP_SERVERS),
        Location::user("{home}/.gemini/settings.json", &MCP_SERVERS),
        Location::project("{project}/.gemini/settings.json", &MCP_SERVERS),
        Location::managed(&Platform::ALL, "{env:GEMINI_CLI_SYSTEM_SETTINGS_PATH}", &MCP_SERVERS),
        Location::managed(LINUX, "/etc/gemini-cli/settings.json", &MCP_SERVERS),
        Location::managed(MACOS, "/Library/Application Support/GeminiCli/settings.json", &MCP_SERVERS),
        Location::managed(WINDOWS, "{programdata}/gemini-cli/settings.json", &MCP_SERVERS),
        Location::user("{home}/.gemini/extensions/*/gemini-extension.json", &MCP_SERVERS).not_ours(Advice {
            reason: "the file belongs to an extension; the next update of the extension would undo the change",
            remedy: "give the server the same name in settings.json, which comes first, and wrap it there",
        }),
    ],
    blind_spots: &[],
};

/// Source: docs.aws.amazon.com, "MCP configuration" for the command line and for the IDE.
pub(super) static AMAZON_Q: Host = Host {
    id: "amazon-q",
    name: "Amazon Q Developer",
    locations: &[
        Location::user("{home}/.aws/amazonq/mcp.json", &MCP_SERVERS),
        Location::user("{home}/.aws/amazonq/default.json", &MCP_SERVERS),
        Location::user("{home}/.aws/amazonq/cli-agents/*.json", &MCP_SERVERS),
        Location::user("{home}/.aws/amazonq/agents/*.json", &MCP_SERVERS),
        Location::project("{project}/.amazonq/mcp.json", &MCP_SERVERS),
        Location::project("{project}/.amazonq/default.json", &MCP_SERVERS),
        Location::project("{project}/.amazonq/cli-agents/*.json", &MCP_SERVERS),
        Location::project("{project}/.amazonq/agents/*.json", &MCP_SERVERS),
    ],
    blind_spots: &[],
};

/// Source: docs.github.com, "Adding MCP servers for GitHub Copilot CLI". Versions of 2025 followed `XDG_CONFIG_HOME`.
/// The project's `.mcp.json` is listed with Claude Code.
pub(super) static COPILOT_CLI: Host = Host {
    id: "copilot-cli",
    name: "Copilot CLI",
    locations: &[
        Location::user("{env:COPILOT_HOME}/mcp-config.json", &MCP_SERVERS),
        Location::user("{home}/.copilot/mcp-config.json", &MCP_SERVERS),
        Location::user("{env:XDG_CONFIG_HOME}/.copilot/mcp-config.json", &MCP_SERVERS),
        Location::user("{env:XDG_CONFIG_HOME}/mcp-config.json", &MCP_SERVERS),
        Location::project("{project}/.github/mcp.json", &MCP_SERVERS),
    ],
    blind_spots: &[BlindSpot {
        what: "the built-in GitHub server",
        path: None,
        advice: Advice {
            reason: "it is part of the client and called over the network",
            remedy: "start the client with `--disable-builtin-mcps`, and configure the server locally if it is needed",
        },
    }],
};

/// Source: opencode.ai/docs/config and /docs/mcp-servers, and its version 2.
pub(super) static OPENCODE: Host = Host {
    id: "opencode",
    name: "OpenCode",
    locations: &[
        Location::user("{env:OPENCODE_CONFIG}", &OPENCODE_SHAPE),
        Location::user("{env:OPENCODE_CONFIG_DIR}/opencode.json", &OPENCODE_SHAPE),
        Location::user("{env:OPENCODE_CONFIG_DIR}/opencode.jsonc", &OPENCODE_SHAPE),
        Location::user("{xdg}/opencode/opencode.json", &OPENCODE_SHAPE),
        Location::user("{xdg}/opencode/opencode.jsonc", &OPENCODE_SHAPE),
        Location::user("{xdg}/opencode/config.json", &OPENCODE_SHAPE),
        Location::project("{project}/opencode.json", &OPENCODE_SHAPE),
        Location::project("{project}/opencode.jsonc", &OPENCODE_SHAPE),
        Location::project("{project}/.opencode/opencode.json", &OPENCODE_SHAPE),
        Location::project("{project}/.opencode/opencode.jsonc", &OPENCODE_SHAPE),
        Location::managed(LINUX, "/etc/opencode/opencode.json", &OPENCODE_SHAPE),
        Location::managed(MACOS, "/Library/Application Support/opencode/opencode.json", &OPENCODE_SHAPE),
        Location::managed(WINDOWS, "{programdata}/opencode/opencode.json", &OPENCODE_SHAPE),
    ],
    blind_spots: &[BlindSpot {
        what: "servers of an organisation",
        path: None,
        advice: Advice {
            reason: "an organisation's defaults are fetched from its site at every start",
            remedy: "give the server the same name in opencode.json, which comes first, and wrap it there",
        },
    }],
};
