//! Turns in one session, over several servers.

use std::sync::Arc;
use std::thread;

use thoth_postgres::PostgresPasts;
use thoth_store::server::{PastCall, SessionPasts as _};
use thoth_testkit::holds_suite::at;
use thoth_testkit::postgres::cluster;

use super::server;

const SESSION: [u8; 32] = [7; 32];

fn call(tool: &str, second: i64) -> PastCall {
    PastCall { tool: tool.to_owned(), at: at(second), went_out: true }
}

/// All that is kept of a session.
fn past(pasts: &PostgresPasts, session: &[u8; 32]) -> Vec<PastCall> {
    pasts.begin(session, 0).unwrap().take_missed()
}

/// Defends: turns of any server come one after another, so that whoever counts what was allowed before allows exactly as many
/// as they may, and each sees all of what the others allowed.
#[test]
fn a_budget_is_used_up_exactly() {
    const BUDGET: usize = 20;
    let url = cluster().database();
    let allowed: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|number| {
                let pasts = PostgresPasts::new(server(&url), "acme");
                scope.spawn(move || {
                    let (mut known, mut place, mut own) = (0, 0, 0);
                    for second in 0..10 {
                        let mut turn = pasts.begin(&SESSION, place).unwrap();
                        known += turn.take_missed().len();
                        let allowed = known < BUDGET;
                        let new = [call(&format!("t{number}"), second)];
                        place = turn.end(if allowed { &new } else { &[] }).unwrap();
                        known += usize::from(allowed);
                        own += usize::from(allowed);
                    }
                    own
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(allowed, BUDGET);
    assert_eq!(past(&PostgresPasts::new(server(&url), "acme"), &SESSION).len(), BUDGET);
}

/// Defends: a turn that was given up, or cut off, keeps nothing and frees the session; one that could not be kept says so;
/// sessions and tenants are apart; every name comes back as it was.
#[test]
fn what_a_turn_keeps() {
    let url = cluster().database();
    let database = server(&url);
    let (one, other) = (PostgresPasts::new(Arc::clone(&database), "acme"), PostgresPasts::new(server(&url), "acme"));
    let odd = PastCall { went_out: false, ..call("a\0\u{202e}'", 2) };
    for round in 0..2 {
        drop(one.begin(&SESSION, 0).unwrap());
        let turn = one.begin(&SESSION, 0).unwrap();
        assert!(cluster().cut(&url) > 0);
        assert!(turn.end(&[call("lost", 0)]).is_err());
        assert_eq!(past(&other, &SESSION), [], "{round}");
    }
    let turn = one.begin(&SESSION, 0).unwrap();
    assert_eq!(turn.end(&[call("first", 1), odd.clone()]).unwrap(), 2);
    let mut turn = other.begin(&SESSION, 1).unwrap();
    assert_eq!((turn.take_missed(), turn.place(), turn.take_missed()), (vec![odd.clone()], 2, vec![]));
    drop(turn);
    assert_eq!(past(&other, &SESSION), [call("first", 1), odd]);
    assert_eq!(past(&other, &[8; 32]), []);
    assert_eq!(past(&PostgresPasts::new(database, "beta"), &SESSION), []);
}

/// Defends: a past is bounded in calls and in age, for each session.
#[test]
fn pasts_are_bounded() {
    let url = cluster().database();
    let pasts = PostgresPasts::new(server(&url), "acme");
    drop(pasts.begin(&SESSION, 0).unwrap());
    let day = 86_400;
    cluster().sql(
        &url,
        &format!(
            "INSERT INTO thoth.session_calls SELECT 'acme', decode(repeat('07', 32), 'hex'), n, 't', {young}, true
             FROM generate_series(1, 17003) AS n;
             INSERT INTO thoth.session_calls SELECT 'acme', decode(repeat('08', 32), 'hex'), n, 't', {old}, true
             FROM generate_series(1, 10) AS n",
            young = at(40 * day).as_nanosecond(),
            old = at(0).as_nanosecond()
        ),
    );
    let mut place = 17_003;
    for _ in 0..32 {
        place = pasts.begin(&SESSION, place).unwrap().end(&[call("t", 40 * day)]).unwrap();
    }
    let left = past(&pasts, &SESSION).len();
    assert!((16_384..16_384 + 32).contains(&left), "{left}");
    assert_eq!(past(&pasts, &[8; 32]), [], "older than any window");
}
