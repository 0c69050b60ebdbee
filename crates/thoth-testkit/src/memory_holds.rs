//! The store of holds at its simplest: everything in memory, behind one lock, written by the same transitions.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use thoth_gate::hold::{Consulted, Hold, HoldState, Question, consult_all};
use thoth_gate::{Change, Holds, HoldsError};
use thoth_types::{Grant, HoldToken};

/// Holds of one process.
#[derive(Debug, Default)]
pub struct MemoryHolds(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    holds: Vec<Hold>,
    grants: Vec<Grant>,
    violations: Vec<(String, Timestamp)>,
    writes: u64,
    seen: u64,
}

impl MemoryHolds {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn put(&mut self, hold: Hold) {
        self.writes += 1;
        match self.holds.iter_mut().find(|known| known.token == hold.token) {
            Some(known) => *known = hold,
            None => self.holds.push(hold),
        }
    }

    fn get(&self, token: &HoldToken) -> Result<&Hold, HoldsError> {
        let unknown = || HoldsError::Unknown(format!("hold `{token}`"));
        self.holds.iter().find(|hold| hold.token == *token).ok_or_else(unknown)
    }
}

impl Holds for MemoryHolds {
    fn consult(&self, question: &Question<'_>, now: Timestamp) -> Result<Consulted, HoldsError> {
        let mut kept = self.lock();
        let open = |hold: &&Hold| !matches!(hold.state, HoldState::Spent | HoldState::Expired);
        let same = |hold: &&Hold| hold.binding == *question.binding;
        let open: Vec<_> = kept.holds.iter().filter(open).filter(same).cloned().collect();
        let grants: Vec<_> = kept.grants.iter().filter(|grant| grant.scope == *question.scope).cloned().collect();
        let step = consult_all(question, &open, &grants, now);
        for hold in step.changed.into_iter().chain(step.created) {
            kept.put(hold);
        }
        step.consulted.ok_or_else(|| HoldsError::Full("no name for a new hold".to_owned()))
    }

    fn update(&self, token: &HoldToken, change: &mut Change<'_>) -> Result<Hold, HoldsError> {
        let mut kept = self.lock();
        let mut hold = kept.get(token)?.clone();
        change(&mut hold)?;
        kept.put(hold.clone());
        Ok(hold)
    }

    fn look(&self, token: &HoldToken) -> Result<Hold, HoldsError> {
        self.lock().get(token).cloned()
    }

    fn list(&self) -> Result<Vec<Hold>, HoldsError> {
        Ok(self.lock().holds.iter().rev().cloned().collect())
    }

    fn lapsed(&self, now: Timestamp) -> Result<Vec<HoldToken>, HoldsError> {
        let lapsed = |hold: &&Hold| hold.state != HoldState::Expired && hold.state_at(now) == HoldState::Expired;
        Ok(self.lock().holds.iter().filter(lapsed).map(|hold| hold.token.clone()).collect())
    }

    fn grant(&self, grant: &Grant) -> Result<(), HoldsError> {
        let mut kept = self.lock();
        kept.writes += 1;
        kept.grants.push(grant.clone());
        Ok(())
    }

    fn grants(&self, now: Timestamp) -> Result<Vec<Grant>, HoldsError> {
        Ok(self.lock().grants.iter().rev().filter(|grant| now < grant.ends_at).cloned().collect())
    }

    fn revoke(&self, id: &str) -> Result<(), HoldsError> {
        let mut kept = self.lock();
        kept.writes += 1;
        let before = kept.grants.len();
        kept.grants.retain(|grant| &*grant.id != id);
        if kept.grants.len() < before { Ok(()) } else { Err(HoldsError::Unknown(format!("grant `{id}`"))) }
    }

    fn changed(&self) -> Result<bool, HoldsError> {
        let mut kept = self.lock();
        let news = kept.seen != kept.writes;
        kept.seen = kept.writes;
        Ok(news)
    }

    fn count_violation(&self, agent: &str, now: Timestamp, since: Timestamp) -> Result<u32, HoldsError> {
        let mut kept = self.lock();
        kept.violations.push((agent.to_owned(), now));
        let count = kept.violations.iter().filter(|(who, at)| who == agent && *at >= since).count();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
