//! The gate itself: what stays the same from call to call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use thoth_audit::digest::content_digest;
use thoth_audit::{ContentKey, ContentMode, Leaves, arguments_digest};
use thoth_policy::{IntegrityRules, Policy};
use thoth_types::{Arguments, Caller, Way};

use crate::desk::Desk;
use crate::evidence::{Evidence, EvidenceError};
use crate::facts::Moment;
use crate::holds::{Holds, NoHolds};
use crate::inspector::Inspector;
use crate::permit::{Permit, Ticket};
use crate::pin_desk::PinDesk;
use crate::pins::{NoPins, Pins};
use crate::record::{self, Incident, Outcome};
use crate::round::Round;
use crate::session::GateSession;

/// The policy in force.
#[derive(Debug)]
pub enum Standing {
    /// This policy decides.
    Valid(Box<Policy>),
    /// There was none to load: every call is refused, and the reason says why. Never the same as "no rules".
    Invalid {
        /// What is wrong, for a person.
        reason: String,
    },
}

impl Standing {
    /// The policy, if there is one.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        match self {
            Self::Valid(policy) => Some(policy),
            Self::Invalid { .. } => None,
        }
    }

    /// The digest of the policy in force, or `invalid`.
    #[must_use]
    pub fn digest(&self) -> &str {
        match self {
            Self::Valid(policy) => policy.digest(),
            Self::Invalid { .. } => "invalid",
        }
    }
}

/// Decides calls and keeps the evidence. Shared by all sessions of a process.
pub struct Gate {
    pub(crate) standing: ArcSwap<Standing>,
    pub(crate) desk: Desk,
    pub(crate) pin_desk: PinDesk,
    pub(crate) content_mode: ContentMode,
    incidents: AtomicU64,
    inspector: ArcSwapOption<Inspector>,
    shadow: ArcSwapOption<Policy>,
    shadow_inspector: ArcSwapOption<Inspector>,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate")
            .field("policy_digest", &self.standing.load().digest())
            .field("content_mode", &self.content_mode)
            .finish_non_exhaustive()
    }
}

impl Gate {
    /// A gate under `standing` that leaves its evidence in `evidence`.
    #[must_use]
    pub fn new(
        standing: Standing,
        evidence: Arc<dyn Evidence>,
        content_mode: ContentMode,
        content_key: ContentKey,
    ) -> Self {
        Self {
            standing: ArcSwap::from_pointee(standing),
            pin_desk: PinDesk::new(Arc::new(NoPins), Arc::clone(&evidence)),
            desk: Desk::new(Arc::new(NoHolds), evidence, content_key),
            content_mode,
            incidents: AtomicU64::new(0),
            inspector: ArcSwapOption::empty(),
            shadow: ArcSwapOption::empty(),
            shadow_inspector: ArcSwapOption::empty(),
        }
    }

    /// The same with a store of holds. Without one, calls that need a person are refused.
    #[must_use]
    pub fn with_holds(mut self, holds: Arc<dyn Holds>) -> Self {
        self.desk.holds = holds;
        self
    }

    /// The same with a store of pins. Without one, nothing is known of any tool.
    #[must_use]
    pub fn with_pins(mut self, pins: Arc<dyn Pins>) -> Self {
        self.pin_desk.pins = pins;
        self
    }

    /// Where definitions are taken in.
    #[must_use]
    pub const fn pin_desk(&self) -> &PinDesk {
        &self.pin_desk
    }

    /// What the policy in force says of tools that are new, changed, unlisted or suspicious.
    #[must_use]
    pub fn integrity_rules(&self, server: &str) -> IntegrityRules {
        self.standing.load().policy().map_or_else(IntegrityRules::default, |policy| policy.integrity_rules(server))
    }

    /// Where holds are shown and answered.
    #[must_use]
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// The keyed digest of a call's tool and arguments, as in a hold and in the ledger.
    #[must_use]
    pub fn call_digest(&self, tool: &str, arguments: Arguments<'_>) -> String {
        arguments_digest(&self.desk.key, tool, arguments)
    }

    /// Opens a round over frames that arrived together. All of its calls are decided by the same policy.
    pub fn round<'g, 'f>(&'g self, session: &'g mut GateSession) -> Round<'g, 'f> {
        Round::open(self, session)
    }

