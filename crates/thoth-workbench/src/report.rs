//! Findings and differences for people and for programs.

use serde_json::{Value as Json, json};
use thoth_types::display::harmless;
use thoth_types::{Approval, Place};

use crate::check::Report;
use crate::diff::{Change, Comparison, Decider};
use crate::finding::{Finding, Severity};

mod sarif;

pub use sarif::{errors_sarif, sarif};

/// How a word is to be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// To look at.
    Care,
    /// Wrong.
    Bad,
    /// Matters less.
    Dim,
}

/// Shows a word in its tone.
pub type Paint<'p> = &'p dyn Fn(Tone, &str) -> String;

/// No more findings than this are shown to a person.
const MOST_SHOWN: usize = 100;

/// Nor more than this to a script.
const MOST_WRITTEN: usize = 1_000;

/// The findings, for a person.
#[must_use]
pub fn findings_text(report: &Report, paint: Paint<'_>) -> String {
    let mut out = String::new();
    for finding in report.findings.iter().take(MOST_SHOWN) {
        let tone = if finding.severity == Severity::Warning { Tone::Care } else { Tone::Dim };
        let head = paint(tone, &format!("{}[{}]", finding.severity.as_str(), finding.kind.as_str()));
        out.push_str(&head);
        if let Some(place) = &finding.place {
            out.push_str(&paint(Tone::Dim, &format!(" {}", harmless(&place.to_string()))));
        }
        out.push_str(&format!("\n  {}\n", harmless(&finding.message)));
        if let Some((call, answer)) = &finding.witness {
            out.push_str(&format!(
                "  call  {}  {}\n",
                harmless(&call.shown(report.timed)),
                paint(tone_of(*answer), answer.as_str())
            ));
        }
        if !finding.remedy.is_empty() {
            out.push_str(&format!("  fix   {}\n", harmless(&finding.remedy)));
        }
    }
    if let Some(more) = report.findings.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        out.push_str(&format!("… and {more} more; `--json` has up to 1,000\n"));
    }
    if !report.is_exact() {
        out.push_str(&paint(Tone::Care, "approximated"));
        let were = if report.undecided.len() == 1 { "was" } else { "were" };
        out.push_str(&format!(": {} {were} not decided\n", counted(report.undecided.len(), "question")));
        const MOST: usize = 5;
        for open in report.undecided.iter().take(MOST) {
            out.push_str(&format!("  {}\n", harmless(open)));
        }
    }
    out
}

/// A number, and what there is so many of.
pub(crate) fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

const fn tone_of(answer: Approval) -> Tone {
    match answer {
        Approval::Auto => Tone::Good,
        Approval::Approve => Tone::Care,
        Approval::Block => Tone::Bad,
    }
}

/// The differences, for a person.
#[must_use]
pub fn changes_text(comparison: &Comparison, paint: Paint<'_>) -> String {
    let mut out = String::new();
    for change in comparison.changes.iter().take(MOST_SHOWN) {
        let word = if change.is_looser() { paint(Tone::Bad, "looser  ") } else { paint(Tone::Good, "stricter") };
        let answers = format!("{} -> {}", change.old, change.new);
        out.push_str(&format!("{word}  {answers}\n"));
        out.push_str(&format!("  was   {}\n", decider(&change.old_decider, paint)));
        out.push_str(&format!("  is    {}\n", decider(&change.new_decider, paint)));
        out.push_str(&format!("  call  {}\n", harmless(&change.witness.shown(comparison.timed))));
    }
    if let Some(more) = comparison.changes.len().checked_sub(MOST_SHOWN).filter(|more| *more > 0) {
        out.push_str(&format!("… and {more} more; `--json` has up to 1,000\n"));
    }
    for section in &comparison.other_sections {
        out.push_str(&format!(
            "{}  section `{section}` differs and is not compared by meaning\n",
            paint(Tone::Care, "other")
        ));
    }
    for rule in &comparison.other_demands {
        let rule = harmless(rule);
        out.push_str(&format!("{}  rule `{rule}` asks other people, or of other calls\n", paint(Tone::Care, "other")));
    }
    for (what, before, after) in &comparison.other_risks {
        let what = harmless(what);
        out.push_str(&format!("{}  {what} has risk `{after}`, had `{before}`\n", paint(Tone::Care, "risk ")));
    }
    if comparison.approximated {
        out.push_str(&paint(Tone::Care, "approximated"));
        out.push_str(": not everything was decided, there may be more differences\n");
    }
    if comparison.is_equal() {
        out.push_str(&format!("{}  every call gets the same answer\n", paint(Tone::Good, "equal")));
    }
    out
}

fn decider(decider: &Decider, paint: Paint<'_>) -> String {
    let place = decider.place.as_ref().map(|place| paint(Tone::Dim, &format!(" ({})", harmless(&place.to_string()))));
    format!("{}{}", harmless(&decider.what), place.unwrap_or_default())
}

/// The differences, for a script.
#[must_use]
pub fn changes_json(comparison: &Comparison) -> Json {
    let changes: Vec<Json> = comparison.changes.iter().take(MOST_WRITTEN).map(change_json).collect();
    json!({
        "equal": comparison.is_equal(),
        "looser": comparison.is_looser(),
        "approximated": comparison.approximated,
        "changes": changes,
        "changes_total": comparison.changes.len(),
        "other_sections": comparison.other_sections,
        "other_demands": comparison.other_demands,
        "other_risks": comparison.other_risks.iter().map(|(what, before, after)| {
            json!({"what": what, "old": before.as_str(), "new": after.as_str()})
        }).collect::<Vec<_>>(),
    })
}

fn change_json(change: &Change) -> Json {
    let decider = |decider: &Decider| json!({"what": decider.what, "rule": decider.rule, "span": decider.place.as_ref().map(place_json)});
    json!({
        "direction": if change.is_looser() { "looser" } else { "stricter" },
        "old": change.old.as_str(),
        "new": change.new.as_str(),
        "old_decider": decider(&change.old_decider),
        "new_decider": decider(&change.new_decider),
        "witness": change.witness.to_json(),
    })
}

/// The findings, for a script: the first 1,000.
#[must_use]
pub fn findings_json(report: &Report) -> Vec<Json> {
    report.findings.iter().take(MOST_WRITTEN).map(finding_json).collect()
}

fn finding_json(finding: &Finding) -> Json {
    let related: Vec<Json> = finding
        .related
        .iter()
        .map(|related| json!({"rule": related.rule, "span": place_json(&related.place)}))
        .collect();
    json!({
        "code": finding.kind.as_str(),
        "severity": finding.severity.as_str(),
        "message": finding.message,
        "rule": finding.rule,
        "span": finding.place.as_ref().map(place_json),
        "related": related,
        "witness": finding.witness.as_ref().map(|(call, _)| call.to_json()),
        "answer": finding.witness.as_ref().map(|(_, answer)| answer.as_str()),
        "remedy": finding.remedy,
    })
}

fn place_json(place: &Place) -> Json {
    json!({"file": &*place.file, "line": place.line, "column": place.column})
}
