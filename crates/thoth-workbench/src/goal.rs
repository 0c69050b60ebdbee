//! What a call is looked for that does: something answers on one side, and the answer of another is looser.

use std::collections::HashSet;

use thoth_policy::{Query, Truth};
use thoth_types::Approval;

use crate::call::Call;
use crate::model::{Block, Facts, Rule, RuleRef, Side, Space};
use crate::names::LanguageId;
use crate::region::{Literal, Wish};
use crate::steps::{Steps, of_name, of_reading};

/// A policy, less one of its rules perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) side: usize,
    pub(crate) without: Option<usize>,
}

impl View {
    pub(crate) const fn whole(side: usize) -> Self {
        Self { side, without: None }
    }
}

/// What answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A rule has a say: it counts as a match and nothing takes its say away.
    Rule(usize),
    /// No rule matches.
    Default,
}

/// The goal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) source: Option<(View, Source)>,
    /// The answer of this view is looser than this.
    pub(crate) below: Option<(View, Approval)>,
    /// Or it comes from the defaults.
    pub(crate) or_default: bool,
}

/// Why a view answers as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Why {
    /// The rule decides.
    Rule(usize),
    /// The list decides.
    List(usize),
    /// No rule matches.
    Default,
    /// The defaults, because this rule could not be decided.
    Undecided(usize),
}

/// One way in which a call could yet reach the goal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Way {
    pub(crate) literals: Vec<Literal>,
    pub(crate) must: Option<(RuleRef, Wish)>,
}

/// Whether a rule comes out as wished.
#[derive(Debug)]
pub(crate) enum Towards {
    There,
    /// It does not; where it does, lies on these ways.
    Ways(Vec<Way>),
    /// It does not, and it cannot be told what is in the way.
    Lost,
}

/// What a call is worth.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It reaches the goal.
    Reached,
    /// It does not. Whatever does goes one of these ways; this rule, if any, is in the way.
    Missed(Vec<Way>, Option<RuleRef>),
}

