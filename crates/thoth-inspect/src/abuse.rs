//! What only arguments can do: commands, paths, SQL and addresses, judged by what a value is used for.

use thoth_text::percent::{self, Decoded};

use super::argument_role::Role;
use super::detection::Class;
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf};
use super::settings::InspectSettings;
use super::{encoded, path_abuse, shell_abuse, sql_abuse, ssrf};

/// Judges a value by its role.
pub(super) fn find(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    // Commands are judged as they stand.
    let decoded = match leaf.role {
        Role::Command => Decoded::plain(leaf.text),
        _ => percent::decode(leaf.text),
    };
    // An address is decoded as a whole and by its parts; what may be a path is normalised.
    let (rounds, wide) = (usize::from(decoded.rounds), usize::from(!leaf.text.is_ascii()));
    let halves = match leaf.role {
        Role::Prose => 0,
        Role::Command | Role::Sql => 4,
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
        ssrf::find(leaf, settings, hits);
    }
    sql_abuse::find(leaf, &decoded, hits);
    encoded::find(leaf, hits);
}

/// The shortest text that is looked at as a lone address: shorter prose says nothing.
const SHORTEST_LONE: usize = 6;

/// A text that is nothing but an address or a path may be meant as one, whatever its argument is called. What nobody
/// writes down for its own sake is reported.
pub(super) fn find_lone(leaf: &Leaf<'_>, settings: &InspectSettings, effort: &mut Effort, hits: &mut Vec<Hit>) {
    let text = leaf.text.trim();
    if text.len() < SHORTEST_LONE
        || text.bytes().any(|byte| byte.is_ascii_whitespace())
        || (!text.starts_with(['/', '~']) && memchr::memmem::find(text.as_bytes(), b":/").is_none())
    {
        return;
    }
    effort.reads(effort::TOKEN + text.len() / 2);
    let (from, whole) = (hits.len(), 0..leaf.text.len());
    let leaf = Leaf { text, role: Role::Scalar, ..*leaf };
    path_abuse::find(&leaf, &percent::decode(text), settings, effort, hits);
    ssrf::find(&leaf, settings, hits);
    let meant = |hit: &Hit| match hit.class {
        Class::Path => matches!(hit.kind, "path.system_file" | "path.credential_file" | "path.encoded_traversal"),
        _ => matches!(hit.kind, "ssrf.metadata" | "ssrf.disguised_address" | "ssrf.scheme"),
    };
    let mut at = 0;
    hits.retain(|hit| {
        at += 1;
        at <= from || meant(hit)
    });
    hits.iter_mut().skip(from).for_each(|hit| hit.range = whole.clone());
}
