//! The statements that add records to the index of a ledger: one for each table, however many there are.

use thoth_store::server::index::{Added, Counts, Seen};

use crate::error::Fault;
use crate::rows::{name, nanoseconds};
use crate::session::Session;

pub(crate) fn add_rows(session: &Session<'_>, tenant: &str, added: &Added) -> Result<(), Fault> {
    add_decisions(session, tenant, added)?;
    add_sessions(session, tenant, added)?;
    add_names(session, tenant, added)?;
    add_agents(session, tenant, added)?;
    let numbers: Vec<i64> = added.spans.keys().copied().collect();
    let (firsts, lasts): (Vec<i64>, Vec<i64>) = added.spans.values().copied().unzip();
    session.change(
        "INSERT INTO decision_spans (tenant, number, first_at, last_at)
         SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[])
         ON CONFLICT (tenant, number) DO UPDATE SET first_at = least(decision_spans.first_at, excluded.first_at),
             last_at = greatest(decision_spans.last_at, excluded.last_at)",
        &[&tenant, &numbers, &firsts, &lasts],
    )?;
    Ok(())
}

fn add_decisions(session: &Session<'_>, tenant: &str, added: &Added) -> Result<(), Fault> {
    let all = &added.decisions;
    let text = |of: fn(&thoth_store::server::index::Decision) -> &str| -> Vec<String> {
        all.iter().map(|decision| name(of(decision)).into_owned()).collect()
    };
    let optional = |of: fn(&thoth_store::server::index::Decision) -> Option<&str>| -> Vec<Option<String>> {
        all.iter().map(|decision| of(decision).map(|text| name(text).into_owned())).collect()
    };
    let positions: Vec<i64> = all.iter().map(|decision| decision.position).collect();
    let times = all.iter().map(|decision| nanoseconds(decision.at)).collect::<Result<Vec<_>, _>>()?;
    let scores: Vec<i64> = all.iter().map(|decision| decision.risk_score).collect();
    session.change(
        "INSERT INTO decisions (tenant, position, at, session, agent, person, endpoint, tool, decision, reason_code,
             reason, rule, risk_score, mode, policy_digest, call, trace, enforcement_trace)
         SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
             $9::text[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[], $15::text[], $16::text[],
             $17::text[], $18::text[])",
        &[
            &tenant,
            &positions,
            &times,
            &text(|decision| &decision.session),
            &optional(|decision| decision.agent.as_deref()),
            &optional(|decision| decision.user.as_deref()),
            &optional(|decision| decision.endpoint.as_deref()),
            &text(|decision| &decision.tool),
            &text(|decision| &decision.decision),
            &text(|decision| &decision.reason_code),
            &text(|decision| &decision.reason),
            &optional(|decision| decision.rule.as_deref()),
            &scores,
            &optional(|decision| decision.mode.as_deref()),
            &optional(|decision| decision.policy_digest.as_deref()),
            &text(|decision| &decision.call),
            &text(|decision| &decision.trace),
            &optional(|decision| decision.enforcement_trace.as_deref()),
        ],
    )?;
    Ok(())
}

