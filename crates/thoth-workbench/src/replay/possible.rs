//! Every answer that is possible where not all is known of a call.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use thoth_policy::{Consulted, LooksAt, Policy, Query, RuleId, Scratch, Truth};
use thoth_types::json::{Kind, Tape, Value};
use thoth_types::{Approval, Arguments, Finding, InspectAction, Inspected, RiskLevel, Stage};

use super::recorded::{Kept, MARK, RecordedCall};

/// How many evaluations of one call are worth while: six open conditions.
const MOST_EVALUATIONS: usize = 729;
/// How each open condition may come out.
const OUTCOMES: [Truth; 3] = [Truth::True, Truth::False, Truth::Error];

/// What the rules may answer.
pub(super) struct Possible {
    pub(super) answers: BTreeSet<Approval>,
    /// The deciding rule, if it is the same in every case.
    pub(super) rule: Option<RuleId>,
}

/// What the rules may answer. A condition that is open is tried every way, and only as far as its outcome is asked for:
/// more combinations may be tried than there are calls for, never fewer.
pub(super) fn rules(
    policy: &Policy,
    query: &Query<'_>,
    scratch: &mut Scratch,
    call: &RecordedCall,
    whole: bool,
    needs: &mut BTreeSet<String>,
) -> Possible {
    let mut answers = BTreeSet::new();
    let mut deciding = BTreeSet::new();
    let mut evaluations = 0;
    let mut open: Vec<BTreeMap<String, Truth>> = vec![BTreeMap::new()];
    while let Some(assumed) = open.pop() {
        evaluations += 1;
        if evaluations > MOST_EVALUATIONS {
            return Possible { answers: Approval::ALL.iter().copied().collect(), rule: None };
        }
        let mut missing = None;
        let verdict = policy.rules_told(query, scratch, &mut |consulted| {
            if let Some(known) = outcome(consulted, query, call, whole) {
                return known;
            }
            // The same text may stand for two outcomes where it is about the tool's name, which is looked at twice.
            let key = match consulted.looks_at() {
                LooksAt::AllText => format!("{} ({})", consulted.name(), consulted.tool()),
                _ => consulted.name(),
            };
            if let Some(assumed) = assumed.get(&key) {
                return *assumed;
            }
            missing.get_or_insert((key, wanted(consulted), consulted.looks_at() != LooksAt::Labels));
            Truth::Error
        });
        match missing {
            None => {
                answers.insert(verdict.approval);
                deciding.insert(verdict.rule);
            }
            Some((key, need, may_fail)) => {
                needs.insert(need);
                for outcome in OUTCOMES.into_iter().filter(|outcome| may_fail || *outcome != Truth::Error) {
                    let mut further = assumed.clone();
                    further.insert(key.clone(), outcome);
                    open.push(further);
                }
            }
        }
    }
    let only = (deciding.len() == 1).then(|| deciding.into_iter().flatten().next()).flatten();
    Possible { answers, rule: only }
}

/// Whether a finding says that something is taken out of the arguments.
pub(super) fn is_edit(finding: &Finding) -> bool {
    let (stage, approval, risk) = (finding.stage, finding.approval, finding.risk);
    stage == Stage::Inspection && approval == Approval::Auto && risk == RiskLevel::Medium
}

/// Whether the policy would have something taken out of arguments of which only the record tells what is in them.
pub(super) fn edits(policy: &Policy, call: &RecordedCall) -> bool {
    let rules = policy.inspect_rules(&call.server);
    let redacts = |class| matches!(rules.action(class, Inspected::Arguments), Some((InspectAction::Redact, _)));
    call.answer.classes.iter().any(|(class, _)| redacts(*class))
}

/// The same where something is taken out of the arguments: the rules must let through both what came and what goes out.
/// What the policy of the record had taken out, this one has, too; where that one took out nothing, it is not known what
/// would be left.
pub(super) fn rules_again(
    policy: &Policy,
    query: &Query<'_>,
    scratch: &mut Scratch,
    call: &RecordedCall,
    first: &Possible,
    needs: &mut BTreeSet<String>,
) -> Possible {
    let arguments = call.edited.clone().unwrap_or(Kept::Unknown);
    let other = RecordedCall { arguments, conditions: HashMap::new(), ..call.clone() };
    let mut tape = Tape::new();
    let (left, whole) = super::read(&other.arguments, &mut tape);
    let query = Query { arguments: Arguments::new(left), ..*query };
    let again = rules(policy, &query, scratch, &other, whole, needs);
    let both = |one: &Approval| again.answers.iter().map(|other| (*one).max(*other)).collect::<Vec<_>>();
    Possible {
        answers: first.answers.iter().flat_map(both).collect(),
        rule: first.rule.filter(|rule| again.rule == Some(*rule)),
    }
}

