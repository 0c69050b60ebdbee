//! How a session ends: who closed first, how long the others may take, and what is done about those who hang.

use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::lifeline::end_group;
use crate::notices::say;
use crate::session::Session;
use crate::upstream::ProcessGroup;

/// How long an upstream may take to end after its input closed and its last open request was answered. The MCP
/// specification leaves it to the client; the TypeScript SDK waits as long.
const AFTER_CLOSE: Duration = Duration::from_secs(2);
/// How long open requests may still take after the client closed its side.
const TO_ANSWER: Duration = Duration::from_secs(30);
/// How long output may keep coming after the upstream's own process has ended: a child of its may hold the pipe.
const AFTER_EXIT: Duration = Duration::from_millis(500);

/// Something that brings the end nearer.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The client closed its output.
    ClientClosed,
    /// The client no longer reads.
    ClientGone,
    /// The upstream closed its input: nothing that the client sends can reach it any more.
    UpstreamDeaf,
    /// The upstream closed its output.
    UpstreamClosed,
    /// The upstream's process ended.
    UpstreamExited(Option<ExitStatus>),
    /// We were told to stop.
    Signal(i32),
}

/// How it ended.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    pub(crate) status: Option<ExitStatus>,
    pub(crate) signal: Option<i32>,
    /// We had to end the upstream after it did not end by itself.
    pub(crate) forced: bool,
    client_closed: bool,
    client_gone: bool,
    exited: bool,
    input_closed: bool,
    output_closed: bool,
}

impl Ending {
    /// Whether answers can still reach the client.
    pub(crate) const fn client_is_there(&self) -> bool {
        !self.client_gone
    }

    /// What became of the upstream, as the middle of a sentence.
    pub(crate) fn how(&self) -> &'static str {
        match (self.forced, self.client_closed, self.status) {
            (true, ..) => "was ended",
            (_, true, _) => "was closed",
            (_, _, Some(status)) if status.success() => "exited",
            _ => "died",
        }
    }

    /// For the record.
    pub(crate) fn describe(&self) -> String {
        let who = match (self.signal, self.client_closed, self.client_gone) {
            (Some(signal), ..) => format!("signal {signal}"),
            (None, true, _) => "the client closed".to_owned(),
            (None, false, true) => "the client went away".to_owned(),
            (None, false, false) => "the server ended".to_owned(),
        };
        let status = self.status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
        format!("{who}; upstream: {status}")
    }

    fn take(&mut self, cause: &Cause, close_input: &mut impl FnMut(), group: ProcessGroup) {
        match cause {
            Cause::ClientClosed => {
                self.client_closed = true;
                close_input();
            }
            Cause::ClientGone => {
                self.client_gone = true;
                close_input();
            }
            Cause::UpstreamDeaf => {
                self.input_closed = true;
                close_input();
            }
            Cause::UpstreamClosed => self.output_closed = true,
            Cause::UpstreamExited(status) => {
                self.exited = true;
                self.status = *status;
                if !self.client_closed && !self.client_gone && self.signal.is_none() {
                    let status = status.map_or_else(|| "in an unknown way".to_owned(), |s| format!("with {s}"));
                    say(&format!("the MCP server ended {status} while the client was connected"));
                }
            }
            Cause::Signal(number) => {
                self.signal = Some(*number);
                close_input();
                group.signal(Signal::TERM);
            }
        }
    }

    /// How long the present situation may last; `None` while nothing has ended. `busy` when there is something that is
    /// worth waiting for.
    fn patience(&self, busy: bool) -> Option<Duration> {
        let given_up = self.signal.is_some() || self.client_gone;
        match (self.exited, given_up, self.output_closed || self.input_closed || self.client_closed) {
            (true, false, _) => Some(if busy { TO_ANSWER } else { AFTER_EXIT }),
            (true, true, _) => Some(AFTER_EXIT),
            (false, true, _) => Some(AFTER_CLOSE),
            (false, false, true) => Some(if busy { TO_ANSWER } else { AFTER_CLOSE }),
            (false, false, false) => None,
        }
    }

    /// Whether the client still waits for answers that may come.
    fn answers_may_come(&self, session: &Session) -> bool {
        self.client_closed && !self.exited && !self.output_closed && session.lock().client_waits()
    }
}

/// Waits until the session has ended, and sees to it that it does once it has begun to. `delivering` tells whether
/// something is being written to the client, which may be slower than the server.
pub(crate) fn wind_down(
    causes: &Receiver<Cause>,
    group: ProcessGroup,
    session: &Session,
    delivering: impl Fn() -> bool,
    mut close_input: impl FnMut(),
) -> Ending {
    /// How often it is looked whether there is still something to wait for.
    const LOOK: Duration = Duration::from_millis(50);
    let mut ending = Ending::default();
    let mut since = Instant::now();
    let mut was_busy = false;
    loop {
        if ending.exited && ending.output_closed {
            break;
        }
        let busy = delivering() || ending.answers_may_come(session);
        if was_busy && !busy {
            // The short patience counts from the moment of the last answer.
            since = Instant::now();
        }
        was_busy = busy;
        let cause = match ending.patience(busy) {
            None => causes.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(patience) => {
                let left = patience.saturating_sub(since.elapsed());
                if left.is_zero() {
                    // What has not ended by now cannot be ended: a process in uninterruptible sleep, say.
                    if ending.exited || ending.forced {
                        break;
                    }
                    say("the MCP server did not end by itself; ending it");
                    ending.forced = true;
                    end_group(group);
                    // The exit is reported through the channel like any other.
                    since = Instant::now();
                    continue;
                }
                causes.recv_timeout(if busy { left.min(LOOK) } else { left })
            }
        };
        match cause {
            Ok(cause) => {
                ending.take(&cause, &mut close_input, group);
                since = Instant::now();
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if group.is_alive() {
        end_group(group);
    }
    ending
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::rehearsal::start;
    use crate::upstream::Upstream;

    /// What a server said before it ended is delivered, also to a client that takes longer than the server's children
    /// are waited for.
    #[test]
    fn a_slow_client_gets_everything() {
        let Upstream { mut child, group, .. } = start(&["true"]);
        let status = child.wait().unwrap();
        let (send, causes) = sync_channel(2);
        send.send(Cause::UpstreamExited(Some(status))).unwrap();
        let looks = Cell::new(0);
        let delivering = || {
            looks.set(looks.get() + 1);
            if looks.get() == 15 {
                send.send(Cause::UpstreamClosed).unwrap();
            }
            true
        };
        let started = Instant::now();
        let ending = wind_down(&causes, group, &Session::default(), delivering, || {});
        assert!(ending.output_closed && !ending.forced);
        assert!(started.elapsed() > AFTER_EXIT, "longer than a held pipe is waited for");
    }
}
