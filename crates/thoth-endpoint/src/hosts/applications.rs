//! Desktop applications.

use super::shape::{GOOSE as GOOSE_SHAPE, MCP_SERVERS};
use super::{Advice, BlindSpot, Host, LINUX, Location, MACOS, WINDOWS};
use crate::document::Format;
use crate::platform::Platform;

const EXTENSION: Advice = Advice {
    reason: "a desktop extension is started from its own bundle, and the application checks the bundle's digest",
    remedy: "remove the extension and configure its server in claude_desktop_config.json, or block extensions by policy",
};

/// Source: modelcontextprotocol.io, "Connect to local servers"; support.claude.com on desktop extensions. The Store
/// package's files are redirected below `%LOCALAPPDATA%`.
pub(super) static CLAUDE_DESKTOP: Host = Host {
    id: "claude-desktop",
    name: "Claude Desktop",
    locations: &[
        Location::user("{config}/Claude/claude_desktop_config.json", &MCP_SERVERS),
        Location::user("{local}/Packages/Claude_*/LocalCache/Roaming/Claude/claude_desktop_config.json", &MCP_SERVERS)
            .on(WINDOWS),
    ],
    blind_spots: &[
        BlindSpot {
            what: "desktop extensions",
            path: Some("{config}/Claude/Claude Extensions/*/manifest.json"),
            advice: EXTENSION,
        },
        BlindSpot {
            what: "connectors",
            path: None,
            advice: Advice {
                reason: "connectors are called from the vendor's cloud and never pass this machine",
                remedy: "register the address of a governed gateway as the connector",
            },
        },
    ],
};

/// Source: lmstudio.ai/docs/app/mcp; lmstudio-bug-tracker issue 1371 for the second place.
pub(super) static LM_STUDIO: Host = Host {
    id: "lm-studio",
    name: "LM Studio",
    locations: &[
        Location::user("{home}/.lmstudio/mcp.json", &MCP_SERVERS),
        Location::user("{home}/.cache/lm-studio/mcp.json", &MCP_SERVERS).on(&[Platform::Linux, Platform::MacOs]),
    ],
    blind_spots: &[],
};

/// Source: block.github.io/goose, "Configuration Overview".
pub(super) static GOOSE: Host = Host {
    id: "goose",
    name: "Goose",
    locations: &[
        Location::user("{env:GOOSE_PATH_ROOT}/config/config.yaml", &GOOSE_SHAPE).format(Format::Yaml),
        Location::user("{xdg}/goose/config.yaml", &GOOSE_SHAPE).on(LINUX).format(Format::Yaml),
        Location::user("{xdg}/goose/config.yaml", &GOOSE_SHAPE).on(MACOS).format(Format::Yaml),
        Location::user("{config}/Block/goose/config/config.yaml", &GOOSE_SHAPE).on(WINDOWS).format(Format::Yaml),
        Location::project("{project}/.goose/config.yaml", &GOOSE_SHAPE).format(Format::Yaml),
    ],
    blind_spots: &[],
};
