//! From policies in which the first matching rule decides to such in which the strictest does.

/// The text of a policy with `evaluation` at its top saying `word`. Nothing else changes. Only a key in block style at the
/// start of a line is replaced: loading tells if there is another one.
#[must_use]
pub fn with_evaluation(text: &str, word: &str) -> String {
    let own = format!("evaluation: {word}");
    let mut replaced = false;
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        if line.starts_with("evaluation:") && !replaced {
            replaced = true;
            let comment = line.split_once(" #").map(|(_, comment)| format!(" #{comment}")).unwrap_or_default();
            lines.push(format!("{own}{comment}"));
        } else {
            lines.push(line.to_owned());
        }
    }
    if !replaced {
        // After what must come first: a byte order mark is refused anyway, comments and the start of the document are not.
        let at = lines
            .iter()
            .position(|line| !line.starts_with(['#', '%']) && !line.starts_with("---") && !line.trim().is_empty());
        lines.insert(at.unwrap_or(lines.len()), own);
    }
    let mut out = lines.join("\n");
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_evaluation_changes() {
        for (text, expected) in [
            ("evaluation: first-match # x\nrules: []\n", "evaluation: strictest # x\nrules: []\n"),
            ("# c\n---\nrules: []\n", "# c\n---\nevaluation: strictest\nrules: []\n"),
            ("rules:\n  - evaluation: x\n", "evaluation: strictest\nrules:\n  - evaluation: x\n"),
            ("", "evaluation: strictest\n"),
        ] {
            assert_eq!(with_evaluation(text, "strictest"), expected, "{text}");
        }
    }
}
