//! Spans of what a server does, for a collector of OpenTelemetry. All of OpenTelemetry is in here: whoever has something
//! told knows only requests and steps.
//!
//! A request is one span, and each step on its way one below it. What stands in them are words and numbers of our own,
//! names that an operator gave, and ids that a server made: there is no way to put in a text that a client sent. Of what a
//! client says about its own trace, the ids count and whether it is recorded; its `tracestate` is left alone, which could
//! be anything.
//!
//! Nothing here waits for the collector: a span that is over is put into a queue that has an end, and one that does not fit
//! is counted and forgotten.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span as Recording};
use prometheus_client::metrics::counter::Counter;
use thoth_types::{Decision, ReasonCode, Redacted};

mod collector;
mod parent;
mod queue;

use collector::Collector;
use queue::Queue;

/// What spans are made by, as OpenTelemetry calls it.
const SCOPE: &str = "thothd";

/// Whom spans go to, and which.
#[derive(Debug)]
pub struct Options {
    /// The whole address, `http://` or `https://`, as in `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: String,
    /// What is sent along with each message. It may be secret.
    pub headers: Vec<(String, Redacted<String>)>,
    /// The only authorities to trust, in PEM; the system's unless given.
    pub authorities: Option<Vec<u8>>,
    /// Which part of the traces is recorded that begin here, 0 to 1. Whether others are is said by who began them.
    pub ratio: f64,
    /// The name of the service.
    pub service: String,
    /// The version of the program.
    pub version: &'static str,
    /// What the server speaks: `http` or `https`.
    pub scheme: &'static str,
}

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub enum NoTraces {
    /// The address cannot be used.
    #[error("the address of the collector is none that begins with http:// or https:// and has no password")]
    Endpoint,
    /// A header cannot be sent.
    #[error("a header has a name or a value that HTTP does not allow")]
    Header,
    /// The authorities cannot be read.
    #[error("the authorities to trust are not certificates in PEM")]
    Authorities,
    /// There is no way to connect.
    #[error("connections cannot be made: {0}")]
    Setup(String),
    /// The system has no thread or no randomness left.
    #[error("the system refuses: {0}")]
    System(std::io::Error),
}

/// What became of spans.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// The collector took them.
    pub sent: Counter,
    /// The queue was full.
    pub dropped: Counter,
    /// The collector could not be reached, or did not take them.
    pub lost: Counter,
}

/// Makes spans, or none where nobody wants any: then nothing is looked up, made or kept.
#[derive(Debug, Default)]
pub struct Tracer(Option<Working>);

#[derive(Debug)]
struct Working {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
    scheme: &'static str,
}

impl Tracer {
    /// Begins to make them and to send them, on a thread of its own.
    ///
    /// # Errors
    /// If something of the options cannot be used.
    pub fn begin(options: &Options, counts: Counts) -> Result<Self, NoTraces> {
        let random: [u8; 16] = {
            let mut bytes = [0; 16];
            getrandom::fill(&mut bytes).map_err(|error| NoTraces::System(std::io::Error::other(error)))?;
            bytes
        };
        let resource = Resource::builder()
            .with_service_name(options.service.clone())
            .with_attribute(KeyValue::new("service.version", options.version))
            .with_attribute(KeyValue::new("service.instance.id", format!("{:032x}", u128::from_be_bytes(random))))
            .build();
        let queue = Queue::begin(Collector::new(options)?, &resource, counts)?;
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.ratio))))
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let tracer = provider.tracer(SCOPE);
        Ok(Self(Some(Working { tracer, provider, scheme: options.scheme })))
    }

    /// A request has come: its method and its route, in words of our own, and what it says of the trace that it is part of.
    #[must_use]
    pub fn request(&self, method: &'static str, route: &'static str, traceparent: Option<&str>) -> Span {
        let Some(Working { tracer, scheme, .. }) = &self.0 else { return Span::default() };
        let parent = traceparent.and_then(parent::read);
        let parent = parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent));
        let (word, named) = if method == OTHER { ("_OTHER", "HTTP") } else { (method, method) };
        let name = if route == OTHER { named.to_owned() } else { format!("{named} {route}") };
        let recording = tracer.build_with_context(SpanBuilder::from_name(name).with_kind(SpanKind::Server), &parent);
        let mut span = Span::of(tracer, recording);
        span.set("http.request.method", word);
        if route != OTHER {
            span.set("http.route", route);
        }
        span.set("url.scheme", *scheme);
        span
    }

    /// Sends what is left, for no longer than this; what could not be sent by then is forgotten. Spans that are made
    /// afterwards are not.
    pub fn end(&self, within: Duration) {
        if let Some(Working { provider, .. }) = &self.0 {
            // What was lost, the queue has said.
            drop(provider.shutdown_with_timeout(within));
        }
    }
}

