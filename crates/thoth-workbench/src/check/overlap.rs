//! Rules that answer the same calls differently.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use thoth_policy::outline::{Glob, Piece, TextMatch};
use thoth_types::Approval;

use super::{Checker, named, related};
use crate::call::Call;
use crate::finding::{FindingKind, Severity};
use crate::goal::{Goal, Source, View};
use crate::model::{Rule, RuleRef, Space};
use crate::region::Wish;
use crate::steps::Steps;

/// How many pairs are looked at in all, and for one rule.
const MOST_PAIRS: usize = 30_000;
const MOST_OF_RULE: usize = 64;

impl Checker<'_> {
    pub(super) fn overlaps(&mut self, space: &mut Space<'_>) {
        let Some(side) = space.sides.first() else { return };
        let first_match = side.first_match;
        let kind = if first_match { FindingKind::PartiallyShadowed } else { FindingKind::Conflict };
        let partners = partners(&side.rules, first_match, &space.steps);
        let mut left = MOST_PAIRS;
        let (mut cut_short, mut pairs_open) = (0_usize, 0_usize);
        for (index, looser, whole) in partners {
            let at = RuleRef { side: 0, rule: index };
            let mut witness: Option<Call> = None;
            let mut others = Vec::new();
            cut_short += usize::from(!whole || looser.len() > left);
            for other in looser.into_iter().take(left) {
                left -= 1;
                if space.steps.are_spent() {
                    pairs_open += 1;
                    continue;
                }
                let other = RuleRef { side: 0, rule: other };
                // The one that decides: the earlier rule where order counts, else the stricter one.
                let deciding = if first_match { other.rule } else { index };
                let source = Some((View::whole(0), Source::Rule(deciding)));
                let limit = space.rule(at).map(|rule| rule.approval).filter(|_| first_match);
                let below = limit.map(|limit| (View::whole(0), limit));
                let goal = Goal { source, below, or_default: false };
                let region = space.region_of(&[(at, Wish::Applies), (other, Wish::Holds)]);
                let outcome = space.seek(&goal, region);
                if let Some((call, _)) = outcome.found {
                    others.push(other);
                    witness.get_or_insert(call);
                } else {
                    pairs_open += usize::from(outcome.unknown);
                }
            }
            let (Some(call), Some(rule)) = (witness, space.rule(at)) else { continue };
            let others = related(space, others);
            self.overlap(space, rule, kind, others, call);
        }
        if pairs_open > 0 {
            self.undecided.push(format!("{}: {pairs_open} pairs of rules", kind.as_str()));
        }
        if cut_short > 0 {
            self.undecided.push(format!(
                "{}: {cut_short} rules were compared with {MOST_OF_RULE} looser rules each and not with all",
                kind.as_str()
            ));
        }
    }

    fn overlap(
        &mut self,
        space: &Space<'_>,
        rule: &Rule<'_>,
        kind: FindingKind,
        others: Vec<crate::finding::Related>,
        call: Call,
    ) {
        // One that never decides at all has been reported as such.
        let reported = [FindingKind::Shadowed, FindingKind::NeverDecisive, FindingKind::Unreachable];
        let name = rule.name();
        if self.findings.iter().any(|known| known.rule.as_deref() == Some(name) && reported.contains(&known.kind)) {
            return;
        }
        let approval = rule.approval;
        let first_match = kind == FindingKind::PartiallyShadowed;
        let (severity, message, remedy) = if first_match {
            let message = format!(
                "rule `{name}` ({approval}) is partially shadowed by {}, which come before it and are looser",
                named(&others)
            );
            (
                Severity::Warning,
                message,
                "move it before them, or use `evaluation: strictest`, where order makes no difference",
            )
        } else {
            let message =
                format!("rule `{name}` ({approval}) takes calls from {}; the stricter answer holds", named(&others));
            (Severity::Note, message, "nothing, if that is meant; otherwise narrow one of them, or add `except`")
        };
        let mut finding = self.finding(rule, kind, severity, message, remedy);
        finding.related = others;
        self.add_with(space, finding, call, |answer| if first_match { answer < approval } else { answer >= approval });
    }
}

