//! The whole answer to one question, with its reasons, for a person or a script.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use thoth_types::{Approval, Effect, Finding, Place, ReasonCode, Requirement, RiskLevel, Stage, Way};

use crate::approvals::{approver_word, can_be_met};
use crate::condition::Condition;
use crate::evaluate::Scratch;
use crate::integrity::IntegrityRules;
use crate::judge::ByTheCall;
use crate::name;
use crate::near_miss::{Inspect, NearMiss};
use crate::policy::Policy;
use crate::query::Query;
use crate::rule::{Rule, RuleId};
use crate::text_match::ScopeList;
use crate::truth::Truth;

/// What one condition saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConditionTrace {
    /// The condition, in one line.
    pub condition: String,
    /// The value it looked at, as JSON text, shortened.
    pub value: Option<String>,
    /// How it came out.
    pub outcome: Truth,
}

/// How one candidate rule came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrace {
    /// The rule.
    pub rule: Arc<str>,
    /// Where it stands.
    pub place: Place,
    /// What it asks for.
    pub approval: Approval,
    /// Whether it counted as a match.
    pub applied: bool,
    /// Whether it is only watched: then it has no say, even if it counts as a match.
    pub shadow: bool,
    /// How it came out as a whole.
    pub outcome: Truth,
    /// Whether it depends on the time of the call.
    pub timed: bool,
    /// Its conditions, `match` and `except` first.
    pub conditions: Vec<ConditionTrace>,
}

/// What an approval of the call takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asks {
    /// Who, how many and for how long.
    pub requirement: Requirement,
    /// Whether any answers could meet it. Rules that match one call may ask what no account can do.
    pub can_be_met: bool,
    /// How the policy wants people to be asked.
    pub way: Way,
    /// The arguments that an approval does not fix.
    pub volatile: Vec<String>,
}

/// What would be answered if the rules in shadow mode had a say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowed {
    /// The answer.
    pub approval: Approval,
    /// The rule that would decide, if a rule would.
    pub rule: Option<Arc<str>>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// A decision of all stages that depend on the policy and the call alone, with its reasons. Limits are not part of
/// it: they depend on what else was called. Nor is tool integrity, which depends on what the server shows; what the policy
/// says of that is told beside it.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Whether the call may go out: a word with three values.
    pub effect: Effect,
    /// The same in the policy's words.
    pub approval: Approval,
    /// The highest risk that anything found.
    pub risk_level: RiskLevel,
    /// The deciding rule.
    pub rule: Option<Arc<str>>,
    /// Why, for a person.
    pub reason: String,
    /// Why, for a script.
    pub reason_code: ReasonCode,
    /// All matching rules, in the order of the files.
    pub matched: Vec<Arc<str>>,
    /// Where the deciding entry stands.
    pub place: Option<Place>,
    /// The policy's digest.
    pub policy_digest: Arc<str>,
    /// What each stage found, in their order.
    pub findings: Vec<Finding>,
    /// What the policy says of tools of this server that are new, changed, unlisted or suspicious.
    pub integrity: IntegrityRules,
    /// What an approval takes, where the answer is to ask.
    pub asks: Option<Asks>,
    /// The answer with the rules in shadow mode, where one of them matches.
    pub shadow: Option<Shadowed>,
    /// Every candidate rule, when asked for.
    pub trace: Option<Vec<RuleTrace>>,
    /// What would have to be otherwise for another answer; only [`Policy::explain_by`] looks for that.
    pub near_misses: Option<Vec<NearMiss>>,
}

impl Policy {
    /// Decides and says why.
    #[must_use]
    pub fn explain(&self, query: &Query<'_>, trace: bool) -> Explanation {
        self.explain_with(query, Vec::new(), trace)
    }

    /// The same with what an inspection of the arguments found.
    #[must_use]
    pub fn explain_with(&self, query: &Query<'_>, inspected: Vec<Finding>, trace: bool) -> Explanation {
        self.answer(query, inspected, trace)
    }

    /// The same with what `inspect` finds in the arguments: in those of the call and, if a trace is wanted, in others that
    /// are tried to tell how near another answer is.
    #[must_use]
    pub fn explain_by(&self, query: &Query<'_>, inspect: &mut Inspect<'_>, trace: bool) -> Explanation {
        let mut explanation = self.answer(query, inspect(query), trace);
        explanation.near_misses = trace.then(|| self.near_misses(query, explanation.approval, inspect));
        explanation
    }

