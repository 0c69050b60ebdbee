//! Traces as a collector gets them: what is in them and what never is, and that nobody waits for one that does not take them.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

#[path = "site/hostile.rs"]
mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_testkit::collector::{Behaviour, Collector, Span};
use thoth_testkit::plain_http::{Nobody, ask};
use thoth_testkit::postgres::cluster;

use hostile::{Hostile, SECRET};

const PROGRAM: &str = env!("CARGO_BIN_EXE_thothd");
/// Longer than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long an end may take: requests have ended, and what is left of the spans has five seconds. That those are over is said;
/// this is for a machine that is busy.
const END: Duration = Duration::from_secs(60);
const POLICY: &str = "version: \"1\"\nrules:\n  - { name: reading, match: { tool: \"read*\" }, approval: auto }\n  \
                      - { name: writing, match: { tool: \"write*\" }, approval: approve }\n  \
                      - { name: hunting, match: { tool: \"hunter*\" }, approval: block }\n";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

struct Site {
    folder: TempDir,
    child: Child,
    /// Its lines, read as they come: it waits for whoever does not.
    said: Receiver<String>,
    address: String,
    metrics: String,
    agent: String,
    admin: String,
}

/// Starts a server, on files or on a database.
fn serve(arguments: &[&str], variables: &[(&str, &str)], database: Option<&str>) -> Site {
    let folder = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap();
    std::fs::write(folder.path().join("policy.yaml"), POLICY).unwrap();
    let program = || {
        let mut command = Command::new(PROGRAM);
        command.env_clear().envs(database.map(|url| ("THOTHD_DATABASE_URL", url)));
        command
    };
    let key = |name: &str, permissions: &[&str]| {
        let mut make = program();
        make.args(["keys", "create", "--tenant", "acme", "--organization", "--name", name, "--data"])
            .arg(folder.path());
        for permission in permissions {
            make.args(["--permission", permission]);
        }
        let made = make.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    };
    let (agent, admin) = (key(SECRET, &["execute", "write"]), key("ops", &["read", "write"]));
    let mut child = program()
        .envs(variables.iter().copied())
        .args(["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--access-log"])
        .args(["--log-format", "json", "--enforce-per-minute", "100000", "--data"])
        .arg(folder.path())
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut line = |prefix: &str| lines.next().unwrap().unwrap().strip_prefix(prefix).expect(prefix).to_owned();
    let address = line("listening at http://");
    let metrics = line("metrics at http://").strip_suffix("/metrics").unwrap().to_owned();
    let (told, said) = sync_channel(1 << 17);
    let stderr = BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).for_each(|line| drop(told.send(line))));
    Site { folder, child, said, address, metrics, agent, admin }
}

impl Site {
    fn ask(&self, request: (&str, &str), key: &str, headers: &str, body: &str) -> (u16, Value) {
        let text = ask(&self.address, request, &format!("x-api-key: {key}\r\n{headers}"), body).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
    }

    fn enforce(&self, tool: &str, headers: &str) -> Value {
        let asked = json!({
            "agent_id": format!("agent-{SECRET}"), "tenant_id": "acme", "user_id": format!("user-{SECRET}"),
            "session_id": format!("session-{SECRET}"), "session_intent": SECRET, "approved_scope": [],
            "enforcement_mode": "block", "session_tool_calls": [SECRET], "tool_name": tool,
            "tool_args": { SECRET: SECRET, "n": [SECRET] }, "purpose": SECRET, "environment": SECRET,
            "enforcement_trace_id": SECRET, "action_attestation_id": SECRET,
        });
        let (status, answer) = self.ask(("POST", "/v1/enforce"), &self.agent, headers, &asked.to_string());
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// How many spans became what.
    fn count(&self, state: &str) -> f64 {
        let text = ask(&self.metrics, ("GET", "/metrics"), "", "").unwrap();
        let name = format!("thothd_trace_spans_total{{state=\"{state}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&name)).map_or(-1.0, |count| count.parse().unwrap())
    }

    /// The next line about traces.
    fn next_line(&self) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).expect("it said nothing");
            let line: Value = serde_json::from_str(&line).expect(&line);
            let word = |name| line.get(name).and_then(Value::as_str).unwrap();
            if word("message") != "request" {
                return format!("{} {}", word("level"), word("message"));
            }
        }
    }

    /// Waits for this line about traces. Where requests take long, others come before.
    fn wait_for_line(&self, wanted: &str) {
        while self.next_line() != wanted {}
    }

    /// Tells it to stop: what it said since, how long that took.
    fn stop(mut self) -> (Vec<Value>, Duration) {
        let began = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        let said: Vec<String> = self.said.iter().collect();
        assert!(self.child.wait().unwrap().success(), "{said:?}");
        let took = began.elapsed();
        assert!(!said.iter().any(|line| line.contains(SECRET) || line.contains(&self.agent)), "{said:?}");
        drop(self.folder);
        (said.iter().map(|line| serde_json::from_str(line).expect(line)).collect(), took)
    }
}

