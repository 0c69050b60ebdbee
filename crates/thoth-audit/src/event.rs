//! What happened, as the bytes of one leaf.
//!
//! A leaf is the RFC 8785 form of one flat JSON object with camelCase keys; a key without a value is left out. All
//! texts are capped, so that a leaf never exceeds the 65,535 bytes of an entry; `truncatedFields` says that one was
//! cut. Field names follow the event fields of the source system.

use std::sync::Arc;

use thoth_types::{Approval, Decision, Finding, Listed, Place, ReasonCode, RiskLevel, Stage};

mod beside;

pub use beside::{RemoteFields, ShadowFields};

use crate::content::Content;
use crate::json::Object;

/// Who and where, the same for all events of a session.
pub use thoth_types::Caller as SessionFields;

/// The longest tool name, reason or detail that is kept, as written, in bytes.
const TEXT_CAP: usize = 1000;
/// The same for identifiers, which are at most 512 bytes of which each may need an escape.
const ID_CAP: usize = 1024;
/// The same for ids and digests that Thoth makes or that others choose freely.
const SHORT_CAP: usize = 256;
/// The same for elements of lists.
const ELEMENT_CAP: usize = 160;
/// How many of the latest tool names an event lists.
const SESSION_TOOLS: usize = 16;
/// How many matching rules, findings and scope patterns an event lists.
const MATCHED: usize = 32;
/// The controls that are written, and how long each may be: as long as a policy lets one be.
const CONTROLS: usize = 16;
const CONTROL_CAP: usize = 100;
const FINDINGS: usize = 8;
const SCOPES: usize = 32;
/// How many changed fields an event lists.
const FIELDS: usize = 32;

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)?) => {
        /// What kind of thing happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventType {
            $($(#[$doc])* $variant),+
        }

        impl EventType {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }
    };
}

event_types! {
    /// A call was decided; written before it goes out.
    ToolCallPre => "TOOL_CALL_PRE",
    /// A call that went out has ended.
    ToolCallPost => "TOOL_CALL_POST",
    /// A call was not let through.
    ToolCallBlock => "TOOL_CALL_BLOCK",
    /// A call waits for a human.
    HoldCreated => "HOLD_CREATED",
    /// A held call was shown to somebody, or to something that shows it.
    HoldShown => "HOLD_SHOWN",
    /// Somebody answered, and more answers are needed.
    HoldAnswered => "HOLD_ANSWERED",
    /// A held call was approved or denied.
    HoldResolved => "HOLD_RESOLVED",
    /// An approval was used up for one call.
    HoldSpent => "HOLD_SPENT",
    /// A hold ended without an answer, or unused.
    HoldExpired => "HOLD_EXPIRED",
    /// Leave was given for more calls of one kind.
    GrantGiven => "GRANT_GIVEN",
    /// It was taken back.
    GrantRevoked => "GRANT_REVOKED",
    /// What a server offers was seen for the first time, and approved as it is.
    ToolPinned => "TOOL_PINNED",
    /// The same, and it waits for an approval.
    ToolPending => "TOOL_PENDING",
    /// It is no longer what was approved.
    ToolChanged => "TOOL_CHANGED",
    /// It is again what was approved.
    ToolRestored => "TOOL_RESTORED",
    /// A scanner found something in what a server says.
    ToolFlagged => "TOOL_FLAGGED",
    /// Somebody approved what a server offers.
    PinApproved => "PIN_APPROVED",
    /// Somebody took that back.
    PinRevoked => "PIN_REVOKED",
    /// A pin was brought from another installation.
    PinImported => "PIN_IMPORTED",
    /// A policy was loaded, or could not be.
    PolicyLoaded => "POLICY_LOADED",
    /// All calls of a machine are refused from now on.
    EndpointQuarantined => "ENDPOINT_QUARANTINED",
    /// They no longer are.
    EndpointReleased => "ENDPOINT_RELEASED",
    /// Another version of a policy bundle holds, or for others, or none.
    PolicyBundleChanged => "POLICY_BUNDLE_CHANGED",
    /// An administrator set something for a whole organisation.
    SettingsChanged => "SETTINGS_CHANGED",
    /// An API key was made.
    KeyCreated => "KEY_CREATED",
    /// One was taken back, or is to end.
    KeyRevoked => "KEY_REVOKED",
    /// A message was refused by the parser or the session rules.
    FrameRefused => "FRAME_REFUSED",
    /// A session began.
    SessionStarted => "SESSION_STARTED",
    /// A session ended.
    SessionEnded => "SESSION_ENDED",
    /// The server listed its tools.
    ToolsListed => "TOOLS_LISTED",
    /// The ledger repaired itself after a crash.
    LedgerRecovered => "LEDGER_RECOVERED",
}

