//! Messages that two parsers understand differently, each hiding a tool call in its own way.
//!
//! Every row of the parser rules is here once. A row says nothing about what a gate answers; it says only how to write
//! the bytes, and which servers run the hidden call when nothing stands before them.

use std::fmt::Write as _;

/// A family of servers that parse alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// The TypeScript SDK 1.
    TypeScript1,
    /// The TypeScript SDK 2.
    TypeScript2,
    /// The Python SDK 1.
    Python1,
    /// The Python SDK 2.
    Python2,
}

use Sdk::{Python1, Python2, TypeScript1, TypeScript2};

/// One way to hide a call.
#[derive(Clone, Copy)]
pub struct Row {
    /// What is odd about it.
    pub name: &'static str,
    /// The bytes that hide a call of a tool; `id` is free to use, and so are the 9 numbers after it.
    pub bytes: fn(tool: &str, id: u64) -> Vec<u8>,
    /// The input has to end right after it.
    pub ends_input: bool,
    /// Who runs it when nothing stands before them.
    pub runs_on: &'static [Sdk],
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Row").field(&self.name).finish()
    }
}

const ALL: &[Sdk] = &[TypeScript1, TypeScript2, Python1, Python2];
const TYPESCRIPT: &[Sdk] = &[TypeScript1, TypeScript2];
const PYTHON: &[Sdk] = &[Python1, Python2];
const NOBODY: &[Sdk] = &[];

/// The arguments of every hidden call, unless the row is about arguments.
const HIDDEN: &str = r#"{"hidden":true}"#;

