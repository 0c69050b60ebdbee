//! One request over plain HTTP, written by hand, and its whole answer, as text. And an address at which nobody answers.
//!
//! It reads no answer beyond where it ends, and understands nothing in it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Longer than any answer takes; only a test that hangs meets it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends a request, with these further lines in its head, each with its line end. All of it is one write: a server that
/// answers before it has read everything may close the connection, and a second write would meet that.
///
/// # Errors
/// When nobody takes it.
pub fn send(address: &str, (method, path): (&str, &str), headers: &str, body: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// Everything that comes until the other side closes. If it does so without having read all of the request, the connection is
/// reset after the answer, which makes that no worse.
///
/// # Errors
/// When the answer does not come, or is cut off.
pub fn whole(mut stream: TcpStream) -> io::Result<String> {
    let mut text = String::new();
    match stream.read_to_string(&mut text) {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset && is_whole(&text) => Ok(text),
        Err(error) => Err(error),
    }
}

/// One request and its answer.
///
/// # Errors
/// When nobody takes it, or does not answer.
pub fn ask(address: &str, request: (&str, &str), headers: &str, body: &str) -> io::Result<String> {
    send(address, request, headers, body).and_then(whole)
}

/// Whether an answer has as much body as its head says.
fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    length == Some(body.len())
}

/// An address of this machine at which nobody listens. Nobody else gets it while this is held, unlike the port of a listener
/// that was closed.
#[derive(Debug)]
pub struct Nobody {
    address: SocketAddr,
    /// Its own end of a connection has the port.
    _held: (TcpStream, TcpListener),
}

impl Nobody {
    /// Takes one.
    ///
    /// # Errors
    /// When the system has no more ports.
    pub fn there() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let stream = TcpStream::connect(listener.local_addr()?)?;
        Ok(Self { address: stream.local_addr()?, _held: (stream, listener) })
    }

    /// Where nobody is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_connections() {
        let nobody = Nobody::there().unwrap();
        let error = TcpStream::connect(nobody.address()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn an_answer_to_half_a_request_is_read() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer = "HTTP/1.1 401 x\r\nContent-Length: 2\r\n\r\nno";
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        assert_eq!(ask(&address, ("POST", "/"), "", &"x".repeat(1 << 16)).unwrap(), answer);
        server.join().unwrap();
    }
}
