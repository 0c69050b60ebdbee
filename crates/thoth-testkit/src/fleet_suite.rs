//! What every store of machines and policy bundles must do, whatever it is made of.

#![expect(clippy::unwrap_used, reason = "it is called by tests, which it fails")]
#![expect(clippy::indexing_slicing, reason = "it is called by tests, which it fails")]

use jiff::{SignedDuration, Timestamp};
use thoth_store::server::Records;
use thoth_store::server::bundles::{BundleChange, Changed, MAX_ACTIVE_BUNDLES, MAX_BUNDLE_BYTES, NewVersion};
use thoth_store::server::endpoints::{
    CheckIn, Endpoint, EndpointFilter, EndpointStanding, May, Quarantine, Seen, Told,
};

/// How many cases there are.
pub const CASES: usize = 4;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn day(number: i64) -> Timestamp {
    at(0) + SignedDuration::from_hours(24 * number)
}

fn told(fleet: Option<&str>) -> Told {
    Told { hostname: "h".to_owned(), fleet: fleet.map(str::to_owned), ..Told::default() }
}

fn new<'v>(id: &'v str, name: &'v str, text: &'v str, assignments: &'v [String]) -> NewVersion<'v> {
    NewVersion {
        id,
        name,
        text,
        digest: "digest",
        description: None,
        decisions: "remote",
        created_by: "ops",
        assignments,
    }
}

/// Runs all cases, each on a store of its own. What is given opens the store of a number anew at every call.
pub fn cases<R: Records>(open: impl Fn(usize) -> R) {
    let cases: [fn(&dyn Fn() -> R); CASES] =
        [a_quarantine_stays, pages_lead_through_all_machines, the_life_of_a_bundle, active_bundles_are_bounded];
    for (number, case) in cases.into_iter().enumerate() {
        case(&|| open(number));
    }
}

/// Defends: registering anew and checking in end no quarantine and forget no fleet, in one tenant and not in another, and
/// what `may` says no to changes nothing.
fn a_quarantine_stays<R: Records>(open: &dyn Fn() -> R) {
    let store = open();
    let other = open();
    let lost = Quarantine { reason: Some("lost".to_owned()), by: "ops".to_owned(), at: day(1) };
    assert_eq!(store.quarantine_endpoint("acme", "m", Some(&lost)).unwrap(), None, "there is none");
    for tenant in ["acme", "beta"] {
        store.register_endpoint(tenant, "m", &told(Some("f")), &|_| May::Nothing, day(0)).unwrap().unwrap();
    }
    store.quarantine_endpoint("acme", "m", Some(&lost)).unwrap().unwrap();
    let again = Quarantine { reason: None, at: day(2), ..lost.clone() };
    let kept = store.quarantine_endpoint("acme", "m", Some(&again)).unwrap().unwrap();
    assert_eq!(kept.quarantine, Some(lost.clone()), "the first one stays");
    let kept = other.register_endpoint("acme", "m", &told(None), &|_| May::Change, day(3)).unwrap().unwrap();
    assert_eq!((&kept.quarantine, kept.told.fleet.as_deref()), (&Some(lost.clone()), Some("f")));
    assert_eq!((kept.created_at, kept.updated_at, kept.last_seen), (day(0), day(3), day(3)));
    let check_in = CheckIn { events_pending: Some(u64::MAX), ..CheckIn::default() };
    let kept = store.check_in("acme", "m", &check_in, &|_| May::Change, day(2)).unwrap().unwrap();
    assert_eq!((kept.quarantine, kept.last_seen), (Some(lost), day(3)), "no clock that was put back hides it");
    assert_eq!(store.check_in("acme", "m", &check_in, &|_| May::Nothing, day(5)).unwrap(), None);
    assert_eq!(store.check_in("acme", "none", &check_in, &|_| May::Change, day(5)).unwrap(), None);
    assert_eq!(store.register_endpoint("acme", "m", &told(Some("g")), &|_| May::Nothing, day(5)).unwrap(), None);
    let standing = |tenant| other.endpoint_standing(tenant, "m").unwrap().unwrap();
    assert_eq!(standing("acme"), EndpointStanding { fleet: Some("f".to_owned()), quarantined: true });
    assert!(!standing("beta").quarantined);
    assert!(store.quarantine_endpoint("acme", "m", None).unwrap().unwrap().quarantine.is_none());
    assert!(!standing("acme").quarantined);
    assert_eq!(store.endpoint_standing("acme", "none").unwrap(), None);
}