    fn answer(&self, query: &Query<'_>, inspected: Vec<Finding>, trace: bool) -> Explanation {
        let mut findings = Vec::new();
        self.identity(query, &mut findings);
        self.intent(query, &mut findings);
        self.scope(query, &ScopeList::default(), &mut findings);
        let mut scratch = Scratch::new();
        let shadow = self.shadow_rules(query, &mut scratch);
        let verdict = self.rules(query, &mut scratch);
        let by_rules = self.rules_finding(&verdict);
        findings.push(by_rules.clone());
        self.blocked_patterns(query, &mut findings);
        findings.extend(inspected);

        let strictest = findings.iter().map(|f| f.approval).max().unwrap_or(verdict.approval);
        let deciding = findings.iter().find(|f| f.approval == strictest).unwrap_or(&by_rules).clone();
        let risk_level = findings.iter().map(|f| f.risk).max().unwrap_or(verdict.risk);
        let others = findings.iter().filter(|f| f.stage != Stage::Rules).map(|f| f.approval).max();
        let mut matched: Vec<&Rule> = scratch.matched().iter().filter_map(|id| self.get(*id)).collect();
        matched.sort_by_key(|rule| rule.position);
        Explanation {
            effect: strictest.into(),
            approval: strictest,
            risk_level,
            rule: deciding.rule,
            reason: deciding.detail.into_owned(),
            reason_code: deciding.code,
            matched: matched.into_iter().map(|rule| Arc::clone(&rule.info.name)).collect(),
            place: deciding.place,
            policy_digest: self.digest_arc(),
            findings,
            integrity: self.integrity_rules(query.server),
            asks: (strictest == Approval::Approve).then(|| self.asks(query.tool, scratch.matched())),
            shadow: shadow.map(|verdict| {
                let rule = verdict.rule.and_then(|id| self.rule(id));
                Shadowed {
                    approval: verdict.approval.max(others.unwrap_or(Approval::Auto)),
                    rule: rule.map(|rule| Arc::clone(&rule.name)),
                    place: rule.map(|rule| rule.place.clone()),
                }
            }),
            trace: trace.then(|| self.trace(query)),
            near_misses: None,
        }
    }

    /// The strictest of what the rules say and what the stages beside them find.
    pub(crate) fn strictest(&self, query: &Query<'_>, rules: Approval, inspected: &[Finding]) -> Approval {
        let mut findings = Vec::new();
        self.identity(query, &mut findings);
        self.intent(query, &mut findings);
        self.scope(query, &ScopeList::default(), &mut findings);
        self.blocked_patterns(query, &mut findings);
        findings.iter().chain(inspected).map(|finding| finding.approval).fold(rules, Approval::max)
    }

    fn asks(&self, tool: &str, matched: &[RuleId]) -> Asks {
        let requirement = self.requirement(matched);
        Asks {
            can_be_met: can_be_met(&requirement, self.parts.len() > 1),
            requirement,
            way: self.way().unwrap_or(Way::Auto),
            volatile: self.volatile(tool).map(str::to_owned).collect(),
        }
    }

    fn trace(&self, query: &Query<'_>) -> Vec<RuleTrace> {
        let reads_as = name::normalised(query.tool);
        let mut forms = vec![query.tool];
        if *reads_as != *query.tool {
            forms.push(&reads_as);
        }
        let mut traces = Vec::new();
        let mut candidates = Vec::new();
        for tool in forms {
            self.shadow_index.as_ref().unwrap_or(&self.index).candidates(tool, query.server, &mut candidates);
            let mut rules: Vec<(RuleId, &Rule)> =
                candidates.iter().filter_map(|id| Some((*id, self.get(*id)?))).collect();
            rules.sort_by_key(|(_, rule)| rule.position);
            traces.extend(rules.into_iter().map(|(id, rule)| trace_rule(id, rule, tool, query)));
        }
        traces
    }
}

fn trace_rule(id: RuleId, rule: &Rule, tool: &str, query: &Query<'_>) -> RuleTrace {
    let outcome = rule.holds(id, tool, query, &mut ByTheCall);
    let matches = rule.matcher.holds(tool, query);
    let who = format!("{tool} @ {} by {}", query.server, query.agent.unwrap_or("(no agent)"));
    let mut conditions =
        vec![ConditionTrace { condition: "match".to_owned(), value: Some(who.clone()), outcome: matches }];
    for except in &rule.except {
        let outcome = !except.holds(tool, query);
        conditions.push(ConditionTrace { condition: "except".to_owned(), value: Some(who.clone()), outcome });
    }
    if let Some(expires) = rule.info.expires {
        let outcome = (query.now < expires).into();
        let condition = format!("expires {expires}");
        conditions.push(ConditionTrace { condition, value: Some(query.now.to_string()), outcome });
    }
    conditions.extend(rule.conditions.iter().map(|condition| ConditionTrace {
        condition: condition.show(),
        value: condition.value(query),
        outcome: condition.holds(tool, query),
    }));
    RuleTrace {
        rule: Arc::clone(&rule.info.name),
        place: rule.info.place.clone(),
        approval: rule.info.approval,
        applied: rule.applies(outcome),
        shadow: rule.info.shadow,
        outcome,
        timed: rule.info.expires.is_some() || rule.conditions.iter().any(|own| matches!(own, Condition::When(_))),
        conditions,
    }
}

