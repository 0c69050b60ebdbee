//! Under which account this process runs. The system tells; no variable and no flag of this account can say otherwise.

use std::sync::Arc;

use nix::unistd::{Uid, User};
use thoth_types::Approver;

/// What `sudo` says of whoever called it.
const CALLER: &str = "SUDO_UID";

/// The account, by its name, or by its number where the system knows no name for it.
///
/// In a user namespace numbers and names are whatever its owner says, so that none of its accounts has a name here.
pub(crate) fn own() -> Approver {
    let uid = Uid::current();
    if cfg!(target_os = "linux") && !std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| is_whole(&map)) {
        return Approver { account: Arc::from(format!("uid:{uid} of a user namespace")), uid: uid.as_raw() };
    }
    named(uid)
}

/// The same, and of root, whoever became it with `sudo`: nobody but root could say something else there, and root can do
/// anything.
pub(crate) fn person() -> Approver {
    let own = own();
    let caller = std::env::var(CALLER).ok().and_then(|uid| uid.parse().ok());
    match caller {
        Some(caller) if *own.account == *"root" && own.uid == 0 => named(Uid::from_raw(caller)),
        _ => own,
    }
}

fn named(uid: Uid) -> Approver {
    let account = match User::from_uid(uid) {
        Ok(Some(user)) if !user.name.is_empty() => Arc::from(user.name),
        _ => Arc::from(format!("uid:{uid}")),
    };
    Approver { account, uid: uid.as_raw() }
}

/// Whether a map of user numbers maps all of them to themselves, as that of the machine does.
fn is_whole(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_of_the_machine_and_of_namespaces() {
        assert!(is_whole("         0          0 4294967295\n"));
        for map in ["", "0 1000 1\n", "0 0 65536\n", "0 0 4294967295\n5 5 5\n", "1 0 4294967295"] {
            assert!(!is_whole(map), "{map}");
        }
    }
}
