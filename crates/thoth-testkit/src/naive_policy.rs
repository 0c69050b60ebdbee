//! A second policy evaluator, written from the language's description alone: no index, no compilation, no shared
//! code with `thoth-policy`. Slow and obvious. With generators of policies and calls.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};
use thoth_types::{Approval, HarmClass, RiskLevel};

/// A condition on one argument; the path is dotted.
#[derive(Debug, Clone)]
pub enum NaiveCondition {
    /// `param_eq`
    Equals(String, Value),
    /// `param_gt` with a whole number.
    Greater(String, i64),
    /// `param_glob`
    Glob(String, String),
    /// `param_exists`
    Exists(String, bool),
    /// `param_not_in`
    NotIn(String, Vec<Value>),
    /// `labels`
    Labels(Vec<HarmClass>),
}

/// A rule in the words of the file.
#[derive(Debug, Clone)]
pub struct NaiveRule {
    /// Its name.
    pub name: String,
    /// `match.tool`; empty for absent.
    pub tools: Vec<String>,
    /// `match.server`
    pub servers: Vec<String>,
    /// `match.agent`
    pub agents: Vec<String>,
    /// `except.tool`
    pub except: Vec<String>,
    /// `conditions`
    pub conditions: Vec<NaiveCondition>,
    /// `approval`
    pub approval: Approval,
    /// `risk_level`
    pub risk: RiskLevel,
    /// `override`
    pub overrides: Vec<String>,
}

/// A policy in the words of the file.
#[derive(Debug, Clone)]
pub struct NaivePolicy {
    /// `defaults.approval`
    pub approval: Approval,
    /// `defaults.risk_level`
    pub risk: RiskLevel,
    /// `evaluation: first-match`
    pub first_match: bool,
    /// `rules`
    pub rules: Vec<NaiveRule>,
}

/// A call.
#[derive(Debug, Clone)]
pub struct NaiveCall {
    /// Its tool.
    pub tool: String,
    /// Its server.
    pub server: String,
    /// Its agent.
    pub agent: Option<String>,
    /// Its arguments.
    pub arguments: Value,
    /// What was found in results of its session.
    pub labels: Vec<HarmClass>,
}

/// What the policy says about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NaiveAnswer {
    /// The answer.
    pub approval: Approval,
    /// The highest risk.
    pub risk: RiskLevel,
    /// All matching rules, overridden ones left out.
    pub matched: BTreeSet<String>,
}

/// `fnmatch`, by trying everything.
fn glob(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], rest) => rest.is_empty(),
        (['*', after @ ..], _) => glob(after, text) || matches!(text, [_, rest @ ..] if glob(pattern, rest)),
        (['?', after @ ..], [_, rest @ ..]) => glob(after, rest),
        (['[', after @ ..], [c, rest @ ..]) => {
            let Some(end) = after.iter().position(|p| *p == ']') else { return false };
            let (class, tail) = after.split_at(end);
            let (negated, members) = match class {
                ['!', members @ ..] => (true, members),
                members => (false, members),
            };
            members.contains(c) != negated && glob(tail.get(1..).unwrap_or_default(), rest)
        }
        ([p, after @ ..], [c, rest @ ..]) => p == c && glob(after, rest),
        _ => false,
    }
}

fn one(pattern: &str, text: &str) -> bool {
    glob(&pattern.chars().collect::<Vec<_>>(), &text.chars().collect::<Vec<_>>())
}

fn list(patterns: &[String], text: &str) -> bool {
    let (none, any): (Vec<&String>, Vec<&String>) = patterns.iter().partition(|p| p.starts_with('!'));
    (any.is_empty() || any.iter().any(|p| one(p, text))) && !none.iter().any(|p| one(p.trim_start_matches('!'), text))
}

fn at<'v>(arguments: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(arguments, |value, step| value.get(step))
}

/// `None` stands for "cannot be decided".
fn condition(condition: &NaiveCondition, call: &NaiveCall) -> Option<bool> {
    let arguments = &call.arguments;
    let kind = |v: &Value| std::mem::discriminant(v);
    match condition {
        NaiveCondition::Exists(path, wanted) => match at(arguments, path) {
            None => Some(!wanted),
            Some(Value::Null) => None,
            Some(_) => Some(*wanted),
        },
        NaiveCondition::Equals(path, wanted) => {
            let value = at(arguments, path)?;
            (kind(value) == kind(wanted)).then(|| value == wanted)
        }
        NaiveCondition::Greater(path, bound) => Some(at(arguments, path)?.as_i64()? > *bound),
        NaiveCondition::Glob(path, pattern) => {
            Some(list(std::slice::from_ref(pattern), at(arguments, path)?.as_str()?))
        }
        NaiveCondition::NotIn(path, unwanted) => {
            let value = at(arguments, path)?;
            if unwanted.contains(value) {
                return Some(false);
            }
            unwanted.iter().any(|u| kind(u) == kind(value)).then_some(true)
        }
        NaiveCondition::Labels(any) => Some(call.labels.iter().any(|label| any.contains(label))),
    }
}

