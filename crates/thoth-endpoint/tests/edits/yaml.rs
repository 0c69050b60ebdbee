//! Random YAML.

use crate::choices::Choices;

pub(crate) fn document(choices: &mut Choices<'_>) -> String {
    let mut yaml = Yaml { line_break: choices.of(&["\n", "\r\n"]), choices, text: String::new(), anchors: Vec::new() };
    if yaml.choices.one_in(6) {
        yaml.text.push('\u{feff}');
    }
    if yaml.choices.one_in(6) {
        yaml.text += "---";
        yaml.end_line();
    }
    yaml.between(0);
    match yaml.choices.below(6) {
        0 => yaml.list(0, 0),
        1 => {
            let flow = yaml.flow(0, 2);
            yaml.text += &flow;
            yaml.end_line();
        }
        _ => yaml.map(0, 0, false),
    }
    yaml.between(0);
    let mut text = yaml.text;
    match choices.below(4) {
        0 => {
            let end = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(end);
        }
        1 => text += "...\n",
        _ => {}
    }
    text
}

struct Yaml<'c, 'b> {
    choices: &'c mut Choices<'b>,
    line_break: &'static str,
    text: String,
    anchors: Vec<String>,
}

impl Yaml<'_, '_> {
    fn end_line(&mut self) {
        let comment = self.choices.of(&["", "", "", " # @mark@: [", "  ", "   # c"]);
        self.text += comment;
        self.text += self.line_break;
    }

    fn between(&mut self, indent: usize) {
        match self.choices.below(8) {
            0 => self.text += &format!("{}# own line: - @mark@{}", " ".repeat(indent), self.line_break),
            1 => self.text += self.line_break,
            2 => self.text += &format!("# less{}", self.line_break),
            _ => {}
        }
    }

    /// Members at a column; the first one's indentation is written already where it follows a dash.
    fn map(&mut self, indent: usize, depth: usize, after_dash: bool) {
        for index in 0..=self.choices.below(4) {
            if index > 0 || !after_dash {
                if index > 0 {
                    self.between(indent);
                }
                self.text += &" ".repeat(indent);
            }
            let name = self.choices.name();
            let key = match self.choices.below(6) {
                0 => format!("\"{name} é: #\""),
                1 => format!("'{name}'''"),
                2 => format!("{name} x"),
                _ => name,
            };
            let colon = self.choices.of(&[":", ":", ":", " :"]);
            self.text += &format!("{key}{colon}");
            self.member_value(indent, depth);
        }
    }

    fn member_value(&mut self, indent: usize, depth: usize) {
        match self.choices.below(if depth < 3 { 10 } else { 6 }) {
            kind @ (6 | 7) => {
                let anchor = self.anchor();
                self.text += &anchor;
                self.end_line();
                self.between(indent + 1);
                let deeper = indent + 1 + self.choices.below(4);
                if kind == 6 {
                    self.map(deeper, depth + 1, false);
                } else {
                    let column = self.choices.of(&[deeper, indent]);
                    self.list(column, depth + 1);
                }
            }
            8 | 9 => {
                let flow = self.flow(indent + 1, 2);
                self.text += &format!(" {flow}");
                self.end_line();
            }
            _ => self.scalar_line(indent),
        }
    }

    fn list(&mut self, indent: usize, depth: usize) {
        for index in 0..=self.choices.below(3) {
            if index > 0 {
                self.between(indent);
            }
            let gap = self.choices.of(&[" ", " ", "   "]);
            self.text += &format!("{}-", " ".repeat(indent));
            match self.choices.below(if depth < 3 { 8 } else { 5 }) {
                5 | 6 => {
                    self.text += gap;
                    self.map(indent + 1 + gap.len(), depth + 1, true);
                }
                7 => {
                    let flow = self.flow(indent + 1, 1);
                    self.text += &format!(" {flow}");
                    self.end_line();
                }
                _ => self.scalar_line(indent),
            }
        }
    }

