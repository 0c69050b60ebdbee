//! The server's file beside a slow and obvious model of it, its limits, and what it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    Added, EVENT_DAYS, Event, EventRecords as _, Events, Filter, Key, KeyRecords as _, KeyState, MAX_EVENT_BYTES,
    MAX_PAGE_BYTES, Page, Records as _, ServerError, ServerStore, USE_SECONDS, event_rows, key_rows, schema,
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

/// What can be done; numbers are small, so that they meet.
#[derive(Debug, Clone)]
enum Step {
    AddKey {
        tenant: &'static str,
        id: u8,
        digest: u8,
        ends: Option<i64>,
    },
    Revoke {
        tenant: &'static str,
        id: u8,
    },
    Use {
        digest: u8,
    },
    AddEvents {
        tenant: &'static str,
        events: Vec<(u8, &'static str, Option<&'static str>)>,
    },
    Page {
        tenant: &'static str,
        agent: Option<&'static str>,
        session: Option<&'static str>,
        oldest_first: bool,
        limit: u32,
    },
    Reopen,
}

fn tenant() -> impl Strategy<Value = &'static str> {
    select(&["acme", "acme2", "beta"][..])
}

fn step() -> impl Strategy<Value = Step> {
    let name = || select(&["a", "b", "a:b"][..]);
    prop_oneof![
        (tenant(), 0..6u8, 0..6u8, option::of(0..9i64)).prop_map(|(tenant, id, digest, ends)| Step::AddKey {
            tenant,
            id,
            digest,
            ends
        }),
        (tenant(), 0..6u8).prop_map(|(tenant, id)| Step::Revoke { tenant, id }),
        (0..6u8).prop_map(|digest| Step::Use { digest }),
        (tenant(), vec((0..9u8, name(), option::of(name())), 0..5))
            .prop_map(|(tenant, events)| Step::AddEvents { tenant, events }),
        (tenant(), option::of(name()), option::of(name()), any::<bool>(), 1..4u32).prop_map(
            |(tenant, agent, session, oldest_first, limit)| Step::Page { tenant, agent, session, oldest_first, limit }
        ),
        Just(Step::Reopen),
    ]
}

