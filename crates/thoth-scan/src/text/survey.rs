//! One look at every byte: what could this text need?

/// Classes of bytes, as bits.
const ALNUM64: u8 = 1; // the base64 alphabets, padding apart
const HIGH: u8 = 2; // not ASCII
const CONTROL: u8 = 4; // controls other than tab and line ends
const ESCAPE: u8 = 8; // may open an escape: & % backslash
const OPENER: u8 = 16; // may open a comment: < [
const SPACE: u8 = 32;
const LETTER: u8 = 64;
const LEET: u8 = 128; // digits and signs that stand for letters

const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        #[expect(clippy::cast_possible_truncation, reason = "the loop ends at 256")]
        let b = byte as u8;
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
        {
            class[byte] = match b {
                b'a'..=b'z' | b'A'..=b'Z' => ALNUM64 | LETTER,
                b'0' | b'1' | b'3' | b'4' | b'5' | b'7' => ALNUM64 | LEET,
                b'@' | b'$' => LEET,
                b'0'..=b'9' | b'+' | b'/' | b'-' | b'_' => ALNUM64,
                b' ' | b'\t' | b'\n' | b'\r' => SPACE,
                b'&' | b'%' | b'\\' => ESCAPE,
                b'<' | b'[' => OPENER,
                0..0x20 | 0x7F => CONTROL,
                0x80.. => HIGH,
                _ => 0,
            };
        }
        byte += 1;
    }
    class
};

/// A run of this many characters may be base64 or hexadecimal; shorter ones say too little.
pub(super) const SHORTEST_RUN: usize = 20;
/// This many turns from letter to non-letter and back may be spaced-out letters.
const SPACED_TURNS: usize = 9;
/// White space shorter than this hides nothing.
const PADDING: usize = 12;
/// This many places where a digit stands between letters may be leetspeak.
const LEET_PLACES: usize = 3;

/// What a look at the bytes found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Survey {
    classes: u8,
    longest_run: usize,
    longest_space: usize,
    most_turns: usize,
    leet: usize,
}

impl Survey {
    pub(super) fn of(text: &str) -> Self {
        let mut survey = Self::default();
        let (mut run, mut space, mut turns) = (0usize, 0usize, 0usize);
        let mut before = 0u8;
        for byte in text.bytes() {
            #[expect(clippy::indexing_slicing, reason = "a byte is always within a table of 256")]
            let class = CLASS[usize::from(byte)];
            survey.classes |= class;
            run = if class & ALNUM64 != 0 { run + 1 } else { 0 };
            space = if class & SPACE != 0 { space + 1 } else { 0 };
            turns = if (class ^ before) & LETTER != 0 { turns + 1 } else { 0 };
            survey.leet += usize::from(class & LETTER != 0 && before & LEET != 0);
            survey.longest_run = survey.longest_run.max(run);
            survey.longest_space = survey.longest_space.max(space);
            survey.most_turns = survey.most_turns.max(turns);
            before = class;
        }
        survey
    }

    /// Nothing to normalise, to decode or to note.
    pub(super) fn is_plain(self) -> bool {
        !self.needs_normalising()
            && !self.may_have_comment()
            && !self.may_have_padding()
            && !self.may_have_run()
            && !self.may_be_spaced()
            && !self.may_be_leet()
    }

    pub(super) const fn needs_normalising(self) -> bool {
        self.classes & (HIGH | CONTROL | ESCAPE) != 0
    }

    pub(super) const fn may_have_comment(self) -> bool {
        self.classes & OPENER != 0
    }

    pub(super) const fn may_have_padding(self) -> bool {
        self.longest_space >= PADDING
    }

    pub(super) const fn may_have_run(self) -> bool {
        self.longest_run >= SHORTEST_RUN
    }

    pub(super) const fn may_be_spaced(self) -> bool {
        self.most_turns >= SPACED_TURNS
    }

    pub(super) const fn may_be_leet(self) -> bool {
        self.leet >= LEET_PLACES
    }
}
