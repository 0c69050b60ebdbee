//! Secrets with a shape of their own: keys in armour, JSON Web Tokens, addresses and headers with credentials.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::super::detection::{Class, Confidence};
use super::super::leaf::Hit;
use super::format::Alphabet;
use super::placeholder;
use thoth_text::entropy::{bits_per_byte, distinct};

/// A shape that needs code to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Armour,
    PuttyKey,
    JsonWebToken,
    UserInfo,
    Bearer,
    Basic,
    AzureSas,
    AzureClientSecret,
    OpenAiMark,
    TerraformToken,
}

/// What opens each shape.
pub(super) const OPENINGS: &[(&str, Shape)] = &[
    ("-----BEGIN ", Shape::Armour),
    ("PuTTY-User-Key-File-", Shape::PuttyKey),
    ("eyJ", Shape::JsonWebToken),
    ("://", Shape::UserInfo),
    ("bearer ", Shape::Bearer),
    ("basic ", Shape::Basic),
    ("sig=", Shape::AzureSas),
    ("Q~", Shape::AzureClientSecret),
    ("T3BlbkFJ", Shape::OpenAiMark),
    (".atlasv1.", Shape::TerraformToken),
];

impl Shape {
    /// Judges what stands at an opening.
    pub(super) fn check(self, text: &str, at: Range<usize>) -> Option<Hit> {
        match self {
            Self::Armour => armour(text, at),
            Self::PuttyKey => Some(hit("secrets.private_key", at.start..text.len(), Confidence::High, "a private key")),
            Self::JsonWebToken => json_web_token(text, at.start),
            Self::UserInfo => user_info(text, at),
            Self::Bearer => bearer(text, at),
            Self::Basic => basic(text, at),
            Self::AzureSas => azure_sas(text, at),
            Self::AzureClientSecret => azure_client_secret(text, at),
            Self::OpenAiMark => around(text, at, 20, "secrets.openai_key", "an OpenAI API key"),
            Self::TerraformToken => around(text, at, 14, "secrets.terraform_token", "a Terraform Cloud token"),
        }
    }
}

fn hit(kind: &'static str, range: Range<usize>, confidence: Confidence, message: &'static str) -> Hit {
    Hit { class: Class::Secrets, kind, range, confidence, message }
}

/// How many bytes from `from` on belong to the alphabet, up to `most`.
fn run(text: &str, from: usize, alphabet: Alphabet, most: usize) -> usize {
    let rest = text.as_bytes().get(from..).unwrap_or_default();
    rest.iter().take(most).take_while(|byte| alphabet.has(**byte)).count()
}

/// How many bytes before `to` belong to the alphabet, up to `most`.
fn run_back(text: &str, to: usize, alphabet: Alphabet, most: usize) -> usize {
    let head = text.as_bytes().get(to.saturating_sub(most)..to).unwrap_or_default();
    head.iter().rev().take_while(|byte| alphabet.has(**byte)).count()
}

/// A private key in armour: to its closing line, or to the end where there is none.
fn armour(text: &str, at: Range<usize>) -> Option<Hit> {
    let rest = text.get(at.end..)?;
    let label_end = rest.as_bytes().iter().take(64).position(|byte| *byte == b'-')?;
    let label = rest.get(..label_end)?;
    if !(label.ends_with("PRIVATE KEY") || label.ends_with("PRIVATE KEY BLOCK")) {
        return None;
    }
    let body = rest.get(label_end..)?.strip_prefix("-----")?;
    // A heading alone, as in a list of formats, carries nothing.
    let opening = body.as_bytes().get(..400).unwrap_or(body.as_bytes());
    let opening = opening.get(..memchr::memmem::find(opening, b"-----").unwrap_or(opening.len()))?;
    if opening.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() < 24 || body.trim_start().starts_with("...") {
        return None;
    }
    // From here on it is a hit, so nothing before its end is looked at again and the search stays linear.
    let body_start = text.len() - body.len();
    let end = memchr::memmem::find(body.as_bytes(), b"-----END ").map_or(text.len(), |close| {
        let tail = body.as_bytes().get(close + 9..).unwrap_or_default();
        let label = tail.iter().take(64).position(|byte| *byte == b'-').unwrap_or(0);
        (body_start + close + 9 + label + 5).min(text.len())
    });
    let end = (end..=text.len()).find(|end| text.is_char_boundary(*end))?;
    Some(hit("secrets.private_key", at.start..end, Confidence::High, "a private key"))
}

