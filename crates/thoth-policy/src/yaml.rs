//! YAML documents as trees in which every node knows where it stands. The only module that knows the YAML parser.
//!
//! Stricter than YAML where two readers could disagree: duplicate keys, tags, merge keys and further documents are
//! refused. Aliases are resolved under a budget.

mod pieces;

pub(crate) use pieces::pieces;
pub use pieces::{Piece, PieceKind, ScalarNotation};

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use granit_parser::{Event, Options, Parser, ScalarStyle};

use crate::diagnostic::{Diagnostic, DiagnosticCode, File};

/// How deep collections may nest. Recursion over a tree is bounded by it.
const MAX_DEPTH: usize = 48;
/// How many nodes one file may have after aliases are resolved: room for about 100,000 rules.
const MAX_NODES: usize = 2_000_000;
/// How many nodes anchors may keep and aliases may add in one file.
const MAX_ALIAS_NODES: usize = 100_000;

/// Where a node stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct At {
    /// Bytes from the file's start.
    pub start: usize,
    /// End of the node, or of its first token for collections.
    pub end: usize,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub at: At,
    /// What it holds.
    pub content: Content,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Content {
    /// A single value.
    Scalar {
        /// Its text, without quotes.
        text: Arc<str>,
        /// Whether it was written without quotes.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Keys are scalars; in the order of the file.
    Map(Vec<(Key, Node)>),
}

/// A mapping's key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Its text, without quotes.
    pub text: Arc<str>,
    /// Where it stands.
    pub at: At,
}

impl Node {
    /// Whether it is an unquoted null or nothing at all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Its kind, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar { .. } if self.is_null() => "nothing",
            Content::Scalar { .. } => "a single value",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
        }
    }

    fn size(&self) -> usize {
        match &self.content {
            Content::Scalar { .. } => 1,
            Content::List(items) => items.iter().map(Self::size).sum::<usize>() + 1,
            Content::Map(entries) => entries.iter().map(|(_, value)| value.size() + 1).sum::<usize>() + 1,
        }
    }
}

/// A collection under construction.
struct Open {
    at: At,
    anchor: usize,
    key: Option<Key>,
    kind: Kind,
    /// Where its own begin among the items or entries of all that are open.
    first: usize,
    /// The keys of a mapping with many of them.
    seen: HashSet<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Map,
}

/// How many keys are compared one by one with a new one.
const FEW_KEYS: usize = 16;

/// How many different keys are kept at hand.
const KEYS_AT_HAND: usize = 128;

/// What is in the collections that are open lies behind each other and is moved out when one ends, so that every
/// collection is as large as it must be and none grows.
struct Builder<'f> {
    file: &'f Arc<File>,
    open: Vec<Open>,
    items: Vec<Node>,
    entries: Vec<(Key, Node)>,
    /// Texts of keys: files repeat them.
    keys: Vec<Arc<str>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    alias_nodes: usize,
    root: Option<Node>,
}

type Fail = Box<Diagnostic>;

/// Reads one file. `None` for an empty one.
pub(crate) fn parse(file: &Arc<File>) -> Result<Option<Node>, Fail> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder = Builder {
        file,
        open: Vec::new(),
        items: Vec::new(),
        entries: Vec::new(),
        keys: vec![Arc::from(""); KEYS_AT_HAND],
        anchors: HashMap::new(),
        nodes: 0,
        alias_nodes: 0,
        root: None,
    };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(&file.text, options) {
        let (event, span) = next.map_err(|error| syntax(file, &error))?;
        let at = place_of(&span);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return Err(builder
                        .fail(at, "a second document in one file")
                        .help("keep one document per file and join files with `include`")
                        .into());
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if tag.is_some() {
                    return Err(builder.fail(at, "a YAML tag, which policies do not use").into());
                }
                let plain = matches!(style, ScalarStyle::Plain);
                builder.scalar(at, &text, plain, anchor)?;
            }
            Event::SequenceStart(_, anchor, tag) | Event::MappingStart(_, anchor, tag) if tag.is_some() => {
                let _ = anchor;
                return Err(builder.fail(at, "a YAML tag, which policies do not use").into());
            }
            Event::SequenceStart(_, anchor, _) => builder.start(at, Kind::List, anchor)?,
            Event::MappingStart(_, anchor, _) => builder.start(at, Kind::Map, anchor)?,
            Event::SequenceEnd | Event::MappingEnd => builder.end(at)?,
            Event::Alias(id) => builder.alias(at, id)?,
            _ => {}
        }
    }
    Ok(builder.root)
}

