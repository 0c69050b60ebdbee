//! The limits of the server's file, and what it refuses. What every such store must do is in the suite of the testkit.

mod migrations;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    Added, EVENT_DAYS, Event, Filter, Key, KeyRecords as _, KeyState, Page, Records as _, ServerError, ServerStore,
    event_rows, key_rows, schema,
};
use crate::error::Fault;
use crate::{SqliteHolds, schema as schemas};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn in_memory() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    schemas::bring_up_to_date(&mut connection, &schema::SERVER, std::path::Path::new("memory")).unwrap();
    connection
}

fn store() -> (TempDir, ServerStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = ServerStore::new(folder.path().join("thothd.db"));
    (folder, store)
}

fn key(tenant: &str, id: &str) -> Key {
    Key {
        id: id.to_owned(),
        tenant: tenant.to_owned(),
        name: None,
        scope_level: "organization".to_owned(),
        scope_target: None,
        permissions: vec!["read".to_owned(), "write".to_owned()],
        reason: None,
        created_at: at(0),
        expires_at: None,
        revoked_at: None,
        last_used_at: None,
    }
}

fn event<'e>(id: &'e str, body: &'e str) -> Event<'e> {
    Event { id, session: "s", agent: None, tool: None, kind: "TOOL_CALL_PRE", occurred_at: None, body }
}

/// Defends: a key that was taken back or is over opens nothing, to the nanosecond; being taken back says more.
#[test]
fn when_a_key_is_over() {
    let nanosecond = jiff::SignedDuration::from_nanos(1);
    let ends = Key { expires_at: Some(at(10)), ..key("t", "k") };
    let revoked = Key { revoked_at: Some(at(5)), ..ends.clone() };
    for (key, now, expected) in [
        (&key("t", "k"), at(1_000_000), KeyState::Valid),
        (&key("t", "k"), at(-1), KeyState::Valid),
        (&ends, at(10) - nanosecond, KeyState::Valid),
        (&ends, at(10), KeyState::Expired),
        (&ends, at(-1), KeyState::Expired),
        (&revoked, at(0), KeyState::Revoked),
        (&revoked, at(20), KeyState::Revoked),
    ] {
        assert_eq!(key.state_at(now), expected, "{key:?} {now}");
    }
}

/// Defends: no tenant fills the disk, and none takes room from another.
#[test]
fn what_is_kept_is_bounded() {
    let connection = in_memory();
    let put = |tenant: &str, id: u32, bytes: usize, day: i64| {
        let (id, body) = (format!("{tenant}:{id}"), "x".repeat(bytes));
        event_rows::add(&connection, tenant, &[event(&id, &body)], 1000, at(day * 86_400)).unwrap()
    };
    let left = |tenant: &str| {
        let page = Page { beyond: None, oldest_first: true, limit: 1000 };
        let bodies = event_rows::page(&connection, tenant, &Filter::default(), &page).unwrap().bodies;
        let told: i64 = connection
            .query_row("SELECT event_bytes FROM tenants WHERE tenant = ?1", [tenant], |row| row.get(0))
            .unwrap();
        let bytes: usize = bodies.iter().map(String::len).sum();
        assert_eq!(told, i64::try_from(bytes).unwrap(), "the sum is kept");
        (bodies.len(), bytes)
    };
    put("beta", 0, 1000, 0);
    for id in 0..20 {
        put("acme", id, 100, 0);
    }
    assert_eq!(left("acme"), (10, 1000));
    assert_eq!(put("acme", 19, 100, 0), Added { new: 0, known: 1 });
    put("acme", 20, 950, 1);
    assert_eq!(left("acme"), (1, 950), "as many went as it took");
    assert_eq!(left("beta"), (1, 1000));
    put("acme", 21, 10, EVENT_DAYS + 1);
    assert_eq!(left("acme"), (2, 960), "a day too young to go");
    put("acme", 22, 10, EVENT_DAYS + 2);
    assert_eq!(left("acme"), (2, 20), "old ones go");

    let add = |tenant: &str, id: u8| key_rows::insert(&connection, &key(tenant, &id.to_string()), &[id; 32], 5);
    for id in 0..5 {
        add("acme", id).unwrap();
    }
    let full = add("acme", 5);
    assert!(matches!(full, Err(Fault::Server(ServerError::TooManyKeys))), "{full:?}");
    add("beta", 5).unwrap();
}

/// Defends: the file is private, nothing is made by looking, another kind of file is not taken for it, and the text of a
/// key has no way in.
#[test]
fn the_file() {
    let (folder, store) = store();
    assert_eq!(store.key_by_digest(&[0; 32]).unwrap(), None);
    assert_eq!(store.keys("t").unwrap(), []);
    assert!(!store.path().exists());
    store.open().unwrap();
    assert_eq!(fs::metadata(store.path()).unwrap().permissions().mode() & 0o777, 0o600);

    let path = |name: &str| folder.path().join(name);
    ServerStore::new(path("state.db")).open().unwrap();
    let mistaken = SqliteHolds::new(path("state.db"), path("ledger")).check().unwrap_err().to_string();
    assert!(mistaken.contains("another kind of file"), "{mistaken}");
    fs::write(path("text.db"), "no database at all\n".repeat(100)).unwrap();
    let mistaken = ServerStore::new(path("text.db")).keys("t").unwrap_err().to_string();
    assert!(mistaken.contains("another kind of file"), "{mistaken}");
}

/// Defends: whoever asks whether the file can be used hears no as soon as it is full, or gone, and yes again once it is back;
/// asking changes nothing.
#[test]
fn what_a_probe_finds() {
    let (folder, store) = store();
    store.probe().unwrap();
    assert!(store.add_key(&key("acme", "one"), &[1; 32]).is_ok());
    let full = |is_full: bool| {
        let pages = |connection: &Connection| -> i64 {
            connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap()
        };
        let limit = |connection: &Connection| {
            let most = if is_full { pages(connection) } else { 1_000_000 };
            connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
            Ok(())
        };
        super::read(&store.keys, limit).unwrap();
    };
    full(true);
    let said = store.probe().unwrap_err().to_string();
    assert!(said.contains("the disk is full"), "{said}");
    full(false);
    for _ in 0..3 {
        store.probe().unwrap();
    }
    let away = folder.path().join("away");
    fs::rename(store.path(), &away).unwrap();
    for _ in 0..2 {
        let said = store.probe().unwrap_err().to_string();
        assert!(said.contains("cannot find") && !store.path().exists(), "{said}");
        assert_eq!(store.keys("acme").unwrap(), []);
    }
    fs::rename(&away, store.path()).unwrap();
    store.probe().unwrap();
    assert_eq!(store.keys("acme").unwrap().len(), 1);
    let tables = |connection: &Connection| {
        let count = "SELECT count(*) FROM sqlite_schema WHERE name = 'probe'";
        Ok(connection.query_row(count, [], |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(super::read(&store.keys, tables).unwrap(), Some(0));
}
