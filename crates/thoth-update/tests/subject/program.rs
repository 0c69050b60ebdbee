//! The program that the tests update: a copy of it replaces itself, as `thoth update` does, from a channel that the
//! test names. What version it is, and how badly it starts, stands at the end of its own file.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use thoth_api::{CaBundle, Timeouts, TlsSettings};
use thoth_update::{Channel, Installed, Patience, Standing, Step, UpdateError, Updater};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (version, behaviour) = nature()?;
    match words.as_slice() {
        ["--version"] => start(&version, &behaviour),
        ["update", key, url, authority, rest @ ..] => {
            let mut out = std::io::stdout();
            Ok(match update(&version, (key, url, authority), rest) {
                Ok(outcome) => {
                    writeln!(out, "{outcome}")?;
                    ExitCode::SUCCESS
                }
                Err(error) => {
                    let remedy = error.remedy().unwrap_or_default();
                    writeln!(out, "{}\n{error}\n{remedy}", error.code())?;
                    ExitCode::FAILURE
                }
            })
        }
        _ => Err("unknown arguments".into()),
    }
}

/// The last line of this program's file, if it is `#subject VERSION BEHAVIOUR`.
fn nature() -> Result<(String, String), Failure> {
    let mut file = std::fs::File::open(std::env::current_exe()?)?;
    file.seek(SeekFrom::End(-100))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let last = bytes.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let last = String::from_utf8_lossy(last).into_owned();
    let mut words = last.split(' ');
    Ok(match (words.next(), words.next(), words.next()) {
        (Some("#subject"), Some(version), Some(behaviour)) => (version.to_owned(), behaviour.to_owned()),
        _ => ("0.1.0".to_owned(), "good".to_owned()),
    })
}

fn start(version: &str, behaviour: &str) -> Result<ExitCode, Failure> {
    let hidden = std::env::current_exe()?.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let behaves = match behaviour {
        "good" => true,
        "bad-in-place" => hidden,
        _ => false,
    };
    if behaves {
        writeln!(std::io::stdout(), "thoth {version}")?;
    }
    Ok(if behaves { ExitCode::SUCCESS } else { ExitCode::from(3) })
}

fn update(version: &str, channel: (&str, &str, &str), flags: &[&str]) -> Result<String, UpdateError> {
    let (key, url, authority) = channel;
    let pem = std::fs::read(authority).unwrap_or_default();
    let ca_bundle = Some(CaBundle { name: authority.to_owned(), pem });
    let tls = TlsSettings { ca_bundle, ..TlsSettings::default() };
    // Short only where a test waits for the time to be up: a loaded machine is slow at everything else.
    let seconds = |flag: &str, short| Duration::from_secs(if flags.contains(&flag) { short } else { 60 });
    let patience = Patience {
        silence: Timeouts { connect: Duration::from_secs(60), idle: seconds("--hasty-server", 1) },
        manifest: seconds("--hasty-server", 2),
        artifact: seconds("--hasty-server", 2),
        start: seconds("--hasty-start", 1),
    };
    let installed = Installed::this_program(version)?;
    let updater = Updater::new(Channel::new(key, url)?, installed, &tls, patience);
    let release = match updater.check()? {
        Standing::Behind(release) => release,
        Standing::Current(release) if flags.contains(&"--force") => release,
        Standing::Current(_) => return Ok("current".to_owned()),
    };
    let dies_at = flags.iter().find_map(|flag| flag.strip_prefix("--die-at="));
    updater.install(&release, &mut |step| {
        let name = match step {
            Step::Begun => "begun",
            Step::Downloading { done, total } if done < total => "downloading",
            Step::Downloading { .. } => "downloaded",
            Step::Checked => "checked",
            Step::Tried => "tried",
            Step::Kept => "kept",
            Step::Replaced => "replaced",
            Step::Done => "done",
        };
        if dies_at == Some(name) {
            let died = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            assert_eq!(died, Ok(()), "a process may kill itself");
        }
    })?;
    Ok(format!("updated to {}", release.version))
}
