//! The outcome of a scan for people: nothing of a definition can pass for our words, or talk to the terminal.

use clap::builder::styling::Style;
use thoth_scan::threat::Severity;
use thoth_survey::findings::{Outcome, Reported};
use thoth_survey::markdown::plural;
use thoth_types::display::{name, quoted};

use thoth_shell::cells::{broken, cell, columns, cut};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, harmless_text, styled};

/// The widest cell of a name.
const WIDEST: usize = 32;
/// What stands before what belongs to the line above.
const INDENT: &str = "    ";
/// How wide texts are where nothing limits the line.
const WIDTH: usize = 120;
/// How wide they are at least.
const LEAST: usize = 40;
/// How many lines of evidence are shown of one finding; `--json` has all that is kept.
const EVIDENCE_LINES: usize = 3;

const CELLS: usize = 5;

/// The lines, without those of findings below `least`.
pub(crate) fn lines(outcome: &Outcome, least: Severity, width: Option<usize>) -> Vec<String> {
    let mut lines = Vec::new();
    let shown: Vec<&Reported> = outcome.at(least).collect();
    if !shown.is_empty() {
        table(&shown, width.unwrap_or(WIDTH).max(LEAST), &mut lines);
        lines.push(String::new());
    }
    lines.push(summary(outcome, least));
    let missed: Vec<_> = outcome.missed.iter().collect();
    if !missed.is_empty() {
        lines.push(String::new());
        lines.push(styled(CARE, "Not scanned:"));
    }
    for (at, one) in missed.iter().enumerate() {
        lines.push(format!("  {}", one.shown()));
        // One hint for several in a row stands under the last of them.
        if let Some(hint) = &one.hint
            && missed.get(at + 1).is_none_or(|next| next.hint != one.hint)
        {
            lines.push(format!("{INDENT}{}", styled(DIM, harmless_text(hint))));
        }
    }
    lines
}

fn table(findings: &[&Reported], width: usize, lines: &mut Vec<String>) {
    let heading = ["SEVERITY", "SERVER", "TOOL", "THREAT", "RULE"].map(str::to_owned);
    let rows: Vec<[String; CELLS]> = findings.iter().map(|finding| cells(finding)).collect();
    let mut widths = [0; CELLS];
    for row in std::iter::once(&heading).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(columns(cell));
        }
    }
    let written = |row: &[String; CELLS], first: Style, rest: Style| {
        let mut text = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Padded outside of the colour, so that the columns stay aligned.
            text.push_str(&styled(if at == 0 { first } else { rest }, cell));
            text.push_str(&" ".repeat(width - columns(cell) + 2));
        }
        text.trim_end().to_owned()
    };
    lines.push(written(&heading, DIM, DIM));
    for (finding, row) in findings.iter().zip(&rows) {
        lines.push(written(row, style(finding.severity), Style::new()));
        let room = width.saturating_sub(INDENT.len());
        for line in broken(&thoth_types::display::unmistakable(&finding.message), room) {
            lines.push(format!("{INDENT}{line}"));
        }
        evidence(finding, room, lines);
    }
}

/// Where it stands and what stands there.
fn evidence(finding: &Reported, room: usize, lines: &mut Vec<String>) {
    let place = if finding.pointer.is_empty() { String::new() } else { format!("{}: ", name(&finding.pointer)) };
    let raw = if finding.evidence.raw.is_empty() { String::new() } else { quoted(&finding.evidence.raw) };
    let text = if raw.is_empty() { place.trim_end_matches(": ").to_owned() } else { format!("{place}{raw}") };
    if !text.is_empty() {
        for line in broken(&text, room).into_iter().take(EVIDENCE_LINES) {
            lines.push(format!("{INDENT}{}", styled(DIM, line)));
        }
    }
    if finding.evidence.encoding.is_some() && finding.evidence.normalised != finding.evidence.raw {
        let read = format!("reads: {}", quoted(&finding.evidence.normalised));
        for line in broken(&read, room).into_iter().take(EVIDENCE_LINES) {
            lines.push(format!("{INDENT}{}", styled(DIM, line)));
        }
    }
}

fn cells(finding: &Reported) -> [String; CELLS] {
    let tool = match (finding.item, &*finding.tool) {
        ("tool", tool) => cell(tool, WIDEST),
        (item, "") => format!("({item})"),
        (item, tool) => format!("{} ({item})", cell(tool, WIDEST)),
    };
    [
        finding.severity.to_string(),
        cell(&finding.server, WIDEST),
        if tool.is_empty() { "-".to_owned() } else { tool },
        finding.threat().to_owned(),
        cut(&finding.rule, WIDEST),
    ]
}

/// One line about the whole.
fn summary(outcome: &Outcome, least: Severity) -> String {
    let mut counts = [0; 4];
    for scanned in &outcome.scanned {
        for (count, more) in counts.iter_mut().zip(scanned.counts) {
            *count += more;
        }
    }
    let [tools, prompts, resources, templates] = counts;
    let mut looked = vec![plural(outcome.scanned.len(), "server"), plural(tools, "tool")];
    let rest = [(prompts, "prompt"), (resources, "resource"), (templates, "resource template")];
    looked.extend(rest.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| plural(count, what)));
    let count = |severity| outcome.findings.iter().filter(|finding| finding.severity == severity).count();
    let [info, warning, critical] = Severity::ALL.map(count);
    let mut found = Vec::new();
    let worded = [(critical, "critical", BAD), (warning, "warning", CARE), (info, "info", DIM)];
    for (number, word, style) in worded.into_iter().filter(|(number, ..)| *number > 0) {
        found.push(styled(style, format_args!("{number} {word}")));
    }
    if outcome.scanned.is_empty() && found.is_empty() {
        return "nothing was scanned".to_owned();
    }
    let found = if found.is_empty() { styled(GOOD, "nothing found") } else { found.join(", ") };
    let hidden = outcome.findings.iter().filter(|finding| finding.severity < least).count();
    let hint = if hidden > 0 { " (`--severity info` shows all)" } else { "" };
    format!("{}: {found}{hint}", looked.join(", "))
}

/// How bad, in colour.
pub(crate) const fn style(severity: Severity) -> Style {
    match severity {
        Severity::Critical => BAD,
        Severity::Warning => CARE,
        Severity::Info => DIM,
    }
}
