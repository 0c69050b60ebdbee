//! The contract as an OpenAPI 3.1 document. It says what is written, and of what is read only the spelling that this crate's
//! own clients write; older words and camelCase are read, too, and are not in it.
//!
//! It is for whoever publishes the document and for tests. No program carries it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use thoth_types::{Decision, Mode};
use utoipa::openapi::path::ParameterIn;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::event::{Event, MAX_EVENTS, Receipt};
use super::fault::{Code, Fault};
use super::key::Permission;
use super::list::List;
use super::route::Route;
use super::{approval, enforce, explain, hold, login};

mod fleet;
mod keys;
mod ledger;
mod policies;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// A part of it is no JSON.
    #[error("the OpenAPI document cannot be written: {0}")]
    NoJson(#[from] serde_json::Error),
    /// A name has two meanings.
    #[error("two schemas of the OpenAPI document have the name `{0}`")]
    Ambiguous(String),
}

/// How decisions are written.
pub(super) enum DecisionWord {}

impl PartialSchema for DecisionWord {
    fn schema() -> RefOr<Schema> {
        let all = [Decision::Allow, Decision::Block, Decision::StepUp, Decision::Modify, Decision::Defer];
        one_of("What was decided.", &all.map(Decision::as_str))
    }
}

impl ToSchema for DecisionWord {
    fn name() -> std::borrow::Cow<'static, str> {
        "Decision".into()
    }
}

/// How modes are written.
pub(super) enum ModeWord {}

impl PartialSchema for ModeWord {
    fn schema() -> RefOr<Schema> {
        let all = [Mode::Observe, Mode::StepUp, Mode::Progressive, Mode::Block];
        one_of("What is done about violations.", &all.map(Mode::as_str))
    }
}

impl ToSchema for ModeWord {
    fn name() -> std::borrow::Cow<'static, str> {
        "Mode".into()
    }
}

/// A text that is one of these words.
pub(super) fn one_of(description: &str, words: &[&str]) -> RefOr<Schema> {
    let text: Object = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(words.iter().copied()))
        .build();
    RefOr::T(Schema::Object(text))
}

/// The document.
///
/// # Errors
/// If a part of it cannot be written as JSON, or two parts have one name.
pub fn document() -> Result<Value, Unwritable> {
    let mut schemas = Schemas::default();
    schemas.add::<Fault>()?;
    let mut paths = BTreeMap::<&str, Map<String, Value>>::new();
    for route in Route::ALL {
        let operation = operation(*route, &mut schemas)?;
        paths.entry(route.path()).or_default().insert(route.method().as_str().to_ascii_lowercase(), operation);
    }
    let mut schemas = serde_json::to_value(schemas.0)?;
    absent_is_not_null(&mut schemas);
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Thoth enforcer",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What `thothd` serves. Members and words are written as here; published clients' other spellings \
                are read, too. Members that are not known are passed over; one that is given twice is an error.",
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "security": [{ "apiKey": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": faults(),
            "headers": headers(),
            "securitySchemes": {
                "apiKey": { "type": "apiKey", "in": "header", "name": "x-api-key" },
                "bearer": { "type": "http", "scheme": "bearer", "description": "The same key, in the other header; or, for people, a token of the issuer that `/v1/auth/config` names (a JWT). With such a token nobody has calls decided." },
            },
        },
    }))
}

/// The named schemas of the document.
#[derive(Default)]
struct Schemas(BTreeMap<String, RefOr<Schema>>);

impl Schemas {
    /// Adds one with all that it refers to, and refers to it.
    fn add<T: ToSchema>(&mut self) -> Result<Value, Unwritable> {
        self.add_as::<T>(&T::name())
    }