/// What would have to be known, for a person.
fn wanted(consulted: &Consulted<'_>) -> String {
    match consulted.looks_at() {
        LooksAt::Argument { path, .. } => format!("argument `{path}`"),
        _ => format!("outcome of `{}`", consulted.name()),
    }
}

/// How a condition comes out, if that can be told.
fn outcome(consulted: &Consulted<'_>, query: &Query<'_>, call: &RecordedCall, whole: bool) -> Option<Truth> {
    // The record is about the name as it was sent.
    let as_sent = consulted.tool() == query.tool || consulted.looks_at() != LooksAt::AllText;
    if as_sent && let Some(recorded) = call.conditions.get(&consulted.name()) {
        return Some(*recorded);
    }
    let known = match consulted.looks_at() {
        LooksAt::Clock | LooksAt::Session => true,
        // Not all that labels a session is in the record by its class.
        LooksAt::Labels => false,
        _ if whole => true,
        LooksAt::Argument { path, presence } => {
            matches!(call.arguments, Kept::Partly(_)) && is_visible(consulted, query, path, presence)
        }
        LooksAt::ArgumentsSize | LooksAt::AllText => false,
    };
    known.then(|| consulted.outcome())
}

fn is_marked(value: &Value<'_>) -> bool {
    value.raw().windows(MARK.len()).any(|window| window == MARK.as_bytes())
}

/// Whether everything that the condition looks at is in what is kept.
fn is_visible(consulted: &Consulted<'_>, query: &Query<'_>, path: &str, presence: bool) -> bool {
    let Some(root) = query.arguments.value() else { return false };
    // A name that was taken out could be the one that is looked for.
    let whole_name = root.get(path);
    let steps = consulted.steps();
    let hidden_names = |value: &Value<'_>| value.members().any(|(name, _)| is_marked(&name));
    if steps.iter().any(|value| value.kind() == Kind::Object && hidden_names(value)) {
        return false;
    }
    let Some(last) = steps.last() else { return false };
    let found = consulted.is_found();
    // Where the path ends early, it may go on in what was taken out.
    if !found && last.kind() != Kind::Object {
        return !is_marked(last);
    }
    let is_open = |value: &Value<'_>| is_marked(value) && !presence;
    let open = (found && is_open(last)) || whole_name.is_some_and(|value| is_open(&value));
    !open
}

/// What an inspection of arguments that are not known may answer.
pub(super) struct Open {
    pub(super) least: Approval,
    pub(super) most: Approval,
    /// Whether it was taken from the record that nothing else would be found in them.
    pub(super) assumed: bool,
}

/// The record names the classes that were found, whatever was done about them. That the same would be found is assumed: what
/// counts as internal or personal is up to the policy, and the record does not say what its own policy made of that.
pub(super) fn inspection(policy: &Policy, call: &RecordedCall) -> Open {
    if policy.digest() == call.answer.policy_digest && call.answer.inspected {
        let found = call.answer.classes.iter().map(|(_, approval)| *approval).max().unwrap_or(Approval::Auto);
        let found = if call.answer.blocked_pattern { Approval::Block } else { found };
        return Open { least: found, most: found, assumed: false };
    }
    if !call.answer.inspected {
        return Open { least: Approval::Auto, most: Approval::Block, assumed: false };
    }
    let rules = policy.inspect_rules(&call.server);
    let mut open = Open { least: Approval::Auto, most: Approval::Auto, assumed: true };
    for (class, recorded) in &call.answer.classes {
        let said = |approval: Approval| match recorded {
            // It may be of a kind that is blocked whatever the policy says of its class.
            Approval::Block => (approval, Approval::Block),
            _ => (approval, approval),
        };
        let (least, most) = match rules.action(*class, Inspected::Arguments) {
            Some((InspectAction::Block, _)) => said(Approval::Block),
            Some((InspectAction::Ask, _)) => said(Approval::Approve),
            Some(_) => said(Approval::Auto),
            // Without a word from the policy a class is asked about, but for some kinds of it.
            None => (Approval::Approve.min(*recorded), Approval::Approve.max(*recorded)),
        };
        open.least = open.least.max(least);
        open.most = open.most.max(most);
    }
    if policy.has_blocked_patterns() {
        open.most = Approval::Block;
    }
    open
}
