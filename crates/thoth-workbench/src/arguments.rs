//! Conditions on arguments and history: which outcomes can be had together, and a call that has them.

use std::collections::{BTreeMap, HashMap};

use thoth_policy::outline::{Condition, Literal, Test};
use thoth_policy::{RateScope, Truth};
use thoth_types::HarmClasses;

use crate::call::{Call, Earlier};
use crate::language::{Language, Search, find};
use crate::steps::{Steps, Weight, of_reading};

mod containers;
mod decimals;
mod document;
mod values;

use document::{Slot, document};

/// A condition, the same in all rules that have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AtomId(u32);

/// Some of the three outcomes of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Outcomes(u8);

impl Outcomes {
    pub(crate) const TRUE: Self = Self(1);
    pub(crate) const FALSE: Self = Self(2);
    pub(crate) const ERROR: Self = Self(4);
    pub(crate) const NOT_FALSE: Self = Self(5);
    pub(crate) const NOT_TRUE: Self = Self(6);
    pub(crate) const ANY: Self = Self(7);

    pub(crate) const fn of(truth: Truth) -> Self {
        match truth {
            Truth::True => Self::TRUE,
            Truth::False => Self::FALSE,
            Truth::Error => Self::ERROR,
        }
    }

    pub(crate) const fn has(self, truth: Truth) -> bool {
        self.0 & Self::of(truth).0 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn other(self) -> Self {
        Self(Self::ANY.0 & !self.0)
    }

    pub(crate) const fn is_none(self) -> bool {
        self.0 == 0
    }
}

/// What is wanted of each condition that matters.
pub(crate) type Wanted = BTreeMap<AtomId, Outcomes>;

/// All conditions of some policies.
#[derive(Debug, Default)]
pub(crate) struct Atoms<'p> {
    conditions: Vec<&'p Condition>,
    weights: Vec<Weight>,
    known: HashMap<String, AtomId>,
    slots: HashMap<Vec<(AtomId, Outcomes)>, Search<Vec<Slot>>>,
}

/// What it takes to hold a condition against a call.
pub(crate) fn weight(condition: &Condition) -> Weight {
    /// A regular expression, and words that are looked for everywhere, beside a comparison.
    const SEARCH: usize = 16;
    let literal = |own: &Literal| match own {
        Literal::List(_) | Literal::Map(_) => own.show().len(),
        _ => 1,
    };
    let (once, by_length) = match condition {
        Condition::Argument { path, test } => {
            let (once, by_length) = match test {
                Test::Equals(own) | Test::Ordered(_, own) => (literal(own), 0),
                Test::Contains(own) => (literal(own), 1),
                Test::In(own) | Test::NotIn(own) => (own.iter().map(literal).sum(), 0),
                Test::Glob(globs, _) => (globs.any.len() + globs.none.len(), globs.any.len() + globs.none.len()),
                Test::Host(hosts, _) => (hosts.len(), hosts.len()),
                Test::Under(own, _) => (own.len(), own.len()),
                Test::Pattern(_) => (SEARCH, SEARCH),
                Test::Size(_) => (1, 2),
                Test::Exists(_) => (1, 0),
            };
            (path.steps.len() + once, by_length)
        }
        Condition::AfterCall { tool, server } => {
            (tool.any.len() + tool.none.len() + server.any.len() + server.none.len(), 0)
        }
        Condition::ArgumentsSize(_) | Condition::When(_) | Condition::Rate { .. } | Condition::Labels(_) => (1, 0),
        Condition::Semantic(_) => (SEARCH, SEARCH),
    };
    Weight { once: 4 * (1 + once), by_length }
}

impl<'p> Atoms<'p> {
    pub(crate) fn add(&mut self, condition: &'p Condition) -> AtomId {
        let next = AtomId(u32::try_from(self.conditions.len()).unwrap_or(u32::MAX));
        let id = *self.known.entry(key(condition)).or_insert(next);
        if id == next {
            self.conditions.push(condition);
            self.weights.push(weight(condition));
        }
        id
    }

