//! A call that was held here goes through the gate once more.

use std::borrow::Cow;
use std::sync::Arc;

use thoth_gate::Answer;
use thoth_mcp::{BatchRule, Decoder, Direction, Frame, Message};
use thoth_types::{Arguments, ToolCall};

use crate::remote::Waiting;
use crate::turn::{Making, body_of, random};
use crate::waiting::Parked;

impl Making<'_, '_> {
    /// Asks the gate about a held call once more: everything is decided anew, over the same bytes and by the same decoder.
    pub(crate) fn again(&mut self, call: Parked) {
        if !self.waits(&call.bound) {
            // It was answered when the session ended.
            return;
        }
        let line = Arc::clone(&call.line);
        let mut decoder = Decoder::new(self.at.limits);
        let frame = decoder.decode(body_of(&line), Direction::ClientToServer, BatchRule::Refuse);
        let Ok(Frame::One(Message::Request(request))) = frame else {
            return self.refuse_call(&call.bound, &call.refused);
        };
        let Ok(view) = request.tool_call() else { return self.refuse_call(&call.bound, &call.refused) };
        let (listed, integrity) = self.at.session.facts(&view.name, (self.at.clock)());
        let tool_call = ToolCall {
            listed,
            integrity,
            retry_of: Some(call.first_call.to_string()),
            task: view.task,
            also_sent: view.also_sent,
            enforcement_trace: None,
            arguments: Arguments::new(view.arguments),
            tool: view.name,
            remote: None,
        };
        match self.put(&tool_call, Cow::Owned(line.to_vec()), &random) {
            Answer::Admitted => self.admitted(call.bound),
            Answer::Unasked(unasked) => {
                let Parked { bound, first_call, heartbeat, .. } = call;
                let retry_of = Some(first_call.to_string());
                let call = Waiting { bound, line: Arc::clone(&line), unasked: *unasked, retry_of, heartbeat };
                self.ask(call, view.traceparent.as_deref());
            }
            Answer::Refused(refused) => self
                .kept
                .room
                .again(call, refused)
                .unwrap_or_else(|(bound, refused)| self.refuse_call(&bound, &refused)),
        }
    }
}
