//! The store of pins at its simplest: everything in memory, behind one lock, written by the same transitions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use thoth_gate::pin::{Happened, Pin, Step, observe};
use thoth_gate::{PinChange, PinKey, PinRecord, Pins, PinsError, Seen};
use thoth_types::ServerName;

/// Pins of one process.
#[derive(Debug, Default)]
pub struct MemoryPins(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    pins: BTreeMap<PinKey, Pin>,
    writes: u64,
}

impl MemoryPins {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pins for MemoryPins {
    fn observe(&self, seen: &[Seen], record: &mut PinRecord<'_>, now: Timestamp) -> Result<Vec<Arc<Pin>>, PinsError> {
        let mut kept = self.lock();
        let (mut pins, mut steps, mut taken) = (kept.pins.clone(), Vec::new(), Vec::new());
        for one in seen {
            if let Some(step) = observe(pins.get(&one.key), one, now) {
                pins.insert(one.key.clone(), step.pin.clone());
                steps.push(step);
            }
            taken.extend(pins.get(&one.key).cloned().map(Arc::new));
        }
        if !steps.is_empty() {
            record(&steps)?;
            kept.writes += 1;
        }
        kept.pins = pins;
        Ok(taken)
    }

    fn update(&self, key: &PinKey, change: &mut PinChange<'_>) -> Result<Pin, PinsError> {
        let mut kept = self.lock();
        let unknown = || PinsError::Unknown(format!("`{}`", key.name));
        let mut pin = kept.pins.get(key).cloned().ok_or_else(unknown)?;
        change(&mut pin)?;
        kept.writes += 1;
        kept.pins.insert(key.clone(), pin.clone());
        Ok(pin)
    }

    fn add(&self, pin: &Pin, record: &mut PinRecord<'_>) -> Result<bool, PinsError> {
        let mut kept = self.lock();
        if kept.pins.contains_key(&pin.key) {
            return Ok(false);
        }
        record(&[Step { pin: pin.clone(), happened: Happened::Imported }])?;
        kept.writes += 1;
        kept.pins.insert(pin.key.clone(), pin.clone());
        Ok(true)
    }

    fn look(&self, key: &PinKey) -> Result<Option<Pin>, PinsError> {
        Ok(self.lock().pins.get(key).cloned())
    }

    fn list(&self, server: Option<&ServerName>) -> Result<Vec<Pin>, PinsError> {
        let wanted = |pin: &&Pin| server.is_none_or(|server| pin.key.server == *server);
        Ok(self.lock().pins.values().filter(wanted).cloned().collect())
    }

    fn version(&self) -> Result<u64, PinsError> {
        Ok(self.lock().writes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pins_suite;

    #[test]
    fn the_suite_holds() {
        pins_suite::holds(&MemoryPins::default());
        let pins = MemoryPins::default();
        pins_suite::two_agree(&pins, &pins);
    }
}
