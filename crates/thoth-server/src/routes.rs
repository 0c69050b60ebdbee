//! What is served where, and what every request goes through: its key, its limit, its size, its time.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, HttpBody as _, to_bytes};
use axum::extract::{MatchedPath, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thoth_api::contract::fault::{self, Code};

use thoth_api::contract::hold::{LONGEST_WAIT_SECONDS, Poll};
use thoth_api::contract::login::Credential;
use thoth_api::contract::route::{Method, Route};
use thoth_telemetry::traces::Step;
use tokio::time::Instant;

use crate::access::{Access, Need};
use crate::app::App;
use crate::auth;
use crate::fault::Fault;
use crate::limits::{Kind, Standing};
use crate::noted::{About, Noted};
use crate::query::read as read_query;
use crate::{approvals, enforce, events, explain, hold, random};

mod api_keys;
mod fleet;
mod ledger;
mod policies;

/// The largest body.
const MAX_BODY: usize = 1024 * 1024;
/// How long a request may take, beside what it asks to wait.
const PATIENCE: Duration = Duration::from_secs(30);
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Everything that is served.
pub(crate) fn router(app: Arc<App>) -> Router {
    let routes = Route::ALL.iter().fold(Router::new(), |router, route| router.route(route.path(), served(*route)));
    routes
        .fallback(async || Fault::not_found("nothing is served at this address"))
        .method_not_allowed_fallback(async || {
            Fault::new(Code::MethodNotAllowed, "this address does not take this method")
        })
        .layer(from_fn_with_state(Arc::clone(&app), frame))
        .with_state(app)
}

/// What answers a route.
fn served(route: Route) -> MethodRouter<Arc<App>> {
    let asked = match route.method() {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Delete => MethodFilter::DELETE,
    };
    match route {
        Route::Healthz => on(asked, async || "ok\n"),
        Route::Readyz => on(asked, ready),
        Route::Enforce => on(asked, enforce_route),
        Route::Poll => on(asked, poll_route),
        Route::Explain => on(asked, explain_route),
        Route::TellEvents => on(asked, events_route),
        Route::ListApprovals => on(asked, approvals_route),
        Route::ShowApproval => on(asked, approval_route),
        Route::ResolveApproval => on(asked, resolve_route),
        Route::ListKeys => on(asked, api_keys::list),
        Route::CreateKey => on(asked, api_keys::create),
        Route::RotateKey => on(asked, api_keys::rotate),
        Route::AuthorizeKey => on(asked, api_keys::authorize),
        Route::RevokeKey => on(asked, api_keys::revoke),
        Route::RegisterEndpoint => on(asked, fleet::register),
        Route::AddEndpoint => on(asked, fleet::add),
        Route::CheckInEndpoint => on(asked, fleet::check_in),
        Route::ListEndpoints => on(asked, fleet::list),
        Route::CountEndpoints => on(asked, fleet::stats),
        Route::ShowEndpoint => on(asked, fleet::show),
        Route::QuarantineEndpoint => on(asked, fleet::quarantine),
        Route::ListBundles => on(asked, policies::list),
        Route::UploadBundle => on(asked, policies::upload),
        Route::ValidateBundle => on(asked, policies::validate),
        Route::ShowEffective => on(asked, policies::effective),
        Route::ShowBundle => on(asked, policies::show),
        Route::DeleteBundle => on(asked, policies::delete),
        Route::ListBundleVersions => on(asked, policies::versions),
        Route::ActivateBundle => on(asked, policies::activate),
        Route::DeactivateBundle => on(asked, policies::deactivate),
        Route::RollBackBundle => on(asked, policies::roll_back),
        Route::AssignBundle => on(asked, policies::assign),
        Route::FetchPolicy => on(asked, policies::fetch),
        Route::ShowLogin => on(asked, login_route),
        Route::ListDecisions => on(asked, ledger::decisions),
        Route::ListViolations => on(asked, ledger::violations),
        Route::ShowViolation => on(asked, ledger::violation),
        Route::ListSessions => on(asked, ledger::sessions),
        Route::ShowSession => on(asked, ledger::session),
        Route::ExportSession => on(asked, ledger::bundle),
        Route::ListAgents => on(asked, ledger::agents),
        Route::ShowAgent => on(asked, ledger::agent),
        Route::ShowChain => on(asked, ledger::chain),
        Route::VerifyChain | Route::VerifyGovernanceChain => on(asked, ledger::verify),
        Route::TellTools => on(asked, ledger::tools),
        Route::ReportTools => on(asked, ledger::inventory),
        Route::ShowSettings => on(asked, ledger::settings),
        Route::ChangeSettings => on(asked, ledger::set),
        Route::ListEvents => on(asked, event_list_route),
    }
}

type Served = State<Arc<App>>;

async fn ready(State(app): Served) -> Result<&'static str, Fault> {
    blocking(move || app.ready().map(|()| "ready\n")).await
}

