//! One tenant: its gate, its holds, its ledger, its sessions and its limits.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thoth_audit::seal::SealKey;
use thoth_audit::{ContentKey, ContentMode, EventType};
use thoth_gate::{Evidence, Gate, Holds, HoldsError, Incident, Standing};
use thoth_policy::Policy;
use thoth_shell::policy_files::{PolicyFiles, Problem};
use thoth_shell::terminal::note;
use thoth_store::server::SessionPasts;
use thoth_types::{Caller, Mode, TenantId};
use tokio::sync::{Semaphore, watch};

use crate::approvals::LISTS_AT_ONCE;
use crate::clock;
use crate::complaints::Complaints;
use crate::fault::Fault;
use crate::holding::{Holdings, Own};
use crate::indexing::Indexing;
use crate::limits::{Limits, Rates};
use crate::private_holds::PrivateHolds;
use crate::random;
use crate::refusals::Refusals;
use crate::sessions::{MAX_SESSIONS, Sessions};
use crate::settings::InForce;
use crate::stores::TenantStores;

/// What stands in place of a server's name in records of what administrators do.
const ADMINISTRATION: &str = "thothd";

/// How long the index of a ledger is brought up to date at a time.
const FOLLOWING: Duration = Duration::from_millis(100);

/// What is the same for all tenants.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) policy: PathBuf,
    pub(crate) mode: Mode,
    pub(crate) rates: Rates,
}

/// One tenant.
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) gate: Gate,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    /// The limits that the server was started with.
    pub(crate) rates: Rates,
    /// What administrators have set.
    pub(crate) in_force: InForce,
    pub(crate) refusals: Refusals,
    /// What calls are blocked for that whoever runs the server can mend.
    pub(crate) complaints: Arc<Complaints>,
    /// What the server demands at least of every session.
    pub(crate) mode: Mode,
    /// Places for those that list held calls.
    pub(crate) lists: Arc<Semaphore>,
    /// The place for whoever looks at very much of what the ledger has.
    pub(crate) looks: Arc<Semaphore>,
    /// What was allowed in sessions, where other servers decide in them, too.
    pub(crate) pasts: Option<Arc<dyn SessionPasts>>,
    /// What seals documents of the tenant.
    pub(crate) seal: SealKey,
    /// Which policy bundles hold for whom.
    pub(crate) holdings: Holdings,
    /// What the ledger has, to be looked at and searched.
    pub(crate) indexing: Indexing,
    index_complaints: Complaints,
    ledger: Arc<dyn Evidence>,
    policy: Mutex<OwnPolicy>,
    holds: Arc<dyn Holds>,
    content_key: ContentKey,
    answered: watch::Sender<u64>,
}

impl std::fmt::Debug for Tenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Tenant {
    /// A tenant whose holds and ledger are kept in `stores`.
    pub(crate) fn new(id: TenantId, stores: TenantStores, settings: &Settings) -> Self {
        let TenantStores { holds, ledger, view, index, content_key, pasts, seal } = stores;
        let complaints = Arc::new(Complaints::new(format!("tenant {id}")));
        let index_complaints = Complaints::new(format!("tenant {id}: the index of the ledger"));
        let holds = Arc::new(PrivateHolds::new(holds, Arc::clone(&complaints)));
        let holds: Arc<dyn Holds> = holds;
        let mut own = OwnPolicy { files: PolicyFiles::new(settings.policy.clone()), own: Own::default() };
        let standing = standing(&mut own);
        let gate = gate_on(standing, &ledger, &holds, &content_key);
        Self {
            id,
            gate,
            sessions: Sessions::new(MAX_SESSIONS),
            limits: Limits::new(settings.rates),
            rates: settings.rates,
            in_force: InForce::default(),
            refusals: Refusals::default(),
            complaints,
            mode: settings.mode,
            lists: Arc::new(Semaphore::new(LISTS_AT_ONCE)),
            looks: Arc::new(Semaphore::new(1)),
            pasts,
            seal,
            holdings: Holdings::default(),
            indexing: Indexing::new(index, view),
            index_complaints,
            ledger,
            policy: Mutex::new(own),
            holds,
            content_key,
            answered: watch::Sender::new(0),
        }
    }

    /// Puts a policy in force that has changed on disk, on behalf of `caller`. A bad file keeps the one that is in force.
    pub(crate) fn look(&self, caller: &Caller) {
        let mut own = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        if !own.files.changed() {
            return;
        }
        let detail = match own.load() {
            Ok(policy) => {
                self.gate.replace(Standing::Valid(Box::new(policy)));
                format!("the policy file changed; now in force: {}", self.gate.policy_digest())
            }
            Err(problem) => {
                note(format_args!("tenant {}: the changed policy is not valid: {}", self.id, problem.error().places()));
                "the policy file changed but is not valid; the previous one stays in force".to_owned()
            }
        };
        note(format_args!("tenant {}: {detail}", self.id));
        let incident = Incident { kind: EventType::PolicyLoaded, detail: &detail, refusal: None };
        if let Err(error) = self.gate.note(caller, &incident, clock::now()) {
            note(format_args!("tenant {}: {error}", self.id));
        }
    }

