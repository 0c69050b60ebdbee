//! One rule, compiled.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_types::{Approval, Place, RiskLevel};

use crate::approvals::Demand;
use crate::condition::Condition;
use crate::judge::Judge;
use crate::query::Query;
use crate::text_match::TextMatch;
use crate::truth::Truth;

/// A rule of one [`crate::Policy`], by its place in that policy's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(crate) u32);

/// What is known of a rule without evaluating it.
#[derive(Debug, Clone)]
pub struct RuleInfo {
    /// Its name: as written, or `rule_<i>` counted from zero.
    pub name: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What it is for.
    pub description: Option<Arc<str>>,
    /// Why, in words that may be shown to the agent.
    pub reason: Option<Arc<str>>,
    /// Who answers for it.
    pub owner: Option<Arc<str>>,
    /// The controls that it serves, as `regime:control`, sorted.
    pub controls: Vec<Arc<str>>,
    /// What it asks for.
    pub approval: Approval,
    /// How much harm it sees.
    pub risk: RiskLevel,
    /// From when on it no longer applies.
    pub expires: Option<Timestamp>,
    /// Whether it has a say (`mode: enforce`).
    pub enforced: bool,
    /// Whether it is only watched (`mode: shadow`): evaluated beside the others, recorded, without a say.
    pub shadow: bool,
    /// How many conditions it has.
    pub conditions: usize,
    /// The names of the rules that it overrides.
    pub overrides: Vec<Arc<str>>,
}

/// Which tools, servers and agents.
#[derive(Debug, Clone, Default)]
pub struct MatchBlock {
    /// Which tools.
    pub tool: TextMatch,
    /// Which servers.
    pub server: TextMatch,
    /// Which agents. One that names any is undecided where the agent is not known.
    pub agent: TextMatch,
}

impl MatchBlock {
    #[inline]
    pub(crate) fn holds(&self, tool: &str, query: &Query<'_>) -> Truth {
        if !self.tool.matches(tool) || !self.server.matches(query.server) {
            return Truth::False;
        }
        if self.agent.matches_everything() {
            return Truth::True;
        }
        query.agent.map_or(Truth::Error, |agent| self.agent.matches(agent).into())
    }

    pub(crate) fn matches_everything(&self) -> bool {
        self.tool.matches_everything() && self.server.matches_everything() && self.agent.matches_everything()
    }
}

/// A rule as it is evaluated.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) info: RuleInfo,
    /// Its position over all files, root first: the order of first-match evaluation.
    pub(crate) position: u32,
    pub(crate) matcher: MatchBlock,
    pub(crate) except: Box<[MatchBlock]>,
    pub(crate) conditions: Box<[Condition]>,
    /// What it asks of an approval beside what the sections ask.
    pub(crate) demand: Option<Box<Demand>>,
    /// The rules that it overrides.
    pub(crate) overrides: Box<[RuleId]>,
    /// Rules that override come before those that they override.
    pub(crate) override_rank: u32,
    /// Whether some rule overrides it.
    pub(crate) overridable: bool,
    /// Which of the policies that hold together it is of; the first where it is only one.
    pub(crate) part: u16,
}

impl Rule {
    /// Whether the rule's match, exceptions and conditions hold, the conditions as `judge` says.
    #[inline]
    pub(crate) fn holds(&self, id: RuleId, tool: &str, query: &Query<'_>, judge: &mut impl Judge) -> Truth {
        let mut truth = self.concerns(tool, query);
        for condition in &self.conditions {
            if truth == Truth::False {
                return Truth::False;
            }
            truth = truth.and(judge.outcome(id, condition, tool, query));
        }
        truth
    }

    /// Whether everything but its conditions holds: what it matches, less its exceptions, until it expires.
    #[inline]
    pub(crate) fn concerns(&self, tool: &str, query: &Query<'_>) -> Truth {
        let mut truth = self.matcher.holds(tool, query);
        if truth == Truth::False || self.info.expires.is_some_and(|at| query.now >= at) {
            return Truth::False;
        }
        for except in &self.except {
            truth = truth.and(!except.holds(tool, query));
        }
        truth
    }

    /// Whether the outcome counts as a match: what cannot be decided tightens and never loosens.
    #[inline]
    pub(crate) fn applies(&self, outcome: Truth) -> bool {
        match outcome {
            Truth::True => true,
            Truth::False => false,
            Truth::Error => self.info.approval > Approval::Auto,
        }
    }

    /// Whether it names a server: such a rule is the better explanation of two equally strict ones.
    pub(crate) fn names_server(&self) -> bool {
        !self.matcher.server.matches_everything()
    }
}
