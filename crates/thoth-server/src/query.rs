//! Reading a query: every member that came is one that the route knows, once, and of its kind.
//!
//! It refuses what it does not know, because a filter that is passed over answers another question than the one asked. It names
//! members, and repeats no value.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer as _, MapAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::fault::Fault;
use crate::near::nearest;

/// The longest name of a member that is repeated in a message.
const MAX_NAME: usize = 64;

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// Nobody knows this member.
    #[error("{} is no member of this query{}", named(.name), meant(*.near, .known))]
    Unknown {
        /// What stood there.
        name: String,
        /// What was probably meant.
        near: Option<&'static str>,
        /// Everything that the route takes.
        known: &'static [&'static str],
    },
    /// It came twice.
    #[error("`{0}` is given twice, or under two of its names")]
    Twice(String),
    /// Its value is not what it should be.
    #[error("`{name}` wants {expected}")]
    Wrong {
        /// Which member.
        name: String,
        /// What it takes.
        expected: String,
    },
}

fn named(name: &str) -> String {
    let plain = name.len() <= MAX_NAME && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if plain && !name.is_empty() { format!("`{name}`") } else { "what is not a name".to_owned() }
}

fn meant(near: Option<&str>, known: &[&str]) -> String {
    // Other spellings are read, and clutter a list.
    let own: Vec<&str> =
        known.iter().copied().filter(|name| !name.contains(|c: char| c.is_ascii_uppercase())).collect();
    match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None if own.is_empty() => ": it takes none".to_owned(),
        None => format!(", which takes {}", own.join(", ")),
    }
}

/// How a value is wrong, before it is known of which member it is.
#[derive(Debug)]
enum Broken {
    Query(QueryError),
    Twice(&'static str),
    Value(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query that cannot be read")
    }
}

impl std::error::Error for Broken {}

impl serde::de::Error for Broken {
    fn custom<T: fmt::Display>(message: T) -> Self {
        // These are our own words about words. Any other message may repeat what came.
        let message = message.to_string();
        let expected = message.strip_prefix("expected ").unwrap_or("another value");
        Self::Value(expected.to_owned())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::Value(expected.to_string())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Twice(field)
    }
}

/// Reads the members of a query.
///
/// # Errors
/// If one is not known, came twice, or is not of its kind.
pub(crate) fn read<T: DeserializeOwned>(members: Vec<(String, String)>) -> Result<T, QueryError> {
    let asked = RefCell::new(String::new());
    let read = T::deserialize(Members { left: members.into_iter(), asked: &asked });
    read.map_err(|broken| match broken {
        Broken::Query(error) => error,
        Broken::Twice(field) => QueryError::Twice(field.to_owned()),
        Broken::Value(expected) => QueryError::Wrong { name: asked.take(), expected },
    })
}

/// How many are asked for: as many as are usual where nothing is said, and never silently others than were said.
pub(crate) fn limit(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Fault> {
    match asked.unwrap_or(usual) {
        limit if limit == 0 || limit > most => Err(Fault::bad(format!("`limit` (or `per_page`) is 1 to {most}"))),
        limit => Ok(limit),
    }
}

/// The members of a query, and which of them is read.
struct Members<'a> {
    left: std::vec::IntoIter<(String, String)>,
    asked: &'a RefCell<String>,
}

impl<'de> Deserializer<'de> for Members<'_> {
    type Error = Broken;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        visitor.visit_map(Access { members: self, known: &[], value: Cell::new(None) })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Broken> {
        visitor.visit_map(Access { members: self, known, value: Cell::new(None) })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct seq
        tuple tuple_struct map enum identifier ignored_any
    }
}

struct Access<'a> {
    members: Members<'a>,
    known: &'static [&'static str],
    value: Cell<Option<String>>,
}

impl<'de> MapAccess<'de> for Access<'_> {
    type Error = Broken;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Broken> {
        let Some((name, value)) = self.members.left.next() else { return Ok(None) };
        if !self.known.contains(&&*name) {
            let near = nearest(&name, self.known.iter().copied());
            return Err(Broken::Query(QueryError::Unknown { name, near, known: self.known }));
        }
        self.members.asked.replace(name.clone());
        self.value.set(Some(value));
        let name: StringDeserializer<Broken> = name.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Broken> {
        seed.deserialize(Value(self.value.take().unwrap_or_default()))
    }
}

/// What stands behind a member.
struct Value(String);

/// A number in digits.
fn number<T: std::str::FromStr + fmt::Display + Copy>(text: &str, most: T) -> Result<T, Broken> {
    text.trim().parse().map_err(|_| Broken::Value(format!("a whole number from 0 to {most}")))
}

impl<'de> Deserializer<'de> for Value {
    type Error = Broken;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        visitor.visit_some(self)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        visitor.visit_u32(number(&self.0, u32::MAX)?)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        visitor.visit_u64(number(&self.0, u64::MAX)?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Broken> {
        let word = self.0.parse().map_err(|_| Broken::custom("expected one of true, false"))?;
        visitor.visit_bool(word)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple tuple_struct map
        struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use thoth_api::contract::{approval, decision, event, evidence};

    fn wrong<T: DeserializeOwned + fmt::Debug>(members: &[(&str, &str)]) -> String {
        let members = members.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read::<T>(members.collect()).unwrap_err().to_string()
    }

    /// Defends: whoever mistypes a filter hears which member it is and what it takes, and nothing that stood in a value.
    #[test]
    fn a_query_is_refused_by_its_member() {
        assert_eq!(
            wrong::<decision::Query>(&[("reason_cod", "x")]),
            "`reason_cod` is no member of this query; did you mean `reason_code`?"
        );
        assert_eq!(
            wrong::<evidence::ChainQuery>(&[("foobarbaz", "x")]),
            "`foobarbaz` is no member of this query, which takes from_sequence, limit, per_page"
        );
        assert_eq!(
            wrong::<decision::Query>(&[("limit", "1"), ("per_page", "1")]),
            "`limit` is given twice, or under two of its names"
        );
        assert_eq!(wrong::<event::Query>(&[("limit", "s3cret")]), "`limit` wants a whole number from 0 to 4294967295");
        assert_eq!(
            wrong::<approval::Query>(&[("status", "s3cret")]),
            "`status` wants one of pending, approved, denied, expired, spent"
        );
        let odd = wrong::<event::Query>(&[("<b>\u{1b}", "x")]);
        assert!(odd.starts_with("what is not a name is no member of this query, which takes agent_id"), "{odd}");
    }
}
