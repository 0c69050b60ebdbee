//! Fetches the enforcer's policy document, believes it or does not, and keeps it for sessions that begin while the enforcer is
//! away.
//!
//! INVARIANT (failure tightens): only what is known to be what the enforcer has is relied on. Where anything is wrong, each call
//! is put to the enforcer, as without a document; what a document refuses that was believed is refused until it expires. The
//! key that it must be sealed with is the one that was told first, until somebody at this machine says otherwise.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thoth_api::contract::endpoint::{Answer, SigningKey, Standing};
use thoth_api::contract::policy_bundle::WhoseQuery;
use thoth_api::{Enforcer, RemoteError};
use thoth_audit::seal::{MAX_SEALED_BYTES, SealOpener};

use crate::document::{CLOCKS_APART, DocumentError, Recipient, Verified};
use crate::folder::{Folder, FolderError};
use crate::pace;

/// The key that is trusted.
pub(crate) const KEY_FILE: &str = "signing-key.json";
/// The document as it came.
pub(crate) const DOCUMENT_FILE: &str = "policy-document.json";
/// Held by whoever replaces it.
const LOCK_FILE: &str = "policy-document.lock";

/// Heeds the document. What it says is for whoever knows policies.
pub trait Directed: Send {
    /// Another document holds, in the place of the one before, which holds no more in any case.
    ///
    /// # Errors
    /// When its policy cannot be used here, in words.
    fn put(&mut self, document: &Verified) -> Result<(), String>;

    /// Whether what is held is known to be what the enforcer has, as far as that can be known now.
    fn rely(&mut self, on: bool);
}

/// The file with the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pinned {
    pub(crate) key_id: String,
    pub(crate) public_key: String,
    /// When it was told first, RFC 3339.
    pub(crate) since: String,
}

/// A document that is held, whether it still holds or not: none that is older is believed.
#[derive(Debug)]
struct Held {
    verified: Verified,
    bytes: Vec<u8>,
    /// Why its policy cannot be used here.
    unusable: Option<String>,
}

/// Why there is no document that is known to be what the enforcer has.
enum Trouble {
    /// The enforcer cannot be asked, which says nothing.
    Outage,
    /// Anything else.
    Problem(String),
}

impl From<FolderError> for Trouble {
    fn from(error: FolderError) -> Self {
        Self::Problem(error.to_string())
    }
}

/// Keeps the document of one machine and agent.
pub(crate) struct Keeper {
    pub(crate) folder: Folder,
    pub(crate) whose: Recipient,
    pub(crate) directed: Box<dyn Directed>,
    pub(crate) say: fn(&str),
    opener: Option<SealOpener>,
    held: Option<Held>,
    /// Names what is held, to the enforcer.
    etag: Option<String>,
    problem: Option<String>,
}

impl Keeper {
    pub(crate) const fn new(folder: Folder, whose: Recipient, directed: Box<dyn Directed>, say: fn(&str)) -> Self {
        Self { folder, whose, directed, say, opener: None, held: None, etag: None, problem: None }
    }

    /// Heeds the document that was kept. It is relied on once the enforcer has been asked for news, or cannot be; `problem`
    /// is what was wrong the last time.
    pub(crate) fn remember(&mut self, problem: Option<String>) {
        self.problem = problem;
        if let Err(error) = self.pinned().and_then(|opener| {
            self.opener = opener;
            self.look(Timestamp::now())
        }) {
            (self.say)(&format!("the policy document that was kept cannot be used: {error}"));
        }
    }

    /// What is wrong.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The digest of the policy that is held and can be used.
    pub(crate) fn digest(&self) -> Option<String> {
        let held = self.held.as_ref().filter(|held| held.unusable.is_none())?;
        Some(held.verified.document().policy_digest.clone())
    }

