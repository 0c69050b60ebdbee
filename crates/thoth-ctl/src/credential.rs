//! By what a server is to know who asks: an API key, or a login.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use thoth_api::contract::key::ApiKey;
use thoth_api::contract::login::{Credential, LoginToken};
use thoth_shell::exit::Failure;
use thoth_shell::key_file::{self, KeyFile};
use thoth_shell::terminal::harmless_text;
use thoth_types::Redacted;

use crate::auth;
use crate::auth::session::SessionFile;
use crate::connection::{Place, variable};

/// What is read of a key on standard input.
const MAX_KEY: u64 = 4 << 10;
/// The token of a login, for whoever has it from elsewhere; nothing renews it.
const TOKEN_VARIABLE: &str = "THOTH_ADMIN_BEARER_TOKEN";
/// A file with one.
const TOKEN_FILE_VARIABLE: &str = "THOTH_ADMIN_BEARER_TOKEN_FILE";
/// Where the file of a login is, if no flag says so.
pub(crate) const SESSION_VARIABLE: &str = "THOTH_AUTH_SESSION_FILE";

/// A credential as the flags and the environment say. A flag counts before the environment, and the environment before the
/// file that `auth login` writes. Two that are given in one way are a mistake.
pub(crate) fn choose(
    key_file: Option<&Path>,
    session_file: Option<&Path>,
    place: &Place,
) -> Result<Credential, Failure> {
    if let Some(path) = key_file {
        return key(&from_flag(path)?);
    }
    if let Some(path) = session_file {
        return login(&SessionFile::named(path), place);
    }
    let key_text = variable("THOTH_ORG_API_KEY").or_else(|| variable("THOTH_API_KEY")).map(Redacted::new);
    let key_path = variable("THOTH_API_KEY_FILE").map(PathBuf::from);
    let given = |name: &'static str| variable(name).map(|text| (name, Redacted::new(text)));
    let told = [TOKEN_VARIABLE, TOKEN_FILE_VARIABLE, SESSION_VARIABLE].into_iter().find_map(given);
    match (key_text, key_path, told) {
        (Some(_), _, Some((name, _))) | (_, Some(_), Some((name, _))) => {
            Err(Failure::usage(format!("the environment has both an API key and {name}"))
                .hint("unset one of them, or say --api-key-file or --auth-token-file"))
        }
        (Some(text), _, None) => key(&text),
        (None, Some(path), None) => key(&from_file(&path)?),
        (None, None, Some((TOKEN_VARIABLE, token))) => bearer(&token),
        (None, None, Some((_, path))) => login(&SessionFile::named(Path::new(path.expose_secret())), place),
        (None, None, None) => {
            // Without a home there is no login.
            let found = SessionFile::of(place).ok().map(|file| auth::token(&file, place)).transpose()?.flatten();
            found.map(Credential::from).ok_or_else(|| {
                Failure::usage("there is no API key, and nobody is logged in").hint(
                    "run `thothctl auth login`, say --api-key-file, or set THOTH_ORG_API_KEY; `thothd keys create` makes the first key",
                )
            })
        }
    }
}

fn login(file: &SessionFile, place: &Place) -> Result<Credential, Failure> {
    let shown = harmless_text(&file.path().display().to_string());
    let absent =
        || Failure::failed(format!("`{shown}` with the login does not exist")).hint("run `thothctl auth login`");
    auth::token(file, place)?.map(Credential::from).ok_or_else(absent)
}

fn bearer(text: &Redacted<String>) -> Result<Credential, Failure> {
    let token = LoginToken::parse(text.expose_secret()).map(Credential::from);
    token.ok_or_else(|| {
        Failure::usage(format!("{TOKEN_VARIABLE} is no token of a login"))
            .hint("an API key belongs into THOTH_ORG_API_KEY")
    })
}

fn key(text: &Redacted<String>) -> Result<Credential, Failure> {
    let key = ApiKey::parse(text.expose_secret());
    key.map(Credential::from)
        .ok_or_else(|| Failure::usage("this is not an API key: it is empty, too long, or not one word"))
}

/// A key from a file, or from standard input.
pub(crate) fn from_flag(path: &Path) -> Result<Redacted<String>, Failure> {
    if path.as_os_str() != "-" {
        return from_file(path);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MAX_KEY).read_to_string(&mut text);
    let text = Redacted::new(text);
    read.map_err(|error| Failure::failed(format!("cannot read the key: {error}"))).map(|_| text)
}

fn from_file(path: &Path) -> Result<Redacted<String>, Failure> {
    let shown = harmless_text(&path.display().to_string());
    match key_file::read(path).map_err(Failure::failed)? {
        Some(KeyFile { key: Some(key), .. }) => Ok(key),
        Some(KeyFile { key: None, .. }) => Err(Failure::failed(format!("`{shown}` has no API key in it"))),
        None => Err(Failure::failed(format!("`{shown}` with the API key does not exist"))),
    }
}
