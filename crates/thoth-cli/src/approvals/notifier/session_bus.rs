//! One call on the session bus: `org.freedesktop.Notifications.Notify`, with the few parts of the D-Bus specification that
//! it takes. Only sockets of this machine are used: no address makes it start a program or open a connection elsewhere.
//!
//! What the bus sends is read in bounded size and time, and only to learn whether the call was answered.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The longest line of the greeting, and the longest message that is read.
const MAX_LINE: usize = 512;
const MAX_MESSAGE: usize = 64 * 1024;
/// How many messages may come before the answer.
const MAX_MESSAGES: usize = 64;

const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Codes of header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// The call's number on our connection; `Hello` is the first.
const NOTIFY: u32 = 2;

/// Shows a notification, and returns once the desktop has said that it did.
pub(super) fn notify(addresses: &str, summary: &str, body: &str, within: Duration) -> io::Result<()> {
    let mut bus = Bus { stream: connect(addresses)?, deadline: Instant::now() + within };
    bus.greet()?;
    let hello = message(
        1,
        &[
            (PATH, b'o', "/org/freedesktop/DBus"),
            (INTERFACE, b's', "org.freedesktop.DBus"),
            (MEMBER, b's', "Hello"),
            (DESTINATION, b's', "org.freedesktop.DBus"),
        ],
        &[],
    );
    bus.write(&hello)?;
    let call = message(
        NOTIFY,
        &[
            (PATH, b'o', "/org/freedesktop/Notifications"),
            (INTERFACE, b's', "org.freedesktop.Notifications"),
            (MEMBER, b's', "Notify"),
            (DESTINATION, b's', "org.freedesktop.Notifications"),
            (SIGNATURE, b'g', "susssasa{sv}i"),
        ],
        &arguments(summary, body),
    );
    bus.write(&call)?;
    for _ in 0..MAX_MESSAGES {
        match bus.read()? {
            (RETURN, Some(NOTIFY)) => return Ok(()),
            (ERROR, Some(_)) => return Err(io::Error::other("the desktop shows no notifications")),
            _ => {}
        }
    }
    Err(strange())
}

fn strange() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "not what a session bus says")
}

/// Connects to the first address at which anybody is.
fn connect(addresses: &str) -> io::Result<UnixStream> {
    let mut last = io::Error::new(ErrorKind::NotFound, "no address of a local socket");
    for address in addresses.split(';') {
        let Some(keys) = address.strip_prefix("unix:") else { continue };
        for (key, value) in keys.split(',').filter_map(|pair| pair.split_once('=')) {
            let Some(value) = unescaped(value) else { continue };
            let tried = match key {
                "path" => UnixStream::connect(std::ffi::OsString::from_vec(value)),
                "abstract" => connect_abstract(&value),
                _ => continue,
            };
            match tried {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
    }
    Err(last)
}

#[cfg(target_os = "linux")]
fn connect_abstract(name: &[u8]) -> io::Result<UnixStream> {
    use std::os::linux::net::SocketAddrExt as _;
    UnixStream::connect_addr(&std::os::unix::net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &[u8]) -> io::Result<UnixStream> {
    Err(ErrorKind::Unsupported.into())
}

/// `%xx` in values of addresses.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    Some(out)
}

struct Bus {
    stream: UnixStream,
    deadline: Instant,
}

impl Bus {
    /// Says which account this is, which the bus learns from the socket itself.
    fn greet(&mut self) -> io::Result<()> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let digits: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.write(format!("\0AUTH EXTERNAL {digits}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            if line.len() >= MAX_LINE {
                return Err(strange());
            }
            let mut byte = [0];
            self.fill(&mut byte)?;
            line.extend(byte);
        }
        if !line.starts_with(b"OK ") {
            return Err(io::Error::new(ErrorKind::PermissionDenied, "the session bus is not for this account"));
        }
        self.write(b"BEGIN\r\n")
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(self.left()?))?;
            let written = match self.stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => written,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn fill(&mut self, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.stream.set_read_timeout(Some(self.left()?))?;
            let read = match self.stream.read(bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => 0,
                Err(error) => return Err(error),
            };
            bytes = bytes.get_mut(read..).unwrap_or_default();
        }
        Ok(())
    }

    /// The kind of the next message, and which of ours it answers.
    fn read(&mut self) -> io::Result<(u8, Option<u32>)> {
        let mut head = [0; 16];
        self.fill(&mut head)?;
        let [endian, kind, ..] = head;
        let number = |at: usize| number(&head, at, endian).ok_or_else(strange);
        let (body, fields) = (number(4)?, number(12)?);
        let rest =
            fields.checked_next_multiple_of(8).and_then(|fields| fields.checked_add(body)).ok_or_else(strange)?;
        let rest = usize::try_from(rest).ok().filter(|rest| *rest <= MAX_MESSAGE).ok_or_else(strange)?;
        let mut bytes = vec![0; rest];
        self.fill(&mut bytes)?;
        let fields = usize::try_from(fields).ok().and_then(|fields| bytes.get(..fields)).ok_or_else(strange)?;
        Ok((kind, reply_serial(fields, endian).ok_or_else(strange)?))
    }
}

