//! Editors, and agents that live in them.

use super::shape::{
    DEVCONTAINER, KIRO as KIRO_SHAPE, MCP_SERVERS, VSCODE as VSCODE_SHAPE, VSCODE_SETTINGS, ZED as ZED_SHAPE,
};
use super::{Advice, BlindSpot, Host, LINUX, Location, MACOS, WINDOWS};
use crate::document::Format;

/// Source: cursor.com/docs/context/mcp.
pub(super) static CURSOR: Host = Host {
    id: "cursor",
    name: "Cursor",
    locations: &[
        Location::user("{home}/.cursor/mcp.json", &MCP_SERVERS),
        Location::project("{project}/.cursor/mcp.json", &MCP_SERVERS),
    ],
    blind_spots: &[],
};

const IN_CONTAINER: Advice = Advice {
    reason: "its servers are started inside the container, where Thoth may not be installed",
    remedy: "install Thoth in the container's image, then wrap this file by name: `thoth wrap-config FILE`",
};

/// Source: code.visualstudio.com/docs, "MCP configuration reference" and "Add MCP servers". Remote folders are those of
/// the server part, when this machine is the remote one.
pub(super) static VSCODE: Host = Host {
    id: "vscode",
    name: "VS Code",
    locations: &[
        Location::user("{config}/Code/User/mcp.json", &VSCODE_SHAPE),
        Location::user("{config}/Code/User/profiles/*/mcp.json", &VSCODE_SHAPE),
        Location::user("{config}/Code/User/settings.json", &VSCODE_SETTINGS),
        Location::user("{config}/Code - Insiders/User/mcp.json", &VSCODE_SHAPE),
        Location::user("{config}/Code - Insiders/User/profiles/*/mcp.json", &VSCODE_SHAPE),
        Location::user("{config}/VSCodium/User/mcp.json", &VSCODE_SHAPE),
        Location::user("{config}/VSCodium/User/profiles/*/mcp.json", &VSCODE_SHAPE),
        Location::user("{home}/.vscode-server/data/User/mcp.json", &VSCODE_SHAPE),
        Location::user("{home}/.vscode-server/data/Machine/mcp.json", &VSCODE_SHAPE),
        Location::project("{project}/.vscode/mcp.json", &VSCODE_SHAPE),
        Location::project("{project}/.vscode/settings.json", &VSCODE_SETTINGS),
        Location::project("{project}/.devcontainer/devcontainer.json", &DEVCONTAINER).not_ours(IN_CONTAINER),
        Location::project("{project}/.devcontainer/*/devcontainer.json", &DEVCONTAINER).not_ours(IN_CONTAINER),
        Location::project("{project}/.devcontainer.json", &DEVCONTAINER).not_ours(IN_CONTAINER),
    ],
    blind_spots: &[BlindSpot {
        what: "servers of editor extensions",
        path: None,
        advice: Advice {
            reason: "an extension registers its servers by program",
            remedy: "see `MCP: List Servers`; disable those, or restrict servers with the setting `chat.mcp.access`",
        },
    }],
};

/// Source: docs.windsurf.com/windsurf/cascade/mcp; the last is the plugin's for JetBrains.
pub(super) static WINDSURF: Host = Host {
    id: "windsurf",
    name: "Windsurf",
    locations: &[
        Location::user("{home}/.codeium/windsurf/mcp_config.json", &MCP_SERVERS),
        Location::user("{home}/.codeium/windsurf-next/mcp_config.json", &MCP_SERVERS),
        Location::user("{home}/.codeium/mcp_config.json", &MCP_SERVERS),
    ],
    blind_spots: &[],
};

/// Source: zed.dev/docs/ai/mcp and /docs/configuring-zed.
pub(super) static ZED: Host = Host {
    id: "zed",
    name: "Zed",
    locations: &[
        Location::user("{xdg}/zed/settings.json", &ZED_SHAPE).on(LINUX),
        Location::user("{xdg}/zed/settings.json", &ZED_SHAPE).on(MACOS),
        Location::user("{config}/Zed/settings.json", &ZED_SHAPE).on(MACOS),
        Location::user("{config}/Zed/settings.json", &ZED_SHAPE).on(WINDOWS),
        Location::project("{project}/.zed/settings.json", &ZED_SHAPE),
    ],
    blind_spots: &[],
};

