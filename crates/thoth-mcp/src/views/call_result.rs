//! The answer to `tools/call`, in all its forms.

use std::borrow::Cow;

use thoth_types::json::Value;

use crate::fault::Fault;
use crate::message::Response;
use crate::refusal::{Refusal, RefusalCode};
use crate::views::fields;
use crate::views::meta::Meta;
use crate::views::tasks::check_id;

/// What kind of answer it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResultType<'d> {
    /// The call has ended. Also when the answer does not say.
    Complete,
    /// The server asks something first (revision 2026-07-28); the client will retry under a new id.
    InputRequired,
    /// The call goes on as a task: the tasks extension, or the core tasks of revision 2025-11-25.
    Task,
    /// Something that this version does not know.
    Other(Cow<'d, str>),
}

/// The governed members of an answer to `tools/call`, or to `tasks/result`.
#[derive(Debug, Clone)]
pub struct CallResult<'d> {
    /// Whether the tool failed.
    pub is_error: bool,
    /// What kind of answer it is.
    pub result_type: ResultType<'d>,
    /// The task that was created, or to which the answer belongs.
    pub task_id: Option<Cow<'d, str>>,
    /// The server's state that a retry must return: a string.
    pub request_state: Option<Value<'d>>,
    /// What the server asks: an object.
    pub input_requests: Option<Value<'d>>,
    /// The status of the created task.
    pub status: Option<Cow<'d, str>>,
}

impl<'d> CallResult<'d> {
    fn read(result: Value<'d>) -> Result<Self, Fault> {
        let wrong = RefusalCode::BadResult;
        let core_task = fields::object(result, "task", wrong)?;
        let result_type = match fields::string(result, "resultType", wrong)? {
            None if core_task.is_some() => ResultType::Task,
            None => ResultType::Complete,
            Some(word) => match &*word {
                "complete" => ResultType::Complete,
                "input_required" => ResultType::InputRequired,
                "task" => ResultType::Task,
                _ => ResultType::Other(word),
            },
        };
        let task = core_task.unwrap_or(result);
        let related = || Meta::read(result).ok().flatten().and_then(|meta| meta.related_task());
        let task_id = fields::string(task, "taskId", wrong)?.or_else(related);
        task_id.as_deref().map_or(Ok(()), |id| check_id(id, result))?;
        Ok(Self {
            is_error: fields::boolean(result, "isError", wrong)?.unwrap_or(false),
            task_id,
            status: fields::string(task, "status", wrong)?,
            input_requests: fields::object(result, "inputRequests", wrong)?,
            request_state: match fields::string(result, "requestState", wrong)? {
                Some(_) => result.get("requestState"),
                None => None,
            },
            result_type,
        })
    }
}

impl<'d> Response<'d> {
    /// The answer to a `tools/call`; `None` for an error. Which request it answers, only the caller knows.
    ///
    /// # Errors
    /// When a governed member has the wrong type or a task's id is too long.
    pub fn call_result(&self) -> Option<Result<CallResult<'d>, Refusal>> {
        self.result().map(|result| CallResult::read(result).map_err(|fault| self.refuse_fault(fault)))
    }

    /// What the server asks in an answer of any kind (revision 2026-07-28): an object, or nothing.
    ///
    /// # Errors
    /// When it is something else.
    pub fn input_requests(&self) -> Result<Option<Value<'d>>, Refusal> {
        let Some(result) = self.result() else { return Ok(None) };
        fields::object(result, "inputRequests", RefusalCode::BadResult).map_err(|fault| self.refuse_fault(fault))
    }
}
