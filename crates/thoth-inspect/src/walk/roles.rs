//! The roles of the names that a document was seen to use.

use std::collections::HashMap;

use super::super::argument_role::Role;

/// How many names are looked through one by one: the items of a list have no more, and to compare costs less than to hash.
const FEW: usize = 8;

/// Names and what their values are used for.
#[derive(Debug, Default)]
pub(super) struct Roles {
    first: Vec<(Box<str>, Role)>,
    others: HashMap<Box<str>, Role>,
}

impl Roles {
    pub(super) fn get(&self, name: &str) -> Option<Role> {
        let known = self.first.iter().find(|(known, _)| **known == *name).map(|(_, role)| *role);
        known.or_else(|| if self.others.is_empty() { None } else { self.others.get(name).copied() })
    }

    pub(super) fn insert(&mut self, name: &str, role: Role) {
        if self.first.len() < FEW {
            self.first.push((name.into(), role));
        } else {
            self.others.insert(name.into(), role);
        }
    }
}
