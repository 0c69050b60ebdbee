//! What machines cannot do to their own record, and that the table stays bounded.

use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::*;
use crate::schema as schemas;
use crate::server::schema::SERVER;

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + SignedDuration::from_hours(24 * number)
}

fn told(fleet: Option<&str>) -> Told {
    Told { hostname: "h".to_owned(), fleet: fleet.map(str::to_owned), ..Told::default() }
}

/// Defends: registering anew and checking in end no quarantine and forget no fleet, in one tenant and not in another, and
/// what `may` says no to changes nothing.
#[test]
fn a_quarantine_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = ServerStore::new(folder.path().join("thothd.db"));
    let other = ServerStore::new(folder.path().join("thothd.db"));
    let lost = Quarantine { reason: Some("lost".to_owned()), by: "ops".to_owned(), at: day(1) };
    assert_eq!(store.quarantine_endpoint("acme", "m", Some(&lost)).unwrap(), None, "there is none");
    for tenant in ["acme", "beta"] {
        store.register_endpoint(tenant, "m", &told(Some("f")), &|_| false, day(0)).unwrap().unwrap();
    }
    store.quarantine_endpoint("acme", "m", Some(&lost)).unwrap().unwrap();
    let again = Quarantine { reason: None, at: day(2), ..lost.clone() };
    let kept = store.quarantine_endpoint("acme", "m", Some(&again)).unwrap().unwrap();
    assert_eq!(kept.quarantine, Some(lost.clone()), "the first one stays");
    let kept = other.register_endpoint("acme", "m", &told(None), &|_| true, day(3)).unwrap().unwrap();
    assert_eq!((&kept.quarantine, kept.told.fleet.as_deref()), (&Some(lost.clone()), Some("f")));
    assert_eq!((kept.created_at, kept.updated_at, kept.last_seen), (day(0), day(3), day(3)));
    let check_in = CheckIn { events_pending: Some(u64::MAX), ..CheckIn::default() };
    let kept = store.check_in("acme", "m", &check_in, &|_| true, day(2)).unwrap().unwrap();
    assert_eq!((kept.quarantine, kept.last_seen), (Some(lost), day(3)), "no clock that was put back hides it");
    assert_eq!(store.check_in("acme", "m", &check_in, &|_| false, day(5)).unwrap(), None);
    assert_eq!(store.check_in("acme", "none", &check_in, &|_| true, day(5)).unwrap(), None);
    assert_eq!(store.register_endpoint("acme", "m", &told(Some("g")), &|_| false, day(5)).unwrap(), None);
    let standing = |tenant| other.endpoint_standing(tenant, "m").unwrap().unwrap();
    assert_eq!(standing("acme"), EndpointStanding { fleet: Some("f".to_owned()), quarantined: true });
    assert!(!standing("beta").quarantined);
    assert!(store.quarantine_endpoint("acme", "m", None).unwrap().unwrap().quarantine.is_none());
    assert!(!standing("acme").quarantined);
    assert_eq!(store.endpoint_standing("acme", "none").unwrap(), None);
}

/// Defends: the table stays bounded; only what was not seen for long gives way, and never what is in quarantine.
#[test]
fn the_longest_unseen_gives_way() {
    let mut connection = Connection::open_in_memory().unwrap();
    schemas::bring_up_to_date(&mut connection, &SERVER, std::path::Path::new("memory")).unwrap();
    let put = |id: &str, at: Timestamp| endpoint_rows::put(&connection, "acme", id, &told(None), at).unwrap();
    put("held", day(0));
    put("old", day(1));
    put("new", day(40));
    endpoint_rows::put(&connection, "beta", "older", &told(None), day(0)).unwrap();
    let quarantine = Quarantine { reason: None, by: "ops".to_owned(), at: day(0) };
    endpoint_rows::quarantine(&connection, "acme", "held", Some(&quarantine)).unwrap();
    let ids = || {
        let filter = EndpointFilter { limit: 10, ..EndpointFilter::default() };
        let page = endpoint_rows::page(&connection, "acme", &filter).unwrap();
        page.found.into_iter().map(|found| found.id).collect::<Vec<_>>()
    };
    endpoint_rows::make_room(&connection, "acme", 4, day(30)).unwrap();
    assert_eq!(ids(), ["new", "old", "held"], "there is room");
    endpoint_rows::make_room(&connection, "acme", 3, day(30)).unwrap();
    assert_eq!(ids(), ["new", "held"]);
    let full = endpoint_rows::make_room(&connection, "acme", 2, day(30)).unwrap_err();
    assert!(full.to_string().contains("no more are kept"), "{full}");
    assert_eq!(ids(), ["new", "held"]);
}
