//! Random JSON with comments.

use crate::choices::Choices;

/// How a collection is laid out.
#[derive(Clone, Copy)]
enum Style {
    Compact,
    Spaced,
    Lines,
    Chaos,
}

pub(crate) fn document(choices: &mut Choices<'_>) -> String {
    let mut json =
        Json { line_break: choices.of(&["\n", "\r\n", "\r"]), unit: choices.of(&["  ", "\t", "    ", ""]), choices };
    let bom = if json.choices.one_in(6) { "\u{feff}" } else { "" };
    let before = json.trivia(2);
    let root = json.collection(0, true);
    let after = json.trivia(1);
    format!("{bom}{before}{root}{after}")
}

struct Json<'c, 'b> {
    choices: &'c mut Choices<'b>,
    line_break: &'static str,
    unit: &'static str,
}

impl Json<'_, '_> {
    fn trivia(&mut self, most: usize) -> String {
        let count = self.choices.below(most + 1);
        (0..count)
            .map(|_| {
                let line_break = self.line_break;
                match self.choices.below(7) {
                    0 => " ".to_owned(),
                    1 => line_break.to_owned(),
                    2 => format!("// , }} ] @mark@ \"{line_break}"),
                    3 => "/* , { [ @mark@ */".to_owned(),
                    4 => "\t".to_owned(),
                    5 => format!("/* a{line_break} b */"),
                    _ => "\n".to_owned(),
                }
            })
            .collect()
    }

    fn value(&mut self, depth: usize) -> String {
        match self.choices.below(if depth < 4 { 8 } else { 6 }) {
            0 => "1".to_owned(),
            1 => self.choices.of(&["true", "false", "null", "-1.5e+3"]).to_owned(),
            2..=5 => {
                let text = self.choices.text();
                string(&text, self.choices)
            }
            _ => {
                let map = self.choices.below(2) == 0;
                self.collection(depth, map)
            }
        }
    }

    fn collection(&mut self, depth: usize, map: bool) -> String {
        let style = self.choices.of(&[Style::Compact, Style::Spaced, Style::Lines, Style::Lines, Style::Chaos]);
        let count = self.choices.below(5);
        let (open, close) = if map { ("{", "}") } else { ("[", "]") };
        let outer = self.line_break.to_owned() + &self.unit.repeat(depth);
        let inner = outer.clone() + self.unit;
        let mut text = open.to_owned();
        for index in 0..count {
            text += &match style {
                Style::Compact => String::new(),
                Style::Spaced => " ".to_owned(),
                Style::Lines => self.comment() + &self.own_lines(&inner) + &inner,
                Style::Chaos => self.trivia(3),
            };
            if map {
                let name = if self.choices.one_in(8) { "dup".to_owned() } else { self.choices.name() };
                text += &string(&name, self.choices);
                text += &match style {
                    Style::Compact => ":".to_owned(),
                    Style::Chaos => self.trivia(1) + ":" + &self.trivia(1),
                    _ => ": ".to_owned(),
                };
            }
            text += &self.value(depth + 1);
            if matches!(style, Style::Chaos) {
                text += &self.trivia(2);
            }
            if index + 1 < count || self.choices.one_in(4) {
                text += ",";
            }
        }
        text += &match style {
            Style::Compact => String::new(),
            Style::Spaced => " ".to_owned(),
            Style::Lines => self.comment() + &self.own_lines(&inner) + &outer,
            Style::Chaos => self.trivia(3),
        };
        text + close
    }

    /// At a line's end.
    fn comment(&mut self) -> String {
        self.choices.of(&["", "", "", " // @mark@, }", " /* ] */", " /* a */ // b", "  "]).to_owned()
    }

    fn own_lines(&mut self, lead: &str) -> String {
        match self.choices.below(6) {
            0 => format!("{lead}// own line, @mark@"),
            1 => self.line_break.to_owned(),
            _ => String::new(),
        }
    }
}

/// A token of that text, escaped more than needed now and then.
fn string(text: &str, choices: &mut Choices<'_>) -> String {
    let escaped = choices.one_in(4);
    let mut token = "\"".to_owned();
    for character in text.chars() {
        let mut units = [0; 2];
        match character {
            '"' | '\\' => token.extend(['\\', character]),
            _ if character < ' ' || escaped && !character.is_ascii_alphanumeric() && character != '@' => {
                for unit in character.encode_utf16(&mut units) {
                    token += &format!("\\u{unit:04X}");
                }
            }
            _ => token.push(character),
        }
    }
    token + "\""
}
