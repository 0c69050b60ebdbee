//! The HTTP contract: what goes over the wire between enforcers, their administration, and whoever asks them.
//!
//! What is written is exact, with names in snake_case. What is read is taken in every spelling that published clients and
//! servers use: camelCase, older words, absent lists. Names that are not known are passed over; a name that is given twice,
//! in whatever spelling, is an error, because two readers would take it for two things.
//!
//! Reading tells no contents: an [`Unreadable`] says what is wrong and where, and never what stood there. Arguments, keys
//! and what events carry are in types that print nothing.

pub mod approval;
pub mod decision;
pub mod endpoint;
pub mod enforce;
pub mod event;
pub mod evidence;
pub mod explain;
pub mod fault;
pub mod hold;
pub mod inventory;
pub mod key;
pub mod list;
pub mod login;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod policy_bundle;
mod read;
pub mod route;
pub mod session;
pub mod settings;
pub mod verdict;
mod words;

pub use read::{Extra, Json, Unreadable, read};
pub(crate) use words::words;
