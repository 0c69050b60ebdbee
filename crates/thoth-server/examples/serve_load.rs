//! Decisions per second of a `thothd` over HTTP, beside a handler that decides nothing on the same stack.
//!
//! Client and server share this machine. What the server alone costs is told apart: its processor time per request, as the
//! system counts it. Each decision is recorded before it is answered; at the end the ledger is verified, and has to have
//! one record for every answer.

#![expect(clippy::print_stdout, reason = "a measuring program for people")]

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::routing::post;
use clap::Parser;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Measures a server.
#[derive(Debug, Parser)]
struct Args {
    /// The server; beside this program's folder unless given
    #[arg(long, value_name = "FILE")]
    thothd: Option<PathBuf>,
    /// More arguments of `thothd serve`, as `--database-url=…`; repeat for several
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    serve: Vec<String>,
    /// Each row for 2 seconds instead of 10, for a quick look
    #[arg(long)]
    quick: bool,
    /// How long each row is measured instead
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Connections at once, one row each
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,32,256")]
    connections: Vec<usize>,
    /// Rules in the policy
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rules: usize,
    /// Only serve the handler that decides nothing
    #[arg(long, hide = true)]
    trivial: bool,
}

/// How much the system counts in a second of processor time (`USER_HZ`, 100 on every Linux).
const TICKS: f64 = 100.0;
const DECISION: &[u8] = b"\"TOOL_CALL_PRE\"";

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let args = Args::parse();
    if args.trivial {
        return trivial().await;
    }
    let here = std::env::current_exe()?;
    let thothd = match &args.thothd {
        Some(thothd) => thothd.clone(),
        None => here.parent().and_then(Path::parent).unwrap_or(Path::new(".")).join("thothd"),
    };
    let data = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir()?;
    std::fs::write(data.path().join("policy.yaml"), policy(args.rules))?;
    let key = key(&thothd, data.path(), &args)?;
    let mut command = Command::new(&thothd);
    command.args(["serve", "--listen", "127.0.0.1:0", "--enforce-per-minute", "4000000000", "--data"]);
    let served = Served::start("thothd", command.arg(data.path()).args(&args.serve))?;
    let floor = Served::start("nothing decided", Command::new(&here).arg("--trivial"))?;
    println!("Each decision is recorded before its answer. Policy of {} rules, no TLS.\n", args.rules);
    println!("| connections | server | requests/s | p50 ms | p99 ms | server µs/request | resident MB |");
    println!("|---|---|---|---|---|---|---|");
    let mut answers = 0;
    let within = Duration::from_secs(args.seconds.unwrap_or(if args.quick { 2 } else { 10 }));
    for connections in &args.connections {
        load(&floor, *connections, within, &key).await?.print(*connections, &floor);
        let row = load(&served, *connections, within, &key).await?;
        row.print(*connections, &served);
        answers += row.latencies.len();
    }
    stop(served)?;
    let ledger = data.path().join("tenants/acme/ledger");
    if ledger.exists() {
        let mut records = 0_usize;
        let mut count =
            |event: &[u8]| records += usize::from(event.windows(DECISION.len()).any(|text| text == DECISION));
        thoth_audit::verify_each(&ledger, &thoth_audit::VerifyOptions::default(), &mut count)
            .map_err(io::Error::other)?;
        println!("\n{answers} answers; {records} decisions in the verified ledger");
    }
    Ok(())
}

/// Rules of which the call meets none but the last.
fn policy(rules: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: { approval: block, risk_level: high }\n\
                    integrity: { on_unlisted: allow }\nrules:\n"
        .to_owned();
    for number in 1..rules {
        let rule = format!("name: r{number}, match: {{ tool: tool_{number} }}, approval: auto, risk_level: low");
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "  - {{ {rule} }}");
    }
    text.push_str("  - { name: last, match: { tool: search_documents }, approval: auto, risk_level: low }\n");
    text
}

/// The least that the same stack can do: it reads the body and answers a text as long.
async fn trivial() -> io::Result<()> {
    const ANSWER: &str = concat!(
        r#"{"decision":"ALLOW","authorization_decision":"ALLOW","decision_envelope_version":"1","#,
        r#""decision_reason_code":"rule_auto","reason":"allowed by rule `last`","risk_score":10.0,"latency_ms":0.1,"#,
        r#""matched_rule_ids":["last"],"policy_references":["policy.yaml:1003:5"],"decision_evidence":{"call_id":"x"}}"#
    );
    let answer = |body: Bytes| async move {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], if body.is_empty() { "" } else { ANSWER })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening at http://{}", listener.local_addr()?);
    let router = Router::new().route("/v1/enforce", post(answer));
    // It ends when it is killed.
    thoth_server::listen::serve(listener, None, router, std::future::pending()).await;
    Ok(())
}

