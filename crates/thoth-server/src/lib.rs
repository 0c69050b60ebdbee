//! The enforcer over HTTP: who asks is told by their key or their login, each call goes through the gate of its tenant, and the answer is
//! in the words of the contract.
//!
//! It decides nothing itself and runs no call. Each tenant has its own holds and ledger. Whatever waits for the disk or a
//! database runs on threads that may wait.

mod access;
mod actors;
mod app;
mod approvals;
mod assignment;
mod auth;
pub mod backup;
mod bundles;
mod clock;
mod complaints;
mod decide;
mod decided;
mod deciders;
mod endpoints;
mod enforce;
mod events;
mod evidence;
mod examine;
mod explain;
mod exposition;
mod fault;
mod hold;
mod holding;
mod indexing;
mod inventory;
mod keys;
mod limits;
pub mod listen;
// The program compares the names of settings with it, too.
#[path = "options/near.rs"]
mod near;
mod noted;
mod oidc;
mod policy_document;
mod private_holds;
mod query;
mod random;
mod receipt;
mod recent_keys;
mod refusals;
mod routes;
mod sessions;
mod settings;
mod stores;
mod tenant;
mod tenants;
mod turns;
mod version;

pub use app::{Options, Server};
pub use keys::{KeyError, create_key, create_key_in};
pub use limits::Rates;
pub use oidc::{ClaimName, NoOidc, OidcOptions, RoleMapping, TenantMapping};
pub use tenants::{NoTenantName, TenantName};
