//! What may be decided about a call, and why.

use std::borrow::Cow;
use std::sync::Arc;

use crate::place::Place;

/// An enumeration whose values have stable words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant),+
        }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable word for it, as written in policies, on the wire and in evidence.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::decision::UnknownWord;

            fn from_str(text: &str) -> Result<Self, $crate::decision::UnknownWord> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text).ok_or_else(|| $crate::decision::UnknownWord {
                    text: text.to_owned(),
                    known: &[$($word),+],
                })
            }
        }
    };
}

pub(crate) use words;

/// A word that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of {}", known.join(", "))]
pub struct UnknownWord {
    /// What was written.
    pub text: String,
    /// What could have been written.
    pub known: &'static [&'static str],
}

words! {
    /// What a rule asks for. Ordered from loosest to strictest.
    Approval {
        /// Run it.
        Auto => "auto",
        /// A human must agree first.
        Approve => "approve",
        /// Never run it.
        Block => "block",
    }
}

words! {
    /// How much harm a call can do, as the policy's author judges. Ordered.
    RiskLevel {
        /// Little or none.
        Low => "low",
        /// Some.
        Medium => "medium",
        /// Much.
        High => "high",
        /// Irreversible or far-reaching.
        Critical => "critical",
    }
}

impl RiskLevel {
    /// The level as a score from 0 to 100, for consumers that want a number: the middle of each quarter.
    #[must_use]
    pub const fn score(self) -> u8 {
        match self {
            Self::Low => 12,
            Self::Medium => 37,
            Self::High => 62,
            Self::Critical => 87,
        }
    }
}

words! {
    /// The answer to "may I?". Asking is never "yes". Ordered from loosest to strictest.
    Effect {
        /// Yes.
        Allow => "allow",
        /// Only if a human agrees.
        Ask => "ask",
        /// No.
        Deny => "deny",
    }
}

impl From<Approval> for Effect {
    fn from(approval: Approval) -> Self {
        match approval {
            Approval::Auto => Self::Allow,
            Approval::Approve => Self::Ask,
            Approval::Block => Self::Deny,
        }
    }
}

words! {
    /// What Thoth answers to one call.
    Decision {
        /// Forward it.
        Allow => "ALLOW",
        /// Forward it, changed.
        Modify => "MODIFY",
        /// Not now; the caller may come back.
        Defer => "DEFER",
        /// A human must agree first.
        StepUp => "STEP_UP",
        /// No.
        Block => "BLOCK",
    }
}

words! {
    /// How violations are answered, per agent.
    Mode {
        /// Evaluate and record the would-be decision; never interrupt.
        Observe => "observe",
        /// A violation asks a human.
        StepUp => "step_up",
        /// The first violation warns, the second asks, the third and later ones block.
        Progressive => "progressive",
        /// A violation blocks.
        Block => "block",
    }
}

words! {
    /// The stages of the gate, in the order in which they run.
    Stage {
        /// What the operator demands of the session.
        Preflight => "preflight",
        /// User, endpoint, agent; blocked agents.
        Identity => "identity",
        /// What the session is for.
        Intent => "intent",
        /// Deny list and approved scope.
        Scope => "scope",
        /// Whether the tool is the one that was approved.
        Integrity => "integrity",
        /// Policy rules.
        Rules => "rules",
        /// What the arguments carry.
        Inspection => "inspection",
        /// Rate limits and call budgets.
        Limits => "limits",
        /// The enforcer's policy, where this machine has it as a document.
        Document => "document",
        /// What the enforcer said, where one is asked.
        Remote => "remote",
        /// Enforcement mode.
        Mode => "mode",
        /// Whether a person has agreed.
        Approval => "approval",
        /// The intent record in the ledger.
        Evidence => "evidence",
    }
}

