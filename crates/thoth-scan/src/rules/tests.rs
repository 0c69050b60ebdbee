//! The shipped rules against their own examples, and the mistakes that rule files can have.

use std::collections::BTreeSet;

use super::example::finds as found;
use super::*;

/// Every rule finds what it says it finds and passes over what it says it passes over.
#[test]
fn every_rule_keeps_its_examples() {
    let set = RuleSet::shipped();
    let mut wrong = Vec::new();
    for rule in set.rules() {
        let missed = rule.positive.iter().filter(|example| !found(&set, rule, example));
        wrong.extend(missed.map(|example| format!("{} misses {example:?}", rule.id)));
        let alarmed = rule.negative.iter().filter(|example| found(&set, rule, example));
        wrong.extend(alarmed.map(|example| format!("{} finds {example:?}", rule.id)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Code and data name the same detectors.
#[test]
fn every_detector_has_its_entry() {
    let set = RuleSet::shipped();
    let described: BTreeSet<_> = set.detectors().map(|(detector, _)| detector).collect();
    assert_eq!(described, Detector::ALL.iter().copied().collect());
}

const RULE: &str = r#"
[[rule]]
id = "local.one"
version = 1
threat = "TOOL_POISONING"
severity = "warning"
message = "m"
reason = "r"
remedy = "d"
reference = "f"
match = ["codeword"]
positive = ["xyzzy"]
negative = ["abc"]
"#;

#[test]
fn users_add_words_and_rules() {
    let text = format!("version = 1\n[vocabulary]\ncodeword = [\"xyzzy\"]\n{RULE}");
    let set = RuleSet::with_files(&[("local.toml", &text)]).unwrap();
    let rule = set.rules().find(|rule| &*rule.id == "local.one").unwrap();
    assert!(found(&set, rule, "say xyzzy now") && !found(&set, rule, "say xyzzyx now"));
}

#[test]
fn mistakes_have_a_place() {
    let with = |change: (&str, &str)| {
        format!("version = 1\n[vocabulary]\ncodeword = [\"xyzzy\"]\n{RULE}").replace(change.0, change.1)
    };
    let cases = [
        (
            with(("version = 1\n[voc", "version = 2\n[voc")),
            "local.toml:1:11: this version reads rule files of `version = 1`",
        ),
        (
            with(("[vocabulary]", "[vocabularies]")),
            "local.toml:2:2: unknown key `vocabularies`; a rule file has `version`, `vocabulary`, `rule` and `detector`",
        ),
        (with(("[\"xyzzy\"]\n", "[1]\n")), "local.toml:3:13: `codeword` is a list of strings"),
        (
            with(("TOOL_POISONING", "POISON")),
            "local.toml:8:10: `POISON` is not one of TOOL_POISONING, RUG_PULL, CROSS_SERVER_ATTACK, CONFUSED_DEPUTY, HIDDEN_INSTRUCTION, DESCRIPTION_INJECTION",
        ),
        (
            with(("match = [\"codeword\"]", "match = [\"codeword .. other\"]")),
            "local.toml:14:10: `other` is not a concept of the vocabulary",
        ),
        (with(("reason = \"r\"\n", "")), "local.toml:5:1: `reason` is missing"),
        (
            with(("reason", "raison")),
            "local.toml:11:1: unknown key `raison`; known are id, version, threat, severity, message, reason, remedy, reference, match, across, where, with, unless, softened_by, unless_topic, positive, negative",
        ),
        (
            with(("[\"xyzzy\"]\nnegative", "[\"xyzzy\", \"xyz\"]\nnegative")),
            "local.toml:15:22: the rule `local.one` does not find its positive example `xyz`",
        ),
        (
            with(("[\"abc\"]", "[\"say xyzzy\"]")),
            "local.toml:16:13: the rule `local.one` finds its negative example `say xyzzy`",
        ),
        (with(("local.one", "injection.override")), "local.toml:5:1: there is a rule `injection.override` already"),
        ("version = ".to_owned(), "local.toml:1:11: string values must be quoted, expected literal string"),
    ];
    for (text, message) in cases {
        let error = RuleSet::with_files(&[("local.toml", &text)]).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
