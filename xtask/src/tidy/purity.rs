//! Core crates are pure: no I/O, clock, randomness or environment.
//!
//! A text search over production code, so an import under another name would pass it. The layer rules ban the crates
//! that bring the same powers; this catches the ones that come with the standard library.

use super::{Problem, TextFile, source};

/// A crate, and the names its production code must not contain.
struct Rule {
    prefix: &'static str,
    forbidden: &'static [&'static str],
}

/// Powers that a pure crate has no use for.
const POWERS: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net::Tcp",
    "std::net::Udp",
    "ToSocketAddrs",
    "std::os",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
];

const RULES: &[Rule] = &[
    Rule { prefix: "crates/thoth-types/src/", forbidden: POWERS },
    Rule { prefix: "crates/thoth-policy/src/", forbidden: POWERS },
    Rule { prefix: "crates/thoth-mcp/src/", forbidden: POWERS },
    Rule { prefix: "crates/thoth-endpoint/src/", forbidden: POWERS },
    Rule { prefix: "crates/thoth-scan/src/", forbidden: POWERS },
    Rule { prefix: "crates/thoth-inspect/src/", forbidden: POWERS },
    Rule { prefix: "crates/thoth-gate/src/", forbidden: POWERS },
    // The file ledger writes files, times its group commits and dates what it says about itself; the time in every
    // other event is an argument. The most special path comes first.
    Rule { prefix: "crates/thoth-audit/src/ledger", forbidden: &["std::env", "std::net::Tcp", "std::net::Udp"] },
    Rule {
        prefix: "crates/thoth-audit/src/",
        forbidden: &[
            "std::env",
            "std::net::Tcp",
            "std::net::Udp",
            "std::thread",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
        ],
    },
];

/// Names of powers in the production code of a pure crate.
pub(super) fn check(file: &TextFile) -> Vec<Problem> {
    let Some(rule) = RULES.iter().find(|rule| file.path.starts_with(rule.prefix)) else { return Vec::new() };
    if !source::is_product_source(&file.path) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (index, line) in source::production(&file.text).lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        for name in rule.forbidden.iter().filter(|name| code.contains(**name)) {
            problems.push(Problem::Failure(format!(
                "{}:{}: `{name}` in a pure crate; take it as an argument",
                file.path,
                index + 1
            )));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&TextFile { path: path.to_owned(), text: text.to_owned() }).len()
    }

    /// Defends "core crates are pure" of the design.
    #[test]
    fn powers_are_found_in_pure_crates_only() {
        let text = "//! X.\nuse std::fs::File;\nfn now() { let _ = std::time::SystemTime::now(); }\n";
        assert_eq!(found("crates/thoth-policy/src/x.rs", text), 2);
        assert_eq!(found("crates/thoth-proxy/src/x.rs", text), 0);
        assert_eq!(found("crates/thoth-audit/src/x.rs", text), 1);
        assert_eq!(found("crates/thoth-audit/src/ledger/x.rs", text), 0);
    }

    #[test]
    fn comments_and_tests_may_name_them() {
        let text = "//! Never uses std::fs.\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n";
        assert_eq!(found("crates/thoth-policy/src/x.rs", text), 0);
    }
}
