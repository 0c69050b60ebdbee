//! `POST /v1/events/batch` and `GET /{tenant}/thoth/events`: what clients tell of themselves. It is kept once per id, and
//! proves nothing: the evidence is in the ledger.

use jiff::Timestamp;
use thoth_api::contract::Json;
use thoth_api::contract::event::{Batch, Event, Order, Query, Receipt, Refused};
use thoth_api::contract::list::List;
use thoth_store::server::{Event as Kept, Filter, MAX_EVENT_BYTES, MAX_PAGE, Page};
use thoth_telemetry::metrics::Events as Told;

use crate::access::Access;
use crate::app::App;
use crate::clock;
use crate::fault::Fault;
use crate::query::limit;

/// How many are on a page where nothing is said.
const PAGE: u32 = 100;
/// The longest name of anything in an event.
const MAX_NAME: usize = 512;

/// Takes a batch in. Blocks on the disk.
pub(crate) fn take(app: &App, access: &Access, body: &[u8]) -> Result<Receipt, Fault> {
    let batch = Batch::read(body).map_err(|error| Fault::bad(error.to_string()))?;
    let tenant = access.tenant.id.as_str();
    let mut receipt = Receipt { rejected: batch.refused, ..Receipt::default() };
    let mut foreign = None;
    let mut good = Vec::new();
    for (index, event) in &batch.events {
        let refused = match whose(access, event) {
            Err(fault) => {
                let message = fault.message.clone();
                foreign = Some(fault);
                message
            }
            Ok(()) => match written(event, tenant) {
                Ok(text) => {
                    good.push((event, event.id_within(tenant), text));
                    continue;
                }
                Err(message) => message,
            },
        };
        receipt.rejected.push(Refused { index: *index, message: refused });
    }
    if good.is_empty() && !receipt.rejected.is_empty() {
        let first = receipt.rejected.first().map_or("", |refused| &*refused.message);
        return Err(foreign.unwrap_or_else(|| Fault::bad(format!("no event of the batch can be taken: {first}"))));
    }
    let kept: Vec<Kept<'_>> = good.iter().map(|(event, id, body)| kept(event, id, body)).collect();
    let added = app.store.add_events(tenant, &kept, clock::now().wall).map_err(Fault::unavailable)?;
    receipt.accepted = added.new;
    receipt.duplicates = added.known;
    receipt.rejected.sort_by_key(|refused| refused.index);
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let refused = wide(receipt.rejected.len());
    app.metrics.told(Told { kept: wide(added.new), known: wide(added.known), refused });
    Ok(receipt)
}

fn whose(access: &Access, event: &Event) -> Result<(), Fault> {
    let fleet = event.other.0.get("fleet_id").and_then(serde_json::Value::as_str);
    access.speaks_for(
        &event.tenant_id,
        event.agent_id.as_deref().unwrap_or_default(),
        event.endpoint_id.as_deref(),
        fleet,
    )
}

/// The event as it is kept, or why it is not.
fn written(event: &Event, tenant: &str) -> Result<String, String> {
    let names = [
        ("session_id", Some(&event.session_id)),
        ("event_type", Some(&event.event_type)),
        ("agent_id", event.agent_id.as_ref()),
        ("tool_name", event.tool_name.as_ref()),
        ("event_id", event.event_id.as_ref()),
    ];
    if let Some((field, _)) = names.iter().find(|(_, name)| name.is_some_and(|name| name.len() > MAX_NAME)) {
        return Err(format!("`{field}` is longer than {MAX_NAME} bytes"));
    }
    let event = Event { event_id: Some(event.id_within(tenant)), ..event.clone() };
    let text = serde_json::to_string(&event).map_err(|_| "it cannot be written down".to_owned())?;
    if text.len() > MAX_EVENT_BYTES { Err(format!("it is longer than {MAX_EVENT_BYTES} bytes")) } else { Ok(text) }
}

fn kept<'e>(event: &'e Event, id: &'e str, body: &'e str) -> Kept<'e> {
    Kept {
        id,
        session: &event.session_id,
        agent: event.agent_id.as_deref(),
        tool: event.tool_name.as_deref(),
        kind: &event.event_type,
        occurred_at: event.occurred_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok()),
        body,
    }
}

/// A page of events. Blocks on the disk.
pub(crate) fn list(app: &App, access: &Access, query: &Query) -> Result<List<Json>, Fault> {
    let beyond = query.cursor.as_deref().map(str::parse::<i64>).transpose();
    let beyond = beyond.map_err(|_| Fault::bad("`cursor` is none that a list gave"))?;
    let oldest_first = query.order == Some(Order::Oldest);
    let page = Page { beyond, oldest_first, limit: limit(query.limit, PAGE, MAX_PAGE)? };
    let filter = Filter {
        agent: query.agent_id.as_deref(),
        session: query.session_id.as_deref(),
        tool: query.tool_name.as_deref(),
        kind: query.event_type.as_deref(),
    };
    let found = app.store.events(access.tenant.id.as_str(), &filter, &page).map_err(Fault::unavailable)?;
    // Newer events may always come after the last one seen. An empty page has none, so that whoever only pages ends.
    let next = found.last.filter(|_| oldest_first || found.more);
    Ok(List {
        data: found.bodies.into_iter().map(Json::new).collect(),
        total: None,
        next_cursor: next.map(|cursor| cursor.to_string()),
    })
}
