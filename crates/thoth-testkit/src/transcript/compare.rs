//! Holding a conversation against the same conversation without anything in between.
//!
//! A server's clock, its random identifiers and its timers make two direct conversations differ. What differs between
//! those two, and nothing else, may differ in a third. Each line is cut into JSON strings and what stands between
//! them; only pieces that two direct conversations already have apart are left out of the comparison. Times of day are
//! left out always: two conversations within one second would hide that they differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comparison {
    /// Lines compared in every byte.
    pub exact: usize,
    /// Lines compared but for some pieces.
    pub masked: usize,
    /// Lines that two direct conversations do not have in common, which cannot be compared.
    pub unstable: usize,
}

/// A line that is not as it would be without anything in between.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// The line never came.
    #[error("{0} is missing")]
    Missing(String),
    /// A line came that should not.
    #[error("{0} came from nowhere: {1}")]
    Extra(String, String),
    /// The line is different.
    #[error("{key} differs: `{direct}` became `{through}`")]
    Changed {
        /// Which line.
        key: String,
        /// Without anything in between.
        direct: String,
        /// With something in between.
        through: String,
    },
}

impl Comparison {
    /// Compares what a client received with what it received in two direct conversations. Methods in `random` are known
    /// to carry random content, which two conversations may have alike by chance; they are not compared.
    ///
    /// # Errors
    /// At the first line that differs in more than two direct conversations differ.
    pub fn between(first: &[u8], second: &[u8], through: &[u8], random: &[&str]) -> Result<Self, Difference> {
        let (first, second, through) = (without_clock(first), without_clock(second), without_clock(through));
        let (first, second, through) = (keyed(&first), keyed(&second), keyed(&through));
        let mut unstable_kinds = differing_kinds(&first, &second);
        unstable_kinds.extend(random);
        let mut found = Self { exact: 0, masked: 0, unstable: 0 };
        for (key, direct) in &first {
            let other = second.get(key).map(|line| pieces(line));
            let direct_pieces = pieces(direct);
            let comparable = other.filter(|other| other.len() == direct_pieces.len());
            let Some(other) = comparable.filter(|_| !unstable_kinds.contains(key.0.as_str())) else {
                found.unstable += 1;
                continue;
            };
            let seen = through.get(key).ok_or_else(|| Difference::Missing(name(key)))?;
            let seen_pieces = pieces(seen);
            let same = seen_pieces.len() == direct_pieces.len()
                && direct_pieces.iter().zip(&other).zip(&seen_pieces).all(|((a, b), c)| a != b || a == c);
            if !same {
                return Err(Difference::Changed { key: name(key), direct: shown(direct), through: shown(seen) });
            }
            if direct_pieces == other { found.exact += 1 } else { found.masked += 1 }
        }
        for (key, line) in &through {
            if !first.contains_key(key) && !unstable_kinds.contains(key.0.as_str()) {
                return Err(Difference::Extra(name(key), shown(line)));
            }
        }
        Ok(found)
    }
}

/// The bytes with every `12:34:56` and `12:34:56.789` taken out.
fn without_clock(stream: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(stream.len());
    let mut rest = stream;
    while let Some((first, after)) = rest.split_first() {
        let time = rest.get(..8).filter(|word| {
            word.iter().enumerate().all(|(at, byte)| if at % 3 == 2 { *byte == b':' } else { byte.is_ascii_digit() })
        });
        if time.is_some() {
            rest = rest.get(8..).unwrap_or_default();
            if let Some(fraction) = rest.strip_prefix(b".") {
                let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
                rest = fraction.get(digits..).unwrap_or_default();
            }
        } else {
            kept.push(*first);
            rest = after;
        }
    }
    kept
}

/// What a line is (an answer to an id, or a method) and how often the like came before it.
type Key = (String, usize);

