//! The single pass that checks a document and records its shape.

use super::keys::{Key, duplicate};
use super::plain_run::{Survey, plain_run, quoted_run};
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
        let survey = Survey::of(bytes);
        if !survey.ascii
            && let Err(error) = std::str::from_utf8(bytes)
        {
            return Err(JsonError { code: JsonErrorCode::InvalidUtf8, offset: error.valid_up_to() });
        }
        let no_controls = survey.no_controls;
        let mut parser = Parser { bytes, pos: 0, nodes: &mut self.nodes, keys: &mut self.keys, limits, no_controls };
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
    /// There is no control character anywhere, so none in a string.
    no_controls: bool,
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
        loop {
            let rest = self.bytes.get(self.pos..).unwrap_or_default();
            self.pos += if self.no_controls { quoted_run(rest) } else { plain_run(rest) };
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
        let node = self.leaf(Kind::Key, start, escaped)?;
        self.keys.push(Key::new(body, node));
        Ok(escaped)
    }

    /// Refuses two equal keys among those from `first` on.
    fn check_keys(&mut self, first: usize, escaped: bool) -> Result<(), JsonError> {
        let keys = self.keys.get_mut(first..).unwrap_or_default();
        match duplicate(keys, escaped, self.nodes, self.bytes) {
            None => Ok(()),
            Some(node) => Self::fail_at(JsonErrorCode::DuplicateKey, node.start()),
        }
    }
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