/// The spans of a trace as a tree: each name behind those above it, in the order in which they began.
fn tree(spans: &[Span], trace: &str) -> Vec<String> {
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.span_id.as_str(), span)).collect();
    let mut of_trace: Vec<&Span> = spans.iter().filter(|span| span.trace_id == trace).collect();
    of_trace.sort_by_key(|span| span.start);
    let path = |span: &&Span| {
        let mut names = vec![span.name.as_str()];
        let mut above = by_id.get(span.parent_span_id.as_str());
        while let Some(found) = above {
            assert!(found.start <= span.start && found.end >= span.end, "{} within {}", span.name, found.name);
            names.insert(0, &found.name);
            above = by_id.get(found.parent_span_id.as_str());
        }
        names.join(" / ")
    };
    of_trace.iter().map(path).collect()
}

fn named<'s>(spans: &'s [Span], trace: &str, name: &str) -> &'s Span {
    let found = spans.iter().find(|span| span.trace_id == trace && span.name == name);
    found.expect(name)
}

fn has(span: &Span, attributes: &[(&str, &str)]) {
    for (name, expected) in attributes {
        assert_eq!(span.attributes.get(*name).map(String::as_str), Some(*expected), "{name} of {span:#?}");
    }
}

fn sampled(trace: &str) -> String {
    format!("traceparent: 00-{trace}-{PARENT}-01\r\ntracestate: a={SECRET}\r\n")
}

