//! The programs that are measured, and what the system counts of them.

use std::fs::Permissions;
use std::io::{self, BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How much the system counts in a second of processor time (`USER_HZ`, 100 on every Linux).
const TICKS: f64 = 100.0;
const DECISION: &[u8] = b"\"TOOL_CALL_PRE\"";

/// How long a server may take until it listens.
const STARTS: Duration = Duration::from_secs(30);

/// One that runs.
pub(crate) struct Served {
    pub(crate) name: &'static str,
    pub(crate) address: SocketAddr,
    child: Child,
}

impl Served {
    pub(crate) fn start(name: &'static str, command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut line)?;
        let address = line.trim().rsplit('/').next().and_then(|address| address.parse().ok());
        let address = address.ok_or_else(|| io::Error::other("the server did not say where it listens"))?;
        Ok(Self { name, child, address })
    }

    /// One that is told its port and does not say when it listens.
    pub(crate) async fn start_at(name: &'static str, command: &mut Command) -> io::Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        command.args(["--addr", "127.0.0.1", "--port", &address.port().to_string()]);
        let mut served = Self { name, address, child: command.stdout(Stdio::null()).spawn()? };
        let began = Instant::now();
        while let Err(error) = TcpStream::connect(address) {
            if began.elapsed() > STARTS || served.child.try_wait()?.is_some() {
                return Err(io::Error::new(error.kind(), format!("{name} does not listen: {error}")));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(served)
    }

    /// The processor time so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(self.proc("stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        // `utime` and `stime` are the 14th and 15th field of all; two stand before the parenthesis.
        let ticks = |field: usize| fields.get(field).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        (ticks(11) + ticks(12)) / TICKS
    }

    pub(crate) fn resident_mb(&self) -> f64 {
        let status = std::fs::read_to_string(self.proc("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
    }

    /// Files, sockets and the like that it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(self.proc("fd")).map_or(0, Iterator::count)
    }

    fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    /// Lets it end what it has begun.
    pub(crate) fn stop(mut self) -> io::Result<()> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let ended = self.child.wait()?;
        if ended.success() { Ok(()) } else { Err(io::Error::other(format!("{} ended with {ended}", self.name))) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A cedar-agent with the rules of [`crate::policy`], which it keeps in memory; it records nothing.
pub(crate) async fn cedar_agent(program: &Path, rules: usize) -> io::Result<(TempDir, Served)> {
    let permit = |tool: &str| format!("permit(principal, action == Action::\"call\", resource == Tool::\"{tool}\");");
    let rule = |id: usize, tool: &str| serde_json::json!({ "id": format!("r{id}"), "content": permit(tool) });
    let mut policies: Vec<_> = (1..rules).map(|number| rule(number, &format!("tool_{number}"))).collect();
    policies.push(rule(0, "search_documents"));
    let home = tempfile::tempdir()?;
    let (policy, data) = (home.path().join("policies.json"), home.path().join("data.json"));
    std::fs::write(&policy, serde_json::to_vec(&policies)?)?;
    std::fs::write(&data, "[]")?;
    let mut command = Command::new(program);
    command.args(["--log-level", "off", "--policies"]).arg(&policy).arg("--data").arg(&data);
    Ok((home, Served::start_at("cedar-agent", &mut command).await?))
}

/// A `thothd` with everything that it is told.
pub(crate) struct Thothd {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    /// Its folder, which goes when this goes.
    data: TempDir,
    /// More arguments of `serve`.
    serve: Vec<String>,
}

impl Thothd {
    pub(crate) fn new(name: &'static str, program: &Path, policy: &str, serve: Vec<String>) -> io::Result<Self> {
        let data = tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir()?;
        std::fs::write(data.path().join("policy.yaml"), policy)?;
        Ok(Self { name, program: program.to_owned(), data, serve })
    }

    pub(crate) fn start(&self) -> io::Result<Served> {
        let mut command = Command::new(&self.program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(self.data.path());
        for kind in ["enforce", "events", "polls", "checkins", "governance"] {
            command.arg(format!("--{kind}-per-minute=4000000000"));
        }
        Served::start(self.name, command.args(&self.serve))
    }

    /// Makes a key: the header that it goes into.
    pub(crate) fn key(&self, permissions: &[&str]) -> io::Result<String> {
        let mut command = Command::new(&self.program);
        command.args(["keys", "create", "--tenant", "acme", "--organization", "--data"]).arg(self.data.path());
        command.args(permissions.iter().map(|word| format!("--permission={word}"))).args(self.database());
        let made = command.stderr(Stdio::inherit()).output()?;
        if !made.status.success() {
            return Err(io::Error::other("no key was made"));
        }
        Ok(format!("Bearer {}", String::from_utf8_lossy(&made.stdout).trim()))
    }

    fn database(&self) -> impl Iterator<Item = &String> {
        self.serve.iter().filter(|argument| argument.starts_with("--database-url"))
    }

    /// How many decisions are in the ledger, which must verify; once the server has ended.
    pub(crate) fn decisions(&self) -> io::Result<usize> {
        let mut ledger = self.data.path().join("tenants/acme/ledger");
        if self.database().next().is_some() {
            ledger = self.data.path().join("exported");
            let mut export = Command::new(&self.program);
            export.args(["ledger", "export", "--tenant", "acme"]).args(self.database()).arg(&ledger);
            if !export.stdout(Stdio::null()).status()?.success() {
                return Err(io::Error::other("the ledger was not exported"));
            }
        }
        let mut decisions = 0_usize;
        let mut count =
            |event: &[u8]| decisions += usize::from(event.windows(DECISION.len()).any(|text| text == DECISION));
        thoth_audit::verify_each(&ledger, &thoth_audit::VerifyOptions::default(), &mut count)
            .map_err(io::Error::other)?;
        Ok(decisions)
    }
}
