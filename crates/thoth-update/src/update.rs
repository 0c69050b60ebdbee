//! The steps of an update, in their order.

use std::io::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;
use thoth_api::{Client, HttpError, Timeouts, TlsSettings};

use crate::channel::Channel;
use crate::error::UpdateError;
use crate::manifest::{Artifact, MANIFEST_NAME, MAX_MANIFEST_BYTES, Release, Target};
use crate::place::{Installed, Place};

/// How much later than now a manifest may be dated: clocks differ.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A silent server.
    pub silence: Timeouts,
    /// The manifest as a whole.
    pub manifest: Duration,
    /// The artifact as a whole.
    pub artifact: Duration,
    /// The new program's `--version`. Some systems examine a program at its first start.
    pub start: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Timeouts::default(),
            manifest: Duration::from_secs(30),
            artifact: Duration::from_mins(20),
            start: Duration::from_secs(30),
        }
    }
}

/// What an update has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The place of the program is ours.
    Begun,
    /// So many bytes of so many have come.
    Downloading {
        /// Bytes on the disk.
        done: u64,
        /// Bytes in the end.
        total: u64,
    },
    /// The artifact is the one that was signed.
    Checked,
    /// It starts.
    Tried,
    /// The old program has a second name.
    Kept,
    /// The new program is in its place.
    Replaced,
    /// It starts there, and the old one is gone.
    Done,
}

/// Where the installed version stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// There is this newer one.
    Behind(Release),
    /// It is the newest.
    Current(Release),
}

/// Updates one program from one channel.
#[derive(Debug)]
pub struct Updater {
    channel: Channel,
    installed: Installed,
    tls: TlsSettings,
    patience: Patience,
}

impl Updater {
    /// An updater for a program. Pins are not used: they are about the certificates of other servers, and a release's
    /// own signature says more.
    #[must_use]
    pub fn new(channel: Channel, installed: Installed, tls: &TlsSettings, patience: Patience) -> Self {
        Self { channel, installed, tls: tls.without_pins(), patience }
    }

    /// A client of its own for each run of the runtime: connections do not outlive it.
    fn client(&self) -> Result<Client, HttpError> {
        Client::new(&self.tls, self.patience.silence)
    }

    /// Asks which release is current. Changes nothing.
    ///
    /// # Errors
    /// When the server's answer cannot be had or believed: not signed, expired, or older than what runs.
    pub fn check(&self) -> Result<Standing, UpdateError> {
        let url = self.channel.file(MANIFEST_NAME)?;
        let note = wait(self.client()?.get(&url, MAX_MANIFEST_BYTES, self.patience.manifest))??;
        let release = Release::open(&note, &self.channel.key)?;
        self.judge(release, Timestamp::now())
    }

    fn judge(&self, release: Release, now: Timestamp) -> Result<Standing, UpdateError> {
        if release.expires <= now {
            return Err(UpdateError::Expired { version: release.version, expires: release.expires });
        }
        if release.date.duration_since(now) > CLOCK_TOLERANCE {
            return Err(UpdateError::FromTheFuture { date: release.date });
        }
        match release.version.cmp_precedence(&self.installed.version) {
            std::cmp::Ordering::Less => {
                Err(UpdateError::Older { offered: release.version, installed: self.installed.version.clone() })
            }
            std::cmp::Ordering::Equal => Ok(Standing::Current(release)),
            std::cmp::Ordering::Greater => Ok(Standing::Behind(release)),
        }
    }

    /// Whether the program is ours to replace.
    ///
    /// # Errors
    /// [`UpdateError::Managed`] when it belongs to a package manager.
    pub fn replaceable(&self) -> Result<(), UpdateError> {
        match self.installed.managed() {
            Some(managed) => Err(UpdateError::Managed { path: self.installed.path.clone(), managed }),
            None => Ok(()),
        }
    }

    /// Installs a release that [`Self::check`] has returned, and tells `seen` of every step.
    ///
    /// Whenever this ends, also by `kill -9`, there is a whole program in place: the old one or the new one.
    ///
    /// # Errors
    /// When something is not as it should be. The old program is in place then, see [`UpdateError`].
    pub fn install(&self, release: &Release, seen: &mut dyn FnMut(Step)) -> Result<(), UpdateError> {
        self.replaceable()?;
        let platform = || format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
        let artifact = Target::current().and_then(|target| release.artifact(target));
        let artifact = artifact.ok_or_else(|| UpdateError::NotForThisPlatform {
            version: release.version.clone(),
            platform: platform(),
        })?;
        let place = Place::take(&self.installed.path)?;
        let mut draft = place.draft()?;
        seen(Step::Begun);
        wait(self.download(artifact, &mut draft, seen))??;
        seen(Step::Checked);
        let candidate = place.finish(draft)?;
        candidate.starts(&release.version, self.patience.start)?;
        seen(Step::Tried);
        place.install(candidate, &release.version, self.patience.start, seen)?;
        seen(Step::Done);
        Ok(())
    }

    /// Writes the artifact to the draft, and checks that it is what was signed.
    async fn download(
        &self,
        artifact: &Artifact,
        draft: &mut NamedTempFile,
        seen: &mut dyn FnMut(Step),
    ) -> Result<(), UpdateError> {
        let url = self.channel.file(&artifact.file_name)?;
        let mut body = self.client()?.open(&url, artifact.size, self.patience.artifact).await?;
        let mut hasher = Sha256::new();
        let mut done = 0;
        while let Some(chunk) = body.chunk().await? {
            draft.write_all(&chunk).map_err(UpdateError::io("write", draft.path()))?;
            hasher.update(&chunk);
            done += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            seen(Step::Downloading { done, total: artifact.size });
        }
        if done != artifact.size {
            return Err(UpdateError::WrongSize {
                name: artifact.file_name.clone(),
                expected: artifact.size,
                got: done,
            });
        }
        if <[u8; 32]>::from(hasher.finalize()) != artifact.sha256 {
            return Err(UpdateError::WrongDigest(artifact.file_name.clone()));
        }
        Ok(())
    }
}

/// Runs what waits for the network on this thread.
fn wait<T>(future: impl Future<Output = T>) -> Result<T, HttpError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| HttpError::Setup(error.to_string()))?;
    let outcome = runtime.block_on(future);
    // Dropping it would wait for a name lookup that nobody needs any more.
    runtime.shutdown_background();
    Ok(outcome)
}
