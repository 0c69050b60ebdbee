//! Tasks: the core ones of revision 2025-11-25 and the extension of 2026-07-28.

use std::borrow::Cow;

use thoth_types::json::Value;

use crate::fault::Fault;
use crate::message::{Notification, Request, Response};
use crate::refusal::{Refusal, RefusalCode};
use crate::views::fields;

/// The longest id of a task that is accepted, in bytes: a bound on what a session remembers of each. The protocol names
/// no limit; servers use UUIDs. It is the same as for the ids of messages.
pub const MAX_TASK_ID_BYTES: usize = 1024;

/// Refuses a task's id that is too long.
pub(super) fn check_id(id: &str, place: Value<'_>) -> Result<(), Fault> {
    if id.len() > MAX_TASK_ID_BYTES { Err(Fault::at(RefusalCode::TaskIdTooLong, place)) } else { Ok(()) }
}

fn required_id<'d>(object: Value<'d>, wrong: RefusalCode) -> Result<Cow<'d, str>, Fault> {
    let id = fields::required_string(object, "taskId", wrong)?;
    check_id(&id, object)?;
    Ok(id)
}

/// What is asked about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskMethod {
    /// `tasks/get`: its state; in the modern era with its result.
    Get,
    /// `tasks/result`: its result (legacy era).
    Result,
    /// `tasks/cancel`.
    Cancel,
    /// `tasks/update`: answers to what the server asks (modern era). Data leaves the client here.
    Update,
}

/// A request about one task. `tasks/list` names none and is not one.
#[derive(Debug, Clone)]
pub struct TaskRequest<'d> {
    /// What is asked.
    pub method: TaskMethod,
    /// The task.
    pub task_id: Cow<'d, str>,
    /// The answers of a `tasks/update`: an object.
    pub input_responses: Option<Value<'d>>,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskStatus<'d> {
    /// It runs.
    Working,
    /// The server asks something first.
    InputRequired,
    /// It ended with a result.
    Completed,
    /// It ended with an error.
    Failed,
    /// It was called off.
    Cancelled,
    /// Something that this version does not know.
    Other(Cow<'d, str>),
}

impl TaskStatus<'_> {
    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What an answer to `tasks/get` or `tasks/cancel`, or a status notification, says about a task.
#[derive(Debug, Clone)]
pub struct TaskState<'d> {
    /// The task.
    pub task_id: Cow<'d, str>,
    /// How far it is.
    pub status: TaskStatus<'d>,
    /// Text for a person or a model: a string.
    pub status_message: Option<Value<'d>>,
    /// The result of the call (modern era): an object.
    pub result: Option<Value<'d>>,
    /// The error of the call (modern era): an object.
    pub error: Option<Value<'d>>,
    /// What the server asks (modern era): an object.
    pub input_requests: Option<Value<'d>>,
}

impl<'d> TaskState<'d> {
    fn read(object: Value<'d>, wrong: RefusalCode) -> Result<Self, Fault> {
        let status = fields::required_string(object, "status", wrong)?;
        Ok(Self {
            task_id: required_id(object, wrong)?,
            status: match &*status {
                "working" => TaskStatus::Working,
                "input_required" => TaskStatus::InputRequired,
                "completed" => TaskStatus::Completed,
                "failed" => TaskStatus::Failed,
                "cancelled" => TaskStatus::Cancelled,
                _ => TaskStatus::Other(status),
            },
            status_message: match fields::string(object, "statusMessage", wrong)? {
                Some(_) => object.get("statusMessage"),
                None => None,
            },
            result: fields::object(object, "result", wrong)?,
            error: fields::object(object, "error", wrong)?,
            input_requests: fields::object(object, "inputRequests", wrong)?,
        })
    }
}

impl<'d> Request<'d> {
    /// What is asked about a task; `None` for another method.
    ///
    /// # Errors
    /// When the task's id is missing or too long, or a governed parameter has the wrong type.
    pub fn task_request(&self) -> Option<Result<TaskRequest<'d>, Refusal>> {
        let method = match &*self.method {
            "tasks/get" => TaskMethod::Get,
            "tasks/result" => TaskMethod::Result,
            "tasks/cancel" => TaskMethod::Cancel,
            "tasks/update" => TaskMethod::Update,
            _ => return None,
        };
        let wrong = RefusalCode::BadParams;
        let read = |params: Option<Value<'d>>| {
            let params = params.ok_or_else(|| Fault::at(wrong, self.object))?;
            Ok(TaskRequest {
                method,
                task_id: required_id(params, wrong)?,
                input_responses: fields::object(params, "inputResponses", wrong)?,
            })
        };
        Some(read(self.params).map_err(|fault| self.refuse_fault(fault)))
    }
}

impl<'d> Response<'d> {
    /// The answer to `tasks/get` or `tasks/cancel`; `None` for an error. Which request it answers, only the caller
    /// knows.
    ///
    /// # Errors
    /// When a governed member is missing, is too long or has the wrong type.
    pub fn task_state(&self) -> Option<Result<TaskState<'d>, Refusal>> {
        self.result()
            .map(|result| TaskState::read(result, RefusalCode::BadResult).map_err(|fault| self.refuse_fault(fault)))
    }
}

impl<'d> Notification<'d> {
    /// What `notifications/tasks` (modern) or `notifications/tasks/status` (legacy) says; `None` for another method.
    ///
    /// # Errors
    /// When a governed parameter is missing, is too long or has the wrong type.
    pub fn task_state(&self) -> Option<Result<TaskState<'d>, Refusal>> {
        if !matches!(&*self.method, "notifications/tasks" | "notifications/tasks/status") {
            return None;
        }
        let wrong = RefusalCode::BadParams;
        let read =
            |params: Option<Value<'d>>| TaskState::read(params.ok_or_else(|| Fault::at(wrong, self.object))?, wrong);
        Some(read(self.params).map_err(|fault| self.refuse_fault(fault)))
    }
}
