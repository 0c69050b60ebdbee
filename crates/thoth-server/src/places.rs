//! Where everything is kept: the data directory or the database that the settings name. The URL of a database has a
//! password, so it is shown nowhere.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thoth_postgres::{Database, DatabaseUrl};
use thoth_shell::exit::{Code, Failure};
use thoth_shell::home::{Care, Home, private};
use thoth_shell::key_file::regular;
use thoth_shell::terminal::{harmless_text, note, quoted};
use thoth_types::Redacted;

use crate::options::{DATABASE_URL, Origin, Resolved};

/// The largest file with certificates, in bytes.
const MAX_BUNDLE: u64 = 1 << 20;
/// No URL is longer, nor are headers.
const MAX_SECRET: u64 = 16 << 10;

/// Where the data directory is or will be.
pub(crate) fn data_path(resolved: &Resolved) -> Result<PathBuf, Failure> {
    let path = match resolved.path("data") {
        Some(path) => path.to_owned(),
        None => Home::open()?.path().join("thothd"),
    };
    std::path::absolute(&path).map_err(|error| Failure::failed(format!("--data: {error}")))
}

/// The data directory, private; made if it is not there.
pub(crate) fn data(resolved: &Resolved) -> Result<PathBuf, Failure> {
    let path = data_path(resolved)?;
    // One that somebody chose may be there for more than this.
    private(&path, if resolved.path("data").is_some() { Care::Refuse } else { Care::Repair })?;
    let mode = std::fs::metadata(&path).map_err(Failure::failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let shown = harmless_text(&path.to_string_lossy());
        return Err(Failure::failed(format!("others can get into `{shown}` (mode {mode:o})"))
            .hint(format!("run `chmod go= {}`, or use another directory", quoted(&shown))));
    }
    Ok(path)
}

/// The database, if one is named. Nothing is connected yet.
pub(crate) fn database(resolved: &Resolved) -> Result<Option<Arc<Database>>, Failure> {
    let Some((value, in_file)) = resolved.secret(DATABASE_URL) else { return Ok(None) };
    let (source, text) = if in_file {
        let path = value.text.expose_secret();
        if path.contains("://") {
            // It may have the password.
            let message = "the file with the URL of the database is named by its path, and a URL was given";
            return Err(
                Failure::usage(message).hint("put the URL into a file of yours alone, or into THOTHD_DATABASE_URL")
            );
        }
        secret(Path::new(path), "the URL")?
    } else {
        (value.origin.to_string(), value.text.clone())
    };
    let url = DatabaseUrl::parse(text.expose_secret())
        .map_err(|error| Failure::new(Code::Usage, format!("{source} cannot be used: {error}")))?;
    if !in_file && matches!(value.origin, Origin::Flag(_)) && url.has_password() {
        note(format_args!(
            "other users of this machine can see the password in {source}; use --database-url-file or \
             THOTHD_DATABASE_URL"
        ));
    }
    Database::new(&url).map(Some).map_err(|error| Failure::failed(format!("the database of {source}: {error}")))
}

/// The same where there is no other place to keep things.
pub(crate) fn required_database(resolved: &Resolved) -> Result<Arc<Database>, Failure> {
    database(resolved)?.ok_or_else(|| {
        Failure::usage("no database is named")
            .hint("give --database-url-file or --database-url, or set THOTHD_DATABASE_URL")
    })
}

/// Certificates of authorities, in PEM; nobody has looked at them.
pub(crate) fn authorities(path: &Path) -> Result<Vec<u8>, Failure> {
    let shown = harmless_text(&path.to_string_lossy());
    let failed = |what: &dyn std::fmt::Display| Failure::failed(format!("cannot read `{shown}`: {what}"));
    match regular(path, MAX_BUNDLE).map_err(|error| failed(&error))? {
        Some((pem, true)) => Ok(pem),
        _ => Err(failed(&"it is not there, or larger than 1 MiB")),
    }
}

/// A secret in a file that nobody else can read, and the name of the file.
pub(crate) fn secret(path: &Path, what: &str) -> Result<(String, Redacted<String>), Failure> {
    let shown = harmless_text(&path.to_string_lossy());
    let failed = |what: &dyn std::fmt::Display| Failure::failed(format!("cannot read `{shown}`: {what}"));
    let mode = std::fs::metadata(path).map_err(|error| failed(&error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::failed(format!("others can read {what} in `{shown}` (mode {mode:o})"))
            .hint(format!("run `chmod go= {}`", quoted(&shown))));
    }
    let (bytes, complete) = regular(path, MAX_SECRET).map_err(|error| failed(&error))?.unwrap_or_default();
    let text = String::from_utf8(bytes).map_err(|_| failed(&"it is not UTF-8 text"))?;
    if !complete {
        return Err(failed(&format_args!("it is too long to be {what}")));
    }
    Ok((format!("`{shown}`"), Redacted::new(text.trim().to_owned())))
}
