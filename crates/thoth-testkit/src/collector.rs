//! A collector of OpenTelemetry traces on this machine: takes OTLP over HTTP, in protobuf, and tells what it was sent. It reads
//! the messages itself, by the numbers in the published definition, so that it agrees with no writer by accident.
//!
//! It answers as it is told to: as a good collector does, with a status, in part, or never.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longer than anything takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It takes everything.
    Take,
    /// It says that it does not take so many spans of each message.
    Refuse(u8),
    /// It takes nothing and says so with this status.
    Status(u16),
    /// It reads and never answers.
    Hang,
}

/// A span as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// In hexadecimal digits, as all ids.
    pub trace_id: String,
    /// Its own id.
    pub span_id: String,
    /// That of the span above it; empty where there is none.
    pub parent_span_id: String,
    /// What came with the trace.
    pub trace_state: String,
    /// Its name.
    pub name: String,
    /// 1 is internal, 2 a server's.
    pub kind: u64,
    /// When it began, in nanoseconds since 1970.
    pub start: u64,
    /// When it ended.
    pub end: u64,
    /// The attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// 2 is an error.
    pub status: u64,
    /// The attributes of whoever sent it.
    pub resource: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct State {
    behaviour: Option<Behaviour>,
    spans: Vec<Span>,
    /// Everything that came, heads of requests included.
    bytes: Vec<u8>,
    requests: usize,
    /// Spans that it said it does not take.
    refused: usize,
}

/// One that runs until the process ends.
#[derive(Debug, Clone)]
pub struct Collector {
    address: SocketAddr,
    state: Arc<(Mutex<State>, Condvar)>,
}

impl Collector {
    /// Starts one.
    ///
    /// # Errors
    /// When no port can be listened at.
    pub fn start(behaviour: Behaviour) -> io::Result<Self> {
        Self::start_with(behaviour, Ok)
    }

