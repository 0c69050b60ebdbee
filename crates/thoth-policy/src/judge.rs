//! Who says how a condition comes out: the call itself, or somebody who knows better what is not known of the call.

use crate::condition::Condition;
use crate::query::Query;
use crate::rule::RuleId;
use crate::truth::Truth;

/// Says how conditions come out.
pub(crate) trait Judge {
    fn outcome(&mut self, rule: RuleId, condition: &Condition, tool: &str, query: &Query<'_>) -> Truth;
}

/// What the call itself says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByTheCall;

impl Judge for ByTheCall {
    #[inline]
    fn outcome(&mut self, _: RuleId, condition: &Condition, tool: &str, query: &Query<'_>) -> Truth {
        condition.holds(tool, query)
    }
}

/// One condition of one rule, as an evaluation comes to it.
#[derive(Debug, Clone, Copy)]
pub struct Consulted<'a> {
    pub(crate) rule: RuleId,
    pub(crate) condition: &'a Condition,
    pub(crate) tool: &'a str,
    pub(crate) query: &'a Query<'a>,
}

/// What a condition looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LooksAt<'a> {
    /// The argument at this path. `presence`: only at whether there is one.
    Argument {
        /// As it is written in the policy.
        path: &'a str,
        /// Whether its value makes no difference.
        presence: bool,
    },
    /// How long all arguments are together.
    ArgumentsSize,
    /// The time.
    Clock,
    /// What the session called before.
    Session,
    /// What was found in results of the session.
    Labels,
    /// All text of the call, the tool's name as well.
    AllText,
}

impl<'a> Consulted<'a> {
    /// The rule that it belongs to.
    #[must_use]
    pub const fn rule(&self) -> RuleId {
        self.rule
    }

    /// The text that evidence names it by: two conditions with one text always come out alike for one call.
    #[must_use]
    pub fn name(&self) -> String {
        self.condition.name()
    }

    /// What it looks at.
    #[must_use]
    pub fn looks_at(&self) -> LooksAt<'a> {
        self.condition.looks_at()
    }

    /// The tool's name that is looked at: as it was sent, or as it reads.
    #[must_use]
    pub const fn tool(&self) -> &'a str {
        self.tool
    }

    /// Whether all steps of its path lead somewhere.
    #[must_use]
    pub fn is_found(&self) -> bool {
        match self.condition {
            Condition::Argument { path, .. } => self.steps().len() > path.steps.len(),
            _ => false,
        }
    }

    /// What stands at its path, step by step from the outside; it ends where there is nothing more.
    pub fn steps(&self) -> Vec<thoth_types::json::Value<'a>> {
        match self.condition {
            Condition::Argument { path, .. } => path.steps_in(self.query.arguments),
            _ => Vec::new(),
        }
    }

    /// How it comes out by what the query says.
    #[must_use]
    pub fn outcome(&self) -> Truth {
        self.condition.holds(self.tool, self.query)
    }
}

/// What a function says.
pub(crate) struct Told<'t>(pub(crate) &'t mut dyn FnMut(&Consulted<'_>) -> Truth);

impl Judge for Told<'_> {
    fn outcome(&mut self, rule: RuleId, condition: &Condition, tool: &str, query: &Query<'_>) -> Truth {
        (self.0)(&Consulted { rule, condition, tool, query })
    }
}
