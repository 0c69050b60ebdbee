//! The one pipeline: a call goes in; a permit, a hold or a refusal comes out.
//!
//! [`Gate::round`] opens a round over the frames that arrived together. [`Round::admit`] decides each call by running
//! the stages over the same immutable [`Facts`]; [`Round::commit`] writes the evidence and only then mints
//! [`Permit`]s. A `Permit` cannot be made elsewhere and is consumed by use, so forwarding without a decision, or
//! before its evidence is written, does not type-check. [`Outcomes::settle`] records what became of it.
//!
//! This crate knows nothing of MCP, transports, files or terminals, and reads neither clock nor randomness: both are
//! arguments. What it needs from storage is the [`Evidence`] trait.

mod asked;
mod awaiting;
mod decide;
mod deed;
mod desk;
mod directive;
mod evidence;
mod facts;
mod gate;
pub mod hold;
mod hold_record;
mod holds;
mod inspector;
mod neighbours;
mod permit;
pub mod pin;
mod pin_desk;
mod pin_record;
mod pins;
mod preflight;
mod progress;
mod quarantine;
mod record;
mod round;
mod session;
mod settle;
mod stage;
mod verdict;

pub use desk::Desk;
pub use directive::{Directive, Directives};
pub use evidence::{Evidence, EvidenceError};
pub use facts::{Facts, Moment};
pub use gate::{Gate, Outcomes, Standing};
pub use holds::{Change, Holds, HoldsError, Listed, NoHolds};
pub use neighbours::related;
pub use permit::{Permit, Ticket};
pub use pin_desk::{Lookout, PinDesk};
pub use pins::{NoPins, PinChange, PinKey, PinRecord, Pins, PinsError, Seen};
pub use preflight::Preflight;
pub use quarantine::Quarantine;
pub use record::{Incident, Outcome};
pub use round::{Committed, Round};
pub use session::{GateSession, SessionLabels};
pub use settle::ResultFound;
pub use stage::approval::Random;
pub use stage::foresee;
pub use stage::remote::Unasked;
pub use verdict::{Answer, Grounds, Refused};
