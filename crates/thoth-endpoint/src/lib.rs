//! What a machine with MCP clients looks like, as pure functions of what was read from it.
//!
//! Nothing here touches the machine: files, the environment and the platform are arguments. So the rules of all three
//! platforms are tested on any one of them.

pub mod document;
pub mod identity;
pub mod platform;
pub mod program;
pub mod settings;
