//! Values that only their surroundings give away: `password: …`, `API_KEY=…`, the member `"client_secret"`.

use std::ops::Range;
use std::sync::LazyLock;

use super::super::detection::{Class, Confidence, Direction};
use super::super::leaf::{Hit, Leaf};
use super::super::settings::InspectSettings;
use super::super::words::Anywhere;
use super::assigned::{NAME, Values, is_name};
use super::placeholder::{has_pair, is_placeholder};
use thoth_text::entropy::bits_per_byte;

/// Words that announce a secret, in the languages in which people write notes and configuration.
pub(super) const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passwort",
    "kennwort",
    "contraseña",
    "senha",
    "mot de passe",
    "密码",
    "パスワード",
    "пароль",
    "비밀번호",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "api key",
    "access_key",
    "accesskey",
    "access-key",
    "private_key",
    "privatekey",
    "auth_key",
    "authkey",
    "signingkey",
    "encryptionkey",
    "encryption_key",
    "signing_key",
    "credential",
];

/// What turns such a word into something harmless when it stands before or after it in the same name.
const HARMLESS: &[&str] = &[
    "max_tok",
    "maxtok",
    "tokens",
    "tokeniz",
    "token_count",
    "token_type",
    "tokentype",
    "token_usage",
    "next",
    "page",
    "cursor",
    "continuation",
    "csrf",
    "xsrf",
    "sync",
    "resume",
    "pagination",
    "_id",
    "_name",
    "_url",
    "_uri",
    "_path",
    "_file",
    "_policy",
    "_hint",
    "_field",
    "_length",
    "_expires",
    "expir",
    "_ref",
    "_arn",
    "_hash",
    "public",
    "_version",
    "_limit",
    "_reset",
    "reset_",
    "_strength",
    "_label",
    "_help",
    "_error",
    "cancellation",
    "progress",
    "pagetoken",
    "_count",
    "budget",
    "_type",
    "_env",
    "_manager",
    "_status",
    "required",
];

static ANNOUNCING: LazyLock<Anywhere> = LazyLock::new(|| Anywhere::new(WORDS));
static TAKING_BACK: LazyLock<Anywhere> = LazyLock::new(|| Anywhere::new(HARMLESS));

/// Names that announce a secret only as a whole.
const WHOLE_NAMES: &[&str] = &["auth", "authorization", "pass", "bearer", "x-api-key", "sas", "authkey"];

/// Whether the name of a member says that its value is secret.
pub(in super::super) fn is_sensitive_key(key: &str) -> bool {
    if key.len() > 80 || key.len() < 3 {
        return false;
    }
    let named = ANNOUNCING.is_in(key) || WHOLE_NAMES.iter().any(|name| name.eq_ignore_ascii_case(key));
    named && !is_taken_back(key)
}

/// Whether a name says that no secret follows. It is read in lower case, with `camelCase` and other separators spread to
/// underscores.
fn is_taken_back(name: &str) -> bool {
    let Some(mut seek) = TAKING_BACK.seek() else { return false };
    let mut last_lower = false;
    name.chars().any(|character| {
        let parts = last_lower && character.is_uppercase();
        last_lower = character.is_lowercase() || character.is_ascii_digit();
        let mut buffer = [0; 4];
        (parts && seek.meets(b'_'))
            || match character {
                '-' | '.' | ' ' => seek.meets(b'_'),
                other if other.is_ascii() => other.encode_utf8(&mut buffer).bytes().any(|byte| seek.meets(byte)),
                other => {
                    other.to_lowercase().any(|low| low.encode_utf8(&mut buffer).bytes().any(|byte| seek.meets(byte)))
                }
            }
    })
}

/// Looks at many bytes at once: most values have no digit, and then all of them are looked at.
fn has_digit(value: &str) -> bool {
    let some = |chunk: &[u8]| chunk.iter().fold(false, |some, byte| some | byte.is_ascii_digit());
    value.as_bytes().chunks(64).any(some)
}

/// The longest password that a person types.
const LONGEST_TYPED: usize = 256;
/// How much of a token is judged.
const LONGEST_TOKEN: usize = 4096;

/// How strong a password or token is: what a person would call non-trivial.
fn is_password(value: &str) -> bool {
    if !(6..=LONGEST_TYPED).contains(&value.len()) {
        return false;
    }
    let (mut digit, mut letter, mut mark, mut wide, mut blank) = (false, false, false, false, false);
    // Without a way out, so that many bytes are looked at at once.
    for byte in value.bytes() {
        digit |= byte.is_ascii_digit();
        letter |= byte.is_ascii_alphabetic();
        mark |= byte.is_ascii_punctuation() & !matches!(byte, b'_' | b'-' | b'.' | b'/');
        wide |= byte >= 0x80;
        blank |= byte == b' ';
    }
    if blank {
        return false;
    }
    letter |= wide && value.chars().any(char::is_alphabetic);
    u8::from(digit) + u8::from(letter) + u8::from(mark) >= 2
}

