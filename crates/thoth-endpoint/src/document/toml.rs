//! Reading TOML. The only module that knows the TOML parser.
//!
//! The parser bounds brackets but not dotted keys, and what it builds is dropped recursively: [`survey`] bounds both
//! first. It also finds texts that are never closed, so that both agree on what is inside a text.

use std::collections::HashSet;
use std::ops::Range;

use toml_edit::{InlineTable, Item, Key, Table, Value as Read};

use super::{Fault, Form, MAX_DEPTH, Member, Node, Value};

/// Reads the text from byte `start` on.
pub(super) fn parse(text: &str, start: usize) -> Result<Node, Fault> {
    let body = text.get(start..).unwrap_or_default();
    survey(body).and_then(|()| late_tables(body)).map_err(|fault| fault.moved(start))?;
    let document = toml_edit::Document::parse(body).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Fault::new(start + at, explain(error.message()))
    })?;
    let members = Reader { start }.table(document.as_table());
    Ok(Node { span: start..text.len(), value: Value::Map(members), form: Form::Section })
}

/// The parser's message as a lowercase fragment on one line; the commonest in plainer words.
fn explain(message: &str) -> String {
    for (known, words) in [
        ("cannot recurse further", "nested too deep"),
        ("recursion limit", "nested too deep"),
        ("duplicate key", "this name is defined already"),
        ("string values must be quoted", "not a TOML value; a text stands between quotes"),
        ("missing escaped value", "TOML has no such escape; write a backslash as `\\\\`, or the text in single quotes"),
    ] {
        if message.starts_with(known) {
            return words.to_owned();
        }
    }
    let message = message.trim_end().replace('\n', ", ");
    message.strip_suffix(", expected nothing").unwrap_or(&message).to_owned()
}

struct Reader {
    start: usize,
}

impl Reader {
    fn table(&self, table: &Table) -> Vec<Member> {
        let members = table.iter().filter_map(|(name, item)| {
            let key = table.key(name)?;
            Some(self.member(key, self.item(key, item)?))
        });
        in_order(members.collect())
    }

    fn inline_table(&self, table: &InlineTable) -> Vec<Member> {
        let members = table.iter().filter_map(|(name, value)| {
            let key = table.key(name)?;
            Some(self.member(key, self.value(value)))
        });
        in_order(members.collect())
    }

    fn member(&self, key: &Key, node: Node) -> Member {
        Member { key: key.get().to_owned(), key_span: self.span(key.span()), node }
    }

    fn item(&self, key: &Key, item: &Item) -> Option<Node> {
        Some(match item {
            Item::None => return None,
            Item::Value(value) => self.value(value),
            Item::Table(table) => self.section(table, key),
            Item::ArrayOfTables(tables) => {
                let items: Vec<_> = tables.iter().map(|table| self.section(table, key)).collect();
                Node { span: self.span(key.span()), value: Value::List(items), form: Form::Sections }
            }
        })
    }

    fn section(&self, table: &Table, key: &Key) -> Node {
        let form = match (table.is_dotted(), table.is_implicit()) {
            (true, _) => Form::Dotted,
            (false, true) => Form::Implicit,
            (false, false) => Form::Section,
        };
        let span = if form == Form::Section { table.span() } else { key.span() };
        Node { span: self.span(span), value: Value::Map(self.table(table)), form }
    }

    fn value(&self, value: &Read) -> Node {
        let span = self.span(value.span());
        let mut form = Form::Token;
        let value = match value {
            Read::String(text) => Value::Text(text.value().clone()),
            Read::Boolean(value) => Value::Bool(*value.value()),
            Read::Integer(_) | Read::Float(_) | Read::Datetime(_) => Value::Other,
            Read::Array(array) => Value::List(array.iter().map(|item| self.value(item)).collect()),
            Read::InlineTable(table) => {
                if table.is_dotted() {
                    form = Form::Fixed;
                }
                Value::Map(self.inline_table(table))
            }
        };
        Node { span, value, form }
    }

    fn span(&self, span: Option<Range<usize>>) -> Range<usize> {
        let span = span.unwrap_or_default();
        self.start + span.start..self.start + span.end
    }
}

/// In order of appearance, which the parser does not keep where a table is completed later.
fn in_order(mut members: Vec<Member>) -> Vec<Member> {
    members.sort_by_key(|member| member.key_span.start);
    members
}

