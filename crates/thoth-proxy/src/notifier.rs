//! Telling the person at this machine that a call waits, beside the data path: on a thread of its own, behind a short
//! queue that nobody waits for. It tells at most now and then, however many calls are held, and no failure of it matters
//! to a call.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use thoth_gate::Desk;
use thoth_gate::hold::{Hold, HoldState};
use thoth_types::{Channel, HoldToken};

use crate::clock;
use crate::notices::NO_EVIDENCE;

/// What is to be told.
#[derive(Debug)]
pub enum News<'h> {
    /// This call waits.
    One(&'h Hold),
    /// That many calls wait.
    Several(usize),
}

/// A way to reach the person at this machine.
pub trait Notifier: Debug + Send {
    /// Tells it, in bounded time, or says that it could not.
    ///
    /// # Errors
    /// If it was not shown.
    fn tell(&mut self, news: &News<'_>) -> io::Result<()>;
}

/// Holds that wait to be told. More than these are only counted.
const QUEUE: usize = 16;

/// The shortest time between two notifications.
const INTERVAL: Duration = Duration::from_secs(2);

/// Where the origin of a notification is recorded.
const ORIGIN: &str = "desktop";

/// The way into the queue. The thread ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Announcer {
    queue: SyncSender<HoldToken>,
    missed: Arc<AtomicUsize>,
}

impl Announcer {
    /// Starts the thread.
    pub(crate) fn start(notifier: Box<dyn Notifier>, desk: Desk) -> io::Result<Self> {
        Self::start_with(notifier, desk, INTERVAL, || clock::now().wall)
    }

    fn start_with(
        notifier: Box<dyn Notifier>,
        desk: Desk,
        interval: Duration,
        clock: fn() -> Timestamp,
    ) -> io::Result<Self> {
        let (queue, wait) = sync_channel(QUEUE);
        let missed = Arc::new(AtomicUsize::new(0));
        let teller = Teller { notifier, desk, missed: Arc::clone(&missed), told: Vec::new(), clock };
        thread::Builder::new().name("notifier".to_owned()).spawn(move || teller.run(&wait, interval))?;
        Ok(Self { queue, missed })
    }

