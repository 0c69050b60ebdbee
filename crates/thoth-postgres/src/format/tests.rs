//! Databases of every version before, with rows in them.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_audit::seal::SealKey;
use thoth_audit::{Leaves, VerifyOptions, verify};
use thoth_gate::hold::HoldState;
use thoth_gate::{Evidence as _, Holds as _};
use thoth_store::server::bundles::BundleRecords as _;
use thoth_store::server::endpoints::EndpointRecords as _;
use thoth_store::server::index::{DecisionFilter, IndexPage, LedgerIndex as _};
use thoth_store::server::inventory::InventoryRecords as _;
use thoth_store::server::settings::{Settings, SettingsRecords as _};
use thoth_store::server::{EventRecords as _, Filter, KeyRecords as _, Page};
use thoth_testkit::postgres::cluster;

use super::*;
use crate::{Database, DatabaseUrl, PostgresHolds, PostgresIndex, PostgresLedger, PostgresRecords, export, seal_key};

/// What each format could first have, as it was written then: what came later is absent, and means what it meant. The ledger is
/// signed, and comes from one that is.
const ROWS: &[&str] = &[
    r#"
INSERT INTO thoth.tenants VALUES ('acme', 3, 1);
INSERT INTO thoth.holds (tenant, token, binding, agent, server, state, created_at, ends_at, over_at, aside, arguments,
                         argument_bytes, document)
VALUES ('acme', '00000000000000000000000000000001', decode(repeat('00', 32), 'hex'), 'bot', 'api', 'pending',
        1800000000000000000, 1800000900000000000, 1800000900000000000, false, '{}', 2, '{"caller":{"tenant":"acme",
        "user":"u","endpoint":null,"agent":"bot","session":"s","server":"api","intent":null,"approved_scope":[],
        "mode":"block"},"requester":{"account":"key_1","uid":0,"user":null,"client":null},"tool":"write",
        "call_id":"call-1","trace_id":"trace-1","arguments_digest":"digest","why":{"reason":"asks",
        "reason_code":"rule_approve","rule":"ask","place":{"file":"policy.yaml","line":3,"column":5},"risk":"high",
        "policy_digest":"sha256:1"},"requirement":{"approvers":[["local_user"]],"quorum":1,"requester_may_approve":true,
        "terminal":false,"ttl_seconds":900,"longest_grant_seconds":0,"url":null},"votes":[],"spent_by":null,"shown":[]}');
INSERT INTO thoth.grants (tenant, id, agent, server, tool, hold, ends_at, document)
VALUES ('acme', 'grant-1', 'bot', 'api', 'write', '00000000000000000000000000000001', 1800003600000000000,
        '{"requester":{"account":"key_1","uid":0,"user":null,"client":null},"patterns":[],"given":[]}');
INSERT INTO thoth.violations (tenant, agent, at, times) VALUES ('acme', 'bot', 1800000000000000000, 2);
INSERT INTO thoth.keys (tenant, id, digest, name, scope_level, scope_target, permissions, created_at)
VALUES ('acme', 'key_1', decode(repeat('00', 32), 'hex'), 'ops', 'agent', 'bot', 'execute,write', 1800000000000000000);
INSERT INTO thoth.events (tenant, id, session, agent, kind, received_at, body)
VALUES ('acme', 'event_1', 's', 'bot', 'TOOL_CALL_PRE', 1800000000000000000, '{"a":1.50}');
INSERT INTO thoth.event_rooms VALUES ('acme', 10);
INSERT INTO thoth.session_calls
VALUES ('acme', decode(repeat('00', 32), 'hex'), 1, 'read', 1800000000000000000, true);
"#,
    r"
INSERT INTO thoth.endpoints (tenant, id, hostname, fleet, agents, events_pending, created_at, updated_at, last_seen,
                             quarantined_at, quarantined_by, quarantine_reason)
VALUES ('acme', 'm1', 'mac.local', 'berlin', ARRAY['bot'], 3, 1800000000000000000, 1800000000000000000,
        1800000001000000000, 1800000002000000000, 'ops', 'lost');
INSERT INTO thoth.bundles VALUES ('acme', 'bundle_1', 'pay', 2, 1, ARRAY['agent:bot'], 1800000000000000000,
        1800000000000000000, NULL);
INSERT INTO thoth.bundle_versions
VALUES ('acme', 'bundle_1', 1, 'sha256:1', 'one', NULL, 'remote', 'ops', 1800000000000000000),
       ('acme', 'bundle_1', 2, 'sha256:2', 'two', 'words', 'remote', 'ops', 1800000000000000000);
INSERT INTO thoth.policy_changes VALUES ('acme', 7);
INSERT INTO thoth.seals VALUES ('acme', decode(repeat('07', 32), 'hex'));
",
    r"
INSERT INTO thoth.index_marks VALUES ('acme', 'log', 0);
INSERT INTO thoth.agents VALUES ('acme', 'bot', 1800000000000000000, 1800000000000000000, 1, 0, 0, 0, 0);
",
    r#"
INSERT INTO thoth.settings
VALUES ('acme', 4, '{"enforcement_mode":"block","event_retention_days":30}', 30, 1800000000000000000, 'ops');
INSERT INTO thoth.tools
VALUES ('acme', 'bot', 'read', 'sdk', 'sha256:1', NULL, NULL, 0, 1800000000000000000, 1800000000000000000, '{}');
"#,
    r"
INSERT INTO thoth.decisions (tenant, position, at, session, tool, decision, reason_code, reason, risk_score, call, trace,
                             enforcement_trace)
VALUES ('acme', 0, 1800000000000000000, 's', 'read', 'ALLOW', 'default_auto', '', 12, 'call-1', 'trace-1', 'asked-1');
",
];

