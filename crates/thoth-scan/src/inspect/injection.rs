//! Instructions to a model.

use super::leaf::{Hit, Leaf};

pub(super) fn find(_leaf: &Leaf<'_>, _hits: &mut Vec<Hit>) {}
