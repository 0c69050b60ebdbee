//! What is found in pinned definitions: in each alone, and beside the other tools of this installation, as sessions see them.

use std::collections::BTreeMap;

use thoth_shell::exit::Failure;
use thoth_shell::home::Home;
use thoth_store::{Approval, Pin, Pins as _, SqlitePins, related};
use thoth_types::{ItemKind, PinState, ServerName, Severity, Threat};

use crate::scan_rules;

use super::chosen::failed;

/// What is found in pins.
#[derive(Debug, Default)]
pub(crate) struct Found {
    related: BTreeMap<ServerName, Vec<(String, Threat)>>,
}

impl Found {
    /// What is found in these pins.
    pub(crate) fn of<'p>(store: &SqlitePins, pins: impl IntoIterator<Item = &'p Pin>) -> Result<Self, Failure> {
        let mut found = Self::default();
        let mut known = None;
        for pin in pins.into_iter().filter(|pin| pin.key.kind == ItemKind::Tool) {
            if found.related.contains_key(&pin.key.server) {
                continue;
            }
            let (scanner, all) = match known.take() {
                Some(known) => known,
                None => {
                    let all = store.list(None).map_err(|error| failed(&error))?;
                    (scan_rules::scanner(Some(&Home::locate()?), &[])?, all)
                }
            };
            found.related.insert(pin.key.server.clone(), related(&scanner, &pin.key.server, &all));
            known = Some((scanner, all));
        }
        Ok(found)
    }

    /// What is found in the definition of a pin that was seen last.
    pub(crate) fn threats(&self, pin: &Pin) -> Vec<Threat> {
        let Some(latest) = pin.latest() else { return Vec::new() };
        let mut threats = thoth_proxy::scan_definition(pin.key.kind, &latest.fingerprint);
        if pin.key.kind == ItemKind::Tool {
            let related = self.related.get(&pin.key.server).into_iter().flatten();
            threats.extend(related.filter(|(tool, _)| **tool == *pin.key.name).map(|(_, threat)| threat.clone()));
        }
        threats
    }

    /// What is found in an approved definition and was not accepted with it, as after an update of the rules. At first use the
    /// policy has let warnings pass, which is in order; a person was shown them all.
    pub(crate) fn since(&self, pin: &Pin) -> Vec<Threat> {
        self.open(pin, |approval| if approval.by.is_some() { Severity::Warning } else { Severity::Critical })
    }

    /// Whether somebody should look at it.
    pub(crate) fn needs_a_look(&self, pin: &Pin) -> bool {
        pin.state() != PinState::Approved || !self.since(pin).is_empty()
    }

    /// Whether a session may keep it back. Which policy it has is not known here: it may be one that lets no warning pass, or
    /// the warning may have come after the first use.
    pub(crate) fn may_be_kept_back(&self, pin: &Pin) -> bool {
        pin.state() != PinState::Approved || !self.open(pin, |_| Severity::Warning).is_empty()
    }

    /// What is that bad in an approved definition and was not accepted with it.
    fn open(&self, pin: &Pin, least: impl Fn(&Approval) -> Severity) -> Vec<Threat> {
        let approved = pin.approved.as_ref().filter(|_| pin.state() == PinState::Approved);
        let Some((_, approval)) = approved else { return Vec::new() };
        let mut found = self.threats(pin);
        found.retain(|threat| threat.severity >= least(approval) && !approval.accepted.contains(&threat.rule));
        found
    }
}
