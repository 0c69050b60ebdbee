//! The single pass that checks a document and records its shape.

use super::value::{Kind, Node, Value, unescape};
use super::{JsonError, JsonErrorCode};

/// Caps on what [`Tape::parse`] accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest document, in bytes. Never more than `u32::MAX`, whatever is set here.
    pub max_bytes: usize,
    /// How deep arrays and objects may nest. Recursion is bounded by it.
    pub max_depth: u16,
    /// How many values a document may have, keys included: a bound on memory, 16 bytes each.
    pub max_values: usize,
}

impl Default for Limits {
    /// 10 MiB, as the TypeScript SDK's stdio buffer; 128 levels, as `serde_json` and thus the Rust SDK; a million
    /// values.
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, max_depth: 128, max_values: 1 << 20 }
    }
}

/// A tape keeps no more than this many values' room between documents.
const KEEP_NODES: usize = 1 << 14;
/// Up to this many keys are compared pair by pair; beyond it they are sorted.
const PAIRWISE_KEYS: usize = 12;

/// Reusable room for the shape of one document.
#[derive(Debug, Default)]
pub struct Tape {
    nodes: Vec<Node>,
    keys: Vec<u32>,
}

impl Tape {
    /// An empty tape; it allocates on first use.
    #[must_use]
    pub const fn new() -> Self {
        Self { nodes: Vec::new(), keys: Vec::new() }
    }

    /// Reads `bytes` as exactly one JSON document, with white space allowed around it.
    ///
    /// # Errors
    /// The first thing wrong with it, see [`JsonErrorCode`].
    pub fn parse<'d>(&'d mut self, bytes: &'d [u8], limits: &Limits) -> Result<Value<'d>, JsonError> {
        self.nodes.clear();
        self.keys.clear();
        if self.nodes.capacity() > KEEP_NODES {
            self.nodes.shrink_to(KEEP_NODES);
        }
        if bytes.len() > limits.max_bytes || u32::try_from(bytes.len()).is_err() {
            return Err(JsonError { code: JsonErrorCode::TooLong, offset: limits.max_bytes });
        }
        if bytes.starts_with(b"\xEF\xBB\xBF") {
            return Err(JsonError { code: JsonErrorCode::ByteOrderMark, offset: 0 });
        }
        let mut parser = Parser { bytes, pos: 0, nodes: &mut self.nodes, keys: &mut self.keys, limits };
        parser.skip_space();
        parser.value(0)?;
        parser.skip_space();
        if parser.pos < bytes.len() {
            return Err(parser.fail(JsonErrorCode::TrailingData));
        }
        Ok(Value::root(&self.nodes, bytes))
    }
}

struct Parser<'b, 't> {
    bytes: &'b [u8],
    pos: usize,
    nodes: &'t mut Vec<Node>,
    keys: &'t mut Vec<u32>,
    limits: &'t Limits,
}

impl Parser<'_, '_> {
    const fn fail(&self, code: JsonErrorCode) -> JsonError {
        JsonError { code, offset: self.pos }
    }