    fn anchor(&mut self) -> String {
        if !self.choices.one_in(8) {
            return String::new();
        }
        let name = self.choices.name();
        self.anchors.push(name.clone());
        format!(" &{name}")
    }

    /// A scalar after a colon or dash, and the end of its line.
    fn scalar_line(&mut self, indent: usize) {
        let inner = " ".repeat(indent + 1 + self.choices.below(3));
        let line_break = self.line_break;
        match self.choices.below(14) {
            0 => {}
            1 if !self.anchors.is_empty() => {
                let anchor = self.anchors[self.choices.below(self.anchors.len())].clone();
                self.text += &format!(" *{anchor}");
            }
            2 => {
                let header = self.choices.of(&["|", ">", "|-", ">-", "|+"]);
                let tail = self.choices.of(&["", "", "  "]);
                let blank = if self.choices.one_in(3) { line_break } else { "" };
                self.text += &format!(
                    " {header}{line_break}{inner}long # text{line_break}{inner}@mark@: [{tail}{line_break}{blank}"
                );
                return;
            }
            3 => self.text += &format!(" two{line_break}{inner}lines @mark@"),
            4 => self.text += &format!(" \"two{line_break}{inner}lines\""),
            5 => self.text += self.choices.of(&[" !!str 1", " !t x"]),
            _ => {
                let anchor = self.anchor();
                let scalar = self.scalar(false);
                self.text += &format!("{anchor} {scalar}");
            }
        }
        self.end_line();
    }

    fn scalar(&mut self, flow: bool) -> String {
        match self.choices.below(5) {
            0 => self.choices.of(&["1", "true", "~", "null", "0x1F", "1.5"]).to_owned(),
            1 if !flow => self.choices.of(&["a, b", "x]", "a{b}", "it's", "a\\b \"c\""]).to_owned(),
            1 | 2 => self
                .choices
                .of(&["npx", "-y", "--flag=x", "C:\\dir\\x", "http://h/p?q#f", "@mark@ x", "é 日本"])
                .replace("@mark@ x", "x @mark@"),
            3 => {
                let text = self.choices.text();
                let single = !text.chars().any(|one| one.is_control() || "\u{2028}\u{feff}".contains(one));
                if single { format!("'{}'", text.replace('\'', "''")) } else { double(&text) }
            }
            _ => double(&self.choices.text()),
        }
    }

    fn flow(&mut self, indent: usize, depth: usize) -> String {
        let map = self.choices.below(2) == 0;
        let lines = self.choices.one_in(3);
        let gap = self.choices.of(&[" ", "", "  "]);
        let count = self.choices.below(4);
        let lead = |yaml: &mut Self| {
            if !lines {
                return gap.to_owned();
            }
            let comment = yaml.choices.of(&["", "", " # @mark@, ]", "  "]);
            format!("{comment}{}{}", yaml.line_break, " ".repeat(indent + 1))
        };
        let mut text = if map { "{" } else { "[" }.to_owned();
        for index in 0..count {
            text += &lead(self);
            if map {
                let name = self.choices.name();
                text += &name;
                if self.choices.one_in(6) {
                    if index + 1 < count {
                        text += ",";
                    }
                    continue;
                }
                text += ": ";
            }
            text +=
                &if depth > 0 && self.choices.one_in(4) { self.flow(indent + 1, depth - 1) } else { self.scalar(true) };
            if index + 1 < count || self.choices.one_in(4) {
                text += ",";
            }
        }
        text += &lead(self);
        text + if map { "}" } else { "]" }
    }
}

fn double(text: &str) -> String {
    let escape = |one: char| match one {
        '"' | '\\' => format!("\\{one}"),
        _ if one.is_control() || "\u{2028}\u{feff}".contains(one) => format!("\\u{:04X}", u32::from(one)),
        _ => one.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
