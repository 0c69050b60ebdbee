//! A real PostgreSQL of the test's own: thrown away afterwards, also when the test is killed.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "it is called by tests, which it fails")]

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where Debian puts the programs of each version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A server with its own data, reached over a socket that only the account has that it runs under. A process of the shell
/// waits for the test to end, however it ends, then stops the server and removes its folder.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    /// What it is started with beside the usual.
    options: String,
    /// Its input is open as long as this process lives.
    watch: Child,
}

/// The server that all tests of one process share. Each takes a [`Cluster::database`] of its own.
///
/// # Panics
/// If PostgreSQL is not installed or does not start.
pub fn cluster() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start)
}

impl Cluster {
    /// Starts one.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let cluster = Self::new();
        cluster.go();
        cluster
    }

    /// Starts one that waits for its disk, as a database in use does, to be measured.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn durable() -> Self {
        let mut cluster = Self::new();
        // Of two settings the last one holds.
        cluster.options = "-c fsync=on -c full_page_writes=on -c shared_buffers=128MB".to_owned();
        cluster.go();
        cluster
    }

    /// Starts one that also speaks TLS with this certificate and key in PEM, at a port of 127.0.0.1.
    ///
    /// # Panics
    /// If PostgreSQL is not installed or does not start.
    #[must_use]
    pub fn with_tls(certificate: &str, key: &str) -> (Self, u16) {
        let mut cluster = Self::new();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = cluster.data().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                done(Command::new("chown").arg("postgres").arg(path));
            }
        }
        // Somebody else may take a port between its being found free and its use.
        let mut more = 10;
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            cluster.options = format!("-c ssl=on -c listen_addresses=127.0.0.1 -c port={port}");
            if more == 0 {
                cluster.go();
                return (cluster, port);
            }
            let mut start = cluster.starting();
            start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            if start.status().unwrap().success() {
                return (cluster, port);
            }
            more -= 1;
        }
    }

    /// The data of one that was not started yet.
    fn new() -> Self {
        let programs = programs().expect("PostgreSQL is not installed; `cargo xtask fixtures` installs it");
        let folder = tempfile::Builder::new().prefix("thoth-pg-").tempdir().unwrap().keep();
        let made = Self { watch: watch(&programs, &folder), folder, programs, options: String::new() };
        if is_root() {
            // The server refuses to run as root.
            done(Command::new("chown").arg("postgres").arg(&made.folder));
        }
        let settings = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-N", "-D"];
        done(made.program("initdb").args(settings).arg(made.data()));
        made
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// One of PostgreSQL's programs, under the account that has the data.
    fn program(&self, name: &str) -> Command {
        let mut command = command(&self.programs, name);
        command.current_dir(&self.folder);
        command
    }

    /// Starts the server again after [`Self::halt`].
    pub fn go(&self) {
        done(&mut self.starting());
    }

    fn starting(&self) -> Command {
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c full_page_writes=off \
             -c max_connections=300 -c shared_buffers=32MB {}",
            self.folder.display(),
            self.options
        );
        let log = self.folder.join("log");
        let mut start = self.program("pg_ctl");
        start.args(["-w", "-t", "300", "-o", &options, "-l"]).arg(log).arg("-D").arg(self.data()).arg("start");
        start
    }

    /// Stops the server at once, as if its process had died.
    pub fn halt(&self) {
        done(self.program("pg_ctl").args(["-w", "-m", "immediate", "-D"]).arg(self.data()).arg("stop"));
    }

    /// Stops all of the server's processes where they are, or lets them go on: connections stay, and nobody answers.
    ///
    /// # Panics
    /// If the server does not run.
    pub fn freeze(&self, frozen: bool) {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        let first = file.lines().next().unwrap().to_owned();
        let children = std::fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap();
        let signal = if frozen { "-STOP" } else { "-CONT" };
        done(Command::new("kill").arg(signal).arg(first).args(children.split_whitespace()));
    }

    /// Makes an empty database: its URL.
    #[must_use]
    pub fn database(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.sql(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(&name)
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@{}/{name}", self.folder.display().to_string().replace('/', "%2F"))
    }

    /// Runs statements in a database, by its URL: what they yield, one row a line, columns with `|` between.
    pub fn sql(&self, url: &str, statements: &str) -> String {
        let output = done(self.program("psql").args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            url,
            "-c",
            statements,
        ]));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Ends every other connection to a database, whatever it is doing; how many there were.
    pub fn cut(&self, url: &str) -> usize {
        let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.sql(url, others).parse().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        drop(self.watch.wait());
    }
}

/// Where the programs are.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))
        })
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = versions.into_iter().rev().map(|(_, folder)| folder).chain(std::env::split_paths(&path));
    found.into_iter().find(|folder| ["initdb", "pg_ctl", "psql"].iter().all(|name| folder.join(name).is_file()))
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn command(programs: &Path, name: &str) -> Command {
    let program = programs.join(name);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

/// The process that cleans up.
fn watch(programs: &Path, folder: &Path) -> Child {
    let stop = command(programs, "pg_ctl");
    let words: Vec<_> = std::iter::once(stop.get_program()).chain(stop.get_args()).collect();
    let mut watch = Command::new("sh");
    watch.args([
        "-c",
        "trap '' INT TERM HUP; cd \"$0\"; cat; \"$@\" -m immediate -D \"$0/data\" stop; cd /; rm -rf \"$0\"",
    ]);
    watch.arg(folder).args(words).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    watch.spawn().unwrap()
}

/// Runs it to a good end.
fn done(command: &mut Command) -> Output {
    // What stays running must not keep this process's output open.
    let mut log = tempfile::tempfile().unwrap();
    let is_start = command.get_args().any(|argument| argument == "start");
    let output = if is_start {
        let stdout = log.try_clone().unwrap();
        let status = command.stdin(Stdio::null()).stdout(stdout).stderr(log.try_clone().unwrap()).status().unwrap();
        Output { status, stdout: Vec::new(), stderr: Vec::new() }
    } else {
        command.stdin(Stdio::null()).output().unwrap()
    };
    drop(log.flush());
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}
