//! Showing what would change, without showing secrets.

use similar::{ChangeTag, TextDiff};
use thoth_endpoint::document::Document;
use thoth_shell::masking::masked;
use thoth_shell::terminal::{BAD, DIM, GOOD, harmless_text, styled};

use crate::clients::ClientFile;

/// The longest line that is shown whole, in bytes, and the most that is shown of a longer one, in characters.
const LONG: usize = 2000;

/// How much is shown around a change in a long line, in characters.
const AROUND: usize = 60;

/// A unified diff with one line of context. Values that may be secrets are masked on both sides.
pub(super) fn shown(document: &Document, new: &str, file: &ClientFile) -> String {
    let path = harmless_text(&file.path.to_string_lossy());
    let Ok(changed) = Document::parse(document.format(), new.as_bytes()) else {
        return format!("{path}: the change cannot be shown\n");
    };
    let (old, new) = (masked(document), masked(&changed));
    let diff = TextDiff::from_lines(&*old, &*new);
    let mut text =
        format!("{}\n{}\n", styled(DIM, format_args!("--- {path}")), styled(DIM, format_args!("+++ {path}")));
    let mut hunks = 0;
    for hunk in diff.unified_diff().context_radius(1).iter_hunks() {
        hunks += 1;
        text += &format!("{}\n", styled(DIM, hunk.header()));
        let changes: Vec<_> = hunk.iter_changes().map(|change| (change.tag(), plain(change.value()))).collect();
        let lines = |tag| changes.iter().filter(move |(of, _)| *of == tag).map(|(_, line)| line.as_str());
        let (mut removed, mut added) = (lines(ChangeTag::Delete), lines(ChangeTag::Insert));
        for (tag, line) in &changes {
            text += &match tag {
                ChangeTag::Delete => styled(BAD, format_args!("-{}", clipped(line, added.next()))),
                ChangeTag::Insert => styled(GOOD, format_args!("+{}", clipped(line, removed.next()))),
                ChangeTag::Equal => format!(" {}", clipped(line, None)),
            };
            text.push('\n');
        }
    }
    if hunks == 0 {
        text += "(only values that are not shown)\n";
    }
    text
}

/// A line without its end, and harmless.
fn plain(line: &str) -> String {
    harmless_text(line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}')).replace("\\u{9}", "\t")
}

/// A line, or, of a long one, what is not as in its counterpart. Some files are one line of megabytes.
fn clipped(line: &str, other: Option<&str>) -> String {
    if line.len() <= LONG {
        return line.to_owned();
    }
    let other = other.unwrap_or_default();
    let same = |(a, b): &(char, char)| a == b;
    let before = line.chars().zip(other.chars()).take_while(same).count();
    let after = line.chars().rev().zip(other.chars().rev()).take_while(same).count();
    let start = before.saturating_sub(AROUND);
    let end = line.chars().count().saturating_sub(after).max(before) + AROUND;
    let length = end.saturating_sub(start).min(LONG);
    let shown: String = line.chars().skip(start).take(length).collect();
    let (cut_before, cut_after) = (start > 0, start + length < line.chars().count());
    format!("{}{shown}{}", if cut_before { "…" } else { "" }, if cut_after { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: of a file that is one long line, the change is shown and not the file.
    #[test]
    fn long_lines_are_clipped_around_the_change() {
        let line = |middle: &str| format!("{}{middle}{}", "a".repeat(5000), "b".repeat(5000));
        let (old, new) = (line("old"), line("newer"));
        let around = |middle: &str| format!("…{}{middle}{}…", "a".repeat(60), "b".repeat(60));
        assert_eq!((clipped(&old, Some(&new)), clipped(&new, Some(&old))), (around("old"), around("newer")));
        assert_eq!(clipped("short", None), "short");
        assert_eq!(clipped(&old, None).chars().count(), LONG + 1);
    }
}
