//! The MCP clients on this machine: their files, and the servers that no file of theirs governs.

mod pattern;
mod trust;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use thoth_endpoint::document::{Document, Format, Value};
use thoth_endpoint::entry;
use thoth_endpoint::hosts::{self, Advice, BlindSpot, HOSTS, Host, Places, Scope, Shape};
use thoth_endpoint::platform::{Environment, Platform};
use thoth_endpoint::program::desktop_environment;

use thoth_shell::config_file::{self, FileProblem};
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;

/// How many projects of Claude Code's list are looked at.
const MAX_PROJECTS: usize = 1000;

/// This machine, as far as files of clients depend on it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) platform: Platform,
    pub(crate) home: String,
    pub(crate) environment: Environment,
    /// The current directory, unless it is gone.
    directory: Option<PathBuf>,
}

/// A file in which a client keeps servers.
#[derive(Debug, Clone)]
pub(crate) struct ClientFile {
    pub(crate) host: &'static Host,
    /// Whose it is, where that is known.
    pub(crate) scope: Option<Scope>,
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    pub(crate) shape: &'static Shape,
    /// Why it is not changed, if it is not.
    pub(crate) not_ours: Option<Advice>,
    /// The root of the project that it came with, if it is not the user's own.
    pub(crate) project: Option<PathBuf>,
}

/// Servers that a client has or may have, and that no file governs.
#[derive(Debug)]
pub(crate) struct Ungoverned {
    pub(crate) host: &'static Host,
    /// What they are, in the plural.
    pub(crate) what: &'static str,
    /// What shows them; nothing where they leave no trace.
    pub(crate) path: Option<PathBuf>,
    pub(crate) advice: Advice,
}

/// How far to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The user's own files, and those of the project of the current directory.
    Here,
    /// Also those of every project that Claude Code has been used in.
    AllProjects,
}

impl Machine {
    pub(crate) fn here() -> Result<Self, Failure> {
        let platform = Platform::current();
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        let home = home.and_then(|home| home.into_os_string().into_string().ok());
        let text = |variable: (std::ffi::OsString, std::ffi::OsString)| {
            variable.0.into_string().ok().zip(variable.1.into_string().ok())
        };
        Ok(Self {
            platform,
            home: home.ok_or_else(|| {
                Failure::failed("there is no home directory in which clients could keep their files")
                    .hint("set HOME, or name a file")
            })?,
            environment: Environment::new(platform, std::env::vars_os().filter_map(text)),
            directory: std::env::current_dir().ok(),
        })
    }

    /// All files of clients that exist, in the order of the table of clients.
    pub(crate) fn files(&self, reach: Reach) -> Vec<ClientFile> {
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        let mut look = |project: Option<&str>| {
            let root = project.and_then(|project| self.project_root(Path::new(project)));
            for candidate in hosts::locate(&self.places(project)) {
                for path in pattern::existing(&candidate.pattern, candidate.location.path) {
                    let identity = path.canonicalize().unwrap_or_else(|_| path.clone());
                    if !path.is_dir() && seen.insert(identity) {
                        let location = candidate.location;
                        files.push(ClientFile {
                            host: candidate.host,
                            scope: Some(location.scope),
                            path,
                            format: location.format,
                            shape: location.shape,
                            not_ours: location.not_ours,
                            project: root.clone().filter(|_| location.path.starts_with("{project}")),
                        });
                    }
                }
            }
        };
        look(None);
        for project in self.projects(reach) {
            look(Some(&project));
        }
        files.sort_by_key(|file| HOSTS.iter().position(|host| host.id == file.host.id));
        files
    }

    /// What the clients of these files have, or may have, that none of the files governs.
    pub(crate) fn ungoverned(&self, files: &[ClientFile]) -> Vec<Ungoverned> {
        let mut found = Vec::new();
        let projects = self.projects(Reach::Here);
        for host in HOSTS {
            let is_here = files.iter().any(|file| file.host.id == host.id);
            for spot in host.blind_spots {
                let one = |path| Ungoverned { host, what: spot.what, path, advice: spot.advice };
                if spot.path.is_some() {
                    found.extend(self.traces(spot, &projects).into_iter().map(|path| one(Some(path))));
                } else if is_here {
                    found.push(one(None));
                }
            }
        }
        found
    }

    fn traces(&self, spot: &BlindSpot, projects: &[String]) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for project in std::iter::once(None).chain(projects.iter().map(|project| Some(project.as_str()))) {
            let pattern = hosts::locate_blind_spot(spot, &self.places(project)).zip(spot.path);
            for path in pattern.iter().flat_map(|(pattern, template)| pattern::existing(pattern, template)) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        paths
    }