    const fn fail_at<T>(code: JsonErrorCode, offset: usize) -> Result<T, JsonError> {
        Err(JsonError { code, offset })
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    #[inline]
    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.pos += 1;
        }
    }

    fn unexpected(&self) -> JsonError {
        self.fail(if self.pos >= self.bytes.len() {
            JsonErrorCode::UnexpectedEnd
        } else {
            JsonErrorCode::UnexpectedByte
        })
    }

    /// Opens a node and returns its index; [`Self::close`] fills in where it ends.
    #[inline]
    fn open(&mut self, kind: Kind, start: usize) -> Result<usize, JsonError> {
        let index = self.nodes.len();
        if index >= self.limits.max_values {
            return Self::fail_at(JsonErrorCode::TooManyValues, start);
        }
        self.nodes.push(Node::open(kind, start));
        Ok(index)
    }

    #[inline]
    fn close(&mut self, index: usize, escaped: bool) {
        let next = self.nodes.len();
        let end = self.pos;
        if let Some(node) = self.nodes.get_mut(index) {
            node.close(end, next, escaped);
        }
    }

    fn value(&mut self, depth: u16) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string(Kind::String).map(|_| ()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b't') => self.literal(b"true", Kind::True),
            Some(b'f') => self.literal(b"false", Kind::False),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'N' | b'I' | b'+' | b'.') => Err(self.fail(JsonErrorCode::InvalidNumber)),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<(), JsonError> {
        let found = self.bytes.get(self.pos..self.pos + word.len());
        if found != Some(word) {
            return Err(self.unexpected());
        }
        let index = self.open(kind, self.pos)?;
        self.pos += word.len();
        self.close(index, false);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
        if self.pos == start {
            return Err(self.fail(JsonErrorCode::InvalidNumber));
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        let index = self.open(Kind::Number, start)?;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self.fail(JsonErrorCode::InvalidNumber));
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        let mut exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            exponent = true;
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digits()?;
        }
        // A double holds 10^308; anything shorter without an exponent is in range.
        if exponent || self.pos - start > 300 {
            let finite = self
                .bytes
                .get(start..self.pos)
                .and_then(|text| std::str::from_utf8(text).ok())
                .and_then(|text| text.parse::<f64>().ok())
                .is_some_and(f64::is_finite);
            if !finite {
                return Self::fail_at(JsonErrorCode::NumberOutOfRange, start);
            }
        }
        self.close(index, false);
        Ok(())
    }

    /// Reads a string, quotes included, and returns the index of its node.
    fn string(&mut self, kind: Kind) -> Result<usize, JsonError> {
        let start = self.pos;
        let index = self.open(kind, start)?;
        self.pos += 1;
        let mut escaped = false;
        let mut ascii = true;
        loop {
            let rest = self.bytes.get(self.pos..).unwrap_or_default();
            let (plain, all_ascii) = plain_run(rest);
            self.pos += plain;
            ascii &= all_ascii;
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fail(JsonErrorCode::ControlCharacter)),
                None => return Err(self.fail(JsonErrorCode::UnexpectedEnd)),
            }
        }
        if !ascii && let Err(error) = std::str::from_utf8(self.bytes.get(start..self.pos).unwrap_or_default()) {
            return Self::fail_at(JsonErrorCode::InvalidUtf8, start + error.valid_up_to());
        }
        self.pos += 1;
        self.close(index, escaped);
        Ok(index)
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let at = self.pos;
        self.pos += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 1;
                Ok(())
            }
            Some(b'u') => {
                let unit = self.hex_escape(at)?;
                match unit {
                    0xD800..=0xDBFF => {
                        let second = self.pos;
                        if self.bytes.get(second..second + 2) != Some(br"\u") {
                            return Self::fail_at(JsonErrorCode::LoneSurrogate, at);
                        }
                        self.pos += 1;
                        match self.hex_escape(second)? {
                            0xDC00..=0xDFFF => Ok(()),
                            _ => Self::fail_at(JsonErrorCode::LoneSurrogate, at),
                        }
                    }
                    0xDC00..=0xDFFF => Self::fail_at(JsonErrorCode::LoneSurrogate, at),
                    _ => Ok(()),
                }
            }
            Some(_) => Self::fail_at(JsonErrorCode::InvalidEscape, at),
            None => Err(self.fail(JsonErrorCode::UnexpectedEnd)),
        }
    }

    /// Reads `uXXXX`, standing on the `u`.
    fn hex_escape(&mut self, at: usize) -> Result<u16, JsonError> {
        let digits = self.bytes.get(self.pos + 1..self.pos + 5);
        let Some(digits) = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit)) else {
            return Self::fail_at(JsonErrorCode::InvalidEscape, at);
        };
        self.pos += 5;
        let unit =
            digits.iter().fold(0, |unit: u32, digit| (unit << 4) | char::from(*digit).to_digit(16).unwrap_or_default());
        u16::try_from(unit).or_else(|_| Self::fail_at(JsonErrorCode::InvalidEscape, at))
    }

    fn enter(&self, depth: u16) -> Result<u16, JsonError> {
        if depth >= self.limits.max_depth {
            return Err(self.fail(JsonErrorCode::TooDeep));
        }
        Ok(depth + 1)
    }

    fn array(&mut self, depth: u16) -> Result<(), JsonError> {
        let depth = self.enter(depth)?;
        let index = self.open(Kind::Array, self.pos)?;
        self.pos += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.pos += 1;
            self.close(index, false);
            return Ok(());
        }
        loop {
            self.skip_space();
            self.value(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b']') => {
                    self.pos += 1;
                    self.close(index, false);
                    return Ok(());
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn object(&mut self, depth: u16) -> Result<(), JsonError> {
        let depth = self.enter(depth)?;
        let index = self.open(Kind::Object, self.pos)?;
        let first_key = self.keys.len();
        self.pos += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            self.close(index, false);
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            let key = self.string(Kind::Key)?;
            self.check_nul(key)?;
            // Lossless: a node index is below `max_values` and below the number of bytes, which fits.
            self.keys.push(u32::try_from(key).unwrap_or(u32::MAX));
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected());
            }
            self.pos += 1;
            self.skip_space();
            self.value(depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(b'}') => {
                    self.pos += 1;
                    self.close(index, false);
                    self.check_keys(first_key)?;
                    self.keys.truncate(first_key);
                    return Ok(());
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// Only an escape can spell a NUL: raw control characters are refused.
    #[inline]
    fn check_nul(&self, key: usize) -> Result<(), JsonError> {
        match self.nodes.get(key) {
            Some(node) if node.escaped() && unescape(node.string_body(self.bytes)).contains(&0) => {
                Self::fail_at(JsonErrorCode::NulInKey, node.start())
            }
            _ => Ok(()),
        }
    }

    fn key_text(&self, key: u32) -> (&[u8], bool) {
        let node = self.nodes.get(key as usize);
        node.map_or((&[], false), |node| (node.string_body(self.bytes), node.escaped()))
    }

    fn check_keys(&self, first: usize) -> Result<(), JsonError> {
        let keys = self.keys.get(first..).unwrap_or_default();
        if keys.len() < 2 {
            return Ok(());
        }
        let duplicate = if keys.iter().any(|key| self.key_text(*key).1) {
            let mut texts: Vec<_> = keys.iter().map(|key| (unescape(self.key_text(*key).0), *key)).collect();
            texts.sort_unstable();
            texts.windows(2).find_map(|pair| match pair {
                [(a, _), (b, key)] if a == b => Some(*key),
                _ => None,
            })
        } else if keys.len() <= PAIRWISE_KEYS {
            keys.iter().enumerate().find_map(|(i, key)| {
                let text = self.key_text(*key).0;
                keys.iter().take(i).any(|other| self.key_text(*other).0 == text).then_some(*key)
            })
        } else {
            let mut texts: Vec<_> = keys.iter().map(|key| (self.key_text(*key).0, *key)).collect();
            texts.sort_unstable();
            texts.windows(2).find_map(|pair| match pair {
                [(a, _), (b, key)] if a == b => Some(*key),
                _ => None,
            })
        };
        match duplicate {
            None => Ok(()),
            Some(key) => {
                let offset = self.nodes.get(key as usize).map_or(0, Node::start);
                Self::fail_at(JsonErrorCode::DuplicateKey, offset)
            }
        }
    }
}

/// How many bytes from the start need no attention inside a string, and whether they are all ASCII.
#[inline]
fn plain_run(bytes: &[u8]) -> (usize, bool) {
    let (blocks, _) = bytes.as_chunks::<32>();
    let mut run = 0;
    let mut seen = 0_u8;
    for block in blocks {
        let mut stop = false;
        let mut or = 0_u8;
        for &byte in block {
            stop |= (byte == b'"') | (byte == b'\\') | (byte < 0x20);
            or |= byte;
        }
        if stop {
            break;
        }
        seen |= or;
        run += 32;
    }
    for &byte in bytes.get(run..).unwrap_or_default() {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        seen |= byte;
        run += 1;
    }
    (run, seen.is_ascii())
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use proptest::prelude::*;

    fn outcome(text: &[u8]) -> Result<Kind, JsonErrorCode> {
        let mut tape = Tape::new();
        tape.parse(text, &Limits::default()).map(|value| value.kind()).map_err(|error| error.code)
    }

    #[test]
    fn refuses_whatever_two_readers_could_disagree_on() {
        use JsonErrorCode::*;
        let cases: &[(&[u8], Result<Kind, JsonErrorCode>)] = &[
            (b"{}", Ok(Kind::Object)),
            (b" [1, -0.5e-3, \"\\ud83d\\ude00\"] ", Ok(Kind::Array)),
            (b"1e308", Ok(Kind::Number)),
            (b"123456789012345678901234567890", Ok(Kind::Number)),
            ("\"é\u{1F600}\"".as_bytes(), Ok(Kind::String)),
            (b"", Err(UnexpectedEnd)),
            (b"{\"a\":1", Err(UnexpectedEnd)),
            (b"\"abc", Err(UnexpectedEnd)),
            (b"{\"a\":1,}", Err(UnexpectedByte)),
            (b"[1,]", Err(UnexpectedByte)),
            (b"{} {}", Err(TrailingData)),
            (b"\xEF\xBB\xBF{}", Err(ByteOrderMark)),
            (b"\"\xff\"", Err(InvalidUtf8)),
            (b"\"\xed\xa0\x80\"", Err(InvalidUtf8)),
            (b"\"a\nb\"", Err(ControlCharacter)),
            (b"\"\\x41\"", Err(InvalidEscape)),
            (b"\"\\u00g0\"", Err(InvalidEscape)),
            (b"\"\\ud800\"", Err(LoneSurrogate)),
            (b"\"\\udc00\"", Err(LoneSurrogate)),
            (b"\"\\ud800\\u0041\"", Err(LoneSurrogate)),
            (b"NaN", Err(InvalidNumber)),
            (b"-Infinity", Err(InvalidNumber)),
            (b"01", Err(InvalidNumber)),
            (b"1.", Err(InvalidNumber)),
            (b"+1", Err(InvalidNumber)),
            (b"1e999", Err(NumberOutOfRange)),
            (b"{\"a\":1,\"a\":2}", Err(DuplicateKey)),
            (b"{\"a\":1,\"\\u0061\":2}", Err(DuplicateKey)),
            (b"[{\"x\":{\"a\":1,\"b\":2,\"a\":3}}]", Err(DuplicateKey)),
            (b"{\"a\\u0000\":1}", Err(NulInKey)),
            (b"{\"a\\\\u0000\":\"\\u0000\"}", Ok(Kind::Object)),
            (b"tru", Err(UnexpectedByte)),
        ];
        for (text, expected) in cases {
            assert_eq!(outcome(text), *expected, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(outcome(format!("{}1{}", "[".repeat(128), "]".repeat(128)).as_bytes()), Ok(Kind::Array));
        assert_eq!(outcome(format!("{}1{}", "[".repeat(129), "]".repeat(129)).as_bytes()), Err(TooDeep));
        let many: String = (0..40).map(|i| format!("\"k{i}\":0,")).collect();
        assert_eq!(outcome(format!("{{{many}\"k7\":1}}").as_bytes()), Err(DuplicateKey));
        assert_eq!(outcome(format!("{{{many}\"k40\":1}}").as_bytes()), Ok(Kind::Object));
    }

    fn same(ours: Value<'_>, theirs: &serde_json::Value) -> bool {
        match theirs {
            serde_json::Value::Null => ours.is_null(),
            serde_json::Value::Bool(b) => ours.as_bool() == Some(*b),
            serde_json::Value::Number(n) => ours.number_text().and_then(|t| t.parse::<f64>().ok()) == n.as_f64(),
            serde_json::Value::String(s) => ours.as_str().as_deref() == Some(s.as_str()),
            serde_json::Value::Array(items) => {
                ours.elements().count() == items.len() && ours.elements().zip(items).all(|(a, b)| same(a, b))
            }
            serde_json::Value::Object(map) => {
                ours.members().count() == map.len()
                    && map.iter().all(|(k, v)| ours.get(k).is_some_and(|ours| same(ours, v)))
            }
        }
    }

    proptest! {
        /// Defends "one parser decides": whatever we accept, `serde_json` accepts and reads alike.
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}:,\"a\\\\u0-9eE.+ -]{0,40}") {
            let mut tape = Tape::new();
            if let Ok(value) = tape.parse(text.as_bytes(), &Limits::default()) {
                let theirs: serde_json::Value = serde_json::from_str(&text).expect("accepted by us");
                prop_assert!(same(value, &theirs));
            }
        }

        #[test]
        fn reads_what_serde_json_writes(text in any::<String>(), n in any::<i64>(), f in any::<f64>()) {
            let theirs = serde_json::json!({ &text: [n, f, null, true, {"k": &text}] });
            let written = theirs.to_string();
            let mut tape = Tape::new();
            let value = tape.parse(written.as_bytes(), &Limits::default()).expect("valid JSON");
            let ours = value.get(&text).expect("key");
            prop_assert_eq!(ours.elements().next().and_then(|v| v.as_i64()), Some(n));
            let nested = ours.elements().nth(4).and_then(|v| v.get("k")).and_then(|v| v.as_str().map(|s| s.into_owned()));
            prop_assert_eq!(nested, Some(text));
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut tape = Tape::new();
            let accepted = tape.parse(&bytes, &Limits::default()).is_ok();
            prop_assert!(!accepted || serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}