    pub(crate) fn get(&self, id: AtomId) -> Option<&'p Condition> {
        self.conditions.get(id.0 as usize).copied()
    }

    fn weight(&self, id: AtomId) -> Weight {
        self.weights.get(id.0 as usize).copied().unwrap_or_default()
    }

    /// Completes a call, of which tool, server, agent and time are given, so that the conditions come out as wanted.
    pub(crate) fn complete(&mut self, wanted: &Wanted, call: Call, steps: &Steps) -> Search<Call> {
        steps.pay(8 * wanted.len());
        let mut paths: BTreeMap<&'p str, Vec<(AtomId, Outcomes)>> = BTreeMap::new();
        for (id, outcomes) in wanted {
            if let Some(Condition::Argument { path, .. }) = self.get(*id) {
                paths.entry(&path.text).or_default().push((*id, *outcomes));
            }
        }
        let mut choices: Vec<(AtomId, Vec<Slot>)> = Vec::new();
        for tests in paths.into_values() {
            let Some((first, _)) = tests.first().copied() else { continue };
            match self.slots(tests, steps) {
                Search::Found(slots) => choices.push((first, slots)),
                Search::Empty => return Search::Empty,
                Search::Unknown => return Search::Unknown,
            }
        }
        // Sizes and rates are held against each other, and so are paths.
        let many = |which: fn(&Condition) -> bool| wanted.keys().filter(|id| self.get(**id).is_some_and(which)).count();
        let sizes = many(|condition| matches!(condition, Condition::ArgumentsSize(_)));
        let related = many(|condition| matches!(condition, Condition::Rate { .. } | Condition::AfterCall { .. }));
        steps.pay(8 * sizes * sizes + 2 * related * related);
        if steps.are_spent() {
            return Search::Unknown;
        }
        if self.impossible_sizes(wanted) || self.impossible_rates(wanted) {
            return Search::Empty;
        }
        let Some(labels) = self.labels(wanted) else { return Search::Empty };
        let call = match self.history(wanted, Call { labels, ..call }, steps) {
            Search::Found(call) => call,
            other => return other,
        };
        /// Values of arguments that lie in each other are tried together.
        const MOST_TRIES: usize = 128;
        for choice in 0..MOST_TRIES {
            steps.pay(choices.len() * (4 + choices.len()));
            if steps.are_spent() {
                return Search::Unknown;
            }
            let Some(slots) = nth_choice(&choices, choice) else { break };
            let with_paths: Vec<_> = choices
                .iter()
                .zip(slots)
                .filter_map(|((id, _), slot)| match self.get(*id)? {
                    Condition::Argument { path, .. } => Some((path, slot)),
                    _ => None,
                })
                .collect();
            let Some(text) = document(&with_paths, &self.extras(wanted)) else { continue };
            let text = self.padded(wanted, text);
            let tried = Call { arguments: text, ..call.clone() };
            if self.come_out(wanted, &tried, steps) {
                return Search::Found(tried);
            }
        }
        Search::Unknown
    }

    fn come_out(&self, wanted: &Wanted, call: &Call, steps: &Steps) -> bool {
        steps.pay(of_reading(&call.arguments));
        let all = |query: &thoth_policy::Query<'_>| {
            wanted.iter().all(|(id, outcomes)| {
                self.get(*id).is_some_and(|condition| {
                    steps.pay(self.weight(*id).on(&call.arguments));
                    outcomes.has(condition.holds(query.tool, query))
                })
            })
        };
        call.with_query(all).unwrap_or_default()
    }

    fn slots(&mut self, tests: Vec<(AtomId, Outcomes)>, steps: &Steps) -> Search<Vec<Slot>> {
        if let Some(known) = self.slots.get(&tests) {
            return known.clone();
        }
        let conditions: Vec<(&Condition, Outcomes)> =
            tests.iter().filter_map(|(id, outcomes)| Some((self.get(*id)?, *outcomes))).collect();
        let weight = tests.iter().map(|(id, _)| self.weight(*id)).sum();
        let found = values::find(&conditions, weight, steps);
        // What was left open for want of steps may be found with more.
        if !steps.are_spent() {
            self.slots.insert(tests, found.clone());
        }
        found
    }

    /// Arguments beside those that conditions name: keywords that are wanted.
    fn extras(&self, wanted: &Wanted) -> Vec<String> {
        let about = wanted.iter().filter_map(|(id, outcomes)| match self.get(*id)? {
            Condition::Semantic(semantic) if !outcomes.has(Truth::False) => Some(semantic.example().to_owned()),
            _ => None,
        });
        about.collect()
    }

    /// Bounds on the size of all arguments that no size can meet.
    fn impossible_sizes(&self, wanted: &Wanted) -> bool {
        let bounds: Vec<_> = self.sizes(wanted).collect();
        let edges = bounds.iter().flat_map(|(bounds, _)| {
            [bounds.least, bounds.least.saturating_sub(1), bounds.most, bounds.most.saturating_add(1)]
        });
        let fits = |size: u64| {
            size >= "{}".len() as u64
                && bounds
                    .iter()
                    .all(|(bounds, outcomes)| outcomes.has((bounds.least <= size && size <= bounds.most).into()))
        };
        !bounds.is_empty() && !edges.chain(["{}".len() as u64]).any(fits)
    }

    fn sizes(&self, wanted: &Wanted) -> impl Iterator<Item = (thoth_policy::outline::Bounds, Outcomes)> {
        wanted.iter().filter_map(|(id, outcomes)| match self.get(*id)? {
            Condition::ArgumentsSize(bounds) => Some((*bounds, *outcomes)),
            _ => None,
        })
    }

    /// The document made longer, where its size is to be larger.
    fn padded(&self, wanted: &Wanted, text: String) -> String {
        const MOST: u64 = 4 << 20;
        const AROUND: usize = r#","padding":"""#.len();
        let have = text.len() as u64;
        let fits = |size: u64| {
            self.sizes(wanted)
                .all(|(bounds, outcomes)| outcomes.has((bounds.least <= size && size <= bounds.most).into()))
        };
        if fits(have) {
            return text;
        }
        let comma = usize::from(text != "{}");
        let least = have + (AROUND - 1 + comma) as u64;
        let edges = self.sizes(wanted).flat_map(|(bounds, _)| [bounds.least, bounds.most.saturating_add(1), least]);
        let Some(size) = edges.filter(|size| (least..MOST).contains(size) && fits(*size)).min() else { return text };
        let filling = "x".repeat(usize::try_from(size - least).unwrap_or_default());
        let start = text.strip_suffix('}').unwrap_or(&text);
        format!("{start}{}\"padding\":\"{filling}\"}}", if comma == 1 { "," } else { "" })
    }

    /// Rates of which one cannot hold while the other does not.
    fn impossible_rates(&self, wanted: &Wanted) -> bool {
        let rates: Vec<_> = wanted
            .iter()
            .filter_map(|(id, outcomes)| match self.get(*id)? {
                Condition::Rate { limit, window, scope } => Some((*limit, *window, *scope, *outcomes)),
                _ => None,
            })
            .collect();
        let wider =
            |one: RateScope, other: RateScope| one == other || one == RateScope::Agent || other == RateScope::Tool;
        rates.iter().any(|(limit, window, scope, outcomes)| {
            !outcomes.has(Truth::False)
                && rates.iter().any(|(less, longer, other, outcomes)| {
                    !outcomes.has(Truth::True) && less <= limit && longer >= window && wider(*other, *scope)
                })
        })
    }

    /// Labels of the session; `None` if no labels do.
    fn labels(&self, wanted: &Wanted) -> Option<HarmClasses> {
        let conditions = || {
            wanted.iter().filter_map(|(id, outcomes)| match self.get(*id)? {
                Condition::Labels(any) => Some((*any, *outcomes)),
                _ => None,
            })
        };
        let never = conditions().filter(|(_, outcomes)| !outcomes.has(Truth::True)).map(|(any, _)| any);
        let never = never.fold(HarmClasses::NONE, HarmClasses::with);
        let mut labels = HarmClasses::NONE;
        for (any, outcomes) in conditions() {
            match (outcomes.has(Truth::True), outcomes.has(Truth::False)) {
                (true, false) if !labels.meets(any) => labels = labels.with(any.without(never).iter().next()?.into()),
                // Labels are always known.
                (false, false) => return None,
                _ => {}
            }
        }
        Some(labels)
    }

    /// Earlier calls, where some are wanted.
    fn history(&self, wanted: &Wanted, mut call: Call, steps: &Steps) -> Search<Call> {
        let mut needed: Vec<(&Condition, bool)> = Vec::new();
        for (id, outcomes) in wanted {
            if let Some(condition @ (Condition::Rate { .. } | Condition::AfterCall { .. })) = self.get(*id) {
                match (outcomes.has(Truth::True), outcomes.has(Truth::False)) {
                    (true, true) => {}
                    (true, false) => needed.push((condition, true)),
                    (false, true) => needed.push((condition, false)),
                    // History is always known.
                    (false, false) => return Search::Empty,
                }
            }
        }
        let never: Vec<(Language, Language)> = needed
            .iter()
            .filter_map(|(condition, wanted)| match condition {
                Condition::AfterCall { tool, server } if !wanted => Some((Language::of(tool), Language::of(server))),
                _ => None,
            })
            .collect();
        /// Beyond the longest window.
        const LONG_AGO: u32 = 32 * 24 * 60 * 60;
        let few = needed.iter().any(|(condition, wanted)| matches!(condition, Condition::Rate { .. }) && !wanted);
        let plain = |name: &str| thoth_policy::outline::reads_as(name) == name;
        let allowed =
            |tool: &str, server: &str| !never.iter().any(|(tools, servers)| tools.has(tool) && servers.has(server));
        for (condition, wanted) in needed {
            steps.pay(weight(condition).once + never.len());
            match condition {
                Condition::AfterCall { tool, server } if wanted => {
                    let (tools, servers) = (Language::of(tool), Language::of(server));
                    let Search::Found(server) = find(&[(&servers, true)], &["default"], &|_| true, steps) else {
                        return Search::Unknown;
                    };
                    let fits = |name: &str| plain(name) && allowed(name, &server);
                    let Search::Found(tool) = find(&[(&tools, true)], &["some_tool"], &fits, steps) else {
                        return Search::Unknown;
                    };
                    call.earlier.push(Earlier { tool, server, count: 1, seconds_ago: if few { LONG_AGO } else { 1 } });
                }
                Condition::Rate { limit, scope, .. } if wanted => {
                    let tool = if allowed(&call.tool, &call.server) {
                        call.tool.clone()
                    } else if *scope == RateScope::Tool {
                        return Search::Unknown;
                    } else {
                        let others: Vec<(&Language, bool)> = never.iter().map(|(tools, _)| (tools, false)).collect();
                        match find(&others, &["other_tool"], &plain, steps) {
                            Search::Found(tool) => tool,
                            Search::Empty if never.iter().all(|(_, servers)| servers.is_everything()) => {
                                return Search::Empty;
                            }
                            _ => return Search::Unknown,
                        }
                    };
                    // The calls that reach one limit count towards the others.
                    let same = |earlier: &&mut Earlier| {
                        earlier.tool == tool && earlier.server == call.server && earlier.seconds_ago == 1
                    };
                    match call.earlier.iter_mut().find(same) {
                        Some(earlier) => earlier.count = earlier.count.max(*limit),
                        None => {
                            let server = call.server.clone();
                            call.earlier.push(Earlier { tool, server, count: *limit, seconds_ago: 1 });
                        }
                    }
                }
                _ => {}
            }
        }
        Search::Found(call)
    }
}

/// One slot of each list, counted through like the digits of a number.
fn nth_choice(choices: &[(AtomId, Vec<Slot>)], mut number: usize) -> Option<Vec<&Slot>> {
    let mut picked = Vec::with_capacity(choices.len());
    for (_, slots) in choices {
        picked.push(slots.get(number % slots.len().max(1))?);
        number /= slots.len().max(1);
    }
    (number == 0).then_some(picked)
}

fn key(condition: &Condition) -> String {
    match condition {
        Condition::Argument { path, test: Test::Glob(globs, _) } => format!("glob {} {globs:?}", path.text),
        Condition::Argument { path, test: Test::Under(own, _) } => format!("under {} {own:?}", path.text),
        Condition::Argument { path, test: Test::Host(own, _) } => format!("host {} {own:?}", path.text),
        Condition::AfterCall { tool, server } => format!("after {tool:?} {server:?}"),
        other => other.show(),
    }
}
