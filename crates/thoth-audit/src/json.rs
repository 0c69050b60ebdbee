//! Writing JSON in the one form that RFC 8785 allows.

use jiff::fmt::temporal::DateTimePrinter;
use thoth_types::json::canonical::short_escape;
pub(crate) use thoth_types::json::canonical::string;
use thoth_types::json::plain_run;

/// The largest integer that RFC 8785 keeps exact: 2^53 - 1.
pub(crate) const MAX_EXACT: u64 = (1 << 53) - 1;

/// The longest prefix of `text` whose written form, without quotes, takes at most `most` bytes.
pub(crate) fn fitting(text: &str, most: usize) -> &str {
    if text.len() <= most / 6 {
        return text;
    }
    let mut room = most;
    let mut at = 0;
    while let Some(rest) = text.as_bytes().get(at..) {
        let plain = plain_run(rest);
        if plain > room {
            return text.get(..text.floor_char_boundary(at + room)).unwrap_or_default();
        }
        room -= plain;
        at += plain;
        let Some(byte) = text.as_bytes().get(at) else { break };
        let written = short_escape(*byte).map_or(6, <[u8]>::len);
        if written > room {
            return text.get(..at).unwrap_or_default();
        }
        room -= written;
        at += 1;
    }
    text
}

/// Writes the members of one object. The caller names them in ascending order; debug builds check it.
pub(crate) struct Object<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
    cut: bool,
    #[cfg(debug_assertions)]
    last: &'static str,
}

impl<'o> Object<'o> {
    pub(crate) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            first: true,
            cut: false,
            #[cfg(debug_assertions)]
            last: "",
        }
    }

    pub(crate) fn close(self) -> bool {
        self.out.push(b'}');
        self.cut
    }

    /// Whether any string so far was cut to its cap.
    pub(crate) const fn was_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn mark_cut(&mut self, cut: bool) {
        self.cut |= cut;
    }

    /// Writes a key and gives back where its value goes.
    #[inline]
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        #[cfg(debug_assertions)]
        {
            debug_assert!(self.last < key, "`{key}` after `{}`", self.last);
            self.last = key;
        }
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A word of ours: no character of it needs an escape.
    #[inline]
    pub(crate) fn word(&mut self, key: &'static str, word: &str) {
        let out = self.key(key);
        out.push(b'"');
        out.extend_from_slice(word.as_bytes());
        out.push(b'"');
    }

    /// A text, cut to a written length of `most` bytes.
    #[inline]
    pub(crate) fn text(&mut self, key: &'static str, text: &str, most: usize) {
        let kept = fitting(text, most);
        self.cut |= kept.len() < text.len();
        string(self.key(key), kept);
    }

    /// A text that may be missing; then the key is too.
    #[inline]
    pub(crate) fn optional(&mut self, key: &'static str, text: Option<&str>, most: usize) {
        if let Some(text) = text {
            self.text(key, text, most);
        }
    }

    /// A count. Beyond 2^53 - 1 it stays at that, because RFC 8785 would round it.
    #[inline]
    pub(crate) fn number(&mut self, key: &'static str, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.key(key).extend_from_slice(digits.format(number.min(MAX_EXACT)).as_bytes());
    }

    #[inline]
    pub(crate) fn flag(&mut self, key: &'static str, flag: bool) {
        self.key(key).extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// An instant as RFC 3339 in UTC with milliseconds.
    #[inline]
    pub(crate) fn instant(&mut self, key: &'static str, at: jiff::Timestamp) {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        let out = self.key(key);
        out.push(b'"');
        // Writing into a vector cannot fail.
        drop(PRINTER.print_timestamp(&at, &mut *out));
        out.push(b'"');
    }

    /// An array of texts: at most `count` of them, each cut to `most` bytes.
    pub(crate) fn texts<'t>(
        &mut self,
        key: &'static str,
        texts: impl Iterator<Item = &'t str>,
        count: usize,
        most: usize,
    ) {
        let mut cut = false;
        let out = self.key(key);
        out.push(b'[');
        for (at, text) in texts.enumerate() {
            if at >= count {
                cut = true;
                break;
            }
            if at > 0 {
                out.push(b',');
            }
            let kept = fitting(text, most);
            cut |= kept.len() < text.len();
            string(out, kept);
        }
        out.push(b']');
        self.cut |= cut;
    }
}
