//! From YAML trees to drafts of policies: every key is known, every value is of the right kind, or it is an error
//! with its place.

mod approvals;
mod condition;
mod gateway;
mod inspect;
mod integrity;
mod progressive;
mod rule;
mod section;
mod time;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;
use thoth_types::{HarmClass, HarmClasses};

pub(crate) use approvals::{ApprovalsDraft, ApproverDraft, DemandDraft, GroupDraft};
pub(crate) use rule::{RuleDraft, RuleMode};
pub(crate) use section::Document;
pub(crate) use time::show_seconds;

use crate::diagnostic::{Diagnostic, DiagnosticCode, File};
use crate::glob::Glob;
use crate::text_match::TextMatch;
use crate::yaml::{At, Content, Key, Node};

/// Reads one file; collects everything that is wrong instead of stopping at the first.
#[derive(Debug)]
pub struct Reader<'f> {
    pub(crate) file: &'f Arc<File>,
    pub(crate) errors: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Compiled patterns: large policies repeat them.
    patterns: HashMap<Arc<str>, Regex>,
}

impl<'f> Reader<'f> {
    pub(crate) fn new(file: &'f Arc<File>) -> Self {
        Self { file, errors: Vec::new(), warnings: Vec::new(), patterns: HashMap::new() }
    }

    /// Notes a mistake.
    pub fn error(&mut self, code: DiagnosticCode, at: At, message: impl Into<String>) {
        self.errors.push(Diagnostic::new(code, self.file, at, message));
    }

    /// Notes a mistake, and what to do about it.
    pub fn error_help(&mut self, code: DiagnosticCode, at: At, message: String, help: impl Into<String>) {
        self.errors.push(Diagnostic::new(code, self.file, at, message).help(help));
    }

