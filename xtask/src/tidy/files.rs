//! Rules about single files and about the size of crates.

use super::{Problem, TextFile, source};

/// Code lines of one file that deserve a second look, and that are refused.
const FILE_LOOK: usize = 400;
const FILE_LIMIT: usize = 800;
/// Code lines of one crate that are refused.
const CRATE_LIMIT: usize = 10_000;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "core"];

/// Text that only makes sense on one machine. Split, so that this file does not contain what it forbids.
const MACHINE_PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/tmp/bash", "_jobs"),
    concat!("../sha", "red/"),
    concat!(".libr", "ary/"),
    concat!("/ro", "ot/"),
];

/// A member takes the lints of the workspace, or it has none.
pub(super) fn lints_are_inherited(name: &str, manifest: &str) -> Option<Problem> {
    let section = manifest.split("\n[lints]").nth(1).map(|rest| rest.split("\n[").next().unwrap_or(rest));
    let inherited = section.is_some_and(|body| body.lines().any(|line| line.replace(' ', "") == "workspace=true"))
        || manifest.lines().any(|line| line.replace(' ', "") == "lints.workspace=true");
    (!inherited).then(|| {
        Problem::Failure(format!(
            "`{name}` does not inherit the lints of the workspace: add `[lints]` with `workspace = true`"
        ))
    })
}

/// Every rule that looks at one file alone.
pub(super) fn check(file: &TextFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(machine_paths(file));
    if file.path.ends_with(".rs") {
        problems.extend(name_says_something(&file.path));
        problems.extend(module_documentation(file));
        problems.extend(no_ignored_tests(file));
        problems.extend(budget(file));
    }
    problems
}

fn machine_paths(file: &TextFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for found in MACHINE_PATHS.iter().filter(|path| line.contains(**path)) {
            problems.push(Problem::Failure(format!(
                "{}:{}: names a path of one machine, `{found}`",
                file.path,
                index + 1
            )));
        }
    }
    problems
}

fn name_says_something(path: &str) -> Option<Problem> {
    let empty = path.trim_end_matches(".rs").split('/').find(|part| EMPTY_NAMES.contains(part));
    if path.ends_with("/mod.rs") {
        return Some(Problem::Failure(format!("{path}: use `name.rs` beside `name/` instead of `mod.rs`")));
    }
    empty.map(|part| Problem::Failure(format!("{path}: `{part}` says nothing about what is inside")))
}

/// Whether a file must open with `//!`: modules of crates and test programs, not compile-fail cases.
fn is_module(path: &str) -> bool {
    let test_program = path.rsplit_once("/tests/").is_some_and(|(_, name)| !name.contains('/'));
    source::is_product_source(path) || test_program || path.ends_with("/tests.rs")
}

fn module_documentation(file: &TextFile) -> Option<Problem> {
    let opening = file.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    let documented = opening.starts_with("//!");
    (is_module(&file.path) && !documented)
        .then(|| Problem::Failure(format!("{}: does not open with `//!` lines that say what it is for", file.path)))
}

fn no_ignored_tests(file: &TextFile) -> Vec<Problem> {
    let attribute = concat!("#[ign", "ore");
    let lines = file.text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with(attribute));
    lines.map(|(index, _)| Problem::Failure(format!("{}:{}: a test that does not run", file.path, index + 1))).collect()
}

fn budget(file: &TextFile) -> Option<Problem> {
    if !source::is_product_source(&file.path) {
        return None;
    }
    match source::code_lines(source::production(&file.text)) {
        lines if lines > FILE_LIMIT => {
            Some(Problem::Failure(format!("{}: {lines} code lines, over the limit of {FILE_LIMIT}", file.path)))
        }
        lines if lines > FILE_LOOK => {
            Some(Problem::Warning(format!("{}: {lines} code lines, over {FILE_LOOK}: is it one thing?", file.path)))
        }
        _ => None,
    }
}

