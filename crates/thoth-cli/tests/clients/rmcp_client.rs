//! A client on the Rust SDK, which speaks both eras, for the tests of held calls: commands come as JSON lines on standard
//! input, events leave as JSON lines on standard output, in the words of `thoth-testkit/fixtures/clients/session.cjs`.
//!
//! usage: `rmcp-client OPTIONS SERVER [ARGUMENT …]`

#![expect(clippy::print_stdout, reason = "its events go to standard output")]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, CustomNotification, ElicitRequestParams, ElicitResult,
    ElicitationCapability, FormElicitationCapability, Implementation, ProgressNotificationParam, ProtocolVersion,
    UrlElicitationCapability,
};
use rmcp::service::{NotificationContext, RequestContext, ServiceError};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::task::{AbortHandle, JoinSet};

#[derive(Debug, Clone, Default, Deserialize)]
struct Options {
    era: String,
    #[serde(default)]
    elicit: Vec<Value>,
    #[serde(default)]
    url: bool,
}

#[derive(Debug, Deserialize)]
struct Input {
    call: Option<Call>,
    cancel: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Call {
    name: String,
    arguments: Option<Map<String, Value>>,
    timeout: Option<u64>,
}

fn say(event: &str, mut fields: Value) {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("event".to_owned(), json!(event));
    }
    println!("{fields}");
}

#[derive(Debug)]
struct User {
    options: Options,
    asked: AtomicUsize,
    /// The number of the latest call. This SDK asks for the progress of every call.
    calls: Arc<AtomicU64>,
}

impl ClientHandler for User {
    async fn create_elicitation(
        &self,
        request: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        say("elicited", json!({ "params": request }));
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = self.options.elicit.get(asked).or_else(|| self.options.elicit.last());
        match answer.and_then(Value::as_str) {
            Some("silent") => std::future::pending().await,
            Some(_) => Err(ErrorData::internal_error("the dialogue broke", None)),
            None => serde_json::from_value(answer.cloned().unwrap_or_default())
                .map_err(|error| ErrorData::internal_error(error.to_string(), None)),
        }
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        say("progress", json!({ "call": self.calls.load(Ordering::Relaxed), "params": params }));
    }

    async fn on_custom_notification(&self, told: CustomNotification, _: NotificationContext<RoleClient>) {
        if told.method == "notifications/elicitation/complete" {
            say("completed", json!({ "params": told.params }));
        }
    }

    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        if !self.options.elicit.is_empty() {
            let form = ElicitationCapability::new().with_form(FormElicitationCapability::default());
            let both = form.clone().with_url(UrlElicitationCapability::default());
            capabilities.elicitation = Some(if self.options.url { both } else { form });
        }
        ClientConfig::new(capabilities, Implementation::new("rust", "1.0.0"))
    }
}

fn lifecycle(era: &str) -> ClientLifecycleMode {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    match era {
        "legacy" => ClientLifecycleMode::Initialize,
        "modern" => ClientLifecycleMode::Discover { preferred_versions },
        _ => ClientLifecycleMode::Auto { preferred_versions, legacy_version: None },
    }
}

fn described(error: &ServiceError) -> Value {
    match error {
        ServiceError::McpError(error) => json!({"code": error.code.0, "message": error.message, "data": error.data}),
        other => json!({"message": other.to_string()}),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let options: Options = serde_json::from_str(&words.next().unwrap_or_default())?;
    let mut server = Command::new(words.next().unwrap_or_default());
    server.args(words);
    let lifecycle = lifecycle(&options.era);
    let calls = Arc::new(AtomicU64::new(0));
    let user = User { options, asked: AtomicUsize::new(0), calls: Arc::clone(&calls) };
    let client = Arc::new(user.serve_with_lifecycle(TokioChildProcess::new(server)?, lifecycle).await?);
    say("ready", json!({ "protocol": client.peer_info().map(|info| info.protocol_version.clone()) }));

    let mut running: BTreeMap<u64, AbortHandle> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let input: Input = serde_json::from_str(&line)?;
        if let Some(number) = input.cancel
            && let Some(task) = running.get(&number)
        {
            task.abort();
            say("error", json!({"call": number, "error": {"message": "cancelled"}}));
        }
        let Some(Call { name, arguments, timeout }) = input.call else { continue };
        let number = calls.fetch_add(1, Ordering::Relaxed) + 1;
        let mut params = CallToolRequestParams::new(name);
        params.arguments = arguments;
        let client = Arc::clone(&client);
        let task = tasks.spawn(async move {
            let within = timeout.map_or(Duration::MAX, Duration::from_millis);
            match tokio::time::timeout(within, client.call_tool(params)).await {
                Ok(Ok(result)) => say("result", json!({ "call": number, "result": result })),
                Ok(Err(error)) => say("error", json!({ "call": number, "error": described(&error) })),
                Err(_) => say("error", json!({ "call": number, "error": {"message": "timed out"} })),
            }
        });
        running.insert(number, task);
    }
    tasks.shutdown().await;
    if let Ok(client) = Arc::try_unwrap(client) {
        client.cancel().await?;
    }
    Ok(())
}
