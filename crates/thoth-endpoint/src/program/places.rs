//! Where programs are looked for.

use std::cmp::Reverse;

use super::Probe;
use super::paths;
use crate::platform::{Environment, Platform};

/// Most entries of a directory of installed versions that are looked at.
const MAX_VERSIONS: usize = 64;

/// Why a directory is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// `PATH` names it.
    Path,
    /// Programs are usually installed there.
    WellKnown,
}

/// One directory to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its full path.
    pub directory: String,
    /// Why it is searched.
    pub origin: Origin,
}

/// All directories to search, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Each directory once.
    pub searched: Vec<Place>,
    /// Entries of `PATH` that are not searched because they are empty or relative, as they stand there.
    pub skipped: Vec<String>,
}

/// A usual directory: the variable that it begins with, if any, and the rest, in which one `*` stands for the newest of
/// the versions there, then the next.
type Usual = (&'static str, &'static str);

/// The first four are the documented ones. Of the rest, each is the default place of a package or version manager, and
/// each can be written to by the user or an administrator only; places that other users could create are left out.
/// Shims that ask their manager at every start come last.
const UNIX: &[Usual] = &[
    ("", "/usr/local/bin"),
    ("", "/opt/homebrew/bin"),
    ("", "/usr/bin"),
    ("", "/bin"),
    ("HOME", "/.local/bin"),
    ("HOME", "/.cargo/bin"),
    ("HOME", "/.volta/bin"),
    ("HOME", "/.local/share/fnm/aliases/default/bin"),
    ("HOME", "/Library/Application Support/fnm/aliases/default/bin"),
    ("HOME", "/.fnm/aliases/default/bin"),
    ("HOME", "/.nvm/versions/node/*/bin"),
    ("HOME", "/.npm-global/bin"),
    ("HOME", "/.bun/bin"),
    ("HOME", "/.deno/bin"),
    ("HOME", "/go/bin"),
    ("HOME", "/.docker/bin"),
    ("HOME", "/.nix-profile/bin"),
    ("", "/nix/var/nix/profiles/default/bin"),
    ("", "/run/current-system/sw/bin"),
    ("HOME", "/.local/share/mise/shims"),
    ("HOME", "/.asdf/shims"),
    ("HOME", "/.nodenv/shims"),
    ("HOME", "/.pyenv/shims"),
];

/// As [`UNIX`], on Linux alone.
const LINUX: &[Usual] = &[("", "/snap/bin"), ("", "/home/linuxbrew/.linuxbrew/bin"), ("HOME", "/.local/share/pnpm")];

/// As [`UNIX`], on macOS alone.
const MACOS: &[Usual] =
    &[("", "/opt/local/bin"), ("", "/Applications/Docker.app/Contents/Resources/bin"), ("HOME", "/Library/pnpm")];

/// As [`UNIX`]. `%ProgramData%` is absent on purpose: every user can create directories in it.
const WINDOWS: &[Usual] = &[
    ("ProgramFiles", ""),
    ("ProgramFiles(x86)", ""),
    ("LocalAppData", ""),
    ("SystemRoot", r"\System32"),
    ("ProgramFiles", r"\nodejs"),
    ("AppData", r"\npm"),
    ("UserProfile", r"\.local\bin"),
    ("UserProfile", r"\.cargo\bin"),
    ("ProgramFiles", r"\Volta"),
    ("LocalAppData", r"\Volta\bin"),
    ("AppData", r"\fnm\aliases\default"),
    ("AppData", r"\nvm\*"),
    ("LocalAppData", r"\nvm\*"),
    ("LocalAppData", r"\pnpm"),
    ("UserProfile", r"\.bun\bin"),
    ("UserProfile", r"\.deno\bin"),
    ("UserProfile", r"\go\bin"),
    ("LocalAppData", r"\Microsoft\WinGet\Links"),
    ("LocalAppData", r"\Programs\Python\Launcher"),
    ("ProgramFiles", r"\Docker\Docker\resources\bin"),
    ("UserProfile", r"\scoop\shims"),
    ("LocalAppData", r"\mise\shims"),
];

/// Where a Windows base directory is when its variable is not set, from another that may be: the environment that the
/// MCP SDKs give a server lacks some of them.
const WINDOWS_DEFAULTS: &[(&str, &str, &str)] = &[
    ("ProgramFiles", "SystemDrive", r"\Program Files"),
    ("ProgramFiles(x86)", "SystemDrive", r"\Program Files (x86)"),
    ("SystemRoot", "SystemDrive", r"\Windows"),
    ("LocalAppData", "UserProfile", r"\AppData\Local"),
    ("AppData", "UserProfile", r"\AppData\Roaming"),
];

