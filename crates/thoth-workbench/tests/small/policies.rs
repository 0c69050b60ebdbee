//! Small policies with all that a policy can have, in the few names and values of the universe.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn glob() -> impl Strategy<Value = String> {
    let all = ["a", "b", "ab", "a*", "*b", "?", "[ab]", "[!a]*", "*a*", "x", "*", "!a", "!*b", "A", "??", "!?"];
    prop::sample::select(all.to_vec()).prop_map(str::to_owned)
}

/// A list of globs; none stands for any name.
pub(crate) fn names() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![1 => Just(Vec::new()), 3 => prop::collection::vec(glob(), 1..3)]
}

fn block() -> impl Strategy<Value = Value> {
    (names(), names(), prop_oneof![3 => Just(Vec::new()), 1 => names()]).prop_map(|(tools, servers, agents)| {
        let mut block = Map::new();
        for (key, globs) in [("tool", tools), ("server", servers), ("agent", agents)] {
            if !globs.is_empty() {
                block.insert(key.to_owned(), json!(globs));
            }
        }
        Value::Object(block)
    })
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_i64..4).prop_map(Value::from),
        prop::sample::select(vec!["a", "ab", "b", "2"]).prop_map(Value::from),
        Just(json!(true)),
        Just(json!(1.5)),
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["n", "n", "s", "s", "o.n", "o"]).prop_map(str::to_owned)
}

fn test() -> impl Strategy<Value = (&'static str, Value)> {
    let number = || (0_i64..4).prop_map(Value::from);
    prop_oneof![
        scalar().prop_map(|value| ("param_eq", value)),
        number().prop_map(|value| ("param_gt", value)),
        number().prop_map(|value| ("param_lte", value)),
        prop::collection::vec(scalar(), 1..3).prop_map(|values| ("param_in", json!(values))),
        prop::collection::vec(scalar(), 1..3).prop_map(|values| ("param_not_in", json!(values))),
        any::<bool>().prop_map(|there| ("param_exists", json!(there))),
        prop::sample::select(vec!["a*", "*b", "?", "!a"]).prop_map(|glob| ("param_glob", json!(glob))),
        prop::sample::select(vec!["a", "b", "x"]).prop_map(|text| ("param_contains", json!(text))),
    ]
}

fn conditions() -> impl Strategy<Value = Value> {
    let tests = prop::collection::vec((path(), test()), 0..3);
    let window = prop::sample::select(vec![
        json!({}),
        json!({}),
        json!({"time_after": "09:00", "time_before": "17:00"}),
        json!({"time_after": "18:00", "time_before": "08:00"}),
        json!({"weekdays": ["sat", "sun"]}),
        json!({"time_before": "12:00", "weekdays": ["mon"], "tz": "Asia/Tokyo"}),
    ]);
    let history = prop_oneof![
        8 => Just(json!({})),
        1 => prop::sample::select(vec!["a", "b"]).prop_map(|tool| json!({"after_call": tool})),
        1 => (1_u64..4).prop_map(|limit| json!({"rate": {"limit": limit, "window": "1m"}})),
        1 => prop::sample::select(vec![json!("injection"), json!(["secrets", "injection"]), json!(["personal_data", "secrets"])])
            .prop_map(|labels| json!({"labels": labels})),
    ];
    (tests, window, history).prop_map(|(tests, window, history)| {
        let mut all = window.as_object().unwrap().clone();
        all.extend(history.as_object().unwrap().clone());
        for (path, (key, value)) in tests {
            all.entry(key).or_insert_with(|| json!({})).as_object_mut().unwrap().insert(path, value);
        }
        Value::Object(all)
    })
}

/// The words for answers.
pub(crate) fn approvals() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["auto", "approve", "block"])
}

/// A rule without a name.
pub(crate) fn rule() -> impl Strategy<Value = Value> {
    let except = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(block(), 1..3)];
    let expires = prop_oneof![6 => Just(None), 1 => Just(Some("2026-04-01")), 1 => Just(Some("2026-01-01"))];
    let risk = prop::sample::select(vec!["low", "high"]);
    (block(), except, conditions(), approvals(), risk, expires).prop_map(
        |(matcher, except, conditions, approval, risk, expires)| {
            let mut rule = json!({
                "match": matcher, "conditions": conditions, "approval": approval, "risk_level": risk,
            });
            let own = rule.as_object_mut().unwrap();
            let all = |block: &Value| {
                let everything = |globs: &Value| {
                    globs.as_array().unwrap().iter().any(|glob| glob == "*")
                        && !globs.as_array().unwrap().iter().any(|glob| glob.as_str().unwrap().starts_with('!'))
                };
                block.as_object().unwrap().values().all(everything)
            };
            let except: Vec<Value> = except.into_iter().filter(|block| !all(block)).collect();
            if !except.is_empty() {
                own.insert("except".to_owned(), Value::Array(except));
            }
            if let Some(expires) = expires {
                own.insert("expires".to_owned(), json!(expires));
            }
            rule
        },
    )
}

/// Lists of tools.
pub(crate) fn gateway() -> impl Strategy<Value = Value> {
    let list = || prop::collection::vec(prop::sample::select(vec!["a", "b*", "X", "ab", "!a"]), 1..3);
    prop_oneof![
        4 => Just(json!({})),
        1 => list().prop_map(|tools| json!({"denied_tools": tools})),
        1 => list().prop_map(|tools| json!({"sensitive_tools": tools})),
        1 => list().prop_map(|tools| json!({"allowed_tools": tools})),
    ]
}

/// Rules with their names, as one file.
pub(crate) fn assemble(rules: &[Value], default: &str, first_match: bool, gateway: &Value) -> String {
    let evaluation = if first_match { "first-match" } else { "strictest" };
    json!({
        "version": "1", "evaluation": evaluation, "defaults": {"approval": default}, "rules": rules, "gateway": gateway,
    })
    .to_string()
}

/// Named rules, some of which override earlier ones where order means nothing.
pub(crate) fn rules(most: usize) -> impl Strategy<Value = (Vec<Value>, bool)> {
    let pairs = prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..2);
    (prop::collection::vec(rule(), 0..most), prop::bool::weighted(0.4), pairs, prop::bool::weighted(0.2)).prop_map(
        |(mut rules, first_match, pairs, with_overrides)| {
            for (index, rule) in rules.iter_mut().enumerate() {
                rule.as_object_mut().unwrap().insert("name".to_owned(), json!(format!("r{index}")));
            }
            let count = rules.len();
            for (from, to) in pairs.into_iter().filter(|_| count > 1 && !first_match && with_overrides) {
                let from = from.index(count - 1) + 1;
                let target = format!("r{}", to.index(from));
                rules[from].as_object_mut().unwrap().insert("override".to_owned(), json!([target]));
            }
            (rules, first_match)
        },
    )
}

/// A policy as a file. JSON, which is YAML.
pub(crate) fn policy_texts() -> impl Strategy<Value = String> {
    (rules(6), approvals(), gateway())
        .prop_map(|((rules, first_match), default, gateway)| assemble(&rules, default, first_match, &gateway))
}
