//! `thothctl auth` with a real issuer, a real server, and a browser that fills in forms.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests fail the test")]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tempfile::TempDir;
use thoth_api::contract::key::{ApiKey, Create, Permission, ScopeLevel};
use thoth_api::contract::{enforce, read};
use thoth_api::{Enforcer, TlsSettings, Url};
use thoth_server::{OidcOptions, Options, Rates, Server, create_key};
use thoth_testkit::fixtures::Fixtures;
use thoth_types::Mode;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

const POLICY: &str = "version: \"1\"\ndefaults: { approval: block }\nrules:\n  \
    - { name: ask, match: { tool: wire_money }, approval: approve }\n\
    approvals: { approvers: [\"user:admin@acme.example\"] }\n";

/// The issuer, as its own process; it ends with the test.
struct Issuer {
    child: Child,
    url: String,
}

impl Issuer {
    fn start(id_token_seconds: u32) -> Self {
        // Somebody else may take a port between its being found free and its use.
        (0..10).find_map(|_| Self::try_start(id_token_seconds)).unwrap()
    }

    fn try_start(id_token_seconds: u32) -> Option<Self> {
        let fixtures = Fixtures::locate().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = Command::new(fixtures.node_22().unwrap())
            .arg(fixtures.program("oidc/issuer.mjs").unwrap())
            .arg(fixtures.node_modules().unwrap())
            .arg(port.to_string())
            .env("ID_TOKEN_SECONDS", id_token_seconds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(url) = lines.find_map(|line| line.unwrap().strip_prefix("listening ").map(str::to_owned)) else {
            drop(child.wait());
            return None;
        };
        // It says more later, and would end if nobody read that.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { child, url })
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A server on a folder of its own, and a person's own folder.
struct Site {
    data: TempDir,
    home: TempDir,
    url: String,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Site {
    /// One that believes this issuer.
    fn start(issuer: Option<&str>) -> Self {
        let private = || tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap();
        let (data, home) = (private(), private());
        let policy = data.path().join("policy.yaml");
        fs::write(&policy, POLICY).unwrap();
        let options = Options {
            data: data.path().to_owned(),
            policy,
            mode: Mode::Block,
            rates: Rates::default(),
            access_log: false,
        };
        let logins = issuer.map(|issuer| {
            let tenants = ("org_id".parse().unwrap(), vec!["org-1=acme".parse().unwrap()]);
            let roles = ["sec-admin=write", "auditor=read"].iter().map(|role| role.parse().unwrap()).collect();
            OidcOptions::new((issuer, "thothctl"), tenants, ("roles".parse().unwrap(), roles)).unwrap()
        });
        let (stop, stopped) = oneshot::channel();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let server = logins.into_iter().fold(Server::new(options).unwrap(), Server::with_logins);
                server.serve(listener, None, async move { drop(stopped.await) }).await;
            });
        });
        Self { data, home, url, stop: Some(stop), serving: Some(serving) }
    }

