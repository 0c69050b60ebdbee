//! The data path: transports, sessions and upstream processes.
//!
//! It joins `thoth-mcp`, which knows no policy, to `thoth-gate`, which knows no MCP. Bytes come in, are parsed once by
//! the strict parser, become a call with a caller, and leave again only in exchange for the gate's permit. It neither
//! decides anything nor reads configuration.

mod again;
mod answer;
mod answers;
mod approval;
mod blocking;
mod client_side;
mod clock;
mod complaints;
mod demands;
mod dialogues;
mod elicitation;
mod ending;
mod heartbeat;
mod held;
#[cfg(test)]
mod integrity_tests;
mod launch_record;
mod lifeline;
mod lineage;
mod neighbours;
mod notices;
mod notifier;
mod offers;
mod policy_watch;
mod process;
mod program;
#[cfg(test)]
mod rehearsal;
mod remote;
mod remote_side;
mod scanning;
mod sealed_state;
mod server_side;
mod session;
mod shelf;
mod stdio;
mod turn;
mod upstream;
mod verdicts;
mod visit;
mod waiting;
mod warden;

pub use answer::{CODE_BLOCK, CODE_DEFER, CODE_STEP_UP, CODE_UPSTREAM_GONE, RefusalStyle};
pub use approval::{ApprovalOptions, DEFAULT_HOLD_TIMEOUT};
pub use lifeline::{SUBCOMMAND as LIFELINE_SUBCOMMAND, watch as watch_lifeline};
pub use notifier::{News, Notifier};
pub use policy_watch::{PolicyWatch, Reload};
pub use process::{Governed, client_of_this_process, governed_above, governed_by_any, own_line, process_ref};
pub use program::RealFiles;
pub use remote::{DEFAULT_ANSWER, DEFAULT_CONNECT, RemoteOptions};
pub use scanning::{scan_by, scan_definition};
pub use stdio::{RunError, StdioOptions, run};
pub use thoth_endpoint::program::NotFound;
pub use thoth_gate::{Directive, Directives, Evidence, EvidenceError, Gate, Quarantine, Standing, foresee};
pub use upstream::SpawnError;
pub use visit::{Ask, Gap, MAX_MESSAGE, MAX_TOTAL, StdioVisit, Visit, VisitError, Wire, visit, visit_command};
