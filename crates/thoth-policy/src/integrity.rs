//! What is done about tools that are new, changed, unlisted or suspicious, as files ask for it together.

use thoth_types::{
    Approval, Finding, Integrity, Listed, PinState, Place, Reaction, ReasonCode, RiskLevel, Severity, Stage,
};

use crate::approvals::both;
use crate::name;
use crate::policy::Policy;
use crate::query::Query;
use crate::text_match::TextMatch;

/// What becomes of what is seen for the first time. Ordered from loosest to strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnFirstUse {
    /// It is approved as it is.
    Pin,
    /// A person is asked about each call until it is approved.
    Ask,
    /// Calls are refused until it is approved.
    Block,
}

/// What becomes of what has changed since it was approved. Ordered from loosest to strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnChange {
    /// It is recorded, and nothing else.
    Allow,
    /// A person is asked about each call until it is approved.
    Ask,
    /// Calls are refused until it is approved.
    Quarantine,
}

/// What the client sees of tools whose calls are refused. Ordered from loosest to strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shown {
    /// Their names, and that they are refused.
    Annotate,
    /// Nothing.
    Hide,
}

macro_rules! written {
    ($type:ident { $($variant:ident => $word:literal),+ }) => {
        impl $type {
            /// Every value, from loosest to strictest.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word written in policies.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }
        }

        impl std::str::FromStr for $type {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text).ok_or(())
            }
        }
    };
}

written!(OnFirstUse { Pin => "pin", Ask => "ask", Block => "block" });
written!(OnChange { Allow => "allow", Ask => "ask", Quarantine => "quarantine" });
written!(Shown { Annotate => "annotate", Hide => "hide" });

/// What holds for one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IntegrityRules {
    /// What is seen for the first time.
    pub on_first_use: OnFirstUse,
    /// What has changed since it was approved.
    pub on_change: OnChange,
    /// Calls to tools that the server does not list.
    pub on_unlisted: Reaction,
    /// Calls to tools that may have changed since the server listed them.
    pub on_stale: Reaction,
    /// Definitions with a critical finding that nobody has accepted.
    pub on_critical: Reaction,
    /// The same with a warning.
    pub on_warning: Reaction,
    /// What the client sees of tools whose calls are refused.
    pub quarantined_tools: Shown,
}

impl Default for IntegrityRules {
    /// Pins what is new, and refuses what has changed or carries an attack.
    fn default() -> Self {
        Self {
            on_first_use: OnFirstUse::Pin,
            on_change: OnChange::Quarantine,
            on_unlisted: Reaction::Ask,
            on_stale: Reaction::Allow,
            on_critical: Reaction::Block,
            on_warning: Reaction::Allow,
            quarantined_tools: Shown::Hide,
        }
    }
}

/// What one file says, and where.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntegrityDraft {
    pub(crate) on_first_use: Option<Said<OnFirstUse>>,
    pub(crate) on_change: Option<Said<OnChange>>,
    pub(crate) on_unlisted: Option<Said<Reaction>>,
    pub(crate) on_stale: Option<Said<Reaction>>,
    pub(crate) on_critical: Option<Said<Reaction>>,
    pub(crate) on_warning: Option<Said<Reaction>>,
    pub(crate) quarantined_tools: Option<Said<Shown>>,
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Said<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// One file's section: what it says of all servers, and of some.
#[derive(Debug, Clone, Default)]
pub(crate) struct IntegritySection {
    pub(crate) all: IntegrityDraft,
    pub(crate) servers: Vec<(TextMatch, IntegrityDraft)>,
}

pub(crate) fn stricter<T: Ord>(one: Said<T>, other: Said<T>) -> Said<T> {
    // The place makes it the same whatever the order of the files.
    match one.value.cmp(&other.value).then_with(|| order(&other.place).cmp(&order(&one.place))) {
        std::cmp::Ordering::Less => other,
        _ => one,
    }
}

fn order(place: &Place) -> (&str, u32, u32) {
    (&place.file, place.line, place.column)
}

impl IntegrityDraft {
    /// Both at once: the stricter of each.
    fn and(self, other: Self) -> Self {
        Self {
            on_first_use: both(self.on_first_use, other.on_first_use, stricter),
            on_change: both(self.on_change, other.on_change, stricter),
            on_unlisted: both(self.on_unlisted, other.on_unlisted, stricter),
            on_stale: both(self.on_stale, other.on_stale, stricter),
            on_critical: both(self.on_critical, other.on_critical, stricter),
            on_warning: both(self.on_warning, other.on_warning, stricter),
            quarantined_tools: both(self.quarantined_tools, other.quarantined_tools, stricter),
        }
    }

