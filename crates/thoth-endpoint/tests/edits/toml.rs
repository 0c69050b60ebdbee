//! Random TOML.

use crate::choices::Choices;

pub(crate) fn document(choices: &mut Choices<'_>) -> String {
    let mut toml = Toml { line_break: choices.of(&["\n", "\r\n"]), choices, text: String::new() };
    if toml.choices.one_in(6) {
        toml.text.push('\u{feff}');
    }
    toml.lines("", true);
    for _ in 0..toml.choices.below(4) {
        let name = toml.choices.name();
        toml.section(&name, 0);
    }
    let mut text = toml.text;
    if choices.one_in(3) {
        let end = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(end);
    }
    text
}

struct Toml<'c, 'b> {
    choices: &'c mut Choices<'b>,
    line_break: &'static str,
    text: String,
}

impl Toml<'_, '_> {
    fn end_line(&mut self) {
        let comment = self.choices.of(&["", "", "", " # @mark@ \"", "  ", "\t# c"]);
        self.text += comment;
        self.text += self.line_break;
    }

    fn between(&mut self, indent: &str) {
        match self.choices.below(7) {
            0 => self.text += &format!("{indent}# own line [x] @mark@{}", self.line_break),
            1 => self.text += self.line_break,
            _ => {}
        }
    }

    fn section(&mut self, path: &str, depth: usize) {
        let indent = self.choices.of(&["", "", "  ", "\t"]);
        let list = self.choices.one_in(5);
        // A table's sub-tables can come before it.
        if !list && depth < 2 && self.choices.one_in(6) {
            let name = self.choices.name();
            self.section(&format!("{path}.{name}"), 2);
        }
        let implied = !list && self.choices.one_in(6);
        for _ in 0..=self.choices.below(if list { 3 } else { 1 }) {
            self.between(indent);
            let header = match (implied, list) {
                (true, _) => continue,
                (_, true) => format!("{indent}[[{path}]]"),
                _ if self.choices.one_in(4) => format!("{indent}[ {path} ]"),
                _ => format!("{indent}[{path}]"),
            };
            self.text += &header;
            self.end_line();
            self.lines(indent, false);
        }
        if depth < 2 {
            for _ in 0..self.choices.below(3) {
                let name = self.choices.name();
                self.section(&format!("{path}.{name}"), depth + 1);
            }
        }
    }

    fn lines(&mut self, indent: &str, root: bool) {
        for _ in 0..self.choices.below(5) {
            self.between(indent);
            let name = self.key();
            let dotted = self.choices.one_in(4);
            for index in 0..=if dotted { self.choices.below(3) } else { 0 } {
                let rest = match (dotted, index) {
                    (false, _) => String::new(),
                    (true, 2) => format!(".{}.{}", self.key(), self.key()),
                    (true, _) => format!(".{}", self.key()),
                };
                let equals = self.choices.of(&[" = ", "=", " =\t"]);
                let value = self.value(0);
                self.text += &format!("{indent}{name}{rest}{equals}{value}");
                self.end_line();
                if dotted && self.choices.one_in(4) {
                    let between = self.key();
                    self.text += &format!("{indent}{between} = 0");
                    self.end_line();
                }
            }
        }
        if root && self.choices.one_in(3) {
            self.between(indent);
        }
    }

    fn key(&mut self) -> String {
        let name = self.choices.name();
        match self.choices.below(6) {
            0 => format!("\"{name} é.#\""),
            1 => format!("'{name}\"'"),
            _ => name,
        }
    }

    fn value(&mut self, depth: usize) -> String {
        match self.choices.below(if depth < 3 { 10 } else { 6 }) {
            0 => "1".to_owned(),
            1 => self
                .choices
                .of(&["true", "0x1F", "-1.5e3", "inf", "1979-05-27T07:32:00Z", "07:32:00", "1_000"])
                .to_owned(),
            2..=5 => {
                let text = self.choices.text();
                self.string(&text)
            }
            6 | 7 => self.array(depth),
            _ => self.inline_table(depth),
        }
    }

    fn array(&mut self, depth: usize) -> String {
        let lines = self.choices.one_in(2);
        let gap = self.choices.of(&[" ", "", "  "]);
        let count = self.choices.below(4);
        let mut text = "[".to_owned();
        for index in 0..count {
            text += &if lines { self.array_line("  ") } else { gap.to_owned() };
            text += &self.value(depth + 1);
            if index + 1 < count || self.choices.one_in(3) {
                text += ",";
            }
        }
        text += &if lines { self.array_line("") } else { gap.to_owned() };
        text + "]"
    }

    fn array_line(&mut self, indent: &str) -> String {
        let comment = self.choices.of(&["", "", " # @mark@, ]", "\t"]);
        let own =
            if self.choices.one_in(5) { format!("{}{indent}# own, line", self.line_break) } else { String::new() };
        format!("{comment}{own}{}{indent}", self.line_break)
    }

    fn inline_table(&mut self, depth: usize) -> String {
        let (open, gap) = self.choices.of(&[("{ ", " "), ("{", ""), ("{ ", "  ")]);
        let count = self.choices.below(4);
        let members: Vec<_> = (0..count)
            .map(|_| {
                let dotted = if self.choices.one_in(8) { self.key() + "." } else { String::new() };
                format!("{dotted}{} = {}", self.key(), self.value(depth + 1))
            })
            .collect();
        let close = if count == 0 { "}" } else { &format!("{}}}", open.trim_start_matches('{')) };
        format!("{open}{}{close}", members.join(&format!(",{gap}")))
    }

    fn string(&mut self, text: &str) -> String {
        let plain = |forbidden: &str| {
            !text
                .chars()
                .any(|one| forbidden.contains(one) || one < ' ' && one != '\t' && one != '\n' || one == '\u{7f}')
        };
        match self.choices.below(4) {
            0 if plain("'\n") => format!("'{text}'"),
            1 if plain("'") => format!("'''{}{}'''", self.line_break, text.replace('\n', self.line_break)),
            2 if plain("\"\\") => {
                format!("\"\"\"{}\\{}   \"\"\"", text.replace('\n', self.line_break), self.line_break)
            }
            _ => {
                let escape = |one: char| match one {
                    '"' | '\\' => format!("\\{one}"),
                    '\0'..='\x1f' | '\x7f' => format!("\\u{:04X}", u32::from(one)),
                    _ => one.to_string(),
                };
                format!("\"{}\"", text.chars().map(escape).collect::<String>())
            }
        }
    }
}