/// One event. Absent parts leave no trace in the bytes.
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// What kind.
    pub event_type: EventType,
    /// A unique id.
    pub event_id: &'a str,
    /// When.
    pub occurred_at: jiff::Timestamp,
    /// Who and where.
    pub session: &'a SessionFields,
    /// The call that it is about.
    pub call: Option<CallFields<'a>>,
    /// What was decided.
    pub decision: Option<DecisionFields<'a>>,
    /// How it ended.
    pub outcome: Option<OutcomeFields<'a>>,
    /// The hold or grant that it is about.
    pub hold: Option<HoldFields<'a>>,
    /// The pin that it is about. An event about a call, with what was decided or came of it, has none.
    pub pin: Option<PinFields<'a>>,
    /// What was refused.
    pub refusal: Option<RefusalFields<'a>>,
    /// Anything else worth knowing, for a person.
    pub detail: Option<&'a str>,
}

/// The call.
#[derive(Debug, Clone, Copy)]
pub struct CallFields<'a> {
    /// Joins all events of one call.
    pub call_id: &'a str,
    /// Joins a call with what the client and other systems know of it.
    pub trace_id: &'a str,
    /// The id under which the decision can be asked for.
    pub attestation_id: &'a str,
    /// What whoever asked for the decision calls it. It is not written where another enforcer was asked in turn.
    pub enforcement_trace_id: Option<&'a str>,
    /// The tool's name.
    pub tool: &'a str,
    /// See [`crate::digest::arguments_digest`].
    pub arguments_digest: &'a str,
    /// Its arguments, as the content mode allows; absent where another record of the call holds them.
    pub content: Option<&'a Content>,
    /// Whether the server had listed the tool.
    pub listed: Listed,
    /// The call that this one retries.
    pub retry_of: Option<&'a str>,
    /// The task that runs it.
    pub task_id: Option<&'a str>,
    /// The tools that the session was allowed to call, this call included, oldest first; the latest 16 are written.
    pub session_tool_calls: &'a [Arc<str>],
    /// How many there were.
    pub session_tool_call_count: u64,
}

/// The decision.
#[derive(Debug, Clone, Copy)]
pub struct DecisionFields<'a> {
    /// What was decided.
    pub decision: Decision,
    /// In observe mode: what would have been.
    pub would_be: Option<Decision>,
    /// What the deciding rule asks for.
    pub approval: Approval,
    /// How much harm is possible.
    pub risk_level: RiskLevel,
    /// The same as a number from 0 to 100.
    pub risk_score: u8,
    /// Why, as a stable code.
    pub reason_code: ReasonCode,
    /// Why, for a person.
    pub reason: &'a str,
    /// The deciding rule.
    pub rule: Option<&'a str>,
    /// Where that rule stands.
    pub place: Option<&'a Place>,
    /// All matching rules; the first 32 are written.
    pub matched: &'a [Arc<str>],
    /// The controls that those rules serve; the first 16 are written.
    pub controls: &'a [Arc<str>],
    /// The policy that decided.
    pub policy_digest: &'a str,
    /// The digest of the hold's token.
    pub hold_token_digest: Option<&'a str>,
    /// The grant that covers the call.
    pub grant_id: Option<&'a str>,
    /// Everything the stages found; the first 8 are written.
    pub findings: &'a [Finding],
    /// Stages that could not have changed the answer.
    pub skipped: &'a [Stage],
    /// What would have been answered in shadow mode.
    pub shadows: &'a [ShadowFields<'a>],
    /// How conditions came out, by their names, where the arguments are not kept as they were; the first 16 are written.
    pub conditions: &'a [(String, &'static str)],
    /// What the enforcer said, where one was asked. Then neither a refused message nor a detail is written.
    pub remote: Option<RemoteFields<'a>>,
    /// The digest of the enforcer's own policy, where this machine has it and looked at it.
    pub enforcer_policy_digest: Option<&'a str>,
}

