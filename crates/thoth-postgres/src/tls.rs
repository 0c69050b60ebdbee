//! TLS to the database.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::error::PostgresError;

/// What checks certificates and names: by the authorities in a file, or else by those of the system.
pub(crate) fn connector(authorities: Option<&Path>) -> Result<MakeRustlsConnect, PostgresError> {
    let failed = |error: &dyn std::fmt::Display| PostgresError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = verifier(authorities, &provider)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn verifier(
    authorities: Option<&Path>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, PostgresError> {
    let failed = |error: &dyn std::fmt::Display| PostgresError::Tls(error.to_string());
    let Some(file) = authorities else {
        let system = rustls_platform_verifier::Verifier::new(Arc::clone(provider)).map_err(|error| failed(&error))?;
        return Ok(Arc::new(system));
    };
    let unread =
        |error: &dyn std::fmt::Display| PostgresError::Tls(format!("cannot read `{}`: {error}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unread(&error))? {
        roots.add(certificate.map_err(|error| unread(&error))?).map_err(|error| unread(&error))?;
    }
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    Ok(builder.build().map_err(|error| unread(&error))?)
}
