//! How the server was started, as one more thing that is pinned: its program, that program's digest, and its arguments.
//!
//! A changed launch is recorded and said aloud, and keeps nothing back: to read a program takes longer than a session may
//! take to begin, and programs are updated every week. It runs beside the session, and never longer than it.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use thoth_scan::fingerprint::{DigestOf, of_launch};
use thoth_types::{Digest, ItemKind};

use crate::program::Program;
use crate::session::Session;
use crate::warden::Shown;

/// A program of more bytes is known by its path and arguments alone.
const MAX_BYTES: u64 = 512 << 20;

/// How long the end of a session waits for what is already being written.
const PATIENCE: Duration = Duration::from_secs(2);

/// The work beside a session.
#[derive(Debug)]
pub(crate) struct LaunchRecord {
    ended: Arc<AtomicBool>,
    done: Option<Receiver<()>>,
}

impl LaunchRecord {
    /// Begins it. Where it cannot be begun, the launch is not recorded.
    pub(crate) fn begin(session: &Arc<Session>, program: &Program<'_>) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let (send, done) = sync_channel::<()>(0);
        let path = program.resolved.path.clone();
        let arguments: Vec<Vec<u8>> = program.arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
        let (session, stop) = (Arc::clone(session), Arc::clone(&ended));
        let work = move || {
            let _until_the_end = send;
            let Some(binary) = digest(&path, &stop) else { return };
            let Some(warden) = session.warden() else { return };
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let fingerprint = of_launch(&path, binary, &arguments);
            warden.judge(ItemKind::Launch, &[Shown { name: "".into(), fingerprint }]);
        };
        let begun = thread::Builder::new().name("launch-record".to_owned()).spawn(work);
        Self { ended, done: begun.is_ok().then_some(done) }
    }

    /// The session has ended: what is not known by now is not recorded.
    pub(crate) fn end(self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(done) = self.done {
            // Ends at once when the work drops its end.
            let _ = done.recv_timeout(PATIENCE);
        }
    }
}

/// The digest of a program, if it can be read. `None` when the session ended before.
fn digest(path: &str, stop: &AtomicBool) -> Option<Option<Digest>> {
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
    let Ok((metadata, mut file)) = opened else { return Some(None) };
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        return Some(None);
    }
    let mut digest = DigestOf::default();
    let mut chunk = vec![0; 1 << 18];
    loop {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        match file.read(&mut chunk) {
            Ok(0) => return Some(Some(digest.finish())),
            Ok(count) => digest.update(chunk.get(..count).unwrap_or_default()),
            Err(_) => return Some(None),
        }
    }
}