/// Source: docs.cline.bot, "Config" and "MCP overview". The first of the unnamed folders is any editor that is built
/// from VS Code.
pub(super) static CLINE: Host = Host {
    id: "cline",
    name: "Cline",
    locations: &[
        Location::user("{env:CLINE_MCP_SETTINGS_PATH}", &MCP_SERVERS),
        Location::user("{env:CLINE_DATA_DIR}/settings/cline_mcp_settings.json", &MCP_SERVERS),
        Location::user("{env:CLINE_DIR}/data/settings/cline_mcp_settings.json", &MCP_SERVERS),
        Location::user("{home}/.cline/data/settings/cline_mcp_settings.json", &MCP_SERVERS),
        Location::user(
            "{config}/*/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            &MCP_SERVERS,
        ),
        Location::user(
            "{home}/.vscode-server/data/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json",
            &MCP_SERVERS,
        ),
    ],
    blind_spots: &[],
};

/// Source: docs.continue.dev/customize/deep-dives/mcp and /reference. JSON files are copies of other clients' files.
pub(super) static CONTINUE: Host = Host {
    id: "continue",
    name: "Continue",
    locations: &[
        Location::user("{env:CONTINUE_GLOBAL_DIR}/config.yaml", &MCP_SERVERS).format(Format::Yaml),
        Location::user("{home}/.continue/config.yaml", &MCP_SERVERS).format(Format::Yaml),
        Location::user("{home}/.continue/mcpServers/*.yaml", &MCP_SERVERS).format(Format::Yaml),
        Location::user("{home}/.continue/mcpServers/*.yml", &MCP_SERVERS).format(Format::Yaml),
        Location::user("{home}/.continue/mcpServers/*.json", &MCP_SERVERS),
        Location::project("{project}/.continue/mcpServers/*.yaml", &MCP_SERVERS).format(Format::Yaml),
        Location::project("{project}/.continue/mcpServers/*.yml", &MCP_SERVERS).format(Format::Yaml),
        Location::project("{project}/.continue/mcpServers/*.json", &MCP_SERVERS),
    ],
    blind_spots: &[BlindSpot {
        what: "servers in config.json",
        path: Some("{home}/.continue/config.json"),
        advice: Advice {
            reason: "the old `config.json` keeps servers under `experimental`, which is not wrapped",
            remedy: "move them to config.yaml, which replaces that file, and wrap again",
        },
    }],
};

/// Source: junie.jetbrains.com/docs, "MCP configuration".
pub(super) static JUNIE: Host = Host {
    id: "junie",
    name: "JetBrains Junie",
    locations: &[
        Location::user("{home}/.junie/mcp/mcp.json", &MCP_SERVERS),
        Location::project("{project}/.junie/mcp/mcp.json", &MCP_SERVERS),
    ],
    blind_spots: &[BlindSpot {
        what: "servers of AI Assistant",
        path: None,
        advice: Advice {
            reason: "the IDE keeps them in settings of its own",
            remedy: "put `thoth run --` before the command in Settings > Tools > AI Assistant > MCP",
        },
    }],
};

/// Source: kiro.dev/docs/mcp/configuration and /docs/custom-agents/configuration-reference.
pub(super) static KIRO: Host = Host {
    id: "kiro",
    name: "Kiro",
    locations: &[
        Location::user("{home}/.kiro/settings/mcp.json", &KIRO_SHAPE),
        Location::user("{home}/.kiro/agents/*.json", &MCP_SERVERS),
        Location::project("{project}/.kiro/settings/mcp.json", &KIRO_SHAPE),
        Location::project("{project}/.kiro/agents/*.json", &MCP_SERVERS),
    ],
    blind_spots: &[],
};
