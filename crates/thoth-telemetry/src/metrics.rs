//! Counts for Prometheus. Every label is a word of our own: routes as they are written down, classes of statuses, decisions
//! and their codes. There is no way to put in what a client sent, and no tenant, agent or tool is a label, so that the
//! number of series is bounded.

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use thoth_types::{Decision, ReasonCode};

use crate::process;
use crate::traces::Counts;

/// What [`Metrics::render`] is to be sent as.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds: from what a decision on files takes, to the longest poll.
const BUCKETS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: &'static str,
    method: &'static str,
    class: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoute {
    route: &'static str,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Decided {
    decision: &'static str,
    reason_code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

/// How the connections to a database are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connections {
    /// In use.
    pub busy: u64,
    /// Open and not in use.
    pub idle: u64,
    /// The most that there may be.
    pub most: u64,
    /// Who waits for one.
    pub waiting: u64,
}

/// What is looked at when somebody asks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Now {
    /// Tenants that are open.
    pub tenants: u64,
    /// Held calls of these that wait for a person; none where it cannot be told.
    pub holds: Option<u64>,
    /// The connections to the database, where there is one.
    pub connections: Option<Connections>,
}

/// What became of events that clients told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Events {
    /// New, and kept.
    pub kept: u64,
    /// Known already.
    pub known: u64,
    /// Not taken.
    pub refused: u64,
}

type Level = Gauge<u64, AtomicU64>;

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    durations: Family<OfRoute, Histogram>,
    decisions: Family<Decided, Counter>,
    limited: Family<OfKind, Counter>,
    unrecorded: Counter,
    events: Family<InState, Counter>,
    spans: Family<InState, Counter>,
    tenants: Level,
    holds: Level,
    connections: Family<InState, Level>,
    resident: Level,
    open_files: Level,
    processor: Counter<f64, AtomicU64>,
    /// The processor time that was told last.
    told: Mutex<f64>,
}

impl Metrics {
    /// Of a server of this version.
    #[must_use]
    pub fn new(version: &'static str) -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Answered, Counter>::default();
        let durations = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let decisions = Family::<Decided, Counter>::default();
        let limited = Family::<OfKind, Counter>::default();
        let unrecorded = Counter::default();
        let events = Family::<InState, Counter>::default();
        let spans = Family::<InState, Counter>::default();
        let (tenants, holds) = (Level::default(), Level::default());
        let connections = Family::<InState, Level>::default();
        let (resident, open_files) = (Level::default(), Level::default());
        let processor = Counter::<f64, AtomicU64>::default();
        registry.register("process_resident_memory_bytes", "Memory in use", resident.clone());
        registry.register("process_open_fds", "Open files and connections", open_files.clone());
        registry.register("process_cpu_seconds", "Processor time since the start", processor.clone());
        let ours = registry.sub_registry_with_prefix("thothd");
        ours.register("build", "What runs", Info::new([("version", version)]));
        ours.register("requests", "Requests answered", requests.clone());
        ours.register_with_unit("request_duration", "How long answers took", Unit::Seconds, durations.clone());
        ours.register("decisions", "Answers to calls, by decision and reason", decisions.clone());
        ours.register("rate_limited", "Requests beyond a limit", limited.clone());
        ours.register("ledger_append_failures", "Calls blocked because they could not be recorded", unrecorded.clone());
        ours.register("client_events", "Events that clients told", events.clone());
        ours.register("trace_spans", "Spans for the collector of traces", spans.clone());
        ours.register("tenants_open", "Tenants with a request since the start", tenants.clone());
        ours.register("holds_pending", "Held calls of open tenants that wait for a person", holds.clone());
        ours.register("database_connections", "Connections to the database", connections.clone());
        Self {
            registry,
            requests,
            durations,
            decisions,
            limited,
            unrecorded,
            events,
            spans,
            tenants,
            holds,
            connections,
            resident,
            open_files,
            processor,
            told: Mutex::new(0.0),
        }
    }

