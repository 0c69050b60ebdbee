//! Canonical forms of JSON.
//!
//! [`jcs`] is RFC 8785. It rounds numbers to doubles, so two different calls can have one form: it is for leaves,
//! whose numbers are ours, and for documents that others canonicalise too. [`exact`] is the same except that every
//! number keeps its text: it is what arguments are digested in. [`lossless`] lies between: it is RFC 8785 wherever that
//! loses nothing, so that `1` and `1.0` are one number and 9007199254740992 and 9007199254740993 are two: it is what
//! definitions are fingerprinted in.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io::Write as _;

use super::{Kind, Value, plain_run};

/// Appends the RFC 8785 form of a document.
pub fn jcs(value: Value<'_>, out: &mut Vec<u8>) {
    write(value, out, &number, &[]);
}

/// Appends the form that differs from RFC 8785 only in that numbers keep their exact text. Key order, white space and
/// the way in which characters are escaped make no difference; any difference in a value does.
pub fn exact(value: Value<'_>, out: &mut Vec<u8>) {
    exact_without(value, &[], out);
}

/// Appends the form in which equal numbers are written equally and different ones differently, however long they are:
/// as RFC 8785 says where a double holds the number, else as its digits and a power of ten.
pub fn lossless(value: Value<'_>, out: &mut Vec<u8>) {
    write(value, out, &lossless_number, &[]);
}

/// [`lossless`] without the members at these paths, as for [`exact_without`].
pub fn lossless_without(value: Value<'_>, paths: &[&str], out: &mut Vec<u8>) {
    write(value, out, &lossless_number, paths);
}

/// [`exact`] without the members at these paths of names, joined by dots. A path leads through objects only, and each of
/// its steps is a whole name: a member whose own name has a dot is never left out. What held a member stays.
pub fn exact_without(value: Value<'_>, paths: &[&str], out: &mut Vec<u8>) {
    write(value, out, &|text, out| out.extend_from_slice(text.as_bytes()), paths);
}

/// The depth of the recursion is bounded by the limits under which the document was parsed.
fn write(value: Value<'_>, out: &mut Vec<u8>, number: &dyn Fn(&str, &mut Vec<u8>), without: &[&str]) {
    match value.kind() {
        Kind::Null | Kind::True | Kind::False => out.extend_from_slice(value.raw()),
        Kind::Number => number(value.number_text().unwrap_or_default(), out),
        Kind::String | Kind::Key => text(value, out),
        Kind::Array => {
            out.push(b'[');
            for (at, element) in value.elements().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(element, out, number, &[]);
            }
            out.push(b']');
        }
        Kind::Object => {
            let mut members: Vec<(Cow<'_, str>, Value<'_>)> =
                value.members().map(|(key, member)| (key.as_str().unwrap_or_default(), member)).collect();
            if !without.is_empty() {
                members.retain(|(key, _)| !without.iter().any(|path| path == key && !path.contains('.')));
            }
            members.sort_by(|a, b| utf16_order(&a.0, &b.0));
            out.push(b'{');
            for (at, (key, member)) in members.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                string(out, key);
                out.push(b':');
                let below: Vec<&str> = without.iter().filter_map(|path| below(path, key)).collect();
                write(*member, out, number, &below);
            }
            out.push(b'}');
        }
    }
}

/// What of a path is left after its first step, if that step is `key` and is not the last.
fn below<'p>(path: &'p str, key: &str) -> Option<&'p str> {
    path.split_once('.').and_then(|(step, rest)| (step == key).then_some(rest))
}

fn text(value: Value<'_>, out: &mut Vec<u8>) {
    match value.as_str() {
        // A string without escapes is written as it stands: the parser refuses raw control characters.
        Some(Cow::Borrowed(_)) => out.extend_from_slice(value.raw()),
        Some(Cow::Owned(text)) => string(out, &text),
        None => out.extend_from_slice(b"\"\""),
    }
}

