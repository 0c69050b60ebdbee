//! The demo's client: JSON-RPC lines over the pipes of a real `thoth run` child process.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use thoth_shell::exit::Failure;

#[derive(Debug)]
pub(crate) struct Client {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
    /// What the gate last asked the person in front of the client.
    question: Option<String>,
}

impl Client {
    /// Starts `thoth run` in front of the notes server. `directory` is its home and holds its ledger.
    pub(crate) fn start(directory: &Path, policy: &Path) -> Result<Self, Failure> {
        let problem = |error: &dyn std::fmt::Display| Failure::failed(format!("cannot start `thoth run`: {error}"));
        let thoth = std::env::current_exe().map_err(|e| problem(&e))?;
        let mut child = Command::new(&thoth)
            .args(["run", "--server-name", "notes", "--agent-id", "demo-agent", "--policy"])
            .arg(policy)
            .arg("--ledger")
            .arg(directory.join("ledger"))
            .arg("--")
            .arg(&thoth)
            .arg("demo-server")
            .env("THOTH_HOME", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What `thoth run` says of the refused frame is part of what the transcript shows already.
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| problem(&e))?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(problem(&"its pipes are missing"));
        };
        Ok(Self { child, stdin, stdout: BufReader::new(stdout), next_id: 0, question: None })
    }

    /// The handshake; returns the server's name and version as it tells them.
    pub(crate) fn initialize(&mut self) -> Result<String, Failure> {
        let answer = self.request(
            "initialize",
            &json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {"elicitation": {}},
                "clientInfo": {"name": "thoth-demo", "version": env!("CARGO_PKG_VERSION")},
            }),
        )?;
        self.send(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)?;
        let info = |key: &str| {
            answer.pointer(&format!("/result/{key}")).and_then(Value::as_str).unwrap_or("unknown").to_owned()
        };
        Ok(format!("{} {}, MCP {}", info("serverInfo/name"), info("serverInfo/version"), info("protocolVersion")))
    }

    pub(crate) fn request(&mut self, method: &str, params: &Value) -> Result<Value, Failure> {
        self.next_id += 1;
        let request = json!({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params});
        self.raw(request.to_string().as_bytes())
    }

    /// Sends one frame as it is and returns what it is answered with. A question that comes before is agreed to, as a
    /// person would in a client's dialogue.
    pub(crate) fn raw(&mut self, frame: &[u8]) -> Result<Value, Failure> {
        self.send(frame)?;
        loop {
            let mut line = String::new();
            self.stdout.read_line(&mut line).map_err(|e| lost(&e))?;
            let message: Value = serde_json::from_str(&line).map_err(|e| lost(&e))?;
            if message.get("method").and_then(Value::as_str) != Some("elicitation/create") {
                return Ok(message);
            }
            self.question = message.pointer("/params/message").and_then(Value::as_str).map(str::to_owned);
            let agreed = json!({"action": "accept", "content": {"decision": "allow once"}});
            let answer = json!({"jsonrpc": "2.0", "id": message.get("id"), "result": agreed});
            self.send(answer.to_string().as_bytes())?;
        }
    }

    /// What the gate asked since this was last looked at.
    pub(crate) fn take_question(&mut self) -> Option<String> {
        self.question.take()
    }

    fn send(&mut self, frame: &[u8]) -> Result<(), Failure> {
        self.stdin.write_all(&[frame, b"\n"].concat()).and_then(|()| self.stdin.flush()).map_err(|e| lost(&e))
    }

    /// Says goodbye as a client does, and waits.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        let status = child.wait().map_err(|e| lost(&e))?;
        if status.success() { Ok(()) } else { Err(lost(&status)) }
    }
}

fn lost(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the governed session broke off: {error}"))
}
