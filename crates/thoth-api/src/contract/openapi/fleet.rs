//! What is special about the routes for machines.

use super::{Schemas, Special, Unwritable, may, query};
use crate::contract::endpoint;
use crate::contract::fault::Code;
use crate::contract::key::Permission;
use crate::contract::list::List;
use crate::contract::route::Route;

/// Who may tell of machines: whoever has calls decided there, and whoever administers them.
const TELLERS: &[Permission] = &[Permission::Execute, Permission::Write];

pub(super) fn special(route: Route, schemas: &mut Schemas) -> Result<Special, Unwritable> {
    Ok(match route {
        Route::RegisterEndpoint => Special {
            description: "A machine that is known is not taken in anew: its quarantine stays, and so does its fleet, which only \
                a key for the organization with `write` and without `execute` changes.",
            takes: Some(schemas.add::<endpoint::Register>()?),
            answers: Some(schemas.add::<endpoint::Answer>()?),
            ..may(TELLERS)
        },
        Route::AddEndpoint => Special {
            description: "As `POST /v1/endpoints/register`; `tenant_id` may be left out.",
            takes: Some(schemas.add::<endpoint::Register>()?),
            answers: Some(schemas.add::<endpoint::Answer>()?),
            ..may(TELLERS)
        },
        Route::CheckInEndpoint => Special {
            description: "What is absent stays as it was.",
            takes: Some(schemas.add::<endpoint::CheckIn>()?),
            answers: Some(schemas.add::<endpoint::Answer>()?),
            faults: &[Code::NotFound],
            ..may(TELLERS)
        },
        Route::ListEndpoints => Special {
            query: query::<endpoint::Query>()?,
            answers: Some(schemas.add_as::<List<endpoint::Endpoint>>("EndpointList")?),
            ..may(&[Permission::Read])
        },
        Route::CountEndpoints => {
            Special { answers: Some(schemas.add::<endpoint::Stats>()?), ..may(&[Permission::Read]) }
        }
        Route::ShowEndpoint => Special {
            answers: Some(schemas.add::<endpoint::Endpoint>()?),
            faults: &[Code::NotFound],
            ..may(&[Permission::Read])
        },
        Route::QuarantineEndpoint => Special {
            description: "Holds from the next call of the machine on, and is in the tenant's ledger.",
            takes: Some(schemas.add::<endpoint::Quarantine>()?),
            answers: Some(schemas.add::<endpoint::Endpoint>()?),
            faults: &[Code::NotFound],
            ..may(&[Permission::Write])
        },
        _ => Special::default(),
    })
}
