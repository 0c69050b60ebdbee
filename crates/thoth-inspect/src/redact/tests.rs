//! Redaction leaves valid JSON that has lost exactly what was found and says so.

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use thoth_types::json::{Limits, Tape};

use super::super::{Confidence, InspectSettings, inspect_result};
use super::*;

fn parsed<R>(document: &[u8], look: impl FnOnce(Value<'_>) -> R) -> R {
    let mut tape = Tape::new();
    look(tape.parse(document, &Limits::default()).expect("valid JSON"))
}

fn settings() -> InspectSettings {
    // Everything that can be redacted is.
    let mut settings = InspectSettings { min_confidence: Confidence::Medium, ..InspectSettings::default() };
    settings.kinds.remove("personal_data.iban");
    settings
}

fn redacted(document: &str, schema: Option<&str>) -> Result<String, NotRedactable> {
    let inspection = parsed(document.as_bytes(), |value| inspect_result("t", value, &settings()));
    let out = match schema {
        Some(schema) => parsed(schema.as_bytes(), |schema| redact(document.as_bytes(), &inspection, Some(schema))),
        None => redact(document.as_bytes(), &inspection, None),
    };
    out.map(|out| String::from_utf8(out.document).unwrap())
}

const TOKEN: &str = "ghp_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2";

/// Defends: the mark of a password announces no other; what was taken out once is not found again in its mark.
#[test]
fn a_mark_announces_nothing() {
    let document = r#"{"t": "{\"password\":\"Tr0ub4dorrd\":\"Tr0ub4dor&3\"}"}"#;
    let once = redacted(document, None).unwrap();
    assert!(once.contains("[REDACTED:secrets.password]"), "{once}");
    assert_eq!(redacted(&once, None).unwrap(), once);
    let behind = r#"{"t": "[REDACTED:secrets.password]: Tr0ub4dor&3"}"#;
    assert_eq!(redacted(behind, None).unwrap(), behind);
    let around = r#"{"password": "x@[REDACTED:personal_data.email]"}"#;
    assert_eq!(redacted(around, None).unwrap(), around);
    let cut = r#"{"t": "\"password\":\"Tr0ub4ddor&++[REDACTED:personal_data.phone]\""}"#;
    assert_eq!(redacted(cut, None).unwrap(), cut, "a value with a blank in it is a sentence, as before it was cut");
    let hidden = redacted(r#"{"password": "[REDACTED:secrets.a]Tr0ub4dor&3"}"#, None).unwrap();
    assert!(!hidden.contains("Tr0ub4dor"), "a mark excuses nothing beside it: {hidden}");
    // Only a whole mark is one.
    let unclosed = redacted(r#"{"t": "[REDACTED:secrets.password: Tr0ub4dor&3"}"#, None).unwrap();
    assert!(!unclosed.contains("Tr0ub4dor"), "{unclosed}");
}

#[test]
fn every_place_of_a_secret() {
    for (document, expected) in [
        (format!(r#"{{"a": "x {TOKEN} y"}}"#), r#"{"a": "x [REDACTED:secrets.github_token] y"}"#),
        (
            format!(r#"["\u0067{}\n\"q\"", 1.50]"#, TOKEN.get(1..).unwrap()),
            r#"["[REDACTED:secrets.github_token]\n\"q\"", 1.50]"#,
        ),
        (
            format!(r#"{{"{TOKEN}": 1, "x{TOKEN}": 2}}"#),
            r#"{"[REDACTED:secrets.github_token#1]": 1, "xghp_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2": 2}"#,
        ),
        (
            format!(
                r#"{{"text": "{{\"k\": \"\\u0067{}\", \"deep\": \"[\\\"{TOKEN}\\\"]\"}}"}}"#,
                TOKEN.get(1..).unwrap()
            ),
            r#"{"text": "{\"k\": \"[REDACTED:secrets.github_token]\", \"deep\": \"[\\\"[REDACTED:secrets.github_token]\\\"]\"}"}"#,
        ),
        (
            r#"{"card_number": 4111111111111111, "n": 12345678901234567890}"#.to_owned(),
            r#"{"card_number": 0, "n": 12345678901234567890}"#,
        ),
        (
            format!(r#"{{"é\u00e9": "\ud83d\ude00{TOKEN}\ud83d\ude00"}}"#),
            r#"{"é\u00e9": "\ud83d\ude00[REDACTED:secrets.github_token]\ud83d\ude00"}"#,
        ),
        (r#"{"password": "Tr0ub4dor&3"}"#.to_owned(), r#"{"password": "[REDACTED:secrets.password]"}"#),
        (r#"{"a": "nothing"}"#.to_owned(), r#"{"a": "nothing"}"#),
    ] {
        let once = redacted(&document, None).unwrap();
        assert_eq!(once, expected);
        assert_eq!(redacted(&once, None).unwrap(), once, "once is enough");
    }
}

/// Defends output schemas: what a client validates stays valid, or nothing is handed out.
#[test]
fn schemas_stay_satisfied() {
    let result = |value: &str| format!(r#"{{"content": [], "structuredContent": {{"v": {value}}}}}"#);
    let token = format!("\"{TOKEN}\"");
    for (value, schema, expected) in [
        (token.as_str(), r#"{"type": "string"}"#, Some(r#""[REDACTED:secrets.github_token]""#)),
        (&token, r#"{"type": "string", "maxLength": 12}"#, Some(r#""[REDACTED]""#)),
        (&token, r#"{"type": "string", "format": "email"}"#, Some(r#""secrets-github-token@redacted.invalid""#)),
        (&token, r#"{"type": "string", "format": "uri"}"#, Some(r#""redacted:secrets-github-token""#)),
        (
            &token,
            r#"{"type": "string", "minLength": 40, "maxLength": 40}"#,
            Some(r#""[REDACTED:secrets.github_token]*********""#),
        ),
        (&token, r#"{"type": "string", "pattern": "^[a-z]+$"}"#, Some(r#""redacted""#)),
        (&token, r#"{"$ref": "\#/$defs/short", "x": 1}"#, Some(r#""[REDACTED:secrets.github_token]""#)),
        (&token, r#"{"anyOf": [{"type": "null"}, {"type": "string", "maxLength": 3}]}"#, Some(r#""***""#)),
        (&token, r#"{"enum": ["a", "b"]}"#, None),
        (&token, r#"{"type": "string", "pattern": "^ghp_"}"#, None),
        (r#"4111111111111111"#, r#"{"type": "integer", "minimum": 10}"#, Some("10")),
        (r#"4111111111111111"#, r#"{"type": "integer"}"#, Some("0")),
    ] {
        let property = if value.starts_with('4') { "card_number" } else { "v" };
        let document = result(value).replace("\"v\"", &format!("\"{property}\""));
        let schema = format!(r#"{{"type": "object", "properties": {{"{property}": {}}}}}"#, schema.replace("\\#", "#"));
        let schema = schema.replace("#/$defs/short", &format!("#/properties/{property}/x2"));
        match (redacted(&document, Some(&schema)), expected) {
            (Ok(out), Some(expected)) => {
                assert_eq!(out, result(expected).replace("\"v\"", &format!("\"{property}\"")), "{schema}")
            }
            (Err(NotRedactable::Schema(pointer)), None) => {
                assert_eq!(pointer, format!("/structuredContent/{property}"))
            }
            // A reference that leads nowhere admits nothing that can be judged.
            (Err(NotRedactable::Schema(_)), Some(_)) if schema.contains("$ref") => {}
            (got, _) => panic!("{schema}: {got:?}"),
        }
    }
}

/// Defends output schemas that are composed: what speaks of a value is found on every way to it, and where a keyword on the
/// way is not understood, nothing is handed out.
#[test]
fn composed_schemas_stay_satisfied() {
    let ssn = r#"{"type": "string", "pattern": "^\\d{3}-\\d{2}-\\d{4}$"}"#;
    let user = format!(r#"{{"type": "object", "properties": {{"ssn": {ssn}}}}}"#);
    let outer = |schema: &str| format!(r##"{{"properties": {{"user": {schema}}}, "$defs": {{"User": {user}}}}}"##);
    let filled = Some("000-00-0000");
    for (schema, expected) in [
        (outer(&user), filled),
        (outer(r##"{"anyOf": [{"$ref": "#/$defs/User"}, {"type": "null"}]}"##), filled),
        (outer(&format!(r#"{{"oneOf": [{{"properties": {{"ssn": {{"type": "integer"}}}}}}, {user}]}}"#)), filled),
        (outer(&format!(r#"{{"allOf": [{{"type": "object"}}, {user}]}}"#)), filled),
        (outer(&format!(r#"{{"patternProperties": {{"^s": {ssn}}}}}"#)), filled),
        (outer(&format!(r#"{{"additionalProperties": {ssn}}}"#)), filled),
        (outer(&format!(r#"{{"properties": {{"ssn": {{"anyOf": [{ssn}, {{"type": "null"}}]}}}}}}"#)), filled),
        (outer(r#"{"properties": {"name": {"pattern": "^x$"}}}"#), Some("[REDACTED:personal_data.us_ssn]")),
        (outer(r#"{"if": {}, "then": {"properties": {"ssn": {"maxLength": 1}}}}"#), None),
        (outer(r##"{"$ref": "#/$defs/Nobody"}"##), None),
    ] {
        let document = |ssn: &str| format!(r#"{{"content": [], "structuredContent": {{"user": {{"ssn": "{ssn}"}}}}}}"#);
        let got = redacted(&document("123-45-6789"), Some(&schema));
        match expected {
            Some(text) => assert_eq!(got, Ok(document(text)), "{schema}"),
            None => {
                assert_eq!(got, Err(NotRedactable::Schema("/structuredContent/user/ssn".to_owned())), "{schema}");
            }
        }
    }
    // A name may have the mark of JSON that lies in a string.
    let named = r#"{"structuredContent": {"a!/b": "123-45-6789", "c": "{\"!/d\": \"123-45-6789\"}"}}"#;
    let schema = format!(r#"{{"properties": {{"a!/b": {ssn}, "c": {{"type": "string"}}}}}}"#);
    let expected =
        r#"{"structuredContent": {"a!/b": "000-00-0000", "c": "{\"!/d\": \"[REDACTED:personal_data.us_ssn]\"}"}}"#;
    assert_eq!(redacted(named, Some(&schema)).as_deref(), Ok(expected));
}

/// Defends names that end in the mark of JSON in a string: what stands below them does not lie in one.
#[test]
fn a_name_may_have_the_mark() {
    let named = r#"{"card!": {"card_number": 4111111111111111}}"#;
    assert_eq!(redacted(named, None).as_deref(), Ok(r#"{"card!": {"card_number": 0}}"#));
}

/// Defends text that is JSON: a number that was taken out leaves JSON that says so, however deep it lies.
#[test]
fn a_number_in_text_leaves_a_mark() {
    let inner = r#"{"card_number": 4111111111111111}"#;
    for (depth, expected) in [(0, "0"), (1, "\"[REDACTED:personal_data.payment_card]\"")] {
        let quoted = format!("\"{}\"", escape(inner, 0));
        let twice = format!("\"{}\"", escape(&format!(r#"{{"t": {quoted}}}"#), 0));
        let document = |text: &str| format!(r#"{{"x": {text}}}"#);
        match depth {
            0 => {
                assert_eq!(redacted(&document(inner), None), Ok(document(&inner.replace("4111111111111111", expected))))
            }
            _ => {
                let of = |text: &str| redacted(&document(text), None).unwrap();
                let once = of(&quoted);
                let text = parsed(once.as_bytes(), |value| value.get("x").unwrap().as_str().unwrap().into_owned());
                assert_eq!(text, inner.replace("4111111111111111", expected));
                let deep =
                    parsed(of(&twice).as_bytes(), |value| value.get("x").unwrap().as_str().unwrap().into_owned());
                let deep = parsed(deep.as_bytes(), |value| value.get("t").unwrap().as_str().unwrap().into_owned());
                assert_eq!(deep, inner.replace("4111111111111111", expected));
            }
        }
    }
}

#[test]
fn what_cannot_be_redacted_is_refused() {
    let document = br#"{"a": 1}"#;
    let mut inspection = parsed(document, |value| inspect_result("t", value, &settings()));
    inspection.incomplete = Some(super::super::Incomplete::TooLong);
    assert_eq!(redact(document, &inspection, None), Err(NotRedactable::Incomplete));
    let other = format!(r#"{{"a": "a long prefix before {TOKEN}"}}"#);
    let foreign = parsed(other.as_bytes(), |value| inspect_result("t", value, &settings()));
    assert_eq!(redact(document, &foreign, None), Err(NotRedactable::Foreign));
}

fn escape(text: &str, style: u8) -> String {
    text.chars()
        .map(|character| match (character, style % 3) {
            ('"', _) => "\\\"".to_owned(),
            ('\\', _) => "\\\\".to_owned(),
            (character, _) if character < ' ' => format!("\\u{:04x}", u32::from(character)),
            (character, 1) => character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
            (character, _) => character.to_string(),
        })
        .collect()
}

/// A piece of text and the secret in it, if any.
fn piece() -> impl Strategy<Value = (String, Option<String>)> {
    let body = prop::collection::vec(
        prop::sample::select(&b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[..]),
        36,
    );
    prop_oneof![
        any::<String>().prop_map(|text| (format!("{text} "), None)),
        body.prop_map(|body| {
            let secret = format!("ghp_{}", String::from_utf8(body).unwrap());
            (format!("{secret} "), Some(secret))
        }),
        Just(("\u{1f600}é 4111 1111 1111 1111 card ".to_owned(), Some("4111 1111 1111 1111".to_owned()))),
    ]
}

proptest! {
    /// Whatever stands around secrets, however it is escaped and nested: the output is JSON, has lost them, says what
    /// was removed, keeps everything else, and does not change when it is redacted again.
    #[test]
    fn nothing_survives(pieces in prop::collection::vec((piece(), any::<u8>()), 1..6), nested in any::<bool>()) {
        let fields: Vec<String> = pieces.iter().enumerate().map(|(at, ((text, _), style))| format!("\"k{at}\": \"{}\"", escape(text, *style))).collect();
        let inner = format!("{{{}}}", fields.join(", "));
        let document = if nested { format!("{{\"text\": \"{}\"}}", escape(&inner, 0)) } else { inner };
        let inspection = parsed(document.as_bytes(), |value| inspect_result("t", value, &settings()));
        let out = redact(document.as_bytes(), &inspection, None).unwrap();
        let text = String::from_utf8(out.document.clone()).unwrap();
        let secrets: Vec<&String> = pieces.iter().filter_map(|((_, secret), _)| secret.as_ref()).collect();
        parsed(&out.document, |value| {
            let plain = |value: Value<'_>| value.members().map(|(_, value)| value.as_str().unwrap().into_owned()).collect::<Vec<_>>();
            let values = if nested {
                let inner = value.get("text").unwrap().as_str().unwrap().into_owned();
                parsed(inner.as_bytes(), plain)
            } else {
                plain(value)
            };
            for (value, ((text, secret), _)) in values.iter().zip(&pieces) {
                match secret {
                    // A run of equal letters is no token, and is rightly left.
                    Some(secret) if inspection.detections.is_empty() => assert_eq!(value.trim_end(), secret.as_str()),
                    Some(secret) => assert!(!value.contains(secret.as_str()) && value.contains("[REDACTED:"), "{value}"),
                    None if !value.contains("[REDACTED:") => assert_eq!(value, text),
                    None => {}
                }
            }
        });
        let redacted = inspection.detections.iter().filter(|found| found.action == Action::Redact).count();
        prop_assert!(secrets.is_empty() || redacted >= 1);
        prop_assert_eq!(out.removed.is_empty(), redacted == 0);
        let again = parsed(text.as_bytes(), |value| inspect_result("t", value, &settings()));
        prop_assert_eq!(redact(text.as_bytes(), &again, None).unwrap().document, out.document);
    }
}