    /// Does so where nobody calls.
    pub(crate) fn look_unasked(&self) {
        // A record without randomness could have the id of another; the next call looks again.
        if let Ok(caller) = self.administration() {
            self.look(&caller);
        }
    }

    /// The server's own policy, as it holds here.
    pub(crate) fn own(&self) -> Own {
        self.policy.lock().unwrap_or_else(PoisonError::into_inner).own.clone()
    }

    /// A gate on the holds and the ledger of this tenant, under another policy.
    pub(crate) fn gate_under(&self, standing: Standing) -> Gate {
        gate_on(standing, &self.ledger, &self.holds, &self.content_key)
    }

    /// Who stands in records of what is no call.
    fn administration(&self) -> Result<Caller, Fault> {
        let random = random::eight().ok_or_else(|| Fault::unavailable("the system has no randomness"))?;
        // No two of these have one session, so that no two have one event id.
        let session = format!("administration.{:016x}", u64::from_be_bytes(random));
        Ok(Caller {
            tenant: Some(self.id.clone()),
            user: None,
            endpoint: None,
            agent: None,
            session: session.parse().map_err(Fault::broken)?,
            server: ADMINISTRATION.parse().map_err(Fault::broken)?,
            intent: None,
            approved_scope: Vec::new(),
            mode: self.mode,
        })
    }

    /// Writes into the ledger what an administrator does, or why it cannot be written.
    pub(crate) fn note(&self, kind: EventType, detail: &str) -> Result<(), Fault> {
        let caller = self.administration()?;
        let incident = Incident { kind, detail, refusal: None };
        self.gate.note(&caller, &incident, clock::now()).map_err(Fault::unavailable)
    }

    /// Somebody answered a held call.
    pub(crate) fn tell_answered(&self) {
        self.answered.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Notices when somebody answers a held call through this process.
    pub(crate) fn answers(&self) -> watch::Receiver<u64> {
        self.answered.subscribe()
    }

    /// How many held calls wait for a person. Blocks on the disk.
    pub(crate) fn waiting(&self) -> Result<u64, HoldsError> {
        self.holds.waiting(clock::now().wall)
    }

    /// Notes which holds have ended, and what the ledger complains about.
    pub(crate) fn upkeep(&self) {
        if let Err(error) = self.gate.desk().sweep(clock::now().wall) {
            note(format_args!("tenant {}: it could not be recorded which held calls have ended: {error}", self.id));
        }
        self.complaints.say_rest();
        if let Some(problem) = self.gate.take_problem() {
            note(format_args!("tenant {}: the ledger needs attention: {problem}", self.id));
        }
    }

    /// Has the index follow the ledger, for a moment. Blocks on the disk.
    pub(crate) fn follow(&self) {
        if let Err(fault) = self.indexing.follow(FOLLOWING) {
            self.complain_of_index(&fault);
        }
    }

    /// Says once in a while that the index cannot be brought up to date.
    pub(crate) fn complain_of_index(&self, fault: &Fault) {
        self.index_complaints.say(fault.cause.as_deref().unwrap_or(&fault.message));
    }

    /// Brings the ledger up to date, at the end.
    pub(crate) fn close(&self) {
        if let Err(error) = self.ledger.close() {
            note(format_args!("tenant {}: the ledger was not brought up to date: {error}", self.id));
        }
    }
}

/// The server's own policy: its files, and what they said when they were valid last.
#[derive(Debug)]
struct OwnPolicy {
    files: PolicyFiles,
    own: Own,
}

impl OwnPolicy {
    fn load(&mut self) -> Result<Policy, Problem> {
        let (policy, texts) = self.files.load_with_texts()?;
        self.own = Own { epoch: self.own.epoch + 1, texts: Some(Arc::new(texts)) };
        Ok(policy)
    }
}

fn gate_on(standing: Standing, ledger: &Arc<dyn Evidence>, holds: &Arc<dyn Holds>, key: &ContentKey) -> Gate {
    let (evidence, holds) = (Arc::clone(ledger), Arc::clone(holds));
    Gate::new(standing, evidence, ContentMode::Redacted, key.clone()).with_holds(holds)
}

/// An invalid policy is not an absent one: it refuses every call.
fn standing(own: &mut OwnPolicy) -> Standing {
    match own.load() {
        Ok(policy) => Standing::Valid(Box::new(policy)),
        Err(problem) => {
            let places = problem.error().places();
            note(format_args!("invalid policy; every call is refused until it is fixed: {places}"));
            // Whoever calls does not keep the policy, and the place tells of the server's folders.
            Standing::Invalid { reason: "the server's policy is invalid; its own messages say where".to_owned() }
        }
    }
}
