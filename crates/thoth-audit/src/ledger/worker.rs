//! The thread that folds journals into the tree while the gate works.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::LedgerError;
use super::integrate::Integrator;
use super::lock::give_way;

/// How long events wait for company before they are folded.
const LINGER: Duration = Duration::from_secs(1);
/// How many events do not wait any longer.
const MANY: u64 = 8192;
/// How long to wait when another process is at it.
const RETRY: Duration = Duration::from_millis(100);

/// What the appending side tells the thread, and what it hears back.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    pending: AtomicU64,
    orders: Mutex<Orders>,
    wake: Condvar,
    problem: Mutex<Option<LedgerError>>,
}

#[derive(Debug, Default)]
struct Orders {
    stop: bool,
    now: bool,
}

impl Signals {
    /// Says that events were appended. Wakes the thread only if it may be asleep without a deadline.
    pub(crate) fn appended(&self, count: u64) {
        let before = self.pending.fetch_add(count, Ordering::Relaxed);
        if before == 0 || (before < MANY && before + count >= MANY) {
            drop(self.orders.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_one();
        }
    }

    /// Asks for a round at once.
    pub(crate) fn hurry(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).now = true;
        self.wake.notify_one();
    }

    pub(crate) fn stop(&self) {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.wake.notify_one();
    }

    /// The latest problem, once.
    pub(crate) fn take_problem(&self) -> Option<LedgerError> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn pending(&self) -> u64 {
        self.pending.load(Ordering::Relaxed)
    }

    /// Waits until there is something to do. `false` means the end.
    fn wait(&self, retry: bool) -> bool {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if retry {
            let timed = self.wake.wait_timeout_while(orders, RETRY, |o| !o.stop);
            return !timed.unwrap_or_else(PoisonError::into_inner).0.stop;
        }
        orders = self
            .wake
            .wait_while(orders, |o| !o.stop && !o.now && self.pending() == 0)
            .unwrap_or_else(PoisonError::into_inner);
        if !orders.stop && !orders.now {
            let waiting = self.wake.wait_timeout_while(orders, LINGER, |o| !o.stop && !o.now && self.pending() < MANY);
            orders = waiting.unwrap_or_else(PoisonError::into_inner).0;
        }
        orders.now = false;
        !orders.stop
    }
}

/// Lowers the priority of this thread: folding is never urgent, and the calls that it records are.
fn give_calls_the_processor() {
    /// Ordinary work runs before it, idle work does not.
    const NICE: i32 = 10;
    #[cfg(target_os = "linux")]
    {
        // On Linux a thread has a priority of its own. A system that refuses this is only a little slower.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
    }
}

/// Starts the thread.
pub(crate) fn start(
    integrator: Arc<Integrator>,
    signals: Arc<Signals>,
    writer_id: String,
) -> Result<JoinHandle<()>, LedgerError> {
    let work = move || {
        give_calls_the_processor();
        let mut retry = false;
        while signals.wait(retry) {
            retry = false;
            let seen = signals.pending.swap(0, Ordering::Relaxed);
            let mut problem = None;
            loop {
                match integrator.round(&writer_id, Duration::ZERO) {
                    Ok(None) => {
                        retry = true;
                        signals.pending.fetch_add(seen.max(1), Ordering::Relaxed);
                    }
                    Ok(Some(round)) => {
                        problem = round.problems.into_iter().next_back().or(problem);
                        if round.more {
                            give_way();
                            continue;
                        }
                    }
                    Err(error) => problem = Some(error),
                }
                break;
            }
            if problem.is_some() {
                *signals.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
            }
        }
    };
    std::thread::Builder::new().name("thoth-ledger".to_owned()).spawn(work).map_err(LedgerError::NoThread)
}