/// What becomes of a call, from the request to the ledger, and of a held one until it is answered: a tree for each request,
/// below the span of whoever asked.
#[test]
fn a_call_is_a_tree_of_spans() {
    let collector = Collector::start(Behaviour::Take).unwrap();
    let site = serve(&["--traces-endpoint", &collector.url()], &[("OTEL_RESOURCE_ATTRIBUTES", "region=here")], None);
    let blocked = site.enforce("hunter", &sampled(TRACE));
    let held = site.enforce("write", &sampled(&TRACE.replace('4', "5")));
    let token = held["hold_token"].as_str().unwrap();
    let (path, granted) =
        (format!("/acme/thoth/approvals/{token}/resolve"), json!({ "decision": "approve" }).to_string());
    assert_eq!(site.ask(("POST", &path), &site.admin, &sampled(&TRACE.replace('4', "6")), &granted).0, 200);
    let path = format!("/v1/enforce/hold/{token}?wait=5");
    assert_eq!(site.ask(("GET", &path), &site.agent, &sampled(&TRACE.replace('4', "7")), "").1["resolution"], "ALLOW");
    site.ask(("GET", "/nothing"), "", &sampled(&TRACE.replace('4', "8")), "");
    site.ask(("POST", "/v1/enforce"), "wrong", &sampled(&TRACE.replace('4', "9")), "{}");
    let agent = site.agent.clone();
    let (said, _) = site.stop();
    let spans = collector.spans_once(|_| true);

    let steps = ["wait for session", "look up policy", "evaluate", "record evidence"];
    let below = |above: &str| steps.map(|step| format!("{above} / decide / {step}")).to_vec();
    let above = "POST /v1/enforce";
    let mut expected = [above, "authenticate", "queue", "decide"].map(|step| format!("{above} / {step}")).to_vec();
    expected[0] = above.to_owned();
    expected.extend(below(above));
    assert_eq!(tree(&spans, TRACE), expected);
    let request = named(&spans, TRACE, above);
    assert_eq!((request.parent_span_id.as_str(), request.kind, request.status), (PARENT, 2, 0));
    has(
        request,
        &[("http.request.method", "POST"), ("http.route", "/v1/enforce"), ("http.response.status_code", "200")],
    );
    has(request, &[("url.scheme", "http"), ("thoth.tenant", "acme"), ("thoth.decision", "BLOCK")]);
    assert!(request.attributes["thoth.request_id"].starts_with("req_"), "{request:#?}");
    let decide = named(&spans, TRACE, "decide");
    has(decide, &[("thoth.decision", "BLOCK"), ("thoth.reason_code", "rule_block"), ("thoth.rule", "hunting")]);
    has(decide, &[("thoth.ledger_trace_id", blocked["decision_evidence"]["trace_id"].as_str().unwrap())]);
    has(named(&spans, TRACE, "authenticate"), &[("thoth.credential", "api_key")]);
    for (name, expected) in
        [("service.name", "thothd"), ("service.version", env!("CARGO_PKG_VERSION")), ("region", "here")]
    {
        assert_eq!(request.resource.get(name).map(String::as_str), Some(expected), "{:#?}", request.resource);
    }

    // The call that is held, the answer, and the poll that hears of it.
    has(named(&spans, &TRACE.replace('4', "5"), "decide"), &[("thoth.decision", "STEP_UP"), ("thoth.rule", "writing")]);
    let above = "POST /{tenant}/thoth/approvals/{token}/resolve";
    let answered = tree(&spans, &TRACE.replace('4', "6"));
    assert_eq!(answered, [above.to_owned(), format!("{above} / authenticate"), format!("{above} / handle")]);
    let above = "GET /v1/enforce/hold/{token}";
    let mut expected =
        ["authenticate", "await answer", "look at hold", "decide"].map(|step| format!("{above} / {step}")).to_vec();
    expected.insert(0, above.to_owned());
    expected.extend(below(above));
    let polled = TRACE.replace('4', "7");
    assert_eq!(tree(&spans, &polled), expected);
    has(named(&spans, &polled, "look at hold"), &[("thoth.hold.state", "approved")]);
    has(named(&spans, &polled, "decide"), &[("thoth.decision", "ALLOW")]);

    // What nothing is served at has no name of its own; who is not known has no tenant.
    assert_eq!(tree(&spans, &TRACE.replace('4', "8")), ["GET"]);
    let stranger = TRACE.replace('4', "9");
    has(named(&spans, &stranger, "authenticate"), &[("error.type", "unauthorized")]);
    let request = named(&spans, &stranger, "POST /v1/enforce");
    assert!(!request.attributes.contains_key("thoth.tenant") && request.status == 0, "{request:#?}");
    has(request, &[("http.response.status_code", "401")]);

    // Lines name the traces, by which one finds the other.
    let line = said.iter().find(|line| line["decision"] == "BLOCK").expect("a line of the blocked call");
    assert_eq!(line["trace_id"], TRACE, "{line}");
    let sent = collector.bytes();
    for secret in [SECRET, &agent] {
        assert!(!sent.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn nothing_that_was_sent_is_in_a_span() {
    nothing_is_in_a_span(None);
}

#[test]
fn nothing_that_was_sent_is_in_a_span_on_postgresql() {
    nothing_is_in_a_span(Some(&cluster().database()));
}

/// Defends invariant 7: whatever a client puts where, no span has it. It also says how the headers for the collector come
/// there, and that they are nowhere else.
fn nothing_is_in_a_span(database: Option<&str>) {
    let collector = Collector::start(Behaviour::Take).unwrap();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20swordfish"),
        ("OTEL_SERVICE_NAME", "gate"),
    ];
    let site = serve(&[], &variables, database);
    for tool in ["read_hunter2", "write_hunter2", "hunter2"] {
        site.enforce(tool, &format!("user-agent: {SECRET}\r\nx-{SECRET}: {SECRET}\r\ntraceparent: {SECRET}\r\n"));
    }
    for Hostile { method, path, key, body } in hostile::requests(&site.agent) {
        site.ask((method, path), &key, "", &body);
    }
    for path in ["/acme/thoth/approvals?state=hunter2", "/acme/thoth/sessions/hunter2"] {
        site.ask(("GET", path), &site.admin, "", "");
    }
    let keys = [site.agent.clone(), site.admin.clone()];
    let (said, _) = site.stop();
    assert!(!said.iter().any(|line| line.to_string().contains("swordfish")), "{said:?}");
    let spans = collector.spans_once(|_| true);
    let requests = spans.iter().filter(|span| span.kind == 2).count();
    assert_eq!(requests, 3 + 13, "{spans:#?}");
    let attributes: BTreeSet<&str> = spans.iter().flat_map(|span| span.attributes.keys().map(String::as_str)).collect();
    let known = [
        "error.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "thoth.credential",
        "thoth.decision",
        "thoth.ledger_trace_id",
        "thoth.reason_code",
        "thoth.request_id",
        "thoth.rule",
        "thoth.tenant",
        "url.scheme",
    ];
    assert_eq!(attributes, known.into_iter().collect());
    let is_named = |span: &Span| span.resource.get("service.name").is_some_and(|name| name == "gate");
    assert!(spans.iter().all(|span| span.trace_state.is_empty() && is_named(span)));
    let sent = String::from_utf8_lossy(&collector.bytes()).to_ascii_lowercase();
    assert!(sent.contains("\r\nauthorization: bearer swordfish\r\n"), "the header is not sent");
    for secret in [SECRET, &keys[0], &keys[1]] {
        assert!(!sent.contains(&secret.to_ascii_lowercase()), "{secret}");
    }
}

/// Whoever began a trace says whether it is recorded; of those that begin here, the setting does.
#[test]
fn whoever_began_a_trace_says_whether_it_is_recorded() {
    let collector = Collector::start(Behaviour::Take).unwrap();
    let site = serve(&["--traces-endpoint", &collector.url(), "--traces-ratio", "0"], &[], None);
    site.enforce("read", "");
    site.enforce("read", &format!("traceparent: 00-{}-{PARENT}-00\r\n", TRACE.replace('4', "5")));
    // Two cannot both be so.
    site.enforce("read", &format!("{0}{0}", sampled(&TRACE.replace('4', "6"))));
    site.enforce("read", &sampled(TRACE));
    site.stop();
    let spans = collector.spans_once(|_| true);
    assert!(spans.len() > 1 && spans.iter().all(|span| span.trace_id == TRACE), "{spans:#?}");
}

/// On a database, the wait for other servers is a step of its own.
#[test]
fn a_database_has_its_steps() {
    let collector = Collector::start(Behaviour::Take).unwrap();
    let database = cluster().database();
    let site = serve(&["--traces-endpoint", &collector.url()], &[], Some(&database));
    assert_eq!(site.enforce("read", &sampled(TRACE))["decision"], "ALLOW");
    site.stop();
    let spans = collector.spans_once(|_| true);
    let last = tree(&spans, TRACE).pop().unwrap();
    assert_eq!(last, "POST /v1/enforce / decide / share session");
}

/// Defends: no decision waits for a collector, and neither does the end for long.
#[test]
fn nobody_waits_for_a_collector() {
    let nobody = Nobody::there().unwrap();
    let nowhere = format!("http://{}", nobody.address());
    let hanging = Collector::start(Behaviour::Hang).unwrap();
    let broken = Collector::start(Behaviour::Status(500)).unwrap();
    for (url, expected) in [
        (nowhere, Some("warn traces do not reach the collector: no connection can be made")),
        (broken.url(), Some("warn traces do not reach the collector: it answers with status 500")),
        (hanging.url(), None),
    ] {
        let site = serve(&["--traces-endpoint", &url], &[], None);
        let began = Instant::now();
        for _ in 0..20 {
            assert_eq!(site.enforce("read", "")["decision"], "ALLOW");
        }
        assert!(began.elapsed() < PATIENCE, "{url}");
        match expected {
            Some(expected) => site.wait_for_line(expected),
            None => hanging.wait_for_requests(1),
        }
        assert_eq!(site.enforce("read", "")["decision"], "ALLOW");
        let (said, took) = site.stop();
        assert!(took < END, "{url}: {took:?}");
        let about =
            |line: &Value| line["message"].as_str().filter(|text| text.contains("collector")).map(str::to_owned);
        let mut lines: Vec<String> = said.iter().filter_map(about).collect();
        // Nothing is said twice; of what the hanging one did not take, there is a line, and of its silence, if there was time.
        let known = expected.map(|line| line.trim_start_matches("warn ").to_owned());
        let over = "the collector of traces did not take everything before the end";
        assert!(known.is_some() || lines.iter().any(|line| line == over), "{said:?}");
        lines.extend(known);
        let distinct: BTreeSet<&String> = lines.iter().collect();
        assert_eq!(distinct.len(), lines.len(), "{said:?}");
        assert!(distinct.len() <= 2, "{said:?}");
    }
}

/// What does not fit into the queue is counted and said once, and what the collector refuses is counted, too.
#[test]
fn what_is_not_sent_is_counted() {
    let collector = Collector::start(Behaviour::Hang).unwrap();
    let site = serve(&["--traces-endpoint", &collector.url()], &[], None);
    while site.count("dropped") < 10.0 {
        for _ in 0..50 {
            site.enforce("read", "");
        }
    }
    site.wait_for_line("warn spans are dropped: there are more than the collector takes");
    // A message is given up when it was not answered four times, which nobody waits for who is fast enough.
    let given_up = collector.requests() / 4;
    collector.become_one_that(Behaviour::Take);
    site.wait_for_line("info no spans are dropped any more");
    let sent = collector.spans_once(|spans| spans.len() > 4096).len();
    let lost = site.count("lost");
    assert!(lost <= 512.0 * f64::from(u32::try_from(given_up).unwrap()), "{lost} {given_up} {sent}");
    collector.become_one_that(Behaviour::Refuse(2));
    site.enforce("read", "");
    site.wait_for_line("warn traces do not reach the collector: it refuses some of the spans");
    // The spans of one request may come in two messages.
    let deadline = Instant::now() + PATIENCE;
    let refused = || f64::from(u32::try_from(collector.refused()).unwrap());
    while refused() < 2.0 || site.count("lost") - lost != refused() {
        assert!(Instant::now() < deadline, "{} {lost} {}", site.count("lost"), refused());
    }
    site.stop();
}

/// A collector that is away for a moment gets everything.
#[test]
fn a_message_is_sent_again() {
    let collector = Collector::start(Behaviour::Status(503)).unwrap();
    let site = serve(&["--traces-endpoint", &format!("{}/v1/traces", collector.url())], &[], None);
    site.enforce("read", &sampled(TRACE));
    assert_eq!(site.next_line(), "warn traces do not reach the collector: it answers with status 503");
    collector.become_one_that(Behaviour::Take);
    let spans = collector.spans_once(|spans| spans.iter().any(|span| span.kind == 2));
    assert_eq!(named(&spans, TRACE, "POST /v1/enforce").parent_span_id, PARENT);
    assert_eq!(site.next_line(), "info the collector takes traces again");
    assert_eq!(site.count("lost"), 0.0);
    site.stop();
}

/// Over TLS, only a collector that the authorities know gets anything.
#[test]
fn a_collector_is_known_by_its_certificate() {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], der).unwrap());
    let tls = move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(std::io::Error::other)?;
        Ok(StreamOwned::new(connection, stream))
    };
    let collector = Collector::start_with(Behaviour::Take, tls).unwrap();
    let url = format!("https://localhost:{}", collector.address().port());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let stranger = serve(&["--traces-endpoint", &url], &[], None);
    stranger.enforce("read", "");
    assert_eq!(stranger.next_line(), "warn traces do not reach the collector: no connection can be made");
    stranger.stop();
    let site = serve(&["--traces-endpoint", &url, "--traces-ca-file", file.to_str().unwrap()], &[], None);
    site.enforce("read", &sampled(TRACE));
    site.stop();
    let spans = collector.spans_once(|_| true);
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace_id == TRACE), "{spans:#?}");
}
