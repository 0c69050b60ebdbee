//! Policies as sets of requirements, one for each rule, over names, conditions and moments that they share.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use thoth_policy::outline::{Condition, ListOutline, MatchBlock, RuleOutline, TextMatch};
use thoth_policy::{Evaluation, Policy, RuleId, Truth};
use thoth_types::{Approval, HarmClasses};

use crate::arguments::{AtomId, Atoms, Outcomes};
use crate::call::Call;
use crate::language::Search;
use crate::names::{LanguageId, Names, Whose};
use crate::region::{Literal, Region, Wish};
use crate::steps::{Steps, Weight, of_name, of_reading};
use crate::times::{Moments, Timed, Times};

/// A rule of one of the policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct RuleRef {
    pub(crate) side: usize,
    pub(crate) rule: usize,
}

/// A match block. `None` stands for any name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Block {
    pub(crate) tool: Option<LanguageId>,
    pub(crate) server: Option<LanguageId>,
    pub(crate) agent: Option<LanguageId>,
}

/// What a rule answers, and everything that decides for which calls.
pub(crate) type RequirementsKey = (Approval, Block, Vec<Block>, Option<Moments>, Vec<AtomId>);

/// A rule as requirements.
#[derive(Debug)]
pub(crate) struct Rule<'p> {
    pub(crate) outline: RuleOutline<'p>,
    pub(crate) approval: Approval,
    pub(crate) block: Block,
    pub(crate) except: Vec<Block>,
    /// When it applies at all; `None` for always.
    pub(crate) moments: Option<Moments>,
    pub(crate) atoms: Vec<AtomId>,
    pub(crate) overrides: Vec<usize>,
    pub(crate) overridden_by: Vec<usize>,
    /// Whether the other side has the same rule, and order and overrides make no difference.
    pub(crate) shared: bool,
    /// Globs that are held against a call.
    globs: usize,
    /// Conditions that are.
    weight: Weight,
}

impl Rule<'_> {
    /// What it takes to hold it against a call.
    pub(crate) fn weight_for(&self, call: &Call) -> usize {
        self.globs * (of_name(&call.tool) + of_name(&call.server)) + self.weight.on(&call.arguments)
    }

    pub(crate) fn name(&self) -> &str {
        &self.outline.info().name
    }

    /// Equal where the rules answer the same for the same calls, order and overrides aside.
    pub(crate) fn requirements_key(&self) -> RequirementsKey {
        let mut atoms = self.atoms.clone();
        atoms.sort_unstable();
        (self.approval, self.block.clone(), self.except.clone(), self.moments.clone(), atoms)
    }

    /// Whether it fits every call, whatever else.
    pub(crate) fn is_for_every_call(&self) -> bool {
        let Block { tool, server, agent } = &self.block;
        tool.is_none()
            && server.is_none()
            && agent.is_none()
            && self.except.is_empty()
            && self.moments.is_none()
            && self.atoms.is_empty()
    }
}

/// A list of tools that answers on its own.
#[derive(Debug)]
pub(crate) struct ToolsList<'p> {
    pub(crate) outline: ListOutline<'p>,
    pub(crate) language: LanguageId,
}

impl ToolsList<'_> {
    /// What a call needs for the list to answer.
    pub(crate) const fn answers(&self) -> Literal {
        Literal::Tool(self.language, self.outline.named)
    }

    pub(crate) const fn does_not_answer(&self) -> Literal {
        Literal::Tool(self.language, !self.outline.named)
    }
}

/// One policy.
#[derive(Debug)]
pub(crate) struct Side<'p> {
    pub(crate) policy: &'p Policy,
    /// In the order of the files.
    pub(crate) rules: Vec<Rule<'p>>,
    pub(crate) lists: Vec<ToolsList<'p>>,
    pub(crate) default: Approval,
    pub(crate) first_match: bool,
    pub(crate) overrides: bool,
    by_id: HashMap<RuleId, usize>,
}

/// What each side's rules and lists say of one call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The rules that count as matching, in the order of the files, and whether only because of an error.
    pub(crate) applied: Vec<(usize, bool)>,
    /// The lists that answer.
    pub(crate) lists: Vec<usize>,
}