/// Appends a string with its quotes, as RFC 8785, 3.2.2.2 says.
pub fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(plain_run(rest));
        out.extend_from_slice(plain);
        let Some((byte, tail)) = tail.split_first() else { break };
        match short_escape(*byte) {
            Some(escaped) => out.extend_from_slice(escaped),
            // Writing into a vector cannot fail.
            None => drop(write!(out, "\\u{byte:04x}")),
        }
        rest = tail;
    }
    out.push(b'"');
}

/// What a character of a string is written as that stands neither for itself nor as a number.
#[must_use]
pub const fn short_escape(byte: u8) -> Option<&'static [u8]> {
    Some(match byte {
        b'"' => b"\\\"",
        b'\\' => b"\\\\",
        8 => b"\\b",
        9 => b"\\t",
        10 => b"\\n",
        12 => b"\\f",
        13 => b"\\r",
        _ => return None,
    })
}

/// Order by UTF-16 code units (RFC 8785, 3.2.3). It differs from byte order only between characters beyond the basic
/// plane and U+E000..U+FFFF.
#[must_use]
pub fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Writes a number as ECMAScript's `Number::toString` does (RFC 8785, 3.2.2.3). The text must be a JSON number that a
/// double can hold, which the parser has made sure of.
fn number(text: &str, out: &mut Vec<u8>) {
    if text.len() < 16 && !text.starts_with('-') && text.bytes().all(|b| b.is_ascii_digit()) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    double(text.parse().unwrap_or_default(), out);
}

/// A number's value as its sign, its digits without zeros at either end, and the power of ten of the last of them.
/// `None` where that power is beyond counting; only zero and numbers that no double can tell from it are.
fn value_of(text: &str) -> Option<(bool, String, i64)> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits: String = [whole, fraction].concat();
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    digits.truncate(digits.len() - zeros);
    let significant = digits.trim_start_matches('0').to_owned();
    if significant.is_empty() {
        return Some((false, significant, 0));
    }
    let length = |n: usize| i64::try_from(n).ok();
    let shift = length(zeros)?.checked_sub(length(fraction.len())?)?;
    Some((negative, significant, exponent.parse::<i64>().ok()?.checked_add(shift)?))
}

fn lossless_number(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    number(text, out);
    let rounded = out.get(start..).and_then(|written| std::str::from_utf8(written).ok());
    let value = value_of(text);
    if value.is_some() && rounded.map(value_of) == Some(value.clone()) {
        return;
    }
    out.truncate(start);
    match value {
        Some((negative, digits, power)) => {
            let sign = if negative { "-" } else { "" };
            // Writing into a vector cannot fail.
            drop(write!(out, "{sign}{digits}e{power}"));
        }
        None => out.extend_from_slice(text.as_bytes()),
    }
}