    /// A request was answered.
    pub fn answered(&self, route: &'static str, method: &'static str, status: u16, took: Duration) {
        let class = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&Answered { route, method, class }).inc();
        self.durations.get_or_create(&OfRoute { route, method }).observe(took.as_secs_f64());
    }

    /// A call was answered with a decision.
    pub fn decided(&self, decision: Decision, reason: ReasonCode) {
        let labels = Decided { decision: decision.as_str(), reason_code: reason.as_str() };
        self.decisions.get_or_create(&labels).inc();
    }

    /// A request was one too many.
    pub fn limited(&self, kind: &'static str) {
        self.limited.get_or_create(&OfKind { kind }).inc();
    }

    /// A call was blocked because it could not be recorded.
    pub fn unrecorded(&self) {
        self.unrecorded.inc();
    }

    /// Clients told events.
    pub fn told(&self, events: Events) {
        for (state, count) in [("kept", events.kept), ("known", events.known), ("refused", events.refused)] {
            self.events.get_or_create(&InState { state }).inc_by(count);
        }
    }

    /// Where it is counted what became of spans. They are told from now on.
    #[must_use]
    pub fn spans(&self) -> Counts {
        let count = |state| self.spans.get_or_create(&InState { state }).clone();
        Counts { sent: count("sent"), dropped: count("dropped"), lost: count("lost") }
    }

    /// All of it as text, with what is so now. What could not be counted keeps its last value.
    #[must_use]
    pub fn render(&self, now: &Now) -> String {
        self.tenants.set(now.tenants);
        if let Some(holds) = now.holds {
            self.holds.set(holds);
        }
        if let Some(Connections { busy, idle, most, waiting }) = now.connections {
            for (state, count) in [("busy", busy), ("idle", idle), ("most", most), ("waiting", waiting)] {
                self.connections.get_or_create(&InState { state }).set(count);
            }
        }
        if let Some(process) = process::look() {
            self.resident.set(process.resident);
            self.open_files.set(process.open_files);
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            self.processor.inc_by((process.processor - *told).max(0.0));
            *told = process.processor.max(*told);
        }
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is counted is told, under the names that dashboards know.
    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::new("1.2.3");
        metrics.answered("/v1/enforce", "POST", 200, Duration::from_millis(3));
        metrics.answered("/v1/enforce", "POST", 503, Duration::from_secs(90));
        metrics.decided(Decision::Block, ReasonCode::RuleBlock);
        metrics.limited("enforce");
        metrics.unrecorded();
        metrics.told(Events { kept: 2, known: 1, refused: 0 });
        metrics.spans().lost.inc_by(5);
        let connections = Some(Connections { busy: 1, idle: 2, most: 30, waiting: 0 });
        let text = metrics.render(&Now { tenants: 3, holds: Some(4), connections });
        // What cannot be counted now is told as it was.
        let again = metrics.render(&Now { tenants: 3, holds: None, connections });
        for line in [
            "thothd_build_info{version=\"1.2.3\"} 1",
            "thothd_requests_total{route=\"/v1/enforce\",method=\"POST\",class=\"2xx\"} 1",
            "thothd_requests_total{route=\"/v1/enforce\",method=\"POST\",class=\"5xx\"} 1",
            "thothd_request_duration_seconds_bucket{le=\"0.0025\",route=\"/v1/enforce\",method=\"POST\"} 0",
            "thothd_request_duration_seconds_bucket{le=\"0.005\",route=\"/v1/enforce\",method=\"POST\"} 1",
            "thothd_request_duration_seconds_bucket{le=\"60.0\",route=\"/v1/enforce\",method=\"POST\"} 1",
            "thothd_request_duration_seconds_count{route=\"/v1/enforce\",method=\"POST\"} 2",
            "thothd_decisions_total{decision=\"BLOCK\",reason_code=\"rule_block\"} 1",
            "thothd_rate_limited_total{kind=\"enforce\"} 1",
            "thothd_ledger_append_failures_total 1",
            "thothd_client_events_total{state=\"kept\"} 2",
            "thothd_trace_spans_total{state=\"lost\"} 5",
            "thothd_trace_spans_total{state=\"dropped\"} 0",
            "thothd_tenants_open 3",
            "thothd_holds_pending 4",
            "thothd_database_connections{state=\"most\"} 30",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
            assert!(again.lines().any(|found| found == line), "{line}\n{again}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
        #[cfg(target_os = "linux")]
        assert!(!text.contains("process_resident_memory_bytes 0"), "{text}");
    }
}
