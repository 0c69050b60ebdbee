//! Short values of a document that has very many of them, put together to one text, a line each, and read at once.
//!
//! Reading a value costs something however short it is. Beyond the first [`MAX_ALONE`] values of a document the short ones
//! are therefore read together. Nothing is looked for less, and what is found in a line is a detection in its value. Names
//! still count for the values below them, and what stands before a number ends where its line begins.

use std::cell::Cell;
use std::ops::Range;

use thoth_types::json::{KeptPlace, WalkPath};

use super::super::leaf::{Leaf, LeafKind, Line, Lines};

/// How many values of a document are each read alone. More would cost more of a megabyte of short values, fewer would read the
/// rows of ordinary results together.
pub(in super::super) const MAX_ALONE: usize = 256;

/// From this length on, in bytes, a value is always read alone: its length costs more than it being one.
pub(super) const LONG: usize = 256;

/// How many bytes are read at once: with the longest value no more than what is respelled of one text.
const BLOCK: usize = 16 * 1024 - LONG - 1;

/// So many values of a string that is JSON are worth being read at its end. Fewer wait for others.
pub(super) const WORTHWHILE: usize = 32;

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Member {
    /// Where its line begins.
    start: usize,
    /// Where its text stands in the document.
    pub(super) span: Range<usize>,
    /// Whether the bytes there are those of a string, and not of one that lies in strings inside it. What is found in the
    /// latter covers all of it.
    pub(super) exact: bool,
    pub(super) place: Option<KeptPlace>,
    pub(super) is_key: bool,
    /// Its name alone made it a secret.
    pub(super) named: bool,
}

/// Values that wait to be read.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    text: String,
    members: Vec<Member>,
}

impl Crowd {
    pub(super) fn add(&mut self, leaf: &Leaf<'_>, span: Range<usize>, place: Option<KeptPlace>, named: bool) {
        let is_key = leaf.kind == LeafKind::Key;
        self.members.push(Member { start: self.text.len(), span, exact: true, place, is_key, named });
        self.text.push_str(leaf.text);
        self.text.push('\n');
    }

    /// How many values wait.
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the values from the given one on are enough to be read.
    pub(super) fn is_full(&self, from: usize) -> bool {
        self.text.len() - self.start(from) >= BLOCK
    }

    fn start(&self, member: usize) -> usize {
        self.members.get(member).map_or(self.text.len(), |member| member.start)
    }

    /// The values from the given one on, whose places stand in a document that lies inside another.
    pub(super) fn members_mut(&mut self, from: usize) -> &mut [Member] {
        self.members.get_mut(from..).unwrap_or_default()
    }

    /// Takes out the values from the given one on.
    pub(super) fn take(&mut self, from: usize) -> Self {
        let start = self.start(from);
        let mut members = self.members.split_off(from.min(self.members.len()));
        for member in &mut members {
            member.start -= start;
        }
        Self { text: self.text.split_off(start), members }
    }

    /// The text of them all.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The values whose lines a range of the text touches, each with its text and the part of it that is touched.
    pub(super) fn touched(&self, range: Range<usize>) -> impl Iterator<Item = (&Member, &str, Range<usize>)> {
        let first = self.at(range.start);
        let lines = (first..self.members.len()).map_while(move |at| {
            let member = self.members.get(at)?;
            (at == first || member.start < range.end).then_some((at, member))
        });
        lines.map(move |(at, member)| {
            let end = self.end(at);
            let text = self.text.get(member.start..end).unwrap_or_default();
            let part =
                range.start.max(member.start) - member.start..range.end.min(end).max(member.start) - member.start;
            (member, text, part)
        })
    }

    /// The value whose line a byte of the text is in.
    fn at(&self, offset: usize) -> usize {
        self.members.partition_point(|member| member.start <= offset).saturating_sub(1)
    }

    /// Where the line of a value ends.
    fn end(&self, member: usize) -> usize {
        self.start(member + 1).saturating_sub(1)
    }

    /// The lines, with the names of their values.
    pub(super) const fn lines<'c>(&'c self, path: &'c WalkPath) -> Named<'c> {
        Named { crowd: self, path, last: Cell::new(0) }
    }
}

/// A crowd and where its values stand.
#[derive(Debug)]
pub(super) struct Named<'c> {
    crowd: &'c Crowd,
    path: &'c WalkPath,
    /// The value that was asked for last: questions come several for each.
    last: Cell<usize>,
}

impl Lines for Named<'_> {
    fn line(&self, offset: usize) -> Line<'_> {
        let mut at = self.last.get();
        if !(self.crowd.start(at)..self.crowd.start(at + 1)).contains(&offset) {
            at = self.crowd.at(offset);
            self.last.set(at);
        }
        let member = self.crowd.members.get(at).filter(|member| !member.is_key);
        let key = member.map_or("", |member| self.path.key_of(member.place));
        Line { start: self.crowd.start(at), end: self.crowd.end(at), key }
    }
}
