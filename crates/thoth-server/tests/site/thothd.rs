//! A real `thothd` on a folder of its own, or on a database, plain HTTP to ask it with, and the published Python client in
//! front of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_testkit::fixtures::Fixtures;
use thoth_testkit::independent_verifier::verify_ledger;
use thoth_testkit::plain_http;
use thoth_testkit::postgres::cluster;

/// Longer than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, for what is done with it beside serving.
pub(crate) fn program(database: Option<&str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thothd"));
    command.env_remove("THOTHD_DATABASE_URL").envs(database.map(|url| ("THOTHD_DATABASE_URL", url)));
    command
}

/// The server.
pub(crate) struct Thothd {
    child: Child,
    address: String,
    data: TempDir,
    /// Where it keeps everything, if not in its folder.
    database: Option<String>,
    arguments: Vec<String>,
}

/// What it answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Thothd {
    /// Starts one under this policy, with these further arguments. The tests of `postgres.rs` are the same as others, on a
    /// database.
    pub(crate) fn start(policy: &str, arguments: &[&str]) -> Self {
        let on_database = env!("CARGO_CRATE_NAME") == "postgres";
        Self::on(on_database.then(|| cluster().database()), policy, arguments)
    }

    /// Starts one that keeps everything in this database.
    pub(crate) fn on(database: Option<String>, policy: &str, arguments: &[&str]) -> Self {
        let data = tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap();
        std::fs::write(data.path().join("policy.yaml"), policy).unwrap();
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let (child, address) = spawn(&data, database.as_deref(), &arguments, "127.0.0.1:0");
        Self { child, address, data, database, arguments }
    }

    /// Kills it, as a power cut would the process.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
        assert!(self.child.wait().unwrap().success());
    }

    /// Starts it again on the same folder, at the same address.
    pub(crate) fn again(&mut self) {
        (self.child, self.address) = spawn(&self.data, self.database.as_deref(), &self.arguments, &self.address);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn data(&self) -> &std::path::Path {
        self.data.path()
    }

    /// Makes a key beside the server.
    pub(crate) fn key(&self, tenant: &str, arguments: &[&str]) -> String {
        let made = program(self.database.as_deref())
            .args(["keys", "create", "--tenant", tenant, "--data"])
            .arg(self.data.path())
            .args(arguments)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap().trim().to_owned()
    }

    /// The events in a tenant's ledger, in order, once the server has ended: from the ledger itself or a copy of it, which
    /// somebody else's verifier has found good.
    pub(crate) fn ledger(&self, tenant: &str) -> Vec<String> {
        let copy = tempfile::tempdir().unwrap();
        let dir = if self.database.is_some() {
            let mut export = program(self.database.as_deref());
            export.args(["ledger", "export", "--tenant", tenant]).arg(copy.path());
            let exported = export.output().unwrap();
            assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
            copy.path().to_owned()
        } else {
            self.data.path().join("tenants").join(tenant).join("ledger")
        };
        let leaves = verify_ledger(&dir).unwrap().leaves;
        leaves.iter().map(|leaf| String::from_utf8_lossy(leaf).into_owned()).collect()
    }

    /// One request.
    pub(crate) fn ask(&self, method: &str, path: &str, key: &str, body: Option<&Value>) -> Reply {
        Self::try_ask(&self.address, method, path, key, body).expect("an answer")
    }

    /// One request to a server that may be dying.
    pub(crate) fn try_ask(address: &str, method: &str, path: &str, key: &str, body: Option<&Value>) -> Option<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = format!("authorization: Bearer {key}\r\ncontent-type: application/json\r\n");
        let text = plain_http::ask(address, (method, path), &headers, &body).ok()?;
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Reply { status, body: serde_json::from_str(body).unwrap_or(Value::Null) })
    }

    /// `thothctl`, which the tests of its own crate build beside ours, with this key: how it ended and what it said.
    pub(crate) fn thothctl(&self, key: &str, words: &[&str]) -> (Option<i32>, String) {
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_thothd")).with_file_name("thothctl");
        assert!(program.exists(), "`{}` is missing; run `cargo build -p thoth-ctl`", program.display());
        let mut command = Command::new(program);
        command.env_clear().env("THOTH_ORG_API_KEY", key).args(["--url", &self.url(), "--tenant-id", "acme"]);
        let output = command.args(words).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), said)
    }

    /// A person's answer to a held call.
    pub(crate) fn resolve(&self, key: &str, hold: &str, decision: &str) -> Reply {
        self.ask("POST", &format!("/acme/thoth/approvals/{hold}/resolve"), key, Some(&json!({ "decision": decision })))
    }
}

impl Drop for Thothd {
    fn drop(&mut self) {
        // It may be dead already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn spawn(data: &TempDir, database: Option<&str>, arguments: &[String], listen: &str) -> (Child, String) {
    let mut child = program(database)
        .args(["serve", "--listen", listen, "--data"])
        .arg(data.path())
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening at http://").expect(&line).to_owned();
    (child, address)
}

/// The published client, which makes one call after the other.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// What it says to the person in front of it.
    said: Receiver<String>,
    config: Value,
}

impl Client {
    pub(crate) fn start(site: &Thothd, key: &str) -> Self {
        let fixtures = Fixtures::locate().unwrap();
        let mut child = Command::new(fixtures.python_client().unwrap())
            .arg(fixtures.program("clients/published_client.py").unwrap())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, said) = sync_channel(10_000);
        std::thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).for_each(|line| drop(sender.try_send(line)));
        });
        let config = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": "dev@example.com", "api_url": site.url(), "api_key": key,
            "approved_scope": [], "step_up_poll_interval_seconds": 1, "step_up_timeout_minutes": 1,
        });
        Self { stdin: child.stdin.take(), stdout: BufReader::new(child.stdout.take().unwrap()), child, said, config }
    }

    /// The same with other settings, members of the client's own configuration.
    pub(crate) fn with(mut self, settings: &Value) -> Self {
        let own = self.config.as_object_mut().unwrap();
        own.extend(settings.as_object().unwrap().clone());
        self
    }

    /// Begins a call.
    pub(crate) fn send(&mut self, asked: &Value) {
        let mut line = json!({ "config": self.config });
        line.as_object_mut().unwrap().extend(asked.as_object().unwrap().clone());
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What came of it.
    pub(crate) fn told(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let said = || self.said.try_iter().collect::<Vec<_>>().join("\n");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no answer; it said:\n{}", said()))
    }

    /// A call from begin to end.
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        self.send(&json!({ "tool": tool, "args": arguments }));
        self.told()
    }

    /// Waits until the client polls a held call and says where it can be approved: the hold's name.
    pub(crate) fn waits_for(&self) -> String {
        loop {
            let line = self.said.recv_timeout(PATIENCE).expect("it says nothing of an approval");
            if let Some((_, url)) = line.split_once("https://approve.example/") {
                return url.trim().to_owned();
            }
        }
    }

    /// Ends it: what became of its events.
    pub(crate) fn end(mut self) -> Value {
        drop(self.stdin.take());
        self.told()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
