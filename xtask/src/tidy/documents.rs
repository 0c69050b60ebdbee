//! Documents that must keep up with the code.

use super::{Problem, TextFile};

/// How many invariants the architecture lists.
const INVARIANTS: usize = 7;

/// `ARCHITECTURE.md` names every crate, and every test it calls a defence exists.
pub(super) fn architecture(names: &[String], text: &str, files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in names.iter().filter(|name| !text.contains(&format!("`{name}`"))) {
        problems.push(Problem::Failure(format!("ARCHITECTURE.md does not name `{name}`")));
    }
    for (path, function) in named_tests(text) {
        let declaration = format!("fn {function}(");
        let exists = files.iter().any(|file| file.path == path && file.text.contains(&declaration));
        if !exists {
            problems.push(Problem::Failure(format!(
                "ARCHITECTURE.md names a test that is not there: `{path}::{function}`"
            )));
        }
    }
    problems.extend(undefended(text));
    problems
}

/// Every `path.rs::function` in backticks.
fn named_tests(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|word| word.split_once("::")).filter(|(path, _)| path.ends_with(".rs")).collect()
}

/// Invariants, as `### Invariant N`, that name no test.
fn undefended(text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for number in 1..=INVARIANTS {
        let section = text.split(&format!("### Invariant {number}:")).nth(1);
        let section = section.map(|rest| rest.split("\n#").next().unwrap_or(rest));
        if section.is_none_or(|body| named_tests(body).is_empty()) {
            problems.push(Problem::Failure(format!("ARCHITECTURE.md names no test that defends invariant {number}")));
        }
    }
    problems
}

/// The changelog has a place for what comes next.
pub(super) fn changelog(text: &str) -> Option<Problem> {
    let present = text.lines().any(|line| line.trim() == "## Unreleased");
    (!present).then(|| Problem::Failure("CHANGELOG.md has no `## Unreleased` section".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invariants(last: usize) -> String {
        (1..=last).map(|number| format!("### Invariant {number}: x\n\n* `crates/a/src/x.rs::holds`\n\n")).collect()
    }

    fn files() -> Vec<TextFile> {
        vec![TextFile { path: "crates/a/src/x.rs".to_owned(), text: "fn holds() {}".to_owned() }]
    }

    #[test]
    fn a_complete_document_passes() {
        let text = format!("`a`\n{}", invariants(7));
        assert_eq!(architecture(&["a".to_owned()], &text, &files()), []);
    }

    /// The list of defences is only worth something if each entry exists.
    #[test]
    fn a_missing_test_a_missing_crate_and_a_bare_invariant_are_found() {
        let text = invariants(6).replacen("::holds", "::gone", 1);
        let problems = architecture(&["a".to_owned()], &text, &files());
        let expected = [
            "ARCHITECTURE.md does not name `a`",
            "ARCHITECTURE.md names a test that is not there: `crates/a/src/x.rs::gone`",
            "ARCHITECTURE.md names no test that defends invariant 7",
        ];
        assert_eq!(problems, expected.map(|line| Problem::Failure(line.to_owned())));
    }

    #[test]
    fn the_changelog_needs_a_place_for_what_comes() {
        assert_eq!(changelog("# Changelog\n\n## Unreleased\n"), None);
        assert!(changelog("# Changelog\n\n## 0.1.0\n").is_some());
    }
}
