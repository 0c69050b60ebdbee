//! Network addresses in every spelling that some resolver accepts, and what they lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use super::words::{Words, in_lower_case};

/// What a host leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Somewhere on the internet.
    Public,
    /// The machine itself.
    Loopback,
    /// A network that is not the internet.
    Private,
    /// The network segment, multicast, or nowhere.
    LinkLocal,
    /// A cloud's metadata service.
    Metadata,
}

/// A host, judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) reach: Reach,
    /// Whether it is spelled so that a plain reading does not show where it leads.
    pub(super) disguised: bool,
}

/// Judges a host as it stands in an address, brackets and port left off.
pub(super) fn judge(host: &str) -> Judged {
    // Most hosts are written as they are meant.
    if host.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') {
        return judge_folded(&in_lower_case(host), false);
    }
    let decoded = thoth_text::percent::decode(host);
    if decoded.text.is_ascii() {
        return judge_folded(&in_lower_case(&decoded.text), decoded.rounds > 0);
    }
    let folded: String = decoded
        .text
        .nfkc()
        .filter(|character| !matches!(character, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'))
        .flat_map(char::to_lowercase)
        .collect();
    // Other full stops that IDNA maps to a dot.
    let folded = folded.replace(['。', '．', '｡'], ".");
    judge_folded(&folded, decoded.rounds > 0 || folded != host.to_lowercase())
}

/// The same for a host in lower case; `respelled` says that it was written in another way.
fn judge_folded(folded: &str, respelled: bool) -> Judged {
    let name = folded.strip_suffix('.').unwrap_or(folded);
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    let bare = bare.split('%').next().unwrap_or(bare);
    // An address opens with a digit, before which some resolvers take a plus, or has colons. Most hosts are names.
    if bare.starts_with(|first: char| first.is_ascii_digit() || first == '+')
        || memchr::memchr(b':', bare.as_bytes()).is_some()
    {
        if let Ok(address) = bare.parse::<IpAddr>() {
            let embedded = matches!(address, IpAddr::V6(six) if embedded_four(six).is_some());
            return Judged { reach: reach(address), disguised: respelled || embedded };
        }
        if let Some(address) = lenient_four(bare) {
            return Judged { reach: reach_four(address), disguised: true };
        }
    }
    by_name(name, respelled)
}

/// What a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leads {
    Metadata,
    Loopback,
    Private,
    /// To the machine itself, though it does not look so.
    Local,
    /// To whatever address is written in it, or to the loopback address.
    Echo,
}

/// Names, whether names below them lead there, too, and where that is.
const NAMES: &[(&str, bool, Leads)] = &[
    ("metadata.google.internal", false, Leads::Metadata),
    ("metadata.goog", false, Leads::Metadata),
    ("metadata", false, Leads::Metadata),
    ("instance-data", false, Leads::Metadata),
    ("instance-data.ec2.internal", false, Leads::Metadata),
    ("metadata.azure.internal", false, Leads::Metadata),
    ("metadata.azure.com", false, Leads::Metadata),
    ("metadata.packet.net", false, Leads::Metadata),
    ("metadata.platformequinix.com", false, Leads::Metadata),
    ("metadata.tencentyun.com", false, Leads::Metadata),
    ("metadata.oraclecloud.com", false, Leads::Metadata),
    ("metadata.internal", false, Leads::Metadata),
    ("localhost", true, Leads::Loopback),
    ("localhost.localdomain", false, Leads::Loopback),
    ("ip6-localhost", false, Leads::Loopback),
    ("ip6-loopback", false, Leads::Loopback),
    ("loopback", false, Leads::Loopback),
    ("host.docker.internal", false, Leads::Private),
    ("gateway.docker.internal", false, Leads::Private),
    ("kubernetes", false, Leads::Private),
    ("kubernetes.default", false, Leads::Private),
    ("kubernetes.default.svc", true, Leads::Private),
    ("cluster.local", true, Leads::Private),
    ("localtest.me", true, Leads::Local),
    ("lvh.me", true, Leads::Local),
    ("vcap.me", true, Leads::Local),
    ("lacolhost.com", true, Leads::Local),
    ("yoogle.com", true, Leads::Local),
    ("localho.st", true, Leads::Local),
    ("spoofed.burpcollaborator.net", true, Leads::Local),
    ("local.gd", true, Leads::Local),
    ("nip.io", true, Leads::Echo),
    ("sslip.io", true, Leads::Echo),
    ("xip.io", true, Leads::Echo),
    ("nip.direct", true, Leads::Echo),
    ("backname.io", true, Leads::Echo),
    ("rbndr.us", true, Leads::Echo),
    ("1u.ms", true, Leads::Echo),
    ("ip6.name", true, Leads::Echo),
];