fn key(thothd: &Path, data: &Path, args: &Args) -> io::Result<String> {
    let mut command = Command::new(thothd);
    command.args(["keys", "create", "--tenant", "acme", "--organization", "--permission", "execute", "--data"]);
    let database = args.serve.iter().filter(|argument| argument.starts_with("--database-url"));
    let made = command.arg(data).args(database).stderr(Stdio::inherit()).output()?;
    if !made.status.success() {
        return Err(io::Error::other("no key was made"));
    }
    Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
}

struct Served {
    name: &'static str,
    child: Child,
    address: SocketAddr,
}

impl Served {
    fn start(name: &'static str, command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| io::Error::other("the server did not say where it listens"))?;
        Ok(Self { name, child, address })
    }

    /// The processor time so far, in seconds.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        // `utime` and `stime` are the 14th and 15th field of all; two stand before the parenthesis.
        let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        (ticks(11) + ticks(12)) / TICKS
    }

    fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Lets a server end what it has begun.
fn stop(mut served: Served) -> io::Result<()> {
    Command::new("kill").args(["-TERM", &served.child.id().to_string()]).status()?;
    let ended = served.child.wait()?;
    if ended.success() { Ok(()) } else { Err(io::Error::other(format!("{} ended with {ended}", served.name))) }
}

struct Row {
    latencies: Vec<Duration>,
    took: Duration,
    cpu: f64,
}

impl Row {
    fn print(&self, connections: usize, server: &Served) {
        let count = self.latencies.len();
        let at = |share: usize| self.latencies.get((count * share / 100).min(count.saturating_sub(1)));
        let ms = |share| at(share).map_or(0.0, |latency| latency.as_secs_f64() * 1e3);
        let requests = u32::try_from(count).map_or(0.0, f64::from);
        println!(
            "| {connections} | {} | {:.0} | {:.2} | {:.2} | {:.0} | {:.1} |",
            server.name,
            requests / self.took.as_secs_f64(),
            ms(50),
            ms(99),
            self.cpu * 1e6 / requests.max(1.0),
            server.resident_mb(),
        );
    }
}

/// Each connection asks as soon as it has its answer.
async fn load(server: &Served, connections: usize, within: Duration, key: &str) -> io::Result<Row> {
    let mut clients = JoinSet::new();
    let (cpu, began) = (server.cpu(), Instant::now());
    for number in 0..connections {
        let (address, key) = (server.address, key.to_owned());
        clients.spawn(async move { client(address, number, began + within, &key).await });
    }
    let mut latencies = Vec::new();
    while let Some(client) = clients.join_next().await {
        latencies.extend(client.map_err(io::Error::other)??);
    }
    let cpu = server.cpu() - cpu;
    latencies.sort_unstable();
    Ok(Row { latencies, took: began.elapsed(), cpu })
}

async fn client(address: SocketAddr, number: usize, until: Instant, key: &str) -> io::Result<Vec<Duration>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(connection);
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let request = request(address, number, latencies.len(), key)?;
        let began = Instant::now();
        ask(&mut sender, request).await?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

fn request(address: SocketAddr, number: usize, turn: usize, key: &str) -> io::Result<hyper::Request<Full<Bytes>>> {
    let body = json!({
        "agent_id": format!("agent-{number}"), "tenant_id": "acme", "user_id": "ada@example.com",
        "session_id": format!("session-{number}"), "tool_name": "search_documents", "approved_scope": [],
        "enforcement_mode": "block", "session_tool_calls": ["search_documents"], "environment": "prod",
        "tool_args": {
            "query": format!("quarterly report {turn}"), "limit": 20, "folders": ["/srv/reports", "/srv/drafts"],
            "note": "The figures of the third quarter, by region, with those of the year before beside them.",
        },
    });
    hyper::Request::post("/v1/enforce")
        .header(header::HOST, address.to_string())
        .header(header::AUTHORIZATION, format!("Bearer {key}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(io::Error::other)
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>, request: hyper::Request<Full<Bytes>>) -> io::Result<()> {
    let response = sender.send_request(request).await.map_err(io::Error::other)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
    let answer: Value = serde_json::from_slice(&body)?;
    if !status.is_success() || answer.get("decision") != Some(&json!("ALLOW")) {
        return Err(io::Error::other(format!("{status}: {answer}")));
    }
    Ok(())
}