    /// The command of somebody whose browser logs in as `login`.
    fn command(&self, login: &str, words: &[&str]) -> Command {
        let fixtures = Fixtures::locate().unwrap();
        let browser = self.home.path().join("browser.sh");
        let (node, script) = (fixtures.node_22().unwrap(), fixtures.program("oidc/browser.mjs").unwrap());
        let text = format!("#!/bin/sh\nexec '{}' '{}' \"$1\"\n", node.display(), script.display());
        if !browser.exists() {
            fs::write(&browser, text).unwrap();
            fs::set_permissions(&browser, Permissions::from_mode(0o700)).unwrap();
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_thothctl"));
        command.env_clear().env("HOME", self.home.path()).env("BROWSER", browser).env("LOGIN", login);
        command.env("THOTH_GOVAPI_URL", &self.url).env("THOTH_TENANT_ID", "acme").args(words).stdin(Stdio::null());
        command
    }

    fn run(&self, login: &str, words: &[&str]) -> (i32, String) {
        said(self.command(login, words))
    }

    fn session(&self) -> PathBuf {
        let host = self.url.strip_prefix("http://").unwrap().replace(':', "_");
        self.home.path().join(format!(".thoth/sessions/acme--{host}--admin-token.jwt"))
    }

    fn stored(&self) -> Value {
        serde_json::from_slice(&fs::read(self.session()).unwrap()).unwrap()
    }

    fn key(&self, permission: Permission, level: ScopeLevel) -> ApiKey {
        let wanted = Create {
            name: None,
            scope_level: level,
            scope_target_id: (level == ScopeLevel::Agent).then(|| "bot".to_owned()),
            permissions: [permission].into_iter().collect(),
            ttl_seconds: None,
            jit_reason: None,
        };
        create_key(self.data.path(), &"acme".parse().unwrap(), &wanted).unwrap().api_key
    }

    /// A call that waits for a person, made for this user.
    fn held(&self, user: &str) -> String {
        let key = self.key(Permission::Execute, ScopeLevel::Agent);
        let url = Url::parse(&self.url).unwrap();
        let enforcer = Enforcer::new(url, key, &TlsSettings::default(), std::time::Duration::from_secs(120)).unwrap();
        let text = json!({
            "agent_id": "bot", "tenant_id": "acme", "user_id": user, "session_id": "s", "tool_name": "wire_money",
            "approved_scope": [], "enforcement_mode": "block", "session_tool_calls": [], "tool_args": { "to": user },
        });
        let text = text.to_string();
        let request: enforce::Request = read(text.as_bytes()).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(enforcer.decide(&request)).unwrap().hold_token.unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended already.
            let _ended = stop.send(());
        }
        if let Some(serving) = self.serving.take() {
            drop(serving.join());
        }
    }
}

