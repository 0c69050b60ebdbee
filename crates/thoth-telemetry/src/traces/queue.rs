//! The spans that are over and not yet sent: a queue with an end, and the thread that empties it.
//!
//! INVARIANT: whoever ends a span never waits here, whatever the collector does. What does not fit is counted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{Span, SpanData, SpanProcessor};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use super::collector::{Collector, Failed};
use super::{Counts, NoTraces};

/// Spans that wait at most: some megabytes.
const MOST: usize = 4096;
/// Spans in one message.
const BATCH: usize = 512;
/// How long a message waits to become full.
const GATHER: Duration = Duration::from_secs(1);
/// How long it is waited before a message is sent again, and then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, whatever the collector asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often a message is sent at most.
const TRIES: u32 = 4;

/// The near end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    spans: Sender<SpanData>,
    counts: Counts,
    /// Whether it was said that spans are dropped.
    is_dropping: Arc<AtomicBool>,
    stop: watch::Sender<bool>,
    /// Told when everything was sent.
    ended: Mutex<mpsc::Receiver<()>>,
}

impl Queue {
    /// Starts the thread.
    pub(super) fn begin(collector: Collector, resource: &Resource, counts: Counts) -> Result<Self, NoTraces> {
        let (spans, waiting) = channel(MOST);
        let (stop, stopping) = watch::channel(false);
        let (end, ended) = mpsc::sync_channel(1);
        // Of its own, so that it waits for nobody and nobody for it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(NoTraces::System)?;
        let resource = ResourceAttributesWithSchema::from(resource);
        let is_dropping = Arc::<AtomicBool>::default();
        let worker = Worker {
            collector,
            resource,
            counts: counts.clone(),
            is_dropping: Arc::clone(&is_dropping),
            waiting,
            stopping,
            told: None,
            lost: 0,
            dropped: 0,
        };
        let work = move || {
            runtime.block_on(worker.run());
            // Nobody may listen any more.
            let _ = end.send(());
        };
        drop(thread::Builder::new().name("traces".to_owned()).spawn(work).map_err(NoTraces::System)?);
        Ok(Self { spans, counts, is_dropping, stop, ended: Mutex::new(ended) })
    }
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        match self.spans.try_send(span) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                self.counts.dropped.inc();
                if !self.is_dropping.swap(true, Ordering::Relaxed) {
                    tracing::warn!("spans are dropped: there are more than the collector takes");
                }
            }
            // The server has ended.
            Err(TrySendError::Closed(_)) => {
                self.counts.dropped.inc();
            }
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, within: Duration) -> OTelSdkResult {
        self.stop.send_replace(true);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(within).is_ok() {
            return Ok(());
        }
        let left = self.spans.max_capacity() - self.spans.capacity();
        tracing::warn!(waiting = left, "the collector of traces did not take everything before the end");
        Err(OTelSdkError::Timeout(within))
    }
}

/// The far end.
struct Worker {
    collector: Collector,
    resource: ResourceAttributesWithSchema,
    counts: Counts,
    is_dropping: Arc<AtomicBool>,
    waiting: Receiver<SpanData>,
    stopping: watch::Receiver<bool>,
    /// What is wrong with the collector, as it was said last.
    told: Option<Failed>,
    /// Spans that were lost since that was said.
    lost: u64,
    /// Spans that were dropped when it was looked last.
    dropped: u64,
}

impl Worker {
    async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.gather(&mut batch).await {
            let spans = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let message = Collector::message(std::mem::take(&mut batch), &self.resource);
            self.deliver(&message, spans).await;
            self.tell_drops();
        }
    }

    /// Takes what waits: until a message is full, or for a while; `false` at the end.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> bool {
        let mut end = None;
        while batch.len() < BATCH {
            let is_stopping = *self.stopping.borrow();
            if is_stopping {
                // What waits can still be taken.
                self.waiting.close();
            }
            let room = BATCH - batch.len();
            let more = async {
                match end {
                    Some(end) => timeout_at(end, self.waiting.recv_many(batch, room)).await.unwrap_or(0),
                    None => self.waiting.recv_many(batch, room).await,
                }
            };
            let taken = tokio::select! {
                biased;
                taken = more => taken,
                _ = self.stopping.changed(), if !is_stopping => continue,
            };
            if taken == 0 {
                break;
            }
            end.get_or_insert_with(|| Instant::now() + GATHER);
        }
        !batch.is_empty()
    }

    /// Sends a message, again where that may help, and says it once where it does not.
    async fn deliver(&mut self, message: &[u8], spans: u64) {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=TRIES {
            let failed = match self.collector.send(message).await {
                Ok(refused) => {
                    let refused = refused.min(spans);
                    self.counts.sent.inc_by(spans - refused);
                    self.counts.lost.inc_by(refused);
                    self.lost += refused;
                    return self.tell((refused > 0).then_some(Failed::Refused));
                }
                Err(failed) => failed,
            };
            self.tell(Some(failed));
            let is_stopping = *self.stopping.borrow();
            let Some(wished) = failed.pause().filter(|_| attempt < TRIES && !is_stopping) else { break };
            let until = wished.max(pause).min(LONGEST_PAUSE);
            tokio::select! {
                () = sleep(until) => {}
                // Once more at once, and that is all.
                _ = self.stopping.changed() => {}
            }
            pause *= 2;
        }
        self.counts.lost.inc_by(spans);
        self.lost += spans;
    }

    /// Says how it goes with the collector, where that is something else than before.
    fn tell(&mut self, failed: Option<Failed>) {
        if failed.map(Failed::kind) == self.told.map(Failed::kind) {
            return;
        }
        match failed {
            Some(failed) => tracing::warn!("traces do not reach the collector: {failed}"),
            None => {
                tracing::info!(lost = self.lost, "the collector takes traces again");
                self.lost = 0;
            }
        }
        self.told = failed;
    }

    /// Says once that spans are no longer dropped, where that was said: after a message without a new one.
    fn tell_drops(&mut self) {
        let dropped = self.counts.dropped.get();
        if dropped == self.dropped && self.is_dropping.swap(false, Ordering::Relaxed) {
            tracing::info!(dropped, "no spans are dropped any more");
        }
        self.dropped = dropped;
    }
}
