//! Where releases come from, and whose signature they carry.

use thoth_api::Url;
use thoth_audit::note::Verifier;

/// The verifier key of releases, as a signed note names it; set by the release pipeline, absent in a build from source.
const KEY: Option<&str> = option_env!("THOTH_RELEASE_KEY");
/// The https address of the directory that holds the manifest and the artifacts; set with [`KEY`].
const URL: Option<&str> = option_env!("THOTH_RELEASE_URL");

const _: () = assert!(KEY.is_some() == URL.is_some(), "THOTH_RELEASE_KEY and THOTH_RELEASE_URL go together");

/// Where the source is.
pub const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// Where releases come from, and the key that signs them.
#[derive(Debug, Clone)]
pub struct Channel {
    pub(crate) key: Verifier,
    base: Url,
}

/// A channel that this program was built with cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// The key is not an Ed25519 verifier key.
    #[error("the release key is not a verifier key")]
    BadKey,
    /// The address is not an https directory.
    #[error("the release address is not an https:// address that ends in `/`")]
    BadAddress,
}

impl Channel {
    /// The channel of official releases. There is none in a build from source.
    ///
    /// # Errors
    /// When the release pipeline set something that is no key or no address.
    pub fn official() -> Result<Option<Self>, ChannelError> {
        match (KEY, URL) {
            (Some(key), Some(base)) => Self::new(key, base).map(Some),
            _ => Ok(None),
        }
    }

    /// A channel with this verifier key (`name+id+base64`) and this address of a directory.
    ///
    /// # Errors
    /// When they are not that.
    pub fn new(key: &str, base: &str) -> Result<Self, ChannelError> {
        let key = Verifier::parse(key).map_err(|_| ChannelError::BadKey)?;
        let base = Url::parse(base).map_err(|_| ChannelError::BadAddress)?;
        let directory = base.path().ends_with('/') && base.query().is_none() && base.fragment().is_none();
        if base.scheme() == "https" && directory { Ok(Self { key, base }) } else { Err(ChannelError::BadAddress) }
    }

    /// The address of a file of the release.
    pub(crate) fn file(&self, name: &str) -> Result<Url, ChannelError> {
        self.base.join(name).map_err(|_| ChannelError::BadAddress)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A release never comes over plain HTTP, and a broken key is no key.
    #[test]
    fn a_channel_is_a_key_and_an_https_directory() {
        let key = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
        for (key, base, good) in [
            (key, "https://example.com/releases/latest/download/", true),
            (key, "https://example.com/releases", false),
            (key, "https://example.com/?a=/", false),
            (key, "http://example.com/", false),
            (key, "example.com", false),
            ("", "https://example.com/", false),
            ("example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "https://example.com/", false),
        ] {
            assert_eq!(Channel::new(key, base).is_ok(), good, "{key} {base}");
        }
        let channel = Channel::new(key, "https://example.com/releases/latest/download/").unwrap();
        let file = channel.file("thoth-linux-arm64").unwrap();
        assert_eq!(file.as_str(), "https://example.com/releases/latest/download/thoth-linux-arm64");
    }
}
