//! Under which account this process runs. The system tells; no variable and no flag can say otherwise.

use std::sync::Arc;

use nix::unistd::{Uid, User};
use thoth_types::Approver;

/// The account, by its name, or by its number where the system knows no name for it.
pub(crate) fn own() -> Approver {
    let uid = Uid::current();
    let account = match User::from_uid(uid) {
        Ok(Some(user)) if !user.name.is_empty() => Arc::from(user.name),
        _ => Arc::from(format!("uid:{uid}")),
    };
    Approver { account, uid: uid.as_raw() }
}
