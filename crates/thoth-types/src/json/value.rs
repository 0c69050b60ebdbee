//! Views of a parsed document.

use std::borrow::Cow;
use std::ops::Range;

/// What kind of JSON value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
    /// The key of an object's member; only seen through [`Members`].
    Key,
}

/// One value's place: where it starts and ends in the bytes, and where the next sibling is on the tape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    start: u32,
    end: u32,
    next: u32,
    kind: Kind,
    escaped: bool,
}

/// Lossless on a tape: [`super::Tape::parse`] refuses documents that do not fit.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Node {
    pub(super) fn open(kind: Kind, start: usize) -> Self {
        Self { start: narrow(start), end: 0, next: 0, kind, escaped: false }
    }

    pub(super) fn close(&mut self, end: usize, next: usize) {
        self.end = narrow(end);
        self.next = narrow(next);
    }

    #[inline]
    pub(super) fn leaf(kind: Kind, start: usize, end: usize, next: usize, escaped: bool) -> Self {
        Self { start: narrow(start), end: narrow(end), next: narrow(next), kind, escaped }
    }

    pub(super) const fn start(&self) -> usize {
        self.start as usize
    }

    /// A string's bytes between its quotes, escapes left as they stand.
    pub(super) fn string_body<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.start as usize + 1..(self.end as usize).saturating_sub(1)).unwrap_or_default()
    }
}

/// A view of one value in a parsed document. Copying it costs nothing.
#[derive(Clone, Copy)]
pub struct Value<'d> {
    nodes: &'d [Node],
    bytes: &'d [u8],
    at: usize,
}

impl std::fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The content may be secret.
        write!(f, "Value({:?}, {:?})", self.kind(), self.span())
    }
}

impl<'d> Value<'d> {
    pub(super) const fn root(nodes: &'d [Node], bytes: &'d [u8]) -> Self {
        Self { nodes, bytes, at: 0 }
    }

    #[inline]
    fn node(&self) -> Node {
        // INVARIANT: a `Value` is made only for an index that the parser filled.
        self.nodes.get(self.at).copied().unwrap_or_else(|| Node::open(Kind::Null, 0))
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.node().kind
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// Where it stands in the parsed bytes, quotes and brackets included.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        let node = self.node();
        node.start as usize..node.end as usize
    }

    /// Its exact bytes.
    #[must_use]
    pub fn raw(&self) -> &'d [u8] {
        self.bytes.get(self.span()).unwrap_or_default()
    }

    /// A string's or key's text, unescaped; borrowed when it has no escapes.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'d, str>> {
        let node = self.node();
        if !matches!(node.kind, Kind::String | Kind::Key) {
            return None;
        }
        let body = node.string_body(self.bytes);
        if node.escaped {
            String::from_utf8(unescape(body)).ok().map(Cow::Owned)
        } else {
            std::str::from_utf8(body).ok().map(Cow::Borrowed)
        }
    }

    /// Whether it is a string or key with exactly this text.
    #[must_use]
    pub fn is_str(&self, text: &str) -> bool {
        let node = self.node();
        matches!(node.kind, Kind::String | Kind::Key) && {
            let body = node.string_body(self.bytes);
            if node.escaped { unescape(body) == text.as_bytes() } else { body == text.as_bytes() }
        }
    }

    /// A number's exact decimal text.
    #[must_use]
    pub fn number_text(&self) -> Option<&'d str> {
        (self.kind() == Kind::Number).then(|| std::str::from_utf8(self.raw()).ok()).flatten()
    }

    /// A number that is written as an integer and fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        self.number_text()?.parse().ok()
    }

    /// A number that is written as an integer and fits.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        self.number_text()?.parse().ok()
    }

    /// A number, rounded to the nearest double.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        self.number_text()?.parse().ok()
    }

    /// A boolean.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    /// The member with this key, if it is an object and has one.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Self> {
        self.members().find(|(name, _)| name.is_str(key)).map(|(_, value)| value)
    }

    /// An object's members in the order in which they stand; nothing for other kinds. The first of each pair is the
    /// key, as a value of kind [`Kind::Key`].
    #[must_use]
    pub fn members(&self) -> Members<'d> {
        let node = self.node();
        let end = if node.kind == Kind::Object { node.next as usize } else { self.at + 1 };
        Members { nodes: self.nodes, bytes: self.bytes, at: self.at + 1, end }
    }

    /// An array's elements in order; nothing for other kinds.
    #[must_use]
    pub fn elements(&self) -> Elements<'d> {
        let node = self.node();
        let end = if node.kind == Kind::Array { node.next as usize } else { self.at + 1 };
        Elements { nodes: self.nodes, bytes: self.bytes, at: self.at + 1, end }
    }
}

