//! What a ledger's event tells of a decided call.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::Timestamp;
use thoth_policy::Truth;
use thoth_types::json::{Limits, Tape, Value};
use thoth_types::{Approval, HarmClass, RiskLevel, Stage};

/// What stands in a record in place of a secret.
pub(super) const MARK: &str = "[redacted]";
/// The events that tell of a decision.
const DECIDED: &str = "TOOL_CALL_PRE";

/// Why an event about a decision cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It is not JSON.
    #[error("the event cannot be read: {0}")]
    Unreadable(String),
    /// A key that every decision has is missing, or has another form.
    #[error("the event's `{0}` is missing or is not what it should be")]
    Missing(&'static str),
}

/// What a record keeps of a call's arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// There were none.
    Nothing,
    /// All of them, as JSON text.
    Whole(String),
    /// The same without what was recognised as a secret.
    Partly(String),
    /// Nothing that could be read.
    Unknown,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// The strictest that the policy's own stages found.
    pub policy: Approval,
    /// The strictest that was found whatever the policy: tool integrity, and what the operator demands.
    pub fixed: Approval,
    /// The policy that answered.
    pub policy_digest: String,
    /// Whether the arguments were inspected.
    pub inspected: bool,
    /// What was found in them, and the answer to it.
    pub classes: Vec<(HarmClass, Approval)>,
    /// Whether they had a text that the policy blocks.
    pub blocked_pattern: bool,
}

/// What a rule or a policy in shadow would have answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedShadow {
    /// Who was asked: `rules` of the policy in force, or another `policy`.
    pub source: String,
    /// The answer.
    pub approval: Approval,
    /// The rule that would have decided.
    pub rule: Option<String>,
    /// The policy that was asked.
    pub policy_digest: String,
}

/// A call as it was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCall {
    /// Its name in the ledger.
    pub call_id: String,
    /// When.
    pub at: Timestamp,
    /// In which session.
    pub session: String,
    /// The server's name.
    pub server: String,
    /// The tool's name.
    pub tool: String,
    /// The agent.
    pub agent: Option<String>,
    /// The person behind it.
    pub user: Option<String>,
    /// What the session was for.
    pub intent: Option<String>,
    /// The tools that the session could use at all.
    pub approved_scope: Vec<String>,
    /// Its arguments as they came.
    pub arguments: Kept,
    /// Its arguments as they were to go out, where the policy had something taken out of them.
    pub edited: Option<Kept>,
    /// Whether the mode let nothing be taken out of arguments.
    pub observed: bool,
    /// How conditions came out, by their names.
    pub conditions: HashMap<String, Truth>,
    /// Whether it went out.
    pub went_out: bool,
    /// How many calls of the session had gone out before.
    pub allowed_before: u64,
    /// What was answered.
    pub answer: RecordedAnswer,
    /// What would have been answered in shadow mode.
    pub shadows: Vec<RecordedShadow>,
}

/// A member's text.
fn text(event: Value<'_>, key: &'static str) -> Option<String> {
    Some(event.get(key)?.as_str()?.into_owned())
}

fn word<T: FromStr>(event: Value<'_>, key: &'static str) -> Option<T> {
    event.get(key)?.as_str()?.parse().ok()
}

fn number(event: Value<'_>, key: &'static str) -> Option<u64> {
    event.get(key)?.number_text()?.parse().ok()
}

fn list<'e>(event: Value<'e>, key: &'static str) -> impl Iterator<Item = Value<'e>> {
    event.get(key).into_iter().flat_map(|list| list.elements())
}

impl RecordedCall {
    /// Reads an event; `None` if it is not about a decision.
    ///
    /// # Errors
    /// When it is one, and lacks what every decision has.
    pub fn read(event: &[u8]) -> Result<Option<Self>, RecordError> {
        let mut tape = Tape::new();
        let limits = Limits { max_bytes: event.len(), ..Limits::default() };
        let event = tape.parse(event, &limits).map_err(|error| RecordError::Unreadable(error.to_string()))?;
        if text(event, "eventType").as_deref() != Some(DECIDED) {
            return Ok(None);
        }
        let must = |key: &'static str| text(event, key).ok_or(RecordError::Missing(key));
        let decision = must("decision")?;
        let went_out = matches!(&*decision, "ALLOW" | "MODIFY");
        let counted = number(event, "sessionToolCallCount").unwrap_or_default();
        let answer = answer(event)?;
        // What was taken out of the arguments before they went out is not in the record, and nothing marks where.
        let observed = text(event, "enforcementMode").as_deref() == Some("observe");
        let edited = !observed && (decision == "MODIFY" || list(event, "findings").any(is_edit));
        Ok(Some(Self {
            call_id: must("callId")?,
            at: must("occurredAt")?.parse().map_err(|_| RecordError::Missing("occurredAt"))?,
            session: must("sessionId")?,
            server: must("serverName")?,
            tool: must("toolName")?,
            agent: text(event, "agentId"),
            user: text(event, "userId"),
            intent: text(event, "sessionIntent"),
            approved_scope: list(event, "approvedScope").filter_map(|one| Some(one.as_str()?.into_owned())).collect(),
            arguments: if edited { Kept::Unknown } else { kept(event) },
            edited: edited.then(|| kept(event)),
            observed,
            conditions: list(event, "conditions").filter_map(|one| condition(&one.as_str()?)).collect(),
            went_out,
            allowed_before: counted.saturating_sub(u64::from(went_out)),
            answer,
            shadows: list(event, "shadow").filter_map(shadow).collect(),
        }))
    }
}

