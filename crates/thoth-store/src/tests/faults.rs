//! Files that are not as they should be, and what else can go wrong.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Barrier;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use thoth_gate::hold::{Consulted, HoldState};
use thoth_gate::{Holds as _, HoldsError};
use thoth_testkit::holds_suite::{HeldCall, answer, at, vote};
use thoth_types::HoldToken;

use super::Scene;
use crate::file::Settings;
use crate::{SqliteHolds, StoreError};

fn token(number: u128) -> HoldToken {
    HoldToken::new(number.to_be_bytes())
}

fn ask(store: &SqliteHolds, number: u16) -> Result<Consulted, HoldsError> {
    HeldCall::new(number).consult(store, u128::from(number), Some("a"), at(0))
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Defends: a session that holds nothing pays nothing, and what is made is private.
#[test]
fn nothing_is_made_before_it_is_needed() {
    let scene = Scene::new();
    let store = scene.store();
    assert!(store.list().unwrap().is_empty());
    assert!(store.lapsed(at(0)).unwrap().is_empty());
    assert!(store.grants(at(0)).unwrap().is_empty());
    assert!(store.find("abcd").unwrap().is_empty());
    assert!(!store.changed().unwrap());
    store.check().unwrap();
    assert!(matches!(store.look(&token(1)), Err(HoldsError::Unknown(_))));
    assert!(matches!(vote(&store, &token(1), &answer(0, true, at(0))), Err(HoldsError::Unknown(_))));
    assert!(matches!(store.revoke("grant_1"), Err(HoldsError::Unknown(_))));
    assert_eq!(fs::read_dir(scene.folder.path()).unwrap().count(), 0);
    ask(&store, 1).unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&scene.folder.path().join(name)), 0o600, "{name}");
    }
    fs::set_permissions(scene.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(scene.store().list().unwrap().len(), 1);
    assert_eq!(mode(&scene.path()), 0o600, "it was opened to others, and is private again");
    let nowhere = SqliteHolds::new(scene.folder.path().join("none/state.db"), "/ledger".into());
    assert!(nowhere.list().unwrap().is_empty());
    let error = ask(&nowhere, 1).unwrap_err().to_string();
    assert!(error.contains("cannot reach the folder of") && error.contains("none/state.db"), "{error}");
}

/// Defends: what is not our file is neither used nor changed nor begun anew, and the error says what, where, and what to
/// do. Once it is out of the way, the same store works.
#[test]
fn the_table_of_files_that_are_not_ours() {
    type Make = fn(&Scene);
    let cases: [(&str, Make, &str); 10] = [
        (
            "a symbolic link to a good file",
            |s| {
                ask(&SqliteHolds::new(s.folder.path().join("other"), "/l".into()), 1).unwrap();
                symlink(s.folder.path().join("other"), s.path()).unwrap();
            },
            "is a symbolic link",
        ),
        (
            "a symbolic link to nothing",
            |s| symlink(s.folder.path().join("other"), s.path()).unwrap(),
            "is a symbolic link",
        ),
        ("a folder", |s| fs::create_dir(s.path()).unwrap(), "is no plain file"),
        (
            "a second name",
            |s| {
                fs::write(s.folder.path().join("other"), "").unwrap();
                fs::hard_link(s.folder.path().join("other"), s.path()).unwrap();
            },
            "second name",
        ),
        ("text", |s| fs::write(s.path(), "held calls: none\n".repeat(100)).unwrap(), "is another kind of file"),
        (
            "another program's database",
            |s| s.raw().execute_batch("CREATE TABLE t (x)").unwrap(),
            "is another kind of file",
        ),
        (
            "another program's empty database",
            |s| {
                s.raw().execute_batch("PRAGMA application_id = 7; PRAGMA user_version = 1; VACUUM").unwrap();
            },
            "is another kind of file",
        ),
        (
            "a newer version's",
            |s| {
                ask(&s.store(), 1).unwrap();
                s.raw().execute_batch("PRAGMA user_version = 3").unwrap();
            },
            "written by a newer version of thoth (its format is 3, the newest known here is 2); update thoth",
        ),
        (
            "damaged",
            |s| {
                (1..40).for_each(|number| drop(ask(&s.store(), number).unwrap()));
                let mut bytes = fs::read(s.path()).unwrap();
                bytes.iter_mut().skip(4096).for_each(|byte| *byte = 0xaa);
                fs::write(s.path(), bytes).unwrap();
            },
            "is damaged",
        ),
        (
            "cut short",
            |s| {
                (1..40).for_each(|number| drop(ask(&s.store(), number).unwrap()));
                let bytes = fs::read(s.path()).unwrap();
                fs::write(s.path(), &bytes[..8192]).unwrap();
            },
            "is damaged",
        ),
    ];
    for (name, make, expected) in cases {
        let scene = Scene::new();
        make(&scene);
        let before = fs::read(scene.path()).ok();
        let store = scene.store();
        let read = store.list().expect_err(name).to_string();
        let written = ask(&store, 1).expect_err(name).to_string();
        for error in [read, written] {
            assert!(error.contains(expected) && error.contains("state.db"), "{name}: {error}");
            let advised = ["remove it", "move it away", "update thoth"].iter().any(|advice| error.contains(advice));
            assert!(advised, "{name}: {error}");
        }
        assert_eq!(fs::read(scene.path()).ok(), before, "{name}");
        let away = scene.folder.path().join("away");
        fs::rename(scene.path(), &away).unwrap();
        for suffix in ["-wal", "-shm"] {
            drop(fs::remove_file(scene.folder.path().join(format!("state.db{suffix}"))));
        }
        assert!(matches!(ask(&store, 1), Ok(Consulted::Created(..))), "{name}: and then it works");
    }
}

