//! A scan and the fingerprints as one document, for people who were not there.

use serde_json::{Value, json};
use thoth_scan::definition::Scanner;
use thoth_scan::threat::Severity;

use crate::findings::Outcome;
use crate::fingerprints::{self, ServerPrint};
use crate::markdown::{self, plural, span};

/// The report as JSON. `at` is when it was made.
#[must_use]
pub fn to_json(outcome: &Outcome, prints: &[ServerPrint], scanner: &Scanner, least: Severity, at: &str) -> Value {
    json!({
        "schema_version": 1,
        "generated_at": at,
        "rules": rule_count(scanner),
        "scan": crate::json::outcome(outcome, least),
        "fingerprints": fingerprints::to_json(prints, &outcome.missed),
    })
}

/// The report as Markdown. `at` is when it was made.
#[must_use]
pub fn to_markdown(outcome: &Outcome, prints: &[ServerPrint], scanner: &Scanner, least: Severity, at: &str) -> String {
    let mut text = "# Report on MCP servers\n\n".to_owned();
    text.push_str(&format!("- made: {at}\n"));
    text.push_str(&format!("- by: thoth {}, {}\n", env!("CARGO_PKG_VERSION"), plural(rule_count(scanner), "rule")));
    let whole = if outcome.is_partial() { "**no**: see below what could not be scanned" } else { "yes" };
    text.push_str(&format!("- complete: {whole}\n\n"));
    markdown::servers(outcome, &mut text);
    markdown::findings(outcome, least, &mut text);
    markdown::missed(outcome, &mut text);
    text.push_str("## Fingerprints\n\n");
    text.push_str("SHA-256 over the canonical form (RFC 8785, with exact numbers) of each definition. ");
    text.push_str("A definition that says anything else has another one.\n\n");
    for server in prints {
        text.push_str(&format!("### {}\n\n", span(&server.server)));
        text.push_str(&format!("All together: `{}`\n\n", server.digest));
        if server.items.is_empty() {
            continue;
        }
        text.push_str("| kind | name | fields | digest |\n|---|---|---|---|\n");
        for item in &server.items {
            let fields: Vec<_> = item.print.fields.iter().map(|field| span(&field.field)).collect();
            let name = if item.name.is_empty() { String::new() } else { span(&item.name) };
            text.push_str(&format!("| {} | {name} | {} | `{}` |\n", item.kind, fields.join(", "), item.print.digest));
        }
        text.push('\n');
    }
    text
}

fn rule_count(scanner: &Scanner) -> usize {
    scanner.rules().rules().count() + scanner.rules().detectors().count()
}
