//! The nouns of Thoth.
//!
//! What a call is, who makes it, what may be decided about it and why, and the strict JSON document all of that is
//! read from. Every other crate speaks in these types.
//!
//! This crate does no I/O and reads neither clock nor environment. Its types are not serialisable on purpose: each
//! outer surface (ledger, JSON-RPC, HTTP, terminal) has its own wire shape and converts.

pub mod approval;
pub mod call;
pub mod decision;
pub mod display;
pub mod id;
pub mod inspection;
pub mod integrity;
pub mod json;
pub mod place;
pub mod redacted;
pub mod remote;

pub use approval::{
    Approver, ApproverRule, ArgumentPattern, Binding, Channel, Grant, GrantScope, HoldToken, Namespaces, ProcessRef,
    Requester, Requirement, Unentitled, Vote, Way,
};
pub use call::{Arguments, Caller, Listed, ToolCall};
pub use decision::{Approval, Decision, Effect, Finding, Mode, ReasonCode, RiskLevel, Stage};
pub use id::{AgentId, ENFORCED_SERVER, EndpointId, IdError, ServerName, SessionId, TenantId, UserId};
pub use inspection::{HarmClass, HarmClasses, InspectAction, Inspected};
pub use integrity::{Digest, FieldDigest, Fingerprint, Integrity, ItemKind, PinState, Reaction, Severity, Threat};
pub use place::Place;
pub use redacted::Redacted;
pub use remote::{Remote, RemoteTold, RemoteVerdict};