/// Bounds the depth of brackets and dotted keys together.
fn survey(body: &str) -> Result<(), Fault> {
    let bytes = body.as_bytes();
    let mut levels = Levels::default();
    let (mut at, mut begins_line, mut text_ended) = (0, true, 0);
    while let Some(byte) = bytes.get(at) {
        let mut next = at + 1;
        match byte {
            b'#' => {
                let length = bytes.iter().skip(at).position(|byte| matches!(byte, b'\r' | b'\n'));
                next = length.map_or(bytes.len(), |length| at + length);
            }
            b'"' | b'\'' => {
                let before = at.checked_sub(1).and_then(|before| bytes.get(before)).unwrap_or(&b'\n');
                if text_ended != at && !b".=,[]{} \t\r\n".contains(before) {
                    return Err(Fault::new(at, "a quote inside a word"));
                }
                next = text_end(body, at)?;
                text_ended = next;
            }
            b'[' | b'{' => levels.open(begins_line),
            b']' | b'}' => levels.close(),
            b'.' => levels.dot(),
            b',' => levels.next(),
            b'\r' | b'\n' => levels.line(),
            _ => {}
        }
        if levels.depth() > MAX_DEPTH {
            return Err(Fault::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        begins_line = match byte {
            b'\r' | b'\n' => true,
            b' ' | b'\t' => begins_line,
            _ => false,
        };
        at = next;
    }
    Ok(())
}

/// Bounds the tables that are defined after their sub-tables, each of which the parser takes out of a list of all.
fn late_tables(body: &str) -> Result<(), Fault> {
    /// Of lists that are walked; about a second.
    const MOST: usize = 50_000_000;
    let mut implied = HashSet::new();
    let (mut headers, mut walked, mut at) = (0_usize, 0_usize, 0);
    for line in body.split_inclusive('\n') {
        if let Some(header) = line.trim_ascii_start().strip_prefix('[') {
            headers += 1;
            let path: String =
                header.chars().take_while(|one| *one != ']').filter(|one| !" \t\"'".contains(*one)).collect();
            if implied.contains(&path) {
                walked = walked.saturating_add(headers);
            }
            // Longer ones are too few to matter.
            if path.len() < 1000 {
                implied.extend(path.match_indices('.').filter_map(|(dot, _)| path.get(..dot)).map(str::to_owned));
            }
        }
        if walked > MOST {
            return Err(Fault::new(at, "too many tables after their own sub-tables"));
        }
        at += line.len();
    }
    Ok(())
}

/// How deep the next value could be: the names of the table's header and those before each open bracket.
#[derive(Default)]
struct Levels {
    header: usize,
    in_header: bool,
    /// Names on the current line outside brackets.
    names: usize,
    /// Names in each open bracket's current element.
    open: Vec<usize>,
    /// The sum of `open`.
    inside: usize,
}

impl Levels {
    const fn depth(&self) -> usize {
        self.header + self.names + self.inside
    }

    fn open(&mut self, begins_line: bool) {
        if self.open.is_empty() && begins_line {
            self.header = 0;
            self.in_header = true;
        }
        self.open.push(1);
        self.inside += 1;
    }

    fn close(&mut self) {
        self.inside -= self.open.pop().unwrap_or_default();
    }

    fn dot(&mut self) {
        match self.open.last_mut() {
            Some(names) if !self.in_header => {
                *names += 1;
                self.inside += 1;
            }
            _ => self.names += 1,
        }
    }

    /// The next element of a bracket.
    fn next(&mut self) {
        if let Some(names) = self.open.last_mut() {
            self.inside -= *names - 1;
            *names = 1;
        }
    }

    fn line(&mut self) {
        if self.in_header {
            self.header = self.names + 1;
            self.in_header = false;
            self.open.clear();
            self.inside = 0;
        }
        self.next();
        self.names = 0;
    }
}

/// The byte after the text that begins at `open`.
fn text_end(body: &str, open: usize) -> Result<usize, Fault> {
    let rest = body.get(open..).unwrap_or_default();
    for delimiter in ["\"\"\"", "'''"] {
        if rest.starts_with(delimiter) {
            return long_text_end(rest, delimiter)
                .map(|length| open + length)
                .ok_or_else(|| Fault::new(open, format!("this text is never closed with `{delimiter}`")));
        }
    }
    let quote = if rest.starts_with('"') { b'"' } else { b'\'' };
    let mut escaped = false;
    for (length, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'\n' => break,
            _ if escaped => escaped = false,
            b'\\' => escaped = quote == b'"',
            _ if byte == quote => return Ok(open + length + 1),
            _ => {}
        }
    }
    Err(Fault::new(open, format!("this text is not closed with `{}` on its line", char::from(quote))))
}

/// The length of a text between triple quotes, up to two quotes before the closing ones included.
fn long_text_end(rest: &str, delimiter: &str) -> Option<usize> {
    let mut at = delimiter.len();
    loop {
        let here = rest.get(at..)?;
        let skip = here.find(['\\', '"', '\''])?;
        let found = here.get(skip..)?;
        if found.starts_with(delimiter) {
            let quote = delimiter.as_bytes().first()?;
            let more = found.bytes().skip(delimiter.len()).take(2).take_while(|byte| byte == quote).count();
            return Some(at + skip + delimiter.len() + more);
        }
        let escape = delimiter == "\"\"\"" && found.starts_with('\\');
        let width = if escape { 1 + found.chars().nth(1).map_or(0, char::len_utf8) } else { 1 };
        at += skip + width;
    }
}

#[cfg(test)]
mod tests;
