//! What the state of a task carries to the client: the outcome of its call, questions, and a message. It decides nothing
//! about what may become a task.

use thoth_gate::Outcome;
use thoth_mcp::{Refusal, TaskState};
use thoth_types::json::Value;

use super::{Inspection, wide};
use crate::clock;

impl Inspection<'_> {
    /// A task extension's state may carry the outcome; a core task's does not, and its outcome is still asked for.
    pub(super) fn task(
        &mut self,
        task: &TaskState<'_>,
        bytes: usize,
        refuse: impl FnOnce() -> Refusal,
    ) -> Result<(), Refusal> {
        let asked = |result: Value<'_>| result.get("inputRequests").is_some_and(|asked| self.asks_wrongly(asked));
        if task.input_requests.is_some_and(|asked| self.asks_wrongly(asked))
            || task.result.is_some_and(asked)
            || task.error.is_some_and(|error| self.demands_wrongly(error))
        {
            return Err(refuse());
        }
        let tool = self.session.lock().tool_of_task(&task.task_id).unwrap_or_default();
        if let Some(message) = task.status_message {
            self.status_message(&tool, message);
        }
        if task.result.is_none() && task.error.is_none() {
            return Ok(());
        }
        let found = self.task_answer(&tool, task);
        if !task.status.is_final() {
            return Ok(());
        }
        let Some(ticket) = self.session.lock().end_task(&task.task_id) else { return Ok(()) };
        let kind = if task.error.is_some() { "error" } else { "result" };
        let outcome = Outcome { kind, result_bytes: wide(bytes), task_id: Some(&task.task_id), found: found.as_ref() };
        self.outcomes.settle(self.caller, &ticket, &outcome, clock::now());
        Ok(())
    }
}
