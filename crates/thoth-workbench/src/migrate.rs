//! From policies in which the first matching rule decides to such in which the strictest does.

/// The text of a policy with `evaluation` at its top saying `word`. Nothing else changes. Only a key in block style at the
/// start of a line is replaced: loading tells if there is another one.
#[must_use]
pub fn with_evaluation(text: &str, word: &str) -> String {
    replaced(text, word).unwrap_or_else(|| {
        // After what must come first: a byte order mark is refused anyway, comments and the start of the document are not.
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            if !line.starts_with(['#', '%']) && !line.starts_with("---") && !line.trim().is_empty() {
                break;
            }
            at += line.len();
        }
        inserted(text, at, word)
    })
}

/// [`with_evaluation`] with every other line where it was: for what is said about the file as it is.
#[must_use]
pub fn in_place(text: &str, word: &str) -> String {
    replaced(text, word).unwrap_or_else(|| {
        let mut at = text.len();
        let mut after = 0;
        for line in text.split_inclusive('\n') {
            // The end of the document.
            if line.trim_end() == "..." {
                at = after;
                break;
            }
            after += line.len();
        }
        inserted(text, at, word)
    })
}

/// The text with the line of its own that says so already, saying `word`.
fn replaced(text: &str, word: &str) -> Option<String> {
    let mut found = false;
    let lines = text.split_inclusive('\n').map(|line| {
        if found || !line.starts_with("evaluation:") {
            return line.to_owned();
        }
        found = true;
        let (line, end) = line.split_at(line.trim_end_matches(['\r', '\n']).len());
        let comment = line.split_once(" #").map(|(_, comment)| format!(" #{comment}")).unwrap_or_default();
        format!("evaluation: {word}{comment}{end}")
    });
    let out: String = lines.collect();
    found.then_some(out)
}

/// The text with one more line, which ends as the others do.
fn inserted(text: &str, at: usize, word: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (before, after) = text.split_at(at);
    let open = if before.is_empty() || before.ends_with('\n') { "" } else { end };
    format!("{before}{open}evaluation: {word}{end}{after}")
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
            ("a: 1\r\nevaluation: x # c\r\nb: 1", "a: 1\r\nevaluation: strictest # c\r\nb: 1"),
            ("# c\r\nrules: []\r\n", "# c\r\nevaluation: strictest\r\nrules: []\r\n"),
            ("# c", "# c\nevaluation: strictest\n"),
        ] {
            assert_eq!(with_evaluation(text, "strictest"), expected, "{text}");
        }
    }

    #[test]
    fn every_line_stays_where_it_was() {
        for (text, expected) in [
            ("evaluation: first-match\nrules: []\n", "evaluation: strictest\nrules: []\n"),
            ("# c\nrules: []\n", "# c\nrules: []\nevaluation: strictest\n"),
            ("rules: []", "rules: []\nevaluation: strictest\n"),
            ("rules: []\r\n...\r\n", "rules: []\r\nevaluation: strictest\r\n...\r\n"),
        ] {
            assert_eq!(in_place(text, "strictest"), expected, "{text}");
        }
    }
}
