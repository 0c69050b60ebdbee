//! TLS as the settings demand it.

use std::fmt::Display;
use std::path::Path;

use thoth_api::{CaBundle, TlsSettings};
use thoth_endpoint::settings::{Resolved, Tls};

use thoth_shell::exit::Failure;
use thoth_shell::key_file::regular;
use thoth_shell::terminal::harmless_text;

/// The largest file with certificates, in bytes; a system's whole list has about 250 kB.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Reads the certificates that the settings name, if they name any.
pub(crate) fn tls(resolved: &Resolved) -> Result<TlsSettings, Failure> {
    let Tls { verify, ca_bundle, pins } = resolved.tls.as_ref().map_err(wrong)?;
    let ca_bundle = match ca_bundle {
        Some(path) => {
            let shown = harmless_text(path);
            let problem =
                |why: &dyn Display| wrong(&format_args!("cannot read `{shown}` of THOTH_TLS_CA_BUNDLE: {why}"));
            match regular(Path::new(path), MAX_BYTES).map_err(|error| problem(&error))? {
                None => return Err(problem(&"it does not exist")),
                Some((_, false)) => return Err(problem(&"it is larger than 4 MiB")),
                Some((pem, true)) => Some(CaBundle { name: path.clone(), pem }),
            }
        }
        None => None,
    };
    TlsSettings::parse(verify.as_deref(), ca_bundle, pins.as_deref()).map_err(|error| wrong(&error))
}

fn wrong(error: &(impl Display + ?Sized)) -> Failure {
    Failure::failed(error).hint("correct or unset THOTH_TLS_VERIFY, THOTH_TLS_CA_BUNDLE, THOTH_TLS_PINNED_CERT_SHA256")
}
