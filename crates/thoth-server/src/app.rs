//! The server as a whole: its keys, its tenants, its router.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use thoth_postgres::Database;
use thoth_shell::policy_files::PolicyFiles;
use thoth_shell::terminal::note;
use thoth_store::server::Records;
use thoth_telemetry::metrics::Metrics;
use thoth_telemetry::traces::{self, Below, NoTraces, Tracer};
use thoth_types::Mode;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::access::{Access, Key, Need};
use crate::deciders::Deciders;
use crate::fault::Fault;
use crate::limits::Rates;
use crate::oidc::{Oidc, OidcOptions};
use crate::recent_keys::Recent;
use crate::stores::{Files, Shared, Stores};
use crate::tenant::Settings;
use crate::tenant::Tenant;
use crate::tenants::{TenantName, Tenants};
use crate::{clock, exposition, keys, listen, routes};

/// How often it is looked which held calls have ended.
const UPKEEP: Duration = Duration::from_secs(30);

/// How often the indexes of ledgers are brought up to date.
const FOLLOW: Duration = Duration::from_secs(1);
/// How many times as long as that took they are left alone then: it takes a twentieth of one processor at most.
const REST: u32 = 19;

/// Threads that decide calls: some more than processors, since they may wait for the disk; few, since all of them want the
/// same locks. With 256 instead of 4, two processors decide a third less.
const DECIDERS: usize = 4;
/// The same on a database: they mostly wait for it, and those that wait at once share a commit.
const SHARED_DECIDERS: usize = 32;

/// How a server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where everything is kept, unless it is kept in a database; it exists, and nobody else can get into it.
    pub data: PathBuf,
    /// The policy of all tenants.
    pub policy: PathBuf,
    /// What is done about violations at least.
    pub mode: Mode,
    /// How many requests a tenant may make.
    pub rates: Rates,
    /// Whether each request has its line in the log.
    pub access_log: bool,
}

/// What all requests share.
pub(crate) struct App {
    /// Keys and events.
    pub(crate) store: Arc<dyn Records>,
    pub(crate) stores: Arc<dyn Stores>,
    pub(crate) tenants: Tenants,
    policy: Mutex<Policy>,
    known: Recent<(Arc<Tenant>, Arc<Key>)>,
    pub(crate) deciders: Deciders,
    pub(crate) metrics: Metrics,
    pub(crate) access_log: bool,
    tracer: OnceLock<Tracer>,
    /// Whether the server was told to stop.
    stopping: watch::Sender<bool>,
    oidc: OnceLock<Oidc>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("stores", &self.stores).finish_non_exhaustive()
    }
}

/// The policy, as one sees it who only asks whether it can be used.
#[derive(Debug)]
struct Policy {
    files: PolicyFiles,
    is_valid: bool,
}

impl Policy {
    fn new(path: PathBuf) -> Self {
        let mut policy = Self { files: PolicyFiles::new(path), is_valid: false };
        policy.look();
        policy
    }

    /// Looks at it, and says what is wrong: once, and not to whoever asks whether the server is ready.
    fn look(&mut self) {
        let loaded = self.files.load();
        if let Err(problem) = &loaded {
            note(format_args!(
                "invalid policy; every call is refused until it is fixed: {}; `thoth policy check` says more",
                problem.error().places()
            ));
        }
        self.is_valid = loaded.is_ok();
    }
}

/// A server that does not serve yet.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
}

impl Server {
    /// A server on its data. One whose policy cannot be used says so on standard error, and refuses every call.
    ///
    /// # Errors
    /// If the system has nothing to run it on.
    pub fn new(options: Options) -> std::io::Result<Self> {
        let stores = Arc::new(Files::new(&options.data));
        Self::with(options, stores, DECIDERS)
    }

    /// A server on a database, which it may share with others; nothing is kept in its data directory.
    ///
    /// # Errors
    /// If the system has nothing to run it on.
    pub fn on(database: Arc<Database>, options: Options) -> std::io::Result<Self> {
        Self::with(options, Arc::new(Shared::new(database)), SHARED_DECIDERS)
    }

    fn with(options: Options, stores: Arc<dyn Stores>, deciders: usize) -> std::io::Result<Self> {
        let Options { data: _, policy, mode, rates, access_log } = options;
        let seen = Policy::new(policy.clone());
        let tenants = Tenants::new(Arc::clone(&stores), Settings { policy, mode, rates });
        let stopping = watch::Sender::new(false);
        let store = stores.records();
        let policy = Mutex::new(seen);
        let deciders = Deciders::new(deciders)?;
        let known = Recent::default();
        let oidc = OnceLock::new();
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let tracer = OnceLock::new();
        let app = App { store, stores, tenants, policy, known, deciders, metrics, access_log, tracer, stopping, oidc };
        Ok(Self { app: Arc::new(app) })
    }

    /// Takes the logins of people with an issuer, too, beside keys. Of several issuers, the first counts.
    #[must_use]
    pub fn with_logins(self, options: OidcOptions) -> Self {
        self.app.oidc.get_or_init(|| Oidc::new(options));
        self
    }

    /// Has spans of what it does sent to a collector. Of several, the first counts.
    ///
    /// # Errors
    /// If something of the options cannot be used.
    pub fn with_traces(self, options: &traces::Options) -> Result<Self, NoTraces> {
        if self.app.tracer.get().is_none() {
            let tracer = Tracer::begin(options, self.app.metrics.spans())?;
            self.app.tracer.get_or_init(|| tracer);
        }
        Ok(self)
    }