async fn login_route(State(app): Served) -> Result<Response, Fault> {
    let oidc = app.oidc().ok_or_else(|| Fault::not_found("the server takes no logins, only API keys"))?;
    Ok(json(oidc.config()))
}

async fn enforce_route(State(app): Served, request: Request) -> Response {
    let admitted = match admit(Arc::clone(&app), request, (Need::Execute, Kind::Enforce), None).await {
        Ok(admitted) => admitted,
        Err(turned) => return turned.into_response(),
    };
    let (access, body, noted) = (admitted.access.clone(), admitted.body.clone(), Arc::clone(&admitted.noted));
    // It looks the key up right before it decides.
    let queued = access.spans.begin(Step::Queue);
    let decide = move || {
        drop(queued);
        let envelope = enforce::run(&access, &body)?;
        noted.decided(&envelope);
        Ok(json(envelope))
    };
    let decided = app.deciders.run(decide).await;
    admitted.finish(decided.unwrap_or_else(|_| Err(Fault::broken("a thread failed"))))
}

async fn explain_route(State(app): Served, request: Request) -> Response {
    entry(app, request, (Need::Execute, Kind::Explain), None, |access, _, body| explain::run(&access, &body).map(json))
        .await
}

async fn events_route(State(app): Served, request: Request) -> Response {
    entry(app, request, (Need::Tell, Kind::Events), None, |access, app, body| {
        events::take(&app, &access, &body).map(|receipt| (StatusCode::ACCEPTED, json(receipt)).into_response())
    })
    .await
}

async fn poll_route(State(app): Served, Path(token): Path<String>, request: Request) -> Response {
    let wait = wait(request.uri());
    let admitted = match admit(Arc::clone(&app), request, (Need::Execute, Kind::Poll), None).await {
        Ok(admitted) => admitted,
        Err(turned) => return turned.into_response(),
    };
    let access = admitted.access.clone();
    let mut stopping = app.stopping();
    let work = async move {
        let wait = wait?;
        let waiting = access.spans.begin(Step::Await);
        // Before the first look, so that no answer falls in between.
        let mut answers = access.tenant.answers();
        let deadline = Instant::now() + Duration::from_secs(wait);
        // Who waits when the server stops is to hear how the call stands, not to be cut off.
        while Instant::now() < deadline && !*stopping.borrow() {
            let (access, token) = (access.clone(), token.clone());
            if blocking(move || Ok(hold::has_news(&access, &token))).await? {
                break;
            }
            let next = deadline.min(Instant::now() + hold::LOOK_EVERY);
            // Another process may take an answer, too, and tells nobody here.
            tokio::select! {
                looked = tokio::time::timeout_at(next, answers.changed()) => drop(looked),
                told = stopping.changed() => drop(told),
            }
        }
        drop(waiting);
        blocking(move || hold::run(&access, &token).map(json)).await
    };
    admitted.finish(work.await)
}

async fn approvals_route(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    let admitted = match admit(app, request, (Need::Look, Kind::Governance), Some(tenant)).await {
        Ok(admitted) => admitted,
        Err(turned) => return turned.into_response(),
    };
    let access = admitted.access.clone();
    let work = async move {
        let asked = asked?;
        let lists = Arc::clone(&access.tenant.lists);
        let place = lists.acquire_owned().await.map_err(Fault::broken)?;
        blocking(move || {
            // Until the list is made, also where whoever asked has gone away.
            let _place = place;
            access.still()?;
            approvals::list(&access, asked).map(json)
        })
        .await
    };
    admitted.finish(work.await)
}

async fn approval_route(
    State(app): Served,
    Path((tenant, token)): Path<(String, String)>,
    request: Request,
) -> Response {
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), move |access, _, _| {
        approvals::show(&access, &token).map(json)
    })
    .await
}

async fn resolve_route(
    State(app): Served,
    Path((tenant, token)): Path<(String, String)>,
    request: Request,
) -> Response {
    entry(app, request, (Need::Govern, Kind::Governance), Some(tenant), move |access, _, body| {
        approvals::resolve(&access, &token, &body).map(json)
    })
    .await
}

