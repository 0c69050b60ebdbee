//! Whether one path lies under another, by their text alone. No file is touched; symbolic links are not followed.
//! Whatever two programs could read in two ways is undecided.

use crate::truth::Truth;

/// A directory that paths are compared with, normalised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    style: Style,
    segments: Box<[Box<str>]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `/a/b`
    Posix,
    /// `a/b`, relative to wherever the server runs.
    Relative,
    /// `C:\a\b`; the drive letter in lower case.
    Windows(char),
}

/// Why a text cannot be a directory in a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error("the path is empty")]
    Empty,
    #[error("the path cannot be resolved by its text alone")]
    Unresolvable,
}

/// More segments than this are undecided: the room on the stack is fixed.
const MAX_SEGMENTS: usize = 64;

struct Segments<'a> {
    room: [&'a str; MAX_SEGMENTS],
    len: usize,
}

impl<'a> Segments<'a> {
    fn as_slice(&self) -> &[&'a str] {
        self.room.get(..self.len).unwrap_or_default()
    }

    /// Splits and resolves `.` and `..`; `None` when it climbs above its start or is too deep.
    fn resolve(text: &'a str, backslash: bool, windows: bool) -> Option<Self> {
        let mut segments = Segments { room: [""; MAX_SEGMENTS], len: 0 };
        for segment in text.split(|c| c == '/' || (backslash && c == '\\')) {
            match segment {
                "" | "." => {}
                ".." => segments.len = segments.len.checked_sub(1)?,
                // Windows drops dots and spaces at the end of a name and reads `:` as a stream.
                _ if windows && (segment.ends_with(['.', ' ']) || segment.contains(':')) => return None,
                _ => {
                    *segments.room.get_mut(segments.len)? = segment;
                    segments.len += 1;
                }
            }
        }
        Some(segments)
    }
}

fn drive(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let letter = chars.next().filter(char::is_ascii_alphabetic)?;
    (chars.next() == Some(':')).then(|| (letter.to_ascii_lowercase(), chars.as_str()))
}

/// Texts that some programs resolve further: percent escapes, home directories, variables, URLs, control characters.
fn needs_expansion(text: &str) -> bool {
    text.is_empty()
        || text.chars().any(char::is_control)
        || text.starts_with('~')
        || text.contains("://")
        || text.contains('$')
        || text.contains('%')
        || text.trim() != text
}

impl Directory {
    pub(crate) fn parse(text: &str) -> Result<Self, DirectoryError> {
        if text.is_empty() {
            return Err(DirectoryError::Empty);
        }
        if needs_expansion(text) {
            return Err(DirectoryError::Unresolvable);
        }
        let (style, rest) = match drive(text) {
            Some((letter, rest)) if rest.starts_with(['/', '\\']) => (Style::Windows(letter), rest),
            Some(_) => return Err(DirectoryError::Unresolvable),
            None if text.starts_with('/') => (Style::Posix, text),
            None if text.contains('\\') => return Err(DirectoryError::Unresolvable),
            None => (Style::Relative, text),
        };
        let windows = matches!(style, Style::Windows(_));
        let segments = Segments::resolve(rest, windows, windows).ok_or(DirectoryError::Unresolvable)?;
        Ok(Self { style, segments: segments.as_slice().iter().map(|s| Box::from(*s)).collect() })
    }

    /// It as a path.
    pub(crate) fn show(&self) -> String {
        match self.style {
            Style::Posix => format!("/{}", self.segments.join("/")),
            Style::Relative => self.segments.join("/"),
            Style::Windows(letter) => format!("{letter}:\\{}", self.segments.join("\\")),
        }
    }

    /// Whether the path is this directory or lies under it.
    pub(crate) fn contains(&self, path: &str) -> Truth {
        if needs_expansion(path) {
            return Truth::Error;
        }
        match (self.style, drive(path)) {
            (Style::Windows(own), Some((letter, rest))) if rest.starts_with(['/', '\\']) => {
                if letter != own {
                    return Truth::False;
                }
                self.holds(rest, true, true)
            }
            (Style::Windows(_), _) | (_, Some(_)) => Truth::Error,
            (Style::Posix, None) if !path.starts_with('/') => Truth::Error,
            (Style::Relative, None) if path.starts_with(['/', '\\']) => Truth::Error,
            (_, None) if path.contains('\\') => {
                // A separator on one system and an ordinary character on another.
                let (one, other) = (self.holds(path, false, false), self.holds(path, true, false));
                if one == other { one } else { Truth::Error }
            }
            (_, None) => self.holds(path, false, false),
        }
    }

    fn holds(&self, path: &str, backslash: bool, windows: bool) -> Truth {
        let Some(segments) = Segments::resolve(path, backslash, windows) else { return Truth::Error };
        let Some(head) = segments.as_slice().get(..self.segments.len()) else { return Truth::False };
        let same = |own: &str, other: &str| {
            if windows {
                own.chars().flat_map(char::to_lowercase).eq(other.chars().flat_map(char::to_lowercase))
            } else {
                own == other
            }
        };
        self.segments.iter().zip(head).all(|(own, other)| same(own, other)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends `path_under`: no spelling of an outside path counts as inside.
    #[test]
    fn only_what_is_surely_inside_is_inside() {
        use Truth::{Error, False, True};
        for (directory, path, expected) in [
            ("/data", "/data/a.txt", True),
            ("/data", "/data", True),
            ("/data/", "//data///a", True),
            ("/data", "/data/./x/../a", True),
            ("/data", "/data/../etc/passwd", False),
            ("/data", "/database/a", False),
            ("/data", "/../data/a", Error),
            ("/data", "data/a", Error),
            ("/data", "/data/%2e%2e/etc", Error),
            ("/data", "/data\\..\\..\\etc", Error),
            ("/data", "/data/a\\b", True),
            ("/data", "~/data", Error),
            ("/data", "/data/$HOME", Error),
            ("/data", "file:///data/a", Error),
            ("/data", "/data/a\0", Error),
            ("/data", " /data/a", Error),
            ("/data", "", Error),
            ("/data", "C:\\data\\a", Error),
            ("/", "/etc", True),
            ("notes", "notes/a", True),
            ("notes", "./notes/a", True),
            ("notes", "../notes/a", Error),
            ("notes", "/notes/a", Error),
            ("C:\\data", "c:/DATA/a", True),
            ("C:\\data", "C:\\data\\..\\x", False),
            ("C:\\data", "C:data", Error),
            ("C:\\data", "D:\\data", False),
            ("C:\\data", "C:\\data. \\a", Error),
            ("C:\\data", "\\\\host\\data", Error),
        ] {
            assert_eq!(Directory::parse(directory).unwrap().contains(path), expected, "{directory} {path:?}");
        }
        let deep = format!("/data{}", "/a".repeat(100));
        assert_eq!(Directory::parse("/data").unwrap().contains(&deep), Error);
        assert!(Directory::parse("~/x").is_err() && Directory::parse("").is_err() && Directory::parse("a\\b").is_err());
    }
}