    /// A call was held. Never waits.
    pub(crate) fn held(&self, hold: &HoldToken) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(hold.clone()) {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct Teller {
    notifier: Box<dyn Notifier>,
    desk: Desk,
    missed: Arc<AtomicUsize>,
    /// The latest holds that were told. A call that is made again meets the same hold.
    told: Vec<HoldToken>,
    clock: fn() -> Timestamp,
}

impl Teller {
    #[expect(clippy::disallowed_methods, reason = "time itself is meant: so long nobody is to be told anything again")]
    fn run(mut self, wait: &Receiver<HoldToken>, interval: Duration) {
        while let Ok(first) = wait.recv() {
            let mut tokens = vec![first];
            wait.try_iter().for_each(|token| {
                if !tokens.contains(&token) {
                    tokens.push(token)
                }
            });
            let missed = self.missed.swap(0, Ordering::Relaxed);
            if self.tell(&tokens, missed) {
                thread::sleep(interval);
            }
        }
    }

    /// Tells of these holds and of as many others as there was no room for. Whether anything was tried.
    fn tell(&mut self, tokens: &[HoldToken], missed: usize) -> bool {
        let now = (self.clock)();
        let holds: Vec<Hold> = tokens
            .iter()
            .filter(|token| !self.told.contains(token))
            .filter_map(|token| self.desk.holds().look(token).ok())
            .filter(|hold| hold.state_at(now) == HoldState::Pending && !hold.shown.contains(&Channel::Notification))
            .collect();
        let news = match (&*holds, missed) {
            ([], 0) => return false,
            ([one], 0) => News::One(one),
            (several, missed) => News::Several(several.len() + missed),
        };
        if self.notifier.tell(&news).is_err() {
            return true;
        }
        // Of several calls none was named: nobody has been shown any of them.
        if let News::One(hold) = news
            && let Err(error) = self.desk.shown(&hold.token, Channel::Notification, ORIGIN, now)
        {
            NO_EVIDENCE.say(&format!("it could not be recorded that a held call was announced: {error}"));
        }
        let surplus = (self.told.len() + holds.len()).saturating_sub(4 * QUEUE);
        self.told.drain(..surplus.min(self.told.len()));
        self.told.extend(holds.into_iter().map(|hold| hold.token));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    use thoth_audit::{ContentKey, Leaves};
    use thoth_gate::{Evidence, EvidenceError, Holds};
    use thoth_testkit::holds_suite::{HeldCall, answer, at, vote};
    use thoth_testkit::memory_holds::MemoryHolds;

    use super::*;

    /// Says what it was told, and returns only when it is let go on.
    #[derive(Debug)]
    struct Recorder {
        told: Sender<String>,
        go_on: Receiver<bool>,
    }

    impl Notifier for Recorder {
        fn tell(&mut self, news: &News<'_>) -> io::Result<()> {
            let text = match news {
                News::One(hold) => hold.token.as_str().to_owned(),
                News::Several(count) => count.to_string(),
            };
            self.told.send(text).unwrap();
            if self.go_on.recv().unwrap_or(true) { Ok(()) } else { Err(io::Error::other("no screen")) }
        }
    }

    #[derive(Debug, Default)]
    struct Records(Mutex<usize>);

    impl Evidence for Records {
        fn append(&self, _: &Leaves) -> Result<(), EvidenceError> {
            *self.0.lock().unwrap() += 1;
            Ok(())
        }
    }

    struct Bench {
        holds: Arc<MemoryHolds>,
        records: Arc<Records>,
        announcer: Announcer,
        told: Receiver<String>,
        go_on: SyncSender<bool>,
    }

    fn bench() -> Bench {
        let (holds, records) = (Arc::new(MemoryHolds::default()), Arc::new(Records::default()));
        let desk =
            Desk::new(Arc::<MemoryHolds>::clone(&holds), Arc::<Records>::clone(&records), ContentKey::new([1; 32]));
        #[expect(clippy::disallowed_methods, reason = "a test reads all that it is told")]
        let (tell, told) = std::sync::mpsc::channel();
        let (go_on, wait) = sync_channel(64);
        let recorder = Box::new(Recorder { told: tell, go_on: wait });
        let announcer = Announcer::start_with(recorder, desk, Duration::ZERO, || at(1)).unwrap();
        Bench { holds, records, announcer, told, go_on }
    }

    impl Bench {
        fn hold(&self, number: u16) -> HoldToken {
            HeldCall::new(number).consult(&*self.holds, u128::from(number), None, at(0)).unwrap();
            HoldToken::new(u128::from(number).to_be_bytes())
        }

        /// Ends the session, and waits until the thread has ended.
        fn end(self) -> (Vec<String>, Arc<MemoryHolds>, usize) {
            drop(self.announcer);
            drop(self.go_on);
            let rest = self.told.iter().collect();
            let records = *self.records.0.lock().unwrap();
            (rest, self.holds, records)
        }
    }

    /// Defends: what is in the ledger as shown was shown.
    #[test]
    fn one_call_is_told_once_and_recorded_once_it_was_shown() {
        let bench = bench();
        let (one, two) = (bench.hold(1), bench.hold(2));
        bench.announcer.held(&one);
        assert_eq!(bench.told.recv().unwrap(), one.as_str());
        bench.go_on.send(true).unwrap();
        bench.announcer.held(&one);
        bench.announcer.held(&two);
        assert_eq!(bench.told.recv().unwrap(), two.as_str());
        bench.go_on.send(false).unwrap();
        let (rest, holds, records) = bench.end();
        assert_eq!((rest.len(), records), (0, 1));
        assert_eq!(holds.look(&one).unwrap().shown, [Channel::Notification]);
        assert!(holds.look(&two).unwrap().shown.is_empty());
    }

    /// Defends: a flood of held calls becomes one line, and the data path waits for nobody.
    #[test]
    fn a_flood_is_one_notification() {
        let bench = bench();
        let first = bench.hold(1);
        bench.announcer.held(&first);
        assert_eq!(bench.told.recv().unwrap(), first.as_str());
        // The notifier hangs; more calls come than there is room for.
        let count = 3 * QUEUE;
        for number in 2..=u16::try_from(count).unwrap() + 1 {
            let token = bench.hold(number);
            bench.announcer.held(&token);
        }
        bench.go_on.send(true).unwrap();
        assert_eq!(bench.told.recv().unwrap(), count.to_string());
        bench.go_on.send(true).unwrap();
        let (rest, holds, records) = bench.end();
        assert_eq!((rest.len(), records), (0, 1));
        assert_eq!(holds.list().unwrap().iter().filter(|hold| !hold.shown.is_empty()).count(), 1);
    }

    #[test]
    fn what_needs_nobody_any_more_is_not_told() {
        let bench = bench();
        let (blocker, denied, kept) = (bench.hold(1), bench.hold(2), bench.hold(3));
        bench.announcer.held(&blocker);
        bench.told.recv().unwrap();
        vote(&*bench.holds, &denied, &answer(1000, false, at(1))).unwrap();
        bench.announcer.held(&denied);
        bench.announcer.held(&HoldToken::new([9; 16]));
        bench.announcer.held(&kept);
        bench.go_on.send(true).unwrap();
        let (rest, ..) = bench.end();
        assert_eq!(rest, [kept.as_str()]);
    }
}
