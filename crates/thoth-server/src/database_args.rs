//! The flags that name a database, and what comes of them. The URL has a password, so it is shown nowhere.

use std::convert::Infallible;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use thoth_postgres::{Database, DatabaseUrl};
use thoth_shell::exit::{Code, Failure};
use thoth_shell::key_file::regular;
use thoth_shell::terminal::{harmless_text, note, quoted};
use thoth_types::Redacted;

/// Where the URL is read if no flag has it.
const VARIABLE: &str = "THOTHD_DATABASE_URL";
/// No URL is longer.
const MAX_URL: u64 = 16 << 10;

/// A text that shows itself nowhere.
#[derive(Debug, Clone)]
struct Secret(Arc<Redacted<String>>);

impl FromStr for Secret {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Arc::new(Redacted::new(text.to_owned()))))
    }
}

/// Which database.
#[derive(Debug, Args)]
pub(crate) struct DatabaseArgs {
    /// Keep everything in this PostgreSQL database, which other servers may use, too; `THOTHD_DATABASE_URL` unless given. A
    /// password belongs into that or into a file: other users of the machine see command lines
    #[arg(long, value_name = "URL")]
    database_url: Option<Secret>,
    /// Read its URL from this file, which only you can read
    #[arg(long, value_name = "FILE", conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The database, if one is named. Nothing is connected yet.
    pub(crate) fn database(&self) -> Result<Option<Arc<Database>>, Failure> {
        let Some((source, text)) = self.text()? else { return Ok(None) };
        let url = DatabaseUrl::parse(text.expose_secret())
            .map_err(|error| Failure::new(Code::Usage, format!("{source} cannot be used: {error}")))?;
        if self.database_url.is_some() && url.has_password() {
            note(format_args!(
                "other users of this machine can see the password in {source}; use --database-url-file or {VARIABLE}"
            ));
        }
        Database::new(&url).map(Some).map_err(|error| Failure::failed(format!("the database of {source}: {error}")))
    }

    /// The same where there is no other place to keep things.
    pub(crate) fn required(&self) -> Result<Arc<Database>, Failure> {
        self.database()?.ok_or_else(|| {
            Failure::usage("no database is named")
                .hint(format!("give --database-url-file or --database-url, or set {VARIABLE}"))
        })
    }

    /// The URL, and where it stands.
    fn text(&self) -> Result<Option<(String, Redacted<String>)>, Failure> {
        if let Some(secret) = &self.database_url {
            return Ok(Some(("--database-url".to_owned(), Redacted::new(secret.0.expose_secret().clone()))));
        }
        if let Some(path) = &self.database_url_file {
            return read(path).map(Some);
        }
        match std::env::var(VARIABLE) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some((VARIABLE.to_owned(), Redacted::new(text)))),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => Err(Failure::usage(format!("{VARIABLE} is not UTF-8 text"))),
        }
    }
}

fn read(path: &Path) -> Result<(String, Redacted<String>), Failure> {
    let shown = harmless_text(&path.to_string_lossy());
    let failed = |what: &dyn std::fmt::Display| Failure::failed(format!("cannot read `{shown}`: {what}"));
    let mode = std::fs::metadata(path).map_err(|error| failed(&error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::failed(format!("others can read the URL in `{shown}` (mode {mode:o})"))
            .hint(format!("run `chmod go= {}`", quoted(&shown))));
    }
    let (bytes, complete) = regular(path, MAX_URL).map_err(|error| failed(&error))?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8 text"))?;
    if !complete {
        return Err(failed(&"it is no URL"));
    }
    Ok((format!("`{shown}`"), Redacted::new(text)))
}
