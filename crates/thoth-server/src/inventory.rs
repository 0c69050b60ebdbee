//! `POST …/tool-inventory` and `GET …/mcp/inventory/report`: the tools that agents say they have, beside the calls that were
//! decided. What an agent says is its own word: it allows nothing, and no call is decided by it.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::json;
use thoth_api::contract::inventory::{
    Inventory, MAX_TOOLS, MAX_WINDOW_HOURS, Receipt, Report, ReportQuery, ReportedAgent, ReportedTool, Tool,
};
use thoth_api::contract::read;
use thoth_scan::fingerprint::of_definition;
use thoth_store::server::inventory::{ListedTool, Tool as Kept};
use thoth_types::json::{Limits, Tape};
use thoth_types::{AgentId, ItemKind};

use crate::access::Access;
use crate::app::App;
use crate::clock;
use crate::decided::catch_up;
use crate::enforce::{id, unreadable};
use crate::fault::Fault;
use crate::query::limit;

/// The longest name of a tool.
const MAX_NAME: usize = 512;
/// The longest description of a tool.
const MAX_DESCRIPTION: usize = 16 << 10;
/// The longest schema of a tool.
const MAX_SCHEMA: usize = 128 << 10;
/// The longest word for who tells of tools.
const MAX_SOURCE: usize = 64;
/// How many tools are on a page of a report, at most and where nothing is said.
const PAGE: u32 = 1_000;
/// How many hours a report goes back where nothing is said.
const WINDOW_HOURS: u32 = 168;

/// Takes the tools of an agent in. Blocks on the disk.
pub(crate) fn take(app: &App, access: &Access, body: &[u8]) -> Result<Receipt, Fault> {
    let Inventory { agent_id, source, tools } = read(body).map_err(|error| unreadable(&error))?;
    id::<AgentId>("agent_id", &agent_id)?;
    access.speaks_for(access.tenant.id.as_str(), &agent_id, None, None)?;
    let source = source.unwrap_or_else(|| "unknown".to_owned());
    if source.len() > MAX_SOURCE || source.chars().any(char::is_control) {
        return Err(Fault::bad(format!("`source` is longer than {MAX_SOURCE} bytes, or has control characters")));
    }
    if tools.len() > MAX_TOOLS {
        return Err(Fault::bad(format!(
            "`tools` has more than {MAX_TOOLS} entries; send the others in another request"
        )));
    }
    let mut defined: BTreeMap<&str, (String, String)> = BTreeMap::new();
    for (index, tool) in tools.iter().enumerate() {
        if defined.insert(&tool.name, definition(index, tool)?).is_some() {
            return Err(Fault::bad(format!("`tools` has the name of entry {index} twice")));
        }
    }
    let listed: Vec<ListedTool<'_>> =
        defined.iter().map(|(name, (fingerprint, definition))| ListedTool { name, fingerprint, definition }).collect();
    let tenant = access.tenant.id.as_str();
    let noted = app.store.note_tools(tenant, &agent_id, &source, &listed, clock::now().wall);
    let noted = noted.map_err(Fault::unavailable)?;
    let accepted = u64::try_from(listed.len()).unwrap_or_default().saturating_sub(noted.refused);
    Ok(Receipt { accepted, new: noted.new, changed: noted.changed, refused: noted.refused })
}

/// The fingerprint of a tool, and its definition as a server would list it.
fn definition(index: usize, tool: &Tool) -> Result<(String, String), Fault> {
    let bad = |what: &str| Fault::bad(format!("entry {index} of `tools`: {what}"));
    let Tool { name, description, input_schema } = tool;
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(bad(&format!("its name has 1 to {MAX_NAME} bytes, and no control characters")));
    }
    if description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
        return Err(bad(&format!("its description is longer than {MAX_DESCRIPTION} bytes")));
    }
    let schema = input_schema.as_ref().map(thoth_api::contract::Json::text);
    if schema.is_some_and(|text| text.len() > MAX_SCHEMA) {
        return Err(bad(&format!("its schema is longer than {MAX_SCHEMA} bytes")));
    }
    let mut text = json!({ "name": name, "description": description }).to_string();
    if let Some(schema) = schema {
        // As it came: every digit of a number counts.
        text.truncate(text.len() - 1);
        text.push_str(",\"inputSchema\":");
        text.push_str(schema);
        text.push('}');
    }
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: text.len(), max_depth: 64, ..Limits::default() };
    let value = tape.parse(text.as_bytes(), &limits);
    // The kind of mistake is one of a fixed list; what stands there is the caller's.
    let value = value.map_err(|error| bad(&format!("its schema cannot be read: {}", error.code)))?;
    if value.get("inputSchema").is_some_and(|schema| !schema.is_object() && !schema.is_null()) {
        return Err(bad("its schema is no object"));
    }
    let digest = of_definition(ItemKind::Tool, value).digest.to_string();
    Ok((digest, text))
}

