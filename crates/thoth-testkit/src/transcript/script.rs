//! What a client asks in one conversation: everything that the server says it offers, and some things that it does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::client::{Client, ClientError, Revision, capabilities, client_info};
use super::plausible;

/// How long a server keeps a task. Some do not end before it is over.
const TASK_MILLISECONDS: u64 = 3_000;

/// The plan of a conversation. The server's own lists decide what is called; the plan corrects arguments.
#[derive(Debug, Clone)]
pub struct Script {
    revision: Revision,
    arguments: BTreeMap<String, Vec<Value>>,
    slow_tool: Option<(String, Value)>,
}

impl Script {
    /// Everything that the server lists, with arguments made from the schemas.
    #[must_use]
    pub fn everything(revision: Revision) -> Self {
        Self { revision, arguments: BTreeMap::new(), slow_tool: None }
    }

    /// Calls a tool with these arguments, one call each, and with nothing else.
    #[must_use]
    pub fn call(mut self, tool: &str, arguments: impl IntoIterator<Item = Value>) -> Self {
        self.arguments.insert(tool.to_owned(), arguments.into_iter().collect());
        self
    }

    /// A tool that takes long enough to be cancelled.
    #[must_use]
    pub fn cancel(mut self, tool: &str, arguments: Value) -> Self {
        self.slow_tool = Some((tool.to_owned(), arguments));
        self
    }

    /// The revision that the conversation is held in.
    #[must_use]
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Holds the conversation.
    pub(super) fn run(&self, client: &mut Client) -> Result<(), ClientError> {
        open(client)?;
        self.tools(client)?;
        self.tasks(client)?;
        prompts(client)?;
        resources(client)?;
        mistakes(client)?;
        self.cancellation(client)?;
        if client.revision() == Revision::Modern {
            subscription(client)?;
        }
        Ok(())
    }

    fn tools(&self, client: &mut Client) -> Result<(), ClientError> {
        for tool in listed(client, "tools/list", "tools")? {
            let (name, schema) = (text(&tool, "name"), tool.get("inputSchema").cloned().unwrap_or_default());
            if let Some(given) = self.arguments.get(name) {
                for arguments in given {
                    client.request_with_rounds("tools/call", with_progress(name, arguments))?;
                }
                continue;
            }
            client.request_with_rounds("tools/call", with_progress(name, &plausible::value(&schema, &schema)))?;
            // Without arguments, and with one that no tool has: an error where some are required.
            client.request_with_rounds("tools/call", json!({"name": name}))?;
            let unknown = json!({"unknown é \u{1F511}": [1.0e2, null]});
            client.request_with_rounds("tools/call", json!({"name": name, "arguments": unknown}))?;
        }
        Ok(())
    }

    /// Tasks of the 2025-11-25 revision, on tools that say they support them.
    fn tasks(&self, client: &mut Client) -> Result<(), ClientError> {
        if client.revision() == Revision::Modern {
            return Ok(());
        }
        for tool in listed(client, "tools/list", "tools")? {
            let support = tool.pointer("/execution/taskSupport").and_then(Value::as_str).unwrap_or("forbidden");
            if support == "forbidden" {
                continue;
            }
            let (name, schema) = (text(&tool, "name"), tool.get("inputSchema").cloned().unwrap_or_default());
            let arguments = self.arguments.get(name).and_then(|all| all.first().cloned());
            let arguments = arguments.unwrap_or_else(|| plausible::value(&schema, &schema));
            let params = json!({"name": name, "arguments": arguments, "task": {"ttl": TASK_MILLISECONDS}});
            let created = client.request("tools/call", params)?;
            let Some(id) = created.pointer("/result/task/taskId").cloned() else { continue };
            client.request("tasks/get", json!({"taskId": id}))?;
            client.request("tasks/list", json!({}))?;
            client.request("tasks/cancel", json!({"taskId": id}))?;
            client.request("tasks/result", json!({"taskId": id}))?;
        }
        Ok(())
    }

    /// A call that is taken back: no answer is waited for, and the conversation goes on.
    fn cancellation(&self, client: &mut Client) -> Result<(), ClientError> {
        let Some((name, arguments)) = &self.slow_tool else { return Ok(()) };
        let id = client.ask("tools/call", json!({"name": name, "arguments": arguments}))?;
        client.notify("notifications/cancelled", json!({"requestId": id, "reason": "changed my mind"}))?;
        client.request("tools/list", json!({}))?;
        Ok(())
    }
}

fn with_progress(tool: &str, arguments: &Value) -> Value {
    let token = format!("token of {tool}");
    json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": token}})
}