impl NaiveRule {
    /// Whether the rule matches; `None` when that cannot be decided.
    #[must_use]
    pub fn outcome(&self, call: &NaiveCall) -> Option<bool> {
        if !list(&self.tools, &call.tool) || !list(&self.servers, &call.server) {
            return Some(false);
        }
        if !self.except.is_empty() && list(&self.except, &call.tool) {
            return Some(false);
        }
        let anyone = self.agents.iter().all(|a| !a.starts_with('!'))
            && (self.agents.is_empty() || self.agents.iter().any(|a| a == "*"));
        let agent = match &call.agent {
            _ if anyone => Some(true),
            None => None,
            Some(agent) => Some(list(&self.agents, agent)),
        };
        let parts: Vec<Option<bool>> =
            std::iter::once(agent).chain(self.conditions.iter().map(|c| condition(c, call))).collect();
        if parts.contains(&Some(false)) {
            Some(false)
        } else if parts.contains(&None) {
            None
        } else {
            Some(true)
        }
    }
}

impl NaivePolicy {
    /// Decides.
    #[must_use]
    pub fn evaluate(&self, call: &NaiveCall) -> NaiveAnswer {
        let mut matched: Vec<(&NaiveRule, bool)> = Vec::new();
        for rule in &self.rules {
            let outcome = rule.outcome(call);
            if outcome == Some(true) || (outcome.is_none() && rule.approval != Approval::Auto) {
                matched.push((rule, outcome.is_none()));
            }
        }
        if self.first_match {
            matched.truncate(1);
        }
        // The generator lets a rule override earlier rules only, so later rules have the first word.
        for index in (0..self.rules.len()).rev() {
            let Some(rule) = self.rules.get(index) else { continue };
            if matched.iter().any(|(m, by_error)| m.name == rule.name && !by_error) {
                matched.retain(|(m, _)| !rule.overrides.contains(&m.name));
            }
        }
        let by_error = matched.iter().any(|(_, by_error)| *by_error);
        let mut approval = matched.iter().map(|(rule, _)| rule.approval).max();
        let mut risk = matched.iter().map(|(rule, _)| rule.risk).max();
        if by_error {
            approval = approval.max(Some(self.approval));
            risk = risk.max(Some(self.risk));
        }
        NaiveAnswer {
            approval: approval.unwrap_or(self.approval),
            risk: risk.unwrap_or(self.risk),
            matched: matched.iter().map(|(rule, _)| rule.name.clone()).collect(),
        }
    }

    /// The policy as a file. JSON, which is YAML.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let rules: Vec<Value> = self.rules.iter().map(rule_json).collect();
        let evaluation = if self.first_match { "first-match" } else { "strictest" };
        let defaults = json!({"approval": self.approval.as_str(), "risk_level": self.risk.as_str()});
        json!({"version": "1", "evaluation": evaluation, "defaults": defaults, "rules": rules}).to_string()
    }
}

fn rule_json(rule: &NaiveRule) -> Value {
    let mut matcher = json!({});
    for (key, globs) in [("tool", &rule.tools), ("server", &rule.servers), ("agent", &rule.agents)] {
        if let (false, Some(matcher)) = (globs.is_empty(), matcher.as_object_mut()) {
            matcher.insert(key.to_owned(), json!(globs));
        }
    }
    let mut conditions = json!({});
    for condition in &rule.conditions {
        let (key, path, wanted) = match condition {
            NaiveCondition::Labels(any) => {
                if let Some(conditions) = conditions.as_object_mut() {
                    conditions.insert("labels".to_owned(), any.iter().map(|label| label.as_str()).collect());
                }
                continue;
            }
            NaiveCondition::Equals(path, wanted) => ("param_eq", path, wanted.clone()),
            NaiveCondition::Greater(path, bound) => ("param_gt", path, json!(bound)),
            NaiveCondition::Glob(path, pattern) => ("param_glob", path, json!(pattern)),
            NaiveCondition::Exists(path, wanted) => ("param_exists", path, json!(wanted)),
            NaiveCondition::NotIn(path, unwanted) => ("param_not_in", path, json!(unwanted)),
        };
        if let Some(conditions) = conditions.as_object_mut() {
            conditions.insert(key.to_owned(), json!({ path: wanted }));
        }
    }
    let mut out = json!({
        "name": rule.name, "match": matcher, "conditions": conditions,
        "approval": rule.approval.as_str(), "risk_level": rule.risk.as_str(),
    });
    if let Some(out) = out.as_object_mut() {
        if !rule.except.is_empty() {
            out.insert("except".to_owned(), json!({"tool": rule.except}));
        }
        if !rule.overrides.is_empty() {
            out.insert("override".to_owned(), json!(rule.overrides));
        }
    }
    out
}

fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "ab", "abc", "b", "read_a", "read_b", "delete_a", "x", "prod-a", "dev-a", "é_b"])
        .prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    let globs = vec![
        "*", "a*", "*b", "?b", "[ab]*", "[!a]*", "read_*", "*e*", "r*d_?", "prod-*", "!a", "!*b", "!read_*", "*a*a",
    ];
    prop_oneof![name(), prop::sample::select(globs).prop_map(str::to_owned)]
}

fn path() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["n", "s", "o.n", "o.s", "missing"]).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_i64..4).prop_map(Value::from),
        prop::sample::select(vec!["a", "ab", "b"]).prop_map(Value::from),
        any::<bool>().prop_map(Value::from)
    ]
}

fn labels(least: usize) -> impl Strategy<Value = Vec<HarmClass>> {
    let all = vec![HarmClass::Secrets, HarmClass::PersonalData, HarmClass::Injection];
    prop::collection::vec(prop::sample::select(all), least..3)
}

fn conditions() -> impl Strategy<Value = Vec<NaiveCondition>> {
    let one = prop_oneof![
        (path(), scalar()).prop_map(|(p, v)| NaiveCondition::Equals(p, v)),
        (path(), 0_i64..4).prop_map(|(p, n)| NaiveCondition::Greater(p, n)),
        (path(), prop::sample::select(vec!["a*", "*b", "?", "!a"]))
            .prop_map(|(p, g)| NaiveCondition::Glob(p, g.to_owned())),
        (path(), any::<bool>()).prop_map(|(p, b)| NaiveCondition::Exists(p, b)),
        (path(), prop::collection::vec(scalar(), 1..3)).prop_map(|(p, v)| NaiveCondition::NotIn(p, v)),
        labels(1).prop_map(NaiveCondition::Labels),
    ];
    // One of a kind: the file has each kind as one key.
    prop::collection::vec(one, 0..3).prop_map(|mut all| {
        let mut seen = Vec::new();
        all.retain(|c| {
            let kind = std::mem::discriminant(c);
            let new = !seen.contains(&kind);
            seen.push(kind);
            new
        });
        all
    })
}

fn approval() -> impl Strategy<Value = Approval> {
    prop::sample::select(Approval::ALL)
}

fn risk() -> impl Strategy<Value = RiskLevel> {
    prop::sample::select(RiskLevel::ALL)
}

fn rule() -> impl Strategy<Value = NaiveRule> {
    let globs = || prop::collection::vec(pattern(), 0..3);
    let except = prop_oneof![3 => Just(Vec::new()), 1 => name().prop_map(|n| vec![n])];
    (globs(), globs(), prop_oneof![2 => Just(Vec::new()), 1 => globs()], except, conditions(), approval(), risk())
        .prop_map(|(tools, servers, agents, except, conditions, approval, risk)| NaiveRule {
            name: String::new(),
            tools,
            servers,
            agents,
            except,
            conditions,
            approval,
            risk,
            overrides: Vec::new(),
        })
}

/// Policies of up to twelve rules, without overrides.
pub fn policies() -> impl Strategy<Value = NaivePolicy> {
    (approval(), risk(), prop::collection::vec(rule(), 0..12)).prop_map(|(approval, risk, mut rules)| {
        for (index, rule) in rules.iter_mut().enumerate() {
            rule.name = format!("r{index}");
        }
        NaivePolicy { approval, risk, first_match: false, rules }
    })
}

/// [`policies`] in which some rules override earlier ones.
pub fn policies_with_overrides() -> impl Strategy<Value = NaivePolicy> {
    (policies(), prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..4)).prop_map(
        |(mut policy, pairs)| {
            let count = policy.rules.len();
            for (from, to) in pairs.into_iter().filter(|_| count > 1) {
                let from = from.index(count - 1) + 1;
                let target = format!("r{}", to.index(from));
                if let Some(rule) = policy.rules.get_mut(from)
                    && !rule.overrides.contains(&target)
                {
                    rule.overrides.push(target);
                }
            }
            policy
        },
    )
}

/// Calls that the generated policies have something to say about.
pub fn calls() -> impl Strategy<Value = NaiveCall> {
    let leaf = || prop_oneof![4 => scalar(), 1 => Just(Value::Null)];
    let arguments =
        (prop::option::of(leaf()), prop::option::of(leaf()), prop::option::of(leaf()), prop::option::of(leaf()))
            .prop_map(|(n, s, on, os)| {
                let mut arguments = serde_json::Map::new();
                let mut inner = serde_json::Map::new();
                arguments.extend(n.map(|v| ("n".to_owned(), v)));
                arguments.extend(s.map(|v| ("s".to_owned(), v)));
                inner.extend(on.map(|v| ("n".to_owned(), v)));
                inner.extend(os.map(|v| ("s".to_owned(), v)));
                arguments.insert("o".to_owned(), Value::Object(inner));
                Value::Object(arguments)
            });
    (name(), name(), prop::option::of(name()), arguments, labels(0))
        .prop_map(|(tool, server, agent, arguments, labels)| NaiveCall { tool, server, agent, arguments, labels })
}
