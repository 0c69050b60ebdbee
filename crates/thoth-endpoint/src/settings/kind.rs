//! How a text becomes a value, strictly: what is not clearly meant is an error.

use std::str::FromStr as _;

use thoth_types::{AgentId, EndpointId, IdError, TenantId, UserId};

use crate::predicates::{IntentTools, PredicateError, Tokens};

/// The longest interval, in seconds: a day.
const MAX_SECONDS: u64 = 86_400;
/// The longest e-mail address, and the longest part before its `@` (RFC 5321 4.5.3.1).
const MAX_EMAIL: usize = 254;
const MAX_LOCAL_PART: usize = 64;

/// The longest description of what is wrong with a list, in characters; it repeats what stands there.
const MAX_PROBLEM: usize = 150;

/// What kind of value a setting has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text; whoever uses it reads it.
    Text,
    /// One word without white space or control characters.
    Word,
    /// The same, and its value is never part of a message.
    Secret,
    /// An organisation's identifier.
    Tenant,
    /// An agent's identifier.
    Agent,
    /// A machine's identifier.
    Endpoint,
    /// A person's identifier.
    User,
    /// A person's identifier that is an e-mail address.
    Email,
    /// A domain name of at least two labels.
    Domain,
    /// An `https` address, without credentials and without a query: these would be shown with it.
    Url,
    /// The same, or an `http` address of this very machine.
    ServerUrl,
    /// `true`, `1`, `false` or `0`.
    Bool,
    /// A whole number of seconds, `90`, or with a unit, `90s`, `5m`, `1h`; at least a second, at most a day.
    Seconds,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// SHA-256 digests, separated by commas.
    Pins,
    /// Tools by session intent.
    IntentTools,
    /// Parts of names, separated by commas.
    Tokens,
    /// A path.
    Path,
    /// The number of a user.
    Uid,
}

impl Kind {
    /// The value in its one form: booleans as `true` or `false`, durations in seconds, everything else as written.
    ///
    /// # Errors
    /// What is wrong with the text, as the end of a sentence; the text itself is not part of it.
    pub fn read(self, text: &str) -> Result<String, String> {
        let same = |good: bool, otherwise: &str| good.then(|| text.to_owned()).ok_or_else(|| otherwise.to_owned());
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return Err("it is not UTF-8 text, or has U+FFFD in it, which stands for what could not be read".to_owned());
        }
        match self {
            Self::Text | Self::Path => same(!text.chars().any(char::is_control), "it has a control character"),
            Self::Word | Self::Secret => same(is_word(text), "it is empty or has white space or a control character"),
            Self::Tenant => identifier(text, TenantId::from_str(text)),
            Self::Agent => identifier(text, AgentId::from_str(text)),
            Self::Endpoint => identifier(text, EndpointId::from_str(text)),
            Self::User => identifier(text, UserId::from_str(text)),
            Self::Email => {
                UserId::from_str(text).map_err(|error| error.to_string())?;
                same(is_email(text), "it is not an e-mail address")
            }
            Self::Domain => same(is_domain(text), "it is not a domain name"),
            Self::Url => https(text).map(|()| text.to_owned()),
            Self::ServerUrl => server(text).map(|()| text.to_owned()),
            Self::Bool => match text {
                "true" | "1" => Ok("true".to_owned()),
                "false" | "0" => Ok("false".to_owned()),
                _ => Err("it is neither `true` nor `false`".to_owned()),
            },
            Self::Seconds => seconds(text).map(|seconds| seconds.to_string()),
            Self::Choice(words) => same(words.contains(&text), &format!("it is not one of {}", quoted(words))),
            Self::Pins => same(text.split(',').all(is_pin), "it is not a list of SHA-256 digests in hexadecimal"),
            Self::IntentTools => predicate(text, &IntentTools::parse(text)),
            // Which variable it stands in is known to whoever asks.
            Self::Tokens => predicate(text, &Tokens::parse("", text)),
            Self::Uid => same(is_uid(text), "it is not the number of a user"),
        }
    }

    /// What may be written, in a few words, for the reference.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Text | Self::Word => "text".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Tenant | Self::Agent | Self::Endpoint | Self::User => "identifier".to_owned(),
            Self::Email => "e-mail address".to_owned(),
            Self::Domain => "domain name".to_owned(),
            Self::Url => "`https://` address".to_owned(),
            Self::ServerUrl => "`https://` address, or `http://` on this machine".to_owned(),
            Self::Bool => "`true`, `false`".to_owned(),
            Self::Seconds => "duration".to_owned(),
            Self::Choice(words) => quoted(words),
            Self::Pins => "digests".to_owned(),
            Self::IntentTools | Self::Tokens => "list".to_owned(),
            Self::Path => "path".to_owned(),
            Self::Uid => "number".to_owned(),
        }
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn identifier<T>(text: &str, read: Result<T, IdError>) -> Result<String, String> {
    read.map(|_| text.to_owned()).map_err(|error| match error {
        IdError::Invisible { kind, .. } => format!("{kind} has a control character or surrounding white space"),
        other => other.to_string(),
    })
}

