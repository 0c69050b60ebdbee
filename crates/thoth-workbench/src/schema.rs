//! JSON Schemas for policies and their tests, by which editors complete and check while one types.
//!
//! Draft 7, which the language servers of editors know. A schema says which keys there are and what kind of value each
//! takes; whether a policy is valid is for the loader to say.

mod parts;
mod policy;
mod tests_file;

use serde_json::{Value as Json, json};

use parts::Definitions;

/// What a schema is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Policy files.
    Policy,
    /// Files of tests.
    Tests,
}

/// The schema.
#[must_use]
pub fn schema(of: Of) -> Json {
    let mut definitions = Definitions::default();
    let (title, root) = match of {
        Of::Policy => ("Thoth policy", policy::root(&mut definitions)),
        Of::Tests => ("Tests of a Thoth policy", tests_file::root(&mut definitions)),
    };
    let mut schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
    });
    if let (Some(schema), Json::Object(root)) = (schema.as_object_mut(), root) {
        schema.extend(root);
        schema.insert("definitions".to_owned(), definitions.finish());
    }
    schema
}
