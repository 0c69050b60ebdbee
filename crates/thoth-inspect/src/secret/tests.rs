//! What is a secret, and what only looks like one. No secret here was ever valid: bodies are typed by hand.

use super::super::argument_role::Role;
use super::super::detection::{Action, Confidence, Direction};
use super::*;

fn part(text: &str, range: std::ops::Range<usize>) -> &str {
    text.get(range).unwrap()
}

fn kinds(key: &str, text: &str) -> Vec<(&'static str, String)> {
    let leaf = Leaf::new(text, key, LeafKind::Text, Role::Prose, Direction::Results);
    let mut hits = Vec::new();
    find(&leaf, &InspectSettings::default(), &mut Effort::of(leaf.text.len()), &mut hits);
    hits.retain(|hit| hit.confidence >= Confidence::Medium);
    super::super::leaf::drop_covered(&mut hits, |_| Action::Redact);
    hits.iter().map(|hit| (hit.kind, part(text, hit.range.clone()).to_owned())).collect()
}

/// Every format is found in the middle of a text, and exactly its own bytes are.
#[test]
fn provider_formats() {
    let hex = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    let alnum = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2bC3dE4fG5hJ6kL7mN8pQ";
    for (kind, secret) in [
        ("secrets.openai_key", format!("sk-proj-{}", part(alnum, 0..40))),
        ("secrets.openai_key", format!("sk-{}T3BlbkFJ{}", part(alnum, 0..20), part(alnum, 20..40))),
        ("secrets.anthropic_key", format!("sk-ant-api03-{}-AA", part(alnum, 0..50))),
        ("secrets.github_token", format!("ghp_{}", part(alnum, 0..36))),
        ("secrets.github_token", format!("github_pat_{}_{}", part(alnum, 0..22), part(alnum, 0..50))),
        ("secrets.gitlab_token", format!("glpat-{}", part(alnum, 0..20))),
        ("secrets.aws_access_key_id", "AKIA2E4G6I8K0MQSUWYB".to_owned()),
        ("secrets.google_api_key", format!("AIza{}", part(alnum, 0..35))),
        ("secrets.google_oauth_secret", format!("GOCSPX-{}", part(alnum, 0..28))),
        ("secrets.slack_token", format!("xoxb-123456789012-1234567890123-{}", part(alnum, 0..24))),
        ("secrets.slack_webhook", format!("hooks.slack.com/services/T01AB2CD3/B04EF5GH6/{}", part(alnum, 0..24))),
        ("secrets.stripe_key", format!("sk_live_{}", part(alnum, 0..24))),
        ("secrets.twilio_key", format!("SK{hex}")),
        ("secrets.sendgrid_key", format!("SG.{}.{}", part(alnum, 0..22), part(alnum, 0..43))),
        ("secrets.npm_token", format!("npm_{}", part(alnum, 0..36))),
        ("secrets.pypi_token", format!("pypi-AgEIcHlwaS5vcmc{alnum}")),
        ("secrets.huggingface_token", format!("hf_{}", part(alnum, 0..34))),
        ("secrets.databricks_token", format!("dapi{hex}")),
        ("secrets.telegram_token", format!("123456789:AA{}", part(alnum, 0..33))),
        ("secrets.azure_client_secret", format!("aB3{}Q~{}", 8, part(alnum, 0..34))),
        ("secrets.jwt", format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.{}", part(alnum, 0..43))),
        (
            "secrets.private_key",
            format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{alnum}\n{alnum}\n-----END OPENSSH PRIVATE KEY-----"),
        ),
    ] {
        let text = format!("before {secret} after");
        assert_eq!(kinds("note", &text), [(kind, secret)]);
    }
}

#[test]
fn secrets_by_their_surroundings() {
    for (key, text, expected) in [
        ("", "Authorization: Bearer a1B2c3D4e5F6g7H8i9J0", vec![("secrets.bearer_token", "a1B2c3D4e5F6g7H8i9J0")]),
        (
            "",
            "Authorization: Bearer a1B2c3D4e5F6g7H8i9J0+kL9mN8oP7/qR6==",
            vec![("secrets.bearer_token", "a1B2c3D4e5F6g7H8i9J0+kL9mN8oP7/qR6==")],
        ),
        ("", "Bearer a1B2+c3D4e5F6g7H8i9J0", vec![("secrets.bearer_token", "a1B2+c3D4e5F6g7H8i9J0")]),
        ("", r#"cfg {"password":"Tr0ub4dor\"3xyz"} ok"#, vec![("secrets.password", r#"Tr0ub4dor\"3xyz"#)]),
        ("", r#"cfg {\"password\": \"Tr0ub4dor&3\"} ok"#, vec![("secrets.password", "Tr0ub4dor&3")]),
        ("", r#"cfg {"password":"Tr0ub4dor3\\","user":"x"}"#, vec![("secrets.password", "Tr0ub4dor3")]),
        (
            "",
            r"out: A=1\nghp_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2",
            vec![("secrets.github_token", "ghp_aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2")],
        ),
        ("", "Authorization: Basic YWxpY2U6aHVudGVyMjI=", vec![("secrets.basic_credentials", "YWxpY2U6aHVudGVyMjI=")]),
        ("", "postgres://app:S3cr3tPa55@db.example/main", vec![("secrets.url_password", "S3cr3tPa55")]),
        (
            "",
            "AccountName=x;AccountKey=aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2bC3dE4fG5hJ6kL7mN8pQaB3dE5fG7hJ9kL1mN2pQ4rS6tU8v==;",
            vec![(
                "secrets.azure_key",
                "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2bC3dE4fG5hJ6kL7mN8pQaB3dE5fG7hJ9kL1mN2pQ4rS6tU8v==",
            )],
        ),
        ("", "password = \"Tr0ub4dor&3\"", vec![("secrets.password", "Tr0ub4dor&3")]),
        (
            "",
            "API_KEY=9f8e7d6c5b4a39281706f5e4d3c2b1a0",
            vec![("secrets.named_value", "9f8e7d6c5b4a39281706f5e4d3c2b1a0")],
        ),
        ("password", "Tr0ub4dor&3", vec![("secrets.password", "Tr0ub4dor&3")]),
        ("clientSecret", "q8Zt3vN1xY7wK5mB2cR9", vec![("secrets.named_value", "q8Zt3vN1xY7wK5mB2cR9")]),
        (
            "",
            "id AKIA2E4G6I8K0MQSUWYB secret aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2bC3d",
            vec![
                ("secrets.aws_access_key_id", "AKIA2E4G6I8K0MQSUWYB"),
                ("secrets.aws_secret_key", "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2bC3d"),
            ],
        ),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(kind, secret)| (kind, secret.to_owned())).collect();
        assert_eq!(kinds(key, text), expected, "{key} {text}");
    }
}

/// Defends what is delivered: of a secret that is longer than any that is measured nothing stays behind.
#[test]
fn long_secrets_are_taken_whole() {
    let long = "aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY1zA2".repeat(300);
    for (key, before, secret) in [
        ("", "", format!("ya29.{long}")),
        ("", "Authorization: Bearer ", long.clone()),
        ("", "refresh_token=", long.clone()),
        ("", "refresh_token: \"", long.clone()),
        ("access_token", "", long.clone()),
        ("", "refresh_token=", format!("{}{}{long}", part(&long, 0..505), "é".repeat(9))),
        ("", "", format!("eyJhbGciOiJIUzI1NiJ9.{long}.{long}")),
    ] {
        let after = if key.is_empty() { "\" after" } else { "" };
        let found = kinds(key, &format!("{before}{secret}{after}"));
        assert!(matches!(found.as_slice(), [(_, taken)] if *taken == secret), "{key} {before} {:?}", found.first());
    }
}

/// Defends code, identifiers, hashes and documentation against being torn up.
#[test]
fn no_secrets() {
    for (key, text) in [
        ("", "see Bearer tokens/oauth2/client-credentials"),
        ("", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        ("", "ghp_0000000000000000000000000000000000000000"),
        ("", "task-management-is-the-name-of-this-very-long-module"),
        ("", "commit 9f8e7d6c5b4a39281706f5e4d3c2b1a09f8e7d6c"),
        ("", "id 7f1c2a9e-0b1d-4c2e-9a55-1d2c3b4a5f60"),
        ("", "2026-01-02T03:04:05.678Z version 1.2.3-rc.4+build.5"),
        ("", "password = os.environ[\"PASSWORD\"]"),
        ("", "token: ${{ secrets.GITHUB_TOKEN }}"),
        ("", "api_key=YOUR_API_KEY_HERE"),
        ("", "const secret = config.get('secret');"),
        ("", "max_tokens=4096 and next_page_token=a1b2c3d4e5f6a7b8c9d0"),
        ("", "http://user:pass@host/ and https://example.com:8080/@scope"),
        ("", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKC\n-----END PUBLIC KEY-----"),
        ("", "Look for `-----BEGIN PRIVATE KEY-----` at the top."),
        ("", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        ("", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"),
        ("nextPageToken", "q8Zt3vN1xY7wK5mB2cR9"),
        ("password", "[REDACTED:secrets.password]"),
        ("password_hint", "Tr0ub4dor&3"),
        ("token_type", "bearer"),
        ("id", "q8Zt3vN1xY7wK5mB2cR9"),
    ] {
        assert_eq!(kinds(key, text), [], "{key} {text}");
    }
}

/// Defends the INVARIANT that our literals build an automaton.
#[test]
fn the_openings_build() {
    assert!(OPENINGS.automaton.is_some());
    assert_eq!(OPENINGS.automaton.as_ref().unwrap().patterns_len(), OPENINGS.opens.len());
}

proptest::proptest! {
    /// Defends the lanes: they miss no literal, wherever it stands, and see none where there is none.
    #[test]
    fn lanes_see_what_one_walk_sees(filler in "[a-df-z ]{0,700}", at in 0_usize..700, literal in 0_usize..100) {
        let automaton = OPENINGS.automaton.as_ref().unwrap();
        let plain = opens_nothing(automaton, filler.as_bytes());
        proptest::prop_assert!(!plain || automaton.try_find_overlapping_iter(Input::new(&filler)).unwrap().next().is_none());
        let literals: Vec<&str> = format::FORMATS.iter().flat_map(|format| format.prefixes).copied().collect();
        let mut text = filler;
        text.insert_str(at % (text.len() + 1), literals[literal % literals.len()]);
        proptest::prop_assert!(!opens_nothing(automaton, text.as_bytes()));
    }

    #[test]
    fn lanes_pass_over_ordinary_text(text in "[mnrvz ]{256,600}") {
        proptest::prop_assert!(opens_nothing(OPENINGS.automaton.as_ref().unwrap(), text.as_bytes()));
    }
}
