//! An enforcer that tells documents, and what may be wrong with them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use thoth_audit::seal::SealKey;
use thoth_policy::load_by_name;

use crate::site::Asking;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// Something was changed after it was sealed.
    Changed,
    Expired,
    Early,
    Older,
    Tenant,
    Agent,
    Machine,
    /// It is sealed as a document of another kind.
    Kind,
    Garbage,
    /// It is refused with this status.
    Status(u16),
    /// The check-in is.
    CheckIn(u16),
    /// The clock there is hours away.
    Clock,
    /// Another key is told, and has sealed it.
    Key,
    /// Its policy cannot be read.
    Policy,
    /// Its policy is not the one that it names.
    Digest,
    Quarantined,
}

const POLICY: &str = "version: \"1\"\ndefaults: { approval: auto }\nrules:\n\
    - { name: no_deleting, match: { tool: delete_note }, approval: block }\n";

/// The enforcer. It allows every call that it is asked about.
#[derive(Clone)]
pub(crate) struct Office(Arc<State>);

struct State {
    address: String,
    wrong: Mutex<Option<Wrong>>,
    asked: AtomicUsize,
    /// Counts the changes.
    changes: AtomicU64,
    open: AtomicBool,
}

impl Office {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State {
            address,
            wrong: Mutex::new(None),
            asked: AtomicUsize::new(0),
            changes: AtomicU64::new(5),
            open: AtomicBool::new(true),
        };
        let office = Self(Arc::new(state));
        let own = office.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let own = own.clone();
                // The other side goes away when it likes.
                std::thread::spawn(move || drop(own.serve(stream)));
            }
        });
        office
    }

    pub(crate) fn asking(&self) -> Asking {
        Asking::of(format!("http://{}", self.0.address), "thoth_live_sesame".to_owned())
            .var("THOTH_ENDPOINT_ID", "laptop")
            .var("THOTH_ENDPOINT_CHECKIN_INTERVAL_SEC", "1")
            .var("THOTH_ENV", "dev")
    }

    /// How many calls it was asked about.
    pub(crate) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    /// From now on this is wrong, or nothing.
    pub(crate) fn be(&self, wrong: Option<Wrong>) {
        self.0.changes.fetch_add(1, Ordering::SeqCst);
        *self.0.wrong.lock().unwrap() = wrong;
    }

    /// It answers nobody.
    pub(crate) fn close(&self) {
        self.0.open.store(false, Ordering::SeqCst);
    }

    pub(crate) fn reopen(&self) {
        self.0.open.store(true, Ordering::SeqCst);
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        stream.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let mut stream = stream.into_inner();
        if !self.0.open.load(Ordering::SeqCst) {
            return Ok(());
        }
        let wrong = *self.0.wrong.lock().unwrap();
        let (status, text) = match first.split(' ').nth(1).unwrap() {
            "/v1/enforce" => {
                self.0.asked.fetch_add(1, Ordering::SeqCst);
                (200, json!({"decision": "ALLOW"}).to_string())
            }
            path if path.starts_with("/v1/endpoints/") => match wrong {
                Some(Wrong::CheckIn(401)) => (401, String::new()),
                Some(Wrong::CheckIn(status)) => (status, told(status)),
                _ => (200, self.standing(wrong).to_string()),
            },
            path if path.starts_with("/v1/policy-bundle") => match wrong {
                Some(Wrong::Status(status)) => (status, told(status)),
                Some(Wrong::Garbage) => (200, "<html>".to_owned()),
                _ => (200, self.document(wrong)),
            },
            _ => (202, json!({"accepted": 0, "duplicates": 0, "rejected": []}).to_string()),
        };
        let length = text.len();
        write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}")
    }

    fn standing(&self, wrong: Option<Wrong>) -> Value {
        let opener = key(wrong).opener();
        json!({
            "endpoint_id": "laptop", "status": "active", "checkin_interval_seconds": 1,
            "signing_key": { "key_id": opener.id(), "public_key": opener.public_key() },
            "server_time": (Timestamp::now() + SignedDuration::from_hours(if wrong == Some(Wrong::Clock) { 7 } else { 0 })).to_string(),
        })
    }

    fn document(&self, wrong: Option<Wrong>) -> String {
        let policy = if wrong == Some(Wrong::Policy) { "version: \"7\"\n" } else { POLICY };
        let is = |one: Wrong| wrong == Some(one);
        let named = |own: &str, one: Wrong| if is(one) { "another".to_owned() } else { own.to_owned() };
        let (from, until) = match wrong {
            Some(Wrong::Expired) => (-20, -10),
            Some(Wrong::Early) => (10, 20),
            _ => (0, 24),
        };
        let hours =
            |hours: i64| Timestamp::now().saturating_add(SignedDuration::from_hours(hours)).unwrap().to_string();
        let changes = self.0.changes.load(Ordering::SeqCst);
        let digest = load_by_name(&[("own.yaml", POLICY)], &[]).unwrap().digest().to_owned();
        let object = json!({
            "tenant_id": named("acme", Wrong::Tenant), "agent_id": named("bot", Wrong::Agent),
            "endpoint_id": named("laptop", Wrong::Machine),
            "status": if is(Wrong::Quarantined) { "quarantined" } else { "active" },
            "bundles": [], "policy": [{ "name": "own.yaml", "text": policy }], "own_texts": 1,
            "policy_digest": if is(Wrong::Digest) { "sha256:0" } else { &digest }, "decisions": "local",
            "sequence": if is(Wrong::Older) { 4 } else { changes },
            "issued_at": hours(from), "expires_at": hours(until),
        });
        let domain = if is(Wrong::Kind) { "thoth/decision-receipt/1" } else { "thoth/policy-bundle/1" };
        let sealed = key(wrong).seal(domain, &object.to_string()).unwrap();
        if is(Wrong::Changed) { sealed.replace("\"local\"", "\"remote\"") } else { sealed }
    }
}

/// A refusal by an enforcer that cannot serve now.
fn told(status: u16) -> String {
    let code = if status == 429 { "rate_limited" } else { "unavailable" };
    json!({ "error": { "code": code, "message": "the server's own policy is not valid" } }).to_string()
}

/// The key that it has.
fn key(wrong: Option<Wrong>) -> SealKey {
    // The quarantine comes after the change of the key.
    SealKey::new(&[if matches!(wrong, Some(Wrong::Key | Wrong::Quarantined)) { 8 } else { 7 }; 32])
}
