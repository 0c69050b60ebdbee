//! The typed clients' questions about what the ledger has, and what is set.

use super::{Administration, RemoteError};
use crate::contract::list::List;
use crate::contract::{Json, decision, evidence, inventory, session, settings};

/// A query that asks for nothing in particular.
fn nothing() -> serde_json::Map<String, serde_json::Value> {
    serde_json::Map::new()
}

impl Administration {
    /// A page of decisions.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn decisions(&self, query: &decision::Query) -> Result<List<decision::Decision>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "decisions"], query).await
    }

    /// A page of violations.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn violations(&self, query: &decision::Query) -> Result<List<decision::Decision>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "violations"], query).await
    }

    /// One violation, with its record.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such violation.
    pub async fn violation(&self, id: &str) -> Result<decision::Violation, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "violations", id], &nothing()).await
    }

    /// A page of sessions.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn sessions(&self, query: &session::Query) -> Result<List<session::Session>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "sessions"], query).await
    }

    /// One session.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such session.
    pub async fn session(&self, id: &str) -> Result<session::Session, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "sessions", id], &nothing()).await
    }

    /// The evidence of a session, as it came.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such session.
    pub async fn session_bundle(&self, id: &str, query: &evidence::BundleQuery) -> Result<Json, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "sessions", id, "evidence-bundle"], query).await
    }

    /// A page of agents.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn agents(&self, query: &session::AgentQuery) -> Result<List<session::Agent>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "agents"], query).await
    }

    /// One agent.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that no call of such an agent was decided.
    pub async fn agent(&self, id: &str) -> Result<session::Agent, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "agents", id], &nothing()).await
    }

    /// What tools agents have, and what they do with them.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn inventory(&self, query: &inventory::ReportQuery) -> Result<inventory::Report, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "mcp", "inventory", "report"], query).await
    }

    /// What is set for the organisation, and what holds.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn settings(&self) -> Result<settings::Answer, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "settings"], &nothing()).await
    }

    /// Sets it.
    ///
    /// # Errors
    /// When there is no usable answer; status 409 means that somebody else has set it in between.
    pub async fn set_settings(&self, change: &settings::Change) -> Result<settings::Answer, RemoteError> {
        let path = [&self.tenant, "thoth", "settings"];
        self.remote.ask(reqwest::Method::PUT, &path, &[], Some(change), self.remote.within).await
    }

    /// Records of the ledger.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn chain(&self, query: &evidence::ChainQuery) -> Result<evidence::Chain, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "evidence", "chain"], query).await
    }

    /// Has a part of the ledger checked.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn verify_chain(&self, query: &evidence::CheckQuery) -> Result<evidence::Check, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "evidence", "verify"], query).await
    }
}
