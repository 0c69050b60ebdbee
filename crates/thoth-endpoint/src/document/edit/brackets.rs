//! Collections between brackets, their elements separated by commas: JSON's, TOML's values, YAML's flow style.
//!
//! An element is added either on a line of its own, right after a line's end, or on its neighbour's line. Removing looks
//! at how the element stands and takes back exactly what adding it so has written:
//!
//! | added | written | taken back |
//! |---|---|---|
//! | on its line | line break, indent, element, comma, before a line break | the same |
//! | after a neighbour | white space, element, comma, after the neighbour's comma | the same |
//! | after the last, without comma | a comma after the last, then as above without a comma | the same |
//! | before the first | element, comma, white space | the same |

use super::super::source::Source;
use super::super::{Form, Format, Node, Value};
use super::splice::Splices;
use super::{Changes, EditError, Edits, Plain, write};

type Added<'e> = [(Option<&'e str>, &'e Plain)];

/// A collection's places in the text.
struct Brackets<'d> {
    source: Source<'d>,
    open: usize,
    close: usize,
    /// Where each element begins and ends, without its comma.
    elements: Vec<(usize, usize)>,
    /// What stands between a name and its value.
    colon: String,
    /// What stands between a comma and an element on the same line.
    gap: String,
}

/// Where new elements go.
struct Line<'d> {
    /// The line break before each.
    line_break: &'d str,
    indent: String,
    /// One more level of indentation.
    unit: String,
}

/// What the changes of one such collection do to the text.
pub(super) fn plan(
    edits: &Edits<'_>,
    node: &Node,
    changes: &Changes<'_>,
    splices: &mut Splices,
) -> Result<(), EditError> {
    let brackets = Brackets::new(edits, node)
        .ok_or_else(|| edits.refusal(node.span.start, "not written between brackets that can be edited"))?;
    for (before, added) in &changes.added {
        brackets.add(*before, added, splices);
    }
    let mut run: Option<(usize, usize)> = None;
    for index in changes.removed.iter().copied() {
        run = match run {
            Some((first, last)) if last + 1 == index => Some((first, index)),
            Some((first, last)) => {
                brackets.remove(first, last, splices);
                Some((index, index))
            }
            None => Some((index, index)),
        };
    }
    if let Some((first, last)) = run {
        brackets.remove(first, last, splices);
    }
    Ok(())
}