    /// Does so under this name.
    fn add_as<T: ToSchema>(&mut self, name: &str) -> Result<Value, Unwritable> {
        let mut found = Vec::new();
        T::schemas(&mut found);
        found.push((name.to_owned(), T::schema()));
        for (name, schema) in found {
            match self.0.get(&name) {
                Some(known) if *known != schema => return Err(Unwritable::Ambiguous(name)),
                _ => drop(self.0.insert(name, schema)),
            }
        }
        Ok(json!({ "$ref": format!("#/components/schemas/{name}") }))
    }
}

/// What is special about a route.
#[derive(Default)]
struct Special {
    /// What a key must be allowed to, where the route takes a key at all: one of these.
    permissions: &'static [Permission],
    /// What else a person should know.
    description: &'static str,
    query: Vec<Value>,
    /// The schema of the body that it takes.
    takes: Option<Value>,
    /// The schema of the body that it answers with; without one it is plain text.
    answers: Option<Value>,
    /// The status of a success, where it is not 200.
    success: Option<u16>,
    /// What can go wrong here and not everywhere.
    faults: &'static [Code],
    /// Whether it may be answered that nothing has changed.
    unchanged: bool,
}

/// A route that takes a key with one of these permissions, and is special in nothing else.
fn may(permissions: &'static [Permission]) -> Special {
    Special { permissions, ..Special::default() }
}

fn special(route: Route, schemas: &mut Schemas) -> Result<Special, Unwritable> {
    Ok(match route {
        Route::Healthz => Special::default(),
        Route::Readyz => Special { faults: &[Code::Internal, Code::Unavailable, Code::Timeout], ..Special::default() },
        Route::Enforce => Special {
            description: "What is beyond the limit is answered with `DEFER`, and what cannot be decided or recorded with `BLOCK`, \
                never with 429 or 5xx: a client that is set to go on without a server must not go on then.",
            takes: Some(schemas.add::<enforce::Request>()?),
            answers: Some(schemas.add::<enforce::Envelope>()?),
            ..may(&[Permission::Execute])
        },
        Route::Poll => Special {
            query: query::<hold::Poll>()?,
            answers: Some(schemas.add::<hold::Status>()?),
            faults: &[Code::NotFound],
            ..may(&[Permission::Execute])
        },
        Route::Explain => Special {
            takes: Some(schemas.add::<explain::Request>()?),
            answers: Some(schemas.add::<explain::Explanation>()?),
            ..may(&[Permission::Execute])
        },
        Route::TellEvents => Special {
            description: "An object with such a list as `events` is taken, too. An event that cannot be taken is told in the \
                answer and holds up no other.",
            takes: Some(json!({ "type": "array", "items": schemas.add::<Event>()?, "maxItems": MAX_EVENTS })),
            answers: Some(schemas.add::<Receipt>()?),
            success: Some(202),
            ..may(&[Permission::Write])
        },
        Route::ListApprovals => Special {
            query: query::<approval::Query>()?,
            answers: Some(schemas.add_as::<List<approval::Approval>>("ApprovalList")?),
            ..may(&[Permission::Read])
        },
        Route::ShowApproval => Special {
            answers: Some(schemas.add::<approval::Approval>()?),
            faults: &[Code::NotFound],
            ..may(&[Permission::Read])
        },
        Route::ResolveApproval => Special {
            takes: Some(schemas.add::<approval::Resolve>()?),
            answers: Some(schemas.add::<approval::Approval>()?),
            faults: &[Code::NotFound, Code::Conflict],
            ..may(&[Permission::Write])
        },
        Route::ListKeys | Route::CreateKey | Route::RotateKey | Route::AuthorizeKey | Route::RevokeKey => {
            keys::special(route, schemas)?
        }
        Route::ShowLogin => Special {
            description: "Without an issuer it is not found.",
            answers: Some(schemas.add::<login::Config>()?),
            faults: &[Code::NotFound],
            ..Special::default()
        },
        Route::RegisterEndpoint
        | Route::AddEndpoint
        | Route::CheckInEndpoint
        | Route::ListEndpoints
        | Route::CountEndpoints
        | Route::ShowEndpoint
        | Route::QuarantineEndpoint => fleet::special(route, schemas)?,
        Route::ListBundles
        | Route::UploadBundle
        | Route::ValidateBundle
        | Route::ShowEffective
        | Route::ShowBundle
        | Route::DeleteBundle
        | Route::ListBundleVersions
        | Route::ActivateBundle
        | Route::DeactivateBundle
        | Route::RollBackBundle
        | Route::AssignBundle
        | Route::FetchPolicy => policies::special(route, schemas)?,
        Route::ListEvents
        | Route::ShowSettings
        | Route::ChangeSettings
        | Route::TellTools
        | Route::ReportTools
        | Route::ListDecisions
        | Route::ListViolations
        | Route::ShowViolation
        | Route::ListSessions
        | Route::ShowSession
        | Route::ExportSession
        | Route::ListAgents
        | Route::ShowAgent
        | Route::ShowChain
        | Route::VerifyChain
        | Route::VerifyGovernanceChain => ledger::special(route, schemas)?,
    })
}

