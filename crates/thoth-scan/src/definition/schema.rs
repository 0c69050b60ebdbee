//! Abuse of a schema's structure.

use std::collections::HashSet;

use thoth_types::json::Value;

use super::ItemScan;
use super::walk::Path;
use crate::finding::Evidence;
use crate::rules::Detector;

/// Looks at what a schema requires and does not declare.
pub(super) fn scan(scan: &mut ItemScan<'_>, definition: Value<'_>) {
    let root = Path::root();
    let schema_path = root.key("inputSchema");
    let path = schema_path.key("required");
    let Some(schema) = definition.get("inputSchema") else { return };
    let (Some(required), Some(properties)) = (schema.get("required"), schema.get("properties")) else { return };
    // A schema that is put together from others may declare it there.
    if ["allOf", "anyOf", "oneOf", "$ref"].iter().any(|key| schema.get(key).is_some()) {
        return;
    }
    let declared: HashSet<_> = properties.members().filter_map(|(key, _)| key.as_str()).collect();
    let names = required.elements().filter_map(|name| name.as_str());
    for name in names.filter(|name| !declared.contains(name)).take(4) {
        let message = format!("requires `{name}` without declaring it");
        scan.detected(Detector::SchemaUndeclared, None, &path, message, Evidence::plain(&name));
    }
}
