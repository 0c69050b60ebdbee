//! What was found in each labelled row, and how that counts.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::Value;

/// Surfaces on which a scanner is expected to find something, in the order in which they are shown.
pub(super) const EXPECTED: [&str; 3] = ["metadata", "structural", "rug_pull"];

/// How rules are called that compare two versions of a definition. Nothing in them was learned from any source.
const COMPARED: &str = "drift.";

/// How bad findings are, from the mildest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Severity {
    Info,
    Warning,
    Critical,
}

/// One labelled definition and what was found in it.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) source: String,
    pub(super) category: String,
    pub(super) surface: String,
    pub(super) malicious: bool,
    /// Rules and how bad each finding of theirs is.
    pub(super) findings: Vec<(String, Severity)>,
}

/// All rows, and how long it took to scan them.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) list: Vec<Row>,
    pub(super) milliseconds: f64,
}

/// Rows, and those in which something was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) rows: u32,
    pub(super) warning: u32,
    pub(super) critical: u32,
}

impl Count {
    pub(super) fn add(&mut self, worst: Option<Severity>) {
        self.rows += 1;
        self.warning += u32::from(worst >= Some(Severity::Warning));
        self.critical += u32::from(worst >= Some(Severity::Critical));
    }
}

impl Row {
    /// The worst finding, of those rules that are let count.
    pub(super) fn worst(&self, counts: impl Fn(&str) -> bool) -> Option<Severity> {
        self.findings.iter().filter(|(rule, _)| counts(rule)).map(|(_, severity)| *severity).max()
    }

    fn is_expected(&self) -> bool {
        self.malicious && EXPECTED.contains(&self.surface.as_str())
    }
}

impl Rows {
    /// Reads what `eval --rows` printed: one object a row, and a last one with the time.
    pub(super) fn read(text: &str) -> Result<Self> {
        let mut rows = Self { list: Vec::new(), milliseconds: 0.0 };
        for line in text.lines() {
            let value: Value = serde_json::from_str(line).context("cannot read what `eval --rows` printed")?;
            if let Some(time) = value.get("milliseconds").and_then(Value::as_f64) {
                rows.milliseconds = time;
                continue;
            }
            let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let findings = value.get("findings").and_then(Value::as_array).into_iter().flatten();
            rows.list.push(Row {
                source: text("source"),
                category: text("category"),
                surface: text("surface"),
                malicious: value.get("malicious").and_then(Value::as_bool).unwrap_or_default(),
                findings: findings.filter_map(finding).collect(),
            });
        }
        Ok(rows)
    }

    /// Counts rows by a name that each has; `None` leaves a row out.
    pub(super) fn count(&self, name: impl Fn(&Row) -> Option<String>) -> BTreeMap<String, Count> {
        let mut counts: BTreeMap<String, Count> = BTreeMap::new();
        for row in &self.list {
            if let Some(name) = name(row) {
                counts.entry(name).or_default().add(row.worst(|_| true));
            }
        }
        counts
    }

    /// For each source and surface, what is found with all rules, and what is found with those rules alone for which
    /// another source is evidence: as if the source had never been seen.
    pub(super) fn left_out(&self) -> BTreeMap<(String, String), (Count, Count)> {
        let mut support: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for row in self.list.iter().filter(|row| row.is_expected()) {
            for (rule, severity) in &row.findings {
                if *severity >= Severity::Warning {
                    support.entry(rule).or_default().insert(&row.source);
                }
            }
        }
        let mut counts: BTreeMap<(String, String), (Count, Count)> = BTreeMap::new();
        for row in self.list.iter().filter(|row| row.is_expected()) {
            let is_known = |rule: &str| {
                let is_supported = |sources: &BTreeSet<&str>| sources.iter().any(|one| *one != row.source);
                rule.starts_with(COMPARED) || support.get(rule).is_some_and(is_supported)
            };
            let (all, rest) = counts.entry((row.surface.clone(), row.source.clone())).or_default();
            all.add(row.worst(|_| true));
            rest.add(row.worst(is_known));
        }
        counts
    }
}

fn finding(value: &Value) -> Option<(String, Severity)> {
    let severity = match value.get(1)?.as_str()? {
        "critical" => Severity::Critical,
        "warning" => Severity::Warning,
        _ => Severity::Info,
    };
    Some((value.get(0)?.as_str()?.to_owned(), severity))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"
{"id":"1","source":"a","category":"x","surface":"metadata","malicious":true,"findings":[["r","warning"],["s","info"]]}
{"id":"2","source":"a","category":"x","surface":"metadata","malicious":true,"findings":[["only-a","critical"]]}
{"id":"3","source":"b","category":"y","surface":"metadata","malicious":true,"findings":[["r","critical"]]}
{"id":"4","source":"b","category":"y","surface":"capability","malicious":true,"findings":[["only-a","critical"]]}
{"id":"5","source":"real","category":"","surface":"real-tools","malicious":false,"findings":[["r","warning"]]}
{"rows":5,"milliseconds":2.5}"#;

    /// Defends: a rule for which nobody but the left-out source is evidence does not count for it, nor do findings that
    /// are only worth knowing.
    #[test]
    fn a_source_is_left_out_with_the_rules_that_only_it_supports() {
        let rows = Rows::read(PRINTED.trim()).unwrap();
        assert_eq!((rows.list.len(), rows.milliseconds), (5, 2.5));
        let count = |rows, warning, critical| Count { rows, warning, critical };
        let of = |source: &str| ("metadata".to_owned(), source.to_owned());
        let left_out = rows.left_out();
        assert_eq!(left_out[&of("a")], (count(2, 2, 1), count(2, 1, 0)));
        assert_eq!(left_out[&of("b")], (count(1, 1, 1), count(1, 1, 1)));
        assert_eq!(left_out.len(), 2);
        let alarms = rows.count(|row| (!row.malicious).then(|| row.surface.clone()));
        assert_eq!(alarms["real-tools"], count(1, 1, 0));
    }
}
