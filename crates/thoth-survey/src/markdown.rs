//! The outcome of a scan as Markdown. Texts of definitions stand in code spans and blocks that they cannot end.

use thoth_scan::threat::Severity;
use thoth_types::display::{harmless, quoted, unmistakable};

use crate::findings::{Outcome, Reported};

/// The whole, under a heading of level one.
pub fn outcome(outcome: &Outcome, least: Severity) -> String {
    let mut text = "# Scan of MCP servers\n\n".to_owned();
    servers(outcome, &mut text);
    findings(outcome, least, &mut text);
    missed(outcome, &mut text);
    text.truncate(text.trim_end().len());
    text
}

/// What was scanned.
pub fn servers(outcome: &Outcome, text: &mut String) {
    if outcome.scanned.is_empty() {
        text.push_str("Nothing was scanned.\n\n");
        return;
    }
    text.push_str("| server | from | tools | prompts | resources | templates | instructions | findings |\n");
    text.push_str("|---|---|---|---|---|---|---|---|\n");
    for scanned in &outcome.scanned {
        let [tools, prompts, resources, templates] = scanned.counts;
        let own = |finding: &&Reported| finding.server == scanned.server && finding.origin == scanned.origin;
        let own: Vec<_> = outcome.findings.iter().filter(own).collect();
        let count = |severity| own.iter().filter(|finding| finding.severity == severity).count();
        let [info, warning, critical] = Severity::ALL.map(count);
        text.push_str(&format!(
            "| {} | {} | {tools} | {prompts} | {resources} | {templates} | {} | {critical} critical, {warning} warning, \
             {info} info |\n",
            span(&scanned.server),
            span(&scanned.origin.shown()),
            if scanned.has_instructions { "yes" } else { "no" },
        ));
    }
    text.push('\n');
}

/// What was found.
pub fn findings(outcome: &Outcome, least: Severity, text: &mut String) {
    let shown: Vec<&Reported> = outcome.at(least).collect();
    text.push_str("## Findings\n\n");
    if shown.is_empty() {
        text.push_str(&format!("None at severity {least} or above.\n\n"));
        return;
    }
    text.push_str(&format!("{} at severity {least} or above.\n\n", plural(shown.len(), "finding")));
    for (number, finding) in shown.iter().enumerate() {
        let tool = if finding.tool.is_empty() { finding.item.to_owned() } else { span(&finding.tool) };
        text.push_str(&format!("### {}. {}: {} of {}\n\n", number + 1, finding.severity, tool, span(&finding.server)));
        text.push_str(&format!("{}.\n\n", prose(&finding.message)));
        text.push_str(&format!("- threat: `{}`, rule `{}`\n", finding.threat(), finding.rule));
        if !finding.pointer.is_empty() {
            text.push_str(&format!("- place: {}\n", span(&finding.pointer)));
        }
        text.push_str(&format!("- from: {}\n", span(&finding.origin.shown())));
        if !finding.evidence.raw.is_empty() {
            text.push_str(&format!("- evidence: {}\n", span(&quoted(&finding.evidence.raw))));
        }
        if finding.evidence.encoding.is_some() {
            text.push_str(&format!("- reads: {}\n", span(&quoted(&finding.evidence.normalised))));
        }
        text.push_str(&format!("- what to do: {}\n\n", prose(&finding.remedy)));
    }
}

/// What could not be scanned.
pub fn missed(outcome: &Outcome, text: &mut String) {
    if outcome.missed.is_empty() {
        return;
    }
    text.push_str("## Not scanned\n\n");
    for one in &outcome.missed {
        let (server, origin) = (span(&one.server), span(&one.origin.shown()));
        text.push_str(&format!("- {server} ({origin}): {}\n", prose(&one.message)));
    }
    text.push('\n');
}

/// A text from outside as one code span, which nothing in it can end.
pub fn span(text: &str) -> String {
    // A pipe ends a cell of a table even in a code span.
    let text = unmistakable(text).replace('|', "\u{a6}");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    if text.is_empty() {
        "``-``".to_owned()
    } else if longest > 0 || text.starts_with(' ') || text.ends_with(' ') {
        format!("{fence} {text} {fence}")
    } else {
        format!("{fence}{text}{fence}")
    }
}

/// A sentence of ours that may quote texts from outside: nothing in it is markup.
pub fn prose(text: &str) -> String {
    let mut out = String::new();
    for c in harmless(text.trim_end_matches('.')).chars() {
        // Code spans of our own sentences stay; what could begin a link, an image, a tag or a table does not.
        if "\\*_[]<>#|!&~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A number of things.
#[must_use]
pub fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