static NAME_ENDS: LazyLock<Words> =
    LazyLock::new(|| Words::of_ends(&NAMES.iter().map(|(name, _, _)| *name).collect::<Vec<_>>()));

fn by_name(name: &str, respelled: bool) -> Judged {
    let fits = |place: usize, before: &str| {
        before.is_empty() || (before.ends_with('.') && NAMES.get(place).is_some_and(|(_, below, _)| *below))
    };
    let leads = NAME_ENDS.ends(name, fits).and_then(|place| NAMES.get(place)).map(|(_, _, leads)| *leads);
    let (reach, disguised) = match leads {
        None => (Reach::Public, false),
        Some(Leads::Metadata) => (Reach::Metadata, respelled),
        Some(Leads::Loopback) => (Reach::Loopback, respelled),
        Some(Leads::Private) => (Reach::Private, respelled),
        Some(Leads::Local) => (Reach::Loopback, true),
        Some(Leads::Echo) => (written_address(name).map_or(Reach::Private, reach_four), true),
    };
    Judged { reach, disguised }
}

/// The address written in a name such as `app.10-0-0-1.nip.io` or `7f000001.nip.io`.
fn written_address(name: &str) -> Option<Ipv4Addr> {
    for label in name.split('.') {
        if label.len() == 8 && label.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return u32::from_str_radix(label, 16).ok().map(Ipv4Addr::from);
        }
        let parts: Vec<&str> = label.split('-').collect();
        if let Some(four) = parts.get(parts.len().saturating_sub(4)..).and_then(|four| four.join(".").parse().ok()) {
            return Some(four);
        }
    }
    let labels: Vec<&str> = name.split('.').collect();
    labels.windows(4).find_map(|four| four.join(".").parse().ok())
}

/// What `inet_aton` accepts: one to four parts, each decimal, octal or hexadecimal. Only forms that are not plain.
fn lenient_four(text: &str) -> Option<Ipv4Addr> {
    if text.is_empty() || text.len() > 48 {
        return None;
    }
    let (mut values, mut count) = ([0_u64; 4], 0);
    for part in text.split('.') {
        let value = if let Some(hex) = part.strip_prefix("0x") {
            if hex.is_empty() { 0 } else { u64::from_str_radix(hex, 16).ok()? }
        } else if part.len() > 1 && part.starts_with('0') {
            u64::from_str_radix(part.trim_start_matches('0'), 8)
                .or_else(|_| part.bytes().all(|byte| byte == b'0').then_some(0).ok_or(()))
                .ok()?
        } else {
            part.parse().ok()?
        };
        *values.get_mut(count)? = value;
        count += 1;
    }
    let (last, front) = values.get(..count)?.split_last()?;
    if front.iter().any(|value| *value > 255) {
        return None;
    }
    let room = 32 - 8 * u32::try_from(front.len()).ok()?;
    if *last >= 1 << room {
        return None;
    }
    let mut address = *last;
    for (value, shift) in front.iter().zip([24, 16, 8]) {
        address |= value << shift;
    }
    u32::try_from(address).ok().map(Ipv4Addr::from)
}

fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(four) => reach_four(four),
        IpAddr::V6(six) => reach_six(six),
    }
}

