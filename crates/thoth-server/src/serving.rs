//! `thothd serve`, from its settings to the end of the last request.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use thoth_postgres::Database;
use thoth_server::{OidcOptions, Options, Rates, Server, listen};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::home::write_new;
use thoth_shell::terminal::{divert_notes, line, note};
use thoth_telemetry::lines::{self, Format, Level};
use thoth_telemetry::traces;
use thoth_types::Mode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::collector;
use crate::logins;
use crate::options::{Flags, Resolved, SERVING};
use crate::places::{data, database};

/// How long the last spans may take to be sent, once the last request has ended.
const LAST_TRACES: Duration = Duration::from_secs(5);

/// The settings of a server, read.
#[derive(Debug)]
pub(crate) struct Serving<'s> {
    resolved: &'s Resolved,
    pub(crate) listen: SocketAddr,
    policy: Option<PathBuf>,
    /// The certificate and its key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    mode: Mode,
    rates: Rates,
    metrics: Option<SocketAddr>,
    /// How lines look, and which are written.
    lines: (Format, Level),
}

impl<'s> Serving<'s> {
    /// Whatever can be said without looking at other files is looked at.
    pub(crate) fn of(resolved: &'s Resolved) -> Result<Self, Failure> {
        let path = |name| resolved.path(name).map(Path::to_owned);
        let tls = match (path("tls_cert"), path("tls_key")) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => return Err(lonely(resolved, "tls_cert", "tls_key")),
            (None, Some(_)) => return Err(lonely(resolved, "tls_key", "tls_cert")),
        };
        let listen: SocketAddr = resolved.read("listen")?;
        if tls.is_none() && listen::needs_tls(&listen) {
            let place = resolved.get("listen").map(|value| value.origin.to_string()).unwrap_or_default();
            return Err(Failure::usage(format!(
                "{place}: `{listen}` can be reached by other machines, and there is no TLS"
            ))
            .hint("give --tls-cert and --tls-key, or listen at 127.0.0.1 behind a proxy that speaks TLS"));
        }
        let rates = Rates {
            enforce: resolved.read("enforce_per_minute")?,
            events: resolved.read("events_per_minute")?,
            polls: resolved.read("polls_per_minute")?,
            endpoints: resolved.read("checkins_per_minute")?,
            governance: resolved.read("governance_per_minute")?,
        };
        let metrics = resolved.get("metrics_listen").map(|_| resolved.read("metrics_listen")).transpose()?;
        if let Some(address) = metrics.filter(listen::needs_tls)
            && !resolved.is_on("metrics_exposed")
        {
            let place = resolved.get("metrics_listen").map(|value| value.origin.to_string()).unwrap_or_default();
            return Err(Failure::usage(format!("{place}: other machines could read the metrics at `{address}`"))
                .hint("give --metrics-exposed if they may, or listen at 127.0.0.1"));
        }
        let format = if resolved.word("log_format") == "json" { Format::Json } else { Format::Text };
        let level = match resolved.word("log_level") {
            "error" => Level::ERROR,
            "warn" => Level::WARN,
            "debug" => Level::DEBUG,
            _ => Level::INFO,
        };
        let lines = (format, level);
        Ok(Self { resolved, listen, policy: path("policy"), tls, mode: mode(resolved), rates, metrics, lines })
    }

    /// What TLS is spoken with, if it is.
    pub(crate) fn tls(&self) -> Result<Option<TlsAcceptor>, Failure> {
        let Some((certificate, key)) = &self.tls else { return Ok(None) };
        listen::tls(certificate, key).map(Some).map_err(Failure::failed)
    }

    /// Where traces go, if anywhere.
    pub(crate) fn traces(&self) -> Result<Option<traces::Options>, Failure> {
        collector::traces(self.resolved, self.scheme())
    }

    /// Whose logins are taken, if anybody's.
    pub(crate) fn logins(&self) -> Result<Option<OidcOptions>, Failure> {
        logins::logins(self.resolved)
    }

    const fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// The database, if one is named.
    pub(crate) fn database(&self) -> Result<Option<Arc<Database>>, Failure> {
        database(self.resolved)
    }

    /// Where things are kept and which policy holds; both are made if they are not there.
    fn prepare(&self, on_database: bool) -> Result<(PathBuf, PathBuf), Failure> {
        match &self.policy {
            // Nothing else is kept there.
            Some(policy) if on_database => Ok((PathBuf::new(), policy.clone())),
            Some(policy) => Ok((data(self.resolved)?, policy.clone())),
            None => {
                let data = data(self.resolved)?;
                let policy = starter(&data)?;
                Ok((data, policy))
            }
        }
    }
}