/// Everything that questions about some policies share.
#[derive(Debug)]
pub(crate) struct Space<'p> {
    pub(crate) names: Names,
    pub(crate) atoms: Atoms<'p>,
    pub(crate) times: Times,
    pub(crate) sides: Vec<Side<'p>>,
    /// For all questions together.
    pub(crate) steps: Steps,
}

impl<'p> Space<'p> {
    pub(crate) fn new(policies: &[&'p Policy], from: Timestamp, budget: u64) -> Self {
        let steps = Steps::at_most(budget);
        let mut names = Names::default();
        let mut atoms = Atoms::default();
        let outlines: Vec<Vec<RuleOutline<'p>>> = policies.iter().map(|policy| policy.rule_outlines()).collect();
        let timed: Vec<Timed<'p>> = outlines.iter().flatten().flat_map(timed).collect();
        let times = Times::new(from, &timed);
        let sides = policies
            .iter()
            .zip(outlines)
            .map(|(policy, outlines)| side(policy, outlines, &mut names, &mut atoms, &times))
            .collect();
        let mut space = Self { names, atoms, times, sides, steps };
        space.mark_shared();
        space
    }

    fn mark_shared(&mut self) {
        let [one, other] = &mut *self.sides else { return };
        if [&one, &other].iter().any(|side| side.first_match || side.overrides) {
            return;
        }
        let keys = |side: &Side<'_>| side.rules.iter().map(Rule::requirements_key).collect::<HashSet<_>>();
        let both: HashSet<_> = keys(one).intersection(&keys(other)).cloned().collect();
        for rule in one.rules.iter_mut().chain(&mut other.rules) {
            rule.shared = both.contains(&rule.requirements_key());
        }
    }

    pub(crate) fn rule(&self, at: RuleRef) -> Option<&Rule<'p>> {
        self.sides.get(at.side)?.rules.get(at.rule)
    }

    pub(crate) fn everything(&self) -> Region {
        Region::everything(self.times.always())
    }

    /// What a call needs for the rule to come out as wished, exceptions aside.
    pub(crate) fn requirements(&self, rule: &Rule<'_>, wish: Wish) -> Vec<Literal> {
        let error_counts = match wish {
            Wish::Applies => rule.approval > Approval::Auto,
            Wish::Holds => false,
            Wish::Undecided => true,
        };
        let mut all = inside(&rule.block, error_counts);
        all.extend(rule.moments.clone().map(Literal::During));
        let outcomes = if error_counts { Outcomes::NOT_FALSE } else { Outcomes::TRUE };
        all.extend(rule.atoms.iter().map(|atom| Literal::Outcome(*atom, outcomes)));
        all
    }

    /// All ways in which a call can fail a rule, each without the ones before it; an error is such a way or is not. Some
    /// are missing once the steps are spent.
    pub(crate) fn escapes(&self, rule: &Rule<'_>, error_escapes: bool, steps: &Steps) -> Vec<Vec<Literal>> {
        let mut ways: Vec<Vec<Literal>> = Vec::new();
        let mut stays: Vec<Literal> = Vec::new();
        let mut single = |leaves: Literal, remains: Literal| {
            steps.pay(2 + stays.len());
            if steps.are_spent() {
                return;
            }
            let mut way = stays.clone();
            way.push(leaves);
            ways.push(way);
            stays.push(remains);
        };
        for (language, make) in [
            (rule.block.tool, Literal::Tool as fn(LanguageId, bool) -> Literal),
            (rule.block.server, Literal::Server as fn(LanguageId, bool) -> Literal),
        ] {
            if let Some(language) = language {
                single(make(language, false), make(language, true));
            }
        }
        if let Some(language) = rule.block.agent {
            let agent = |inside, or_unknown| Literal::Agent { language, inside, or_unknown };
            single(agent(false, error_escapes), agent(true, !error_escapes));
        }
        if let Some(moments) = &rule.moments {
            steps.pay(moments.len());
            let other = self.times.always().without(moments);
            single(Literal::During(other), Literal::During(moments.clone()));
        }
        let outcomes = if error_escapes { Outcomes::NOT_TRUE } else { Outcomes::FALSE };
        for atom in &rule.atoms {
            single(Literal::Outcome(*atom, outcomes), Literal::Outcome(*atom, outcomes.other()));
        }
        for except in &rule.except {
            steps.pay(3 + stays.len());
            if steps.are_spent() {
                break;
            }
            let mut way = stays.clone();
            way.extend(inside(except, error_escapes));
            ways.push(way);
        }
        ways
    }

