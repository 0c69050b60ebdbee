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
    keys: Vec<Key>,
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
    keys: &'t mut Vec<Key>,
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
    fn close(&mut self, index: usize) {
        let next = self.nodes.len();
        let end = self.pos;
        if let Some(node) = self.nodes.get_mut(index) {
            node.close(end, next);
        }
    }

    /// Adds a node without children, which ends here, and returns its index.
    #[inline]
    fn leaf(&mut self, kind: Kind, start: usize, escaped: bool) -> Result<usize, JsonError> {
        let index = self.nodes.len();
        if index >= self.limits.max_values {
            return Self::fail_at(JsonErrorCode::TooManyValues, start);
        }
        self.nodes.push(Node::leaf(kind, start, self.pos, index + 1, escaped));
        Ok(index)
    }

    fn value(&mut self, depth: u16) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => {
                self.string().and_then(|(start, escaped)| self.leaf(Kind::String, start, escaped)).map(|_| ())
            }
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
        let start = self.pos;
        self.pos += word.len();
        self.leaf(kind, start, false).map(|_| ())
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
        self.leaf(Kind::Number, start, false).map(|_| ())
    }

    /// Reads a string, quotes included, and returns where it started and whether it has escapes.
    fn string(&mut self) -> Result<(usize, bool), JsonError> {
        let start = self.pos;
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
        Ok((start, escaped))
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
            self.close(index);
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
                    self.close(index);
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
        let mut escaped = false;
        self.pos += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.pos += 1;
            self.close(index);
            return Ok(());
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.unexpected());
            }
            escaped |= self.key()?;
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
                    self.close(index);
                    self.check_keys(first_key, escaped)?;
                    self.keys.truncate(first_key);
                    return Ok(());
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// Reads a key and returns whether it has escapes.
    #[inline]
    fn key(&mut self) -> Result<bool, JsonError> {
        let (start, escaped) = self.string()?;
        let body = self.bytes.get(start + 1..self.pos - 1).unwrap_or_default();
        // Only an escape can spell a NUL: raw control characters are refused.
        if escaped && unescape(body).contains(&0) {
            return Self::fail_at(JsonErrorCode::NulInKey, start);
        }
        let print = fingerprint(body);
        let node = self.leaf(Kind::Key, start, escaped)?;
        // Lossless: a node index is below `max_values` and below the number of bytes, which fits.
        self.keys.push(Key { print, node: u32::try_from(node).unwrap_or(u32::MAX) });
        Ok(escaped)
    }

    /// Refuses two equal keys among those from `first` on.
    fn check_keys(&mut self, first: usize, escaped: bool) -> Result<(), JsonError> {
        let (bytes, nodes) = (self.bytes, &*self.nodes);
        let text = |key: &Key| nodes.get(key.node as usize).map_or(&[][..], |node| node.string_body(bytes));
        let keys = self.keys.get_mut(first..).unwrap_or_default();
        let duplicate = if escaped {
            let mut texts: Vec<_> = keys.iter().map(|key| (unescape(text(key)), key.node)).collect();
            texts.sort_unstable();
            texts.windows(2).find_map(|pair| match pair {
                [(a, _), (b, node)] if a == b => Some(*node),
                _ => None,
            })
        } else if keys.len() <= PAIRWISE_KEYS {
            keys.iter().enumerate().find_map(|(i, key)| {
                let same = |other: &Key| other.print == key.print && text(other) == text(key);
                keys.iter().take(i).any(same).then_some(key.node)
            })
        } else {
            keys.sort_unstable_by(|a, b| a.print.cmp(&b.print).then_with(|| text(a).cmp(text(b))));
            keys.windows(2).find_map(|pair| match pair {
                [a, b] if a.print == b.print && text(a) == text(b) => Some(a.node.max(b.node)),
                _ => None,
            })
        };
        match duplicate {
            None => Ok(()),
            Some(node) => {
                let offset = nodes.get(node as usize).map_or(0, Node::start);
                Self::fail_at(JsonErrorCode::DuplicateKey, offset)
            }
        }
    }
}

/// A key of an object that is still open.
#[derive(Debug, Clone, Copy)]
struct Key {
    /// Equal for equal keys, and mostly different for others: saves looking at the texts.
    print: u32,
    /// Its node.
    node: u32,
}

/// See [`Key::print`].
#[inline]
fn fingerprint(key: &[u8]) -> u32 {
    let edge = |four: Option<&[u8; 4]>| match four {
        Some(four) => u32::from_le_bytes(*four),
        None => key.iter().fold(0, |print, byte| (print << 8) | u32::from(*byte)),
    };
    edge(key.first_chunk()).wrapping_mul(0x9E37_79B1) ^ edge(key.last_chunk())
}

