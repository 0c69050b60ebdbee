//! Pins: a file of the version before, what comes back, limits, and several processes.

use std::sync::Arc;

use rusqlite::Connection;
use thoth_gate::pin::{Happened, Pin};
use thoth_gate::{Holds as _, PinKey, Pins, PinsError, Seen};
use thoth_testkit::holds_suite::{HeldCall, at};
use thoth_testkit::pins_suite;
use thoth_types::{Digest, ItemKind, PinState};

use super::Scene;
use crate::schema::MIGRATIONS;
use crate::{MAX_DEFINITION_BYTES, MAX_PINS_OF_SERVER};

fn take(pins: &dyn Pins, seen: &[Seen]) -> Result<Vec<Arc<Pin>>, PinsError> {
    pins.observe(seen, &mut |_| Ok(()), at(0))
}

#[test]
fn the_suite_holds() {
    let scene = Scene::new();
    pins_suite::holds(&scene.store().pins());
}

/// Defends: two connections to one file see one order of things, as two processes do.
#[test]
fn two_connections_agree() {
    let scene = Scene::new();
    pins_suite::two_agree(&scene.store().pins(), &scene.store().pins());
}

/// Defends: a file of the version before keeps its holds and takes pins, and the version before refuses it from then on.
#[test]
fn a_file_of_version_1_becomes_one_of_version_2() {
    let scene = Scene::new();
    HeldCall::new(1).consult(&scene.store(), 1, Some("a"), at(0)).unwrap();
    let raw = scene.raw();
    // What version 1 had: the same without what version 2 added.
    raw.execute_batch("DROP TABLE pins; DROP TABLE binaries; PRAGMA user_version = 1").unwrap();
    let first = Connection::open_in_memory().unwrap();
    first.execute_batch(MIGRATIONS[0]).unwrap();
    let tables = |connection: &Connection| -> Vec<String> {
        let mut statement = connection
            .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY name")
            .unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert_eq!(tables(&raw), tables(&first));
    drop(raw);
    let store = scene.store();
    assert_eq!(store.list().unwrap().len(), 1);
    let seen = pins_suite::seen("files", "read", "{}", true);
    assert_eq!(take(&store.pins(), std::slice::from_ref(&seen)).unwrap()[0].state(), PinState::Approved);
    let format: i64 = scene.raw().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(format, 2);
    assert_eq!(scene.store().pins().look(&seen.key).unwrap().unwrap().first_seen, at(0));
    assert_eq!(scene.store().list().unwrap().len(), 1);
}

/// Defends: a session whose server has not changed anything writes nothing, and one that only looks makes no file.
#[test]
fn what_is_known_costs_no_write() {
    let scene = Scene::new();
    let pins = scene.store().pins();
    let key = PinKey { server: "files".parse().unwrap(), kind: ItemKind::Tool, name: "read".into() };
    assert!(pins.look(&key).unwrap().is_none() && pins.list(None).unwrap().is_empty());
    assert!(!scene.path().exists());
    let seen = [pins_suite::seen("files", "read", "{}", true)];
    take(&pins, &seen).unwrap();
    let version = pins.version().unwrap();
    let blocked = scene.raw();
    blocked.execute_batch("BEGIN IMMEDIATE").unwrap();
    take(&pins, &seen).unwrap();
    assert_eq!(pins.version().unwrap(), version);
    blocked.execute_batch("ROLLBACK").unwrap();
    scene.store().pins().update(&seen[0].key, &mut Pin::revoke).unwrap();
    assert_ne!(pins.version().unwrap(), version, "another connection has changed something");
}

/// Defends: a server cannot fill the disk with definitions, and what was pinned before stays.
#[test]
fn there_is_an_end_to_it() {
    let scene = Scene::new();
    let pins = scene.store().pins();
    let many: Vec<Seen> =
        (0..MAX_PINS_OF_SERVER).map(|n| pins_suite::seen("files", &n.to_string(), "{}", true)).collect();
    take(&pins, &many).unwrap();
    let one_more = pins_suite::seen("files", "one more", "{}", true);
    assert!(matches!(take(&pins, &[one_more]), Err(PinsError::Full(_))));
    take(&pins, &[pins_suite::seen("others", "one more", "{}", true)]).unwrap();
    assert_eq!(pins.list(Some(&"files".parse().unwrap())).unwrap().len(), many.len());
    let long = "x".repeat(2 * MAX_DEFINITION_BYTES + 1);
    assert!(matches!(take(&pins, &[pins_suite::seen("others", "long", &long, true)]), Err(PinsError::Full(_))));
    // A change of what is pinned is still seen.
    let changed = [pins_suite::seen("files", "7", "{\"x\":1}", true)];
    assert_eq!(take(&pins, &changed).unwrap()[0].state(), PinState::Quarantined);
}

/// Defends: what somebody changes in the file by hand is not believed where it contradicts itself.
#[test]
fn a_row_that_contradicts_itself_is_refused() {
    let scene = Scene::new();
    let pins = scene.store().pins();
    let seen = [pins_suite::seen("files", "read", "{}", false)];
    take(&pins, &seen).unwrap();
    for change in ["state = 'approved'", "document = '{}'", "kind = 'tools'", "server = ''"] {
        let raw = scene.raw();
        raw.execute_batch(&format!("BEGIN; UPDATE pins SET {change}; COMMIT")).unwrap();
        drop(raw);
        assert!(matches!(pins.list(None), Err(PinsError::Store(_))), "{change}");
        scene.raw().execute_batch("DELETE FROM pins").unwrap();
        take(&pins, &seen).unwrap();
    }
}

/// A program is known by its file: another stamp is another program.
#[test]
fn programs_are_remembered_as_long_as_they_are_the_same() {
    let scene = Scene::new();
    let pins = scene.store().pins();
    let digest = |byte| Digest([byte; 32]);
    assert_eq!(pins.binary("/bin/a", "1").unwrap(), None);
    assert!(!scene.path().exists());
    for number in 0..300_u32 {
        pins.remember_binary(&format!("/bin/{number:03}"), "1", digest(7)).unwrap();
    }
    pins.remember_binary("/bin/299", "2", digest(8)).unwrap();
    assert_eq!(pins.binary("/bin/299", "1").unwrap(), None);
    assert_eq!(pins.binary("/bin/299", "2").unwrap(), Some(digest(8)));
    let kept: u32 = scene.raw().query_row("SELECT count(*) FROM binaries", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 256);
}

/// Defends: what could not be recorded did not happen.
#[test]
fn without_a_record_nothing_is_pinned() {
    let scene = Scene::new();
    let pins = scene.store().pins();
    let seen = [pins_suite::seen("files", "read", "{}", true)];
    let mut steps = Vec::new();
    let refused = pins.observe(
        &seen,
        &mut |these| {
            steps.extend(these.iter().map(|step| step.happened));
            Err(PinsError::Nothing("no record"))
        },
        at(0),
    );
    assert!(matches!(refused, Err(PinsError::Nothing(_))));
    assert_eq!(steps, [Happened::Pinned]);
    assert!(pins.list(None).unwrap().is_empty());
}
