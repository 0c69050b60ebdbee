//! The MCP clients that we know: where each keeps its servers, how the file is written, and what it has that no file
//! can govern.
//!
//! One table, as data. A path is a template: `{home}/.cursor/mcp.json`; see [`Location::path`]. Sources are the
//! clients' own documentation, read in November 2026; where versions or descriptions differ, all places are listed,
//! since a file that does not exist costs nothing.

mod applications;
mod editors;
mod path;
mod recognise;
mod reference;
mod shape;
mod terminals;

pub use recognise::{Recognised, recognise};
pub use reference::reference;
pub use shape::{Servers, Shape};

use crate::document::Format;
use crate::platform::{Environment, Platform};

/// A program that starts MCP servers.
#[derive(Debug, PartialEq, Eq)]
pub struct Host {
    /// Stable name: what `--host` takes, and the agent id that its servers get by default.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Files that hold servers.
    pub locations: &'static [Location],
    /// Servers that it can have and that none of those files governs.
    pub blind_spots: &'static [BlindSpot],
}

/// All clients, in the order in which they are listed to people.
pub const HOSTS: [&Host; 17] = [
    &applications::CLAUDE_DESKTOP,
    &terminals::CLAUDE_CODE,
    &editors::CURSOR,
    &editors::VSCODE,
    &editors::WINDSURF,
    &editors::ZED,
    &terminals::CODEX,
    &terminals::GEMINI_CLI,
    &editors::CLINE,
    &editors::CONTINUE,
    &editors::JUNIE,
    &applications::LM_STUDIO,
    &applications::GOOSE,
    &terminals::AMAZON_Q,
    &editors::KIRO,
    &terminals::COPILOT_CLI,
    &terminals::OPENCODE,
];

/// Stands for the client of a file whose client we do not know, as long as the file is written as most are.
pub const OTHER: Host = Host { id: "mcp-client", name: "MCP client", locations: &[], blind_spots: &[] };

/// The client with this id.
#[must_use]
pub fn host(id: &str) -> Option<&'static Host> {
    HOSTS.into_iter().find(|host| host.id == id)
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The user's own, for all projects. Claude Code keeps each project's private servers in it too: those entries have
    /// a [group](crate::entry::Entry::group).
    User,
    /// Part of a project, shared with everybody who works on it.
    Project,
    /// Put there by an administrator.
    Managed,
}

impl Scope {
    /// As in documented values: `user`, `project`, `managed`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Managed => "managed",
        }
    }
}

/// Why something is not governed, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// Why: completes "not governed: …".
    pub reason: &'static str,
    /// What to do: a sentence in the imperative.
    pub remedy: &'static str,
}

/// A file, or files, that a client reads servers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The platforms that have it.
    pub platforms: &'static [Platform],
    /// Whose file it is.
    pub scope: Scope,
    /// A path with `/`, which begins with `/` or with one of `{home}`, `{project}`, `{config}` (where applications keep
    /// their settings: `~/.config`, `~/Library/Application Support`, `%APPDATA%`), `{xdg}` (`~/.config` everywhere),
    /// `{local}` (`%LOCALAPPDATA%`), `{programs}`, `{programdata}`, or `{env:NAME}` (only where that variable is set). A
    /// `*` stands for any text within one component, and there is one per component at most.
    pub path: &'static str,
    /// How it is written.
    pub format: Format,
    /// Where in it the servers are.
    pub shape: &'static Shape,
    /// Set where the file is not ours to change unless somebody names it: why, and what to do instead.
    pub not_ours: Option<Advice>,
}

impl Location {
    const fn new(scope: Scope, path: &'static str, format: Format, shape: &'static Shape) -> Self {
        Self { platforms: &Platform::ALL, scope, path, format, shape, not_ours: None }
    }

    const fn user(path: &'static str, shape: &'static Shape) -> Self {
        Self::new(Scope::User, path, Format::Json, shape)
    }

    const fn project(path: &'static str, shape: &'static Shape) -> Self {
        Self::new(Scope::Project, path, Format::Json, shape)
    }

    /// An administrator's file, on one platform.
    const fn managed(on: &'static [Platform], path: &'static str, shape: &'static Shape) -> Self {
        Self::new(Scope::Managed, path, Format::Json, shape).on(on).not_ours(MANAGED)
    }

    const fn on(self, platforms: &'static [Platform]) -> Self {
        Self { platforms, ..self }
    }

    const fn format(self, format: Format) -> Self {
        Self { format, ..self }
    }

    const fn not_ours(self, advice: Advice) -> Self {
        Self { not_ours: Some(advice), ..self }
    }
}

const MANAGED: Advice = Advice {
    reason: "the file belongs to the administrator of this machine",
    remedy: "wrap the file where it is distributed from: `thoth wrap-config FILE`",
};

