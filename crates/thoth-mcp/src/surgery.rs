//! Edits of a line, byte by byte: what is not edited stays exactly as it was.

use std::ops::Range;

use thoth_types::json::{Kind, Value};

/// Bytes of a line that give way to others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes.
    pub span: Range<usize>,
    /// What stands there instead.
    pub with: Vec<u8>,
}

impl Edit {
    /// The bytes go, and nothing takes their place.
    #[must_use]
    pub const fn cut(span: Range<usize>) -> Self {
        Self { span, with: Vec::new() }
    }
}

/// The line after these edits, none of which overlap.
#[must_use]
pub fn apply(line: &[u8], mut edits: Vec<Edit>) -> Vec<u8> {
    edits.sort_unstable_by_key(|edit| edit.span.start);
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    for Edit { span, with } in edits {
        out.extend_from_slice(line.get(at..span.start).unwrap_or_default());
        out.extend_from_slice(&with);
        at = span.end;
    }
    out.extend_from_slice(line.get(at..).unwrap_or_default());
    out
}

/// What must go so that a list loses the items for which `removed` is true, each with one comma. The items are given by
/// their spans, in the order in which they stand.
pub(crate) fn without_items(items: impl Iterator<Item = (Range<usize>, bool)>, edits: &mut Vec<Edit>) {
    // The end of the last item that stays, and the run of removed ones after it.
    let (mut kept_end, mut run) = (None, None::<Range<usize>>);
    for (span, removed) in items {
        if removed {
            run = Some(run.map_or(span.start, |run| run.start)..span.end);
            continue;
        }
        edits.extend(run.take().map(|run| Edit::cut(run.start..span.start)));
        kept_end = Some(span.end);
    }
    edits.extend(run.map(|run| Edit::cut(kept_end.unwrap_or(run.start)..run.end)));
}

/// Notes what must go so that `object` loses the members that `removed` names, each with one comma.
pub fn without_members(object: Value<'_>, removed: impl Fn(&str) -> bool, edits: &mut Vec<Edit>) {
    let items = object.members().map(|(key, value)| {
        let span = key.span().start..value.span().end;
        (span, key.as_str().is_some_and(|key| removed(&key)))
    });
    without_items(items, edits);
}

/// Notes what must go so that `array` loses the elements for which `removed`, asked in their order, says so.
pub fn without_elements(array: Value<'_>, mut removed: impl FnMut(usize) -> bool, edits: &mut Vec<Edit>) {
    without_items(array.elements().enumerate().map(|(at, element)| (element.span(), removed(at))), edits);
}

/// Notes what must change so that nobody keeps `result`, which is no longer what the server said, for longer or for
/// others than the one that asked. A result without caching hints says that already.
pub fn without_caching(result: Value<'_>, edits: &mut Vec<Edit>) {
    for (key, with) in [("ttlMs", &b"0"[..]), ("cacheScope", b"\"private\"")] {
        let hint = result.get(key).filter(|value| matches!(value.kind(), Kind::Number | Kind::String));
        edits.extend(hint.map(|value| Edit { span: value.span(), with: with.to_vec() }));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thoth_types::json::{Limits, Tape};

    use super::*;

    fn edited(text: &str, edit: impl Fn(Value<'_>, &mut Vec<Edit>)) -> String {
        let mut tape = Tape::new();
        let mut edits = Vec::new();
        edit(tape.parse(text.as_bytes(), &Limits::default()).unwrap(), &mut edits);
        String::from_utf8(apply(text.as_bytes(), edits)).unwrap()
    }

    #[test]
    fn only_the_hints_change() {
        let text = r#"{ "tools":[ 1.0 ], "ttlMs" : 60000 ,"cacheScope":"public","x":{"ttlMs":1}}"#;
        let expected = r#"{ "tools":[ 1.0 ], "ttlMs" : 0 ,"cacheScope":"private","x":{"ttlMs":1}}"#;
        assert_eq!(edited(text, without_caching), expected);
        assert_eq!(edited(r#"{"tools":[]}"#, without_caching), r#"{"tools":[]}"#);
    }

    proptest! {
        /// What is left is what a list without those elements is, whatever stands between them.
        #[test]
        fn lists_lose_what_is_named(
            items in prop::collection::vec((any::<u16>(), any::<bool>()), 0..12),
            space in "[ \\t]{0,3}",
        ) {
            let list: Vec<String> = items.iter().map(|(item, _)| format!("{space}{item}{space}")).collect();
            let left = edited(&format!("[{}]", list.join(",")), |value, edits| {
                without_elements(value, |at| items[at].1, edits);
            });
            let expected: Vec<u16> = items.iter().filter(|(_, gone)| !gone).map(|(item, _)| *item).collect();
            prop_assert_eq!(serde_json::from_str::<Vec<u16>>(&left).unwrap(), expected);
            let object: Vec<String> = (0..).zip(&items).map(|(at, (item, _))| format!("{space}\"{at}\":{item}")).collect();
            let left = edited(&format!("{{{}}}", object.join(",")), |value, edits| {
                without_members(value, |key| items[key.parse::<usize>().unwrap()].1, edits);
            });
            let left: std::collections::BTreeMap<usize, u16> = serde_json::from_str(&left).unwrap();
            let expected = items.iter().enumerate().filter(|(_, (_, gone))| !gone).map(|(at, (item, _))| (at, *item));
            prop_assert_eq!(left, expected.collect());
        }
    }
}
