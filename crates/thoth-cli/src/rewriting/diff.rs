//! Showing what would change, without showing secrets.

use std::ops::Range;

use similar::{ChangeTag, TextDiff};
use thoth_endpoint::document::{Document, Node, Value};

use super::comments;
use crate::clients::ClientFile;
use thoth_endpoint::server_name::looks_like_secret;
use thoth_shell::terminal::{BAD, DIM, GOOD, harmless_text, styled};

/// What stands in the place of a value that is not shown.
const MASK: &str = "***";

/// The longest line that is shown whole, in bytes, and the most that is shown of a longer one, in characters.
const LONG: usize = 2000;

/// How much is shown around a change in a long line, in characters.
const AROUND: usize = 60;

/// Names of tables whose values are secrets more often than not.
const SECRET_TABLES: [&str; 6] = ["env", "envs", "environment", "headers", "http_headers", "requestoptions"];

/// Parts of names whose values are secrets.
const SECRET_NAMES: [&str; 14] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "apikey",
    "api_key",
    "api-key",
    "auth",
    "bearer",
    "credential",
    "cookie",
    "header",
];

/// Whole names whose values are secrets: `--pat`, and the letters that programs use for passwords, keys, variables,
/// headers, users and tokens.
const SECRET_WORDS: [&str; 8] = ["key", "pat", "-p", "-k", "-e", "-h", "-u", "-t"];

/// Beginnings of secrets that tell themselves.
const SECRET_STARTS: [&str; 18] = [
    "sk-",
    "sk_",
    "pk_",
    "rk_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xox",
    "xapp-",
    "thoth_",
    "bearer ",
    "eyj",
    "aiza",
    "akia",
    "npm_",
    "hf_",
];

/// A unified diff with one line of context. Values that may be secrets are masked on both sides.
pub(super) fn shown(document: &Document, new: &str, file: &ClientFile) -> String {
    let path = harmless_text(&file.path.to_string_lossy());
    let Ok(changed) = Document::parse(document.format(), new.as_bytes()) else {
        return format!("{path}: the change cannot be shown\n");
    };
    let (old, new) = (masked(document), masked(&changed));
    let diff = TextDiff::from_lines(&*old, &*new);
    let mut text =
        format!("{}\n{}\n", styled(DIM, format_args!("--- {path}")), styled(DIM, format_args!("+++ {path}")));
    let mut hunks = 0;
    for hunk in diff.unified_diff().context_radius(1).iter_hunks() {
        hunks += 1;
        text += &format!("{}\n", styled(DIM, hunk.header()));
        let changes: Vec<_> = hunk.iter_changes().map(|change| (change.tag(), plain(change.value()))).collect();
        let lines = |tag| changes.iter().filter(move |(of, _)| *of == tag).map(|(_, line)| line.as_str());
        let (mut removed, mut added) = (lines(ChangeTag::Delete), lines(ChangeTag::Insert));
        for (tag, line) in &changes {
            text += &match tag {
                ChangeTag::Delete => styled(BAD, format_args!("-{}", clipped(line, added.next()))),
                ChangeTag::Insert => styled(GOOD, format_args!("+{}", clipped(line, removed.next()))),
                ChangeTag::Equal => format!(" {}", clipped(line, None)),
            };
            text.push('\n');
        }
    }
    if hunks == 0 {
        text += "(only values that are not shown)\n";
    }
    text
}

/// A line without its end, and harmless.
fn plain(line: &str) -> String {
    harmless_text(line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}')).replace("\\u{9}", "\t")
}

/// A line, or, of a long one, what is not as in its counterpart. Some files are one line of megabytes.
fn clipped(line: &str, other: Option<&str>) -> String {
    if line.len() <= LONG {
        return line.to_owned();
    }
    let other = other.unwrap_or_default();
    let same = |(a, b): &(char, char)| a == b;
    let before = line.chars().zip(other.chars()).take_while(same).count();
    let after = line.chars().rev().zip(other.chars().rev()).take_while(same).count();
    let start = before.saturating_sub(AROUND);
    let end = line.chars().count().saturating_sub(after).max(before) + AROUND;
    let length = end.saturating_sub(start).min(LONG);
    let shown: String = line.chars().skip(start).take(length).collect();
    let (cut_before, cut_after) = (start > 0, start + length < line.chars().count());
    format!("{}{shown}{}", if cut_before { "…" } else { "" }, if cut_after { "…" } else { "" })
}

/// The text of a document with every value masked that may be a secret, and every comment: a setting out of use has no
/// place in the tree that would tell.
fn masked(document: &Document) -> String {
    let mut spans = Vec::new();
    find(document.root(), false, &mut spans);
    spans.extend(comments::contents(document));
    spans.sort_by_key(|span| (span.start, std::cmp::Reverse(span.end)));
    let text = document.text();
    let (mut shown, mut at) = (String::with_capacity(text.len()), 0);
    for span in spans.into_iter().filter(|span| !span.is_empty()) {
        if span.start >= at {
            shown += text.get(at..span.start).unwrap_or_default();
            shown += MASK;
            at = span.end;
        }
    }
    shown += text.get(at..).unwrap_or_default();
    shown
}

