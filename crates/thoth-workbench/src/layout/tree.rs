//! A file as a tree in which every comment belongs to something.

use std::sync::Arc;

use thoth_policy::document::{At, Piece, PieceKind, ScalarNotation};
use thoth_types::Place;

use super::LayoutError;

/// What is white space to YAML.
pub(super) const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// A comment on a line of its own.
#[derive(Debug)]
pub(super) struct Comment {
    pub(super) text: String,
    /// Whether a blank line stands before it.
    pub(super) apart: bool,
    column: u32,
}

/// A key and its value, or an item of a list.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) above: Vec<Comment>,
    /// Whether a blank line stands before it, below its comments.
    pub(super) apart: bool,
    pub(super) key: Option<String>,
    pub(super) anchor: Option<Arc<str>>,
    pub(super) value: Value,
    /// The comment at the end of its first line.
    pub(super) beside: Option<String>,
    /// The lines on which it begins and ends.
    lines: (u32, u32),
}

#[derive(Debug)]
pub(super) enum Value {
    /// As it is written, on one line. Empty for nothing.
    Inline(String),
    /// What stands after `|` or `>`: the sign, and the lines.
    Block(String, Vec<String>),
    Collection(Collection),
}

#[derive(Debug)]
pub(super) struct Collection {
    pub(super) is_map: bool,
    /// In brackets or braces.
    pub(super) flow: bool,
    pub(super) entries: Vec<Entry>,
    /// Comments below the last entry.
    pub(super) below: Vec<Comment>,
}

/// A whole file.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Option<Entry>,
    pub(super) below: Vec<Comment>,
}

/// A key that waits for its value, or an item that has begun.
#[derive(Debug)]
struct Begun {
    above: Vec<Comment>,
    apart: bool,
    key: Option<String>,
    beside: Option<String>,
    line: u32,
}

/// A collection under construction.
struct Open {
    collection: Collection,
    anchor: Option<Arc<str>>,
    at: At,
    /// Of a mapping: the key that was read last.
    key: Option<Begun>,
    /// What the collection is the value of, where that is no key.
    item: Option<Begun>,
    /// A comment right behind the opening bracket.
    beside: Option<String>,
}

struct Builder<'t> {
    name: &'t str,
    text: &'t str,
    open: Vec<Open>,
    /// Comments that do not belong to anything yet.
    waiting: Vec<Comment>,
    /// Where the last thing ended.
    end: usize,
    tree: Tree,
}

pub(super) fn build(name: &str, text: &str, pieces: Vec<Piece>) -> Result<Tree, LayoutError> {
    let mut builder = Builder { name, text, open: Vec::new(), waiting: Vec::new(), end: 0, tree: Tree::default() };
    for piece in pieces {
        builder.take(piece)?;
    }
    builder.tree.below = builder.waiting;
    Ok(builder.tree)
}

