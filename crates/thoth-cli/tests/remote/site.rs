//! An enforcer on a folder of its own, and `thoth run` before a real MCP server that writes down what it reads.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_audit::{Durability, Ledger, LedgerKeys, LedgerOptions};
use thoth_proxy::Evidence;
use thoth_store::{Desk, HoldState, Holds as _, SqliteHolds};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::gated::{Gated, events};
use thoth_testkit::plain_http::ask;
use thoth_testkit::postgres::cluster;
use thoth_testkit::stdio_peer::{Launch, StdioPeer};
use thoth_types::{Approver, Channel, Vote};

/// Longer than anything here takes; only a test that hangs meets it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The server behind a recorder: what it reads is appended to `$1` as it reads it.
const RECORDER: &str = r#"read=$1; shift; tee -a -- "$read" | "$@""#;

/// What an enforcer keeps everything in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Keeps {
    Files,
    Postgres,
}

/// The enforcer.
pub(crate) struct Thothd {
    child: Child,
    address: String,
    data: TempDir,
    /// Where it keeps everything, if not in its folder.
    database: Option<String>,
    arguments: Vec<String>,
    /// How far its clock is off, as `libfaketime` takes it.
    clock: Option<&'static str>,
}

impl Thothd {
    pub(crate) fn start(policy: &str) -> Self {
        Self::start_with(policy, &[])
    }

    pub(crate) fn start_with(policy: &str, arguments: &[&str]) -> Self {
        Self::start_at(None, policy, arguments)
    }

    /// Starts one that keeps everything there.
    pub(crate) fn start_on(keeps: Keeps, policy: &str) -> Self {
        let database = match keeps {
            Keeps::Files => None,
            Keeps::Postgres => Some(cluster().database()),
        };
        Self::start_so(database, None, policy, &[])
    }

    /// Starts one whose clock is off by so much.
    pub(crate) fn start_at(clock: Option<&'static str>, policy: &str, arguments: &[&str]) -> Self {
        Self::start_so(None, clock, policy, arguments)
    }

