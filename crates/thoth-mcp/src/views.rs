//! Typed views of the messages that are governed or followed, in both eras.

pub(crate) mod call_result;
pub(crate) mod elicitation;
mod fields;
pub(crate) mod listing;
pub(crate) mod meta;
pub(crate) mod session;
pub(crate) mod tasks;
pub(crate) mod tool_call;
pub(crate) mod tools_list;
