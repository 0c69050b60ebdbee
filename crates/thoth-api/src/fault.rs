//! What can go wrong with a request, told apart so that a person knows where to look.

use std::error::Error as StdError;
use std::io;

use reqwest::Url;
use rustls::{CertificateError, Error as TlsError};

use crate::probe::Step;
use crate::tls::TlsSettingError;
use crate::verifier::NotPinned;

/// A request that brought no usable answer. Addresses in it have neither user nor query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The address is not one of HTTPS.
    #[error("`{0}` is not an https:// address")]
    NotHttps(String),
    /// A TLS setting cannot be used.
    #[error(transparent)]
    Setting(#[from] TlsSettingError),
    /// The client could not be made.
    #[error("cannot set up an HTTPS client: {0}")]
    Setup(String),
    /// The name has no address.
    #[error("cannot find the address of `{host}`: {reason}")]
    NoAddress {
        /// The server's name.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Nobody answered at the address.
    #[error("cannot connect to `{host}`: {reason}")]
    NoConnection {
        /// The server's name.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The server's certificate is not accepted.
    #[error("cannot trust `{host}`: {reason}")]
    Untrusted {
        /// The server's name.
        host: String,
        /// Why not.
        reason: String,
    },
    /// The server's certificate is good, and none of the pinned ones.
    #[error("cannot trust `{host}`: {reason}")]
    WrongPin {
        /// The server's name.
        host: String,
        /// Which certificate it showed.
        reason: String,
    },
    /// The two sides could not agree on how to speak TLS.
    #[error("no TLS connection to `{host}`: {reason}")]
    NoTls {
        /// The server's name.
        host: String,
        /// What failed.
        reason: String,
    },
    /// The time was up.
    #[error("`{host}` took too long to {}", if *.connected { "answer" } else { "connect" })]
    Timeout {
        /// The server's name.
        host: String,
        /// Whether there was a connection already.
        connected: bool,
    },
    /// The server sent us somewhere we do not go.
    #[error("`{host}` redirects {what}")]
    BadRedirect {
        /// The server's name.
        host: String,
        /// Where to.
        what: String,
    },
    /// An answer that is not a success.
    #[error("{url} answered with status {status}")]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// More than was agreed to.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the answer of `{host}` is incomplete or broken: {reason}")]
    Broken {
        /// The server's name.
        host: String,
        /// What failed.
        reason: String,
    },
}

/// A redirect that is not followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedirectFault {
    #[error("to `{0}`, which is not https")]
    NotHttps(String),
    #[error("more than {0} times")]
    TooMany(usize),
}

impl HttpError {
    /// How far a connection got before this stopped it.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::NotHttps(_) | Self::Setting(_) | Self::Setup(_) => Step::Settings,
            Self::NoAddress { .. } => Step::Dns,
            Self::NoConnection { .. } | Self::Timeout { connected: false, .. } => Step::Connect,
            Self::Untrusted { .. } | Self::WrongPin { .. } | Self::NoTls { .. } => Step::Tls,
            Self::Timeout { connected: true, .. }
            | Self::BadRedirect { .. }
            | Self::Status { .. }
            | Self::TooLarge { .. }
            | Self::Broken { .. } => Step::Http,
        }
    }

    /// What a person can do about it.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::NotHttps(_) => "use an https:// address",
            Self::Setting(_) => "correct THOTH_TLS_VERIFY, THOTH_TLS_CA_BUNDLE or THOTH_TLS_PINNED_CERT_SHA256",
            Self::Setup(_) => "check that the system's certificates are installed (package `ca-certificates` on Linux)",
            Self::NoAddress { .. } => "check the spelling of the name, the network, and the DNS servers",
            Self::NoConnection { .. } | Self::Timeout { connected: false, .. } => {
                "check the network, firewalls, and HTTPS_PROXY if there is a proxy"
            }
            Self::Untrusted { .. } => {
                "check this machine's clock; if a company's proxy or authority signs here, name its certificates in \
                 THOTH_TLS_CA_BUNDLE"
            }
            Self::WrongPin { .. } => {
                "if the server's certificate was renewed, put the new one's SHA-256 into THOTH_TLS_PINNED_CERT_SHA256; \
                 if not, somebody stands between"
            }
            Self::NoTls { .. } => "check that the address and port are those of an HTTPS server (TLS 1.2 or 1.3)",
            Self::Timeout { connected: true, .. } | Self::Broken { .. } => {
                "try again; if it stays so, the server is ill"
            }
            Self::BadRedirect { .. } => "check the address; a login page of the network may stand between",
            Self::Status { .. } | Self::TooLarge { .. } => "check the address, and try again later",
        }
    }

    /// Tells apart what reqwest reports as one kind.
    pub(crate) fn from_reqwest(error: &reqwest::Error, asked: &Url) -> Self {
        let host = host(error.url().unwrap_or(asked));
        if let Some(fault) = find::<RedirectFault>(error) {
            return Self::BadRedirect { host, what: fault.to_string() };
        }
        if let Some(error) = tls_error(error) {
            return Self::from_tls(error, host);
        }
        let chain = || causes(error);
        if error.is_timeout() {
            return Self::Timeout { host, connected: !error.is_connect() };
        }
        let reason = chain().last().map_or_else(|| error.to_string(), ToString::to_string);
        if chain().any(|cause| cause.to_string() == "dns error") {
            Self::NoAddress { host, reason }
        } else if error.is_connect() {
            Self::NoConnection { host, reason }
        } else {
            Self::Broken { host, reason }
        }
    }

    fn from_tls(error: &TlsError, host: String) -> Self {
        let TlsError::InvalidCertificate(certificate) = error else {
            return Self::NoTls { host, reason: error.to_string() };
        };
        let reason = match certificate {
            CertificateError::Other(other) => match other.0.downcast_ref::<NotPinned>() {
                Some(not_pinned) => return Self::WrongPin { host, reason: not_pinned.to_string() },
                None => other.0.to_string(),
            },
            CertificateError::UnknownIssuer => "its certificate is signed by an authority unknown here".to_owned(),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate is expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            CertificateError::BadSignature => "the signature on its certificate is wrong".to_owned(),
            CertificateError::Revoked => "its certificate is revoked".to_owned(),
            other => unreadable_certificate(other),
        };
        Self::Untrusted { host, reason }
    }
}

