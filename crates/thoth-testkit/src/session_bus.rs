//! A desktop for tests: a real `dbus-daemon` with a notification service that writes down what it is asked to show. It
//! reads messages with code of its own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "it is used by tests, which it fails")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tempfile::TempDir;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the notification service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It shows them.
    Answers,
    /// It answers with an error.
    Refuses,
    /// It never answers.
    Hangs,
    /// There is none.
    Absent,
}

/// What was to be shown.
#[derive(Debug)]
pub struct Shown {
    /// Which application says so.
    pub app: String,
    /// The title.
    pub summary: String,
    /// The text.
    pub body: String,
    /// The actions and hints that came along.
    pub extras: u32,
}

/// A session bus of its own. It ends when it is dropped.
#[derive(Debug)]
pub struct SessionBus {
    daemon: Child,
    address: String,
    shown: Receiver<Shown>,
    _folder: TempDir,
}

impl SessionBus {
    /// Starts one.
    #[must_use]
    pub fn start(behaviour: Behaviour) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context='default'><allow send_destination='*'/><allow receive_sender='*'/><allow own='*'/></policy>\
             </busconfig>",
            socket.display()
        );
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("`dbus-daemon` is needed (`cargo xtask fixtures` installs it): {error}"));
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let (tell, shown) = sync_channel(64);
        if behaviour != Behaviour::Absent {
            let service = Service::new(&socket);
            std::thread::spawn(move || service.serve(behaviour, &tell));
        }
        Self { daemon, address: address.trim().to_owned(), shown, _folder: folder }
    }

    /// What `DBUS_SESSION_BUS_ADDRESS` says.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next notification.
    #[must_use]
    pub fn next(&self) -> Shown {
        self.shown.recv_timeout(PATIENCE).unwrap()
    }

    /// The notifications that came until now and that nobody has taken.
    #[must_use]
    pub fn rest(&self) -> Vec<Shown> {
        self.shown.try_iter().collect()
    }
}

impl Drop for SessionBus {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

/// The service's connection to the bus.
struct Service(UnixStream);

impl Service {
    /// Connects, and owns the name of the desktop's notifications when this returns.
    fn new(socket: &std::path::Path) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let uid = rustix::process::geteuid().as_raw().to_string();
        let digits: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        write!(stream, "\0AUTH EXTERNAL {digits}\r\n").unwrap();
        let mut byte = [0];
        while byte != *b"\n" {
            stream.read_exact(&mut byte).unwrap();
        }
        stream.write_all(b"BEGIN\r\n").unwrap();
        let mut service = Self(stream);
        let bus = |member: &str, signature: Option<&str>| {
            let mut fields = vec![
                (1, Value::Path("/org/freedesktop/DBus")),
                (3, Value::Text(member)),
                (6, Value::Text("org.freedesktop.DBus")),
            ];
            fields.extend(signature.map(|signature| (8, Value::Signature(signature))));
            header(&fields)
        };
        service.send(1, 1, &bus("Hello", None), &[]);
        let mut arguments = text_bytes("org.freedesktop.Notifications");
        arguments.resize(arguments.len().next_multiple_of(4), 0);
        arguments.extend(0_u32.to_le_bytes());
        service.send(1, 2, &bus("RequestName", Some("su")), &arguments);
        loop {
            let message = service.receive().unwrap();
            if message.kind == 2 && message.reply_to == Some(2) {
                // 1: the name is ours.
                assert_eq!(message.body, 1_u32.to_le_bytes());
                service.0.set_read_timeout(None).unwrap();
                return service;
            }
            assert_ne!(message.kind, 3, "the bus refuses: {:?}", String::from_utf8_lossy(&message.body));
        }
    }

