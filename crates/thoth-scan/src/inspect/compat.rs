//! The documented checks of the Agent Governance Toolkit's gateway, trust proxy and response scanner, under their own
//! names and with their own reason texts, without their defects. Its `blocked_patterns` are the policy's
//! (`gateway.blocked_patterns`).
//!
//! | toolkit | here | why |
//! |---|---|---|
//! | matches the ASCII-escaped JSON dump of the parameters | matches each decoded string and key | an escaped letter, quote or backslash could never match |
//! | regular expressions that backtrack | linear-time expressions | a 100 kB argument stalled it for half a minute |
//! | sixteen digits in fours are a card | and an issuer's range and Luhn's check digit | order numbers are no cards |
//! | any `ddd-dd-dddd` is a social security number | and the rules of its issuer | part numbers are none |
//! | `;`, `$(` and backticks are abuse in any text | not in prose, code and words to search for, judged by the argument's role | Markdown is full of backticks |
//! | scanner and proxy look at values only | keys too | an instruction in a key passed |
//! | look-alike letters, invisible characters and encodings pass | the normalised view and decoded segments are matched too | one zero-width space evaded every rule |
//! | a credential's neighbours are told by regular expressions | [`inspect_result`](super::inspect_result)'s detectors | they know check digits and context |
//! | e-mail addresses, dotted quads and phone numbers block a response | reported only where the caller asks for them | ordinary text was refused |
//! | a nested tag survives sanitising | nothing is stripped: the detection's span is replaced | stripping splices new tags together |
//! | an error of the scanner is one more finding | [`super::Inspection::incomplete`] | failure tightens |

mod family;
mod response;

pub use family::{Builtin, TrustFamily, builtin_sanitization, trust_proxy_scan};
pub use response::{ResponseCategory, ResponseThreat, scan_response};

use thoth_types::json::{Kind, Value};

/// How deep in a document strings are looked for. The parser admits no more.
const MAX_DEPTH: u16 = 256;

/// Calls `each` with every key and string: the nearest key above it, and its text. Stops when `each` says so.
fn strings(value: Value<'_>, key: &str, depth: u16, each: &mut impl FnMut(&str, &str) -> bool) -> bool {
    if depth >= MAX_DEPTH {
        return true;
    }
    match value.kind() {
        Kind::Object => value.members().all(|(name, value)| {
            let Some(name) = name.as_str() else { return true };
            each(key, &name) && strings(value, &name, depth + 1, each)
        }),
        Kind::Array => value.elements().all(|value| strings(value, key, depth + 1, each)),
        Kind::String => value.as_str().is_none_or(|text| each(key, &text)),
        Kind::Number => value.number_text().is_none_or(|text| each(key, text)),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
