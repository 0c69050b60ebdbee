//! Reading rule files. The only module that knows the TOML parser.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use thoth_types::Place;
use toml_edit::{Item, Table};

use super::concept::{Concept, Concepts, MOST_CONCEPTS};
use super::detector::{Detector, DetectorEntry};
use super::pattern;
use super::vocabulary::Builder;
use super::{Rule, RuleSet, example};
use crate::role::Role;
use crate::threat::{Severity, Threat};

/// The concept that makes a rule's match a mere mention, unless the rule says otherwise.
const MENTION: &str = "mention";

/// The concepts with which orders and conditions open.
const ORDERS: &[&str] = &["before", "after", "whenever", "must", "never"];

/// The concept of words that forbid what follows.
const NEGATOR: &str = "negator";

/// A mistake in a rule file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub struct RuleError {
    /// Where it is.
    pub place: Place,
    /// What it is and what to do.
    pub message: String,
}

/// A mistake before its byte offset is turned into a line.
struct Fault {
    at: usize,
    message: String,
}

type Outcome<T> = Result<T, Fault>;

fn fault<T>(at: usize, message: impl Into<String>) -> Outcome<T> {
    Err(Fault { at, message: message.into() })
}

/// Reads files together: all words first, then the rules that use them. The examples of the first `tested` files are held
/// against their rules by tests, and those of the others here.
pub(super) fn read(files: &[(&str, &str)], tested: usize) -> Result<RuleSet, RuleError> {
    let mut vocabulary = Builder::default();
    let mut documents = Vec::new();
    for (name, text) in files {
        let document = toml_edit::Document::parse(*text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            placed(name, text, Fault { at, message: error.message().trim_end().replace('\n', ", ") })
        })?;
        words(document.as_table(), &mut vocabulary).map_err(|fault| placed(name, text, fault))?;
        documents.push((*name, *text, document));
    }
    let mut rules: Vec<Rule> = Vec::new();
    let mut detectors = BTreeMap::new();
    for (name, text, document) in &documents {
        entries(document.as_table(), &vocabulary, &mut rules, &mut detectors)
            .map_err(|fault| placed(name, text, fault))?;
    }
    let vocabulary = vocabulary.build().map_err(|error| {
        let (name, text) = files.last().copied().unwrap_or_default();
        placed(name, text, Fault { at: 0, message: format!("the vocabulary cannot be compiled: {error}") })
    })?;
    let openers = openers(&rules);
    let orders = ORDERS.iter().filter_map(|name| vocabulary.concept(name)).collect();
    let negator = vocabulary.concept(NEGATOR);
    let set = RuleSet { vocabulary, rules, openers, orders, negator, detectors };
    for (name, text, document) in documents.iter().skip(tested) {
        examples(document.as_table(), &set).map_err(|fault| placed(name, text, fault))?;
    }
    Ok(set)
}

/// Holds the examples of a file against its rules.
fn examples(table: &Table, set: &RuleSet) -> Outcome<()> {
    for entry in tables(table, "rule")? {
        let entry = Entry::new(entry);
        let id = entry.text("id")?.0;
        let Some(rule) = set.rules.iter().find(|rule| &*rule.id == id) else { continue };
        for (key, wanted) in [("positive", true), ("negative", false)] {
            for (text, at) in entry.list(key)? {
                if example::finds(set, rule, &text) != wanted {
                    let finds = if wanted { "does not find" } else { "finds" };
                    return fault(at, format!("the rule `{id}` {finds} its {key} example `{text}`"));
                }
            }
        }
    }
    Ok(())
}

/// Every match of a pattern has a term of its first place; that is how the pattern is come by.
fn openers(rules: &[Rule]) -> Vec<Vec<(usize, usize)>> {
    let mut openers = vec![Vec::new(); MOST_CONCEPTS];
    for (index, rule) in rules.iter().enumerate() {
        for (number, pattern) in rule.patterns.iter().enumerate() {
            for concept in pattern.slots.first().into_iter().flat_map(|slot| &slot.any_of) {
                if let Some(list) = openers.get_mut(usize::from(concept.0)) {
                    list.push((index, number));
                }
            }
        }
    }
    openers
}

fn placed(name: &str, text: &str, fault: Fault) -> RuleError {
    let before = text.get(..text.floor_char_boundary(fault.at)).unwrap_or_default();
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    RuleError {
        place: Place { file: Arc::from(name), line: narrow(line), column: narrow(column) },
        message: fault.message,
    }
}

