//! The typed clients' questions about machines.

use super::{Administration, Enforcer, RemoteError, told};
use crate::contract::endpoint;
use crate::contract::list::List;

impl Enforcer {
    /// Registers a machine, or says what is new about one.
    ///
    /// # Errors
    /// When there is no usable answer. It can be asked again.
    pub async fn register(&self, endpoint: &endpoint::Register) -> Result<endpoint::Answer, RemoteError> {
        self.0.post(&["v1", "endpoints", "register"], endpoint).await
    }

    /// Says that a machine is still there.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that the machine is to register.
    pub async fn check_in(&self, endpoint: &endpoint::CheckIn) -> Result<endpoint::Answer, RemoteError> {
        self.0.post(&["v1", "endpoints", "checkin"], endpoint).await
    }
}

impl Administration {
    /// A page of machines.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn endpoints(&self, query: &endpoint::Query) -> Result<List<endpoint::Endpoint>, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "endpoints"], query).await
    }

    /// One machine.
    ///
    /// # Errors
    /// When there is no usable answer; status 404 means that there is no such machine.
    pub async fn endpoint(&self, id: &str) -> Result<endpoint::Endpoint, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "endpoints", id], &serde_json::Map::new()).await
    }

    /// How many machines there are of each kind.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn endpoint_stats(&self) -> Result<endpoint::Stats, RemoteError> {
        self.remote.get(&[&self.tenant, "thoth", "endpoints", "stats"], &serde_json::Map::new()).await
    }

    /// Puts a machine into quarantine, or takes it out. How it stands then, where the server says so.
    ///
    /// # Errors
    /// When there is no usable answer.
    pub async fn quarantine(
        &self,
        id: &str,
        quarantine: &endpoint::Quarantine,
    ) -> Result<Option<endpoint::Endpoint>, RemoteError> {
        Ok(told(&self.remote.post(&[&self.tenant, "thoth", "endpoints", id, "quarantine"], quarantine).await?))
    }
}