fn database(url: &str) -> Arc<Database> {
    Database::new(&DatabaseUrl::parse(url).unwrap()).unwrap()
}

fn leaf() -> Leaves {
    let mut leaves = Leaves::new();
    leaves.push_canonical(br#"{"eventType":"TOOL_CALL_PRE"}"#).unwrap();
    leaves
}

/// Statements that make the ledger of another database in one of the first format.
fn ledger_rows() -> String {
    let url = cluster().database();
    let ledger = PostgresLedger::open(database(&url), "acme").unwrap();
    for _ in 0..3 {
        ledger.append(&leaf()).unwrap();
    }
    cluster().sql(
        &url,
        "SELECT format('INSERT INTO thoth.ledgers VALUES (%L, %L, %L, %L, %L, %L, %L);', tenant, origin, signing_key,
                       content_key, size, frontier, checkpoint) FROM thoth.ledgers;
         SELECT format('INSERT INTO thoth.entries VALUES (%L, %L, %L, %L);', tenant, position, leaf_hash, leaf)
             FROM thoth.entries ORDER BY position",
    )
}

/// Makes a database of this format as it grew: each format's migration, and then the rows that it could first have.
fn grown(format: usize, ledger: &str) -> String {
    let url = cluster().database();
    let mut statements = format!("CREATE SCHEMA thoth; {DONE};");
    for (number, (migration, rows)) in (1..).zip(MIGRATIONS.iter().zip(ROWS)).take(format) {
        let digits: String = digest(migration).iter().map(|byte| format!("{byte:02x}")).collect();
        let seen = format!("INSERT INTO thoth.migrations VALUES ({number}, decode('{digits}', 'hex'));");
        let ledger = if number == 1 { ledger } else { "" };
        statements.extend([migration, &*seen, rows, ledger]);
    }
    cluster().sql(&url, &statements);
    url
}

/// Defends invariants 4 and 6: what any version before held, recorded and set is there for this one, which goes on with it.
#[test]
fn databases_of_every_version_are_read() {
    assert_eq!(ROWS.len(), MIGRATIONS.len(), "each format has rows of its own");
    let ledger = ledger_rows();
    let at = |second: i64| Timestamp::from_second(1_800_000_000 + second).unwrap();
    for format in 1..=MIGRATIONS.len() {
        let database = database(&grown(format, &ledger));
        let has = |since: usize| format >= since;
        assert_eq!(database.migrate().unwrap(), Format { before: i32::try_from(format).unwrap(), now: newest() });

        let holds = PostgresHolds::new(Arc::clone(&database), "acme");
        let held = holds.list().unwrap();
        assert_eq!(held.len(), 1, "{format}");
        assert_eq!((&*held[0].tool, &*held[0].arguments, held[0].state), ("write", &b"{}"[..], HoldState::Pending));
        assert_eq!((held[0].created_at, held[0].ends_at, held[0].modified), (at(0), at(900), false));
        assert_eq!(holds.grants(at(1)).unwrap().len(), 1, "{format}");

        let records = PostgresRecords::new(Arc::clone(&database));
        let key = records.key_by_digest(&[0; 32]).unwrap().unwrap();
        assert_eq!((&*key.id, key.scope_target.as_deref(), key.permissions.len()), ("key_1", Some("bot"), 2));
        let page = Page { beyond: None, oldest_first: true, limit: 10 };
        assert_eq!(records.events("acme", &Filter::default(), &page).unwrap().bodies, ["{\"a\":1.50}"], "{format}");

        let machine = records.endpoint("acme", "m1").unwrap();
        let quarantine = machine.and_then(|machine| machine.quarantine).and_then(|quarantine| quarantine.reason);
        assert_eq!(quarantine.as_deref(), has(2).then_some("lost"), "{format}");
        let (number, active) = records.active_bundles("acme").unwrap();
        assert_eq!((number, active.len()), if has(2) { (7, 1) } else { (0, 0) }, "{format}");
        let text = records.bundle_version("acme", "bundle_1", 1).unwrap().map(|(_, text)| text);
        assert_eq!(text.as_deref(), has(2).then_some("one"), "{format}");
        let seal = seal_key(&database, "acme").unwrap();
        assert_eq!(seal.id() == SealKey::new(&[7; 32]).id(), has(2), "{format}");

        let kept = records.settings("acme").unwrap();
        assert_eq!((kept.revision, kept.settings.event_retention_days), if has(4) { (4, Some(30)) } else { (0, None) });
        let tools: Vec<String> = records.tools("acme").unwrap().into_iter().map(|tool| tool.name).collect();
        assert_eq!(tools, ["read"][..usize::from(has(4))], "{format}");
        let index = PostgresIndex::new(Arc::clone(&database), "acme");
        let called = DecisionFilter { enforcement_trace: Some("asked-1"), ..DecisionFilter::default() };
        let all = IndexPage { beyond: None, oldest_first: true, limit: 10 };
        assert_eq!(index.decisions(&called, &all).unwrap().found.len(), usize::from(has(5)), "{format}");
        let set = records.set_settings("acme", &Settings::default(), kept.revision, "ops", at(9)).unwrap().unwrap();
        assert_eq!(set.revision, kept.revision + 1, "{format}");

        PostgresLedger::open(Arc::clone(&database), "acme").unwrap().append(&leaf()).unwrap();
        let home = tempfile::tempdir().unwrap();
        export(&database, "acme", &home.path().join("ledger")).unwrap();
        assert_eq!(verify(&home.path().join("ledger"), &VerifyOptions::default()).unwrap().size, 4, "{format}");
    }
}
