//! `thoth update`: replaces this program by a newer signed release.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use thoth_update::{Channel, Installed, Patience, REPOSITORY, Release, Standing, Step, UpdateError, Updater};

use crate::settings;
use thoth_shell::exit::{Failure, Outcome, finish};
use thoth_shell::home::Home;
use thoth_shell::terminal::{CARE, GOOD, json_line, line, note, styled};

/// `thoth update`
#[derive(Debug, Args)]
#[command(after_help = "\
The release must be signed by the key that this program was built with, and newer than it. Whatever goes wrong, the
program that works stays in place.

Examples:
  thoth update
  thoth update --check --json
  thoth update --force              # install the same version again")]
pub(crate) struct UpdateArgs {
    /// Install the newest version also when it is the one that runs; never an older one
    #[arg(long, conflicts_with = "check")]
    pub(crate) force: bool,
    /// Only say whether there is a newer version; exit code 0 either way
    #[arg(long)]
    pub(crate) check: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(arguments: &UpdateArgs) -> Outcome {
    finish(update(arguments), arguments.json)
}

fn update(arguments: &UpdateArgs) -> Outcome {
    let channel = Channel::official().map_err(|error| failure(&error.into()))?.ok_or_else(from_source)?;
    let tls = settings::tls(&settings::load(&Home::locate()?, &Vec::new())?)?;
    if !tls.verify {
        note("the server's certificate is not checked (THOTH_TLS_VERIFY); the release's own signature is");
    }
    let installed = Installed::this_program(env!("CARGO_PKG_VERSION")).map_err(|error| failure(&error))?;
    let updater = Updater::new(channel, installed.clone(), &tls, Patience::default());
    if !arguments.check {
        updater.replaceable().map_err(|error| failure(&error))?;
    }
    let (release, newer) = match updater.check().map_err(|error| failure(&error))? {
        Standing::Behind(release) => (release, true),
        Standing::Current(release) => (release, false),
    };
    let install = !arguments.check && (newer || arguments.force);
    if install {
        let mut progress = Progress::new(&release, arguments.json);
        let outcome = updater.install(&release, &mut |step| progress.show(step));
        progress.clear();
        outcome.map_err(|error| failure(&error))?;
    }
    let state = State { installed: &installed, release: &release, newer, updated: install };
    if arguments.json {
        json_line(&state.json().to_string())?
    } else {
        line(state.text())?
    }
    Ok(ExitCode::SUCCESS)
}

fn from_source() -> Failure {
    Failure::failed("this thoth was built from source; only official builds update themselves")
        .hint(format_args!("in a clone of {REPOSITORY}: git pull && cargo install --locked --path crates/thoth-cli"))
        .detail("code", "built_from_source")
}

fn failure(error: &UpdateError) -> Failure {
    let failure = Failure::failed(error).detail("code", error.code());
    match error.remedy() {
        Some(remedy) => failure.hint(remedy),
        None => failure,
    }
}

/// What there is to say in the end.
struct State<'s> {
    installed: &'s Installed,
    release: &'s Release,
    newer: bool,
    updated: bool,
}

impl State<'_> {
    fn command(&self) -> &'static str {
        self.installed.managed().map_or("thoth update", |managed| managed.command)
    }

    fn text(&self) -> String {
        let (ours, theirs) = (&self.installed.version, &self.release.version);
        if self.updated {
            let what = styled(GOOD, format_args!("thoth {theirs} is installed"));
            let path = self.installed.path.display();
            return if self.newer {
                format!(
                    "{what} in `{path}`; it was {ours}. Servers that run keep the old one until they are restarted."
                )
            } else {
                format!("{what} again in `{path}`")
            };
        }
        if self.newer {
            format!(
                "{}; this is {ours}. To update: {}",
                styled(CARE, format_args!("thoth {theirs} is out")),
                self.command()
            )
        } else {
            format!("{}: there is nothing newer", styled(GOOD, format_args!("thoth {ours} is up to date")))
        }
    }

    fn json(&self) -> Value {
        json!({
            "installed": if self.updated { &self.release.version } else { &self.installed.version }.to_string(),
            "latest": self.release.version.to_string(),
            "released": self.release.date.to_string(),
            "up_to_date": self.updated || !self.newer,
            "updated": self.updated,
            "path": self.installed.path.display().to_string(),
            "managed_by": self.installed.managed().map(|managed| managed.by),
            "update_command": self.command(),
        })
    }
}

/// The bytes that have come, for a person who waits.
struct Progress {
    what: String,
    shown: bool,
    percent: Option<u64>,
}

impl Progress {
    fn new(release: &Release, json: bool) -> Self {
        let shown = !json && std::io::stderr().is_terminal();
        Self { what: format!("thoth {}", release.version), shown, percent: None }
    }

    fn show(&mut self, step: Step) {
        let Step::Downloading { done, total } = step else { return };
        let percent = done.saturating_mul(100).checked_div(total);
        if self.shown && percent != self.percent {
            self.percent = percent;
            let megabytes = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
            let text = format!("\r{}: {} of {} MB", self.what, megabytes(done), megabytes(total));
            Self::write(&text);
        }
    }

    fn clear(&self) {
        if self.percent.is_some() {
            Self::write("\r\x1b[2K");
        }
    }

    fn write(text: &str) {
        let mut out = std::io::stderr().lock();
        // Nobody misses a progress line that cannot be shown.
        drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    }
}