    /// The enforcer has answered a check-in. Whether a document that came since says that the machine is in quarantine.
    pub(crate) async fn renew(&mut self, enforcer: &Enforcer, answer: &Answer) -> bool {
        let renewed = self.renewed(enforcer, answer).await;
        let is_new = matches!(renewed, Ok(true));
        match renewed {
            Ok(_) => {
                if self.problem.take().is_some() {
                    (self.say)("the enforcer's policy document is in order again");
                }
                self.directed.rely(true);
            }
            // It was heard a moment ago and can be asked, and what it has now is not known. If it is away, the next check-in
            // fails, and then what was known last holds on.
            Err(Trouble::Outage) => self.directed.rely(false),
            Err(Trouble::Problem(problem)) => self.distrust(problem),
        }
        is_new && self.held.as_ref().is_some_and(|held| held.verified.document().status == Standing::Quarantined)
    }

    /// A check-in was not answered as it should be.
    pub(crate) fn failed(&mut self, error: &RemoteError) {
        if pace::is_outage(error) && !pace::is_told(error) { self.unheard() } else { self.distrust(error.to_string()) }
    }

    /// What was known last holds on, unless there was something wrong with it.
    fn unheard(&mut self) {
        self.directed.rely(self.problem.is_none());
    }

    fn distrust(&mut self, problem: String) {
        self.directed.rely(false);
        if self.problem.as_ref() != Some(&problem) {
            (self.say)(&format!("no policy document is relied on, and each call is put to the enforcer: {problem}"));
        }
        self.problem = Some(problem);
    }

    /// Whether another document came.
    async fn renewed(&mut self, enforcer: &Enforcer, answer: &Answer) -> Result<bool, Trouble> {
        // The hours of rules are told by the clock here.
        let there: Timestamp =
            answer.server_time.parse().map_err(|_| Trouble::Problem("the enforcer tells no time".to_owned()))?;
        if Timestamp::now().duration_since(there).abs() > CLOCKS_APART {
            return Err(Trouble::Problem(format!(
                "the clock of this machine is far from the enforcer's, which says {there}"
            )));
        }
        let opener = self.trusted(answer.signing_key.as_ref())?;
        if self.opener.as_ref() != Some(&opener) {
            (self.held, self.etag) = (None, None);
            self.opener = Some(opener.clone());
        }
        if let Err(error) = self.look(Timestamp::now()) {
            (self.say)(&format!("the policy document that was kept cannot be used: {error}"));
        }
        let whose = WhoseQuery {
            agent_id: Some(self.whose.agent.clone()),
            endpoint_id: Some(self.whose.endpoint.clone()),
            fleet_id: None,
        };
        let fetched = enforcer.policy(&whose, self.etag.as_deref()).await.map_err(|error| {
            if pace::is_outage(&error) && !pace::is_told(&error) {
                Trouble::Outage
            } else {
                Trouble::Problem(format!("the policy document cannot be fetched: {error}"))
            }
        })?;
        let is_new = fetched.is_some();
        if let Some(sealed) = fetched {
            let adopted = self.adopt(sealed.document, &opener, Timestamp::now());
            adopted.map_err(|error| self.refused(&error))?;
            self.etag = sealed.etag;
        }
        let Some(held) = &self.held else {
            return Err(Trouble::Problem(
                "the enforcer says that nothing has changed, and nothing was there".to_owned(),
            ));
        };
        held.verified.hold_at(Timestamp::now()).map_err(|error| self.refused(&error))?;
        let unusable = held.unusable.clone();
        self.store(&opener)?;
        unusable.map_or(Ok(is_new), |why| Err(Trouble::Problem(why)))
    }

    fn refused(&self, error: &DocumentError) -> Trouble {
        let cure = match error {
            DocumentError::Older { .. } => {
                let file = self.folder.path().join(DOCUMENT_FILE);
                format!("; if the enforcer was set back on purpose, end all sessions and remove `{}`", file.display())
            }
            _ => String::new(),
        };
        Trouble::Problem(format!("the enforcer's policy document is refused: {error}{cure}"))
    }

