//! `GET /v1/policy-bundle`: what holds for a sidecar, as one sealed document.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use thoth_api::contract::endpoint::Standing;
use thoth_api::contract::key::ScopeLevel;
use thoth_api::contract::policy_bundle::{BundleRef, DOCUMENT_DOMAIN, Decisions, PolicyText, WhoseQuery};
use thoth_store::server::endpoints::EndpointStanding;
use thoth_types::{AgentId, EndpointId};

use crate::access::Access;
use crate::app::App;
use crate::bundles::failed;
use crate::clock;
use crate::enforce::id;
use crate::fault::Fault;
use crate::hold::instant;
use crate::holding::{Whose, file_name};

/// How long a document holds.
const HOLDS: SignedDuration = SignedDuration::from_hours(24);
/// For how many seconds one is said to be unchanged, counted from fixed times: a document that is kept is renewed long before
/// it ends.
const UNCHANGED_SECONDS: i64 = 6 * 3600;

/// A document and the name of what it says.
#[derive(Debug)]
pub(crate) struct Sealed {
    /// Nothing where whoever asks has it.
    pub(crate) text: Option<String>,
    pub(crate) etag: String,
}

#[derive(Debug, Serialize)]
struct Payload<'p> {
    tenant_id: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint_id: Option<&'p str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fleet_id: Option<&'p str>,
    status: Standing,
    bundles: Vec<BundleRef>,
    policy: Vec<PolicyText>,
    own_texts: usize,
    policy_digest: String,
    decisions: Decisions,
    sequence: u64,
}

#[derive(Debug, Serialize)]
struct Dated<'p> {
    #[serde(flatten)]
    payload: &'p Payload<'p>,
    issued_at: String,
    expires_at: String,
}

/// Whose policy is asked for, and how their machine stands. What a query leaves out, a key for one of a kind says. Blocks on
/// the disk.
pub(crate) fn whose(app: &App, access: &Access, query: WhoseQuery) -> Result<(Whose, Option<EndpointStanding>), Fault> {
    let target = |level| if access.key.level == level { access.key.target.clone() } else { None };
    let agent = query.agent_id.or_else(|| target(ScopeLevel::Agent));
    let endpoint = query.endpoint_id.or_else(|| target(ScopeLevel::Endpoint));
    let fleet = query.fleet_id.or_else(|| target(ScopeLevel::Fleet));
    agent.as_deref().map(|agent| id::<AgentId>("agent_id", agent)).transpose()?;
    for (field, text) in [("endpoint_id", &endpoint), ("fleet_id", &fleet)] {
        text.as_deref().map(|text| id::<EndpointId>(field, text)).transpose()?;
    }
    let standing = match &endpoint {
        Some(endpoint) => app.store.endpoint_standing(access.tenant.id.as_str(), endpoint).map_err(failed)?,
        None => None,
    };
    let known = standing.as_ref().and_then(|standing| standing.fleet.clone());
    let mut fleets: Vec<String> = fleet.into_iter().chain(known).collect();
    fleets.dedup();
    Ok((Whose { agent, endpoint, fleets }, standing))
}

/// The document for whoever asks, and has those of these names. Blocks on the disk.
pub(crate) fn fetch(app: &App, access: &Access, query: WhoseQuery, known: &[String]) -> Result<Sealed, Fault> {
    let asked_fleet = query.fleet_id.clone();
    let (whose, standing) = whose(app, access, query)?;
    let fleet = asked_fleet.as_deref().or_else(|| whose.fleets.first().map(String::as_str));
    let tenant = &access.tenant;
    access.speaks_for(
        tenant.id.as_str(),
        whose.agent.as_deref().unwrap_or_default(),
        whose.endpoint.as_deref(),
        fleet,
    )?;
    // Of a machine more is known than what the request says of it.
    let registered = standing.as_ref().map(|standing| standing.fleet.as_deref());
    let is_own = match (access.key.level, registered) {
        (ScopeLevel::Fleet, Some(fleet)) => fleet == access.key.target.as_deref(),
        (ScopeLevel::Endpoint, registered) => asked_fleet.is_none() || asked_fleet.as_deref() == registered.flatten(),
        (ScopeLevel::Organization | ScopeLevel::Agent, _) | (ScopeLevel::Fleet, None) => true,
    };
    if !is_own {
        return Err(Fault::forbidden(format!("the API key is for another {}", access.key.level)));
    }
    tenant.look_unasked();
    let holding = tenant.holdings.of(tenant, &*app.store, &whose).map_err(failed)?;
    let own = tenant.own().texts.ok_or_else(|| Fault::unavailable("the server's own policy is not valid"))?;
    let own = own.by_name().ok_or_else(|| {
        Fault::unavailable(
            "the server's own policy includes two files by one name, so that it cannot be sent as one document",
        )
    })?;
    let digest = holding.digest(tenant);
    if digest == "invalid" {
        return Err(Fault::unavailable("the policy bundles cannot be added to the server's own policy"));
    }
    let own_texts = own.len();
    let added = holding.bundles.iter();
    let added = added.map(|bundle| (file_name(&bundle.name, bundle.version), bundle.text.clone()));
    let payload = Payload {
        tenant_id: tenant.id.as_str(),
        agent_id: whose.agent.as_deref(),
        endpoint_id: whose.endpoint.as_deref(),
        fleet_id: fleet,
        status: if standing.is_some_and(|standing| standing.quarantined) {
            Standing::Quarantined
        } else {
            Standing::Active
        },
        bundles: holding.references(),
        policy: own.into_iter().chain(added).map(|(name, text)| PolicyText { name, text }).collect(),
        own_texts,
        policy_digest: digest,
        decisions: holding.decisions(),
        sequence: holding.sequence,
    };
    let now = clock::now().wall;
    let etag = etag(&payload, tenant.seal.id(), now)?;
    if known.contains(&etag) {
        return Ok(Sealed { text: None, etag });
    }
    let dated = Dated {
        payload: &payload,
        issued_at: instant(now),
        expires_at: instant(now.saturating_add(HOLDS).unwrap_or(Timestamp::MAX)),
    };
    let object = serde_json::to_string(&dated).map_err(Fault::broken)?;
    let text = tenant.seal.seal(DOCUMENT_DOMAIN, &object).map_err(Fault::broken)?;
    Ok(Sealed { text: Some(text), etag })
}

fn etag(payload: &Payload<'_>, key: &str, now: Timestamp) -> Result<String, Fault> {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    hash.update(serde_json::to_vec(payload).map_err(Fault::broken)?);
    hash.update(key.as_bytes());
    hash.update(now.as_second().div_euclid(UNCHANGED_SECONDS).to_be_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    let mut etag = "\"".to_owned();
    for byte in digest.iter().take(16) {
        // Writing to a string does not fail.
        let _always = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    Ok(etag)
}