fn place_json(place: Option<&Place>) -> Json {
    place.map_or(Json::Null, |place| json!({"file": &*place.file, "line": place.line, "column": place.column}))
}

impl Explanation {
    /// One JSON object: `effect, approval, risk_level, rule, reason, reason_code, matched, span, policy_digest,
    /// findings, integrity`, `requirement` where the answer is to ask, `shadow` where a rule in shadow mode matches, and
    /// `trace` and `near_misses` when they were asked for.
    #[must_use]
    pub fn to_json(&self) -> String {
        let findings: Vec<Json> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "stage": finding.stage.as_str(),
                    "approval": finding.approval.as_str(),
                    "reason_code": finding.code.as_str(),
                    "risk_level": finding.risk.as_str(),
                    "rule": finding.rule.as_deref(),
                    "span": place_json(finding.place.as_ref()),
                    "detail": &*finding.detail,
                    "hard": finding.hard,
                })
            })
            .collect();
        let mut answer = json!({
            "effect": self.effect.as_str(),
            "approval": self.approval.as_str(),
            "risk_level": self.risk_level.as_str(),
            "rule": self.rule.as_deref(),
            "reason": self.reason,
            "reason_code": self.reason_code.as_str(),
            "matched": self.matched.iter().map(|name| &**name).collect::<Vec<_>>(),
            "span": place_json(self.place.as_ref()),
            "policy_digest": &*self.policy_digest,
            "findings": findings,
            "integrity": integrity_json(&self.integrity),
        });
        if let Some(answer) = answer.as_object_mut() {
            if let Some(asks) = &self.asks {
                answer.insert("requirement".to_owned(), asks_json(asks));
            }
            if let Some(shadow) = &self.shadow {
                let place = place_json(shadow.place.as_ref());
                let rule = shadow.rule.as_deref();
                let shadow = json!({"approval": shadow.approval.as_str(), "rule": rule, "span": place});
                answer.insert("shadow".to_owned(), shadow);
            }
            if let Some(trace) = &self.trace {
                answer.insert("trace".to_owned(), trace.iter().map(trace_json).collect());
            }
            if let Some(near_misses) = &self.near_misses {
                answer.insert("near_misses".to_owned(), near_misses.iter().map(near_miss_json).collect());
            }
        }
        answer.to_string()
    }
}

fn integrity_json(rules: &IntegrityRules) -> Json {
    let IntegrityRules { on_first_use, on_change, on_unlisted, on_stale, on_critical, on_warning, quarantined_tools } =
        rules;
    json!({
        "on_first_use": on_first_use.as_str(),
        "on_change": on_change.as_str(),
        "on_unlisted": on_unlisted.as_str(),
        "on_stale": on_stale.as_str(),
        "on_finding": {"critical": on_critical.as_str(), "warning": on_warning.as_str()},
        "quarantined_tools": quarantined_tools.as_str(),
    })
}

fn asks_json(asks: &Asks) -> Json {
    let Requirement { approvers, quorum, requester_may_approve, terminal, ttl_seconds, longest_grant_seconds, url } =
        &asks.requirement;
    let lists: Vec<Vec<String>> = approvers.iter().map(|list| list.iter().map(approver_word).collect()).collect();
    json!({
        "approvers": lists,
        "quorum": quorum,
        "requester_may_approve": requester_may_approve,
        "terminal": terminal,
        "ttl_seconds": ttl_seconds,
        "longest_grant_seconds": longest_grant_seconds,
        "url": url.as_deref(),
        "can_be_met": asks.can_be_met,
        "ask": asks.way.as_str(),
        "volatile": asks.volatile,
    })
}

fn near_miss_json(miss: &NearMiss) -> Json {
    json!({
        "rule": &*miss.rule,
        "span": place_json(Some(&miss.place)),
        "effect": miss.effect.as_str(),
        "approval": miss.approval.as_str(),
        "if": miss.wanted,
        "example": miss.example,
    })
}

fn trace_json(trace: &RuleTrace) -> Json {
    let conditions: Vec<Json> = trace
        .conditions
        .iter()
        .map(|c| json!({"condition": c.condition, "value": c.value, "outcome": c.outcome.as_str()}))
        .collect();
    json!({
        "rule": &*trace.rule,
        "span": place_json(Some(&trace.place)),
        "approval": trace.approval.as_str(),
        "applied": trace.applied,
        "mode": if trace.shadow { "shadow" } else { "enforce" },
        "outcome": trace.outcome.as_str(),
        "conditions": conditions,
    })
}
