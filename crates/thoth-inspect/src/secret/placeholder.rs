//! Values that stand where a secret would: examples, references, masks.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind, MatchKind};

/// What documentation writes instead of a value. Compared without case.
const WORDS: &[&str] = &[
    "example",
    "placeholder",
    "changeme",
    "change_me",
    "change-me",
    "your",
    "dummy",
    "sample",
    "redacted",
    "hidden",
    "insert",
    "replace",
    "todo",
    "fixme",
    "undefined",
    "none",
    "null",
    "true",
    "false",
    "required",
    "optional",
    "string",
    "secret",
    "password",
    "passwd",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "credential",
    "value",
    "xxxx",
    "test",
    "foobar",
    "default",
    "empty",
    "not set",
    "masked",
    "removed",
    "unknown",
    "user",
    "passw0rd",
    "fake",
];

static STAND_INS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    // INVARIANT: the words are ours and few, so building cannot fail.
    let mut builder = AhoCorasickBuilder::new();
    builder.kind(Some(AhoCorasickKind::DFA)).ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest);
    builder.build(WORDS).ok()
});

/// Whether two neighbouring bytes of a value are a pair. Written without a way out, so that many are looked at at once.
pub(super) fn has_pair(value: &str, pair: impl Fn(u8, u8) -> bool) -> bool {
    let next = value.as_bytes().iter().skip(1);
    value.bytes().zip(next).fold(false, |some, (a, b)| some | pair(a, *b))
}

/// Whether a value has what no real one has: an ellipsis, a mask, a call, an index, a variable.
fn has_sign(value: &str) -> bool {
    let pair = |a, b| {
        matches!((a, b), (b'$' | b'{', b'{') | (b'[', b'"' | b'\'') | (b'*', b'*') | (b'.', b'.') | (0x80, 0xA6))
    };
    memchr::memchr(b'(', value.as_bytes()).is_some()
        || (has_pair(value, pair)
            && ["****", "....", "…", "${", "{{", "[\"", "['"].iter().any(|sign| value.contains(sign)))
}

/// Whether a run of token characters is filler such as `xxxxxxxx`, `0000`, `abcdef…` or `1234567890`.
pub(super) fn is_filler(body: &[u8]) -> bool {
    if body.len() < 8 {
        return false;
    }
    // So few at once that their counts fit into a byte, for which many are looked at at once.
    let next = body.get(1..).unwrap_or_default();
    let count = |(these, those): (&[u8], &[u8])| {
        let steady = |(a, b): (&u8, &u8)| u8::from(a == b) + u8::from(a.wrapping_add(1) == *b);
        usize::from(these.iter().zip(those).map(steady).fold(0_u8, u8::wrapping_add))
    };
    let steady: usize = body.chunks(128).zip(next.chunks(128)).map(count).sum();
    // Three quarters of all steps stay or count up.
    steady * 4 >= (body.len() - 1) * 3
}

/// Whether a value stands in for a secret rather than being one.
pub(super) fn is_placeholder(value: &str) -> bool {
    if is_filler(value.as_bytes()) || is_reference(value) {
        return true;
    }
    // A stand-in word with little around it: `your_token_here`, `my-secret-key`.
    let words = STAND_INS.as_ref();
    value.len() <= 48
        && !mixes(value)
        && words.is_some_and(|words| {
            let covered: usize = words.find_iter(value).map(|found| found.len()).sum();
            covered > 0 && covered + 14 >= value.len()
        })
}

/// Whether a value mixes letters of both cases with digits, as generated ones do.
fn mixes(value: &str) -> bool {
    let bytes = value.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    digits >= 3 && bytes.iter().any(u8::is_ascii_uppercase) && bytes.iter().any(u8::is_ascii_lowercase)
}

/// Whether a value names the place of a secret: a variable, a template, a call, a vault path.
pub(super) fn is_reference(value: &str) -> bool {
    let opens = [
        "<", "$", "%", "[", "{", "(", "@", "&", "*", "os.", "process.", "env.", "ENV", "self.", "this.", "op://",
        "vault:", "arn:", "http://", "https://", "file://", "/", "./", "../", "~/",
    ];
    opens.iter().any(|open| value.starts_with(open)) || has_sign(value)
}