impl<'d> Brackets<'d> {
    fn new(edits: &Edits<'d>, node: &Node) -> Option<Self> {
        let source = edits.source;
        let (open, close) = (node.span.start, node.span.end.checked_sub(1)?);
        let elements: Vec<_> = match &node.value {
            Value::Map(members)
                if source.format == Format::Toml && members.iter().any(|one| one.node.form != Form::Token) =>
            {
                return None;
            }
            Value::Map(members) => members.iter().map(|one| (one.key_span.start, one.node.span.end)).collect(),
            Value::List(items) => items.iter().map(|item| (item.span.start, item.span.end)).collect(),
            _ => return None,
        };
        let pair = (source.slice(open, open + 1), source.slice(close, close + 1));
        if !matches!((pair, &node.value), (("{", "}"), Value::Map(_)) | (("[", "]"), Value::List(_))) {
            return None;
        }
        let usual = write::colon(source.format).to_owned();
        let colons = node
            .members()
            .iter()
            .chain(edits.document.root.members())
            .map(|one| (one.key_span.end, one.node.span.start));
        let colon = match source.format {
            Format::Yaml => usual,
            Format::Json | Format::Toml => colons
                .map(|(from, to)| source.slice(from, to))
                .find(|between| {
                    between.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b':' | b'=')) && !between.is_empty()
                })
                .map_or(usual, str::to_owned),
        };
        let mut brackets = Self { source, open, close, elements, gap: " ".to_owned(), colon };
        brackets.gap = brackets.find_gap();
        // In YAML, more than white space can stand before an element: an anchor, a tag, a `?`.
        (source.format != Format::Yaml || brackets.are_bare()).then_some(brackets)
    }

    /// Whether nothing but white space and comments stands between the elements and their commas.
    fn are_bare(&self) -> bool {
        let mut at = self.open + 1;
        for (index, (start, _)) in self.elements.iter().enumerate() {
            if self.source.after_trivia(at) != *start {
                return false;
            }
            let Some(comma) = self.comma(index) else { return index + 1 == self.elements.len() };
            at = comma + 1;
        }
        true
    }

    /// The white space after a comma, as the collection has it, else as the file's colons suggest.
    fn find_gap(&self) -> String {
        if let [_, (second, _), ..] = self.elements.as_slice()
            && let Some(comma) = self.comma(0)
            && self.source.is_blank(comma + 1, *second)
        {
            return self.source.slice(comma + 1, *second).to_owned();
        }
        let compact = self.source.format == Format::Json && self.colon == ":";
        if compact { String::new() } else { " ".to_owned() }
    }

    /// The place of the comma after an element.
    fn comma(&self, index: usize) -> Option<usize> {
        let at = self.source.after_trivia(self.elements.get(index)?.1);
        (self.source.slice(at, at + 1) == ",").then_some(at)
    }

    fn add(&self, before: usize, added: &Added<'_>, splices: &mut Splices) {
        let last = before.checked_sub(1).and_then(|index| Some((index, self.elements.get(index)?.1)));
        match (last, self.elements.get(before)) {
            (None, None) => self.fill(added, splices),
            (None, Some((first, _))) => self.add_first(*first, added, splices),
            (Some((index, end)), _) => match self.comma(index) {
                Some(comma) => self.add_after(index, comma + 1, added, splices),
                None => self.add_last(index, end, added, splices),
            },
        }
    }

    /// Before the first element.
    fn add_first(&self, first: usize, added: &Added<'_>, splices: &mut Splices) {
        if let Some(end) = self.source.line_end_after_comments(self.open + 1) {
            let line = self.line(end, 0);
            let text: String = added.iter().map(|one| line.lead() + &self.element(one, Some(&line)) + ",").collect();
            splices.insert(end, text);
        } else {
            let text: String = added.iter().map(|one| self.element(one, None) + "," + &self.gap).collect();
            splices.insert(first, text);
        }
    }

    /// After an element's comma.
    fn add_after(&self, index: usize, after: usize, added: &Added<'_>, splices: &mut Splices) {
        if let Some(end) = self.source.line_end_after_comments(after) {
            let line = self.line(end, index);
            let text: String = added.iter().map(|one| line.lead() + &self.element(one, Some(&line)) + ",").collect();
            splices.insert(end, text);
        } else {
            let text: String = added.iter().map(|one| self.gap.clone() + &self.element(one, None) + ",").collect();
            splices.insert(after, text);
        }
    }

    /// After the last element, which has no comma.
    fn add_last(&self, index: usize, after: usize, added: &Added<'_>, splices: &mut Splices) {
        if let Some(end) = self.source.line_end_after_comments(after) {
            let line = self.line(end, index);
            let texts: Vec<_> = added.iter().map(|one| line.lead() + &self.element(one, Some(&line))).collect();
            splices.insert(after, ",");
            splices.insert(end, texts.join(","));
        } else {
            let text: String = added.iter().map(|one| ",".to_owned() + &self.gap + &self.element(one, None)).collect();
            splices.insert(after, text);
        }
    }

    /// Into a collection without elements.
    fn fill(&self, added: &Added<'_>, splices: &mut Splices) {
        if let Some(head) = self.source.line_head(self.close)
            && head.break_start > self.open
        {
            let line = self.line(head.break_start, 0);
            let texts: Vec<_> = added.iter().map(|one| line.lead() + &self.element(one, Some(&line))).collect();
            splices.insert(head.break_start, texts.join(","));
        } else {
            let at = self.source.before_blanks(self.close).max(self.open + 1);
            let texts: Vec<_> = added.iter().map(|one| self.element(one, None)).collect();
            let separator = format!(",{}", self.gap);
            splices.insert(at, self.source.slice(at, self.close).to_owned() + &texts.join(&separator));
        }
    }

    /// How lines look that are added before the line break at `end`, beside the element of that index.
    fn line(&self, end: usize, near: usize) -> Line<'d> {
        let outer = self.source.line_head(self.close).map_or("", |head| head.indent);
        let order = self.elements.get(near).into_iter().chain(&self.elements);
        let heads = order.filter_map(|(start, _)| self.source.line_head(*start));
        let indent = heads.filter(|head| head.break_start > self.open).map(|head| head.indent).next();
        let unit = match indent.and_then(|indent| indent.strip_prefix(outer)).filter(|unit| !unit.is_empty()) {
            Some(unit) => unit,
            None if outer.starts_with('\t') => "\t",
            None => "  ",
        };
        Line {
            line_break: self.source.line_break(end),
            indent: indent.map_or_else(|| format!("{outer}{unit}"), str::to_owned),
            unit: unit.to_owned(),
        }
    }

    /// An element's text; a map on lines of its own has one line per member.
    fn element(&self, (key, value): &(Option<&str>, &Plain), line: Option<&Line<'_>>) -> String {
        let format = self.source.format;
        let name = key.map(|key| write::key(format, key) + &self.colon).unwrap_or_default();
        match (line, value) {
            (Some(line), Plain::Map(members)) if format == Format::Json && !members.is_empty() => {
                let lead = line.lead() + &line.unit;
                let member = |(key, value): &(String, Plain)| {
                    lead.clone() + &write::key(format, key) + &self.colon + &write::inline(format, value)
                };
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{name}{{{}{}}}", members.join(","), line.lead())
            }
            _ => name + &write::inline(format, value),
        }
    }

    /// Removes a run of elements, with the separators that adding them has brought.
    fn remove(&self, first: usize, last: usize, splices: &mut Splices) {
        let leads = first == 0 && last + 1 < self.elements.len();
        for index in first..=last {
            self.remove_one(index, leads, splices);
        }
        if last + 1 == self.elements.len()
            && self.comma(last).is_none()
            && let Some(comma) = first.checked_sub(1).and_then(|before| self.comma(before))
        {
            splices.remove(comma, comma + 1);
        }
    }

    /// Removes one element with its comma; `leads` where kept elements follow and none precedes.
    fn remove_one(&self, index: usize, leads: bool, splices: &mut Splices) {
        let source = self.source;
        let Some((start, end)) = self.elements.get(index).copied() else { return };
        let comma = self.comma(index);
        let tail = comma.map_or(end, |comma| comma + 1);
        let apart = comma.is_some_and(|comma| !source.slice(end, comma).trim_ascii().is_empty());
        let head = source.line_head(start).filter(|head| head.break_start > self.open);
        let (from, to) = match head {
            Some(head) if !apart && source.blank_to_line_end(tail).is_some() => (head.break_start, tail),
            Some(_) => (start, self.blanks_to_take(tail)),
            None if leads => (start, self.blanks_to_take(tail)),
            None => (source.before_blanks(start), tail),
        };
        match comma.filter(|_| apart) {
            Some(comma) => {
                splices.remove(from, end);
                splices.remove(comma, to);
            }
            None => splices.remove(from, to),
        }
    }

    /// The end of the white space after a removed element; a comment or line break keeps it.
    fn blanks_to_take(&self, at: usize) -> usize {
        let end = self.source.after_blanks(at);
        let kept = self.source.ends_line(end) || self.source.comment_end(end).is_some();
        if kept { at } else { end }
    }
}

impl Line<'_> {
    fn lead(&self) -> String {
        format!("{}{}", self.line_break, self.indent)
    }
}
