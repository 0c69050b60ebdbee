//! What a person may see of a detection.

use super::detection::Class;
use super::leaf::Hit;

/// How much of a harmless text is shown.
const SHOWN: usize = 100;

/// A preview of what was found in a text: masked for what is secret, shortened for the rest. Beside a secret nothing of the text is shown.
pub(super) fn of(text: &str, hit: &Hit, beside_secret: bool) -> String {
    let Some(text) = text.get(hit.range.clone()) else { return String::new() };
    match hit.class {
        Class::Secrets => {
            let known = !hit.kind.starts_with("secrets.password")
                && hit.kind != "secrets.url_password"
                && hit.kind != "secrets.encoded_text";
            let shown = if known && text.len() >= 20 { text.get(..4).unwrap_or_default() } else { "" };
            format!("{shown}… ({} characters)", text.chars().count())
        }
        Class::PersonalData => {
            let digits: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).collect();
            let tail: String =
                digits.iter().skip(digits.len().saturating_sub(if digits.len() > 8 { 4 } else { 0 })).collect();
            let tail = if digits.len() > 8 { tail } else { String::new() };
            format!("…{tail} ({} characters)", text.chars().count())
        }
        _ if beside_secret => format!("({} characters)", text.chars().count()),
        _ => {
            let mut shown: String = text
                .chars()
                .take(SHOWN)
                .map(|character| if character.is_control() { ' ' } else { character })
                .collect();
            if text.chars().nth(SHOWN).is_some() {
                shown.push('…');
            }
            shown
        }
    }
}
