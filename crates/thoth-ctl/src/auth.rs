//! `thothctl auth`: people log in with the issuer that the server believes.
//!
//! What comes of it is in a file that only its user can read. No token is an argument, is printed, or goes to another server
//! than the one that it was got for.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;
use thoth_api::contract::approval::Query;
use thoth_api::contract::login::LoginToken;
use thoth_api::{Administration, RemoteError, login_config};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{fields, harmless_text, line, note};
use thoth_types::Redacted;
use tokio::runtime::Runtime;

use crate::connection::{ConnectionArgs, Place, Server, refused};

mod browser;
mod claims;
mod code_flow;
mod device_flow;
mod issuer;
mod redirect;
pub(crate) mod session;

use claims::Claims;
use issuer::{Issuer, Tokens};
use session::{Session, SessionFile, Stored};

/// Words of which somebody is asked for where the server does not say.
const SCOPE: &str = "openid email profile offline_access";

/// `thothctl auth`
#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Logs in with the issuer that the server believes, in a browser or with a code
    Login(LoginArgs),
    /// Shows who is logged in, and until when
    Status,
    /// Forgets the login, and has the issuer end it where it can
    Logout,
}

/// `thothctl auth login`
#[derive(Debug, Args)]
#[command(after_help = "\
The server says which issuer it believes. The login is kept in `~/.thoth/sessions/`, readable by \
you alone, and is used by all commands that are given no API key.

Examples:
  thothctl auth login --url https://govapi.acme.example --tenant-id acme
  thothctl auth login --device")]
pub(crate) struct LoginArgs {
    /// The issuer; the one that the server names, unless given
    #[arg(long, value_name = "URL", requires = "client_id")]
    issuer: Option<String>,
    /// As which client of the issuer
    #[arg(long, value_name = "ID", requires = "issuer")]
    client_id: Option<String>,
    /// Log in on any device, with a code: for machines without a browser
    #[arg(long, conflicts_with_all = ["browser", "no_browser"])]
    device: bool,
    /// Log in with the browser of this machine, also where it seems to have none
    #[arg(long)]
    browser: bool,
    /// Show the address instead of opening a browser; it must be opened on this machine
    #[arg(long, conflicts_with = "browser")]
    no_browser: bool,
    /// Who is expected to log in; anybody else is refused
    #[arg(long, value_name = "EMAIL")]
    admin_email: Option<String>,
}

pub(crate) fn run(connection: &ConnectionArgs, command: AuthCommand) -> Outcome {
    let place = connection.place()?;
    let file = connection.session_file(&place)?;
    match command {
        AuthCommand::Login(arguments) => login(&place, &file, &arguments, connection.json),
        AuthCommand::Status => status(&place, &file, connection.json),
        AuthCommand::Logout => logout(&place, &file, connection.json),
    }
}

/// A runtime for one command.
fn runtime() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::failed)
}

fn login(place: &Place, file: &SessionFile, arguments: &LoginArgs, json: bool) -> Outcome {
    file.prepare()?;
    let email = arguments.admin_email.as_deref();
    let (session, claims) = runtime()?.block_on(async {
        let (issuer, scope) = issuer_of(place, arguments).await?;
        let tokens = if by_device(arguments, &issuer) {
            device_flow::log_in(&issuer, &scope).await?
        } else {
            let open = !arguments.no_browser && (arguments.browser || browser::is_here());
            code_flow::log_in(&issuer, &scope, email, open).await?
        };
        let claims = Claims::read(&tokens.id_token)?;
        claims.check(&issuer.metadata.issuer, &issuer.client_id)?;
        expected(email, &claims)?;
        counts(place, &tokens).await?;
        let Tokens { id_token, refresh_token } = tokens;
        let session = Session {
            url: place.origin(),
            tenant: place.tenant.clone(),
            issuer: issuer.metadata.issuer.clone(),
            client_id: issuer.client_id.clone(),
            id_token,
            refresh_token,
        };
        Ok::<_, Failure>((session, claims))
    })?;
    // A command that renews the former login would write that over this one.
    let alone = file.lock()?;
    file.write(&session, &alone)?;
    drop(alone);
    if json {
        return Server::print(&described(&session, &claims, file));
    }
    let who = harmless_text(claims.name());
    line(format_args!("logged in to {} at {} as {who}", place.tenant, place.origin()))?;
    Ok(ExitCode::SUCCESS)
}