fn open(client: &mut Client) -> Result<(), ClientError> {
    if client.revision() == Revision::Modern {
        let answer = client.request("server/discover", json!({}))?;
        return needs(&answer, "server/discover", "/result/supportedVersions");
    }
    let params = json!({
        "protocolVersion": client.revision().as_str(),
        "capabilities": capabilities(),
        "clientInfo": client_info(),
    });
    let answer = client.request("initialize", params)?;
    needs(&answer, "initialize", "/result/capabilities")?;
    client.notify("notifications/initialized", json!({}))?;
    // Early, because some servers ask for the roots then, and wait a minute for an answer before they end.
    client.notify("notifications/roots/list_changed", json!({}))?;
    client.request("ping", json!({}))?;
    client.request("logging/setLevel", json!({"level": "debug"}))?;
    Ok(())
}

fn prompts(client: &mut Client) -> Result<(), ClientError> {
    for prompt in listed(client, "prompts/list", "prompts")? {
        let name = text(&prompt, "name");
        let names: Vec<&str> = each(&prompt, "arguments").map(|argument| text(argument, "name")).collect();
        let given: Value = names.iter().map(|name| ((*name).to_owned(), json!("1"))).collect();
        client.request_with_rounds("prompts/get", json!({"name": name, "arguments": given}))?;
        client.request_with_rounds("prompts/get", json!({"name": name}))?;
        for argument in names {
            let reference = json!({"type": "ref/prompt", "name": name});
            complete(client, &reference, argument)?;
        }
    }
    Ok(())
}

fn resources(client: &mut Client) -> Result<(), ClientError> {
    let legacy = client.revision() == Revision::Legacy;
    for resource in listed(client, "resources/list", "resources")? {
        let uri = text(&resource, "uri");
        client.request_with_rounds("resources/read", json!({"uri": uri}))?;
        if legacy {
            client.request("resources/subscribe", json!({"uri": uri}))?;
            client.request("resources/unsubscribe", json!({"uri": uri}))?;
        }
    }
    for template in listed(client, "resources/templates/list", "resourceTemplates")? {
        let uri = text(&template, "uriTemplate");
        let reference = json!({"type": "ref/resource", "uri": uri});
        complete(client, &reference, uri.split(['{', '}']).nth(1).unwrap_or("id"))?;
        for filling in ["1", "none such"] {
            client.request_with_rounds("resources/read", json!({"uri": filled(uri, filling)}))?;
        }
    }
    Ok(())
}

/// A URI template with every variable replaced.
fn filled(template: &str, value: &str) -> String {
    let parts = template.split(['{', '}']).enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { value } else { part }).collect()
}

fn complete(client: &mut Client, reference: &Value, argument: &str) -> Result<(), ClientError> {
    for typed in ["", "E"] {
        let params = json!({"ref": reference, "argument": {"name": argument, "value": typed}});
        client.request("completion/complete", params)?;
    }
    Ok(())
}

/// Requests that no server can answer with a result.
fn mistakes(client: &mut Client) -> Result<(), ClientError> {
    client.request("tools/call", json!({"name": "no_such_tool", "arguments": {}}))?;
    client.request("prompts/get", json!({"name": "no_such_prompt"}))?;
    client.request("resources/read", json!({"uri": "none://such"}))?;
    client.request("tools/list", json!({"cursor": "no such page"}))?;
    client.notify("notifications/cancelled", json!({"requestId": 123_456, "reason": "never asked"}))?;
    client.request("no/such/method", json!({}))?;
    Ok(())
}

/// The stream that replaces subscriptions in the modern era: opened, acknowledged, taken back.
fn subscription(client: &mut Client) -> Result<(), ClientError> {
    let wanted = json!({"toolsListChanged": true, "promptsListChanged": true, "resourcesListChanged": true});
    let id = client.ask("subscriptions/listen", json!({"notifications": wanted}))?;
    client.request("server/discover", json!({}))?;
    client.notify("notifications/cancelled", json!({"requestId": id}))?;
    client.request("server/discover", json!({}))?;
    Ok(())
}

/// Every entry of a list, on all its pages. A server without the list answers with an error, which is an empty list.
fn listed(client: &mut Client, method: &str, key: &str) -> Result<Vec<Value>, ClientError> {
    let mut entries = Vec::new();
    let mut params = json!({});
    loop {
        let answer = client.request(method, params)?;
        let result = answer.get("result").cloned().unwrap_or_default();
        entries.extend(each(&result, key).cloned());
        match result.get("nextCursor") {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => return Ok(entries),
        }
    }
}

fn each<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or("")
}

fn needs(answer: &Value, method: &str, pointer: &str) -> Result<(), ClientError> {
    let lacks = || ClientError::Lacks(method.to_owned(), format!("{pointer} in {answer}"));
    answer.pointer(pointer).map(|_| ()).ok_or_else(lacks)
}
