//! Servers that are no enforcer, or a sick one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use thoth_testkit::plain_http::Nobody;

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nobody listens.
    Closed,
    /// Connections never come about, as where a network drops what is sent.
    Unreachable,
    /// It answers the first question, and then nothing more: the connection looks open, and nobody is there.
    Vanishes,
    /// It takes connections and never says anything.
    Silent,
    /// It answers a byte at a time, and never all of it.
    Dripping,
    /// It closes in the middle of an answer.
    Cut,
    /// It says something that is not HTTP.
    Noise,
    /// It answers with this status, these headers and this body.
    Says(u16, &'static str, &'static str),
    /// It allows, with another id in this place.
    Echoes(&'static str),
}

/// How long it takes on this machine to see that a queue is full.
const FULL: Duration = Duration::from_millis(200);

/// A server on this machine. It ends with the process.
pub(crate) struct Fake {
    address: String,
    asked: Arc<Mutex<Vec<Value>>>,
    // Held so that nobody else gets the port of a server that does not answer.
    _listener: Option<TcpListener>,
    _nobody: Option<Nobody>,
    /// What stands in the queue of one that takes nobody.
    _queue: Vec<TcpStream>,
}

impl Fake {
    pub(crate) fn start(fault: Fault) -> Self {
        let asked = Arc::new(Mutex::new(Vec::new()));
        if fault == Fault::Closed {
            let nobody = Nobody::there().unwrap();
            let address = nobody.address().to_string();
            return Self { address, asked, _listener: None, _nobody: Some(nobody), _queue: Vec::new() };
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        if fault == Fault::Unreachable {
            let to = listener.local_addr().unwrap();
            let queue = std::iter::from_fn(|| TcpStream::connect_timeout(&to, FULL).ok()).collect();
            return Self { address, asked, _listener: Some(listener), _nobody: None, _queue: queue };
        }
        let heard = Arc::clone(&asked);
        let own = listener.try_clone().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let heard = Arc::clone(&heard);
                // The other side goes away when it likes.
                std::thread::spawn(move || drop(serve(fault, stream, &heard)));
            }
        });
        Self { address, asked, _listener: Some(own), _nobody: None, _queue: Vec::new() }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many questions came.
    pub(crate) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The latest question.
    pub(crate) fn question(&self) -> Value {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

fn serve(fault: Fault, stream: TcpStream, heard: &Mutex<Vec<Value>>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut length, mut is_question) = (0, false);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let line = line.to_ascii_lowercase();
        is_question |= line.contains(" /v1/enforce");
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let mut questions = heard.lock().unwrap();
    if is_question {
        questions.push(asked.clone());
    }
    let is_first = is_question && questions.len() == 1;
    drop(questions);
    let mut stream = stream.into_inner();
    let allow = r#"{"decision":"ALLOW"}"#;
    match fault {
        Fault::Closed | Fault::Unreachable => Ok(()),
        Fault::Vanishes => {
            if is_first {
                write!(stream, "HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{allow}", allow.len())?;
            }
            // It takes what comes, until the other side goes away.
            std::io::copy(&mut stream, &mut std::io::sink()).map(drop)
        }
        Fault::Silent => {
            // Until the other side goes away.
            let _ = stream.read(&mut [0])?;
            Ok(())
        }
        Fault::Dripping => {
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b" ")?;
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        Fault::Cut => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{allow}"),
        Fault::Noise => stream.write_all(b"\x00\x01 220 smtp.example.org ESMTP\r\n"),
        Fault::Says(status, headers, body) => answer(&mut stream, status, headers, body),
        Fault::Echoes(place) => {
            let mut body = serde_json::json!({"decision": "ALLOW"});
            for key in ["action_attestation_id", "enforcement_trace_id"] {
                body[key] = if key == place { "another".into() } else { asked[key].clone() };
            }
            answer(&mut stream, 200, "", &body.to_string())
        }
    }
}

fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}")
}
