//! Where the value of an assignment stands. Words that announce one may stand side by side, and their values are then the
//! same text seen from several places: where it ends is found once.

use std::ops::Range;

/// The longest name part and value that are looked at.
pub(super) const NAME: usize = 32;
const VALUE: usize = 512;

/// Whether a byte may stand in the name of what is assigned.
pub(super) const fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// What ends a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// It stands for itself: a blank or a mark ends it.
    Bare,
    /// It stands in these quotes: they or a control character end it.
    Quoted(u8),
}

impl Ends {
    /// Where it ends in a text from an offset on, at most at another one. A quote behind a backslash is part of what it
    /// stands in.
    fn find(self, text: &[u8], from: usize, most: usize) -> usize {
        let mut at = from;
        while let Some(found) = text.get(at..most).and_then(|rest| rest.iter().position(|byte| self.may_be(*byte))) {
            at += found;
            let escaped = matches!(self, Self::Quoted(quote) if text.get(at) == Some(&quote))
                && is_escaped(text.get(..at).unwrap_or_default());
            if !escaped {
                return at;
            }
            at += 1;
        }
        most
    }

    /// Whether it may end at a byte.
    const fn may_be(self, byte: u8) -> bool {
        match self {
            Self::Bare => matches!(
                byte,
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b';' | b'"' | b'\'' | b'`' | b'<' | b'>' | b')' | b'|'
            ),
            Self::Quoted(quote) => byte == quote || byte < b' ',
        }
    }

    const fn slot(self) -> usize {
        match self {
            Self::Bare => 0,
            Self::Quoted(b'"') => 1,
            Self::Quoted(b'\'') => 2,
            Self::Quoted(_) => 3,
        }
    }
}

/// Whether what follows these bytes stands behind a backslash that stands for itself.
fn is_escaped(before: &[u8]) -> bool {
    !before.iter().rev().take(64).take_while(|byte| **byte == b'\\').count().is_multiple_of(2)
}

/// The values in one text.
#[derive(Debug)]
pub(super) struct Values<'t> {
    bytes: &'t [u8],
    /// For each way to end, a stretch in which nothing does.
    clear: [Range<usize>; 4],
}

impl<'t> Values<'t> {
    pub(super) const fn of(text: &'t str) -> Self {
        Self { bytes: text.as_bytes(), clear: [const { 0..0 }; 4] }
    }

    fn peek(&self, at: usize) -> Option<u8> {
        self.bytes.get(at).copied()
    }

    /// The value of an assignment whose name ends at or shortly after `from`.
    pub(super) fn behind(&mut self, from: usize) -> Option<Range<usize>> {
        let mut at = from;
        let name_end = at + NAME;
        while at < name_end && self.peek(at).is_some_and(is_name) {
            at += 1;
        }
        // `"name": "value"`, `name = value`, `name=>value`, `name is value`, `name：value`
        let mut closers = 0;
        // In JSON that was written into a text, quotes stand behind backslashes.
        while closers < 4 && matches!(self.peek(at), Some(b'"' | b'\'' | b'`' | b']' | b')' | b'\\')) {
            at += 1;
            closers += 1;
        }
        at = self.spaces(at);
        let rest = self.bytes.get(at..)?;
        let signs: [&[u8]; 8] = [b":=", b"=>", b"==", b"->", "：".as_bytes(), b"is ", b"=", b":"];
        let sign = signs.iter().find(|sign| rest.starts_with(sign))?;
        if *sign == b"==" {
            return None;
        }
        at = self.spaces(at + sign.len());
        let quote = |at| self.peek(at).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
        let escaped = self.peek(at) == Some(b'\\') && quote(at + 1).is_some();
        // What opens behind a backslash ends at the next quote, which stands behind one, too.
        let ends = if escaped { Ends::Bare } else { quote(at).map_or(Ends::Bare, Ends::Quoted) };
        at += if escaped { 2 } else { usize::from(ends != Ends::Bare) };
        let mut end = self.end(at, ends);
        while self.peek(end).is_some_and(|byte| byte & 0xC0 == 0x80) {
            end -= 1;
        }
        let end = self.without_stops(at..end.max(at));
        (end > at).then_some(at..end)
    }

    /// All of a value, of which [`Self::behind`] looked at the beginning.
    pub(super) fn whole(&self, value: Range<usize>) -> Range<usize> {
        let opened = value.start.checked_sub(1).and_then(|at| {
            let escaped = is_escaped(self.bytes.get(..at)?);
            self.peek(at).filter(|byte| matches!(byte, b'"' | b'\'' | b'`') && !escaped)
        });
        let ends = opened.map_or(Ends::Bare, Ends::Quoted);
        let end = ends.find(self.bytes, value.end, self.bytes.len());
        value.start..self.without_stops(value.start..end)
    }

    /// Where a value ends without the marks that end a sentence, and the backslash before a quote.
    fn without_stops(&self, value: Range<usize>) -> usize {
        let rest = self.bytes.get(value.clone()).unwrap_or_default();
        let stops = rest.iter().rev().take_while(|byte| matches!(byte, b'.' | b':' | b'!' | b'\\')).count();
        value.end - stops
    }

    /// Up to eight blanks from `at` on.
    fn spaces(&self, at: usize) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().take(8).take_while(|byte| matches!(byte, b' ' | b'\t')).count()
    }

    /// Where a value that begins at `at` ends. Looks at no byte twice, however many values it is part of.
    fn end(&mut self, at: usize, ends: Ends) -> usize {
        let most = self.bytes.len().min(at + VALUE);
        let Some(clear) = self.clear.get_mut(ends.slot()) else { return at };
        if !clear.contains(&at) {
            *clear = at..at;
        }
        if clear.end < most {
            clear.end = ends.find(self.bytes, clear.end, most);
        }
        clear.end.min(most)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Defends what is kept: a value ends where a look from its beginning alone sees it end.
        #[test]
        fn values_end_where_each_alone_does(
            text in "([a-c]{0,9}[=: \"'`,\n]){0,60}([a-c]{0,700}|[=\"'\\\\]{0,9})=[a-c\"' \\\\]{0,600}",
            froms in proptest::collection::vec(0_usize..1400, 1..40),
        ) {
            let mut values = Values::of(&text);
            for from in froms {
                let from = from % (text.len() + 1);
                prop_assert_eq!(values.behind(from), Values::of(&text).behind(from), "{}", from);
            }
        }
    }
}