    fn start_so(database: Option<String>, clock: Option<&'static str>, policy: &str, arguments: &[&str]) -> Self {
        let data = tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap();
        fs::write(data.path().join("policy.yaml"), policy).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let (child, address) = spawn(data.path(), database.as_deref(), &arguments, "127.0.0.1:0", clock);
        Self { child, address, data, database, arguments, clock }
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same folder, at the same address.
    pub(crate) fn again(&mut self) {
        (self.child, self.address) =
            spawn(self.data.path(), self.database.as_deref(), &self.arguments, &self.address, self.clock);
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Makes a key beside the server.
    pub(crate) fn key(&self, arguments: &[&str]) -> String {
        let mut command = thothd(self.database.as_deref());
        command.args(["keys", "create", "--tenant", "acme", "--data"]).arg(self.data.path());
        let made = command.args(arguments).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// How often it decided about this tool, as its own ledger tells.
    pub(crate) fn decided(&self, tool: &str) -> usize {
        let ledger = self.data().join("tenants/acme/ledger");
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
        let output = command.args(["audit", "tail", "--json", "-n", "100000"]).arg(&ledger).output().unwrap();
        let events = String::from_utf8(output.stdout).unwrap();
        let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["eventType"] == "TOOL_CALL_PRE" && event["toolName"] == tool).count()
    }

    /// A key of the agent `bot`.
    pub(crate) fn agent_key(&self) -> String {
        self.key(&["--agent-id", "bot", "--permission", "execute"])
    }
}

impl Drop for Thothd {
    fn drop(&mut self) {
        // It may be dead already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `thothd`, built by the tests of its own crate beside ours.
fn thothd(database: Option<&str>) -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_thoth")).parent().unwrap().join("thothd");
    assert!(beside.exists(), "`{}` is missing; run `cargo build -p thoth-server`", beside.display());
    let mut command = Command::new(beside);
    command.env_remove("THOTHD_DATABASE_URL").envs(database.map(|url| ("THOTHD_DATABASE_URL", url)));
    command
}

fn spawn(
    data: &Path,
    database: Option<&str>,
    arguments: &[String],
    listen: &str,
    clock: Option<&str>,
) -> (Child, String) {
    let mut command = thothd(database);
    if let Some(clock) = clock {
        let library = Fixtures::locate().unwrap().other_clock().unwrap();
        // What is measured is not what the clock on the wall says.
        command.env("LD_PRELOAD", library).env("FAKETIME", clock).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
    command.args(["serve", "--listen", listen, "--data"]).arg(data).args(arguments);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let (_, address) = line.trim().split_once("://").unwrap_or_else(|| panic!("{line}"));
    (child, address.to_owned())
}

impl Thothd {
    /// A person's answer to a held call.
    pub(crate) fn resolve(&self, hold: &str, decision: &str) {
        let key = self.key(&["--name", "ops", "--organization", "--permission", "read", "--permission", "write"]);
        let path = format!("/acme/thoth/approvals/{hold}/resolve");
        self.post(&path, &key, &json!({ "decision": decision }));
    }

    /// A request that is granted: what is answered.
    pub(crate) fn post(&self, path: &str, key: &str, body: &Value) -> Value {
        let body = body.to_string();
        let headers = format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\n");
        let text = ask(&self.address, ("POST", path), &headers, &body).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

/// How `thoth run` is told to ask.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asking {
    pub(crate) url: String,
    pub(crate) key: String,
    pub(crate) variables: Vec<(&'static str, String)>,
    pub(crate) flags: Vec<&'static str>,
}

impl Asking {
    pub(crate) fn of(url: String, key: String) -> Self {
        Self { url, key, ..Self::default() }
    }

    pub(crate) fn var(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub(crate) fn flag(mut self, flag: &'static str) -> Self {
        self.flags.push(flag);
        self
    }
}

/// A client in front of `thoth run`.
pub(crate) struct Session {
    folder: Arc<TempDir>,
    peer: StdioPeer,
    calls: u64,
    /// Lines that came while another was waited for.
    heard: Vec<Value>,
}

impl Session {
    /// Begins one under this local policy.
    pub(crate) fn begin(policy: &str, asking: &Asking) -> Self {
        Self::begin_in("2025-06-18", policy, asking)
    }

    /// The same in another revision of the protocol.
    pub(crate) fn begin_in(revision: &str, policy: &str, asking: &Asking) -> Self {
        Self::begin_at(&Arc::new(tempfile::tempdir().unwrap()), revision, policy, asking)
    }

    /// The same in a folder that others may be in, too: with one home and one ledger.
    pub(crate) fn begin_at(folder: &Arc<TempDir>, revision: &str, policy: &str, asking: &Asking) -> Self {
        let folder = Arc::clone(folder);
        let thoth = env!("CARGO_BIN_EXE_thoth");
        let mut gated = Gated::prepare(thoth, folder.path(), policy).unwrap();
        for word in ["--agent-id", "bot", "--server-name", "notes"] {
            gated = gated.flag(word);
        }
        gated = asking.flags.iter().fold(gated, |gated, flag| gated.flag(*flag));
        // One that is told of no enforcer asks none.
        if !asking.url.is_empty() {
            let remote = ["--enforcer-url", &asking.url, "--tenant-id", "acme"];
            gated = remote.into_iter().fold(gated, |gated, word| gated.flag(word));
        }
        let mut launch = gated.launch();
        if !asking.key.is_empty() {
            launch = launch.env("THOTH_API_KEY", &asking.key);
        }
        for (name, value) in &asking.variables {
            launch = launch.env(*name, value);
        }
        let recorder = Launch::new(["sh", "-c", RECORDER, "recorder"]).arg(folder.path().join("read"));
        let server = Launch::new([thoth, "demo-server"]);
        let peer = StdioPeer::spawn(&server.behind(&recorder).behind(&launch)).unwrap();
        let mut session = Self { folder, peer, calls: 0, heard: Vec::new() };
        session.send(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}));
        session.answer(0);
        session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        session
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.peer.send(format!("{message}\n").as_bytes()).unwrap();
    }

    /// Says no more.
    pub(crate) fn close(&mut self) {
        self.peer.close();
    }

    /// The answer under this id; what else comes is kept.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        if let Some(at) = self.heard.iter().position(|line| line["id"] == id) {
            return self.heard.remove(at);
        }
        loop {
            let line = self.line();
            if line["id"] == id {
                return line;
            }
            self.heard.push(line);
        }
    }

    /// The next line, whatever it is.
    pub(crate) fn line(&mut self) -> Value {
        match self.peer.receive(PATIENCE) {
            Ok(Some(line)) => serde_json::from_slice(&line).unwrap(),
            Ok(None) => panic!("the session ended: {}", self.peer.complaints()),
            Err(error) => panic!("{error}: {}", self.peer.complaints()),
        }
    }

    /// Begins a call; its id.
    pub(crate) fn begin_call(&mut self, tool: &str, arguments: &Value) -> u64 {
        self.calls += 1;
        let params = json!({"name": tool, "arguments": arguments, "_meta": {"progressToken": self.calls}});
        self.send(&json!({"jsonrpc": "2.0", "id": self.calls, "method": "tools/call", "params": params}));
        self.calls
    }

    /// A call from begin to end.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let id = self.begin_call(tool, arguments);
        self.answer(id)
    }

    /// How often the server was told to call this tool.
    pub(crate) fn ran(&mut self, tool: &str) -> usize {
        // Once the server answers this, all that it read before is written down.
        self.calls += 1;
        let ping = self.calls;
        self.send(&json!({"jsonrpc": "2.0", "id": ping, "method": "ping"}));
        self.answer(ping);
        let read = fs::read_to_string(self.folder.path().join("read")).unwrap_or_default();
        let messages = read.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        messages.filter(|message| message["method"] == "tools/call" && message["params"]["name"] == tool).count()
    }

    /// A person at this machine approves the call that waits here, as soon as one does.
    pub(crate) fn approve_here(&self) {
        let (home, ledger) = (self.folder.path().join("home"), self.folder.path().join("ledger"));
        let holds = SqliteHolds::new(home.join("state.db"), ledger.clone());
        let mut waiting = Vec::new();
        eventually("no call is held here", || {
            // While it is begun it may be in use for longer than it is waited for.
            waiting = holds.list().unwrap_or_default();
            waiting.retain(|hold| hold.state == HoldState::Pending);
            !waiting.is_empty()
        });
        let keys = LedgerKeys::load_or_create(&home.join("keys"), &ledger).unwrap();
        let options = LedgerOptions { durability: Durability::Process };
        let own: Arc<dyn Evidence> = Arc::new(Ledger::open(&ledger, &keys, options).unwrap());
        let desk = Desk::new(Arc::new(holds), own, keys.content_key().clone());
        let uid = rustix::process::getuid().as_raw();
        let vote = Vote {
            approver: Approver { account: Arc::from(uid.to_string()), uid },
            approves: true,
            channel: Channel::Terminal,
            origin: "a terminal of the test".to_owned(),
            at: jiff::Timestamp::now(),
            line: Vec::new(),
        };
        desk.vote(&waiting[0].token, &vote).unwrap();
    }

    /// Kills `thoth run`, as a power cut would.
    pub(crate) fn kill(self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.peer.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        // However it ends: it was killed.
        drop(self.peer.finish(PATIENCE));
    }

    /// Closes the session, and gives the ledger's events, which verify.
    pub(crate) fn end(self) -> Vec<Value> {
        self.peer.finish(PATIENCE).unwrap();
        let ledger = self.folder.path().join("ledger");
        events(Path::new(env!("CARGO_BIN_EXE_thoth")), &ledger)
    }
}

/// What the tool answered, as text.
pub(crate) fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"))
}

/// The code and the `reason_code` of a refusal.
pub(crate) fn refused(answer: &Value) -> (i64, &str) {
    let error = &answer["error"];
    (
        error["code"].as_i64().unwrap_or_else(|| panic!("{answer}")),
        error["data"]["reason_code"].as_str().unwrap_or_default(),
    )
}

/// The events of this kind.
pub(crate) fn of_kind<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["eventType"] == kind).collect()
}

/// Waits for a condition that must come true; the deadline is only there to fail.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        // Others need the processor to make it true.
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
