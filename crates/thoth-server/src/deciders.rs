//! The threads that decide calls: a few of their own, so that a crowd of requests waits in a line instead of on locks, and
//! long lists for administrators keep no call waiting.

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

/// Threads that decide.
#[derive(Debug)]
pub(crate) struct Deciders {
    /// Gone only while it is dropped.
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Deciders {
    /// So many threads, begun when they are needed.
    ///
    /// # Errors
    /// If the system gives no threads.
    pub(crate) fn new(threads: usize) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().max_blocking_threads(threads).thread_name("decider").build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Does this in its turn.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.handle.spawn_blocking(work)
    }
}

impl Drop for Deciders {
    fn drop(&mut self) {
        // A runtime must not be waited for where other tasks run; what has begun ends by itself.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