async fn event_list_route(State(app): Served, Path(tenant): Path<String>, request: Request) -> Response {
    let asked = query(request.uri());
    entry(app, request, (Need::Look, Kind::Governance), Some(tenant), |access, app, _| {
        events::list(&app, &access, &asked?).map(json)
    })
    .await
}

/// A request that may go on, and its body.
struct Admitted {
    access: Access,
    standing: Standing,
    body: Bytes,
    noted: Arc<Noted>,
}

/// Marks the answer to a request whose body was read to its end.
#[derive(Debug, Clone, Copy)]
struct BodyRead;

/// A request that may not, and how it stands to its limit where that is known.
struct Turned(Fault, Option<Standing>);

impl Admitted {
    fn finish(&self, answer: Result<Response, Fault>) -> Response {
        let mut response = answer.into_response();
        self.standing.tell(response.headers_mut());
        response.extensions_mut().insert(BodyRead);
        response
    }
}

impl IntoResponse for Turned {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        if let Some(standing) = self.1 {
            standing.tell(response.headers_mut());
        }
        response
    }
}

/// The way of a request whose work blocks on the disk.
async fn entry(
    app: Arc<App>,
    request: Request,
    wants: (Need, Kind),
    tenant: Option<String>,
    work: impl FnOnce(Access, Arc<App>, Bytes) -> Result<Response, Fault> + Send + 'static,
) -> Response {
    match admit(Arc::clone(&app), request, wants, tenant).await {
        Err(turned) => turned.into_response(),
        Ok(admitted) => {
            let (access, body) = (admitted.access.clone(), admitted.body.clone());
            let span = access.spans.begin(Step::Handle);
            let handle = move || {
                let _span = span;
                access.still().and_then(|()| work(access, app, body))
            };
            admitted.finish(blocking(handle).await)
        }
    }
}

/// Who asks, whether they may, and whether it is not too much or too often. Nothing of the body is read before.
async fn admit(
    app: Arc<App>,
    request: Request,
    (need, kind): (Need, Kind),
    tenant: Option<String>,
) -> Result<Admitted, Turned> {
    let (mut parts, body) = request.into_parts();
    let noted: Arc<Noted> = parts.extensions.remove().unwrap_or_default();
    let of_tenant = tenant.is_some();
    let mut span = noted.spans.begin(Step::Authenticate);
    let known = async {
        let credential = auth::credential(&parts.headers)?;
        span.credential(if matches!(credential, Credential::Key(_)) { "api_key" } else { "login" });
        access(app, credential, need, tenant).await
    };
    let known = known.await;
    if let Err(fault) = &known {
        span.failed(fault.code.as_str());
    }
    drop(span);
    let mut access = known.map_err(|fault| Turned(fault, None))?;
    access.spans = noted.spans.clone();
    noted.who(&access);
    let standing = access.tenant.limits.take(kind).map_err(|standing| {
        access.app.metrics.limited(kind.as_str());
        let message = "too many requests of this tenant in this minute; `Retry-After` says when one more passes";
        Turned(Fault::new(Code::RateLimited, message), Some(standing))
    })?;
    if of_tenant {
        unasked(&parts).map_err(|fault| Turned(fault, Some(standing)))?;
    }
    // Whoever breaks off in the middle of a body does not read this.
    let too_large = |_| Fault::new(Code::PayloadTooLarge, format!("the body is longer than {MAX_BODY} bytes"));
    let body = to_bytes(body, MAX_BODY).await.map_err(|error| Turned(too_large(error), Some(standing)))?;
    Ok(Admitted { access, standing, body, noted })
}

/// Who asks, by their key or their login.
async fn access(app: Arc<App>, credential: Credential, need: Need, tenant: Option<String>) -> Result<Access, Fault> {
    match credential {
        Credential::Key(key) => {
            let digest = key.digest();
            match app.recent_access(digest, need, tenant.as_deref()) {
                Some(access) => Ok(access),
                None => blocking(move || app.access(digest, need, tenant.as_deref())).await,
            }
        }
        Credential::Login(token) => {
            let oidc = app.oidc().ok_or_else(|| {
                Fault::unauthorized("this looks like the token of a login, and the server takes API keys only")
            })?;
            let (owner, key) = oidc.person(&token).await?;
            blocking(move || app.login_access((&owner, key), need, tenant.as_deref())).await
        }
    }
}

/// Runs what waits for the disk where that holds up nobody else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Fault> + Send + 'static) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(_) => Err(Fault::broken("a thread failed")),
    }
}

