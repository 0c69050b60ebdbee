//! `…/sessions` and `…/agents`: of whom calls were decided, as the ledger's index says.

use thoth_api::contract::list::List;
use thoth_api::contract::session::{Agent, AgentQuery, Counts, Named, Query, Session};
use thoth_store::server::endpoints::{EndpointFilter, MAX_ENDPOINT_PAGE};
use thoth_store::server::index::{
    Agent as IndexedAgent, AgentFilter, Agents, Counts as Counted, IndexPage, MAX_INDEX_PAGE, Names,
    Session as Indexed, SessionFilter,
};

use crate::access::Access;
use crate::app::App;
use crate::clock;
use crate::decided::{catch_up, cursor, instant};
use crate::endpoints;
use crate::fault::Fault;
use crate::holding::Whose;
use crate::query::limit;

/// How many are on a page where nothing is said.
const PAGE: u32 = 100;
/// The most sessions on a page.
const MAX_SESSIONS: u32 = 200;
/// How long the names on a page are together at most, beyond its first session: in JSON, a byte of a name may take six.
const MAX_PAGE_NAMES: usize = 2 << 20;

fn counts(counted: &Counted) -> Counts {
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    Counts {
        total: number(counted.total()),
        allow: number(counted.allowed),
        modify: number(counted.modified),
        step_up: number(counted.held),
        defer: number(counted.deferred),
        block: number(counted.blocked),
    }
}

fn session(indexed: Indexed) -> Session {
    let number = |count: i64| u64::try_from(count).unwrap_or_default();
    let named = |names: Names| -> (Vec<Named>, u64) {
        let named = |(name, calls)| Named { name, calls: number(calls) };
        (names.first.into_iter().map(named).collect(), number(names.count))
    };
    let (agents, agent_count) = named(indexed.agents);
    let (users, user_count) = named(indexed.users);
    let (tools, tool_count) = named(indexed.tools);
    Session {
        session_id: indexed.id,
        agents,
        agent_count,
        users,
        user_count,
        tools,
        tool_count,
        first_seen: indexed.seen.first.to_string(),
        last_seen: indexed.seen.last.to_string(),
        decisions: counts(&indexed.seen.counts),
        first_index: number(indexed.position),
    }
}

/// How long the names in it are.
fn named_bytes(session: &Indexed) -> usize {
    let names = [&session.agents, &session.users, &session.tools].into_iter().flat_map(|names| &names.first);
    names.map(|(name, _)| name.len()).sum()
}

/// A page of sessions, those that began last first. Blocks on the disk.
pub(crate) fn sessions(access: &Access, query: &Query) -> Result<List<Session>, Fault> {
    let filter = SessionFilter {
        agent: query.agent_id.as_deref(),
        user: query.user_id.as_deref(),
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
    };
    let limit = limit(query.limit, PAGE, MAX_SESSIONS)?;
    let page = IndexPage { beyond: cursor(query.cursor.as_deref())?, oldest_first: false, limit };
    catch_up(access);
    let mut found = access.tenant.indexing.index.sessions(&filter, &page).map_err(Fault::unavailable)?;
    let mut bytes = 0_usize;
    let fits = |(at, session): (usize, &Indexed)| {
        bytes = bytes.saturating_add(named_bytes(session));
        at == 0 || bytes <= MAX_PAGE_NAMES
    };
    let fitting = found.found.iter().enumerate().map(fits).take_while(|fits| *fits).count();
    if fitting < found.found.len() {
        found.found.truncate(fitting);
        found.next = found.found.last().map(|session| session.position);
    }
    Ok(List {
        data: found.found.into_iter().map(session).collect(),
        total: None,
        next_cursor: found.next.map(|cursor| cursor.to_string()),
    })
}

/// One session. Blocks on the disk.
pub(crate) fn show_session(access: &Access, id: &str) -> Result<Session, Fault> {
    catch_up(access);
    let found = access.tenant.indexing.index.session(id).map_err(Fault::unavailable)?;
    found.map(session).ok_or_else(|| Fault::not_found("there is no such session"))
}

fn agent(indexed: IndexedAgent) -> Agent {
    Agent {
        agent_id: indexed.id,
        first_seen: indexed.seen.first.to_string(),
        last_seen: indexed.seen.last.to_string(),
        decisions: counts(&indexed.seen.counts),
        policy_digest: None,
        bundles: Vec::new(),
    }
}

/// A page of agents, by name. Blocks on the disk.
pub(crate) fn agents(app: &App, access: &Access, query: &AgentQuery) -> Result<List<Agent>, Fault> {
    let limit = limit(query.limit, PAGE, MAX_INDEX_PAGE)?;
    let filter = AgentFilter {
        since: instant("since", query.since.as_deref())?,
        until: instant("until", query.until.as_deref())?,
        among: None,
    };
    let beyond = query.cursor.as_deref();
    let machines = EndpointFilter {
        id: query.endpoint_id.as_deref(),
        environment: query.env.as_deref(),
        fleet: query.fleet_id.as_deref(),
        seen: query.status.map(|status| endpoints::seen(status, clock::now().wall)),
        beyond: None,
        limit: MAX_ENDPOINT_PAGE,
    };
    let any = machines.id.or(machines.environment).or(machines.fleet).is_none() && machines.seen.is_none();
    catch_up(access);
    let index = &access.tenant.indexing.index;
    let page = if any {
        index.agents(&filter, beyond, limit).map_err(Fault::unavailable)?
    } else {
        // Two stores, the one asked with what the other has: a part of the names at a time.
        let tenant = access.tenant.id.as_str();
        let names = app.store.agents_of_endpoints(tenant, &machines, beyond.unwrap_or_default());
        let names = names.map_err(Fault::unavailable)?;
        let filter = AgentFilter { among: Some(&names), ..filter };
        let page = index.agents(&filter, beyond, limit).map_err(Fault::unavailable)?;
        let is_full = u32::try_from(names.len()).is_ok_and(|count| count >= MAX_ENDPOINT_PAGE);
        let edge = names.last().filter(|_| is_full).cloned();
        Agents { next: page.next.or(edge), ..page }
    };
    let data = page.found.into_iter().map(agent).collect();
    Ok(List { data, total: None, next_cursor: page.next })
}

/// One agent, with the policy that holds for it. Blocks on the disk.
pub(crate) fn show_agent(app: &App, access: &Access, id: &str) -> Result<Agent, Fault> {
    catch_up(access);
    let tenant = &access.tenant;
    let found = tenant.indexing.index.agent(id).map_err(Fault::unavailable)?;
    let mut shown = agent(found.ok_or_else(|| Fault::not_found("no call of such an agent was decided"))?);
    let whose = Whose { agent: Some(id.to_owned()), ..Whose::default() };
    tenant.look_unasked();
    let holding = tenant.holdings.of(tenant, &*app.store, &whose).map_err(Fault::unavailable)?;
    shown.policy_digest = Some(holding.digest(tenant));
    shown.bundles = holding.references();
    Ok(shown)
}
