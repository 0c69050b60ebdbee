//! Reading YAML, one document. The only module that knows the YAML parser.
//!
//! What other places refer to (anchors), what refers to other places (aliases, merge keys) and what says its own type
//! (tags) is read as far as it can be and never changed.

use std::collections::HashSet;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StructureStyle};

use super::source::Source;
use super::{Fault, Form, Format, MAX_DEPTH, Member, Node, Value};

/// Reads the text from byte `start` on.
pub(super) fn parse(text: &str, start: usize) -> Result<Node, Fault> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let source = Source { text, start, format: Format::Yaml };
    let mut builder = Builder { source, open: Vec::new(), root: None };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text.get(start..).unwrap_or_default(), options) {
        let (event, span) = next.map_err(|error| explain(start, &error))?;
        let span = bytes(start, &span);
        if matches!(event, Event::DocumentStart(..)) {
            documents += 1;
            if documents > 1 {
                return Err(Fault::new(span.start, "a second document in one file"));
            }
        }
        builder.event(event, span)?;
    }
    let nothing = || Node { span: text.len()..text.len(), value: Value::Map(Vec::new()), form: Form::Blank };
    Ok(builder.root.unwrap_or_else(nothing))
}

fn bytes(start: usize, span: &Span) -> Range<usize> {
    let from = span.start.byte_offset().unwrap_or_default();
    let to = span.end.byte_offset().unwrap_or_default().max(from);
    start + from..start + to
}

/// The parser's error on one line; the commonest in plainer words.
fn explain(start: usize, error: &ScanError) -> Fault {
    let at = start + error.marker().byte_offset().unwrap_or_default();
    let message = error.kind().to_string();
    for (known, words) in [
        ("mapping values are not allowed", "unexpected `:`; check the indentation, or put the text between quotes"),
        ("found a tab", "a tab in the indentation; YAML indents with spaces"),
        ("unknown anchor", "an alias (`*name`) without its anchor; put a text that begins with `*` between quotes"),
        ("recursion limit", "nested deeper than 128 levels"),
        ("did not find expected '-'", "expected `-` or less indentation"),
        ("unclosed quote", "this text is never closed with its quote"),
    ] {
        if message.contains(known) {
            return Fault::new(at, words);
        }
    }
    Fault::new(at, message.replace(['\n', '\r'], " "))
}

/// A list or map of which the end is not read yet.
struct Open {
    start: usize,
    value: Value,
    form: Form,
    /// Whether it is not to be changed, nor anything in it.
    fixed: bool,
    names: HashSet<String>,
    key: Option<(String, Range<usize>)>,
    /// Where the last element ends.
    end: usize,
}

