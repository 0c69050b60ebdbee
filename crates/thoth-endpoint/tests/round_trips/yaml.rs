//! Random YAML, as Goose, Continue and people write it.

use crate::choices::Choices;

const CONTINUE: &str = "/h/.continue/config.yaml";
const GOOSE: &str = "/h/.config/goose/config.yaml";

/// At the indentation that the slot's comment shows.
pub(crate) fn new_server(original: &str, path: &str, number: usize) -> String {
    let line = original.lines().find(|line| line.contains("@slot@")).unwrap_or_default();
    let indent = " ".repeat(line.len() - line.trim_start().len());
    let end = if original.contains("\r\n") { "\r\n" } else { "\n" };
    if path == CONTINUE {
        format!("{indent}- name: new{number}{end}{indent}  command: x{end}")
    } else {
        format!("{indent}new{number}:{end}{indent}  cmd: x{end}{indent}  type: stdio{end}")
    }
}

pub(crate) fn file(c: &mut Choices<'_>) -> (&'static str, String) {
    let path = c.of(&[CONTINUE, GOOSE]);
    let mut text = String::new();
    if c.one_in(3) {
        text += "---\n";
    }
    if c.one_in(2) {
        text += "name: \"@mark@\" # mine\n";
    }
    let is_list = path == CONTINUE;
    text += if is_list { "mcpServers:" } else { "extensions:" };
    text += comment(c);
    text += "\n";
    let indent = if is_list { c.of(&["  ", "", "    "]) } else { c.of(&["  ", "    "]) };
    for number in 0..1 + c.below(4) {
        let fields = entry(c, is_list);
        if is_list {
            text += &format!("{indent}- name: s{number}{}\n", comment(c));
            for line in fields {
                text += &format!("{indent}  {line}\n");
            }
        } else if c.one_in(5) {
            text += &format!("{indent}s{number}: {{cmd: npx, args: [-y, \"@mark@\"], type: stdio}}{}\n", comment(c));
        } else {
            text += &format!("{indent}s{number}:{}\n", comment(c));
            for line in fields {
                text += &format!("{indent}  {line}\n");
            }
        }
        if c.one_in(4) {
            text += &format!("{indent}# @mark@\n");
        }
        if c.one_in(4) {
            text += "\n";
        }
    }
    text += &format!("{indent}# @slot@\n");
    if c.one_in(2) {
        text += "prompts:\n  - text: |\n      command: npx @mark@\n";
    }
    if c.one_in(3) {
        text = text.replace('\n', "\r\n");
    }
    (path, text)
}

fn comment(c: &mut Choices<'_>) -> &'static str {
    c.of(&["", "", " # @mark@", "  # : [ @mark@"])
}

const COMMANDS: [&str; 7] = ["npx", "'npx'", "\"npx\"", r#""C:\\x y\\n.exe""#, "/a b/c", "'it''s'", "ünï"];
const WORDS: [&str; 10] = ["-y", "--", "run", "5", "true", "\"@mark@\"", "'it''s'", "'@scope/x'", "--key=value", "a b"];

/// The lines of an entry, without its name.
fn entry(c: &mut Choices<'_>, is_list: bool) -> Vec<String> {
    if c.one_in(8) {
        let field = if is_list { "url" } else { "uri" };
        return vec![format!("{field}: \"https://a.example/@mark@\"")];
    }
    let (command, env) = if is_list { ("command", "env") } else { ("cmd", "envs") };
    let mut fields = vec![vec![format!("{command}: {}{}", c.of(&COMMANDS), comment(c))]];
    if !c.one_in(4) {
        fields.push(args(c));
    }
    match c.below(5) {
        1 => fields.push(vec![format!("{env}: {{}}{}", comment(c))]),
        2 => fields.push(vec![format!("{env}: {{A: \"@mark@\", B: 1}}")]),
        3 => fields.push(vec![
            format!("{env}:{}", comment(c)),
            "  A: \"@mark@\"".to_owned(),
            format!("  B: 1{}", comment(c)),
        ]),
        _ => {}
    }
    if c.one_in(2) {
        fields.push(vec![format!("timeout: 300{}", comment(c))]);
    }
    if c.one_in(4) {
        fields.push(vec!["enabled: false".to_owned()]);
    }
    let turned = c.below(fields.len());
    fields.rotate_left(turned);
    fields.concat()
}

fn args(c: &mut Choices<'_>) -> Vec<String> {
    let words: Vec<&str> = (0..c.below(4)).map(|_| c.of(&WORDS)).collect();
    if words.is_empty() || c.one_in(2) {
        return vec![format!("args: [{}]{}", words.join(", "), comment(c))];
    }
    let indent = c.of(&["", "  ", "    "]);
    let mut lines = vec![format!("args:{}", comment(c))];
    for word in words {
        lines.push(format!("{indent}- {word}{}", comment(c)));
    }
    lines
}
