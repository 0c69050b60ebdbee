//! A text cut into clauses of words that mean something.

use std::sync::LazyLock;

use super::super::words::Words;
use super::carrier;
use super::lexicon::{self, Meaning, Spelling};

/// One word, or one thing that is no word but counts as one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) meaning: Meaning,
    pub(super) end: usize,
}

/// A stretch of text up to the end of a sentence, a line or a bracket.
#[derive(Debug, Clone, Default)]
pub(super) struct Clause {
    pub(super) tokens: Vec<Token>,
    /// What its words mean, all together.
    pub(super) all: Meaning,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it opens a line (after marks of lists) and whether it closes one.
    pub(super) opens_line: bool,
    pub(super) closes_line: bool,
    /// The line it stands on.
    pub(super) line: usize,
    /// Whether it ends in a question mark.
    pub(super) asks: bool,
    /// Whether it is only what stands before a mark, such as the name of a tag or of a speaker, and says nothing.
    stub: bool,
    /// Whether such a one stands before it on its line.
    pub(super) led: bool,
}

/// What a word may mean before a mark without saying anything.
const IDLE: Meaning = lexicon::PLACE
    | lexicon::LOUD
    | lexicon::NUMBER
    | lexicon::COMMA
    | lexicon::BREAK
    | lexicon::QUOTED
    | lexicon::CALLED;

/// Words whose sentence goes on behind a mark, as in `you can <b>send</b> …` and `never "share" …`.
const LEADING: Meaning = lexicon::SOFTENER | lexicon::MUST | lexicon::NOT | lexicon::YOU | lexicon::QUESTION;

/// The full stop of scripts that write no spaces; the view has ASCII in place of their other marks.
const FULL_STOP: &[u8] = "。".as_bytes();

/// A word longer than this is cut: none is.
const MAX_WORD: usize = 1024;

/// A clause longer than this is cut: no sentence is.
const MAX_TOKENS: usize = 64;

/// Cuts a text and hands each clause to `each`.
pub(super) fn clauses(text: &str, mut each: impl FnMut(&Clause)) {
    let clause = Clause { opens_line: true, tokens: Vec::with_capacity(16), ..Clause::default() };
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, clause, line: 0, marks: 0, idle: 0 };
    while reader.at < reader.bytes.len() {
        if reader.step() {
            reader.emit(&mut each);
        }
    }
    reader.clause.closes_line = true;
    reader.emit(&mut each);
}

struct Reader<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    clause: Clause,
    line: usize,
    /// The marks that were read since the last word.
    marks: Meaning,
    /// How many words the stubs have that stand before the clause.
    idle: usize,
}

