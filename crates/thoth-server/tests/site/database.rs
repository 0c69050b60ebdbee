//! The database goes away and comes back; what the commands around it say; and where its password is not said.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};
use thoth_testkit::postgres::{Cluster, cluster};

use crate::published_sdk::thothd::{Thothd, program};
use crate::published_sdk::{POLICY, keys};

fn question(tool: &str) -> Value {
    json!({
        "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
        "enforcement_mode": "block", "session_tool_calls": [], "tool_name": tool, "tool_args": {},
    })
}

/// Defends invariant 5: without its database a server blocks every call and is not ready; it starts all the same, and decides
/// again as soon as the database is back, with what was held before.
#[test]
fn a_server_lives_through_its_database() {
    let own = Cluster::start();
    let mut site = Thothd::on(Some(own.database()), POLICY, &[]);
    let (agent, person) = keys(&site);
    let ask = |site: &Thothd, tool: &str| site.ask("POST", "/v1/enforce", &agent, Some(&question(tool)));
    let ready = |site: &Thothd| site.ask("GET", "/readyz", "", None).status;
    let held = ask(&site, "write_file").body;
    let hold = held["hold_token"].as_str().expect("a hold").to_owned();
    for restarts in [false, true] {
        assert_eq!((ready(&site), &ask(&site, "read_file").body["decision"]), (200, &json!("ALLOW")));
        own.halt();
        if restarts {
            site.kill();
            site.again();
        }
        for tool in ["read_file", "write_file"] {
            let refused = ask(&site, tool);
            assert_eq!((refused.status, &refused.body["decision"]), (200, &json!("BLOCK")), "{refused:?}");
        }
        assert_eq!((ready(&site), site.resolve(&person, &hold, "approve").status), (503, 503));
        assert_eq!(site.ask("GET", "/healthz", "", None).status, 200);
        own.go();
    }
    assert_eq!(ready(&site), 200);
    assert_eq!(site.resolve(&person, &hold, "approve").status, 200);
    let polled = site.ask("GET", &format!("/v1/enforce/hold/{hold}"), &agent, None).body;
    assert_eq!(polled["resolution"], "ALLOW", "{polled}");
    site.stop();
    let events = site.ledger("acme");
    assert!(events.iter().any(|leaf| leaf.contains(r#""eventType":"HOLD_SPENT""#)));
}

/// What a command ended with and said.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (output.status.code(), text)
}

/// Defends: what `migrate` and `export` say, and that a ledger that was tampered with is not written.
#[test]
fn the_commands_around_a_database() {
    let url = cluster().database();
    let run = |arguments: &[&str]| said(program(Some(&url)).args(arguments));
    let home = tempfile::tempdir().unwrap();
    let dir = |name: &str| home.path().join(name).display().to_string();
    assert_eq!(run(&["migrate"]), (Some(0), "the database was set up, with the format 5\n".to_owned()));
    assert_eq!(run(&["migrate"]), (Some(0), "the database has the format 5 already\n".to_owned()));
    let none = run(&["ledger", "export", "--tenant", "acme", &dir("none")]);
    assert!(none.0 == Some(1) && none.1.contains("has no ledger"), "{none:?}");
    let mut site = Thothd::on(Some(url.clone()), POLICY, &[]);
    let (agent, _) = keys(&site);
    for _ in 0..3 {
        site.ask("POST", "/v1/enforce", &agent, Some(&question("read_file")));
    }
    site.stop();
    let written = run(&["ledger", "export", "--tenant", "acme", &dir("good")]);
    assert!(written.0 == Some(0) && written.1.contains("events of thoth.local/ledger/"), "{written:?}");
    let again = run(&["ledger", "export", "--tenant", "acme", &dir("good")]);
    assert!(again.0 == Some(1) && again.1.contains("not empty"), "{again:?}");
    cluster().sql(&url, "UPDATE thoth.entries SET leaf = 'x' WHERE position = 1");
    let tampered = run(&["ledger", "export", "--tenant", "acme", &dir("bad")]);
    assert!(
        tampered.0 == Some(4) && tampered.1.contains("event 1 of the ledger of `acme` was changed"),
        "{tampered:?}"
    );
    let nowhere = said(program(None).arg("migrate"));
    assert!(nowhere.0 == Some(2) && nowhere.1.contains("--database-url-file"), "{nowhere:?}");
}

/// Defends: the password of the database is in no message, whatever is wrong and wherever it stands; a command line that has
/// one is warned of, a file that others can read is refused.
#[test]
fn the_password_is_not_said() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("url");
    let good = "postgres://u:hunter2@127.0.0.1:1/t?connect_timeout=1";
    let set = |text: &str, mode: u32| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(good, 0o600);
    let file_name = file.to_str().unwrap();
    for (environment, arguments, code, says) in [
        (None, vec!["--database-url", good], 1, "can see the password in --database-url"),
        (None, vec!["--database-url-file", file_name], 1, "cannot be reached"),
        (Some(good), vec![], 1, "cannot be reached"),
        (Some("postgres://u:hunter2?@h"), vec![], 2, "THOTHD_DATABASE_URL cannot be used"),
        (Some("postgres://u:hunter2@db.example/t?sslmode=disable"), vec![], 2, "leaves out TLS"),
        (None, vec!["--database-url", good, "--database-url-file", file_name], 2, "cannot be used with"),
        (None, vec!["--database-url", "postgres://u:hunter2@"], 2, "--database-url cannot be used"),
    ] {
        let told = said(program(environment).arg("migrate").args(&arguments));
        assert!(told.0 == Some(code) && told.1.contains(says) && !told.1.contains("hunter2"), "{arguments:?} {told:?}");
    }
    set(good, 0o640);
    let told = said(program(None).args(["migrate", "--database-url-file", file_name]));
    assert!(told.0 == Some(1) && told.1.contains("chmod go=") && !told.1.contains("hunter2"), "{told:?}");
}
