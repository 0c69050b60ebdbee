//! What every index of a ledger must do, whatever it is made of: it finds what a slow look through all of the ledger finds.

#![expect(clippy::unwrap_used, reason = "it is called by tests, which it fails")]
#![expect(clippy::indexing_slicing, reason = "it is called by tests, which it fails")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use thoth_store::server::index::{
    Agent, AgentFilter, Agents, Decision, DecisionFilter, Found, HOUR, IndexPage, LedgerIndex, MAX_COUNTED_NAMES,
    MAX_LISTED_NAMES, MAX_NAMES, NameKind, Names, Record, Session, SessionFilter,
};

/// How many cases there are, each with an index of its own.
pub const CASES: usize = 3;
const LOG: &str = "log+1+key";
const EVENTS: i64 = 700;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// The event at a place: decisions of some agents in some sessions, what follows them, and what administrators do.
fn leaf(place: i64) -> String {
    // Nearly in order, as several writers leave it.
    let when = at(place * 60 + (place * 7919) % 90);
    let session = format!("s{}", place % 13 + place / 200);
    let agent = format!("a{}", place % 3 + place % 13 / 6);
    let decision = ["ALLOW", "ALLOW", "BLOCK", "STEP_UP", "MODIFY"][usize::try_from(place % 5).unwrap()];
    let reason =
        if place % 35 == 2 { "rate_limited" } else { ["default_auto", "rule_block"][usize::from(place % 2 == 0)] };
    let asked = if place % 4 == 0 { String::new() } else { format!(r#","enforcementTraceId":"asked{}""#, place % 7) };
    match place % 10 {
        0 => format!(r#"{{"eventType":"KEY","occurredAt":"{when}","sessionId":"administration.{place}"}}"#),
        1 => format!(
            r#"{{"agentId":"{agent}","decision":"BLOCK","eventType":"TOOL_CALL_BLOCK","occurredAt":"{when}","sessionId":"{session}"}}"#
        ),
        2 if place % 100 == 2 => "not JSON at all".to_owned(),
        _ => format!(
            r#"{{"agentId":"{agent}","callId":"c{place}","decision":"{decision}","eventType":"TOOL_CALL_PRE","occurredAt":"{when}","reason":"because","reasonCode":"{reason}","riskScore":{},"rule":"r{}","sessionId":"{session}","toolName":"t{}","traceId":"x{place}","userId":"u{}"{asked}}}"#,
            place % 100,
            place % 4,
            place % 5,
            place % 2,
        ),
    }
}

fn records(places: std::ops::Range<i64>) -> Vec<Record> {
    places.map(|place| Record::of(place, leaf(place).as_bytes())).collect()
}

/// Runs all cases. What is given opens the index of a number anew at every call.
pub fn cases<I: LedgerIndex>(open: impl Fn(usize) -> I) {
    let cases: [fn(&dyn Fn() -> I); CASES] =
        [whatever_is_asked_for, another_log_is_another_index, long_sessions_are_cut];
    for (number, case) in cases.into_iter().enumerate() {
        case(&|| open(number));
    }
}

fn fits(filter: &DecisionFilter<'_>, decision: &Decision) -> bool {
    let is = |wanted: Option<&str>, found: Option<&str>| wanted.is_none_or(|wanted| found == Some(wanted));
    is(filter.session, Some(&decision.session))
        && is(filter.agent, decision.agent.as_deref())
        && is(filter.tool, Some(&decision.tool))
        && is(filter.decision, Some(&decision.decision))
        && is(filter.reason_code, Some(&decision.reason_code))
        && is(filter.rule, decision.rule.as_deref())
        && is(filter.user, decision.user.as_deref())
        && is(filter.enforcement_trace, decision.enforcement_trace.as_deref())
        && (!filter.ran || matches!(&*decision.decision, "ALLOW" | "MODIFY"))
        && (!filter.violations || decision.is_violation())
        && filter.since.is_none_or(|since| decision.at >= since)
        && filter.until.is_none_or(|until| decision.at <= until)
}

/// All pages of a list, one after the other.
fn all<T>(oldest_first: bool, limit: u32, ask: impl Fn(&IndexPage) -> Found<T>) -> Vec<T> {
    let (mut beyond, mut found) = (None, Vec::new());
    loop {
        let page = ask(&IndexPage { beyond, oldest_first, limit });
        assert!(page.found.len() <= usize::try_from(limit).unwrap());
        found.extend(page.found);
        beyond = page.next;
        if beyond.is_none() {
            return found;
        }
    }
}

/// Defends: what is found is what is there, in order and once, over any pages and filters, whoever added it and however often
/// it was tried; nothing of a name is a statement.
fn whatever_is_asked_for<I: LedgerIndex>(open: &dyn Fn() -> I) {
    let (index, other) = (open(), open());
    assert_eq!(index.indexed(LOG).unwrap(), 0);
    let mut from = 0;
    for (turn, length) in [1, 3, 250, 6, 256, 1, 183].into_iter().enumerate() {
        let added = records(from..from + length);
        let (one, two) = if turn % 2 == 0 { (&index, &other) } else { (&other, &index) };
        assert_eq!(one.indexed(LOG).unwrap(), from);
        one.add(LOG, from, &added).unwrap();
        // Another was slower, or comes out of the blue.
        two.add(LOG, from, &added).unwrap();
        two.add(LOG, from + length + 5, &added).unwrap();
        two.add("another+1+log", from + length, &added).unwrap();
        from += length;
    }
    assert_eq!((index.indexed(LOG).unwrap(), from), (EVENTS, EVENTS));
    let all_records = records(0..EVENTS);
    let decided: Vec<Decision> = all_records.iter().filter_map(|record| record.decision.clone()).collect();
    assert!(decided.iter().any(|decision| decision.decision == "DEFER"), "a limit is no refusal");
    let none = DecisionFilter::default();
    let filters = [
        none,
        DecisionFilter { session: Some("s3"), ..none },
        DecisionFilter { agent: Some("a1"), ..none },
        DecisionFilter { agent: Some("a1"), session: Some("s3"), tool: Some("t3"), ..none },
        DecisionFilter { tool: Some("t4"), decision: Some("STEP_UP"), ..none },
        DecisionFilter { decision: Some("MODIFY"), ..none },
        DecisionFilter { ran: true, ..none },
        DecisionFilter { ran: true, decision: Some("MODIFY"), tool: Some("t3"), ..none },
        DecisionFilter { reason_code: Some("rule_block"), rule: Some("r2"), ..none },
        DecisionFilter { user: Some("u1"), violations: true, ..none },
        DecisionFilter { violations: true, ..none },
        DecisionFilter { enforcement_trace: Some("asked3"), ..none },
        DecisionFilter { enforcement_trace: Some("asked4"), agent: Some("a1"), violations: true, ..none },
        DecisionFilter { enforcement_trace: Some("never"), ..none },
        DecisionFilter { since: Some(at(9_000)), ..none },
        DecisionFilter { until: Some(at(9_000)), violations: true, ..none },
        DecisionFilter { since: Some(at(9_000)), until: Some(at(9_900)), agent: Some("a2"), ..none },
        DecisionFilter { since: Some(at(9_000_000)), ..none },
        DecisionFilter { until: Some(at(-9_000_000)), ..none },
        DecisionFilter { agent: Some("'; DROP TABLE decisions; --"), ..none },
        DecisionFilter { tool: Some("a\0b"), ..none },
    ];
    for filter in filters {
        let mut expected: Vec<Decision> = decided.iter().filter(|decision| fits(&filter, decision)).cloned().collect();
        for (oldest_first, limit) in [(true, 7), (true, 1000), (false, 7)] {
            let found = all(oldest_first, limit, |page| index.decisions(&filter, page).unwrap());
            if !oldest_first {
                expected.reverse();
            }
            assert_eq!(found, expected, "{filter:?}");
        }
    }
    for decision in &decided {
        let found = index.violation(&decision.trace).unwrap();
        assert_eq!(found.as_ref(), Some(decision).filter(|decision| decision.is_violation()));
    }
    sessions(&other, &all_records, &decided);
    agents_and_tools(&other, &decided);
}

fn sessions<I: LedgerIndex>(index: &I, records: &[Record], decided: &[Decision]) {
    let mut places = BTreeMap::<&str, Vec<i64>>::new();
    for record in records {
        if let Some(session) = &record.session {
            places.entry(session).or_default().push(record.position);
        }
    }
    let of = |session: &str| decided.iter().filter(|decision| decision.session == session).collect::<Vec<_>>();
    let names = |session: &str, kind: NameKind| {
        let mut names = BTreeMap::<String, i64>::new();
        for decision in of(session) {
            let name = match kind {
                NameKind::Agent => decision.agent.clone(),
                NameKind::User => decision.user.clone(),
                NameKind::Tool => Some(decision.tool.clone()),
            };
            *names.entry(name.unwrap()).or_default() += 1;
        }
        let count = i64::try_from(names.len()).unwrap();
        Names { first: Vec::from_iter(names), count }
    };
    for (id, expected) in &places {
        assert_eq!(index.positions(id, 0, 10_000).unwrap(), *expected, "{id}");
        assert_eq!(index.positions(id, expected[1], 2).unwrap(), expected[1..3], "{id}");
        let told = index.session(id).unwrap().unwrap();
        assert_eq!((told.position, &*told.id), (expected[0], *id));
        let times: BTreeSet<_> = of(id).iter().map(|decision| decision.at).collect();
        assert_eq!((Some(&told.seen.first), Some(&told.seen.last)), (times.first(), times.last()), "{id}");
        assert_eq!(told.seen.counts.total(), i64::try_from(of(id).len()).unwrap());
        assert_eq!(told.agents, names(id, NameKind::Agent));
        assert_eq!(told.users, names(id, NameKind::User));
        assert_eq!(told.tools, names(id, NameKind::Tool));
    }
    assert_eq!(index.session("none").unwrap(), None);
    assert_eq!(index.positions("administration.10", 0, 9).unwrap(), Vec::<i64>::new(), "what administrators do");
    let none = SessionFilter::default();
    for filter in [
        none,
        SessionFilter { agent: Some("a0"), ..none },
        SessionFilter { user: Some("u0"), agent: Some("a2"), ..none },
        SessionFilter { since: Some(at(30_000)), ..none },
        SessionFilter { until: Some(at(300)), user: Some("u1"), ..none },
        SessionFilter { agent: Some("nobody"), ..none },
    ] {
        let fits = |told: &Session| {
            filter.agent.is_none_or(|agent| told.agents.first.iter().any(|(name, _)| name == agent))
                && filter.user.is_none_or(|user| told.users.first.iter().any(|(name, _)| name == user))
                && filter.since.is_none_or(|since| told.seen.last >= since)
                && filter.until.is_none_or(|until| told.seen.first <= until)
        };
        let told = places.keys().map(|id| index.session(id).unwrap().unwrap());
        let mut expected: Vec<Session> = told.filter(fits).collect();
        expected.sort_by_key(|told| std::cmp::Reverse(told.position));
        assert_eq!(all(false, 3, |page| index.sessions(&filter, page).unwrap()), expected, "{filter:?}");
    }
}

fn agents_and_tools<I: LedgerIndex>(index: &I, decided: &[Decision]) {
    let everybody = AgentFilter::default();
    let agents = index.agents(&everybody, None, 100).unwrap();
    assert_eq!(agents.next, None);
    let agents = agents.found;
    let known: BTreeSet<String> = decided.iter().filter_map(|decision| decision.agent.clone()).collect();
    assert_eq!(agents.iter().map(|agent| agent.id.clone()).collect::<Vec<_>>(), Vec::from_iter(known));
    let page = index.agents(&everybody, Some(&agents[0].id), 1).unwrap();
    assert_eq!((&page.found[..], page.next.as_ref()), (&agents[1..2], Some(&agents[1].id)));
    let some = [&*agents[2].id, &*agents[0].id, "nobody", "a\0b"].map(str::to_owned);
    for filter in [
        AgentFilter { since: Some(at(38_000)), ..everybody },
        AgentFilter { until: Some(at(300)), ..everybody },
        AgentFilter { among: Some(&some), ..everybody },
        AgentFilter { among: Some(&some), since: Some(at(38_000)), until: Some(at(300)) },
        AgentFilter { among: Some(&[]), ..everybody },
        AgentFilter { since: Some(at(9_000_000)), ..everybody },
    ] {
        let fits = |agent: &&Agent| {
            filter.among.is_none_or(|among| among.contains(&agent.id))
                && filter.since.is_none_or(|since| agent.seen.last >= since)
                && filter.until.is_none_or(|until| agent.seen.first <= until)
        };
        let (mut beyond, mut found) = (None, Vec::new());
        loop {
            let page = index.agents(&filter, beyond.as_deref(), 2).unwrap();
            found.extend(page.found);
            beyond = page.next;
            if beyond.is_none() {
                break;
            }
        }
        assert_eq!(found.iter().collect::<Vec<_>>(), agents.iter().filter(fits).collect::<Vec<_>>(), "{filter:?}");
    }
    for agent in &agents {
        assert_eq!(index.agent(&agent.id).unwrap().as_ref(), Some(agent));
        let count = decided.iter().filter(|decision| decision.agent.as_ref() == Some(&agent.id)).count();
        assert_eq!(agent.seen.counts.total(), i64::try_from(count).unwrap());
    }
    let since = at(9_000);
    let hour = i64::try_from(since.as_nanosecond()).unwrap() / HOUR;
    let mut uses = BTreeMap::<(String, String), (i64, i64)>::new();
    for decision in decided {
        if i64::try_from(decision.at.as_nanosecond()).unwrap() / HOUR >= hour {
            let used = uses.entry((decision.agent.clone().unwrap(), decision.tool.clone())).or_default();
            used.0 += 1;
            used.1 += i64::from(!matches!(&*decision.decision, "ALLOW" | "MODIFY"));
        }
    }
    let found = index.tool_uses(since).unwrap();
    let found: Vec<_> = found.into_iter().map(|used| ((used.agent, used.tool), (used.calls, used.refused))).collect();
    assert_eq!(found, Vec::from_iter(uses));
    assert_eq!(index.tool_uses(since + SignedDuration::from_hours(10_000)).unwrap(), []);
}

/// Defends: an index says nothing of a log that it was not made from.
fn another_log_is_another_index<I: LedgerIndex>(open: &dyn Fn() -> I) {
    let index = open();
    assert_eq!(index.indexed("old+1+log").unwrap(), 0);
    index.add("old+1+log", 0, &records(0..100)).unwrap();
    assert_eq!(open().indexed(LOG).unwrap(), 0);
    let everything = IndexPage { beyond: None, oldest_first: true, limit: 1000 };
    assert_eq!(index.decisions(&DecisionFilter::default(), &everything).unwrap().found, []);
    assert_eq!(index.sessions(&SessionFilter::default(), &everything).unwrap().found, []);
    assert_eq!(index.agents(&AgentFilter::default(), None, 9).unwrap(), Agents::default());
    assert_eq!(index.positions("s3", 0, 9).unwrap(), Vec::<i64>::new());
    index.add(LOG, 0, &records(0..9)).unwrap();
    let found = index.decisions(&DecisionFilter::default(), &everything).unwrap().found;
    assert_eq!(found, records(0..9).into_iter().filter_map(|record| record.decision).collect::<Vec<_>>());
}

/// Defends: lists tell a few names of each session, one session tells more, and both tell how many there are.
fn long_sessions_are_cut<I: LedgerIndex>(open: &dyn Fn() -> I) {
    let index = open();
    let leaf = |place: i64, session: &str| {
        format!(
            r#"{{"agentId":"a{}","decision":"ALLOW","eventType":"TOOL_CALL_PRE","occurredAt":"{}","sessionId":"{session}","toolName":"t{place:05}","userId":"u"}}"#,
            place % 100,
            at(place),
        )
    };
    let most = i64::from(MAX_COUNTED_NAMES) + 100;
    let record = |place: i64| Record::of(place, leaf(place, if place < 20 { "short" } else { "long" }).as_bytes());
    assert_eq!(index.indexed(LOG).unwrap(), 0);
    index.add(LOG, 0, &(0..most).map(record).collect::<Vec<_>>()).unwrap();
    let names =
        |from: i64, count: u32| (from..from + i64::from(count)).map(|place| (format!("t{place:05}"), 1)).collect();
    let listed = index.sessions(&SessionFilter::default(), &IndexPage { beyond: None, oldest_first: true, limit: 9 });
    let listed = listed.unwrap().found;
    assert_eq!(listed.iter().map(|session| &*session.id).collect::<Vec<_>>(), ["short", "long"]);
    for (session, from, count, agents) in [(&listed[0], 0, 20, 20), (&listed[1], 20, i64::from(MAX_COUNTED_NAMES), 100)]
    {
        assert_eq!(session.tools, Names { first: names(from, MAX_LISTED_NAMES), count });
        assert_eq!((session.agents.first.len(), session.agents.count), (16, agents));
        assert_eq!(session.users, Names { first: vec![("u".to_owned(), session.seen.counts.total())], count: 1 });
    }
    let (short, long) = (index.session("short").unwrap().unwrap(), index.session("long").unwrap().unwrap());
    assert_eq!(short.tools, Names { first: names(0, 20), count: 20 });
    assert_eq!(long.tools, Names { first: names(20, MAX_NAMES), count: i64::from(MAX_COUNTED_NAMES) });
}
