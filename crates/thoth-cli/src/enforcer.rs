//! The enforcer that the settings name, ready to be asked and told.

use std::path::PathBuf;

use thoth_api::contract::endpoint::{Enforcement, Enrollment, Register};
use thoth_api::contract::key::ApiKey;
use thoth_api::{Enforcer, Timeouts, Url};
use thoth_endpoint::settings::Resolved;
use thoth_liaison::{Directed, Liaison, Options};
use thoth_proxy::{Directives, Quarantine, RemoteOptions};
use thoth_types::Mode;

use crate::directed::ByDocument;
use crate::settings;
use thoth_shell::exit::Failure;
use thoth_shell::home::Home;
use thoth_shell::terminal::note;

/// What `thoth run` asks, if anything. What is missing stops it: a session that should ask and cannot would refuse
/// everything.
pub(crate) fn remote(resolved: &Resolved) -> Result<Option<RemoteOptions>, Failure> {
    let Some(text) = &resolved.enforcer_url else { return Ok(None) };
    if resolved.tenant.is_none() {
        return Err(missing("no tenant", "give --tenant-id or THOTH_TENANT_ID: the organisation that the key is of"));
    }
    if resolved.agent.is_none() {
        return Err(missing("no agent", "give --agent-id: the agent that the key is for"));
    }
    let enforcer = client(resolved, text)?;
    let within = resolved.enforcer_within.1;
    let (failure, environment, fleet) = (resolved.failure_decision, resolved.stage.as_str(), resolved.fleet.clone());
    Ok(Some(RemoteOptions { enforcer, within, failure, environment, fleet }))
}

fn missing(what: &str, hint: &str) -> Failure {
    Failure::usage(format!("an enforcer is to be asked, and {what} is given")).hint(hint.to_owned())
}

/// A client with connections of its own.
fn client(resolved: &Resolved, address: &str) -> Result<Enforcer, Failure> {
    let key = resolved.api_key.as_ref().and_then(|key| ApiKey::parse(key.expose_secret()));
    let Some(key) = key else {
        return Err(missing("no usable key", "run `thoth set-api-key`, or set THOTH_API_KEY or THOTH_API_KEY_FILE"));
    };
    let url = Url::parse(address)
        .map_err(|error| Failure::usage(format!("the enforcer's address cannot be read: {error}")))?;
    let tls = settings::tls(resolved)?;
    let (connect, within) = resolved.enforcer_within;
    let timeouts = Timeouts { connect: connect.min(within), idle: within };
    Enforcer::with_timeouts(url, key, &tls, timeouts).map_err(Failure::failed)
}

/// What the enforcer is told beside being asked: which machine this is, and what the ledger has. `None` where there is none.
pub(crate) fn reports(
    resolved: &Resolved,
    home: &Home,
    mode: Mode,
    (quarantine, directives): (&Quarantine, &Directives),
) -> Result<Option<Options>, Failure> {
    let (Some(tenant), Some(agent), Some(address)) = (&resolved.tenant, &resolved.agent, &resolved.enforcer_url) else {
        return Ok(None);
    };
    let machine = resolved.endpoint.as_ref().map(|endpoint| Register {
        tenant_id: tenant.to_string(),
        endpoint_id: endpoint.id.to_string(),
        hostname: settings::host_name().unwrap_or_else(|| endpoint.id.to_string()),
        os: Some(std::env::consts::OS.to_owned()),
        os_version: rustix::system::uname().release().to_str().ok().map(str::to_owned),
        proxy_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        environment: Some(resolved.stage.as_str().to_owned()),
        enrollment: resolved.enrollment.as_deref().and_then(Enrollment::parse),
        fleet_id: resolved.fleet.clone(),
        agent_ids: vec![agent.to_string()],
        enforcement_mode: Some(if mode == Mode::Observe { Enforcement::Shadow } else { Enforcement::Enforce }),
    });
    let quarantine = quarantine.clone();
    Ok(Some(Options {
        for_machine: client(resolved, address)?,
        for_events: client(resolved, address)?,
        address: address.clone(),
        tenant: tenant.clone(),
        agent: agent.clone(),
        fleet: resolved.fleet.clone(),
        folder: home.enforcers(),
        ledger: None,
        machine,
        every: resolved.checkin_interval,
        hears: Box::new(move |quarantined| {
            quarantine.set(quarantined);
        }),
        directed: directed(resolved, address, directives)?,
        say: |text| note(text),
    }))
}

/// What heeds the enforcer's policy document. Where anybody could stand between, the key that is told first may be anybody's,
/// and documents outlive the connection that they came over.
fn directed(resolved: &Resolved, address: &str, directives: &Directives) -> Result<Option<Box<dyn Directed>>, Failure> {
    let tls = settings::tls(resolved)?;
    let is_here = Url::parse(address).is_ok_and(|url| url.scheme() == "http");
    if is_here || tls.verify || !tls.pins.is_empty() {
        return Ok(Some(Box::new(ByDocument(directives.clone()))));
    }
    note("THOTH_TLS_VERIFY is off: no policy document is fetched, and each call is put to the enforcer");
    Ok(None)
}

/// Starts to report, before anything is recorded in this ledger.
pub(crate) fn report(options: Option<Options>, ledger: Option<PathBuf>) -> Result<Option<Liaison>, Failure> {
    let started = options.map(|options| Liaison::start(Options { ledger, ..options })).transpose();
    started.map_err(|error| Failure::failed(format!("what the enforcer is told could not be remembered: {error}")))
}
