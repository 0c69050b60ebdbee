//! `tools/call`: the action.

use std::borrow::Cow;

use thoth_types::json::{Kind, Value, canonical};

use crate::fault::Fault;
use crate::id::Id;
use crate::message::Request;
use crate::refusal::{Refusal, RefusalCode};
use crate::views::meta::Meta;

/// The method.
pub(crate) const METHOD: &str = "tools/call";

/// The longest name of a tool that is accepted, in bytes: a bound on what a session remembers of each. Revision 2025-11-25
/// says that names should have at most 128 characters of ASCII; this leaves room for eight times that.
pub const MAX_TOOL_NAME_BYTES: usize = 1024;

/// Refuses a tool's name that is too long.
pub(super) fn check_name(name: &str, place: Value<'_>) -> Result<(), Fault> {
    if name.len() > MAX_TOOL_NAME_BYTES { Err(Fault::at(RefusalCode::ToolNameTooLong, place)) } else { Ok(()) }
}

/// The parameters of a `tools/call`.
#[derive(Debug, Clone)]
pub struct ToolCallView<'d> {
    /// The tool's name, unescaped and otherwise untouched.
    pub name: Cow<'d, str>,
    /// Its arguments: an object; absent or `null` arguments are `None`, and servers execute them as `{}`.
    pub arguments: Option<Value<'d>>,
    /// The token under which the client wants to hear of progress.
    pub progress_token: Option<Id<'d>>,
    /// Whether the client asks for execution as a task (revision 2025-11-25).
    pub task: bool,
    /// The answers with which a multi-round-trip call is retried (revision 2026-07-28): an object.
    pub input_responses: Option<Value<'d>>,
    /// The server's state that such a retry returns: a string.
    pub request_state: Option<Value<'d>>,
    /// W3C trace context.
    pub traceparent: Option<Cow<'d, str>>,
    /// Every other member of the parameters, `task` among them, as an object in its exact canonical form; empty if there
    /// is none. A server may act on any of them.
    pub also_sent: Box<[u8]>,
}

/// The members that have a place of their own: what is called, about the message, and of its round trip.
const APART: [&str; 5] = ["name", "arguments", "_meta", "inputResponses", "requestState"];

fn also_sent(params: Value<'_>) -> Box<[u8]> {
    let mut form = Vec::new();
    let is_apart = |key: Value<'_>| APART.iter().any(|name| key.is_str(name));
    if !params.members().all(|(key, _)| is_apart(key)) {
        canonical::exact_without(params, &APART, &mut form);
    }
    form.into()
}

impl<'d> ToolCallView<'d> {
    fn read(params: Value<'d>) -> Result<Self, Fault> {
        let mut name = None;
        let (mut arguments, mut task, mut input_responses, mut request_state, mut meta) =
            (None, None, None, None, None);
        for (key, value) in params.members() {
            let text = key.as_str().unwrap_or_default();
            let (slot, kind, wrong) = match &*text {
                "name" => (&mut name, Kind::String, RefusalCode::BadToolName),
                "arguments" => (&mut arguments, Kind::Object, RefusalCode::ArgumentsNotObject),
                "task" => (&mut task, Kind::Object, RefusalCode::BadParams),
                "inputResponses" => (&mut input_responses, Kind::Object, RefusalCode::BadParams),
                "requestState" => (&mut request_state, Kind::String, RefusalCode::BadParams),
                "_meta" => (&mut meta, Kind::Object, RefusalCode::BadMeta),
                _ => continue,
            };
            match value.kind() {
                Kind::Null => {}
                found if found == kind => *slot = Some(value),
                _ => return Err(Fault::at(wrong, value)),
            }
        }
        let place = name.unwrap_or(params);
        let name = name.and_then(|name| name.as_str()).ok_or_else(|| Fault::at(RefusalCode::BadToolName, params))?;
        check_name(&name, place)?;
        let (mut progress_token, mut traceparent) = (None, None);
        if let Some(meta) = meta.map(Meta::checked) {
            progress_token = meta.progress_token();
            traceparent = meta.traceparent();
        }
        Ok(Self {
            name,
            arguments,
            progress_token,
            task: task.is_some(),
            input_responses,
            request_state,
            traceparent,
            also_sent: also_sent(params),
        })
    }

    /// Checks the parameters of the `tools/call` in `object`.
    pub(crate) fn check(params: Option<Value<'d>>, object: Value<'d>) -> Result<(), Fault> {
        let params = params.ok_or_else(|| Fault::at(RefusalCode::BadToolName, object))?;
        Self::read(params).map(|_| ())
    }
}

impl<'d> Request<'d> {
    /// Whether it is a `tools/call`.
    #[must_use]
    pub fn is_tool_call(&self) -> bool {
        self.method == METHOD
    }

    /// The parameters of a `tools/call`, as they were checked when the message was decoded.
    ///
    /// # Errors
    /// When the method is another.
    pub fn tool_call(&self) -> Result<ToolCallView<'d>, Refusal> {
        match self.params {
            Some(params) if self.is_tool_call() => ToolCallView::read(params).map_err(|fault| self.refuse_fault(fault)),
            _ => Err(self.refuse(RefusalCode::BadMethod, self.object.span().start)),
        }
    }
}
