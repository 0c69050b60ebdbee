//! Random TOML, as Codex and people write it.

use crate::choices::Choices;

pub(crate) fn new_server(number: usize) -> String {
    format!("[mcp_servers.new{number}]\ncommand = \"x\"\n\n")
}

pub(crate) fn file(c: &mut Choices<'_>) -> (&'static str, String) {
    let mut text = String::new();
    if c.one_in(2) {
        text += "model = \"@mark@\" # mine\n\n";
    }
    // Inline tables and dotted keys stand before the first header.
    let style = c.below(4);
    let count = 1 + c.below(4);
    match style {
        0 | 1 => {}
        2 => {
            for number in 0..count {
                text += &dotted(c, number);
            }
            text += "\n";
        }
        _ => {
            text += "[mcp_servers]\n";
            for number in 0..count {
                text += &format!("s{number} = {{ {} }}{}\n", inline(c), comment(c));
            }
            text += "\n";
        }
    }
    if style < 2 {
        for number in 0..count {
            text += &table(c, number);
        }
    }
    // A new server after dotted keys would define the parent twice.
    if style != 2 && style != 3 {
        text += "# @slot@\n";
    }
    if c.one_in(2) {
        text += "[tui]\nnotifications = [\"@mark@\"]\n";
    }
    if c.one_in(3) {
        text = text.replace('\n', "\r\n");
    }
    ("/h/.codex/config.toml", text)
}

const COMMANDS: [&str; 6] =
    [r#""npx""#, "'npx'", r#""C:\\x y\\n.exe""#, r"'C:\x y\n.exe'", r#""\u00fc""#, r#""a # b/c""#];
const WORDS: [&str; 7] = [r#""-y""#, "'--'", r#""run""#, "5", "true", r#""@mark@""#, "'it # is'"];

fn comment(c: &mut Choices<'_>) -> &'static str {
    c.of(&["", "", " # @mark@", "\t# ] @mark@"])
}

fn args(c: &mut Choices<'_>) -> String {
    let words: Vec<&str> = (0..c.below(4)).map(|_| c.of(&WORDS)).collect();
    match c.below(4) {
        0 if !words.is_empty() => {
            let mut text = "[\n".to_owned();
            for word in words {
                text += &format!("  {word},{}\n", comment(c));
            }
            text + "]"
        }
        1 if !words.is_empty() => format!("[ {}, ]", words.join(", ")),
        _ => format!("[{}]", words.join(", ")),
    }
}

fn one_line_args(c: &mut Choices<'_>) -> String {
    let words: Vec<&str> = (0..c.below(4)).map(|_| c.of(&WORDS)).collect();
    format!("[{}]", words.join(", "))
}

fn env(c: &mut Choices<'_>) -> Vec<String> {
    ["A", "B", "PATH"].into_iter().filter(|_| c.one_in(2)).map(|name| format!("{name} = \"@mark@\"")).collect()
}

fn table(c: &mut Choices<'_>, number: usize) -> String {
    let name = c.of(&["", "\"", "'"]);
    let header = format!("mcp_servers.{name}s{number}{name}");
    let mut text = format!("[{header}]{}\n", comment(c));
    if c.one_in(8) {
        return text + "url = \"https://a.example/@mark@\"\n\n";
    }
    let mut lines = vec![format!("command = {}{}\n", c.of(&COMMANDS), comment(c))];
    if !c.one_in(4) {
        lines.push(format!("args = {}{}\n", args(c), comment(c)));
    }
    if c.one_in(3) {
        lines.push(format!("startup_timeout_sec = 20{}\n", comment(c)));
    }
    let env_style = c.below(4);
    if env_style == 1 {
        lines.push(format!("env = {{ {} }}{}\n", env(c).join(", "), comment(c)));
    }
    if env_style == 2 {
        lines.extend(env(c).into_iter().map(|line| format!("env.{line}\n")));
    }
    let turned = c.below(lines.len());
    if env_style != 2 {
        lines.rotate_left(turned);
    }
    let indent = c.of(&["", "", "  "]);
    for line in lines {
        text += &format!("{indent}{line}");
    }
    if c.one_in(3) {
        text += "# @mark@\n";
    }
    if env_style == 3 {
        text += &format!("\n[{header}.env]\n");
        for line in env(c) {
            text += &format!("{line}{}\n", comment(c));
        }
    }
    text + c.of(&["\n", "", "\n\n"])
}

fn inline(c: &mut Choices<'_>) -> String {
    let mut parts = vec![format!("command = {}", c.of(&COMMANDS))];
    if !c.one_in(4) {
        parts.push(format!("args = {}", one_line_args(c)));
    }
    if c.one_in(3) {
        parts.push(format!("env = {{ {} }}", env(c).join(", ")));
    }
    if c.one_in(3) {
        parts.push("note = \"@mark@\"".to_owned());
    }
    let turned = c.below(parts.len());
    parts.rotate_left(turned);
    parts.join(", ")
}

fn dotted(c: &mut Choices<'_>, number: usize) -> String {
    let mut text = format!("mcp_servers.s{number}.command = {}{}\n", c.of(&COMMANDS), comment(c));
    if !c.one_in(4) {
        text += &format!("mcp_servers.s{number}.args = {}{}\n", args(c), comment(c));
    }
    if c.one_in(3) {
        for line in env(c) {
            text += &format!("mcp_servers.s{number}.env.{line}\n");
        }
    }
    text
}