impl Space<'_> {
    /// The rules that have a say: in order, and whether only because of an error.
    pub(crate) fn effective(&self, view: View, facts: &[Facts], steps: &Steps) -> Vec<(usize, bool)> {
        let (Some(side), Some(facts)) = (self.sides.get(view.side), facts.get(view.side)) else { return Vec::new() };
        let mut applied: Vec<(usize, bool)> =
            facts.applied.iter().copied().filter(|(rule, _)| Some(*rule) != view.without).collect();
        if side.first_match {
            applied.truncate(1);
        }
        if side.overrides {
            remove_overridden(side, &mut applied, steps);
        }
        steps.pay(2 * applied.len());
        applied
    }

    /// What a view answers, and why.
    pub(crate) fn verdict(&self, view: View, facts: &[Facts], steps: &Steps) -> (Approval, Why) {
        let Some(side) = self.sides.get(view.side) else { return (Approval::Block, Why::Default) };
        let (mut approval, mut why) = by_rules(side, &self.effective(view, facts, steps));
        for list in facts.get(view.side).map(|facts| &*facts.lists).unwrap_or_default() {
            if let Some(own) = side.lists.get(*list)
                && own.outline.approval > approval
            {
                (approval, why) = (own.outline.approval, Why::List(*list));
            }
        }
        (approval, why)
    }

    /// Whether a call with these facts reaches the goal.
    pub(crate) fn judge(&self, goal: &Goal, facts: &[Facts], steps: &Steps) -> Judgement {
        if let Some((view, source)) = goal.source
            && let Some(missed) = self.source_missed(view, source, facts, steps)
        {
            return missed;
        }
        let Some((view, limit)) = goal.below else { return Judgement::Reached };
        let (approval, why) = self.verdict(view, facts, steps);
        if approval < limit || (goal.or_default && matches!(why, Why::Default | Why::Undecided(_))) {
            return Judgement::Reached;
        }
        // Where no rule of the other side matches, none matches here that stands there too.
        let new_only = matches!(goal.source, Some((other, Source::Default)) if other.side != view.side);
        self.looser(view, limit, why, new_only, steps)
    }

    fn source_missed(&self, view: View, source: Source, facts: &[Facts], steps: &Steps) -> Option<Judgement> {
        let effective = self.effective(view, facts, steps);
        let side = self.sides.get(view.side)?;
        match source {
            Source::Default => {
                let (rule, _) = effective.first()?;
                Some(self.escaping(view, *rule, Vec::new(), steps))
            }
            Source::Rule(rule) => {
                if effective.iter().any(|(own, _)| *own == rule) {
                    return None;
                }
                if side.first_match {
                    let (earlier, _) = effective.first()?;
                    return Some(self.escaping(view, *earlier, Vec::new(), steps));
                }
                // Something that surely matches takes its say away.
                let by = &side.rules.get(rule)?.overridden_by;
                steps.pay(by.len());
                // Both are in order.
                let by = by.iter().copied().find(|by| effective.binary_search(&(*by, false)).is_ok())?;
                let at = RuleRef { side: view.side, rule: by };
                let mut ways: Vec<Way> =
                    self.rule(at).map(|rule| self.escapes(rule, true, steps)).map(ways).unwrap_or_default();
                ways.extend(self.overriders(view, by, steps));
                Some(Judgement::Missed(ways, Some(at)))
            }
        }
    }

    /// Ways to a looser answer of a view that answers as it does for this reason.
    fn looser(&self, view: View, limit: Approval, why: Why, new_only: bool, steps: &Steps) -> Judgement {
        let Some(side) = self.sides.get(view.side) else { return Judgement::Missed(Vec::new(), None) };
        // With an error no answer is looser than the defaults.
        let wish = if side.default >= limit { Wish::Holds } else { Wish::Applies };
        let looser_before = |before: usize| -> Vec<Way> {
            steps.pay(before);
            let rules = side.rules.iter().enumerate().take(before);
            let looser = rules
                .filter(|(rule, own)| own.approval < limit && Some(*rule) != view.without && !(new_only && own.shared));
            looser.map(|(rule, _)| must(RuleRef { side: view.side, rule }, wish)).collect()
        };
        match why {
            Why::List(list) => {
                let way = side.lists.get(list).map(|list| vec![list.does_not_answer()]).unwrap_or_default();
                Judgement::Missed(ways(vec![way]), None)
            }
            Why::Default => Judgement::Missed(looser_before(side.rules.len()), None),
            Why::Rule(rule) | Why::Undecided(rule) => {
                let mut more = if side.first_match { looser_before(rule) } else { self.overriders(view, rule, steps) };
                if why == Why::Undecided(rule) {
                    let at = RuleRef { side: view.side, rule };
                    more.push(must(at, Wish::Holds));
                }
                self.escaping(view, rule, more, steps)
            }
        }
    }

    /// Ways to calls that a view answers more loosely than `limit`, which it does not where it answers for this reason.
    pub(crate) fn less_strict(&self, view: View, limit: Approval, why: Why, steps: &Steps) -> Vec<Way> {
        match self.looser(view, limit, why, false, steps) {
            Judgement::Missed(ways, _) => ways,
            Judgement::Reached => Vec::new(),
        }
    }

    /// Ways to calls that a view answers more loosely than `limit` for another reason than this.
    pub(crate) fn other_reasons(
        &self,
        view: View,
        limit: Approval,
        (answer, why): (Approval, Why),
        steps: &Steps,
    ) -> Vec<Way> {
        let Some(side) = self.sides.get(view.side) else { return Vec::new() };
        let mut all = self.less_strict(view, limit, why, steps);
        steps.pay(side.rules.len() + side.lists.len());
        let between = |approval: Approval| answer < approval && approval < limit;
        if !side.first_match {
            let rules = side.rules.iter().enumerate().filter(|(_, own)| between(own.approval));
            all.extend(rules.map(|(rule, _)| must(RuleRef { side: view.side, rule }, Wish::Applies)));
        }
        let lists = side.lists.iter().filter(|list| between(list.outline.approval));
        all.extend(lists.map(|list| Way { literals: vec![list.answers()], must: None }));
        all
    }

    /// The ways on which a rule does not count as a match, and more.
    fn escaping(&self, view: View, rule: usize, more: Vec<Way>, steps: &Steps) -> Judgement {
        let at = RuleRef { side: view.side, rule };
        let Some(own) = self.rule(at) else { return Judgement::Missed(more, None) };
        let mut all = ways(self.escapes(own, own.approval == Approval::Auto, steps));
        all.extend(more);
        Judgement::Missed(all, Some(at))
    }

    /// The ways on which some rule surely takes the say of another away.
    fn overriders(&self, view: View, rule: usize, steps: &Steps) -> Vec<Way> {
        let at = RuleRef { side: view.side, rule };
        let by = self.rule(at).map(|rule| &*rule.overridden_by).unwrap_or_default();
        steps.pay(by.len());
        by.iter()
            .filter(|by| Some(**by) != view.without)
            .map(|by| must(RuleRef { side: view.side, rule: *by }, Wish::Holds))
            .collect()
    }

    /// Whether all rules come out as wished, since their exceptions are not among the requirements.
    pub(crate) fn towards_all(&self, must: &[(RuleRef, Wish)], call: &Call, steps: &Steps) -> Towards {
        steps.pay(of_reading(&call.arguments));
        let first = call.with_query(|query| {
            let each = must.iter().map(|(at, wish)| self.towards(*at, *wish, call, query, steps));
            each.into_iter().find(|towards| !matches!(towards, Towards::There))
        });
        first.map_or(Towards::Lost, |missed| missed.unwrap_or(Towards::There))
    }

    fn towards(&self, at: RuleRef, wish: Wish, call: &Call, query: &Query<'_>, steps: &Steps) -> Towards {
        let Some(rule) = self.rule(at) else { return Towards::Lost };
        steps.pay(rule.weight_for(call));
        let outcome = rule.outline.holds(&call.tool, query);
        let error_counts = match wish {
            Wish::Applies => rule.approval > Approval::Auto,
            Wish::Holds => false,
            Wish::Undecided => true,
        };
        let reached = match wish {
            Wish::Applies | Wish::Holds => outcome == Truth::True || (error_counts && outcome == Truth::Error),
            Wish::Undecided => outcome == Truth::Error,
        };
        if reached {
            return Towards::There;
        }
        if wish == Wish::Undecided && outcome == Truth::True {
            // One of its parts must be undecided.
            let atoms = rule.atoms.iter().map(|atom| vec![Literal::Outcome(*atom, crate::arguments::Outcomes::ERROR)]);
            let agent = rule.block.agent.map(|_| vec![Literal::AgentUnknown]);
            let except = rule.except.iter().filter(|except| except.agent.is_some()).map(|except| {
                let mut way = crate::model::inside(except, true);
                way.push(Literal::AgentUnknown);
                way
            });
            return Towards::Ways(ways(atoms.chain(agent).chain(except).collect()));
        }
        // Only an exception can be in the way: leave it by one of its parts.
        let in_the_way = |except: &&Block| {
            steps.pay(self.weight(except) * of_name(&call.tool));
            match self.lies_in(except, call) {
                Truth::True => true,
                Truth::Error => !error_counts,
                Truth::False => false,
            }
        };
        let Some(except) = rule.except.iter().find(in_the_way) else { return Towards::Lost };
        let tool = except.tool.map(|language| vec![Literal::Tool(language, false)]);
        let server = except.server.map(|language| vec![Literal::Server(language, false)]);
        let agent = |language| vec![Literal::Agent { language, inside: false, or_unknown: error_counts }];
        Towards::Ways(ways(tool.into_iter().chain(server).chain(except.agent.map(agent)).collect()))
    }

    fn weight(&self, block: &Block) -> usize {
        let languages = [block.tool, block.server, block.agent];
        1 + languages.into_iter().flatten().map(|language| self.names.weight(language)).sum::<usize>()
    }

    fn lies_in(&self, block: &Block, call: &Call) -> Truth {
        let has = |language: Option<LanguageId>, name: &str| language.is_none_or(|own| self.names.has(own, name));
        if !has(block.tool, &call.tool) || !has(block.server, &call.server) {
            return Truth::False;
        }
        match (&call.agent, block.agent) {
            (_, None) => Truth::True,
            (None, Some(_)) => Truth::Error,
            (Some(agent), language) => has(language, agent).into(),
        }
    }
}

