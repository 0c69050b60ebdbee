//! The rules stage: which rules match, and what holds then.

use std::borrow::Cow;

use thoth_types::{Approval, Finding, ReasonCode, RiskLevel, Stage};

use crate::index::Index;
use crate::judge::{ByTheCall, Consulted, Judge, Told};
use crate::name;
use crate::policy::{Defaults, Evaluation, Policy};
use crate::query::Query;
use crate::rule::{Rule, RuleId};
use crate::truth::Truth;

/// A rule that matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matched {
    pub(crate) rule: RuleId,
    /// Only because something could not be decided.
    pub(crate) by_error: bool,
}

/// Room that evaluations share, so that they need not allocate. One per thread.
#[derive(Debug, Default)]
pub struct Scratch {
    candidates: Vec<RuleId>,
    matched: Vec<Matched>,
    ids: Vec<RuleId>,
    stop_early: bool,
}

impl Scratch {
    /// Room for evaluations that find every matching rule, as evidence wants.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for evaluations that stop once the answer cannot change: the verdict is the same, but
    /// [`Scratch::matched`] may lack rules that do not matter.
    #[must_use]
    pub fn deciding() -> Self {
        Self { stop_early: true, ..Self::default() }
    }

    /// The rules that matched in the last evaluation, less those that were overridden; each once.
    #[must_use]
    pub fn matched(&self) -> &[RuleId] {
        &self.ids
    }
}

/// What the rules say about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RuleVerdict {
    /// The answer.
    pub approval: Approval,
    /// The highest risk of all matching rules.
    pub risk: RiskLevel,
    /// Why.
    pub code: ReasonCode,
    /// The deciding rule; `None` when the defaults decided.
    pub rule: Option<RuleId>,
    /// Whether it was decided by something that could not be evaluated.
    pub by_error: bool,
    /// The rule that would have decided, where stricter defaults did.
    pub outranked: Option<RuleId>,
    /// Where policies hold together: the one whose defaults decided, since none of its own rules matches.
    pub(crate) silent: Option<u16>,
}

pub(crate) const fn rule_code(approval: Approval) -> ReasonCode {
    match approval {
        Approval::Auto => ReasonCode::RuleAuto,
        Approval::Approve => ReasonCode::RuleApprove,
        Approval::Block => ReasonCode::RuleBlock,
    }
}

pub(crate) const fn default_code(approval: Approval) -> ReasonCode {
    match approval {
        Approval::Auto => ReasonCode::DefaultAuto,
        Approval::Approve => ReasonCode::DefaultApprove,
        Approval::Block => ReasonCode::DefaultBlock,
    }
}

impl Policy {
    /// Stage 6: the rules. Does not allocate once `scratch` has grown, except for names and arguments that need
    /// normalising or unescaping.
    pub fn rules(&self, query: &Query<'_>, scratch: &mut Scratch) -> RuleVerdict {
        self.rules_by(&self.index, query, scratch, &mut ByTheCall)
    }