fn predicate<T>(text: &str, read: &Result<T, PredicateError>) -> Result<String, String> {
    match read {
        Ok(_) => Ok(text.to_owned()),
        Err(error) if error.problem.chars().count() <= MAX_PROBLEM => {
            Err(format!("at character {}, {}", error.character, error.problem))
        }
        Err(error) => Err(format!("the entry at character {} cannot be read", error.character)),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// Whether a text is one label of a domain name: 1 to 63 letters, digits and hyphens, none of these at an end (RFC 1123
/// 2.1).
#[must_use]
pub fn is_dns_label(text: &str) -> bool {
    let middle = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=63).contains(&text.len()) && middle && !text.starts_with('-') && !text.ends_with('-')
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_dns_label)
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !r#"()<>[]:;,@\""#.contains(c);
    text.len() <= MAX_EMAIL
        && (1..=MAX_LOCAL_PART).contains(&local.len())
        && local.chars().all(plain)
        && local.split('.').all(|part| !part.is_empty())
        && domain.split('.').all(is_dns_label)
}

fn https(text: &str) -> Result<(), String> {
    let must = |good: bool, otherwise: &str| if good { Ok(()) } else { Err(otherwise.to_owned()) };
    let rest = text.strip_prefix("https://").filter(|rest| is_word(rest)).ok_or("it is not an `https://` address")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    must(!host.contains('@'), "it has user information before an `@`, which no address here may have")?;
    must(!rest.contains(['?', '#']), "it has a query or a fragment, which no address here may have")?;
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let good = name.split('.').all(is_dns_label) && port.is_none_or(|port| port.parse::<u16>().is_ok());
    must(good, "its host or port is not one")
}

fn server(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty; write an address, or take it away where nobody is to be asked".to_owned());
    }
    let Some(rest) = text.strip_prefix("http://") else { return https(text) };
    let port = ["localhost", "127.0.0.1", "[::1]"].iter().find_map(|host| rest.strip_prefix(host));
    let port = port.map(|port| port.trim_end_matches('/'));
    let good = port
        .is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok()));
    if good { Ok(()) } else { Err("it is neither an `https://` address nor one of this machine".to_owned()) }
}

/// One spelling of a number: digits alone, and no zeros before it.
fn is_uid(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|uid| uid.to_string() == text)
}

