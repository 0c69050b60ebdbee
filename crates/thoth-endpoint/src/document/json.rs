//! Reading JSON with comments and trailing commas. The only module that knows the JSON parser.
//!
//! The parser is looser than any client in white space and in line breaks inside strings, and it recurses: [`survey`]
//! goes over the text first.

use jsonc_parser::ast::{ObjectProp, Value as Ast};
use jsonc_parser::common::{Range as Bytes, Ranged};
use jsonc_parser::errors::{ParseError, ParseErrorKind as Kind};
use jsonc_parser::{CollectOptions, ParseOptions, ParseStringErrorKind as InString};

use super::{Fault, Form, MAX_DEPTH, Member, Node, Value};

/// What is accepted beyond JSON: comments and trailing commas.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Reads the text from byte `start` on.
pub(super) fn parse(text: &str, start: usize) -> Result<Node, Fault> {
    let body = text.get(start..).unwrap_or_default();
    let surveyed = survey(body);
    if let Err(Stop::TooDeep(at)) = surveyed {
        return Err(Fault::new(start + at, format!("nested deeper than {MAX_DEPTH} levels")));
    }
    let parsed = jsonc_parser::parse_to_ast(body, &CollectOptions::default(), &OPTIONS);
    let fault = match (surveyed, parsed) {
        (Ok(()), Ok(result)) => return Ok(root(text, start, result.value)),
        (Err(Stop::Fault(fault)), Err(error)) if fault.at <= error.range().start => fault,
        (_, Err(error)) => explain(body, &error),
        (Err(Stop::Fault(fault)), _) => fault,
        (Err(Stop::TooDeep(at)), _) => Fault::new(at, "nested too deep"),
    };
    Err(fault.moved(start))
}

fn root(text: &str, start: usize, value: Option<Ast<'_>>) -> Node {
    match value {
        Some(value) => node(value, start),
        None => Node { span: text.len()..text.len(), value: Value::Map(Vec::new()), form: Form::Blank },
    }
}

fn node(value: Ast<'_>, start: usize) -> Node {
    let Bytes { start: from, end: to } = value.range();
    let value = match value {
        Ast::StringLit(text) => Value::Text(text.value.into_owned()),
        Ast::BooleanLit(literal) => Value::Bool(literal.value),
        Ast::NumberLit(_) | Ast::NullKeyword(_) => Value::Other,
        Ast::Array(array) => Value::List(array.elements.into_iter().map(|item| node(item, start)).collect()),
        Ast::Object(object) => Value::Map(object.properties.into_iter().map(|one| member(one, start)).collect()),
    };
    Node { span: start + from..start + to, value, form: Form::Token }
}

fn member(property: ObjectProp<'_>, start: usize) -> Member {
    let Bytes { start: from, end: to } = property.name.range();
    Member { key: property.name.into_string(), key_span: start + from..start + to, node: node(property.value, start) }
}

enum Stop {
    TooDeep(usize),
    Fault(Fault),
}

/// Looks for what the parser would accept or could not bear: depth, control characters in strings, characters that are
/// neither JSON nor its white space.
fn survey(body: &str) -> Result<(), Stop> {
    let bytes = body.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at).map_err(Stop::Fault)?,
            b'/' => match comment_end(bytes, at) {
                Some(end) => at = end,
                None if bytes.get(at + 1) == Some(&b'*') => {
                    return Err(Stop::Fault(Fault::new(at, "this comment is never closed with `*/`")));
                }
                None => at += 1,
            },
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Stop::TooDeep(at));
                }
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                at += 1;
            }
            b'\t' | b'\n' | b'\r' | b' '..=b'~' => at += 1,
            _ => return Err(Stop::Fault(Fault::new(at, format!("unexpected {}", character_at(body, at))))),
        }
    }
    Ok(())
}

/// The byte after the string that begins at `open`.
fn string_end(bytes: &[u8], open: usize) -> Result<usize, Fault> {
    let mut at = open + 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') if bytes.get(at + 1).is_some_and(|next| *next >= b' ') => at += 2,
            None | Some(b'\n' | b'\r') => {
                return Err(Fault::new(open, "this text is not closed with `\"` on its line"));
            }
            Some(b'\t') => return Err(Fault::new(at, "a tab inside a text; write it as `\\t`")),
            Some(byte) if *byte < b' ' => {
                return Err(Fault::new(at, format!("a control character inside a text; write it as `\\u{byte:04x}`")));
            }
            Some(_) => at += 1,
        }
    }
}

/// The byte after the comment that begins at `slash`; `None` where none does, or where it is never closed.
pub(super) fn comment_end(bytes: &[u8], slash: usize) -> Option<usize> {
    let rest = bytes.get(slash + 2..)?;
    match bytes.get(slash..slash + 2)? {
        b"//" => Some(slash + 2 + rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len())),
        b"/*" => rest.windows(2).position(|pair| pair == b"*/").map(|length| slash + 4 + length),
        _ => None,
    }
}

fn character_at(body: &str, at: usize) -> String {
    match body.get(at..).and_then(|rest| rest.chars().next()) {
        None => "end of the file".to_owned(),
        Some(character) if character.is_control() || character.is_whitespace() || character == '\u{feff}' => {
            format!("character U+{:04X}", u32::from(character))
        }
        Some(character) => format!("`{character}`"),
    }
}

