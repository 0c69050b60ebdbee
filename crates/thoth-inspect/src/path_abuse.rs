//! Paths that lead out of where they should stay, and files that nobody hands to a model by accident.

mod sensitive;

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use unicode_normalization::UnicodeNormalization as _;

use thoth_text::percent::{self, Decoded};

use super::argument_role::Role;
use super::detection::{Class, Confidence};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf};
use super::settings::InspectSettings;

use sensitive::sensitive;

/// How many parts a path may have that people use.
const ORDINARY_PARTS: usize = 64;
/// The shortest way out of a folder: `/..`.
const SHORTEST_WAY: usize = 3;

fn hit(leaf: &Leaf<'_>, kind: &'static str, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::Path, kind, range: 0..leaf.text.len(), confidence, message }
}

/// Judges a value that is a path, or looks like one.
pub(super) fn find(
    leaf: &Leaf<'_>,
    decoded: &Decoded<'_>,
    settings: &InspectSettings,
    effort: &mut Effort,
    hits: &mut Vec<Hit>,
) {
    let text = leaf.text;
    let file = match leaf.role {
        Role::Path | Role::Scalar | Role::Host | Role::Opaque => local_file(text),
        _ => None,
    };
    if let Some(part) = file {
        judge(leaf, part, &percent::decode(part), settings, effort, hits);
        return;
    }
    match leaf.role {
        Role::Path => judge(leaf, text, decoded, settings, effort, hits),
        Role::Url => {
            if let Some(part) = file_part(text) {
                judge(leaf, part, &percent::decode(part), settings, effort, hits);
            }
        }
        Role::Scalar | Role::Host | Role::Opaque if looks_like_path(text) => {
            judge(leaf, text, decoded, settings, effort, hits)
        }
        Role::Command => command_paths(leaf, settings, hits),
        _ => {}
    }
}

/// Whether a value that names nothing is a path all the same.
fn looks_like_path(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [second, third] = [1, 2].map(|at| bytes.get(at..).unwrap_or_default());
    // Without a way out, so that many bytes are looked at at once.
    let marked = || {
        let mark = |a: u8, b: u8, c: u8| {
            ((a == b'.') & (b == b'.') & ((c == b'/') | (c == b'\\')))
                | ((a == b'%') & (b == b'2') & (c | 0x20 == b'e'))
                | ((a == b':') & (b == b'\\'))
        };
        let within = bytes.iter().zip(second).zip(third).fold(false, |some, ((a, b), c)| some | mark(*a, *b, *c));
        within || text.ends_with(":\\")
    };
    (text.starts_with(['/', '~', '.', '\\']) || marked())
        && memchr::memchr3(b'\n', b'<', b'{', bytes).is_none()
        && text.split_whitespace().count() <= 3
}

fn judge(
    leaf: &Leaf<'_>,
    path: &str,
    decoded: &Decoded<'_>,
    settings: &InspectSettings,
    effort: &mut Effort,
    hits: &mut Vec<Hit>,
) {
    let mut plain = with_slashes(&decoded.text);
    effort.reads(effort::PART * memchr::memchr_iter(b'/', plain.as_bytes()).count().saturating_sub(ORDINARY_PARTS));
    if effort.is_spent() {
        return;
    }
    if plain.contains('\0') {
        hits.push(hit(leaf, "path.null_byte", Confidence::High, "a null byte, at which other programs end the path"));
        plain = Cow::Owned(plain.replace('\0', ""));
    }
    if plain.len() < SHORTEST_WAY {
        return;
    }
    let walked = Walked::of(&plain);
    let climbs = |path: &str| memchr::memmem::find(path.as_bytes(), b"../").is_some();
    let encoded = decoded.rounds > 0 && !climbs(path) && climbs(&plain);
    if allowed(&walked.path, settings) && !encoded {
        return;
    }
    if encoded && walked.climbs > 0 {
        hits.push(hit(leaf, "path.encoded_traversal", Confidence::High, "an encoded way out of the folder"));
    } else if walked.climbs >= 3 || (walked.climbs > 0 && walked.absolute) {
        hits.push(hit(leaf, "path.traversal", Confidence::High, "a way out of the folder"));
    }
    if let Some((kind, confidence, message)) = sensitive(&walked.path) {
        hits.push(hit(leaf, kind, confidence, message));
    }
}

/// A path with slashes for backslashes. Full-width dots and slashes are dots and slashes to some file systems and gateways.
fn with_slashes(path: &str) -> Cow<'_, str> {
    if !path.is_ascii() {
        let mut out = String::with_capacity(path.len());
        let mut rest = path;
        while !rest.is_empty() {
            // Letters of ASCII, ideographs and syllables are their own form, and to find that out costs most.
            let own = |c: char| c.is_ascii() || matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}');
            let (plain, wide) = rest.split_at(rest.find(|c| !own(c)).unwrap_or(rest.len()));
            let (wide, next) = wide.split_at(wide.find(own).unwrap_or(wide.len()));
            out.push_str(plain);
            out.extend(wide.nfkc());
            rest = next;
        }
        return Cow::Owned(if out.contains('\\') { out.replace('\\', "/") } else { out });
    }
    if memchr::memchr(b'\\', path.as_bytes()).is_none() { Cow::Borrowed(path) } else { path.replace('\\', "/").into() }
}

