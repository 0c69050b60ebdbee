//! YAML's block style: members and items on lines of their own, nested by indentation.
//!
//! A member is added as a line break and its lines at the end of the line before it, an item as a whole line before the
//! first item's; both are taken back as [`lines::remove`] does.

use super::super::source::{LineHead, Source};
use super::super::{Form, Format, Node, Value, yaml};
use super::splice::Splices;
use super::{Changes, EditError, Edits, Plain, lines, write};

/// What the changes of one such list or map do to the text.
pub(super) fn plan(
    edits: &Edits<'_>,
    node: &Node,
    changes: &Changes<'_>,
    splices: &mut Splices,
) -> Result<(), EditError> {
    let source = edits.source;
    let refuse = |why: &str| edits.refusal(node.span.start, why);
    let all = elements(source, node).ok_or_else(|| refuse("a list whose items cannot be told apart"))?;
    for (before, added) in &changes.added {
        if let Value::List(_) = node.value {
            let head = own_line(source, node.span.start)
                .ok_or_else(|| refuse("a list that begins on the line of something else"))?;
            let items: Vec<_> = added.iter().map(|(_, item)| *item).collect();
            add_items(source, head, &items, splices);
        } else {
            let (end, column) =
                place(source, node, *before).ok_or_else(|| refuse("a member after which no line can be added"))?;
            let lead = source.break_after(end).to_owned() + &" ".repeat(column);
            let text: String = added
                .iter()
                .map(|(key, value)| lead.clone() + &member(key.unwrap_or_default(), value, &lead))
                .collect();
            splices.insert(end, text);
        }
    }
    if !changes.removed.is_empty() {
        if changes.removed.len() == all.len() {
            return clear(source, node, splices).ok_or_else(|| refuse("nothing would be left here"));
        }
        let spans: Vec<_> = changes.removed.iter().filter_map(|index| all.get(*index).copied()).collect();
        if spans.iter().any(|(start, _)| own_line(source, *start).is_none()) {
            return Err(refuse("the element shares its line with another"));
        }
        lines::remove(source, &spans, splices);
    }
    Ok(())
}

fn own_line(source: Source<'_>, at: usize) -> Option<LineHead<'_>> {
    source.line_head(at).filter(|head| !head.indent.contains('\t'))
}

/// Adds whole lines before the first item's.
fn add_items(source: Source<'_>, head: LineHead<'_>, items: &[&Plain], splices: &mut Splices) {
    let line_break = Some(source.slice(head.break_start, head.start)).filter(|found| !found.is_empty());
    let line_break = line_break.unwrap_or_else(|| source.usual_break());
    let line = |item: &&Plain| format!("{}- {}{line_break}", head.indent, write::inline(Format::Yaml, item));
    splices.insert(head.start, items.iter().map(line).collect::<String>());
}

/// The end of the line to add lines after, and the column to begin them in.
fn place(source: Source<'_>, node: &Node, before: usize) -> Option<(usize, usize)> {
    let after = node.members().get(before.checked_sub(1)?)?;
    let column = yaml::column(source, after.key_span.start)?;
    // A text that keeps its last line breaks (`|+`) would keep the one of a new line too.
    if source.slice(after.node.span.start, after.node.span.end).ends_with(['\n', '\r']) {
        return None;
    }
    Some((source.line_end_after_comments(after.node.span.end)?, column))
}

/// A member's lines, without the white space before the first; lists and maps have lines of their own.
fn member(key: &str, value: &Plain, lead: &str) -> String {
    let name = write::key(Format::Yaml, key);
    match value {
        Plain::List(items) if !items.is_empty() => {
            let items = items.iter().map(|item| format!("{lead}  - {}", write::inline(Format::Yaml, item)));
            format!("{name}:{}", items.collect::<String>())
        }
        Plain::Map(members) if !members.is_empty() => {
            let members =
                members.iter().map(|(key, value)| format!("{lead}  {}", write::member(Format::Yaml, key, value)));
            format!("{name}:{}", members.collect::<String>())
        }
        _ => format!("{name}: {}", write::inline(Format::Yaml, value)),
    }
}

/// Where each element begins, with its dash or name, and ends.
fn elements(source: Source<'_>, node: &Node) -> Option<Vec<(usize, usize)>> {
    match &node.value {
        Value::Map(members) => Some(members.iter().map(|one| (one.key_span.start, one.node.span.end)).collect()),
        Value::List(items) => {
            let mut at = node.span.start;
            let mut elements = Vec::with_capacity(items.len());
            for item in items {
                let dash = source.after_trivia(at);
                if source.slice(dash, dash + 1) != "-" {
                    return None;
                }
                elements.push((dash, item.span.end));
                at = item.span.end;
            }
            Some(elements)
        }
        _ => None,
    }
}

/// Writes an empty collection in the place of a whole one, on the line of its name.
fn clear(source: Source<'_>, node: &Node, splices: &mut Splices) -> Option<()> {
    let before = source.text.get(source.start..node.span.start)?.trim_end_matches([' ', '\n', '\r']);
    if node.form != Form::Block || !before.ends_with(':') {
        return None;
    }
    let empty = if matches!(node.value, Value::List(_)) { " []" } else { " {}" };
    splices.replace(source.start + before.len()..node.span.end, empty);
    Some(())
}
