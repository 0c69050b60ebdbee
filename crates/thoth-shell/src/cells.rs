//! Texts from outside on a terminal: as [`thoth_types::display`] writes them, and no wider than there is room. A line
//! that a terminal breaks by itself would go on at the left edge, where our own words stand.

use thoth_types::display::unmistakable;
use unicode_width::UnicodeWidthChar as _;

/// Said where [`unmistakable`] had something to write out.
const WRITTEN_OUT: &str = "what is written as \\u{…} cannot be seen, moves other text, or looks like something else";

/// Said of letters that have their own direction.
const RUNS_LEFT: &str = "right-to-left letters, which a terminal may show in another order";

/// How many columns a harmless text takes at most: where terminals disagree, the wider one counts.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(wide).sum()
}

fn wide(c: char) -> usize {
    if c.is_ascii() { 1 } else { c.width_cjk().unwrap_or(2).max(1) }
}

/// A text in a column of a table: no wider than this, and no spaces in it that draw columns of their own.
#[must_use]
pub fn cell(text: &str, width: usize) -> String {
    let mut blank = true;
    let visible = |c: char| {
        let c = if c == ' ' && blank { '\u{b7}' } else { c };
        blank = matches!(c, ' ' | '\u{b7}');
        c
    };
    cut(&unmistakable(first(text, width + 1)).chars().map(visible).collect::<String>(), width)
}

/// A harmless text, cut to this width.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if columns(first(text, width + 1)) <= width {
        return text.to_owned();
    }
    // The mark itself is counted as wide as it can be.
    let mut left = width.saturating_sub(wide('\u{2026}'));
    let mut out = String::new();
    for unit in Units(text) {
        let Some(rest) = left.checked_sub(columns(unit)) else { break };
        left = rest;
        out.push_str(unit);
    }
    out.push('\u{2026}');
    out
}

/// A harmless text in lines that are no wider than this, if an escape is not wider itself.
#[must_use]
pub fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    for unit in Units(text) {
        let wide = columns(unit);
        if used + wide > width && used > 0 {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        used += wide;
        line.push_str(unit);
    }
    lines.push(line);
    lines
}

/// A text from outside as lines that are no wider than this.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    broken(&unmistakable(text), width)
}

/// What in a text is to be looked at twice.
pub fn oddities(text: &str) -> impl Iterator<Item = &'static str> {
    let visible = text.replace(['\n', '\t'], " ");
    let written_out = (unmistakable(&visible) != visible).then_some(WRITTEN_OUT);
    written_out.into_iter().chain(visible.contains(runs_left).then_some(RUNS_LEFT))
}

/// Letters that run from right to left.
fn runs_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}')
        || matches!(c, '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// The first characters of a text.
#[must_use]
pub fn first(text: &str, count: usize) -> &str {
    text.char_indices().nth(count).and_then(|(at, _)| text.get(..at)).unwrap_or(text)
}

/// The parts of a harmless text that belong together: characters and escapes.
struct Units<'t>(&'t str);

impl<'t> Iterator for Units<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let mut chars = self.0.chars();
        let mut length = chars.next()?.len_utf8();
        if self.0.starts_with('\\') {
            length = match self.0.find('}').filter(|end| self.0.starts_with("\\u{") && *end < 10) {
                Some(end) => end + 1,
                None => length + chars.next().map_or(0, char::len_utf8),
            };
        } else {
            // Marks stay with their letter.
            length += chars.take_while(|c| c.width() == Some(0)).map(char::len_utf8).sum::<usize>();
        }
        let (unit, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: a cell can neither draw a row of a table nor push the rest of it out of sight.
    #[test]
    fn a_cell_keeps_its_width() {
        assert_eq!(cell("delete_note", 20), "delete_note");
        assert_eq!(cell("  a   b", 20), "··a ··b");
        assert_eq!(cell("abcdef", 5), "abc…");
        assert_eq!(cell("a\u{1b}[2J", 40), r"a\u{1b}[2J");
        for text in ["漢字漢字漢字", "\u{202e}\u{202e}", "ЖЖЖЖЖЖЖЖ", "aaaaaaaaaaa", ""] {
            for width in 2..24 {
                assert!(columns(&cell(text, width)) <= width, "{text} {width}: {}", cell(text, width));
            }
        }
    }

    #[test]
    fn lines_are_no_wider_than_asked_and_lose_nothing() {
        let text = "漢é\u{202e}a\ne\u{301} ".repeat(200);
        let lines = wrapped(&text, 40);
        assert!(lines.iter().all(|line| columns(line) <= 40) && lines.len() > 20);
        assert_eq!(lines.concat(), unmistakable(&text));
        assert!(lines.iter().all(|line| line.matches("\\u{").count() == line.matches('}').count()));
        assert_eq!(wrapped("", 40), [""]);
    }

    #[test]
    fn what_is_odd_is_told_from_other_languages() {
        for (text, expected) in [
            ("pay me\n\tnow", &[][..]),
            ("naïve café, привет, мир", &[]),
            ("p\u{430}ypal.com", &[WRITTEN_OUT]),
            ("/etc\u{2215}passwd", &[WRITTEN_OUT]),
            ("a\u{200b}b", &[WRITTEN_OUT]),
            ("שלום", &[RUNS_LEFT]),
            ("x\r", &[WRITTEN_OUT]),
        ] {
            assert_eq!(oddities(text).collect::<Vec<_>>(), expected, "{text}");
        }
    }
}
