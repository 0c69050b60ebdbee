//! What answers the routes for what the ledger has, and for what is set.

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};

use std::sync::Arc;

use super::{Served, admit, blocking, entry, json, query};
use crate::access::{Access, Need};
use crate::app::App;
use crate::fault::Fault;
use crate::limits::Kind;
use crate::{actors, decided, evidence, inventory as tools_of_agents, settings as set_for_all};

type Named = Path<(String, String)>;

const LOOK: (Need, Kind) = (Need::Look, Kind::Governance);

/// The way of a request that may look at very much: of a tenant one at a time, and more wait. It holds up no decision.
async fn looking(
    app: Arc<App>,
    request: Request,
    tenant: String,
    work: impl FnOnce(Access, Arc<App>) -> Result<Response, Fault> + Send + 'static,
) -> Response {
    let admitted = match admit(Arc::clone(&app), request, LOOK, Some(tenant)).await {
        Ok(admitted) => admitted,
        Err(turned) => return turned.into_response(),
    };
    let access = admitted.access.clone();
    let work = async move {
        let place = Arc::clone(&access.tenant.looks).acquire_owned().await.map_err(Fault::broken)?;
        blocking(move || {
            // Until the look is over, also where whoever asked has gone away.
            let _place = place;
            access.still()?;
            work(access, app)
        })
        .await
    };
    admitted.finish(work.await)
}

pub(super) async fn decisions(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    entry(app, request, LOOK, Some(tenant), |access, _, _| decided::list(&access, &asked?, false).map(json)).await
}

pub(super) async fn violations(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    entry(app, request, LOOK, Some(tenant), |access, _, _| decided::list(&access, &asked?, true).map(json)).await
}

pub(super) async fn violation(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, LOOK, Some(tenant), move |access, _, _| decided::show(&access, &id).map(json)).await
}

pub(super) async fn sessions(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    looking(app, request, tenant, |access, _| actors::sessions(&access, &asked?).map(json)).await
}

pub(super) async fn session(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, LOOK, Some(tenant), move |access, _, _| actors::show_session(&access, &id).map(json)).await
}

pub(super) async fn bundle(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    let asked = query(request.uri());
    looking(app, request, tenant, move |access, _| evidence::session(&access, &id, &asked?).map(json)).await
}

pub(super) async fn agents(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    looking(app, request, tenant, |access, app| actors::agents(&app, &access, &asked?).map(json)).await
}

pub(super) async fn agent(State(app): Served, Path((tenant, id)): Named, request: Request) -> Response {
    entry(app, request, LOOK, Some(tenant), move |access, app, _| actors::show_agent(&app, &access, &id).map(json))
        .await
}

pub(super) async fn chain(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    looking(app, request, tenant, |access, _| evidence::chain(&access, &asked?).map(json)).await
}

pub(super) async fn verify(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    looking(app, request, tenant, |access, _| evidence::verify(&access, &asked?).map(json)).await
}

pub(super) async fn settings(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    entry(app, request, LOOK, Some(tenant), |access, app, _| set_for_all::show(&app, &access).map(json)).await
}

pub(super) async fn set(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let needs = (Need::Govern, Kind::Governance);
    entry(app, request, needs, Some(tenant), |access, app, body| set_for_all::set(&app, &access, &body).map(json)).await
}

pub(super) async fn tools(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let needs = (Need::Report, Kind::Endpoint);
    entry(app, request, needs, Some(tenant), |access, app, body| tools_of_agents::take(&app, &access, &body).map(json))
        .await
}

pub(super) async fn inventory(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    looking(app, request, tenant, |access, app| tools_of_agents::report(&app, &access, &asked?).map(json)).await
}