/// Iterator over an object's members.
#[derive(Debug, Clone)]
pub struct Members<'d> {
    nodes: &'d [Node],
    bytes: &'d [u8],
    at: usize,
    end: usize,
}

impl<'d> Iterator for Members<'d> {
    type Item = (Value<'d>, Value<'d>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let key = Value { nodes: self.nodes, bytes: self.bytes, at: self.at };
        let value = Value { nodes: self.nodes, bytes: self.bytes, at: self.at + 1 };
        self.at = value.node().next as usize;
        Some((key, value))
    }
}

/// Iterator over an array's elements.
#[derive(Debug, Clone)]
pub struct Elements<'d> {
    nodes: &'d [Node],
    bytes: &'d [u8],
    at: usize,
    end: usize,
}

impl<'d> Iterator for Elements<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { nodes: self.nodes, bytes: self.bytes, at: self.at };
        self.at = value.node().next as usize;
        Some(value)
    }
}

/// Resolves the escapes of a string body that the parser has accepted.
pub(super) fn unescape(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (text, used) = decode_escape(escape);
        let mut buffer = [0; 4];
        out.extend_from_slice(text.encode_utf8(&mut buffer).as_bytes());
        rest = escape.get(used..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

fn hex_unit(digits: Option<&[u8]>) -> u32 {
    digits
        .unwrap_or_default()
        .iter()
        .fold(0, |unit, digit| (unit << 4) | char::from(*digit).to_digit(16).unwrap_or_default())
}

/// The character for the escape at the start of `bytes`, and how many bytes it takes.
fn decode_escape(bytes: &[u8]) -> (char, usize) {
    match bytes.get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => {
            let first = hex_unit(bytes.get(2..6));
            let (code, used) = if (0xD800..0xDC00).contains(&first) {
                let second = hex_unit(bytes.get(8..12));
                (0x10000 + ((first - 0xD800) << 10) + (second.wrapping_sub(0xDC00) & 0x3FF), 12)
            } else {
                (first, 6)
            };
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), used)
        }
        Some(byte) => (char::from(*byte), 2),
        None => (char::REPLACEMENT_CHARACTER, bytes.len().max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Tape};

    #[test]
    fn views_show_the_original_bytes() {
        let text = br#"{"a": [1, {"b": "x\ny"}], "n": 9007199254740993, "s": "\u00e9"}"#;
        let mut tape = Tape::new();
        let doc = tape.parse(text, &Limits::default()).unwrap();
        assert_eq!(doc.get("n").unwrap().number_text(), Some("9007199254740993"));
        assert_eq!(doc.get("a").unwrap().raw(), br#"[1, {"b": "x\ny"}]"#);
        let b = doc.get("a").unwrap().elements().nth(1).unwrap().get("b").unwrap();
        assert_eq!(b.as_str().unwrap(), "x\ny");
        assert_eq!(b.raw(), br#""x\ny""#);
        assert!(doc.get("s").unwrap().is_str("é"));
        assert_eq!(doc.members().count(), 3);
        assert_eq!(doc.get("zzz").map(|v| v.span()), None);
    }
}