fn kept(event: Value<'_>) -> Kept {
    if number(event, "contentBytes") == Some(0) {
        return Kept::Nothing;
    }
    let mode = text(event, "contentMode").unwrap_or_default();
    let cut = event.get("contentTruncated").is_some() || !matches!(&*mode, "full" | "redacted");
    match text(event, "content") {
        Some(content) if !cut && event.get("contentRedactions").is_some() => Kept::Partly(content),
        Some(content) if !cut => Kept::Whole(content),
        _ => Kept::Unknown,
    }
}

/// An outcome and the name of its condition.
fn condition(line: &str) -> Option<(String, Truth)> {
    let (outcome, name) = line.split_once(' ')?;
    let outcome = [Truth::True, Truth::False, Truth::Error].into_iter().find(|truth| truth.as_str() == outcome)?;
    Some((name.to_owned(), outcome))
}

fn shadow(entry: Value<'_>) -> Option<RecordedShadow> {
    Some(RecordedShadow {
        source: text(entry, "source")?,
        approval: word(entry, "approval")?,
        rule: text(entry, "rule"),
        policy_digest: text(entry, "policyDigest")?,
    })
}

fn stage(finding: Value<'_>) -> Option<Stage> {
    word(finding, "stage")
}

/// Whether a finding says that something was taken out of the arguments.
fn is_edit(finding: Value<'_>) -> bool {
    stage(finding) == Some(Stage::Inspection)
        && word(finding, "approval") == Some(Approval::Auto)
        && word(finding, "risk") == Some(RiskLevel::Medium)
}

fn answer(event: Value<'_>) -> Result<RecordedAnswer, RecordError> {
    let reason = text(event, "reasonCode").ok_or(RecordError::Missing("reasonCode"))?;
    let decisive: Approval = word(event, "approval").ok_or(RecordError::Missing("approval"))?;
    let mut answer = RecordedAnswer {
        policy: Approval::Auto,
        fixed: Approval::Auto,
        policy_digest: text(event, "policyDigest").ok_or(RecordError::Missing("policyDigest"))?,
        inspected: !list(event, "skippedStages").any(|stage| stage.as_str().as_deref() == Some("inspection")),
        classes: Vec::new(),
        blocked_pattern: reason == "argument_blocked_pattern",
    };
    let mut findings = 0;
    for finding in list(event, "findings") {
        findings += 1;
        let approval = word(finding, "approval").ok_or(RecordError::Missing("findings"))?;
        let code = text(finding, "code").unwrap_or_default();
        answer.classes.extend(class(&code).map(|class| (class, approval)));
        answer.blocked_pattern |= code == "argument_blocked_pattern";
        match stage(finding) {
            // A call refused for others of its batch, or for want of an approval, says nothing of its policy.
            Some(Stage::Scope) if code == "batch_refused" => {}
            Some(Stage::Preflight | Stage::Integrity | Stage::Document | Stage::Remote) => {
                answer.fixed = answer.fixed.max(approval)
            }
            Some(Stage::Mode | Stage::Approval | Stage::Evidence) => {}
            _ => answer.policy = answer.policy.max(approval),
        }
    }
    // A single finding stands in the event itself.
    if findings == 0 {
        answer.policy = decisive;
    }
    if answer.policy_digest == "invalid" {
        answer.inspected = false;
    }
    // Of many findings not all are written.
    if event.get("truncatedFields").is_some() {
        answer.inspected = false;
    }
    Ok(answer)
}

/// What an inspection looked for, by the code of its finding.
fn class(code: &str) -> Option<HarmClass> {
    Some(match code {
        "argument_secret" => HarmClass::Secrets,
        "argument_personal_data" => HarmClass::PersonalData,
        "argument_shell" => HarmClass::Shell,
        "argument_path" => HarmClass::Path,
        "argument_sql" => HarmClass::Sql,
        "argument_ssrf" => HarmClass::Ssrf,
        "argument_injection" => HarmClass::Injection,
        _ => return None,
    })
}