/// Whether a value is made of what tokens are made of; how random it is costs more to know.
fn is_like_token(value: &str) -> bool {
    (16..=LONGEST_TOKEN).contains(&value.len())
        && has_digit(value)
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && memchr::memchr(b' ', value.as_bytes()).is_none()
}

/// What the name of a member says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Named {
    /// Nothing that makes it a secret.
    Nothing,
    /// It is what a person types.
    Password,
    /// It is what a machine makes.
    Token,
}

impl Named {
    pub(in super::super) fn by(key: &str) -> Self {
        match (is_sensitive_key(key), says_password(key)) {
            (false, _) => Self::Nothing,
            (true, true) => Self::Password,
            (true, false) => Self::Token,
        }
    }
}

/// Judges the whole value of a member whose name is sensitive.
pub(in super::super) fn field_value(leaf: &Leaf<'_>, settings: &InspectSettings) -> Option<Hit> {
    let value = leaf.text.trim();
    if value.len() < 6 {
        return None;
    }
    let named = leaf.named.unwrap_or_else(|| Named::by(leaf.key));
    if named == Named::Nothing {
        return None;
    }
    // Nobody types more.
    let password = named == Named::Password && value.len() <= LONGEST_TYPED;
    let value = value.get(..value.floor_char_boundary(LONGEST_TOKEN)).unwrap_or(value);
    let random = || bits_per_byte(value.as_bytes()) >= settings.min_entropy;
    let strong = if password { is_password(value) } else { is_like_token(value) && random() };
    let kind = match (password, leaf.direction) {
        // What a tool's own parameter for a password is there for.
        (true, Direction::Arguments) => "secrets.password_argument",
        (true, Direction::Results) => "secrets.password",
        (false, _) => "secrets.named_value",
    };
    (strong && !is_placeholder(value)).then(|| hit(kind, 0..leaf.text.len(), Confidence::Medium))
}

/// Words for what a person types, as against what a machine makes.
const PASSWORD_WORDS: &[&str] =
    &["pass", "pwd", "kennwort", "contraseña", "senha", "mot de passe", "密码", "パスワード", "пароль", "비밀번호"];
static PASSWORDS: LazyLock<Anywhere> = LazyLock::new(|| Anywhere::new(PASSWORD_WORDS));

pub(super) fn says_password(name: &str) -> bool {
    PASSWORDS.is_in(name)
}

fn hit(kind: &'static str, range: Range<usize>, confidence: Confidence) -> Hit {
    let message = if kind.starts_with("secrets.password") {
        "a password beside its name"
    } else {
        "a random value beside a word for a secret"
    };
    Hit { class: Class::Secrets, kind, range, confidence, message }
}

/// Judges what stands behind a word that announces a secret: a name may go on, then `=` or `:` or an arrow, perhaps a
/// quote, then the value. `password` says that the word is for what a person types. Also says where the value stands.
pub(super) fn check(
    leaf: &Leaf<'_>,
    word: Range<usize>,
    password: bool,
    values: &mut Values<'_>,
    settings: &InspectSettings,
) -> (Option<Hit>, Range<usize>) {
    let Some(value) = values.behind(word.end) else { return (None, 0..0) };
    let Some(text) = leaf.text.get(value.clone()) else { return (None, 0..0) };
    let strong = if password {
        text.len() >= 8 && is_password(text) && has_digit(text) && text.chars().any(char::is_alphabetic)
    } else {
        is_like_token(text)
    };
    // What costs least comes first: a text may be nothing but announcements of what is none.
    let found = strong
        && !is_code(text)
        && !is_placeholder(text)
        && !is_taken_back(name_around(leaf.text, word))
        && (password || bits_per_byte(text.as_bytes()) >= settings.min_entropy);
    let kind = if password { "secrets.password" } else { "secrets.named_value" };
    (found.then(|| hit(kind, values.whole(value.clone()), Confidence::Medium)), value)
}

/// The whole name that a word is part of.
fn name_around(text: &str, word: Range<usize>) -> &str {
    let in_name = |byte: &&u8| is_name(**byte);
    let bytes = text.as_bytes();
    let head = bytes.get(word.start.saturating_sub(NAME)..word.start).unwrap_or_default();
    let tail = bytes.get(word.end..).unwrap_or_default();
    let before = head.iter().rev().take_while(in_name).count();
    let after = tail.iter().take(NAME).take_while(in_name).count();
    text.get(word.start - before..word.end + after).unwrap_or_default()
}

/// Whether a value is a piece of a program rather than a literal: a dotted name, a call, an index.
fn is_code(value: &str) -> bool {
    let identifier = |part: &str| {
        part.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && part.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
    };
    // `self.token`, `config.db.password`; a token with dots has long random parts instead.
    let dotted = || {
        memchr::memchr(b'.', value.as_bytes()).is_some()
            && value
                .split('.')
                .all(|part| part.len() <= 24 && identifier(part) && !part.bytes().any(|byte| byte.is_ascii_digit()))
    };
    value.ends_with([']', '{']) || has_pair(value, |a, b| matches!((a, b), (b':', b':') | (b'-', b'>'))) || dotted()
}