impl Reader<'_> {
    /// Hands over what was read and begins anew.
    fn emit(&mut self, each: &mut impl FnMut(&Clause)) {
        let line_ended = self.clause.closes_line;
        let empty = self.clause.tokens.is_empty();
        self.clause.line = self.line;
        if !empty {
            // A clause before the line's last mark, as in `… now."`, closes the line too.
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let next =
                rest.iter().find(|byte| !matches!(byte, b' ' | b'"' | b'\'' | b')' | b'*' | b'.' | b']' | b'\r'));
            self.clause.closes_line |= next.is_none_or(|byte| *byte == b'\n');
            each(&self.clause);
        }
        // A line begins behind the name of a tag, too.
        self.idle = if self.clause.stub { self.idle + self.clause.tokens.len() } else { 0 };
        // So many words are no name: they count as a clause.
        let led = !line_ended && self.idle <= 3 && (self.clause.stub || (self.clause.led && empty));
        let opens_line = line_ended || (self.clause.opens_line && (empty || led));
        self.clause.tokens.clear();
        let tokens = std::mem::take(&mut self.clause.tokens);
        self.clause = Clause { tokens, start: self.at, end: self.at, opens_line, led, ..Clause::default() };
        if line_ended {
            self.line += 1;
            self.marks &= lexicon::COMMA;
        }
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn push(&mut self, meaning: Meaning, start: usize, end: usize) {
        if self.clause.tokens.is_empty() {
            self.clause.start = start;
        }
        self.clause.end = end;
        let meaning = meaning | std::mem::take(&mut self.marks);
        self.clause.all |= meaning;
        self.clause.tokens.push(Token { meaning, end });
    }

    fn at_full_stop(&self) -> bool {
        self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(FULL_STOP))
    }

    /// How long the mark is that stands here, if one does: dashes, quotation marks, bullets, arrows, lines, pictures.
    fn punctuation(&self) -> Option<usize> {
        match (self.peek(0), self.peek(1)) {
            // U+00A0 to U+00BF, but for the letters among them.
            (0xC2, 0xA0..=0xA9 | 0xAB..=0xB4 | 0xB6..=0xB9 | 0xBB..=0xBF) => Some(2),
            // Brackets of scripts that write no spaces: U+3008 to U+301F.
            (0xE3, 0x80) if self.peek(2) >= 0x88 && self.peek(2) <= 0x9F => Some(3),
            // U+2000 to U+207F and U+2190 to U+2BFF.
            (0xE2, 0x80 | 0x81 | 0x86..=0xAF) => Some(3),
            // U+1F000 to U+1FFFF.
            (0xF0, 0x9F) => Some(4),
            _ => None,
        }
    }

    /// A mark at which something else may begin: ends the clause where that says something by itself or nothing at all,
    /// and else lets the next word open a part of it.
    fn mark(&mut self, kind: Meaning) -> bool {
        let Some(last) = self.clause.tokens.last() else { return false };
        if self.clause.tokens.len() > 3 {
            return true;
        }
        self.part(last.meaning, kind)
    }

    /// The same for a mark that may stand within a clause of any length.
    fn part(&mut self, last: Meaning, kind: Meaning) -> bool {
        if last & LEADING != 0 && !self.peek(0).is_ascii_uppercase() {
            return false;
        }
        self.marks |= kind;
        self.clause.stub = self.clause.all & !IDLE == 0;
        self.clause.stub
    }

    /// A mark that stands between words as well as within a sentence.
    fn joint(&mut self, kind: Meaning) -> bool {
        let Some(last) = self.clause.tokens.last() else { return false };
        self.part(last.meaning, kind) || self.full()
    }

    fn full(&self) -> bool {
        self.clause.tokens.len() >= MAX_TOKENS
    }

    /// Reads one thing. Returns whether the clause ended.
    fn step(&mut self) -> bool {
        let byte = self.peek(0);
        if byte.is_ascii_alphanumeric() {
            return self.word();
        }
        if byte >= 0x80 {
            if self.at_full_stop() {
                self.at += FULL_STOP.len();
                return true;
            }
            if let Some(length) = self.punctuation() {
                // A dash parts clauses; a quotation mark may stand around one word.
                let third = self.peek(2);
                let general = byte == 0xE2 && matches!(self.peek(1), 0x80 | 0x81);
                self.at += length;
                return match third {
                    _ if byte == 0xE3 => self.joint(lexicon::BREAK | lexicon::QUOTED),
                    0x93..=0x95 if general => true,
                    0x98..=0x9F if general => self.mark(lexicon::BREAK | lexicon::QUOTED),
                    _ => self.mark(lexicon::BREAK),
                };
            }
            return self.word();
        }
        let start = self.at;
        self.at += 1;
        match byte {
            b'\n' => {
                self.clause.closes_line = true;
                true
            }
            b'.' | b'!' | b'?' => {
                self.clause.asks |= byte == b'?';
                let next = self.peek(0);
                // Not inside `e.g.` or `v1.2` or `file.txt`.
                next == 0
                    || next.is_ascii_whitespace()
                    || next.is_ascii_uppercase()
                    || next == b'\\'
                    || matches!(next, b'"' | b'\'' | b')' | b'<' | b'*')
            }
            // A dash between words parts clauses.
            b'-' if self.peek(0) == b' ' => true,
            b':' | b';' => self.peek(0).is_ascii_whitespace() || self.peek(0) == 0 || self.joint(lexicon::BREAK),
            b'<' => self.angle(start),
            b'[' => self.bracket(start),
            b'"' | b'`' => self.mark(lexicon::BREAK | lexicon::QUOTED),
            b'\'' if self.peek(0).is_ascii_alphanumeric() => self.joint(lexicon::BREAK | lexicon::QUOTED),
            b'(' | b')' | b'|' | b']' | b'>' | b'}' | b'\t' => self.mark(lexicon::BREAK),
            b'=' | b'*' | b'#' | b'~' | b'/' | b'{' | b'+' | b'&' | b'@' | b'^' | b'%' | b'$' => {
                self.joint(lexicon::BREAK)
            }
            // A line break that some program wrote as an escape.
            b'\\' if matches!(self.peek(0), b'n' | b'r' | b't') => {
                self.at += 1;
                self.clause.closes_line = true;
                true
            }
            b',' => {
                self.marks |= lexicon::COMMA;
                false
            }
            _ => self.full(),
        }
    }

    /// `<|…|>`, `<<SYS>>`, a label with a word of authority, or a place-holder such as `<address>`.
    fn angle(&mut self, start: usize) -> bool {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let window = rest.get(..48).unwrap_or(rest);
        let Some(close) = memchr::memchr(b'>', window) else { return false };
        let inner = window.get(1..close).unwrap_or_default();
        let word = inner.strip_prefix(b"/").unwrap_or(inner);
        let template = (inner.len() > 2 && inner.starts_with(b"|") && inner.ends_with(b"|"))
            || word.eq_ignore_ascii_case(b"<sys")
            || word.eq_ignore_ascii_case(b"</sys");
        let holder =
            !word.is_empty() && word.iter().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b' ' | b'-'));
        let meaning = match label(word).or_else(|| plain_label(word)) {
            _ if template => lexicon::TEMPLATE,
            Some(meaning) => meaning,
            None if holder && !is_markup(word) => lexicon::PLACE,
            None => return self.mark(0),
        };
        self.push(meaning, start, start + close + 1);
        self.at = start + close + 1;
        meaning != lexicon::PLACE || (self.clause.all & !IDLE == 0 && self.joint(lexicon::BREAK))
    }

    /// `[SYSTEM]`, `[INST]`, `[/PRIORITY_INSTRUCTION]`: brackets around words of authority in capitals.
    fn bracket(&mut self, start: usize) -> bool {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let window = rest.get(..48).unwrap_or(rest);
        let inner = memchr::memchr(b']', window).and_then(|close| window.get(1..close));
        let Some(inner) = inner else { return self.mark(lexicon::BREAK) };
        let word = inner.strip_prefix(b"/").unwrap_or(inner);
        let meaning = if word == b"INST" { Some(lexicon::TEMPLATE) } else { label(word).or_else(|| plain_label(word)) };
        let Some(meaning) = meaning else { return self.mark(lexicon::BREAK) };
        self.push(meaning, start, start + inner.len() + 2);
        self.at = start + inner.len() + 2;
        true
    }

    /// Passes over a word that begins at `start`, and says what it is made of and how it is spelled: without what follows
    /// its last apostrophe, and with it.
    fn pass_word(&mut self, start: usize) -> (Makeup, Spelling, Spelling) {
        let mut makeup = Makeup(0);
        let (mut stem, mut spelling) = (Spelling::default(), Spelling::default());
        while let Some(&byte) = self.bytes.get(self.at) {
            let part = Makeup::of(byte);
            if part.0 == 0 && !(byte == b'\'' && self.at > start && self.peek(1).is_ascii_alphabetic()) {
                break;
            }
            if matches!(byte, 0xC2 | 0xE2 | 0xE3 | 0xF0) && (self.at_full_stop() || self.punctuation().is_some()) {
                break;
            }
            if self.at - start > MAX_WORD && self.text.is_char_boundary(self.at) {
                break;
            }
            if byte == b'\'' {
                stem = spelling;
            }
            makeup.0 |= part.0;
            spelling.push(byte | (part.0 & Makeup::UPPER));
            self.at += 1;
        }
        (makeup, stem, spelling)
    }

    fn word(&mut self) -> bool {
        let start = self.at;
        let (makeup, stem, spelling) = self.pass_word(start);
        if makeup.has(Makeup::WIDE) && self.wide_word(start, spelling) {
            return self.full();
        }
        let whole = self.bytes.get(start..self.at).unwrap_or_default();
        let (next, after) = (self.peek(0), self.peek(1));
        // Most words end at a blank, and then none of this can be.
        if next != b' ' {
            if opens_address(whole, next, after, self.peek(2)) {
                return self.address(start);
            }
            if next == b'.' && (after.is_ascii_lowercase() || after.is_ascii_digit()) {
                return self.dotted(start);
            }
        }
        let upper =
            if makeup.has(Makeup::UPPER) { whole.iter().filter(|byte| byte.is_ascii_uppercase()).count() } else { 0 };
        let underscore = makeup.has(Makeup::UNDERSCORE);
        let (word, spelling) = match whole.split_last_chunk::<2>() {
            Some((word, b"'s" | b"'S")) => (word, stem),
            _ => (whole, spelling),
        };
        let mut meaning = match makeup {
            Makeup(Makeup::DIGIT) => lexicon::NUMBER,
            _ if underscore || makeup.has(Makeup::DIGIT) => 0,
            _ => lexicon::meaning(spelling),
        };
        let in_code = next == b':' && after == b':' || matches!(next, b'!' | b'=' | b';' | b'[');
        if underscore && !in_code {
            meaning = if upper > 1 { label(whole).unwrap_or(0) } else { lexicon::NAME };
        }
        // Code behind a mark, as in `if (send(user))`, opens no sentence.
        if next == b'(' || in_code {
            meaning |= if self.marks & lexicon::BREAK != 0 { lexicon::CALLED } else { 0 };
        }
        // `bob Ignore all …`, but not the title `How To Ignore All …`.
        if upper == 1 && meaning & lexicon::OVERRIDE != 0 && next == b' ' && after.is_ascii_lowercase() {
            meaning |= if whole.first().is_some_and(u8::is_ascii_uppercase) { lexicon::CAPITAL } else { 0 };
        }
        if next == b'(' && word.len() > 2 && (underscore || matches!(after, b'\'' | b'"' | b')')) {
            meaning |= lexicon::NAME;
            if matches!(after, b'\'' | b'"') {
                meaning |= lexicon::CALL;
            }
        }
        if upper >= 3 && upper == word.len() {
            meaning |= lexicon::LOUD;
        }
        if next == b':' && self.clause.opens_line && self.clause.tokens.is_empty() && speaks(word) {
            meaning |= lexicon::SPEAKER;
        }
        self.push(meaning, start, self.at);
        self.full()
    }

    /// The rest of an address, which is one thing up to the next space.
    fn address(&mut self, start: usize) -> bool {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let run = rest.get(..rest.iter().position(ends_address).unwrap_or(rest.len())).unwrap_or_default();
        // The mark that ends the sentence is not part of the address.
        let marks = run.iter().rev().take_while(|byte| matches!(byte, b'.' | b'!' | b'?' | b';' | b':')).count();
        self.at += run.len() - marks;
        let before = self.bytes.get(..start).unwrap_or_default();
        let carries = self.text.get(start..self.at).is_some_and(|address| carrier::carries(before, address));
        self.push(lexicon::PLACE | if carries { lexicon::CARRIER } else { 0 }, start, self.at);
        self.full()
    }

    /// The rest of a dotted name, which is one thing: `attacker.example` is a place, `os.environ` and `e.g` are nothing.
    fn dotted(&mut self, start: usize) -> bool {
        let mut last = self.at;
        // A capital after a full stop begins a sentence whose space was forgotten.
        while self.peek(0) == b'.' && (self.peek(1).is_ascii_lowercase() || self.peek(1).is_ascii_digit()) {
            last = self.at + 1;
            let rest = self.bytes.get(last..).unwrap_or_default();
            self.at = last
                + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')).count();
        }
        let top = self.text.get(last..self.at).unwrap_or_default();
        let place = TOP_LEVEL_WORDS.has_in_any_case(top);
        self.push(if place { lexicon::PLACE } else { 0 }, start, self.at);
        self.full()
    }

    /// A word with letters beyond ASCII: of a script with words, or a run of glyphs.
    fn wide_word(&mut self, start: usize, spelling: Spelling) -> bool {
        let Some(word) = self.text.get(start..self.at) else { return false };
        let glyph = |character: char| matches!(character, '\u{3000}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}');
        if !word.chars().any(glyph) {
            // The view has other letters than those of ASCII in lower case already.
            self.push(lexicon::meaning(spelling), start, self.at);
            return true;
        }
        let before = self.clause.tokens.len();
        for (meaning, range) in lexicon::glyphs(word).take(MAX_TOKENS) {
            self.push(meaning | lexicon::GLYPH, start + range.start, start + range.end);
        }
        if self.clause.tokens.len() == before {
            self.push(0, start, self.at);
        }
        true
    }
}

