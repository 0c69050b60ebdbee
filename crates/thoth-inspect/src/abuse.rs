//! What only arguments can do: commands, paths, SQL and addresses, judged by what a value is used for.

use thoth_text::percent::{self, Decoded};

use super::argument_role::Role;
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf};
use super::settings::InspectSettings;
use super::{encoded, path_abuse, shell_abuse, sql_abuse, ssrf};

/// Judges a value by its role.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    // What stands behind the comma of a `data:` address leads nowhere.
    let head = if matches!(leaf.role, Role::Url | Role::Scalar) { data_head(leaf.text) } else { None };
    let leaf = &Leaf { text: head.unwrap_or(leaf.text), ..*leaf };
    // Commands are judged as they stand.
    let decoded = match leaf.role {
        Role::Command => Decoded::plain(leaf.text),
        _ => percent::decode(leaf.text),
    };
    // An address is decoded as a whole and by its parts; what may be a path is normalised.
    let (rounds, wide) = (usize::from(decoded.rounds), usize::from(!leaf.text.is_ascii()));
    let halves = match leaf.role {
        Role::Prose => 0,
        Role::Command | Role::Sql => 2,
        Role::Url => 3 + wide + 2 * rounds,
        Role::Path | Role::Host => 2 + wide + rounds,
        _ => 2 + rounds,
    };
    let cost = halves * leaf.text.len() / 2;
    if !effort.affords(cost) {
        return;
    }
    effort.reads(cost);
    if !leaf.is_plain() {
        path_abuse::find(leaf, &decoded, settings, effort, hits);
        shell_abuse::find(leaf, &decoded, effort, hits);
        ssrf::find(leaf, settings, effort, hits);
    }
    sql_abuse::find(leaf, &decoded, hits);
    encoded::find(leaf, hits);
}

/// What stands before the content of a `data:` address (RFC 2397) in base64.
fn data_head(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked(5)?;
    let comma = memchr::memchr(b',', rest.as_bytes())?;
    let head = rest.get(..comma)?;
    let content = rest.get(comma + 1..)?;
    let encoded = head.ends_with(";base64")
        && content.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    (scheme.eq_ignore_ascii_case("data:") && encoded).then(|| text.get(..5 + comma)).flatten()
}

/// The shortest text that is looked at as a lone address: shorter prose says nothing.
const SHORTEST_LONE: usize = 6;
/// How many words a path has at most that is looked at.
const MOST_WORDS: usize = 3;

/// What a text by itself looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lone {
    Path,
    Address,
    /// An address without a scheme.
    Host,
}

impl Lone {
    /// By how a text begins: most prose shows at once that it is none of them.
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let has_slash = || memchr::memchr2(b'/', b'\\', bytes).is_some();
        let drive = matches!(bytes, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
        match bytes.first()? {
            b'/' | b'~' | b'.' | b'\\' | b'$' | b'%' if has_slash() => Some(Self::Path),
            _ if drive => Some(Self::Path),
            b'0'..=b'9' | b'[' => Some(Self::Host),
            _ => {
                // Browsers drop line breaks in a scheme.
                let head = bytes.iter().take(24).filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'));
                let mut head =
                    head.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
                (head.next() == Some(&b':')).then_some(Self::Address)
            }
        }
    }
}

/// A text that is nothing but an address or a path may be meant as one, whatever its argument is called. What nobody
/// writes down for its own sake is reported.
pub(super) fn find_lone(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let text = leaf.text.trim_matches(|edge: char| edge <= ' ' || edge.is_whitespace());
    if text.len() < SHORTEST_LONE || text.split_ascii_whitespace().take(MOST_WORDS + 1).count() > MOST_WORDS {
        return;
    }
    let Some(lone) = Lone::of(text) else { return };
    let cost = effort::TOKEN + text.len() / 2;
    if !effort.affords(cost) {
        return;
    }
    effort.reads(cost);
    let (from, whole) = (hits.len(), 0..leaf.text.len());
    let leaf = Leaf { text, ..*leaf };
    if lone != Lone::Host {
        let leaf = Leaf { role: if lone == Lone::Path { Role::Path } else { Role::Scalar }, ..leaf };
        path_abuse::find(&leaf, &percent::decode(text), settings, effort, hits);
    }
    if lone != Lone::Path {
        let leaf = Leaf { role: if lone == Lone::Host { Role::Url } else { Role::Scalar }, ..leaf };
        ssrf::find(&leaf, settings, effort, hits);
    }
    let meant = |hit: &Hit| match hit.kind {
        "ssrf.metadata" => true,
        // A number by itself is a number.
        "ssrf.disguised_address" | "ssrf.scheme" => lone != Lone::Host,
        kind => {
            matches!(kind, "path.system_file" | "path.credential_file" | "path.encoded_traversal" | "path.null_byte")
        }
    };
    let mut at = 0;
    hits.retain(|hit| {
        at += 1;
        at <= from || meant(hit)
    });
    hits.iter_mut().skip(from).for_each(|hit| hit.range = whole.clone());
}