    /// A call of the region.
    pub(crate) fn model(&mut self, region: &Region, steps: &Steps) -> Search<Call> {
        steps.pay(region.moments.len());
        let Some(moment) = region.moments.first() else {
            return if self.times.complete { Search::Empty } else { Search::Unknown };
        };
        let mut unknown = false;
        let mut found = |names: &mut Names, whose, wish: &[(LanguageId, bool)]| match names.find(whose, wish, steps) {
            Search::Found(name) => Some(name),
            Search::Empty => None,
            Search::Unknown => {
                unknown = true;
                None
            }
        };
        let tool = found(&mut self.names, Whose::Tool, &region.tool);
        let server = tool.is_some().then(|| found(&mut self.names, Whose::Server, &region.server)).flatten();
        let agent = match (&region.agents.known, region.agents.unknown) {
            (_, true) => Some(None),
            (Some(wish), false) => found(&mut self.names, Whose::Agent, wish).map(Some),
            (None, false) => None,
        };
        let (Some(tool), Some(server), Some(agent)) = (tool, server, agent) else {
            return if unknown { Search::Unknown } else { Search::Empty };
        };
        let at = self.times.at(moment);
        let call = Call {
            tool,
            server,
            agent,
            arguments: "{}".to_owned(),
            at,
            earlier: Vec::new(),
            labels: HarmClasses::NONE,
        };
        self.atoms.complete(&region.wanted, call, steps)
    }

    /// What rules and lists of each side say of a call.
    pub(crate) fn facts(&self, call: &Call, steps: &Steps) -> Vec<Facts> {
        steps.pay(of_reading(&call.arguments));
        let mut candidates = Vec::new();
        let all = call.with_query(|query| {
            self.sides
                .iter()
                .map(|side| {
                    side.policy.rule_candidates(&call.tool, &call.server, &mut candidates);
                    let known = candidates.iter().filter_map(|id| side.by_id.get(id).copied());
                    let mut applied: Vec<(usize, bool)> = known
                        .filter_map(|index| {
                            let rule = side.rules.get(index)?;
                            steps.pay(rule.weight_for(call));
                            match rule.outline.holds(&call.tool, query) {
                                Truth::True => Some((index, false)),
                                Truth::Error if rule.approval > Approval::Auto => Some((index, true)),
                                Truth::Error | Truth::False => None,
                            }
                        })
                        .collect();
                    applied.sort_unstable();
                    let answers = |list: &ToolsList<'_>| {
                        steps.pay(self.names.weight(list.language) * of_name(&call.tool));
                        self.names.has(list.language, &call.tool) == list.outline.named
                    };
                    let lists = side.lists.iter().enumerate().filter(|(_, list)| answers(list));
                    Facts { applied, lists: lists.map(|(index, _)| index).collect() }
                })
                .collect()
        });
        all.unwrap_or_default()
    }

    /// What the policies answer, and what it takes to ask them. `None` once the steps are spent.
    pub(crate) fn answers(&self, call: &Call, steps: &Steps) -> Option<Vec<Approval>> {
        let mut candidates = Vec::new();
        let mut answer = |side: &Side<'p>| {
            side.policy.rule_candidates(&call.tool, &call.server, &mut candidates);
            let known = candidates.iter().filter_map(|id| side.rules.get(*side.by_id.get(id)?));
            let rules: Vec<&Rule<'p>> = known.collect();
            let overriding = rules.iter().filter(|rule| !rule.overrides.is_empty()).count();
            let lists = side.lists.iter().map(|list| self.names.weight(list.language) * of_name(&call.tool));
            let rules_for = rules.iter().map(|rule| rule.weight_for(call));
            steps.pay(of_reading(&call.arguments) + overriding * rules.len());
            steps.pay(rules_for.chain(lists).sum());
            if steps.are_spent() { None } else { call.decided_by(side.policy) }
        };
        self.sides.iter().map(&mut answer).collect()
    }
}