/// Finds the values to mask. The depth of a document is limited.
fn find(node: &Node, secret: bool, spans: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Map(members) => {
            for member in members {
                let name = member.key.to_lowercase();
                let table =
                    SECRET_TABLES.contains(&&*name) && matches!(member.node.value, Value::Map(_) | Value::List(_));
                find(&member.node, secret || table || is_secret_name(&name), spans);
            }
        }
        Value::List(items) => {
            let mut after_secret_flag = false;
            for item in items {
                find(item, secret || after_secret_flag, spans);
                let word = item.text().unwrap_or_default();
                after_secret_flag =
                    word.starts_with('-') && !word.contains('=') && is_secret_name(&word.to_lowercase());
            }
        }
        Value::Text(text) if !secret && !is_secret(text) => {}
        Value::Bool(_) => {}
        Value::Text(_) | Value::Other => {
            if secret || matches!(node.value, Value::Text(_)) {
                spans.push(node.span.clone());
            }
        }
    }
}

fn is_secret_name(name: &str) -> bool {
    let last = name.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    SECRET_WORDS.contains(&last) || SECRET_WORDS.contains(&name) || SECRET_NAMES.iter().any(|part| name.contains(part))
}

/// Whether a text looks like a secret, or holds one: an assignment, an address with a password or a key in it.
fn is_secret(text: &str) -> bool {
    let text = text.to_lowercase();
    let assigned = text.match_indices(['=', ':']).any(|(at, _)| text.get(..at).is_some_and(is_secret_name));
    let user = text.split_once("://").is_some_and(|(_, rest)| rest.split('/').next().unwrap_or_default().contains('@'));
    assigned || user || looks_like_secret(&text) || SECRET_STARTS.iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: of a file that is one long line, the change is shown and not the file.
    #[test]
    fn long_lines_are_clipped_around_the_change() {
        let line = |middle: &str| format!("{}{middle}{}", "a".repeat(5000), "b".repeat(5000));
        let (old, new) = (line("old"), line("newer"));
        let around = |middle: &str| format!("…{}{middle}{}…", "a".repeat(60), "b".repeat(60));
        assert_eq!((clipped(&old, Some(&new)), clipped(&new, Some(&old))), (around("old"), around("newer")));
        assert_eq!(clipped("short", None), "short");
        assert_eq!(clipped(&old, None).chars().count(), LONG + 1);
    }

    /// Defends: values that may be secrets are not in what is shown, whatever they are called and wherever they are.
    #[test]
    fn secrets_are_masked() {
        for (text, expected) in [
            (r#"{"env": {"A": "x", "B": 1, "C": true}}"#, r#"{"env": {"A": ***, "B": ***, "C": true}}"#),
            (
                r#"{"headers": {"a": ["x", {"b": "y"}]}, "args": ["x"]}"#,
                r#"{"headers": {"a": [***, {"b": ***}]}, "args": ["x"]}"#,
            ),
            (
                r#"{"apiKey": "x", "oauthToken": "x", "key": "x", "keyboard": "x"}"#,
                r#"{"apiKey": ***, "oauthToken": ***, "key": ***, "keyboard": "x"}"#,
            ),
            (r#"["--api-key", "x", "--key", "y", "z"]"#, r#"["--api-key", ***, "--key", ***, "z"]"#),
            (r#"["--token=x", "A_SECRET=x", "--path=x", "sk-x", "Bearer x"]"#, r#"[***, ***, "--path=x", ***, ***]"#),
            (
                r#"["-y", "mcp-remote", "https://h/sse", "--header", "Authorization: Bearer x", "-H", "x", "--pat", "x"]"#,
                r#"["-y", "mcp-remote", "https://h/sse", "--header", ***, "-H", ***, "--pat", ***]"#,
            ),
            (
                r#"["--header=X-Api-Key: s", "X-API-KEY:s", "-e", "PW=s", "-p", "s"]"#,
                r#"[***, ***, "-e", ***, "-p", ***]"#,
            ),
            (
                r#"["eyJhbGciOiJI.e30.x", "AIzaSyA", "AKIAIOSF", "0a1b2c3d4e5f6a7b8c9d0e1f", "@scope/server-files@1.2.3"]"#,
                r#"[***, ***, ***, ***, "@scope/server-files@1.2.3"]"#,
            ),
            ("{// \"TOKEN\": \"hush\",\n \"a\": \"//x\" /* hush */}", "{// ***\n \"a\": \"//x\" /* *** */}"),
            (r#"["https://u:p@h/x", "https://h/x@y", "https://h/?api_key=x"]"#, r#"[***, "https://h/x@y", ***]"#),
        ] {
            let document = Document::parse(thoth_endpoint::document::Format::Json, text.as_bytes()).unwrap();
            assert_eq!(masked(&document), expected);
        }
    }
}
