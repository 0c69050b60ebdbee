//! The evidence of a session proves itself with nothing but the log's public key, and anything in it that is changed is found.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use thoth_audit::note::Verifier;
use thoth_audit::seal::{SealError, SealKey, SealOpener};
use thoth_audit::session_bundle::{BundleError, Material, Seal, bundle, sealed_bundle, verify_bundle};
use thoth_audit::view::{Checked, FileView, LedgerView, Snapshot, ViewError, check, check_in_turns, prove};
use thoth_audit::{Leaves, Ledger, LedgerKeys, LedgerOptions};

fn leaf(number: u64) -> String {
    let decision = ["ALLOW", "BLOCK", "STEP_UP"][usize::try_from(number % 3).unwrap()];
    format!(
        r#"{{"agentId":"bot","decision":"{decision}","eventType":"TOOL_CALL_PRE","number":{number},"occurredAt":"2026-01-31T12:00:00.{:03}Z","sessionId":"s{}","tenantId":"acme","toolName":"t\u0001é","userId":"u"}}"#,
        number % 1000,
        number % 90,
    )
}

/// A ledger with so many events.
fn ledger(home: &Path, events: u64) -> FileView {
    let dir = home.join("ledger");
    let keys = LedgerKeys::load_or_create(&home.join("keys"), &dir).unwrap();
    let ledger = Ledger::open(&dir, &keys, LedgerOptions::default()).unwrap();
    let mut leaves = Leaves::new();
    for number in 0..events {
        leaves.push_canonical(leaf(number).as_bytes()).unwrap();
    }
    ledger.append(&leaves).unwrap();
    ledger.close().unwrap();
    FileView::new(&dir)
}

fn look<T>(view: &FileView, mut work: impl FnMut(&dyn Snapshot) -> T) -> T {
    let mut found = None;
    view.look(&mut |snapshot| {
        found = Some(work(snapshot));
        Ok(())
    })
    .unwrap();
    found.unwrap()
}

fn exported(view: &FileView, session: &str, indices: &[u64], at: Timestamp, next: Option<u64>) -> (String, Verifier) {
    look(view, |snapshot| {
        let records = prove(snapshot, indices).unwrap();
        let head = snapshot.head();
        let material = Material {
            tenant: "acme",
            session,
            checkpoint: &head.note,
            verifier: &head.verifier,
            records: &records,
            from: 0,
            next,
        };
        (bundle(&material, at), head.verifier.clone())
    })
}

/// Defends: every byte of a bundle counts, but those of the time of its export; and the same evidence has the same hash.
#[test]
fn every_byte_of_a_bundle_counts() {
    let home = tempfile::tempdir().unwrap();
    let view = ledger(home.path(), 700);
    let indices = [3, 633];
    let (text, key) = exported(&view, "s3", &indices, Timestamp::UNIX_EPOCH, None);
    let found = verify_bundle(text.as_bytes(), &key, None).unwrap();
    assert_eq!((found.records, &*found.session, &*found.tenant, found.checkpoint.size), (2, "s3", "acme", 700));
    assert_eq!(Vec::from_iter(&found.decisions), [(&"ALLOW".to_owned(), &2)]);
    let later = exported(&view, "s3", &indices, Timestamp::from_second(1_800_000_000).unwrap(), None).0;
    assert_eq!(verify_bundle(later.as_bytes(), &key, None).unwrap().bundle_hash, found.bundle_hash);
    let laid_out: serde_json::Value = serde_json::from_str(&text).unwrap();
    let laid_out = serde_json::to_string_pretty(&laid_out).unwrap();
    assert_eq!(verify_bundle(laid_out.as_bytes(), &key, None).unwrap(), found, "the layout is not content");

    let open = text.find("\"exported_at\":\"").unwrap() + "\"exported_at\":\"".len();
    let when = open..open + Timestamp::UNIX_EPOCH.to_string().len();
    let mut bytes = text.clone().into_bytes();
    for at in 0..bytes.len() {
        let original = bytes[at];
        for changed in [original ^ 1, if at % 2 == 0 { b' ' } else { b'"' }] {
            if changed == original || when.contains(&at) {
                continue;
            }
            bytes[at] = changed;
            assert!(verify_bundle(&bytes, &key, None).is_err(), "byte {at}: {}", String::from_utf8_lossy(&bytes));
        }
        bytes[at] = original;
    }
    for cut in 0..text.len() {
        assert!(verify_bundle(&text.as_bytes()[..cut], &key, None).is_err(), "cut at {cut}");
    }
    assert!(
        verify_bundle(text.replace("\"exported_at\":\"1970", "\"exported_at\":\"at 1970").as_bytes(), &key, None)
            .is_err()
    );
}

