//! The search for a call that reaches a goal: a call is made up, and where it misses, what was in its way says where to
//! look next. What is left at last is empty, so that a search without a result is a proof.

use std::collections::BTreeSet;

use crate::call::Call;
use crate::goal::{Goal, Judgement, Towards, Way};
use crate::language::Search;
use crate::model::{Facts, RuleRef, Space};
use crate::region::{Region, Wish};

/// What a search came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The call, if there is one.
    pub(crate) found: Option<(Call, Vec<Facts>)>,
    /// Whether something was left open, so that finding nothing proves nothing.
    pub(crate) unknown: bool,
    /// The rules that were in the way.
    pub(crate) in_the_way: BTreeSet<RuleRef>,
}

/// What is done about a call that reaches the goal.
pub(crate) enum Next {
    /// It will do.
    Stop,
    /// There may be others on these ways.
    Look(Vec<Way>),
}

/// Steps for one question.
const MOST_STEPS: u64 = 20_000;

/// Rules and conditions that are looked at for one step.
const LOOKED_AT: u64 = 16;

impl Space<'_> {
    /// A region that must have these rules come out so.
    pub(crate) fn region_of(&self, rules: &[(RuleRef, Wish)]) -> Option<Region> {
        let mut region = self.everything();
        rules.iter().all(|(at, wish)| self.add_rule(&mut region, *at, *wish)).then_some(region)
    }

    fn add_rule(&self, region: &mut Region, at: RuleRef, wish: Wish) -> bool {
        let Some(rule) = self.rule(at) else { return false };
        if region.must.contains(&(at, wish)) {
            return true;
        }
        region.must.push((at, wish));
        self.requirements(rule, wish).iter().all(|literal| region.require(literal))
    }

    /// Looks for one call in the region.
    pub(crate) fn seek(&mut self, goal: &Goal, region: Option<Region>) -> Outcome {
        self.seek_all(goal, region, &mut |_, _, _| Next::Stop)
    }

    /// Looks for calls in the region, and asks after each what is left to look for.
    pub(crate) fn seek_all(
        &mut self,
        goal: &Goal,
        region: Option<Region>,
        on_found: &mut dyn FnMut(&Self, &Call, &[Facts]) -> Next,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let mut left = MOST_STEPS.min(self.budget);
        let allowed = left;
        let mut open: Vec<Region> = region.into_iter().collect();
        while let Some(region) = open.pop() {
            if left == 0 {
                outcome.unknown = true;
                break;
            }
            left -= 1;
            let call = match self.model(&region, &mut left) {
                Search::Found(call) => call,
                Search::Empty => continue,
                Search::Unknown => {
                    outcome.unknown = true;
                    continue;
                }
            };
            let wishes = region.must.iter().map(|(at, wish)| self.towards(*at, *wish, &call));
            match wishes.into_iter().find(|towards| !matches!(towards, Towards::There)) {
                Some(Towards::Ways(ways)) => {
                    self.branch(&region, ways, &mut open, &mut left);
                    continue;
                }
                Some(_) => {
                    outcome.unknown = true;
                    continue;
                }
                None => {}
            }
            let facts = self.facts(&call);
            let applied: usize = facts.iter().map(|facts| facts.applied.len()).sum();
            left = left.saturating_sub((region.wanted.len() + applied) as u64 / LOOKED_AT);
            match self.judge(goal, &facts) {
                Judgement::Reached => match on_found(self, &call, &facts) {
                    Next::Stop => {
                        outcome.found = Some((call, facts));
                        break;
                    }
                    Next::Look(mut ways) => {
                        // Such a way leads nowhere else: the call is one of those on it.
                        ways.retain(|way| {
                            !way.literals.is_empty() || way.must.is_none_or(|must| !region.must.contains(&must))
                        });
                        outcome.found.get_or_insert((call, facts));
                        self.branch(&region, ways, &mut open, &mut left);
                    }
                },
                Judgement::Missed(ways, by) => {
                    outcome.in_the_way.extend(by);
                    self.branch(&region, ways, &mut open, &mut left);
                }
            }
        }
        self.budget = self.budget.saturating_sub(allowed - left);
        outcome
    }

    /// The parts of the region on each way; the first way is looked at first.
    fn branch(&self, region: &Region, ways: Vec<Way>, open: &mut Vec<Region>, left: &mut u64) {
        for way in ways.into_iter().rev() {
            *left = left.saturating_sub(1);
            let mut part = region.clone();
            let possible = way.literals.iter().all(|literal| part.require(literal))
                && way.must.is_none_or(|(at, wish)| self.add_rule(&mut part, at, wish));
            if possible {
                open.push(part);
            }
        }
    }
}
