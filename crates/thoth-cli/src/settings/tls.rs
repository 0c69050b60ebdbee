//! TLS as the settings demand it.

use std::fmt::Display;

use thoth_api::{CaBundle, TlsSettings};
use thoth_endpoint::settings::{Resolved, Tls};

use crate::exit::Failure;

/// Reads the certificates that the settings name, if they name any.
pub(crate) fn tls(resolved: &Resolved) -> Result<TlsSettings, Failure> {
    let Tls { verify, ca_bundle, pins } = resolved.tls.as_ref().map_err(wrong)?;
    let ca_bundle = match ca_bundle {
        Some(path) => {
            let pem = std::fs::read(path)
                .map_err(|error| wrong(&format_args!("cannot read `{path}` of THOTH_TLS_CA_BUNDLE: {error}")))?;
            Some(CaBundle { name: path.clone(), pem })
        }
        None => None,
    };
    TlsSettings::parse(verify.as_deref(), ca_bundle, pins.as_deref()).map_err(|error| wrong(&error))
}

fn wrong(error: &(impl Display + ?Sized)) -> Failure {
    Failure::failed(error).hint("correct or unset THOTH_TLS_VERIFY, THOTH_TLS_CA_BUNDLE, THOTH_TLS_PINNED_CERT_SHA256")
}
