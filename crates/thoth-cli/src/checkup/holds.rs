//! Held calls: whether they can be kept, and how many wait.

use jiff::Timestamp;
use thoth_store::{HoldState, Holds as _, SqliteHolds};

use super::Check;
use thoth_shell::home::Home;

const NAME: &str = "holds";

/// Looks at the file of held calls. One that cannot be read refuses every call that asks.
pub(crate) fn holds(home: &Home) -> Check {
    let path = home.state();
    let shown = path.display().to_string();
    if !path.try_exists().unwrap_or(true) {
        return Check::ok(NAME, "no call has been held here yet");
    }
    let now = Timestamp::now();
    match SqliteHolds::new(path, home.ledger()).list() {
        Ok(holds) => {
            let waiting = holds.iter().filter(|hold| hold.state_at(now) == HoldState::Pending).count();
            let calls = if waiting == 1 { "1 call waits".to_owned() } else { format!("{waiting} calls wait") };
            let hint = if waiting == 0 { "" } else { "; see `thoth approvals list`" };
            Check::ok(NAME, format!("{shown}: {calls} for approval{hint}"))
        }
        Err(error) => {
            let remedy = format!(
                "calls that ask are refused until it can be read; if it is damaged, move {shown} away: what waits or was \
                 approved is then asked again"
            );
            Check::failure(NAME, error.to_string(), remedy)
        }
    }
}
