//! The commands of the guide to a second machine, as they stand there: two homes, a real `thothd` with a certificate that vouches
//! for itself, a real MCP server, a person at a terminal. Only the name and the port of the guard are others.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::pty::Pty;
use thoth_testkit::stdio_peer::{Launch, StdioPeer};

const GUIDE: &str = include_str!("../../../docs/guide/enforcer.md");

/// Longer than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The rule of which the guide says: let it run in the laptop's policy to be asked once.
const WRITES_RUN: &str = "\n  - name: writes_run\n    match: {tool: write_file}\n    approval: auto\n    \
                          risk_level: low\n    override: [writes]\n";

/// The commands of the guide with the machine that each is for, in their order.
fn commands() -> Vec<(String, String)> {
    let blocks = GUIDE.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(|block| block.replace("\\\n", " ").lines().map(str::to_owned).collect::<Vec<_>>());
    lines
        .map(|line| {
            let (machine, command) = line.split_once("$ ").unwrap_or_else(|| panic!("no prompt: {line}"));
            (machine.to_owned(), command.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// A machine: a home, and what was set in its shell.
struct Machine {
    home: TempDir,
    set: Vec<String>,
}

impl Machine {
    fn new() -> Self {
        Self { home: tempfile::tempdir().unwrap(), set: Vec::new() }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.home.path().join(name)
    }

    /// A command in a shell at home, with nothing of the test's own environment.
    fn shell(&self, command: &str) -> Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_thoth")).parent().unwrap();
        for name in ["thothd", "thothctl"] {
            assert!(programs.join(name).exists(), "`{name}` is missing; run `cargo build --bins`");
        }
        let mut shell = Command::new("/bin/bash");
        shell.args(["-c", &format!("{}\nexec {command}", self.set.join("\n"))]);
        shell.env_clear().env("HOME", self.home.path()).env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
        shell.current_dir(self.home.path());
        shell
    }

    /// What a command says that ends well.
    fn done(&self, command: &str) -> String {
        let output = self.shell(command).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.success(), "{command}: {said}");
        said
    }

    fn ledger(&self, directory: &str) -> Vec<Value> {
        let tail = self.done(&format!("thoth audit tail --json -n 100000 {directory}"));
        tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A server that ends with the test.
struct Serving(Child);

impl Serving {
    /// Ends it as Ctrl-C does, and waits: it completes its ledger first.
    fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The agent on the laptop.
struct Agent {
    peer: StdioPeer,
    asked: u64,
}

impl Agent {
    fn start(laptop: &Machine, command: &str) -> Self {
        let shell = laptop.shell(command);
        let mut launch = Launch::new(["/usr/bin/env", "-i"]);
        for (name, value) in shell.get_envs() {
            let value = value.unwrap_or_default().to_string_lossy().into_owned();
            launch = launch.arg(format!("{}={value}", name.to_string_lossy()));
        }
        launch = launch.arg(shell.get_program());
        launch = shell.get_args().fold(launch, |launch, word| launch.arg(word)).in_dir(laptop.home.path());
        let mut agent = Self { peer: StdioPeer::spawn(&launch).unwrap(), asked: 0 };
        let client = json!({"name": "test", "version": "1"});
        agent.ask("initialize", &json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}));
        agent.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        agent.ask("tools/list", &json!({}));
        agent
    }

    fn say(&mut self, message: &Value) {
        self.peer.send(format!("{message}\n").as_bytes()).unwrap();
    }

    /// Asks, and does not wait.
    fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.asked += 1;
        let mut params = params.clone();
        params["_meta"] = json!({"progressToken": self.asked});
        self.say(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}));
        self.asked
    }

    /// The answer under this id.
    fn answer(&mut self, id: u64) -> Value {
        loop {
            let line = self.peer.receive(PATIENCE).unwrap();
            let line = line.unwrap_or_else(|| panic!("the session ended: {}", self.peer.complaints()));
            let line: Value = serde_json::from_slice(&line).unwrap();
            if line["id"] == id && line.get("method").is_none() {
                return line;
            }
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    fn read(&mut self, path: &Path) -> Value {
        self.ask("tools/call", &json!({"name": "read_text_file", "arguments": {"path": path}}))
    }
}

/// Waits until the guard lists a call: its name, as the guide writes it.
fn listed(guard: &Machine, command: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let said = guard.done(&command.replace("thothctl", "thothctl --json"));
        let list: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
        if let Some(hold) = list["data"][0]["id"].as_str() {
            assert!(guard.done(command).contains("write_file"), "a person sees what is asked");
            return hold.trim_start_matches("hold_").chars().take(8).collect();
        }
        assert!(Instant::now() < deadline, "{said}");
    }
}

/// What the guide says of each of its commands, where that is more than that it ends well.
struct Trial {
    machines: BTreeMap<&'static str, Machine>,
    port: String,
    serving: Option<Serving>,
    agent: Option<Agent>,
    /// The call that waits at the guard.
    waiting: Option<u64>,
    hold: String,
}

impl Trial {
    fn new() -> Self {
        let machines = BTreeMap::from([("guard", Machine::new()), ("laptop", Machine::new())]);
        let (port, hold) = (String::new(), String::new());
        Self { machines, port, serving: None, agent: None, waiting: None, hold }
    }

    fn carry(&self, file: &str) {
        fs::copy(self.machines["guard"].path(file), self.machines["laptop"].path(file)).unwrap();
    }

    /// The same words for a guard that is at this machine, at the port that it got, and a server that is installed.
    fn here(&self, command: &str) -> String {
        let installed = Fixtures::locate().unwrap().npm_server("server-filesystem").unwrap();
        let command = command.replace("0.0.0.0:8787", "127.0.0.1:0");
        let command = command.replace("guard.example:8787", &format!("localhost:{}", self.port));
        let command = command.replace("guard.example", "localhost").replace("f4f53892", &self.hold);
        command.replace("npx -y @modelcontextprotocol/server-filesystem", &format!("node {}", installed.display()))
    }

    fn run(&mut self, machine: &str, written: &str) {
        let command = self.here(written);
        let is = |start: &str| written.starts_with(start);
        let at = &self.machines[machine];
        if is("umask ") || is("export ") {
            self.machines.get_mut(machine).unwrap().set.push(command);
        } else if is("thothd serve ") {
            let mut child = at.shell(&command).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let out = child.stdout.take().unwrap();
            self.serving = Some(Serving(child));
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).unwrap();
            let (_, port) = line.trim().rsplit_once(':').unwrap_or_else(|| panic!("{line}"));
            assert!(line.contains("https://"), "{line}");
            port.clone_into(&mut self.port);
            self.carry("agent.key");
            self.carry("cert.pem");
            let trusts = "export THOTH_TLS_CA_BUNDLE=$HOME/cert.pem".to_owned();
            self.machines.values_mut().for_each(|machine| machine.set.push(trusts.clone()));
        } else if is("thoth run ") {
            self.begin(&command);
        } else if is("thothctl approvals list") {
            self.hold = listed(at, &command);
        } else if is("thothctl approvals approve ") {
            let mut terminal = Pty::spawn(&mut at.shell(&command), 100).unwrap();
            terminal.wait_for("Let this call through?").unwrap();
            terminal.keys("y\r").unwrap();
            let (status, seen) = terminal.finish().unwrap();
            assert!(status.success() && seen.contains("write_file"), "{seen}");
        } else {
            at.done(&command);
        }
    }

    /// The session on the laptop: what both allow runs, and what only the guard asks about waits there.
    fn begin(&mut self, command: &str) {
        let laptop = &self.machines["laptop"];
        fs::create_dir(laptop.path("work")).unwrap();
        fs::write(laptop.path("work/a.txt"), "hello").unwrap();
        let mut agent = Agent::start(laptop, command);
        let read = agent.read(&laptop.path("work/a.txt"));
        assert_eq!(read["result"]["content"][0]["text"], "hello", "{read}");
        let policy = laptop.path(".thoth/policy.yaml");
        let starter = fs::read_to_string(&policy).unwrap();
        agent.peer.finish(PATIENCE).unwrap();
        fs::write(&policy, starter + WRITES_RUN).unwrap();
        // A session that begins now has it from its first call on.
        let mut agent = Agent::start(laptop, command);
        let arguments = json!({"path": laptop.path("work/b.txt"), "content": "written"});
        self.waiting = Some(agent.begin("tools/call", &json!({"name": "write_file", "arguments": arguments})));
        self.agent = Some(agent);
    }
}

