//! What is special about the routes for policy bundles.

use super::{Schemas, Special, Unwritable, may, query};
use crate::contract::fault::Code;
use crate::contract::key::Permission;
use crate::contract::list::List;
use crate::contract::policy_bundle as bundle;
use crate::contract::route::Route;

pub(super) fn special(route: Route, schemas: &mut Schemas) -> Result<Special, Unwritable> {
    let (read, write) = (|| may(&[Permission::Read]), || may(&[Permission::Write]));
    let changed = |schemas: &mut Schemas| -> Result<Special, Unwritable> {
        Ok(Special {
            description: "What comes of it must be a policy together with the server's own and all other active bundles; it is \
                in the tenant's ledger.",
            answers: Some(schemas.add::<bundle::Bundle>()?),
            faults: &[Code::NotFound, Code::Conflict],
            ..may(&[Permission::Write])
        })
    };
    Ok(match route {
        Route::ListBundles => {
            Special { answers: Some(schemas.add_as::<List<bundle::Bundle>>("PolicyBundleList")?), ..read() }
        }
        Route::UploadBundle => Special {
            description: "A policy that is not valid is refused with all that is wrong, and nothing of it is kept.",
            takes: Some(schemas.add::<bundle::Upload>()?),
            answers: Some(schemas.add::<bundle::Uploaded>()?),
            success: Some(201),
            faults: &[Code::Conflict],
            ..write()
        },
        Route::ValidateBundle => Special {
            takes: Some(schemas.add::<bundle::Validate>()?),
            answers: Some(schemas.add::<bundle::Report>()?),
            ..write()
        },
        Route::ShowEffective => Special {
            query: query::<bundle::WhoseQuery>()?,
            answers: Some(schemas.add::<bundle::Effective>()?),
            ..read()
        },
        Route::ShowBundle => Special {
            query: query::<bundle::ShowQuery>()?,
            answers: Some(schemas.add::<bundle::Shown>()?),
            faults: &[Code::NotFound],
            ..read()
        },
        Route::DeleteBundle => Special {
            description: "Its versions stay for the record, under its `bundle_id`; its name is free.",
            answers: Some(schemas.add::<bundle::Bundle>()?),
            faults: &[Code::NotFound, Code::Conflict],
            ..write()
        },
        Route::ListBundleVersions => Special {
            answers: Some(schemas.add_as::<List<bundle::Version>>("PolicyBundleVersionList")?),
            faults: &[Code::NotFound],
            ..read()
        },
        Route::ActivateBundle => Special { takes: Some(schemas.add::<bundle::Activate>()?), ..changed(schemas)? },
        Route::DeactivateBundle | Route::RollBackBundle => changed(schemas)?,
        Route::AssignBundle => Special { takes: Some(schemas.add::<bundle::Assign>()?), ..changed(schemas)? },
        Route::FetchPolicy => Special {
            description: "The key must speak for whom it is asked. `ETag` names what it says; with it in `If-None-Match` it is \
                answered with 304 as long as that is the same and far from its end.",
            query: query::<bundle::WhoseQuery>()?,
            answers: Some(schemas.add::<bundle::Document>()?),
            unchanged: true,
            ..may(&[Permission::Execute])
        },
        _ => Special::default(),
    })
}