/// What methods and routes are called that are none of ours.
pub const OTHER: &str = "other";

/// A step on the way of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Who asks, and whether they may.
    Authenticate,
    /// The wait for a thread that decides.
    Queue,
    /// One call through the gate.
    Decide,
    /// The wait for whatever else is decided in the session.
    Session,
    /// The look at what holds for the call: quarantine, bundles, mode.
    LookUp,
    /// The policy itself.
    Evaluate,
    /// The wait until the evidence is safe.
    Record,
    /// The wait until what was allowed is known to the other servers.
    Share,
    /// A poll that waits for the answer to a held call.
    Await,
    /// A look at a held call.
    Hold,
    /// Whatever other routes do.
    Handle,
}

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::Authenticate => "authenticate",
            Self::Queue => "queue",
            Self::Decide => "decide",
            Self::Session => "wait for session",
            Self::LookUp => "look up policy",
            Self::Evaluate => "evaluate",
            Self::Record => "record evidence",
            Self::Share => "share session",
            Self::Await => "await answer",
            Self::Hold => "look at hold",
            Self::Handle => "handle",
        }
    }
}

/// A span, which ends when this is dropped. Most are none: then nothing is kept.
#[derive(Debug, Default)]
pub struct Span(Option<Box<Inner>>);

#[derive(Debug)]
struct Inner {
    recording: Recording,
    tracer: SdkTracer,
    has_failed: bool,
}

impl Span {
    fn of(tracer: &SdkTracer, recording: Recording) -> Self {
        // One that is not recorded tells nothing, and neither does anything below it.
        let is_recorded = recording.is_recording();
        Self(is_recorded.then(|| Box::new(Inner { recording, tracer: tracer.clone(), has_failed: false })))
    }

    /// The place below it.
    #[must_use]
    pub fn below(&self) -> Below {
        let Some(inner) = &self.0 else { return Below::default() };
        let parent = Context::new().with_remote_span_context(inner.recording.span_context().clone());
        Below(Some(Arc::new(Place { tracer: inner.tracer.clone(), parent })))
    }

    /// The id of the trace, in hexadecimal digits.
    #[must_use]
    pub fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|inner| inner.recording.span_context().trace_id().to_string())
    }

    fn set(&mut self, key: impl Into<Key>, value: impl Into<Value>) {
        if let Some(inner) = &mut self.0 {
            inner.recording.set_attribute(KeyValue::new(key, value));
        }
    }

    /// The request was answered with this status, under this id.
    pub fn answered(&mut self, status: u16, request_id: &str) {
        if self.0.is_some() {
            self.set("http.response.status_code", i64::from(status));
            self.set("thoth.request_id", request_id.to_owned());
        }
    }

    /// Whose request it is.
    pub fn tenant(&mut self, name: &str) {
        if self.0.is_some() {
            self.set("thoth.tenant", name.to_owned());
        }
    }

    /// What was decided.
    pub fn decided(&mut self, decision: Decision, reason: ReasonCode) {
        self.set("thoth.decision", decision.as_str());
        self.set("thoth.reason_code", reason.as_str());
    }

    /// The rule of a policy that decided, by its name, and what the record of the call is found by in the ledger.
    pub fn grounds(&mut self, rule: Option<&Arc<str>>, trace_id: &Arc<str>) {
        if self.0.is_some() {
            if let Some(rule) = rule {
                self.set("thoth.rule", Value::from(Arc::clone(rule)));
            }
            if !trace_id.is_empty() {
                self.set("thoth.ledger_trace_id", Value::from(Arc::clone(trace_id)));
            }
        }
    }

    /// By what somebody was known.
    pub fn credential(&mut self, kind: &'static str) {
        self.set("thoth.credential", kind);
    }

    /// How a held call stands.
    pub fn hold(&mut self, state: &'static str) {
        self.set("thoth.hold.state", state);
    }

    /// It did not come to its end, for this reason. The first one counts.
    pub fn failed(&mut self, code: &'static str) {
        let Some(inner) = self.0.as_mut().filter(|inner| !inner.has_failed) else { return };
        inner.has_failed = true;
        inner.recording.set_status(Status::Error { description: "".into() });
        inner.recording.set_attribute(KeyValue::new("error.type", code));
    }
}

/// Where steps are told: below a request or a larger step.
#[derive(Debug, Clone, Default)]
pub struct Below(Option<Arc<Place>>);

#[derive(Debug)]
struct Place {
    tracer: SdkTracer,
    parent: Context,
}

impl Below {
    /// A step begins.
    #[must_use]
    pub fn begin(&self, step: Step) -> Span {
        let Some(place) = &self.0 else { return Span::default() };
        let builder = SpanBuilder::from_name(step.name()).with_kind(SpanKind::Internal);
        Span::of(&place.tracer, place.tracer.build_with_context(builder, &place.parent))
    }
}
