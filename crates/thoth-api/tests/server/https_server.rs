//! A real HTTPS server on this machine that answers as badly as a test wants it to.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Signs the certificates of servers.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// A certificate for these names, valid from one year to another.
    pub(crate) fn issue(&self, names: &[&str], years: (i32, i32)) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        Identity { leaf: leaf.der().clone(), key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }
}

/// A server's certificate and key.
pub(crate) struct Identity {
    pub(crate) leaf: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

/// How a request is answered.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Properly.
    Bytes(Vec<u8>),
    /// With this status and nothing else.
    Status(u16),
    /// With a redirect.
    Redirect(String),
    /// With all that was announced but the last bytes, and then the connection closes.
    Cut(Vec<u8>),
    /// Without saying how long it is, and never ending.
    Endless,
    /// A byte at a time.
    Drip(Vec<u8>),
    /// Not at all, until the client goes away.
    Silence,
}

/// Answers requests until it is dropped.
pub(crate) struct HttpsServer {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<String>>>,
    accepting: Option<JoinHandle<()>>,
}

impl HttpsServer {
    /// Starts answering; `answer` gets the path.
    pub(crate) fn start(identity: Identity, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.leaf], identity.key)
            .unwrap();
        let config = Arc::new(config);
        let answer = Arc::new(answer);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let accepting = {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                for connection in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let (config, answer, asked) = (Arc::clone(&config), Arc::clone(&answer), Arc::clone(&asked));
                    std::thread::spawn(move || {
                        // Clients of these tests break connections on purpose.
                        drop(connection.and_then(|stream| serve(stream, config, &*answer, &asked)));
                    });
                }
            })
        };
        Self { address, stop, asked, accepting: Some(accepting) }
    }

    /// The address under the name that certificates here are for.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// The paths that were asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for HttpsServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    answer: &dyn Fn(&str) -> Answer,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = BufReader::new(StreamOwned::new(connection, stream));
    let mut request = String::new();
    stream.read_line(&mut request)?;
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header)? <= 2 {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    asked.lock().unwrap().push(path.clone());
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let out = stream.get_mut();
    match answer(&path) {
        Answer::Bytes(bytes) => {
            out.write_all(head(bytes.len()).as_bytes())?;
            out.write_all(&bytes)?;
        }
        Answer::Status(status) => {
            write!(out, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
        }
        Answer::Redirect(to) => {
            write!(out, "HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
        }
        Answer::Cut(bytes) => {
            out.write_all(head(bytes.len() + 100).as_bytes())?;
            out.write_all(&bytes)?;
        }
        Answer::Endless => {
            out.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")?;
            loop {
                out.write_all(&[b'x'; 4096])?;
            }
        }
        Answer::Drip(bytes) => {
            out.write_all(head(bytes.len()).as_bytes())?;
            for byte in bytes {
                out.write_all(&[byte])?;
                out.flush()?;
                #[expect(clippy::disallowed_methods, reason = "being slow is what this answer is for")]
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Answer::Silence => {
            stream.read_to_end(&mut Vec::new())?;
            return Ok(());
        }
    }
    out.conn.send_close_notify();
    out.flush()
}
