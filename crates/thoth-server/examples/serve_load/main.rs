//! Decisions per second of a `thothd` over HTTP, beside a handler that decides nothing on the same stack, and a cedar-agent if
//! there is one; with `--pace`, its memory under an even load for long.
//!
//! Client and server share this machine. What the server alone costs is told apart: its processor time per request, as the
//! system counts it. Each decision is recorded before it is answered; at the end the ledger is verified, and has to have
//! one record for every answer.

#![expect(clippy::print_stdout, reason = "a measuring program for people")]

mod client;
mod server;
mod soak;

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::routing::post;
use clap::Parser;
use client::{Client, question};
use hyper::body::Bytes;
use server::{Served, Thothd, cedar_agent};
use soak::Soak;
use thoth_testkit::postgres::Cluster;
use tokio::net::TcpListener;
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
    /// How long each row, or the soak, is measured instead
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Also on a PostgreSQL that is started for it; a soak on nothing else
    #[arg(long)]
    postgres: bool,
    /// Beside a cedar-agent: its program
    #[arg(long, value_name = "FILE")]
    cedar_agent: Option<PathBuf>,
    /// Connections at once, one row each: 1, 32 and 256 unless given; of a soak 32
    #[arg(long, value_name = "N", value_delimiter = ',')]
    connections: Vec<usize>,
    /// Rules in the policy
    #[arg(long, value_name = "N", default_value_t = 1000)]
    rules: usize,
    /// A soak instead of rows: so many requests a second of all kinds, while the server's memory is watched
    #[arg(long, value_name = "N")]
    pace: Option<NonZeroU32>,
    /// How long the soak runs
    #[arg(long, value_name = "N", requires = "pace", conflicts_with = "seconds", value_parser = hours)]
    hours: Option<Duration>,
    /// Only serve the handler that decides nothing
    #[arg(long, hide = true)]
    trivial: bool,
}

fn hours(text: &str) -> Result<Duration, String> {
    let hours: f64 = text.parse().map_err(|_| "it is no number")?;
    if (0.001..=1000.0).contains(&hours) {
        Ok(Duration::from_secs_f64(hours * 3600.0))
    } else {
        Err("it is not between 0.001 and 1000".to_owned())
    }
}

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
    let soaks = if args.pace.is_some() { soak::RULES } else { "" };
    let policy = policy(args.rules) + soaks;
    let within = args.hours.unwrap_or(Duration::from_secs(args.seconds.unwrap_or(if args.quick { 2 } else { 10 })));
    let cluster = args.postgres.then(Cluster::durable);
    let on_database = || {
        let url = cluster.as_ref().map(|cluster| format!("--database-url={}", cluster.database()));
        url.map(|url| Thothd::new("thothd, PostgreSQL", &thothd, &policy, [args.serve.clone(), vec![url]].concat()))
    };
    let on_files = || Thothd::new("thothd", &thothd, &policy, args.serve.clone());
    if let Some(pace) = args.pace {
        let subject = on_database().unwrap_or_else(on_files)?;
        let connections = args.connections.first().copied().unwrap_or(32).max(1);
        println!(
            "{pace} requests a second over {connections} connections for {} s. Of 64, 4 calls are blocked, 4 are batches \
             of 4 events, 2 register a machine, and one call is held, approved and let through.\n",
            within.as_secs_f64()
        );
        let (agent, person) = (&subject.key(&["execute", "write"])?, &subject.key(&["read", "write"])?);
        let server = subject.start()?;
        let answers = Soak { server: &server, connections, pace: pace.get(), within, agent, person }.run().await?;
        return verified(&subject, server, answers);
    }
    let mut subjects = Vec::new();
    for subject in std::iter::once(on_files()).chain(on_database()) {
        let subject = subject?;
        let (key, served) = (Asked::With(subject.key(&["execute"])?), subject.start()?);
        subjects.push(Subject { subject, key, served, answers: 0 });
    }
    let floor = Served::start("nothing decided", Command::new(&here).arg("--trivial"))?;
    let cedar = match &args.cedar_agent {
        Some(program) => Some(cedar_agent(program, args.rules).await?),
        None => None,
    };
    println!("Each decision of thothd is recorded before its answer. Policy of {} rules, no TLS.\n", args.rules);
    println!("| connections | server | requests/s | p50 ms | p99 ms | server µs/request | resident MB |");
    println!("|---|---|---|---|---|---|---|");
    for connections in if args.connections.is_empty() { &[1, 32, 256] } else { &*args.connections } {
        let nobody = Asked::With("Bearer nobody".to_owned());
        let peers = cedar.iter().map(|(_, served)| (served, &Asked::AsCedarAgent));
        for (other, asked) in std::iter::once((&floor, &nobody)).chain(peers) {
            load(other, *connections, within, asked).await?.print(*connections, other);
        }
        for Subject { key, served, answers, .. } in &mut subjects {
            let row = load(served, *connections, within, key).await?;
            row.print(*connections, served);
            *answers += row.latencies.len();
        }
    }
    subjects.into_iter().try_for_each(|one| verified(&one.subject, one.served, one.answers))
}

/// How a server is asked.
#[derive(Clone)]
enum Asked {
    /// As `thothd` is, with this header.
    With(String),
    AsCedarAgent,
}

/// A server that is measured, and how many calls it has decided.
struct Subject {
    subject: Thothd,
    key: Asked,
    served: Served,
    answers: usize,
}

/// Ends one, and counts what is in its ledger.
fn verified(subject: &Thothd, served: Served, answers: usize) -> io::Result<()> {
    served.stop()?;
    println!("\n{}: {answers} answers, {} decisions in the verified ledger", subject.name, subject.decisions()?);
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

/// Many connections at once.
async fn load(server: &Served, connections: usize, within: Duration, asked: &Asked) -> io::Result<Row> {
    let mut clients = JoinSet::new();
    let (cpu, began) = (server.cpu(), Instant::now());
    for number in 0..connections {
        let address = server.address;
        let asked = asked.clone();
        clients.spawn(async move { client(address, number, began + within, &asked).await });
    }
    let mut latencies = Vec::new();
    while let Some(client) = clients.join_next().await {
        latencies.extend(client.map_err(io::Error::other)??);
    }
    let cpu = server.cpu() - cpu;
    latencies.sort_unstable();
    Ok(Row { latencies, took: began.elapsed(), cpu })
}

/// Each asks as soon as it has its answer.
async fn client(address: SocketAddr, number: usize, until: Instant, asked: &Asked) -> io::Result<Vec<Duration>> {
    let (mut client, session) = (Client::new(address), format!("session-{number}"));
    let mut latencies = Vec::new();
    while Instant::now() < until {
        let question = question(number, &session, "search_documents", latencies.len());
        let began = Instant::now();
        match asked {
            Asked::With(key) => client.decide(key, &question, "ALLOW").await.map(drop)?,
            Asked::AsCedarAgent => client.authorized(question).await?,
        }
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}
