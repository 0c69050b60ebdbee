//! The store of pins.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::Connection;
use thoth_gate::pin::{Happened, Pin, Step, observe};
use thoth_gate::{PinChange, PinKey, PinRecord, Pins, PinsError, Seen};
use thoth_types::{Digest, ServerName};

use crate::database::{Database, store};
use crate::error::Fault;
use crate::pin_rows::{self, Room};

/// How many things of one server may have a pin.
pub const MAX_PINS_OF_SERVER: u32 = 8_192;
/// How many bytes the definitions of one server's pins may take.
pub const MAX_PIN_BYTES_OF_SERVER: i64 = 64 << 20;
/// How many bytes one definition may have.
pub const MAX_DEFINITION_BYTES: usize = 1 << 20;

/// The pins of one installation, in the file of its holds.
pub struct SqlitePins {
    database: Arc<Database>,
    ledger: PathBuf,
}

impl std::fmt::Debug for SqlitePins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlitePins").field("path", &self.database.path()).finish_non_exhaustive()
    }
}

/// What is known after all of these were seen, and the steps that led there.
type Taken = (Vec<Arc<Pin>>, Vec<Step>);

fn take(connection: Option<&Connection>, seen: &[Seen], now: Timestamp) -> Result<Taken, Fault> {
    let mut known: HashMap<&PinKey, Arc<Pin>> = HashMap::new();
    let (mut pins, mut steps) = (Vec::with_capacity(seen.len()), Vec::new());
    for one in seen {
        if !known.contains_key(&one.key)
            && let Some(pin) = connection.map(|file| pin_rows::pin(file, &one.key)).transpose()?.flatten()
        {
            known.insert(&one.key, Arc::new(pin));
        }
        if let Some(step) = observe(known.get(&one.key).map(|pin| &**pin), one, now) {
            known.insert(&one.key, Arc::new(step.pin.clone()));
            steps.push(step);
        }
        pins.extend(known.get(&one.key).cloned());
    }
    Ok((pins, steps))
}

impl SqlitePins {
    pub(crate) fn new(database: Arc<Database>, ledger: PathBuf) -> Self {
        Self { database, ledger }
    }

    /// The folder of the ledger that has a pin's latest records: that of the session that saw it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn ledger_of(&self, key: &PinKey) -> Result<Option<PathBuf>, PinsError> {
        Ok(self.database.read(|file| pin_rows::ledger_of(file, key)).map_err(refused)?.flatten())
    }
}

impl Pins for SqlitePins {
    fn observe(&self, seen: &[Seen], record: &mut PinRecord<'_>, now: Timestamp) -> Result<Vec<Arc<Pin>>, PinsError> {
        // Mostly nothing has changed, and to find that out takes no lock.
        let read = self.database.read(|file| take(Some(file), seen, now)).map_err(refused)?;
        if let Some((pins, steps)) = read
            && steps.is_empty()
        {
            return Ok(pins);
        }
        let written = self.database.write(true, |file| {
            let (pins, steps) = take(Some(file), seen, now)?;
            let mut room = Room::default();
            steps.iter().try_for_each(|step| pin_rows::put(file, &step.pin, &self.ledger, &mut room))?;
            if !steps.is_empty() {
                record(&steps)?;
            }
            Ok(pins)
        });
        written.map_err(refused)?.ok_or(PinsError::Absent)
    }

    /// `change` must not come back to this store: its connection is in use.
    fn update(&self, key: &PinKey, change: &mut PinChange<'_>) -> Result<Pin, PinsError> {
        let changed = self.database.write(false, |file| {
            let mut pin = pin_rows::pin(file, key)?.ok_or_else(|| unknown(key))?;
            change(&mut pin)?;
            let ledger = pin_rows::ledger_of(file, key)?.unwrap_or_else(|| self.ledger.clone());
            pin_rows::put(file, &pin, &ledger, &mut Room::default())?;
            Ok(pin)
        });
        changed.map_err(refused)?.ok_or_else(|| unknown(key))
    }

    fn add(&self, pin: &Pin, record: &mut PinRecord<'_>) -> Result<bool, PinsError> {
        let added = self.database.write(true, |file| {
            if pin_rows::pin(file, &pin.key)?.is_some() {
                return Ok(false);
            }
            pin_rows::put(file, pin, &self.ledger, &mut Room::default())?;
            record(&[Step { pin: pin.clone(), happened: Happened::Imported }])?;
            Ok(true)
        });
        Ok(added.map_err(refused)?.unwrap_or(false))
    }

    fn look(&self, key: &PinKey) -> Result<Option<Pin>, PinsError> {
        Ok(self.database.read(|file| pin_rows::pin(file, key)).map_err(refused)?.flatten())
    }

    fn list(&self, server: Option<&ServerName>) -> Result<Vec<Pin>, PinsError> {
        Ok(self.database.read(|file| pin_rows::pins(file, server)).map_err(refused)?.unwrap_or_default())
    }

    fn binary(&self, path: &str, stamp: &str) -> Result<Option<Digest>, PinsError> {
        Ok(self.database.read(|file| pin_rows::binary(file, path, stamp)).map_err(refused)?.flatten())
    }

    fn remember_binary(&self, path: &str, stamp: &str, digest: Digest) -> Result<(), PinsError> {
        self.database
            .write(true, |file| pin_rows::remember_binary(file, path, stamp, digest))
            .map_err(refused)
            .map(drop)
    }

    fn version(&self) -> Result<u64, PinsError> {
        Ok(self.database.version().map_err(refused)?.unwrap_or_default())
    }
}

fn unknown(key: &PinKey) -> PinsError {
    PinsError::Unknown(format!("{} `{}` of server `{}`", key.kind, key.name.escape_debug(), key.server))
}

/// What went wrong, in the words of pins.
fn refused(fault: Fault) -> PinsError {
    match fault.complete() {
        Ok(error) => PinsError::Store(store(error)),
        Err(Fault::Pins(error)) => error,
        Err(fault) => PinsError::Store(fault.to_string().into()),
    }
}
