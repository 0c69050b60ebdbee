//! One installation: its policy, its home, its ledger, a server that writes down what it read, and a person who answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use serde_json::Value;
use thoth_audit::{Durability, Ledger, LedgerKeys, LedgerOptions};
use thoth_proxy::Evidence;
use thoth_store::{Desk, Hold, HoldState, Holds, HoldsError, SqliteHolds, StoreError};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::gated::{Gated, events_once_repaired};
use thoth_testkit::stdio_peer::{Launch, StdioPeer};
use thoth_types::{Approver, Channel, HoldToken, Vote};

use crate::client::{Client, Options, Peer};

/// `danger` needs a person; `$A` stands for what its approval takes.
const POLICY: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
approvals: { $A }
rules:
  - { name: ask, match: { tool: [danger, other, "test_*"] }, approval: approve }
"#;

/// The local user may approve, also in the client's own dialogue.
pub(crate) const LOCAL_USER: &str = "approvers: [local_user]";
/// The local user may approve at a terminal only.
pub(crate) const LOCAL_TERMINAL: &str = "approvers: [local_terminal]";

/// The server behind a recorder: what it reads is appended to `$1` as it reads it.
const RECORDER: &str = r#"read=$1; shift; tee -a -- "$read" | "$@""#;

/// One installation.
#[derive(Debug)]
pub(crate) struct Site {
    folder: tempfile::TempDir,
    fixtures: Fixtures,
    policy: String,
    sessions: AtomicUsize,
}

/// What one session's server saw.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    read: PathBuf,
}

impl Upstream {
    /// Every byte that the server has read.
    pub(crate) fn read(&self) -> Vec<u8> {
        std::fs::read(&self.read).unwrap_or_default()
    }

    /// Each message that the server has read, without ids.
    pub(crate) fn seen(&self) -> String {
        without_ids(&self.read())
    }

    /// How often the server was told to call this tool.
    pub(crate) fn calls(&self, tool: &str) -> usize {
        let read = self.read();
        let lines = read.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages = lines.filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        messages.filter(|message| message["method"] == "tools/call" && message["params"]["name"] == tool).count()
    }

    /// Waits until a call of this tool is written down. The server may have answered before: the recorder hands on first.
    pub(crate) fn heard_of(&self, tool: &str) {
        crate::client::eventually("the call is not written down", || self.calls(tool) > 0);
    }

    /// Whether the server was told to forget a call.
    pub(crate) fn was_cancelled(&self) -> bool {
        String::from_utf8_lossy(&self.read()).contains("notifications/cancelled")
    }
}

impl Site {
    /// An installation whose approvals take `requirement`.
    pub(crate) fn new(requirement: &str) -> Self {
        Self::with_policy(&POLICY.replace("$A", requirement))
    }