/// Defends: every machine that fits a filter is on exactly one page, newest first, and the counts are those of the lists;
/// nothing is known by a name that cannot be kept, and nothing of a name is a statement.
fn pages_lead_through_all_machines<R: Records>(open: &dyn Fn() -> R) {
    let store = open();
    for number in 0..25 {
        let id = format!("m{number}");
        let fleet = if number % 2 == 0 { "even" } else { "'; DROP TABLE endpoints; --" };
        let version = if number < 5 { "1.0" } else { "2.0" };
        let told = Told {
            environment: Some("prod".to_owned()),
            proxy_version: Some(version.to_owned()),
            enrollment: (number < 3).then(|| "jamf".to_owned()),
            agents: vec![format!("a{number}"), "b, \"c\"".to_owned()],
            ..told(Some(fleet))
        };
        let kept = store.register_endpoint("acme", &id, &told, &|_| May::Change, day(number)).unwrap().unwrap();
        assert_eq!(kept.told, told);
        store.register_endpoint("beta", &id, &told, &|_| May::Change, day(0)).unwrap().unwrap();
    }
    let lost = Quarantine { reason: None, by: "ops".to_owned(), at: day(30) };
    store.quarantine_endpoint("acme", "m24", Some(&lost)).unwrap().unwrap();
    let all = |filter: EndpointFilter<'_>| {
        let (mut beyond, mut found) = (None, Vec::<Endpoint>::new());
        loop {
            let page = store.endpoints("acme", &EndpointFilter { beyond, limit: 4, ..filter }).unwrap();
            assert!(page.found.len() <= 4 && (page.next.is_none() || page.found.len() == 4));
            found.extend(page.found);
            beyond = page.next;
            if beyond.is_none() {
                return found.into_iter().map(|found| found.id).collect::<Vec<_>>();
            }
        }
    };
    let names = |numbers: &mut dyn Iterator<Item = i64>| numbers.map(|number| format!("m{number}")).collect::<Vec<_>>();
    let none = EndpointFilter::default();
    let seen = |seen| EndpointFilter { seen: Some(seen), ..none };
    assert_eq!(all(none), names(&mut (0..25).rev()));
    let even = EndpointFilter { fleet: Some("even"), environment: Some("prod"), ..none };
    assert_eq!(all(even), names(&mut (0..25).rev().step_by(2)));
    assert_eq!(all(EndpointFilter { fleet: Some("'; DROP TABLE endpoints; --"), ..none }).len(), 12);
    assert_eq!(all(EndpointFilter { environment: Some("dev"), ..none }), [""; 0]);
    assert_eq!(all(EndpointFilter { fleet: Some("\u{0}"), ..none }), [""; 0]);
    assert_eq!(all(seen(Seen::Since(day(20)))), names(&mut (20..24).rev()));
    assert_eq!(all(seen(Seen::Between(day(10), day(20)))), names(&mut (10..20).rev()));
    assert_eq!(all(seen(Seen::Before(day(10)))), names(&mut (0..10).rev()));
    assert_eq!(all(seen(Seen::Quarantined)), ["m24"]);
    assert_eq!(all(EndpointFilter { id: Some("m7"), ..none }), ["m7"]);
    let agents = |filter: EndpointFilter<'_>| {
        let (mut beyond, mut found) = (String::new(), Vec::new());
        loop {
            let page = store.agents_of_endpoints("acme", &EndpointFilter { limit: 4, ..filter }, &beyond).unwrap();
            let Some(last) = page.last() else { return found };
            beyond.clone_from(last);
            found.extend(page);
        }
    };
    let mut every: Vec<String> = (0..25).map(|number| format!("a{number}")).collect();
    every.sort();
    every.push("b, \"c\"".to_owned());
    assert_eq!(agents(none), every, "each once, by name");
    assert_eq!(agents(EndpointFilter { id: Some("m7"), ..none }), ["a7", "b, \"c\""]);
    assert_eq!(agents(seen(Seen::Quarantined)), ["a24", "b, \"c\""]);
    assert_eq!(agents(EndpointFilter { seen: Some(Seen::Since(day(22))), ..even }), ["a22", "b, \"c\""]);
    assert_eq!(agents(EndpointFilter { environment: Some("dev"), ..none }), [""; 0]);
    assert_eq!(agents(EndpointFilter { id: Some("\u{0}"), ..none }), [""; 0]);
    let counts = store.endpoint_counts("acme", day(20), day(10)).unwrap();
    assert_eq!((counts.total, counts.online, counts.stale, counts.quarantined), (25, 4, 10, 1));
    assert_eq!((counts.unmanaged, counts.at_risk), (22, 10));
    assert_eq!(counts.versions, [("1.0".to_owned(), 5), ("2.0".to_owned(), 20)]);
    for odd in ["\u{0}", "m1\u{0}", "'; --", ""] {
        assert_eq!(store.endpoint("acme", odd).unwrap(), None, "{odd:?}");
        assert_eq!(store.endpoint_standing("acme", odd).unwrap(), None, "{odd:?}");
        assert_eq!(store.quarantine_endpoint("acme", odd, Some(&lost)).unwrap(), None, "{odd:?}");
        assert_eq!(store.bundle("acme", odd).unwrap(), None, "{odd:?}");
        assert_eq!(store.bundle_version("acme", odd, 1).unwrap(), None, "{odd:?}");
    }
}

/// Defends: what was uploaded stays as it was; what is active changes only by a change that saw the state before it, in
/// every process; another tenant's bundles are not there.
fn the_life_of_a_bundle<R: Records>(open: &dyn Fn() -> R) {
    let store = open();
    let other = open();
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
fn active_bundles_are_bounded<R: Records>(open: &dyn Fn() -> R) {
    let store = open();
    let activate = BundleChange::Activate { active: Some(1), previous: None };
    for number in 0..=MAX_ACTIVE_BUNDLES {
        let id = format!("b{number}");
        store.add_bundle_version("acme", &new(&id, &id, "text", &[]), at(0)).unwrap();
        let done = store.change_bundle("acme", &id, &activate, u64::from(number), at(0));
        assert_eq!(done.is_ok(), number < MAX_ACTIVE_BUNDLES, "{number}");
    }
    assert_eq!(store.policy_change("acme").unwrap(), u64::from(MAX_ACTIVE_BUNDLES));
}
