//! One string, key or number of a document as the detectors see it, and what they say about it.

use std::ops::Range;

use crate::text::Survey;

use super::argument_role::Role;
use super::detection::{Class, Confidence, Direction};

/// What a leaf is in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LeafKind {
    /// The key of a member.
    Key,
    /// A string.
    Text,
    /// A number, as it is written.
    Number,
}

/// One piece of text and where it came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'a> {
    /// Its decoded text.
    pub(super) text: &'a str,
    /// The nearest key above it, or nothing.
    pub(super) key: &'a str,
    /// What a quick look at its bytes found.
    pub(super) survey: Survey,
    /// What it is in its document.
    pub(super) kind: LeafKind,
    /// What the call uses it for; [`Role::Prose`] in results.
    pub(super) role: Role,
    /// Which way the document goes.
    pub(super) direction: Direction,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(text: &'a str, key: &'a str, kind: LeafKind, role: Role, direction: Direction) -> Self {
        Self { text, key, survey: Survey::of(text), kind, role, direction }
    }
}

/// What a detector found in a leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) class: Class,
    pub(super) kind: &'static str,
    /// Bytes of the decoded text, at boundaries of characters.
    pub(super) range: Range<usize>,
    pub(super) confidence: Confidence,
    pub(super) message: &'static str,
}

/// Drops hits that lie within others of the same class: the wider or surer one stays.
pub(super) fn drop_covered(hits: &mut Vec<Hit>) {
    // Wider first among those that begin at one place, then surer.
    hits.sort_by(|a, b| {
        (a.class, a.range.start, std::cmp::Reverse(a.range.end), std::cmp::Reverse(a.confidence)).cmp(&(
            b.class,
            b.range.start,
            std::cmp::Reverse(b.range.end),
            std::cmp::Reverse(b.confidence),
        ))
    });
    let mut kept: Vec<Hit> = Vec::with_capacity(hits.len());
    for mut hit in hits.drain(..) {
        match kept.last_mut() {
            Some(last) if last.class == hit.class && hit.range.start < last.range.end => {
                // Overlapping: one span covers both, so that redaction leaves no rest of either.
                last.range.end = last.range.end.max(hit.range.end);
                if hit.confidence > last.confidence {
                    hit.range = last.range.clone();
                    *last = hit;
                }
            }
            _ => kept.push(hit),
        }
    }
    *hits = kept;
}
