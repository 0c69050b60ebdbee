//! Files of every version before, with rows in them.

use super::{at, key};
use crate::server::bundles::BundleRecords as _;
use crate::server::endpoints::EndpointRecords as _;
use crate::server::inventory::InventoryRecords as _;
use crate::server::schema::SERVER;
use crate::server::settings::{Settings, SettingsRecords as _};
use crate::server::{EventRecords as _, Filter, KeyRecords as _, Page, Records as _, ServerStore};
use crate::tests::grown;

/// What each format could first have.
const ROWS: &[&str] = &[
    "
INSERT INTO keys (id, tenant, digest, name, scope_level, scope_target, permissions, reason, created_at)
VALUES ('key_1', 'acme', zeroblob(32), 'ops', 'agent', 'bot', 'execute,write', 'why', 1800000000000000000);
INSERT INTO events (tenant, id, session, agent, tool, kind, received_at, body)
VALUES ('acme', 'event_1', 's', 'bot', 'read', 'TOOL_CALL_PRE', 1800000000000000000, '{\"a\":1.50}');
INSERT INTO tenants (tenant, event_bytes) VALUES ('acme', 10);
",
    "
INSERT INTO endpoints (tenant, id, hostname, fleet, agents, events_pending, created_at, updated_at, last_seen,
                       quarantined_at, quarantined_by, quarantine_reason)
VALUES ('acme', 'm1', 'mac.local', 'berlin', '[\"bot\"]', 3, 1800000000000000000, 1800000000000000000,
        1800000001000000000, 1800000002000000000, 'ops', 'lost');
",
    "
INSERT INTO bundles (number, tenant, id, name, active, previous, assignments, created_at, updated_at)
VALUES (1, 'acme', 'bundle_1', 'pay', 2, 1, '[\"agent:bot\"]', 1800000000000000000, 1800000000000000000);
INSERT INTO bundle_versions (bundle, version, digest, body, description, decisions, created_by, created_at)
VALUES (1, 1, 'sha256:1', 'one', NULL, 'remote', 'ops', 1800000000000000000),
       (1, 2, 'sha256:2', 'two', 'words', 'remote', 'ops', 1800000000000000000);
INSERT INTO policy_changes (tenant, number) VALUES ('acme', 7);
",
    "
INSERT INTO settings (tenant, revision, document, event_days, updated_at, updated_by)
VALUES ('acme', 4, '{\"enforcement_mode\":\"block\",\"event_retention_days\":30}', 30, 1800000000000000000, 'ops');
INSERT INTO tools (tenant, agent, name, source, fingerprint, changes, first_seen, last_seen, definition)
VALUES ('acme', 'bot', 'read', 'sdk', 'sha256:1', 0, 1800000000000000000, 1800000000000000000, '{}');
",
];

/// Defends invariant 6: keys, quarantines, policies and settings that any version before wrote hold for this one, too.
#[test]
fn files_of_every_version_are_read() {
    for format in 1..=SERVER.migrations.len() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thothd.db");
        grown(&path, &SERVER, ROWS, format);
        let store = ServerStore::new(path.clone());
        store.open().unwrap();
        let has = |since: usize| format >= since;

        let found = store.key_by_digest(&[0; 32]).unwrap().unwrap();
        let words = ["execute".to_owned(), "write".to_owned()];
        assert_eq!(
            (&*found.id, found.scope_target.as_deref(), &found.permissions[..]),
            ("key_1", Some("bot"), &words[..])
        );
        let page = Page { beyond: None, oldest_first: true, limit: 10 };
        assert_eq!(store.events("acme", &Filter::default(), &page).unwrap().bodies, ["{\"a\":1.50}"], "{format}");

        let machine = store.endpoint("acme", "m1").unwrap();
        assert_eq!(machine.is_some(), has(2), "{format}");
        if let Some(machine) = machine {
            assert_eq!((machine.told.fleet.as_deref(), machine.events_pending), (Some("berlin"), Some(3)));
            assert_eq!(machine.quarantine.unwrap().reason.as_deref(), Some("lost"));
        }
        let (number, active) = store.active_bundles("acme").unwrap();
        assert_eq!((number, active.len()), if has(3) { (7, 1) } else { (0, 0) }, "{format}");
        let bundle = store.bundle("acme", "pay").unwrap();
        assert_eq!(
            bundle.as_ref().map(|it| (it.active, it.previous, it.latest)),
            has(3).then_some((Some(2), Some(1), 2))
        );
        let text = store.bundle_version("acme", "bundle_1", 1).unwrap().map(|(_, text)| text);
        assert_eq!(text.as_deref(), has(3).then_some("one"), "{format}");

        let kept = store.settings("acme").unwrap();
        assert_eq!((kept.revision, kept.settings.event_retention_days), if has(4) { (4, Some(30)) } else { (0, None) });
        let tools: Vec<String> = store.tools("acme").unwrap().into_iter().map(|tool| tool.name).collect();
        assert_eq!(tools, ["read"][..usize::from(has(4))], "{format}");

        // It goes on with all of it, and so does whoever opens it next.
        store.add_key(&key("acme", "key_2"), &[2; 32]).unwrap();
        let set = store.set_settings("acme", &Settings::default(), kept.revision, "ops", at(9)).unwrap().unwrap();
        assert_eq!(set.revision, kept.revision + 1, "{format}");
        assert_eq!(ServerStore::new(path).keys("acme").unwrap().len(), 2, "{format}");
    }
}
