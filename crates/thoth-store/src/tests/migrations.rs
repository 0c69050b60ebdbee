//! Files of every version before, with rows in them.

use thoth_gate::hold::HoldState;
use thoth_gate::{Holds as _, Pins as _};
use thoth_testkit::holds_suite::{answer, at, vote};
use thoth_types::PinState;

use super::{Scene, grown};
use crate::schema::HOLDS;

/// What each format could first have, as it was written then: what came later is absent, and means what it meant.
const ROWS: &[&str] = &[
    r#"
INSERT INTO holds (token, binding, agent, server, ledger, state, created_at, ends_at, over_at, aside, arguments,
                   argument_bytes, document)
VALUES ('00000000000000000000000000000001', zeroblob(32), 'bot', 'files', X'2f6c', 'pending', 1800000000000000000,
        1800000900000000000, 1800000900000000000, 0, X'7b7d', 2, '{"caller":{"tenant":null,"user":null,"endpoint":null,
        "agent":"bot","session":"s","server":"files","intent":null,"approved_scope":["read*"],"mode":"block"},
        "requester":{"account":"dev","uid":1000,"user":null,"client":{"id":7,"started":8}},"tool":"write",
        "call_id":"call-1","trace_id":"trace-1","arguments_digest":"digest","why":{"reason":"asks",
        "reason_code":"rule_approve","rule":"ask","place":{"file":"policy.yaml","line":3,"column":5},"risk":"high",
        "policy_digest":"sha256:1"},"requirement":{"approvers":[["local_terminal",{"account":"root"}]],"quorum":1,
        "requester_may_approve":true,"terminal":false,"ttl_seconds":900,"longest_grant_seconds":3600,"url":null},
        "votes":[],"spent_by":null,"shown":["terminal"]}');
INSERT INTO grants (id, tenant, agent, server, tool, hold, ends_at, document)
VALUES ('grant-1', NULL, 'bot', 'files', 'write', '00000000000000000000000000000001', 1800003600000000000,
        '{"requester":{"account":"dev","uid":1000,"user":null,"client":null},
        "patterns":[{"argument":"path","glob":"/tmp/*"}],"given":[{"account":"root","uid":0,"approves":true,
        "channel":"terminal","origin":"pts/1","at":"2027-01-15T08:00:00Z"}]}');
INSERT INTO violations (agent, at, times) VALUES ('bot', 1800000000000000000, 2);
"#,
    r#"
INSERT INTO pins (server, kind, name, ledger, state, first_seen, definition_bytes, document)
VALUES ('files', 'tool', 'read', X'2f6c', 'approved', 1800000000000000000, 2, '{"approved":{"version":{
        "digest":"sha256:0000000000000000000000000000000000000000000000000000000000000001","fields":[],
        "definition":"{}","seen_at":"2027-01-15T08:00:00Z"},"by":null,"channel":null,"origin":"first use",
        "at":"2027-01-15T08:00:00Z","accepted":[]},"candidate":null,"revoked":false}');
INSERT INTO binaries (path, stamp, digest) VALUES ('/usr/bin/node', 'stamp', zeroblob(32));
"#,
];

/// Defends: what was held, granted and pinned by any version before is there for this one, which goes on with it.
#[test]
fn files_of_every_version_are_read() {
    for format in 1..=HOLDS.migrations.len() {
        let scene = Scene::new();
        grown(&scene.path(), &HOLDS, ROWS, format);
        let store = scene.store();
        let held = store.list().unwrap();
        assert_eq!(held.len(), 1, "{format}");
        let hold = &held[0];
        assert_eq!((&*hold.tool, &*hold.arguments, hold.state), ("write", &b"{}"[..], HoldState::Pending));
        assert_eq!((hold.why.place.as_ref().unwrap().line, hold.modified, &*hold.also_sent), (3, false, ""));
        assert_eq!((hold.created_at, hold.ends_at), (at(0), at(900)));
        let grants = store.grants(at(1)).unwrap();
        assert_eq!((grants.len(), grants[0].patterns.len(), grants[0].given[0].approver.uid), (1, 1, 0), "{format}");
        let answered = vote(&store, &hold.token, &answer(0, true, at(1))).unwrap();
        assert_eq!(answered.state, HoldState::Approved, "{format}");
        let pins = store.pins().list(None).unwrap();
        let found: Vec<_> = pins.iter().map(|pin| (&*pin.key.name, pin.state(), pin.first_seen)).collect();
        let expected = [("read", PinState::Approved, at(0))];
        assert_eq!(found, expected[..usize::from(format >= 2)], "{format}");
        let raw = scene.raw();
        let count = |sql: &str| raw.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT sum(times) FROM violations"), 2, "{format}");
        assert_eq!(count("SELECT count(*) FROM binaries"), i64::from(format >= 2), "{format}");
        assert_eq!(usize::try_from(count("PRAGMA user_version")).unwrap(), HOLDS.migrations.len());
    }
}
