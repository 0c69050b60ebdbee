//! What every store of pins must do, whatever it is made of.

#![expect(clippy::unwrap_used, reason = "it is called by tests, which it fails")]

use std::sync::Arc;

use thoth_gate::pin::{Approval, Happened, Pin, state_of};
use thoth_gate::{PinKey, Pins, PinsError, Seen};
use thoth_types::{Channel, Digest, FieldDigest, Fingerprint, ItemKind, PinState};

use crate::holds_suite::at;

/// A digest that stands for a text; any will do that differs for different texts.
fn digest(text: &str) -> Digest {
    let mut bytes = [0; 32];
    for (index, byte) in text.bytes().enumerate() {
        let slot = bytes.get_mut(index % 32).unwrap();
        *slot = byte.wrapping_add(u8::wrapping_mul(*slot, 31));
    }
    Digest(bytes)
}

/// A definition that a server showed.
#[must_use]
pub fn seen(server: &str, name: &str, definition: &str, pin_at_once: bool) -> Seen {
    let key = PinKey { server: server.parse().unwrap(), kind: ItemKind::Tool, name: name.into() };
    let fields = Arc::from([FieldDigest { field: "name".into(), digest: digest(definition) }]);
    let fingerprint = Fingerprint { digest: digest(definition), fields, definition: definition.into() };
    Seen { key, fingerprint, pin_at_once }
}

fn take(pins: &dyn Pins, seen: &[Seen], second: i64) -> (Vec<PinState>, Vec<Happened>) {
    let mut steps = Vec::new();
    let taken = pins.observe(
        seen,
        &mut |these| {
            steps = these.iter().map(|step| step.happened).collect();
            Ok(())
        },
        at(second),
    );
    let taken = taken.unwrap();
    assert_eq!(taken.len(), seen.len());
    (taken.iter().zip(seen).map(|(pin, one)| state_of(pin, one.fingerprint.digest)).collect(), steps)
}

fn approval(second: i64) -> Approval {
    Approval {
        by: Some("root".into()),
        channel: Some(Channel::Terminal),
        origin: "/dev/pts/1".into(),
        at: at(second),
        accepted: Arc::from(["rule".into()]),
    }
}

/// The life of pins in an empty store.
pub fn holds(pins: &dyn Pins) {
    use Happened::{Changed, Met, Pinned, Restored};
    use PinState::{Approved, Pending, Quarantined, Revoked};
    let (a, b, c) = ("{\"a\":1}", "{\"b\":\"é\\u0000\"}", "{\"c\":3}");
    let read = |text| seen("files", "read", text, true);
    let new = |text| seen("files", "new", text, false);
    // The whole of it in order, several at a time: what is shown, where it then stands, and what has happened.
    let other = || seen("files::read", "", a, true);
    type Case = (Vec<Seen>, Vec<PinState>, Vec<Happened>);
    let cases: Vec<Case> = vec![
        (vec![], vec![], vec![]),
        (vec![read(a), new(a), other()], vec![Approved, Pending, Approved], vec![Pinned, Met, Pinned]),
        (vec![read(a), new(a), other()], vec![Approved, Pending, Approved], vec![]),
        (vec![read(b), new(b)], vec![Quarantined, Pending], vec![Changed, Changed]),
        (vec![read(b)], vec![Quarantined], vec![]),
        (vec![read(c)], vec![Quarantined], vec![Changed]),
        (vec![read(a)], vec![Approved], vec![Restored]),
        // Twice in one listing, and different: the second is a change of the first.
        (vec![read(a), read(b)], vec![Approved, Quarantined], vec![Changed]),
        (vec![read(b), read(a)], vec![Quarantined, Approved], vec![Restored]),
    ];
    for (number, (shown, states, happened)) in (0..).zip(cases) {
        assert_eq!(take(pins, &shown, number), (states, happened), "case {number}");
    }
    let key = read(a).key;
    let kept = pins.look(&key).unwrap().unwrap();
    assert_eq!((kept.state(), kept.first_seen), (Approved, at(1)));
    assert_eq!(*kept.approved.unwrap().0.fingerprint.definition, *a);

    // An approval, of what was looked at.
    take(pins, &[read(b)], 20);
    let version = pins.version().unwrap();
    let stale = pins.update(&key, &mut |pin| pin.approve(read(c).fingerprint.digest, approval(21)));
    assert!(matches!(stale, Err(PinsError::Stale)));
    assert_eq!(pins.look(&key).unwrap().unwrap().state(), Quarantined, "what failed changed nothing");
    let approved = pins.update(&key, &mut |pin| pin.approve(read(b).fingerprint.digest, approval(21))).unwrap();
    assert_eq!(approved, pins.look(&key).unwrap().unwrap());
    assert_eq!(approved.approved.as_ref().map(|(_, approval)| approval), Some(&approval(21)));
    assert_ne!(pins.version().unwrap(), version);
    assert_eq!(take(pins, &[read(b)], 22), (vec![Approved], vec![]));
    assert_eq!(take(pins, &[read(a)], 23), (vec![Quarantined], vec![Changed]));

    // Taken back.
    pins.update(&key, &mut Pin::revoke).unwrap();
    assert_eq!(take(pins, &[read(b), read(a)], 24).0, [Revoked, Revoked]);
    let missing = PinKey { name: "missing".into(), ..key };
    assert!(matches!(pins.update(&missing, &mut Pin::revoke), Err(PinsError::Unknown(_))));

    // Brought along.
    let brought = Pin { key: missing.clone(), ..approved };
    let mut record = |steps: &[thoth_gate::pin::Step]| {
        assert_eq!(steps.iter().map(|step| step.happened).collect::<Vec<_>>(), [Happened::Imported]);
        Ok(())
    };
    assert!(pins.add(&brought, &mut record).unwrap());
    assert!(!pins.add(&Pin { revoked: true, ..brought.clone() }, &mut record).unwrap(), "there is one already");
    assert_eq!(pins.look(&missing).unwrap(), Some(brought));

    let names = |server: Option<&str>| -> Vec<String> {
        let server = server.map(|server| server.parse().unwrap());
        pins.list(server.as_ref()).unwrap().iter().map(|pin| format!("{}/{}", pin.key.server, pin.key.name)).collect()
    };
    assert_eq!(names(None), ["files/missing", "files/new", "files/read", "files::read/"]);
    assert_eq!(names(Some("files::read")), ["files::read/"]);
    assert_eq!(names(Some("file")), [""; 0]);
}

/// What two users of one store do, in one order.
pub fn two_agree(one: &dyn Pins, other: &dyn Pins) {
    let read = |text| seen("files", "read", text, true);
    let threads = 4;
    std::thread::scope(|scope| {
        for number in 0..threads {
            scope.spawn(move || {
                let pins = if number % 2 == 0 { one } else { other };
                for round in 0..20_u32 {
                    let text = format!("{{\"{}\":1}}", (round + number) % 3);
                    let seen = seen("files", "read", &text, true);
                    drop(pins.observe(&[seen], &mut |_| Ok(()), at(0)).unwrap());
                }
            });
        }
    });
    let (first, second) = (one.look(&read("").key).unwrap().unwrap(), other.look(&read("").key).unwrap().unwrap());
    assert_eq!(first, second);
    // Whoever was first was pinned; nothing that came later was ever approved.
    let (version, approval) = first.approved.unwrap();
    assert_eq!((approval.by, version.seen_at), (None, at(0)));
    let back = seen("files", "read", &version.fingerprint.definition, true);
    assert_eq!(take(other, &[back], 1).0, [PinState::Approved]);
}
