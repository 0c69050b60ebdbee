//! SQL smuggled into values, and statements that destroy or read what no query needs.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use regex::bytes::{RegexSet, RegexSetBuilder};

use thoth_text::percent::Decoded;

use super::argument_role::Role;
use super::detection::{Class, Confidence};
use super::leaf::{Hit, Leaf, LeafKind};

/// The shortest words that are smuggled SQL without any sign: `1 or true`.
const SHORTEST_WORDS: usize = 9;

/// The shortest text that breaks out of a string, and the shortest without a mark that closes one: `;exec (`.
const SHORTEST_QUOTED: usize = 4;
const SHORTEST_PLAIN: usize = 7;

/// In SQL that was asked for: what destroys data, gives rights away, or leaves the database.
const DANGEROUS: &[(&str, &str, &str)] = &[
    (
        "sql.destructive",
        r"\bdrop\s+(?:table|database|schema|view|index|user|role|column)\b|\btruncate\s+(?:table\s+)?[\x22\[`\w]|\balter\s+table\s+\S+\s+drop\b",
        "removes tables or data",
    ),
    (
        "sql.privilege",
        r"\bgrant\s+(?:all|\w+\s*,?\s*)+\s+(?:on|to)\b|\bcreate\s+(?:user|role|login)\b|\balter\s+(?:user|role|login)\b|\bset\s+password\b|\bupdate\s+mysql\.user\b",
        "gives rights in the database",
    ),
    (
        "sql.escape",
        r"\bxp_cmdshell\b|\bsp_oacreate\b|\binto\s+(?:out|dump)file\b|\bload_file\s*\(|\bload\s+data\s+(?:local\s+)?infile\b|\bcopy\s+\S+\s*(?:\([^)]*\)\s*)?(?:from|to)\s+program\b|\bpg_read_(?:binary_)?file\s*\(|\bpg_ls_dir\s*\(|\blo_(?:import|export)\s*\(|\butl_http\b|\bdbms_(?:scheduler|java)\b|\bload_extension\s*\(|\bsys_(?:exec|eval)\s*\(|\bopenrowset\s*\(",
        "leaves the database for files, the network or the shell",
    ),
    (
        "sql.credential_access",
        r"\bfrom\s+(?:mysql\.user|pg_shadow|pg_authid|sys\.sql_logins|master\.\.syslogins|sysusers|dba_users)\b",
        "reads the accounts of the database",
    ),
    (
        "sql.tautology",
        r"\bor\s+(?:1\s*=\s*1|true|'(\w*)'\s*=\s*'\w*'|\x22\w*\x22\s*=\s*\x22\w*\x22|\d+\s*=\s*\d+)\s*(?:--|#|/\*|;|$|\))",
        "a condition that is always true",
    ),
    (
        "sql.time_delay",
        r"\b(?:sleep|pg_sleep|benchmark|waitfor\s+delay|dbms_pipe\.receive_message)\s*[('\d]",
        "waits, which tells an attacker yes or no",
    ),
];

/// In values that are no SQL: what breaks out of a quoted string or chains a statement.
const SMUGGLED: &[(&str, &str, &str)] = &[
    (
        "sql.tautology",
        r"['\x22\x60)]\s*\)*\s*(?:or|and|\|\||&&|xor)\s+(?:not\s+)?(?:\(*\s*['\x22]?[\w]*['\x22]?\s*(?:=|<|>|!=|<>|like\b|in\b|is\b|between\b)|true\b|exists\b|\d+\s*--|[\x22']?\w+[\x22']?\s*$)",
        "a condition that breaks out of its string",
    ),
    (
        "sql.tautology",
        r"\b\d+\s+(?:or|and)\s+\(?\s*(?:\d+\s*=\s*\d+|true\b|'[^']*'\s*=\s*')",
        "a condition that is always true",
    ),
    (
        "sql.stacked",
        r"(?:['\x22)\d\w]\s*;|^;)\s*(?:drop\s+(?:table|database|schema|view|user)|delete\s+from|insert\s+into|update\s+\w+\s+set|alter\s+(?:table|user|role)|truncate\s+(?:table\s+)?\w|create\s+(?:table|user|role|function|trigger)|exec(?:ute)?\s+(?:xp_|sp_|\()|grant\s+\w+|shutdown\b|declare\s+@|select\s+[\w*(@]|merge\s+into|copy\s+\w+\s+(?:from|to)|waitfor\s+delay)",
        "a second statement",
    ),
    (
        "sql.union",
        r"(?:['\x22)\d]|^|\s)\s*union\s+(?:all\s+|distinct\s+)?(?:\(\s*)?select\s+(?:null\b|(?:\d+|\*)\s*(?:,|from\b|--|#|$)|[\w\x22'@(.]+\s*(?:,|from\b|--|#))",
        "a union with another query",
    ),
    (
        "sql.comment_out",
        r"^[\w .@+-]{0,64}['\x22]\s*\)*\s*(?:--|#|/\*|;\s*--)",
        "a quote and a comment that cut the query off",
    ),
    (
        "sql.time_delay",
        r"(?:['\x22)\d]|\b(?:and|or|select|if)\b)[\s(;]*(?:sleep\s*\(\s*\d|pg_sleep\s*\(|benchmark\s*\(\s*\d|waitfor\s+delay\s+'|dbms_pipe\.receive_message)",
        "waits, which tells an attacker yes or no",
    ),
    (
        "sql.escape",
        r"\bxp_cmdshell\b|['\x22);]\s*exec(?:ute)?\s+master\b|\binto\s+(?:out|dump)file\s+['\x22]|\bload_file\s*\(\s*(?:['\x22]|0x)|\bextractvalue\s*\(\s*\w+\s*,\s*concat|\bupdatexml\s*\(\s*\w+\s*,\s*concat|\binformation_schema\.(?:tables|columns|schemata)\b",
        "reaches for the database itself",
    ),
];