const WORD: &str = "expected a value: a text in double quotes, a number, true, false or null";

/// The parser's error in the words of somebody who edits the file.
fn explain(body: &str, error: &ParseError) -> Fault {
    let Bytes { start: at, .. } = error.range();
    let here = || character_at(body, at);
    let message = match error.kind() {
        Kind::ExpectedComma => return expected_comma(body, at),
        Kind::UnexpectedTokenInObject | Kind::UnexpectedColon | Kind::UnexpectedWord
            if expects_comma(body, at).is_some() =>
        {
            return expected_comma(body, expects_comma(body, at).unwrap_or(at));
        }
        Kind::ExpectedColonAfterObjectKey => format!("expected `:` after a name, found {}", here()),
        Kind::ExpectedObjectValue => "expected a value after `:`, found end of the file".to_owned(),
        Kind::ExpectedStringObjectProperty | Kind::UnexpectedTokenInObject => expected_name(&here()),
        Kind::UnexpectedToken if wants_name(body, at) => expected_name(&here()),
        Kind::SingleQuotedStringsNotAllowed => "texts stand between double quotes, not single quotes".to_owned(),
        Kind::UnterminatedObject => "this `{` is never closed".to_owned(),
        Kind::UnterminatedArray => "this `[` is never closed".to_owned(),
        Kind::UnterminatedCommentBlock => "this comment is never closed with `*/`".to_owned(),
        Kind::MultipleRootJsonValues => format!("expected the end of the file, found {}", here()),
        Kind::NestingDepthExceeded => format!("nested deeper than {MAX_DEPTH} levels"),
        Kind::UnexpectedWord => WORD.to_owned(),
        Kind::UnexpectedToken if body.as_bytes().get(at).is_some_and(u8::is_ascii_alphabetic) => WORD.to_owned(),
        Kind::UnexpectedCloseBrace
        | Kind::UnexpectedCloseBracket
        | Kind::UnexpectedColon
        | Kind::UnexpectedComma
        | Kind::UnexpectedToken => format!("expected a value, found {}", here()),
        Kind::String(inside) => string_fault(inside).to_owned(),
        Kind::BareDecimalPointNumbersNotAllowed => "a number needs digits on both sides of its point".to_owned(),
        Kind::HexadecimalNumbersNotAllowed => "numbers are decimal in JSON".to_owned(),
        Kind::UnaryPlusNumbersNotAllowed => "a number begins with a digit or `-`".to_owned(),
        Kind::NonFiniteNumbersNotAllowed => "JSON has no infinity".to_owned(),
        Kind::ExpectedDigit
        | Kind::ExpectedDigitFollowingNegativeSign
        | Kind::ExpectedPlusMinusOrDigitInNumberLiteral => format!("expected a digit, found {}", here()),
        Kind::CommentsNotAllowed | Kind::TrailingCommasNotAllowed => error.kind().to_string().to_lowercase(),
    };
    Fault::new(at, message)
}

const fn string_fault(inside: &InString) -> &'static str {
    match inside {
        InString::UnterminatedStringLiteral => "this text is not closed with `\"`",
        InString::ExpectedFourHexDigits => "expected four hexadecimal digits after `\\u`",
        InString::InvalidUnicodeEscapeSequence(_) => "this `\\u` is half of a character; write both halves",
        InString::InvalidEscape
        | InString::InvalidEscapeInSingleQuoteString
        | InString::InvalidEscapeInDoubleQuoteString
        | InString::ExpectedTwoHexDigits => "JSON has no such escape; write a backslash as `\\\\`",
    }
}

/// Where a comma is missing before `at`: the end of what stands before it, if that ends a value.
fn expects_comma(body: &str, at: usize) -> Option<usize> {
    let before = body.get(..at)?.trim_end_matches([' ', '\t', '\n', '\r']);
    before
        .ends_with(|last: char| matches!(last, '"' | '}' | ']') || last.is_ascii_alphanumeric())
        .then_some(before.len())
}

fn expected_name(found: &str) -> String {
    format!("expected a name in double quotes or `}}`, found {found}")
}

/// Whether a member's name should stand at a byte.
fn wants_name(body: &str, at: usize) -> bool {
    let before = body.get(..at).unwrap_or_default().trim_end_matches([' ', '\t', '\n', '\r']);
    before.ends_with('{') || before.ends_with(',') && innermost_open(body, at) == Some(b'{')
}

fn expected_comma(body: &str, at: usize) -> Fault {
    let close = match innermost_open(body, at) {
        Some(b'{') => "a comma or `}`",
        Some(b'[') => "a comma or `]`",
        _ => "the end of the file",
    };
    Fault::new(at, format!("expected {close}"))
}

/// The bracket that is open at a byte.
fn innermost_open(body: &str, end: usize) -> Option<u8> {
    let bytes = body.as_bytes();
    let mut open = Vec::new();
    let mut at = 0;
    while at < end {
        match bytes.get(at)? {
            b'"' => at = string_end(bytes, at).ok()?,
            b'/' => at = comment_end(bytes, at)?,
            bracket @ (b'{' | b'[') => {
                open.push(*bracket);
                at += 1;
            }
            b'}' | b']' => {
                open.pop();
                at += 1;
            }
            _ => at += 1,
        }
    }
    open.pop()
}

#[cfg(test)]
mod tests;
