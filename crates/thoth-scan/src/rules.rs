//! Rules: data with a reason, a reference and examples, compiled to one pass over a text.
//!
//! A rule says which concepts of the vocabulary must stand together in a sentence ([`pattern`]); the vocabulary says
//! in several languages by which words a concept shows itself. The rules that ship are in `rules/*.toml`; users may
//! add files of the same form, which can add words and rules and cannot take any away. What needs code is a
//! *detector*: its entry in the same files gives its severity, reason and remedy, and the code looks it up by id.
//!
//! A rule file is TOML:
//!
//! ```toml
//! version = 1
//!
//! [vocabulary]                                  # concepts and the words that show them; `*` lets the last word go on
//! internal_host = ["corp.example", "intranet*"]
//!
//! [[rule]]
//! id = "local.internal-host"
//! version = 1
//! threat = "TOOL_POISONING"                     # one of the six documented types
//! severity = "warning"                          # info, warning or critical
//! message = "speaks of our own hosts"
//! reason = "No public server has a reason to."
//! remedy = "Ask the security team."
//! reference = "internal policy 7"
//! match = ["send ..6 internal_host"]            # any of these patterns, see below
//! across = false                                # true: a match may run over the ends of sentences
//! where = ["description"]                       # only in strings of these roles; left out: everywhere
//! with = []                                     # concepts that must stand in the same text
//! unless = []                                   # concepts that excuse the sentence
//! softened_by = ["mention"]                     # concepts that make it a mere mention (info); this is the default
//! unless_topic = []                             # concepts that excuse it when name or first sentence speak of them
//! positive = ["Send the result to db.corp.example."]
//! negative = ["Send the result to the user."]
//! ```
//!
//! A pattern names concepts in order: `a b` touch, `a ..4 b` have at most four words between them, `..` alone means
//! four, `a|b` is either. `& a b` or `&12 a b` wants them in any order within 16 or 12 words, for languages whose word
//! order differs.

mod concept;
mod detector;
mod evaluate;
mod example;
mod pattern;
mod prose;
mod read;
mod vocabulary;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use crate::role::Role;
use crate::threat::{Severity, Threat};

pub(crate) use concept::{Concept, Concepts};
pub use detector::{Detector, DetectorEntry};
pub(crate) use evaluate::{Match, Scratch};
use pattern::Pattern;
pub use read::RuleError;
use vocabulary::Vocabulary;

/// The files that ship with the crate.
const SHIPPED: &[(&str, &str)] = &[
    ("vocabulary.toml", include_str!("../rules/vocabulary.toml")),
    ("vocabulary-i18n.toml", include_str!("../rules/vocabulary-i18n.toml")),
    ("injection.toml", include_str!("../rules/injection.toml")),
    ("exfiltration.toml", include_str!("../rules/exfiltration.toml")),
    ("steering.toml", include_str!("../rules/steering.toml")),
    ("parameters.toml", include_str!("../rules/parameters.toml")),
    ("vocabulary-classes.toml", include_str!("../rules/vocabulary-classes.toml")),
    ("goals.toml", include_str!("../rules/goals.toml")),
    ("detectors.toml", include_str!("../rules/detectors.toml")),
];

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its stable name, such as `injection.override`.
    pub id: Arc<str>,
    /// Counts up when its meaning changes.
    pub version: u32,
    /// The threat that it finds.
    pub threat: Threat,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, as a sentence for people.
    pub message: String,
    /// Why this is a threat.
    pub reason: String,
    /// What to do about it.
    pub remedy: Arc<str>,
    /// Where it is described: a paper, a CVE, an OWASP entry.
    pub reference: String,
    /// Texts that it must find.
    pub positive: Vec<String>,
    /// Texts that it must not find.
    pub negative: Vec<String>,
    patterns: Vec<Pattern<Concept>>,
    /// Whether its patterns may run over the ends of sentences.
    across: bool,
    /// In which strings it is looked for.
    roles: Vec<Role>,
    /// Concepts that must stand somewhere in the same text.
    with: Concepts,
    /// Concepts whose presence in the sentence excuses it.
    unless: Concepts,
    /// Concepts that make it a mere mention, which is only worth knowing.
    softened_by: Concepts,
    /// Concepts that excuse it when the tool as a whole is about them.
    unless_topic: Concepts,
}

impl Rule {
    /// Whether it is looked for in strings of this role. A rule that names no role is looked for everywhere.
    fn applies_to(&self, role: Role) -> bool {
        self.roles.is_empty() || self.roles.contains(&role)
    }
}

/// A compiled set of rules. Immutable; share it.
#[derive(Debug)]
pub struct RuleSet {
    vocabulary: Vocabulary,
    rules: Vec<Rule>,
    /// For each concept the patterns that it can open, as places in `rules` and in the rule's patterns.
    openers: Vec<Vec<(usize, usize)>>,
    /// Concepts with which a sentence opens that is no description.
    orders: Concepts,
    /// The concept of words that forbid what follows.
    negator: Option<Concept>,
    detectors: BTreeMap<Detector, DetectorEntry>,
}

impl RuleSet {
    /// The rules that ship with this version.
    ///
    /// # Panics
    /// Never: a test loads the same text.
    #[must_use]
    pub fn shipped() -> Arc<Self> {
        static SET: OnceLock<Arc<RuleSet>> = OnceLock::new();
        #[expect(clippy::panic, reason = "the text is compiled in, and a test loads it")]
        Arc::clone(SET.get_or_init(|| match Self::with_files(&[]) {
            Ok(set) => Arc::new(set),
            Err(error) => panic!("{error}"),
        }))
    }

    /// The shipped rules and those of more files, each a name for messages and its text.
    ///
    /// # Errors
    /// The first mistake, with its place. An example of such a file that its rule does not keep is one, too.
    pub fn with_files(files: &[(&str, &str)]) -> Result<Self, RuleError> {
        let all: Vec<(&str, &str)> = SHIPPED.iter().chain(files).copied().collect();
        read::read(&all, SHIPPED.len())
    }

    /// The rules, in the order in which they are written.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }

    /// The detectors and what the data says about each.
    pub fn detectors(&self) -> impl Iterator<Item = (Detector, &DetectorEntry)> {
        self.detectors.iter().map(|(detector, entry)| (*detector, entry))
    }

    pub(crate) fn detector(&self, detector: Detector) -> Option<&DetectorEntry> {
        self.detectors.get(&detector)
    }

    /// The concept with this name, for detectors that look at the same words as the rules do.
    pub(crate) fn concept(&self, name: &str) -> Option<Concept> {
        self.vocabulary.concept(name)
    }
}

#[cfg(test)]
mod tests;
