//! Versions never change, every change moves the counter, and none is made on top of another that was not seen.

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn new<'v>(id: &'v str, name: &'v str, text: &'v str, assignments: &'v [String]) -> NewVersion<'v> {
    NewVersion { id, name, text, digest: text, description: None, decisions: "remote", created_by: "ops", assignments }
}

/// Defends: what was uploaded stays as it was; what is active changes only by a change that saw the state before it, in
/// every process; another tenant's bundles are not there.
#[test]
fn the_life_of_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let store = ServerStore::new(folder.path().join("thothd.db"));
    let other = ServerStore::new(folder.path().join("thothd.db"));
    let all = ["all".to_owned()];
    assert_eq!(store.policy_change("acme").unwrap(), 0);
    let (bundle, one) = store.add_bundle_version("acme", &new("b1", "pay", "one", &all), at(0)).unwrap();
    assert_eq!((bundle.active, bundle.latest, one.version), (None, 1, 1));
    let (_, same) = store.add_bundle_version("acme", &new("b2", "pay", "one", &[]), at(1)).unwrap();
    assert_eq!(same, one, "nothing new");
    let (bundle, two) = other.add_bundle_version("acme", &new("b2", "pay", "two", &[]), at(1)).unwrap();
    assert_eq!((&*bundle.id, bundle.latest, two.version, &bundle.assignments[..]), ("b1", 2, 2, &all[..]));
    store.add_bundle_version("beta", &new("b3", "pay", "beta", &all), at(1)).unwrap();
    assert_eq!(store.policy_change("acme").unwrap(), 0, "nothing holds yet");

    let activate = |active, previous| BundleChange::Activate { active, previous };
    let change = |change: BundleChange<'_>, seen| store.change_bundle("acme", "b1", &change, seen, at(2)).unwrap();
    assert_eq!(change(activate(Some(3), None), 0), Changed::Gone, "no such version");
    assert!(matches!(change(activate(Some(1), None), 0), Changed::Done(bundle) if bundle.active == Some(1)));
    assert_eq!(change(activate(Some(2), None), 0), Changed::Moved);
    assert_eq!(other.policy_change("acme").unwrap(), 1);
    assert!(matches!(change(activate(Some(2), Some(1)), 1), Changed::Done(_)));
    assert_eq!(change(BundleChange::Delete, 2), Changed::Gone, "it is active");
    let (counter, active) = other.active_bundles("acme").unwrap();
    assert_eq!((counter, active.len(), &*active[0].text, active[0].version), (2, 1, "two", 2));
    assert!(matches!(change(BundleChange::Assign(&["agent:a".to_owned()]), 2), Changed::Done(_)));
    assert_eq!(other.active_bundles("acme").unwrap().1[0].assignments, ["agent:a"]);
    assert!(matches!(change(activate(None, Some(2)), 3), Changed::Done(_)));
    assert!(matches!(change(BundleChange::Delete, 4), Changed::Done(bundle) if bundle.deleted_at.is_some()));
    assert_eq!(change(BundleChange::Assign(&[]), 5), Changed::Gone);

    assert_eq!(store.bundle("acme", "pay").unwrap(), None);
    assert!(store.bundle("acme", "b1").unwrap().is_some(), "what was active is evidence");
    assert_eq!(store.bundle_version("acme", "b1", 1).unwrap().unwrap().1, "one");
    assert_eq!(store.bundle_versions("acme", "b1").unwrap().len(), 2);
    let (anew, first) = store.add_bundle_version("acme", &new("b4", "pay", "one", &all), at(9)).unwrap();
    assert_eq!((&*anew.id, first.version), ("b4", 1), "the name is free again");
    for id in ["b1", "b4", "pay"] {
        assert!(store.bundle("beta", id).unwrap().is_none_or(|bundle| bundle.id == "b3"), "{id}");
    }
    assert_eq!(store.change_bundle("beta", "b4", &BundleChange::Delete, 0, at(9)).unwrap(), Changed::Gone);
    assert_eq!(store.active_bundles("beta").unwrap(), (0, Vec::new()));
    let long = "x".repeat(MAX_BUNDLE_BYTES + 1);
    assert!(store.add_bundle_version("acme", &new("b5", "long", &long, &all), at(9)).is_err());
    assert_eq!(store.bundles("acme").unwrap().len(), 1);
}

/// No more are active at once than may be.
#[test]
fn active_bundles_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let store = ServerStore::new(folder.path().join("thothd.db"));
    let activate = BundleChange::Activate { active: Some(1), previous: None };
    for number in 0..=MAX_ACTIVE_BUNDLES {
        let id = format!("b{number}");
        store.add_bundle_version("acme", &new(&id, &id, "text", &[]), at(0)).unwrap();
        let done = store.change_bundle("acme", &id, &activate, u64::from(number), at(0));
        assert_eq!(done.is_ok(), number < MAX_ACTIVE_BUNDLES, "{number}");
    }
    assert_eq!(store.policy_change("acme").unwrap(), u64::from(MAX_ACTIVE_BUNDLES));
}
