//! What would have to be otherwise about a call for another answer.

use std::sync::Arc;

use thoth_types::json::{Limits, Tape};
use thoth_types::{Approval, Arguments, Effect, Finding, HarmClass, Place};

use crate::condition::{Comparison, Condition, Test};
use crate::evaluate::Scratch;
use crate::judge::LooksAt;
use crate::literal::Literal;
use crate::naming::word;
use crate::policy::Policy;
use crate::query::Query;
use crate::rule::{Rule, RuleId};
use crate::truth::Truth;

/// How many are told.
const MOST: usize = 8;
/// How many changes are tried.
const MOST_TRIES: usize = 64;

/// One condition that, had it come out otherwise, would have changed the answer. Where an example is given, the answer is
/// that of the whole policy for the call with this value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss {
    /// The rule of the condition.
    pub rule: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What the answer would be.
    pub effect: Effect,
    /// The same in the policy's words.
    pub approval: Approval,
    /// What would have to be so, in words that follow "if".
    pub wanted: String,
    /// A value for which it is so, as JSON text.
    pub example: Option<String>,
}

/// What an inspection finds in a call.
pub(crate) type Inspect<'i> = dyn FnMut(&Query<'_>) -> Vec<Finding> + 'i;

impl Policy {
    /// The conditions that alone stand between this call and another answer than `now`: the one that fails of a rule
    /// that would match, or one without which a rule would not.
    pub(crate) fn near_misses(&self, query: &Query<'_>, now: Approval, inspect: &mut Inspect<'_>) -> Vec<NearMiss> {
        let mut candidates = Vec::new();
        self.index.candidates(query.tool, query.server, &mut candidates);
        let mut turns: Vec<(&Rule, RuleId, &Condition, bool)> = Vec::new();
        for id in candidates {
            let Some(rule) = self.get(id) else { continue };
            turns.extend(
                turning_points(rule, query).into_iter().map(|(condition, wanted)| (rule, id, condition, wanted)),
            );
        }
        // What would have to be so is easier to grasp than what would not.
        turns.sort_by_key(|(rule, _, _, wanted)| (!wanted, rule.position));
        let mut found: Vec<NearMiss> = Vec::new();
        let mut tried: Vec<(Approval, LooksAt<'_>, Option<String>)> = Vec::new();
        for (rule, id, condition, wanted) in turns.into_iter().take(MOST_TRIES) {
            let (approval, example) = self.with(query, id, condition, wanted, inspect);
            let words = condition.in_words(wanted);
            let same = (approval, condition.looks_at(), example.clone());
            let told = found.iter().any(|other| other.wanted == words && other.approval == approval)
                || (example.is_some() && tried.contains(&same));
            tried.push(same);
            if approval != now && !told {
                found.push(NearMiss {
                    rule: Arc::clone(&rule.info.name),
                    place: rule.info.place.clone(),
                    effect: approval.into(),
                    approval,
                    wanted: words,
                    example,
                });
            }
        }
        found.sort_by_key(|miss| miss.approval);
        found.truncate(MOST);
        found
    }

    /// The answer if this condition came out as wanted, and the value of its argument for which it does.
    fn with(
        &self,
        query: &Query<'_>,
        id: RuleId,
        condition: &Condition,
        wanted: bool,
        inspect: &mut Inspect<'_>,
    ) -> (Approval, Option<String>) {
        let mut scratch = Scratch::deciding();
        if let Some(other) = condition.altered(query.tool, query, wanted) {
            let mut tape = Tape::new();
            if let Ok(arguments) = tape.parse(other.arguments.as_bytes(), &Limits::default()) {
                let query = Query { arguments: Arguments::new(Some(arguments)), ..*query };
                let verdict = self.rules(&query, &mut scratch);
                return (self.strictest(&query, verdict.approval, &inspect(&query)), Some(other.example));
            }
        }
        let name = condition.name();
        let verdict = self.rules_told(query, &mut scratch, &mut |consulted| {
            if consulted.rule() == id && consulted.name() == name { wanted.into() } else { consulted.outcome() }
        });
        (self.strictest(query, verdict.approval, &inspect(query)), None)
    }
}

/// The conditions of a rule on each of which alone depends whether it matches, and how they would have to come out.
fn turning_points<'r>(rule: &'r Rule, query: &Query<'_>) -> Vec<(&'r Condition, bool)> {
    if rule.concerns(query.tool, query) != Truth::True {
        return Vec::new();
    }
    let loosens = rule.info.approval == Approval::Auto;
    let fails = |condition: &&Condition| match condition.holds(query.tool, query) {
        Truth::True => false,
        Truth::False => true,
        Truth::Error => loosens,
    };
    let failing: Vec<&Condition> = rule.conditions.iter().filter(fails).collect();
    match failing.as_slice() {
        [] => rule.conditions.iter().map(|condition| (condition, false)).collect(),
        [one] => vec![(*one, true)],
        _ => Vec::new(),
    }
}

