//! Many appends, one transaction: whoever comes while another writes waits, and one of those who wait writes for all.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::PostgresError;

/// How many bytes one transaction takes along, beyond its first batch.
const MOST_BYTES: usize = 4 << 20;

/// Batches that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    waiting: Vec<Arc<Batch>>,
    /// Somebody is writing.
    busy: bool,
}

/// What one caller appends.
#[derive(Debug)]
pub(crate) struct Batch {
    leaves: Vec<Box<[u8]>>,
    bytes: usize,
    outcome: Mutex<Option<Result<(), PostgresError>>>,
}

impl Batch {
    pub(crate) fn new(leaves: Vec<Box<[u8]>>) -> Self {
        let bytes = leaves.iter().map(|leaf| leaf.len()).sum();
        Self { leaves, bytes, outcome: Mutex::default() }
    }

    fn outcome(&self) -> Option<Result<(), PostgresError>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn settle(&self, outcome: &Result<(), PostgresError>) {
        let mut slot = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        slot.get_or_insert_with(|| outcome.clone());
    }
}

/// A turn at writing, which ends however it ends.
struct Turn<'q> {
    queue: &'q Queue,
    batches: Vec<Arc<Batch>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        // Those that were not settled met a panic.
        self.batches.iter().for_each(|batch| batch.settle(&Err(PostgresError::Slow)));
        self.queue.lock().busy = false;
        self.queue.moved.notify_all();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a batch with `write`, which writes all that it is given or nothing, in bounded time.
    pub(crate) fn append(
        &self,
        batch: Batch,
        write: impl FnOnce(&[&[u8]]) -> Result<(), PostgresError>,
    ) -> Result<(), PostgresError> {
        let own = Arc::new(batch);
        let mut line = self.lock();
        line.waiting.push(Arc::clone(&own));
        while line.busy {
            line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
            if let Some(outcome) = own.outcome() {
                return outcome;
            }
        }
        line.busy = true;
        let turn = Turn { queue: self, batches: taken(&mut line.waiting, &own) };
        drop(line);
        let leaves: Vec<&[u8]> =
            turn.batches.iter().flat_map(|batch| batch.leaves.iter().map(|leaf| &**leaf)).collect();
        let outcome = write(&leaves);
        turn.batches.iter().for_each(|batch| batch.settle(&outcome));
        drop(leaves);
        drop(turn);
        own.outcome().unwrap_or(Err(PostgresError::Slow))
    }
}

/// Those at the front of the line, as many as fit, and in any case `own`: each writer writes its own batch.
fn taken(waiting: &mut Vec<Arc<Batch>>, own: &Arc<Batch>) -> Vec<Arc<Batch>> {
    let mut bytes = own.bytes;
    let mut taken = Vec::new();
    let mut left = Vec::new();
    for batch in waiting.drain(..) {
        let is_own = Arc::ptr_eq(&batch, own);
        let fits = left.is_empty() && bytes.saturating_add(batch.bytes) <= MOST_BYTES;
        if is_own || fits {
            bytes += if is_own { 0 } else { batch.bytes };
            taken.push(batch);
        } else {
            left.push(batch);
        }
    }
    *waiting = left;
    taken
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    fn batch(name: &str) -> Batch {
        Batch::new(vec![name.as_bytes().into()])
    }

    /// Defends: each batch is written once, whole and in one turn, and everybody hears of their own; those who came while
    /// one wrote are written together.
    #[test]
    fn who_waits_is_written_together() {
        let (queue, written) = (Queue::default(), Mutex::new(Vec::new()));
        let (begun, go_on) = (Barrier::new(2), Barrier::new(2));
        let write = |leaves: &[&[u8]]| {
            written.lock().unwrap().push(leaves.iter().map(|leaf| leaf.to_vec()).collect::<Vec<_>>());
            if leaves.contains(&&b"bad"[..]) { Err(PostgresError::Exhausted) } else { Ok(()) }
        };
        thread::scope(|scope| {
            let first = scope.spawn(|| {
                queue.append(batch("first"), |leaves| {
                    begun.wait();
                    go_on.wait();
                    write(leaves)
                })
            });
            begun.wait();
            let others: Vec<_> = (0..8)
                .map(|n| {
                    scope.spawn({
                        let (queue, write) = (&queue, &write);
                        move || queue.append(batch(&n.to_string()), write)
                    })
                })
                .collect();
            while queue.lock().waiting.len() < 8 {
                thread::yield_now();
            }
            go_on.wait();
            assert_eq!(first.join().unwrap(), Ok(()));
            others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), Ok(())));
        });
        let written = written.into_inner().unwrap();
        assert_eq!((written.len(), written[1].len()), (2, 8), "{written:?}");
        assert_eq!(queue.append(batch("bad"), write_nothing), Err(PostgresError::Exhausted));
        assert_eq!(queue.append(batch("good"), |_| Ok(())), Ok(()), "the line goes on");
    }

    fn write_nothing(_: &[&[u8]]) -> Result<(), PostgresError> {
        Err(PostgresError::Exhausted)
    }

    /// Defends: a writer that panics keeps nobody waiting.
    #[test]
    fn a_panic_frees_the_line() {
        let queue = Queue::default();
        let panicked = thread::scope(|scope| scope.spawn(|| queue.append(batch("a"), |_| panic!("no"))).join());
        assert!(panicked.is_err());
        assert_eq!(queue.append(batch("b"), |_| Ok(())), Ok(()));
    }
}
