//! `thoth approvals watch` in a real terminal, and the desktop's notifications, on calls that a real `thoth run` holds.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use thoth_store::{Hold, HoldState, Holds as _, SqliteHolds};
use thoth_testkit::bypass::call;
use thoth_testkit::gated::Gated;
use thoth_testkit::pty::Pty;
use thoth_testkit::session_bus::{Behaviour, SessionBus};
use thoth_testkit::stdio_peer::{Launch, StdioPeer};
use thoth_types::Channel;

const SOON: Duration = Duration::from_secs(60);

const POLICY: &str = r#"version: "1"
defaults: { approval: auto, risk_level: low }
rules:
  - { name: ask, match: { tool: "*" }, approval: approve, risk_level: high }
"#;

/// What leaves the other screen of a terminal, and shows the cursor.
const GIVEN_BACK: [&str; 2] = ["\u{1b}[?1049l", "\u{1b}[?25h"];

struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn holds(&self) -> Vec<Hold> {
        SqliteHolds::new(self.home().join("state.db"), self.folder.path().join("ledger")).list().unwrap()
    }

    /// A session whose server writes down what it reads, under a client of its own.
    fn session(&self, bus: Option<&SessionBus>) -> StdioPeer {
        let mut gated = Gated::prepare(env!("CARGO_BIN_EXE_thoth"), self.folder.path(), POLICY).unwrap();
        for flag in ["--server-name", "files", "--agent-id", "agent-7", "--approval", "ticket"] {
            gated = gated.flag(flag);
        }
        let server = Launch::new(["sh", "-c", "cat >> read-by-the-server"]).in_dir(self.folder.path());
        let client = Launch::new(["timeout", "600"]);
        let mut launch = server.behind(&gated.launch()).behind(&client);
        if let Some(bus) = bus {
            launch = launch.env("DBUS_SESSION_BUS_ADDRESS", bus.address());
        }
        let mut peer = StdioPeer::spawn(&launch).unwrap();
        let hello = json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
        peer.send(format!("{hello}\n").as_bytes()).unwrap();
        peer
    }

    fn calls(&self, tools: &[&str]) {
        let mut peer = self.session(None);
        for (id, tool) in (0..).zip(tools) {
            peer.send(&call(id, tool, r#"{"path":"/srv/a b"}"#)).unwrap();
        }
        peer.finish(SOON).unwrap();
    }

    fn went_out(&self, tool: &str) -> usize {
        let read = std::fs::read_to_string(self.folder.path().join("read-by-the-server")).unwrap_or_default();
        read.matches(&format!(r#""name":"{tool}""#)).count()
    }

    fn watch(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thoth"));
        command.args(["approvals", "watch"]).env("THOTH_HOME", self.home()).env("TERM", "xterm").stdin(Stdio::null());
        command
    }

    fn event(&self, kind: &str) -> Vec<Value> {
        let ledger = self.folder.path().join("ledger");
        let output = Command::new(env!("CARGO_BIN_EXE_thoth"))
            .args(["audit", "tail", "--json", "-n", "1000"])
            .arg(ledger)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["eventType"] == kind).collect()
    }
}

fn assert_given_back(seen: &str) {
    for sequence in GIVEN_BACK {
        assert!(seen.contains(sequence), "{seen:?}");
    }
}

fn end(terminal: Pty) -> (ExitStatus, String) {
    terminal.finish().unwrap()
}

/// Defends: what a person approves on the screen lets that call out, once, and both being shown and the answer are in the
/// ledger.
#[test]
fn a_call_is_approved_and_another_denied() {
    let machine = Machine::new();
    machine.calls(&["write_file", "remove_file"]);
    let mut terminal = Pty::spawn(&mut machine.watch(), 100).unwrap();
    terminal.wait_for("write_file").unwrap();
    terminal.keys("a").unwrap();
    terminal.wait_for("Approve write_file on files").unwrap();
    terminal.keys("y").unwrap();
    terminal.wait_for("approved by").unwrap();
    terminal.keys("jd").unwrap();
    terminal.wait_for("Deny remove_file on files").unwrap();
    terminal.keys("y").unwrap();
    terminal.wait_for("denied by").unwrap();
    terminal.keys("q").unwrap();
    let (status, seen) = end(terminal);
    assert_eq!(status.code(), Some(0), "{seen}");
    assert_given_back(&seen);
    let state = |tool: &str| machine.holds().iter().find(|hold| &*hold.tool == tool).unwrap().state;
    assert_eq!((state("write_file"), state("remove_file")), (HoldState::Approved, HoldState::Denied));
    assert!(machine.holds().iter().all(|hold| hold.shown.contains(&Channel::Terminal)));
    machine.calls(&["write_file", "write_file", "remove_file"]);
    assert_eq!((machine.went_out("write_file"), machine.went_out("remove_file")), (1, 0));
    let shown = machine.event("HOLD_SHOWN").iter().filter(|event| event.to_string().contains("terminal")).count();
    assert_eq!((shown, machine.event("HOLD_RESOLVED").len()), (2, 2));
}

/// Defends: the terminal is as it was, whatever ends the queue.
#[test]
fn signals_give_the_terminal_back() {
    let machine = Machine::new();
    machine.calls(&["write_file"]);
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129), ("QUIT", 131)] {
        let script = "exec 3<&0; before=$(stty -g <&3); \"$0\" approvals watch <&3 & echo \"pid=$!;\"; wait $!; \
                      echo \"code=$?;\"; [ \"$before\" = \"$(stty -g <&3)\" ] && echo as-it-was";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_thoth")]).env("THOTH_HOME", machine.home()).env("TERM", "xterm");
        // Of a command in the background, shells have SIGINT and SIGQUIT ignored.
        let mut terminal = Pty::spawn(&mut shell, 80).unwrap();
        terminal.wait_for("pid=").unwrap();
        terminal.wait_for("quit").unwrap();
        let seen = terminal.seen();
        let id = seen.split_once("pid=").and_then(|(_, rest)| rest.split_once(';')).unwrap().0.to_owned();
        let killed = Command::new("kill").args(["-s", signal, &id]).status().unwrap();
        assert!(killed.success());
        let (_, seen) = end(terminal);
        assert_given_back(&seen);
        assert!(seen.contains(&format!("code={code};")) && seen.contains("as-it-was"), "{signal}: {seen}");
    }
}

