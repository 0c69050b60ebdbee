//! The JSON-RPC envelope of one message.

use thoth_types::json::{Kind, Value};

use crate::fault::Fault;
use crate::id::Id;
use crate::keys::{self, Strangers};
use crate::message::{Direction, Era, Message, Notification, Outcome, Request, Response};
use crate::refusal::RefusalCode;
use crate::views::meta::{Meta, PROTOCOL_VERSION};
use crate::views::tool_call::{self, ToolCallView};

/// The members of the envelope, each at most once.
#[derive(Default)]
struct Envelope<'d> {
    jsonrpc: Option<Value<'d>>,
    id: Option<Value<'d>>,
    method: Option<Value<'d>>,
    params: Option<Value<'d>>,
    result: Option<Value<'d>>,
    error: Option<Value<'d>>,
}

impl<'d> Envelope<'d> {
    fn read(object: Value<'d>) -> Result<Self, Fault> {
        let mut envelope = Self::default();
        let mut strangers = Strangers::default();
        for (key, value) in object.members() {
            let text = key.as_str().unwrap_or_default();
            let slot = match &*text {
                "jsonrpc" => &mut envelope.jsonrpc,
                "id" => &mut envelope.id,
                "method" => &mut envelope.method,
                "params" => &mut envelope.params,
                "result" => &mut envelope.result,
                "error" => &mut envelope.error,
                _ => {
                    strangers.note(key, text, keys::ENVELOPE)?;
                    continue;
                }
            };
            *slot = Some(value);
        }
        strangers.check()?;
        Ok(envelope)
    }
}

/// Reads one message.
pub(crate) fn read(object: Value<'_>, direction: Direction) -> Result<Message<'_>, Fault> {
    if !object.is_object() {
        return Err(Fault::at(RefusalCode::NotAnObject, object));
    }
    let envelope = Envelope::read(object)?;
    match envelope.jsonrpc {
        Some(version) if version.is_str("2.0") => {}
        other => return Err(Fault::at(RefusalCode::BadVersion, other.unwrap_or(object))),
    }
    match envelope {
        Envelope { method: Some(_), result: Some(second), .. }
        | Envelope { method: Some(_), error: Some(second), .. }
        | Envelope { params: Some(_), result: Some(second), .. }
        | Envelope { params: Some(_), error: Some(second), .. }
        | Envelope { result: Some(_), error: Some(second), .. } => Err(Fault::at(RefusalCode::MixedShape, second)),
        Envelope { method: Some(method), id, params, .. } => call(object, method, id, params),
        Envelope { result: Some(result), id, .. } => response(object, id, Outcome::Result(result), direction),
        Envelope { error: Some(error), id, .. } => response(object, id, Outcome::Error(error), direction),
        Envelope { .. } => Err(Fault::at(RefusalCode::NoShape, object)),
    }
}

fn call<'d>(
    object: Value<'d>,
    method_value: Value<'d>,
    id: Option<Value<'d>>,
    params: Option<Value<'d>>,
) -> Result<Message<'d>, Fault> {
    let bad_method = || Fault::at(RefusalCode::BadMethod, method_value);
    if method_value.kind() != Kind::String {
        return Err(bad_method());
    }
    let method = method_value.as_str().ok_or_else(bad_method)?;
    if method.is_empty() || method.chars().any(char::is_control) {
        return Err(bad_method());
    }
    let is_tool_call = method == tool_call::METHOD;
    if !is_tool_call && keys::folds_to(&method, tool_call::METHOD) {
        return Err(Fault::at(RefusalCode::FoldedMethod, method_value));
    }
    let id = id.map(Id::read).transpose()?;
    // Peers that take `null` at all take it as absent.
    let params = params.filter(|params| !params.is_null());
    let mut era = Era::Legacy;
    if let Some(params) = params {
        if !params.is_object() {
            return Err(Fault::at(RefusalCode::ParamsNotObject, params));
        }
        keys::check(params, keys::PARAMS)?;
        let meta = Meta::read(params)?;
        if meta.is_some_and(|meta| meta.get(PROTOCOL_VERSION).is_some()) {
            era = Era::Modern;
        }
    }
    let raw = object.raw();
    let Some(id) = id else {
        if is_tool_call {
            return Err(Fault::at(RefusalCode::CallWithoutId, object));
        }
        return Ok(Message::Notification(Notification { method, params, era, raw, object }));
    };
    if is_tool_call {
        ToolCallView::check(params, object)?;
    }
    Ok(Message::Request(Request { id, method, params, era, raw, object }))
}

fn response<'d>(
    object: Value<'d>,
    id: Option<Value<'d>>,
    outcome: Outcome<'d>,
    direction: Direction,
) -> Result<Message<'d>, Fault> {
    let (body, governed, wrong) = match outcome {
        Outcome::Result(result) => (result, keys::RESULT, RefusalCode::ResultNotObject),
        Outcome::Error(error) => (error, keys::ERROR, RefusalCode::ErrorNotObject),
    };
    let id = match (id, outcome) {
        // A server may not have been able to read the id of what it refuses. A client's answer must name the request.
        (None, Outcome::Error(_)) if direction == Direction::ServerToClient => None,
        (Some(null), Outcome::Error(_)) if null.is_null() && direction == Direction::ServerToClient => None,
        (None, _) => return Err(Fault::at(RefusalCode::BadId, object)),
        (Some(id), _) => Some(Id::read(id)?),
    };
    if !body.is_object() {
        return Err(Fault::at(wrong, body));
    }
    keys::check(body, governed)?;
    let mut era = Era::Legacy;
    if let Outcome::Result(result) = outcome {
        Meta::read(result)?;
        if result.get("resultType").is_some() {
            era = Era::Modern;
        }
    }
    Ok(Message::Response(Response { id, outcome, era, raw: object.raw(), object }))
}
