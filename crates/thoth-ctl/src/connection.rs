//! Where the server is, and what its refusals mean to a person.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use thoth_api::{Administration, CaBundle, HttpError, RemoteError, TlsSettings, Url};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::key_file;
use thoth_shell::terminal::{harmless_text, json_line};
use tokio::runtime::Runtime;

use crate::auth::session::SessionFile;
use crate::credential::{self, SESSION_VARIABLE};

/// The largest file with certificates, in bytes.
const MAX_BUNDLE: u64 = 4 << 20;

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct ConnectionArgs {
    /// Address of the server, https or on this machine [env: THOTH_GOVAPI_URL]
    #[arg(long, global = true, value_name = "URL", visible_alias = "govapi-url")]
    url: Option<String>,
    /// The organisation [env: THOTH_TENANT_ID]
    #[arg(long, global = true, value_name = "ID")]
    tenant_id: Option<String>,
    /// File with the API key: JSON with `api_key`, or the key alone; `-` is standard input
    #[arg(long, global = true, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// File of a login; the one of `thothctl auth login` unless given [env: THOTH_AUTH_SESSION_FILE]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "api_key_file")]
    auth_token_file: Option<PathBuf>,
    /// How long an answer may take
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout_seconds: u64,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Where a server is and how it is asked, whoever asks.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) url: Url,
    pub(crate) tenant: String,
    pub(crate) tls: TlsSettings,
    /// How long an answer may take.
    pub(crate) within: Duration,
}

/// A server to ask.
pub(crate) struct Server {
    runtime: Runtime,
    administration: Administration,
    pub(crate) json: bool,
}

pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

impl Place {
    /// The server without a path.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl ConnectionArgs {
    /// Where the server is, as the flags and the environment say.
    pub(crate) fn place(&self) -> Result<Place, Failure> {
        let missing = |what: &str, flag: &str, name: &str| {
            Failure::usage(format!("{what} is missing")).hint(format!("say --{flag}, or set {name}"))
        };
        let url = self.url.clone().or_else(|| variable("THOTH_GOVAPI_URL"));
        let url = url.ok_or_else(|| missing("the address of the server", "url", "THOTH_GOVAPI_URL"))?;
        let url =
            Url::parse(url.trim()).map_err(|error| Failure::usage(format!("the address of the server: {error}")))?;
        let tenant = self.tenant_id.clone().or_else(|| variable("THOTH_TENANT_ID"));
        let tenant = tenant.ok_or_else(|| missing("the organisation", "tenant-id", "THOTH_TENANT_ID"))?;
        Ok(Place { url, tenant, tls: tls()?, within: Duration::from_secs(self.timeout_seconds) })
    }

    /// The file of the login for this place.
    pub(crate) fn session_file(&self, place: &Place) -> Result<SessionFile, Failure> {
        let named = self.auth_token_file.clone().or_else(|| variable(SESSION_VARIABLE).map(PathBuf::from));
        named.map_or_else(|| SessionFile::of(place), |path| Ok(SessionFile::named(&path)))
    }