const fn must(rule: RuleRef, wish: Wish) -> Way {
    Way { literals: Vec::new(), must: Some((rule, wish)) }
}

fn ways(all: Vec<Vec<Literal>>) -> Vec<Way> {
    all.into_iter().map(|literals| Way { literals, must: None }).collect()
}

/// What the rules that have a say answer together.
fn by_rules(side: &Side<'_>, effective: &[(usize, bool)]) -> (Approval, Why) {
    let rules = effective.iter().filter_map(|(rule, by_error)| Some((side.rules.get(*rule)?, *rule, *by_error)));
    let best = rules.clone().max_by(|(one, _, one_error), (other, _, other_error)| {
        let key = |rule: &Rule<'_>, by_error: bool| {
            (rule.approval, !by_error, rule.outline.info().risk, rule.block.server.is_some())
        };
        key(one, *one_error).cmp(&key(other, *other_error)).then_with(|| other.name().cmp(one.name()))
    });
    let Some((rule, index, _)) = best else { return (side.default, Why::Default) };
    let undecided = rules.clone().find(|(_, _, by_error)| *by_error).map(|(_, index, _)| index);
    match undecided {
        Some(undecided) if side.default > rule.approval => (side.default, Why::Undecided(undecided)),
        _ => (rule.approval, Why::Rule(index)),
    }
}

/// Only a rule that surely matches, and is not overridden itself, overrides.
fn remove_overridden(side: &Side<'_>, applied: &mut Vec<(usize, bool)>, steps: &Steps) {
    let mut by: Vec<usize> = applied.iter().filter(|(_, by_error)| !by_error).map(|(rule, _)| *rule).collect();
    by.retain(|rule| side.rules.get(*rule).is_some_and(|rule| !rule.overrides.is_empty()));
    by.sort_by_key(|rule| side.rules.get(*rule).map(|rule| rule.outline.override_rank()));
    let mut gone: HashSet<usize> = HashSet::new();
    for rule in by {
        if !gone.contains(&rule)
            && let Some(rule) = side.rules.get(rule)
        {
            steps.pay(2 * rule.overrides.len());
            gone.extend(&rule.overrides);
        }
    }
    applied.retain(|(own, _)| !gone.contains(own));
}