/// A held call, or leave for calls of its kind.
#[derive(Debug, Clone, Copy)]
pub struct HoldFields<'a> {
    /// The keyed digest of the hold's token.
    pub token_digest: &'a str,
    /// Where the hold stands.
    pub state: &'a str,
    /// When this ends.
    pub ends_at: jiff::Timestamp,
    /// How many accounts must approve.
    pub quorum: u8,
    /// Who answered.
    pub approver: Option<&'a str>,
    /// How it was shown or answered.
    pub channel: Option<&'a str>,
    /// From where.
    pub origin: Option<&'a str>,
    /// The call that went out on it, by its id.
    pub spent_by: Option<&'a str>,
    /// The grant's name.
    pub grant_id: Option<&'a str>,
    /// When the grant ends.
    pub grant_ends_at: Option<jiff::Timestamp>,
}

/// A pin of what a server offers.
#[derive(Debug, Clone, Copy)]
pub struct PinFields<'a> {
    /// What kind of thing it is of.
    pub kind: &'a str,
    /// The name of that.
    pub item: &'a str,
    /// Where it stands.
    pub state: &'a str,
    /// The digest of what was seen last.
    pub digest: Option<&'a str>,
    /// The digest of what was approved.
    pub approved_digest: Option<&'a str>,
    /// The fields in which the two differ; the first 32 are written.
    pub changed: &'a [Arc<str>],
    /// Who approved it or took that back.
    pub approver: Option<&'a str>,
    /// How.
    pub channel: Option<&'a str>,
    /// From where.
    pub origin: Option<&'a str>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub struct OutcomeFields<'a> {
    /// A stable word, such as `ok` or `error`.
    pub outcome: &'static str,
    /// From forwarding to the answer, in microseconds.
    pub duration_us: u64,
    /// How long the answer was.
    pub result_bytes: u64,
    /// The answer, as the content mode allows. It is written in place of the arguments.
    pub content: Option<&'a Content>,
    /// What became of an answer in which something was found: a stable word.
    pub action: Option<&'static str>,
    /// What was found in it, by class, and how often; nothing of what it is.
    pub classes: &'a [(&'a str, u64)],
    /// Whether it was delivered without the note that it should have had, for want of a place.
    pub note_left_out: bool,
}

/// A message that was refused.
#[derive(Debug, Clone, Copy)]
pub struct RefusalFields<'a> {
    /// The stable code.
    pub code: &'a str,
    /// Who sent it: `client` or `server`.
    pub from: &'static str,
    /// The first byte at which it is wrong.
    pub offset: u64,
    /// How long the message was, as far as it was read.
    pub bytes: u64,
}

