//! Reading Rust source just well enough for the rules: what is production code and what is a test.

/// The part of a source file before its test module.
pub(super) fn production(text: &str) -> &str {
    // Tests stand last in every file, in `#[cfg(test)] mod tests`; other uses of the attribute are indented or single
    // items, which stay production code for counting.
    let mut offset = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let opens_module = lines.peek().is_some_and(|next| next.starts_with("mod ") && !next.trim_end().ends_with(';'));
        if line.trim_end() == "#[cfg(test)]" && opens_module {
            return text.get(..offset).unwrap_or(text);
        }
        offset += line.len();
    }
    text
}

/// Lines that are neither blank nor only a comment.
pub(super) fn code_lines(text: &str) -> usize {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Whether a path is product source: under `src/` of a member, and not a file of tests.
pub(super) fn is_product_source(path: &str) -> bool {
    let in_source = path.split_once("/src/").is_some_and(|(before, _)| !before.contains("/tests"));
    in_source && path.ends_with(".rs") && !path.ends_with("/tests.rs") && !path.contains("/tests/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_test_module_is_not_production() {
        let text = "//! Doc.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\n";
        assert_eq!(production(text), "//! Doc.\nfn a() {}\n\n");
        assert_eq!(code_lines(production(text)), 1);
    }

    /// `#[cfg(test)] mod tests;` names another file; what follows it is still production code.
    #[test]
    fn a_declared_test_module_does_not_end_the_file() {
        let text = "#[cfg(test)]\nmod tests;\nfn a() {}\n";
        assert_eq!(production(text), text);
    }

    #[test]
    fn paths_are_told_apart() {
        assert!(is_product_source("crates/thoth-mcp/src/decode/envelope.rs"));
        assert!(is_product_source("xtask/src/main.rs"));
        assert!(!is_product_source("crates/thoth-mcp/tests/rows.rs"));
        assert!(!is_product_source("crates/thoth-mcp/src/decode/tests.rs"));
        assert!(!is_product_source("crates/thoth-testkit/fixtures/front.mjs"));
    }
}
