//! A set of calls, as what is required of each part of a call.

use std::collections::BTreeMap;

use crate::arguments::{AtomId, Outcomes, Wanted};
use crate::model::RuleRef;
use crate::names::LanguageId;
use crate::times::Moments;

/// One requirement.
#[derive(Debug, Clone)]
pub(crate) enum Literal {
    Tool(LanguageId, bool),
    Server(LanguageId, bool),
    /// The agent's name lies in the language, or does not; or it is not known, where that will do.
    Agent {
        language: LanguageId,
        inside: bool,
        or_unknown: bool,
    },
    AgentUnknown,
    During(Moments),
    Outcome(AtomId, Outcomes),
}

/// How a rule is to come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// It counts as a match, surely or not.
    Applies,
    /// It surely matches.
    Holds,
    /// It cannot be decided, and counts as a match.
    Undecided,
}

/// Which agents are possible.
#[derive(Debug, Clone)]
pub(crate) struct Agents {
    pub(crate) unknown: bool,
    pub(crate) known: Option<Vec<(LanguageId, bool)>>,
}

/// Calls that meet all requirements. What exceptions of rules leave out is not among the requirements: `must` says which
/// rules a call has to be tried with.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    pub(crate) tool: Vec<(LanguageId, bool)>,
    pub(crate) server: Vec<(LanguageId, bool)>,
    pub(crate) agents: Agents,
    pub(crate) moments: Moments,
    pub(crate) wanted: Wanted,
    pub(crate) must: Vec<(RuleRef, Wish)>,
}

impl Region {
    /// All calls.
    pub(crate) const fn everything(always: Moments) -> Self {
        Self {
            tool: Vec::new(),
            server: Vec::new(),
            agents: Agents { unknown: true, known: Some(Vec::new()) },
            moments: always,
            wanted: BTreeMap::new(),
            must: Vec::new(),
        }
    }

    /// How much there is in it.
    pub(crate) fn len(&self) -> usize {
        let agents = self.agents.known.as_ref().map(Vec::len).unwrap_or_default();
        let names = self.tool.len() + self.server.len() + agents;
        8 + names + 2 * self.wanted.len() + self.must.len() + self.moments.len() / 8
    }

    /// Requires one thing more. `false`: there is no such call.
    pub(crate) fn require(&mut self, literal: &Literal) -> bool {
        match literal {
            Literal::Tool(language, inside) => push(&mut self.tool, *language, *inside),
            Literal::Server(language, inside) => push(&mut self.server, *language, *inside),
            Literal::Agent { language, inside, or_unknown } => {
                self.agents.unknown &= *or_unknown;
                if let Some(known) = &mut self.agents.known
                    && !push(known, *language, *inside)
                {
                    self.agents.known = None;
                }
                self.agents.unknown || self.agents.known.is_some()
            }
            Literal::AgentUnknown => {
                self.agents.known = None;
                self.agents.unknown
            }
            Literal::During(moments) => {
                self.moments = self.moments.and(moments);
                self.moments.first().is_some()
            }
            Literal::Outcome(atom, outcomes) => {
                let wanted = self.wanted.entry(*atom).or_insert(Outcomes::ANY);
                *wanted = wanted.and(*outcomes);
                !wanted.is_none()
            }
        }
    }
}

fn push(list: &mut Vec<(LanguageId, bool)>, language: LanguageId, inside: bool) -> bool {
    if list.contains(&(language, !inside)) {
        return false;
    }
    if !list.contains(&(language, inside)) {
        list.push((language, inside));
    }
    true
}
