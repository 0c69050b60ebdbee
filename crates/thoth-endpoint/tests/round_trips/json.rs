//! Random JSON with comments, as clients and people write it.

use crate::choices::Choices;

/// How the file is laid out.
struct Layout {
    line_end: &'static str,
    indent: &'static str,
    colon: &'static str,
    comments: bool,
    trailing_commas: bool,
}

const PATHS: [(&str, &[&str]); 6] = [
    ("/h/.cursor/mcp.json", &["mcpServers"]),
    ("/h/.claude.json", &["projects", "/src/app", "mcpServers"]),
    ("/p/.vscode/mcp.json", &["servers"]),
    ("/h/.config/zed/settings.json", &["context_servers"]),
    ("/p/opencode.json", &["mcp"]),
    ("/p/opencode.json", &["mcp", "servers"]),
];

pub(crate) fn new_server(path: &str, number: usize) -> String {
    let command = if path.ends_with("opencode.json") { r#"["x"]"# } else { r#""x""# };
    format!("\"new{number}\": {{\"command\": {command}}}, ")
}

pub(crate) fn file(c: &mut Choices<'_>) -> (&'static str, String) {
    let (path, keys) = c.of(&PATHS);
    let layout = Layout {
        line_end: c.of(&["\n", "\r\n"]),
        indent: c.of(&["  ", "\t", "    ", ""]),
        colon: c.of(&[": ", ":", " : "]),
        comments: c.one_in(2),
        trailing_commas: c.one_in(2),
    };
    let is_list = path.ends_with("opencode.json");
    let mut servers = Vec::new();
    // Something to put new servers before, and to recognise the file by.
    for number in 0..1 + c.below(4) {
        let name = if c.one_in(8) { "s0".to_owned() } else { format!("s{number}") };
        let value = if is_list { list_entry(c, &layout, keys.len()) } else { entry(c, &layout, keys.len()) };
        servers.push((name, value));
    }
    let mut value = map(c, &layout, keys.len(), servers, true);
    for (depth, key) in keys.iter().enumerate().rev() {
        let mut members = vec![((*key).to_owned(), value)];
        if depth == 0 && c.one_in(2) {
            members.insert(0, ("other".to_owned(), r#"{"deep": ["@mark@", 1.50, null]}"#.to_owned()));
        }
        if depth == 0 && c.one_in(2) {
            members.push(("last".to_owned(), r#""@mark@""#.to_owned()));
        }
        value = map(c, &layout, depth, members, false);
    }
    let bom = if c.one_in(4) { "\u{feff}" } else { "" };
    let end = if c.one_in(3) { "" } else { layout.line_end };
    (path, format!("{bom}{value}{end}"))
}

const COMMANDS: [&str; 7] = [
    r#""npx""#,
    r#""\u006epx""#,
    r#""C:\\Program Files\\node.exe""#,
    r#""${env:X}""#,
    r#""ünï""#,
    r#""/a b/c""#,
    r#""cmd""#,
];
const WORDS: [&str; 10] = [
    r#""-y""#,
    r#""--""#,
    r#""run""#,
    "5",
    "true",
    "null",
    r#""@mark@""#,
    r#""\"q\" /* no */ // no""#,
    r#""""#,
    r#""--wrapped""#,
];

fn entry(c: &mut Choices<'_>, layout: &Layout, depth: usize) -> String {
    if c.one_in(8) {
        return c.of(&[r#"{"url": "https://a.example/@mark@"}"#, "null", "{}", r#"{"command": ""}"#]).to_owned();
    }
    let mut members = vec![("command".to_owned(), c.of(&COMMANDS).to_owned())];
    if !c.one_in(4) {
        let args = words(c, layout, depth + 1, 0);
        members.push(("args".to_owned(), args));
    }
    dressed(c, layout, depth, members, "env")
}

fn list_entry(c: &mut Choices<'_>, layout: &Layout, depth: usize) -> String {
    let command = words(c, layout, depth + 1, 1);
    let members = vec![("type".to_owned(), r#""local""#.to_owned()), ("command".to_owned(), command)];
    dressed(c, layout, depth, members, "environment")
}

/// With environment variables and other settings, in any order.
fn dressed(
    c: &mut Choices<'_>,
    layout: &Layout,
    depth: usize,
    mut members: Vec<(String, String)>,
    env: &str,
) -> String {
    if c.one_in(2) {
        let variables: Vec<_> = ["A", "B", "PATH"]
            .into_iter()
            .filter(|_| c.one_in(2))
            .map(|name| (name.to_owned(), r#""@mark@""#.to_owned()))
            .collect();
        members.push((env.to_owned(), map(c, layout, depth + 1, variables, false)));
    }
    if c.one_in(2) {
        members.push(("note".to_owned(), r#""@mark@""#.to_owned()));
    }
    if c.one_in(3) {
        members.push(("enabled".to_owned(), "false".to_owned()));
    }
    let turned = c.below(members.len());
    members.rotate_left(turned);
    map(c, layout, depth, members, false)
}

fn words(c: &mut Choices<'_>, layout: &Layout, depth: usize, least: usize) -> String {
    let mut items = Vec::new();
    if least > 0 {
        items.push(c.of(&COMMANDS).to_owned());
    }
    for _ in 0..c.below(4) {
        items.push(c.of(&WORDS).to_owned());
    }
    collection(c, layout, depth, "[", items, "]", false)
}

fn map(c: &mut Choices<'_>, layout: &Layout, depth: usize, members: Vec<(String, String)>, slot: bool) -> String {
    let members = members.into_iter().map(|(key, value)| format!("\"{key}\"{}{value}", layout.colon)).collect();
    collection(c, layout, depth, "{", members, "}", slot)
}

fn collection(
    c: &mut Choices<'_>,
    layout: &Layout,
    depth: usize,
    open: &str,
    elements: Vec<String>,
    close: &str,
    slot: bool,
) -> String {
    let is_inline = c.one_in(2) && !elements.iter().any(|element| element.contains("//"));
    let line = |depth: usize| format!("{}{}", layout.line_end, layout.indent.repeat(depth));
    let (before, after) = if is_inline {
        let pad = c.of(&["", " "]).to_owned();
        (pad.clone(), pad)
    } else {
        (line(depth + 1), line(depth))
    };
    let mut text = open.to_owned();
    if slot {
        text += &format!("{before}/* @slot@ */");
    }
    let count = elements.len();
    for (index, element) in elements.into_iter().enumerate() {
        text += if index > 0 && is_inline { " " } else { &before };
        if layout.comments && c.one_in(6) {
            text += &if is_inline { "/* @mark@ */ ".to_owned() } else { format!("// @mark@{before}") };
        }
        text += &element;
        if layout.comments && c.one_in(8) {
            text += " /* @mark@ */";
        }
        if index + 1 < count || (layout.trailing_commas && c.one_in(2)) {
            text += ",";
        }
        if layout.comments && !is_inline && c.one_in(6) {
            text += " // @mark@, [";
        }
    }
    if count > 0 || !is_inline {
        text += &after;
    }
    text + close
}
