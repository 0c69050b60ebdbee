//! What answers the routes for API keys.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

use super::{Served, entry, json};
use crate::access::Need;
use crate::keys;
use crate::limits::Kind;

pub(super) async fn list(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), |access, app, _| {
        keys::list(&app, &access).map(json)
    })
    .await
}

pub(super) async fn create(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), |access, app, body| {
        keys::create(&app, &access, &body).map(|made| (StatusCode::CREATED, json(made)).into_response())
    })
    .await
}

pub(super) async fn rotate(
    State(app): Served,
    Path((tenant, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, body| {
        keys::rotate(&app, &access, &id, &body).map(|made| (StatusCode::CREATED, json(made)).into_response())
    })
    .await
}

pub(super) async fn authorize(
    State(app): Served,
    Path((tenant, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), move |access, app, body| {
        keys::authorize(&app, &access, &id, &body).map(json)
    })
    .await
}

pub(super) async fn revoke(
    State(app): Served,
    Path((tenant, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, _| {
        keys::revoke(&app, &access, &id).map(json)
    })
    .await
}
