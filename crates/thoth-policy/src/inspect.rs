//! What is done about what an inspection finds in arguments and results, as files ask for it together.

use std::collections::BTreeSet;
use std::sync::Arc;

use thoth_types::{HarmClass, InspectAction, Inspected, Place};

use crate::approvals::both;
use crate::integrity::{Said, stricter};
use crate::name;
use crate::policy::Policy;
use crate::text_match::TextMatch;

/// What one file says.
#[derive(Debug, Clone, Default)]
pub(crate) struct InspectDraft {
    /// By class, in the order of [`HarmClass::ALL`]: for arguments and for results.
    pub(crate) actions: [[Option<Said<InspectAction>>; 2]; HarmClass::ALL.len()],
    pub(crate) email: Option<bool>,
    pub(crate) phone: Option<bool>,
    pub(crate) allowed_hosts: Option<BTreeSet<Arc<str>>>,
    pub(crate) allowed_paths: Option<BTreeSet<Arc<str>>>,
}

/// One file's section: what it says of all servers, and of some.
#[derive(Debug, Clone, Default)]
pub(crate) struct InspectSection {
    pub(crate) all: InspectDraft,
    pub(crate) servers: Vec<(TextMatch, InspectDraft)>,
}

/// What the policy says for one server. Where it says nothing, whoever inspects has defaults of its own.
#[derive(Debug, Clone, Default)]
pub struct InspectRules {
    said: InspectDraft,
    sanitized: Option<Place>,
}

fn slot(class: HarmClass, inspected: Inspected) -> (usize, usize) {
    let class = HarmClass::ALL.iter().position(|known| *known == class).unwrap_or_default();
    (class, usize::from(inspected == Inspected::Results))
}

impl InspectDraft {
    pub(crate) fn set(&mut self, class: HarmClass, inspected: Inspected, said: Said<InspectAction>) {
        let (class, direction) = slot(class, inspected);
        if let Some(place) = self.actions.get_mut(class).and_then(|actions| actions.get_mut(direction)) {
            *place = Some(said);
        }
    }

    fn get(&self, class: HarmClass, inspected: Inspected) -> Option<&Said<InspectAction>> {
        let (class, direction) = slot(class, inspected);
        self.actions.get(class)?.get(direction)?.as_ref()
    }

    /// Both at once, action by action as `join` says.
    fn joined(
        mut self,
        other: Self,
        join: impl Fn(Option<Said<InspectAction>>, Option<Said<InspectAction>>) -> Option<Said<InspectAction>>,
    ) -> Self {
        for (own, others) in self.actions.iter_mut().flatten().zip(other.actions.into_iter().flatten()) {
            *own = join(own.take(), others);
        }
        self
    }

    /// Both at once: the stricter of each, and only what both allow.
    fn and(self, other: Self) -> Self {
        Self {
            email: both(self.email, other.email, |one, other| one || other),
            phone: both(self.phone, other.phone, |one, other| one || other),
            allowed_hosts: both(self.allowed_hosts.clone(), other.allowed_hosts.clone(), |one, other| &one & &other),
            allowed_paths: both(self.allowed_paths.clone(), other.allowed_paths.clone(), |one, other| &one & &other),
            ..self.joined(other, |one, other| both(one, other, stricter))
        }
    }

    /// This where it says something, else the other.
    fn or(self, other: Self) -> Self {
        Self {
            email: self.email.or(other.email),
            phone: self.phone.or(other.phone),
            allowed_hosts: self.allowed_hosts.clone().or_else(|| other.allowed_hosts.clone()),
            allowed_paths: self.allowed_paths.clone().or_else(|| other.allowed_paths.clone()),
            ..self.joined(other, Option::or)
        }
    }
}

impl InspectSection {
    /// What the file says of this server: an entry that names it comes before what is said of all, and of several such
    /// entries the strictest holds.
    fn of(&self, server: &str) -> InspectDraft {
        let reads_as = name::normalised(server);
        let named = self.servers.iter().filter(|(names, _)| names.matches(server) || names.matches(&reads_as));
        let own = named.map(|(_, own)| own.clone()).reduce(InspectDraft::and).unwrap_or_default();
        own.or(self.all.clone())
    }
}

impl InspectRules {
    /// What is done about this class, and where the policy says so; `None` where it does not say.
    #[must_use]
    pub fn action(&self, class: HarmClass, inspected: Inspected) -> Option<(InspectAction, &Place)> {
        let said = self.said.get(class, inspected).map(|said| (said.value, &said.place));
        let sanitizes =
            inspected == Inspected::Arguments && matches!(class, HarmClass::Shell | HarmClass::PersonalData);
        match (said, &self.sanitized) {
            (Some(said), _) if said.0 == InspectAction::Block => Some(said),
            (_, Some(place)) if sanitizes => Some((InspectAction::Block, place)),
            (said, _) => said,
        }
    }

    /// Whether mail addresses are personal data.
    #[must_use]
    pub fn email(&self) -> bool {
        self.said.email.unwrap_or_default()
    }

    /// Whether phone numbers are personal data.
    #[must_use]
    pub fn phone(&self) -> bool {
        self.said.phone.unwrap_or_default()
    }

    /// Internal hosts that arguments may name.
    pub fn allowed_hosts(&self) -> impl Iterator<Item = &str> {
        self.said.allowed_hosts.iter().flatten().map(|host| &**host)
    }

    /// Sensitive files and folders that arguments may name.
    pub fn allowed_paths(&self) -> impl Iterator<Item = &str> {
        self.said.allowed_paths.iter().flatten().map(|path| &**path)
    }
}

impl Policy {
    /// What is done about what is found in the arguments and results of this server's tools.
    #[must_use]
    pub fn inspect_rules(&self, server: &str) -> InspectRules {
        let all = self.inspect.iter().map(|section| section.of(server));
        InspectRules {
            said: all.reduce(InspectDraft::and).unwrap_or_default(),
            sanitized: self.lists.sanitized.clone(),
        }
    }
}