/// The issuer to log in with, and what to ask it for.
async fn issuer_of(place: &Place, arguments: &LoginArgs) -> Result<(Issuer, String), Failure> {
    let (issuer, client_id, scope) = match (&arguments.issuer, &arguments.client_id) {
        (Some(issuer), Some(client_id)) => (issuer.clone(), client_id.clone(), None),
        _ => {
            let config = login_config(place.url.clone(), &place.tls, place.within).await;
            let config = config.map_err(|error| match error {
                RemoteError::Refused { status: 404, .. } => Failure::failed("the server takes no logins")
                    .hint("use an API key; or start `thothd serve` with --oidc-issuer, if it is yours"),
                error => refused(&error),
            })?;
            (config.issuer, config.client_id, config.scope)
        }
    };
    let issuer = Issuer::discover(&issuer, client_id, place).await?;
    Ok((issuer, scope.unwrap_or_else(|| SCOPE.to_owned())))
}

/// Whether a code is the better way.
fn by_device(arguments: &LoginArgs, issuer: &Issuer) -> bool {
    let chosen = arguments.browser || arguments.no_browser;
    arguments.device || !chosen && !browser::is_here() && issuer.metadata.device_authorization_endpoint.is_some()
}

fn expected(email: Option<&str>, claims: &Claims) -> Result<(), Failure> {
    let Some(email) = email else { return Ok(()) };
    if claims.verified_email().is_some_and(|found| found.eq_ignore_ascii_case(email.trim())) {
        return Ok(());
    }
    let (who, email) = (harmless_text(claims.name()), harmless_text(email));
    Err(Failure::failed(format!("`{who}` has logged in, and not `{email}`"))
        .hint("log out at the issuer in the browser, or leave out --admin-email"))
}

/// Asks the server for something that anybody may ask who may do anything: a login that it refuses is not kept.
async fn counts(place: &Place, tokens: &Tokens) -> Result<(), Failure> {
    let token = tokens.id_token.clone();
    let (url, tenant) = (place.url.clone(), place.tenant.clone());
    let administration = Administration::new(url, tenant, token, &place.tls, place.within)
        .map_err(|error| Failure::failed(harmless_text(&error.to_string())))?;
    let one = Query { per_page: Some(1), ..Query::default() };
    administration.approvals(&one).await.map(drop).map_err(|error| {
        let hint = "whoever runs the server says which tenants and roles of the issuer count: `thothd serve --oidc-tenant`, `--oidc-role`";
        let failure = refused(&error);
        if matches!(error.status(), Some(401 | 403)) { failure.hint(hint) } else { failure }
    })
}

fn described(session: &Session, claims: &Claims, file: &SessionFile) -> serde_json::Value {
    json!({
        "url": session.url,
        "tenant_id": session.tenant,
        "issuer": session.issuer,
        "subject": claims.subject,
        "email": claims.verified_email(),
        "logged_in_at": claims.logged_in().map(|at| at.to_string()),
        "token_expires_at": claims.ends().map(|at| at.to_string()),
        "renewable": session.refresh_token.is_some(),
        "expired": claims.is_over(),
        "file": file.path().display().to_string(),
    })
}

fn read(file: &SessionFile) -> Result<Session, Failure> {
    match file.read()? {
        Some(Stored::Session(session)) => Ok(session),
        Some(Stored::Bare(_)) => {
            Err(Failure::failed(format!("`{}` has a token and nothing else, and is not a login", file.shown())))
        }
        None => Err(Failure::failed("nobody is logged in").hint("run `thothctl auth login`")),
    }
}