impl Event<'_> {
    /// Appends the leaf's bytes.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        let call = self.call.as_ref();
        let decision = self.decision.as_ref();
        let outcome = self.outcome.as_ref();
        let hold = self.hold.as_ref();
        let pin = self.pin.as_ref().filter(|_| call.is_none() && decision.is_none() && outcome.is_none());
        let session = self.session;
        let mut o = Object::open(out);
        o.optional("actionAttestationId", call.map(|c| c.attestation_id), SHORT_CAP);
        o.optional("agentId", session.agent.as_ref().map(|id| id.as_str()), ID_CAP);
        if let Some(d) = decision {
            o.word("approval", d.approval.as_str());
        }
        o.optional("approvalChannel", hold.and_then(|h| h.channel).or(pin.and_then(|p| p.channel)), SHORT_CAP);
        o.optional("approvalOrigin", hold.and_then(|h| h.origin).or(pin.and_then(|p| p.origin)), SHORT_CAP);
        o.texts("approvedScope", session.approved_scope.iter().map(String::as_str), SCOPES, ELEMENT_CAP);
        o.optional("approver", hold.and_then(|h| h.approver).or(pin.and_then(|p| p.approver)), ID_CAP);
        o.optional("argumentsDigest", call.map(|c| c.arguments_digest), SHORT_CAP);
        o.optional("callId", call.map(|c| c.call_id), SHORT_CAP);
        beside::write_conditions(&mut o, decision.map(|d| d.conditions).unwrap_or_default());
        if let Some(content) = outcome.and_then(|o| o.content).or(call.and_then(|c| c.content)) {
            content.write(&mut o);
        }
        if let Some(d) = decision {
            if !d.controls.is_empty() {
                o.texts("controlIds", d.controls.iter().map(|control| &**control), CONTROLS, CONTROL_CAP);
            }
            o.word("decision", d.decision.as_str());
        }
        o.optional("detail", self.detail.filter(|_| !self.is_about_an_answer()), TEXT_CAP);
        if let Some(outcome) = outcome {
            o.number("durationUs", outcome.duration_us);
        }
        o.optional("endpointId", session.endpoint.as_ref().map(|id| id.as_str()), ID_CAP);
        o.word("enforcementMode", session.mode.as_str());
        let trace = call.and_then(|c| c.enforcement_trace_id).filter(|_| !self.is_about_an_answer());
        o.optional("enforcementTraceId", trace, SHORT_CAP);
        beside::write_enforcer(&mut o, decision);
        o.text("eventId", self.event_id, SHORT_CAP);
        o.word("eventType", self.event_type.as_str());
        if let Some(d) = decision {
            findings(&mut o, d.findings);
        }
        write_hold(&mut o, hold, decision);
        if let Some(call) = call {
            o.word("listed", call.listed.as_str());
        }
        if let Some(d) = decision {
            o.texts("matched", d.matched.iter().map(|m| &**m), MATCHED, ELEMENT_CAP);
            o.number("matchedCount", count(d.matched));
        }
        o.instant("occurredAt", self.occurred_at);
        if let Some(outcome) = outcome {
            o.word("outcome", outcome.outcome);
        }
        write_pin(&mut o, pin);
        if let Some(d) = decision {
            o.text("policyDigest", d.policy_digest, SHORT_CAP);
            o.text("reason", d.reason, TEXT_CAP);
            o.word("reasonCode", d.reason_code.as_str());
        }
        self.write_rest(o);
    }

    /// Whether it tells of an enforcer's answer: all parts at once would not fit a leaf, and no event has both.
    fn is_about_an_answer(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.remote.is_some())
    }

    /// The keys from `refusal…` on.
    fn write_rest(&self, mut o: Object<'_>) {
        let call = self.call.as_ref();
        let decision = self.decision.as_ref();
        let session = self.session;
        if let Some(refusal) = self.refusal.as_ref().filter(|_| !self.is_about_an_answer()) {
            o.number("refusalBytes", refusal.bytes);
            o.text("refusalCode", refusal.code, SHORT_CAP);
            o.word("refusalFrom", refusal.from);
            o.number("refusalOffset", refusal.offset);
        }
        if let Some(outcome) = &self.outcome {
            o.optional("resultAction", outcome.action, SHORT_CAP);
            o.number("resultBytes", outcome.result_bytes);
            if !outcome.classes.is_empty() {
                let classes: Vec<String> =
                    outcome.classes.iter().map(|(class, count)| format!("{class}:{count}")).collect();
                o.texts("resultFound", classes.iter().map(String::as_str), FIELDS, ELEMENT_CAP);
            }
            o.optional("resultNote", outcome.note_left_out.then_some("no_place"), SHORT_CAP);
        }
        o.optional("retryOf", call.and_then(|c| c.retry_of), SHORT_CAP);
        if let Some(d) = decision {
            o.word("riskLevel", d.risk_level.as_str());
            o.number("riskScore", u64::from(d.risk_score));
            o.optional("rule", d.rule, ID_CAP);
            if let Some(place) = d.place {
                o.number("ruleColumn", u64::from(place.column));
                o.text("ruleFile", &place.file, ID_CAP);
                o.number("ruleLine", u64::from(place.line));
            }
        }
        o.text("serverName", session.server.as_str(), ID_CAP);
        o.text("sessionId", session.session.as_str(), ID_CAP);
        o.optional("sessionIntent", session.intent.as_deref(), TEXT_CAP);
        if let Some(call) = call {
            o.number("sessionToolCallCount", call.session_tool_call_count);
            let skipped = call.session_tool_calls.len().saturating_sub(SESSION_TOOLS);
            let latest = call.session_tool_calls.iter().skip(skipped).map(|t| &**t);
            o.texts("sessionToolCalls", latest, SESSION_TOOLS, ELEMENT_CAP);
        }
        if let Some(d) = decision {
            beside::write_shadows(&mut o, d.shadows);
            o.texts("skippedStages", d.skipped.iter().map(|s| s.as_str()), Stage::ALL.len(), ELEMENT_CAP);
        }
        o.word("sourceType", "agent_tool_call");
        o.optional("spentBy", self.hold.as_ref().and_then(|h| h.spent_by), SHORT_CAP);
        o.optional("taskId", call.and_then(|c| c.task_id), SHORT_CAP);
        o.optional("tenantId", session.tenant.as_ref().map(|id| id.as_str()), ID_CAP);
        o.optional("toolName", call.map(|c| c.tool), TEXT_CAP);
        o.optional("traceId", call.map(|c| c.trace_id), SHORT_CAP);
        let cut = o.was_cut() || session.user.as_ref().is_some_and(|u| cut_by(u.as_str(), ID_CAP));
        if cut {
            o.flag("truncatedFields", true);
        }
        o.optional("userId", session.user.as_ref().map(|id| id.as_str()), ID_CAP);
        if let Some(would_be) = decision.and_then(|d| d.would_be) {
            o.word("wouldBe", would_be.as_str());
        }
        o.close();
    }
}

