//! Two policies compared by what they answer.

use std::collections::BTreeMap;

use jiff::Timestamp;
use thoth_policy::Policy;
use thoth_types::{Approval, Place, RiskLevel};

use crate::call::Call;
use crate::demands::other_demands;
use crate::goal::{Goal, Source, View, Why};
use crate::model::{Facts, RuleRef, Side, Space, is_timed};
use crate::region::{Region, Wish};
use crate::search::Next;
use crate::steps::Steps;

/// What decides a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    /// In words: a rule's name in quotes, `defaults`, or the list.
    pub what: String,
    /// The rule's name.
    pub rule: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// Calls that get another answer, and one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What the old policy answers.
    pub old: Approval,
    /// What the new one answers.
    pub new: Approval,
    /// What decides in the old policy.
    pub old_decider: Decider,
    /// What decides in the new one.
    pub new_decider: Decider,
    /// Such a call. Both policies have been asked about it.
    pub witness: Call,
}

impl Change {
    /// Whether the new answer is the looser one.
    #[must_use]
    pub fn is_looser(&self) -> bool {
        self.new < self.old
    }
}

/// All differences between two policies.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Classes of calls by what decided them before and decides them now; what got looser comes first.
    pub changes: Vec<Change>,
    /// Sections that differ and are not compared by meaning.
    pub other_sections: Vec<&'static str>,
    /// Rules of one name that ask different people for an approval, or perhaps of other calls.
    pub other_demands: Vec<String>,
    /// Whether something was not decided in the time there is: there may be more differences.
    pub approximated: bool,
    /// `defaults` and rules whose risk is another, which changes no answer: what it is about, what it was and what it is.
    pub other_risks: Vec<(String, RiskLevel, RiskLevel)>,
    /// Whether a policy looks at the clock: calls are told with their time then.
    pub timed: bool,
    /// Steps that it took.
    pub steps: u64,
}

impl Comparison {
    /// Whether some call got a looser answer.
    #[must_use]
    pub fn is_looser(&self) -> bool {
        self.changes.iter().any(Change::is_looser)
    }

    /// Whether both say the same, and this is sure.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.changes.is_empty() && !self.may_differ()
    }

    /// Whether something was not compared by meaning: it may be looser.
    #[must_use]
    pub fn may_differ(&self) -> bool {
        self.approximated || !self.other_sections.is_empty() || !self.other_demands.is_empty()
    }
}

/// Steps for one comparison.
const BUDGET: u64 = 48_000_000;

type Class = (Why, Why);

/// Compares two policies over all calls from `from` on whose tool's name reads as it is written: rules, defaults and
/// lists of tools by meaning, other sections by their text.
#[must_use]
pub fn diff(old: &Policy, new: &Policy, from: Timestamp) -> Comparison {
    let mut space = Space::new(&[old, new], from, BUDGET);
    let mut classes: BTreeMap<Class, Change> = BTreeMap::new();
    let mut approximated = space.sides.iter().any(Side::has_odd_names);
    for (strict, loose) in [(0, 1), (1, 0)] {
        for (goal, region) in questions(&space, strict, loose) {
            let Some((below, limit)) = goal.below else { continue };
            let outcome = space.seek_all(&goal, Some(region), &mut |space, call, facts, steps| {
                let reason = space.verdict(below, facts, steps);
                if !note(space, call, facts, &mut classes, steps) {
                    approximated = true;
                }
                let mut ways = space.other_reasons(below, limit, reason, steps);
                let above = View::whole(strict);
                let (answer, why) = space.verdict(above, facts, steps);
                if answer > limit {
                    ways.extend(space.less_strict(above, answer, why, steps));
                }
                Next::Look(ways)
            });
            approximated |= outcome.unknown;
        }
    }
    let mut changes: Vec<Change> = classes.into_values().collect();
    let line = |decider: &Decider| decider.place.as_ref().map(|place| (place.line, place.column));
    changes.sort_by_cached_key(|change| {
        (!change.is_looser(), change.old, change.new, line(&change.old_decider), line(&change.new_decider))
    });
    let sections = old.other_sections().into_iter().zip(new.other_sections());
    let other_sections = sections.filter(|((_, one), (_, other))| one != other).map(|((name, _), _)| name).collect();
    let (other_demands, all) = other_demands(&space);
    approximated |= !all;
    Comparison {
        changes,
        other_sections,
        other_demands,
        approximated,
        other_risks: other_risks(old, new),
        timed: [old, new].into_iter().any(is_timed),
        steps: space.steps.taken(),
    }
}

/// What both policies have, and give another risk: `defaults`, and rules of one name.
fn other_risks(old: &Policy, new: &Policy) -> Vec<(String, RiskLevel, RiskLevel)> {
    let risks = |policy: &Policy| -> BTreeMap<String, RiskLevel> {
        let rules =
            policy.rule_outlines().into_iter().map(|rule| (format!("rule `{}`", rule.info().name), rule.info().risk));
        rules.chain([("`defaults`".to_owned(), policy.default_answer().1)]).collect()
    };
    let after = risks(new);
    let both = risks(old).into_iter().filter_map(|(what, before)| Some((*after.get(&what)?, what, before)));
    both.filter(|(after, _, before)| after != before).map(|(after, what, before)| (what, before, after)).collect()
}