/// Defends: whoever makes the hash and the summary anew gains nothing: no record of another session, place or log passes.
#[test]
fn a_bundle_cannot_be_composed() {
    let home = tempfile::tempdir().unwrap();
    let view = ledger(home.path(), 700);
    let key = exported(&view, "s3", &[3], Timestamp::UNIX_EPOCH, None).1;
    let wrong = |text: String, key: &Verifier| verify_bundle(text.as_bytes(), key, None).unwrap_err();
    let of_another_session = exported(&view, "s3", &[3, 4], Timestamp::UNIX_EPOCH, None).0;
    assert!(matches!(wrong(of_another_session, &key), BundleError::Record { index: 4, .. }));
    let not_in_order = exported(&view, "s3", &[93, 3], Timestamp::UNIX_EPOCH, None).0;
    assert!(matches!(wrong(not_in_order, &key), BundleError::Record { index: 3, .. }));
    let twice = exported(&view, "s3", &[3, 3], Timestamp::UNIX_EPOCH, None).0;
    assert!(matches!(wrong(twice, &key), BundleError::Record { index: 3, .. }));
    let beyond_its_end = exported(&view, "s3", &[3, 93], Timestamp::UNIX_EPOCH, Some(93)).0;
    assert!(matches!(wrong(beyond_its_end, &key), BundleError::Record { index: 93, .. }));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = ledger(elsewhere.path(), 700);
    let (text, other_key) = exported(&other, "s3", &[3], Timestamp::UNIX_EPOCH, None);
    assert!(matches!(wrong(text.clone(), &key), BundleError::OtherKey));
    let renamed = text.replace(&other_key.to_vkey(), &key.to_vkey());
    assert!(matches!(wrong(renamed, &key), BundleError::Checkpoint(_)));
    let moved = look(&view, |snapshot| {
        let mut records = prove(snapshot, &[3]).unwrap();
        records[0].index = 93;
        let head = snapshot.head();
        let (checkpoint, verifier) = (&*head.note, &head.verifier);
        let material =
            Material { tenant: "acme", session: "s3", checkpoint, verifier, records: &records, from: 0, next: None };
        bundle(&material, Timestamp::UNIX_EPOCH)
    });
    assert!(matches!(wrong(moved, &key), BundleError::Record { index: 93, .. }));
}

/// Defends: a seal says that a bundle is as its server made it, to the byte and with the time of its export; nobody takes it off
/// unnoticed, and without one a bundle still verifies and says so.
#[test]
fn a_sealed_bundle_is_as_it_was_made() {
    let home = tempfile::tempdir().unwrap();
    let view = ledger(home.path(), 700);
    let seal = SealKey::new(&[7; 32]);
    let sealed = |indices: &[u64]| {
        look(&view, |snapshot| {
            let records = prove(snapshot, indices).unwrap();
            let head = snapshot.head();
            let (checkpoint, verifier) = (&*head.note, &head.verifier);
            let (tenant, session, records) = ("acme", "s3", &*records);
            let material = Material { tenant, session, checkpoint, verifier, records, from: 0, next: None };
            (sealed_bundle(&material, Timestamp::UNIX_EPOCH, &seal).unwrap(), verifier.clone())
        })
    };
    let (text, key) = sealed(&[3, 633]);
    let opener = seal.opener();
    let state =
        |text: &str, opener: Option<&SealOpener>| verify_bundle(text.as_bytes(), &key, opener).map(|found| found.seal);
    assert_eq!(state(&text, Some(&opener)).unwrap(), Seal::Verified(seal.id().to_owned()));
    assert_eq!(state(&text, None).unwrap(), Seal::Unchecked(seal.id().to_owned()));
    let mut parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let laid_out = serde_json::to_string_pretty(&parsed).unwrap();
    assert_eq!(state(&laid_out, Some(&opener)).unwrap(), Seal::Verified(seal.id().to_owned()));
    let mut bytes = text.clone().into_bytes();
    for at in 0..bytes.len() {
        bytes[at] ^= 1;
        assert!(verify_bundle(&bytes, &key, Some(&opener)).is_err(), "byte {at}: {}", String::from_utf8_lossy(&bytes));
        bytes[at] ^= 1;
    }
    // Of one record less, everything but the seal can be made anew.
    let mut forged: serde_json::Value = serde_json::from_str(&sealed(&[3]).0).unwrap();
    forged["signature"] = parsed["signature"].clone();
    assert!(matches!(state(&forged.to_string(), Some(&opener)), Err(BundleError::Seal(SealError::BadSignature))));
    let stranger = SealKey::new(&[8; 32]).opener();
    assert!(matches!(state(&text, Some(&stranger)), Err(BundleError::Seal(SealError::AnotherKey))));
    parsed.as_object_mut().unwrap().remove("signature");
    assert!(matches!(state(&parsed.to_string(), None), Err(BundleError::Seal(SealError::Unsealed))));
    for member in ["key_id", "signing_algorithm"] {
        parsed.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(state(&parsed.to_string(), None).unwrap(), Seal::Missing);
    assert!(matches!(state(&parsed.to_string(), Some(&opener)), Err(BundleError::Seal(SealError::Unsealed))));
}

/// Defends: a check part by part finds what a check of all finds: any byte of any event or hash, wherever it begins.
#[test]
fn a_check_in_parts_finds_every_change() {
    let home = tempfile::tempdir().unwrap();
    let view = ledger(home.path(), 600);
    let dir = home.path().join("ledger");
    let all = || {
        let (mut from, mut good) = (0, 0);
        loop {
            let mut part = None;
            let looked = view.look(&mut |snapshot| {
                part = Some((check(snapshot, from, 1)?, snapshot.head().checkpoint.size));
                Ok(())
            });
            let Ok((checked, size)) = looked.map(|()| part.unwrap()) else { return Err(from) };
            good += checked.good;
            match checked.breach {
                Some(breach) => return Err(breach.index),
                None if checked.next >= size => return Ok(good),
                None => from = checked.next,
            }
        }
    };
    assert_eq!(all(), Ok(600));
    for file in
        ["tile/entries/000", "tile/entries/002.p/88", "tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "checkpoint"]
    {
        let path = dir.join(file);
        let good = std::fs::read(&path).unwrap();
        // All would take long in a check of 600 events each; these are everywhere.
        for at in (0..good.len()).step_by(good.len() / 12 + 1).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert!(all().is_err(), "{file} byte {at}");
        }
        std::fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(all().is_err(), "{file} is cut");
        std::fs::remove_file(&path).unwrap();
        assert!(all().is_err(), "{file} is gone");
        std::fs::write(&path, &good).unwrap();
    }
    assert_eq!(all(), Ok(600));
}

/// A ledger to which something happens after each look at it.
struct Between<'b> {
    view: FileView,
    looks: AtomicUsize,
    happens: &'b (dyn Fn(usize) + Send + Sync),
}