/// What the bytes of a word are, as bits; no bit is set for bytes that are in no word.
#[derive(Debug, Clone, Copy)]
struct Makeup(u8);

impl Makeup {
    const LOWER: u8 = 1;
    /// Also the bit by which the lower-case letter differs.
    const UPPER: u8 = 0x20;
    const DIGIT: u8 = 4;
    const UNDERSCORE: u8 = 8;
    const WIDE: u8 = 16;

    const TABLE: [Self; 256] = {
        let mut table = [Self(0); 256];
        let mut byte = 0;
        while byte < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
            let b = byte as u8;
            #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
            {
                table[byte] = Self(match b {
                    b'a'..=b'z' => Self::LOWER,
                    b'A'..=b'Z' => Self::UPPER,
                    b'0'..=b'9' => Self::DIGIT,
                    b'_' => Self::UNDERSCORE,
                    0x80.. => Self::WIDE,
                    _ => 0,
                });
            }
            byte += 1;
        }
        table
    };

    const fn of(byte: u8) -> Self {
        #[expect(clippy::indexing_slicing, reason = "a byte is always within a table of 256")]
        Self::TABLE[byte as usize]
    }

    const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

const fn ends_address(byte: &u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b')' | b',' | b'|')
}

/// Whether a text is nothing but an address of the web: one word, which says nothing to anybody.
pub(super) fn is_one_address(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.as_bytes().iter().any(ends_address))
}

