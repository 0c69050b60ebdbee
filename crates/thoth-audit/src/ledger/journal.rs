//! The journal that one open ledger writes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::error::LedgerError;
use super::files::{self, during};
use super::integrate::Integrator;
use super::journal_name::segment_name;
use super::lines::{self, Link};
use super::lock::TreeLock;
use super::{Durability, JOURNAL_DIR, Leaves};

/// A journal that has grown to this size is followed by a new one.
const SEGMENT_BYTES: u64 = 8 << 20;
/// How long a failed write waits for the tree's lock, which it needs to take the write back.
const REPAIR_PATIENCE: Duration = Duration::from_secs(2);
/// Buffers larger than this are given back after use.
const KEEP_BUFFER: usize = 256 << 10;

/// Where the bytes go: a file, or in tests something that fails.
pub(crate) trait Sink: Send + Sync {
    /// One `write(2)`.
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Cuts the file.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes the data durable.
    fn sync(&self) -> io::Result<()>;
}

impl Sink for File {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        Write::write(&mut &*self, bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Appends to journals, one after the other.
pub(crate) struct Journal {
    integrator: Arc<Integrator>,
    durability: Durability,
    writer_id: String,
    writer: Mutex<Writer>,
    synced: Mutex<Synced>,
    sync_done: Condvar,
}

struct Writer {
    sink: Option<Arc<dyn Sink>>,
    name: String,
    sequence: u32,
    chain: Link,
    /// Bytes in this segment.
    length: u64,
    /// Bytes in all segments: what positions are counted in.
    position: u64,
    buffer: Vec<u8>,
    poisoned: bool,
}

/// How far the journal is durable, and whether somebody is about to extend that.
#[derive(Default)]
struct Synced {
    position: u64,
    running: bool,
    failed: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    pub(crate) fn create(integrator: Arc<Integrator>, durability: Durability) -> Result<Self, LedgerError> {
        let id = files::random::<16>().map_err(LedgerError::NoRandomness)?;
        let writer_id = crate::hex::encode(&id);
        let name = segment_name(&writer_id, 1);
        let file = create_segment(&integrator, &name, durability)?;
        let writer = Writer {
            sink: Some(Arc::new(file)),
            chain: lines::genesis(integrator.origin(), &name),
            name,
            sequence: 1,
            length: 0,
            position: 0,
            buffer: Vec::new(),
            poisoned: false,
        };
        Ok(Self {
            integrator,
            durability,
            writer_id,
            writer: Mutex::new(writer),
            synced: Mutex::default(),
            sync_done: Condvar::new(),
        })
    }

    pub(crate) fn writer_id(&self) -> &str {
        &self.writer_id
    }

    /// Appends a batch and waits for no disk.
    pub(crate) fn append_unsynced(&self, leaves: &Leaves) -> Result<(), LedgerError> {
        self.write(leaves).map(drop)
    }

    /// Appends a batch and waits until it is as durable as was asked for.
    pub(crate) fn append(&self, leaves: &Leaves) -> Result<(), LedgerError> {
        let position = self.write(leaves)?;
        match self.durability {
            Durability::Process => Ok(()),
            Durability::Power => self.wait_until_synced(position),
        }
    }

    fn write(&self, leaves: &Leaves) -> Result<u64, LedgerError> {
        let mut guard = lock(&self.writer);
        let writer = &mut *guard;
        if writer.poisoned {
            return Err(LedgerError::Poisoned);
        }
        let sink = Arc::clone(writer.sink.as_ref().ok_or(LedgerError::Closed)?);
        writer.buffer.clear();
        let mut chain = writer.chain;
        for leaf in leaves.iter() {
            chain = lines::push(&mut writer.buffer, chain, leaf);
        }
        let written = loop {
            match sink.write(&writer.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => break written,
            }
        };
        let error = match written {
            Ok(count) if count == writer.buffer.len() => None,
            Ok(_) => Some(io::ErrorKind::StorageFull.into()),
            Err(error) => Some(error),
        };
        if let Some(error) = error {
            let file = self.path(&writer.name);
            writer.poisoned = self.take_back(writer, &*sink).is_err();
            return Err(during("write", &file)(error).into());
        }
        let count = u64::try_from(writer.buffer.len()).unwrap_or(u64::MAX);
        writer.chain = chain;
        writer.length += count;
        writer.position += count;
        if writer.buffer.capacity() > KEEP_BUFFER {
            writer.buffer = Vec::new();
        }
        let position = writer.position;
        if writer.length >= SEGMENT_BYTES {
            self.rotate(writer, &*sink);
        }
        Ok(position)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.integrator.root().join(JOURNAL_DIR).join(name)
    }

    /// Cuts a half-written batch off again. Somebody may have folded its first lines into the tree in the meantime;
    /// those stay.
    fn take_back(&self, writer: &mut Writer, sink: &dyn Sink) -> Result<(), LedgerError> {
        let root = self.integrator.root();
        let tree = TreeLock::exclusive(root, REPAIR_PATIENCE).map_err(during("lock", root))?;
        let _tree = tree.ok_or_else(|| LedgerError::Busy(root.to_owned()))?;
        let folded = self.integrator.read_state()?.journals.get(&writer.name).copied();
        if let Some(mark) = folded.filter(|mark| mark.offset > writer.length) {
            writer.position += mark.offset - writer.length;
            writer.length = mark.offset;
            writer.chain = mark.chain;
        }
        let path = self.path(&writer.name);
        Ok(sink.truncate(writer.length).map_err(during("cut", &path))?)
    }

    /// Begins the next segment. When that fails the present one goes on.
    fn rotate(&self, writer: &mut Writer, sink: &dyn Sink) {
        let Some(sequence) = writer.sequence.checked_add(1).filter(|s| *s <= 999_999) else { return };
        let name = segment_name(&self.writer_id, sequence);
        if self.durability == Durability::Power && sink.sync().is_err() {
            return;
        }
        let Ok(file) = create_segment(&self.integrator, &name, self.durability) else { return };
        writer.sink = Some(Arc::new(file));
        writer.chain = lines::genesis(self.integrator.origin(), &name);
        writer.name = name;
        writer.sequence = sequence;
        writer.length = 0;
    }

    /// Group commit: one caller syncs for all whose bytes are written by then; the others wait for it.
    fn wait_until_synced(&self, position: u64) -> Result<(), LedgerError> {
        let mut synced = lock(&self.synced);
        loop {
            if synced.position >= position {
                return Ok(());
            }
            if synced.failed {
                return Err(LedgerError::Poisoned);
            }
            if synced.running {
                synced = self.sync_done.wait(synced).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            synced.running = true;
            drop(synced);
            let result = self.sync_now();
            synced = lock(&self.synced);
            synced.running = false;
            match result {
                Ok(reached) => synced.position = synced.position.max(reached),
                Err(_) => synced.failed = true,
            }
            self.sync_done.notify_all();
            if let Err(error) = result {
                drop(synced);
                // After a failed sync nobody knows what is on the disk.
                lock(&self.writer).poisoned = true;
                return Err(error);
            }
        }
    }

    fn sync_now(&self) -> Result<u64, LedgerError> {
        let (sink, position, path) = {
            let writer = lock(&self.writer);
            let sink = writer.sink.as_ref().ok_or(LedgerError::Closed)?;
            (Arc::clone(sink), writer.position, self.path(&writer.name))
        };
        sink.sync().map_err(during("sync", &path))?;
        Ok(position)
    }

    /// Lets go of the journal, so that it can be folded to its end.
    pub(crate) fn release(&self) {
        lock(&self.writer).sink = None;
    }

    /// Whether files of this writer are left.
    pub(crate) fn remains(&self) -> bool {
        let sequence = lock(&self.writer).sequence;
        (1..=sequence).rev().any(|s| self.path(&segment_name(&self.writer_id, s)).exists())
    }

    #[cfg(test)]
    pub(crate) fn wrap_sink(&self, wrap: impl FnOnce(Arc<dyn Sink>) -> Arc<dyn Sink>) {
        let mut writer = lock(&self.writer);
        writer.sink = writer.sink.take().map(wrap);
    }
}

/// Creates a journal file that appears under its name already locked: an unlocked journal is a dead one.
fn create_segment(integrator: &Integrator, name: &str, durability: Durability) -> Result<File, LedgerError> {
    let dir = integrator.root().join(JOURNAL_DIR);
    let path = dir.join(name);
    let draft = dir.join(format!("{name}.new"));
    let mut attempts = 0;
    loop {
        attempts += 1;
        let file = files::create_append(&draft).map_err(during("create", &draft))?;
        // An integrator that sees the draft before it is locked takes it for a left-over and removes it.
        let placed = file.try_lock().map_err(io::Error::from).and_then(|()| fs::rename(&draft, &path));
        match placed {
            Ok(()) => {
                if durability == Durability::Power {
                    file.sync_all().map_err(during("sync", &path))?;
                    files::sync_dir(&dir).map_err(during("sync", &dir))?;
                }
                return Ok(file);
            }
            Err(error) => {
                files::remove(&draft).map_err(during("remove", &draft))?;
                if attempts == 10 {
                    return Err(during("create", &path)(error).into());
                }
            }
        }
    }
}
