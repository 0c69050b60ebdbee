//! `POST /v1/endpoints/register`, `POST /v1/endpoints/checkin` and `…/endpoints`: the machines of a tenant, which of them are
//! seen, and which may have no call decided.
//!
//! What a machine tells of itself is its own word and loosens nothing: it can neither end its quarantine nor leave its fleet.

use jiff::{SignedDuration, Timestamp};
use thoth_api::contract::endpoint::{
    Answer, CheckIn, Endpoint, Enforcement, Enrollment, HeldPolicy, MAX_AGENTS, Presence, Quarantine, Query, Register,
    SigningKey, Standing, Stats,
};
use thoth_api::contract::key::ScopeLevel;
use thoth_api::contract::list::List;
use thoth_api::contract::read;
use thoth_audit::EventType;
use thoth_store::server::ServerError;
use thoth_store::server::endpoints::{
    CheckIn as Told, Endpoint as Stored, EndpointFilter, MAX_ENDPOINT_PAGE, May, Quarantine as StoredQuarantine, Seen,
    Told as Record,
};
use thoth_types::{AgentId, EndpointId};

use crate::access::{Access, Need};
use crate::app::App;
use crate::clock;
use crate::enforce::{id, unreadable};
use crate::fault::Fault;
use crate::hold::instant;
use crate::holding::Whose;
use crate::query::limit;
use crate::version;

/// How often a machine is to check in, in seconds; what published proxies do where nobody says otherwise.
const CHECK_IN_SECONDS: u64 = 60;
/// A machine that missed fewer check-ins than these is online.
const MISSED: u64 = 3;
/// A machine that was not seen for so many hours is stale.
const STALE_HOURS: i64 = 24;
/// The longest text that a machine tells, in bytes.
const MAX_TEXT: usize = 256;
/// How many machines are on a page where nothing is said.
const PAGE: u32 = 100;

/// The instants since which a machine must have been seen to be online, and not to be stale.
fn bounds(now: Timestamp) -> (Timestamp, Timestamp) {
    let online = SignedDuration::from_secs(i64::try_from(MISSED * CHECK_IN_SECONDS).unwrap_or(i64::MAX));
    let before = |past| now.saturating_sub(past).unwrap_or(Timestamp::MIN);
    (before(online), before(SignedDuration::from_hours(STALE_HOURS)))
}