fn json_web_token(text: &str, start: usize) -> Option<Hit> {
    // `token=eyJ…` opens one; `….eyJ…` is the middle of one.
    let before = start.checked_sub(1).and_then(|before| text.as_bytes().get(before));
    if before.is_some_and(|byte| *byte != b'=' && Alphabet::UrlDotted.has(*byte)) {
        return None;
    }
    let head = run(text, start, Alphabet::Url, usize::MAX);
    let claims_at = start + head + 1;
    if text.as_bytes().get(start + head) != Some(&b'.') {
        return None;
    }
    let claims = run(text, claims_at, Alphabet::Url, usize::MAX);
    let mut end = claims_at + claims;
    if claims < 2 || text.as_bytes().get(end) != Some(&b'.') {
        return None;
    }
    let mut parts = 2;
    while parts < 5 && text.as_bytes().get(end) == Some(&b'.') {
        end += 1 + run(text, end + 1, Alphabet::Url, usize::MAX);
        parts += 1;
    }
    let header = URL_SAFE_NO_PAD.decode(text.get(start..start + head)?).ok()?;
    let names_algorithm = memchr::memmem::find(&header, b"\"alg\"").is_some();
    names_algorithm.then(|| hit("secrets.jwt", start..end, Confidence::High, "a JSON Web Token"))
}

/// The longest user information that is looked for.
const LONGEST_USER_INFO: usize = 4096;

/// `scheme://user:password@host`: the password alone.
fn user_info(text: &str, at: Range<usize>) -> Option<Hit> {
    let rest = text.as_bytes().get(at.end..)?;
    let stop = rest
        .iter()
        .take(LONGEST_USER_INFO)
        .position(|byte| {
            byte.is_ascii_whitespace()
                || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'\\' | b'`' | b',')
        })
        .unwrap_or_else(|| rest.len().min(LONGEST_USER_INFO));
    let authority = rest.get(..stop)?;
    let sign = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', authority.get(..sign)?)?;
    let range = at.end + colon + 1..at.end + sign;
    let password = text.get(range.clone())?;
    let user = authority.get(..colon)?;
    let trivial = password.len() < 5
        || placeholder::is_reference(password)
        || placeholder::is_placeholder(password)
        || matches!(
            password,
            "pass" | "pwd" | "pw" | "postgres" | "root" | "admin" | "guest" | "mysql" | "mongo" | "redis" | "hunter2"
        );
    (!trivial && !user.contains(&b'{'))
        .then(|| hit("secrets.url_password", range, Confidence::High, "a password in an address"))
}

fn bearer(text: &str, at: Range<usize>) -> Option<Hit> {
    let length = run(text, at.end, Alphabet::Token68, 4096);
    let token = text.get(at.end..at.end + length)?;
    let digit = token.bytes().any(|byte| byte.is_ascii_digit());
    let letter = token.bytes().any(|byte| byte.is_ascii_alphabetic());
    // Words with slashes between them are a path.
    let mixed =
        token.bytes().any(|byte| byte.is_ascii_uppercase()) && token.bytes().any(|byte| byte.is_ascii_lowercase());
    let long = token.split('/').any(|part| part.len() >= 16 && part.bytes().any(|byte| byte.is_ascii_digit()));
    let random = length >= 16 && digit && letter && (mixed || long) && bits_per_byte(token.as_bytes()) >= 3.0;
    let rest = text.as_bytes().get(at.end..)?;
    (random && !placeholder::is_placeholder(token)).then(|| {
        let end = at.end + Alphabet::Token68.run(rest, length);
        hit("secrets.bearer_token", at.end..end, Confidence::High, "a bearer token")
    })
}

