//! What answers the routes for machines.

use axum::extract::{Path, Request, State};
use axum::response::Response;

use super::{Served, entry, json, query};
use crate::access::Need;
use crate::endpoints;
use crate::limits::Kind;

pub(super) async fn register(State(app): Served, request: Request) -> Response {
    entry(app, request, (Need::Report, Kind::Endpoint), None, |access, app, body| {
        endpoints::register(&app, &access, &body).map(json)
    })
    .await
}

/// Some clients name the organisation in the address only.
pub(super) async fn add(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Report, Kind::Endpoint), Some(tenant), |access, app, body| {
        endpoints::add(&app, &access, &body).map(json)
    })
    .await
}

pub(super) async fn check_in(State(app): Served, request: Request) -> Response {
    entry(app, request, (Need::Report, Kind::Endpoint), None, |access, app, body| {
        endpoints::check_in(&app, &access, &body).map(json)
    })
    .await
}

pub(super) async fn list(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), |access, app, _| {
        endpoints::list(&app, &access, &asked?).map(json)
    })
    .await
}

pub(super) async fn stats(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), |access, app, _| {
        endpoints::stats(&app, &access).map(json)
    })
    .await
}

pub(super) async fn show(State(app): Served, Path((tenant, id)): Path<(String, String)>, request: Request) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), move |access, app, _| {
        endpoints::show(&app, &access, &id).map(json)
    })
    .await
}

pub(super) async fn quarantine(
    State(app): Served,
    Path((tenant, id)): Path<(String, String)>,
    request: Request,
) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, body| {
        endpoints::quarantine(&app, &access, &id, &body).map(json)
    })
    .await
}