/// What a call needs to lie in a block.
pub(crate) fn inside(block: &Block, or_unknown: bool) -> Vec<Literal> {
    let tool = block.tool.map(|language| Literal::Tool(language, true));
    let server = block.server.map(|language| Literal::Server(language, true));
    let agent = block.agent.map(|language| Literal::Agent { language, inside: true, or_unknown });
    tool.into_iter().chain(server).chain(agent).collect()
}

/// How many globs a rule has.
fn globs(outline: &RuleOutline<'_>) -> usize {
    let globs = |text: &TextMatch| text.any.len() + text.none.len();
    let of_block = |block: &MatchBlock| 1 + globs(&block.tool) + globs(&block.server) + globs(&block.agent);
    [outline.matcher()].into_iter().chain(outline.except()).map(of_block).sum()
}

/// Whether some rule looks at the clock.
pub(crate) fn is_timed(policy: &Policy) -> bool {
    policy.rule_outlines().iter().any(|outline| !timed(outline).is_empty())
}

fn timed<'p>(outline: &RuleOutline<'p>) -> Vec<Timed<'p>> {
    let windows = outline.conditions().iter().filter_map(|condition| match condition {
        Condition::When(window) => Some(Timed::Window(window)),
        _ => None,
    });
    windows.chain(outline.info().expires.map(Timed::Until)).collect()
}

fn side<'p>(
    policy: &'p Policy,
    outlines: Vec<RuleOutline<'p>>,
    names: &mut Names,
    atoms: &mut Atoms<'p>,
    times: &Times,
) -> Side<'p> {
    let by_id: HashMap<RuleId, usize> = outlines.iter().enumerate().map(|(index, rule)| (rule.id, index)).collect();
    let mut block = |block: &MatchBlock| {
        let mut language = |text: &TextMatch| (!text.matches_everything()).then(|| names.add(text));
        Block { tool: language(&block.tool), server: language(&block.server), agent: language(&block.agent) }
    };
    let mut rules: Vec<Rule<'p>> = Vec::with_capacity(outlines.len());
    for outline in outlines {
        let when = timed(&outline).iter().map(|timed| times.when(timed)).reduce(|one, other| one.and(&other));
        let conditions = outline.conditions().iter().filter(|condition| !matches!(condition, Condition::When(_)));
        rules.push(Rule {
            approval: outline.info().approval,
            block: block(outline.matcher()),
            except: outline.except().iter().map(&mut block).collect(),
            moments: when.filter(|moments| *moments != times.always()),
            atoms: conditions.map(|condition| atoms.add(condition)).collect(),
            overrides: outline.overrides().iter().filter_map(|id| by_id.get(id).copied()).collect(),
            overridden_by: Vec::new(),
            shared: false,
            globs: globs(&outline),
            weight: outline.conditions().iter().map(crate::arguments::weight).sum(),
            outline,
        });
    }
    let edges: Vec<(usize, usize)> =
        rules.iter().enumerate().flat_map(|(by, rule)| rule.overrides.iter().map(move |of| (by, *of))).collect();
    for (by, of) in &edges {
        if let Some(rule) = rules.get_mut(*of) {
            rule.overridden_by.push(*by);
        }
    }
    let lists = policy
        .list_outlines()
        .into_iter()
        .map(|outline| {
            let language =
                if outline.any_case { names.add_in_any_case(outline.tools) } else { names.add(outline.tools) };
            ToolsList { outline, language }
        })
        .collect();
    Side {
        policy,
        rules,
        lists,
        default: policy.default_answer().0,
        first_match: policy.evaluation() == Evaluation::FirstMatch,
        overrides: !edges.is_empty(),
        by_id,
    }
}
