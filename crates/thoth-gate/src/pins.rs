//! What the gate needs from a store of pins.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_types::{Digest, Fingerprint, ItemKind, ServerName};

use crate::evidence::EvidenceError;
use crate::pin::{Pin, Step};

/// What a pin is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinKey {
    /// The server that offers it.
    pub server: ServerName,
    /// What it is.
    pub kind: ItemKind,
    /// Its name; the address of a resource; empty where a server has one of the kind.
    pub name: Arc<str>,
}

/// A definition that a server has shown.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What it is of.
    pub key: PinKey,
    /// The definition.
    pub fingerprint: Fingerprint,
    /// Whether it may be approved as it is where there is no pin of it yet.
    pub pin_at_once: bool,
}

/// A change of one pin. If it fails, nothing is changed.
pub type PinChange<'c> = dyn FnMut(&mut Pin) -> Result<(), PinsError> + 'c;

/// Takes note of what is about to be written. If it fails, nothing is written.
pub type PinRecord<'c> = dyn FnMut(&[Step]) -> Result<(), PinsError> + 'c;

/// Where pins are kept, for all processes of one installation.
///
/// INVARIANT: [`Self::observe`] and [`Self::update`] are atomic and in one order across processes, and what they have
/// written survives the death of any process before they return. What was approved is replaced by an approval only.
pub trait Pins: Send + Sync {
    /// Takes in what a server showed: each by [`crate::pin::observe`], all or none. `record` gets the steps that change
    /// anything. The answer has one pin for each that was seen, in the same order.
    ///
    /// # Errors
    /// If it cannot be done for sure.
    fn observe(&self, seen: &[Seen], record: &mut PinRecord<'_>, now: Timestamp) -> Result<Vec<Arc<Pin>>, PinsError>;

    /// Changes a pin: nobody else sees or changes it between the moment at which `change` gets it and the moment at
    /// which its result is written.
    ///
    /// # Errors
    /// If there is none, `change` fails, or it could not be written.
    fn update(&self, key: &PinKey, change: &mut PinChange<'_>) -> Result<Pin, PinsError>;

    /// Adds a pin that another installation has made, if there is none of its key. Whether it was added.
    ///
    /// # Errors
    /// If it could not be written, or `record` failed.
    fn add(&self, pin: &Pin, record: &mut PinRecord<'_>) -> Result<bool, PinsError>;

    /// One pin, if there is one.
    ///
    /// # Errors
    /// If it cannot be read.
    fn look(&self, key: &PinKey) -> Result<Option<Pin>, PinsError>;

    /// The pins of one server, or all of them, in the order of their keys.
    ///
    /// # Errors
    /// If they cannot be read.
    fn list(&self, server: Option<&ServerName>) -> Result<Vec<Pin>, PinsError>;

    /// The digest of a program that was remembered, if its file is still the one with this stamp.
    ///
    /// # Errors
    /// If it cannot be read.
    fn binary(&self, path: &str, stamp: &str) -> Result<Option<Digest>, PinsError> {
        let _ = (path, stamp);
        Ok(None)
    }

    /// Remembers the digest of a program. A store need not.
    ///
    /// # Errors
    /// If it could not be written.
    fn remember_binary(&self, path: &str, stamp: &str, digest: Digest) -> Result<(), PinsError> {
        let _ = (path, stamp, digest);
        Ok(())
    }

    /// A number that is another one whenever something may have changed since it was last asked for. Cheap enough to
    /// ask for once a second.
    ///
    /// # Errors
    /// If it cannot be told.
    fn version(&self) -> Result<u64, PinsError>;
}

/// A store of pins could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// There is none.
    #[error("pins are not kept here")]
    Absent,
    /// Nothing of this name.
    #[error("there is no pin of {0}")]
    Unknown(String),
    /// More than can be kept.
    #[error("{0}")]
    Full(String),
    /// What was to be approved is no longer what the server shows.
    #[error("the definition has changed once more; look at it again")]
    Stale,
    /// There is nothing to approve.
    #[error("{0}")]
    Nothing(&'static str),
    /// What must be recorded could not be.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Reading or writing failed.
    #[error("the store of pins failed: {0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// No store: nothing is pinned, and whatever asks is told so.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPins;

impl Pins for NoPins {
    fn observe(&self, _: &[Seen], _: &mut PinRecord<'_>, _: Timestamp) -> Result<Vec<Arc<Pin>>, PinsError> {
        Err(PinsError::Absent)
    }

    fn update(&self, _: &PinKey, _: &mut PinChange<'_>) -> Result<Pin, PinsError> {
        Err(PinsError::Absent)
    }

    fn add(&self, _: &Pin, _: &mut PinRecord<'_>) -> Result<bool, PinsError> {
        Err(PinsError::Absent)
    }

    fn look(&self, _: &PinKey) -> Result<Option<Pin>, PinsError> {
        Err(PinsError::Absent)
    }

    fn list(&self, _: Option<&ServerName>) -> Result<Vec<Pin>, PinsError> {
        Err(PinsError::Absent)
    }

    fn version(&self) -> Result<u64, PinsError> {
        Err(PinsError::Absent)
    }
}
