//! Secrets that are known by their shape: the documented prefixes and alphabets of credentials.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind, packed};

use super::keys;

/// No string below this length holds a secret that is known by its shape.
pub(super) const SHORTEST: usize = 12;

/// What may follow a prefix.
#[derive(Clone, Copy)]
enum Rest {
    /// At least this many bytes of letters, digits, `_` and `-`.
    Token(usize),
    /// The same, with at least one digit and one letter: for prefixes that are also parts of words.
    MixedToken(usize),
    /// At least this many letters and digits.
    Alphanumeric(usize),
    /// Exactly this many upper-case letters and digits.
    Upper(usize),
    /// Three parts of base64url, joined with points.
    Jwt,
    /// A block that ends with `-----END …-----`.
    Pem,
    /// A token after an authorization scheme.
    Bearer,
    /// Everything up to the end of a URL path.
    Path(usize),
}

use Rest::{Alphanumeric, Bearer, Jwt, MixedToken, Path, Pem, Token, Upper};

const PREFIXES: &[(&str, Rest)] = &[
    // GitHub: https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
    ("ghp_", Alphanumeric(30)),
    ("gho_", Alphanumeric(30)),
    ("ghu_", Alphanumeric(30)),
    ("ghs_", Alphanumeric(30)),
    ("ghr_", Alphanumeric(30)),
    ("github_pat_", Token(22)),
    // GitLab, npm, PyPI, Hugging Face, DigitalOcean, Shopify.
    ("glpat-", Token(20)),
    ("npm_", Alphanumeric(36)),
    ("pypi-AgEI", Token(30)),
    ("hf_", Alphanumeric(30)),
    ("dop_v1_", Alphanumeric(60)),
    ("shpat_", Alphanumeric(30)),
    // Slack.
    ("xoxb-", Token(10)),
    ("xoxp-", Token(10)),
    ("xoxa-", Token(10)),
    ("xoxr-", Token(10)),
    ("xoxs-", Token(10)),
    ("xapp-", Token(10)),
    ("hooks.slack.com/services/", Path(20)),
    // OpenAI, Anthropic; Stripe; SendGrid.
    ("sk-", MixedToken(20)),
    ("sk_live_", Alphanumeric(16)),
    ("sk_test_", Alphanumeric(16)),
    ("rk_live_", Alphanumeric(16)),
    ("whsec_", Alphanumeric(20)),
    ("SG.", MixedToken(20)),
    // AWS key ids: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    ("AKIA", Upper(16)),
    ("ASIA", Upper(16)),
    // Google.
    ("AIza", Token(35)),
    ("ya29.", Token(20)),
    ("GOCSPX-", Token(20)),
    // age.
    ("AGE-SECRET-KEY-1", Upper(58)),
    ("eyJ", Jwt),
    ("-----BEGIN ", Pem),
    ("Bearer ", Bearer),
    ("bearer ", Bearer),
    ("BEARER ", Bearer),
];

/// Then come the two characters at which to look backwards.
const ASSIGNMENT: usize = PREFIXES.len();
const USERINFO: usize = PREFIXES.len() + 1;

static SEARCH: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(PREFIXES.iter().map(|(prefix, _)| *prefix).chain(["=", "://"]))
        .ok()
});

/// Finds the prefixes with vector instructions, where the processor has them: several times as fast as [`SEARCH`], which
/// then only sees the few texts with something in them.
static GLANCE: LazyLock<Option<packed::Searcher>> =
    LazyLock::new(|| packed::Builder::new().extend(PREFIXES.iter().map(|(prefix, _)| *prefix)).build());

/// Whether there is anything in the text to search for. Never a wrong no.
fn worth_searching(text: &[u8]) -> bool {
    GLANCE.as_ref().is_none_or(|glance| {
        memchr::memchr(b'=', text).is_some()
            || memchr::memmem::find(text, b"://").is_some()
            || glance.find(text).is_some()
    })
}

fn token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn run(bytes: &[u8], accept: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|b| accept(**b)).count()
}