impl std::fmt::Debug for Between<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Between({:?})", self.looks)
    }
}

impl LedgerView for Between<'_> {
    fn look(&self, work: &mut dyn FnMut(&dyn Snapshot) -> Result<(), ViewError>) -> Result<(), ViewError> {
        self.view.look(work)?;
        (self.happens)(self.looks.fetch_add(1, Ordering::Relaxed));
        Ok(())
    }
}

/// Defends: a long check lets go of the ledger again and again, and says the same as one in a single look: all of it under the
/// head that it saw first, whatever is added meanwhile.
#[test]
fn a_long_check_lets_others_have_their_turn() {
    const EVENTS: u64 = 5_000;
    let home = tempfile::tempdir().unwrap();
    let view = ledger(home.path(), EVENTS);
    let dir = home.path().join("ledger");
    let (whole, first) = look(&view, |snapshot| (check(snapshot, 0, EVENTS).unwrap(), snapshot.head().clone()));
    let checked = |from: u64, most: u64, happens: &(dyn Fn(usize) + Send + Sync)| {
        let between = Between { view: FileView::new(&dir), looks: AtomicUsize::new(0), happens };
        let found = check_in_turns(&between, from, most);
        (found, between.looks.into_inner())
    };
    // Whoever adds to the ledger here needs it for itself, and so none of it is locked.
    let grows = |_: usize| drop(ledger(home.path(), 300));
    let (found, looks) = checked(0, EVENTS, &grows);
    let (found, head) = found.unwrap();
    assert_eq!((&found, looks), (&whole, 3));
    assert_eq!((&head.note, head.checkpoint.size), (&first.note, EVENTS));
    for (from, most, next, good) in [(0, 1, 256, 256), (300, 2_100, 2_560, 2_304), (5_800, 9_000, 5_900, 268)] {
        let (found, _) = checked(from, most, &|_| {}).0.unwrap();
        assert_eq!(found, Checked { next, good, breach: None }, "{from} {most}");
    }
    let far = dir.join("tile/entries/010");
    let good = std::fs::read(&far).unwrap();
    let spoils = |_: usize| std::fs::write(&far, b"odd").unwrap();
    let (found, _) = checked(0, EVENTS, &spoils).0.unwrap();
    assert_eq!((found.next, found.good, found.breach.unwrap().index), (2_560, 2_560, 2_560));
    std::fs::write(&far, good).unwrap();
    // An older copy is put back.
    let older = tempfile::tempdir().unwrap();
    drop(ledger(older.path(), 10));
    let shrinks = |_: usize| {
        for file in ["checkpoint", "log.vkey"] {
            std::fs::copy(older.path().join("ledger").join(file), dir.join(file)).unwrap();
        }
    };
    assert!(matches!(checked(0, EVENTS, &shrinks).0, Err(ViewError::Damaged(_))));
}
