//! Starting a program once, to see that it starts and is what it should be.

use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use semver::Version;

use crate::manifest::PRODUCT;

/// How often to look whether the program has ended.
const INTERVAL: Duration = Duration::from_millis(5);
/// What a version takes, and far less than a pipe holds.
const MAX_OUTPUT_BYTES: u64 = 1024;

/// How a program failed to start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system does not run it.
    #[error("the system does not run it: {0}")]
    NotRun(#[from] io::Error),
    /// It ended badly.
    #[error("`--version` ended with {0}")]
    Ended(ExitStatus),
    /// It did not end.
    #[error("`--version` took longer than {} seconds", .0.as_secs_f32())]
    TooSlow(Duration),
    /// It is something else.
    #[error("`--version` says `{0}`")]
    SaysOther(String),
}

/// Runs `program --version` and checks that it says so, within a time.
pub(crate) fn starts(program: &Path, version: &Version, within: Duration) -> Result<(), StartError> {
    let deadline = Instant::now() + within;
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let status = ended(&mut child, deadline, within)?;
    if !status.success() {
        return Err(StartError::Ended(status));
    }
    let said = output(&mut child)?;
    if said.trim_end() == format!("{PRODUCT} {version}") {
        Ok(())
    } else {
        Err(StartError::SaysOther(said.trim_end().escape_debug().to_string()))
    }
}

fn ended(child: &mut Child, deadline: Instant, within: Duration) -> Result<ExitStatus, StartError> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(StartError::TooSlow(within));
        }
        #[expect(clippy::disallowed_methods, reason = "a child offers no event to wait for that also ends in time")]
        std::thread::sleep(INTERVAL);
    }
}

/// What the child has written. It has ended; whatever it started may still hold the pipe, and is not waited for.
fn output(child: &mut Child) -> io::Result<String> {
    let Some(pipe) = child.stdout.take() else { return Ok(String::new()) };
    rustix::io::ioctl_fionbio(&pipe, true)?;
    let mut said = Vec::new();
    match pipe.take(MAX_OUTPUT_BYTES).read_to_end(&mut said) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
        _ => {}
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}
