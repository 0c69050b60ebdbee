//! A tree as text.

use super::tree::{Collection, Comment, Entry, Tree, Value};

/// Brackets and braces stay on one line up to this many characters.
const WIDTH: usize = 120;

pub(super) fn write(tree: &Tree) -> String {
    let mut out = String::new();
    if let Some(root) = &tree.root {
        comments(&root.above, 0, true, &mut out);
        if root.apart && !root.above.is_empty() {
            out.push('\n');
        }
        match &root.value {
            Value::Collection(all) if one_line(root, all, "", 0).is_none() => {
                if let Some(text) = &root.beside {
                    out.push_str(text);
                    out.push('\n');
                }
                collection(all, 0, &mut out);
            }
            _ => value(root, "", 0, &mut out),
        }
    }
    let first = out.is_empty();
    comments(&tree.below, 0, first, &mut out);
    out
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn comments(all: &[Comment], depth: usize, first: bool, out: &mut String) {
    for (index, comment) in all.iter().enumerate() {
        if comment.apart && !(first && index == 0) {
            out.push('\n');
        }
        indent(depth, out);
        out.push_str(&comment.text);
        out.push('\n');
    }
}

// Recursion is bounded by the depth of YAML files.
fn collection(all: &Collection, depth: usize, out: &mut String) {
    for (index, entry) in all.entries.iter().enumerate() {
        comments(&entry.above, depth, index == 0, out);
        if entry.apart && (index > 0 || !entry.above.is_empty()) {
            out.push('\n');
        }
        indent(depth, out);
        value(entry, &head(entry), depth, out);
    }
    comments(&all.below, depth, all.entries.is_empty(), out);
}

fn head(entry: &Entry) -> String {
    entry.key.as_ref().map_or_else(|| "-".to_owned(), |key| format!("{key}:"))
}

/// The rest of an entry's line, and the lines below it.
fn value(entry: &Entry, head: &str, depth: usize, out: &mut String) {
    let mut line = head.to_owned();
    let mut word = |text: &str| {
        if !line.is_empty() && !text.is_empty() {
            line.push(' ');
        }
        line.push_str(text);
    };
    if let Some(anchor) = &entry.anchor {
        word(&format!("&{anchor}"));
    }
    let mut below: Option<&Collection> = None;
    let mut lines: &[String] = &[];
    // The comments of a collection that has nothing else stand below its brackets.
    let mut inside: &[Comment] = &[];
    match &entry.value {
        Value::Inline(text) => word(text),
        Value::Block(sign, all) => {
            word(sign);
            lines = all;
        }
        Value::Collection(all) => match one_line(entry, all, head, depth) {
            Some(text) => {
                word(&text);
                if all.entries.is_empty() {
                    inside = &all.below;
                }
            }
            None => below = Some(all),
        },
    }
    // A mapping begins on the line of its dash.
    if let Some(all) = below
        && head == "-"
        && all.is_map
        && entry.anchor.is_none()
        && entry.beside.is_none()
        && let Some(first) = all.entries.first()
        && first.above.is_empty()
    {
        out.push_str("- ");
        let mut inner = String::new();
        collection(all, depth + 1, &mut inner);
        out.push_str(inner.trim_start_matches(' '));
        return;
    }
    if let Some(text) = &entry.beside {
        word(text);
    }
    out.push_str(&line);
    out.push('\n');
    for own in lines {
        if !own.is_empty() {
            indent(depth + 1, out);
            out.push_str(own);
        }
        out.push('\n');
    }
    comments(inside, depth + 1, true, out);
    if let Some(all) = below {
        collection(all, depth + 1, out);
    }
}

/// A collection that stays on one line, behind what stands before it.
fn one_line(entry: &Entry, all: &Collection, head: &str, depth: usize) -> Option<String> {
    if all.entries.is_empty() {
        return Some(if all.is_map { "{}" } else { "[]" }.to_owned());
    }
    let text = on_one_line(all)?;
    let anchor = entry.anchor.as_ref().map_or(0, |anchor| anchor.chars().count() + 2);
    let width = depth * 2 + head.chars().count() + 1 + anchor + text.chars().count();
    (width <= WIDTH).then_some(text)
}

/// The collection in brackets or braces, where it was written so and has neither comments nor texts of several lines.
fn on_one_line(all: &Collection) -> Option<String> {
    if !all.flow || !all.below.is_empty() {
        return None;
    }
    let mut items = Vec::with_capacity(all.entries.len());
    for entry in &all.entries {
        if !entry.above.is_empty() || entry.beside.is_some() {
            return None;
        }
        let value = match &entry.value {
            // Nothing between a colon and a brace is hard to see.
            Value::Inline(text) if text.is_empty() => "~".to_owned(),
            Value::Inline(text) => text.clone(),
            Value::Block(..) => return None,
            Value::Collection(all) => on_one_line(all)?,
        };
        let value = match &entry.anchor {
            Some(anchor) => format!("&{anchor} {value}"),
            None => value,
        };
        items.push(match &entry.key {
            Some(key) => format!("{key}: {value}"),
            None => value,
        });
    }
    let items = items.join(", ");
    Some(if all.is_map { format!("{{{items}}}") } else { format!("[{items}]") })
}
