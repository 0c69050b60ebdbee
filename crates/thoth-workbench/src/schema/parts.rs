//! What schemas are made of.

use serde_json::{Map, Value as Json, json};
use thoth_types::HarmClass;

/// The named parts of a schema.
#[derive(Debug, Default)]
pub(super) struct Definitions(Map<String, Json>);

impl Definitions {
    /// A reference to the part called `name`, which is made when it is first used.
    pub(super) fn part(&mut self, name: &str, make: impl FnOnce(&mut Self) -> Json) -> Json {
        if !self.0.contains_key(name) {
            let made = make(self);
            self.0.insert(name.to_owned(), made);
        }
        json!({"$ref": format!("#/definitions/{name}")})
    }

    pub(super) fn finish(self) -> Json {
        Json::Object(self.0)
    }
}

/// A mapping with these keys, and `x-` keys, and no others.
pub(super) fn mapping(what: &str, properties: Vec<(&str, Json)>) -> Json {
    let properties: Map<String, Json> = properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({
        "description": what,
        "type": "object",
        "properties": properties,
        "patternProperties": {"^x-": true},
        "additionalProperties": false,
    })
}

/// The same, where nothing behind the key is an empty mapping.
pub(super) fn section(what: &str, properties: Vec<(&str, Json)>) -> Json {
    let mut all = mapping(what, properties);
    if let Some(all) = all.as_object_mut() {
        all.insert("type".to_owned(), json!(["object", "null"]));
    }
    all
}

/// A schema of one type, of whose contents `key` says what they are.
fn holder(what: &str, kind: &str, key: &str, contents: Json) -> Map<String, Json> {
    let mut all = Map::new();
    all.insert("description".to_owned(), what.into());
    all.insert("type".to_owned(), kind.into());
    all.insert(key.to_owned(), contents);
    all
}

/// A mapping whose keys are the author's.
pub(super) fn named(what: &str, value: Json) -> Json {
    holder(what, "object", "additionalProperties", value).into()
}

/// The same, and not empty.
pub(super) fn some_named(what: &str, value: Json) -> Json {
    let mut all = holder(what, "object", "additionalProperties", value);
    all.insert("minProperties".to_owned(), 1.into());
    all.into()
}

pub(super) fn list(what: &str, items: Json) -> Json {
    holder(what, "array", "items", items).into()
}

/// `schema` with a description of its own.
pub(super) fn described(what: &str, schema: Json) -> Json {
    // In draft 7 whatever stands beside a reference is ignored.
    let mut schema = if schema.get("$ref").is_some() { json!({"allOf": [schema]}) } else { schema };
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), what.into());
    }
    schema
}

/// A text. What YAML sees as a number or a boolean is a text too where a text is wanted.
pub(super) fn text() -> Json {
    json!({"type": ["string", "number", "boolean"]})
}

pub(super) fn boolean() -> Json {
    json!({"type": "boolean"})
}

pub(super) fn whole(least: u64, most: u64) -> Json {
    json!({"type": "integer", "minimum": least, "maximum": most})
}

pub(super) fn words<'w>(words: impl IntoIterator<Item = &'w str>) -> Json {
    json!({"enum": words.into_iter().collect::<Vec<_>>()})
}

/// A class that labels sessions, or a list of such classes.
pub(super) fn labels() -> Json {
    let class = words(HarmClass::labels().map(HarmClass::as_str));
    json!({"anyOf": [class, {"type": "array", "minItems": 1, "items": class}]})
}

/// Words in any letter case.
pub(super) fn any_case<'w>(words: impl IntoIterator<Item = &'w str>) -> Json {
    let words: Vec<&str> = words.into_iter().collect();
    let letters = |word: &str| -> String {
        word.chars()
            .map(|c| match c.is_ascii_alphabetic() {
                true => format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase()),
                false => c.to_string(),
            })
            .collect()
    };
    let pattern: Vec<String> = words.iter().map(|word| letters(word)).collect();
    // The plain words are there for editors, which offer them.
    json!({"anyOf": [{"enum": words}, {"type": "string", "pattern": format!("^({})$", pattern.join("|"))}]})
}

/// One text or a list of them.
pub(super) fn texts(parts: &mut Definitions) -> Json {
    parts.part("texts", |_| json!({"anyOf": [text(), {"type": "array", "minItems": 1, "items": text()}]}))
}

/// A glob or a list of them.
pub(super) fn globs(parts: &mut Definitions) -> Json {
    parts.part("globs", |_| {
        let what = "A glob or a list of them: `*` is any text, `?` one character, `[abc]` one of these; an entry with \
                    `!` excludes";
        described(what, json!({"anyOf": [text(), {"type": "array", "minItems": 1, "items": text()}]}))
    })
}

/// A number and a unit.
pub(super) fn duration() -> Json {
    json!({"type": "string", "pattern": "^[0-9]+[smhd]$", "examples": ["30s", "15m", "1h", "7d"]})
}
