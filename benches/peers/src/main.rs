//! Scans labelled definitions with the crate `agentmesh-mcp`, the Rust scanner of the Agent Governance Toolkit, and prints
//! in one line of JSON how many rows of each kind it warns of: `thoth-scan-peers FILE…`, as `cargo xtask eval --peers`
//! calls it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agentmesh_mcp::{
    CredentialRedactor, InMemoryAuditSink, McpMetricsCollector, McpSecurityScanner, McpSeverity, McpToolDefinition,
    SystemClock,
};
use serde_json::{Value, json};

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn tool(value: &Value, name: &str, server: &str) -> McpToolDefinition {
    McpToolDefinition {
        name: text(value, name),
        description: text(value, "description"),
        input_schema: value.get("inputSchema").filter(|schema| !schema.is_null()).cloned(),
        server_name: server.to_owned(),
    }
}

/// A row may give the earlier version with the name of the tool left out.
fn before(row: &Value, server: &str) -> Option<McpToolDefinition> {
    let before = row.get("before").filter(|before| before.is_object())?;
    let mut tool = tool(before, if before.get("tool").is_some() { "tool" } else { "name" }, server);
    if tool.name.is_empty() {
        tool.name = text(row, "tool");
    }
    Some(tool)
}

/// A scanner that knows nothing yet: rows are no neighbours of each other.
fn scanner() -> Result<McpSecurityScanner, Box<dyn Error>> {
    let redactor = CredentialRedactor::new();
    let sink = Arc::new(InMemoryAuditSink::new(redactor.clone()));
    Ok(McpSecurityScanner::new(redactor, sink, McpMetricsCollector::default(), Arc::new(SystemClock))?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut counts: BTreeMap<String, [u32; 3]> = BTreeMap::new();
    let (mut rows, mut spent) = (0_u32, Duration::ZERO);
    // Scanning registers nothing, so rows that register nothing can share one.
    let shared = scanner()?;
    for path in std::env::args().skip(1) {
        for line in std::fs::read_to_string(path)?.lines().filter(|line| !line.trim().is_empty()) {
            let row: Value = serde_json::from_str(line)?;
            let server = Some(text(&row, "server")).filter(|name| !name.is_empty()).unwrap_or_else(|| "this".to_owned());
            let alone = row.get("peers").is_none_or(Value::is_null) && before(&row, &server).is_none();
            let own = if alone { None } else { Some(scanner()?) };
            let scanner = own.as_ref().unwrap_or(&shared);
            for peer in row.get("peers").and_then(Value::as_array).into_iter().flatten() {
                scanner.register_tool(&tool(&peer["tool"], "name", &text(peer, "server")))?;
            }
            if let Some(before) = before(&row, &server) {
                scanner.register_tool(&before)?;
            }
            let tool = tool(&row, "tool", &server);
            let start = Instant::now();
            let mut threats = scanner.scan_tool(&tool)?;
            spent += start.elapsed();
            threats.extend(scanner.check_rug_pull(&tool)?);
            rows += 1;
            let malicious = text(&row, "label") == "malicious";
            let surface = Some(text(&row, "surface")).filter(|name| !name.is_empty());
            let surface = surface.unwrap_or_else(|| "real-tools".to_owned());
            let kind = format!("{} {surface}", if malicious { "malicious" } else { "benign" });
            let count = counts.entry(kind).or_default();
            count[0] += 1;
            count[1] += u32::from(threats.iter().any(|threat| threat.severity != McpSeverity::Info));
            count[2] += u32::from(threats.iter().any(|threat| threat.severity == McpSeverity::Critical));
        }
    }
    let microseconds = spent.as_secs_f64() * 1e6 / f64::from(rows.max(1));
    println!("{}", json!({"scanner": "agentmesh-mcp 5.0.0 (Rust)", "counts": counts, "microseconds": microseconds}));
    Ok(())
}