fn reported(kept: Kept) -> ReportedTool {
    ReportedTool {
        name: kept.name,
        listed: true,
        source: Some(kept.source),
        fingerprint: Some(kept.fingerprint),
        previous_fingerprint: kept.previous,
        changed_at: kept.changed_at.map(|at| at.to_string()),
        changes: u64::try_from(kept.changes).unwrap_or_default(),
        first_seen: Some(kept.first_seen.to_string()),
        last_seen: Some(kept.last_seen.to_string()),
        calls: 0,
        refused_calls: 0,
    }
}

fn unlisted(name: &str) -> ReportedTool {
    ReportedTool {
        name: name.to_owned(),
        listed: false,
        source: None,
        fingerprint: None,
        previous_fingerprint: None,
        changed_at: None,
        changes: 0,
        first_seen: None,
        last_seen: None,
        calls: 0,
        refused_calls: 0,
    }
}

/// What agents have and do. Blocks on the disk.
pub(crate) fn report(app: &App, access: &Access, query: &ReportQuery) -> Result<Report, Fault> {
    let window_hours = query.window_hours.unwrap_or(WINDOW_HOURS);
    if window_hours == 0 || window_hours > MAX_WINDOW_HOURS {
        return Err(Fault::bad(format!("`window_hours` is 1 to {MAX_WINDOW_HOURS}")));
    }
    let beyond = query.cursor.as_deref().map(serde_json::from_str::<(String, String)>).transpose();
    let beyond = beyond.map_err(|_| Fault::bad("`cursor` is none that a report gave"))?;
    let now = clock::now().wall;
    let since = now.saturating_sub(SignedDuration::from_hours(i64::from(window_hours))).map_err(Fault::broken)?;
    catch_up(access);
    let uses = access.tenant.indexing.index.tool_uses(since).map_err(Fault::unavailable)?;
    let kept = app.store.tools(access.tenant.id.as_str()).map_err(Fault::unavailable)?;
    let mut changed_tools = 0;
    let mut agents: BTreeMap<String, BTreeMap<String, ReportedTool>> = BTreeMap::new();
    for tool in kept {
        changed_tools += u64::from(tool.changed_at.is_some_and(|at| at >= since));
        agents.entry(tool.agent.clone()).or_default().insert(tool.name.clone(), reported(tool));
    }
    for used in uses {
        let tools = agents.entry(used.agent).or_default();
        let tool = tools.entry(used.tool.clone()).or_insert_with(|| unlisted(&used.tool));
        tool.calls += u64::try_from(used.calls).unwrap_or_default();
        tool.refused_calls += u64::try_from(used.refused).unwrap_or_default();
    }
    let mut report = Report {
        window_hours,
        since: since.to_string(),
        calls: 0,
        unapproved_calls: 0,
        changed_tools,
        agents: Vec::new(),
        next_cursor: None,
    };
    let mut room = usize::try_from(limit(query.limit, PAGE, PAGE)?).unwrap_or(1);
    let mut is_more = false;
    for (agent_id, tools) in agents {
        let sum = |of: fn(&ReportedTool) -> u64| tools.values().map(of).sum();
        let mut agent = ReportedAgent {
            has_inventory: tools.values().any(|tool| tool.listed),
            calls: sum(|tool| tool.calls),
            unapproved_calls: sum(|tool| if tool.listed { 0 } else { tool.calls }),
            refused_calls: sum(|tool| tool.refused_calls),
            tools: Vec::new(),
            agent_id,
        };
        report.calls += agent.calls;
        report.unapproved_calls += agent.unapproved_calls;
        for (name, tool) in tools {
            let is_beyond = beyond.as_ref().is_none_or(|last| (&agent.agent_id, &name) > (&last.0, &last.1));
            match room.checked_sub(usize::from(is_beyond)) {
                Some(left) => room = left,
                None => is_more = true,
            }
            if is_beyond && !is_more {
                agent.tools.push(tool);
            }
        }
        if !agent.tools.is_empty() {
            report.agents.push(agent);
        }
    }
    let last = report.agents.last().and_then(|agent| Some((&agent.agent_id, &agent.tools.last()?.name)));
    report.next_cursor = last.filter(|_| is_more).map(|last| json!(last).to_string());
    Ok(report)
}