/// The size of each crate, in code lines outside tests.
pub(super) fn crates_stay_small(names: &[String], files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for name in names {
        let prefixes = [format!("crates/{name}/"), format!("{name}/")];
        let own = |file: &&TextFile| prefixes.iter().any(|prefix| file.path.starts_with(prefix.as_str()));
        let counted = files.iter().filter(own).filter(|file| source::is_product_source(&file.path));
        let lines: usize = counted.map(|file| source::code_lines(source::production(&file.text))).sum();
        if lines > CRATE_LIMIT {
            problems
                .push(Problem::Failure(format!("`{name}` has {lines} code lines, over the limit of {CRATE_LIMIT}")));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    /// What `check` says about a file, joined.
    fn said(path: &str, text: &str) -> String {
        let lines = check(&file(path, text)).into_iter().map(|problem| match problem {
            Problem::Warning(line) => format!("warning {line}"),
            Problem::Failure(line) => format!("failure {line}"),
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn lints_must_be_inherited() {
        assert_eq!(lints_are_inherited("a", "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), None);
        assert_eq!(lints_are_inherited("a", "lints.workspace = true\n"), None);
        assert!(lints_are_inherited("a", "[package]\nname = \"a\"\n").is_some());
        assert!(lints_are_inherited("a", "[package]\n\n[lints]\n\n[dependencies]\nworkspace = true\n").is_some());
    }

    #[test]
    fn a_good_file_passes() {
        assert_eq!(said("crates/a/src/lib.rs", "//! What it is for.\nfn a() {}\n"), "");
    }

    #[test]
    fn machine_paths_are_found_in_any_text() {
        let line = format!("see {}notes", concat!("/wo", "rk/"));
        assert!(said("README.md", &line).contains("README.md:1: names a path of one machine"));
    }

    #[test]
    fn empty_names_are_refused() {
        assert!(said("crates/a/src/utils.rs", "//! X.\n").contains("says nothing"));
        assert!(said("crates/a/src/common/x.rs", "//! X.\n").contains("says nothing"));
        assert!(said("crates/a/src/x/mod.rs", "//! X.\n").contains("instead of `mod.rs`"));
    }

    #[test]
    fn modules_are_documented() {
        assert!(said("crates/a/src/x.rs", "fn a() {}\n").contains("does not open with"));
        assert!(said("crates/a/tests/x.rs", "fn a() {}\n").contains("does not open with"));
        assert_eq!(said("crates/a/tests/ui/forged.rs", "fn a() {}\n"), "");
    }

    #[test]
    fn ignored_tests_are_refused() {
        let text = format!("//! X.\n{}]\nfn a() {{}}\n", concat!("#[ign", "ore"));
        assert!(said("crates/a/src/x.rs", &text).contains("crates/a/src/x.rs:2: a test that does not run"));
    }

    #[test]
    fn budgets_count_code_outside_tests() {
        let code = |lines: usize| format!("//! X.\n{}", "const A: u8 = 1;\n".repeat(lines));
        assert_eq!(said("crates/a/src/x.rs", &code(400)), "");
        assert!(said("crates/a/src/x.rs", &code(401)).starts_with("warning"));
        assert!(said("crates/a/src/x.rs", &code(801)).starts_with("failure"));
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{}}}\n", code(10), "const A: u8 = 1;\n".repeat(900));
        assert_eq!(said("crates/a/src/x.rs", &tested), "");
    }

    #[test]
    fn a_large_crate_is_refused() {
        let files: Vec<TextFile> = (0..21)
            .map(|index| file(&format!("crates/a/src/f{index}.rs"), &"const A: u8 = 1;\n".repeat(500)))
            .collect();
        assert_eq!(crates_stay_small(&["a".to_owned()], &files).len(), 1);
        assert_eq!(crates_stay_small(&["a".to_owned()], files.get(..20).unwrap()).len(), 0);
    }
}