const LINUX: &[Platform] = &[Platform::Linux];
const MACOS: &[Platform] = &[Platform::MacOs];
const WINDOWS: &[Platform] = &[Platform::Windows];

/// Servers that a client can have and that no file of ours governs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlindSpot {
    /// What they are, in the plural: `desktop extensions`.
    pub what: &'static str,
    /// A path template as in [`Location::path`]; each file that matches is one of them. Without, they leave no trace on
    /// this machine, and wherever the client is, they may be too.
    pub path: Option<&'static str>,
    /// Why they are not governed, and what to do.
    pub advice: Advice,
}

/// A machine, as far as paths depend on it.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    /// Whose path rules hold.
    pub platform: Platform,
    /// The user's home directory, absolute.
    pub home: &'a str,
    /// The directory of the project, absolute, if there is one.
    pub project: Option<&'a str>,
    /// Variables that move files.
    pub environment: &'a Environment,
}

/// Where a client may keep servers on a given machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The client.
    pub host: &'static Host,
    /// Its place in the table.
    pub location: &'static Location,
    /// The full path; `*` stands for any text within one component.
    pub pattern: String,
}

/// All places where the clients keep servers on this machine, each path once, in the order of the table.
#[must_use]
pub fn locate(places: &Places<'_>) -> Vec<Candidate> {
    let mut candidates: Vec<Candidate> = Vec::new();
    for host in HOSTS {
        for location in host.locations {
            if !location.platforms.contains(&places.platform) {
                continue;
            }
            let Some(pattern) = path::expand(location.path, places) else { continue };
            if candidates.iter().all(|candidate| candidate.pattern != pattern) {
                candidates.push(Candidate { host, location, pattern });
            }
        }
    }
    candidates
}

/// The path template of a blind spot on this machine; nothing where it has none there.
#[must_use]
pub fn locate_blind_spot(spot: &BlindSpot, places: &Places<'_>) -> Option<String> {
    path::expand(spot.path?, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are unique, templates expand, and no component has more than one star.
    #[test]
    fn the_table_is_sound() {
        let environment = Environment::default();
        for (index, host) in HOSTS.into_iter().enumerate() {
            assert!(HOSTS.into_iter().skip(index + 1).all(|other| other.id != host.id), "{}", host.id);
            assert!(!host.locations.is_empty(), "{}", host.id);
            let blind = host.blind_spots.iter().filter_map(|spot| spot.path);
            for template in host.locations.iter().map(|location| location.path).chain(blind) {
                assert!(template.split('/').all(|part| part.matches('*').count() <= 1), "{template}");
                assert!(!template.contains('\\') && !template.ends_with('/'), "{template}");
                let places = Places {
                    platform: Platform::Windows,
                    home: r"C:\Users\me",
                    project: Some(r"C:\p"),
                    environment: &environment,
                };
                assert_eq!(path::expand(template, &places).is_none(), template.starts_with("{env:"), "{template}");
            }
            for location in host.locations {
                assert!(!location.platforms.is_empty() && !location.shape.servers.is_empty(), "{}", location.path);
            }
        }
    }

    fn listed(platform: Platform, home: &str, project: Option<&str>, variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let environment = Environment::new(platform, variables);
        let places = Places { platform, home, project, environment: &environment };
        let mut text = String::new();
        for Candidate { host, location, pattern } in locate(&places) {
            let lock = if location.not_ours.is_some() { "read only" } else { "" };
            text += &format!("{:14} {:7} {:9} {pattern}\n", host.id, location.scope.as_str(), lock);
        }
        text
    }

    /// What is looked at on each platform, as a list that can be reviewed against the clients' documentation.
    #[test]
    fn candidates() {
        insta::assert_snapshot!("linux", listed(Platform::Linux, "/home/me", Some("/src/app"), &[]));
        insta::assert_snapshot!("macos", listed(Platform::MacOs, "/Users/me", None, &[]));
        let windows = [("appdata", r"D:\Roaming"), ("LOCALAPPDATA", r"D:\Local")];
        insta::assert_snapshot!("windows", listed(Platform::Windows, r"C:\Users\me", None, &windows));
    }

    #[test]
    fn variables_move_files() {
        let moved = [
            ("XDG_CONFIG_HOME", "/xdg"),
            ("CODEX_HOME", "/codex"),
            ("CLINE_DIR", "relative"),
            ("CLAUDE_CONFIG_DIR", "/claude/"),
        ];
        let text = listed(Platform::Linux, "/home/me", None, &moved);
        for path in ["/xdg/Claude/claude_desktop_config.json", "/codex/config.toml", "/claude/.claude.json"] {
            assert!(text.contains(&format!(" {path}\n")), "{path}\n{text}");
        }
        assert!(!text.contains("relative"), "{text}");
    }
}