    pub(crate) fn warn(&mut self, at: At, message: impl Into<String>, help: &str) {
        let warning = Diagnostic::new(DiagnosticCode::Lint, self.file, at, message).help(help).into_warning();
        self.warnings.push(warning);
    }

    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        self.error(DiagnosticCode::WrongType, node.at, format!("{what} wants {wanted}, not {}", node.kind()));
    }

    /// The entries of a mapping whose keys are `known`; reports the others, and skips `x-` keys. A null counts as an
    /// empty mapping.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Vec<(&'n Key, &'n Node)> {
        self.fields_or_later(node, what, known, &[])
    }

    /// [`Self::fields`], where `later` are keys of the language that are not enforced yet.
    pub(crate) fn fields_or_later<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &[&str],
        later: &[&str],
    ) -> Vec<(&'n Key, &'n Node)> {
        let Some(entries) = self.entries(node, what) else { return Vec::new() };
        let mut good = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if known.contains(&&*key.text) {
                good.push((key, value));
            } else if later.contains(&&*key.text) {
                let message = format!("`{}` in {what} is not supported yet", key.text);
                let help = "remove it: a key that is not enforced would only look like protection";
                self.error_help(DiagnosticCode::NotSupported, key.at, message, help);
            } else if !key.text.starts_with("x-") {
                self.unknown(
                    DiagnosticCode::UnknownKey,
                    key.at,
                    &format!("unknown key `{}` in {what}", key.text),
                    &key.text,
                    known,
                );
            }
        }
        good
    }

    /// All entries of a mapping; nothing for a null.
    pub fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        match &node.content {
            Content::Map(entries) => Some(entries),
            _ if node.is_null() => Some(&[]),
            _ => {
                self.wrong_type(node, what, "a mapping");
                None
            }
        }
    }

    /// An error about a word that is none of `known`, with the nearest one.
    pub fn unknown(&mut self, code: DiagnosticCode, at: At, message: &str, found: &str, known: &[&str]) {
        let help = match nearest(found, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.join(", ")),
        };
        self.error_help(code, at, message.to_owned(), help);
    }

    /// A scalar's text, whatever its YAML type: names and patterns are texts even where YAML sees `no` or `42`.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n Arc<str>> {
        match &node.content {
            Content::Scalar { text, .. } if !node.is_null() => Some(text),
            _ => {
                self.wrong_type(node, what, "a text");
                None
            }
        }
    }

    /// A scalar, or a list of scalars.
    pub fn texts<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(&'n Arc<str>, At)> {
        match &node.content {
            Content::List(items) => {
                if items.is_empty() {
                    self.error(DiagnosticCode::BadValue, node.at, format!("{what} is an empty list"));
                }
                items.iter().filter_map(|item| Some((self.text(item, what)?, item.at))).collect()
            }
            _ => self.text(node, what).map(|text| (text, node.at)).into_iter().collect(),
        }
    }

    /// A glob or a list of globs; entries that start with `!` exclude.
    pub fn globs(&mut self, node: &Node, what: &str) -> TextMatch {
        self.globs_with(node, what, &str::to_owned)
    }

    /// [`Self::globs`] after changing each text.
    pub(crate) fn globs_with(&mut self, node: &Node, what: &str, change: &dyn Fn(&str) -> String) -> TextMatch {
        let mut any = Vec::new();
        let mut none = Vec::new();
        for (text, at) in self.texts(node, what) {
            let (list, text) = match text.strip_prefix('!') {
                Some(text) => (&mut none, text),
                None => (&mut any, &**text),
            };
            if !text.is_ascii() && *crate::name::normalised(text) != *text {
                self.warn(at, format!("`{text}` has characters that read as others"), "write the plain characters");
            }
            match Glob::parse(&change(text)) {
                Ok(glob) => list.push(glob),
                Err(error) => {
                    let message = format!("bad pattern `{text}`: {error}");
                    let help = "`*` is any text, `?` one character, `[abc]` and `[!abc]` are classes, `[[]` is a `[`";
                    self.error_help(DiagnosticCode::BadGlob, at, message, help);
                }
            }
        }
        TextMatch::new(any, none)
    }

    /// `true` or `false`, without quotes.
    pub fn boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        match &node.content {
            Content::Scalar { text, plain: true } if matches!(&**text, "true" | "True" | "TRUE") => Some(true),
            Content::Scalar { text, plain: true } if matches!(&**text, "false" | "False" | "FALSE") => Some(false),
            Content::Scalar { text, .. } => {
                let message = format!("{what} wants true or false, not `{text}`");
                self.error(DiagnosticCode::WrongType, node.at, message);
                None
            }
            _ => {
                self.wrong_type(node, what, "true or false");
                None
            }
        }
    }

    /// A whole number from `least` to `most`, written without quotes.
    pub fn whole(&mut self, node: &Node, what: &str, least: u64, most: u64) -> Option<u64> {
        match &node.content {
            Content::Scalar { text, plain: true } if crate::decimal::is_number(text) => match text.parse::<u64>() {
                Ok(number) if (least..=most).contains(&number) => Some(number),
                _ => {
                    let message = format!("{what} wants a whole number from {least} to {most}, not `{text}`");
                    self.error(DiagnosticCode::BadValue, node.at, message);
                    None
                }
            },
            Content::Scalar { text, .. } if !node.is_null() => {
                self.error(DiagnosticCode::WrongType, node.at, format!("{what} wants a whole number, not `{text}`"));
                None
            }
            _ => {
                self.wrong_type(node, what, "a whole number");
                None
            }
        }
    }

    /// One of the words of `T`.
    pub fn word<T: std::str::FromStr>(&mut self, node: &Node, what: &str, known: &[&str]) -> Option<T> {
        let text = self.text(node, what)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => {
                let message = format!("`{text}` is no {what}");
                self.unknown(DiagnosticCode::BadValue, node.at, &message, text, known);
                None
            }
        }
    }

    /// A class that labels sessions, or a list of such classes.
    pub fn labels(&mut self, node: &Node) -> HarmClasses {
        let known: Vec<HarmClass> = HarmClass::labels().collect();
        let words: Vec<&str> = known.iter().map(|class| class.as_str()).collect();
        let mut labels = HarmClasses::NONE;
        for (text, at) in self.texts(node, "`labels`") {
            match text.parse::<HarmClass>() {
                Ok(class) if known.contains(&class) => labels = labels.with(class.into()),
                // A rule that waits for it would never fire.
                Ok(class) => {
                    let message = format!("no session is labelled `{class}`, which is not looked for in results");
                    let help = format!("known here: {}", words.join(", "));
                    self.error_help(DiagnosticCode::BadValue, at, message, help);
                }
                Err(_) => {
                    self.unknown(DiagnosticCode::BadValue, at, &format!("`{text}` is no label"), text, &words);
                }
            }
        }
        labels
    }

    pub(crate) fn pattern(&mut self, text: &Arc<str>, at: At) -> Option<Regex> {
        /// The most memory one compiled pattern may take.
        const MAX_PATTERN_BYTES: usize = 1 << 20;
        if let Some(pattern) = self.patterns.get(text) {
            return Some(pattern.clone());
        }
        match regex::RegexBuilder::new(text).size_limit(MAX_PATTERN_BYTES).build() {
            Ok(pattern) => {
                self.patterns.insert(Arc::clone(text), pattern.clone());
                Some(pattern)
            }
            Err(error) => {
                let why = error.to_string();
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let message = format!("bad regular expression: {why}");
                let help = "expressions run in linear time: look-around and back-references do not exist";
                self.error_help(DiagnosticCode::BadPattern, at, message, help);
                None
            }
        }
    }
}

/// The known word that is most like `found`, if any is close.
fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    /// Below this Jaro-Winkler similarity a suggestion would puzzle more than help.
    const CLOSE: f64 = 0.8;
    let lower = found.to_ascii_lowercase();
    let likeness = |word: &str| {
        // One slip in a short word weighs more than the similarity says.
        let word = word.to_ascii_lowercase();
        let slip = strsim::osa_distance(&lower, &word) == 1;
        strsim::jaro_winkler(&lower, &word).max(if slip { CLOSE } else { 0.0 })
    };
    known
        .iter()
        .map(|word| (likeness(word), *word))
        .filter(|(likeness, _)| *likeness >= CLOSE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}
