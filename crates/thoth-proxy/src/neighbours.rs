//! How the tools of one server relate to each other and to those of the other servers of this installation: an attack that
//! is split over several tools, names that look alike, and tools that talk about each other.
//!
//! The other servers need not be those of this session's client, and what was listed before need not be there any more, so
//! that what is found here is never worse than a warning.

use std::collections::{BTreeMap, HashSet};

use thoth_gate::pin::Pin;
use thoth_types::json::{Limits, Tape, Value};
use thoth_types::{Digest, Fingerprint, ItemKind, ServerName, Severity, Threat};

use crate::scanning::compare;
use crate::warden::Shown;

/// Tools of other servers that are compared with. Whoever has more is warned of less.
const MAX_TOOLS: usize = 4096;

/// What is found in `shown`, each with the name of the tool in which it is.
pub(crate) fn relate(own: &ServerName, shown: &[Shown<'_>], pins: &[Pin]) -> Vec<(String, Threat)> {
    let ours: HashSet<Digest> = shown.iter().map(|one| one.fingerprint.digest).collect();
    let mut others: BTreeMap<&str, Vec<&Fingerprint>> = BTreeMap::new();
    let tools = pins.iter().filter(|pin| pin.key.kind == ItemKind::Tool && pin.key.server != *own && !pin.revoked);
    for pin in tools.take(MAX_TOOLS) {
        // What nobody has approved is no original.
        if let Some((version, _)) = &pin.approved {
            others.entry(pin.key.server.as_str()).or_default().push(&version.fingerprint);
        }
    }
    // The same server under another name, as two clients may call it, is no impostor of itself.
    others.retain(|_, tools| {
        let same = tools.iter().filter(|tool| ours.contains(&tool.digest)).count();
        2 * same < tools.len().min(shown.len()).max(1)
    });
    // A listing comes in pages, and what is split over its tools may be split over those.
    let in_hand: HashSet<&str> = shown.iter().map(|one| &*one.name).collect();
    let own_pins = pins.iter().filter(|pin| pin.key.kind == ItemKind::Tool && pin.key.server == *own);
    let elsewhere =
        own_pins.filter(|pin| !in_hand.contains(&*pin.key.name)).filter_map(|pin| Some(&pin.latest()?.fingerprint));
    let mut sets: Vec<(&str, Vec<&Fingerprint>)> = others.into_iter().collect();
    sets.push((own.as_str(), shown.iter().map(|one| &one.fingerprint).chain(elsewhere.take(MAX_TOOLS)).collect()));
    let mut tapes: Vec<Tape> = sets.iter().flat_map(|(_, tools)| tools).map(|_| Tape::new()).collect();
    let mut free = tapes.iter_mut();
    let mut parsed: Vec<(&str, Vec<Value<'_>>)> = Vec::new();
    let limits = Limits { max_bytes: usize::MAX, ..Limits::default() };
    for (server, tools) in &sets {
        let mut own = Vec::with_capacity(tools.len());
        for (tool, tape) in tools.iter().zip(free.by_ref()) {
            own.extend(tape.parse(tool.definition.as_bytes(), &limits).ok());
        }
        parsed.push((*server, own));
    }
    let found = compare(own.as_str(), &parsed).into_iter().filter(|(server, _, _)| server == own.as_str());
    found
        .map(|(_, tool, threat)| (tool, Threat { severity: threat.severity.min(Severity::Warning), ..threat }))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use thoth_gate::PinKey;
    use thoth_gate::pin::{Approval, Version};
    use thoth_scan::fingerprint::of_definition;

    use super::*;

    fn fingerprint(name: &str, description: &str) -> Fingerprint {
        let text = serde_json::json!({"name": name, "description": description}).to_string();
        let mut tape = Tape::new();
        of_definition(ItemKind::Tool, tape.parse(text.as_bytes(), &Limits::default()).unwrap())
    }

    fn pin(server: &str, name: &str, description: &str) -> Pin {
        let at = Timestamp::UNIX_EPOCH;
        let approval = Approval { by: None, channel: None, origin: "".into(), at, accepted: Arc::from([]) };
        Pin {
            key: PinKey { server: server.parse().unwrap(), kind: ItemKind::Tool, name: name.into() },
            first_seen: at,
            approved: Some((Version { fingerprint: fingerprint(name, description), seen_at: at }, approval)),
            candidate: None,
            revoked: false,
        }
    }

    /// Defends: a server that takes another one's names is noticed and not blocked for it, and a server that is known
    /// under two names is left alone.
    #[test]
    fn impostors_are_told_from_second_names() {
        let send = "Sends an e-mail to the given address with the given subject and body.";
        let pins = [pin("mail", "send_email", send), pin("mail", "list_inbox", "Lists the messages in the inbox.")];
        let own: ServerName = "other".parse().unwrap();
        let shown = |tools: &[(&'static str, &str)]| -> Vec<Shown<'static>> {
            tools
                .iter()
                .map(|(name, text)| Shown { name: (*name).into(), fingerprint: fingerprint(name, text) })
                .collect()
        };
        let found = relate(&own, &shown(&[("send_emai1", send)]), &pins);
        assert!(found.iter().any(|(tool, _)| tool == "send_emai1"), "{found:?}");
        assert!(found.iter().all(|(_, threat)| threat.severity <= Severity::Warning), "{found:?}");
        let twin = shown(&[("send_email", send), ("list_inbox", "Lists the messages in the inbox.")]);
        assert_eq!(relate(&own, &twin, &pins), []);
        assert_eq!(relate(&"mail".parse().unwrap(), &twin, &pins), []);
        assert_eq!(relate(&own, &shown(&[("weather", "Tells the weather of a city.")]), &pins), []);
    }
}