fn place_of(span: &granit_parser::Span) -> At {
    let start = span.start.byte_offset().unwrap_or_default();
    At {
        start,
        end: span.end.byte_offset().unwrap_or(start).max(start),
        line: u32::try_from(span.start.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(span.start.col()).unwrap_or(u32::MAX).saturating_add(1),
    }
}

fn syntax(file: &Arc<File>, error: &granit_parser::ScanError) -> Fail {
    let mark = error.marker();
    let start = mark.byte_offset().unwrap_or_default().min(file.text.len());
    let at = At {
        start,
        end: start,
        line: u32::try_from(mark.line()).unwrap_or(u32::MAX).max(1),
        column: u32::try_from(mark.col()).unwrap_or(u32::MAX).saturating_add(1),
    };
    let mut diagnostic = Diagnostic::new(DiagnosticCode::Syntax, file, at, format!("not valid YAML: {}", error.kind()));
    let around = file.text.get(start.saturating_sub(2)..).unwrap_or_default();
    if around.contains('*') && error.kind().to_string().contains("alias") || error.kind().to_string().contains("anchor")
    {
        diagnostic = diagnostic.help("put quotes around a pattern that starts with `*`, `&` or `!`");
    }
    diagnostic.into()
}

impl Builder<'_> {
    fn fail(&self, at: At, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(DiagnosticCode::Syntax, self.file, at, message)
    }

    fn count(&mut self, at: At, more: usize) -> Result<(), Fail> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MAX_NODES {
            return Err(self.fail(at, format!("more than {MAX_NODES} values in one file")).into());
        }
        Ok(())
    }

    /// Whether the next node is a mapping's key.
    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.kind == Kind::Map && open.key.is_none())
    }

    fn scalar(&mut self, at: At, text: &str, plain: bool, anchor: usize) -> Result<(), Fail> {
        self.count(at, 1)?;
        if self.wants_key() {
            let text = self.key_text(text);
            return self.key(at, text, plain);
        }
        let text: Arc<str> = Arc::from(text);
        let node = Node { at, content: Content::Scalar { text, plain } };
        self.anchored(anchor, &node)?;
        self.place(node)
    }

    fn key_text(&mut self, text: &str) -> Arc<str> {
        let bytes = text.as_bytes();
        let middle = bytes.get(bytes.len() / 2).copied().unwrap_or_default();
        let (first, last) = (bytes.first().copied().unwrap_or_default(), bytes.last().copied().unwrap_or_default());
        let place = bytes.len() + 7 * usize::from(first) + 31 * usize::from(middle) + 5 * usize::from(last);
        let Some(at_hand) = self.keys.get_mut(place % KEYS_AT_HAND) else { return Arc::from(text) };
        if **at_hand != *text {
            *at_hand = Arc::from(text);
        }
        Arc::clone(at_hand)
    }

    fn key(&mut self, at: At, text: Arc<str>, plain: bool) -> Result<(), Fail> {
        if plain && &*text == "<<" {
            return Err(self.fail(at, "a YAML merge key, which policies do not use").help("write the keys out").into());
        }
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let own = self.entries.get(open.first..).unwrap_or_default();
        let same = |(key, _): &&(Key, Node)| key.text == text;
        let is_new = if own.len() < FEW_KEYS {
            !own.iter().any(|entry| same(&entry))
        } else {
            if open.seen.is_empty() {
                open.seen.extend(own.iter().map(|(key, _)| Arc::clone(&key.text)));
            }
            open.seen.insert(Arc::clone(&text))
        };
        if !is_new {
            let first = own.iter().find(same).map(|(key, _)| key.at);
            let mut diagnostic =
                Diagnostic::new(DiagnosticCode::DuplicateKey, self.file, at, format!("duplicate key `{text}`"));
            if let Some(first) = first {
                diagnostic = diagnostic.also(self.file, first, "first written here");
            }
            return Err(diagnostic.into());
        }
        open.key = Some(Key { text, at });
        Ok(())
    }

    fn start(&mut self, at: At, kind: Kind, anchor: usize) -> Result<(), Fail> {
        self.count(at, 1)?;
        if self.wants_key() {
            return Err(self.fail(at, "a list or mapping as a key").into());
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.fail(at, format!("nested deeper than {MAX_DEPTH} levels")).into());
        }
        let first = if kind == Kind::Map { self.entries.len() } else { self.items.len() };
        self.open.push(Open { at, anchor, key: None, kind, first, seen: HashSet::new() });
        Ok(())
    }

    fn end(&mut self, at: At) -> Result<(), Fail> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let content = match open.kind {
            Kind::List => Content::List(self.items.drain(open.first..).collect()),
            Kind::Map => Content::Map(self.entries.drain(open.first..).collect()),
        };
        let mut node = Node { at: open.at, content };
        // Block collections end where the next thing begins; a message should point at their first line only.
        let closes_later = self.file.text.get(node.at.start..at.end).is_some_and(|text| text.contains('\n'));
        if !closes_later {
            node.at.end = at.end.max(node.at.end);
        }
        self.anchored(open.anchor, &node)?;
        self.place(node)
    }

    fn anchored(&mut self, anchor: usize, node: &Node) -> Result<(), Fail> {
        if anchor != 0 {
            // Anchors nest, so keeping what they name costs as much as naming it again.
            self.spend(node.at, node.size())?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(())
    }

    fn spend(&mut self, at: At, size: usize) -> Result<(), Fail> {
        self.alias_nodes = self.alias_nodes.saturating_add(size);
        if self.alias_nodes > MAX_ALIAS_NODES {
            return Err(self.fail(at, format!("anchors and aliases name more than {MAX_ALIAS_NODES} values")).into());
        }
        Ok(())
    }

    fn alias(&mut self, at: At, id: usize) -> Result<(), Fail> {
        // An anchor is known once its node is complete, so a node can never contain itself.
        let Some(target) = self.anchors.get(&id) else {
            return Err(self.fail(at, "an alias inside the value that it names").into());
        };
        if self.wants_key() {
            return Err(self.fail(at, "an alias as a key").into());
        }
        let size = target.size();
        let node = target.clone();
        self.spend(at, size)?;
        self.count(at, size)?;
        self.place(node)
    }

    fn place(&mut self, node: Node) -> Result<(), Fail> {
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { kind: Kind::List, .. }) => self.items.push(node),
            Some(open) => match open.key.take() {
                Some(key) => self.entries.push((key, node)),
                None => return Err(self.fail(node.at, "a value without a key").into()),
            },
        }
        Ok(())
    }
}
