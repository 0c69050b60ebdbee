//! Connections that end, a database that is away, one that answers nobody, one of another version.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Barrier};
use std::thread;

use thoth_gate::hold::{Consulted, HoldState};
use thoth_gate::{Holds as _, HoldsError};
use thoth_postgres::{Database, DatabaseUrl, Format, PostgresError, PostgresHolds, PostgresRecords};
use thoth_store::server::{KeyRecords as _, Records as _, ServerError};
use thoth_testkit::holds_suite::{HeldCall, answer, at, vote};
use thoth_testkit::postgres::{Cluster, cluster};
use thoth_types::HoldToken;

use super::server;

fn token(number: u128) -> HoldToken {
    HoldToken::new(number.to_be_bytes())
}

/// Defends invariant 5: a connection that ends in the middle of a transition leaves nothing of it, says so, and the next use
/// has another connection.
#[test]
fn a_cut_in_the_middle_changes_nothing() {
    let url = cluster().database();
    let holds = PostgresHolds::new(server(&url), "acme");
    let call = HeldCall::new(1);
    call.consult(&holds, 1, Some("a"), at(0)).unwrap();
    for round in 0..3 {
        let failed = holds.update(&token(1), &mut |hold| {
            hold.vote(&answer(1000, true, at(1)))?;
            assert!(cluster().cut(&url) > 0, "the transaction has its connection");
            Ok(())
        });
        assert!(matches!(failed, Err(HoldsError::Store(_))), "{failed:?}");
        let left = holds.look(&token(1)).unwrap();
        assert_eq!((left.state, left.votes.len()), (HoldState::Pending, 0), "{round}");
    }
    vote(&holds, &token(1), &answer(1000, true, at(1))).unwrap();
    // One that ends while nobody uses it is not noticed at all.
    cluster().cut(&url);
    let spent = call.consult(&holds, 2, Some("b"), at(2)).unwrap();
    assert!(matches!(spent, Consulted::Spent(_)), "{spent:?}");
}

/// Defends invariant 5: while the database is away everything is an error, at once; when it is back, it goes on by itself.
#[test]
fn a_database_that_is_away() {
    let own = Cluster::start();
    let url = own.database();
    let database = server(&url);
    let (holds, records) =
        (PostgresHolds::new(Arc::clone(&database), "acme"), PostgresRecords::new(Arc::clone(&database)));
    records.open().unwrap();
    HeldCall::new(1).consult(&holds, 1, Some("a"), at(0)).unwrap();
    for _ in 0..2 {
        own.halt();
        for _ in 0..3 {
            let asked = HeldCall::new(1).consult(&holds, 2, Some("b"), at(1));
            assert!(matches!(asked, Err(HoldsError::Store(_))), "{asked:?}");
            let looked = records.key_by_digest(&[0; 32]);
            assert!(matches!(looked, Err(ServerError::Database(_))), "{looked:?}");
            assert!(records.probe().is_err());
        }
        own.go();
        records.probe().unwrap();
        let asked = HeldCall::new(1).consult(&holds, 3, Some("c"), at(2)).unwrap();
        assert!(matches!(asked, Consulted::Pending(_)), "{asked:?}");
    }
}

/// Defends: however many ask, nobody waits without end: not for a place, and not for who has the tenant's lock.
#[test]
fn too_many_are_turned_away() {
    let url = cluster().database();
    let holds = PostgresHolds::new(server(&url), "acme");
    HeldCall::new(1).consult(&holds, 1, Some("a"), at(0)).unwrap();
    let (locked, done) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            // Somebody who does not end, for as long as the others try.
            let kept = holds.update(&token(1), &mut |_| {
                locked.wait();
                done.wait();
                Ok(())
            });
            drop(kept);
        });
        locked.wait();
        let asked: Vec<_> = (0..40_u16)
            .map(|number| {
                let holds = &holds;
                scope.spawn(move || HeldCall::new(number).consult(holds, u128::from(number) + 10, None, at(1)))
            })
            .collect();
        for one in asked {
            let refused = one.join().unwrap();
            assert!(matches!(refused, Err(HoldsError::Store(_))), "{refused:?}");
        }
        done.wait();
    });
    HeldCall::new(2).consult(&holds, 2, None, at(1)).unwrap();
}

/// Defends: a database that does not answer any more, on any of the connections that there are, is an error in bounded time
/// for everybody who asks; and is used again once it answers.
#[test]
fn a_frozen_database_keeps_nobody() {
    let own = Cluster::start();
    let url = own.database();
    let database = server(&url);
    let ask = |number: u16| {
        let holds = PostgresHolds::new(Arc::clone(&database), &format!("tenant-{number}"));
        HeldCall::new(1).consult(&holds, u128::from(number) + 1, None, at(0))
    };
    // More than one tenant, so that there are several connections at once.
    let all = |is_good: bool| {
        thread::scope(|scope| {
            let ask = &ask;
            let asked: Vec<_> = (0..16).map(|number| scope.spawn(move || ask(number))).collect();
            for one in asked {
                let outcome = one.join().unwrap();
                assert_eq!(outcome.is_ok(), is_good, "{outcome:?}");
            }
        });
    };
    all(true);
    own.freeze(true);
    all(false);
    own.freeze(false);
    all(true);
}