    /// A file that somebody names; `host` says whose it is, where the file alone does not.
    pub(crate) fn named(&self, path: &Path, host: Option<&'static Host>) -> Result<ClientFile, FileProblem> {
        let found = config_file::read(path)?;
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let identity = path.canonicalize().ok();
        let same = |file: &ClientFile| {
            file.path.canonicalize().ok() == identity && host.is_none_or(|host| host.id == file.host.id)
        };
        if let Some(known) = self.files(Reach::AllProjects).into_iter().find(same) {
            return Ok(ClientFile { path: path.to_path_buf(), not_ours: None, ..known });
        }
        let text = String::from_utf8_lossy(found.bytes());
        let recognised = match host {
            None => hosts::recognise(&absolute.to_string_lossy(), &text)
                .map(|known| (known.host, known.shape, known.format)),
            Some(host) => of_host(host, path, found.bytes()),
        };
        let Some((host, shape, format)) = recognised else {
            return Err(FileProblem::new(format!("cannot tell which client `{}` belongs to", path.display()))
                .hint(format_args!("say whose it is with --host: {}", known_hosts())));
        };
        Ok(ClientFile {
            host,
            scope: None,
            path: path.to_path_buf(),
            format,
            shape,
            not_ours: None,
            project: self.project_around(&absolute),
        })
    }

    /// A path for people: short, and harmless to a terminal.
    pub(crate) fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.home) {
            Ok(rest) if !rest.as_os_str().is_empty() => harmless_text(&format!("~/{}", rest.display())),
            _ => harmless_text(&path.display().to_string()),
        }
    }

    /// Whether a program of an entry is not there to be started. Where it is looked for among more than the standard
    /// places, this process's own `PATH` stands for those.
    pub(crate) fn lost(&self, program: &str) -> bool {
        // A variable of the client's.
        if program.contains('$') || program.starts_with('~') {
            return false;
        }
        if program.contains('/') {
            return !is_executable(Path::new(program));
        }
        let desktop = desktop_environment(self.platform, &self.environment);
        let paths = [self.environment.get("PATH"), desktop.get("PATH")];
        let directories = paths.into_iter().flatten().flat_map(|path| path.split(self.platform.path_list_separator()));
        let mut candidates = directories.map(|directory| Path::new(directory).join(program));
        !candidates.any(|path| path.is_absolute() && is_executable(&path))
    }

    const fn places<'a>(&'a self, project: Option<&'a str>) -> Places<'a> {
        Places { platform: self.platform, home: self.home.as_str(), project, environment: &self.environment }
    }

    /// Directories of projects: the current one, those around it up to the root of its repository, and, reaching
    /// further, those in Claude Code's list.
    fn projects(&self, reach: Reach) -> Vec<String> {
        let mut projects: Vec<String> = Vec::new();
        let mut add = |path: &Path| {
            if let Some(path) = path.to_str().filter(|path| !projects.iter().any(|known| known == path)) {
                projects.push(path.to_owned());
            }
        };
        if let Some(directory) = &self.directory {
            let root = directory.ancestors().position(|path| path.join(".git").exists()).unwrap_or_default();
            directory.ancestors().take(root + 1).for_each(&mut add);
        }
        if reach == Reach::AllProjects {
            self.claude_projects().iter().filter(|path| path.is_dir()).for_each(|path| add(path));
        }
        projects
    }

    /// The projects that Claude Code has been used in. A file that cannot be read names none; it is complained about
    /// elsewhere.
    fn claude_projects(&self) -> Vec<PathBuf> {
        let candidates = hosts::locate(&self.places(None));
        let lists = candidates.iter().filter(|one| one.host.id == "claude-code" && one.location.scope == Scope::User);
        let mut projects = Vec::new();
        for path in lists.flat_map(|candidate| pattern::existing(&candidate.pattern, candidate.location.path)) {
            let Ok(found) = config_file::read(&path) else { continue };
            let Ok(document) = Document::parse(Format::Json, found.bytes()) else { continue };
            if let Some(Value::Map(members)) = document.root().get("projects").map(|node| &node.value) {
                projects
                    .extend(members.iter().map(|member| PathBuf::from(&member.key)).filter(|path| path.is_absolute()));
            }
        }
        projects.truncate(MAX_PROJECTS);
        projects
    }
}

/// How a client would write this file: the first of its ways in which there are servers in it, or else the first.
fn of_host(host: &'static Host, path: &Path, bytes: &[u8]) -> Option<(&'static Host, &'static Shape, Format)> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let fits = |format: Format| match ending.to_ascii_lowercase().as_str() {
        "toml" => format == Format::Toml,
        "yaml" | "yml" => format == Format::Yaml,
        "json" | "jsonc" => format == Format::Json,
        _ => true,
    };
    let ways = || host.locations.iter().filter(|location| fits(location.format));
    let has_servers = |location: &&hosts::Location| {
        Document::parse(location.format, bytes)
            .is_ok_and(|document| !entry::entries(&document, location.shape).is_empty())
    };
    let way = ways().find(has_servers).or_else(|| ways().next())?;
    Some((host, way.shape, way.format))
}

/// Whether a file is one that this user can start.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The ids of all clients.
pub(crate) fn known_hosts() -> String {
    HOSTS.map(|host| host.id).join(", ")
}

/// Reads a client's file into a document; what is wrong with it is said with file, line and column.
pub(crate) fn parse(file: &ClientFile, bytes: &[u8]) -> Result<Document, FileProblem> {
    Document::parse(file.format, bytes).map_err(|error| {
        let path = file.path.display();
        let problem = match error.place() {
            Some(place) => FileProblem::new(format!("{path}:{place}: {}", error.message())).at(place),
            None => FileProblem::new(format!("{path}: {}", error.message())),
        };
        problem.hint("correct the file, then run this again")
    })
}