/// One event of the model: tenant, id, session, agent, body.
type Told = (&'static str, String, &'static str, Option<&'static str>, String);

/// Lists, and a search through all of them for everything.
#[derive(Default)]
struct Model {
    keys: Vec<(u8, Key)>,
    events: Vec<Told>,
}

impl Model {
    fn add_key(&mut self, key: &Key, digest: u8) -> bool {
        let is_new = self.keys.iter().all(|(other, known)| *other != digest && known.id != key.id);
        if is_new {
            self.keys.push((digest, key.clone()));
        }
        is_new
    }

    fn key(&mut self, which: impl Fn(&(u8, Key)) -> bool) -> Option<&mut Key> {
        self.keys.iter_mut().find(|entry| which(entry)).map(|(_, key)| key)
    }

    fn add_event(&mut self, told: Told) -> bool {
        let is_new = self.events.iter().all(|known| (known.0, &known.1) != (told.0, &told.1));
        if is_new {
            self.events.push(told);
        }
        is_new
    }

    fn matching(&self, tenant: &str, filter: &Filter<'_>, oldest_first: bool) -> Vec<String> {
        let fits = |told: &&Told| {
            told.0 == tenant
                && filter.session.is_none_or(|session| told.2 == session)
                && filter.agent.is_none_or(|agent| told.3 == Some(agent))
        };
        let mut bodies: Vec<String> = self.events.iter().filter(fits).map(|told| told.4.clone()).collect();
        if !oldest_first {
            bodies.reverse();
        }
        bodies
    }
}

/// Reads pages until there are no more.
fn all_pages(store: &ServerStore, tenant: &str, filter: &Filter<'_>, oldest_first: bool, limit: u32) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut beyond = None;
    loop {
        let page: Events = store.events(tenant, filter, &Page { beyond, oldest_first, limit }).unwrap();
        assert!(page.bodies.len() <= limit as usize && (!page.more || !page.bodies.is_empty()));
        bodies.extend(page.bodies);
        if !page.more {
            return bodies;
        }
        beyond = page.last;
    }
}

fn take(step: Step, number: i64, store: &ServerStore, model: &mut Model) -> Result<(), TestCaseError> {
    match step {
        Step::AddKey { tenant, id, digest, ends } => {
            let made = Key { expires_at: ends.map(at), created_at: at(number), ..key(tenant, &format!("key_{id}")) };
            let added = store.add_key(&made, &[digest; 32]);
            prop_assert!(matches!(added, Ok(()) | Err(ServerError::KeyExists)), "{added:?}");
            prop_assert_eq!(added.is_ok(), model.add_key(&made, digest));
        }
        Step::Revoke { tenant, id } => {
            let id = format!("key_{id}");
            let known = model.key(|(_, key)| key.tenant == tenant && key.id == id);
            let expected = known.map(|key| {
                key.revoked_at = key.revoked_at.or(Some(at(number)));
                key.clone()
            });
            prop_assert_eq!(store.revoke_key(tenant, &id, at(number)).unwrap(), expected);
        }
        Step::Use { digest } => {
            let found = store.key_by_digest(&[digest; 32]).unwrap();
            if let Some(found) = &found {
                store.key_was_used(found, at(number)).unwrap();
            }
            if let Some(known) = model.key(|(other, _)| *other == digest) {
                prop_assert_eq!(found.as_ref(), Some(&*known));
                let is_news =
                    known.last_used_at.is_none_or(|last| at(number).duration_since(last).as_secs() >= USE_SECONDS);
                known.last_used_at = if is_news { Some(at(number)) } else { known.last_used_at };
            } else {
                prop_assert_eq!(found, None);
            }
        }
        Step::AddEvents { tenant, events } => {
            let told: Vec<Told> = events
                .into_iter()
                .enumerate()
                .map(|(place, (id, session, agent))| {
                    (tenant, format!("{tenant}:{id}"), session, agent, format!("{{\"n\":\"{number}/{place}\"}}"))
                })
                .collect();
            let sent: Vec<Event<'_>> = told
                .iter()
                .map(|(_, id, session, agent, body)| Event { session, agent: *agent, ..event(id, body) })
                .collect();
            let added = store.add_events(tenant, &sent, at(number)).unwrap();
            let new = told.iter().filter(|told| model.add_event((*told).clone())).count();
            prop_assert_eq!(added, Added { new, known: told.len() - new });
        }
        Step::Page { tenant, agent, session, oldest_first, limit } => {
            let filter = Filter { agent, session, ..Filter::default() };
            let expected = model.matching(tenant, &filter, oldest_first);
            prop_assert_eq!(all_pages(store, tenant, &filter, oldest_first, limit), expected);
        }
        Step::Reopen => {}
    }
    for tenant in ["acme", "acme2", "beta", "nobody"] {
        let of_tenant = model.keys.iter().rev().filter(|(_, key)| key.tenant == tenant);
        let expected: Vec<Key> = of_tenant.map(|(_, key)| key.clone()).collect();
        prop_assert_eq!(store.keys(tenant).unwrap(), expected);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends: keys and events are what was put in, of the tenant that is asked for and of no other, over two stores of
    /// one file and over reopening; and what was taken back stays so.
    #[test]
    fn the_store_is_its_model(steps in vec((step(), any::<bool>()), 1..30)) {
        let (_folder, mut one) = store();
        let mut two = ServerStore::new(one.path().to_owned());
        let mut model = Model::default();
        for (number, (step, second)) in steps.into_iter().enumerate() {
            if matches!(step, Step::Reopen) {
                one = ServerStore::new(one.path().to_owned());
            }
            let number = i64::try_from(number).unwrap() * 20;
            take(step, number, if second { &two } else { &one }, &mut model)?;
        }
        two = ServerStore::new(one.path().to_owned());
        for tenant in ["acme", "acme2", "beta"] {
            let expected = model.matching(tenant, &Filter::default(), true);
            prop_assert_eq!(all_pages(&two, tenant, &Filter::default(), true, 2), expected);
        }
    }
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

/// Defends: one event and one page take bounded memory; whatever the size of events, pages lead through all of them.
#[test]
fn pages_are_bounded_in_bytes() {
    let (_folder, store) = store();
    let body = "x".repeat(MAX_EVENT_BYTES);
    let ids: Vec<String> = (0..40).map(|id| format!("t:{id}")).collect();
    let events: Vec<Event<'_>> = ids.iter().map(|id| event(id, &body)).collect();
    store.add_events("t", &events, at(0)).unwrap();
    let page = store.events("t", &Filter::default(), &Page { beyond: None, oldest_first: true, limit: 1000 }).unwrap();
    assert!(page.more && page.bodies.len() == MAX_PAGE_BYTES / MAX_EVENT_BYTES, "{}", page.bodies.len());
    assert_eq!(all_pages(&store, "t", &Filter::default(), false, 1000).len(), 40);
    let large = "x".repeat(MAX_EVENT_BYTES + 1);
    let refused = store.add_events("t", &[event("t:a", "{}"), event("t:b", &large)], at(0));
    assert!(matches!(refused, Err(ServerError::EventTooLarge(_))), "{refused:?}");
    assert_eq!(all_pages(&store, "t", &Filter::default(), true, 1000).len(), 40, "all or none");
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