    /// This where it says something, else the other.
    fn or(self, other: Self) -> Self {
        Self {
            on_first_use: self.on_first_use.or(other.on_first_use),
            on_change: self.on_change.or(other.on_change),
            on_unlisted: self.on_unlisted.or(other.on_unlisted),
            on_stale: self.on_stale.or(other.on_stale),
            on_critical: self.on_critical.or(other.on_critical),
            on_warning: self.on_warning.or(other.on_warning),
            quarantined_tools: self.quarantined_tools.or(other.quarantined_tools),
        }
    }

    fn rules(&self) -> IntegrityRules {
        let nothing = IntegrityRules::default();
        fn value<T: Copy>(said: Option<&Said<T>>, otherwise: T) -> T {
            said.map_or(otherwise, |said| said.value)
        }
        IntegrityRules {
            on_first_use: value(self.on_first_use.as_ref(), nothing.on_first_use),
            on_change: value(self.on_change.as_ref(), nothing.on_change),
            on_unlisted: value(self.on_unlisted.as_ref(), nothing.on_unlisted),
            on_stale: value(self.on_stale.as_ref(), nothing.on_stale),
            on_critical: value(self.on_critical.as_ref(), nothing.on_critical),
            on_warning: value(self.on_warning.as_ref(), nothing.on_warning),
            quarantined_tools: value(self.quarantined_tools.as_ref(), nothing.quarantined_tools),
        }
    }
}

impl IntegritySection {
    /// What the file says of this server: an entry that names it comes before what is said of all, and of several such
    /// entries the strictest holds.
    fn of(&self, server: &str) -> IntegrityDraft {
        let reads_as = name::normalised(server);
        let named = self.servers.iter().filter(|(names, _)| names.matches(server) || names.matches(&reads_as));
        let own = named.map(|(_, own)| own.clone()).reduce(IntegrityDraft::and).unwrap_or_default();
        own.or(self.all.clone())
    }
}

fn place<T>(said: Option<&Said<T>>) -> Option<Place> {
    said.map(|said| said.place.clone())
}

fn found(
    code: ReasonCode,
    approval: Approval,
    hard: bool,
    risk: RiskLevel,
    place: Option<Place>,
    detail: String,
) -> Finding {
    Finding {
        stage: Stage::Integrity,
        approval,
        code,
        risk,
        rule: None,
        place,
        detail: detail.into(),
        hard,
        retry_after_seconds: None,
    }
}

const fn demanded(reaction: Reaction) -> Option<Approval> {
    match reaction {
        Reaction::Allow => None,
        Reaction::Ask => Some(Approval::Approve),
        Reaction::Block => Some(Approval::Block),
    }
}

fn list(fields: &[std::sync::Arc<str>]) -> String {
    const SHOWN: usize = 6;
    let mut names: Vec<String> = fields.iter().take(SHOWN).map(|name| format!("`{}`", name.escape_debug())).collect();
    if fields.len() > SHOWN {
        names.push(format!("{} more", fields.len() - SHOWN));
    }
    names.join(", ")
}

impl Policy {
    fn integrity_draft(&self, server: &str) -> IntegrityDraft {
        let all = self.integrity.iter().map(|section| section.of(server));
        all.reduce(IntegrityDraft::and).unwrap_or_default()
    }

    /// What holds for this server.
    #[must_use]
    pub fn integrity_rules(&self, server: &str) -> IntegrityRules {
        self.integrity_draft(server).rules()
    }

