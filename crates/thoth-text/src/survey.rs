//! One look at every byte: what could this text need?

use std::ops::Range;

/// Classes of bytes, as bits.
const ALNUM64: u16 = 1; // the base64 alphabets, padding apart
const HIGH: u16 = 2; // not ASCII
const CONTROL: u16 = 4; // controls other than tab and line ends
const ESCAPE: u16 = 8; // may open an escape: & % backslash
const OPENER: u16 = 16; // may open a comment: < [
const SPACE: u16 = 32;
const LETTER: u16 = 64;
const LEET: u16 = 128; // digits and signs that stand for letters
const DIGIT: u16 = 256;
const SIGN: u16 = 512; // in no word, and neither a blank nor a comma

const CLASS: [u16; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let b = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            class[byte] = match b {
                b'a'..=b'z' | b'A'..=b'Z' => ALNUM64 | LETTER,
                b'0' | b'1' | b'3' | b'4' | b'5' | b'7' => ALNUM64 | LEET | DIGIT,
                b'@' | b'$' => LEET | SIGN,
                b'0'..=b'9' => ALNUM64 | DIGIT,
                b'_' => ALNUM64,
                b'+' | b'/' | b'-' => ALNUM64 | SIGN,
                b' ' => SPACE,
                b'\t' | b'\n' | b'\r' => SPACE | SIGN,
                b'&' | b'%' | b'\\' => ESCAPE | SIGN,
                b'<' | b'[' => OPENER | SIGN,
                0..0x20 | 0x7F => CONTROL | SIGN,
                0x80.. => HIGH | SIGN,
                b',' => 0,
                _ => SIGN,
            };
        }
        byte += 1;
    }
    class
};

/// A run of this many characters may be base64 or hexadecimal; shorter ones say too little.
const SHORTEST_RUN: usize = 20;
/// This many turns from letter to separator and back may be spaced-out letters.
const SPACED_TURNS: usize = 9;
/// White space shorter than this hides nothing.
const PADDING: usize = 12;
/// This many places where a digit stands between letters may be leetspeak.
const LEET_PLACES: usize = 3;

/// What a look at the bytes found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    classes: u16,
    run: bool,
    padding: bool,
    spaced: bool,
    leet: bool,
    few_digits: bool,
    words_only: bool,
}

/// Classes that are asked for as a whole.
const ASKED: u16 = HIGH | CONTROL | ESCAPE | OPENER;

/// A text shorter than this has no run.
const SHORT: usize = SHORTEST_RUN;

/// Bytes that are counted together; their counts fit into a byte.
const BLOCK: usize = 128;
/// Fewer digits than this make no number that is looked for.
const FEW_DIGITS: usize = 7;

