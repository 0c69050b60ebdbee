//! Values written in a policy, compared with values of a call.

use std::cmp::Ordering;

use thoth_types::json::{Kind, Value};

use crate::decimal;
use crate::truth::Truth;

/// A value to compare with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number of the JSON grammar.
    Number(Box<str>),
    /// A text.
    Text(Box<str>),
    /// A list of values.
    List(Box<[Self]>),
    /// A mapping.
    Map(Box<[(Box<str>, Self)]>),
}

impl Literal {
    /// Whether the value equals it. Values of different kinds cannot be compared: a server may read `"5"` as 5.
    pub(crate) fn equals(&self, value: Value<'_>) -> Truth {
        match (self, value.kind()) {
            (Self::Null, kind) => (kind == Kind::Null).into(),
            (Self::Bool(own), Kind::True | Kind::False) => (value.as_bool() == Some(*own)).into(),
            (Self::Number(own), Kind::Number) => match value.number_text() {
                Some(text) => (decimal::compare(text, own) == Ordering::Equal).into(),
                None => Truth::Error,
            },
            (Self::Text(own), Kind::String) => value.is_str(own).into(),
            (Self::List(own), Kind::Array) => {
                if value.elements().count() != own.len() {
                    return Truth::False;
                }
                own.iter().zip(value.elements()).fold(Truth::True, |all, (own, value)| all.and(own.equals(value)))
            }
            (Self::Map(own), Kind::Object) => {
                if value.members().count() != own.len() {
                    return Truth::False;
                }
                own.iter().fold(Truth::True, |all, (key, own)| {
                    all.and(value.get(key).map_or(Truth::False, |value| own.equals(value)))
                })
            }
            _ => Truth::Error,
        }
    }

    /// How the value stands to it: numbers by value, texts by code point; anything else cannot be ordered.
    pub(crate) fn order(&self, value: Value<'_>) -> Option<Ordering> {
        match self {
            Self::Number(own) => value.number_text().map(|text| decimal::compare(text, own)),
            Self::Text(own) => value.as_str().filter(|_| value.kind() == Kind::String).map(|text| (*text).cmp(own)),
            _ => None,
        }
    }

    /// Whether the value contains it: a text a text, a list an element, an object a key.
    pub(crate) fn contained_in(&self, value: Value<'_>) -> Truth {
        match (self, value.kind()) {
            (Self::Text(own), Kind::String) => value.as_str().map_or(Truth::Error, |text| text.contains(&**own).into()),
            (Self::Text(own), Kind::Object) => value.get(own).is_some().into(),
            (_, Kind::Array) => value.elements().fold(Truth::False, |any, element| any.or(self.equals(element))),
            _ => Truth::Error,
        }
    }

    /// It as JSON text, for traces.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(own) => own.to_string(),
            Self::Number(own) => own.to_string(),
            Self::Text(own) => serde_json::Value::from(&**own).to_string(),
            Self::List(own) => format!("[{}]", own.iter().map(Self::show).collect::<Vec<_>>().join(", ")),
            Self::Map(own) => {
                let parts: Vec<_> =
                    own.iter().map(|(k, v)| format!("{}: {}", serde_json::Value::from(&**k), v.show())).collect();
                format!("{{{}}}", parts.join(", "))
            }
        }
    }
}

/// Whether the value equals any of them.
pub(crate) fn any_equals(literals: &[Literal], value: Value<'_>) -> Truth {
    let mut comparable = false;
    for literal in literals {
        match literal.equals(value) {
            Truth::True => return Truth::True,
            Truth::False if *literal != Literal::Null => comparable = true,
            Truth::False | Truth::Error => {}
        }
    }
    if comparable { Truth::False } else { Truth::Error }
}