/// Appends a finite double.
fn double(value: f64, out: &mut Vec<u8>) {
    if value == 0.0 {
        out.push(b'0');
        return;
    }
    // The digits are the shortest that round-trip, the closest of those, and the even one of two equally close, as
    // ECMAScript asks; the standard library's are not the last. Only the layout differs.
    let mut buffer = zmij::Buffer::new();
    let written = buffer.format_finite(value);
    let (mantissa, exponent) = written.split_once('e').unwrap_or((written, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |m| ("-", m));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut storage = [0_u8; 40];
    let mut count = 0;
    let mut leading = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        if count == 0 && digit == b'0' {
            leading += 1;
        } else if let Some(slot) = storage.get_mut(count) {
            *slot = digit;
            count += 1;
        }
    }
    let digits = storage.get(..count).unwrap_or_default();
    let significant = digits.iter().rposition(|d| *d != b'0').map_or(0, |last| last + 1);
    let digits = digits.get(..significant).unwrap_or_default();
    let length = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    let exponent = exponent + length(whole.len()) - 1 - leading;
    out.extend_from_slice(sign.as_bytes());
    let count = length(digits.len());
    let (head, tail) = digits.split_at_checked(1).unwrap_or_default();
    let digits = digits.iter().copied();
    // Where the decimal point stands, counted from the first digit: ECMAScript's `n`.
    let point = exponent + 1;
    let zeros = |n: i32| std::iter::repeat_n(b'0', usize::try_from(n).unwrap_or_default());
    let before = usize::try_from(point).unwrap_or_default();
    match point {
        _ if count <= point && point <= 21 => out.extend(digits.chain(zeros(point - count))),
        1..=21 => {
            out.extend(digits.clone().take(before));
            out.push(b'.');
            out.extend(digits.skip(before));
        }
        -5..=0 => {
            out.extend_from_slice(b"0.");
            out.extend(zeros(-point).chain(digits));
        }
        _ => {
            out.extend_from_slice(head);
            if !tail.is_empty() {
                out.push(b'.');
                out.extend_from_slice(tail);
            }
            // Writing into a vector cannot fail.
            drop(write!(out, "e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.unsigned_abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, Tape};
    use super::*;
    use proptest::prelude::*;

    fn form(write: impl Fn(Value<'_>, &mut Vec<u8>), text: &str) -> String {
        let mut tape = Tape::new();
        let mut out = Vec::new();
        write(tape.parse(text.as_bytes(), &Limits::default()).unwrap(), &mut out);
        String::from_utf8(out).unwrap()
    }

    /// RFC 8785, Appendix B: the doubles by their bits, and how each is written.
    #[test]
    fn numbers_are_written_as_in_appendix_b() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let mut out = Vec::new();
            double(f64::from_bits(bits), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{bits:#x}");
        }
    }

    /// RFC 8785, 3.2.3 (its sorting example) and 3.2.2 (its serialisation example).
    #[test]
    fn the_examples_of_the_rfc_come_out() {
        let sorting = r#"{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
            "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}"#;
        assert_eq!(
            form(jcs, sorting),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With \
             Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With \
             Dagesh\"}"
        );
        let example = r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        assert_eq!(
            form(jcs, example),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\
             \\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    /// What RFC 8785 merges, the exact form keeps apart; what means the same, it merges.
    #[test]
    fn the_exact_form_keeps_number_texts() {
        let (a, b) = ("[9007199254740992]", "[9007199254740993]");
        assert_eq!(form(jcs, a), form(jcs, b));
        assert_ne!(form(exact, a), form(exact, b));
        assert_eq!(form(exact, r#"{"b": "\u0041", "a": [1.0 ]}"#), r#"{"a":[1.0],"b":"A"}"#);
    }

    /// Equal numbers are one, different ones are two, and where a double can tell, the form is that of the RFC.
    #[test]
    fn the_lossless_form_neither_splits_nor_merges_numbers() {
        for (one, other) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("-0", "0.0e9"),
            ("0.10", "1E-1"),
            ("12345678901234567890", "1234567890123456789e1"),
        ] {
            assert_eq!(form(lossless, one), form(lossless, other), "{one} {other}");
        }
        for (one, other) in [
            ("9007199254740992", "9007199254740993"),
            ("0.1", "0.10000000000000000000000001"),
            ("1e-400", "0"),
            ("1e-400", "1e-401"),
            ("-1", "1"),
            ("1e-99999999999999999999", "1e-99999999999999999998"),
        ] {
            assert_ne!(form(lossless, one), form(lossless, other), "{one} {other}");
        }
        for number in ["1.5", "-3e-7", "1e21", "9007199254740991"] {
            assert_eq!(form(lossless, number), form(jcs, number));
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(|n| (n % (1 << 53)).into()),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Every double is written as the reference implementation does.
        #[test]
        fn doubles_agree_with_the_oracle(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let mut out = Vec::new();
            double(value, &mut out);
            prop_assert_eq!(out, serde_jcs::to_vec(&value).unwrap());
        }

        /// Any document has the form that the reference implementation gives it, and that form is a fixed point.
        #[test]
        fn documents_agree_with_the_oracle(document in json()) {
            let text = serde_json::to_string_pretty(&document).unwrap();
            let ours = form(jcs, &text);
            prop_assert_eq!(&ours, &serde_jcs::to_string(&document).unwrap());
            prop_assert_eq!(&form(jcs, &ours), &ours);
        }
    }
}