fn keyed(stream: &[u8]) -> BTreeMap<Key, &[u8]> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for line in stream.split_inclusive(|byte| *byte == b'\n') {
        let kind = kind(line);
        let count = seen.entry(kind.clone()).or_default();
        lines.insert((kind, *count), line);
        *count += 1;
    }
    lines
}

fn kind(line: &[u8]) -> String {
    let Ok(message) = serde_json::from_slice::<Value>(line) else { return "not JSON".to_owned() };
    match message.get("method").and_then(Value::as_str) {
        Some(method) => method.to_owned(),
        None => format!("answer to {}", message.get("id").unwrap_or(&Value::Null)),
    }
}

/// Kinds that came more often in one of two direct conversations: timers.
fn differing_kinds<'a>(first: &'a BTreeMap<Key, &[u8]>, second: &'a BTreeMap<Key, &[u8]>) -> BTreeSet<&'a str> {
    let apart = |key: &&Key| !(first.contains_key(*key) && second.contains_key(*key));
    first.keys().chain(second.keys()).filter(apart).map(|key| key.0.as_str()).collect()
}

/// A line cut before and after each JSON string.
fn pieces(line: &[u8]) -> Vec<&[u8]> {
    let mut cuts = Vec::new();
    let (mut start, mut in_string, mut escaped) = (0, false, false);
    for (index, byte) in line.iter().enumerate() {
        match (in_string, byte) {
            (false, b'"') => {
                cuts.extend(line.get(start..index));
                (start, in_string) = (index, true);
            }
            (true, b'"') if !escaped => {
                cuts.extend(line.get(start..=index));
                (start, in_string) = (index + 1, false);
            }
            _ => {}
        }
        escaped = in_string && *byte == b'\\' && !escaped;
    }
    cuts.extend(line.get(start..));
    cuts
}

fn name(key: &Key) -> String {
    format!("{} (number {})", key.0, key.1 + 1)
}

fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.trim_end().chars().take(2_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &[u8] =
        b"{\"id\":1,\"result\":{\"at\":\"10:01\",\"n\":1}}\n{\"method\":\"tick\"}\n{\"id\":2,\"result\":{}}\n";
    const B: &[u8] = b"{\"id\":1,\"result\":{\"at\":\"10:02\",\"n\":1}}\n{\"id\":2,\"result\":{}}\n";

    #[test]
    fn what_differs_anyway_may_differ() {
        let through = b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":1}}\n{\"id\":2,\"result\":{}}\n";
        let expected = Comparison { exact: 1, masked: 1, unstable: 1 };
        assert_eq!(Comparison::between(A, B, through, &[]), Ok(expected));
    }

    /// Every way in which a gate could change what a client sees must be found.
    #[test]
    fn everything_else_is_a_difference() {
        let changed = [
            &b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":2}}\n{\"id\":2,\"result\":{}}\n"[..],
            b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":1}}\n{\"id\":2,\"result\":{ }}\n",
            b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":1}}\n",
            b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":1}}\n{\"id\":2,\"result\":{}}\n{\"method\":\"new\"}\n",
            b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":1}}\n{\"id\":2,\"result\":{}}\r\n",
            b"{\"id\":1,\"result\":{\"at\":\"10:03\",\"n\":1,\"m\":1}}\n{\"id\":2,\"result\":{}}\n",
        ];
        for through in changed {
            assert!(Comparison::between(A, B, through, &[]).is_err(), "{}", String::from_utf8_lossy(through));
        }
    }

    #[test]
    fn only_times_of_day_are_taken_out() {
        let text = b"at 2026-11-21T02:11:37.123Z, 02:11:37 and 2:11, 10:20";
        assert_eq!(without_clock(text), b"at 2026-11-21TZ,  and 2:11, 10:20");
    }

    #[test]
    fn strings_with_escapes_are_cut_whole() {
        assert_eq!(pieces(br#"{"a\"b":"\\"}"#), [&b"{"[..], br#""a\"b""#, b":", br#""\\""#, b"}"]);
    }
}
