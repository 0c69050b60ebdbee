//! Where definitions are taken in and people approve them: every change is in the ledger before it takes effect.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use thoth_audit::Leaves;
use thoth_types::{Caller, Digest};

use crate::evidence::Evidence;
use crate::pin::{Approval, Happened, Pin, Step};
use crate::pin_record;
use crate::pins::{PinKey, Pins, PinsError, Seen};

/// Takes definitions in, and answers about them, on one store and one ledger.
#[derive(Clone)]
pub struct PinDesk {
    pub(crate) pins: Arc<dyn Pins>,
    pub(crate) evidence: Arc<dyn Evidence>,
    serial: Arc<AtomicU64>,
}

impl std::fmt::Debug for PinDesk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PinDesk").finish_non_exhaustive()
    }
}

/// What became of what a server showed.
#[derive(Debug)]
pub struct Lookout {
    /// One pin for each that was seen, in the same order.
    pub pins: Vec<Arc<Pin>>,
    /// What happened to some of them.
    pub news: Vec<(Happened, PinKey)>,
}

impl PinDesk {
    /// A desk on this store and ledger.
    #[must_use]
    pub fn new(pins: Arc<dyn Pins>, evidence: Arc<dyn Evidence>) -> Self {
        Self { pins, evidence, serial: Arc::default() }
    }

    /// The store.
    #[must_use]
    pub fn pins(&self) -> &dyn Pins {
        &*self.pins
    }

    /// Takes in what a server showed in `session`.
    ///
    /// # Errors
    /// If it could not be compared for sure, recorded or written.
    pub fn observe(&self, session: &Caller, seen: &[Seen], now: Timestamp) -> Result<Lookout, PinsError> {
        let mut news = Vec::new();
        let pins = self.pins.observe(
            seen,
            &mut |steps| {
                news.clear();
                news.extend(steps.iter().map(|step| (step.happened, step.pin.key.clone())));
                self.write(session, steps, None, now)
            },
            now,
        )?;
        Ok(Lookout { pins, news })
    }

    /// Approves what was last seen of `key`, if that is what `looked_at` says.
    ///
    /// # Errors
    /// If it is not, is approved already, or could not be recorded or written.
    pub fn approve(
        &self,
        session: &Caller,
        key: &PinKey,
        looked_at: Digest,
        approval: &Approval,
    ) -> Result<Pin, PinsError> {
        self.pins.update(key, &mut |pin| {
            pin.approve(looked_at, approval.clone())?;
            let step = Step { pin: pin.clone(), happened: Happened::Approved };
            self.write(session, &[step], Some(approval), approval.at)
        })
    }

    /// Takes an approval back, as `by`.
    ///
    /// # Errors
    /// If it was taken back already, or could not be recorded or written.
    pub fn revoke(&self, session: &Caller, key: &PinKey, by: &Approval) -> Result<Pin, PinsError> {
        self.pins.update(key, &mut |pin| {
            pin.revoke()?;
            let step = Step { pin: pin.clone(), happened: Happened::Revoked };
            self.write(session, &[step], Some(by), by.at)
        })
    }

    /// Adds a pin of another installation, as `by`, where there is none of its key. Whether it was added.
    ///
    /// # Errors
    /// If it could not be recorded or written.
    pub fn add(&self, session: &Caller, pin: &Pin, by: &Approval) -> Result<bool, PinsError> {
        self.pins.add(pin, &mut |steps| self.write(session, steps, Some(by), by.at))
    }

    fn write(&self, session: &Caller, steps: &[Step], by: Option<&Approval>, now: Timestamp) -> Result<(), PinsError> {
        let mut leaves = Leaves::default();
        for step in steps {
            let serial = self.serial.fetch_add(1, Ordering::Relaxed);
            pin_record::step(&mut leaves, session, &format!("{}.pin{serial}", session.session), step, by, now);
        }
        Ok(self.evidence.append(&leaves)?)
    }
}
