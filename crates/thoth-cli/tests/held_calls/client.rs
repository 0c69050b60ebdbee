//! The clients on the real SDKs, each a process of its own, told what to do line by line.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::stdio_peer::{Launch, StdioPeer};
use thoth_types::HoldToken;

/// How long anything may take that must happen. Only a failure waits that long.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// How long to wait before a condition is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// An SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sdk {
    TypeScript1,
    TypeScript2,
    Python1,
    Python2,
    Rust,
}

/// An SDK that speaks one era.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) sdk: Sdk,
    pub(crate) era: &'static str,
}

impl Peer {
    pub(crate) const fn new(sdk: Sdk, era: &'static str) -> Self {
        Self { sdk, era }
    }

    pub(crate) fn is_modern(self) -> bool {
        self.era == "modern"
    }

    /// Whether it hears anything else while its user is asked.
    pub(crate) fn hears_while_it_asks(self) -> bool {
        self.sdk != Sdk::Python1
    }

    /// Whether it asks for progress only when it is told to.
    pub(crate) fn chooses_progress(self) -> bool {
        self.sdk != Sdk::Rust
    }
}

/// Every SDK in every era that it speaks.
pub(crate) const PEERS: [Peer; 8] = [
    Peer::new(Sdk::TypeScript1, "legacy"),
    Peer::new(Sdk::TypeScript2, "legacy"),
    Peer::new(Sdk::TypeScript2, "modern"),
    Peer::new(Sdk::Python1, "legacy"),
    Peer::new(Sdk::Python2, "legacy"),
    Peer::new(Sdk::Python2, "modern"),
    Peer::new(Sdk::Rust, "legacy"),
    Peer::new(Sdk::Rust, "modern"),
];

/// How a client answers questions to its user; see `clients/session.cjs`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    pub(crate) elicit: Vec<Value>,
    pub(crate) url: bool,
}

impl Options {
    /// It offers to ask its user, who answers like this, in order.
    pub(crate) fn answering(answers: &[Value]) -> Self {
        Self { elicit: answers.to_vec(), url: false }
    }
}

/// A running client.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) peer: Peer,
    process: StdioPeer,
    calls: u64,
}

impl Client {
    /// Starts a client in front of a server and waits until it is connected.
    pub(crate) fn start(peer: Peer, options: &Options, server: &Launch, fixtures: &Fixtures) -> Self {
        let mut told = json!({"era": peer.era, "url": options.url});
        if !options.elicit.is_empty() {
            told["elicit"] = json!(options.elicit);
        }
        let script = |name: &str| fixtures.program(&format!("clients/{name}")).unwrap();
        let front = match peer.sdk {
            Sdk::TypeScript1 => Launch::new(["node"]).arg(script("typescript_1.cjs")),
            Sdk::TypeScript2 => Launch::new(["node"]).arg(script("typescript_2.cjs")),
            Sdk::Python1 => Launch::new([fixtures.python(1).unwrap()]).arg(script("python_1.py")),
            Sdk::Python2 => Launch::new([fixtures.python(2).unwrap()]).arg(script("python_2.py")),
            Sdk::Rust => Launch::new([rust_client()]),
        };
        let front = front
            .arg(told.to_string())
            .env("NODE_PATH", fixtures.node_modules().unwrap())
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let mut client = Self { peer, process: StdioPeer::spawn(&server.behind(&front)).unwrap(), calls: 0 };
        client.expect("ready");
        client
    }

    /// Begins a call; returns its number.
    pub(crate) fn begin(&mut self, tool: &str, arguments: &Value, more: &Value) -> u64 {
        let mut call = json!({"name": tool, "arguments": arguments});
        call.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        self.send(&json!({ "call": call }));
        self.calls += 1;
        self.calls
    }