    /// Sends what is left of the spans, for no longer than this. Blocks.
    pub fn end_traces(&self, within: Duration) {
        self.app.tracer().end(within);
    }

    /// Everything that it serves.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.app))
    }

    /// Serves the metrics until `stop`, to whoever can reach them.
    pub async fn serve_metrics(&self, listener: TcpListener, stop: impl Future<Output = ()>) {
        listen::serve(listener, None, exposition::router(Arc::clone(&self.app)), stop).await;
    }

    /// Serves until `stop`, answers the polls that wait as they stand then, and brings the ledgers up to date.
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
        let app = Arc::clone(&self.app);
        let follower = tokio::spawn(async move {
            loop {
                let began = Instant::now();
                for tenant in app.tenants.opened() {
                    let store = Arc::clone(&app.store);
                    let followed = tokio::task::spawn_blocking(move || {
                        tenant.follow();
                        // Whoever decides a call looks, too, and says what is wrong.
                        drop(tenant.look_at_settings(&*store));
                    });
                    drop(followed.await);
                }
                tokio::time::sleep(FOLLOW.max(began.elapsed() * REST)).await;
            }
        });
        let stop = async {
            stop.await;
            self.app.stopping.send_replace(true);
        };
        listen::serve(listener, tls, self.router(), stop).await;
        upkeep.abort();
        follower.abort();
        let app = Arc::clone(&self.app);
        let closing =
            tokio::task::spawn_blocking(move || app.tenants.opened().iter().for_each(|tenant| tenant.close()));
        // What was not brought up to date, the next start does.
        drop(closing.await);
    }
}

impl App {
    /// Who asks with this key, if they may do this, and in this tenant. Blocks on the disk.
    pub(crate) fn access(
        self: &Arc<Self>,
        digest: [u8; 32],
        need: Need,
        tenant: Option<&str>,
    ) -> Result<Access, Fault> {
        let (owner, key) = self.holder(&digest, need)?;
        if tenant.is_some_and(|tenant| tenant != owner) {
            return Err(Fault::forbidden("the API key is of another tenant"));
        }
        let name: TenantName = owner.parse().map_err(Fault::broken)?;
        let tenant = self.tenants.get(&name).map_err(Fault::unavailable)?;
        let key = Arc::new(key);
        self.known.put(digest, (Arc::clone(&tenant), Arc::clone(&key)), Instant::now());
        Ok(Access { tenant, key, app: Arc::clone(self), digest: Some(digest), need, spans: Below::default() })
    }

    /// The same for somebody whose login was verified.
    pub(crate) fn login_access(
        self: &Arc<Self>,
        (owner, key): (&TenantName, Key),
        need: Need,
        tenant: Option<&str>,
    ) -> Result<Access, Fault> {
        key.may_now(need)?;
        if tenant.is_some_and(|tenant| tenant != owner.as_str()) {
            return Err(Fault::forbidden("the login is of another tenant"));
        }
        let tenant = self.tenants.get(owner).map_err(Fault::unavailable)?;
        Ok(Access { tenant, key: Arc::new(key), app: Arc::clone(self), digest: None, need, spans: Below::default() })
    }

    /// The same as for a key without the disk, for one that was looked up a moment ago and may do this; else `None`, and the
    /// store has to be asked.
    pub(crate) fn recent_access(
        self: &Arc<Self>,
        digest: [u8; 32],
        need: Need,
        tenant: Option<&str>,
    ) -> Option<Access> {
        let (owner, key) = self.known.get(&digest, Instant::now())?;
        let may = key.may(need).is_ok() && tenant.is_none_or(|tenant| tenant == owner.id.as_str());
        let (app, spans) = (Arc::clone(self), Below::default());
        may.then(|| Access { tenant: owner, key, app, digest: Some(digest), need, spans })
    }

    /// The key of this digest as it is now, and whose it is, if it may do this.
    pub(crate) fn holder(&self, digest: &[u8; 32], need: Need) -> Result<(String, Key), Fault> {
        let found = keys::find(&*self.store, digest, clock::now().wall)?;
        let (owner, key) = found.ok_or_else(|| Fault::unauthorized("the API key is not known, or was taken back"))?;
        key.may(need)?;
        Ok((owner, key))
    }

    /// What makes spans, or none.
    pub(crate) fn tracer(&self) -> &Tracer {
        self.tracer.get_or_init(Tracer::default)
    }

    /// The issuer whose logins are taken, if there is one.
    pub(crate) fn oidc(&self) -> Option<&Oidc> {
        self.oidc.get()
    }

    /// Whether keys can be read and written, and calls decided. Blocks on the disk.
    pub(crate) fn ready(&self) -> Result<(), Fault> {
        self.store.probe().map_err(Fault::unavailable)?;
        self.stores.ready()?;
        let mut policy = self.policy.lock().unwrap_or_else(PoisonError::into_inner);
        if policy.files.changed() {
            policy.look();
        }
        // It was said why.
        if policy.is_valid { Ok(()) } else { Err(Fault { cause: None, ..Fault::unavailable("") }) }
    }

    /// Notices when the server is told to stop.
    pub(crate) fn stopping(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }
}