/// What else can be wrong with a certificate. The library has no words for it but its own structures, of which the name says
/// something to whoever looks it up, and the contents nothing to anybody.
fn unreadable_certificate(error: &CertificateError) -> String {
    let shown = format!("{error:?}");
    let name = shown.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    if name.starts_with("UnsupportedSignatureAlgorithm") {
        return "its certificate is signed in a way that is not taken, or by itself with another kind of key"
            .to_owned();
    }
    match name {
        "BadEncoding" => "its certificate cannot be read".to_owned(),
        name if name.starts_with("InvalidPurpose") => "its certificate is not one for servers".to_owned(),
        name => format!("its certificate is not good: {name}"),
    }
}

/// The server of an address, for messages: with its port, where that is not the usual one.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// An address for messages: without user, query and fragment, which may hold secrets.
pub(crate) fn plain(url: &Url) -> String {
    format!("{}://{}{}", url.scheme(), host(url), url.path())
}

/// The error and everything that caused it, also what an `io::Error` wraps and does not name as its source.
fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner as &(dyn StdError + 'static)),
        None => error.source(),
    })
}

fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    causes(error).find_map(|cause| cause.downcast_ref::<E>())
}

fn tls_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e TlsError> {
    find::<TlsError>(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: what is wrong with a certificate is told in words, never as a dump of a library's structures.
    #[test]
    fn a_bad_certificate_is_told_in_words() {
        use CertificateError as Bad;
        for error in [
            Bad::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![1, 2, 3],
                public_key_algorithm_id: vec![4, 5, 6],
            },
            Bad::BadEncoding,
            Bad::InvalidPurpose,
            Bad::UnhandledCriticalExtension,
            Bad::UnknownRevocationStatus,
            Bad::ApplicationVerificationFailure,
        ] {
            let told = HttpError::from_tls(&TlsError::InvalidCertificate(error), "localhost".to_owned()).to_string();
            assert!(told.contains("its certificate ") && !told.contains(['{', '[', '(']), "{told}");
        }
    }
}
