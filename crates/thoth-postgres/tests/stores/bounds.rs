//! Tables stay within the bounds of every store, and no tenant takes room from another.

use std::sync::Arc;

use thoth_gate::hold::{Consulted, HoldState};
use thoth_gate::{Holds as _, HoldsError};
use thoth_postgres::{PostgresHolds, PostgresRecords};
use thoth_store::server::{
    Event, EventRecords as _, Filter, Key, KeyRecords as _, MAX_EVENT_BYTES_OF_TENANT, MAX_KEYS_OF_TENANT, Page,
    ServerError,
};
use thoth_testkit::holds_suite::{HeldCall, answer, at, vote};
use thoth_testkit::postgres::cluster;
use thoth_types::HoldToken;

use super::server;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn token(number: u128) -> HoldToken {
    HoldToken::new(number.to_be_bytes())
}

/// Defends: of what is over, contents go after a day and the rest after thirty, and a denial keeps both as long as it stands.
#[test]
fn contents_go_before_holds() {
    let holds = PostgresHolds::new(server(&cluster().database()), "acme");
    let ask = |number: u16, token: u128, ttl: u32, now: i64| {
        HeldCall::new(number).ttl(ttl).consult(&holds, token, Some("a"), at(now)).unwrap()
    };
    let arguments = || [1, 2, 3].map(|number| holds.look(&token(number)).map_or(0, |hold| hold.arguments.len()));
    // One each that is spent, denied for two days, and over without an answer.
    for (number, ttl) in [(1, 900), (2, 48 * 3600), (3, 900)] {
        ask(number, u128::from(number), ttl, 0);
    }
    vote(&holds, &token(1), &answer(1000, true, at(1))).unwrap();
    assert!(matches!(ask(1, 0, 900, 60), Consulted::Spent(_)));
    vote(&holds, &token(2), &answer(1000, false, at(1))).unwrap();
    let full = br#"{"call":1}"#.len();
    for (number, now, expected) in
        [(10, DAY + 59, [full; 3]), (11, DAY + 60, [0, full, full]), (12, DAY + 900, [0, full, 0])]
    {
        ask(number, u128::from(number), 900, now);
        assert_eq!(arguments(), expected, "{now}");
    }
    let spent = holds.update(&token(1), &mut |_| Ok(())).unwrap();
    assert_eq!((spent.state, &*spent.arguments), (HoldState::Spent, &b""[..]));
    ask(13, 13, 900, 30 * DAY + 100);
    assert!(matches!(holds.look(&token(1)), Err(HoldsError::Unknown(_))));
    assert_eq!(holds.look(&token(3)).unwrap().state, HoldState::Pending);
}

/// Defends: what is over is bounded in number, and violations are bounded in rows and never counted for fewer; both for each
/// tenant by itself.
#[test]
fn rows_are_bounded() {
    let url = cluster().database();
    let database = server(&url);
    let holds = PostgresHolds::new(Arc::clone(&database), "acme");
    HeldCall::new(1).ttl(1).consult(&holds, 1, None, at(0)).unwrap();
    for tenant in ["acme", "beta"] {
        cluster().sql(
            &url,
            &format!(
                "INSERT INTO thoth.holds (tenant, token, binding, server, state, created_at, ends_at, over_at, aside,
                                          arguments, argument_bytes, document)
                 SELECT '{tenant}', md5('{tenant}' || n), sha256(n::text::bytea), 'files', 'expired', 0, 0, 0, false,
                        '', 0, document
                 FROM generate_series(1, 20000) AS n, (SELECT document FROM thoth.holds LIMIT 1) AS one;
                 INSERT INTO thoth.violations (tenant, agent, at, times)
                 SELECT '{tenant}', 'bot', {now}, 1 FROM generate_series(1, 1024)",
                now = at(0).as_nanosecond()
            ),
        );
    }
    let count = |table: &str, tenant: &str| -> u32 {
        cluster().sql(&url, &format!("SELECT count(*) FROM thoth.{table} WHERE tenant = '{tenant}'")).parse().unwrap()
    };
    // They are young to the clock of the calls, so only their number speaks against them.
    cluster().sql(&url, &format!("UPDATE thoth.holds SET over_at = {}", at(1).as_nanosecond()));
    let before = count("holds", "acme");
    for number in 2..66 {
        HeldCall::new(number).consult(&holds, u128::from(number), None, at(2)).unwrap();
    }
    assert_eq!(count("holds", "acme"), before + 64 - 2 * 64, "as many go as it takes, a little at a time");
    assert_eq!(count("holds", "beta"), 20_000);
    for more in 1..=3 {
        assert_eq!(holds.count_violation("bot", at(1), at(0)).unwrap(), 1024 + more);
    }
    assert_eq!(holds.count_violation("bot", at(5000), at(4000)).unwrap(), 1, "afterwards, it can be good again");
    assert_eq!((count("violations", "acme"), count("violations", "beta")), (1, 1024));
}

