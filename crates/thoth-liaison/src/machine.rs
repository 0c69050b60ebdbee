//! Registration and check-ins: the enforcer hears that the machine is there, and says whether it is in quarantine.
//!
//! INVARIANT (failure tightens): a quarantine that was heard holds until the enforcer says otherwise, also in sessions that
//! begin while it cannot be asked.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thoth_api::contract::endpoint::{Answer, CheckIn, Register, Standing};
use thoth_api::contract::enforce::Mismatch;
use thoth_api::{Enforcer, RemoteError};
use tokio::runtime::Runtime;

use crate::bell::Bell;
use crate::events::Cursor;
use crate::folder::Folder;
use crate::keeper::Keeper;
use crate::pace;

/// What the enforcer said last of the machine, and how the last try went.
pub(crate) const FILE: &str = "machine.json";

/// That file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The machine that it is about.
    pub(crate) endpoint: String,
    /// Whether all of its calls are refused.
    pub(crate) quarantined: bool,
    /// When the enforcer answered last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answered_at: Option<String>,
    /// What was wrong since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Why its policy document is not relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) document_error: Option<String>,
}

/// Hears of each change of the quarantine; the first time in any case.
pub(crate) type Hears = Box<dyn FnMut(bool) + Send>;

/// The machine, as it reports.
pub(crate) struct Machine {
    pub(crate) enforcer: Enforcer,
    pub(crate) folder: Folder,
    pub(crate) told: Register,
    /// How far the ledger was told, if there is one.
    pub(crate) cursor: Option<Cursor>,
    pub(crate) every: Duration,
    pub(crate) hears: Hears,
    /// Keeps its policy document, if that is heeded.
    pub(crate) keeper: Option<Keeper>,
    pub(crate) say: fn(&str),
}

impl Machine {
    /// Heeds what was heard in an earlier session.
    pub(crate) fn remember(&mut self) {
        let (quarantined, problem) = match self.folder.read::<Kept>(FILE) {
            Ok(kept) => {
                let kept = kept.filter(|kept| kept.endpoint == self.told.endpoint_id).unwrap_or_default();
                (kept.quarantined, kept.document_error)
            }
            Err(error) => {
                (self.say)(&format!("{error}; every call is refused until the enforcer says how this machine stands"));
                (true, Some(error.to_string()))
            }
        };
        if let Some(keeper) = &mut self.keeper {
            keeper.remember(problem);
        }
        if quarantined {
            (self.say)("this machine was in quarantine when its enforcer was heard last: every call is refused");
        }
        (self.hears)(quarantined);
    }

    /// Reports until the session ends.
    pub(crate) fn run(mut self, runtime: &Runtime, bell: &Bell) {
        let mut registered = false;
        let mut failures: u32 = 0;
        let mut quarantined = None;
        while bell.rung().is_none() {
            let answer = runtime.block_on(self.report(registered));
            let pause = match answer {
                Ok(answer) => {
                    (registered, failures) = (true, 0);
                    self.heed(&answer, &mut quarantined);
                    runtime.block_on(self.renew(&answer, &mut quarantined));
                    let asked = Duration::from_secs(answer.checkin_interval_seconds.max(1));
                    pace::shorter(self.every.min(asked))
                }
                // It was forgotten there.
                Err(error) if registered && error.status() == Some(404) => {
                    registered = false;
                    continue;
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    if failures == 1 {
                        (self.say)(&format!("this machine could not check in with its enforcer: {error}"));
                    }
                    if let Some(keeper) = &mut self.keeper {
                        keeper.failed(&error);
                    }
                    let problem = self.document_problem();
                    self.keep(|kept| {
                        kept.error = Some(error.to_string());
                        // Only a document that is in order takes back what was wrong with one.
                        if problem.is_some() {
                            kept.document_error = problem;
                        }
                    });
                    pace::after(failures, &error).min(self.every.max(Duration::from_secs(1)))
                }
            };
            bell.wait(pause);
        }
    }

    async fn report(&self, registered: bool) -> Result<Answer, RemoteError> {
        let answer = if registered {
            let check_in = CheckIn {
                tenant_id: self.told.tenant_id.clone(),
                endpoint_id: self.told.endpoint_id.clone(),
                agent_ids: self.told.agent_ids.clone(),
                proxy_version: self.told.proxy_version.clone(),
                policy_digest: self.keeper.as_ref().and_then(Keeper::digest),
                events_pending: self.cursor.as_ref().and_then(|cursor| cursor.read().ok()?.pending()),
            };
            self.enforcer.check_in(&check_in).await?
        } else {
            self.enforcer.register(&self.told).await?
        };
        if answer.endpoint_id == self.told.endpoint_id {
            Ok(answer)
        } else {
            Err(Mismatch { field: "endpoint_id" }.into())
        }
    }

    /// Looks after the policy document.
    async fn renew(&mut self, answer: &Answer, known: &mut Option<bool>) {
        let Some(keeper) = &mut self.keeper else { return };
        if keeper.renew(&self.enforcer, answer).await && *known != Some(true) {
            self.stand(true, known);
        }
        let problem = self.document_problem();
        self.keep(|kept| kept.document_error = problem);
    }

    fn document_problem(&self) -> Option<String> {
        self.keeper.as_ref().and_then(Keeper::problem).map(str::to_owned)
    }

    fn heed(&mut self, answer: &Answer, known: &mut Option<bool>) {
        self.stand(answer.status == Standing::Quarantined, known);
    }

    /// It is in quarantine, or is not.
    fn stand(&mut self, quarantined: bool, known: &mut Option<bool>) {
        // What is refused is refused before it is remembered; what is let go is let go after it.
        if quarantined {
            (self.hears)(true);
        }
        self.keep(|kept| {
            (kept.quarantined, kept.answered_at, kept.error) = (quarantined, Some(Timestamp::now().to_string()), None)
        });
        if !quarantined {
            (self.hears)(false);
        }
        if *known != Some(quarantined) && (quarantined || known.is_some()) {
            (self.say)(if quarantined {
                "this machine is in quarantine: every call is refused until an administrator releases it"
            } else {
                "this machine is no longer in quarantine"
            });
        }
        *known = Some(quarantined);
    }

    fn keep(&self, change: impl FnOnce(&mut Kept)) {
        // Others of this agent may have written it since. What cannot be read may have said anything.
        let unreadable = |_| Some(Kept { quarantined: true, ..Kept::default() });
        let mut kept = self.folder.read::<Kept>(FILE).unwrap_or_else(unreadable).unwrap_or_default();
        if kept.endpoint != self.told.endpoint_id {
            let quarantined = kept.endpoint.is_empty() && kept.quarantined;
            kept = Kept { endpoint: self.told.endpoint_id.clone(), quarantined, ..Kept::default() };
        }
        let before = kept.clone();
        change(&mut kept);
        if kept == before {
            return;
        }
        if let Err(error) = self.folder.write(FILE, &kept) {
            (self.say)(&format!("{error}; what the enforcer says of this machine is not remembered"));
        }
    }
}
