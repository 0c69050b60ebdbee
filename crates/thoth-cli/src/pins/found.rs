//! What is found in pinned definitions: in each alone, and beside the other tools of this installation, as sessions see them.

use thoth_shell::exit::Failure;
use thoth_shell::home::Home;
use thoth_store::{Pin, Pins as _, SqlitePins, related};
use thoth_types::{ItemKind, Threat};

use crate::scan_rules;

use super::chosen::failed;

/// What is found in the pins of one server.
#[derive(Debug, Default)]
pub(crate) struct Found {
    related: Vec<(String, Threat)>,
}

impl Found {
    /// What is found in these pins, which are of one server.
    pub(crate) fn of(store: &SqlitePins, pins: &[Pin]) -> Result<Self, Failure> {
        let Some(first) = pins.iter().find(|pin| pin.key.kind == ItemKind::Tool) else { return Ok(Self::default()) };
        let scanner = scan_rules::scanner(Some(&Home::locate()?), &[])?;
        let all = store.list(None).map_err(|error| failed(&error))?;
        Ok(Self { related: related(&scanner, &first.key.server, &all) })
    }

    /// What is found in the definition of a pin that was seen last.
    pub(crate) fn threats(&self, pin: &Pin) -> Vec<Threat> {
        let Some(latest) = pin.latest() else { return Vec::new() };
        let mut threats = thoth_proxy::scan_definition(pin.key.kind, &latest.fingerprint);
        if pin.key.kind == ItemKind::Tool {
            let own = self.related.iter().filter(|(tool, _)| **tool == *pin.key.name);
            threats.extend(own.map(|(_, threat)| threat.clone()));
        }
        threats
    }
}