/// Adds the class of a call, once both policies have confirmed it.
fn note(space: &Space<'_>, call: &Call, facts: &[Facts], classes: &mut BTreeMap<Class, Change>, steps: &Steps) -> bool {
    let (old, old_why) = space.verdict(View::whole(0), facts, steps);
    let (new, new_why) = space.verdict(View::whole(1), facts, steps);
    let [one, other] = &*space.sides else { return false };
    if space.answers(call, steps).as_deref() != Some(&[old, new]) {
        return false;
    }
    classes.entry((old_why, new_why)).or_insert_with(|| Change {
        old,
        new,
        old_decider: one.decider(old_why),
        new_decider: other.decider(new_why),
        witness: call.clone(),
    });
    true
}

/// What makes an answer of one side stricter than the other's: every such call is reached by one of these.
fn questions(space: &Space<'_>, strict: usize, loose: usize) -> Vec<(Goal, Region)> {
    let (Some(side), Some(other)) = (space.sides.get(strict), space.sides.get(loose)) else { return Vec::new() };
    let below = |limit: Approval| Some((View::whole(loose), limit));
    let mut all: Vec<(Goal, Region)> = Vec::new();
    for (rule, own) in side.rules.iter().enumerate().filter(|(_, own)| own.approval > Approval::Auto) {
        let at = RuleRef { side: strict, rule };
        let source = Some((View::whole(strict), Source::Rule(rule)));
        if !own.shared {
            let goal = Goal { source, below: below(own.approval), or_default: false };
            all.extend(space.region_of(&[(at, Wish::Applies)]).map(|region| (goal, region)));
        }
        if own.approval < side.default && !(own.shared && other.default >= side.default) {
            let goal = Goal { source, below: below(side.default), or_default: false };
            all.extend(space.region_of(&[(at, Wish::Undecided)]).map(|region| (goal, region)));
        }
    }
    let looser = other.rules.iter().any(|own| own.approval < side.default && !own.shared);
    if side.default > Approval::Auto && (looser || other.default < side.default) {
        let goal = Goal {
            source: Some((View::whole(strict), Source::Default)),
            below: below(side.default),
            or_default: false,
        };
        all.push((goal, space.everything()));
    }
    for list in &side.lists {
        let same = other.lists.iter().any(|own| {
            own.language == list.language
                && own.outline.named == list.outline.named
                && own.outline.approval >= list.outline.approval
        });
        let mut region = space.everything();
        if !same && region.require(&list.answers()) {
            all.push((Goal { source: None, below: below(list.outline.approval), or_default: false }, region));
        }
    }
    all
}

impl Side<'_> {
    pub(crate) fn decider(&self, why: Why) -> Decider {
        match why {
            Why::Rule(rule) => match self.rules.get(rule) {
                Some(rule) => Decider {
                    what: format!("`{}`", rule.name()),
                    rule: Some(rule.name().to_owned()),
                    place: Some(rule.outline.info().place.clone()),
                },
                None => Decider { what: "a rule".to_owned(), rule: None, place: None },
            },
            Why::List(list) => {
                let list = self.lists.get(list).map(|list| list.outline);
                Decider {
                    what: list.map_or("a list", |list| list_name(list.code)).to_owned(),
                    rule: None,
                    place: list.map(|list| list.place.clone()),
                }
            }
            Why::Default => Decider { what: "`defaults`".to_owned(), rule: None, place: None },
            Why::Undecided(_) => {
                Decider { what: "`defaults`, as a condition cannot be decided".to_owned(), rule: None, place: None }
            }
        }
    }

    /// Whether globs for tools have characters that read as others: what they say of such names is not looked at.
    pub(crate) fn has_odd_names(&self) -> bool {
        let odd = |piece: &thoth_policy::outline::Piece| match piece {
            thoth_policy::outline::Piece::Literal(c) => {
                let text = c.to_string();
                !c.is_ascii() && thoth_policy::outline::reads_as(&text) != text
            }
            _ => false,
        };
        let in_list = |text: &thoth_policy::outline::TextMatch| {
            text.any.iter().chain(&text.none).any(|glob| glob.pieces().iter().any(odd))
        };
        self.rules.iter().any(|rule| in_list(&rule.outline.matcher().tool))
            || self.lists.iter().any(|list| in_list(list.outline.tools))
    }
}

/// The key of the list that gives this reason.
pub(crate) const fn list_name(code: thoth_types::ReasonCode) -> &'static str {
    match code {
        thoth_types::ReasonCode::ToolDenied => "`denied_tools`",
        thoth_types::ReasonCode::ToolBlocked => "`tools`",
        thoth_types::ReasonCode::ToolSensitive => "`sensitive_tools`",
        _ => "the list of allowed tools",
    }
}
