//! The search for a call that reaches a goal: a call is made up, and where it misses, what was in its way says where to
//! look next. What is left at last is empty, so that a search without a result is a proof.

use std::collections::BTreeSet;

use crate::call::Call;
use crate::goal::{Goal, Judgement, Towards, Way};
use crate::language::Search;
use crate::model::{Facts, RuleRef, Space};
use crate::region::{Region, Wish};
use crate::steps::Steps;

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

/// Is asked about a call that reaches the goal.
type OnFound<'f> = dyn FnMut(&Space<'_>, &Call, &[Facts], &Steps) -> Next + 'f;

/// Steps for one question.
const MOST_STEPS: u64 = 1_500_000;

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
        self.seek_all(goal, region, &mut |_, _, _, _| Next::Stop)
    }

    /// Looks for calls in the region, and asks after each what is left to look for.
    pub(crate) fn seek_all(&mut self, goal: &Goal, region: Option<Region>, on_found: &mut OnFound<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let steps = self.steps.part(MOST_STEPS);
        let mut open: Vec<Region> = region.into_iter().collect();
        while let Some(region) = open.pop() {
            // What was left out for want of steps is not among those that are open.
            if steps.are_spent() {
                outcome.unknown = true;
                break;
            }
            steps.pay(1);
            let call = match self.model(&region, &steps) {
                Search::Found(call) => call,
                Search::Empty => continue,
                Search::Unknown => {
                    outcome.unknown = true;
                    continue;
                }
            };
            match self.towards_all(&region.must, &call, &steps) {
                Towards::There => {}
                Towards::Ways(ways) => {
                    self.branch(&region, ways, &mut open, &steps);
                    continue;
                }
                Towards::Lost => {
                    outcome.unknown = true;
                    continue;
                }
            }
            let facts = self.facts(&call, &steps);
            match self.judge(goal, &facts, &steps) {
                Judgement::Reached => match on_found(self, &call, &facts, &steps) {
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
                        self.branch(&region, ways, &mut open, &steps);
                    }
                },
                Judgement::Missed(ways, by) => {
                    outcome.in_the_way.extend(by);
                    self.branch(&region, ways, &mut open, &steps);
                }
            }
        }
        // Ways, too, are left out for want of steps.
        outcome.unknown |= steps.are_spent();
        self.steps.pay_for(&steps);
        outcome
    }

    /// The parts of the region on each way; the first way is looked at first. Some are missing once the steps are spent.
    fn branch(&self, region: &Region, ways: Vec<Way>, open: &mut Vec<Region>, steps: &Steps) {
        for way in ways.into_iter().rev() {
            let rule = way.must.and_then(|(at, _)| self.rule(at));
            let more = way.literals.len() + rule.map(|rule| 4 + rule.atoms.len()).unwrap_or_default();
            steps.pay(region.len() * (1 + more / 8) + 4 * more);
            if steps.are_spent() {
                return;
            }
            let mut part = region.clone();
            let possible = way.literals.iter().all(|literal| part.require(literal))
                && way.must.is_none_or(|(at, wish)| self.add_rule(&mut part, at, wish));
            if possible {
                open.push(part);
            }
        }
    }
}