/// Whether a word opens an address or a mail address; the three bytes are those that follow it.
fn opens_address(word: &[u8], next: u8, second: u8, third: u8) -> bool {
    (next == b':' && second == b'/' && third == b'/')
        || (next == b'@' && second.is_ascii_alphanumeric())
        || (next == b'.' && word.eq_ignore_ascii_case(b"www"))
}

/// Whether a word names one of those who speak in a conversation with a model.
fn speaks(word: &[u8]) -> bool {
    ["system", "assistant", "user", "human", "ai", "developer"]
        .iter()
        .any(|name| name.as_bytes().eq_ignore_ascii_case(word))
}

/// The meaning of a label such as `PRIORITY_INSTRUCTION`, if it speaks with authority.
fn label(words: &[u8]) -> Option<Meaning> {
    let part = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b' ' | b'-' | b'!');
    if words.len() < 4 || words.len() > 40 || !words.iter().all(part) {
        return None;
    }
    let upper = words.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    if upper * 2 < words.len() {
        return None;
    }
    let meaning = words.split(|byte| !byte.is_ascii_alphabetic()).fold(0, |all, word| all | lexicon::meaning_of(word));
    let authority = lexicon::AUTHORITY | lexicon::OVERRIDE | lexicon::DISABLE;
    (meaning & authority != 0).then_some(lexicon::TAG)
}