/// Defends: the guide. What it tells to type works, and comes of it what it says.
#[test]
fn the_guide_to_a_second_machine_works_behind_the_gate() {
    let commands = commands();
    assert_eq!(commands.len(), 10, "a command that is new in the guide is to be tried here: {commands:?}");
    let mut trial = Trial::new();
    for (machine, command) in &commands {
        trial.run(machine, command);
    }
    let (guard, laptop) = (&trial.machines["guard"], &trial.machines["laptop"]);
    let mut agent = trial.agent.take().unwrap();
    let written = agent.answer(trial.waiting.unwrap());
    assert!(written["result"]["content"].is_array(), "{written}");
    assert_eq!(fs::read_to_string(laptop.path("work/b.txt")).unwrap(), "written");
    let doctor = laptop.shell(&trial.here("env THOTH_ENFORCER_URL=https://guard.example:8787 thoth doctor")).output();
    let doctor = String::from_utf8(doctor.unwrap().stdout).unwrap();
    assert!(doctor.contains("can be reached"), "{doctor}");

    trial.serving.take().unwrap().stop();
    let refused = agent.read(&laptop.path("work/a.txt"));
    assert_eq!(refused["error"]["data"]["reason_code"], "enforcer_fallback_block", "{refused}");
    agent.peer.finish(PATIENCE).unwrap();

    let there = "~/.thoth/thothd/tenants/acme/ledger";
    for (machine, command) in
        [(laptop, "thoth audit verify".to_owned()), (guard, format!("thoth audit verify {there}"))]
    {
        assert!(GUIDE.replace('\n', " ").contains(&format!("`{command}`")), "{command}");
        machine.done(&command);
    }
    let decided = |events: &[Value]| -> Vec<[String; 3]> {
        let asked = events.iter().filter(|event| event["eventType"] == "TOOL_CALL_PRE");
        asked.map(|event| ["sessionId", "toolName", "decision"].map(|name| event[name].to_string())).collect()
    };
    // The laptop has one more: what was refused without the guard.
    let (here, there) = (decided(&laptop.ledger("")), decided(&guard.ledger(there)));
    let words: Vec<String> =
        there.iter().map(|[_, tool, decision]| format!("{tool} {decision}").replace('"', "")).collect();
    assert_eq!(words, ["read_text_file ALLOW", "write_file STEP_UP", "write_file ALLOW"]);
    assert_eq!(here[..3], there);
}
