//! What a server says of itself, in lines and in metrics; and that nothing of what clients send is in either.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

#[path = "site/hostile.rs"]
mod hostile;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_testkit::plain_http;
use thoth_testkit::postgres::cluster;

use hostile::{Hostile, SECRET};

const PROGRAM: &str = env!("CARGO_BIN_EXE_thothd");
const POLICY: &str = "version: \"1\"\nrules:\n  - { match: { tool: \"read*\" }, approval: auto }\n  \
                      - { match: { tool: \"write*\" }, approval: approve }\n  \
                      - { match: { tool: \"hunter*\" }, approval: block }\n";

struct Site {
    folder: TempDir,
    child: Child,
    address: String,
    metrics: String,
    key: String,
}

/// Starts a server by way of these words of a shell, on files or on a database.
fn serve(database: Option<&str>, shell: &str, arguments: &[&str]) -> Site {
    let on = |program: &str| {
        let mut command = Command::new(program);
        command.env_remove("THOTHD_DATABASE_URL").envs(database.map(|url| ("THOTHD_DATABASE_URL", url)));
        command
    };
    let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let made = on(PROGRAM)
        .args(["keys", "create", "--tenant", "acme", "--organization", "--permission", "execute"])
        .args(["--permission", "write", "--name", SECRET, "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let mut child = on("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\""), PROGRAM, "serve", "--listen", "127.0.0.1:0"])
        .args(["--metrics-listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = |prefix: &str| said.next().unwrap().unwrap().strip_prefix(prefix).expect(prefix).to_owned();
    let address = line("listening at http://");
    let metrics = line("metrics at http://").strip_suffix("/metrics").unwrap().to_owned();
    let key = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    Site { folder, child, address, metrics, key }
}

impl Site {
    fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> String {
        answer(&self.address, method, path, key, body)
    }

    fn enforce(&self, tool: &str) -> Value {
        let asked = json!({
            "agent_id": format!("agent-{SECRET}"), "tenant_id": "acme", "user_id": format!("user-{SECRET}"),
            "session_id": format!("session-{SECRET}"), "session_intent": SECRET, "approved_scope": [],
            "enforcement_mode": "block", "session_tool_calls": [SECRET], "tool_name": tool,
            "tool_args": { SECRET: SECRET, "n": [SECRET] }, "purpose": SECRET, "environment": SECRET,
            "enforcement_trace_id": SECRET,
        });
        let answer = self.ask("POST", "/v1/enforce", &self.key, &asked.to_string());
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn metrics(&self) -> BTreeMap<String, f64> {
        let answer = answer(&self.metrics, "GET", "/metrics", "", "");
        assert!(!answer.contains(SECRET) && !answer.contains(&self.key), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
        samples(body)
    }

    /// Tells it to stop, and returns what it said.
    fn stop(mut self) -> String {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        assert!(!said.contains(SECRET) && !said.contains(&self.key), "{said}");
        drop(self.folder);
        said
    }
}

fn answer(address: &str, method: &str, path: &str, key: &str, body: &str) -> String {
    plain_http::ask(address, (method, path), &format!("x-api-key: {key}\r\n"), body).unwrap()
}

/// The samples of an OpenMetrics text, read as strictly as Prometheus does: metadata before samples, families in one piece,
/// no sample twice, an end.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let body = text.strip_suffix("# EOF\n").expect("an end");
    let (mut samples, mut families, mut family) = (BTreeMap::new(), Vec::new(), String::new());
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let (word, rest) = rest.split_once(' ').unwrap();
            assert!(["HELP", "TYPE", "UNIT"].contains(&word), "{line}");
            let name = rest.split(' ').next().unwrap();
            if name != family {
                assert!(!families.contains(&name.to_owned()), "{line}: twice");
                families.push(name.to_owned());
                family = name.to_owned();
            }
            continue;
        }
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with(&family), "{line} is not of {family}");
        let value: f64 = value.parse().expect(line);
        assert!(samples.insert(name.to_owned(), value).is_none(), "{line}: twice");
    }
    samples
}

