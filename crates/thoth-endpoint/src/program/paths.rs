//! Paths and file names as text, by the rules of the platform that is asked about.

use super::Kind;
use crate::platform::{Environment, Platform};

/// Extensions that are tried where `PATHEXT` lacks them. The environment that the MCP SDKs give a server has no
/// `PATHEXT` at all.
const ALWAYS: [&str; 3] = [".exe", ".cmd", ".bat"];

/// Whether a command is a path rather than a name.
pub(super) fn is_path(platform: Platform, text: &str) -> bool {
    match platform {
        // A colon names a drive, or a stream of a file; no file name has one.
        Platform::Windows => text.contains(['/', '\\', ':']),
        Platform::Linux | Platform::MacOs => text.contains('/'),
    }
}

/// Whether a path means the same from every working directory.
pub(super) fn is_absolute(platform: Platform, text: &str) -> bool {
    match platform {
        Platform::Windows => {
            let mut chars = text.chars();
            match (chars.next(), chars.next(), chars.next()) {
                (Some('/' | '\\'), Some('/' | '\\'), Some(_)) => true,
                (Some(drive), Some(':'), Some('/' | '\\')) => drive.is_ascii_alphabetic(),
                _ => false,
            }
        }
        Platform::Linux | Platform::MacOs => text.starts_with('/'),
    }
}

/// The full path that a path means in a working directory, or `None` where that depends on more, or names a stream of a
/// file instead of a file.
pub(super) fn absolute(platform: Platform, directory: &str, text: &str) -> Option<String> {
    if platform == Platform::Windows {
        let after_drive = if is_absolute(platform, text) { text.get(2..)? } else { text };
        // `C:x` lies in the drive's own working directory, which is known only to the shell that set it.
        if after_drive.contains(':') {
            return None;
        }
        if !is_absolute(platform, text) && text.starts_with(['/', '\\']) {
            let drive = directory.get(..2).filter(|drive| drive.ends_with(':'))?;
            return Some(format!("{drive}{text}"));
        }
    }
    if is_absolute(platform, text) {
        return Some(text.to_owned());
    }
    let mut rest = text;
    while let Some(shorter) = rest.strip_prefix("./").or_else(|| match platform {
        Platform::Windows => rest.strip_prefix(".\\"),
        Platform::Linux | Platform::MacOs => None,
    }) {
        rest = shorter;
    }
    Some(join(platform, directory, rest))
}

/// A name in a directory.
pub(super) fn join(platform: Platform, directory: &str, name: &str) -> String {
    let separator = match platform {
        Platform::Windows => '\\',
        Platform::Linux | Platform::MacOs => '/',
    };
    format!("{}{separator}{name}", trimmed(platform, directory))
}

/// A directory without separators at its end. Of a root nothing but the drive is left.
pub(super) fn trimmed(platform: Platform, directory: &str) -> &str {
    match platform {
        Platform::Windows => directory.trim_end_matches(['/', '\\']),
        Platform::Linux | Platform::MacOs => directory.trim_end_matches('/'),
    }
}

/// The directory of a full path.
pub(super) fn parent(platform: Platform, path: &str) -> &str {
    let split = match platform {
        Platform::Windows => path.rsplit_once(['/', '\\']),
        Platform::Linux | Platform::MacOs => path.rsplit_once('/'),
    };
    split.map_or("", |(directory, _)| directory)
}

/// Whether two directories are the same by their text.
pub(super) fn same(platform: Platform, one: &str, other: &str) -> bool {
    let (one, other) = (trimmed(platform, one), trimmed(platform, other));
    match platform {
        Platform::Windows => one.replace('/', "\\").eq_ignore_ascii_case(&other.replace('/', "\\")),
        Platform::Linux | Platform::MacOs => one == other,
    }
}

/// The extensions that are tried, in order, with what they mean: those of `PATHEXT` that the system can start without
/// another program, then the ones that are always tried. Empty where extensions mean nothing.
pub(super) fn extensions(platform: Platform, environment: &Environment) -> Vec<String> {
    let mut extensions: Vec<String> = Vec::new();
    if platform != Platform::Windows {
        return extensions;
    }
    let own = environment.get("PATHEXT").unwrap_or_default().split(';').map(|extension| extension.trim());
    for extension in own.filter(|extension| kind_of(extension).is_some()).chain(ALWAYS) {
        let extension = extension.to_ascii_lowercase();
        if !extensions.contains(&extension) {
            extensions.push(extension);
        }
    }
    extensions
}

/// The names under which a program's file can stand, in the order in which they count, and how each is started.
///
/// On Windows a file is startable by its extension only. So a name that has none of these never stands for itself: the
/// `npx` beside `npx.cmd` is a script for a Unix shell.
pub(super) fn file_names(platform: Platform, program: &str, extensions: &[String]) -> Vec<(String, Kind)> {
    if platform != Platform::Windows {
        return vec![(program.to_owned(), Kind::Executable)];
    }
    let own = program.rfind('.').and_then(|dot| program.get(dot..)).and_then(kind_of);
    let itself = own.map(|kind| (program.to_owned(), kind));
    let extended = extensions
        .iter()
        .filter_map(|extension| kind_of(extension).map(|kind| (format!("{program}{extension}"), kind)));
    itself.into_iter().chain(extended).collect()
}

/// What a Windows extension, with its dot, stands for, if the system can start such a file.
fn kind_of(extension: &str) -> Option<Kind> {
    match extension.to_ascii_lowercase().as_str() {
        ".exe" | ".com" => Some(Kind::Executable),
        ".cmd" | ".bat" => Some(Kind::BatchFile),
        _ => None,
    }
}
