//! Numbers that are personal data and numbers that only look like it.

use super::super::argument_role::Role;
use super::super::detection::Direction;
use super::*;

fn kinds(key: &str, text: &str, kind: LeafKind) -> Vec<(&'static str, String)> {
    let leaf = Leaf::new(text, key, kind, Role::Prose, Direction::Results);
    let settings = InspectSettings { email: true, phone: true, ..InspectSettings::default() };
    let mut hits = Vec::new();
    find(&leaf, &settings, &mut Effort::of(leaf.text.len()), &mut hits);
    hits.retain(|hit| hit.confidence >= Confidence::Medium);
    hits.iter()
        .map(|hit| (hit.kind.trim_start_matches("personal_data."), text.get(hit.range.clone()).unwrap().to_owned()))
        .collect()
}

#[test]
fn valid_numbers_are_found() {
    for (key, text, expected) in [
        ("", "card 4111 1111 1111 1111 exp 12/30", vec![("payment_card", "4111 1111 1111 1111")]),
        ("", "5555-5555-5555-4444", vec![("payment_card", "5555-5555-5555-4444")]),
        ("", "amex 378282246310005", vec![("payment_card", "378282246310005")]),
        ("cardNumber", "6011111111111117", vec![("payment_card", "6011111111111117")]),
        ("", "4111 1111 1111 1111 12/27", vec![("payment_card", "4111 1111 1111 1111")]),
        ("", "4111111111111111 123", vec![("payment_card", "4111111111111111")]),
        ("", "4111 1111 1111 1111 123 12", vec![("payment_card", "4111 1111 1111 1111")]),
        ("", "12 3782 822463 10005 1", vec![("payment_card", "3782 822463 10005")]),
        (
            "",
            "4111 1111 1111 1111 5555 5555 5555 4444",
            vec![("payment_card", "4111 1111 1111 1111"), ("payment_card", "5555 5555 5555 4444")],
        ),
        ("", "card #4111111111111111, ok", vec![("payment_card", "4111111111111111")]),
        ("", "SSN #123-45-6789", vec![("us_ssn", "123-45-6789")]),
        ("", "SSN 123-45-6789 03/14/1980", vec![("us_ssn", "123-45-6789")]),
        ("", "123-45-6789 234-56-7890", vec![("us_ssn", "123-45-6789"), ("us_ssn", "234-56-7890")]),
        ("", "SSN 123 45 6789 1", vec![("us_ssn", "123 45 6789")]),
        ("", &format!("4111 1111 1111 1111 12{}", " 12".repeat(900)), vec![("payment_card", "4111 1111 1111 1111")]),
        ("", &format!("1{} 123 4111 1111 1111 1111", " 12".repeat(900)), vec![("payment_card", "4111 1111 1111 1111")]),
        ("", &format!("1{0} 4111 1111 1111 1111{0}", " 12".repeat(900)), vec![("payment_card", "4111 1111 1111 1111")]),
        ("", &format!("1{0} 123-45-6789{0}", " 12".repeat(900)), vec![("us_ssn", "123-45-6789")]),
        ("", "IBAN DE89 3704 0044 0532 0130 00.", vec![("iban", "DE89 3704 0044 0532 0130 00")]),
        ("", "GB29NWBK60161331926819", vec![("iban", "GB29NWBK60161331926819")]),
        ("", "SSN: 123-45-6789", vec![("us_ssn", "123-45-6789")]),
        ("ssn", "123456789", vec![("us_ssn", "123456789")]),
        ("", "CPF 529.982.247-25", vec![("br_cpf", "529.982.247-25")]),
        ("", "身份证 11010519491231002X", vec![("cn_resident_id", "11010519491231002X")]),
        ("dni", "12345678Z", vec![("es_dni", "12345678Z")]),
        ("", "write to jane.doe+x@mail.example.org.", vec![("email", "jane.doe+x@mail.example.org")]),
        ("", "call +44 20 7946 0958", vec![("phone", "+44 20 7946 0958")]),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|(kind, text)| (kind, text.to_owned())).collect();
        assert_eq!(kinds(key, text, LeafKind::Text), expected, "{key} {text}");
    }
    assert_eq!(kinds("card_number", "4111111111111111", LeafKind::Number).len(), 1);
}

#[test]
fn other_numbers_are_left_alone() {
    for (key, text) in [
        ("", "4111 1111 1111 1112"),
        ("", "1234567890123456"),
        ("", "order #4111111111111111"),
        ("", "ticket #123-45-6789"),
        ("", "1999 2000 4111 1111 1111 1111 2001 2002 2003"),
        ("", "4111 1111 1111 1111 4111 1111 1111"),
        ("order_id", "4111111111111111"),
        ("", "timestamp=1735689600000000"),
        ("", "0.4111111111111111"),
        ("", "4111-1111-11111-111"),
        ("", "9f4111111111111111ab"),
        ("", "DE89370400440532013001"),
        ("", "000-12-3456 and 666-12-3456 and 900-12-3456 and 123-00-4567"),
        ("", "2026-01-02 12:30:45.123456789"),
        ("", "192.168.100.200 and 10.0.0.1"),
        ("", "7f1c2a9e-0b1d-4c2e-9a55-1d2c3b4a5f60"),
        ("", "let table = [4503599627370458, 4503599627370495];"),
        ("", "@decorator and user@localhost and a@b"),
    ] {
        assert_eq!(kinds(key, text, LeafKind::Text), [], "{key} {text}");
    }
    assert_eq!(kinds("id", "4111111111111111", LeafKind::Number), []);
}
