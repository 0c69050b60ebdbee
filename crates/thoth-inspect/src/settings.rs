//! What an inspection looks for and what each class of detections leads to.

use std::collections::BTreeMap;

use super::detection::{Action, Class, Confidence, Direction};
use super::walk::is_unjudged;

/// The actions of one class, by direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassActions {
    /// For what goes to a tool.
    pub arguments: Action,
    /// For what comes back.
    pub results: Action,
}

impl ClassActions {
    const fn new(arguments: Action, results: Action) -> Self {
        Self { arguments, results }
    }

    const fn towards(self, direction: Direction) -> Action {
        match direction {
            Direction::Arguments => self.arguments,
            Direction::Results => self.results,
        }
    }
}

/// What to look for and what to do about it.
#[derive(Debug, Clone, PartialEq)]
pub struct InspectSettings {
    /// Keys, tokens, passwords.
    pub secrets: ClassActions,
    /// Cards, accounts, national identifiers.
    pub personal_data: ClassActions,
    /// Shell abuse in arguments.
    pub shell: ClassActions,
    /// Path abuse in arguments.
    pub path: ClassActions,
    /// SQL abuse in arguments.
    pub sql: ClassActions,
    /// Internal addresses in arguments.
    pub ssrf: ClassActions,
    /// Instructions to a model.
    pub injection: ClassActions,
    /// Actions for single kinds, by their id; they win over the class.
    pub kinds: BTreeMap<String, ClassActions>,
    /// Whether mail addresses are personal data.
    pub email: bool,
    /// Whether phone numbers are personal data.
    pub phone: bool,
    /// Hosts that arguments may name although they are internal. `*.corp.example` covers what is below it.
    pub allowed_hosts: Vec<String>,
    /// Files that arguments may name although they are sensitive: a path, or a folder ending in `/`.
    pub allowed_paths: Vec<String>,
    /// Detections below this are left out.
    pub min_confidence: Confidence,
    /// Shannon entropy, in bits per character, from which a value beside a word like `secret` counts as one.
    pub min_entropy: f64,
    /// How many levels of JSON in strings are looked into.
    pub max_nesting: u8,
    /// The longest document that is looked at, in bytes.
    pub max_bytes: usize,
    /// How many detections one document may have.
    pub max_detections: usize,
}

impl Default for InspectSettings {
    /// What is shipped. Altering arguments breaks calls in ways that nobody sees, so nothing redacts them: a human is
    /// asked. A metadata address or a disguised one has no honest use and is refused. Results lose their secrets and
    /// go on; account numbers are what a banking tool is for and only label the session, and so do a password in a parameter
    /// for one and the plain address of a web server on this machine, which developers use all day.
    fn default() -> Self {
        let ask = ClassActions::new(Action::Ask, Action::Allow);
        let block = ClassActions::new(Action::Block, Action::Allow);
        let label = ClassActions::new(Action::Allow, Action::Allow);
        let kinds = [
            ("ssrf.metadata", block),
            ("ssrf.disguised_address", block),
            ("path.null_byte", block),
            ("path.encoded_traversal", block),
            ("secrets.password_argument", label),
            ("ssrf.loopback", label),
            ("personal_data.iban", label),
            ("personal_data.email", label),
            ("personal_data.phone", label),
        ];
        Self {
            secrets: ClassActions::new(Action::Ask, Action::Redact),
            personal_data: ClassActions::new(Action::Ask, Action::Redact),
            shell: ask,
            path: ask,
            sql: ask,
            ssrf: ask,
            injection: ClassActions::new(Action::Ask, Action::Ask),
            kinds: kinds.into_iter().map(|(kind, actions)| (kind.to_owned(), actions)).collect(),
            email: false,
            phone: false,
            allowed_hosts: Vec::new(),
            allowed_paths: Vec::new(),
            min_confidence: Confidence::Medium,
            min_entropy: 3.0,
            max_nesting: 3,
            max_bytes: 10 * 1024 * 1024,
            max_detections: 1000,
        }
    }
}

impl InspectSettings {
    /// What to do about a detection of this class and kind.
    #[must_use]
    pub fn action(&self, class: Class, kind: &str, direction: Direction) -> Action {
        if is_unjudged(kind) {
            return self.action_unjudged(class, kind, direction);
        }
        self.kinds.get(kind).unwrap_or_else(|| self.class(class)).towards(direction)
    }

    /// What to do where a class was not looked for in all values: no less than what any of its kinds may lead to, or many
    /// values would be a way past that. What was not looked at cannot be taken out.
    fn action_unjudged(&self, class: Class, kind: &str, direction: Direction) -> Action {
        let action = self.kinds.get(kind).map_or_else(
            || {
                let of_class = |kind: &str| kind.split('.').next() == Some(class.as_str());
                let kinds = self.kinds.iter().filter(|(kind, _)| of_class(kind)).map(|(_, actions)| actions);
                let all = std::iter::once(self.class(class)).chain(kinds);
                all.map(|actions| actions.towards(direction)).max().unwrap_or(Action::Block)
            },
            |actions| actions.towards(direction),
        );
        if action == Action::Redact { Action::Block } else { action }
    }

    const fn class(&self, class: Class) -> &ClassActions {
        match class {
            Class::Secrets => &self.secrets,
            Class::PersonalData => &self.personal_data,
            Class::Shell => &self.shell,
            Class::Path => &self.path,
            Class::Sql => &self.sql,
            Class::Ssrf => &self.ssrf,
            Class::Injection => &self.injection,
        }
    }
}