fn set(rows: &[(&str, &str, &str)]) -> Option<RegexSet> {
    // INVARIANT: the patterns compile; a test holds it.
    RegexSetBuilder::new(rows.iter().map(|(_, pattern, _)| *pattern))
        .case_insensitive(true)
        .unicode(false)
        .multi_line(false)
        .dfa_size_limit(8 << 20)
        .build()
        .ok()
}

/// What every row of [`SMUGGLED`] needs one of; most values have none and are done.
static SIGNS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let signs = [
        "'",
        "\"",
        "`",
        ";",
        "--",
        "#",
        "/*",
        "union",
        "or ",
        "or(",
        "and ",
        "and(",
        "or/",
        "or+",
        "and+",
        "and/",
        "xor",
        "||",
        "&&",
        "sleep",
        "benchmark",
        "waitfor",
        "receive_message",
        "xp_",
        "outfile",
        "dumpfile",
        "load_file",
        "extractvalue",
        "updatexml",
        "information_schema",
    ];
    // INVARIANT: the signs are ours and few, so building cannot fail.
    AhoCorasick::builder().ascii_case_insensitive(true).build(signs).ok()
});

static DANGEROUS_SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| set(DANGEROUS));
static SMUGGLED_SET: LazyLock<Option<RegexSet>> = LazyLock::new(|| set(SMUGGLED));

/// The rows that match a text, in order. To know that none does costs less than to list those that do.
fn matches(set: &RegexSet, text: &str) -> Vec<usize> {
    if set.is_match(text.as_bytes()) { set.matches(text.as_bytes()).into_iter().collect() } else { Vec::new() }
}

fn hit(leaf: &Leaf<'_>, kind: &'static str, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::Sql, kind, range: 0..leaf.text.len(), confidence, message }
}

/// Judges a value, given also as it is decoded.
pub(super) fn find(leaf: &Leaf<'_>, decoded: &Decoded<'_>, hits: &mut Vec<Hit>) {
    if leaf.kind == LeafKind::Key {
        return;
    }
    match leaf.role {
        Role::Sql => declared(leaf, leaf.text, hits),
        Role::Path | Role::Host | Role::Scalar | Role::Opaque | Role::Url | Role::Search => {
            smuggled(leaf, &decoded.text, hits);
        }
        Role::Command | Role::Prose => {}
    }
}

fn declared(leaf: &Leaf<'_>, text: &str, hits: &mut Vec<Hit>) {
    let plain = without_noise(text);
    if let Some(first) = DANGEROUS_SET.as_ref().and_then(|set| matches(set, &plain).first().copied())
        && let Some((kind, _, message)) = DANGEROUS.get(first)
    {
        hits.push(hit(leaf, kind, Confidence::High, message));
        return;
    }
    let boundless = plain.split(';').any(|statement| {
        let lower = statement.trim_start().to_ascii_lowercase();
        let changes = lower.starts_with("delete from") || (lower.starts_with("update ") && lower.contains(" set "));
        changes
            && !lower.contains("where")
            && !lower.contains(" limit ")
            && !lower.contains(" join ")
            && !lower.contains(" using ")
    });
    if boundless {
        hits.push(hit(leaf, "sql.without_where", Confidence::High, "changes every row of a table"));
    }
}

fn smuggled(leaf: &Leaf<'_>, text: &str, hits: &mut Vec<Hit>) {
    if leaf.survey.is_words_only() && text.len() < SHORTEST_WORDS {
        return;
    }
    let closes = |byte: u8| matches!(byte, b'\'' | b'"' | b'`' | b')');
    let quotes = || text.bytes().any(closes);
    if text.len() < SHORTEST_QUOTED
        || (text.len() < SHORTEST_PLAIN && !quotes())
        || !SIGNS.as_ref().is_some_and(|signs| signs.is_match(text))
    {
        return;
    }
    let plain = without_noise(text);
    let Some(set) = SMUGGLED_SET.as_ref() else { return };
    for row in matches(set, &plain).into_iter().filter_map(|at| SMUGGLED.get(at)) {
        // Words to search for may be about SQL; only what breaks out of a string counts there.
        let about = leaf.role == Role::Search && !matches!(row.0, "sql.tautology" | "sql.stacked" | "sql.comment_out");
        let prose = leaf.role == Role::Search && text.split_whitespace().count() > 12;
        if !about && !prose {
            hits.push(hit(leaf, row.0, Confidence::High, row.2));
            return;
        }
    }
}

/// Comments in the middle of words and runs of space, which databases do not see; `+` for a space in addresses.
fn without_noise(text: &str) -> Cow<'_, str> {
    if memchr::memmem::find(text.as_bytes(), b"/*").is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"/*") {
        out.push_str(rest.get(..at).unwrap_or_default());
        // `/*!50000 union */` is executed by MySQL.
        let inner = rest.get(at + 2..).unwrap_or_default();
        let Some(end) = memchr::memmem::find(inner.as_bytes(), b"*/") else {
            out.push_str("/*");
            rest = inner;
            break;
        };
        let comment = inner.get(..end).unwrap_or_default();
        match comment.strip_prefix('!') {
            Some(executed) => {
                out.push(' ');
                out.push_str(executed.trim_start_matches(|digit: char| digit.is_ascii_digit()));
                out.push(' ');
            }
            None => out.push(' '),
        }
        rest = inner.get(end + 2..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
