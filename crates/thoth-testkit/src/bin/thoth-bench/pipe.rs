//! One thing in the pipe between the driver and the echo server.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

/// What stands between client and server: a command to which the server's command is appended, or nothing.
#[derive(Debug)]
pub(crate) struct Peer {
    name: String,
    prefix: Vec<String>,
}

impl Peer {
    pub(crate) fn new(name: &str, prefix: &[&str]) -> Self {
        Self { name: name.to_owned(), prefix: prefix.iter().map(|&part| part.to_owned()).collect() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// This in front of another.
    pub(crate) fn before(mut self, other: &Self) -> Self {
        self.prefix.extend(other.prefix.iter().cloned());
        self
    }

    pub(crate) fn start(&self, server: &Path, result_bytes: usize, home: &Path) -> io::Result<Pipe> {
        let mut words = self.prefix.clone();
        words.extend([server.display().to_string(), result_bytes.to_string()]);
        let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no command"))?;
        let mut child = Command::new(program)
            .args(arguments)
            // Made by the gate itself, and so private whatever the umask.
            .env("THOTH_HOME", home.join("thoth"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || io::Error::other("no pipe");
        let mut pipe = Pipe {
            stdin: child.stdin.take().ok_or_else(missing)?,
            stdout: BufReader::with_capacity(1 << 20, child.stdout.take().ok_or_else(missing)?),
            child,
            next_id: 0,
        };
        pipe.list()?;
        Ok(pipe)
    }
}

/// A running one.
#[derive(Debug)]
pub(crate) struct Pipe {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next_id: u64,
}

fn request(id: u64, bytes: usize) -> Vec<u8> {
    let head = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"echo\",\"arguments\":{{\"path\":\"/data/report.txt\",\"mode\":\"read\",\"limit\":100,\"text\":\""
    );
    let tail = "\"}}}\n";
    let padding = bytes.saturating_sub(head.len() + tail.len());
    let mut line = head.into_bytes();
    line.extend("lorem ipsum dolor sit amet ".bytes().cycle().take(padding));
    line.extend_from_slice(tail.as_bytes());
    line
}

fn check(line: &[u8]) -> io::Result<()> {
    // A refusal would be fast and wrong.
    if line.windows(9).take(64).any(|window| window == b"\"result\":") {
        Ok(())
    } else {
        Err(io::Error::other(format!("not a result: {}", String::from_utf8_lossy(line))))
    }
}

impl Pipe {
    /// Asks for the tools, as every client does before it calls one.
    fn list(&mut self) -> io::Result<()> {
        self.stdin.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/list\"}\n")?;
        let mut line = Vec::new();
        self.stdout.read_until(b'\n', &mut line)?;
        check(&line)
    }

    /// Calls one after the other; how long each took.
    pub(crate) fn calls_one_by_one(&mut self, calls: usize, bytes: usize) -> io::Result<Vec<Duration>> {
        let mut took = Vec::with_capacity(calls);
        let mut line = Vec::new();
        for _ in 0..calls {
            self.next_id += 1;
            let request = request(self.next_id, bytes);
            line.clear();
            let started = Instant::now();
            self.stdin.write_all(&request)?;
            self.stdout.read_until(b'\n', &mut line)?;
            took.push(started.elapsed());
            check(&line)?;
        }
        Ok(took)
    }

    /// Sends one call.
    pub(crate) fn send(&mut self, bytes: usize) -> io::Result<()> {
        self.next_id += 1;
        self.stdin.write_all(&request(self.next_id, bytes))
    }

    /// Waits for the answer to it.
    pub(crate) fn receive(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        self.stdout.read_until(b'\n', &mut line)?;
        check(&line)
    }

    /// As many calls, `window` of them open at any time; how long each took, from before it was written.
    pub(crate) fn calls_in_flight(&mut self, calls: usize, bytes: usize, window: usize) -> io::Result<Vec<Duration>> {
        let first = self.next_id + 1;
        self.next_id += u64::try_from(calls).unwrap_or(u64::MAX);
        let (open, wait) = sync_channel::<()>(window);
        let (begin, began) = sync_channel::<Instant>(window + 1);
        let mut took = Vec::with_capacity(calls);
        let Self { stdin, stdout, .. } = self;
        thread::scope(|scope| {
            let writer = scope.spawn(move || -> io::Result<()> {
                for id in (first..).take(calls) {
                    let line = request(id, bytes);
                    if open.send(()).is_err() || begin.send(Instant::now()).is_err() {
                        return Ok(());
                    }
                    stdin.write_all(&line)?;
                }
                Ok(())
            });
            let mut line = Vec::new();
            for _ in 0..calls {
                line.clear();
                stdout.read_until(b'\n', &mut line)?;
                // Answers come in the order of the calls: the server has one thread.
                took.extend(began.recv().map(|began| began.elapsed()));
                check(&line)?;
                let _ = wait.recv();
            }
            drop((wait, began));
            writer.join().map_err(|_| io::Error::other("the writer failed"))?
        })?;
        Ok(took)
    }

    /// Resident memory now and at its peak.
    pub(crate) fn resident_megabytes(&self) -> io::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let megabytes = |key: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key)?.trim().strip_suffix("kB")?.trim().parse::<f64>().ok())
                .unwrap_or_default()
                / 1000.0
        };
        Ok((megabytes("VmRSS:"), megabytes("VmHWM:")))
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        child.wait()?;
        Ok(())
    }
}
