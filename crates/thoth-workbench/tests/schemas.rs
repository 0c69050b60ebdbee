//! The schemas say what the readers say: the same keys everywhere, and every policy that there is fits.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use thoth_policy::{DiagnosticCode, LoadError, Sources, document};
use thoth_testkit::naive_policy::policies_with_overrides;
use thoth_workbench::packs::PACKS;
use thoth_workbench::schema::{Of, schema};
use thoth_workbench::suite;

/// A key that no mapping has and that is like none.
const ODD: &str = "zzzzz";

/// How to get into a document from above.
#[derive(Clone)]
enum Step {
    Key(String),
    Any,
    Item,
}

/// Every mapping with fixed keys that the schema knows: the way to it and its keys.
fn mappings(schema: &Value) -> Vec<(Vec<Step>, BTreeSet<String>)> {
    fn walk(root: &Value, at: &Value, way: &[Step], depth: u8, found: &mut Vec<(Vec<Step>, BTreeSet<String>)>) {
        assert!(depth < 40, "a schema in a circle");
        if let Some(part) = at["$ref"].as_str() {
            let part = root.pointer(part.strip_prefix('#').unwrap()).unwrap();
            return walk(root, part, way, depth + 1, found);
        }
        let further = |step: Step| [way, &[step]].concat();
        if let Some(keys) = at["properties"].as_object() {
            assert_eq!(at["additionalProperties"], false);
            found.push((way.to_vec(), keys.keys().cloned().collect()));
            for (key, below) in keys {
                walk(root, below, &further(Step::Key(key.clone())), depth + 1, found);
            }
        }
        if at["additionalProperties"].is_object() {
            walk(root, &at["additionalProperties"], &further(Step::Any), depth + 1, found);
        }
        if at["items"].is_object() {
            walk(root, &at["items"], &further(Step::Item), depth + 1, found);
        }
        for below in ["anyOf", "allOf"].into_iter().filter_map(|key| at[key].as_array()).flatten() {
            walk(root, below, way, depth + 1, found);
        }
    }
    let mut found = Vec::new();
    walk(schema, schema, &[], 0, &mut found);
    found
}

/// A document with `inner` at the end of the way.
fn document_with(way: &[Step], inner: Value) -> Value {
    way.iter().rev().fold(inner, |inner, step| match step {
        Step::Key(key) => json!({key: inner}),
        Step::Any => json!({"some": inner}),
        Step::Item => json!([inner]),
    })
}

/// The keys that the reader knows where it met the odd one.
fn known_to_the_reader(error: &LoadError) -> Option<BTreeSet<String>> {
    let odd = |d: &&thoth_policy::Diagnostic| d.code == DiagnosticCode::UnknownKey && d.message.contains(ODD);
    let help = error.diagnostics.iter().find(odd)?.help.clone()?;
    Some(help.strip_prefix("known here: ")?.split(", ").map(str::to_owned).collect())
}

fn validator(of: Of) -> jsonschema::Validator {
    jsonschema::draft7::new(&schema(of)).unwrap_or_else(|error| panic!("{error}"))
}

/// JSON is YAML.
fn read(of: Of, document: &Value) -> Result<(), LoadError> {
    let text = document.to_string();
    match of {
        Of::Policy => thoth_policy::load("p", &Sources::one("p", text)).map(drop),
        Of::Tests => suite::read("t", text.into_bytes()).map(drop),
    }
}

/// Defends: an editor offers every key that the reader knows and no other, at every place, and marks a misspelt one.
#[test]
fn keys_are_those_of_the_readers() {
    for (of, least) in [(Of::Policy, 40), (Of::Tests, 10)] {
        let validator = validator(of);
        let mappings = mappings(&schema(of));
        assert!(mappings.len() >= least, "{of:?} {}", mappings.len());
        for (way, keys) in mappings {
            let document = document_with(&way, json!({ODD: 1}));
            let error = read(of, &document).unwrap_err();
            let known = known_to_the_reader(&error).unwrap_or_else(|| panic!("{document}: {error}"));
            assert_eq!(keys, known, "{document}");
            assert!(!validator.is_valid(&document), "{document}");
        }
    }
}

/// A YAML document as JSON, as Thoth reads it.
fn json(name: &str, text: &str) -> Value {
    let text = document::read(name, text.into(), |reader, root| root.and_then(|root| reader.json(root)));
    serde_json::from_str(&text.unwrap_or_else(|error| panic!("{}", error.render(false))).unwrap()).unwrap()
}