fn reach_four(address: Ipv4Addr) -> Reach {
    let [a, b, c, d] = address.octets();
    match (a, b, c, d) {
        (169, 254, 169 | 170, 2 | 23 | 253 | 254) | (100, 100, 100, 200) | (192, 0, 0, 192) | (168, 63, 129, 16) => {
            Reach::Metadata
        }
        (127, ..) | (0, 0, 0, 0) => Reach::Loopback,
        (10, ..) | (172, 16..=31, ..) | (192, 168, ..) | (100, 64..=127, ..) | (198, 18..=19, ..) => Reach::Private,
        (169, 254, ..) | (0, ..) | (224.., ..) => Reach::LinkLocal,
        _ => Reach::Public,
    }
}

/// The IPv4 address inside an IPv6 one: mapped, compatible, translated (64:ff9b::/96), or 6to4.
fn embedded_four(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from_tail = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0xFFFF | 0, high, low]
        | [0, 0, 0, 0, 0xFFFF, 0, high, low]
        | [0x64, 0xFF9B, 0, 0, 0, 0, high, low] => Some(from_tail(high, low)),
        [0x2002, high, low, ..] => Some(from_tail(high, low)),
        _ => None,
    }
}

fn reach_six(address: Ipv6Addr) -> Reach {
    if let Some(four) = embedded_four(address) {
        return reach_four(four);
    }
    match address.segments() {
        [0xFD00, 0x0EC2, 0, 0, 0, 0, 0, 0x0254] | [0xFD20, 0x0CE, 0, 0, 0, 0, 0, 0x0254] => Reach::Metadata,
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Reach::Loopback,
        [0xFC00..=0xFDFF, ..] => Reach::Private,
        [0xFE80..=0xFFFF, ..] => Reach::LinkLocal,
        _ => Reach::Public,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends against every spelling that a resolver somewhere accepts.
    #[test]
    fn spellings() {
        for (host, reach, disguised) in [
            ("example.com", Reach::Public, false),
            ("8.8.8.8", Reach::Public, false),
            ("api.internal", Reach::Public, false),
            ("localhost", Reach::Loopback, false),
            ("app.localhost", Reach::Loopback, false),
            ("127.0.0.1", Reach::Loopback, false),
            ("127.1", Reach::Loopback, true),
            ("2130706433", Reach::Loopback, true),
            ("0x7f000001", Reach::Loopback, true),
            ("0x7f.0.0.1", Reach::Loopback, true),
            ("0177.0.0.01", Reach::Loopback, true),
            ("0", Reach::Loopback, true),
            ("[::1]", Reach::Loopback, false),
            ("[::ffff:127.0.0.1]", Reach::Loopback, true),
            ("[::ffff:7f00:1]", Reach::Loopback, true),
            ("[fe80::1%25eth0]", Reach::LinkLocal, true),
            ("[64:ff9b::a9fe:a9fe]", Reach::Metadata, true),
            ("169.254.169.254", Reach::Metadata, false),
            ("2852039166", Reach::Metadata, true),
            ("0251.0376.0251.0376", Reach::Metadata, true),
            ("[fd00:ec2::254]", Reach::Metadata, false),
            ("metadata.google.internal.", Reach::Metadata, false),
            ("METADATA.google.internal", Reach::Metadata, false),
            ("①②⑦.⓪.⓪.①", Reach::Loopback, true),
            ("127。0。0。1", Reach::Loopback, true),
            ("%31%32%37.0.0.1", Reach::Loopback, true),
            ("10.0.0.1.nip.io", Reach::Private, true),
            ("app-169-254-169-254.sslip.io", Reach::Metadata, true),
            ("localtest.me", Reach::Loopback, true),
            ("192.168.1.1", Reach::Private, false),
            ("172.32.0.1", Reach::Public, false),
            ("100.64.0.1", Reach::Private, false),
            ("1.2.3.4.5", Reach::Public, false),
            ("+127.1", Reach::Loopback, true),
            ("x.metadata", Reach::Public, false),
            ("fbi.com.localhost", Reach::Loopback, false),
            ("256.1.1.1", Reach::Public, false),
            ("", Reach::Public, false),
        ] {
            assert_eq!(judge(host), Judged { reach, disguised }, "{host}");
        }
    }
    /// Defends the INVARIANT that the list builds.
    #[test]
    fn the_names_build() {
        assert!(NAME_ENDS.is_built());
    }
}
