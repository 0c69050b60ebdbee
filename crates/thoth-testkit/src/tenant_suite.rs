//! What every store of settings and of agents' tools must do, whatever it is made of.

#![expect(clippy::unwrap_used, reason = "it is called by tests, which it fails")]

use jiff::{SignedDuration, Timestamp};
use thoth_store::server::inventory::{ListedTool, MAX_TOOLS_OF_AGENT, MAX_TOOLS_OF_TENANT, Noted, TOOL_DAYS};
use thoth_store::server::settings::{KeptSettings, Settings};
use thoth_store::server::{Event, Filter, Page, Records};

/// How many cases there are.
pub const CASES: usize = 3;

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(24 * number)
}

/// Runs all cases, each on a store of its own. What is given opens the store of a number anew at every call.
pub fn cases<R: Records>(open: impl Fn(usize) -> R) {
    let cases: [fn(&dyn Fn() -> R); CASES] =
        [one_of_two_sets_settings, events_are_kept_as_long_as_is_set, tools_become_others];
    for (number, case) in cases.into_iter().enumerate() {
        case(&|| open(number));
    }
}

/// Defends: of two who saw the same revision one sets, and every change moves the counter by which it is noticed, in one tenant
/// and not in another.
fn one_of_two_sets_settings<R: Records>(open: &dyn Fn() -> R) {
    let (store, other) = (open(), open());
    assert_eq!(store.settings("acme").unwrap(), KeptSettings::default());
    let strict =
        Settings { enforcement_mode: Some("block".to_owned()), enforce_per_minute: Some(7), ..Settings::default() };
    assert_eq!(store.set_settings("acme", &strict, 1, "ops", day(1)).unwrap(), None, "nobody has set any");
    let before = other.policy_change("acme").unwrap();
    let kept = store.set_settings("acme", &strict, 0, "ops", day(1)).unwrap().unwrap();
    let by = Some("ops".to_owned());
    let expected = KeptSettings { revision: 1, settings: strict, updated_at: Some(day(1)), updated_by: by };
    assert_eq!(kept, expected);
    assert_eq!(other.set_settings("acme", &Settings::default(), 0, "eve", day(2)).unwrap(), None, "they have moved");
    assert_eq!(other.settings("acme").unwrap(), expected);
    assert!(other.policy_change("acme").unwrap() > before);
    assert_eq!((other.settings("beta").unwrap().revision, other.policy_change("beta").unwrap()), (0, 0));
    let kept = other.set_settings("acme", &Settings::default(), 1, "eve", day(2)).unwrap().unwrap();
    assert_eq!((kept.revision, kept.settings), (2, Settings::default()));
}

/// Defends: events that are older than is set go with the next that comes, and those of others stay.
fn events_are_kept_as_long_as_is_set<R: Records>(open: &dyn Fn() -> R) {
    let store = open();
    let put = |tenant: &str, id: &str, at: Timestamp| {
        let event = Event { id, session: "s", agent: None, tool: None, kind: "K", occurred_at: None, body: id };
        store.add_events(tenant, &[event], at).unwrap();
    };
    let ids = |tenant: &str| {
        let page = Page { beyond: None, oldest_first: true, limit: 100 };
        store.events(tenant, &Filter::default(), &page).unwrap().bodies
    };
    for tenant in ["acme", "beta"] {
        put(tenant, "a", day(0));
        put(tenant, "b", day(20));
    }
    let week = Settings { event_retention_days: Some(7), ..Settings::default() };
    store.set_settings("acme", &week, 0, "ops", day(20)).unwrap().unwrap();
    for tenant in ["acme", "beta"] {
        put(tenant, "c", day(21));
    }
    assert_eq!((ids("acme"), ids("beta")), (vec!["b".into(), "c".into()], vec!["a".into(), "b".into(), "c".into()]));
}

/// Defends: a tool that became another one is told once, with what it was; one that nobody lists any more makes room, and no
/// more are kept than there may be.
fn tools_become_others<R: Records>(open: &dyn Fn() -> R) {
    let store = open();
    let tool = |name: &'static str, fingerprint: &'static str| ListedTool { name, fingerprint, definition: "{}" };
    let note = |agent: &str, tools: &[ListedTool<'_>], at: Timestamp| {
        store.note_tools("acme", agent, "sdk", tools, at).unwrap()
    };
    let two = [tool("'; DROP TABLE tools; --", "sha256:1"), tool("b", "sha256:1")];
    assert_eq!(note("bot", &two, day(0)), Noted { new: 2, ..Noted::default() });
    assert_eq!(note("bot", &two, day(1)), Noted::default());
    assert_eq!(note("eve", &[tool("b", "sha256:2")], day(1)), Noted { new: 1, ..Noted::default() }, "another agent's");
    let changed = Noted { changed: vec!["b".to_owned()], ..Noted::default() };
    assert_eq!(note("bot", &[tool("b", "sha256:3")], day(2)), changed);
    assert_eq!(note("bot", &[tool("b", "sha256:3")], day(3)), Noted::default());
    assert_eq!(store.tools("beta").unwrap(), []);
    let tools = open().tools("acme").unwrap();
    let b = tools.iter().find(|tool| tool.agent == "bot" && tool.name == "b").unwrap();
    assert_eq!((&*b.fingerprint, b.previous.as_deref(), b.changes), ("sha256:3", Some("sha256:1"), 1));
    assert_eq!((b.first_seen, b.changed_at, b.last_seen), (day(0), Some(day(2)), day(3)));
    assert_eq!(
        tools.iter().map(|tool| (&*tool.agent, &*tool.name)).collect::<Vec<_>>(),
        [("bot", "'; DROP TABLE tools; --"), ("bot", "b"), ("eve", "b")]
    );

    let names: Vec<String> = (0..MAX_TOOLS_OF_AGENT).map(|number| format!("t{number}")).collect();
    let many: Vec<ListedTool<'_>> =
        names.iter().map(|name| ListedTool { name, fingerprint: "sha256:1", definition: "{}" }).collect();
    let all = |agent: &str, at: Timestamp| {
        let noted = many.chunks(400).map(|some| note(agent, some, at));
        noted.fold((0, 0), |(new, refused), noted| (new + noted.new, refused + noted.refused))
    };
    let share = u64::try_from(MAX_TOOLS_OF_AGENT).unwrap();
    assert_eq!(all("mill", day(4)), (share, 0));
    let more = [tool("one more", "sha256:1")];
    let refused = Noted { refused: 1, ..Noted::default() };
    assert_eq!(note("mill", &more, day(4)), refused, "an agent has its share");
    assert_eq!(note("eve", &more, day(4)), Noted { new: 1, ..Noted::default() }, "and others have theirs");
    let agents = MAX_TOOLS_OF_TENANT / MAX_TOOLS_OF_AGENT;
    for number in 1..agents {
        let expected = if number + 1 < agents { (share, 0) } else { (share - 4, 4) };
        assert_eq!(all(&format!("mill {number}"), day(4)), expected, "the others are not old");
    }
    assert_eq!(note("new", &more, day(4)), refused, "there is no more room for anybody");
    let noted = note("new", &more, day(4 + TOOL_DAYS));
    assert_eq!(noted, Noted { new: 1, ..Noted::default() }, "what nobody listed for so long gives way");
    assert_eq!(note("mill", &more, day(5 + TOOL_DAYS)), Noted { new: 1, ..Noted::default() }, "of the agent, too");
    assert_eq!(store.tools("acme").unwrap().len(), 2);
}