/// The keys of a hold and a grant; a decision may name them, too.
fn write_hold(o: &mut Object<'_>, hold: Option<&HoldFields<'_>>, decision: Option<&DecisionFields<'_>>) {
    if let Some(ends_at) = hold.and_then(|h| h.grant_ends_at) {
        o.instant("grantEndsAt", ends_at);
    }
    o.optional("grantId", hold.and_then(|h| h.grant_id).or(decision.and_then(|d| d.grant_id)), SHORT_CAP);
    if let Some(h) = hold {
        o.instant("holdEndsAt", h.ends_at);
        o.number("holdQuorum", u64::from(h.quorum));
        o.text("holdState", h.state, SHORT_CAP);
    }
    o.optional(
        "holdTokenDigest",
        hold.map(|h| h.token_digest).or(decision.and_then(|d| d.hold_token_digest)),
        SHORT_CAP,
    );
}

/// The keys of a pin.
fn write_pin(o: &mut Object<'_>, pin: Option<&PinFields<'_>>) {
    let Some(pin) = pin else { return };
    o.optional("pinApprovedDigest", pin.approved_digest, SHORT_CAP);
    o.texts("pinChanged", pin.changed.iter().map(|field| &**field), FIELDS, ELEMENT_CAP);
    o.optional("pinDigest", pin.digest, SHORT_CAP);
    o.text("pinItem", pin.item, TEXT_CAP);
    o.word("pinKind", pin.kind);
    o.word("pinState", pin.state);
}

/// As much as a record keeps of what somebody calls a decision.
#[must_use]
pub fn kept_trace(text: &str) -> &str {
    crate::json::fitting(text, SHORT_CAP)
}

fn cut_by(text: &str, cap: usize) -> bool {
    crate::json::fitting(text, cap).len() < text.len()
}

fn count<T>(list: &[T]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn findings(o: &mut Object<'_>, findings: &[Finding]) {
    let mut cut = findings.len() > FINDINGS;
    let out = o.key("findings");
    out.push(b'[');
    for (at, finding) in findings.iter().take(FINDINGS).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let mut f = Object::open(out);
        f.word("approval", finding.approval.as_str());
        f.word("code", finding.code.as_str());
        f.text("detail", &finding.detail, ELEMENT_CAP);
        f.flag("hard", finding.hard);
        if let Some(seconds) = finding.retry_after_seconds {
            f.number("retryAfterSeconds", seconds);
        }
        f.word("risk", finding.risk.as_str());
        f.optional("rule", finding.rule.as_deref(), ELEMENT_CAP);
        if let Some(place) = &finding.place {
            f.number("ruleColumn", u64::from(place.column));
            f.text("ruleFile", &place.file, ELEMENT_CAP);
            f.number("ruleLine", u64::from(place.line));
        }
        f.word("stage", finding.stage.as_str());
        cut |= f.close();
    }
    out.push(b']');
    o.mark_cut(cut);
}