/// What can go wrong wherever a key is taken.
const WITH_A_KEY: [Code; 8] = [
    Code::BadRequest,
    Code::Unauthorized,
    Code::Forbidden,
    Code::PayloadTooLarge,
    Code::RateLimited,
    Code::Internal,
    Code::Unavailable,
    Code::Timeout,
];

/// What is answered with a decision instead, where one is asked for.
const DECIDED_INSTEAD: [Code; 4] = [Code::RateLimited, Code::Internal, Code::Unavailable, Code::Timeout];

fn operation(route: Route, schemas: &mut Schemas) -> Result<Value, Unwritable> {
    let Special { permissions, description, query, takes, answers, success, faults, unchanged } =
        special(route, schemas)?;
    let is_keyed = !permissions.is_empty();
    let in_path = route.path().split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(query);
    let content = match answers {
        Some(schema) => json!({ "application/json": { "schema": schema } }),
        None => json!({ "text/plain": { "schema": { "type": "string" } } }),
    };
    let told: &[&str] = if is_keyed { &[REQUEST_ID, LIMIT, REMAINING, RESET] } else { &[REQUEST_ID] };
    let mut headers = header_references(told);
    if let (Route::Enforce, Some(headers)) = (route, headers.as_object_mut()) {
        let schema = json!({ "type": "integer", "minimum": 0 });
        let described = json!({ "description": "With `DEFER` because of the limit: in how many seconds to ask again.", "required": false, "schema": schema });
        headers.insert(RETRY_AFTER.to_owned(), described);
    }
    let done = json!({ "description": "Done.", "headers": headers, "content": content });
    let everywhere: &[Code] = if is_keyed { &WITH_A_KEY } else { &[] };
    let mut responses: BTreeMap<String, Value> = everywhere
        .iter()
        .filter(|code| route != Route::Enforce || !DECIDED_INSTEAD.contains(code))
        .chain(faults)
        .map(|code| {
            let status = code.status().to_string();
            let reference = json!({ "$ref": format!("#/components/responses/{status}") });
            (status, reference)
        })
        .collect();
    responses.insert(success.unwrap_or(200).to_string(), done);
    let words: Vec<String> = permissions.iter().map(|permission| format!("`{permission}`")).collect();
    if unchanged {
        responses.insert("304".to_owned(), json!({ "description": "Unchanged.", "headers": header_references(told) }));
    }
    let needs = if is_keyed { format!("Takes a key with {}.", words.join(" or ")) } else { "Takes no key.".to_owned() };
    let texts = [&*needs, description];
    let texts: Vec<&str> = texts.into_iter().filter(|text| !text.is_empty()).collect();
    let mut operation = json!({
        "operationId": format!("{route:?}"),
        "summary": route.summary(),
        "description": texts.join(" "),
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(members) = operation.as_object_mut() {
        if !is_keyed {
            members.insert("security".to_owned(), json!([]));
        }
        if let Some(schema) = takes {
            let body = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
            members.insert("requestBody".to_owned(), body);
        }
    }
    Ok(operation)
}

/// The members of a query.
fn query<T: IntoParams>() -> Result<Vec<Value>, Unwritable> {
    let parameters = T::into_params(|| Some(ParameterIn::Query));
    let mut values = Vec::new();
    for parameter in parameters {
        let mut value = serde_json::to_value(parameter)?;
        if let Some(schema) = value.get_mut("schema") {
            not_null(schema);
        }
        values.push(value);
    }
    Ok(values)
}

const REQUEST_ID: &str = "x-request-id";
const LIMIT: &str = "RateLimit-Limit";
const REMAINING: &str = "RateLimit-Remaining";
const RESET: &str = "RateLimit-Reset";
const RETRY_AFTER: &str = "Retry-After";
const AUTHENTICATE: &str = "WWW-Authenticate";

fn headers() -> Value {
    let text =
        |description: &str| json!({ "description": description, "required": true, "schema": { "type": "string" } });
    // Whose limit it is, is known once the key is: an error may come before.
    let number = |description: &str, required: bool| json!({ "description": description, "required": required, "schema": { "type": "integer", "minimum": 0 } });
    json!({
        REQUEST_ID: text("Names the request in the server's own messages."),
        AUTHENTICATE: text("`Bearer`"),
        LIMIT: number("How many such requests the tenant may make in a minute.", false),
        REMAINING: number("How many of them it may make now.", false),
        RESET: number("In how many seconds one more passes; 0 while any does.", false),
        RETRY_AFTER: number("In how many seconds to ask again.", true),
    })
}

fn header_references(names: &[&str]) -> Value {
    let reference = |name: &&str| ((*name).to_owned(), json!({ "$ref": format!("#/components/headers/{name}") }));
    names.iter().map(reference).collect::<Map<_, _>>().into()
}

/// Every answer that is an error, by its status.
fn faults() -> Value {
    let mut codes = BTreeMap::<u16, Vec<&str>>::new();
    for code in WITH_A_KEY.iter().chain(&[Code::KeyExpired, Code::LoginRequired, Code::NotFound, Code::Conflict]) {
        codes.entry(code.status()).or_default().push(code.as_str());
    }
    let response = |(status, codes): (u16, Vec<&str>)| {
        let told: &[&str] = match status {
            429 => &[REQUEST_ID, LIMIT, REMAINING, RESET, RETRY_AFTER],
            401 => &[REQUEST_ID, AUTHENTICATE],
            _ => &[REQUEST_ID, LIMIT, REMAINING, RESET],
        };
        let response = json!({
            "description": format!("`{}`", codes.join("` or `")),
            "headers": header_references(told),
            "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Fault" } } },
        });
        (status.to_string(), response)
    };
    codes.into_iter().map(response).collect::<Map<_, _>>().into()
}

/// A member that may be absent is never written as `null`; only one that is always there can be.
fn absent_is_not_null(schema: &mut Value) {
    match schema {
        Value::Array(parts) => parts.iter_mut().for_each(absent_is_not_null),
        Value::Object(members) => {
            let required = members.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
            if let Some(Value::Object(properties)) = members.get_mut("properties") {
                let absent = |name: &str| !required.iter().any(|required| required == name);
                properties.iter_mut().filter(|(name, _)| absent(name)).for_each(|(_, schema)| not_null(schema));
            }
            members.values_mut().for_each(absent_is_not_null);
        }
        _ => {}
    }
}

/// The same schema without `null`.
fn not_null(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else { return };
    let is_null = |part: &Value| part == "null" || part.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|part| !is_null(part));
        if let [only] = &types[..] {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(mut parts)) = members.remove("oneOf") {
        parts.retain(|part| !is_null(part));
        match &parts[..] {
            [Value::Object(only)] => members.extend(only.clone()),
            _ => drop(members.insert("oneOf".to_owned(), parts.into())),
        }
    }
}