    /// Stage 4: whether the tool is listed, is the one that was approved, and carries no attack.
    pub fn integrity(&self, query: &Query<'_>, listed: Listed, known: &Integrity, findings: &mut Vec<Finding>) {
        let in_order = known.pin == Some(PinState::Approved) && known.threat.is_none() && known.problem.is_none();
        if in_order && !known.stale && listed != Listed::No {
            return;
        }
        let tool = query.tool;
        let said = self.integrity_draft(query.server);
        let rules = said.rules();
        // Whatever the policy allows, an approval may have been taken back, and that is refused under every policy.
        if let Some(problem) = &known.problem {
            let detail = format!("it cannot be told whether `{tool}` is the tool that was approved: {problem}");
            let code = ReasonCode::IntegrityUnavailable;
            findings.push(found(code, Approval::Block, true, RiskLevel::High, None, detail));
        }
        let never_listed = listed == Listed::Unknown && known.pin.is_none() && known.problem.is_none();
        if listed == Listed::No || never_listed {
            let detail = match listed {
                Listed::No => format!("the server lists other tools and not `{tool}`"),
                _ => format!("the server has never listed `{tool}`"),
            };
            findings.extend(demanded(rules.on_unlisted).map(|approval| {
                let place = place(said.on_unlisted.as_ref());
                found(ReasonCode::ToolUnlisted, approval, false, RiskLevel::Medium, place, detail)
            }));
        }
        if known.stale && listed != Listed::No {
            let detail = format!("`{tool}` may have changed since the server listed it; list its tools again");
            findings.extend(demanded(rules.on_stale).map(|approval| {
                let place = place(said.on_stale.as_ref());
                found(ReasonCode::ToolStale, approval, false, RiskLevel::Medium, place, detail)
            }));
        }
        match known.pin {
            None | Some(PinState::Approved) => {}
            Some(PinState::Pending) => {
                let place = place(said.on_first_use.as_ref());
                let detail = format!("nobody has approved `{tool}` yet: `thoth pins approve` does");
                // Even where new tools are pinned as they come, one that was not is one in which something was found.
                let (approval, hard) = match rules.on_first_use {
                    OnFirstUse::Pin | OnFirstUse::Ask => (Approval::Approve, false),
                    OnFirstUse::Block => (Approval::Block, true),
                };
                findings.push(found(ReasonCode::ToolNotApproved, approval, hard, RiskLevel::Medium, place, detail));
            }
            Some(PinState::Quarantined) => {
                let place = place(said.on_change.as_ref());
                let what = list(&known.changed);
                let detail =
                    format!("`{tool}` is not the tool that was approved: {what} changed; see `thoth pins diff`");
                findings.extend(
                    match rules.on_change {
                        OnChange::Allow => None,
                        OnChange::Ask => Some((ReasonCode::ToolChanged, Approval::Approve, false)),
                        OnChange::Quarantine => Some((ReasonCode::ToolQuarantined, Approval::Block, true)),
                    }
                    .map(|(code, approval, hard)| found(code, approval, hard, RiskLevel::High, place, detail)),
                );
            }
            Some(PinState::Revoked) => {
                let detail = format!("the approval of `{tool}` was taken back");
                let place = place(said.on_change.as_ref());
                findings.push(found(ReasonCode::ToolRevoked, Approval::Block, true, RiskLevel::High, place, detail));
            }
        }
        if let Some(threat) = &known.threat {
            let (said, reaction, code, risk) = match threat.severity {
                Severity::Critical => {
                    (said.on_critical.as_ref(), rules.on_critical, ReasonCode::ToolPoisoned, RiskLevel::Critical)
                }
                Severity::Warning => {
                    (said.on_warning.as_ref(), rules.on_warning, ReasonCode::ToolSuspicious, RiskLevel::Medium)
                }
                Severity::Info => return,
            };
            findings.extend(demanded(reaction).map(|approval| {
                let detail = format!("the definition of `{tool}`: {} ({})", threat.message, threat.rule);
                found(code, approval, approval == Approval::Block, risk, place(said), detail)
            }));
        }
    }
}

impl IntegrityRules {
    /// Whether calls under what is known are refused, whatever else the policy says, so that the client need not see the
    /// tool.
    #[must_use]
    pub fn refuses(&self, known: &Integrity) -> bool {
        let by_pin = match known.pin {
            None | Some(PinState::Approved) => false,
            Some(PinState::Pending) => self.on_first_use == OnFirstUse::Block,
            Some(PinState::Quarantined) => self.on_change == OnChange::Quarantine,
            Some(PinState::Revoked) => true,
        };
        let by_threat = known.threat.as_ref().is_some_and(|threat| self.on(threat.severity) == Reaction::Block);
        by_pin || by_threat || known.problem.is_some()
    }

    /// Whether something is kept from the client that is used without asking the gate, under what is known of it: what
    /// would be asked about is kept back, because nobody can be asked.
    #[must_use]
    pub fn withholds(&self, known: &Integrity) -> bool {
        let by_pin = match known.pin {
            None | Some(PinState::Approved) => false,
            Some(PinState::Quarantined) => self.on_change > OnChange::Allow,
            Some(PinState::Pending | PinState::Revoked) => true,
        };
        let by_threat = known.threat.as_ref().is_some_and(|threat| self.on(threat.severity) > Reaction::Allow);
        by_pin || by_threat || known.problem.is_some()
    }

    /// What is done about a finding.
    #[must_use]
    pub const fn on(&self, severity: Severity) -> Reaction {
        match severity {
            Severity::Info => Reaction::Allow,
            Severity::Warning => self.on_warning,
            Severity::Critical => self.on_critical,
        }
    }

    /// Whether something new may be taken for approved as it is, when the worst that was found in it is this.
    #[must_use]
    pub fn pins_at_once(&self, worst: Option<Severity>) -> bool {
        self.on_first_use == OnFirstUse::Pin && worst.is_none_or(|severity| self.on(severity) == Reaction::Allow)
    }
}
