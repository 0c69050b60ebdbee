//! Where a database is, and whether the way there is safe.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long an attempt to connect may take, where the URL says nothing.
const CONNECT: Duration = Duration::from_secs(5);
/// How long what was sent may stay unacknowledged, where the URL says nothing: then the way is cut.
const UNANSWERED: Duration = Duration::from_secs(10);

/// Why a text is no usable URL. What stands in the text is not repeated: it may be a part of the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL of a database.
    #[error(
        "it is no URL of a database, as in `postgres://USER:PASSWORD@HOST/DATABASE`; in names and passwords, write `@` as \
         %40, `:` as %3A, `/` as %2F, `?` as %3F, `#` as %23, `%` as %25"
    )]
    Malformed,
    /// It has an option that is not known, or not with this value.
    #[error("its part behind `?` has an option or a value that is not known")]
    Option,
    /// `sslmode` is unknown.
    #[error("its `sslmode` is none of disable, allow, prefer, require, verify-ca, verify-full")]
    SslMode,
    /// There would be no TLS to another machine.
    #[error(
        "its `sslmode` leaves out TLS on the way to another machine; use `sslmode=require`, or reach the database over a \
         socket or 127.0.0.1"
    )]
    NoTls,
}

/// A database, with what it takes to get in. It shows itself without the password.
#[derive(Clone)]
pub struct DatabaseUrl {
    config: Config,
    authorities: Option<PathBuf>,
}

impl DatabaseUrl {
    /// Reads a URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS`. Options are those of `libpq`, as far as
    /// `tokio-postgres` knows them, with `sslmode` and `sslrootcert`.
    ///
    /// To another machine there is TLS, and the certificate and its name are checked, whatever `sslmode` asks for beyond
    /// `disable`, which is refused. Over a socket or on this machine there is TLS from `require` on.
    ///
    /// # Errors
    /// If it is none, or unsafe.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        if !["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(UrlError::Malformed);
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let base_only: Config = base.parse().map_err(|_| UrlError::Malformed)?;
        let (mut mode, mut authorities) = (None, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", word)) => mode = Some(word),
                Some(("sslrootcert", path)) => {
                    let path = percent_decode_str(path).decode_utf8().map_err(|_| UrlError::Option)?;
                    authorities = Some(PathBuf::from(path.into_owned()));
                }
                _ => rest.push(pair),
            }
        }
        let mut config = if rest.is_empty() {
            base_only
        } else {
            format!("{base}?{}", rest.join("&")).parse::<Config>().map_err(|_| UrlError::Option)?
        };
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(UrlError::Malformed);
        }
        config.ssl_mode(ssl_mode(mode, is_here(&config))?);
        if config.get_application_name().is_none() {
            config.application_name("thothd");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(UNANSWERED);
        }
        // A copy that only follows would show a key as good that was taken back a moment ago.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self { config, authorities })
    }

    /// Whether it has a password in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// The certificates of the authorities to trust, instead of the system's.
    pub(crate) fn authorities(&self) -> Option<&std::path::Path> {
        self.authorities.as_deref()
    }

    /// Whether there is TLS on the way.
    pub(crate) fn has_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

/// Whether all of it is on this machine.
fn is_here(config: &Config) -> bool {
    let host = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    };
    config.get_hosts().iter().all(host) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

fn ssl_mode(word: Option<&str>, is_here: bool) -> Result<SslMode, UrlError> {
    match word {
        // Certificates are checked in any case, so these three are one.
        Some("require" | "verify-ca" | "verify-full") => Ok(SslMode::Require),
        None | Some("allow" | "prefer") => Ok(if is_here { SslMode::Disable } else { SslMode::Require }),
        Some("disable") if is_here => Ok(SslMode::Disable),
        Some("disable") => Err(UrlError::NoTls),
        Some(_) => Err(UrlError::SslMode),
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        let ports = self.config.get_ports();
        for (number, host) in self.config.get_hosts().iter().enumerate() {
            if number > 0 {
                f.write_str(",")?;
            }
            match host {
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(number).or_else(|| ports.first()) {
                write!(f, ":{port}")?;
            }
        }
        match self.config.get_dbname() {
            Some(name) => write!(f, "/{name}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: nothing goes to another machine in the clear, whatever the URL leaves out.
    #[test]
    fn the_table_of_ways() {
        use SslMode::{Disable, Require};
        for (rest, expected) in [
            ("127.0.0.1/t", Ok(Disable)),
            ("[::1]:5433/t", Ok(Disable)),
            ("localhost/t?sslmode=prefer", Ok(Disable)),
            ("localhost/t?sslmode=require", Ok(Require)),
            ("%2Fvar%2Frun%2Fpostgresql/t", Ok(Disable)),
            ("db.example/t", Ok(Require)),
            ("db.example/t?sslmode=prefer", Ok(Require)),
            ("db.example/t?sslmode=allow", Ok(Require)),
            ("db.example/t?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem", Ok(Require)),
            ("127.0.0.1,db.example/t", Ok(Require)),
            ("127.0.0.1/t?hostaddr=10.0.0.1", Ok(Require)),
            ("10.0.0.1/t?sslmode=disable", Err(UrlError::NoTls)),
            ("127.0.0.1,db.example/t?sslmode=disable", Err(UrlError::NoTls)),
            ("db.example/t?sslmode=maybe", Err(UrlError::SslMode)),
            ("db.example/t?such=option", Err(UrlError::Option)),
            ("", Err(UrlError::Malformed)),
        ] {
            for scheme in ["postgres", "postgresql"] {
                let found = DatabaseUrl::parse(&format!("{scheme}://u:hunter2@{rest}"));
                assert_eq!(found.map(|url| url.config.get_ssl_mode()), expected, "{rest}");
            }
        }
        assert_eq!(DatabaseUrl::parse("mysql://u@h/t").err(), Some(UrlError::Malformed));
        assert_eq!(DatabaseUrl::parse("host=h user=u").err(), Some(UrlError::Malformed));
    }

    /// Defends: the password has no way out.
    #[test]
    fn nothing_shows_the_password() {
        let url =
            DatabaseUrl::parse("postgres://thoth:hunter2@db.example:5433,other/ledger?sslrootcert=%2Fa%20b").unwrap();
        assert_eq!(url.to_string(), "postgres://db.example:5433,other:5432/ledger");
        assert_eq!(url.authorities(), Some(std::path::Path::new("/a b")));
        assert!(url.has_password() && !format!("{url:?}{:?}", url.config()).contains("hunter2"));
        for bad in ["postgres://u:hunter2/x@h/t", "postgres://u:hunter2?x@h/t", "postgres://u:hunter2%zz@h:x/t?a"] {
            let told =
                DatabaseUrl::parse(bad).map_or_else(|error| format!("{error} {error:?}"), |url| format!("{url:?}"));
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}
