//! Where a server keeps things: the one place that knows what stores are made of.

mod files;
mod shared;

use std::sync::Arc;

use thoth_audit::ContentKey;
use thoth_audit::seal::SealKey;
use thoth_audit::view::LedgerView;
use thoth_gate::{Evidence, Holds};
use thoth_store::server::index::LedgerIndex;
use thoth_store::server::{Records, SessionPasts};
use thoth_telemetry::metrics::Connections;

use crate::fault::Fault;
use crate::tenants::TenantName;

pub(crate) use files::Files;
pub(crate) use shared::Shared;

/// What one tenant has.
pub(crate) struct TenantStores {
    pub(crate) holds: Arc<dyn Holds>,
    pub(crate) ledger: Arc<dyn Evidence>,
    /// The ledger, to look at.
    pub(crate) view: Arc<dyn LedgerView>,
    /// Its index.
    pub(crate) index: Arc<dyn LedgerIndex>,
    /// Under which content is hashed.
    pub(crate) content_key: ContentKey,
    /// What was allowed in sessions, where other servers decide in them, too.
    pub(crate) pasts: Option<Arc<dyn SessionPasts>>,
    /// What seals documents.
    pub(crate) seal: SealKey,
}

/// A tenant cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct OpenError(pub(crate) String);

impl OpenError {
    /// Of this tenant, for this reason.
    pub(crate) fn of(tenant: &TenantName, reason: &dyn std::fmt::Display) -> Self {
        Self(format!("the tenant `{}` cannot be opened: {reason}", tenant.as_str()))
    }
}

/// A place to keep things.
pub(crate) trait Stores: std::fmt::Debug + Send + Sync {
    /// Keys and events of all tenants.
    fn records(&self) -> Arc<dyn Records>;

    /// The holds and the ledger of a tenant, begun if there are none.
    fn tenant(&self, name: &TenantName) -> Result<TenantStores, OpenError>;

    /// How the connections to a database are used, where there is one.
    fn connections(&self) -> Option<Connections> {
        None
    }

    /// Whether there is room for more.
    fn ready(&self) -> Result<(), Fault>;
}
