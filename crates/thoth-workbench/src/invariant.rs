//! Invariants: what a policy must never answer, decided for all calls.

use thoth_policy::Policy;
use thoth_policy::outline::TextMatch;
use thoth_types::Approval;

use crate::call::Call;
use crate::goal::{Goal, Source, View};
use crate::language::reading;
use crate::model::{Block, RuleRef, Space, inside};
use crate::region::{Region, Wish};
use crate::search::Outcome;

/// What must never be.
#[derive(Debug, Clone, Default)]
pub struct Invariant {
    /// None of these answers.
    pub never: Vec<Approval>,
    /// For calls of these tools.
    pub tool: TextMatch,
    /// On these servers.
    pub server: TextMatch,
    /// By these agents; sessions without an agent count only where any agent does.
    pub agent: TextMatch,
}

/// Whether an invariant holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// For every call.
    Holds,
    /// Not for this one, and what the policy answers to it.
    Violated(Box<Call>, Approval),
    /// It was not decided.
    Unknown(&'static str),
}

/// Steps for one invariant.
const BUDGET: u64 = 48_000_000;

/// Decides an invariant over all calls from `from` on: rules, defaults and lists of tools; the session has no intent, and
/// limits and inspections are left out. A counterexample has been evaluated.
#[must_use]
pub fn decide(policy: &Policy, invariant: &Invariant, from: jiff::Timestamp) -> Answer {
    let mut space = Space::new(&[policy], from, BUDGET);
    let mut language = |text: &TextMatch| (!text.matches_everything()).then(|| space.names.add(text));
    let block = Block {
        tool: language(&invariant.tool),
        server: language(&invariant.server),
        agent: language(&invariant.agent),
    };
    // A name that reads as one of another tool gets that one's answer, if it is the stricter.
    let around =
        reading(&invariant.tool).map(|tool| Block { tool: Some(space.names.add_language(tool)), ..block.clone() });
    let mut unknown = false;
    for never in &invariant.never {
        for (goal, region) in questions(&space, *never) {
            let Outcome { found, unknown: open, .. } = seek_inside(&mut space, &goal, region.clone(), &block);
            unknown |= open;
            if let Some((call, _)) = found {
                match call.decided_by(policy) {
                    Some(answer) if answer == *never => return Answer::Violated(Box::new(call), answer),
                    _ => unknown = true,
                }
            }
            if let Some(around) = &around
                && *never > Approval::Auto
                && !unknown
            {
                let Outcome { found, unknown: open, .. } = seek_inside(&mut space, &goal, region, around);
                unknown = open || found.is_some();
            }
        }
    }
    if unknown {
        Answer::Unknown("it took too many steps, or rests on conditions or names that cannot be solved")
    } else {
        Answer::Holds
    }
}

fn seek_inside(space: &mut Space<'_>, goal: &Goal, mut region: Region, block: &Block) -> Outcome {
    let possible = inside(block, false).iter().all(|literal| region.require(literal));
    space.seek(goal, possible.then_some(region))
}

/// Goals that some call reaches exactly if some call gets this answer.
fn questions(space: &Space<'_>, answer: Approval) -> Vec<(Goal, Region)> {
    let whole = View::whole(0);
    let below = |limit: Approval| Some((whole, limit));
    let Some(side) = space.sides.first() else { return Vec::new() };
    let below = match answer {
        Approval::Auto => {
            return vec![(
                Goal { source: None, below: below(Approval::Approve), or_default: false },
                space.everything(),
            )];
        }
        Approval::Approve => below(Approval::Block),
        Approval::Block => None,
    };
    let mut all: Vec<(Goal, Region)> = Vec::new();
    for (rule, own) in side.rules.iter().enumerate() {
        let at = RuleRef { side: 0, rule };
        let goal = Goal { source: Some((whole, Source::Rule(rule))), below, or_default: false };
        let wish = if own.approval == answer {
            Wish::Applies
        } else if own.approval > Approval::Auto && own.approval < answer && side.default == answer {
            // Undecided, it brings in the defaults.
            Wish::Undecided
        } else {
            continue;
        };
        all.extend(space.region_of(&[(at, wish)]).map(|region| (goal, region)));
    }
    if side.default == answer {
        all.push((Goal { source: Some((whole, Source::Default)), below, or_default: false }, space.everything()));
    }
    for list in side.lists.iter().filter(|list| list.outline.approval == answer) {
        let mut region = space.everything();
        if region.require(&list.answers()) {
            all.push((Goal { source: None, below, or_default: false }, region));
        }
    }
    all
}