fn start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |span| span.start)
}

fn words(table: &Table, vocabulary: &mut Builder) -> Outcome<()> {
    for (key, item) in table {
        let at = start(table.key(key).and_then(toml_edit::Key::span));
        if !matches!(key, "version" | "vocabulary" | "rule" | "detector") {
            return fault(
                at,
                format!("unknown key `{key}`; a rule file has `version`, `vocabulary`, `rule` and `detector`"),
            );
        }
        if key == "version" && item.as_integer() != Some(1) {
            return fault(start(item.span()), "this version reads rule files of `version = 1`");
        }
    }
    let Some(item) = table.get("vocabulary") else { return Ok(()) };
    let Some(concepts) = item.as_table_like() else {
        return fault(start(item.span()), "`vocabulary` is a table of concepts");
    };
    for (name, item) in concepts.iter() {
        let at = start(concepts.key(name).and_then(toml_edit::Key::span));
        let Some(concept) = vocabulary.concept(name) else { return fault(at, "too many concepts") };
        for (term, at) in texts(item, name)? {
            if !vocabulary.term(concept, &term) {
                return fault(at, format!("nothing of `{term}` can be looked for"));
            }
        }
    }
    Ok(())
}

/// A list of strings with their places.
fn texts(item: &Item, name: &str) -> Outcome<Vec<(String, usize)>> {
    let Some(list) = item.as_array() else {
        return fault(start(item.span()), format!("`{name}` is a list of strings"));
    };
    list.iter()
        .map(|value| match value.as_str() {
            Some(text) => Ok((text.to_owned(), start(value.span()))),
            None => fault(start(value.span()), format!("`{name}` is a list of strings")),
        })
        .collect()
}

fn entries(
    table: &Table,
    vocabulary: &Builder,
    rules: &mut Vec<Rule>,
    detectors: &mut BTreeMap<Detector, DetectorEntry>,
) -> Outcome<()> {
    for entry in tables(table, "rule")? {
        let rule = Entry::new(entry).rule(vocabulary)?;
        if rules.iter().any(|known| known.id == rule.id) {
            return fault(start(entry.span()), format!("there is a rule `{}` already", rule.id));
        }
        rules.push(rule);
    }
    for entry in tables(table, "detector")? {
        let (detector, data) = Entry::new(entry).detector()?;
        if detectors.insert(detector, data).is_some() {
            return fault(start(entry.span()), format!("there is an entry for `{}` already", detector.id()));
        }
    }
    Ok(())
}

fn tables<'t>(table: &'t Table, name: &str) -> Outcome<Vec<&'t Table>> {
    match table.get(name) {
        None => Ok(Vec::new()),
        Some(item) => match item.as_array_of_tables() {
            Some(list) => Ok(list.iter().collect()),
            None => fault(start(item.span()), format!("write `[[{name}]]` for each")),
        },
    }
}

/// One `[[rule]]` or `[[detector]]`.
struct Entry<'t> {
    table: &'t Table,
    at: usize,
}

const RULE_KEYS: &[&str] = &[
    "id",
    "version",
    "threat",
    "severity",
    "message",
    "reason",
    "remedy",
    "reference",
    "match",
    "across",
    "where",
    "with",
    "unless",
    "softened_by",
    "unless_topic",
    "positive",
    "negative",
];
const DETECTOR_KEYS: &[&str] = &["id", "version", "threat", "severity", "reason", "remedy", "reference"];

impl<'t> Entry<'t> {
    fn new(table: &'t Table) -> Self {
        Self { table, at: start(table.span()) }
    }

    fn known_keys(&self, known: &[&str]) -> Outcome<()> {
        for (key, _) in self.table {
            if !known.contains(&key) {
                let at = start(self.table.key(key).and_then(toml_edit::Key::span));
                return fault(at, format!("unknown key `{key}`; known are {}", known.join(", ")));
            }
        }
        Ok(())
    }

    fn text(&self, key: &str) -> Outcome<(&'t str, usize)> {
        match self.table.get(key) {
            None => fault(self.at, format!("`{key}` is missing")),
            Some(item) => match item.as_str() {
                Some(text) if !text.trim().is_empty() => Ok((text, start(item.span()))),
                _ => fault(start(item.span()), format!("`{key}` is a text")),
            },
        }
    }