impl Builder<'_> {
    fn slice(&self, at: At) -> &str {
        self.text.get(at.start..at.end).unwrap_or_default()
    }

    fn unknown(&self, at: At, what: &'static str) -> LayoutError {
        let place = Place { file: self.name.into(), line: at.line, column: at.column };
        LayoutError::Unknown { place, what }
    }

    /// Whether a blank line stands between the last thing and `start`.
    fn apart(&self, start: usize) -> bool {
        let between = self.text.get(self.end..start).unwrap_or_default();
        let mut lines = between.split('\n').skip(1).peekable();
        // The last line is that on which the next thing stands.
        std::iter::from_fn(|| lines.next().filter(|_| lines.peek().is_some()))
            .any(|line| line.trim_matches(SPACE).is_empty())
    }

    fn take(&mut self, piece: Piece) -> Result<(), LayoutError> {
        let Piece { at, kind, anchor } = piece;
        if anchor.is_some() && self.open.is_empty() {
            return Err(self.unknown(at, "an anchor at the whole file"));
        }
        match kind {
            PieceKind::Comment => self.comment(at),
            PieceKind::Scalar { .. } | PieceKind::Alias if self.wants_key() => {
                if anchor.is_some() || matches!(kind, PieceKind::Alias) {
                    return Err(self.unknown(at, "an anchor or alias at a key"));
                }
                let text = self.slice(at).to_owned();
                if text.is_empty() || text.contains('\n') {
                    return Err(self.unknown(at, "a key on several lines, or none"));
                }
                let begun = self.begin(at, Some(text));
                if let Some(open) = self.open.last_mut() {
                    open.key = Some(begun);
                }
                self.end = at.end;
            }
            PieceKind::Scalar { .. } if self.open.is_empty() && at.start == at.end => {}
            PieceKind::Scalar { .. } if self.open.is_empty() => {
                return Err(self.unknown(at, "a file that is one single value"));
            }
            PieceKind::Scalar { text, style } => {
                let (value, end) = self.scalar(at, &text, style);
                let begun = self.begun(at);
                self.end = end.max(self.end);
                self.place(begun, anchor, value, at);
            }
            PieceKind::Alias => {
                let value = Value::Inline(self.slice(at).to_owned());
                let begun = self.begun(at);
                self.end = at.end;
                self.place(begun, anchor, value, at);
            }
            PieceKind::ListStart(flow) => self.start(at, anchor, flow, false),
            PieceKind::MapStart(flow) => self.start(at, anchor, flow, true),
            PieceKind::ListEnd | PieceKind::MapEnd => self.finish(at),
        }
        Ok(())
    }

    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.collection.is_map && open.key.is_none())
    }

    fn begin(&mut self, at: At, key: Option<String>) -> Begun {
        let apart = self.apart(at.start);
        Begun { above: std::mem::take(&mut self.waiting), apart, key, beside: None, line: at.line }
    }

    /// The key that waits for a value, or a new item.
    fn begun(&mut self, at: At) -> Begun {
        let Some(mut begun) = self.open.last_mut().and_then(|open| open.key.take()) else {
            return self.begin(at, None);
        };
        // A comment between a key and its value has no place of its own.
        begun.above.append(&mut self.waiting);
        begun
    }

    fn start(&mut self, at: At, anchor: Option<Arc<str>>, flow: bool, is_map: bool) {
        // Comments between a key and its collection are about the collection's first entry.
        let in_map = self.open.last().is_some_and(|open| open.collection.is_map);
        let item = (!in_map).then(|| self.begin(at, None));
        let collection = Collection { is_map, flow, entries: Vec::new(), below: Vec::new() };
        self.open.push(Open { collection, anchor, at, key: None, item, beside: None });
        if flow {
            self.end = at.end;
        }
    }

    fn finish(&mut self, at: At) {
        let Some(mut open) = self.open.pop() else { return };
        let outer = self.open.last().filter(|outer| !outer.collection.flow).map_or(0, |outer| outer.at.column);
        let inside =
            |comment: &&Comment| open.collection.flow || (comment.column >= open.at.column && open.at.column > outer);
        let own = self.waiting.iter().take_while(inside).count();
        open.collection.below = self.waiting.drain(..own).collect();
        if open.collection.flow {
            self.end = at.end;
        }
        let mut begun = match (open.item, self.open.last_mut().and_then(|outer| outer.key.take())) {
            (Some(item), _) | (None, Some(item)) => item,
            (None, None) => Begun { above: Vec::new(), apart: false, key: None, beside: None, line: open.at.line },
        };
        if let Some(text) = open.beside {
            match &begun.beside {
                None => begun.beside = Some(text),
                Some(_) => begun.above.push(Comment { text, apart: false, column: open.at.column }),
            }
        }
        self.place(begun, open.anchor, Value::Collection(open.collection), at);
    }

    fn place(&mut self, begun: Begun, anchor: Option<Arc<str>>, value: Value, at: At) {
        let last = match &value {
            Value::Inline(_) => at.line,
            Value::Block(..) => 0,
            Value::Collection(collection) if collection.flow => at.line,
            Value::Collection(_) => 0,
        };
        let Begun { above, apart, key, beside, line } = begun;
        let entry = Entry { above, apart, key, anchor, value, beside, lines: (line, last) };
        match self.open.last_mut() {
            Some(open) => open.collection.entries.push(entry),
            None => self.tree.root = Some(entry),
        }
    }

    fn comment(&mut self, at: At) {
        let text = self.slice(at).trim_end_matches(SPACE).to_owned();
        let line_start = self.text.get(..at.start).and_then(|before| before.rfind('\n')).map_or(0, |i| i + 1);
        let before = self.text.get(line_start..at.start).unwrap_or_default();
        let apart = self.apart(at.start);
        self.end = self.end.max(at.end);
        let own_line = before.trim_matches(['\u{FEFF}', ' ', '\t']).is_empty();
        let place = if own_line { None } else { self.beside(at.line) };
        match place {
            Some(place) => *place = Some(text),
            None => self.waiting.push(Comment { text, apart: apart && own_line, column: at.column }),
        }
    }

    /// The free place beside whatever stands before a comment on its line.
    fn beside(&mut self, line: u32) -> Option<&mut Option<String>> {
        let Some(open) = self.open.last_mut() else {
            let root = self.tree.root.as_mut()?;
            return (root.lines.1 == line && root.beside.is_none()).then_some(&mut root.beside);
        };
        if let Some(key) = &mut open.key {
            return key.beside.is_none().then_some(&mut key.beside);
        }
        let Some(entry) = open.collection.entries.last_mut() else {
            let opened_here = open.collection.flow && open.at.line == line && open.beside.is_none();
            return opened_here.then_some(&mut open.beside);
        };
        let on_line = entry.lines.1 == line || (entry.lines.0 == line && matches!(entry.value, Value::Block(..)));
        (on_line && entry.beside.is_none()).then_some(&mut entry.beside)
    }

    /// A single value as it will be written, and where it ends.
    fn scalar(&self, at: At, text: &str, style: ScalarNotation) -> (Value, usize) {
        let source = self.slice(at);
        let end = at.start + source.trim_end_matches(SPACE).len();
        let quoted = || Value::Inline(serde_json::Value::from(text).to_string());
        match style {
            ScalarNotation::Plain | ScalarNotation::Quoted if !source.contains('\n') => {
                (Value::Inline(source.to_owned()), end)
            }
            ScalarNotation::Plain | ScalarNotation::Quoted => (quoted(), end),
            ScalarNotation::Block => {
                let gap = self.text.get(self.end..at.start).unwrap_or_default();
                let sign: String = gap
                    .find(['|', '>'])
                    .and_then(|sign| gap.get(sign..))
                    .unwrap_or_default()
                    .chars()
                    .take_while(|c| !c.is_whitespace())
                    .collect();
                // What depends on blank lines or on a number of spaces is said by quotes.
                if !matches!(sign.as_str(), "|" | "|-" | ">" | ">-") || text.starts_with(['\n', ' ', '\t']) {
                    return (quoted(), end);
                }
                // Spaces below the text may belong to it; those before the next thing do not.
                let rest = self.text.get(end..at.end).unwrap_or_default();
                let rest = if at.end < self.text.len() { rest.trim_end_matches([' ', '\t']) } else { rest };
                if rest.contains([' ', '\t']) || sign.len() == 1 && !text.ends_with('\n') {
                    return (quoted(), end);
                }
                let indent = at.column.saturating_sub(1);
                (
                    Value::Block(
                        sign,
                        source.trim_end_matches(SPACE).split('\n').map(|line| dedented(line, indent)).collect(),
                    ),
                    end,
                )
            }
        }
    }
}

/// A line without the spaces by which its block is indented. The first line comes without them.
fn dedented(line: &str, indent: u32) -> String {
    let spaces = line.bytes().take(usize::try_from(indent).unwrap_or(usize::MAX)).take_while(|b| *b == b' ').count();
    line.get(spaces..).unwrap_or_default().trim_end_matches('\r').to_owned()
}