    /// The same where not all is known of the call: `tell` says how each condition that is come to comes out.
    pub fn rules_told(
        &self,
        query: &Query<'_>,
        scratch: &mut Scratch,
        tell: &mut dyn FnMut(&Consulted<'_>) -> Truth,
    ) -> RuleVerdict {
        self.rules_by(&self.index, query, scratch, &mut Told(tell))
    }

    /// What the rules would say if those in shadow mode had a say; nothing where no such rule matches. Says nothing of
    /// the call: that is for [`Policy::rules`], which does not know of them.
    pub fn shadow_rules(&self, query: &Query<'_>, scratch: &mut Scratch) -> Option<RuleVerdict> {
        let verdict = self.rules_by(self.shadow_index.as_ref()?, query, scratch, &mut ByTheCall);
        let shadow = scratch.ids.iter().filter_map(|id| self.get(*id)).any(|rule| rule.info.shadow);
        shadow.then_some(verdict)
    }

    fn rules_by(&self, index: &Index, query: &Query<'_>, scratch: &mut Scratch, judge: &mut impl Judge) -> RuleVerdict {
        scratch.matched.clear();
        let as_written = self.rules_for(index, query.tool, query, scratch, judge);
        let reads_as = name::normalised(query.tool);
        let verdict = if *reads_as == *query.tool {
            as_written
        } else {
            stricter(as_written, self.rules_for(index, &reads_as, query, scratch, judge))
        };
        scratch.ids.clear();
        scratch.ids.extend(scratch.matched.iter().map(|matched| matched.rule));
        scratch.ids.sort_unstable();
        scratch.ids.dedup();
        verdict
    }

    /// Evaluates under one form of the tool's name; appends to the matched rules.
    fn rules_for(
        &self,
        index: &Index,
        tool: &str,
        query: &Query<'_>,
        scratch: &mut Scratch,
        judge: &mut impl Judge,
    ) -> RuleVerdict {
        let start = scratch.matched.len();
        index.candidates(tool, query.server, &mut scratch.candidates);
        for id in &scratch.candidates {
            let Some(rule) = self.get(*id) else { continue };
            let outcome = rule.holds(*id, tool, query, judge);
            if !rule.applies(outcome) {
                continue;
            }
            scratch.matched.push(Matched { rule: *id, by_error: outcome == Truth::Error });
            let decided = match self.evaluation {
                Evaluation::FirstMatch => true,
                Evaluation::Strictest => scratch.stop_early && self.settles(rule, outcome),
            };
            if decided {
                break;
            }
        }
        if self.has_overrides {
            self.remove_overridden(&mut scratch.matched, start);
        }
        self.combine(scratch.matched.get(start..).unwrap_or_default())
    }

    /// Whether nothing can be stricter than this match.
    fn settles(&self, rule: &Rule, outcome: Truth) -> bool {
        outcome == Truth::True
            && !rule.overridable
            && rule.info.approval == Approval::Block
            && rule.info.risk >= self.highest_risk
    }

    /// Drops what matching rules override. Only a rule that surely matches, and is not overridden itself, overrides.
    fn remove_overridden(&self, matched: &mut Vec<Matched>, start: usize) {
        let mut rank = 0;
        loop {
            let next = matched
                .get(start..)
                .unwrap_or_default()
                .iter()
                .filter(|m| !m.by_error)
                .filter_map(|m| self.get(m.rule))
                .filter(|rule| !rule.overrides.is_empty() && rule.override_rank >= rank)
                .min_by_key(|rule| rule.override_rank);
            let Some(next) = next else { return };
            let mut position = 0;
            matched.retain(|m| {
                position += 1;
                position <= start || next.overrides.binary_search(&m.rule).is_err()
            });
            rank = next.override_rank + 1;
        }
    }

    /// The strictest defaults of those among several policies that have no rule for the call, and whose they are.
    fn floor(&self, matched: &[Matched]) -> Option<(u16, Defaults)> {
        let speaks = |part: usize| {
            let of_part = |rule: &Rule| usize::from(rule.part) == part;
            matched.iter().filter_map(|m| self.get(m.rule)).any(of_part)
        };
        let silent = (0_u16..).zip(&self.parts).filter(|(part, _)| !speaks(usize::from(*part)));
        let said = silent.filter_map(|(part, own)| Some((part, own.defaults?)));
        said.max_by_key(|(_, defaults)| (defaults.approval, defaults.risk))
    }

    fn combine(&self, matched: &[Matched]) -> RuleVerdict {
        let verdict = self.combine_matched(matched);
        // INVARIANT: a policy that is added to another loosens nothing, also where only the other's defaults speak.
        match self.floor(matched) {
            Some((part, floor)) if verdict.rule.is_some() && floor.approval > verdict.approval => RuleVerdict {
                approval: floor.approval,
                risk: verdict.risk.max(floor.risk),
                code: default_code(floor.approval),
                rule: None,
                by_error: verdict.by_error,
                outranked: verdict.rule,
                silent: Some(part),
            },
            _ => verdict,
        }
    }

    fn combine_matched(&self, matched: &[Matched]) -> RuleVerdict {
        let mut best: Option<(&Rule, Matched)> = None;
        let mut risk = None;
        let mut any_error = false;
        for candidate in matched {
            let Some(rule) = self.get(candidate.rule) else { continue };
            risk = risk.max(Some(rule.info.risk));
            any_error |= candidate.by_error;
            let better = best.is_none_or(|(own, how)| {
                let key = |rule: &Rule, how: Matched| {
                    (rule.info.approval, !how.by_error, rule.info.risk, rule.names_server())
                };
                key(rule, *candidate).cmp(&key(own, how)).then_with(|| own.info.name.cmp(&rule.info.name)).is_gt()
            });
            if better {
                best = Some((rule, *candidate));
            }
        }
        let defaults = self.defaults;
        let (Some((rule, how)), Some(risk)) = (best, risk) else {
            let code = default_code(defaults.approval);
            return RuleVerdict {
                approval: defaults.approval,
                risk: defaults.risk,
                code,
                rule: None,
                by_error: false,
                outranked: None,
                silent: None,
            };
        };
        let approval = rule.info.approval;
        if any_error && defaults.approval > approval {
            return RuleVerdict {
                approval: defaults.approval,
                risk: risk.max(defaults.risk),
                code: default_code(defaults.approval),
                rule: None,
                by_error: true,
                outranked: Some(how.rule),
                silent: None,
            };
        }
        RuleVerdict {
            approval,
            risk: if any_error { risk.max(defaults.risk) } else { risk },
            code: rule_code(approval),
            rule: Some(how.rule),
            by_error: how.by_error,
            outranked: None,
            silent: None,
        }
    }

    /// Why defaults decided, for a person.
    fn why_defaults(&self, verdict: &RuleVerdict) -> Cow<'static, str> {
        let silent = verdict.silent.and_then(|part| self.parts.get(usize::from(part)));
        let Some((part, outranked)) = silent.zip(verdict.outranked.and_then(|id| self.rule(id))) else {
            let error = verdict.by_error.then_some("a condition could not be decided; the policy's defaults hold");
            return error.unwrap_or("no rule matches; the policy's defaults hold").into();
        };
        let what = says(outranked.approval);
        let whose = if verdict.silent == Some(0) {
            "the policy that others are added to has no rule for it, and its defaults hold".to_owned()
        } else {
            format!("the policy `{}` has no rule for it, and its defaults hold", part.name)
        };
        format!("rule `{}` {what}; {whose}", outranked.name).into()
    }

