//! Encoded text in arguments that have no use for it: data carried out in a city's name or an address.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use thoth_text::next_run;

use super::argument_role::Role;
use super::detection::{Class, Confidence};
use super::leaf::{Hit, Leaf, LeafKind};

/// The shortest run that is decoded: shorter ones are words. A survey of a text looks for runs of this length, too.
const MIN_RUN: usize = 20;
/// How much of one run is decoded.
const MAX_RUN: usize = 4096;

/// Finds base64 runs that decode to words.
pub(super) fn find(leaf: &Leaf<'_>, hits: &mut Vec<Hit>) {
    if leaf.kind != LeafKind::Text
        || !matches!(leaf.role, Role::Scalar | Role::Search | Role::Url | Role::Host)
        || !leaf.survey.may_have_run()
    {
        return;
    }
    let bytes = leaf.text.as_bytes();
    let member = |at: usize| {
        bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-'))
    };
    let mut from = 0;
    while let Some(run) = next_run(bytes, from, MIN_RUN, member) {
        from = run.end;
        if let Some(body) = leaf.text.get(run.start..run.end.min(run.start + MAX_RUN)) {
            // In an address the slashes part segments; look at each.
            let parts = if leaf.role == Role::Url { body.split('/').collect() } else { vec![body] };
            for part in parts {
                if carries_words(part) {
                    let confidence = if leaf.role == Role::Url && !speaks_of_secrets(part) {
                        Confidence::Low
                    } else {
                        Confidence::Medium
                    };
                    hits.push(Hit {
                        class: Class::Secrets,
                        kind: "secrets.encoded_text",
                        range: run,
                        confidence,
                        message: "text in base64 where plain words belong",
                    });
                    return;
                }
            }
        }
    }
}

fn decode(run: &str) -> Option<Vec<u8>> {
    // A run cut by other letters may have lost its end: whole groups decode all the same.
    let whole = run.get(..run.len() - run.len() % 4).unwrap_or(run);
    let tried = [run, whole];
    tried.iter().find_map(|run| STANDARD_NO_PAD.decode(run).or_else(|_| URL_SAFE_NO_PAD.decode(run)).ok())
}

/// Whether a run is base64 of readable text. Ordinary words decode to noise.
fn carries_words(run: &str) -> bool {
    if run.len() < MIN_RUN
        || !(run.bytes().any(|byte| byte.is_ascii_lowercase()) && run.bytes().any(|byte| byte.is_ascii_uppercase()))
    {
        return false;
    }
    decode(run).is_some_and(|decoded| {
        let text = decoded
            .iter()
            .filter(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(
                        byte,
                        b' ' | b'-' | b'_' | b'.' | b':' | b'=' | b'@' | b'/' | b',' | b'{' | b'}' | b'"' | b'\n'
                    )
            })
            .count();
        text == decoded.len() && decoded.iter().filter(|byte| byte.is_ascii_lowercase()).count() * 2 >= decoded.len()
    })
}

fn speaks_of_secrets(run: &str) -> bool {
    decode(run).is_some_and(|decoded| {
        let lower = decoded.to_ascii_lowercase();
        ["secret", "passw", "key", "token", "credential", "ssn", "email", "user"]
            .iter()
            .any(|word| memchr::memmem::find(&lower, word.as_bytes()).is_some())
    })
}
