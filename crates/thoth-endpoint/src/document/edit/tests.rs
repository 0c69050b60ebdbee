//! What edits write, and that taking them back leaves nothing; one table per format.

use super::super::Format;
use super::{Document, EditError, Edits, Member, Node, Plain};

mod json;
mod toml;
mod yaml;

fn parse(format: Format, text: &str) -> Document {
    Document::parse(format, text.as_bytes()).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

fn text(text: &str) -> Plain {
    Plain::Text(text.to_owned())
}

/// The node at a path of names and indexes, `.` between them; nothing is the root.
fn at<'d>(document: &'d Document, path: &str) -> &'d Node {
    path.split('.').filter(|step| !step.is_empty()).fold(document.root(), |node, step| match step.parse::<usize>() {
        Ok(index) => &node.items()[index],
        Err(_) => node.get(step).unwrap_or_else(|| panic!("no `{step}` in `{path}`")),
    })
}

fn member<'d>(map: &'d Node, key: &str) -> &'d Member {
    map.members().iter().find(|member| member.key == key).expect(key)
}

/// The text after one edit.
fn edited(
    format: Format,
    before: &str,
    edit: impl for<'d> FnOnce(&'d Document, &mut Edits<'d>) -> Result<(), EditError>,
) -> Result<String, EditError> {
    let document = parse(format, before);
    let mut edits = Edits::new(&document);
    edit(&document, &mut edits)?;
    edits.apply()
}

/// Inserts a member and removes it again: what is written, and that nothing of it remains.
fn inserts(format: Format, map: &str, after: Option<&str>, value: &Plain, cases: &[(&str, &str)]) {
    for (before, expected) in cases {
        let written = edited(format, before, |document, edits| {
            let map = at(document, map);
            match after {
                Some(after) => edits.insert_after(map, member(map, after), "new", value.clone()),
                None => edits.append(map, "new", value.clone()),
            }
        })
        .unwrap_or_else(|error| panic!("{error} in\n{before}"));
        assert_eq!(written, *expected, "of\n{before}");
        let back = edited(format, &written, |document, edits| {
            let map = at(document, map);
            edits.remove_member(map, member(map, "new"))
        });
        assert_eq!(back.as_deref(), Ok(*before), "of\n{written}");
    }
}

/// Prepends items and removes them again.
fn prepends(format: Format, list: &str, items: &[Plain], cases: &[(&str, &str)]) {
    for (before, expected) in cases {
        let written = edited(format, before, |document, edits| edits.prepend(at(document, list), items.to_vec()))
            .unwrap_or_else(|error| panic!("{error} in\n{before}"));
        assert_eq!(written, *expected, "of\n{before}");
        let back = edited(format, &written, |document, edits| edits.remove_items(at(document, list), 0..items.len()));
        assert_eq!(back.as_deref(), Ok(*before), "of\n{written}");
    }
}

/// Removes a member that was not put there by an insertion.
fn removes(format: Format, map: &str, key: &str, cases: &[(&str, &str)]) {
    for (before, expected) in cases {
        let result = edited(format, before, |document, edits| {
            let map = at(document, map);
            edits.remove_member(map, member(map, key))
        });
        assert_eq!(result.as_deref(), Ok(*expected), "of\n{before}");
    }
}