struct Builder<'t> {
    source: Source<'t>,
    open: Vec<Open>,
    root: Option<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Fault> {
        match event {
            Event::Scalar(text, style, anchor, tag) => self.scalar(&text, style, anchor != 0, tag.is_some(), span),
            Event::SequenceStart(style, anchor, tag) => {
                self.start(Value::List(Vec::new()), style, anchor != 0 || tag.is_some(), span.start)
            }
            Event::MappingStart(style, anchor, tag) => {
                self.start(Value::Map(Vec::new()), style, anchor != 0 || tag.is_some(), span.start)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span.end),
            Event::Alias(_) => self.place(Node { span, value: Value::Other, form: Form::Fixed }),
            _ => Ok(()),
        }
    }

    fn is_fixed(&self) -> bool {
        self.open.last().is_some_and(|open| open.fixed)
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchored: bool,
        tagged: bool,
        span: Range<usize>,
    ) -> Result<(), Fault> {
        if self.wants_key() {
            return self.key(text, style, anchored || tagged, span);
        }
        let plain = matches!(style, ScalarStyle::Plain);
        let span = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => self.long_text(span),
            // After an anchor or a tag, the parser's place is the better one.
            _ if span.is_empty() && !anchored && !tagged => self.nothing(span),
            _ => span,
        };
        let value = match text {
            _ if tagged => Value::Other,
            _ if span.is_empty() => Value::Other,
            _ if !plain => Value::Text(text.to_owned()),
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            _ if is_other(text) => Value::Other,
            _ => Value::Text(text.to_owned()),
        };
        let long = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)
            || self.source.slice(span.start, span.end).contains(['\n', '\r']);
        let fixed = long || anchored || tagged || self.is_fixed() || span.is_empty();
        self.place(Node { span, value, form: if fixed { Form::Fixed } else { Form::Token } })
    }

    fn wants_key(&self) -> bool {
        self.open.last().is_some_and(|open| matches!(open.value, Value::Map(_)) && open.key.is_none())
    }

    fn key(&mut self, text: &str, style: ScalarStyle, marked: bool, span: Range<usize>) -> Result<(), Fault> {
        let source = self.source;
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        if span.is_empty() {
            return Err(Fault::new(span.start, "a value without a name"));
        }
        if !open.names.insert(text.to_owned()) {
            return Err(Fault::new(span.start, "this name is defined already"));
        }
        let merge = matches!(style, ScalarStyle::Plain) && text == "<<";
        if open.form == Form::Block {
            let first = open.names.len() == 1;
            match source.line_head(span.start) {
                Some(head) if head.indent.contains('\t') => {
                    return Err(Fault::new(head.start, "a tab in the indentation; YAML indents with spaces"));
                }
                Some(_) => {}
                None if first && span.start == open.start && column(source, span.start).is_some() => {}
                None => open.form = Form::Fixed,
            }
            if source.slice(span.start, span.end).contains(['\n', '\r']) || colon(source, span.end).is_none() {
                open.form = Form::Fixed;
            }
        }
        if merge || marked {
            open.form = Form::Fixed;
        }
        open.key = Some((text.to_owned(), span));
        Ok(())
    }

    fn start(&mut self, value: Value, style: StructureStyle, marked: bool, start: usize) -> Result<(), Fault> {
        if self.wants_key() {
            return Err(Fault::new(start, "a list or map as a name"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault::new(start, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let fixed = marked || self.is_fixed();
        let form = match style {
            _ if fixed => Form::Fixed,
            StructureStyle::Flow => Form::Token,
            _ => Form::Block,
        };
        let start = self.first_dash(&value, &style).unwrap_or(start);
        self.open.push(Open { start, value, form, fixed, names: HashSet::new(), key: None, end: start });
        Ok(())
    }

    /// The first dash of a list under a name: the parser skips it where the list has the indentation of the name.
    fn first_dash(&self, value: &Value, style: &StructureStyle) -> Option<usize> {
        let (Value::List(_), StructureStyle::Block) = (value, style) else { return None };
        let (_, key) = self.open.last()?.key.as_ref()?;
        Some(self.source.after_trivia(colon(self.source, key.end)? + 1)).filter(|at| self.is_at(*at, "-"))
    }

    fn end(&mut self, at: usize) -> Result<(), Fault> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        // A block ends where the next thing begins; its own bytes end with its last element.
        let bracket = matches!(self.source.slice(open.start, open.start + 1), "[" | "{");
        let closed = bracket && matches!(self.source.slice(at.saturating_sub(1), at), "]" | "}");
        let end = if closed { at } else { open.end };
        self.place(Node { span: open.start..end.max(open.start), value: open.value, form: open.form })
    }

    fn place(&mut self, node: Node) -> Result<(), Fault> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.end = node.span.end;
        match &mut open.value {
            Value::Map(members) => match open.key.take() {
                Some((key, key_span)) => members.push(Member { key, key_span, node }),
                None => return Err(Fault::new(node.span.start, "an alias as a name")),
            },
            Value::List(items) => items.push(node),
            _ => {}
        }
        Ok(())
    }

    /// Where a value that is not written would stand: after its colon or dash.
    fn nothing(&self, span: Range<usize>) -> Range<usize> {
        let Some(open) = self.open.last() else { return span };
        let at = match &open.key {
            Some((_, key)) => colon(self.source, key.end),
            None if open.form != Form::Token => {
                Some(self.source.after_trivia(open.end)).filter(|at| self.is_at(*at, "-"))
            }
            None => None,
        };
        at.map_or(span, |at| at + 1..at + 1)
    }

    fn is_at(&self, at: usize, what: &str) -> bool {
        self.source.slice(at, at + what.len()) == what
    }

    /// The bytes of a text in lines of its own, from its `|` or `>` to the last line that is not blank.
    fn long_text(&self, span: Range<usize>) -> Range<usize> {
        let Range { start, end } = self.nothing(span.clone());
        let header = if start == end && start != span.start { self.source.after_blanks(start) } else { span.start };
        let content = self.source.slice(header, span.end);
        let header_line = content.lines().next().unwrap_or_default();
        let keeps = !header_line.starts_with(['|', '>']) || header_line.contains('+');
        let end = if keeps { span.end } else { header + content.trim_end().len() };
        header..end
    }
}

/// The colon after a name.
pub(super) fn colon(source: Source<'_>, key_end: usize) -> Option<usize> {
    let at = source.after_trivia(key_end);
    (source.slice(at, at + 1) == ":").then_some(at)
}

/// The column of something before which only white space and dashes stand on its line, if no tab is among them.
pub(super) fn column(source: Source<'_>, at: usize) -> Option<usize> {
    let before = source.text.get(source.start..at)?;
    let prefix = before.get(before.rfind(['\n', '\r']).map_or(0, |line_break| line_break + 1)..)?;
    prefix.bytes().all(|byte| matches!(byte, b' ' | b'-')).then_some(prefix.len())
}

/// Whether an unquoted word is null or a number (YAML 1.2, core schema).
fn is_other(text: &str) -> bool {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let digits = |text: &str, radix: u32| !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    if let Some(number) = text.strip_prefix("0x") {
        return digits(number, 16);
    }
    if let Some(number) = text.strip_prefix("0o") {
        return digits(number, 8);
    }
    let number = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(number, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).map_or((number, None), |(one, two)| (one, Some(two)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent), 10));
    let some = !whole.is_empty() || !fraction.is_empty();
    some && exponent && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
