//! The stages beside the rules: identity, intent, lists and limits. Each adds findings and decides nothing.

use thoth_types::{Approval, Finding, Place, ReasonCode, RiskLevel, Stage};

use crate::name;
use crate::policy::{Limits, Policy, ToolList};
use crate::query::Query;
use crate::text_match::ScopeList;

fn finding(stage: Stage, approval: Approval, code: ReasonCode, place: Option<Place>, detail: String) -> Finding {
    let risk = match approval {
        Approval::Auto => RiskLevel::Low,
        Approval::Approve => RiskLevel::Medium,
        Approval::Block => RiskLevel::High,
    };
    Finding {
        stage,
        approval,
        code,
        risk,
        rule: None,
        place,
        detail: detail.into(),
        hard: false,
        retry_after_seconds: None,
    }
}

/// Whether a list has the tool, as written or as it reads.
fn has_either(list: &ToolList, tool: &str) -> bool {
    list.tools.matches(tool) || list.tools.matches(&name::normalised(tool))
}

/// Whether a list has the tool both as written and as it reads.
fn has_both(list: &ToolList, tool: &str) -> bool {
    list.tools.matches(tool) && list.tools.matches(&name::normalised(tool))
}

impl Policy {
    /// Stage 1: blocked agents, and whether an agent must have a DID.
    pub fn identity(&self, query: &Query<'_>, findings: &mut Vec<Finding>) {
        if let Some(agent) = query.agent
            && !self.lists.blocked_dids.is_empty()
            && let Some(place) = self.lists.blocked_dids.get(&*name::folded_did(agent))
        {
            let detail = format!("agent `{agent}` is on the block list");
            let blocked =
                finding(Stage::Identity, Approval::Block, ReasonCode::AgentBlocked, Some(place.clone()), detail);
            findings.push(Finding { hard: true, ..blocked });
        }
        if let Some(place) = &self.lists.require_did
            && !query.agent.is_some_and(name::is_did)
        {
            let detail = match query.agent {
                Some(agent) => format!("the policy wants a DID, and `{agent}` is none"),
                None => "the policy wants a DID, and the session has no agent id".to_owned(),
            };
            let code = ReasonCode::IdentityMissing;
            findings.push(finding(Stage::Identity, Approval::Block, code, Some(place.clone()), detail));
        }
    }

    /// Stage 2: whether the session's declared intent needs this tool. An intent that the policy does not know, where
    /// it knows any, is asked about.
    pub fn intent(&self, query: &Query<'_>, findings: &mut Vec<Finding>) {
        let Some(intent) = query.intent else { return };
        if self.lists.intents.is_empty() {
            return;
        }
        let Some(scopes) = self.lists.intents.get(intent.trim()) else {
            let detail = format!("the policy knows no intent `{intent}`");
            findings.push(finding(Stage::Intent, Approval::Approve, ReasonCode::IntentMismatch, None, detail));
            return;
        };
        if self.lists.own_intents.as_ref().is_some_and(|own| !own.contains(intent.trim())) {
            let detail = format!("the policy that others were added to knows no intent `{intent}`");
            findings.push(finding(Stage::Intent, Approval::Approve, ReasonCode::IntentMismatch, None, detail));
        }
        let name = name::normalised(query.tool);
        for scope in scopes {
            if !(scope.tools.matches(query.tool) && scope.tools.matches(&name)) {
                let detail = format!("tool `{}` is not needed for `{intent}`", query.tool);
                let place = Some(scope.place.clone());
                findings.push(finding(Stage::Intent, scope.otherwise, ReasonCode::IntentMismatch, place, detail));
            }
        }
    }

    /// Stage 3: deny list, allow lists and approved scope, the policy's and the session's own; blocked and sensitive
    /// tools.
    pub fn scope(&self, query: &Query<'_>, session: &ScopeList, findings: &mut Vec<Finding>) {
        let tool = query.tool;
        let folded = name::folded(tool);
        let lists = &self.lists;
        if let Some(list) = lists.denied.iter().find(|list| has_either(list, tool) || list.tools.matches(&folded)) {
            let detail = format!("tool `{tool}` is on the deny list");
            let place = Some(list.place.clone());
            let denied = finding(Stage::Scope, Approval::Block, ReasonCode::ToolDenied, place, detail);
            findings.push(Finding { hard: true, ..denied });
        }
        for entry in lists.tools.iter().filter(|entry| entry.blocked) {
            if entry.tool.matches(tool) || entry.tool.matches(&folded) || entry.tool.matches(&name::normalised(tool)) {
                let detail = format!("tool `{}` is blocked by its entry in `tools`", entry.name);
                let place = Some(entry.place.clone());
                let blocked = finding(Stage::Scope, Approval::Block, ReasonCode::ToolBlocked, place, detail);
                findings.push(Finding { hard: true, ..blocked });
            }
        }
        if let Some(list) = lists.allowed.iter().find(|list| !has_both(list, tool)) {
            let detail = format!("tool `{tool}` is not on the allow list");
            let code = ReasonCode::ToolNotInScope;
            findings.push(finding(Stage::Scope, Approval::Block, code, Some(list.place.clone()), detail));
        }
        if let Some(list) = lists.approved.iter().find(|list| !has_both(list, tool)) {
            let detail = format!("tool `{tool}` is outside the policy's approved scope");
            let code = ReasonCode::ToolNotInScope;
            findings.push(finding(Stage::Scope, Approval::Block, code, Some(list.place.clone()), detail));
        }
        if !session.allows(tool) {
            let detail = format!("tool `{tool}` is outside the session's approved scope");
            findings.push(finding(Stage::Scope, Approval::Block, ReasonCode::ToolNotInScope, None, detail));
        }
        if let Some(list) = lists.sensitive.iter().find(|list| has_either(list, tool) || list.tools.matches(&folded)) {
            let detail = format!("tool `{tool}` is listed as sensitive");
            let code = ReasonCode::ToolSensitive;
            findings.push(finding(Stage::Scope, Approval::Approve, code, Some(list.place.clone()), detail));
        }
    }

    /// The limits that hold for this tool: the smallest of all that apply. The gate counts, under the tool's
    /// [`crate::counted_name`], and refuses.
    #[must_use]
    pub fn limits(&self, tool: &str, _server: &str) -> Limits {
        let folded = name::folded(tool);
        let per_minute = self
            .lists
            .tools
            .iter()
            .filter(|entry| entry.tool.matches(tool) || entry.tool.matches(&folded))
            .filter_map(|entry| entry.max_calls_per_minute)
            .min();
        Limits { max_calls_per_minute: per_minute, max_tool_calls: self.lists.max_tool_calls }
    }
}
