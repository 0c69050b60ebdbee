//! Whom rules ask, compared: the same answer, `approve`, means something else where other people are asked.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use thoth_types::Approval;

use crate::model::{RequirementsKey, Rule, Side, Space};

/// What decides of which calls a rule asks.
#[derive(Debug, PartialEq, Eq)]
struct Reach {
    own: RequirementsKey,
    /// What overrides it, what overrides that, and so on: such a rule, and the one that it overrides.
    overridden_by: HashSet<(RequirementsKey, RequirementsKey)>,
    /// Where the first match decides: what may decide before it.
    earlier: Option<HashSet<RequirementsKey>>,
}

/// The names of all rules that say who approves, and in either policy say or do so otherwise. A rule whose reach is
/// written otherwise counts, though the calls may be the same.
pub(crate) fn other_demands(space: &Space<'_>) -> Vec<String> {
    let [old, new] = &*space.sides else { return Vec::new() };
    let ordered = old.first_match != new.first_match && [old, new].into_iter().any(may_ask_twice);
    let (one, other) = (by_name(old), by_name(new));
    let names: BTreeSet<&str> = one.keys().chain(other.keys()).copied().collect();
    let differs = |name: &str| match (one.get(name), other.get(name)) {
        (Some(&before), Some(&after)) => {
            let demands = [(old, before), (new, after)].map(|(side, at)| demand(side, at));
            let asks = demands.iter().any(Option::is_some);
            let [before_asks, after_asks] = demands;
            let order = old.first_match && new.first_match;
            asks && (ordered || before_asks != after_asks || reach(old, before, order) != reach(new, after, order))
        }
        // Such a rule that is new, or gone.
        (Some(&at), None) => demand(old, at).is_some(),
        (None, Some(&at)) => demand(new, at).is_some(),
        (None, None) => false,
    };
    names.into_iter().filter(|name| differs(name)).map(str::to_owned).collect()
}

/// Whether two rules or lists ask, so that one call may be asked for by both where the strictest decides, and by one
/// where the first does.
fn may_ask_twice(side: &Side<'_>) -> bool {
    let rules = side.rules.iter().filter(|rule| rule.approval == Approval::Approve).count();
    let lists = side.lists.iter().filter(|list| list.outline.approval == Approval::Approve).count();
    rules + lists > 1
}

fn by_name<'s>(side: &'s Side<'_>) -> BTreeMap<&'s str, usize> {
    side.rules.iter().enumerate().map(|(at, rule)| (rule.name(), at)).collect()
}

fn demand(side: &Side<'_>, at: usize) -> Option<String> {
    side.rules.get(at).and_then(|rule| rule.outline.demand())
}

fn reach(side: &Side<'_>, at: usize, ordered: bool) -> Option<Reach> {
    let own = side.rules.get(at)?.requirements_key();
    let earlier = ordered.then(|| side.rules.iter().take(at).map(Rule::requirements_key).collect());
    Some(Reach { own, overridden_by: overriders(side, at), earlier })
}

/// All rules that could take this one's say, or give it back by taking that of such a rule.
fn overriders(side: &Side<'_>, at: usize) -> HashSet<(RequirementsKey, RequirementsKey)> {
    let mut found = HashSet::new();
    let mut seen = HashSet::from([at]);
    let mut open = vec![at];
    while let Some(of) = open.pop().and_then(|at| side.rules.get(at)) {
        for by in &of.overridden_by {
            let Some(rule) = side.rules.get(*by) else { continue };
            found.insert((rule.requirements_key(), of.requirements_key()));
            if seen.insert(*by) {
                open.push(*by);
            }
        }
    }
    found
}