/// The number at a place, in the byte order that the message names.
fn number(bytes: &[u8], at: usize, endian: u8) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    match endian {
        b'l' => Some(u32::from_le_bytes(bytes)),
        b'B' => Some(u32::from_be_bytes(bytes)),
        _ => None,
    }
}

/// Which message the header's fields say is answered. The outer `None`: they cannot be read.
fn reply_serial(fields: &[u8], endian: u8) -> Option<Option<u32>> {
    let (mut at, mut found) = (0_usize, None);
    while at < fields.len() {
        let [code, 1, kind, 0] = *fields.get(at..at + 4)? else { return None };
        at += 4;
        let length = match kind {
            b'u' => {
                found = if code == REPLY_SERIAL { Some(number(fields, at, endian)?) } else { found };
                4
            }
            b's' | b'o' => usize::try_from(number(fields, at, endian)?).ok()?.checked_add(5)?,
            b'g' => usize::from(*fields.get(at)?) + 2,
            _ => return None,
        };
        at = at.checked_add(length)?.checked_next_multiple_of(8)?;
    }
    Some(found)
}

/// The arguments of `Notify`: application, what it replaces, icon, summary, body, actions, hints, how long.
fn arguments(summary: &str, body: &str) -> Vec<u8> {
    let mut wire = Wire::default();
    wire.string("Thoth");
    wire.number(0);
    wire.string("dialog-question");
    wire.string(summary);
    wire.string(body);
    // No actions: a click is no answer. No hints, whose first would stand at a multiple of 8.
    wire.number(0);
    wire.number(0);
    wire.align(8);
    // As long as the desktop likes: -1.
    wire.number(u32::MAX);
    wire.0
}

/// A call, in little-endian order.
fn message(serial: u32, fields: &[(u8, u8, &str)], body: &[u8]) -> Vec<u8> {
    let mut header = Wire::default();
    for (code, kind, value) in fields {
        header.align(8);
        header.0.extend([*code, 1, *kind, 0]);
        if *kind == b'g' {
            header.0.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
            header.0.extend(value.as_bytes());
            header.0.push(0);
        } else {
            header.string(value);
        }
    }
    let mut wire = Wire(vec![b'l', CALL, 0, 1]);
    wire.number(length(body));
    wire.number(serial);
    wire.number(length(&header.0));
    wire.0.extend(header.0);
    wire.align(8);
    wire.0.extend(body);
    wire.0
}

/// A length in the protocol. None of ours comes near its limits.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Wire(Vec<u8>);

impl Wire {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn string(&mut self, text: &str) {
        self.number(length(text.as_bytes()));
        self.0.extend(text.as_bytes());
        self.0.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: nothing that a bus sends makes us wait, allocate or fail without bounds.
    #[test]
    fn strange_messages_are_refused() {
        let head = |endian: u8, body: u32, fields: u32| {
            let mut head = vec![endian, RETURN, 0, 1];
            for number in [body, 7, fields] {
                head.extend(number.to_le_bytes());
            }
            head
        };
        let with = |mut head: Vec<u8>, rest: &[u8]| {
            head.extend(rest);
            head
        };
        let field = [REPLY_SERIAL, 1, b'u', 0, 2, 0, 0, 0];
        for (bytes, expected) in [
            (with(head(b'l', 0, 8), &field), Some((RETURN, Some(2)))),
            (head(b'l', 0, 0), Some((RETURN, None))),
            (head(b'x', 0, 0), None),
            (head(b'l', u32::MAX, 0), None),
            (head(b'l', 0, u32::MAX), None),
            (head(b'l', u32::MAX, u32::MAX), None),
            (head(b'l', 1 << 20, 0), None),
            (with(head(b'l', 0, 8), &[REPLY_SERIAL, 1, b'v', 0, 2, 0, 0, 0]), None),
            (with(head(b'l', 0, 8), &[INTERFACE, 1, b's', 0, 255, 255, 255, 255]), Some((RETURN, None))),
            (with(head(b'l', 0, 4), &[REPLY_SERIAL, 1, b'u', 0, 0, 0, 0, 0]), None),
            (with(head(b'l', 0, 8), &field[..4]), None),
        ] {
            let (mut sender, stream) = UnixStream::pair().unwrap();
            sender.write_all(&bytes).unwrap();
            drop(sender);
            let mut bus = Bus { stream, deadline: Instant::now() + Duration::from_secs(30) };
            assert_eq!(bus.read().ok(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn values_of_addresses_are_unescaped() {
        assert_eq!(unescaped("/tmp/a%20b%2c"), Some(b"/tmp/a b,".to_vec()));
        assert_eq!(unescaped("%4"), None);
        assert_eq!(unescaped("%zz"), None);
    }
}
