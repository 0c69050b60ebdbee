//! What a machine with MCP clients looks like, as pure functions of what was read from it.
//!
//! Nothing here touches the machine: files, the environment and the platform are arguments. So the rules of all three
//! platforms are tested on any one of them.

pub mod document;
pub mod entry;
pub mod hosts;
pub mod identity;
pub mod launch;
pub mod lineage;
pub mod platform;
pub mod predicates;
pub mod program;
pub mod rewrite;
pub mod server_name;
pub mod settings;
pub mod unwrap;
pub mod wrap;
