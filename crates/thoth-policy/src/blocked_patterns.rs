//! `gateway.blocked_patterns`: texts that no argument may have, as substrings, regular expressions or globs.
//!
//! They are looked for in every key and every value as it reads once decoded, and in the arguments as they are written, in
//! any letter case. All of them together are one automaton, so that a call costs one pass however many there are.

use std::sync::Arc;

use regex::{RegexSet, RegexSetBuilder};
use thoth_types::json::{Kind, Value};
use thoth_types::{Approval, Finding, Place, ReasonCode, RiskLevel, Stage};

use crate::name;
use crate::policy::Policy;
use crate::query::Query;

/// The most memory that all patterns together may take, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// How a pattern is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PatternKind {
    /// It stands anywhere in the text.
    Substring,
    /// It matches anywhere in the text.
    Regex,
    /// It matches a whole key or value.
    Glob,
}

impl PatternKind {
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("substring", Self::Substring), ("regex", Self::Regex), ("glob", Self::Glob)];
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct BlockedPattern {
    pub(crate) text: Arc<str>,
    pub(crate) kind: PatternKind,
    pub(crate) place: Place,
}

/// All entries of all files, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct BlockedPatterns {
    pub(crate) entries: Box<[BlockedPattern]>,
    automaton: RegexSet,
}

impl BlockedPattern {
    /// The same as a regular expression.
    pub(crate) fn expression(&self) -> String {
        match self.kind {
            PatternKind::Substring => regex::escape(&self.text),
            PatternKind::Regex => format!("(?:{})", self.text),
            PatternKind::Glob => glob_expression(&self.text),
        }
    }
}

/// A glob, which was found good, as a regular expression for a whole text.
fn glob_expression(glob: &str) -> String {
    let mut out = String::from("(?s)\\A");
    let mut rest = glob.chars();
    while let Some(character) = rest.next() {
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                out.push('[');
                for (at, inner) in rest.by_ref().enumerate() {
                    match inner {
                        '!' if at == 0 => out.push('^'),
                        // A bracket that comes first is one of the characters.
                        ']' if at > 0 && !out.ends_with("[^") => {
                            out.push(']');
                            break;
                        }
                        '-' => out.push('-'),
                        other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
                    }
                }
            }
            other => out.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    out.push_str("\\z");
    out
}

impl BlockedPatterns {
    /// Compiles them; the order of the files makes no difference.
    pub(crate) fn compile(mut entries: Vec<BlockedPattern>) -> Result<Self, regex::Error> {
        entries.sort_by(|a, b| (&a.text, &a.place.file, a.place.line).cmp(&(&b.text, &b.place.file, b.place.line)));
        let expressions = entries.iter().map(BlockedPattern::expression);
        let automaton = RegexSetBuilder::new(expressions).case_insensitive(true).size_limit(MAX_BYTES).build()?;
        Ok(Self { entries: entries.into(), automaton })
    }

    fn find(&self, arguments: Value<'_>) -> Vec<&BlockedPattern> {
        let mut found = vec![false; self.entries.len()];
        if let Ok(text) = std::str::from_utf8(arguments.raw()) {
            self.look(text, &mut found);
        }
        self.walk(arguments, &mut found);
        self.entries.iter().zip(found).filter(|(_, found)| *found).map(|(entry, _)| entry).collect()
    }

    // Recursion is bounded by the parser's depth limit.
    fn walk(&self, value: Value<'_>, found: &mut [bool]) {
        match value.kind() {
            Kind::Object => {
                for (key, value) in value.members() {
                    if let Some(text) = key.as_str() {
                        self.look(&text, found);
                    }
                    self.walk(value, found);
                }
            }
            Kind::Array => value.elements().for_each(|element| self.walk(element, found)),
            Kind::String => {
                if let Some(text) = value.as_str() {
                    self.look(&text, found);
                }
            }
            // Of numbers, `true`, `false` and `null`, a pattern may mean the whole.
            _ => {
                if let Ok(text) = std::str::from_utf8(value.raw()) {
                    self.look(text, found);
                }
            }
        }
    }

    fn look(&self, text: &str, found: &mut [bool]) {
        self.mark(text, found);
        if !text.is_ascii() {
            let reads_as = name::normalised(text);
            if *reads_as != *text {
                self.mark(&reads_as, found);
            }
        }
    }

    fn mark(&self, text: &str, found: &mut [bool]) {
        if !self.automaton.is_match(text) {
            return;
        }
        for index in self.automaton.matches(text) {
            if let Some(slot) = found.get_mut(index) {
                *slot = true;
            }
        }
    }
}

impl Policy {
    /// Whether arguments are searched for texts that the policy blocks.
    #[must_use]
    pub fn has_blocked_patterns(&self) -> bool {
        !self.blocked_patterns.entries.is_empty()
    }

    /// Stage 7, as far as it is the policy's own: whether the arguments have what no arguments may have. As a deny list,
    /// it holds in every mode.
    pub fn blocked_patterns(&self, query: &Query<'_>, findings: &mut Vec<Finding>) {
        let patterns = &self.blocked_patterns;
        let Some(arguments) = query.arguments.value().filter(|_| !patterns.entries.is_empty()) else { return };
        let found = patterns.find(arguments);
        let Some(first) = found.first() else { return };
        let names: Vec<String> = found.iter().take(8).map(|entry| format!("`{}`", entry.text.escape_debug())).collect();
        findings.push(Finding {
            stage: Stage::Inspection,
            approval: Approval::Block,
            code: ReasonCode::ArgumentBlockedPattern,
            risk: RiskLevel::High,
            rule: None,
            place: Some(first.place.clone()),
            detail: format!("the arguments match what `blocked_patterns` blocks: {}", names.join(", ")).into(),
            hard: true,
            retry_after_seconds: None,
        });
    }
}
