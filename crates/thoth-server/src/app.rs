//! The server as a whole: its keys, its tenants, its router.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use thoth_api::contract::key::ApiKey;
use thoth_store::server::ServerStore;
use thoth_types::Mode;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::access::{Access, Key, Need};
use crate::fault::Fault;
use crate::limits::Rates;
use crate::tenant::Settings;
use crate::tenants::{TenantName, Tenants};
use crate::{clock, keys, listen, routes};

/// How often it is looked which held calls have ended.
const UPKEEP: Duration = Duration::from_secs(30);

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept; it exists, and nobody else can get into it.
    pub data: PathBuf,
    /// The policy of all tenants.
    pub policy: PathBuf,
    /// What is done about violations at least.
    pub mode: Mode,
    /// How many requests a tenant may make.
    pub rates: Rates,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: ServerStore,
    tenants: Tenants,
}

/// A server that does not serve yet.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
}

impl Server {
    /// A server on its data.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let Options { data, policy, mode, rates } = options;
        let store = keys::store(&data);
        let tenants = Tenants::new(&data, Settings { policy, mode, rates });
        Self { app: Arc::new(App { store, tenants }) }
    }

    /// Everything that it serves.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.app))
    }

    /// Serves until `stop`, and then brings the ledgers up to date.
    pub async fn serve(&self, listener: TcpListener, tls: Option<TlsAcceptor>, stop: impl Future<Output = ()>) {
        let app = Arc::clone(&self.app);
        let upkeep = tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                for tenant in app.tenants.opened() {
                    // It ends on its own; the next round comes anyway.
                    drop(tokio::task::spawn_blocking(move || tenant.upkeep()).await);
                }
            }
        });
        listen::serve(listener, tls, self.router(), stop).await;
        upkeep.abort();
        let app = Arc::clone(&self.app);
        let closing =
            tokio::task::spawn_blocking(move || app.tenants.opened().iter().for_each(|tenant| tenant.close()));
        // What was not brought up to date, the next start does.
        drop(closing.await);
    }
}

impl App {
    /// Who asks with this key, if they may do this, and in this tenant.
    pub(crate) fn access(
        self: &Arc<Self>,
        credential: &ApiKey,
        need: Need,
        tenant: Option<&str>,
    ) -> Result<Access, Fault> {
        let digest = credential.digest();
        let (owner, key) = self.holder(&digest, need)?;
        if tenant.is_some_and(|tenant| tenant != owner) {
            return Err(Fault::forbidden("the API key is of another tenant"));
        }
        let name: TenantName = owner.parse().map_err(Fault::broken)?;
        let tenant = self.tenants.get(&name).map_err(Fault::unavailable)?;
        Ok(Access { tenant, key: Arc::new(key), app: Arc::clone(self), digest, need })
    }

    /// The key of this digest as it is now, and whose it is, if it may do this.
    pub(crate) fn holder(&self, digest: &[u8; 32], need: Need) -> Result<(String, Key), Fault> {
        let found = keys::find(&self.store, digest, clock::now().wall)?;
        let (owner, key) = found.ok_or_else(|| Fault::unauthorized("the API key is not known, or was taken back"))?;
        key.may(need)?;
        Ok((owner, key))
    }

    /// Whether keys can be looked up. Blocks on the disk.
    pub(crate) fn ready(&self) -> Result<(), Fault> {
        self.store.open().map_err(Fault::unavailable)
    }
}