    /// A client as the flags and the environment say.
    pub(crate) fn open(&self) -> Result<Server, Failure> {
        let place = self.place()?;
        let credential = credential::choose(self.api_key_file.as_deref(), self.auth_token_file.as_deref(), &place)?;
        let Place { url, tenant, tls, within } = place;
        let administration =
            Administration::new(url, tenant, credential, &tls, within).map_err(|error| unreached(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)?;
        Ok(Server { runtime, administration, json: self.json })
    }
}

/// TLS as the environment demands it, by the same variables as `thoth`.
fn tls() -> Result<TlsSettings, Failure> {
    let wrong = |error: String| {
        let hint = "correct or unset THOTH_TLS_VERIFY, THOTH_TLS_CA_BUNDLE, THOTH_TLS_PINNED_CERT_SHA256";
        Failure::failed(error).hint(hint)
    };
    let bundle = match variable("THOTH_TLS_CA_BUNDLE") {
        None => None,
        Some(name) => match key_file::regular(Path::new(&name), MAX_BUNDLE) {
            Ok(Some((pem, true))) => Some(CaBundle { name, pem }),
            Ok(Some((_, false))) => {
                return Err(wrong("the file of THOTH_TLS_CA_BUNDLE is larger than 4 MiB".to_owned()));
            }
            Ok(None) => return Err(wrong("the file of THOTH_TLS_CA_BUNDLE does not exist".to_owned())),
            Err(error) => return Err(wrong(format!("cannot read the file of THOTH_TLS_CA_BUNDLE: {error}"))),
        },
    };
    let (verify, pins) = (variable("THOTH_TLS_VERIFY"), variable("THOTH_TLS_PINNED_CERT_SHA256"));
    TlsSettings::parse(verify.as_deref(), bundle, pins.as_deref()).map_err(|error| wrong(error.to_string()))
}

/// What a refusal is about, for whoever reads what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Anything,
    /// Somebody's answer to a held call.
    Answer,
}

impl Server {
    /// Asks the server to take an answer to a held call.
    pub(crate) fn answer<T>(
        &self,
        question: impl AsyncFnOnce(&Administration) -> Result<T, RemoteError>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(question(&self.administration)).map_err(|error| explained(&error, About::Answer))
    }

    /// Asks the server.
    pub(crate) fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Administration) -> Result<T, RemoteError>,
    ) -> Result<T, Failure> {
        self.runtime.block_on(question(&self.administration)).map_err(|error| refused(&error))
    }

    /// Waits before asking again.
    pub(crate) fn pause(&self, length: Duration) {
        self.runtime.block_on(async { tokio::time::sleep(length).await });
    }

    /// Prints one JSON value.
    pub(crate) fn print(value: &impl Serialize) -> Outcome {
        json_line(&serde_json::to_string(value).map_err(Failure::failed)?)?;
        Ok(std::process::ExitCode::SUCCESS)
    }
}

pub(crate) fn unreached(error: &HttpError) -> Failure {
    let not_allowed = matches!(error, HttpError::NotHttps(_));
    let hint =
        if not_allowed { "use an https:// address; http:// is for a server on this machine" } else { error.remedy() };
    Failure::failed(harmless_text(&error.to_string())).hint(hint)
}

/// What a server's refusal means, and what to do about it.
pub(crate) fn refused(error: &RemoteError) -> Failure {
    explained(error, About::Anything)
}

fn explained(error: &RemoteError, about: About) -> Failure {
    let RemoteError::Refused { status, told, retry_after, .. } = error else {
        return match error {
            RemoteError::Http(error) => unreached(error),
            other => Failure::failed(harmless_text(&other.to_string()))
                .hint("check --url: this may be another program, or another version of it"),
        };
    };
    let mut failure = Failure::failed(harmless_text(&error.to_string())).detail("status", *status);
    for (name, value) in [("code", &told.code), ("request_id", &told.request_id)] {
        if let Some(value) = value {
            failure = failure.detail(name, value.clone());
        }
    }
    match (status, retry_after) {
        (401, _) if told.code.as_deref() == Some("login_required") => failure.hint("run `thothctl auth login`"),
        (401, _) => failure.hint("the server does not know the key or the login, or its time is over, or it was taken back"),
        (403, _) if about == About::Answer => failure.hint(
            "whoever answers needs `write` and must not have `execute`, must be among those whom the policy asks, and answers once",
        ),
        (403, _) => failure.hint(
            "the key or the login may not do this: lists take `read`, changes `write`, and it must be of this organisation",
        ),
        (404, _) => failure.hint("check the id, --tenant-id and --url"),
        (409, _) if about == About::Answer => failure.hint("it was answered, used or ended before; list it again"),
        (409, _) => failure.hint("look at it as it stands now: it may have been changed in between"),
        (429, Some(seconds)) => failure.hint(format!("too many requests; try again in {seconds} seconds")),
        (500.., _) => failure.hint("the server's own log says more; try again later"),
        _ => failure,
    }
}
