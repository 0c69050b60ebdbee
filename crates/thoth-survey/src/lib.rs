//! What servers offer, told: definitions from files, commands and addresses, what a scan finds in them, their
//! fingerprints, and all of that as JSON, SARIF and Markdown.
//!
//! It starts and connects to what it is told to, and to nothing else; it asks nobody, prints nothing, and reads neither
//! settings nor clients' files: whoever calls it has done that.

pub mod catalogue;
pub mod configuration;
pub mod described;
mod expand;
pub mod findings;
pub mod fingerprints;
mod http;
pub mod json;
pub mod markdown;
pub mod missed;
pub mod report;
pub mod sarif;
pub mod tools_file;
pub mod visits;
pub mod way;

pub use expand::Fill;
pub use http::named;

use catalogue::Catalogue;
use findings::Reported;
use missed::Missed;

/// What was collected of servers.
#[derive(Debug, Default)]
pub struct Collected {
    /// Their answers.
    pub catalogues: Vec<Catalogue>,
    /// What the clients' files themselves show.
    pub configuration: Vec<Reported>,
    /// What could not be had.
    pub missed: Vec<Missed>,
    /// Servers that were not asked for.
    pub passed_over: Vec<String>,
}