/// For each rule the looser ones that may fit some of its calls; with `first_match` only earlier ones, and without rules
/// that are for every call: such a one stands at the end on purpose. And whether these are all.
fn partners(rules: &[Rule<'_>], first_match: bool, steps: &Steps) -> Vec<(usize, Vec<usize>, bool)> {
    let names: Vec<Option<Vec<&str>>> = rules.iter().map(written_out).collect();
    let known = ByTool::new(rules, &names);
    let mut all = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        if rule.approval == Approval::Auto || rule.is_for_every_call() {
            continue;
        }
        // What is left out then, the report says as a whole.
        if steps.are_spent() {
            break;
        }
        let fits = |other: &usize| {
            steps.pay(1);
            rules.get(*other).is_some_and(|other| other.approval < rule.approval && !other.is_for_every_call())
                && (!first_match || *other < index)
        };
        let tool = &rule.outline.matcher().tool;
        let mut looser: Vec<usize> = match names.get(index) {
            Some(Some(own)) => own.iter().flat_map(|name| known.that_take(name, steps)).filter(fits).collect(),
            // Of those in order the first will do, as not more are looked at.
            _ => {
                let open = known.open.iter().copied().filter(fits).take(MOST_OF_RULE + 1);
                known.named_by(tool, steps).into_iter().filter(fits).chain(open).collect()
            }
        };
        looser.sort_unstable();
        looser.dedup();
        let whole = looser.len() <= MOST_OF_RULE && !steps.are_spent();
        looser.truncate(MOST_OF_RULE);
        if !looser.is_empty() || !whole {
            all.push((index, looser, whole));
        }
    }
    all
}

/// The rule's tools, if they are written out.
fn written_out<'r>(rule: &'r Rule<'_>) -> Option<Vec<&'r str>> {
    rule.block.tool?;
    let tool = &rule.outline.matcher().tool;
    tool.any.iter().map(Glob::exact).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
}

/// Rules by how they name tools.
struct ByTool<'r, 'p> {
    rules: &'r [Rule<'p>],
    /// Those that write names out.
    by_name: BTreeMap<&'r str, Vec<usize>>,
    /// The others, in order, and by what their globs begin with.
    open: Vec<usize>,
    by_prefix: HashMap<String, Vec<usize>>,
}

impl<'r, 'p> ByTool<'r, 'p> {
    fn new(rules: &'r [Rule<'p>], names: &[Option<Vec<&'r str>>]) -> Self {
        let mut own = Self { rules, by_name: BTreeMap::new(), open: Vec::new(), by_prefix: HashMap::new() };
        for (index, (names, rule)) in names.iter().zip(rules).enumerate() {
            match names {
                Some(names) => names.iter().for_each(|name| own.by_name.entry(name).or_default().push(index)),
                None => {
                    own.open.push(index);
                    for prefix in prefixes(&rule.outline.matcher().tool) {
                        own.by_prefix.entry(prefix).or_default().push(index);
                    }
                }
            }
        }
        own
    }

    fn takes(tool: &TextMatch, name: &str, steps: &Steps) -> bool {
        steps.pay(1 + tool.any.len() + tool.none.len());
        !steps.are_spent() && tool.matches(name)
    }

    /// Rules for a tool of this name.
    fn that_take(&self, name: &str, steps: &Steps) -> Vec<usize> {
        let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
        let by_prefix = ends.filter_map(|end| self.by_prefix.get(name.get(..end)?)).flatten();
        let by_glob = by_prefix.filter(|rule| {
            let tool = self.rules.get(**rule).map(|rule| &rule.outline.matcher().tool);
            tool.is_some_and(|tool| Self::takes(tool, name, steps))
        });
        steps.pay(name.len());
        self.by_name.get(name).into_iter().flatten().chain(by_glob).copied().collect()
    }

    /// Rules that write out a name that is one of these tools.
    fn named_by(&self, tool: &TextMatch, steps: &Steps) -> Vec<usize> {
        let of_prefix = |prefix: String| {
            let from = self.by_name.range::<str, _>((Bound::Included(&*prefix), Bound::Unbounded));
            from.take_while(move |(name, _)| name.starts_with(&*prefix)).collect::<Vec<_>>()
        };
        let names = prefixes(tool).into_iter().flat_map(of_prefix);
        names.filter(|(name, _)| Self::takes(tool, name, steps)).flat_map(|(_, rules)| rules).copied().collect()
    }
}

/// What the names of these tools begin with, one text for each glob.
fn prefixes(tool: &TextMatch) -> Vec<String> {
    let of_glob = |glob: &Glob| -> String {
        let literal = |piece| if let Piece::Literal(c) = piece { Some(c) } else { None };
        glob.pieces().into_iter().map_while(literal).collect()
    };
    if tool.any.is_empty() { vec![String::new()] } else { tool.any.iter().map(of_glob).collect() }
}
