//! The stages, in the order in which they run; each is one file and knows nothing of the others.

pub(crate) mod approval;
pub(crate) mod evidence;
pub(crate) mod identity;
pub(crate) mod integrity;
pub(crate) mod intent;
pub(crate) mod limits;
pub(crate) mod mode;
pub(crate) mod preflight;
pub(crate) mod rules;
pub(crate) mod scope;
