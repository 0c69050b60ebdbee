//! TOML tables whose members stand on lines of their own: under a header, at the top, or with dotted names.
//!
//! A member is added as a line break and a line at the end of the line before it. Members come before the headers of
//! sub-tables, so "after" a sub-table means after the table's last own line.

use super::super::source::Source;
use super::super::{Form, Format, Member, Node, Value};
use super::splice::Splices;
use super::{Changes, EditError, Edits, lines, write};

/// What the changes of one such table do to the text.
pub(super) fn plan(
    edits: &Edits<'_>,
    node: &Node,
    changes: &Changes<'_>,
    splices: &mut Splices,
) -> Result<(), EditError> {
    let source = edits.source;
    let is_root = std::ptr::eq(node, &raw const edits.document.root);
    for (before, added) in &changes.added {
        let refusal = || edits.refusal(node.span.start, "a table whose lines cannot be told apart");
        let (line, style) = place(source, node, *before, is_root).ok_or_else(refusal)?;
        let texts = added.iter().map(|(key, value)| {
            let key = write::key(Format::Toml, key.unwrap_or_default());
            format!("{style}{key} = {}", write::inline(Format::Toml, value))
        });
        match line {
            Some(end) => {
                let line_break = source.break_after(end);
                splices.insert(end, texts.map(|text| format!("{line_break}{text}")).collect::<String>());
            }
            None => {
                let texts: Vec<_> = texts.collect();
                let line_break = source.usual_break();
                let last = if source.start < source.text.len() { line_break } else { "" };
                splices.insert(source.start, texts.join(line_break) + last);
            }
        }
    }
    let mut spans = Vec::new();
    for index in &changes.removed {
        let Some(member) = node.members().get(*index) else { continue };
        line_spans(source, &member.node, member.key_span.start, &mut spans)
            .ok_or_else(|| edits.refusal(member.key_span.start, "a table whose lines cannot be told apart"))?;
    }
    spans.sort_unstable();
    lines::remove(source, &spans, splices);
    Ok(())
}

/// The end of the line to add lines after, nothing for the begin of the file, and what a line begins with.
fn place(source: Source<'_>, node: &Node, before: usize, is_root: bool) -> Option<(Option<usize>, String)> {
    let own = |member: &&Member| matches!(member.node.form, Form::Token | Form::Dotted);
    let after = before.checked_sub(1).and_then(|index| node.members().get(index)).filter(own);
    let last = after.and_then(|member| last_line(&member.node)).or_else(|| last_line(node));
    // How a line of this table begins: as the one that it is added after, or any of its own.
    let beside = after.or_else(|| node.members().iter().find(own)).map(|member| member.key_span.start);
    let style = beside.and_then(|key| line_start(source, key).map(|(start, _)| source.slice(start, key)));
    if let Some(end) = last {
        return Some((Some(source.line_end_after_comments(end)?), style?.to_owned()));
    }
    if is_root {
        return Some((None, String::new()));
    }
    if node.form != Form::Section {
        return None;
    }
    let header = source.line_head(node.span.start)?;
    Some((Some(source.line_end_after_comments(node.span.end)?), header.indent.to_owned()))
}

/// The end of the last value that stands on a line of the table itself.
fn last_line(node: &Node) -> Option<usize> {
    match node.form {
        Form::Token => Some(node.span.end),
        Form::Section | Form::Dotted => {
            let own = |node: &&Node| matches!(node.form, Form::Token | Form::Dotted);
            node.members().iter().map(|member| &member.node).filter(own).filter_map(last_line).max()
        }
        _ => None,
    }
}

/// Where the line of a name begins, and where its first character stands.
fn line_start(source: Source<'_>, key: usize) -> Option<(usize, usize)> {
    let before = source.text.get(source.start..key)?;
    let start = source.start + before.rfind(['\n', '\r']).map_or(0, |line_break| line_break + 1);
    Some((start, source.after_blanks(start)))
}

/// All lines of a member: its own, or those of a whole table with its headers.
fn line_spans(source: Source<'_>, node: &Node, key: usize, spans: &mut Vec<(usize, usize)>) -> Option<()> {
    if node.form == Form::Token {
        spans.push((line_start(source, key)?.1, node.span.end));
        return Some(());
    }
    if node.form == Form::Section {
        spans.push((node.span.start, node.span.end));
    }
    match &node.value {
        Value::Map(members) => {
            members.iter().try_for_each(|member| line_spans(source, &member.node, member.key_span.start, spans))
        }
        Value::List(items) => items.iter().try_for_each(|item| line_spans(source, item, item.span.start, spans)),
        _ => None,
    }
}