/// Defends: the events of a tenant are bounded in bytes and age and its keys in number, and none takes from another.
#[test]
fn events_and_keys_are_bounded() {
    let url = cluster().database();
    let records = PostgresRecords::new(server(&url));
    let put = |tenant: &str, id: u32, bytes: usize, day: i64| {
        let (id, body) = (format!("{tenant}:{id}"), "x".repeat(bytes));
        let event = Event { id: &id, session: "s", agent: None, tool: None, kind: "K", occurred_at: None, body: &body };
        records.add_events(tenant, &[event], at(day * DAY)).unwrap()
    };
    let left = |tenant: &str| {
        let page = Page { beyond: None, oldest_first: true, limit: 1000 };
        let bodies = records.events(tenant, &Filter::default(), &page).unwrap().bodies;
        (bodies.len(), bodies.iter().map(String::len).sum::<usize>())
    };
    put("beta", 0, 1000, 0);
    for id in 0..20 {
        put("acme", id, 100, 0);
    }
    // As if there were that much more.
    let full = MAX_EVENT_BYTES_OF_TENANT;
    cluster().sql(&url, &format!("UPDATE thoth.event_rooms SET event_bytes = {full}"));
    assert_eq!((put("acme", 19, 100, 0).known, left("acme")), (1, (20, 2000)), "what is known takes no room");
    put("acme", 20, 250, 1);
    assert_eq!(left("acme"), (18, 1950), "as many went as it took");
    let told = cluster().sql(&url, "SELECT event_bytes FROM thoth.event_rooms WHERE tenant = 'acme'");
    assert_eq!(told, (full - 50).to_string(), "the sum is kept");
    put("acme", 21, 10, 90);
    assert_eq!(left("acme").0, 19, "a day too young to go");
    put("acme", 22, 10, 91);
    assert_eq!((left("acme").0, left("beta")), (3, (1, 1000)), "old ones go");

    let key = |tenant: &str, id: &str| Key {
        id: id.to_owned(),
        tenant: tenant.to_owned(),
        name: None,
        scope_level: "organization".to_owned(),
        scope_target: None,
        permissions: Vec::new(),
        reason: None,
        created_at: at(0),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    };
    cluster().sql(
        &url,
        &format!(
            "INSERT INTO thoth.keys (tenant, id, digest, scope_level, permissions, created_at)
             SELECT 'acme', n, sha256(n::text::bytea), 'organization', '', 0 FROM generate_series(2, {MAX_KEYS_OF_TENANT}) AS n"
        ),
    );
    records.add_key(&key("acme", "last"), &[1; 32]).unwrap();
    let refused = records.add_key(&key("acme", "more"), &[2; 32]);
    assert!(matches!(refused, Err(ServerError::TooManyKeys)), "{refused:?}");
    records.add_key(&key("beta", "first"), &[2; 32]).unwrap();
}
