//! Many servers at one hold, at the same moment.

use std::sync::{Arc, Barrier};
use std::thread;

use thoth_gate::hold::{Consulted, HoldState};
use thoth_gate::{Holds as _, HoldsError};
use thoth_postgres::PostgresHolds;
use thoth_testkit::holds_suite::{HeldCall, answer, at, vote};
use thoth_testkit::postgres::cluster;
use thoth_types::HoldToken;

use super::server;

const SERVERS: usize = 4;
const THREADS: usize = 3;

/// Does `work` in several threads of several servers at once; what each says.
fn at_once<T: Send>(url: &str, work: impl Fn(&PostgresHolds, u128) -> T + Sync) -> Vec<T> {
    let begin = Barrier::new(SERVERS * THREADS);
    let servers: Vec<_> = (0..SERVERS).map(|_| server(url)).collect();
    thread::scope(|scope| {
        let threads: Vec<_> = servers
            .iter()
            .cycle()
            .zip(1..=SERVERS * THREADS)
            .map(|(server, number)| {
                let holds = PostgresHolds::new(Arc::clone(server), "acme");
                let (begin, work) = (&begin, &work);
                scope.spawn(move || {
                    // Connected before, so that all are there at the same moment.
                    holds.list().unwrap();
                    begin.wait();
                    work(&holds, u128::try_from(number).unwrap())
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Defends invariant 1: of all servers that ask for one call at the same moment one holds it, of those that answer as many
/// votes count as accounts, and of those that use it up one does.
#[test]
fn one_hold_one_vote_each_one_use() {
    let url = cluster().database();
    let holds = PostgresHolds::new(server(&url), "acme");
    for round in 0..5_u16 {
        let call = HeldCall::new(round).quorum(2);
        let first = u128::from(round) * 1_000;
        let asked =
            at_once(&url, |holds, number| match call.consult(holds, first + number, Some("call"), at(0)).unwrap() {
                Consulted::Created(hold, None) => (true, hold.token),
                Consulted::Pending(hold) => (false, hold.token),
                other => panic!("{other:?}"),
            });
        let token: HoldToken = asked[0].1.clone();
        assert!(asked.iter().all(|(_, other)| *other == token), "{asked:?}");
        assert_eq!(asked.iter().filter(|(created, _)| *created).count(), 1, "{asked:?}");
        // Everybody answers for one of two accounts.
        let votes = at_once(&url, |holds, number| {
            let uid = if number.is_multiple_of(2) { 1000 } else { 0 };
            match vote(holds, &token, &answer(uid, true, at(1))) {
                Ok(hold) => Some(hold.state),
                Err(HoldsError::Vote(_)) => None,
                Err(error) => panic!("{error}"),
            }
        });
        let counted: Vec<_> = votes.iter().flatten().collect();
        assert_eq!(counted.iter().filter(|state| ***state == HoldState::Pending).count(), 1, "{votes:?}");
        assert_eq!(counted.iter().filter(|state| ***state == HoldState::Approved).count(), 1, "{votes:?}");
        let uses = at_once(&url, |holds, number| {
            let name = format!("call-{number}");
            matches!(
                call.consult(holds, first + 100 + number, Some(&name), at(2)).unwrap(),
                Consulted::Spent(hold) if hold.token == token
            )
        });
        assert_eq!(uses.iter().filter(|spent| **spent).count(), 1, "{uses:?}");
        let spent = holds.look(&token).unwrap();
        assert_eq!((spent.state, spent.votes.len()), (HoldState::Spent, 2));
    }
}

/// Defends: violations that several servers count at once are all counted, each under another number.
#[test]
fn no_violation_is_lost() {
    let url = cluster().database();
    let mut counts = at_once(&url, |holds, _| holds.count_violation("bot", at(1), at(0)).unwrap());
    counts.sort_unstable();
    let expected: Vec<u32> = (1..=u32::try_from(SERVERS * THREADS).unwrap()).collect();
    assert_eq!(counts, expected);
}

/// Defends: the room for held calls is that of the tenant, not of a server; and no tenant takes another's.
#[test]
fn the_room_is_shared() {
    let url = cluster().database();
    let (one, two) = (server(&url), server(&url));
    let hold = |database: &Arc<thoth_postgres::Database>, tenant: &str, number: u16| {
        let holds = PostgresHolds::new(Arc::clone(database), tenant);
        HeldCall::new(number).consult(&holds, u128::from(number) + 1, None, at(0)).map(drop)
    };
    let most = u16::try_from(thoth_store::MAX_WAITING_OF_AGENT).unwrap();
    for number in 0..most {
        hold(if number % 2 == 0 { &one } else { &two }, "acme", number).unwrap();
    }
    for database in [&one, &two] {
        let full = hold(database, "acme", most);
        assert!(matches!(full, Err(HoldsError::Full(_))), "{full:?}");
    }
    hold(&two, "beta", most).unwrap();
}