fn status(place: &Place, file: &SessionFile, json: bool) -> Outcome {
    let session = read(file)?;
    session.is_for(place)?;
    let claims = Claims::read(&session.id_token)?;
    if json {
        return Server::print(&described(&session, &claims, file));
    }
    let time = |at: Option<jiff::Timestamp>| {
        at.map_or_else(|| "not known".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
    };
    let ends = match (claims.is_over(), session.refresh_token.is_some()) {
        (_, true) => "renewed when it ends",
        (false, false) => "not renewed",
        (true, false) => "over",
    };
    fields(&[
        ("server", harmless_text(&session.url)),
        ("tenant", harmless_text(&session.tenant)),
        ("person", harmless_text(claims.name())),
        ("issuer", harmless_text(&session.issuer)),
        ("logged in", time(claims.logged_in())),
        ("token ends", format!("{}, {ends}", time(claims.ends()))),
        ("file", file.shown()),
    ])?;
    Ok(ExitCode::SUCCESS)
}

fn logout(place: &Place, file: &SessionFile, json: bool) -> Outcome {
    // Where nobody is logged in, there may be no directory for a lock, either.
    read(file)?;
    // A command that renews it now would write it again.
    let alone = file.lock()?;
    let session = read(file)?;
    // First of all nobody can use it from here any more.
    file.remove(&alone)?;
    drop(alone);
    let revoked = match &session.refresh_token {
        Some(token) => runtime()?.block_on(async {
            let issuer = Issuer::discover(&session.issuer, session.client_id.clone(), place).await?;
            issuer.revoke(token).await
        }),
        None => Ok(false),
    };
    if let Err(failure) = &revoked {
        note(format_args!("the issuer was not told, and the login lives on there: {}", failure.message()));
    }
    let revoked = revoked.unwrap_or(false);
    if json {
        return Server::print(&json!({ "logged_out": true, "revoked": revoked }));
    }
    line(if revoked { "logged out, also at the issuer" } else { "logged out" })?;
    Ok(ExitCode::SUCCESS)
}

/// The token of a session, renewed if it is about to end.
pub(crate) fn token(file: &SessionFile, place: &Place) -> Result<Option<LoginToken>, Failure> {
    let session = match file.read()? {
        None => return Ok(None),
        Some(Stored::Bare(token)) => return Ok(Some(token)),
        Some(Stored::Session(session)) => session,
    };
    session.is_for(place)?;
    let claims = Claims::read(&session.id_token)?;
    if !claims.ends_soon() {
        return Ok(Some(session.id_token));
    }
    if session.refresh_token.is_none() {
        return Err(Failure::failed("the login has ended").hint("run `thothctl auth login`"));
    }
    let alone = file.lock()?;
    // Another command may have renewed it meanwhile; a token for renewing is often good for once.
    let Some(Stored::Session(session)) = file.read()? else {
        return Err(Failure::failed("somebody has logged out meanwhile").hint("run `thothctl auth login`"));
    };
    session.is_for(place)?;
    let claims = Claims::read(&session.id_token)?;
    let (true, Some(refresh_token)) = (claims.ends_soon(), &session.refresh_token) else {
        return Ok(Some(session.id_token));
    };
    let renewed = runtime()?.block_on(renew(&session, &claims, refresh_token, place))?;
    file.write(&renewed, &alone)?;
    Ok(Some(renewed.id_token))
}

async fn renew(
    session: &Session,
    claims: &Claims,
    refresh_token: &Redacted<String>,
    place: &Place,
) -> Result<Session, Failure> {
    let again = |failure: Failure| failure.hint("run `thothctl auth login`");
    let issuer = Issuer::discover(&session.issuer, session.client_id.clone(), place).await?;
    let tokens = issuer.refresh(refresh_token).await.map_err(again)?;
    let newer = Claims::read(&tokens.id_token)?;
    newer.check(&session.issuer, &session.client_id)?;
    if newer.subject != claims.subject {
        return Err(again(Failure::failed("the issuer renewed the login of somebody else")));
    }
    // An issuer that gives no new one lets the old one count on.
    let refresh_token = tokens.refresh_token.or_else(|| Some(refresh_token.clone()));
    Ok(Session { id_token: tokens.id_token, refresh_token, ..session.clone() })
}