/// `Basic` and credentials in base64, which decode to `user:password`.
fn basic(text: &str, at: Range<usize>) -> Option<Hit> {
    let length = run(text, at.end, Alphabet::Base64, 512);
    let body = text.get(at.end..at.end + length)?;
    if length < 8 {
        return None;
    }
    let decoded = STANDARD.decode(body).or_else(|_| STANDARD_NO_PAD.decode(body)).ok()?;
    let decoded = std::str::from_utf8(&decoded).ok()?;
    let (user, password) = decoded.split_once(':')?;
    let printable = decoded.chars().all(|character| !character.is_control());
    (printable && !user.is_empty() && password.len() >= 3).then(|| {
        hit(
            "secrets.basic_credentials",
            at.end..at.end + Alphabet::Base64.run(text.as_bytes().get(at.end..).unwrap_or_default(), length),
            Confidence::High,
            "credentials of HTTP basic authentication",
        )
    })
}

/// The signature of a shared access address; only where the other parts of one are near.
fn azure_sas(text: &str, at: Range<usize>) -> Option<Hit> {
    let before = at.start.checked_sub(1).and_then(|before| text.as_bytes().get(before));
    if !before.is_some_and(|byte| matches!(byte, b'&' | b'?' | b';' | b'"' | b'\'' | b' ')) {
        return None;
    }
    let rest = text.as_bytes().get(at.end..)?;
    let length = rest
        .iter()
        .take(120)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'+' | b'/' | b'='))
        .count();
    if length < 40 {
        return None;
    }
    let from = (at.start.saturating_sub(300)..=at.start).find(|at| text.is_char_boundary(*at))?;
    let to = (at.end + length..=text.len()).take(304).filter(|at| text.is_char_boundary(*at)).last()?;
    let around = text.get(from..to)?;
    let signed = around.contains("sv=") && (around.contains("se=") || around.contains("sp="))
        || around.contains("X-Goog-")
        || around.contains("SharedAccessSignature");
    signed.then(|| {
        hit("secrets.azure_sas", at.end..at.end + length, Confidence::High, "the signature of a shared access address")
    })
}

/// An Entra client secret: three characters, a digit, `Q~`, 31 to 34 characters.
fn azure_client_secret(text: &str, at: Range<usize>) -> Option<Hit> {
    let before = at.start.checked_sub(1).and_then(|before| text.as_bytes().get(before));
    if !before.is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let head = run_back(text, at.start, Alphabet::UrlDotted, 5);
    let length = run(text, at.end, Alphabet::UrlDotted, 40);
    (head == 4 && (31..=34).contains(&length)).then(|| {
        hit("secrets.azure_client_secret", at.start - 4..at.end + length, Confidence::High, "an Entra client secret")
    })
}

/// A token that is known by a mark in its middle.
fn around(text: &str, at: Range<usize>, least: usize, kind: &'static str, message: &'static str) -> Option<Hit> {
    let head = run_back(text, at.start, Alphabet::Url, 120);
    let tail = run(text, at.end, Alphabet::Url, 120);
    (head >= 14 && tail >= least).then(|| hit(kind, at.start - head..at.end + tail, Confidence::High, message))
}

/// An AWS secret has no mark of its own: forty characters of base64 within 200 bytes of an access key id.
pub(super) fn aws_secret_beside_id(text: &str, from: usize, hits: &mut Vec<Hit>) {
    let ids: Vec<Range<usize>> = hits
        .iter()
        .skip(from)
        .filter(|hit| hit.kind == "secrets.aws_access_key_id")
        .take(16)
        .map(|hit| hit.range.clone())
        .collect();
    for id in ids {
        let bytes = text.as_bytes();
        let start = id.start.saturating_sub(200);
        let window = bytes.get(start..(id.end + 200).min(bytes.len())).unwrap_or_default();
        let mut at = 0;
        while at < window.len() {
            let run = window
                .get(at..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
                .count();
            let body = window.get(at..at + run).unwrap_or_default();
            let clipped = at == 0 && start > 0;
            if run == 40
                && !clipped
                && distinct(body) >= 12
                && body.iter().any(u8::is_ascii_digit)
                && body.iter().any(u8::is_ascii_lowercase)
                && body.iter().any(u8::is_ascii_uppercase)
            {
                let example = memchr::memmem::find(body, b"EXAMPLE").is_some();
                let confidence = if example { Confidence::Low } else { Confidence::High };
                hits.push(hit(
                    "secrets.aws_secret_key",
                    start + at..start + at + run,
                    confidence,
                    "an AWS secret access key",
                ));
            }
            at += run + 1;
        }
    }
}
