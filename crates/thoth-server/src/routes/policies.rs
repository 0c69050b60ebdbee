//! What answers the routes for policy bundles.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::{Served, entry, json, query};
use crate::access::Need;
use crate::fault::Fault;
use crate::limits::Kind;
use crate::{bundles, policy_document};

type Named = Path<(String, String)>;

pub(super) async fn list(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), |access, app, _| {
        bundles::list(&app, &access).map(json)
    })
    .await
}

pub(super) async fn upload(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), |access, app, body| {
        bundles::upload(&app, &access, &body).map(|made| (StatusCode::CREATED, json(made)).into_response())
    })
    .await
}

pub(super) async fn validate(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), |_, _, body| bundles::validate(&body).map(json))
        .await
}

pub(super) async fn effective(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), |access, app, _| {
        bundles::effective(&app, &access, asked?).map(json)
    })
    .await
}

pub(super) async fn show(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    let asked = query(request.uri());
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), move |access, app, _| {
        bundles::show(&app, &access, &id, asked?).map(json)
    })
    .await
}

pub(super) async fn versions(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), move |access, app, _| {
        bundles::versions(&app, &access, &id).map(json)
    })
    .await
}

pub(super) async fn activate(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, body| {
        bundles::activate(&app, &access, &id, &body).map(json)
    })
    .await
}

pub(super) async fn deactivate(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, _| {
        bundles::deactivate(&app, &access, &id).map(json)
    })
    .await
}

pub(super) async fn roll_back(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, _| {
        bundles::roll_back(&app, &access, &id).map(json)
    })
    .await
}

pub(super) async fn assign(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, body| {
        bundles::assign(&app, &access, &id, &body).map(json)
    })
    .await
}

pub(super) async fn delete(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, app, _| {
        bundles::delete(&app, &access, &id).map(json)
    })
    .await
}

pub(super) async fn fetch(State(app): Served, request: Request) -> Response {
    let asked = query(request.uri());
    let known = names(request.headers());
    entry(app, request, (Need::Execute, Kind::Endpoint), None, move |access, app, _| {
        let sealed = policy_document::fetch(&app, &access, asked?, &known)?;
        let etag = HeaderValue::from_str(&sealed.etag).map_err(Fault::broken)?;
        let mut response = match sealed.text {
            None => StatusCode::NOT_MODIFIED.into_response(),
            Some(text) => {
                ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response()
            }
        };
        response.headers_mut().insert(header::ETAG, etag);
        Ok(response)
    })
    .await
}

/// What whoever asks has already.
fn names(headers: &HeaderMap) -> Vec<String> {
    let lists = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|name| name.trim().trim_start_matches("W/").to_owned()).collect()
}
