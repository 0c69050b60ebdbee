//! The stage before the policy: what the operator demands of the session. Its findings are hard.

use std::borrow::Cow;

use thoth_types::{Approval, Finding, ReasonCode, RiskLevel, Stage};

use crate::preflight::Preflight;

pub(crate) fn run(preflight: &Preflight, tool: &str, intent: Option<&str>, findings: &mut Vec<Finding>) {
    if let Some((code, reason)) = &preflight.refusal {
        findings.push(refused(*code, reason.clone()));
    }
    if let Some(tools) = &preflight.tools
        && !tools.contains(tool)
    {
        let detail = format!(
            "tool `{}` is not among the tools that the operator allows for the session intent `{}`",
            tool.escape_debug(),
            intent.unwrap_or_default().escape_debug()
        );
        findings.push(refused(ReasonCode::ToolNotAllowedForSessionIntent, detail));
    }
}

/// The machine is in quarantine. Why is for those who administer it.
pub(crate) fn quarantined() -> Finding {
    let detail = "the machine is in quarantine: an administrator has all of its calls refused";
    refused(ReasonCode::EndpointQuarantined, detail.to_owned())
}

fn refused(code: ReasonCode, detail: String) -> Finding {
    Finding {
        stage: Stage::Preflight,
        approval: Approval::Block,
        code,
        risk: RiskLevel::High,
        rule: None,
        place: None,
        detail: Cow::Owned(detail),
        hard: true,
        retry_after_seconds: None,
    }
}
