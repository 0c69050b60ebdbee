//! For whom a policy bundle is, as it is written: `all`, `fleet:ID`, `endpoint:ID`, `agent:ID`, or an agent's id alone.
//!
//! A word that is nearly one of these is refused: taken for the id of an agent, the bundle would hold for nobody, and nobody
//! would notice. An agent of such a name is written with its kind.

use strsim::osa_distance;
use thoth_types::{AgentId, EndpointId};

use crate::enforce::id as identifier;
use crate::fault::Fault;

/// What stands before the colon.
const KINDS: [&str; 3] = ["fleet", "endpoint", "agent"];
/// Other words for all.
const EVERYBODY: [&str; 5] = ["*", "any", "everyone", "everybody", "everything"];

/// An assignment in its one spelling.
pub(crate) fn parse(text: &str) -> Result<String, Fault> {
    match text.split_once(':') {
        None if text == "all" => Ok(text.to_owned()),
        None => match mistaken(text) {
            Some(meant) => Err(refused(Some(&meant))),
            None => identifier::<AgentId>("assignments", text).map(|_| format!("agent:{text}")),
        },
        Some(("agent", id)) => identifier::<AgentId>("assignments", id).map(|_| text.to_owned()),
        Some(("endpoint" | "fleet", id)) => identifier::<EndpointId>("assignments", id).map(|_| text.to_owned()),
        Some((kind, _)) => {
            let kind = kind.trim().to_lowercase();
            let meant = match &*kind {
                // The names of agents that prove who they are.
                "did" => Some("agent:did:…".to_owned()),
                _ if is_nearly(&kind, "all") => Some("all".to_owned()),
                _ => KINDS.into_iter().find(|known| is_nearly(&kind, known)).map(|kind| format!("{kind}:ID")),
            };
            Err(refused(meant.as_deref()))
        }
    }
}

/// What somebody meant who left out a kind, if that is one of its words.
fn mistaken(text: &str) -> Option<String> {
    let word = text.trim().to_lowercase();
    if is_nearly(&word, "all") || EVERYBODY.contains(&&*word) {
        return Some("all".to_owned());
    }
    KINDS.into_iter().find(|kind| is_nearly(&word, kind)).map(|kind| format!("{kind}:ID"))
}

/// Whether a word in lower case is that one, but for a letter.
fn is_nearly(word: &str, known: &str) -> bool {
    // Of a long word nothing is near, and comparing takes the longer the longer it is.
    word.len() <= 2 * known.len() && osa_distance(word, known) <= 1
}

fn refused(meant: Option<&str>) -> Fault {
    let forms = "an assignment is `all`, `fleet:ID`, `endpoint:ID` or `agent:ID`";
    Fault::bad(meant.map_or_else(|| forms.to_owned(), |meant| format!("{forms}; did you mean `{meant}`?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken, and as what; and what is refused, and what was meant.
    #[test]
    fn the_table_of_assignments() {
        for (text, taken) in [
            ("all", "all"),
            ("bot", "agent:bot"),
            ("agent:bot", "agent:bot"),
            ("agent:all", "agent:all"),
            ("agent:fleet", "agent:fleet"),
            ("agent:did:key:z6Mk", "agent:did:key:z6Mk"),
            ("fleet:berlin", "fleet:berlin"),
            ("endpoint:m:1", "endpoint:m:1"),
            ("allocator", "agent:allocator"),
            ("fleet-manager", "agent:fleet-manager"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(taken), "{text}");
        }
        for (text, meant) in [
            ("ALL", "`all`?"),
            ("al", "`all`?"),
            ("alll", "`all`?"),
            (" all", "`all`?"),
            ("*", "`all`?"),
            ("Everyone", "`all`?"),
            ("all:", "`all`?"),
            ("fleet", "`fleet:ID`?"),
            ("Fleets", "`fleet:ID`?"),
            ("feet:berlin", "`fleet:ID`?"),
            ("FLEET:berlin", "`fleet:ID`?"),
            ("agents:x", "`agent:ID`?"),
            ("agent", "`agent:ID`?"),
            ("endpoints:m1", "`endpoint:ID`?"),
            ("did:key:z6Mk", "`agent:did:…`?"),
            ("machine:m1", "or `agent:ID`"),
            (":x", "or `agent:ID`"),
        ] {
            let message = parse(text).unwrap_err().message;
            assert!(message.ends_with(meant), "{text}: {message}");
        }
        for text in ["", "agent:", "fleet:", "endpoint: ", "bot\n"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