/// The path of a `file:` address.
fn local_file(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case("file:") {
        return None;
    }
    let Some(after) = rest.strip_prefix("//") else { return Some(rest) };
    // Before the path the machine may stand, which is this one.
    after.find('/').map_or(Some(after), |at| after.get(at..))
}

/// The path of a `file:` address, or of one whose path climbs.
fn file_part(text: &str) -> Option<&str> {
    if let Some(file) = local_file(text) {
        return Some(file);
    }
    memchr::memchr(b'/', text.as_bytes())?;
    let after = text.split_once("://").map_or(text, |(_, rest)| rest);
    let path = after.get(after.find('/')?..)?;
    if !path.contains("..") && memchr::memchr(b'%', path.as_bytes()).is_none() {
        return None;
    }
    let lower = path.to_ascii_lowercase();
    (lower.contains("../") || lower.contains("%2e%2e") || lower.contains("%252e") || lower.contains("..%2f"))
        .then_some(path)
}

/// A path with its `.` and `..` resolved.
struct Walked<'p> {
    path: Cow<'p, str>,
    /// How often it climbed above where it began.
    climbs: usize,
    absolute: bool,
}

impl<'p> Walked<'p> {
    fn of(path: &'p str) -> Self {
        let drive = path.get(1..3) == Some(":/");
        let absolute = path.starts_with('/') || drive;
        // Most paths have nothing to resolve.
        let straight = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with([' ', '\t']);
        if !drive && path.strip_prefix('/').unwrap_or(path).split('/').all(straight) {
            return Self { path: Cow::Borrowed(path), climbs: 0, absolute };
        }
        let mut joined = String::with_capacity(path.len() + 1);
        let mut climbs = 0;
        for part in path.split('/') {
            match part.trim_end_matches([' ', '\t']) {
                "" | "." => {}
                // `....//` and `..;/` turn into `..` behind filters that remove once.
                ".." | "..." | "...." | "..;" => {
                    climbs += usize::from(joined.is_empty());
                    joined.truncate(joined.rfind('/').unwrap_or(0));
                }
                part => {
                    // Each part stands behind a slash; the first one goes where the path is relative.
                    joined.push('/');
                    joined.push_str(part);
                }
            }
        }
        if !(absolute || climbs > 0) {
            joined.drain(..joined.len().min(1));
        } else if joined.is_empty() {
            joined.push('/');
        }
        Self { path: Cow::Owned(joined), climbs, absolute }
    }
}

fn allowed(path: &str, settings: &InspectSettings) -> bool {
    settings
        .allowed_paths
        .iter()
        .any(|allowed| if allowed.ends_with('/') { path.starts_with(allowed.as_str()) } else { path == allowed })
}

/// What opens a path in a command that could be sensitive. Saves splitting most commands.
static WORTH_SPLITTING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "/etc",
            "/root",
            "/proc/",
            "/.",
            "~",
            "id_",
            ".env",
            "credential",
            "secret",
            "docker.sock",
            "/dev/",
            "/var/",
            ".netrc",
            ".npmrc",
            "../",
            "_history",
            "token",
            "shadow",
            "authorized_keys",
            ".key",
            ".p",
            "windows",
        ])
        .ok()
});

/// Sensitive paths among the words of a command.
fn command_paths(leaf: &Leaf<'_>, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    let Some(worth) = WORTH_SPLITTING.as_ref() else { return };
    if !worth.is_match(leaf.text) {
        return;
    }
    let parts = |c| {
        matches!(c, ' ' | '\t' | '\n' | ';' | '|' | '&' | '<' | '>' | '(' | ')' | '"' | '\'' | '`' | '=' | ',' | '@')
    };
    for word in leaf.text.split(parts).filter(|word| word.len() > 3) {
        let word = word.strip_prefix("$HOME").or_else(|| word.strip_prefix("${HOME}")).unwrap_or(word);
        let walked = Walked::of(word);
        if allowed(&walked.path, settings) || matches!(walked.path.as_ref(), "/etc" | "/root") {
            continue;
        }
        if let Some((kind, confidence, message)) = sensitive(&walked.path)
            && kind != "path.env_file"
        {
            let start = word.as_ptr().addr().saturating_sub(leaf.text.as_ptr().addr());
            hits.push(Hit { class: Class::Path, kind, range: start..start + word.len(), confidence, message });
            return;
        }
    }
}

#[cfg(test)]
mod tests;