fn fits(of: Of, name: &str, text: &str) {
    let document = json(name, text);
    let wrong: Vec<String> =
        validator(of).iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{name}: {wrong:#?}");
}

fn blocks(document: &'static str) -> impl Iterator<Item = &'static str> {
    document.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next())
}

/// Every policy and test file of this repository fits.
#[test]
fn what_there_is_fits() {
    for pack in PACKS {
        fits(Of::Policy, pack.name, pack.policy);
        fits(Of::Tests, pack.name, pack.tests);
    }
    fits(Of::Policy, "starter", thoth_policy::STARTER);
    fits(Of::Policy, "demo", include_str!("../../thoth-cli/src/demo/policy.yaml"));
    fits(Of::Policy, "guide", include_str!("../../thoth-policy/tests/policies/guide.yaml"));
    fits(Of::Policy, "per_server", include_str!("../../thoth-policy/tests/policies/per_server.yaml"));
    let mut count = 0;
    for block in blocks(include_str!("../../../docs/guide/policy.md")) {
        let of = if block.contains("tests:") { Of::Tests } else { Of::Policy };
        fits(of, block, block);
        count += 1;
    }
    for document in [include_str!("../../../docs/policy.md"), include_str!("../../../README.md")] {
        for block in blocks(document) {
            fits(Of::Policy, block, block);
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

/// What an editor marks, beside unknown keys, and what the reader refuses too.
#[test]
fn wrong_values_do_not_fit() {
    let rule = |key: &str, value: Value| json!({"rules": [{"match": {"tool": "t"}, key: value}]});
    let condition = |key: &str, value: Value| rule("conditions", json!({key: value}));
    for document in [
        json!([]),
        json!({"version": "2"}),
        json!({"evaluation": "last-match"}),
        json!({"defaults": {"approval": "allow"}}),
        json!({"rules": {}}),
        json!({"rules": ["x"]}),
        json!({"tools": {"t": {"blocked": "yes"}}}),
        json!({"gateway": {"max_tool_calls": -1}}),
        json!({"gateway": {"allowed_tools": []}}),
        json!({"approvals": {"quorum": 9}}),
        json!({"approvals": {"ttl": 15}}),
        json!({"integrity": {"on_change": "pin"}}),
        json!({"inspect": {"shell": "redact"}}),
        json!({"inspect": {"secrets": {"arguments": "drop"}}}),
        rule("approval", json!("Auto")),
        rule("risk_level", json!("extreme")),
        rule("mode", json!("sometimes")),
        condition("time_after", json!(1080)),
        condition("weekdays", json!([8])),
        condition("weekdays", json!("fryday")),
        condition("param_eq", json!({})),
        condition("param_gt", json!({"a": true})),
        condition("param_in", json!({"a": "x"})),
        condition("size", json!({"a": {"lt": "x"}})),
        condition("rate", json!({"limit": 0, "window": "1m"})),
        condition("rate", json!({"limit": 1, "window": "1w"})),
    ] {
        assert!(read(Of::Policy, &document).is_err(), "{document}");
        assert!(!validator(Of::Policy).is_valid(&document), "{document}");
    }
    let case = |key: &str, value: Value| json!({"tests": [{"call": {"tool": "t"}, "expect": "auto", key: value}]});
    for document in [
        json!({"tests": {}}),
        case("expect", json!("maybe")),
        case("expect", json!({"reason_code": "because"})),
        case("skip", json!("yes")),
        case("call", json!({"tool": "t", "args": []})),
        case("call", json!({"tool": "t", "history": [{"tool": "a", "times": 0}]})),
        json!({"invariants": [{"never": {"effect": "never"}}]}),
    ] {
        assert!(read(Of::Tests, &document).is_err(), "{document}");
        assert!(!validator(Of::Tests).is_valid(&document), "{document}");
    }
}

/// The published schemas are those that the program prints.
#[test]
fn published_schemas_are_up_to_date() {
    for (of, published) in [
        (Of::Policy, include_str!("../../../docs/reference/policy.schema.json")),
        (Of::Tests, include_str!("../../../docs/reference/policy-tests.schema.json")),
    ] {
        let published: Value = serde_json::from_str(published).unwrap();
        assert_eq!(published, schema(of), "run `thoth policy schema` and save what it prints");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// No policy that loads is marked by an editor.
    #[test]
    fn policies_that_load_fit(policy in policies_with_overrides()) {
        let text = policy.to_yaml();
        thoth_policy::load("p", &Sources::one("p", text.clone())).unwrap();
        fits(Of::Policy, "p", &text);
    }
}