impl Survey {
    /// Looks at every byte of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        if bytes.len() < SHORT {
            return Self::of_few(bytes);
        }
        let mut survey = Self::default();
        let (mut leet, mut digits, mut signs) = (0usize, 0usize, false);
        for (number, block) in bytes.chunks(BLOCK).enumerate() {
            let seen = look(block);
            survey.classes |= seen.classes();
            digits += usize::from(seen.digits);
            signs |= seen.sign != 0;
            if leet < LEET_PLACES {
                let start = number * BLOCK;
                let before = start.checked_sub(1).map_or(0, |before| class(bytes, before));
                leet += usize::from(before & LEET != 0 && class(bytes, start) & LETTER != 0) + pairs(block);
            }
        }
        survey.leet = leet >= LEET_PLACES;
        survey.few_digits = digits < FEW_DIGITS;
        survey.words_only = !signs;
        survey.run = has_run(bytes, SHORTEST_RUN, |at| class(bytes, at) & ALNUM64 != 0);
        survey.padding = has_run(bytes, PADDING, |at| class(bytes, at) & SPACE != 0);
        survey.spaced = has_run(bytes, SPACED_TURNS, |at| {
            let before = at.checked_sub(1).map_or(0, |before| class(bytes, before));
            is_turn(before, class(bytes, at))
        });
        survey
    }

    /// The same for a text that is too short for looking at many bytes at once, and for most of what is looked for.
    fn of_few(bytes: &[u8]) -> Self {
        let (mut all, mut leet, mut turns, mut longest, mut digits) = (0u16, 0, 0, 0, 0);
        let (mut before, mut spaces, mut padding) = (0, 0, 0);
        for at in 0..bytes.len() {
            let class = class(bytes, at);
            all |= class;
            digits += usize::from(class & DIGIT != 0);
            leet += usize::from((before & LEET != 0) & (class & LETTER != 0));
            turns = if is_turn(before, class) { turns + 1 } else { 0 };
            longest = turns.max(longest);
            spaces = if class & SPACE != 0 { spaces + 1 } else { 0 };
            padding = spaces.max(padding);
            before = class;
        }
        Self {
            classes: all & ASKED,
            // INVARIANT: shorter than the shortest run.
            run: false,
            padding: padding >= PADDING,
            spaced: longest >= SPACED_TURNS,
            leet: leet >= LEET_PLACES,
            few_digits: digits < FEW_DIGITS,
            words_only: all & SIGN == 0,
        }
    }

    /// Nothing to normalise, to decode or to note.
    pub(crate) fn is_plain(self) -> bool {
        !self.needs_normalising()
            && !self.may_have_comment()
            && !self.may_have_padding()
            && !self.may_have_run()
            && !self.may_be_spaced()
            && !self.may_be_leet()
    }

    /// Whether its view is another text.
    #[must_use]
    pub const fn needs_normalising(self) -> bool {
        self.classes & (HIGH | CONTROL | ESCAPE) != 0
    }

    pub(super) const fn may_have_comment(self) -> bool {
        self.classes & OPENER != 0
    }

    pub(super) const fn may_have_padding(self) -> bool {
        self.padding
    }

    /// Whether it has a run of [`SHORTEST_RUN`] characters of the base64 alphabets.
    #[must_use]
    pub const fn may_have_run(self) -> bool {
        self.run
    }

    pub(super) const fn may_be_spaced(self) -> bool {
        self.spaced
    }

    pub(super) const fn may_be_leet(self) -> bool {
        self.leet
    }

    /// Whether it has enough digits for a number that identifies somebody.
    #[must_use]
    pub const fn may_have_numbers(self) -> bool {
        !self.few_digits
    }

    /// Whether it is nothing but ASCII letters, digits, underscores, commas and blanks: it quotes, chains, climbs and
    /// addresses nothing.
    #[must_use]
    pub const fn is_words_only(self) -> bool {
        self.words_only
    }
}

fn class(bytes: &[u8], at: usize) -> u16 {
    #[expect(clippy::indexing_slicing, reason = "a byte is always within a table of 256")]
    bytes.get(at).map_or(0, |byte| CLASS[usize::from(*byte)])
}

/// Whether a letter follows what is neither letter nor digit, or the other way round.
const fn is_turn(before: u16, class: u16) -> bool {
    (class ^ before) & LETTER != 0 && (class | before) & DIGIT == 0
}

/// What a block has: for each class whether it has any, as zero or one, and how many digits.
#[derive(Default)]
struct Seen {
    high: u8,
    control: u8,
    escape: u8,
    opener: u8,
    /// Something else than words.
    sign: u8,
    digits: u8,
}

impl Seen {
    fn classes(&self) -> u16 {
        let all = [(self.high, HIGH), (self.control, CONTROL), (self.escape, ESCAPE), (self.opener, OPENER)];
        all.into_iter().filter(|(seen, _)| *seen != 0).fold(0, |classes, (_, class)| classes | class)
    }
}

/// The classes in a block that are asked for as a whole. Written without branches, so that the compiler looks at many
/// bytes at once; for the same reason the counts wrap, which those of a block cannot.
fn look(block: &[u8]) -> Seen {
    let mut seen = Seen::default();
    for &byte in block {
        let digit = byte.wrapping_sub(b'0') < 10;
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let word = letter | digit | (byte == b' ') | (byte == b'_') | (byte == b',');
        let control = (byte < 0x20) & (byte != b'\t') & (byte != b'\n') & (byte != b'\r') | (byte == 0x7F);
        seen.high |= u8::from(byte >= 0x80);
        seen.control |= u8::from(control);
        seen.escape |= u8::from((byte == b'&') | (byte == b'%') | (byte == b'\\'));
        seen.opener |= u8::from((byte == b'<') | (byte == b'['));
        seen.sign |= u8::from(!word);
        seen.digits = seen.digits.wrapping_add(u8::from(digit));
    }
    seen
}

