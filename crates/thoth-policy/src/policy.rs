//! A policy that is ready to decide.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use thoth_types::{Approval, RiskLevel};

use crate::approvals::Approvals;
use crate::blocked_patterns::{BlockedPattern, BlockedPatterns};
use crate::diagnostic::Diagnostic;
use crate::index::Index;
use crate::inspect::InspectSection;
use crate::integrity::IntegritySection;
use crate::progressive::Progressive;
use crate::rule::{Rule, RuleId, RuleInfo};
use crate::text_match::TextMatch;

/// How the matching rules are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Evaluation {
    /// The strictest matching rule holds.
    #[default]
    Strictest,
    /// The first matching rule in the file holds, as in Aegis.
    FirstMatch,
}

impl Evaluation {
    /// The word written in policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Strictest => "strictest",
            Self::FirstMatch => "first-match",
        }
    }
}

/// Limits that the policy sets for a call; the gate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Calls of this tool per minute.
    pub max_calls_per_minute: Option<u32>,
    /// Calls of all tools in one session.
    pub max_tool_calls: Option<u64>,
}

/// What holds when no rule matches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Defaults {
    pub(crate) approval: Approval,
    pub(crate) risk: RiskLevel,
}

/// An entry of `tools`.
#[derive(Debug, Clone)]
pub(crate) struct ToolEntry {
    pub(crate) name: Arc<str>,
    pub(crate) place: thoth_types::Place,
    pub(crate) tool: TextMatch,
    pub(crate) blocked: bool,
    pub(crate) max_calls_per_minute: Option<u32>,
}

/// A list of tools and where it was written.
#[derive(Debug, Clone)]
pub(crate) struct ToolList {
    pub(crate) place: thoth_types::Place,
    pub(crate) tools: TextMatch,
}

/// The tools that an intent needs.
#[derive(Debug, Clone)]
pub(crate) struct IntentScope {
    pub(crate) place: thoth_types::Place,
    pub(crate) tools: TextMatch,
    pub(crate) otherwise: Approval,
}

/// Everything beside the rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    /// `scope.approved` of each file: all must allow.
    pub(crate) approved: Vec<ToolList>,
    /// `gateway.allowed_tools` of each file: all must allow.
    pub(crate) allowed: Vec<ToolList>,
    /// Compared case-folded.
    pub(crate) denied: Vec<ToolList>,
    pub(crate) sensitive: Vec<ToolList>,
    pub(crate) intents: HashMap<String, Vec<IntentScope>>,
    /// Where several policies hold together: the intents that the first one knows, if it knows any.
    pub(crate) own_intents: Option<HashSet<String>>,
    pub(crate) tools: Vec<ToolEntry>,
    pub(crate) max_tool_calls: Option<u64>,
    /// Folded.
    pub(crate) blocked_dids: HashMap<String, thoth_types::Place>,
    pub(crate) require_did: Option<thoth_types::Place>,
    pub(crate) blocked_patterns: Vec<BlockedPattern>,
    /// Where `gateway.builtin_sanitization` is switched on.
    pub(crate) sanitized: Option<thoth_types::Place>,
}

/// One of several policies that hold together.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: Arc<str>,
    /// What it says of calls that none of its own rules matches.
    pub(crate) defaults: Option<Defaults>,
}

/// A loaded policy: immutable, cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Policy {
    pub(crate) digest: Arc<str>,
    pub(crate) evaluation: Evaluation,
    pub(crate) defaults: Defaults,
    /// The policies that hold together, where there are several. Else nothing.
    pub(crate) parts: Box<[Part]>,
    pub(crate) rules: Box<[Rule]>,
    pub(crate) index: Index,
    /// The rules in shadow mode among the others, if there are any.
    pub(crate) shadow_index: Option<Index>,
    pub(crate) lists: Lists,
    pub(crate) approvals: Approvals,
    pub(crate) progressive: Progressive,
    /// The `integrity` section of each file that has one.
    pub(crate) integrity: Vec<IntegritySection>,
    /// The `inspect` section of each file that has one.
    pub(crate) inspect: Vec<InspectSection>,
    pub(crate) blocked_patterns: BlockedPatterns,
    pub(crate) has_overrides: bool,
    /// The highest risk that any rule names.
    pub(crate) highest_risk: RiskLevel,
    pub(crate) warnings: Vec<Diagnostic>,
    pub(crate) files: Vec<Arc<str>>,
}

impl Policy {
    /// `sha256:` and 64 hex digits over all files. For a policy of one file it is the SHA-256 of that file.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The digest, shared.
    #[must_use]
    pub fn digest_arc(&self) -> Arc<str> {
        Arc::clone(&self.digest)
    }

    /// The names of the files it was loaded from, root first.
    #[must_use]
    pub fn files(&self) -> &[Arc<str>] {
        &self.files
    }

    /// How matching rules are combined.
    #[must_use]
    pub const fn evaluation(&self) -> Evaluation {
        self.evaluation
    }

    /// What holds when no rule matches.
    #[must_use]
    pub const fn default_answer(&self) -> (Approval, RiskLevel) {
        (self.defaults.approval, self.defaults.risk)
    }

    /// Where policies were added to one another: whether this one, counted from 0, says what becomes of calls that none of its
    /// rules matches.
    #[must_use]
    pub fn has_defaults(&self, part: usize) -> bool {
        self.parts.get(part).is_some_and(|part| part.defaults.is_some())
    }

    /// All rules. The order is that of the index, not of the files; sort by [`RuleInfo::place`] to show them.
    pub fn rule_table(&self) -> impl Iterator<Item = (RuleId, &RuleInfo)> {
        self.rules.iter().zip(0_u32..).map(|(rule, id)| (RuleId(id), &rule.info))
    }

    /// One rule; `None` for an id of another policy.
    #[must_use]
    pub fn rule(&self, id: RuleId) -> Option<&RuleInfo> {
        self.get(id).map(|rule| &rule.info)
    }

    pub(crate) fn get(&self, id: RuleId) -> Option<&Rule> {
        self.rules.get(id.0 as usize)
    }

    /// Whether some rules are in shadow mode.
    #[must_use]
    pub const fn has_shadow_rules(&self) -> bool {
        self.shadow_index.is_some()
    }

    /// What the loader found odd but allowed.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }
}