words! {
    /// Why: stable codes that scripts and detection rules may rely on.
    ReasonCode {
        /// A rule with `approval: auto` matched and nothing stricter did.
        RuleAuto => "rule_auto",
        /// A rule with `approval: approve` matched.
        RuleApprove => "rule_approve",
        /// A rule with `approval: block` matched.
        RuleBlock => "rule_block",
        /// No rule matched; the defaults say auto.
        DefaultAuto => "default_auto",
        /// No rule matched; the defaults say approve.
        DefaultApprove => "default_approve",
        /// No rule matched; the defaults say block.
        DefaultBlock => "default_block",
        /// The agent is on the block list.
        AgentBlocked => "agent_blocked",
        /// The policy demands an identity that the session lacks.
        IdentityMissing => "identity_missing",
        /// The tool is outside what the session's declared intent needs.
        IntentMismatch => "intent_mismatch",
        /// The operator's list for the session's intent does not have the tool.
        ToolNotAllowedForSessionIntent => "tool_not_allowed_for_session_intent",
        /// The session was started under a process that the operator blocks, or that cannot be told.
        LineageAncestorBlocked => "lineage_ancestor_blocked",
        /// The server's program is one that the operator blocks.
        LineageUpstreamBinaryBlocked => "lineage_upstream_binary_blocked",
        /// The machine is in quarantine: somebody has all of its calls refused.
        EndpointQuarantined => "endpoint_quarantined",
        /// The tool is on the deny list.
        ToolDenied => "tool_denied",
        /// The tool is not in the approved scope or allow list.
        ToolNotInScope => "tool_not_in_scope",
        /// The tool's own entry says `blocked`.
        ToolBlocked => "tool_blocked",
        /// The tool is listed as sensitive: a human decides.
        ToolSensitive => "tool_sensitive",
        /// The server does not list the tool.
        ToolUnlisted => "tool_unlisted",
        /// The tool may have changed since the server listed it.
        ToolStale => "tool_stale",
        /// Nobody has approved the tool yet.
        ToolNotApproved => "tool_not_approved",
        /// The tool is not the one that was approved; a person decides about each call.
        ToolChanged => "tool_changed",
        /// The tool is not the one that was approved.
        ToolQuarantined => "tool_quarantined",
        /// A person took the tool's approval back.
        ToolRevoked => "tool_revoked",
        /// The tool's definition carries an attack, as far as can be told.
        ToolPoisoned => "tool_poisoned",
        /// Something in the tool's definition is worth a look.
        ToolSuspicious => "tool_suspicious",
        /// It cannot be told whether the tool is the one that was approved.
        IntegrityUnavailable => "integrity_unavailable",
        /// The arguments carry a key, a token or a password.
        ArgumentSecret => "argument_secret",
        /// The arguments carry personal data.
        ArgumentPersonalData => "argument_personal_data",
        /// An argument smuggles in a command, or commands harm.
        ArgumentShell => "argument_shell",
        /// An argument leads out of its folder, or to files that hold credentials or configure the system.
        ArgumentPath => "argument_path",
        /// An argument smuggles in SQL, or destroys with it.
        ArgumentSql => "argument_sql",
        /// An argument would send a request behind the caller's walls.
        ArgumentSsrf => "argument_ssrf",
        /// An argument gives instructions to another model.
        ArgumentInjection => "argument_injection",
        /// The arguments match a pattern that the policy blocks.
        ArgumentBlockedPattern => "argument_blocked_pattern",
        /// The arguments cannot be inspected to the end, or what was found cannot be taken out.
        InspectionIncomplete => "inspection_incomplete",
        /// Too many calls in the window.
        RateLimited => "rate_limited",
        /// The session's call budget is used up.
        BudgetExhausted => "budget_exhausted",
        /// A person has agreed to this very call.
        Approved => "approved",
        /// A person has given leave for calls like this one.
        Granted => "granted",
        /// A person has said no to this very call, and the answer still stands.
        ApprovalDenied => "approval_denied",
        /// A person would have to agree, and none can be asked: the store of holds does not work or is full.
        ApprovalUnavailable => "approval_unavailable",
        /// No policy could be loaded; everything is refused.
        PolicyInvalid => "policy_invalid",
        /// The evidence could not be written, so the call does not go out.
        EvidenceUnavailable => "evidence_unavailable",
        /// Another element of the same batch was refused.
        BatchRefused => "batch_refused",
        /// The enforcer refuses the call.
        EnforcerBlock => "enforcer_block",
        /// The enforcer wants a person to agree first.
        EnforcerStepUp => "enforcer_step_up",
        /// The enforcer says: not now.
        EnforcerDefer => "enforcer_defer",
        /// The enforcer changed the arguments.
        EnforcerModify => "enforcer_modify",
        /// The enforcer did not answer, so that the call is refused.
        EnforcerFallbackBlock => "enforcer_fallback_block",
        /// The enforcer did not answer, so that a person at this machine is asked.
        EnforcerFallbackStepUp => "enforcer_fallback_step_up",
        /// The enforcer did not answer, and the operator lets the local decision alone hold.
        EnforcerFallbackAllow => "enforcer_fallback_allow",
        /// The enforcer does not take our key, or not for this call.
        EnforcerRefused => "enforcer_refused",
        /// What answers for the enforcer is not who it should be, or speaks no TLS that can be trusted.
        EnforcerUntrusted => "enforcer_untrusted",
        /// What came is no answer that can be used.
        EnforcerAnswerInvalid => "enforcer_answer_invalid",
        /// The answer is for another call.
        ActionAttestationIdMismatch => "action_attestation_id_mismatch",
        /// The answer is of another chain of calls.
        EnforcementTraceIdMismatch => "enforcement_trace_id_mismatch",
        /// The call was not put to the enforcer, or is no longer the one that was.
        EnforcerNotAsked => "enforcer_not_asked",
        /// Too many calls wait for the enforcer already.
        EnforcerBusy => "enforcer_busy",
        /// The upstream server is gone.
        UpstreamGone => "upstream_gone",
    }
}

/// One thing that one stage found out about a call. A decision carries all of them, not only the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which stage says so.
    pub stage: Stage,
    /// How strict an answer it demands.
    pub approval: Approval,
    /// Its stable code.
    pub code: ReasonCode,
    /// How much harm it thinks possible.
    pub risk: RiskLevel,
    /// The rule behind it, by name.
    pub rule: Option<Arc<str>>,
    /// Where that rule stands.
    pub place: Option<Place>,
    /// What happened, for a person.
    pub detail: Cow<'static, str>,
    /// Whether the enforcement mode may soften it. Explicit block rules, deny lists and blocked agents are never
    /// softened.
    pub hard: bool,
    /// For limits: when it may be tried again, in seconds.
    pub retry_after_seconds: Option<u64>,
}