/// The same for a label that pretends to be a part of the model's prompt, in small letters.
fn plain_label(word: &[u8]) -> Option<Meaning> {
    const NAMES: [&str; 8] =
        ["system", "important", "instruction", "instructions", "hidden", "inject", "admin", "override"];
    NAMES.iter().any(|name| name.as_bytes() == word).then_some(lexicon::TAG)
}

/// Last labels of host names that text writes without a scheme.
const TOP_LEVELS: &[&str] = &[
    "com", "net", "org", "io", "xyz", "ru", "cn", "dev", "app", "ai", "co", "example", "invalid", "test", "me", "info",
    "biz", "de", "fr", "uk", "eu", "br", "jp", "kr", "it", "es", "site", "online", "top", "tk", "cloud", "tech",
    "live", "link", "click", "local", "internal",
];
pub(super) static TOP_LEVEL_WORDS: LazyLock<Words> = LazyLock::new(|| Words::new(TOP_LEVELS));

/// Names of elements of HTML and of types, which stand in angle brackets without being place-holders.
const MARKUP: &str = "a abbr address article aside audio b blockquote body br button canvas caption center cite code col \
    dd del details div dl dt em embed fieldset figure font footer form head header hr html i iframe img \
    input ins label legend li link main map meta nav object ol option p param path picture pre q s samp \
    script section select small source span strong style sub summary sup svg table tbody td template \
    textarea tfoot th thead time title tr track u ul var video xml string number boolean int any void";

pub(super) static MARKUP_WORDS: LazyLock<Words> = LazyLock::new(|| {
    let words: Vec<&str> = MARKUP.split(' ').collect();
    Words::new(&words)
});

fn is_markup(word: &[u8]) -> bool {
    let name = word.split(|byte| *byte == b' ').next().unwrap_or_default();
    std::str::from_utf8(name).is_ok_and(|name| MARKUP_WORDS.has(name))
}