fn is_pin(text: &str) -> bool {
    let text = text.trim();
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn seconds(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) if text.ends_with('m') => (digits, 60),
        Some(digits) if text.ends_with('h') => (digits, 3600),
        Some(digits) => (digits, 1),
        None => (text, 1),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = plain.then(|| digits.parse::<u64>().ok()?.checked_mul(factor)).flatten();
    seconds
        .filter(|seconds| (1..=MAX_SECONDS).contains(seconds))
        .ok_or_else(|| "it is not a duration from 1 second to 1 day, as in `90`, `90s`, `5m` or `1h`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind with what it takes, in its one form, and what it refuses.
    #[test]
    fn the_table_of_kinds() {
        let pin = "ab".repeat(32);
        let pins = format!("sha256:{pin}, {pin}");
        let local = format!("{}@x.org", "a".repeat(65));
        let digits = "g".repeat(64);
        type Good<'a> = &'a [(&'a str, &'a str)];
        let rows: &[(Kind, Good<'_>, &[&str])] = &[
            (
                Kind::Bool,
                &[("true", "true"), ("1", "true"), ("false", "false"), ("0", "false")],
                &["True", "yes", "on", " 1", ""],
            ),
            (
                Kind::Seconds,
                &[("1", "1"), ("90", "90"), ("90s", "90"), ("5m", "300"), ("24h", "86400")],
                &["0", "0s", "-1", "+1", "1.5", "1d", "s", "", "5 m", "86401", "25h", "99999999999999999999h"],
            ),
            (
                Kind::Email,
                &[("a@b", "a@b"), ("a.b+c@x-y.example.org", "a.b+c@x-y.example.org"), ("é@x.org", "é@x.org")],
                &["a", "@b", "a@", "a b@c", "a@b@c", ".a@b", "a..b@c", "a@b..c", "a@-b", "<a@b>", &local, "a@b\n", ""],
            ),
            (
                Kind::Domain,
                &[("a.b", "a.b"), ("Atlas.Example.org", "Atlas.Example.org")],
                &["a", "a.", ".a", "a..b", "a_b.c", "a b.c", "é.fr", "https://a.b"],
            ),
            (
                Kind::Url,
                &[("https://a", "https://a"), ("https://a.b:8443/c", "https://a.b:8443/c")],
                &[
                    "http://a",
                    "https://",
                    "https://a b",
                    "https://a:x",
                    "https://a:70000",
                    "https://u:p@a",
                    "https://a/?b",
                    "https://a#b",
                ],
            ),
            (
                Kind::ServerUrl,
                &[
                    ("https://a.b:8443/c", "https://a.b:8443/c"),
                    ("http://127.0.0.1:8787", "http://127.0.0.1:8787"),
                    ("http://localhost/", "http://localhost/"),
                    ("http://[::1]:1", "http://[::1]:1"),
                ],
                &[
                    "http://a",
                    "http://localhost.a",
                    "http://127.0.0.1@a",
                    "http://localhost:x",
                    "https://u:p@a",
                    "a",
                    "",
                ],
            ),
            (Kind::Choice(&["dev", "prod"]), &[("dev", "dev")], &["Dev", "production", ""]),
            (Kind::Pins, &[(&pin, &pin), (&pins, &pins)], &["", "sha256:", "abc", &digits, "sha1:ab"]),
            (Kind::IntentTools, &[("a=b|c,d=e", "a=b|c,d=e")], &["a", "a=", "a=b,,c=d", "a=b,a=c", ""]),
            (Kind::Tokens, &[("a, b", "a, b")], &["", "a,,b", "a\n,b,"]),
            (
                Kind::Uid,
                &[("0", "0"), ("4294967295", "4294967295")],
                &["-1", "root", "4294967296", "+0", "00", "01", ""],
            ),
            (Kind::Word, &[("fleet-1", "fleet-1")], &["", "a b", "a\n", "a\u{7f}"]),
            (Kind::Secret, &[("k", "k")], &["", "a b", "k\u{fffd}"]),
            (Kind::Path, &[("a b", "a b")], &["a\nb", "/a\u{fffd}"]),
            (Kind::Tenant, &[("Acme Inc", "Acme Inc")], &["", " a", "a\u{0}"]),
            (Kind::Agent, &[("did:key:z6Mk", "did:key:z6Mk")], &["", "a "]),
            (Kind::User, &[("ada", "ada")], &["", "ada\n"]),
            (Kind::Endpoint, &[("laptop-7", "laptop-7")], &["", "\ta"]),
        ];
        for (kind, good, bad) in rows {
            for (text, value) in *good {
                assert_eq!(kind.read(text).as_deref(), Ok(*value), "{kind:?} {text:?}");
            }
            for text in *bad {
                let error = kind.read(text).unwrap_err();
                assert!(!error.is_empty() && !error.ends_with('.'), "{kind:?} {text:?} {error}");
            }
        }
    }

    #[test]
    fn labels() {
        let longest = "a".repeat(63);
        for (text, good) in [
            ("a", true),
            ("a-1", true),
            (&*longest, true),
            ("", false),
            ("-a", false),
            ("a-", false),
            ("a.b", false),
            ("a_b", false),
        ] {
            assert_eq!(is_dns_label(text), good, "{text:?}");
        }
        assert!(!is_dns_label(&format!("{longest}a")));
    }
}