/// What a command said, and that no token is in it.
fn said(mut command: Command) -> (i32, String) {
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(!said.contains("eyJ"), "a token is printed: {said}");
    (output.status.code().unwrap(), said)
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The whole way: a person logs in with a browser, is known to every command, approves a call in their own name, and logs
/// out, after which the issuer renews nothing.
#[test]
fn a_person_logs_in_with_a_browser() {
    let issuer = Issuer::start(3600);
    let site = Site::start(Some(&issuer.url));
    let (code, text) = site.run("admin", &["approvals", "list"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("thothctl auth login"), "{text}");
    let (code, text) = site.run("admin", &["auth", "login", "--admin-email", "Admin@acme.example"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("logged in to acme at http://127.0.0.1:") && text.contains("as admin@acme.example"),
        "{text}"
    );
    assert_eq!((mode(&site.session()), mode(site.session().parent().unwrap())), (0o600, 0o700));
    let token = site.held("dev@acme.example");
    let (code, text) = site.run("admin", &["approvals", "approve", &token, "--yes", "--reason", "known"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = site.run("admin", &["--json", "approvals", "show", &token]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\"resolved_by\":\"admin@acme.example\"") && text.contains("approved"), "{text}");
    let own = site.held("Admin@acme.example");
    let (code, text) = site.run("admin", &["keys", "create", "--organization", "--permission", "read", "--json"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = site.run("admin", &["auth", "status", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &status["email"], &status["renewable"]),
        (0, &json!("admin@acme.example"), &json!(true)),
        "{text}"
    );
    assert!(!own.is_empty() && status["logged_in_at"].is_string(), "{text}");
    // What is left of it, as a thief would have it.
    let copy = site.stored();
    let (code, text) = site.run("admin", &["auth", "logout"]);
    assert_eq!((code, text.trim()), (0, "logged out, also at the issuer"));
    assert!(!site.session().exists());
    let mut over = copy.clone();
    over["id_token"] = json!(ended(copy["id_token"].as_str().unwrap()));
    fs::write(site.session(), over.to_string()).unwrap();
    fs::set_permissions(site.session(), Permissions::from_mode(0o600)).unwrap();
    let (code, text) = site.run("admin", &["approvals", "list"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the issuer says no: invalid_grant") && text.contains("thothctl auth login"), "{text}");
}

/// The same token, but it says that it has ended; nobody signed that.
fn ended(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
    claims["exp"] = json!(1_000_000_000);
    parts[1] = URL_SAFE_NO_PAD.encode(claims.to_string());
    parts.join(".")
}

/// A login that ends soon is renewed, by one of several commands at once; an issuer that lets a token renew once is not
/// asked twice with it.
#[test]
fn logins_are_renewed() {
    let issuer = Issuer::start(60);
    let site = Site::start(Some(&issuer.url));
    let (code, text) = site.run("auditor", &["auth", "login"]);
    assert_eq!(code, 0, "{text}");
    let before = site.stored();
    let list = || site.command("auditor", &["approvals", "list"]);
    let children: Vec<Child> =
        (0..3).map(|_| list().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let after = site.stored();
    assert_ne!(before["refresh_token"], after["refresh_token"]);
    assert_eq!(mode(&site.session()), 0o600);
    // Who may only look changes nothing, also after a renewal.
    let (code, text) = site.run("auditor", &["keys", "create", "--organization", "--permission", "read"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the login has not the permission `write`"), "{text}");
    // A token alone, which somebody else got, is taken as it is.
    let bare = site.home.path().join("bare.jwt");
    fs::write(&bare, after["id_token"].as_str().unwrap()).unwrap();
    fs::set_permissions(&bare, Permissions::from_mode(0o600)).unwrap();
    let (code, text) = site.run("auditor", &["--auth-token-file", bare.to_str().unwrap(), "approvals", "list"]);
    assert_eq!(code, 0, "{text}");
}

/// On a machine without a browser, with a code that is entered elsewhere.
#[test]
fn a_person_logs_in_with_a_code() {
    let issuer = Issuer::start(3600);
    let site = Site::start(Some(&issuer.url));
    let mut child = site.command("admin", &["auth", "login", "--device"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find_map(|line| line.strip_prefix("thoth: or open ").map(str::to_owned)).unwrap();
    let fixtures = Fixtures::locate().unwrap();
    let browser = Command::new(fixtures.node_22().unwrap())
        .arg(fixtures.program("oidc/browser.mjs").unwrap())
        .arg(&address)
        .env("LOGIN", "admin")
        .output()
        .unwrap();
    let page = String::from_utf8_lossy(&browser.stdout).into_owned();
    assert!(page.starts_with("200"), "{page}{}", String::from_utf8_lossy(&browser.stderr));
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?} {page}");
    assert_eq!(mode(&site.session()), 0o600);
    let (code, text) = site.run("admin", &["approvals", "list"]);
    assert_eq!(code, 0, "{text}");
}

/// Who may not is told so, and nothing of it is kept; a login goes to no other server, and counts only alone.
#[test]
fn logins_that_do_not_count() {
    let issuer = Issuer::start(3600);
    let site = Site::start(Some(&issuer.url));
    for (login, words, part) in [
        ("foreignadmin", &["auth", "login"][..], "of no tenant of this server"),
        ("nobody", &["auth", "login"], "no role that may do anything"),
        ("admin", &["auth", "login", "--admin-email", "boss@acme.example"], "and not `boss@acme.example`"),
        ("admin", &["auth", "login", "--tenant-id", "other"], "of another tenant"),
        (
            "admin",
            &["auth", "login", "--issuer", "http://127.0.0.1:1", "--client-id", "thothctl"],
            "cannot connect to `127.0.0.1:1`",
        ),
        ("admin", &["auth", "login", "--issuer", "http://login.example", "--client-id", "thothctl"], "login.example"),
    ] {
        let (code, text) = site.run(login, words);
        assert_eq!(code, 1, "{login} {words:?}: {text}");
        assert!(text.contains(part), "{login} {words:?}: {text}");
        assert!(!site.session().exists(), "{login} {words:?}");
    }
    let (code, text) =
        site.run("admin", &["auth", "login", "--device", "--issuer", &issuer.url, "--client-id", "nobody"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the issuer says no: invalid_client"), "{text}");
    let (code, text) = site.run("admin", &["auth", "login"]);
    assert_eq!(code, 0, "{text}");
    let file = site.session();
    let session = file.to_str().unwrap();
    let key = site.key(Permission::Read, ScopeLevel::Organization);
    let key_file = site.home.path().join("key");
    fs::write(&key_file, key.expose_secret()).unwrap();
    let keyed = key_file.to_str().unwrap();
    let list = ["approvals", "list"];
    type Variables<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&[&str], Variables<'_>, i32, &str); 6] = [
        (&["--api-key-file", keyed, "--auth-token-file", session], &[], 2, "cannot be used with"),
        (&[], &[("THOTH_API_KEY_FILE", keyed), ("THOTH_AUTH_SESSION_FILE", session)], 2, "has both an API key and"),
        (&["--auth-token-file", session], &[("THOTH_API_KEY", "wrong")], 0, ""),
        (&[], &[("THOTH_API_KEY", "wrong")], 1, "not known"),
        (&[], &[("THOTH_AUTH_SESSION_FILE", session)], 0, ""),
        (&["--auth-token-file", session], &[("THOTH_GOVAPI_URL", "http://127.0.0.1:9")], 1, "goes nowhere else"),
    ];
    for (flags, variables, expected, part) in cases {
        let mut command = site.command("admin", &[flags, &list[..]].concat());
        command.envs(variables.iter().copied());
        let (code, text) = said(command);
        assert_eq!(code, expected, "{flags:?} {variables:?}: {text}");
        assert!(text.contains(part), "{flags:?} {variables:?}: {text}");
    }
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    let (code, text) = site.run("admin", &list);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("others can read the login"), "{text}");
    let without = Site::start(None);
    let (code, text) = without.run("admin", &["auth", "login"]);
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("the server takes no logins"), "{text}");
}

/// An issuer that answers as it is told to, by its own address and the path that it is asked at.
fn answering(mut answer: impl FnMut(&str, &str) -> (u16, Value) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let own = url.clone();
    // It ends with the process of the test.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut line, mut headers) = (String::new(), String::new());
            stream.read_line(&mut line).unwrap();
            while !headers.ends_with("\r\n\r\n") && stream.read_line(&mut headers).unwrap() > 0 {}
            let headers = headers.to_ascii_lowercase();
            let length = headers.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            stream.read_exact(&mut body).unwrap();
            let (status, answer) = answer(&own, line.split(' ').nth(1).unwrap());
            let answer = answer.to_string();
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", answer.len());
            stream.get_mut().write_all(format!("{head}{answer}").as_bytes()).unwrap();
        }
    });
    url
}

/// What an issuer says of itself.
fn about(url: &str) -> Value {
    json!({
        "issuer": url, "authorization_endpoint": format!("{url}/auth"), "token_endpoint": format!("{url}/token"),
        "device_authorization_endpoint": format!("{url}/device"),
    })
}

/// An issuer that answers from a list, whatever it is asked at its addresses for tokens.
fn scripted(answers: Vec<(u16, Value)>) -> String {
    let code = json!({
        "device_code": "d", "user_code": "ABCD\u{1b}[2J", "verification_uri": "https://login.example/device",
        "expires_in": 600, "interval": 1,
    });
    let mut answers = answers.into_iter();
    answering(move |url, path| match path {
        "/device" => (200, code.clone()),
        "/token" => answers.next().unwrap_or((500, Value::Null)),
        _ => (200, about(url)),
    })
}

/// A token that nobody signed.
fn token(claims: &Value) -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.x", part("{}"), part(&claims.to_string()))
}

/// Defends: a renewal that is under way undoes neither a login nor a logout that comes meanwhile.
#[test]
fn a_renewal_that_is_late_undoes_nothing() {
    let issuer = Issuer::start(3600);
    let site = Site::start(Some(&issuer.url));
    for (words, is_logged_in) in [(["auth", "login"], true), (["auth", "logout"], false)] {
        let (asked, is_asked) = mpsc::sync_channel(1);
        let (answer, may_answer) = mpsc::sync_channel::<()>(1);
        let claims = |url: &str, ends: u64| json!({ "iss": url, "sub": "s", "aud": "thothctl", "exp": ends });
        let slow = answering(move |url, path| {
            if path != "/token" {
                return (200, about(url));
            }
            asked.send(()).unwrap();
            may_answer.recv().unwrap();
            (200, json!({ "id_token": token(&claims(url, 9_999_999_999)), "refresh_token": "newer" }))
        });
        let former = json!({
            "url": site.url, "tenant_id": "acme", "issuer": slow, "client_id": "thothctl",
            "id_token": token(&claims(&slow, 1_000_000_000)), "refresh_token": "older",
        });
        fs::create_dir_all(site.session().parent().unwrap()).unwrap();
        fs::write(site.session(), former.to_string()).unwrap();
        fs::set_permissions(site.session(), Permissions::from_mode(0o600)).unwrap();
        let mut quiet = site.command("admin", &["approvals", "list"]);
        let mut renewing = quiet.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        is_asked.recv().unwrap();
        let mut command = site.command("admin", &words);
        let mut other = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(other.stderr.take().unwrap()).lines().map(Result::unwrap);
        // It waits for the renewal, or it does not and ends.
        lines.find(|line| line.contains("waiting for another command"));
        answer.send(()).unwrap();
        renewing.wait().unwrap();
        let rest: Vec<String> = lines.collect();
        assert!(other.wait().unwrap().success(), "{words:?}: {rest:?}");
        if is_logged_in {
            assert_eq!(site.stored()["issuer"], json!(issuer.url), "the newer login");
        } else {
            assert!(!site.session().exists(), "it is back");
        }
    }
}

/// What an issuer may say while a code waits; what is no token of it is not taken.
#[test]
fn answers_to_a_code() {
    let site = Site::start(None);
    let no = |error: &str| (400, json!({ "error": error, "error_description": "\u{1b}[2Jwhy" }));
    let token = |claims: &Value| (200, json!({ "id_token": token(claims) }));
    let claims = json!({ "iss": "https://x", "sub": "s", "aud": "thothctl", "exp": 9_999_999_999_u64 });
    for (answers, part) in [
        (vec![no("authorization_pending"), no("access_denied")], "was refused at the issuer"),
        (vec![no("expired_token")], "nobody has logged in with the code in time"),
        (vec![no("slow_down"), no("access_denied")], "was refused at the issuer"),
        (vec![no("invalid_grant")], "the issuer says no: invalid_grant"),
        (vec![(500, Value::Null), no("access_denied")], "asking again"),
        (vec![(200, json!({ "access_token": "a" }))], "gave no ID token"),
        (vec![(200, json!({ "id_token": "a" }))], "gave no ID token"),
        (vec![(200, json!("x"))], "is not what OAuth says"),
        (vec![token(&json!({}))], "is not what OpenID Connect says"),
        (vec![token(&claims)], "is of another issuer"),
    ] {
        let url = scripted(answers);
        let words = ["auth", "login", "--device", "--issuer", &url, "--client-id", "thothctl"];
        let (code, text) = site.run("admin", &words);
        assert_eq!(code, 1, "{part}: {text}");
        assert!(text.contains(part) && !text.contains('\u{1b}'), "{part}: {text}");
        assert!(!site.session().exists(), "{part}");
    }
}
