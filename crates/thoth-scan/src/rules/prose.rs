//! A view as the rules read it: lower case, single blanks, no emphasis marks, cut into sentences.
//!
//! The buffers are reused from text to text. One pass, with the way back to the view.

use std::ops::Range;

/// The readable form of one text.
#[derive(Debug, Default)]
pub(crate) struct Prose {
    text: String,
    /// Where sentences end, as offsets into `text`; the last one is its length.
    ends: Vec<usize>,
    /// Where the distance between a buffer offset and its view offset changes.
    jumps: Vec<(usize, usize)>,
}

impl Prose {
    /// Reads a view into the buffers.
    pub(crate) fn read(&mut self, view: &str) {
        self.clear(view.len());
        let bytes = view.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => at = self.space(view, at),
                // Emphasis and code marks are not part of the words.
                b'*' | b'`' => {
                    at += 1;
                    self.jump(at);
                }
                // A hyphen between letters joins what some people write as two words.
                b'-' if self.after_letter() && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic) => {
                    self.text.push(' ');
                    at += 1;
                }
                0x80.. => at = self.beyond_ascii(view, at),
                b'.' | b'!' | b'?' => {
                    self.text.push(char::from(byte));
                    at += 1;
                    if ends_here(bytes, at) && !self.abbreviated() {
                        self.end();
                    }
                }
                _ => at = self.copy(view, at),
            }
        }
        self.end();
    }

    /// Reads an identifier: its words apart.
    pub(crate) fn read_identifier(&mut self, name: &str) {
        self.clear(name.len());
        let mut lower = false;
        for (at, c) in name.char_indices() {
            let boundary = c.is_uppercase() && lower;
            if boundary || !c.is_alphanumeric() {
                if !self.text.ends_with(' ') && !self.text.is_empty() {
                    self.text.push(' ');
                }
                self.jump_from(at);
            }
            if c.is_alphanumeric() {
                self.text.extend(c.to_lowercase());
                self.jump_from(at + c.len_utf8());
            }
            lower = c.is_lowercase() || c.is_ascii_digit();
        }
        self.end();
    }

    /// Copies what needs no thought, in lower case: everything up to white space in a row, marks, full stops and what
    /// is not ASCII.
    fn copy(&mut self, view: &str, from: usize) -> usize {
        let rest = view.as_bytes().get(from..).unwrap_or_default();
        let simple = |byte: u8| matches!(byte, 0x21..=0x7E) && !matches!(byte, b'*' | b'`' | b'-' | b'.' | b'!' | b'?');
        let mut len = 1;
        while let Some(byte) = rest.get(len).copied() {
            let between = byte == b' ' && rest.get(len + 1).is_some_and(|next| simple(*next));
            if !simple(byte) && !between {
                break;
            }
            len += 1;
        }
        let start = self.text.len();
        self.text.push_str(view.get(from..from + len).unwrap_or_default());
        if let Some(copied) = self.text.as_mut_str().get_mut(start..) {
            copied.make_ascii_lowercase();
        }
        from + len
    }

    fn clear(&mut self, room: usize) {
        self.text.clear();
        self.ends.clear();
        self.jumps.clear();
        self.text.reserve(room + 16);
    }

    /// The text of all sentences.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The sentences, in order.
    pub(crate) fn sentences(&self) -> impl Iterator<Item = Range<usize>> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(self.ends.iter().copied()).map(|(start, end)| start..end).filter(|range| !range.is_empty())
    }

    /// The view bytes behind a range of the text.
    pub(crate) fn view_range(&self, range: Range<usize>, view_len: usize) -> Range<usize> {
        let start = self.view_offset(range.start);
        let end = range.end.checked_sub(1).map_or(start, |last| self.view_offset(last) + 1);
        start.min(view_len)..end.max(start).min(view_len)
    }

    fn view_offset(&self, at: usize) -> usize {
        let after = self.jumps.partition_point(|(offset, _)| *offset <= at);
        match after.checked_sub(1).and_then(|index| self.jumps.get(index)) {
            Some((offset, view)) => view + (at - offset),
            None => at,
        }
    }

    /// The next thing written comes from `view` on.
    fn jump(&mut self, view: usize) {
        match self.jumps.last_mut() {
            Some(last) if last.0 == self.text.len() => last.1 = view,
            _ => self.jumps.push((self.text.len(), view)),
        }
    }

    fn jump_from(&mut self, view: usize) {
        if self.view_offset(self.text.len()) != view {
            self.jump(view);
        }
    }

    fn after_letter(&self) -> bool {
        self.text.as_bytes().last().is_some_and(u8::is_ascii_alphabetic)
    }

    fn end(&mut self) {
        if self.ends.last().copied().unwrap_or_default() < self.text.len() {
            self.ends.push(self.text.len());
        }
    }

    /// `e.g.`, `i.e.`, `1.` and initials do not end a sentence.
    fn abbreviated(&self) -> bool {
        let mut back = self.text.bytes().rev().skip(1);
        let letter = back.next();
        let before = back.next();
        self.text.ends_with('.')
            && letter.is_some_and(|byte| byte.is_ascii_alphanumeric())
            && before.is_none_or(|byte| matches!(byte, b'.' | b' ' | b'('))
    }

    /// White space becomes one blank; an empty line, or a line that opens an item, ends the sentence.
    fn space(&mut self, view: &str, from: usize) -> usize {
        let rest = view.as_bytes().get(from..).unwrap_or_default();
        let len = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let run = rest.get(..len).unwrap_or_default();
        let lines = run.iter().filter(|byte| **byte == b'\n').count();
        let next = rest.get(len..).unwrap_or_default();
        let item = lines > 0
            && match next {
                [b'-' | b'*' | b'#' | b'<' | b'[' | b'{', ..] => true,
                [digit, b'.' | b')', ..] if digit.is_ascii_digit() => true,
                _ => false,
            };
        if !self.text.is_empty() && !self.text.ends_with(' ') {
            self.text.push(' ');
        }
        if lines > 1 || item {
            self.end();
        }
        self.jump_from(from + len);
        from + len
    }

    fn beyond_ascii(&mut self, view: &str, at: usize) -> usize {
        let Some(c) = view.get(at..).and_then(|rest| rest.chars().next()) else { return at + 1 };
        self.text.push(c);
        if matches!(c, '。' | '！' | '？' | '।') {
            self.end();
        }
        at + c.len_utf8()
    }
}

