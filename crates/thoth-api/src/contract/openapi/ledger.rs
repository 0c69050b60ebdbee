//! What is special about the routes for what the ledger has, for the tools of agents, and for what clients tell.

use super::{Schemas, Special, Unwritable, may, query};
use crate::contract::fault::Code;
use crate::contract::key::Permission;
use crate::contract::list::List;
use crate::contract::route::Route;
use crate::contract::{decision, event, evidence, inventory, session, settings};

/// A list may look at no more than so much at once.
const PAGES: &str = "It is found by an index that follows the ledger, about a second behind. A page may have fewer than asked for, \
    also none, and a `next_cursor` all the same: then nothing more was found in what it looked at. Oldest first, every page but \
    an empty one has a `next_cursor`: newer ones may come.";

pub(super) fn special(route: Route, schemas: &mut Schemas) -> Result<Special, Unwritable> {
    let read = || may(&[Permission::Read]);
    Ok(match route {
        Route::ListDecisions | Route::ListViolations => Special {
            description: PAGES,
            query: query::<decision::Query>()?,
            answers: Some(schemas.add_as::<List<decision::Decision>>("DecisionList")?),
            ..read()
        },
        Route::ShowViolation => {
            Special { answers: Some(schemas.add::<decision::Violation>()?), faults: &[Code::NotFound], ..read() }
        }
        Route::ListSessions => Special {
            description: PAGES,
            query: query::<session::Query>()?,
            answers: Some(schemas.add_as::<List<session::Session>>("SessionList")?),
            ..read()
        },
        Route::ShowSession => {
            Special { answers: Some(schemas.add::<session::Session>()?), faults: &[Code::NotFound], ..read() }
        }
        Route::ExportSession => Special {
            description: "Up to 1000 records or 4 MiB of them; of a longer session `next_sequence` says where to go on.",
            query: query::<evidence::BundleQuery>()?,
            answers: Some(schemas.add::<evidence::Bundle>()?),
            faults: &[Code::NotFound],
            ..read()
        },
        Route::TellTools => Special {
            description: "It allows nothing: what an agent says of its tools decides no call.",
            takes: Some(schemas.add::<inventory::Inventory>()?),
            answers: Some(schemas.add::<inventory::Receipt>()?),
            ..may(&[Permission::Execute, Permission::Write])
        },
        Route::ReportTools => Special {
            query: query::<inventory::ReportQuery>()?,
            answers: Some(schemas.add::<inventory::Report>()?),
            ..read()
        },
        Route::ShowSettings => Special { answers: Some(schemas.add::<settings::Answer>()?), ..read() },
        Route::ChangeSettings => Special {
            description: "An organisation can only be stricter than its server. It is in the tenant's ledger before it holds.",
            takes: Some(schemas.add::<settings::Change>()?),
            answers: Some(schemas.add::<settings::Answer>()?),
            faults: &[Code::Conflict],
            ..may(&[Permission::Write])
        },
        Route::ListEvents => Special {
            query: query::<event::Query>()?,
            answers: Some(schemas.add_as::<List<event::Event>>("EventList")?),
            ..read()
        },
        Route::ListAgents => Special {
            description: "A page may have fewer than asked for, also none, and a `next_cursor` all the same: then nothing more was \
                found in what it looked at.",
            query: query::<session::AgentQuery>()?,
            answers: Some(schemas.add_as::<List<session::Agent>>("AgentList")?),
            ..read()
        },
        Route::ShowAgent => {
            Special { answers: Some(schemas.add::<session::Agent>()?), faults: &[Code::NotFound], ..read() }
        }
        Route::ShowChain => Special {
            query: query::<evidence::ChainQuery>()?,
            answers: Some(schemas.add::<evidence::Chain>()?),
            ..read()
        },
        Route::VerifyChain | Route::VerifyGovernanceChain => Special {
            description: "Every event's form and hash, and that they make up the signed root. What is not good is told with status \
                200 and `verified: false`.",
            query: query::<evidence::CheckQuery>()?,
            answers: Some(schemas.add::<evidence::Check>()?),
            ..read()
        },
        _ => Special::default(),
    })
}