/// In how many places of a block a letter follows a digit or sign that may stand for one.
fn pairs(block: &[u8]) -> usize {
    let next = block.get(1..).unwrap_or_default();
    let mut count = 0u8;
    for (&mark, &letter) in block.iter().zip(next) {
        let digit = (mark.wrapping_sub(b'0') < 8) & (mark != b'2') & (mark != b'6');
        let letter = (letter | 0x20).wrapping_sub(b'a') < 26;
        count = count.wrapping_add(u8::from((digit | (mark == b'@') | (mark == b'$')) & letter));
    }
    usize::from(count)
}

/// Whether `length` places in a row are members.
fn has_run(bytes: &[u8], length: usize, member: impl Fn(usize) -> bool) -> bool {
    next_run(bytes, 0, length, member).is_some()
}

/// The first run of `length` members or more at or after `from`. Every such run holds one place in every `length`: only
/// those are looked at, and around those that are members. `length` is at least 1.
#[must_use]
pub fn next_run(bytes: &[u8], from: usize, length: usize, member: impl Fn(usize) -> bool) -> Option<Range<usize>> {
    let mut at = from + length - 1;
    while at < bytes.len() {
        if member(at) {
            let before = (from..at).rev().take_while(|at| member(*at)).count();
            let after = (at + 1..bytes.len()).take_while(|at| member(*at)).count();
            if before + 1 + after >= length {
                return Some(at - before..at + 1 + after);
            }
            at += after;
        }
        at += length;
    }
    None
}

/// The runs of characters that may be base64 or hexadecimal.
pub(super) fn encoded_runs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let bytes = text.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        let run = next_run(bytes, from, SHORTEST_RUN, |at| class(bytes, at) & ALNUM64 != 0)?;
        from = run.end;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same, one byte after the other.
    fn one_by_one(text: &str) -> Survey {
        let (mut run, mut space, mut turns, mut leet, mut digits, mut before) = (0, 0, 0, 0, 0, 0u16);
        let words = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | ',');
        let mut survey = Survey { words_only: text.chars().all(words), ..Survey::default() };
        for at in 0..text.len() {
            let class = class(text.as_bytes(), at);
            survey.classes |= class & ASKED;
            run = if class & ALNUM64 != 0 { run + 1 } else { 0 };
            space = if class & SPACE != 0 { space + 1 } else { 0 };
            turns = if is_turn(before, class) { turns + 1 } else { 0 };
            leet += usize::from(class & LETTER != 0 && before & LEET != 0);
            digits += usize::from(text.as_bytes()[at].is_ascii_digit());
            survey.run |= run >= SHORTEST_RUN;
            survey.padding |= space >= PADDING;
            survey.spaced |= turns >= SPACED_TURNS;
            before = class;
        }
        survey.leet = leet >= LEET_PLACES;
        survey.few_digits = digits < FEW_DIGITS;
        survey
    }

    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[a-z]{1,24}",
            "[a-z] ",
            "[0-9@$][a-z]",
            " {1,14}",
            "[A-Za-z0-9+/_-]{15,22}",
            "[\\x00-\\x7f]",
            "[&%<\\[é]",
            "\\PC{0,40}",
        ];
        // Short texts are looked at in another way.
        let counts = prop_oneof![0..4_usize, 0..40_usize];
        counts
            .prop_flat_map(move |count| proptest::collection::vec(piece.clone(), count))
            .prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Defends the quick look: it says of every text what a look at each byte says.
        #[test]
        fn a_look_at_many_bytes_is_a_look_at_each(text in pieces()) {
            prop_assert_eq!(Survey::of(&text), one_by_one(&text));
        }
    }
}
