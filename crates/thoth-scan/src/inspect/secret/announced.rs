//! Values that only their surroundings give away: `password: …`, `API_KEY=…`, the member `"client_secret"`.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};

use super::super::detection::{Class, Confidence, Direction};
use super::super::entropy::bits_per_byte;
use super::super::leaf::{Hit, Leaf};
use super::super::settings::InspectSettings;
use super::assigned::{NAME, Values, is_name};
use super::placeholder::is_placeholder;

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

fn automaton(words: &[&str]) -> Option<AhoCorasick> {
    // INVARIANT: the words are ours and few, so building cannot fail.
    AhoCorasickBuilder::new().kind(Some(AhoCorasickKind::DFA)).ascii_case_insensitive(true).build(words).ok()
}

static ANNOUNCING: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(WORDS));
static TAKING_BACK: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(HARMLESS));

fn has(words: &LazyLock<Option<AhoCorasick>>, text: &str) -> bool {
    words.as_ref().is_some_and(|words| words.is_match(text))
}

/// Names that announce a secret only as a whole.
const WHOLE_NAMES: &[&str] = &["auth", "authorization", "pass", "bearer", "x-api-key", "sas", "authkey"];

/// Whether the name of a member says that its value is secret.
pub(in super::super) fn is_sensitive_key(key: &str) -> bool {
    if key.len() > 80 || key.len() < 3 {
        return false;
    }
    let named = has(&ANNOUNCING, key) || WHOLE_NAMES.iter().any(|name| name.eq_ignore_ascii_case(key));
    named && !has(&TAKING_BACK, &spread(key))
}

/// Lower case, with `camelCase` and other separators spread to underscores.
fn spread(key: &str) -> String {
    let mut out = String::with_capacity(key.len() + 4);
    let mut last_lower = false;
    for character in key.chars() {
        if character.is_uppercase() && last_lower {
            out.push('_');
        }
        last_lower = character.is_lowercase() || character.is_ascii_digit();
        match character {
            '-' | '.' | ' ' => out.push('_'),
            other => out.extend(other.to_lowercase()),
        }
    }
    out
}

/// Looks at many bytes at once: most values have no digit, and then all of them are looked at.
fn has_digit(value: &str) -> bool {
    let some = |chunk: &[u8]| chunk.iter().fold(false, |some, byte| some | byte.is_ascii_digit());
    value.as_bytes().chunks(64).any(some)
}

/// How strong a password or token is: what a person would call non-trivial.
fn is_password(value: &str) -> bool {
    if !(6..=256).contains(&value.len()) {
        return false;
    }
    let (mut digit, mut letter, mut mark, mut wide) = (false, false, false, false);
    for byte in value.bytes() {
        digit |= byte.is_ascii_digit();
        letter |= byte.is_ascii_alphabetic();
        mark |= byte.is_ascii_punctuation() && !matches!(byte, b'_' | b'-' | b'.' | b'/');
        wide |= byte >= 0x80;
        if byte == b' ' {
            return false;
        }
    }
    letter |= wide && value.chars().any(char::is_alphabetic);
    u8::from(digit) + u8::from(letter) + u8::from(mark) >= 2
}

fn is_token(value: &str, min_entropy: f64) -> bool {
    (16..=4096).contains(&value.len())
        && has_digit(value)
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && !value.contains(' ')
        && bits_per_byte(value.as_bytes()) >= min_entropy
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
    if !(6..=4096).contains(&value.len()) {
        return None;
    }
    let named = leaf.named.unwrap_or_else(|| Named::by(leaf.key));
    if named == Named::Nothing {
        return None;
    }
    let password = named == Named::Password;
    let strong = if password { is_password(value) } else { is_token(value, settings.min_entropy) };
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
static PASSWORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| automaton(PASSWORD_WORDS));

pub(super) fn says_password(name: &str) -> bool {
    has(&PASSWORDS, name)
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
        is_token(text, settings.min_entropy)
    };
    let found =
        strong && !has(&TAKING_BACK, &spread(name_around(leaf.text, word))) && !is_placeholder(text) && !is_code(text);
    let kind = if password { "secrets.password" } else { "secrets.named_value" };
    (found.then(|| hit(kind, value.clone(), Confidence::Medium)), value)
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
    let dotted = value.contains('.')
        && value
            .split('.')
            .all(|part| identifier(part) && part.len() <= 24 && !part.bytes().any(|byte| byte.is_ascii_digit()));
    dotted || value.contains("::") || value.contains("->") || value.ends_with(']') || value.ends_with('{')
}
