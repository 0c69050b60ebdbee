//! Comments of a document: its tree does not have them, and people put out of use there what was a setting before.

use std::ops::Range;

use thoth_endpoint::document::{Document, Format, Node, Value};

/// What stands in comments, line by line, without their marks and the white space around.
pub(super) fn contents(document: &Document) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    collect(document.root(), &mut tokens);
    tokens.sort_by_key(|token| token.start);
    let text = document.text();
    let (mut found, mut at) = (Vec::new(), 0);
    for token in tokens.into_iter().chain(std::iter::once(text.len()..text.len())) {
        if token.start > at {
            between(document, at..token.start, &mut found);
        }
        at = at.max(token.end);
    }
    found
}

/// Names and single values: in them, no mark begins a comment. The depth of a document is limited.
fn collect(node: &Node, tokens: &mut Vec<Range<usize>>) {
    match &node.value {
        Value::Map(members) => {
            for member in members {
                tokens.push(member.key_span.clone());
                collect(&member.node, tokens);
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, tokens)),
        Value::Text(_) | Value::Bool(_) | Value::Other => tokens.push(node.span.clone()),
    }
}

fn between(document: &Document, gap: Range<usize>, found: &mut Vec<Range<usize>>) {
    let marks: &[(&str, &str)] = match document.format() {
        Format::Json => &[("//", "\n"), ("/*", "*/")],
        Format::Toml | Format::Yaml => &[("#", "\n")],
    };
    let part = |range: Range<usize>| document.text().get(range).unwrap_or_default();
    let mut at = gap.start;
    loop {
        let rest = part(at..gap.end);
        let first =
            marks.iter().filter_map(|(mark, end)| rest.find(mark).map(|start| (start + mark.len(), *end))).min();
        let Some((start, end)) = first else { return };
        let start = at + start;
        let inside = part(start..gap.end);
        let inside = inside.split(end).next().unwrap_or(inside);
        let mut line_start = start;
        for line in inside.split_inclusive('\n') {
            let content = line.trim();
            if !content.is_empty() {
                let from = line_start + (line.len() - line.trim_start().len());
                found.push(from..from + content.len());
            }
            line_start += line.len();
        }
        at = (start + inside.len() + end.len()).min(gap.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: all comments are found, and nothing else, whatever else looks like one.
    #[test]
    fn comments_are_found() {
        for (format, text, expected) in [
            (
                Format::Json,
                "// a\n{ /* b\n  * c */ \"x//y\": \"/* z\", // d\r\n \"u\": [1, //\n \"http://h\" /**/] } /* e // f */",
                "a|b|* c|d|e // f",
            ),
            (Format::Toml, "# a\nb = \"#c\" # d\n[e.\"#f\"] # g\n'#h' = 1#i\nj = \"\"\"\n# k\n\"\"\"\n", "a|d|g|i"),
            (Format::Yaml, "# a\nb: c#d # e\nf: \"#g\"\nh: |\n  # i\nj: # k\n  - l # m\n", "a|e|k|m"),
            (Format::Yaml, "", ""),
            (Format::Json, "/* only */", "only"),
        ] {
            let document = Document::parse(format, text.as_bytes()).unwrap();
            let found: Vec<_> = contents(&document).into_iter().map(|range| text.get(range).unwrap()).collect();
            assert_eq!(found.join("|"), expected, "{text}");
        }
    }
}