/// Where programs are looked for under an environment.
#[must_use]
pub fn places(platform: Platform, environment: &Environment, probe: &dyn Probe) -> Places {
    let mut places = Places::default();
    for entry in path_entries(platform, environment.get("PATH").unwrap_or_default()) {
        if paths::is_absolute(platform, &entry) {
            places.add(platform, &entry, Origin::Path);
        } else {
            places.skipped.push(entry);
        }
    }
    let (first, then) = match platform {
        Platform::Linux => (UNIX, LINUX),
        Platform::MacOs => (UNIX, MACOS),
        Platform::Windows => (WINDOWS, [].as_slice()),
    };
    for (variable, rest) in first.iter().chain(then) {
        let Some(base) = base(platform, environment, variable) else { continue };
        match rest.split_once('*') {
            None => places.add(platform, &format!("{base}{rest}"), Origin::WellKnown),
            Some((before, after)) => {
                let parent = format!("{base}{before}");
                for version in newest_first(probe.list(paths::trimmed(platform, &parent))) {
                    places.add(platform, &format!("{parent}{version}{after}"), Origin::WellKnown);
                }
            }
        }
    }
    places
}

impl Places {
    fn add(&mut self, platform: Platform, directory: &str, origin: Origin) {
        if !self.searched.iter().any(|known| paths::same(platform, &known.directory, directory)) {
            self.searched.push(Place { directory: directory.to_owned(), origin });
        }
    }

    /// The directory as it is written here, if it is a usual one and `PATH` does not have it.
    pub(super) fn well_known_outside_path(&self, platform: Platform, directory: &str) -> Option<String> {
        let known = self.searched.iter().find(|place| paths::same(platform, &place.directory, directory))?;
        (known.origin == Origin::WellKnown).then(|| known.directory.clone())
    }
}

/// The environment in which a host started from the desktop runs the same user's servers. Its `PATH` is the part of
/// this one that no shell start-up file has a hand in.
#[must_use]
pub fn desktop_environment(platform: Platform, environment: &Environment) -> Environment {
    let path = match platform {
        // Graphical programs get the full one, which the registry holds.
        Platform::Windows => return environment.clone(),
        Platform::MacOs => "/usr/bin:/bin:/usr/sbin:/sbin",
        Platform::Linux => "/usr/bin:/bin",
    };
    let others = environment.iter().filter(|(name, _)| *name != "PATH");
    let variables = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Environment::new(platform, variables.chain([("PATH".to_owned(), path.to_owned())]))
}

/// The entries of `PATH`. On Windows an entry may stand in quotes, which then hide a `;`.
fn path_entries(platform: Platform, path: &str) -> Vec<String> {
    let mut entries = Vec::new();
    if path.is_empty() {
        return entries;
    }
    let mut entry = String::new();
    let mut quoted = false;
    for c in path.chars() {
        match c {
            '"' if platform == Platform::Windows => quoted = !quoted,
            c if c == platform.path_list_separator() && !quoted => entries.push(std::mem::take(&mut entry)),
            c => entry.push(c),
        }
    }
    entries.push(entry);
    entries
}

/// What a usual directory begins with; `None` if that is not known, or is no full path.
fn base(platform: Platform, environment: &Environment, variable: &str) -> Option<String> {
    if variable.is_empty() {
        return Some(String::new());
    }
    let set = environment.get(variable).map(|value| paths::trimmed(platform, value).to_owned());
    let value = set.or_else(|| {
        let (_, from, rest) =
            WINDOWS_DEFAULTS.iter().find(|(name, ..)| platform == Platform::Windows && *name == variable)?;
        let from = match (environment.get(from), *from) {
            (Some(value), _) => paths::trimmed(platform, value),
            (None, "SystemDrive") => "C:",
            (None, _) => return None,
        };
        Some(format!("{from}{rest}"))
    })?;
    paths::is_absolute(platform, &value).then_some(value)
}

/// Names that are versions, such as `v22.11.0`, from the newest on.
fn newest_first(names: Vec<String>) -> Vec<String> {
    let mut versions: Vec<(Vec<u64>, String)> = names
        .into_iter()
        .filter_map(|name| {
            let numbers = name.strip_prefix('v').unwrap_or(&name).split('.').map(str::parse);
            Some((numbers.collect::<Result<_, _>>().ok()?, name))
        })
        .collect();
    versions.sort_by_key(|version| Reverse(version.clone()));
    versions.truncate(MAX_VERSIONS);
    versions.into_iter().map(|(_, name)| name).collect()
}
