//! By which name the machine is known.

use std::str::FromStr as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use thoth_types::EndpointId;

/// What makes the digest of a machine id Thoth's own: machine-id(5) asks that the id itself be kept, and that each
/// application derive another one from it, which tells others nothing.
const APPLICATION: [u8; 16] = *b"thoth.endpointid";

/// What the operating system knows of the machine. Each is asked for only where nothing better is known.
pub struct Machine<'a> {
    /// The machine id: the text of `/etc/machine-id`, the platform UUID of macOS, the machine GUID of Windows.
    pub machine_id: &'a dyn Fn() -> Option<String>,
    /// The host name.
    pub host_name: &'a dyn Fn() -> Option<String>,
}

impl std::fmt::Debug for Machine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").finish_non_exhaustive()
    }
}

/// Where an endpoint's name is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointSource {
    /// Somebody named it: `THOTH_ENDPOINT_ID`.
    Named,
    /// Intune's device id.
    Intune,
    /// Jamf's computer id.
    Jamf,
    /// A digest of the machine id.
    Machine,
    /// The host name.
    HostName,
}

impl EndpointSource {
    /// For a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Named => "as named",
            Self::Intune => "Intune's device id",
            Self::Jamf => "Jamf's computer id",
            Self::Machine => "from the machine id",
            Self::HostName => "the host name",
        }
    }
}

/// The machine, as records name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name.
    pub id: EndpointId,
    /// Where that is from.
    pub source: EndpointSource,
}

/// The first name that there is: the given ones (named, Intune's, Jamf's), the machine id's digest, the host name.
#[must_use]
pub fn endpoint(given: [Option<EndpointId>; 3], machine: &Machine<'_>) -> Option<Endpoint> {
    let sources = [EndpointSource::Named, EndpointSource::Intune, EndpointSource::Jamf];
    if let Some((id, source)) = given.into_iter().zip(sources).find_map(|(id, source)| Some((id?, source))) {
        return Some(Endpoint { id, source });
    }
    let named = |text: String, source| EndpointId::from_str(text.trim()).ok().map(|id| Endpoint { id, source });
    let machine_id = (machine.machine_id)().and_then(|text| digest(&text));
    machine_id
        .and_then(|digest| named(digest, EndpointSource::Machine))
        .or_else(|| (machine.host_name)().and_then(|name| named(name, EndpointSource::HostName)))
}

/// The application-specific id of a machine id, as `systemd-id128 machine-id --app-specific` makes it: HMAC-SHA256 of the
/// application's id, keyed with the machine id, cut to the form of a random UUID. None for a text that is no machine id,
/// such as that of an image that was not set up yet.
fn digest(machine_id: &str) -> Option<String> {
    let digits: String = machine_id.trim().chars().filter(|c| *c != '-').collect();
    let is_id = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_id.then(|| u128::from_str_radix(&digits, 16).ok()).flatten();
    let key = number.filter(|number| ![0, u128::MAX].contains(number))?.to_be_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(&APPLICATION);
    let hash = mac.finalize().into_bytes();
    let cut = hash.first_chunk::<16>().map(|bytes| u128::from_be_bytes(*bytes))?;
    // Version 4 and variant 1 of RFC 9562.
    let uuid = cut & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    Some(format!("{uuid:032x}"))
}

/// The platform UUID in the answer of `ioreg -rd1 -c IOPlatformExpertDevice`.
#[must_use]
pub fn platform_uuid(ioreg: &str) -> Option<&str> {
    let line = ioreg.lines().find(|line| line.contains("\"IOPlatformUUID\""))?;
    line.split('=').nth(1)?.trim().strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3c1ae4b6f1d04a3f9b0c8d5e6f708192";

    /// Computed with Python's `hmac` and `hashlib` from the description in sd_id128_get_machine_app_specific(3).
    const DIGEST: &str = "6aa7429941724be689cf84282885753a";

    #[test]
    fn the_order_of_names() {
        let id = |text: &str| (!text.is_empty()).then(|| EndpointId::from_str(text).unwrap());
        for (named, intune, jamf, machine, host, expected) in [
            ("n", "i", "j", ID, "h", Some(("n", EndpointSource::Named))),
            ("", "i", "j", ID, "h", Some(("i", EndpointSource::Intune))),
            ("", "", "j", ID, "h", Some(("j", EndpointSource::Jamf))),
            ("", "", "", ID, "h", Some((DIGEST, EndpointSource::Machine))),
            ("", "", "", "uninitialized\n", "h\n", Some(("h", EndpointSource::HostName))),
            ("", "", "", "", "h", Some(("h", EndpointSource::HostName))),
            ("", "", "", "", "", None),
        ] {
            let text = |text: &'static str| move || (!text.is_empty()).then(|| text.to_owned());
            let machine = Machine { machine_id: &text(machine), host_name: &text(host) };
            let endpoint = endpoint([id(named), id(intune), id(jamf)], &machine);
            let seen = endpoint.as_ref().map(|endpoint| (endpoint.id.as_str(), endpoint.source));
            assert_eq!(seen, expected);
        }
    }

    /// Defends: the machine id itself is recorded nowhere, and every way to write it gives the same name.
    #[test]
    fn the_digest_of_a_machine_id() {
        for (text, expected) in [
            (ID, Some(DIGEST)),
            ("3c1ae4b6f1d04a3f9b0c8d5e6f708192\n", Some(DIGEST)),
            ("3C1AE4B6-F1D0-4A3F-9B0C-8D5E6F708192", Some(DIGEST)),
            ("00000000000000000000000000000000", None),
            ("ffffffffffffffffffffffffffffffff", None),
            ("3c1ae4b6f1d04a3f9b0c8d5e6f70819", None),
            ("+c1ae4b6f1d04a3f9b0c8d5e6f708192", None),
            ("uninitialized", None),
            ("", None),
        ] {
            assert_eq!(digest(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn the_answer_of_ioreg() {
        let answer = "+-o J314sAP  <class IOPlatformExpertDevice>\n    {\n      \"IOPlatformSerialNumber\" = \"X\"\n      \
                      \"IOPlatformUUID\" = \"3C1AE4B6-F1D0-4A3F-9B0C-8D5E6F708192\"\n    }\n";
        assert_eq!(platform_uuid(answer), Some("3C1AE4B6-F1D0-4A3F-9B0C-8D5E6F708192"));
        assert_eq!(platform_uuid("\"IOPlatformUUID\" = 7"), None);
        assert_eq!(platform_uuid(""), None);
    }
}
