//! Files of other programs as they may be shown: without what may be a secret.

mod comments;

use std::ops::Range;

use thoth_endpoint::document::{Document, Node, Value};
use thoth_endpoint::server_name::looks_like_secret;

/// What stands in the place of a value that is not shown.
const MASK: &str = "***";

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

/// The text of a document with every value masked that may be a secret, and every comment: a setting out of use has no
/// place in the tree that would tell.
#[must_use]
pub fn masked(document: &Document) -> String {
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