/// All ways in which a client can put something of its own into a request.
fn everything_with_a_secret(site: &Site) {
    for tool in ["read_hunter2", "write_hunter2", "hunter2"] {
        site.enforce(tool);
    }
    for Hostile { method, path, key, body } in hostile::requests(&site.key) {
        let answer = site.ask(method, path, &key, &body);
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
}

#[test]
fn nothing_that_was_sent_is_told() {
    nothing_is_told(None);
}

#[test]
fn nothing_that_was_sent_is_told_on_postgresql() {
    nothing_is_told(Some(&cluster().database()));
}

/// Defends invariant 7: whatever a client puts where, neither lines nor metrics have it; what they do have is right.
fn nothing_is_told(database: Option<&str>) {
    let site = serve(database, "", &["--log-format", "json", "--log-level", "debug", "--access-log"]);
    everything_with_a_secret(&site);
    let metrics = site.metrics();
    for (name, expected) in [
        ("thothd_decisions_total{decision=\"ALLOW\",reason_code=\"rule_auto\"}", 1.0),
        ("thothd_decisions_total{decision=\"STEP_UP\",reason_code=\"rule_approve\"}", 1.0),
        ("thothd_decisions_total{decision=\"BLOCK\",reason_code=\"rule_block\"}", 1.0),
        ("thothd_requests_total{route=\"/v1/enforce\",method=\"POST\",class=\"2xx\"}", 3.0),
        ("thothd_requests_total{route=\"/v1/enforce\",method=\"POST\",class=\"4xx\"}", 3.0),
        ("thothd_request_duration_seconds_count{route=\"/v1/enforce\",method=\"POST\"}", 6.0),
        ("thothd_holds_pending", 1.0),
        ("thothd_tenants_open", 1.0),
        ("thothd_ledger_append_failures_total", 0.0),
        ("thothd_client_events_total{state=\"kept\"}", 1.0),
    ] {
        assert_eq!(metrics.get(name), Some(&expected), "{name} in {metrics:#?}");
    }
    let buckets =
        |name: &str| name.starts_with("thothd_request_duration_seconds_bucket{") && name.contains("\"/v1/enforce\"");
    assert!(metrics.iter().any(|(name, count)| buckets(name) && *count == 6.0), "{metrics:#?}");
    assert!(metrics.get("process_resident_memory_bytes").is_some_and(|bytes| *bytes > 1e6), "{metrics:#?}");
    // Of what nothing is served at there is one name, however many addresses are made up.
    let others = |metrics: &BTreeMap<String, f64>| metrics.keys().filter(|name| name.contains("other")).count();
    for number in 0..50 {
        site.ask("GET", &format!("/made/up/{number}"), "", "");
    }
    assert_eq!(others(&site.metrics()), others(&metrics));
    let said = site.stop();
    let lines: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let requests: Vec<&Value> = lines.iter().filter(|line| line["message"] == "request").collect();
    assert_eq!(requests.len(), 3 + 11 + 50, "{said}");
    let blocked = requests.iter().find(|line| line["decision"] == "BLOCK").expect("a line of the blocked call");
    for (member, expected) in [
        ("level", json!("info")),
        ("method", json!("POST")),
        ("route", json!("/v1/enforce")),
        ("status", json!(200)),
        ("tenant", json!("acme")),
        ("reason_code", json!("rule_block")),
    ] {
        assert_eq!(blocked[member], expected, "{blocked}");
    }
    for (member, prefix) in [("request_id", "req_"), ("key_id", "key_"), ("time", "20")] {
        assert!(blocked[member].as_str().is_some_and(|text| text.starts_with(prefix)), "{blocked}");
    }
    assert!(blocked["duration_ms"].is_number(), "{blocked}");
    assert_eq!(lines.last().unwrap()["message"], "stopping");
}

/// Defends invariants 5 and 7: where nothing can be recorded, calls are blocked, that is counted, and lines still have
/// nothing that was sent.
#[test]
fn a_ledger_that_fails_is_told_without_what_was_sent() {
    let site = serve(None, "trap '' XFSZ; ulimit -f 200;", &["--log-format", "json", "--access-log"]);
    for number in 0..200 {
        let answer = site.enforce(&format!("read_{SECRET}_{number}"));
        if answer["decision_reason_code"] == "evidence_unavailable" {
            assert_eq!(answer["decision"], "BLOCK");
            break;
        }
    }
    everything_with_a_secret(&site);
    let metrics = site.metrics();
    let blocked = metrics.get("thothd_decisions_total{decision=\"BLOCK\",reason_code=\"evidence_unavailable\"}");
    assert!(blocked.is_some_and(|count| *count > 0.0), "{metrics:#?}");
    for line in site.stop().lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

/// Defends invariants 5 and 7: the same where the database takes nothing. What it says of a row that it does not take repeats
/// the row.
#[test]
fn a_database_that_takes_nothing_is_told_without_what_was_sent() {
    let url = cluster().database();
    let site = serve(Some(&url), "", &["--log-format", "json", "--log-level", "debug", "--access-log"]);
    assert_eq!(site.enforce("read")["decision"], "ALLOW");
    for table in ["entries", "events", "holds", "endpoints", "session_calls", "decisions", "sessions", "agents"] {
        cluster().sql(&url, &format!("ALTER TABLE thoth.{table} ADD CHECK (false) NOT VALID"));
    }
    for tool in ["read_hunter2", "write_hunter2", "hunter2"] {
        let refused = site.enforce(tool);
        assert_eq!(
            (&refused["decision"], &refused["decision_reason_code"]),
            (&json!("BLOCK"), &json!("evidence_unavailable"))
        );
        assert!(!refused["reason"].to_string().contains(SECRET), "{refused}");
    }
    everything_with_a_secret(&site);
    let metrics = site.metrics();
    let blocked = metrics.get("thothd_decisions_total{decision=\"BLOCK\",reason_code=\"evidence_unavailable\"}");
    assert_eq!(blocked, Some(&6.0), "{metrics:#?}");
    let said = site.stop();
    assert!(said.contains("SQLSTATE 23514"), "{said}");
    for line in said.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

/// Defends invariant 7: that a policy cannot be used is said once each time that it changes, however often somebody asks
/// whether the server is ready, and with its place and not with what stands there.
#[test]
fn a_policy_that_is_not_valid_is_told_once() {
    let site = serve(None, "", &[]);
    let policy = site.folder.path().join("policy.yaml");
    let ready = |expected: &str| {
        for _ in 0..5 {
            let answer = site.ask("GET", "/readyz", "", "");
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{answer}");
        }
    };
    for _ in 0..2 {
        ready("200");
        std::fs::write(
            &policy,
            "version: \"1\"\nhunter2: { hunter2: 1 }\nrules: [{ match: { tool: hunter2 }, approval: hunter2 }]\n",
        )
        .unwrap();
        ready("503");
        std::fs::write(&policy, POLICY).unwrap();
    }
    ready("200");
    let said = site.stop();
    let told = said.lines().filter(|line| line.contains("invalid policy") && line.contains("policy.yaml:2:"));
    assert_eq!((told.count(), said.lines().count()), (2, 3), "{said}");
}

/// Lines for people stay as they are, and there is none for a request unless it is asked for.
#[test]
fn requests_have_no_lines_unless_asked_for() {
    let site = serve(None, "", &[]);
    everything_with_a_secret(&site);
    let said = site.stop();
    assert_eq!(said, "thoth: stopping\n");
}

/// Metrics need no key, so that other machines read them only where somebody says so; and a limit is counted.
#[test]
fn metrics_are_for_this_machine() {
    let site = serve(None, "", &["--enforce-per-minute", "1"]);
    site.enforce("read");
    assert_eq!(site.enforce("read")["decision"], "DEFER");
    let metrics = site.metrics();
    assert_eq!(metrics.get("thothd_rate_limited_total{kind=\"enforce\"}"), Some(&1.0), "{metrics:#?}");
    assert_eq!(
        metrics.get("thothd_decisions_total{decision=\"DEFER\",reason_code=\"rate_limited\"}"),
        Some(&1.0),
        "{metrics:#?}"
    );
    assert!(answer(&site.metrics, "GET", "/v1/enforce", "", "").starts_with("HTTP/1.1 404"));
    assert!(answer(&site.address, "GET", "/metrics", "", "").starts_with("HTTP/1.1 404"));
    site.stop();
    let run = Command::new(PROGRAM).args(["serve", "--metrics-listen", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.code() == Some(2) && said.contains("--metrics-exposed"), "{said}");
}
