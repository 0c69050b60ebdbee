//! A data directory copied while its server works, and brought back: nothing is lost, nothing is half there.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test"
)]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_testkit::independent_verifier::verify_ledger;
use thoth_testkit::plain_http;

const PROGRAM: &str = env!("CARGO_BIN_EXE_thothd");
const POLICY: &str = "version: \"1\"\nrules:\n  - { match: { tool: \"read*\" }, approval: auto }\n  \
                      - { match: { tool: \"write*\" }, approval: approve }\n";

fn folder() -> TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// How it ended, and what it said on both.
fn run(arguments: &[&str]) -> (Option<i32>, String) {
    let run = Command::new(PROGRAM).args(arguments).env_remove("THOTHD_DATABASE_URL").output().unwrap();
    let said = [run.stdout, run.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (run.status.code(), said)
}

fn key(data: &Path, permissions: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.args(["keys", "create", "--tenant", "acme", "--organization", "--data"]).arg(data);
    for permission in permissions {
        command.args(["--permission", permission]);
    }
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

struct Site {
    child: Child,
    address: String,
}

impl Site {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--enforce-per-minute", "1000000", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening at http://").expect(&line).to_owned();
        Self { child, address }
    }

    fn ask(&self, method: &str, path: &str, key: &str, body: &str) -> Value {
        let text = plain_http::ask(&self.address, (method, path), &format!("x-api-key: {key}\r\n"), body).unwrap();
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).expect(&text)
    }

    fn enforce(&self, key: &str, tool: &str, number: u64) -> Value {
        let asked = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
            "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool, "tool_args": { "n": number },
        });
        self.ask("POST", "/v1/enforce", key, &asked.to_string())
    }

    fn stop(mut self) {
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The numbers of the calls that stand in a ledger, by somebody else's verifier.
fn numbers(ledger: &Path) -> Vec<u64> {
    let leaves = verify_ledger(ledger).unwrap().leaves;
    let number = |leaf: &Vec<u8>| {
        let event: Value = serde_json::from_slice(leaf).unwrap();
        let is_call = event["eventType"] == "TOOL_CALL_PRE" && event["toolName"] == "read";
        let content = event["content"].as_str().filter(|_| is_call)?;
        serde_json::from_str::<Value>(content).unwrap()["n"].as_u64()
    };
    leaves.iter().filter_map(number).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Defends: a backup under load has every call that was answered before it, verifies, is private, and comes back elsewhere
/// as a server that knows its keys, its held calls and its ledger.
#[test]
fn a_busy_server_is_copied_and_comes_back() {
    let home = folder();
    let (data, copy, back) = (home.path().join("data"), home.path().join("copy"), home.path().join("back"));
    std::fs::DirBuilder::new().create(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(data.join("policy.yaml"), POLICY).unwrap();
    let (agent, person) = (key(&data, &["execute"]), key(&data, &["read", "write"]));
    let site = Site::start(&data);
    let held = site.enforce(&agent, "write", 0);
    let token = held["hold_token"].as_str().expect("a hold").to_owned();
    let stop = AtomicBool::new(false);
    let (answered, said) = std::thread::scope(|scope| {
        let (site, agent, stop) = (&site, &agent, &stop);
        let load = scope.spawn(move || {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(site.enforce(agent, "read", number)["decision"], "ALLOW");
                number += 1;
            }
            number
        });
        for number in 1000..1100 {
            assert_eq!(site.enforce(agent, "read", number)["decision"], "ALLOW");
        }
        let said = run(&["backup", "--data", text(&data), text(&copy)]);
        stop.store(true, Ordering::Relaxed);
        (load.join().unwrap(), said)
    });
    assert!(said.0 == Some(0) && said.1.contains("acme: ") && said.1.contains("verified"), "{said:?}");
    site.stop();
    for path in ["", "thothd.db", "tenants/acme/state.db", "tenants/acme/keys/ledger-signing.key"] {
        let mode = std::fs::metadata(copy.join(path)).unwrap().permissions().mode() & 0o077;
        assert_eq!(mode, 0, "{path}");
    }
    let said = run(&["backup", "--data", text(&data), text(&copy)]);
    assert!(said.0 == Some(1) && said.1.contains("not empty"), "{said:?}");
    // Somewhere else, with the first one gone.
    std::fs::remove_dir_all(&data).unwrap();
    let said = run(&["restore", "--data", text(&back), text(&copy)]);
    assert_eq!(said.0, Some(0), "{said:?}");
    let again = Site::start(&back);
    assert_eq!(again.enforce(&agent, "read", 5000)["decision"], "ALLOW");
    let path = format!("/acme/thoth/approvals/{token}/resolve");
    assert_eq!(again.ask("POST", &path, &person, r#"{"decision":"approve"}"#)["status"], "approved");
    let poll = format!("/v1/enforce/hold/{token}");
    assert_eq!(again.ask("GET", &poll, &agent, "")["resolved"], true);
    again.stop();
    let found = numbers(&back.join("tenants/acme/ledger"));
    assert!((1000..1100).all(|number| found.contains(&number)), "{found:?}");
    // Of what went on meanwhile, what came first.
    let rest: Vec<u64> = found.iter().copied().filter(|number| *number < 1000).collect();
    assert!(rest.iter().zip(0..answered).all(|(found, number)| *found == number), "{rest:?}");
    assert!(found.contains(&5000), "{found:?}");
    let said = run(&["restore", "--data", text(&back), text(&copy)]);
    assert!(said.0 == Some(1) && said.1.contains("not empty"), "{said:?}");
    assert_eq!(names(home.path()), ["back", "copy"]);
}

/// A copy of a small server, and the folder that has both.
fn copied() -> (TempDir, std::path::PathBuf) {
    let home = folder();
    let (data, copy) = (home.path().join("data"), home.path().join("copy"));
    std::fs::DirBuilder::new().create(&data).unwrap();
    std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(data.join("policy.yaml"), POLICY).unwrap();
    let agent = key(&data, &["execute"]);
    let site = Site::start(&data);
    for number in 0..300 {
        site.enforce(&agent, "read", number);
    }
    site.stop();
    assert_eq!(run(&["backup", "--data", text(&data), text(&copy)]).0, Some(0));
    (home, copy)
}

/// Defends: a copy that lacks anything or was changed anywhere makes no data directory.
#[test]
fn a_damaged_copy_makes_nothing() {
    let (home, copy) = copied();
    let ledger = copy.join("tenants/acme/ledger/checkpoint");
    let manifest = std::fs::read_to_string(copy.join("backup.json")).unwrap();
    let good = [("thothd.db", std::fs::read(copy.join("thothd.db")).unwrap())];
    let back = home.path().join("back");
    let refused = |what: &str, code: i32| {
        let said = run(&["restore", "--data", text(&back), text(&copy)]);
        assert!(said.0 == Some(code), "{what}: {said:?}");
        assert!(!back.exists(), "{what}");
        assert_eq!(names(home.path()), ["copy", "data"], "{what}");
    };
    for byte in [0, 5000, good[0].1.len() - 1] {
        let mut bytes = good[0].1.clone();
        bytes[byte] ^= 1;
        std::fs::write(copy.join("thothd.db"), bytes).unwrap();
        refused("a changed database", 4);
    }
    std::fs::write(copy.join("thothd.db"), &good[0].1).unwrap();
    let checkpoint = std::fs::read(&ledger).unwrap();
    std::fs::remove_file(&ledger).unwrap();
    refused("a missing checkpoint", 1);
    // Somebody who also writes the list anew: the ledger tells.
    let mut bytes = checkpoint.clone();
    bytes[checkpoint.len() - 10] ^= 1;
    std::fs::write(&ledger, &bytes).unwrap();
    let digest = |bytes: &[u8]| {
        use sha2::Digest as _;
        sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let forged = manifest.replace(&digest(&checkpoint), &digest(&bytes));
    assert_ne!(forged, manifest);
    std::fs::write(copy.join("backup.json"), forged).unwrap();
    refused("a forged checkpoint", 4);
    std::fs::write(&ledger, &checkpoint).unwrap();
    for (from, to) in [("\"thothd.db\"", "\"../thothd.db\""), ("\"format\": 1", "\"format\": 2"), ("{", "[")] {
        std::fs::write(copy.join("backup.json"), manifest.replacen(from, to, 1)).unwrap();
        refused(to, 4);
    }
    std::fs::write(copy.join("backup.json"), &manifest).unwrap();
    assert_eq!(run(&["restore", "--data", text(&back), text(&copy)]).0, Some(0));
    let nothing = run(&["backup", "--data", text(&home.path().join("new")), text(&home.path().join("x"))]);
    assert!(nothing.0 == Some(1) && nothing.1.contains("no data directory of thothd"), "{nothing:?}");
    let database = run(&["backup", "--database-url", "postgres://h/d", text(&home.path().join("x"))]);
    assert!(database.0 == Some(2) && database.1.contains("pg_dump"), "{database:?}");
}

/// Defends: what is gone of a tenant is told, and not left out as if it had never been; what a server had not made yet when it
/// was killed is noted.
#[test]
fn what_a_tenant_lacks_is_told() {
    let (home, _) = copied();
    let (data, tenant) = (home.path().join("data"), home.path().join("data/tenants/acme"));
    let agent = key(&data, &["execute"]);
    let site = Site::start(&data);
    assert!(site.enforce(&agent, "write", 0)["hold_token"].is_string());
    site.stop();
    let fresh = |number: usize| home.path().join(format!("copy{number}"));
    let files = ["ledger/log.vkey", "keys/seal-signing.key", "keys/ledger-signing.key"];
    for (number, file) in files.into_iter().enumerate() {
        let (there, away) = (tenant.join(file), home.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        let said = run(&["backup", "--data", text(&data), text(&fresh(number))]);
        let name = file.split('/').next_back().unwrap();
        assert!(said.0 == Some(1) && said.1.contains("acme") && said.1.contains(name), "{file}: {said:?}");
        assert!(!fresh(number).exists(), "{file}");
        std::fs::rename(&away, &there).unwrap();
    }
    // All of the ledger, of which the held calls know.
    std::fs::rename(tenant.join("ledger"), home.path().join("away")).unwrap();
    let said = run(&["backup", "--data", text(&data), text(&fresh(3))]);
    assert!(said.0 == Some(1) && said.1.contains("log.vkey"), "{said:?}");
    std::fs::rename(home.path().join("away"), tenant.join("ledger")).unwrap();
    // One that was begun, and one of which there are keys alone.
    for (name, file) in [("early", "keys/ledger-signing.key"), ("earlier", "ledger/integrate.lock")] {
        let folder = data.join("tenants").join(name);
        std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
        std::fs::write(folder.join(file), format!("{}\n", "0".repeat(64))).unwrap();
        std::fs::set_permissions(folder.join(file), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let said = run(&["backup", "--data", text(&data), text(&fresh(4))]);
    assert_eq!(said.0, Some(0), "{said:?}");
    for name in ["early", "earlier"] {
        assert!(said.1.contains(&format!("{name} is not set up, and lacks `ledger/log.vkey`")), "{said:?}");
    }
    let manifest: Value = serde_json::from_slice(&std::fs::read(fresh(4).join("backup.json")).unwrap()).unwrap();
    assert_eq!(manifest["unfinished"].as_object().unwrap().len(), 2, "{manifest}");
    let said = run(&["restore", "--data", text(&fresh(5)), text(&fresh(4))]);
    assert!(said.0 == Some(0) && said.1.contains("early is not set up"), "{said:?}");
}

/// Defends: a kill at any moment of either leaves nothing in the place, or all of it.
#[test]
fn a_kill_leaves_nothing_half_there() {
    let (home, copy) = copied();
    let data = home.path().join("data");
    let mut whole = 0;
    for number in 0..24u64 {
        let (command, to, from) =
            if number % 2 == 0 { ("backup", "to-copy", &data) } else { ("restore", "to-data", &copy) };
        let to = home.path().join(format!("{to}{number}"));
        let arguments = match command {
            "backup" => [command, "--data", text(from), text(&to)],
            _ => [command, "--data", text(&to), text(from)],
        };
        let mut child =
            Command::new(PROGRAM).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        pause(Duration::from_millis(4 * number));
        child.kill().unwrap();
        child.wait().unwrap();
        if !to.exists() {
            continue;
        }
        whole += 1;
        let again = home.path().join(format!("again{number}"));
        let said = match command {
            "backup" => run(&["restore", "--data", text(&again), text(&to)]),
            _ => run(&["backup", "--data", text(&to), text(&again)]),
        };
        assert!(said.0 == Some(0) && said.1.contains("acme: 300 events"), "{said:?}");
    }
    // What is left over does not keep the next one from its work.
    let said = run(&["backup", "--data", text(&data), text(&home.path().join("last"))]);
    assert_eq!(said.0, Some(0), "{whole} {said:?}");
}

/// Waits for a moment of another process, which nothing tells of.
#[expect(clippy::disallowed_methods, reason = "a kill is to come at any moment, which nothing announces")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
