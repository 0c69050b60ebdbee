//! What the arguments of a call and the result of a tool carry that they should not.
//!
//! [`inspect_arguments`] and [`inspect_result`] read a parsed document and report [`Detection`]s: secrets, personal
//! data, abuse of shell, path, SQL and network addresses by arguments, and instructions to the model in results.
//! [`redact()`] takes what was found out of the very bytes, and leaves valid JSON that says what was removed.
//!
//! A detection never carries the secret itself. Nothing here decides: each detection names the action that the
//! settings give to its class and direction, and [`Inspection::action`] the strictest of them.

mod abuse;
mod address;
mod argument_role;
mod detection;
mod effort;
mod encoded;
mod hidden;
mod injection;
mod leaf;
mod mark;
mod path_abuse;
mod personal;
mod preview;
mod redact;
mod secret;
mod settings;
mod shell_abuse;
mod sql_abuse;
mod ssrf;
mod walk;
mod words;

pub use detection::{Action, Class, Confidence, Detection, Direction, Incomplete, Inspection};
pub use redact::{NotRedactable, Redaction, is_in_string, redact};
pub use settings::{ClassActions, InspectSettings};

pub use argument_role::declares_roles;

use thoth_types::json::Value;

/// Inspects the arguments of a call before it goes out.
///
/// `tool` is the tool's name and `schema` its `inputSchema`: together with the names of the arguments they tell
/// which value is a command, a path, an address, SQL or prose, and so what would be abuse in it.
#[must_use]
pub fn inspect_arguments(
    tool: &str,
    arguments: Value<'_>,
    schema: Option<Value<'_>>,
    settings: &InspectSettings,
) -> Inspection {
    walk::Walk::new(Direction::Arguments, tool, settings).run(arguments, schema)
}

/// Inspects what a tool answered before the client sees it: an MCP `CallToolResult` or any other JSON.
#[must_use]
pub fn inspect_result(tool: &str, result: Value<'_>, settings: &InspectSettings) -> Inspection {
    walk::Walk::new(Direction::Results, tool, settings).run(result, None)
}
