//! `thothctl` as a person and as a script use it, against a small server that answers as the contract says.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use thoth_testkit::pty::Pty;

const KEY: &str = "thoth_org_sesame";
/// The same as a login.
const TOKEN: &str = "aa.bb.cc";

/// One request: method and target, and the body.
type Asked = (String, String);
type Answer = dyn Fn(&str, usize) -> (u16, Value) + Send + Sync;

/// Answers requests until the test ends, and keeps them. A request without the key or the token is not answered as wished.
struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// `answer` gets method and target, and how many requests came before.
    fn start(answer: impl Fn(&str, usize) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer, count): (_, Arc<Answer>, _) = (Arc::clone(&asked), Arc::new(answer), AtomicUsize::new(0));
        // It ends with the process of the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let number = count.fetch_add(1, Ordering::SeqCst);
                // A client of these tests is killed on purpose.
                drop(stream.and_then(|stream| serve(stream, &kept, &*answer, number)));
            }
        });
        Self { address, asked }
    }

    fn run(&self, words: &[&str]) -> Run {
        let output = self.command(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let run = Run {
            code: output.status.code().unwrap(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            asked: std::mem::take(&mut *self.asked.lock().unwrap()),
        };
        assert!(!format!("{}{}", run.stdout, run.stderr).contains(KEY), "the key is not repeated: {words:?}");
        run
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thothctl"));
        command.env_clear().stdin(Stdio::null());
        command.env("THOTH_GOVAPI_URL", format!("http://{}", self.address));
        command.env("THOTH_TENANT_ID", "acme").env("THOTH_ORG_API_KEY", KEY).args(words);
        command
    }
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<Asked>>, answer: &Answer, number: usize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut headers) = (String::new(), String::new());
    stream.read_line(&mut line)?;
    while !headers.ends_with("\r\n\r\n") {
        if stream.read_line(&mut headers)? == 0 {
            return Ok(());
        }
    }
    let headers = headers.to_ascii_lowercase();
    let length = headers.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body)?;
    let target = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let is_known = |credential: &&str| headers.contains(&format!("authorization: bearer {credential}\r\n"));
    let (status, answer) = if [KEY, TOKEN].iter().any(is_known) {
        answer(&target, number)
    } else {
        (401, fault("unauthorized", "no key"))
    };
    asked.lock().unwrap().push((target, String::from_utf8(body).unwrap()));
    let answer = answer.to_string();
    let length = answer.len();
    write!(stream.get_mut(), "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{answer}")
}

struct Run {
    code: i32,
    stdout: String,
    stderr: String,
    asked: Vec<Asked>,
}

impl Run {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{}{}", self.stdout, self.stderr))
    }

    fn targets(&self) -> Vec<&str> {
        self.asked.iter().map(|(target, _)| target.as_str()).collect()
    }
}

fn fault(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "requestId": "req_1" } })
}

fn hold(digits: &str, status: &str) -> Value {
    json!({
        "id": format!("hold_{digits}"), "status": status, "tool_name": "wire_money\u{1b}[2J", "agent_id": "billing",
        "reason": "rule `ask` wants a person", "risk_score": 62, "tool_args": { "amount": 100, "to": "\u{202e}x" },
        "approvals_required": 1, "expires_at": "2027-01-01T00:00:00Z"
    })
}

/// The same in a list, which leaves its arguments out.
fn listed(digits: &str, status: &str) -> Value {
    let Value::Object(mut members) = hold(digits, status) else { return Value::Null };
    members.remove("tool_args");
    members.insert("tool_args_bytes".to_owned(), json!(5000));
    members.into()
}

/// Its arguments, as they are shown.
const ARGUMENTS: &str = r#"  {
    "amount": 100,
    "to": "\u{202e}x"
  (what is written as \u{…} cannot be seen, moves other text, or looks like something else)
  }
  (1 character is not ASCII)
"#;

const ONE: &str = "1f0c0000000000000000000000000000";
const OTHER: &str = "1f0d0000000000000000000000000000";

fn desk() -> Server {
    Server::start(|target, _| match target {
        "GET /acme/thoth/approvals?page=1&per_page=200" => {
            (200, json!({ "data": [listed(ONE, "pending"), hold(OTHER, "denied")], "total": 2 }))
        }
        "GET /acme/thoth/approvals?page=1&per_page=200&status=pending" => {
            (200, json!({ "data": [hold(ONE, "pending")], "total": 1 }))
        }
        target if target == format!("GET /acme/thoth/approvals/hold_{ONE}") => (200, hold(ONE, "pending")),
        target if target.ends_with("/resolve") && target.contains(OTHER) => (409, fault("conflict", "it is denied")),
        target if target.ends_with("/resolve") => (200, hold(ONE, "approved")),
        _ => (404, fault("not_found", "no such page")),
    })
}

