//! Values to compare arguments with.

use crate::decimal;
use crate::diagnostic::DiagnosticCode;
use crate::literal::Literal;
use crate::read::Reader;
use crate::yaml::{At, Content, Node};

/// Unquoted words that YAML 1.1 reads as booleans and YAML 1.2 as texts.
const OLD_BOOLEANS: [&str; 4] = ["yes", "no", "on", "off"];

impl Reader<'_> {
    /// A value with its YAML 1.2 type; what YAML 1.1 would read as another type must be quoted.
    pub(crate) fn literal(&mut self, node: &Node) -> Option<Literal> {
        match &node.content {
            _ if node.is_null() => Some(Literal::Null),
            Content::Scalar { text, plain: false } => Some(Literal::Text((**text).into())),
            Content::Scalar { text, plain: true } => self.plain(text, node.at),
            Content::List(items) => {
                let own: Vec<Literal> = items.iter().filter_map(|item| self.literal(item)).collect();
                (own.len() == items.len()).then(|| Literal::List(own.into()))
            }
            Content::Map(entries) => {
                let own: Vec<_> = entries
                    .iter()
                    .filter_map(|(key, value)| Some(((*key.text).into(), self.literal(value)?)))
                    .collect();
                (own.len() == entries.len()).then(|| Literal::Map(own.into()))
            }
        }
    }

    fn plain(&mut self, text: &str, at: At) -> Option<Literal> {
        match text {
            "true" | "True" | "TRUE" => return Some(Literal::Bool(true)),
            "false" | "False" | "FALSE" => return Some(Literal::Bool(false)),
            _ => {}
        }
        if decimal::is_number(text) {
            return Some(Literal::Number(text.into()));
        }
        let lower = text.to_ascii_lowercase();
        let odd_number = {
            let digits = lower.trim_start_matches(['+', '-', '.']);
            let numeric = digits.starts_with(|c: char| c.is_ascii_digit())
                && (digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'e' | b'+' | b'-'))
                    && digits.bytes().filter(|b| *b == b'.').count() <= 1
                    && digits.bytes().filter(|b| *b == b'-').count() == 0);
            let radix = digits.get(..2).is_some_and(|prefix| matches!(prefix, "0x" | "0o" | "0b"));
            numeric || radix || matches!(digits, "inf" | "nan") && lower.contains('.')
        };
        if odd_number || OLD_BOOLEANS.contains(&lower.as_str()) {
            let message = format!("`{text}` is read differently by different YAML versions");
            self.error_help(
                DiagnosticCode::BadValue,
                at,
                message,
                "quote it if it is a text; write a plain decimal number, true or false if it is not",
            );
            return None;
        }
        Some(Literal::Text(text.into()))
    }
}