    fn serve(mut self, behaviour: Behaviour, tell: &SyncSender<Shown>) {
        let mut serial = 2;
        while let Some(message) = self.receive() {
            if message.kind != 1 || message.member.as_deref() != Some("Notify") {
                continue;
            }
            let mut at = 0;
            let app = text(&message.body, &mut at);
            number(&message.body, &mut at);
            text(&message.body, &mut at);
            let (summary, body) = (text(&message.body, &mut at), text(&message.body, &mut at));
            let extras = number(&message.body, &mut at) + number(&message.body, &mut at);
            if tell.send(Shown { app, summary, body, extras }).is_err() {
                return;
            }
            serial += 1;
            let sender = message.sender.unwrap();
            let answer = (5, Value::Number(message.serial));
            let to = (6, Value::Text(&sender));
            match behaviour {
                Behaviour::Hangs | Behaviour::Absent => {}
                Behaviour::Answers => {
                    let fields = [answer, to, (8, Value::Signature("u"))];
                    let fields = header(&fields);
                    self.send(2, serial, &fields, &7_u32.to_le_bytes());
                }
                Behaviour::Refuses => {
                    let fields = [answer, to, (4, Value::Text("org.freedesktop.Notifications.Error.No"))];
                    let fields = header(&fields);
                    self.send(3, serial, &fields, &[]);
                }
            }
        }
    }

    fn send(&mut self, kind: u8, serial: u32, fields: &[u8], body: &[u8]) {
        let mut message = vec![b'l', kind, 0, 1];
        for number in [body.len(), serial.try_into().unwrap(), fields.len()] {
            message.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        message.extend(fields);
        message.resize(message.len().next_multiple_of(8), 0);
        message.extend(body);
        // A bus that is gone has nobody who misses it.
        drop(self.0.write_all(&message));
    }

    /// The next message; none if the bus is gone.
    fn receive(&mut self) -> Option<Received> {
        let mut head = [0; 16];
        self.0.read_exact(&mut head).ok()?;
        assert_eq!(head[0], b'l', "little-endian");
        let mut at = 4;
        let (body, serial, fields) = (number(&head, &mut at), number(&head, &mut at), number(&head, &mut at));
        let mut rest = vec![0; fields.next_multiple_of(8) as usize + body as usize];
        self.0.read_exact(&mut rest).ok()?;
        let body = rest.split_off(fields.next_multiple_of(8) as usize);
        let mut received = Received { kind: head[1], serial, reply_to: None, member: None, sender: None, body };
        let mut at = 0;
        while at < fields as usize {
            at = at.next_multiple_of(8);
            let (code, kind) = (rest[at], rest[at + 2]);
            at += 4;
            match kind {
                b'u' => {
                    let value = number(&rest, &mut at);
                    received.reply_to = if code == 5 { Some(value) } else { received.reply_to };
                }
                b's' | b'o' => {
                    let value = text(&rest, &mut at);
                    match code {
                        3 => received.member = Some(value),
                        7 => received.sender = Some(value),
                        _ => {}
                    }
                }
                b'g' => at += rest[at] as usize + 2,
                kind => panic!("a field of kind {kind}"),
            }
        }
        Some(received)
    }
}

struct Received {
    kind: u8,
    serial: u32,
    reply_to: Option<u32>,
    member: Option<String>,
    sender: Option<String>,
    body: Vec<u8>,
}

enum Value<'v> {
    Path(&'v str),
    Text(&'v str),
    Signature(&'v str),
    Number(u32),
}

fn field_bytes((code, value): &(u8, Value<'_>)) -> Vec<u8> {
    let (kind, bytes) = match value {
        Value::Path(path) => (b'o', text_bytes(path)),
        Value::Text(text) => (b's', text_bytes(text)),
        Value::Number(number) => (b'u', number.to_le_bytes().to_vec()),
        Value::Signature(signature) => {
            let mut bytes = vec![u8::try_from(signature.len()).unwrap()];
            bytes.extend(signature.as_bytes());
            bytes.push(0);
            (b'g', bytes)
        }
    };
    let mut field = vec![*code, 1, kind, 0];
    field.extend(bytes);
    field
}

/// The fields, each at a multiple of 8, without what fills up the last.
fn header(fields: &[(u8, Value<'_>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes.extend(field_bytes(field));
    }
    bytes
}

fn text_bytes(text: &str) -> Vec<u8> {
    let mut bytes = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes.push(0);
    bytes
}

fn number(bytes: &[u8], at: &mut usize) -> u32 {
    *at = at.next_multiple_of(4);
    let number = u32::from_le_bytes(bytes[*at..*at + 4].try_into().unwrap());
    *at += 4;
    number
}

fn text(bytes: &[u8], at: &mut usize) -> String {
    let length = number(bytes, at) as usize;
    let text = String::from_utf8(bytes[*at..*at + length].to_vec()).unwrap();
    *at += length + 1;
    text
}
