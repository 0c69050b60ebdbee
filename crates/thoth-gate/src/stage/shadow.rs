//! Beside the stages: what rules in shadow mode, and a policy in shadow, would have said of the call.
//!
//! INVARIANT (a shadow decides nothing): it gets the findings of the stages to read, and gives back a value that only the
//! record takes. Nothing that the decision is drawn from can be reached from here.

use std::sync::Arc;

use thoth_inspect::inspect_arguments;
use thoth_policy::{Policy, Scratch};
use thoth_types::{Approval, Finding, Place, ReasonCode, Stage};

use crate::facts::Facts;
use crate::inspector::Inspector;
use crate::stage;

/// What would have been answered.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// The word for who was asked.
    pub(crate) source: &'static str,
    pub(crate) approval: Approval,
    pub(crate) code: ReasonCode,
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) place: Option<Place>,
    pub(crate) policy_digest: Arc<str>,
}

impl Shadow {
    fn of(source: &'static str, policy: &Policy, findings: &[Finding]) -> Option<Self> {
        // The first of the strictest decides, as everywhere.
        let deciding = findings.iter().rev().max_by_key(|finding| finding.approval)?;
        Some(Self {
            source,
            approval: deciding.approval,
            code: deciding.code,
            rule: deciding.rule.clone(),
            place: deciding.place.clone(),
            policy_digest: policy.digest_arc(),
        })
    }
}

/// The answer of the policy in force if its rules in shadow mode had a say, where one of them matches. `findings` are those
/// of all stages.
pub(crate) fn by_rules(
    policy: &Policy,
    facts: &Facts<'_>,
    scratch: &mut Scratch,
    findings: &[Finding],
) -> Option<Shadow> {
    let verdict = policy.shadow_rules(&facts.query, scratch)?;
    let others = findings.iter().filter(|finding| finding.stage != Stage::Rules);
    let findings: Vec<Finding> = [policy.rules_finding(&verdict)].into_iter().chain(others.cloned()).collect();
    Shadow::of("rules", policy, &findings)
}

/// The answer of another policy. `findings` are those of the stages under the policy in force, of which the operator's
/// demands hold under any.
pub(crate) fn by_policy(
    policy: &Policy,
    inspector: &Inspector,
    facts: &Facts<'_>,
    scratch: &mut Scratch,
    findings: &[Finding],
) -> Option<Shadow> {
    let demanded = findings.iter().filter(|finding| finding.stage == Stage::Preflight);
    let mut findings: Vec<Finding> = demanded.cloned().collect();
    stage::identity::run(policy, facts, &mut findings);
    stage::intent::run(policy, facts, &mut findings);
    stage::scope::run(policy, facts, &mut findings);
    stage::integrity::run(policy, facts, &mut findings);
    stage::rules::run(policy, facts, scratch, &mut findings);
    policy.blocked_patterns(&facts.query, &mut findings);
    stage::inspection::also_sent(policy, inspector, facts, &mut findings);
    if let Some(arguments) = facts.call.arguments.value() {
        let inspection = inspect_arguments(&facts.call.tool, arguments, None, inspector.settings());
        stage::inspection::report(inspector, &inspection, &mut findings);
    }
    stage::limits::run(policy, facts, &mut findings);
    Shadow::of("policy", policy, &findings)
}
