//! What is passed over says nothing.

use proptest::prelude::*;

use super::*;

/// All that detectors find in a value, however short it is.
fn found(text: &str, role: Role) -> Vec<Hit> {
    let settings = InspectSettings { email: true, phone: true, ..InspectSettings::default() };
    let leaf = Leaf::new(text, "", LeafKind::Text, role, Direction::Arguments);
    let mut hits = Vec::new();
    secret::find(&leaf, &settings, &mut hits);
    personal::find(&leaf, &settings, &mut hits);
    abuse(&leaf, &settings, &mut hits);
    injection::find(&leaf, &mut hits);
    hits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Defends the short way past short values: no detector would have found anything in them.
    #[test]
    fn no_value_is_passed_over_that_says_something(
        text in "([-a-c0-2./\\\\~:;|&$(){}'\"`#%=<>\\[\\]\n\0 ]|%2[ef]|%00|ls|or|sh|id|\u{2026}){0,5}",
    ) {
        for role in [
            Role::Command, Role::Path, Role::Url, Role::Host, Role::Sql, Role::Search, Role::Opaque, Role::Prose,
            Role::Scalar,
        ] {
            if says_nothing(&text, LeafKind::Text, role) {
                prop_assert_eq!(found(&text, role), vec![], "{:?} as {:?}", text, role);
            }
        }
    }
}

#[test]
fn places_in_lists_are_counted() {
    let settings = InspectSettings::default();
    for at in [0, 9, 10, 19, 100, 99_999, usize::MAX] {
        let mut walk = Walk::new(Direction::Results, "", &settings);
        walk.push_place(at);
        assert_eq!(walk.pointer, format!("/{at}"));
    }
}
