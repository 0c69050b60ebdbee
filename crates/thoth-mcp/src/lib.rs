//! Sans-I/O framing of the Model Context Protocol.
//!
//! Bytes go into a [`FrameBuffer`], complete lines come out, and a [`Decoder`] turns each line into a [`Frame`] of
//! typed [`Message`]s over the original bytes, or refuses it with a [`Refusal`]. Nothing is copied or re-serialised:
//! the bytes that were inspected are the bytes that may be forwarded. Whatever two readers on the other side could
//! understand differently is refused.
//!
//! This crate knows the protocol, in all its revisions and in both directions, and no policy.

mod cut;
mod decode;
mod elicitation;
mod encode;
mod envelope;
mod fault;
mod frame_buffer;
mod id;
mod in_flight;
mod keys;
mod message;
mod refusal;
mod rescue;
mod surgery;
mod views;

pub use cut::{StateOf, cut_round_trip};
pub use decode::{BatchRule, Decoder, MAX_BATCH};
pub use elicitation::{Choice, Elicitation, elicitation_complete, elicitation_request, input_required_result};
pub use encode::{
    cancelled_notification, error_response, notification, progress_notification, push_json_string, tool_error_result,
};
pub use frame_buffer::{FrameBuffer, Framed, Frames};
pub use id::{Id, IdKey, MAX_ID_BYTES};
pub use in_flight::{InFlight, InFlightError};
pub use message::{Direction, Era, Frame, Message, Notification, Outcome, Request, Response};
pub use refusal::{Refusal, RefusalCode, RefusedShape};
pub use surgery::{Edit, apply, without_caching, without_elements, without_members};
pub use views::call_result::{CallResult, ResultType};
pub use views::elicitation::{ElicitAction, ElicitResult, ElicitationSupport};
pub use views::listing::{ListedItem, Listing, ListingPage, MAX_LISTED_NAME_BYTES};
pub use views::meta::Meta;
pub use views::session::{CancelledView, InitializeRequest, InitializeResult};
pub use views::tasks::{MAX_TASK_ID_BYTES, TaskMethod, TaskRequest, TaskState, TaskStatus};
pub use views::tool_call::{MAX_TOOL_NAME_BYTES, ToolCallView};
pub use views::tools_list::{ToolEntry, ToolsListResult};
