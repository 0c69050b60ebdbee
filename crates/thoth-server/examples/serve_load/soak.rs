//! A server under an even load for long: whether its memory grows.
//!
//! Requests begin when they are due, however long others take; a latency counts from then, so a server that stalls is not
//! asked less. The load is mixed: allowed and blocked calls in ever new sessions, calls that are held, approved and polled,
//! events, and machines that check in.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::client::{Client, expect, question};
use crate::server::Served;

/// How often the server is looked at, if it runs for long.
const SAMPLE: Duration = Duration::from_secs(10);
/// Rows at most.
const ROWS: usize = 30;
/// Calls of a session.
const SESSION: usize = 500;

/// What runs, and for how long.
#[derive(Clone, Copy)]
pub(crate) struct Soak<'a> {
    pub(crate) server: &'a Served,
    pub(crate) connections: usize,
    /// Requests a second, of all connections.
    pub(crate) pace: u32,
    pub(crate) within: Duration,
    pub(crate) agent: &'a str,
    pub(crate) person: &'a str,
}

struct Sample {
    after: f64,
    resident_mb: f64,
    open_files: usize,
}

/// Further rules of the policy, which its calls meet.
pub(crate) const RULES: &str = "  - { name: held, match: { tool: write_document }, approval: approve, approvers: [local_user], \
                                risk_level: high }\n\
                                \x20 - { name: never, match: { tool: delete_document }, approval: block, risk_level: high }\n";

impl Soak<'_> {
    /// Runs it, and prints what was seen: how many calls were decided.
    pub(crate) async fn run(self) -> io::Result<usize> {
        let (began, done) = (Instant::now(), std::sync::Arc::new(AtomicUsize::new(0)));
        let mut clients = JoinSet::new();
        for number in 0..self.connections {
            let worker = Worker {
                client: Client::new(self.server.address),
                number,
                agent: self.agent.to_owned(),
                person: self.person.to_owned(),
                decided: 0,
            };
            let interval = Duration::from_secs_f64(f64::from(self.pace).recip());
            let connections = u32::try_from(self.connections).map_err(io::Error::other)?;
            let first = began + interval * u32::try_from(number).map_err(io::Error::other)?;
            clients.spawn(worker.run(first, interval * connections, began + self.within, done.clone()));
        }
        println!("| after s | requests | resident MB | open files |\n|---|---|---|---|");
        let step = SAMPLE.min(self.within / 10).max(Duration::from_millis(100));
        let samples = self.within.as_nanos().div_ceil(step.as_nanos());
        let each = usize::try_from(samples).map_err(io::Error::other)?.div_ceil(ROWS).max(1);
        let (mut seen, mut latencies, mut decided) = (Vec::new(), Vec::new(), 0);
        let mut ticks = tokio::time::interval_at((began + step).into(), step);
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    let sample = Sample {
                        after: began.elapsed().as_secs_f64(),
                        resident_mb: self.server.resident_mb(),
                        open_files: self.server.open_files(),
                    };
                    seen.push(sample);
                    if let Some(Sample { after, resident_mb, open_files }) = seen.last().filter(|_| seen.len() % each == 0) {
                        let requests = done.load(Ordering::Relaxed);
                        println!("| {after:.0} | {requests} | {resident_mb:.1} | {open_files} |");
                    }
                }
                client = clients.join_next() => match client {
                    Some(client) => {
                        let (of_one, calls) = client.map_err(io::Error::other)??;
                        latencies.extend(of_one);
                        decided += calls;
                    }
                    None => break,
                }
            }
        }
        summary(&seen, &mut latencies, began.elapsed());
        Ok(decided)
    }
}

struct Worker {
    client: Client,
    number: usize,
    agent: String,
    person: String,
    /// Decisions that the ledger must have.
    decided: usize,
}

impl Worker {
    async fn run(
        mut self,
        first: Instant,
        interval: Duration,
        until: Instant,
        done: std::sync::Arc<AtomicUsize>,
    ) -> io::Result<(Vec<Duration>, usize)> {
        let mut latencies = Vec::new();
        let mut due = first;
        while due < until {
            tokio::time::sleep_until(due.into()).await;
            self.turn(latencies.len()).await?;
            latencies.push(due.elapsed());
            done.fetch_add(1, Ordering::Relaxed);
            due += interval;
        }
        Ok((latencies, self.decided))
    }

