//! What a call meets: the gate's transition on what is stored, and what comes of it written down.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::Transaction;
use thoth_gate::HoldsError;
use thoth_gate::hold::{Consulted, HoldState, Question, consult_all};

use crate::error::Fault;
use crate::room;
use crate::rows::{self, nanoseconds};

/// Answers a question within a transaction.
pub(crate) fn consult(
    transaction: &Transaction<'_>,
    question: &Question<'_>,
    ledger: &Path,
    now: Timestamp,
) -> Result<Consulted, Fault> {
    let at = nanoseconds(now)?;
    let open = rows::open_holds(transaction, question.binding, at)?;
    let grants = rows::grants_of(transaction, question.scope, at)?;
    let step = consult_all(question, &open, &grants, now);
    let Some(consulted) = step.consulted else {
        return Err(HoldsError::Full("no name for a new hold".to_owned()).into());
    };
    if let Some(hold) = &step.changed {
        rows::rewrite(transaction, hold, (hold.state == HoldState::Spent).then_some(at))?;
    }
    if let Some(hold) = &step.created {
        room::admit(transaction, hold, at)?;
        rows::put_aside(transaction, question.binding, at)?;
        rows::insert(transaction, hold, ledger)?;
        room::clean(transaction, at)?;
    }
    Ok(consulted)
}