    fn list(&self, key: &str) -> Outcome<Vec<(String, usize)>> {
        self.table.get(key).map_or_else(|| Ok(Vec::new()), |item| texts(item, key))
    }

    fn named<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>, known: &str) -> Outcome<T> {
        let (word, at) = self.text(key)?;
        parse(word).map_or_else(|| fault(at, format!("`{word}` is not one of {known}")), Ok)
    }

    fn flag(&self, key: &str) -> Outcome<bool> {
        let Some(item) = self.table.get(key) else { return Ok(false) };
        item.as_bool().map_or_else(|| fault(start(item.span()), format!("`{key}` is true or false")), Ok)
    }

    fn version(&self) -> Outcome<u32> {
        let item = self.table.get("version");
        let version = item.and_then(Item::as_integer).and_then(|n| u32::try_from(n).ok());
        version
            .map_or_else(|| fault(item.map_or(self.at, |item| start(item.span())), "`version` is a whole number"), Ok)
    }

    fn threat(&self) -> Outcome<Threat> {
        self.named("threat", Threat::parse, &Threat::ALL.map(Threat::as_str).join(", "))
    }

    fn severity(&self) -> Outcome<Severity> {
        self.named("severity", Severity::parse, &Severity::ALL.map(Severity::as_str).join(", "))
    }

    fn concepts(&self, key: &str, vocabulary: &Builder) -> Outcome<Concepts> {
        let find = |(name, at): (String, usize)| -> Outcome<Concept> {
            vocabulary
                .known(&name)
                .map_or_else(|| fault(at, format!("`{name}` is not a concept of the vocabulary")), Ok)
        };
        self.list(key)?.into_iter().map(find).collect()
    }

    fn rule(&self, vocabulary: &Builder) -> Outcome<Rule> {
        self.known_keys(RULE_KEYS)?;
        let mut patterns = Vec::new();
        for (text, at) in self.list("match")? {
            match pattern::parse(&text, |name| vocabulary.known(name)) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => return fault(at, error.to_string()),
            }
        }
        if patterns.is_empty() {
            return fault(self.at, "`match` is missing");
        }
        let mut roles = Vec::new();
        for (word, at) in self.list("where")? {
            let Some(role) = Role::parse(&word) else {
                return fault(at, format!("`{word}` is not one of {}", Role::ALL.map(Role::as_str).join(", ")));
            };
            roles.push(role);
        }
        let softened_by = match self.table.get("softened_by") {
            Some(_) => self.concepts("softened_by", vocabulary)?,
            None => vocabulary.known(MENTION).into_iter().collect(),
        };
        let plain = |key| self.list(key).map(|list| list.into_iter().map(|(text, _)| text).collect::<Vec<_>>());
        let (positive, negative) = (plain("positive")?, plain("negative")?);
        if positive.is_empty() || negative.is_empty() {
            return fault(self.at, "a rule has at least one `positive` and one `negative` example");
        }
        Ok(Rule {
            id: Arc::from(self.text("id")?.0),
            version: self.version()?,
            threat: self.threat()?,
            severity: self.severity()?,
            message: self.text("message")?.0.to_owned(),
            reason: self.text("reason")?.0.to_owned(),
            remedy: Arc::from(self.text("remedy")?.0),
            reference: self.text("reference")?.0.to_owned(),
            positive,
            negative,
            patterns,
            across: self.flag("across")?,
            roles,
            with: self.concepts("with", vocabulary)?,
            unless: self.concepts("unless", vocabulary)?,
            softened_by,
            unless_topic: self.concepts("unless_topic", vocabulary)?,
        })
    }

    fn detector(&self) -> Outcome<(Detector, DetectorEntry)> {
        self.known_keys(DETECTOR_KEYS)?;
        let (id, at) = self.text("id")?;
        let Some(detector) = Detector::parse(id) else { return fault(at, format!("there is no detector `{id}`")) };
        let entry = DetectorEntry {
            id: Arc::from(id),
            version: self.version()?,
            threat: self.threat()?,
            severity: self.severity()?,
            reason: self.text("reason")?.0.to_owned(),
            remedy: Arc::from(self.text("remedy")?.0),
            reference: self.text("reference")?.0.to_owned(),
        };
        Ok((detector, entry))
    }
}
