//! Whom rules ask, compared: the same answer, `approve`, means something else where other people are asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use thoth_types::Approval;

use crate::model::{RequirementsKey, Rule, Side, Space};
use crate::steps::Steps;

/// Steps for all rules.
const MOST_STEPS: u64 = 8_000_000;

/// Equal where the requirements are.
type KeyId = usize;

/// A policy, and the requirements of each of its rules.
struct Keyed<'s, 'p> {
    side: &'s Side<'p>,
    keys: Vec<KeyId>,
}

/// What decides of which calls a rule asks.
#[derive(Debug, PartialEq, Eq)]
struct Reach {
    own: KeyId,
    /// What overrides it, what overrides that, and so on: such a rule, and the one that it overrides.
    overridden_by: HashSet<(KeyId, KeyId)>,
    /// Where the first match decides: what may decide before it.
    earlier: Option<HashSet<KeyId>>,
}

/// The names of all rules that say who approves, and in either policy say or do so otherwise. A rule whose reach is
/// written otherwise counts, though the calls may be the same. And whether all were looked at.
pub(crate) fn other_demands(space: &Space<'_>) -> (Vec<String>, bool) {
    let [old, new] = &*space.sides else { return (Vec::new(), true) };
    let steps = Steps::at_most(MOST_STEPS);
    let mut known: HashMap<RequirementsKey, KeyId> = HashMap::new();
    let mut keyed = |side| Keyed::new(side, &mut known);
    let (old_keyed, new_keyed) = (keyed(old), keyed(new));
    let ordered = old.first_match != new.first_match && [old, new].into_iter().any(may_ask_twice);
    let (one, other) = (by_name(old), by_name(new));
    let names: BTreeSet<&str> = one.keys().chain(other.keys()).copied().collect();
    let differs = |name: &str| match (one.get(name), other.get(name)) {
        (Some(&before), Some(&after)) => {
            let demands = [(old, before), (new, after)].map(|(side, at)| demand(side, at));
            let asks = demands.iter().any(Option::is_some);
            let [before_asks, after_asks] = demands;
            let order = old.first_match && new.first_match;
            asks && (ordered
                || before_asks != after_asks
                || old_keyed.reach(before, order, &steps) != new_keyed.reach(after, order, &steps))
        }
        // Such a rule that is new, or gone.
        (Some(&at), None) => demand(old, at).is_some(),
        (None, Some(&at)) => demand(new, at).is_some(),
        (None, None) => false,
    };
    let others = names.into_iter().filter(|name| differs(name)).map(str::to_owned).collect();
    (others, !steps.are_spent())
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

impl<'s, 'p> Keyed<'s, 'p> {
    fn new(side: &'s Side<'p>, known: &mut HashMap<RequirementsKey, KeyId>) -> Self {
        let mut id = |rule: &Rule<'p>| {
            let next = known.len();
            *known.entry(rule.requirements_key()).or_insert(next)
        };
        Self { side, keys: side.rules.iter().map(&mut id).collect() }
    }

    /// Not all of it once the steps are spent.
    fn reach(&self, at: usize, ordered: bool, steps: &Steps) -> Option<Reach> {
        let own = *self.keys.get(at)?;
        let earlier = ordered.then(|| {
            steps.pay(at);
            self.keys.iter().take(if steps.are_spent() { 0 } else { at }).copied().collect()
        });
        Some(Reach { own, overridden_by: self.overriders(at, steps), earlier })
    }

    /// All rules that could take this one's say, or give it back by taking that of such a rule.
    fn overriders(&self, at: usize, steps: &Steps) -> HashSet<(KeyId, KeyId)> {
        let mut found = HashSet::new();
        let mut seen = HashSet::from([at]);
        let mut open = vec![at];
        while let Some(of) = open.pop() {
            let (Some(rule), Some(of_key)) = (self.side.rules.get(of), self.keys.get(of)) else { continue };
            // They are looked up, and kept.
            steps.pay(8 * rule.overridden_by.len());
            if steps.are_spent() {
                break;
            }
            for by in &rule.overridden_by {
                let Some(key) = self.keys.get(*by) else { continue };
                found.insert((*key, *of_key));
                if seen.insert(*by) {
                    open.push(*by);
                }
            }
        }
        found
    }
}