/// The columns of what was seen: instants and counts.
fn columns<'s>(seen: impl Iterator<Item = &'s Seen>) -> Result<[Vec<i64>; 7], Fault> {
    let mut columns: [Vec<i64>; 7] = Default::default();
    for Seen { first, last, counts } in seen {
        let Counts { allowed, modified, held, deferred, blocked } = *counts;
        let row = [nanoseconds(*first)?, nanoseconds(*last)?, allowed, modified, held, deferred, blocked];
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    Ok(columns)
}

fn add_sessions(session: &Session<'_>, tenant: &str, added: &Added) -> Result<(), Fault> {
    let begun = added.sessions.iter().filter_map(|(id, places)| Some((name(id).into_owned(), *places.first()?)));
    let (ids, firsts): (Vec<String>, Vec<i64>) = begun.unzip();
    session.change(
        "INSERT INTO sessions (tenant, position, id) SELECT $1, first, id FROM unnest($2::bigint[], $3::text[]) AS new (first, id)
         ON CONFLICT (tenant, id) DO NOTHING",
        &[&tenant, &firsts, &ids],
    )?;
    let records =
        added.sessions.iter().flat_map(|(id, places)| places.iter().map(move |place| (name(id).into_owned(), *place)));
    let (ids, places): (Vec<String>, Vec<i64>) = records.unzip();
    session.change(
        "INSERT INTO session_records (tenant, session, position) SELECT $1, sessions.position, new.position
         FROM unnest($2::text[], $3::bigint[]) AS new (id, position)
         JOIN sessions ON sessions.tenant = $1 AND sessions.id = new.id ON CONFLICT DO NOTHING",
        &[&tenant, &ids, &places],
    )?;
    let ids: Vec<String> = added.seen.keys().map(|id| name(id).into_owned()).collect();
    let [first, last, allowed, modified, held, deferred, blocked] = columns(added.seen.values())?;
    session.change(
        "UPDATE sessions SET first_at = least(sessions.first_at, new.first_at), last_at = greatest(sessions.last_at, new.last_at),
             allowed = sessions.allowed + new.allowed, modified = sessions.modified + new.modified,
             held = sessions.held + new.held, deferred = sessions.deferred + new.deferred,
             blocked = sessions.blocked + new.blocked
         FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
             $9::bigint[]) AS new (id, first_at, last_at, allowed, modified, held, deferred, blocked)
         WHERE sessions.tenant = $1 AND sessions.id = new.id",
        &[&tenant, &ids, &first, &last, &allowed, &modified, &held, &deferred, &blocked],
    )?;
    Ok(())
}

fn add_names(session: &Session<'_>, tenant: &str, added: &Added) -> Result<(), Fault> {
    let (mut sessions, mut kinds, mut names, mut calls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((session, kind, text), count) in &added.names {
        sessions.push(name(session).into_owned());
        kinds.push(kind.as_str());
        names.push(name(text).into_owned());
        calls.push(*count);
    }
    session.change(
        "INSERT INTO session_names (tenant, session, kind, name, calls)
         SELECT $1, sessions.position, new.kind, new.name, sum(new.calls)::bigint
         FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) AS new (id, kind, name, calls)
         JOIN sessions ON sessions.tenant = $1 AND sessions.id = new.id
         GROUP BY sessions.position, new.kind, new.name
         ON CONFLICT (tenant, session, kind, name) DO UPDATE SET calls = session_names.calls + excluded.calls",
        &[&tenant, &sessions, &kinds, &names, &calls],
    )?;
    Ok(())
}

fn add_agents(session: &Session<'_>, tenant: &str, added: &Added) -> Result<(), Fault> {
    let ids: Vec<String> = added.agents.keys().map(|id| name(id).into_owned()).collect();
    let [first, last, allowed, modified, held, deferred, blocked] = columns(added.agents.values())?;
    session.change(
        "INSERT INTO agents (tenant, id, first_at, last_at, allowed, modified, held, deferred, blocked)
         SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
             $8::bigint[], $9::bigint[])
         ON CONFLICT (tenant, id) DO UPDATE SET first_at = least(agents.first_at, excluded.first_at),
             last_at = greatest(agents.last_at, excluded.last_at), allowed = agents.allowed + excluded.allowed,
             modified = agents.modified + excluded.modified, held = agents.held + excluded.held,
             deferred = agents.deferred + excluded.deferred, blocked = agents.blocked + excluded.blocked",
        &[&tenant, &ids, &first, &last, &allowed, &modified, &held, &deferred, &blocked],
    )?;
    let (mut hours, mut agents, mut tools, mut calls, mut refused) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((agent, tool, hour), (all, not_run)) in &added.hours {
        hours.push(*hour);
        agents.push(name(agent).into_owned());
        tools.push(name(tool).into_owned());
        calls.push(*all);
        refused.push(*not_run);
    }
    session.change(
        "INSERT INTO tool_hours (tenant, hour, agent, tool, calls, refused)
         SELECT $1, hour, agent, tool, sum(calls)::bigint, sum(refused)::bigint
         FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[]) AS new (hour, agent, tool, calls, refused)
         GROUP BY hour, agent, tool
         ON CONFLICT (tenant, hour, agent, tool) DO UPDATE SET calls = tool_hours.calls + excluded.calls,
             refused = tool_hours.refused + excluded.refused",
        &[&tenant, &hours, &agents, &tools, &calls, &refused],
    )?;
    Ok(())
}