fn bounded(field: &str, text: Option<&str>) -> Result<Option<String>, Fault> {
    match text {
        Some(text) if text.len() > MAX_TEXT || text.chars().any(char::is_control) => {
            Err(Fault::bad(format!("`{field}` is longer than {MAX_TEXT} bytes, or has control characters")))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn checked_agents(agents: &[String]) -> Result<(), Fault> {
    if agents.len() > MAX_AGENTS {
        return Err(Fault::bad(format!("`agent_ids` has more than {MAX_AGENTS} entries")));
    }
    agents.iter().try_for_each(|agent| id::<AgentId>("agent_ids", agent).map(drop))
}

/// Whether the key speaks for this machine, as far as what was sent says.
fn speaks_for(access: &Access, tenant: &str, endpoint: &str, fleet: Option<&str>, agents: &[String]) -> bool {
    let key = &access.key;
    tenant == access.tenant.id.as_str()
        && match key.level {
            ScopeLevel::Agent => {
                !agents.is_empty() && agents.iter().all(|agent| Some(&**agent) == key.target.as_deref())
            }
            _ => access.covers("", Some(endpoint), fleet),
        }
}

fn refused(access: &Access, tenant: &str) -> Fault {
    if tenant == access.tenant.id.as_str() {
        Fault::forbidden(format!("the API key is for another {}", access.key.level))
    } else {
        Fault::forbidden("the API key is of another tenant")
    }
}

/// What the key may do to what is known of a machine that is there already. One for an agent joins a machine that has others:
/// it describes nothing that these described, and takes none of them away.
fn may_change(access: &Access, known: &Stored, joins: bool) -> May {
    let key = &access.key;
    if speaks_for(access, &known.tenant, &known.id, known.told.fleet.as_deref(), &known.told.agents) {
        return May::Change;
    }
    let is_there = known.told.agents.iter().any(|agent| Some(&**agent) == key.target.as_deref());
    if key.level == ScopeLevel::Agent && (joins || is_there) { May::Join } else { May::Nothing }
}

fn failed(error: ServerError) -> Fault {
    match error {
        error if error.is_outage() => Fault::unavailable(error),
        error => Fault::bad(error.to_string()),
    }
}

/// Takes in a machine. Blocks on the disk.
pub(crate) fn register(app: &App, access: &Access, body: &[u8]) -> Result<Answer, Fault> {
    let wanted: Register = read(body).map_err(|error| unreadable(&error))?;
    if wanted.tenant_id.is_empty() {
        return Err(Fault::bad("the body cannot be read: missing field `tenant_id`"));
    }
    take(app, access, wanted)
}

/// The same, where the address says of which organisation it is.
pub(crate) fn add(app: &App, access: &Access, body: &[u8]) -> Result<Answer, Fault> {
    let mut wanted: Register = read(body).map_err(|error| unreadable(&error))?;
    if wanted.tenant_id.is_empty() {
        access.tenant.id.as_str().clone_into(&mut wanted.tenant_id);
    }
    take(app, access, wanted)
}

fn take(app: &App, access: &Access, wanted: Register) -> Result<Answer, Fault> {
    id::<EndpointId>("endpoint_id", &wanted.endpoint_id)?;
    checked_agents(&wanted.agent_ids)?;
    let fleet = bounded("fleet_id", wanted.fleet_id.as_deref())?;
    if !speaks_for(access, &wanted.tenant_id, &wanted.endpoint_id, fleet.as_deref(), &wanted.agent_ids) {
        return Err(refused(access, &wanted.tenant_id));
    }
    let hostname = bounded("hostname", Some(&wanted.hostname))?.filter(|name| !name.trim().is_empty());
    let record = Record {
        hostname: hostname.ok_or_else(|| Fault::bad("`hostname` is empty"))?,
        os: bounded("os", wanted.os.as_deref())?,
        os_version: bounded("os_version", wanted.os_version.as_deref())?,
        proxy_version: bounded("proxy_version", wanted.proxy_version.as_deref())?,
        environment: bounded("environment", wanted.environment.as_deref())?,
        enrollment: wanted.enrollment.map(|word| word.to_string()),
        fleet,
        agents: wanted.agent_ids,
        enforcement_mode: wanted.enforcement_mode.map(|word| word.to_string()),
    };
    // INVARIANT (the governed side cannot loosen its governance): what is assigned to a fleet holds for its machines.
    let moves = access.key.may_now(Need::Govern).is_ok();
    let stays =
        |known: &Stored| known.told.fleet.is_none() || record.fleet.is_none() || known.told.fleet == record.fleet;
    let may = |known: &Stored| if moves || stays(known) { may_change(access, known, true) } else { May::Nothing };
    let tenant = access.tenant.id.as_str();
    let kept = app.store.register_endpoint(tenant, &wanted.endpoint_id, &record, &may, clock::now().wall);
    let kept = kept.map_err(failed)?.ok_or_else(|| {
        Fault::forbidden(
            "the API key may not change this machine: it is one of another agent or fleet; an administrator's key may",
        )
    })?;
    answer(app, access, &kept)
}

/// Notes that a machine is still there. Blocks on the disk.
pub(crate) fn check_in(app: &App, access: &Access, body: &[u8]) -> Result<Answer, Fault> {
    let wanted: CheckIn = read(body).map_err(|error| unreadable(&error))?;
    id::<EndpointId>("endpoint_id", &wanted.endpoint_id)?;
    checked_agents(&wanted.agent_ids)?;
    let told = Told {
        agents: Some(wanted.agent_ids.clone()).filter(|agents| !agents.is_empty()),
        proxy_version: bounded("proxy_version", wanted.proxy_version.as_deref())?,
        policy_digest: bounded("policy_digest", wanted.policy_digest.as_deref())?,
        events_pending: wanted.events_pending,
    };
    let is_of_agent = access.key.level == ScopeLevel::Agent && !wanted.agent_ids.is_empty();
    if wanted.tenant_id != access.tenant.id.as_str()
        || (is_of_agent && !speaks_for(access, &wanted.tenant_id, &wanted.endpoint_id, None, &wanted.agent_ids))
    {
        return Err(refused(access, &wanted.tenant_id));
    }
    let tenant = access.tenant.id.as_str();
    let may = |known: &Stored| may_change(access, known, false);
    let kept = app.store.check_in(tenant, &wanted.endpoint_id, &told, &may, clock::now().wall).map_err(failed)?;
    // Of another's machine no more is told than of one that is not there.
    answer(app, access, &kept.ok_or_else(unknown)?)
}

fn unknown() -> Fault {
    Fault::not_found("there is no such machine; it registers first")
}

/// How a machine stands, and what is assigned to it; what is assigned to single agents is theirs.
fn answer(app: &App, access: &Access, kept: &Stored) -> Result<Answer, Fault> {
    let tenant = &access.tenant;
    let fleets = kept.told.fleet.iter().cloned().collect();
    let whose = Whose { agent: None, endpoint: Some(kept.id.clone()), fleets };
    tenant.look_unasked();
    let holding = tenant.holdings.of(tenant, &*app.store, &whose).map_err(failed)?;
    let bundles = holding.references();
    let only = if let [only] = &bundles[..] { Some(only) } else { None };
    let policy = (!bundles.is_empty()).then(|| HeldPolicy {
        bundle_id: only.map(|only| only.bundle_id.clone()),
        version: only.map(|only| only.version),
        digest: holding.digest(tenant),
        bundles: bundles.clone(),
    });
    let signing_key = SigningKey { key_id: tenant.seal.id().to_owned(), public_key: tenant.seal.opener().public_key() };
    let status = if kept.quarantine.is_some() { Standing::Quarantined } else { Standing::Active };
    Ok(Answer {
        endpoint_id: kept.id.clone(),
        status,
        checkin_interval_seconds: CHECK_IN_SECONDS,
        policy,
        signing_key: Some(signing_key),
        server_time: instant(clock::now().wall),
    })
}

/// When machines were seen that stand so now.
pub(crate) fn seen(status: Presence, now: Timestamp) -> Seen {
    let (online, stale) = bounds(now);
    match status {
        Presence::Online => Seen::Since(online),
        Presence::Offline => Seen::Between(stale, online),
        Presence::Stale => Seen::Before(stale),
        Presence::Quarantined => Seen::Quarantined,
    }
}

/// A page of machines. Blocks on the disk.
pub(crate) fn list(app: &App, access: &Access, query: &Query) -> Result<List<Endpoint>, Fault> {
    let beyond = query.cursor.as_deref().map(str::parse::<i64>).transpose();
    let now = clock::now().wall;
    let filter = EndpointFilter {
        id: None,
        environment: query.env.as_deref(),
        fleet: query.fleet_id.as_deref(),
        seen: query.status.map(|status| seen(status, now)),
        beyond: beyond.map_err(|_| Fault::bad("`cursor` is none that a list gave"))?,
        limit: limit(query.limit, PAGE, MAX_ENDPOINT_PAGE)?,
    };
    let page = app.store.endpoints(access.tenant.id.as_str(), &filter).map_err(failed)?;
    let data = page.found.iter().map(|kept| row(kept, now)).collect();
    Ok(List { data, total: None, next_cursor: page.next.map(|cursor| cursor.to_string()) })
}

/// One machine. Blocks on the disk.
pub(crate) fn show(app: &App, access: &Access, id: &str) -> Result<Endpoint, Fault> {
    let found = app.store.endpoint(access.tenant.id.as_str(), id).map_err(failed)?;
    found.map(|kept| row(&kept, clock::now().wall)).ok_or_else(|| Fault::not_found("there is no such machine"))
}

/// How many machines there are of each kind. Blocks on the disk.
pub(crate) fn stats(app: &App, access: &Access) -> Result<Stats, Fault> {
    let (online, stale) = bounds(clock::now().wall);
    let counts = app.store.endpoint_counts(access.tenant.id.as_str(), online, stale).map_err(failed)?;
    let latest = counts.versions.iter().map(|(version, _)| &**version).max_by(|a, b| version::compare(a, b));
    let outdated = |version: &str| latest.is_some_and(|latest| version::compare(version, latest).is_lt());
    Ok(Stats {
        total: counts.total,
        managed: counts.total.saturating_sub(counts.unmanaged),
        unmanaged: counts.unmanaged,
        online: counts.online,
        quarantined: counts.quarantined,
        stale: counts.stale,
        at_risk: counts.at_risk,
        proxy_outdated: counts.versions.iter().filter(|(version, _)| outdated(version)).map(|(_, count)| count).sum(),
        latest_version: latest.map(str::to_owned),
    })
}

/// Puts a machine into quarantine, or takes it out: in the ledger before it counts and after. Blocks on the disk.
pub(crate) fn quarantine(app: &App, access: &Access, id: &str, body: &[u8]) -> Result<Endpoint, Fault> {
    let Quarantine { quarantined, reason } = read(body).map_err(|error| unreadable(&error))?;
    let reason = bounded("reason", reason.as_deref())?;
    let tenant = access.tenant.id.as_str();
    let known = app.store.endpoint(tenant, id).map_err(failed)?;
    let known = known.ok_or_else(|| Fault::not_found("there is no such machine"))?;
    let now = clock::now().wall;
    if known.quarantine.is_some() == quarantined {
        return Ok(row(&known, now));
    }
    let why = reason.as_deref().map(|reason| format!("; reason: {reason}")).unwrap_or_default();
    let (kind, what) = if quarantined {
        (EventType::EndpointQuarantined, format!("put the machine `{id}` into quarantine{why}"))
    } else {
        (EventType::EndpointReleased, format!("take the machine `{id}` out of quarantine{why}"))
    };
    let wanted = StoredQuarantine { reason, by: access.key.label().to_owned(), at: now };
    access.change(kind, &what, || {
        let kept = app.store.quarantine_endpoint(tenant, id, quarantined.then_some(&wanted)).map_err(failed)?;
        Ok(kept.map(|kept| row(&kept, now)).ok_or_else(|| Fault::not_found("there is no such machine")))
    })
}

fn state(kept: &Stored, now: Timestamp) -> Presence {
    let (online, stale) = bounds(now);
    match kept.quarantine {
        Some(_) => Presence::Quarantined,
        None if kept.last_seen >= online => Presence::Online,
        None if kept.last_seen < stale => Presence::Stale,
        None => Presence::Offline,
    }
}

fn row(kept: &Stored, now: Timestamp) -> Endpoint {
    let quarantine = kept.quarantine.as_ref();
    let told = kept.told.clone();
    Endpoint {
        endpoint_id: kept.id.clone(),
        status: state(kept, now),
        hostname: told.hostname,
        os: told.os,
        os_version: told.os_version,
        proxy_version: told.proxy_version,
        environment: told.environment,
        enrollment: told.enrollment.as_deref().and_then(Enrollment::parse),
        fleet_id: told.fleet,
        agent_ids: told.agents,
        enforcement_mode: told.enforcement_mode.as_deref().and_then(Enforcement::parse),
        policy_digest: kept.policy_digest.clone(),
        events_pending: kept.events_pending,
        last_seen: instant(kept.last_seen),
        created_at: Some(instant(kept.created_at)),
        updated_at: Some(instant(kept.updated_at)),
        quarantined_at: quarantine.map(|quarantine| instant(quarantine.at)),
        quarantined_by: quarantine.map(|quarantine| quarantine.by.clone()),
        quarantine_reason: quarantine.and_then(|quarantine| quarantine.reason.clone()),
    }
}