/// Defends: where a file was moved away while it was open, nobody goes on writing where nobody reads.
#[test]
fn a_file_that_is_moved_away_is_left() {
    let scene = Scene::new();
    let (one, two) = (scene.store(), scene.store());
    ask(&one, 1).unwrap();
    ask(&two, 2).unwrap();
    fs::rename(scene.path(), scene.folder.path().join("away")).unwrap();
    for suffix in ["-wal", "-shm"] {
        fs::rename(
            scene.folder.path().join(format!("state.db{suffix}")),
            scene.folder.path().join(format!("away{suffix}")),
        )
        .unwrap();
    }
    assert!(one.list().unwrap().is_empty());
    ask(&one, 3).unwrap();
    assert!(two.changed().unwrap());
    assert_eq!(two.list().unwrap().iter().map(|hold| hold.token.clone()).collect::<Vec<_>>(), [token(3)]);
    one.check().unwrap();
}

/// Defends: a process that keeps the file to itself makes the others refuse, in bounded time, and not wait or guess; they
/// still read, and go on once it is free.
#[test]
fn a_file_that_stays_locked() {
    let scene = Scene::new();
    let store = scene.store_with(Settings { patience: Duration::from_millis(20), ..Settings::default() });
    ask(&store, 1).unwrap();
    let other = scene.raw();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = ask(&store, 2).unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    let HoldsError::Store(source) = error else { panic!("{error:?}") };
    assert!(matches!(source.downcast_ref(), Some(StoreError::Busy { .. })));
    assert!(vote(&store, &token(1), &answer(1000, true, at(1))).is_err());
    assert_eq!(store.look(&token(1)).unwrap().state, HoldState::Pending);
    other.execute_batch("ROLLBACK").unwrap();
    vote(&store, &token(1), &answer(1000, true, at(1))).unwrap();
    // The same while it is opened.
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE").unwrap();
    drop(store);
    other.execute_batch("BEGIN IMMEDIATE; COMMIT").unwrap();
    let store = scene.store_with(Settings { patience: Duration::from_millis(20), ..Settings::default() });
    let error = store.list().unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    drop(other);
    assert_eq!(store.list().unwrap().len(), 1);
}

/// Defends: without room, a call is refused with what to do, nothing is half written, and what was held stays.
#[test]
fn a_full_disk() {
    let scene = Scene::new();
    ask(&scene.store(), 1).unwrap();
    let pages: u32 = scene.raw().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let store = scene.store_with(Settings { max_pages: Some(pages + 2), ..Settings::default() });
    let large = HeldCall { arguments: vec![b'x'; 1 << 16].into(), ..HeldCall::new(2) };
    let error = large.consult(&store, 2, Some("a"), at(0)).unwrap_err().to_string();
    assert!(error.contains("the disk is full") && error.contains("make room"), "{error}");
    assert_eq!(store.list().unwrap().len(), 1);
    vote(&store, &token(1), &answer(1000, true, at(1))).unwrap();
    assert!(matches!(ask(&store, 1), Ok(Consulted::Spent(_))));
    store.check().unwrap();
    large.consult(&scene.store(), 2, Some("a"), at(0)).unwrap();
}

/// Does this, again while others are in the way for longer than a store waits.
fn patiently<T>(mut act: impl FnMut() -> Result<T, HoldsError>) -> Result<T, HoldsError> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match act() {
            Err(HoldsError::Store(source))
                if matches!(source.downcast_ref(), Some(StoreError::Busy { .. })) && Instant::now() < deadline => {}
            result => return result,
        }
    }
}

/// Defends: of many that begin the file at the same moment, and of those that read it meanwhile, none fails, and all mean
/// the same file.
#[test]
fn many_begin_the_file_at_once() {
    for _ in 0..20 {
        let scene = Scene::new();
        let start = Barrier::new(12);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (scene, start) = (&scene, &start);
                scope.spawn(move || {
                    start.wait();
                    while patiently(|| scene.store().list()).unwrap().is_empty() {}
                });
            }
            for number in 1..=8 {
                let (store, start) = (scene.store(), &start);
                scope.spawn(move || {
                    start.wait();
                    patiently(|| ask(&store, number)).unwrap();
                });
            }
        });
        assert_eq!(scene.store().list().unwrap().len(), 8);
        scene.store().check().unwrap();
    }
}

/// Defends: whoever waits for an answer notices what another process wrote, and only asks again then.
#[test]
fn another_process_is_noticed() {
    let scene = Scene::new();
    let (waiting, answering) = (scene.store(), scene.store());
    ask(&waiting, 1).unwrap();
    waiting.changed().unwrap();
    assert!(!waiting.changed().unwrap());
    vote(&answering, &token(1), &answer(1000, true, at(1))).unwrap();
    assert!(waiting.changed().unwrap());
    assert!(!waiting.changed().unwrap());
    // Reading changes nothing.
    answering.list().unwrap();
    assert!(matches!(ask(&answering, 1), Ok(Consulted::Spent(_))));
    assert!(waiting.changed().unwrap());
    assert!(!waiting.changed().unwrap());
}

/// Defends: of two holds of one call, the database itself refuses the second, should the code above it ever fail.
#[test]
fn the_file_refuses_a_second_open_hold() {
    let scene = Scene::new();
    ask(&scene.store(), 1).unwrap();
    let raw: Connection = scene.raw();
    let copy =
        "INSERT INTO holds SELECT number + 1, ?1, binding, agent, server, ledger, 'approved', created_at, ends_at,
                over_at, 0, arguments, argument_bytes, document FROM holds";
    let error = raw.execute(copy, ["f".repeat(32)]).unwrap_err();
    assert!(error.to_string().contains("UNIQUE constraint failed"), "{error}");
}
