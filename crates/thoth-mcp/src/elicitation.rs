//! Questions that the gate itself puts to the client's user.

use crate::encode::{open, push_json_string};

/// A question for the person in front of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Elicitation {
    /// A form with one choice (revision 2025-06-18 and later).
    Form {
        /// What the person reads.
        message: String,
        /// What the person chooses from.
        choice: Choice,
    },
    /// An address to go to (revision 2025-11-25 and later). Nothing but the consent to go there comes back.
    Url {
        /// What the person reads.
        message: String,
        /// Where to go.
        url: String,
        /// Names the question in [`elicitation_complete`]. Revision 2026-07-28 has no such name and is told none.
        elicitation_id: String,
    },
}

/// A field that must be filled in, with one of a few words. There is no default, so that an answer which leaves it out
/// is no choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The field's key in the answer.
    pub name: &'static str,
    /// What stands over it.
    pub title: &'static str,
    /// The words, in the order in which they are shown.
    pub options: &'static [&'static str],
}

/// How much a revision's question says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Legacy,
    Modern,
}

/// An `elicitation/create` request (legacy era), as one line with its newline. `id_raw` is the exact token of its id.
#[must_use]
pub fn elicitation_request(id_raw: &[u8], elicitation: &Elicitation) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    open(&mut out, id_raw);
    out.extend_from_slice(br#","method":"elicitation/create","params":"#);
    push_params(&mut out, elicitation, Shape::Legacy);
    out.extend_from_slice(b"}\n");
    out
}

/// The notification that what a person went to an address for is done (revision 2025-11-25), as one line with its
/// newline.
#[must_use]
pub fn elicitation_complete(elicitation_id: &str) -> Vec<u8> {
    let mut out =
        br#"{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"#.to_vec();
    push_json_string(&mut out, elicitation_id);
    out.extend_from_slice(b"}}\n");
    out
}

/// An answer that asks first (revision 2026-07-28), as one line with its newline: the client puts the question to its
/// user and makes the request again under a new id, with the answer under `key` and with `request_state` as it stands.
#[must_use]
pub fn input_required_result(id_raw: &[u8], key: &str, elicitation: &Elicitation, request_state: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + request_state.len());
    open(&mut out, id_raw);
    out.extend_from_slice(br#","result":{"resultType":"input_required","inputRequests":{"#);
    push_json_string(&mut out, key);
    out.extend_from_slice(br#":{"method":"elicitation/create","params":"#);
    push_params(&mut out, elicitation, Shape::Modern);
    out.extend_from_slice(br#"}},"requestState":"#);
    push_json_string(&mut out, request_state);
    out.extend_from_slice(b"}}\n");
    out
}

fn push_params(out: &mut Vec<u8>, elicitation: &Elicitation, shape: Shape) {
    match elicitation {
        Elicitation::Form { message, choice } => {
            // Revision 2025-06-18 does not know `mode`, and every later one takes a form without it for a form. Where it is
            // known for sure, it is said, for clients that look at nothing else.
            let start =
                if shape == Shape::Modern { br#"{"mode":"form","message":"#.as_slice() } else { br#"{"message":"# };
            out.extend_from_slice(start);
            push_json_string(out, message);
            out.extend_from_slice(br#","requestedSchema":{"type":"object","properties":{"#);
            push_json_string(out, choice.name);
            out.extend_from_slice(br#":{"type":"string","title":"#);
            push_json_string(out, choice.title);
            // The plain list of words is the one spelling of a choice that no revision has changed.
            out.extend_from_slice(br#","enum":["#);
            for (index, option) in choice.options.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                push_json_string(out, option);
            }
            out.extend_from_slice(br#"]}},"required":["#);
            push_json_string(out, choice.name);
            out.extend_from_slice(b"]}}");
        }
        Elicitation::Url { message, url, elicitation_id } => {
            out.extend_from_slice(br#"{"mode":"url","message":"#);
            push_json_string(out, message);
            out.extend_from_slice(br#","url":"#);
            push_json_string(out, url);
            if shape == Shape::Legacy {
                out.extend_from_slice(br#","elicitationId":"#);
                push_json_string(out, elicitation_id);
            }
            out.push(b'}');
        }
    }
}