    /// Writes the outcomes that were collected, with one append, and empties the collection.
    ///
    /// # Errors
    /// If they could not be written. The calls have happened by then; their intent records stand.
    pub fn record(&self, outcomes: &mut Outcomes) -> Result<(), EvidenceError> {
        if outcomes.leaves.is_empty() {
            return Ok(());
        }
        let written = self.desk.evidence.append_outcomes(&outcomes.leaves);
        outcomes.leaves.clear();
        written
    }

    /// Puts another policy in force, from the next round on.
    pub fn replace(&self, standing: Standing) {
        self.standing.store(Arc::new(standing));
    }

    /// Has another policy asked about every call beside the one in force, from now on. Its answers are recorded, and
    /// nothing else comes of them.
    pub fn watch(&self, policy: Policy) {
        self.shadow.store(Some(Arc::new(policy)));
    }

    /// The digest of the policy that is asked beside the one in force.
    #[must_use]
    pub fn shadow_digest(&self) -> Option<Arc<str>> {
        self.shadow.load().as_ref().map(|policy| policy.digest_arc())
    }

    /// Leave for a message of Thoth's own to the upstream, such as an error about one of its frames. It is not a call
    /// and answers nothing that the client asked.
    pub fn speak<'f>(&self, line: &'f [u8]) -> Permit<'f> {
        Permit::mint(line.into(), Vec::new())
    }

    /// Records something that is not a call.
    ///
    /// # Errors
    /// If the record could not be written.
    pub fn note(&self, session: &Caller, incident: &Incident<'_>, now: Moment) -> Result<(), EvidenceError> {
        let mut leaves = Leaves::default();
        let serial = self.incidents.fetch_add(1, Ordering::Relaxed);
        record::incident(&mut leaves, session, serial, incident, now);
        self.desk.evidence.append(&leaves)
    }

    /// The ledger's latest trouble that stopped nothing, once.
    #[must_use]
    pub fn take_problem(&self) -> Option<EvidenceError> {
        self.desk.evidence.take_problem()
    }

    /// The digest of the policy in force, or `invalid`.
    #[must_use]
    pub fn policy_digest(&self) -> String {
        self.standing.load().digest().to_owned()
    }

    /// How the policy in force wants people to be asked, if it says.
    #[must_use]
    pub fn way(&self) -> Option<Way> {
        match &**self.standing.load() {
            Standing::Valid(policy) => policy.way(),
            Standing::Invalid { .. } => None,
        }
    }

    /// What the policy says about contents. Made anew when another policy is in force or another server is asked about.
    pub(crate) fn inspector(&self, policy: Option<&Policy>, server: &str) -> Arc<Inspector> {
        kept(&self.inspector, policy, server)
    }

    /// The same for the policy in shadow.
    pub(crate) fn shadow_inspector(&self, policy: &Policy, server: &str) -> Arc<Inspector> {
        kept(&self.shadow_inspector, Some(policy), server)
    }

    /// The policy in shadow.
    pub(crate) fn shadow(&self) -> Option<Arc<Policy>> {
        self.shadow.load_full()
    }

    /// A keyed digest, for recognising a text again without keeping it.
    #[must_use]
    pub fn digest(&self, text: &[u8]) -> String {
        content_digest(&self.desk.key, text)
    }

    pub(crate) fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        self.desk.evidence.append(leaves)
    }
}

fn kept(place: &ArcSwapOption<Inspector>, policy: Option<&Policy>, server: &str) -> Arc<Inspector> {
    if let Some(known) = place.load_full().filter(|known| known.is_for(policy, server)) {
        return known;
    }
    let fresh = Arc::new(Inspector::new(policy, server));
    place.store(Some(Arc::clone(&fresh)));
    fresh
}

/// Outcomes that became known together. Kept for the whole session, so that its room is used again.
#[derive(Debug, Default)]
pub struct Outcomes {
    leaves: Leaves,
}

impl Outcomes {
    /// Notes what became of a call. [`Gate::record`] writes it.
    pub fn settle(&mut self, caller: &Caller, ticket: &Ticket, outcome: &Outcome<'_>, now: Moment) {
        record::outcome(&mut self.leaves, caller, ticket, outcome, now);
    }
}