/// Held calls are listed, shown with their arguments, and answered by the first digits of their names. What came from
/// outside cannot talk to the terminal.
#[test]
fn holds_are_shown_and_answered() {
    let desk = desk();
    let list = desk.run(&["approvals", "list"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    assert!(
        list.stdout.contains("1f0c0000  pending") && list.stdout.contains(r"wire_money\u{1b}[2J"),
        "{}",
        list.stdout
    );
    assert!(!list.stdout.contains('\u{1b}'), "{}", list.stdout);
    let all = desk.run(&["approvals", "list", "--status", "all", "--json"]);
    assert_eq!(all.json()["total"], 2);

    let show = desk.run(&["approvals", "show", "1f0c"]);
    let arguments = show.stdout.split_once("\narguments\n").map(|(_, arguments)| arguments);
    assert_eq!(arguments, Some(ARGUMENTS), "{}", show.stdout);
    assert!(show.stdout.contains(r"wire_money\u{1b}[2J") && !show.stdout.contains('\u{1b}'), "{}", show.stdout);

    let approved = desk.run(&["approvals", "approve", "1f0c", "--yes", "--reason", "known payee"]);
    assert_eq!(
        (approved.code, approved.stdout.as_str()),
        (0, &*format!("hold_{ONE}: approved\n")),
        "{}",
        approved.stderr
    );
    let (target, body) = approved.asked.last().unwrap();
    assert_eq!(*target, format!("POST /acme/thoth/approvals/hold_{ONE}/resolve"));
    assert_eq!(body, r#"{"decision":"approve","reason":"known payee"}"#);
    let denied = desk.run(&["approvals", "deny", &format!("hold_{ONE}"), "--json"]);
    assert_eq!(denied.json()["id"], format!("hold_{ONE}"));
    assert_eq!(denied.asked.last().unwrap().1, r#"{"decision":"deny"}"#);
}

/// Defends: nothing is answered without certainty about which call, nor approved where nobody was asked.
#[test]
fn what_is_not_answered() {
    let desk = desk();
    for (words, code, said) in [
        (&["approvals", "approve", "1f0c"][..], 2, "say --yes"),
        (&["approvals", "approve", "1f0", "--yes"], 2, "too short"),
        (&["approvals", "approve", "1f0c", "77ab", "--yes"], 1, "there is no hold `77ab`"),
        (&["approvals", "deny", "abcd"], 1, "there is no hold `abcd`"),
    ] {
        let run = desk.run(words);
        assert_eq!(run.code, code, "{words:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{words:?}: {}", run.stderr);
        assert!(run.targets().iter().all(|target| target.starts_with("GET ")), "{words:?}: {:?}", run.targets());
    }
    let late = desk.run(&["approvals", "deny", "1f0d"]);
    assert_eq!(late.code, 1);
    assert!(late.stderr.contains("(conflict): it is denied") && late.stderr.contains("hint: "), "{}", late.stderr);
    let late = desk.run(&["--json", "approvals", "deny", "1f0d"]).json();
    assert_eq!(
        (&late["code"], &late["status"], &late["request_id"]),
        (&json!("conflict"), &json!(409), &json!("req_1"))
    );

    let twins = Server::start(|_, _| {
        (200, json!({ "data": [hold(ONE, "pending"), hold(&ONE.replace("c0", "c1"), "pending")], "total": 2 }))
    });
    let run = twins.run(&["approvals", "approve", "1f0c", "--yes"]);
    assert!(run.code == 1 && run.stderr.contains("several holds begin with"), "{}", run.stderr);
    assert_eq!(run.asked.len(), 1);
}

/// Defends: a person sees the call before the question, and only what is typed after it counts as an answer.
#[test]
fn a_person_is_asked() {
    let desk = desk();
    for (keys, code, posts) in [("n\n", 1, 0), ("\n", 1, 0), ("yup\n", 1, 0), ("\u{4}", 1, 0), ("y\n", 0, 1)] {
        let mut command = desk.command(&["approvals", "approve", "1f0c"]);
        let mut terminal = Pty::spawn(&mut command, 100).unwrap();
        terminal.wait_for("[y/N] ").unwrap();
        terminal.keys(keys).unwrap();
        let (status, seen) = terminal.finish().unwrap();
        assert_eq!(status.code(), Some(code), "{keys:?}: {seen}");
        let before = seen.split("[y/N]").next().unwrap().replace('\r', "");
        assert!(before.contains(ARGUMENTS), "{seen}");
        let asked = std::mem::take(&mut *desk.asked.lock().unwrap());
        assert_eq!(asked.iter().filter(|(target, _)| target.starts_with("POST")).count(), posts, "{keys:?}");
    }
}

fn row(id: &str) -> Value {
    json!({
        "id": id, "name": "ci", "scope_level": "agent", "scope_target_id": "billing", "permissions": ["execute"],
        "created_at": "2026-01-01T00:00:00.123Z"
    })
}

/// Keys are made for exactly one scope; the text is shown once, or goes to a file that only its owner can read.
#[test]
fn keys_are_made_listed_and_taken_back() {
    let server = Server::start(|target, _| match target {
        "POST /acme/thoth/api-keys" => {
            let mut created = row("key_1");
            created["api_key"] = json!("thoth_live_new");
            (201, created)
        }
        "GET /acme/thoth/api-keys" => {
            let mut revoked = row("key_2");
            revoked["revoked_at"] = json!("2026-02-01T00:00:00Z");
            let mut expired = row("key_3");
            expired["expires_at"] = json!("2026-02-01T00:00:00Z");
            (200, json!({ "api_keys": [row("key_1"), revoked, expired], "total": 3 }))
        }
        "DELETE /acme/thoth/api-keys/key_1" => (200, row("key_1")),
        _ => (404, fault("not_found", "no such key")),
    });
    let create = ["keys", "create", "--agent-id", "billing", "--permission", "execute", "--ttl-seconds", "60"];
    let shown = server.run(&create);
    assert_eq!((shown.code, shown.stdout.as_str()), (0, "thoth_live_new\n"), "{}", shown.stderr);
    assert_eq!(
        shown.asked[0].1,
        r#"{"scope_level":"agent","scope_target_id":"billing","permissions":["execute"],"ttl_seconds":60}"#
    );
    assert_eq!(server.run(&[&create[..], &["--json"]].concat()).json()["api_key"], "thoth_live_new");

    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("key.json");
    let out_flag = [&create[..], &["--out", out.to_str().unwrap()]].concat();
    let kept = server.run(&out_flag);
    assert!(kept.code == 0 && !kept.stdout.contains("thoth_live_new"), "{}{}", kept.stdout, kept.stderr);
    assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    let file: Value = serde_json::from_str(&fs::read_to_string(&out).unwrap()).unwrap();
    assert_eq!(file, json!({ "api_key": "thoth_live_new", "key_id": "key_1" }));
    let again = server.run(&out_flag);
    assert!(again.code == 1 && again.asked.is_empty(), "no key is made that cannot be kept: {}", again.stderr);

    for wrong in [
        &["keys", "create", "--permission", "read"][..],
        &["keys", "create", "--organization", "--agent-id", "a", "--permission", "read"],
        &["keys", "create", "--organization"],
        &["keys", "create", "--organization", "--permission", "root"],
    ] {
        let run = server.run(wrong);
        assert!(run.code == 2 && run.asked.is_empty(), "{wrong:?}: {}", run.stderr);
    }
    let list = server.run(&["api-keys", "list"]);
    for words in ["key_1  valid", "key_2  revoked", "key_3  expired", "agent billing", "2026-01-01 00:00:00Z"] {
        assert!(list.stdout.contains(words), "{words}: {}", list.stdout);
    }
    assert_eq!(server.run(&["keys", "revoke", "key_1"]).stdout, "revoked key_1\n");
    let unknown = server.run(&["keys", "revoke", "key_9"]);
    assert!(unknown.code == 1 && unknown.stderr.contains("no such key"), "{}", unknown.stderr);
}

fn event(number: usize) -> Value {
    json!({
        "event_id": format!("acme:{number}"), "tenant_id": "acme", "session_id": "s", "event_type": "TOOL_CALL_PRE",
        "tool_name": format!("tool-{number}"), "occurred_at": "2026-01-01T00:00:00Z"
    })
}

/// Events are filtered by the server, and followed: each once, in order, also where more came than one page has.
#[test]
fn events_are_listed_and_followed() {
    let server = Server::start(|_, _| (200, json!({ "data": [event(2), event(1)], "next_cursor": "c1" })));
    let list = server.run(&["events", "list", "--agent-id", "a&b", "--type", "TOOL_CALL_PRE", "--limit", "2"]);
    assert_eq!(list.targets(), ["GET /acme/thoth/events?agent_id=a%26b&event_type=TOOL_CALL_PRE&limit=2"]);
    assert!(list.stdout.contains("tool-2") && list.stderr.contains("--cursor c1"), "{}{}", list.stdout, list.stderr);
    assert_eq!(server.run(&["events", "list", "--json"]).json()["data"][1]["tool_name"], "tool-1");

    // Pages of two. At first there are three events, and five more come before the second look.
    let server = Server::start(|target, number| {
        let newest = if number == 0 { 3 } else { 8 };
        let from = target
            .split("cursor=")
            .nth(1)
            .map_or(newest, |rest| rest.split('&').next().unwrap().parse::<usize>().unwrap());
        let data: Vec<Value> = (1..=from).rev().take(2).map(event).collect();
        (200, json!({ "data": data, "next_cursor": (from > 2).then(|| (from - 2).to_string()) }))
    });
    let follow = ["events", "list", "--follow", "--json", "--limit", "2", "--interval-seconds", "1"];
    let mut child = server.command(&follow).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let tools: Vec<Value> =
        lines.take(7).map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["tool_name"].clone()).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(tools, ["tool-2", "tool-3", "tool-4", "tool-5", "tool-6", "tool-7", "tool-8"]);
}

/// Every refusal says what happened and what to do, and ends with its code; nothing is sent in plain text over the
/// network, and no key is taken from the command line.
#[test]
fn refusals_are_explained() {
    for (status, body, words) in [
        (401, fault("key_expired", "the key's time is over"), "(key_expired): the key's time is over"),
        (403, fault("forbidden", "not with this key"), "lists take `read`, changes `write`"),
        (404, json!({}), "check the id, --tenant-id and --url"),
        (500, fault("internal_error", "\u{1b}[31mbroken"), r"\u{1b}[31mbroken"),
        (200, json!("hello"), "is not what the contract says"),
        (302, json!({}), "status 302"),
    ] {
        let server = Server::start(move |_, _| (status, body.clone()));
        let run = server.run(&["keys", "list"]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{status}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{status}: {}", run.stderr);
    }
    let server = Server::start(|_, _| (200, json!({ "api_keys": [], "total": 0 })));
    for (changes, code, words) in [
        (&[("THOTH_GOVAPI_URL", "")][..], 2, "say --url, or set THOTH_GOVAPI_URL"),
        (&[("THOTH_GOVAPI_URL", "http://example.com")], 1, "http:// is for a server on this machine"),
        (&[("THOTH_TENANT_ID", "")], 2, "say --tenant-id"),
        (&[("THOTH_TENANT_ID", "..")], 1, "has no such path"),
        (&[("THOTH_ORG_API_KEY", "")], 2, "there is no API key"),
        (&[("THOTH_ORG_API_KEY", "two words")], 2, "this is not an API key"),
        (&[("THOTH_ORG_API_KEY", ""), ("THOTH_API_KEY", "thoth_live_other")], 1, "status 401"),
        (&[("THOTH_ORG_API_KEY", ""), ("THOTH_API_KEY_FILE", "/nonexistent")], 1, "does not exist"),
        (&[("THOTH_ADMIN_BEARER_TOKEN", "a.b.c")], 2, "has both an API key and THOTH_ADMIN_BEARER_TOKEN"),
        (&[("THOTH_ORG_API_KEY", ""), ("THOTH_ADMIN_BEARER_TOKEN", "a.b.c")], 1, "status 401"),
        (&[("THOTH_ORG_API_KEY", ""), ("THOTH_ADMIN_BEARER_TOKEN", "thoth_org_key")], 2, "is no token of a login"),
        (&[("THOTH_ORG_API_KEY", ""), ("THOTH_ADMIN_BEARER_TOKEN_FILE", "/nonexistent")], 1, "does not exist"),
        (&[("THOTH_TLS_PINNED_CERT_SHA256", "x")], 1, "correct or unset THOTH_TLS_VERIFY"),
    ] {
        let output = server.command(&["keys", "list"]).envs(changes.iter().copied()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{changes:?}: {stderr}");
        assert!(stderr.contains(words), "{changes:?}: {stderr}");
    }
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("key");
    fs::write(&file, format!("{{\"api_key\": \"{KEY}\"}}")).unwrap();
    let words = ["keys", "list", "--api-key-file", file.to_str().unwrap()];
    let output = server.command(&words).env("THOTH_ORG_API_KEY", "thoth_org_other").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "a file that is named counts before the environment");
    // The token of a login, from a variable or from a file that nobody else can read.
    let token = scratch.path().join("token");
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    for (mode, variable, value, code) in [
        (0o600, "THOTH_ADMIN_BEARER_TOKEN", TOKEN, 0),
        (0o600, "THOTH_ADMIN_BEARER_TOKEN_FILE", token.to_str().unwrap(), 0),
        (0o644, "THOTH_ADMIN_BEARER_TOKEN_FILE", token.to_str().unwrap(), 1),
    ] {
        fs::set_permissions(&token, fs::Permissions::from_mode(mode)).unwrap();
        let output =
            server.command(&["keys", "list"]).env("THOTH_ORG_API_KEY", "").env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{variable}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
