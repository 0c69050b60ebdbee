//! What is special about the routes for keys.

use super::{Schemas, Special, Unwritable, may};
use crate::contract::fault::Code;
use crate::contract::key::{self, Permission};
use crate::contract::route::Route;

pub(super) fn special(route: Route, schemas: &mut Schemas) -> Result<Special, Unwritable> {
    Ok(match route {
        Route::ListKeys => Special { answers: Some(schemas.add::<key::Keys>()?), ..may(&[Permission::Read]) },
        Route::CreateKey => Special {
            takes: Some(schemas.add::<key::Create>()?),
            answers: Some(schemas.add::<key::Created>()?),
            success: Some(201),
            ..may(&[Permission::Write])
        },
        Route::RotateKey => Special {
            description: "The new one is for the same, with the same permissions, name and lifetime.",
            takes: Some(schemas.add::<key::Rotate>()?),
            answers: Some(schemas.add::<key::Rotated>()?),
            success: Some(201),
            faults: &[Code::NotFound, Code::Conflict],
            ..may(&[Permission::Write])
        },
        Route::AuthorizeKey => Special {
            description: "A text that is another one is told with status 200 and `valid: false`.",
            takes: Some(schemas.add::<key::Authorize>()?),
            answers: Some(schemas.add::<key::Authorized>()?),
            faults: &[Code::NotFound],
            ..may(&[Permission::Read])
        },
        Route::RevokeKey => Special {
            answers: Some(schemas.add::<key::Row>()?),
            faults: &[Code::NotFound],
            ..may(&[Permission::Write])
        },
        _ => Special::default(),
    })
}