/// Defends: something that takes connections and says nothing is an error in bounded time.
#[test]
fn a_silent_database_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let _silent = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
    let place = folder.path().display().to_string().replace('/', "%2F");
    let probed = server(&format!("postgres://u:hunter2@{place}/t?connect_timeout=1")).probe();
    let error = probed.unwrap_err();
    assert!(matches!(error, PostgresError::Slow | PostgresError::Unreachable(_)), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

/// Defends: where TLS is asked for, nothing but the question for it is sent to somebody who has none.
#[test]
fn nothing_is_said_without_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = [0; 8];
        stream.read_exact(&mut question).unwrap();
        stream.write_all(b"N").unwrap();
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        (question, rest)
    });
    let error = server(&format!("postgres://u:hunter2@127.0.0.1:{port}/t?sslmode=require")).probe().unwrap_err();
    assert!(error.to_string().contains("TLS"), "{error}");
    let (question, rest) = heard.join().unwrap();
    // SSLRequest, as the protocol has it.
    assert_eq!((question, rest), ([0, 0, 0, 8, 4, 210, 22, 47], Vec::new()));
}

/// Defends: where there is TLS, whoever answers is who they should be, and else nothing is said to them.
#[test]
fn tls_is_checked() {
    let signed = |name: &str| rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (own, other) = (signed("localhost"), signed("localhost"));
    let (cluster, port) = Cluster::with_tls(&own.cert.pem(), &own.signing_key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string().replace('/', "%2F")
    };
    let (own, other) = (file("own.pem", own.cert.pem()), file("other.pem", other.cert.pem()));
    for (host, options, good) in [
        ("localhost", format!("?sslmode=require&sslrootcert={own}"), true),
        ("localhost", format!("?sslmode=verify-full&sslrootcert={own}"), true),
        ("127.0.0.1", format!("?sslmode=require&sslrootcert={own}"), false),
        ("localhost", format!("?sslmode=require&sslrootcert={other}"), false),
        ("localhost", "?sslmode=require".to_owned(), false),
        ("localhost", "?sslmode=require&sslrootcert=%2Fnowhere".to_owned(), false),
        ("localhost", String::new(), true),
    ] {
        let url = format!("postgres://postgres@{host}:{port}/postgres{options}");
        let probed = Database::new(&DatabaseUrl::parse(&url).unwrap()).and_then(|database| database.probe());
        assert_eq!(probed.is_ok(), good, "{host} {options}: {probed:?}");
    }
    drop(cluster);
}

/// Defends: many servers that begin one database at once agree; a newer or foreign one is left alone; a role that may not
/// set it up is told what to do, and may use it afterwards.
#[test]
fn formats() {
    let url = cluster().database();
    let begin = Barrier::new(6);
    thread::scope(|scope| {
        let servers: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let database = server(&url);
                    begin.wait();
                    database.migrate().unwrap()
                })
            })
            .collect();
        let formats: Vec<Format> = servers.into_iter().map(|server| server.join().unwrap()).collect();
        assert_eq!(formats.iter().filter(|format| format.before == 0).count(), 1, "{formats:?}");
        assert!(formats.iter().all(|format| format.now == 5), "{formats:?}");
    });
    let says = |change: &str, back: &str, expected: fn(&PostgresError) -> bool| {
        cluster().sql(&url, change);
        for error in [server(&url).migrate().unwrap_err(), server(&url).probe().unwrap_err()] {
            assert!(expected(&error), "{error}");
        }
        cluster().sql(&url, back);
        server(&url).probe().unwrap();
    };
    says("INSERT INTO thoth.migrations VALUES (6, 'x')", "DELETE FROM thoth.migrations WHERE number = 6", |error| {
        *error == PostgresError::Newer { found: 6, known: 5 }
    });
    // As the first format left it.
    cluster().sql(
        &url,
        "DROP TABLE thoth.seals, thoth.policy_changes, thoth.bundle_versions, thoth.bundles, thoth.endpoints, \
         thoth.index_marks, thoth.decisions, thoth.decision_spans, thoth.sessions, thoth.session_names, \
         thoth.session_records, thoth.agents, thoth.tool_hours, thoth.subtrees, thoth.settings, thoth.tools; \
         DELETE FROM thoth.migrations WHERE number > 1",
    );
    assert_eq!(server(&url).migrate().unwrap(), Format { before: 1, now: 5 });
    says(
        "CREATE TABLE kept AS SELECT number, digest FROM thoth.migrations; UPDATE thoth.migrations SET digest = 'x'",
        "UPDATE thoth.migrations SET digest = (SELECT digest FROM kept WHERE kept.number = migrations.number)",
        |error| matches!(error, PostgresError::Damaged(_)),
    );
    let (empty, role) = (cluster().database(), format!("reader_{}", std::process::id()));
    cluster().sql(&empty, &format!("CREATE ROLE {role} LOGIN"));
    let as_role = |url: &str| server(&url.replace("postgres@", &format!("{role}@")));
    let refused = as_role(&empty).migrate().unwrap_err();
    assert!(matches!(refused, PostgresError::Older { found: 0, .. }), "{refused}");
    assert!(refused.to_string().contains("thothd migrate"), "{refused}");
    cluster().sql(
        &url,
        &format!(
            "GRANT USAGE ON SCHEMA thoth TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA thoth TO \
             {role}"
        ),
    );
    PostgresRecords::new(as_role(&url)).probe().unwrap();
    HeldCall::new(1).consult(&PostgresHolds::new(as_role(&url), "acme"), 1, None, at(0)).unwrap();
}
