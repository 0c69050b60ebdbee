//! What evidence calls a condition, and what a condition looks at.

use thoth_types::Arguments;
use thoth_types::json::Value;

use crate::condition::{ArgumentPath, Condition, Test};
use crate::digest::short_digest;
use crate::judge::LooksAt;
use crate::policy::Policy;
use crate::query::Query;
use crate::truth::Truth;

/// The longest name, in bytes. What is longer keeps its beginning and gets a digest.
const MAX_NAME: usize = 120;
const KEPT: usize = 80;

impl Condition {
    /// The text that evidence names it by. Two conditions of one name are the same condition.
    pub(crate) fn name(&self) -> String {
        let text = self.show();
        if text.len() <= MAX_NAME {
            return text;
        }
        let kept = text.get(..text.floor_char_boundary(KEPT)).unwrap_or_default();
        format!("{kept}… {}", short_digest(text.as_bytes()))
    }

    pub(crate) fn looks_at(&self) -> LooksAt<'_> {
        match self {
            Self::Argument { path, test } => {
                LooksAt::Argument { path: &path.text, presence: matches!(test, Test::Exists(_)) }
            }
            Self::ArgumentsSize(_) => LooksAt::ArgumentsSize,
            Self::When(_) => LooksAt::Clock,
            Self::Rate { .. } | Self::AfterCall { .. } => LooksAt::Session,
            Self::Labels(_) => LooksAt::Labels,
            Self::Semantic(_) => LooksAt::AllText,
        }
    }
}

impl ArgumentPath {
    /// The arguments, and what stands at each step of the path as far as it leads.
    pub(crate) fn steps_in<'a>(&self, arguments: Arguments<'a>) -> Vec<Value<'a>> {
        let mut found: Vec<Value<'a>> = arguments.value().into_iter().collect();
        for step in &self.steps {
            let Some(next) = found.last().and_then(|value| step.of(*value)) else { break };
            found.push(next);
        }
        found
    }
}

impl Policy {
    /// How every condition of every rule that concerns this call comes out, by its name; rules in shadow mode included.
    /// For evidence that does not keep the arguments. Each name once, in order.
    #[must_use]
    pub fn condition_outcomes(&self, query: &Query<'_>) -> Vec<(String, Truth)> {
        let index = self.shadow_index.as_ref().unwrap_or(&self.index);
        let mut candidates = Vec::new();
        index.candidates(query.tool, query.server, &mut candidates);
        let rules = candidates.iter().filter_map(|id| self.get(*id));
        let concerned = rules.filter(|rule| rule.concerns(query.tool, query) != Truth::False);
        let mut outcomes: Vec<(String, Truth)> = concerned
            .flat_map(|rule| &rule.conditions)
            .map(|condition| (condition.name(), condition.holds(query.tool, query)))
            .collect();
        outcomes.sort_by(|(one, _), (other, _)| one.cmp(other));
        outcomes.dedup_by(|(one, _), (other, _)| one == other);
        outcomes
    }
}

/// A text among others, so that it is clear where it ends.
pub(crate) fn word(text: &str) -> String {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || matches!(c, '"' | ',')) {
        serde_json::Value::from(text).to_string()
    } else {
        text.to_owned()
    }
}
