//! What every store of keys and events must do, whatever it is made of: beside a slow and obvious model of it.

#![expect(clippy::unwrap_used, reason = "it is called by tests, which it fails")]

use std::sync::Barrier;
use std::thread;

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use thoth_store::server::{
    Added, Event, Events, Filter, Key, KeyState, MAX_EVENT_BYTES, MAX_PAGE_BYTES, Page, Records, ServerError,
    USE_SECONDS,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
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

/// A history of what two servers do on one store, and which of them does each step.
#[derive(Debug, Clone)]
pub struct History(Vec<(Step, bool)>);

/// Histories in which tenants, names and numbers meet often.
pub fn history() -> impl Strategy<Value = History> {
    vec((step(), any::<bool>()), 1..30).prop_map(History)
}

/// Lives through a history beside the model: keys and events are what was put in, of the tenant that is asked for and of no
/// other, whichever server is asked and however often the store is opened; and what was taken back stays so.
///
/// # Errors
/// Where it is otherwise.
pub fn live<R: Records>(history: History, open: impl Fn() -> R) -> Result<(), TestCaseError> {
    let (mut one, two) = (open(), open());
    let mut model = Model::default();
    for (number, (step, second)) in history.0.into_iter().enumerate() {
        if matches!(step, Step::Reopen) {
            one = open();
        }
        let number = i64::try_from(number).unwrap() * 20;
        take(step, number, if second { &two } else { &one }, &mut model)?;
    }
    let two = open();
    for tenant in ["acme", "acme2", "beta"] {
        let expected = model.matching(tenant, &Filter::default(), true);
        prop_assert_eq!(all_pages(&two, tenant, &Filter::default(), true, 2), expected);
    }
    Ok(())
}

/// Runs all cases, each on a store of its own. What is given opens the store of a number anew at every call.
pub fn cases<R: Records>(open: impl Fn(usize) -> R + Sync) {
    let cases: [fn(&(dyn Fn() -> R + Sync)); 5] = [
        pages_are_bounded_in_bytes,
        a_taken_back_key_is_so_for_everybody,
        one_key_takes_the_place_of_another,
        odd_names,
        what_is_added_at_once_is_added_once,
    ];
    for (number, case) in cases.into_iter().enumerate() {
        case(&|| open(number));
    }
}

/// Defends: one event and one page take bounded memory; whatever the size of events, pages lead through all of them.
fn pages_are_bounded_in_bytes<R: Records>(open: &(dyn Fn() -> R + Sync)) {
    let store = open();
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

/// Defends: a key that one server takes back is so at the next look of every other, however long they had it before.
fn a_taken_back_key_is_so_for_everybody<R: Records>(open: &(dyn Fn() -> R + Sync)) {
    let (here, there) = (open(), open());
    here.add_key(&key("acme", "k"), &[1; 32]).unwrap();
    for second in 0..20 {
        assert_eq!(there.key_by_digest(&[1; 32]).unwrap().unwrap().state_at(at(second)), KeyState::Valid);
    }
    let taken = here.revoke_key("acme", "k", at(30)).unwrap().unwrap();
    let seen = there.key_by_digest(&[1; 32]).unwrap().unwrap();
    assert_eq!((seen.state_at(at(30)), &seen), (KeyState::Revoked, &taken));
    assert_eq!(there.revoke_key("acme", "k", at(40)).unwrap(), Some(taken), "the first time stays");
    assert_eq!(there.revoke_key("beta", "k", at(40)).unwrap(), None, "another tenant has no such key");
    here.key_was_used(&seen, at(50)).unwrap();
    let states: Vec<_> = there.keys("acme").unwrap().iter().map(|key| key.state_at(at(60))).collect();
    assert_eq!(states, [KeyState::Revoked], "use does not give it back");
}

/// Defends: a key is replaced as a whole or not at all: the old one ends when it was said, never later than it would have, and one
/// that is over or of another tenant makes no new one.
fn one_key_takes_the_place_of_another<R: Records>(open: &(dyn Fn() -> R + Sync)) {
    let (here, there) = (open(), open());
    let ends = Key { expires_at: Some(at(100)), ..key("acme", "ends") };
    for (number, old) in [(1, &key("acme", "now")), (2, &key("acme", "later")), (3, &ends)] {
        here.add_key(old, &[number; 32]).unwrap();
    }
    let replace = |old: &str, new: &str, digest: u8, now: i64, end: i64| {
        there.replace_key(old, &Key { created_at: at(now), ..key("acme", new) }, &[digest; 32], at(now), at(end))
    };
    let gone = replace("now", "n1", 11, 10, 10).unwrap().unwrap();
    assert_eq!((gone.revoked_at, here.key_by_digest(&[1; 32]).unwrap()), (Some(at(10)), Some(gone)));
    assert_eq!(here.key_by_digest(&[11; 32]).unwrap().unwrap().id, "n1");
    let going = replace("later", "n2", 12, 10, 50).unwrap().unwrap();
    assert_eq!((going.revoked_at, going.expires_at), (None, Some(at(50))));
    assert_eq!(here.key_by_digest(&[2; 32]).unwrap().unwrap().state_at(at(49)), KeyState::Valid);
    assert_eq!(replace("ends", "n3", 13, 10, 500).unwrap().unwrap().expires_at, Some(at(100)), "it lives no longer");
    for (old, now) in [("now", 20), ("later", 50), ("none", 20), ("\0", 20)] {
        assert_eq!(replace(old, "n4", 14, now, now + 5).unwrap(), None, "{old}");
        assert_eq!(replace(old, "n4", 14, now, now).unwrap(), None, "{old}");
    }
    assert_eq!(here.key_by_digest(&[14; 32]).unwrap(), None, "no new one");
    let foreign = there.replace_key("ends", &key("beta", "n5"), &[15; 32], at(20), at(30)).unwrap();
    assert_eq!(foreign, None, "another tenant has no such key");
    assert!(matches!(replace("ends", "n1", 16, 20, 20), Err(ServerError::KeyExists)));
    assert_eq!(here.key_by_digest(&[3; 32]).unwrap().unwrap().revoked_at, None, "both or neither");
}

/// Defends: whatever a client calls things, its events are kept whole, and nothing of it is a statement.
fn odd_names<R: Records>(open: &(dyn Fn() -> R + Sync)) {
    let store = open();
    let names = ["'; DROP TABLE events; --", "\u{0}nul", "ä\u{202e}\u{1f600}", "%_\\", "$1", ""];
    for (number, name) in names.iter().enumerate() {
        let (id, body) = (format!("t:{number}"), format!("{{\"n\":{number}}}"));
        let told = Event { session: name, agent: Some(name), tool: Some(name), kind: name, ..event(&id, &body) };
        assert_eq!(store.add_events("t", &[told], at(0)).unwrap().new, 1, "{name:?}");
        let filter = Filter { agent: Some(name), session: Some(name), tool: Some(name), kind: Some(name) };
        assert_eq!(all_pages(&store, "t", &filter, true, 10), [body], "{name:?}");
        assert_eq!(store.revoke_key("t", name, at(0)).unwrap(), None, "{name:?}");
    }
    assert_eq!(all_pages(&store, "t", &Filter::default(), true, 1000).len(), names.len());
}

/// Defends: servers that are told the same events at once keep each once, and whoever follows by cursor meanwhile misses none.
fn what_is_added_at_once_is_added_once<R: Records>(open: &(dyn Fn() -> R + Sync)) {
    const WRITERS: usize = 4;
    const BATCHES: usize = 25;
    let begin = Barrier::new(WRITERS + 1);
    let (new, followed) = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    let store = open();
                    begin.wait();
                    let added = (0..BATCHES).map(|batch| {
                        let ids: Vec<String> = (batch * 3..batch * 3 + 6).map(|id| format!("t:{id}")).collect();
                        let events: Vec<Event<'_>> = ids.iter().map(|id| event(id, "{}")).collect();
                        store.add_events("t", &events, at(0)).unwrap().new
                    });
                    added.sum::<usize>()
                })
            })
            .collect();
        let store = open();
        begin.wait();
        let (mut beyond, mut followed) = (None, 0);
        let mut follow = |ended: bool| loop {
            let page = store.events("t", &Filter::default(), &Page { beyond, oldest_first: true, limit: 7 }).unwrap();
            followed += page.bodies.len();
            beyond = page.last.or(beyond);
            if !page.more {
                return if ended { followed } else { 0 };
            }
        };
        while writers.iter().any(|writer| !writer.is_finished()) {
            follow(false);
        }
        let new: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        (new, follow(true))
    });
    let expected = BATCHES * 3 + 3;
    assert_eq!((new, followed), (expected, expected));
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
fn all_pages(store: &dyn Records, tenant: &str, filter: &Filter<'_>, oldest_first: bool, limit: u32) -> Vec<String> {
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

fn take(step: Step, number: i64, store: &dyn Records, model: &mut Model) -> Result<(), TestCaseError> {
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
