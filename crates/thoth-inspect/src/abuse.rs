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
    let (whole, leaf) = (leaf, &Leaf { text: head.unwrap_or(leaf.text), ..*leaf });
    // Commands are judged as they stand.
    let decoded = match leaf.role {
        Role::Command => Decoded::plain(leaf.text),
        _ => percent::decode(leaf.text),
    };
    // An address is decoded as a whole and by its parts; what may be a path is normalised.
    let (rounds, wide) = (usize::from(decoded.rounds), usize::from(!leaf.text.is_ascii()));
    let halves = match leaf.role {
        Role::Prose => 0,
        Role::Command | Role::Sql => 3,
        Role::Url => 3 + wide + 2 * rounds,
        Role::Path | Role::Host => 2 + wide + rounds,
        _ => 2 + rounds,
    };
    if !effort.pays(halves * leaf.text.len() / 2) {
        return;
    }
    if !leaf.is_plain() {
        path_abuse::find(leaf, &decoded, settings, effort, hits);
        shell_abuse::find(leaf, &decoded, effort, hits);
        ssrf::find(leaf, settings, effort, hits);
    }
    sql_abuse::find(leaf, &decoded, hits);
    encoded::find(whole, hits);
}

/// What stands before the content of a `data:` address (RFC 2397) in base64, up to the comma.
fn data_head(text: &str) -> Option<&str> {
    // First what most texts are told by.
    if !text.get(..5)?.eq_ignore_ascii_case("data:") {
        return None;
    }
    let (head, content) = text.split_once(',')?;
    let encoded = head.ends_with(";base64")
        && content.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_'));
    if encoded { text.get(..=head.len()) } else { None }
}

/// The shortest text that is looked at as a lone address: shorter prose says nothing.
const SHORTEST_LONE: usize = 6;

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
        let drive = matches!(bytes, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
        let climbs = || ["../", "..\\", "%2e"].iter().any(|way| text.starts_with(way));
        let path = match bytes {
            [b'/', b'/', ..] => false,
            [b'/' | b'~', ..] => true,
            [b'$', ..] => memchr::memchr(b'/', bytes).is_some(),
            [b'.' | b'%', ..] => climbs(),
            _ => drive,
        };
        // People have blanks in the names of folders of theirs.
        let owned = || drive || ["/home/", "/Users/", "~", "$"].iter().any(|root| text.starts_with(root));
        match text.rfind(|c: char| c.is_whitespace()) {
            None if path => Some(Self::Path),
            Some(blank) if path => {
                let rest = bytes.get(blank..).unwrap_or_default();
                let on_line = memchr::memchr2(b'\n', b'\r', bytes).is_none();
                (on_line && owned() && memchr::memchr2(b'/', b'\\', rest).is_some()).then_some(Self::Path)
            }
            None if matches!(bytes, [b'0'..=b'9' | b'[', ..]) => Some(Self::Host),
            _ if text.contains(' ') => None,
            _ => {
                // Browsers drop line breaks.
                let head = bytes.iter().take(24).filter(|byte| !matches!(byte, b'\t' | b'\r' | b'\n'));
                let mut head =
                    head.skip_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
                (head.next() == Some(&b':')).then_some(Self::Address)
            }
        }
    }
}

/// Whether a text begins as an address or a path does. Most prose does not, and needs no further look.
fn may_be_lone(text: &str) -> bool {
    let mut head = text.bytes().take(24);
    matches!(head.next(), Some(b'/' | b'~' | b'.' | b'$' | b'%' | b'[' | b'0'..=b'9')) || head.any(|byte| byte == b':')
}

/// A text that is nothing but an address or a path may be meant as one, whatever its argument is called. What nobody
/// writes down for its own sake is reported. Who searches may search for anything but an address that is spelled out.
pub(super) fn find_lone(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let text = leaf.text.trim_matches(|edge: char| edge <= ' ' || edge.is_whitespace());
    if text.len() < SHORTEST_LONE || !may_be_lone(text) {
        return;
    }
    let Some(lone) = Lone::of(text).filter(|lone| leaf.role == Role::Prose || *lone == Lone::Address) else { return };
    if !effort.pays(effort::TOKEN + text.len() / 2) {
        return;
    }
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