impl Condition {
    /// What would be so if it held, or did not, in words that follow "if".
    fn in_words(&self, holds: bool) -> String {
        let were = if holds { "were" } else { "were not" };
        match self {
            Self::Argument { path, test } => test.in_words(&format!("`{}`", path.text), holds),
            Self::ArgumentsSize(bounds) => format!("the arguments {were} {} bytes long", bounds.show()),
            Self::When(_) => format!("it {were} {}", self.show()),
            Self::Rate { limit, window, scope } => {
                let (seconds, per) = (window.as_secs(), scope.as_str());
                let how = if holds { "at least" } else { "fewer than" };
                format!("this {per} had made {how} {limit} calls within {seconds} seconds")
            }
            Self::AfterCall { tool, server } => {
                let not = if holds { "" } else { "not " };
                let tool = tool.show().unwrap_or_else(|| "some tool".to_owned());
                let server = server.show().map(|server| format!(" on {server}")).unwrap_or_default();
                format!("the session had {not}called {tool}{server} before")
            }
            Self::Labels(any) => {
                let words: Vec<&str> = any.iter().map(HarmClass::as_str).collect();
                let which = if holds { "a" } else { "no" };
                format!("{which} result of the session had held {}", words.join(" or "))
            }
            Self::Semantic(semantic) => format!("the call {were} about {}", word(&semantic.text)),
        }
    }
}

impl Test {
    fn in_words(&self, argument: &str, holds: bool) -> String {
        let were = if holds { "were" } else { "were not" };
        let list = |items: &[Literal]| items.iter().map(Literal::show).collect::<Vec<_>>().join(", ");
        match self {
            Self::Equals(literal) => format!("{argument} {were} {}", literal.show()),
            Self::Ordered(comparison, literal) => {
                let how = match comparison {
                    Comparison::Gt => "greater than",
                    Comparison::Lt => "less than",
                    Comparison::Gte => "at least",
                    Comparison::Lte => "at most",
                };
                format!("{argument} {were} {how} {}", literal.show())
            }
            Self::Contains(literal) => {
                let contained = if holds { "contained" } else { "did not contain" };
                format!("{argument} {contained} {}", literal.show())
            }
            Self::In(items) => format!("{argument} {were} one of {}", list(items)),
            Self::NotIn(items) => {
                format!("{argument} {} one of {}", if holds { "were not" } else { "were" }, list(items))
            }
            Self::Exists(wanted) => {
                format!("{argument} {} given", if *wanted == holds { "were" } else { "were not" })
            }
            Self::Pattern(pattern) => {
                format!("{argument} {} /{}/", if holds { "matched" } else { "did not match" }, pattern.as_str())
            }
            Self::Glob(_, text) => {
                format!("{argument} {} {text}", if holds { "matched" } else { "did not match" })
            }
            Self::Under(_, text) => format!("{argument} {were} under {text}"),
            Self::Host(_, text) => format!("{argument} {were} a URL of {text}"),
            Self::Size(bounds) => format!("{argument} {were} {} long", bounds.show()),
        }
    }
}
