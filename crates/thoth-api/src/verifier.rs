//! Who a server is: the system's judgement or that of the given authorities first, then the pins.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use crate::tls::{Pin, TlsSettingError, TlsSettings};

/// Checks a server's certificates with another verifier, and compares the leaf with the pins afterwards.
#[derive(Debug)]
pub(crate) struct PinnedVerifier {
    /// Absent when checking is turned off; the handshake's signature is checked even then, so that a pin means that the
    /// server holds the certificate's key.
    inner: Option<Arc<dyn ServerCertVerifier>>,
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

/// The server showed a certificate that is none of the pinned ones.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the server's certificate is {0}, which is not pinned")]
pub(crate) struct NotPinned(pub(crate) Pin);

impl PinnedVerifier {
    pub(crate) fn new(settings: &TlsSettings, provider: Arc<CryptoProvider>) -> Result<Self, TlsSettingError> {
        let algorithms = provider.signature_verification_algorithms;
        let inner: Option<Arc<dyn ServerCertVerifier>> = match &settings.ca_bundle {
            _ if !settings.verify => None,
            Some(bundle) => {
                let bad = |problem: String| TlsSettingError::NotABundle { name: bundle.name.clone(), problem };
                let mut roots = RootCertStore::empty();
                for certificate in bundle.certificates()? {
                    roots.add(certificate).map_err(|error| bad(error.to_string()))?;
                }
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
                Some(builder.build().map_err(|error| bad(error.to_string()))?)
            }
            None => Some(Arc::new(
                rustls_platform_verifier::Verifier::new(provider)
                    .map_err(|error| TlsSettingError::NoSystemTrust(error.to_string()))?,
            )),
        };
        Ok(Self { inner, pins: settings.pins.clone(), algorithms })
    }
}

impl ServerCertVerifier for PinnedVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(inner) = &self.inner {
            inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        }
        let shown = Pin::of(end_entity);
        if !self.pins.is_empty() && !self.pins.contains(&shown) {
            let reason = OtherError(Arc::new(NotPinned(shown)));
            return Err(Error::InvalidCertificate(CertificateError::Other(reason)));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.inner {
            Some(inner) => inner.verify_tls12_signature(message, cert, dss),
            None => verify_tls12_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match &self.inner {
            Some(inner) => inner.verify_tls13_signature(message, cert, dss),
            None => verify_tls13_signature(message, cert, dss, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match &self.inner {
            Some(inner) => inner.supported_verify_schemes(),
            None => self.algorithms.supported_schemes(),
        }
    }
}
