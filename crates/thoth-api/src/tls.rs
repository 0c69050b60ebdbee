//! What a connection trusts: the documented `THOTH_TLS_*` texts, read strictly.

use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use sha2::{Digest as _, Sha256};

use crate::verifier::PinnedVerifier;

/// No chain or bundle of authorities is larger; the system's own is a quarter of this.
const MAX_BUNDLE_BYTES: usize = 1 << 20;
/// More pins than anybody rotates between.
const MAX_PINS: usize = 64;

/// What a TLS connection is checked against. The default is what the operating system trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whether the server's chain and name are checked (`THOTH_TLS_VERIFY`, default true). Without, anybody can stand
    /// between; pins are compared all the same.
    pub verify: bool,
    /// The only authorities to trust, instead of the system's (`THOTH_TLS_CA_BUNDLE`).
    pub ca_bundle: Option<CaBundle>,
    /// If there are any, the server's own certificate must be one of these, after everything else was checked
    /// (`THOTH_TLS_PINNED_CERT_SHA256`).
    pub pins: Vec<Pin>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self { verify: true, ca_bundle: None, pins: Vec::new() }
    }
}

/// Certificates of authorities in PEM, and where they came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    /// The file's name, for messages.
    pub name: String,
    /// Its bytes.
    pub pem: Vec<u8>,
}

/// The SHA-256 of a server's certificate (the leaf, in DER).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

/// A TLS setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsSettingError {
    /// Not a truth value.
    #[error("THOTH_TLS_VERIFY is `{0}`, which is neither `true` nor `false`")]
    NotTruth(String),
    /// Not a pin.
    #[error(
        "THOTH_TLS_PINNED_CERT_SHA256 has `{0}`, which is not 64 hexadecimal digits with or without `sha256:` before them"
    )]
    NotAPin(String),
    /// Too many pins.
    #[error("THOTH_TLS_PINNED_CERT_SHA256 has more than {MAX_PINS} pins")]
    TooManyPins,
    /// The bundle holds no certificate, or something that is none.
    #[error("`{name}` is not a bundle of PEM certificates: {problem}")]
    NotABundle {
        /// The bundle's name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The operating system's verifier cannot be used.
    #[error("the system's certificates cannot be used: {0}")]
    NoSystemTrust(String),
}

impl TlsSettings {
    /// Reads the documented texts: `true`, `1`, `false` or `0`; a bundle; pins, separated by commas. An absent or empty
    /// one means its default.
    ///
    /// # Errors
    /// When a text is not what the documentation says, or the bundle holds no certificates.
    pub fn parse(
        verify: Option<&str>,
        ca_bundle: Option<CaBundle>,
        pins: Option<&str>,
    ) -> Result<Self, TlsSettingError> {
        let settings = Self { verify: truth(verify)?, ca_bundle, pins: parse_pins(pins.unwrap_or_default())? };
        if let Some(bundle) = &settings.ca_bundle {
            bundle.certificates()?;
        }
        Ok(settings)
    }

    /// The same without pins, for servers whose certificate they are not about.
    #[must_use]
    pub fn without_pins(&self) -> Self {
        Self { pins: Vec::new(), ..self.clone() }
    }

    /// The configuration of a client, with aws-lc-rs whatever other provider is linked.
    pub(crate) fn client_config(&self) -> Result<ClientConfig, TlsSettingError> {
        let provider = Arc::new(provider());
        let verifier = PinnedVerifier::new(self, Arc::clone(&provider))?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsSettingError::NoSystemTrust(error.to_string()))?;
        Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

fn truth(text: Option<&str>) -> Result<bool, TlsSettingError> {
    match text.unwrap_or_default() {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(TlsSettingError::NotTruth(shown(other))),
    }
}

fn parse_pins(text: &str) -> Result<Vec<Pin>, TlsSettingError> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let pins = entries.map(Pin::parse).collect::<Result<Vec<_>, _>>()?;
    if pins.len() > MAX_PINS { Err(TlsSettingError::TooManyPins) } else { Ok(pins) }
}

/// A piece of somebody's setting that may stand in a message.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

impl CaBundle {
    /// The certificates in it; at least one.
    pub(crate) fn certificates(&self) -> Result<Vec<rustls::pki_types::CertificateDer<'static>>, TlsSettingError> {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let bad = |problem: &dyn fmt::Display| TlsSettingError::NotABundle {
            name: shown(&self.name),
            problem: problem.to_string(),
        };
        if self.pem.len() > MAX_BUNDLE_BYTES {
            return Err(bad(&"it is larger than 1 MiB"));
        }
        let certificates =
            CertificateDer::pem_slice_iter(&self.pem).collect::<Result<Vec<_>, _>>().map_err(|error| bad(&error))?;
        if certificates.is_empty() { Err(bad(&"there is no certificate in it")) } else { Ok(certificates) }
    }
}

impl Pin {
    /// Reads `sha256:<64 hex>` or 64 hexadecimal digits.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, TlsSettingError> {
        let bad = || TlsSettingError::NotAPin(shown(text));
        let digits = match text.split_at_checked(7) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("sha256:") => rest,
            _ => text,
        };
        let mut out = [0; 32];
        if digits.len() != 64 {
            return Err(bad());
        }
        for (byte, pair) in out.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            // `from_str_radix` alone would also accept a sign.
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(bad());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(out))
    }

    /// The pin of a certificate.
    #[must_use]
    pub fn of(certificate_der: &[u8]) -> Self {
        Self(Sha256::digest(certificate_der).into())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef";

    /// The documented spellings are read, and a typing mistake never turns a check off or a pin into none.
    #[test]
    fn the_documented_texts_are_read_strictly() {
        for (text, meant) in [
            (None, Some(true)),
            (Some(""), Some(true)),
            (Some("true"), Some(true)),
            (Some("1"), Some(true)),
            (Some("false"), Some(false)),
            (Some("0"), Some(false)),
            (Some("no"), None),
            (Some("False"), None),
            (Some("flase"), None),
            (Some("/etc/ssl/ca.pem"), None),
        ] {
            assert_eq!(TlsSettings::parse(text, None, None).ok().map(|s| s.verify), meant, "{text:?}");
        }
        for (text, count) in [
            (String::new(), Some(0)),
            (DIGEST.to_owned(), Some(1)),
            (format!("sha256:{DIGEST}"), Some(1)),
            (format!(" SHA256:{DIGEST} , {DIGEST},"), Some(2)),
            (DIGEST.replace('0', "g"), None),
            (DIGEST.replacen("01", "+1", 1), None),
            (format!("sha1:{DIGEST}"), None),
            (DIGEST.replacen("01", "", 1), None),
            (format!("{DIGEST} {DIGEST}"), None),
            (vec![DIGEST; 65].join(","), None),
        ] {
            let settings = TlsSettings::parse(None, None, Some(&text));
            assert_eq!(settings.ok().map(|s| s.pins.len()), count, "{text}");
        }
        assert_eq!(Pin::parse(DIGEST).unwrap().to_string(), format!("sha256:{}", DIGEST.to_lowercase()));
    }

    /// A bundle that trusts nobody is a mistake that is named, not a connection that always fails.
    #[test]
    fn a_bundle_must_hold_certificates() {
        let bad = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n", bad] {
            let bundle = CaBundle { name: "ca.pem".to_owned(), pem: pem.into() };
            let error = TlsSettings::parse(None, Some(bundle), None).unwrap_err();
            assert!(error.to_string().starts_with("`ca.pem` is not a bundle"), "{error}");
        }
    }
}
