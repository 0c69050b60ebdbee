//! The answer to `tools/list`.

use std::borrow::Cow;

use thoth_types::json::{Kind, Value};

use crate::fault::Fault;
use crate::keys;
use crate::message::Response;
use crate::refusal::{Refusal, RefusalCode};
use crate::views::fields;
use crate::views::tool_call::check_name;

/// One listed tool.
#[derive(Debug, Clone)]
pub struct ToolEntry<'d> {
    /// Its name, unescaped and otherwise untouched.
    pub name: Cow<'d, str>,
    /// Its whole definition.
    pub definition: Value<'d>,
}

/// One page of tools.
#[derive(Debug, Clone)]
pub struct ToolsListResult<'d> {
    /// The array that has the tools.
    pub list: Value<'d>,
    /// For how long the client may take the list for what it is (revision 2026-07-28), in milliseconds.
    pub ttl_ms: Option<u64>,
    /// The tools in order.
    pub tools: Vec<ToolEntry<'d>>,
    /// Where the next page begins; `None` on the last one.
    pub next_cursor: Option<Cow<'d, str>>,
}

impl<'d> ToolsListResult<'d> {
    fn read(result: Value<'d>) -> Result<Self, Fault> {
        let wrong = RefusalCode::BadResult;
        let list = result.get("tools").filter(|tools| tools.kind() == Kind::Array);
        let list = list.ok_or_else(|| Fault::at(wrong, result))?;
        let mut tools = Vec::new();
        for definition in list.elements() {
            // A definition that a laxer host would read as another tool's must not reach it.
            keys::check(definition, keys::TOOL)?;
            let name = fields::required_string(definition, "name", wrong)?;
            check_name(&name, definition)?;
            tools.push(ToolEntry { name, definition });
        }
        let ttl_ms = fields::present(result, "ttlMs").and_then(|ttl| ttl.as_u64());
        Ok(Self { list, ttl_ms, tools, next_cursor: fields::string(result, "nextCursor", wrong)? })
    }
}

impl<'d> Response<'d> {
    /// The answer to a `tools/list`; `None` for an error. Which request it answers, only the caller knows.
    ///
    /// # Errors
    /// When it is not such an answer, has a tool that two readers could read differently, or one whose name is too long.
    pub fn tools_list(&self) -> Option<Result<ToolsListResult<'d>, Refusal>> {
        self.result().map(|result| ToolsListResult::read(result).map_err(|fault| self.refuse_fault(fault)))
    }
}