    async fn turn(&mut self, turn: usize) -> io::Result<()> {
        let session = format!("session-{}-{}", self.number, turn / SESSION);
        let agent = self.agent.clone();
        // Connections do not all do the same at once.
        match (turn + self.number) % 64 {
            0 => self.approved(&session, turn).await,
            8 | 24 | 40 | 56 => {
                self.client.decide(&agent, &question(self.number, &session, "delete_document", turn), "BLOCK").await?;
                self.decided += 1;
                Ok(())
            }
            12 | 28 | 44 | 60 => {
                let event = |part: usize| {
                    json!({ "tenant_id": "acme", "session_id": session, "agent_id": format!("agent-{}", self.number),
                            "tool_name": "search_documents", "event_type": "TOOL_CALL_POST",
                            "event_id": format!("{}-{turn}-{part}", self.number) })
                };
                let events = json!((0..4).map(event).collect::<Vec<_>>());
                let (status, answer) = self.client.post("/v1/events/batch", &agent, &events).await?;
                expect(status.as_u16() == 202, status, &answer)
            }
            16 | 48 => {
                let name = format!("machine-{}", self.number);
                let machine = json!({ "tenant_id": "acme", "endpoint_id": name, "hostname": name });
                let (status, answer) = self.client.post("/v1/endpoints/register", &agent, &machine).await?;
                expect(status.is_success(), status, &answer)
            }
            _ => {
                self.client.decide(&agent, &question(self.number, &session, "search_documents", turn), "ALLOW").await?;
                self.decided += 1;
                Ok(())
            }
        }
    }

    /// A call that is held, approved, and let through.
    async fn approved(&mut self, session: &str, turn: usize) -> io::Result<()> {
        let asked = question(self.number, session, "write_document", turn);
        let held = self.client.decide(&self.agent, &asked, "STEP_UP").await?;
        let hold = held.get("hold_token").and_then(|hold| hold.as_str()).unwrap_or_default();
        let path = format!("/acme/thoth/approvals/{hold}/resolve");
        let (status, answer) = self.client.post(&path, &self.person, &json!({ "decision": "approve" })).await?;
        expect(status.is_success(), status, &answer)?;
        let (status, answer) = self.client.get(&format!("/v1/enforce/hold/{hold}?wait=5"), &self.agent).await?;
        expect(answer.get("resolution") == Some(&json!("ALLOW")), status, &answer)?;
        self.decided += 2;
        Ok(())
    }
}

fn summary(seen: &[Sample], latencies: &mut [Duration], took: Duration) {
    latencies.sort_unstable();
    let at =
        |permille: usize| latencies.get((latencies.len() * permille / 1000).min(latencies.len().saturating_sub(1)));
    let ms = |permille| at(permille).map_or(0.0, |latency| latency.as_secs_f64() * 1e3);
    let second = u32::try_from(latencies.len()).map_or(0.0, f64::from) / took.as_secs_f64();
    println!(
        "\n{second:.0} requests a second, ms from when each was due: p50 {:.2}, p99 {:.2}, p99.9 {:.2}, most {:.2}",
        ms(500),
        ms(990),
        ms(999),
        ms(1000)
    );
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return };
    let most = |of: &dyn Fn(&Sample) -> f64| seen.iter().map(of).fold(0.0, f64::max);
    println!(
        "resident MB: first {:.1}, last {:.1}, most {:.1}; grows by {:.2} MB/h over all, {:.2} MB/h in the second half",
        first.resident_mb,
        last.resident_mb,
        most(&|sample| sample.resident_mb),
        slope(seen) * 3600.0,
        slope(seen.get(seen.len() / 2..).unwrap_or_default()) * 3600.0,
    );
    let open_files = seen.iter().map(|sample| sample.open_files).max().unwrap_or_default();
    println!("open files: first {}, last {}, most {open_files}", first.open_files, last.open_files);
}

/// MB a second, by least squares.
fn slope(seen: &[Sample]) -> f64 {
    let count = u32::try_from(seen.len()).map_or(1.0, f64::from).max(1.0);
    let mean = |of: &dyn Fn(&Sample) -> f64| seen.iter().map(of).sum::<f64>() / count;
    let (after, resident) = (mean(&|sample| sample.after), mean(&|sample| sample.resident_mb));
    let with = seen.iter().map(|sample| (sample.after - after) * (sample.resident_mb - resident)).sum::<f64>();
    let spread = seen.iter().map(|sample| (sample.after - after).powi(2)).sum::<f64>();
    if spread > 0.0 { with / spread } else { 0.0 }
}
