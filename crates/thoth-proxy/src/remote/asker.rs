//! The thread that asks, on a runtime of its own. It is started only where an enforcer is configured.
//!
//! What it does for a call ends when nobody waits for that call any more: an approval that a poll would use up for a call
//! that was cancelled is for the next one.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use thoth_api::contract::enforce::{Envelope, Request};
use thoth_api::contract::hold::LONGEST_WAIT_SECONDS;
use thoth_api::{Enforcer, RemoteError, Traceparent};
use thoth_endpoint::settings::FailureDecision;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use super::attempts;
use super::reading::Said;

/// Jobs and answers under way at once: more than calls may wait.
const UNDER_WAY: usize = 256;
/// How long it is waited after a poll that failed, before the next one.
const BETWEEN_POLLS: Duration = Duration::from_secs(1);

/// Something to be asked.
#[derive(Debug)]
pub(super) enum Question {
    /// About a call, and which trace it is part of.
    Call(Box<Request>, Option<Traceparent>),
    /// What became of a held call.
    Hold(String),
}

#[derive(Debug)]
struct Job {
    serial: u64,
    question: Question,
    /// Ends when nobody waits for the answer any more.
    given_up: oneshot::Receiver<()>,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) serial: u64,
    pub(super) said: Said,
    /// Whether the enforcer answered at all; nothing where that tells nothing about the next call.
    pub(super) answered: Option<bool>,
}

/// The near end of the thread.
#[derive(Debug)]
pub(super) struct Asker {
    jobs: Sender<Job>,
    answers: Receiver<Answer>,
    wake: Wake,
}

/// Becomes readable when there is an answer.
#[derive(Debug)]
pub(crate) struct Wake(UnixStream);

impl Wake {
    /// Waits for an answer, but no longer than this.
    pub(crate) fn wait(&self, patience: Duration) {
        let patience = Timespec { tv_sec: 0, tv_nsec: patience.subsec_nanos().into() };
        // Whoever waits looks for itself what has come.
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&patience));
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What the thread works with.
struct Means {
    enforcer: Enforcer,
    within: Duration,
    failure: FailureDecision,
    answers: Sender<Answer>,
    wake: UnixStream,
}

impl Asker {
    /// Starts the thread. It ends with this.
    pub(super) fn start(enforcer: Enforcer, within: Duration, failure: FailureDecision) -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (jobs, mut asked) = channel::<Job>(UNDER_WAY);
        let (answer, answers) = channel(UNDER_WAY);
        let means = Arc::new(Means { enforcer, within, failure, answers: answer, wake: far });
        thread::Builder::new().name("enforcer".to_owned()).spawn(move || {
            runtime.block_on(async move {
                while let Some(job) = asked.recv().await {
                    drop(tokio::spawn(work(Arc::clone(&means), job)));
                }
            });
        })?;
        Ok(Self { jobs, answers, wake: Wake(near) })
    }

    /// Has something asked. Who drops what this gives no longer waits for the answer.
    pub(super) fn ask(&self, serial: u64, question: Question) -> Option<oneshot::Sender<()>> {
        let (waiting, given_up) = oneshot::channel();
        self.jobs.try_send(Job { serial, question, given_up }).ok().map(|()| waiting)
    }

    /// The next answer, if there is one.
    pub(super) fn next(&mut self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    pub(super) const fn wake(&self) -> &Wake {
        &self.wake
    }

    /// Whatever has come by now is about to be taken.
    pub(super) fn calm(&mut self) {
        let mut bytes = [0; UNDER_WAY];
        while matches!(self.wake.0.read(&mut bytes), Ok(read) if read > 0) {}
    }
}

async fn work(means: Arc<Means>, job: Job) {
    let Job { serial, question, mut given_up } = job;
    let answer = async {
        match question {
            Question::Call(request, traceparent) => decide(&means, &request, traceparent).await,
            Question::Hold(token) => (resolve(&means, &token).await, None),
        }
    };
    let (said, answered) = tokio::select! {
        _ = &mut given_up => return,
        answer = answer => answer,
    };
    if means.answers.send(Answer { serial, said, answered }).await.is_ok() {
        // A socket that is full wakes, too.
        drop((&means.wake).write(&[1]));
    }
}

async fn decide(means: &Means, request: &Request, traceparent: Option<Traceparent>) -> (Said, Option<bool>) {
    let enforcer = means.enforcer.in_trace(traceparent);
    let answer: Result<Envelope, RemoteError> = attempts::decide(&enforcer, request, means.within).await;
    let is_outage = answer.as_ref().err().is_some_and(|error| Said::of_error(error).is_none());
    (Said::decided(&answer, means.failure), Some(!is_outage))
}

/// Waits for whoever agrees or does not. An outage is waited out: the call has its own end.
async fn resolve(means: &Means, token: &str) -> Said {
    loop {
        let begun = Instant::now();
        match means.enforcer.hold(token, Some(LONGEST_WAIT_SECONDS)).await {
            Ok(status) => {
                if let Some(said) = Said::resolved(&status) {
                    return said;
                }
                // A server that does not wait with its answer is not asked all the time.
                sleep(BETWEEN_POLLS.saturating_sub(begun.elapsed())).await;
            }
            Err(error) => {
                // To be asked less often is no answer either.
                let is_busy = error.status() == Some(429);
                if let Some(said) = Said::of_error(&error).filter(|_| !is_busy) {
                    return said;
                }
                sleep(BETWEEN_POLLS).await;
            }
        }
    }
}
