//! Settings of `thothd` from flags, variables and a file, as whoever runs it meets them.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use thoth_testkit::postgres::cluster;

const PROGRAM: &str = env!("CARGO_BIN_EXE_thothd");

/// What a server needs that takes the logins of people.
const OIDC: &str = "oidc_issuer = 'https://login.example'\noidc_client_id = 'cli'\noidc_tenant = ['a, b=acme', 'beta']\n\
                    oidc_role = ['admin=write', 'audit=read']\n";

fn folder() -> TempDir {
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// How it ended, and what it said on both.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let run = Command::new(PROGRAM).args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap();
    let said = [run.stdout, run.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (run.status.code(), said)
}

/// Defends: the reference says what the program does.
#[test]
fn the_committed_reference_is_the_programs_own() {
    let (_, printed) = run(&["config", "reference"], &[]);
    let committed = include_str!("../../../docs/reference/thothd.md");
    assert!(
        printed == committed,
        "run `cargo run --workspace --bin thothd -- config reference > docs/reference/thothd.md`"
    );
}

/// Each value and where it stands; secrets are shown nowhere.
#[test]
fn what_holds_is_shown() {
    let folder = folder();
    let file = folder.path().join("t.toml");
    write(&file, "listen = '127.0.0.1:1'\npolicy = 'p.yaml'\ndatabase_url = 'postgres://u:hunter2@h/d'\n", 0o600);
    let variables = [
        ("THOTHD_CONFIG", file.to_str().unwrap()),
        ("THOTHD_LISTEN", "127.0.0.1:2"),
        ("THOTHD_POLLS_PER_MINUTE", "9"),
        ("THOTHD_OIDC_ROLE", "a=read,b=write"),
    ];
    let (code, said) = run(&["config", "show", "--polls-per-minute", "10"], &variables);
    assert_eq!(code, Some(0), "{said}");
    let row = |name: &str| {
        let row = said.lines().find(|row| row.split(' ').next() == Some(name)).unwrap_or_default();
        row.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let shown = folder.path().display();
    assert_eq!(row("listen"), "127.0.0.1:2 THOTHD_LISTEN");
    assert_eq!(row("polls_per_minute"), "10 --polls-per-minute");
    assert_eq!(row("policy"), format!("{shown}/p.yaml {shown}/t.toml:2:1"));
    assert_eq!(row("database_url"), format!("set, not shown {shown}/t.toml:3:1"));
    assert_eq!(row("enforcement_mode"), "block default");
    assert_eq!(row("tls_key"), "not set");
    assert_eq!(row("oidc_role"), "a=read, b=write THOTHD_OIDC_ROLE");
    assert_eq!(row("traces_ratio"), "1 default");
    assert!(!said.contains("hunter2"), "{said}");
}

/// Everything that keeps a server from starting is told with its place and an exit code, and nothing is started.
#[test]
fn what_is_wrong_is_told() {
    let folder = folder();
    let file = folder.path().join("t.toml");
    let name = file.to_str().unwrap();
    for (text, mode, variables, code, expected) in [
        ("listen = '127.0.0.1:0'\n", 0o644, &[][..], 0, "the settings can be used"),
        ("listen = 'x'\n\nlisen = 'y'\n", 0o644, &[], 2, "t.toml:1:1: listen: invalid value `x`"),
        (
            "listen = 'x'\n\nlisen = 'y'\n",
            0o644,
            &[],
            2,
            "t.toml:3:1: `lisen` is not a setting; did you mean `listen`?",
        ),
        ("", 0o666, &[], 1, "others can write to"),
        ("database_url = 'postgres://u:hunter2@h/d'\n", 0o640, &[], 2, "others can read this file"),
        ("database_url = 'postgres://u:hunter2@'\n", 0o600, &[], 2, "t.toml:1:1 cannot be used"),
        ("listen = '0.0.0.0:1'\n", 0o600, &[], 2, "t.toml:1:1: `0.0.0.0:1` can be reached by other machines"),
        ("tls_cert = 'c'\n", 0o600, &[], 2, "t.toml:1:1: `tls_cert` is given and `tls_key` is not"),
        ("tls_cert = 'c'\n", 0o600, &[("THOTHD_TLS_KEY", "k")], 1, "cannot read"),
        ("", 0o600, &[("THOTHD_ENFORCEMENT_MODE", "off")], 2, "THOTHD_ENFORCEMENT_MODE: invalid value `off`"),
        ("oidc_role = ['a=read']\n", 0o600, &[], 2, "t.toml:1:1: `oidc_role` is given and `oidc_issuer` is not"),
        (OIDC, 0o600, &[], 0, "the settings can be used"),
        (
            OIDC,
            0o600,
            &[("THOTHD_OIDC_ISSUER", "http://login.example")],
            2,
            "THOTHD_OIDC_ISSUER: `oidc_issuer`: the issuer is",
        ),
        (
            OIDC,
            0o600,
            &[("THOTHD_OIDC_TENANT", "a=x,a=y")],
            2,
            "THOTHD_OIDC_TENANT: `oidc_tenant`: `a` is mapped twice",
        ),
        (OIDC, 0o600, &[("THOTHD_OIDC_ROLE", "a=read,b=no")], 2, "THOTHD_OIDC_ROLE: invalid value `b=no`: a role is"),
        (
            OIDC,
            0o600,
            &[("THOTHD_OIDC_SCOPE", "email")],
            2,
            "THOTHD_OIDC_SCOPE: `oidc_scope`: the scope has no `openid`",
        ),
        (OIDC, 0o600, &[("THOTHD_OIDC_CA_FILE", "/nonexistent")], 1, "cannot read `/nonexistent`"),
        (
            "traces_endpoint = 'http://[::1]:1'\n",
            0o600,
            &[("THOTHD_TRACES_HEADERS", "hunter2")],
            2,
            "THOTHD_TRACES_HEADERS cannot be used",
        ),
        ("traces_headers = 'a=hunter2'\n", 0o640, &[], 2, "others can read this file"),
        ("", 0o600, &[("THOTHD_LISTN", "x")], 0, "did you mean `THOTHD_LISTEN`?"),
        ("", 0o600, &[("THOTHD_SERVICE_HOST", "10.0.0.1")], 0, "the settings can be used"),
    ] {
        write(&file, text, mode);
        let (found, said) = run(&["config", "check", name], variables);
        assert!(found == Some(code) && said.contains(expected), "{text}: {found:?} {said}");
        assert!(!said.contains("hunter2") && !said.contains("SERVICE_HOST"), "{said}");
        if code != 0 {
            let (found, said) = run(&["serve", "--config", name], variables);
            assert!(found == Some(code) && said.contains(expected), "{text}: {found:?} {said}");
        }
    }
    for (path, expected) in [("/nonexistent", "there is no such file"), ("/dev/zero", "not a regular file")] {
        let (code, said) = run(&["config", "check", path], &[]);
        assert!(code == Some(1) && said.contains(expected), "{said}");
    }
}

#[test]
fn a_server_runs_on_a_file_and_variables() {
    runs(None);
}

#[test]
fn a_server_runs_on_a_file_and_variables_on_postgresql() {
    // It asks nobody for a password, and is given one all the same.
    runs(Some(&cluster().database().replace("postgres@", "postgres:hunter2@")));
}

/// A server takes all of it, and so do the commands beside it; nobody says the password of its database.
fn runs(database: Option<&str>) {
    let folder = folder();
    let file = folder.path().join("t.toml");
    let (url, mode) = database.map_or((String::new(), 0o644), |url| (format!("database_url = '{url}'\n"), 0o600));
    write(&file, &format!("data = 'kept'\nenforce_per_minute = 3\n{url}"), mode);
    let variables = [("THOTHD_CONFIG", file.to_str().unwrap()), ("THOTHD_LISTEN", "127.0.0.1:0")];
    let (code, said) =
        run(&["keys", "create", "--tenant", "acme", "--organization", "--permission", "read"], &variables);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
    assert_eq!(folder.path().join("kept/thothd.db").exists(), database.is_none());
    let mut child = Command::new(PROGRAM)
        .arg("serve")
        .env_clear()
        .envs(variables)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening at http://").unwrap();
    let health = [("THOTHD_CONFIG", file.to_str().unwrap()), ("THOTHD_LISTEN", address)];
    for arguments in [&["healthcheck"][..], &["healthcheck", "--ready"]] {
        let (code, said) = run(arguments, &health);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = run(&["healthcheck"], &variables);
    assert!(code == Some(2) && said.contains("port"), "{said}");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success() && !said.contains("hunter2"), "{said}");
    assert!(folder.path().join("kept/policy.yaml").exists());
    let (code, said) = run(&["healthcheck"], &health);
    assert!(code == Some(1) && said.contains("cannot connect"), "{said}");
}