    /// The key that documents are opened with: the one that was told first.
    fn trusted(&self, told: Option<&SigningKey>) -> Result<SealOpener, Trouble> {
        let problem = |text: &str| Trouble::Problem(text.to_owned());
        let told = told.ok_or_else(|| problem("the enforcer tells no key for its documents"))?;
        let opener = SealOpener::parse(&told.public_key)
            .map_err(|error| Trouble::Problem(format!("the key that the enforcer tells cannot be used: {error}")))?;
        if opener.id() != told.key_id {
            return Err(problem("the key that the enforcer tells is not the one that it names"));
        }
        if self.pinned()?.is_none() {
            let (key_id, public_key) = (opener.id().to_owned(), opener.public_key());
            self.folder.write_first(KEY_FILE, &Pinned { key_id, public_key, since: Timestamp::now().to_string() })?;
        }
        match self.pinned()? {
            Some(pinned) if pinned == opener => Ok(opener),
            Some(pinned) => Err(Trouble::Problem(format!(
                "the enforcer signs with another key ({}) than the one that it told first ({}). Ask whoever runs it: if the \
                 key was changed on purpose, remove `{}`",
                opener.id(),
                pinned.id(),
                self.folder.path().join(KEY_FILE).display()
            ))),
            None => Err(self.folder.missing(KEY_FILE).into()),
        }
    }

    fn pinned(&self) -> Result<Option<SealOpener>, FolderError> {
        pinned(&self.folder)
    }

    /// Takes what is on disk if that is newer: another session may have fetched it.
    fn look(&mut self, now: Timestamp) -> Result<(), FolderError> {
        let Some(opener) = self.opener.clone() else { return Ok(()) };
        let Some(bytes) = kept(&self.folder)? else { return Ok(()) };
        if self.held.as_ref().is_some_and(|held| held.bytes == bytes) {
            return Ok(());
        }
        match Verified::open(&bytes, &opener, &self.whose) {
            Ok(verified) if self.held.as_ref().is_none_or(|held| verified.age(&held.verified).is_gt()) => {
                self.etag = None;
                let unusable = if verified.hold_at(now).is_ok() { self.directed.put(&verified).err() } else { None };
                self.held = Some(Held { verified, bytes, unusable });
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.folder.unusable(DOCUMENT_FILE, error)),
        }
    }

    fn adopt(&mut self, bytes: Vec<u8>, opener: &SealOpener, now: Timestamp) -> Result<(), DocumentError> {
        let verified = Verified::open(&bytes, opener, &self.whose)?;
        verified.hold_at(now)?;
        if let Some(held) = &self.held {
            verified.succeeds(&held.verified)?;
        }
        let unusable = self.directed.put(&verified).err();
        self.held = Some(Held { verified, bytes, unusable });
        Ok(())
    }

    /// Keeps what is held, unless what is kept is newer. Where another session is at it, the next check-in looks again.
    fn store(&self, opener: &SealOpener) -> Result<(), FolderError> {
        let Some(held) = &self.held else { return Ok(()) };
        let Some(_lock) = self.folder.hold(LOCK_FILE)? else { return Ok(()) };
        // What cannot be read or opened is no document, and may be replaced.
        let bytes = kept(&self.folder).ok().flatten();
        let newer = bytes.as_ref().and_then(|bytes| Verified::open(bytes, opener, &self.whose).ok());
        if bytes.as_ref() == Some(&held.bytes) || newer.is_some_and(|kept| kept.age(&held.verified).is_gt()) {
            return Ok(());
        }
        self.folder.write_bytes(DOCUMENT_FILE, &held.bytes)
    }
}

/// The document as it is kept.
pub(crate) fn kept(folder: &Folder) -> Result<Option<Vec<u8>>, FolderError> {
    folder.read_bytes(DOCUMENT_FILE, u64::try_from(MAX_SEALED_BYTES).unwrap_or(u64::MAX))
}

/// The key that is trusted, if there is one.
pub(crate) fn pinned(folder: &Folder) -> Result<Option<SealOpener>, FolderError> {
    let Some(pinned) = folder.read::<Pinned>(KEY_FILE)? else { return Ok(None) };
    let opener = SealOpener::parse(&pinned.public_key).map_err(|error| folder.unusable(KEY_FILE, error))?;
    Ok(Some(opener))
}
