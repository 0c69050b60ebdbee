//! The latest refusals of a tenant, so that whoever was refused can be told more. Of the call itself nothing is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use thoth_gate::Refused;
use thoth_types::{Decision, ReasonCode};

/// How many are remembered.
const MOST: usize = 1024;

/// What is remembered of one.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) violation: String,
    pub(crate) agent: String,
    pub(crate) decision: Decision,
    pub(crate) tool: Arc<str>,
    pub(crate) reason: String,
    pub(crate) reason_code: ReasonCode,
    pub(crate) rule: Option<Arc<str>>,
    pub(crate) risk_score: u8,
    pub(crate) at: jiff::Timestamp,
    /// Where the call can be approved in a browser.
    pub(crate) url: Option<String>,
}

/// The latest ones.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<VecDeque<Told>>);

/// By what a refusal is named: it finds the call again in the ledger, whose `traceId` it ends with.
pub(crate) fn violation_id(refused: &Refused) -> String {
    format!("vio_{}", refused.trace_id)
}

impl Refusals {
    /// Remembers one.
    pub(crate) fn put(&self, agent: &str, decision: Decision, refused: &Refused, at: jiff::Timestamp) {
        let told = Told {
            violation: violation_id(refused),
            agent: agent.to_owned(),
            decision,
            tool: Arc::clone(&refused.tool),
            reason: refused.reason.clone(),
            reason_code: refused.reason_code,
            rule: refused.rule.clone(),
            risk_score: refused.risk_score,
            at,
            url: refused.hold.as_deref().and_then(crate::hold::approval_url),
        };
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if latest.len() >= MOST {
            latest.pop_front();
        }
        latest.push_back(told);
    }

    /// The one of this name.
    pub(crate) fn get(&self, violation: &str) -> Option<Told> {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        latest.iter().rev().find(|told| told.violation == violation).cloned()
    }
}