/// What a request says of the trace that it is part of. Two say nothing.
fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let mut told = headers.get_all(TRACEPARENT).iter();
    told.next().filter(|_| told.next().is_none()).and_then(|text| text.to_str().ok())
}

/// In how many seconds to ask again, if that was told.
fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Fault> {
    let members = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(members)| members);
    let members = members.map_err(|_| Fault::bad("the query is no list of `member=value`, with `&` between them"))?;
    read_query(members).map_err(|error| Fault::bad(error.to_string()))
}

/// How long a poll is to wait. Whatever else stands in its query is passed over: a client that is refused here takes the call
/// for refused, and it may be a newer one.
fn wait(uri: &Uri) -> Result<u64, Fault> {
    let read = Query::<Poll>::try_from_uri(uri).map(|Query(poll)| poll);
    let poll = read.map_err(|_| Fault::bad("`wait` wants a whole number of seconds, once"))?;
    Ok(poll.wait.unwrap_or(0).min(LONGEST_WAIT_SECONDS))
}

/// The routes of an organisation that are asked something in a query. Each reads it by itself.
const ASKED: &[Route] = &[
    Route::ListApprovals,
    Route::ListEndpoints,
    Route::ShowEffective,
    Route::ShowBundle,
    Route::ListDecisions,
    Route::ListViolations,
    Route::ListSessions,
    Route::ExportSession,
    Route::ListAgents,
    Route::ShowChain,
    Route::VerifyChain,
    Route::VerifyGovernanceChain,
    Route::ReportTools,
    Route::ListEvents,
];

/// Nothing is asked.
#[derive(serde::Deserialize)]
struct Nothing {}

/// Refuses a query where the route reads none: whoever wrote it meant something by it.
fn unasked(parts: &Parts) -> Result<(), Fault> {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    let is_it = |route: &&Route| Some(route.path()) == path && route.method().as_str() == parts.method.as_str();
    if parts.uri.query().is_none_or(str::is_empty) || ASKED.iter().any(|route| is_it(&route)) {
        return Ok(());
    }
    query::<Nothing>(&parts.uri).map(drop)
}

fn json(value: impl Serialize) -> Response {
    match serde_json::to_vec(&value) {
        Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
        Err(error) => Fault::broken(error).into_response(),
    }
}

/// Around everything: the request's id, its time, and the bodies of errors.
async fn frame(State(app): Served, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let about = About::of(request.method(), path);
    let mut span = app.tracer().request(about.method, about.route, traceparent(request.headers()));
    let noted = Arc::new(Noted::of(&span));
    request.extensions_mut().insert(Arc::clone(&noted));
    let id = random::eight()
        .map_or_else(|| "req_unnamed".to_owned(), |bytes| format!("req_{:016x}", u64::from_be_bytes(bytes)));
    let waits = wait(request.uri()).unwrap_or(0);
    let enforces = request.method() == HttpMethod::POST && request.uri().path() == Route::Enforce.path();
    let has_body = !request.body().is_end_stream();
    let patience = PATIENCE + Duration::from_secs(waits);
    let mut response = match tokio::time::timeout(patience, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Fault::new(Code::Timeout, "the request took too long").into_response(),
    };
    let mut fault = response.extensions_mut().remove::<Fault>();
    if fault.is_none() && response.status() == StatusCode::BAD_REQUEST {
        // The framework refuses it before a route sees it, in words of its own.
        fault = Some(Fault::bad("the address is not UTF-8"));
    }
    if has_body && response.extensions_mut().remove::<BodyRead>().is_none() {
        // What is left of the body would be taken for the next request, so that the connection ends here.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Some(fault) = fault {
        let envelope = if enforces { enforce::instead(&fault, &id, retry_after(response.headers())) } else { None };
        let Fault { code, message, cause } = fault;
        let cause = cause.or_else(|| (code == Code::Timeout).then(|| message.clone()));
        if let Some(cause) = cause {
            span.failed(code.as_str());
            tracing::error!("{id}: {code}: {cause}");
        }
        let (mut parts, _) = response.into_parts();
        let body = if let Some(envelope) = envelope {
            parts.status = StatusCode::OK;
            noted.decided(&envelope);
            json(envelope)
        } else {
            json(fault::Fault::new(code, message, id.clone()))
        };
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        parts.headers.remove(header::CONTENT_LENGTH);
        response = Response::from_parts(parts, body.into_body());
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    noted.tell(&app, &id, &about, (response.status().as_u16(), began.elapsed()), span);
    response
}

#[cfg(test)]
mod tests;