/// Whether a full stop that is followed by what stands at `at` ends a sentence.
fn ends_here(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at) {
        None => true,
        Some(byte) if byte.is_ascii_whitespace() => true,
        Some(b'"' | b'\'' | b')' | b']' | b'*') => bytes.get(at + 1).is_none_or(u8::is_ascii_whitespace),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(view: &str) -> Prose {
        let mut prose = Prose::default();
        prose.read(view);
        prose
    }

    fn sentences(view: &str) -> Vec<String> {
        let prose = read(view);
        prose.sentences().map(|range| prose.text().get(range).unwrap().trim().to_owned()).collect()
    }

    /// Defends what the rules call one sentence.
    #[test]
    fn sentences_are_told_apart() {
        let cases: &[(&str, &[&str])] = &[
            ("One.  Two\nmore.", &["one.", "two more."]),
            ("Use e.g. this one. Then that.", &["use e.g. this one.", "then that."]),
            ("A list:\n- first\n- second", &["a list:", "- first", "- second"]),
            ("Top\n\nBottom", &["top", "bottom"]),
            ("version 1.2.3 of file.txt", &["version 1.2.3 of file.txt"]),
            ("**Do not** `tell`", &["do not tell"]),
            ("read-only", &["read only"]),
            ("一。二", &["一。", "二"]),
        ];
        for (view, expected) in cases {
            assert_eq!(sentences(view), *expected, "{view:?}");
        }
    }

    #[test]
    fn identifiers_are_words() {
        let mut prose = Prose::default();
        for (name, words) in
            [("systemPrompt", "system prompt"), ("chat_history", "chat history"), ("X-Api-Key", "x api key")]
        {
            prose.read_identifier(name);
            assert_eq!(prose.text(), words);
        }
    }

    #[test]
    fn ranges_lead_back_to_the_view() {
        let view = "One   two\n\n**three** é four";
        let prose = read(view);
        for word in ["one", "two", "three", "é", "four"] {
            let at = prose.text().find(word).unwrap();
            let range = prose.view_range(at..at + word.len(), view.len());
            assert_eq!(view.get(range).unwrap().to_lowercase(), word);
        }
    }
}
