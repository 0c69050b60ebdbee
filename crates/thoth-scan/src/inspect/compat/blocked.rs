//! `blocked_patterns` of a gateway's policy: substrings, regular expressions, globs.

use regex::{Regex, RegexBuilder};
use thoth_types::json::Value;

use super::strings;

/// How a pattern is read. All are matched without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatternType {
    /// As it stands, anywhere.
    Substring,
    /// A regular expression, anywhere.
    Regex,
    /// A glob over the whole string: `*`, `?`, `[abc]`, `[!abc]`.
    Glob,
}

/// A pattern that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("blocked pattern `{pattern}`: {reason}")]
pub struct PatternError {
    /// The pattern as it was given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The most memory that one compiled pattern may take.
const MAX_SIZE: usize = 1 << 20;

/// Compiled patterns, in the order in which they were given.
#[derive(Debug, Clone)]
pub struct BlockedPatterns {
    patterns: Vec<(String, Regex)>,
}

impl BlockedPatterns {
    /// Compiles patterns to linear-time automata.
    ///
    /// # Errors
    /// [`PatternError`] for the first that is no pattern, or too large a one.
    pub fn new<'p>(patterns: impl IntoIterator<Item = (&'p str, PatternType)>) -> Result<Self, PatternError> {
        let compile = |(pattern, kind): (&str, PatternType)| {
            let expression = match kind {
                PatternType::Substring => regex::escape(pattern),
                PatternType::Regex => pattern.to_owned(),
                PatternType::Glob => glob(pattern),
            };
            RegexBuilder::new(&expression)
                .case_insensitive(true)
                .size_limit(MAX_SIZE)
                .build()
                .map(|compiled| (pattern.to_owned(), compiled))
                .map_err(|error| PatternError { pattern: pattern.to_owned(), reason: error.to_string() })
        };
        Ok(Self { patterns: patterns.into_iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// The patterns that match a key or a string of the arguments, each once, in the order of the policy.
    #[must_use]
    pub fn matches(&self, arguments: Value<'_>) -> Vec<&str> {
        let mut matched = vec![false; self.patterns.len()];
        strings(arguments, "", 0, &mut |_, text| {
            for (found, (_, pattern)) in matched.iter_mut().zip(&self.patterns) {
                *found = *found || pattern.is_match(text);
            }
            !matched.iter().all(|found| *found)
        });
        let found = matched.iter().zip(&self.patterns).filter(|(found, _)| **found);
        found.map(|(_, (pattern, _))| pattern.as_str()).collect()
    }

    /// The documented reason for patterns that matched; the list is written as Python writes it.
    #[must_use]
    pub fn reason(matched: &[&str]) -> String {
        let quoted: Vec<String> = matched
            .iter()
            .map(|pattern| {
                let quote = if pattern.contains('\'') && !pattern.contains('"') { '"' } else { '\'' };
                let escaped = pattern.replace('\\', "\\\\");
                let escaped = if quote == '\'' { escaped.replace('\'', "\\'") } else { escaped };
                format!("{quote}{escaped}{quote}")
            })
            .collect();
        format!("Parameters matched blocked pattern(s): [{}]", quoted.join(", "))
    }
}

/// A glob as a regular expression over the whole string.
fn glob(pattern: &str) -> String {
    let mut out = String::from(r"(?s)\A");
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
        match first {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                // A closing bracket right behind the opening one belongs to the set; without one it is a letter.
                let body = rest.strip_prefix('!').unwrap_or(rest);
                let close = body.char_indices().skip(1).find(|(_, character)| *character == ']');
                let Some((close, _)) = close else {
                    out.push_str(r"\[");
                    continue;
                };
                let set = body.get(..close).unwrap_or_default();
                out.push_str(if body.len() < rest.len() { "[^" } else { "[" });
                for character in set.chars() {
                    if matches!(character, '\\' | '[' | ']' | '^' | '&' | '~') {
                        out.push('\\');
                    }
                    out.push(character);
                }
                out.push(']');
                rest = body.get(close + 1..).unwrap_or_default();
            }
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str(r"\z");
    out
}
