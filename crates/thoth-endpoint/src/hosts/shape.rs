//! Where in a client's file the servers are, and what their fields are called.

/// How a client writes down its servers.
///
/// Whether the servers are a map or a list of tables with a `name`, whether a command is one text beside its arguments,
/// a list, or a table of its own (older Zed): that is seen in the file itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Shape {
    /// Where servers are. Several places where a client has several.
    pub servers: &'static [Servers],
    /// The field with the program.
    pub command: &'static str,
    /// The field with its arguments.
    pub args: &'static str,
    /// The field with environment variables.
    pub env: &'static str,
}

/// A table or list of servers.
#[derive(Debug, PartialEq, Eq)]
pub struct Servers {
    /// The names on the way to it. A `*` is any name, and that name is the group of what is found below.
    pub path: &'static [&'static str],
    /// Members of that table which are settings of the client, unless they look like a server.
    pub settings: &'static [&'static str],
}

const fn at(path: &'static [&'static str]) -> Servers {
    Servers { path, settings: &[] }
}

const fn shape(servers: &'static [Servers]) -> Shape {
    Shape { servers, command: "command", args: "args", env: "env" }
}

/// What Claude Desktop began and most clients took over.
pub(super) const MCP_SERVERS: Shape = shape(&[at(&["mcpServers"])]);

/// Also the user's private servers for single projects.
pub(super) const CLAUDE_CODE: Shape = shape(&[at(&["mcpServers"]), at(&["projects", "*", "mcpServers"])]);

/// Also the servers that come with installed powers.
pub(super) const KIRO: Shape = shape(&[at(&["mcpServers"]), at(&["powers", "mcpServers"])]);

pub(super) const VSCODE: Shape = shape(&[at(&["servers"])]);

/// Settings, where VS Code kept servers before they had a file of their own.
pub(super) const VSCODE_SETTINGS: Shape = shape(&[at(&["mcp", "servers"])]);

pub(super) const CODE_WORKSPACE: Shape = shape(&[at(&["settings", "mcp", "servers"])]);

pub(super) const DEVCONTAINER: Shape = shape(&[at(&["customizations", "vscode", "mcp", "servers"])]);

pub(super) const ZED: Shape = shape(&[at(&["context_servers"])]);

pub(super) const CODEX: Shape = shape(&[at(&["mcp_servers"])]);

pub(super) const GOOSE: Shape = Shape { servers: &[at(&["extensions"])], command: "cmd", args: "args", env: "envs" };

/// Where OpenCode has its servers, but with a program apart from its arguments.
pub(super) const CRUSH: Shape = shape(&[at(&["mcp"])]);

/// Version 2 moved the servers one level down and still reads the old place.
pub(super) const OPENCODE: Shape = Shape {
    servers: &[at(&["mcp", "servers"]), Servers { path: &["mcp"], settings: &["servers", "timeout"] }],
    command: "command",
    args: "args",
    env: "environment",
};
