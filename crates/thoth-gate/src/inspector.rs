//! What the policy says about the contents of arguments and results, as the inspection wants to be told it.

use std::sync::Arc;

use thoth_inspect::{Action, Class, ClassActions, Detection, InspectSettings};
use thoth_policy::{InspectRules, Policy};
use thoth_types::{HarmClass, InspectAction, Inspected, Place};

/// The settings for one server under one policy.
#[derive(Debug)]
pub(crate) struct Inspector {
    /// The policy that they stem from. Its text is compared by its place in memory: it lives as long as this does.
    policy: Option<Arc<str>>,
    server: Box<str>,
    rules: InspectRules,
    settings: InspectSettings,
    annotated: [bool; HarmClass::ALL.len()],
}

impl Inspector {
    pub(crate) fn new(policy: Option<&Policy>, server: &str) -> Self {
        let rules = policy.map(|policy| policy.inspect_rules(server)).unwrap_or_default();
        let mut settings = InspectSettings::default();
        let mut annotated = [false; HarmClass::ALL.len()];
        // Words that look like instructions are common in honest texts: without a word from the policy, the model is
        // told, and the result goes on.
        settings.injection.results = Action::Allow;
        for (class, annotated) in HarmClass::ALL.iter().zip(&mut annotated) {
            *annotated = *class == HarmClass::Injection;
            for inspected in Inspected::ALL {
                let Some((action, _)) = rules.action(*class, *inspected) else { continue };
                if *inspected == Inspected::Results {
                    *annotated = action == InspectAction::Annotate;
                }
                set(&mut settings, *class, *inspected, action);
            }
        }
        settings.email = rules.email();
        settings.phone = rules.phone();
        // Who asks for these wants done about them what is done about the class.
        for (wanted, kind) in [(settings.email, "personal_data.email"), (settings.phone, "personal_data.phone")] {
            if wanted {
                settings.kinds.remove(kind);
            }
        }
        settings.allowed_hosts.extend(rules.allowed_hosts().map(str::to_owned));
        settings.allowed_paths.extend(rules.allowed_paths().map(str::to_owned));
        // What is too long was refused by the parser, by the limits that the operator set.
        settings.max_bytes = usize::MAX;
        Self { policy: policy.map(Policy::digest_arc), server: server.into(), rules, settings, annotated }
    }

    /// Whether it is the one for this server under this policy.
    pub(crate) fn is_for(&self, policy: Option<&Policy>, server: &str) -> bool {
        let same = match (&self.policy, policy) {
            (Some(own), Some(policy)) => std::ptr::eq(own.as_ptr(), policy.digest().as_ptr()),
            (None, None) => true,
            _ => false,
        };
        same && *self.server == *server
    }

    pub(crate) const fn settings(&self) -> &InspectSettings {
        &self.settings
    }

    /// What is done about a detection.
    pub(crate) fn action(&self, found: &Detection) -> InspectAction {
        let class = class_of(found);
        let position = HarmClass::ALL.iter().position(|known| *known == class).unwrap_or_default();
        match found.action {
            Action::Allow if self.annotated.get(position) == Some(&true) && is_result(found) => InspectAction::Annotate,
            Action::Allow => InspectAction::Allow,
            Action::Redact => InspectAction::Redact,
            Action::Ask => InspectAction::Ask,
            Action::Block => InspectAction::Block,
        }
    }

    /// Where the policy says what is done about this class.
    pub(crate) fn place(&self, class: HarmClass, inspected: Inspected) -> Option<Place> {
        self.rules.action(class, inspected).map(|(_, place)| place.clone())
    }
}

fn is_result(found: &Detection) -> bool {
    found.direction == thoth_inspect::Direction::Results
}

/// The class of a detection, in the words of policies.
pub(crate) fn class_of(found: &Detection) -> HarmClass {
    match found.class {
        Class::Secrets => HarmClass::Secrets,
        Class::PersonalData => HarmClass::PersonalData,
        Class::Shell => HarmClass::Shell,
        Class::Path => HarmClass::Path,
        Class::Sql => HarmClass::Sql,
        Class::Ssrf => HarmClass::Ssrf,
        Class::Injection => HarmClass::Injection,
    }
}

fn slot(
    settings: &mut InspectSettings,
    class: HarmClass,
) -> (&mut ClassActions, &mut std::collections::BTreeMap<String, ClassActions>) {
    let actions = match class {
        HarmClass::Secrets => &mut settings.secrets,
        HarmClass::PersonalData => &mut settings.personal_data,
        HarmClass::Shell => &mut settings.shell,
        HarmClass::Path => &mut settings.path,
        HarmClass::Sql => &mut settings.sql,
        HarmClass::Ssrf => &mut settings.ssrf,
        HarmClass::Injection => &mut settings.injection,
    };
    (actions, &mut settings.kinds)
}

/// What the policy says of a class holds for all of it, except for kinds that are treated more strictly as they are.
fn set(settings: &mut InspectSettings, class: HarmClass, inspected: Inspected, action: InspectAction) {
    let action = match action {
        InspectAction::Allow | InspectAction::Annotate => Action::Allow,
        InspectAction::Redact => Action::Redact,
        InspectAction::Ask => Action::Ask,
        InspectAction::Block => Action::Block,
    };
    let (actions, kinds) = slot(settings, class);
    let of_class = |kind: &str| kind.split('.').next() == Some(class.as_str());
    for (_, actions) in kinds.iter_mut().filter(|(kind, _)| of_class(kind)) {
        let own = slot_of(actions, inspected);
        *own = (*own).max(action);
    }
    *slot_of(actions, inspected) = action;
}

const fn slot_of(actions: &mut ClassActions, inspected: Inspected) -> &mut Action {
    match inspected {
        Inspected::Arguments => &mut actions.arguments,
        Inspected::Results => &mut actions.results,
    }
}