    pub(crate) fn with_policy(policy: &str) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            fixtures: Fixtures::locate().unwrap(),
            policy: policy.to_owned(),
            sessions: AtomicUsize::new(0),
        }
    }

    /// The same, in which nothing is asked.
    pub(crate) fn that_allows_all() -> Self {
        Self::with_policy(thoth_testkit::gated::ALLOW_ALL)
    }

    /// The server with two tools, `safe` and `danger`, in both eras.
    pub(crate) fn server(&self) -> Launch {
        let script = self.fixtures.program("servers/both_eras.cjs").unwrap();
        Launch::new(["node"])
            .arg(script)
            .env("NODE_PATH", self.fixtures.node_modules().unwrap())
            .env("TALLY", self.folder.path().join("tally"))
    }

    /// The everything-server of the Python SDK, which asks its client itself.
    pub(crate) fn asking_server(&self) -> Launch {
        const START: &str = "from mcp_everything_server.server import mcp; mcp.run('stdio')";
        let folder = self.fixtures.python_everything_server().unwrap();
        Launch::new([self.fixtures.python(2).unwrap()]).arg("-c").arg(START).env("PYTHONPATH", folder)
    }

    /// `thoth run` with these flags before a server, and where that server's input is recorded.
    pub(crate) fn gated(&self, server: &Launch, flags: &[&str]) -> (Launch, Upstream) {
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let upstream = Upstream { read: self.folder.path().join(format!("read-{number}")) };
        let gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), self.folder.path(), &self.policy).unwrap();
        let named = ["--server-name", "s", "--agent-id", "a"];
        let words = named.iter().filter(|_| !flags.contains(&"--server-name")).chain(flags);
        let gated = words.fold(gated, |gated, flag| gated.flag(*flag));
        let recorder = Launch::new(["sh", "-c", RECORDER, "recorder"]).arg(&upstream.read);
        (server.behind(&recorder).behind(&gated.launch()), upstream)
    }

    /// A client of the peer's kind, connected through the gate.
    pub(crate) fn connect(&self, peer: Peer, options: &Options, flags: &[&str]) -> (Client, Upstream) {
        self.connect_to(&self.server(), peer, options, flags)
    }

    pub(crate) fn connect_to(
        &self,
        server: &Launch,
        peer: Peer,
        options: &Options,
        flags: &[&str],
    ) -> (Client, Upstream) {
        let (gated, upstream) = self.gated(server, flags);
        (Client::start(peer, options, &gated, &self.fixtures), upstream)
    }

    /// A client that sends the very bytes that it is given.
    pub(crate) fn raw(&self, flags: &[&str]) -> (StdioPeer, Upstream) {
        let (gated, upstream) = self.gated(&self.server(), flags);
        (StdioPeer::spawn(&gated).unwrap(), upstream)
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn ledger_folder(&self) -> PathBuf {
        self.folder.path().join("ledger")
    }

    /// The store that `thoth run` uses.
    pub(crate) fn holds(&self) -> SqliteHolds {
        SqliteHolds::new(self.home().join("state.db"), self.ledger_folder())
    }

    /// The desk at which a person answers.
    pub(crate) fn desk(&self) -> Desk {
        let keys = LedgerKeys::load_or_create(&self.home().join("keys"), &self.ledger_folder()).unwrap();
        let options = LedgerOptions { durability: Durability::Process };
        let ledger: Arc<dyn Evidence> = Arc::new(Ledger::open(&self.ledger_folder(), &keys, options).unwrap());
        Desk::new(Arc::new(self.holds()), ledger, keys.content_key().clone())
    }

    /// A person answers at a terminal.
    pub(crate) fn answer(&self, token: &HoldToken, approves: bool) -> Result<Hold, HoldsError> {
        self.desk().vote(token, &vote(approves))
    }

    pub(crate) fn approve(&self, token: &HoldToken) {
        self.answer(token, true).unwrap();
    }

    /// Every hold. Those who begin the store, and write to it, may be in the way for longer than it waits.
    pub(crate) fn held(&self) -> Vec<Hold> {
        let mut held = Vec::new();
        crate::client::eventually("the store stays in use", || match self.holds().list() {
            Err(HoldsError::Store(source)) if matches!(source.downcast_ref(), Some(StoreError::Busy { .. })) => false,
            result => {
                held = result.unwrap();
                true
            }
        });
        held
    }

    /// The only hold that waits for an answer, as soon as there is one.
    pub(crate) fn pending(&self) -> Hold {
        let mut last = Vec::new();
        crate::client::eventually("no call is held", || {
            last = self.held();
            last.retain(|hold| hold.state == HoldState::Pending);
            !last.is_empty()
        });
        assert_eq!(last.len(), 1, "{last:?}");
        last.remove(0)
    }

    /// The state of a hold, in the store's word.
    pub(crate) fn state_of(&self, token: &HoldToken) -> &'static str {
        self.holds().look(token).unwrap().state.as_str()
    }

    /// Every tool that ran, in order.
    pub(crate) fn ran(&self) -> Vec<Value> {
        let tally = std::fs::read_to_string(self.folder.path().join("tally")).unwrap_or_default();
        tally.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Every event of the ledger, which verifies. Clients kill what does not end as fast as they would like.
    pub(crate) fn events(&self) -> Vec<Value> {
        events_once_repaired(Path::new(env!("CARGO_BIN_EXE_thoth")), &self.ledger_folder(), &self.home())
    }

    /// The kinds of the ledger's events about holds, in order.
    pub(crate) fn hold_events(&self) -> Vec<String> {
        let kinds = self.events().into_iter().map(|event| event["eventType"].as_str().unwrap_or_default().to_owned());
        kinds.filter(|kind| kind.starts_with("HOLD_")).collect()
    }
}

/// An answer at a terminal, by the account that runs everything here.
pub(crate) fn vote(approves: bool) -> Vote {
    let uid = rustix::process::getuid().as_raw();
    let approver = Approver { account: Arc::from(uid.to_string()), uid };
    let origin = "a terminal of the test".to_owned();
    Vote { approver, approves, channel: Channel::Terminal, origin, at: Timestamp::now(), line: Vec::new() }
}

/// Messages without the numbers that a client counts up by itself.
fn without_ids(bytes: &[u8]) -> String {
    let mut text = String::from_utf8(bytes.to_vec()).unwrap();
    for key in ["\"id\"", "\"progressToken\"", "\"requestId\""] {
        let mut rest = std::mem::take(&mut text);
        while let Some(at) = rest.find(key) {
            let after = rest.split_off(at + key.len());
            text.push_str(&rest);
            let value = after.trim_start_matches([':', ' ']);
            text.push_str(&after[..after.len() - value.len()]);
            text.push('_');
            let end = value.find([',', '}']).unwrap_or(value.len());
            rest = value[end..].to_owned();
        }
        text.push_str(&rest);
    }
    text
}