/// One setting is given, and another that it needs is not.
pub(crate) fn lonely(resolved: &Resolved, given: &str, missing: &str) -> Failure {
    let place = resolved.get(given).map(|value| value.origin.to_string()).unwrap_or_default();
    let flag = missing.replace('_', "-");
    Failure::usage(format!("{place}: `{given}` is given and `{missing}` is not"))
        .hint(format!("give --{flag}, too, or the setting `{missing}`"))
}

/// The value was looked at before.
fn mode(resolved: &Resolved) -> Mode {
    match resolved.word("enforcement_mode") {
        "observe" | "shadow" => Mode::Observe,
        "step_up" | "step-up" => Mode::StepUp,
        "progressive" => Mode::Progressive,
        _ => Mode::Block,
    }
}

pub(crate) fn serve(flags: &Flags<SERVING>) -> Outcome {
    Resolved::tell_unknown_variables();
    let resolved = Resolved::of(flags)?;
    let serving = Serving::of(&resolved)?;
    let (format, level) = serving.lines;
    lines::begin(format, level).map_err(Failure::failed)?;
    divert_notes(|text| tracing::warn!("{text}"));
    match run(&serving) {
        // The last line is of the form of the others.
        Err(failure) if format == Format::Json => {
            tracing::error!(hint = failure.remedy().unwrap_or_default(), "{}", failure.message());
            Ok(failure.exit_code())
        }
        outcome => outcome,
    }
}

fn run(serving: &Serving<'_>) -> Outcome {
    let logins = serving.logins()?;
    let tls = serving.tls()?;
    let database = serving.database()?;
    let traces = serving.traces()?;
    let (data, policy) = serving.prepare(database.is_some())?;
    // Not a reason not to start: it may come back, and whoever asks is refused until then.
    if let Some(Err(error)) = database.as_ref().map(|database| database.probe()) {
        note(format_args!("every call is refused until this is mended: {error}"));
    }
    let options = Options {
        data,
        policy,
        mode: serving.mode,
        rates: serving.rates,
        access_log: serving.resolved.is_on("access_log"),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| failed("begin", &error))?;
    runtime.block_on(async move {
        let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed("wait for signals", &error))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed("wait for signals", &error))?;
        let (listener, address) = bind(serving.listen).await?;
        let metrics = match serving.metrics {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let server = match database {
            Some(database) => Server::on(database, options),
            None => Server::new(options),
        };
        let server = server.map_err(|error| failed("begin", &error))?;
        let server = logins.into_iter().fold(server, Server::with_logins);
        let server = match &traces {
            Some(options) => server.with_traces(options).map_err(|error| failed("send traces", &error))?,
            None => server,
        };
        let scheme = serving.scheme();
        // Scripts that let the system choose a port read it here.
        line(format_args!("listening at {scheme}://{address}"))?;
        if let Some((_, address)) = &metrics {
            line(format_args!("metrics at http://{address}/metrics"))?;
        }
        let (stopped, stopping) = watch::channel(false);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
            stopped.send_replace(true);
        };
        let told = async |mut stopping: watch::Receiver<bool>| drop(stopping.wait_for(|stop| *stop).await);
        let measured = async {
            if let Some((listener, _)) = metrics {
                server.serve_metrics(listener, told(stopping)).await;
            }
        };
        tokio::join!(server.serve(listener, tls, stop), measured);
        // Nothing else is left to do in this process, so that it may wait here.
        server.end_traces(LAST_TRACES);
        Ok(ExitCode::SUCCESS)
    })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener =
        TcpListener::bind(address).await.map_err(|error| failed(&format!("listen at `{address}`"), &error))?;
    let address = listener.local_addr().map_err(|error| failed("tell the address", &error))?;
    Ok((listener, address))
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot {what}: {error}"))
}

/// The policy in the data directory, written there if it is not.
fn starter(data: &Path) -> Result<PathBuf, Failure> {
    let path = data.join("policy.yaml");
    // What is there is not written over, so a full disk is no reason not to start.
    if path.symlink_metadata().is_ok() {
        return Ok(path);
    }
    let written = write_new(&path, thoth_policy::STARTER)
        .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?;
    if written {
        tracing::info!(
            "wrote a starter policy to {}: it allows reading, asks before writing, and blocks deleting",
            path.display()
        );
    }
    Ok(path)
}