/// Defends: a queue whose window was closed does not run on, and on.
#[test]
fn it_ends_with_its_terminal() {
    let machine = Machine::new();
    let mut terminal = Pty::spawn(&mut machine.watch(), 80).unwrap();
    terminal.wait_for("quit").unwrap();
    let status = terminal.hang_up().unwrap();
    assert_eq!(status.signal(), Some(1), "{status}");
}

#[test]
fn without_a_terminal_it_points_to_what_scripts_use() {
    let machine = Machine::new();
    let output = machine.watch().output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("thoth approvals list --json"), "{text}");
    assert!(!machine.home().join("state.db").exists());
}

/// Defends: a held call is announced on the desktop without its arguments, and it is in the ledger that it was.
#[test]
fn a_held_call_is_announced() {
    let machine = Machine::new();
    let bus = SessionBus::start(Behaviour::Answers);
    let mut peer = machine.session(Some(&bus));
    let tool = r"<b>del\u0065te</b>\u001b[31m\u202e";
    peer.send(&call(1, tool, r#"{"path":"/srv/secret"}"#)).unwrap();
    let shown = bus.next();
    let id = machine.holds()[0].token.short().to_owned();
    assert_eq!(shown.summary, r#"Approval needed: "\u{3c}b\u{3e}delete\u{3c}/b\u{3e}\u{1b}[31m\u{202e}" on files"#);
    assert_eq!(shown.body, format!("In a terminal: thoth approvals show {id}"));
    // Its record follows the desktop's answer; the next announcement follows the record.
    peer.send(&call(2, tool, r#"{"path":"/srv/secret"}"#)).unwrap();
    peer.send(&call(3, "other", "{}")).unwrap();
    assert_eq!(bus.next().summary, "Approval needed: other on files");
    peer.finish(SOON).unwrap();
    assert!(bus.rest().is_empty(), "the same hold is not announced twice");
    let hold = machine.holds().into_iter().find(|hold| hold.token.short() == id).unwrap();
    assert!(hold.shown.contains(&Channel::Notification), "{:?}", hold.shown);
    assert!(machine.event("HOLD_SHOWN").iter().any(|event| event.to_string().contains("notification")));
}

/// Defends: a desktop that does not answer keeps nobody, and is not taken for one that has shown anything.
#[test]
fn no_desktop_is_no_failure() {
    let machine = Machine::new();
    for behaviour in [Behaviour::Absent, Behaviour::Refuses, Behaviour::Hangs] {
        let bus = SessionBus::start(behaviour);
        let mut peer = machine.session(Some(&bus));
        peer.send(&call(1, "write_file", &json!({"n": format!("{behaviour:?}")}).to_string())).unwrap();
        let ended = peer.finish(SOON).unwrap();
        assert!(String::from_utf8(ended.stdout).unwrap().contains("-32002"), "{behaviour:?}");
    }
    assert!(machine.holds().iter().all(|hold| !hold.shown.contains(&Channel::Notification)));
}