/// A byte in every byte of a word.
const fn splat(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The high bit of every byte.
const HIGH_BITS: u64 = splat(0x80);

/// Marks the high bit of the first byte that needs attention inside a string: quote, backslash, control character.
/// Bytes after the first marked one may be marked wrongly, by the borrow of the subtractions.
#[inline]
const fn stops(word: u64) -> u64 {
    let quote = word ^ splat(b'"');
    let backslash = word ^ splat(b'\\');
    let zero_or_less = (quote.wrapping_sub(splat(1)) & !quote)
        | (backslash.wrapping_sub(splat(1)) & !backslash)
        | (word.wrapping_sub(splat(0x20)) & !word);
    zero_or_less & HIGH_BITS
}

/// The eight bytes from `at`. Past the end there are zeros, which stop a string like any control character.
#[inline]
fn word_at(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(word) = rest.first_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(rest) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

/// How many bytes from the start need no attention inside a string, and whether they are all ASCII.
#[inline]
fn plain_run(bytes: &[u8]) -> (usize, bool) {
    let mut run = 0;
    let mut seen = 0;
    loop {
        let word = word_at(bytes, run);
        let stops = stops(word);
        if stops != 0 {
            let plain = stops.trailing_zeros() / 8;
            seen |= word & ((1_u64 << (plain * 8)) - 1);
            return (run + plain as usize, seen & HIGH_BITS == 0);
        }
        seen |= word;
        run += 8;
        // Most strings end within the first words. A longer one goes on by blocks up to the one that it ends in.
        if run == 32 {
            let (plain, non_ascii) = plain_blocks(bytes.get(run..).unwrap_or_default());
            run += plain;
            seen |= u64::from(non_ascii) << 7;
        }
    }
}

/// How many bytes there are in the leading 64-byte blocks that need no attention inside a string, and whether one of
/// them is not ASCII. Written so that the compiler makes vector code of it.
fn plain_blocks(bytes: &[u8]) -> (usize, bool) {
    let mut seen = 0_u8;
    let mut run = 0;
    for block in bytes.as_chunks::<64>().0 {
        let mut stop = 0_u8;
        let mut all = 0_u8;
        for &byte in block {
            stop |= u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
            all |= byte;
        }
        if stop != 0 {
            break;
        }
        seen |= all;
        run += 64;
    }
    (run, !seen.is_ascii())
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

    /// Defends the word-wise and block-wise reading of strings at every place where a word or a block can end.
    #[test]
    fn a_string_ends_where_it_ends() {
        for length in 0..220 {
            let plain = "x".repeat(length);
            assert_eq!(plain_run(plain.as_bytes()), (length, true), "{length} plain bytes");
            for stop in ['"', '\\', '\u{1f}', '\n', '\0'] {
                let text = format!("{plain}{stop}\u{e9}{plain}");
                assert_eq!(plain_run(text.as_bytes()), (length, true), "{stop:?} after {length} bytes");
            }
            for wide in ["\u{e9}", "\u{2028}", "\u{1f600}", "\u{7f}"] {
                let text = format!("{plain}{wide}{plain}\"\u{e9}");
                let run = 2 * length + wide.len();
                assert_eq!(plain_run(text.as_bytes()), (run, wide.is_ascii()), "{wide:?} after {length} bytes");
            }
        }
    }

    /// Defends the fingerprints: keys that share beginnings, ends or lengths are still told apart, and equal ones found.
    #[test]
    fn like_keys_are_told_apart() {
        for count in [2_usize, 5, 12, 13, 40, 300] {
            for (prefix, suffix) in [("", ""), ("item", ""), ("", "item"), ("longer prefix ", " longer suffix")] {
                let keys: Vec<_> = (0..count).map(|i| format!("\"{prefix}{i}{suffix}\":{i}")).collect();
                assert_eq!(outcome(format!("{{{}}}", keys.join(",")).as_bytes()), Ok(Kind::Object));
                for again in [0, count / 2, count - 1] {
                    let text = format!("{{{},{}}}", keys.join(","), keys[again]);
                    let mut tape = Tape::new();
                    let error = tape.parse(text.as_bytes(), &Limits::default()).expect_err("a duplicate");
                    assert_eq!(error.code, JsonErrorCode::DuplicateKey, "{text}");
                    assert_eq!(error.offset, text.rfind(&format!("\"{prefix}{again}{suffix}\"")).expect("the second"));
                }
            }
        }
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