    /// Makes a call and waits for what becomes of it.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let number = self.begin(tool, arguments, &json!({}));
        self.outcome(number)
    }

    /// Gives a call up.
    pub(crate) fn cancel(&mut self, number: u64) {
        self.send(&json!({ "cancel": number }));
    }

    fn send(&mut self, command: &Value) {
        self.process.send(format!("{command}\n").as_bytes()).unwrap();
    }

    /// The next event.
    pub(crate) fn event(&mut self) -> Value {
        match self.process.receive(SOON) {
            Ok(Some(line)) => serde_json::from_slice(&line).unwrap(),
            Ok(None) => panic!("{:?} ended: {}", self.peer, self.process.complaints()),
            Err(error) => panic!("{:?}: {error}", self.peer),
        }
    }

    /// The next event, which must be of this kind; progress is only seen where it is expected.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        let event = if kind == "progress" { self.event() } else { self.event_but_progress() };
        assert_eq!(event["event"], kind, "{:?}: {event}", self.peer);
        event
    }

    /// The next event that is no progress.
    pub(crate) fn event_but_progress(&mut self) -> Value {
        loop {
            let event = self.event();
            if event["event"] != "progress" {
                return event;
            }
        }
    }

    /// What becomes of a call; progress may come before.
    pub(crate) fn outcome(&mut self, number: u64) -> Value {
        let event = self.event_but_progress();
        assert!(event["event"] == "result" || event["event"] == "error", "{:?}: {event}", self.peer);
        assert_eq!(event["call"], number, "{:?}: {event}", self.peer);
        event
    }

    /// The error with which a call ends that is not answered.
    pub(crate) fn given_up(&mut self, number: u64) {
        let event = self.outcome(number);
        assert!(event["error"]["data"]["hold_token"].is_null(), "{:?}: {event}", self.peer);
        assert_eq!(event["event"], "error", "{:?}: {event}", self.peer);
    }

    /// Closes the session as the SDK does, and waits until everything has ended. Returns the kinds of all its events.
    pub(crate) fn close(self) -> Vec<String> {
        let ended = self.process.finish(SOON).unwrap();
        let lines = ended.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let events = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
        events.map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Kills the client alone, and waits until everything that it had started has ended by itself.
    pub(crate) fn die(self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        self.process.finish(SOON).unwrap();
    }
}

/// The client on the Rust SDK, an example of this crate: built with its tests, beside the program.
fn rust_client() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_thoth")).parent().unwrap().join("examples").join("rmcp-client");
    assert!(beside.exists(), "`{}` is missing; run `cargo build -p thoth-cli --examples`", beside.display());
    beside
}

/// The text of an outcome that ran.
pub(crate) fn text_of(outcome: &Value) -> &str {
    outcome["result"]["content"][0]["text"].as_str().unwrap_or_default()
}

/// The refusal in an outcome.
pub(crate) fn refusal(outcome: &Value) -> Refusal {
    assert_eq!(outcome["event"], "error", "{outcome}");
    Refusal { code: outcome["error"]["code"].as_i64(), data: outcome["error"]["data"].clone() }
}

/// What a refusal says.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) code: Option<i64>,
    pub(crate) data: Value,
}

impl Refusal {
    pub(crate) fn text(&self, key: &str) -> &str {
        self.data[key].as_str().unwrap_or_default()
    }

    /// The hold of a call that a person can still approve.
    pub(crate) fn ticket(&self) -> HoldToken {
        assert_eq!((self.code, self.text("decision")), (Some(-32002), "STEP_UP"), "{self:?}");
        HoldToken::parse(self.text("hold_token")).unwrap()
    }

    /// Asserts that nobody can approve the call any more.
    pub(crate) fn denied(&self) {
        assert_eq!((self.code, self.text("reason_code")), (Some(-32001), "approval_denied"), "{self:?}");
    }
}

/// Waits for a condition that must come true; the deadline is only there to fail.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        // Others need the processor to make it true.
        std::thread::park_timeout(PAUSE);
    }
}