    /// Starts one that speaks through this, such as TLS.
    ///
    /// # Errors
    /// When no port can be listened at.
    pub fn start_with<S: Read + Write>(
        behaviour: Behaviour,
        wrap: impl Fn(TcpStream) -> io::Result<S> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let state = State { behaviour: Some(behaviour), ..State::default() };
        let collector = Self { address, state: Arc::new((Mutex::new(state), Condvar::new())) };
        let (own, wrap) = (collector.clone(), Arc::new(wrap));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (own, wrap) = (own.clone(), Arc::clone(&wrap));
                // The client goes away when it likes.
                std::thread::spawn(move || drop(wrap(client).and_then(|stream| own.serve(stream))));
            }
        });
        Ok(collector)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a server is told of it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers in another way from now on; what hangs is answered, too.
    pub fn become_one_that(&self, behaviour: Behaviour) {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).behaviour = Some(behaviour);
        self.state.1.notify_all();
    }

    /// The spans that were taken, once this is so.
    ///
    /// # Panics
    /// When it does not become so.
    #[must_use]
    pub fn spans_once(&self, is_so: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        self.once(|state| is_so(&state.spans)).spans.clone()
    }

    /// Waits until so many requests have come.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for_requests(&self, count: usize) {
        drop(self.once(|state| state.requests >= count));
    }

    /// How many requests have come, answered or not.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).requests
    }

    /// How many spans of good messages it has said that it does not take.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).refused
    }

    /// Everything that came.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).bytes.clone()
    }

    fn once(&self, is_so: impl Fn(&State) -> bool) -> std::sync::MutexGuard<'_, State> {
        let end = Instant::now() + PATIENCE;
        let mut state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_so(&state) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it did not come: {:#?}", state.spans);
            state = self.state.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// The requests of one connection.
    fn serve(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let mut line = String::new();
                if stream.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = told.trim().parse().map_err(io::Error::other)?;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body)?;
            let is_right = head.starts_with("POST /v1/traces HTTP/1.1\r\n")
                && head.to_ascii_lowercase().contains("\r\ncontent-type: application/x-protobuf\r\n");
            let answer = self.answer(is_right, &head, &body)?;
            stream.get_mut().write_all(&answer)?;
            stream.get_mut().flush()?;
        }
    }

    fn answer(&self, is_right: bool, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
        let (state, told) = &*self.state;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        state.bytes.extend_from_slice(head.as_bytes());
        state.bytes.extend_from_slice(body);
        told.notify_all();
        while state.behaviour == Some(Behaviour::Hang) {
            state = told.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let (status, body) = match state.behaviour {
            _ if !is_right => (400, Vec::new()),
            Some(Behaviour::Status(status)) => (status, Vec::new()),
            behaviour => {
                let taken = request(body).ok_or_else(|| io::Error::other("no message of OTLP"))?;
                let many = taken.len();
                state.spans.extend(taken);
                // `partial_success` with `rejected_spans`.
                let refused = if let Some(Behaviour::Refuse(count)) = behaviour {
                    state.refused += many.min(count.into());
                    vec![0x0a, 2, 0x08, count]
                } else {
                    vec![]
                };
                told.notify_all();
                (200, refused)
            }
        };
        let head = format!(
            "HTTP/1.1 {status} x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        Ok([head.as_bytes(), &body].concat())
    }
}

/// A value in a message.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

impl<'b> Field<'b> {
    fn bytes(&self) -> &'b [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    fn hex(&self) -> String {
        self.bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    const fn number(&self) -> u64 {
        if let Self::Number(number) = self { *number } else { 0 }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// The fields of a message, by their numbers, in their order.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u64, Field<'_>)>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)?),
            1 => {
                let (number, rest) = bytes.split_first_chunk()?;
                bytes = rest;
                Field::Number(u64::from_le_bytes(*number))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                let (inside, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                Field::Bytes(inside)
            }
            5 => {
                let (number, rest) = bytes.split_first_chunk()?;
                bytes = rest;
                Field::Number(u32::from_le_bytes(*number).into())
            }
            _ => return None,
        };
        fields.push((tag >> 3, field));
    }
    Some(fields)
}

/// `ExportTraceServiceRequest`.
fn request(message: &[u8]) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for (_, resource_spans) in fields(message)?.iter().filter(|(number, _)| *number == 1) {
        let parts = fields(resource_spans.bytes())?;
        let mut resource = BTreeMap::new();
        for (_, told) in parts.iter().filter(|(number, _)| *number == 1) {
            resource.extend(attributes(told.bytes(), 1)?);
        }
        for (_, scope_spans) in parts.iter().filter(|(number, _)| *number == 2) {
            for (_, told) in fields(scope_spans.bytes())?.iter().filter(|(number, _)| *number == 2) {
                spans.push(Span { resource: resource.clone(), ..span(told.bytes())? });
            }
        }
    }
    Some(spans)
}

fn span(message: &[u8]) -> Option<Span> {
    let mut span = Span { attributes: attributes(message, 9)?, ..Span::default() };
    for (number, field) in fields(message)? {
        match number {
            1 => span.trace_id = field.hex(),
            2 => span.span_id = field.hex(),
            3 => span.trace_state = field.text(),
            4 => span.parent_span_id = field.hex(),
            5 => span.name = field.text(),
            6 => span.kind = field.number(),
            7 => span.start = field.number(),
            8 => span.end = field.number(),
            15 => {
                let code = fields(field.bytes())?.into_iter().find(|(number, _)| *number == 3);
                span.status = code.map(|(_, code)| code.number()).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(span)
}

/// The attributes of a message, which stand under this number in it.
fn attributes(message: &[u8], number: u64) -> Option<BTreeMap<String, String>> {
    let mut attributes = BTreeMap::new();
    for (_, pair) in fields(message)?.iter().filter(|(found, _)| *found == number) {
        let pair = fields(pair.bytes())?;
        let part = |wanted: u64| pair.iter().find(|(number, _)| *number == wanted).map(|(_, field)| field);
        let value = fields(part(2)?.bytes())?;
        let text = match value.first()? {
            (1, text) => text.text(),
            (2, truth) => (truth.number() == 1).to_string(),
            (3, number) => number.number().cast_signed().to_string(),
            (4, number) => f64::from_bits(number.number()).to_string(),
            _ => return None,
        };
        // The same twice is for nobody to sort out.
        if attributes.insert(part(1)?.text(), text).is_some() {
            return None;
        }
    }
    Some(attributes)
}
