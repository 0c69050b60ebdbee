//! How the server starts where something is wrong, and how it stops where something waits.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail the test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thoth_testkit::plain_http;

const PROGRAM: &str = env!("CARGO_BIN_EXE_thothd");
/// Longer than anything here takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

fn folder() -> TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// Starts a server, by way of these words of a shell; where it listens.
fn serve(folder: &TempDir, shell: &str) -> (Child, String) {
    let mut child = Command::new("sh")
        .args(["-c", &format!("{shell} exec \"$0\" \"$@\""), PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening at http://").expect("an address").to_owned();
    (child, address)
}

fn send(address: &str, method: &str, path: &str, key: &str, body: &str) -> TcpStream {
    plain_http::send(address, (method, path), &format!("x-api-key: {key}\r\n"), body).unwrap()
}

fn whole(stream: TcpStream) -> String {
    plain_http::whole(stream).unwrap()
}

/// Whether the server has read what was sent, as the system has it: nothing is under way, and nothing waits to be read.
fn is_read(stream: &TcpStream) -> bool {
    let hex = |address: SocketAddr| format!(":{:04X}", address.port());
    let (ours, theirs) = (hex(stream.local_addr().unwrap()), hex(stream.peer_addr().unwrap()));
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
    // What an end of the established connection has sent and received that the other one has not taken.
    let queues = |near: &str, far: &str| {
        sockets.lines().find_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, remote, "01", queues, ..] = words[..] else { return None };
            (local.ends_with(near) && remote.ends_with(far)).then(|| queues.split_once(':')).flatten()
        })
    };
    let none = "00000000";
    queues(&ours, &theirs).is_some_and(|(sent, _)| sent == none)
        && queues(&theirs, &ours).is_some_and(|(_, received)| received == none)
}

/// Tells it to stop, and returns what it said.
fn stop(mut child: Child) -> String {
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    said
}

/// Whoever starts a server whose policy cannot be used reads so before the first call is refused.
#[test]
fn a_policy_that_cannot_be_used_is_told_at_the_start() {
    let folder = folder();
    std::fs::write(folder.path().join("policy.yaml"), "version: 7\n").unwrap();
    let (child, address) = serve(&folder, "");
    assert!(whole(send(&address, "GET", "/healthz", "", "")).starts_with("HTTP/1.1 200"));
    let said = stop(child);
    assert!(said.contains("every call is refused until it is fixed") && said.contains("policy.yaml:1:10"), "{said}");
}

/// A disk without room does not keep a server that has its policy from starting; it says that it is not ready.
#[test]
fn a_full_disk_is_no_reason_not_to_start() {
    let folder = folder();
    let (child, _) = serve(&folder, "");
    assert!(stop(child).contains("wrote a starter policy"));
    let made = Command::new(PROGRAM)
        .args(["keys", "create", "--tenant", "acme", "--organization", "--permission", "read", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(made.status.success());
    // With no room at all, and with some for the keys and none for what a call takes.
    for room in [0, 200] {
        let (child, address) = serve(&folder, &format!("trap '' XFSZ; ulimit -f {room};"));
        assert!(whole(send(&address, "GET", "/healthz", "", "")).starts_with("HTTP/1.1 200"));
        assert!(whole(send(&address, "GET", "/readyz", "", "")).starts_with("HTTP/1.1 503"), "{room}");
        let said = stop(child);
        assert!(said.contains(if room == 0 { "thothd.db" } else { "data directory cannot be written" }), "{said}");
    }
}

/// Defends: a poll that waits when the server is told to stop hears how the call stands, at once.
#[test]
fn a_waiting_poll_is_answered_when_the_server_stops() {
    let folder = folder();
    let policy = "version: \"1\"\ndefaults: { approval: approve }\n";
    std::fs::write(folder.path().join("policy.yaml"), policy).unwrap();
    let made = Command::new(PROGRAM)
        .args(["keys", "create", "--tenant", "acme", "--organization", "--permission", "execute", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    let key = String::from_utf8(made.stdout).unwrap();
    let (child, address) = serve(&folder, "");
    let question = r#"{"agent_id":"bot","tenant_id":"acme","user_id":"u","session_id":"s","approved_scope":[],
        "enforcement_mode":"block","session_tool_calls":[],"tool_name":"write","tool_args":{}}"#;
    let held = whole(send(&address, "POST", "/v1/enforce", key.trim(), question));
    let (_, token) = held.split_once("\"hold_token\":\"").expect("a hold");
    let (token, _) = token.split_once('"').unwrap();
    let path = format!("/v1/enforce/hold/{token}?wait=30");
    let waiting: Vec<TcpStream> = (0..3).map(|_| send(&address, "GET", &path, key.trim(), "")).collect();
    // One that was not read yet when the server stops is not waited for.
    let deadline = Instant::now() + PATIENCE;
    while !waiting.iter().all(is_read) {
        assert!(Instant::now() < deadline, "the polls are not read");
    }
    let began = Instant::now();
    let said = stop(child);
    // The polls would wait for thirty seconds.
    assert!(began.elapsed() < Duration::from_secs(25) && !said.contains("cut off"), "{:?} {said}", began.elapsed());
    for stream in waiting {
        let answer = whole(stream);
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"resolved\":false"), "{answer}");
    }
}