    /// The verdict as a finding of the rules stage. Explicit block rules are never softened by a mode.
    #[must_use]
    pub fn rules_finding(&self, verdict: &RuleVerdict) -> Finding {
        let rule = verdict.rule.and_then(|id| self.rule(id));
        let detail: Cow<'static, str> = match rule {
            Some(rule) => match &rule.reason {
                Some(reason) => reason.to_string().into(),
                None => {
                    let how = if verdict.by_error { "; a condition of it could not be decided" } else { "" };
                    format!("rule `{}` {}{how}", rule.name, says(verdict.approval)).into()
                }
            },
            None => self.why_defaults(verdict),
        };
        Finding {
            stage: Stage::Rules,
            approval: verdict.approval,
            code: verdict.code,
            risk: verdict.risk,
            rule: rule.map(|rule| rule.name.clone()),
            place: rule.map(|rule| rule.place.clone()),
            detail,
            hard: verdict.code == ReasonCode::RuleBlock,
            retry_after_seconds: None,
        }
    }
}

/// What a rule does, as a person says it.
const fn says(approval: Approval) -> &'static str {
    match approval {
        Approval::Auto => "allows this call",
        Approval::Approve => "asks for approval of this call",
        Approval::Block => "blocks this call",
    }
}

/// The stricter of two verdicts on one call, with the higher risk.
fn stricter(one: RuleVerdict, other: RuleVerdict) -> RuleVerdict {
    let risk = one.risk.max(other.risk);
    let winner = if other.approval > one.approval { other } else { one };
    RuleVerdict { risk, ..winner }
}