/// How many bytes after the prefix belong to the secret; `None` when it is none.
fn rest_length(rest: Rest, after: &[u8]) -> Option<usize> {
    let at_least = |least: usize, length: usize| (length >= least).then_some(length);
    match rest {
        Token(least) => at_least(least, run(after, token_byte)),
        MixedToken(least) => {
            let length = at_least(least, run(after, |b| token_byte(b) || b == b'.'))?;
            let body = after.get(..length)?;
            (body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic)).then_some(length)
        }
        Alphanumeric(least) => at_least(least, run(after, |b| b.is_ascii_alphanumeric() || b == b'_')),
        Upper(exactly) => {
            let length = run(after, |b| b.is_ascii_uppercase() || b.is_ascii_digit());
            let ends = after.get(length).is_none_or(|b| !b.is_ascii_alphanumeric());
            (length == exactly && ends).then_some(length)
        }
        Jwt => {
            let header = at_least(8, run(after, token_byte))?;
            let payload = after.get(header..)?.strip_prefix(b".eyJ")?;
            let payload_length = at_least(4, run(payload, token_byte))?;
            let signature = payload.get(payload_length..)?.strip_prefix(b".")?;
            Some(header + 4 + payload_length + 1 + run(signature, token_byte))
        }
        Pem => {
            let line = after.get(..after.len().min(48))?;
            let label = memchr::memmem::find(line, b"-----")?;
            memchr::memmem::find(line.get(..label)?, b"PRIVATE KEY")?;
            // Up to the end mark, or, when that is missing, all of it.
            let end = memchr::memmem::find(after, b"-----END ").and_then(|end| {
                let tail = after.get(end + 9..)?;
                Some(end + 9 + memchr::memmem::find(tail, b"-----")? + 5)
            });
            Some(end.unwrap_or(after.len()))
        }
        Bearer => {
            let length = at_least(16, run(after, |b| token_byte(b) || b".~+/=".contains(&b)))?;
            after.get(..length)?.iter().any(u8::is_ascii_digit).then_some(length)
        }
        Path(least) => at_least(least, run(after, |b| token_byte(b) || b == b'/')),
    }
}

/// `name=value` with a secret's name: where the value stands.
fn assigned(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = text.get(..at)?;
    let name_length = before.iter().rev().take(64).take_while(|b| token_byte(**b)).count();
    let name = std::str::from_utf8(before.get(at - name_length..)?).ok()?;
    if !keys::is_secret(name) {
        return None;
    }
    let value = text.get(at + 1..)?;
    let quotes = usize::from(value.first().is_some_and(|b| b"'\"".contains(b)));
    let length = run(value.get(quotes..)?, |b| b.is_ascii_graphic() && !b"'\"&;,<>(){}$`|\\".contains(&b));
    (length >= 6).then_some(at + 1 + quotes..at + 1 + quotes + length)
}

/// `scheme://user:password@host`: where the password stands.
fn userinfo(text: &[u8], after: usize) -> Option<Range<usize>> {
    let rest = text.get(after..)?;
    let length = run(rest.get(..rest.len().min(256))?, |b| b.is_ascii_graphic() && !b"/?#\"'<>".contains(&b));
    let authority = rest.get(..length)?;
    let at = memchr::memrchr(b'@', authority)?;
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    (at > colon + 1).then_some(after + colon + 1..after + at)
}

/// Reports where secrets stand in a text, from left to right and without overlaps.
pub(super) fn find(text: &[u8], report: &mut dyn FnMut(Range<usize>)) {
    if !worth_searching(text) {
        return;
    }
    let Some(search) = SEARCH.as_ref() else { return };
    let mut done = 0;
    for found in search.find_iter(text) {
        if found.start() < done {
            continue;
        }
        let span = match found.pattern().as_usize() {
            ASSIGNMENT => assigned(text, found.start()),
            USERINFO => userinfo(text, found.end()),
            known => {
                // A prefix in the middle of a word is part of the word: `task-…`.
                let before = found.start().checked_sub(1).and_then(|i| text.get(i)).copied().unwrap_or(b' ');
                let rest = PREFIXES.get(known).map(|(_, rest)| *rest).filter(|rest| match rest {
                    // These may look at a long run and reject it; never start twice within one, or `sk-sk-sk-…`
                    // would cost quadratic time.
                    MixedToken(_) | Jwt => !token_byte(before) && before != b'.',
                    _ => !before.is_ascii_alphanumeric(),
                });
                let after = text.get(found.end()..).unwrap_or_default();
                rest.and_then(|rest| Some((rest, rest_length(rest, after)?))).map(|(rest, length)| {
                    let start = if matches!(rest, Bearer) { found.end() } else { found.start() };
                    start..found.end() + length
                })
            }
        };
        if let Some(span) = span {
            done = span.end;
            report(span);
        }
    }
}
