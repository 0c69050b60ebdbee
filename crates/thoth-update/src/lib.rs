//! Signed releases: which one is current, and how it replaces the program that runs, whole or not at all.
//!
//! The key and the address are compiled in. No flag and no environment variable changes them, so that whoever controls
//! an agent's environment cannot have another gate installed.

mod channel;
mod error;
mod managed;
mod manifest;
mod place;
mod start;
mod update;

pub use channel::{Channel, ChannelError, REPOSITORY};
pub use error::UpdateError;
pub use managed::{Managed, managed_by};
pub use manifest::{Artifact, MANIFEST_NAME, ManifestError, PRODUCT, Release, Target};
pub use place::Installed;
pub use start::StartError;
pub use update::{Patience, Standing, Step, Updater};
