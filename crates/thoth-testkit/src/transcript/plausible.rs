//! Arguments that a tool may accept, made from its input schema.

use serde_json::{Map, Value, json};

/// A value that fits a schema well enough to be understood.
pub(super) fn value(schema: &Value, root: &Value) -> Value {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.trim_start_matches('#');
        return root.pointer(pointer).map_or(Value::Null, |found| value(found, root));
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|choices| choices.first()) {
        return first.clone();
    }
    for choice in ["const", "default"] {
        if let Some(given) = schema.get(choice) {
            return given.clone();
        }
    }
    for union in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema.get(union).and_then(Value::as_array).and_then(|choices| choices.first()) {
            return value(first, root);
        }
    }
    match kind(schema) {
        "string" if schema.get("format").and_then(Value::as_str) == Some("uri") => json!("data:text/plain,hello"),
        "string" if schema.get("format").and_then(Value::as_str) == Some("email") => json!("a@example.org"),
        "string" => json!("1"),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        "array" => json!([schema.get("items").map_or(json!("1"), |items| value(items, root))]),
        _ => object(schema, root),
    }
}

fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => names.first().and_then(Value::as_str).unwrap_or("object"),
        _ => "object",
    }
}

fn object(schema: &Value, root: &Value) -> Value {
    let properties = schema.get("properties").and_then(Value::as_object);
    let pairs = properties.into_iter().flatten().map(|(name, inner)| (name.clone(), value(inner, root)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_filled() {
        let schema = json!({
            "type": "object",
            "$defs": {"city": {"enum": ["Chicago", "New York"]}},
            "properties": {
                "where": {"$ref": "#/$defs/city"},
                "count": {"type": "integer", "minimum": 3},
                "deep": {"type": "array", "items": {"type": "object", "properties": {"on": {"type": "boolean"}}}},
                "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "level": {"type": "string", "default": "info"},
            },
        });
        let expected = json!({"where": "Chicago", "count": 3, "deep": [{"on": true}], "maybe": "1", "level": "info"});
        assert_eq!(value(&schema, &schema), expected);
    }
}