/// Every row.
pub const ROWS: &[Row] = &[
    // Keys.
    row("duplicate name", ALL, |tool, id| {
        params(id, &format!(r#""name":"safe","name":"{tool}","arguments":{HIDDEN}"#))
    }),
    row("duplicate name, spelled with an escape", ALL, |tool, id| {
        params(id, &format!(r#""name":"safe","n\u0061me":"{tool}","arguments":{HIDDEN}"#))
    }),
    row("duplicate arguments", ALL, |tool, id| {
        params(id, &format!(r#""name":"{tool}","arguments":{{"decoy":1}},"arguments":{HIDDEN}"#))
    }),
    row("duplicate key inside the arguments", ALL, |tool, id| call(id, tool, r#"{"hidden":false,"hidden":true}"#)),
    row("duplicate params", ALL, |tool, id| {
        let decoy = r#""params":{"name":"safe","arguments":{"decoy":1}}"#;
        message(id, &format!(r#""method":"tools/call",{decoy},"params":{{"name":"{tool}","arguments":{HIDDEN}}}"#))
    }),
    row("duplicate method", ALL, |tool, id| message(id, &format!(r#""method":"ping",{}"#, tools_call(tool)))),
    row("name in another case", ALL, |tool, id| {
        params(id, &format!(r#""name":"safe","Name":"{tool}","arguments":{HIDDEN}"#))
    }),
    row("name with a trailing NUL", ALL, |tool, id| {
        params(id, &format!(r#""name":"safe","name\u0000":"{tool}","arguments":{HIDDEN}"#))
    }),
    row("name of 2 KiB", ALL, |tool, id| {
        params(id, &format!(r#""name":"{tool}{}","arguments":{HIDDEN}"#, "x".repeat(2048)))
    }),
    row("method in another case", NOBODY, |tool, id| {
        message(
            id,
            &format!(r#""method":"ping","METHOD":"tools/call","params":{{"name":"{tool}","arguments":{HIDDEN}}}"#),
        )
    }),
    // Lines.
    row("bare CR between two documents", PYTHON, |tool, id| join(&[PING, b"\r", &call(id, tool, HIDDEN)])),
    row("bare CR after garbage", PYTHON, |tool, id| join(&[b"garbage\r", &call(id, tool, HIDDEN)])),
    row("bare CR as white space", TYPESCRIPT, |tool, id| {
        line(&format!("{{\"jsonrpc\":\"2.0\",\r\"id\":{id},{}}}", tools_call(tool)))
    }),
    row("U+2028 between two documents", NOBODY, |tool, id| {
        join(&[PING, "\u{2028}".as_bytes(), &call(id, tool, HIDDEN)])
    }),
    row("form feed between two documents", NOBODY, |tool, id| join(&[PING, b"\x0c", &call(id, tool, HIDDEN)])),
    row("byte order mark", NOBODY, |tool, id| join(&[b"\xef\xbb\xbf", &call(id, tool, HIDDEN)])),
    row("two documents on a line", NOBODY, |tool, id| join(&[PING, &call(id, tool, HIDDEN)])),
    row("batch", NOBODY, |tool, id| join(&[b"[", without_line_end(&call(id, tool, HIDDEN)), b"]\n"])),
    row("trailing garbage", NOBODY, |tool, id| join(&[without_line_end(&call(id, tool, HIDDEN)), b" x\n"])),
    Row {
        ends_input: true,
        ..row("unterminated last line", PYTHON, |tool, id| without_line_end(&call(id, tool, HIDDEN)).to_vec())
    },
    // Shapes.
    row("method and result in one object", PYTHON, |tool, id| {
        message(id, &format!(r#"{},"result":{{}}"#, tools_call(tool)))
    }),
    row("method and error in one object", NOBODY, |tool, id| {
        message(id, &format!(r#"{},"error":{{"code":1,"message":"x"}}"#, tools_call(tool)))
    }),
    row("extra member", PYTHON, |tool, id| message(id, &format!(r#"{},"extra":{{"name":"safe"}}"#, tools_call(tool)))),
    row("no jsonrpc", NOBODY, |tool, id| line(&format!(r#"{{"id":{id},{}}}"#, tools_call(tool)))),
    row("wrong jsonrpc", NOBODY, |tool, id| line(&format!(r#"{{"jsonrpc":"1.0","id":{id},{}}}"#, tools_call(tool)))),
    // Text and numbers.
    row("invalid UTF-8 in the arguments", ALL, |tool, id| {
        replaced(&call(id, tool, r#"{"hidden":"@"}"#), b"@", b"\xff")
    }),
    row("invalid UTF-8 in the name", ALL, |tool, id| {
        replaced(&call(id, &format!("{tool}@"), HIDDEN), b"@", b"\xc3\x28")
    }),
    row("lone surrogate", TYPESCRIPT, |tool, id| call(id, tool, r#"{"hidden":"\ud800"}"#)),
    row("NaN", PYTHON, |tool, id| call(id, tool, r#"{"hidden":NaN}"#)),
    row("number beyond every double", ALL, |tool, id| call(id, tool, r#"{"hidden":1e999}"#)),
    row("integer beyond 2^53", ALL, |tool, id| call(id, tool, r#"{"hidden":9007199254740993}"#)),
    row("__proto__", ALL, |tool, id| call(id, tool, r#"{"hidden":true,"__proto__":{"admin":true}}"#)),
    row("arguments null", PYTHON, |tool, id| call(id, tool, "null")),
    row("depth 500", TYPESCRIPT, |tool, id| call(id, tool, &deep(500))),
    row("depth 20,000", NOBODY, |tool, id| call(id, tool, &deep(20_000))),
    // Ids.
    row("id with a fraction of zero", TYPESCRIPT, |tool, id| with_id(&format!("{id}.0"), tool)),
    row("id with an exponent", TYPESCRIPT, |tool, id| with_id(&format!("{id}e0"), tool)),
    row("id with a fraction", NOBODY, |tool, id| with_id(&format!("{id}.5"), tool)),
    row("id beyond 2^53", PYTHON, |tool, id| with_id(&(9_007_199_254_740_993 + id).to_string(), tool)),
    row("id of 30 digits", PYTHON, |tool, id| with_id(&format!("{id}{}", "7".repeat(28)), tool)),
    row("id null", NOBODY, |tool, _| with_id("null", tool)),
    row("id true", NOBODY, |tool, _| with_id("true", tool)),
    row("id object", NOBODY, |tool, _| with_id("{}", tool)),
    row("no id", NOBODY, |tool, _| line(&format!(r#"{{"jsonrpc":"2.0",{}}}"#, tools_call(tool)))),
    row("id in use", ALL, |tool, id| join(&[&call(id, "safe", r#"{"decoy":1}"#), &call(id, tool, HIDDEN)])),
    // Sizes.
    row("line of 11 MiB", PYTHON, |tool, id| call(id, tool, &long(11 << 20))),
    row("line of 17 MiB", PYTHON, |tool, id| call(id, tool, &long(17 << 20))),
];

const fn row(name: &'static str, runs_on: &'static [Sdk], bytes: fn(&str, u64) -> Vec<u8>) -> Row {
    Row { name, bytes, ends_input: false, runs_on }
}

/// A whole request, without its line end.
const PING: &[u8] = br#"{"jsonrpc":"2.0","id":"ping","method":"ping"}"#;

/// An ordinary, well-formed call.
#[must_use]
pub fn call(id: u64, tool: &str, arguments: &str) -> Vec<u8> {
    params(id, &format!(r#""name":"{tool}","arguments":{arguments}"#))
}

fn params(id: u64, members: &str) -> Vec<u8> {
    message(id, &format!(r#""method":"tools/call","params":{{{members}}}"#))
}

fn message(id: u64, members: &str) -> Vec<u8> {
    line(&format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#))
}

fn with_id(id: &str, tool: &str) -> Vec<u8> {
    line(&format!(r#"{{"jsonrpc":"2.0","id":{id},{}}}"#, tools_call(tool)))
}

/// The members of a hidden call.
fn tools_call(tool: &str) -> String {
    format!(r#""method":"tools/call","params":{{"name":"{tool}","arguments":{HIDDEN}}}"#)
}

fn line(text: &str) -> Vec<u8> {
    format!("{text}\n").into_bytes()
}

fn without_line_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn replaced(line: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = line.windows(from.len()).position(|window| window == from).unwrap_or(line.len());
    let (before, rest) = line.split_at_checked(at).unwrap_or((line, b""));
    join(&[before, to, rest.strip_prefix(from).unwrap_or(rest)])
}

fn deep(levels: usize) -> String {
    let mut text = String::from(r#"{"hidden":"#);
    let _ = write!(text, "{}{}}}", "[".repeat(levels), "]".repeat(levels));
    text
}

fn long(bytes: usize) -> String {
    format!(r#"{{"hidden":"{}"}}"#, "x".repeat(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_what_they_say() {
        let bytes = |name: &str| {
            let row = ROWS.iter().find(|row| row.name == name).unwrap();
            (row.bytes)("danger", 7)
        };
        assert!(bytes("invalid UTF-8 in the name").windows(8).any(|window| window == b"danger\xc3\x28"));
        assert!(bytes("batch").starts_with(b"[{") && bytes("batch").ends_with(b"}]\n"));
        assert!(!bytes("unterminated last line").contains(&b'\n'));
        assert_eq!(
            ROWS.iter().filter(|row| !row.ends_input).filter(|row| !(row.bytes)("safe", 1).ends_with(b"\n")).count(),
            0
        );
    }
}
