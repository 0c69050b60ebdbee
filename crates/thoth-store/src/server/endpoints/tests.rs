//! That the table of machines stays bounded. What every store of them does is in the testkit.

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
