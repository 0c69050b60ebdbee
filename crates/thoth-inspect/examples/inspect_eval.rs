//! Recall and false alarms of the inspection on labelled files: `--calls FILE --results FILE [--json] [--show]`.
//!
//! Each file is JSON lines with a `label` (`malicious` or `benign`) and a `category`. A call is found when a detection
//! asks or blocks; a result when instructions to the model are found in it. `--show` prints what was missed and what
//! was flagged wrongly.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::collections::BTreeMap;
use std::process::ExitCode;

use thoth_inspect::{Action, Class, InspectSettings, Inspection, inspect_arguments, inspect_result};
use thoth_types::json::{Kind, Limits, Tape, Value};

/// Found and all rows of one group.
#[derive(Default, Clone, Copy)]
struct Count {
    found: usize,
    all: usize,
}

impl Count {
    fn add(&mut self, found: bool) {
        self.all += 1;
        self.found += usize::from(found);
    }

    fn share(self) -> String {
        let permille = (self.found * 1000).checked_div(self.all).unwrap_or(0);
        format!("{}/{} ({}.{} %)", self.found, self.all, permille / 10, permille % 10)
    }
}

#[derive(Default)]
struct Table {
    groups: BTreeMap<String, Count>,
    benign: Count,
    malicious: Count,
    /// Benign rows that anything but an injection would alter or hold.
    other_benign: usize,
}

impl Table {
    fn add(&mut self, label: &str, groups: &[String], found: bool) {
        if label == "benign" {
            self.benign.add(found)
        } else {
            self.malicious.add(found)
        }
        for group in groups {
            self.groups.entry(format!("{label} {group}")).or_default().add(found);
        }
    }

    fn print(&self, name: &str, json: bool) {
        let (malicious, benign) = (self.malicious, self.benign);
        if json {
            let pair = |count: Count| format!("[{},{}]", count.found, count.all);
            let groups: Vec<_> =
                self.groups.iter().map(|(group, count)| format!("{group:?}:{}", pair(*count))).collect();
            println!(
                "{{\"set\":{name:?},\"malicious\":{},\"benign\":{},\"benign_other_classes\":{},\"groups\":{{{}}}}}",
                pair(malicious),
                pair(benign),
                self.other_benign,
                groups.join(",")
            );
            return;
        }
        println!("{name}: malicious found {}, benign flagged {}", malicious.share(), benign.share());
        println!("  benign rows held or altered by other classes: {}", self.other_benign);
        for (group, count) in &self.groups {
            println!("  {group:<60} {}", count.share());
        }
    }
}

fn text(row: Value<'_>, key: &str) -> String {
    row.get(key).and_then(|value| value.as_str()).map(|text| text.into_owned()).unwrap_or_default()
}

fn groups(row: Value<'_>) -> Vec<String> {
    let category = text(row, "category");
    let short = category.split(':').next().unwrap_or_default().to_owned();
    let mut groups = vec![format!("source {}", text(row, "source")), format!("category {short}")];
    if let Some(position) = row.get("position").and_then(|value| value.as_str()) {
        groups.push(format!("position {short} {position}"));
    }
    groups
}

fn describe(inspection: &Inspection) -> String {
    let each = inspection.detections.iter().map(|found| format!("{} [{}]", found.kind, found.preview));
    each.collect::<Vec<_>>().join("; ")
}

fn judge_call(row: Value<'_>, settings: &InspectSettings) -> (bool, String) {
    let calls: Vec<(String, Option<Value<'_>>)> = match row.get("sequence") {
        Some(sequence) => sequence.elements().map(|call| (text(call, "name"), call.get("arguments"))).collect(),
        None => vec![(text(row, "tool"), row.get("arguments"))],
    };
    let mut found = false;
    let mut said = String::new();
    for (tool, arguments) in calls {
        if let Some(arguments) = arguments {
            let inspection = inspect_arguments(&tool, arguments, row.get("inputSchema"), settings);
            found |= inspection.action() >= Action::Ask;
            said.push_str(&describe(&inspection));
        }
    }
    (found, said)
}

fn judge_result(row: Value<'_>, settings: &InspectSettings) -> Option<(bool, bool, String)> {
    let result = row.get("result")?;
    let wrapped = [b"{\"content\":[{\"type\":\"text\",\"text\":", result.raw(), b"}]}"].concat();
    let unwrapped = result.as_str();
    let (mut first, mut second) = (Tape::new(), Tape::new());
    let own = unwrapped.as_ref().and_then(|text| first.parse(text.as_bytes(), &Limits::default()).ok());
    let document = match own.filter(|own| own.kind() == Kind::Object) {
        Some(own) => own,
        None => second.parse(&wrapped, &Limits::default()).ok()?,
    };
    let inspection = inspect_result("", document, settings);
    let injection = inspection.detections.iter().any(|found| found.class == Class::Injection);
    let other =
        inspection.detections.iter().any(|found| found.class != Class::Injection && found.action > Action::Allow);
    Some((injection, other, describe(&inspection)))
}

fn run() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (mut calls, mut results, mut json, mut show) = (None, None, false, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--calls" => calls = arguments.next(),
            "--results" => results = arguments.next(),
            "--json" => json = true,
            "--show" => show = true,
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    let settings = InspectSettings::default();
    for (name, file) in [("calls", calls), ("results", results)] {
        let Some(file) = file else { continue };
        let lines = std::fs::read_to_string(&file).map_err(|error| format!("cannot read `{file}`: {error}"))?;
        let mut table = Table::default();
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let mut tape = Tape::new();
            let row = tape.parse(line.as_bytes(), &Limits::default()).map_err(|error| format!("`{file}`: {error}"))?;
            let label = text(row, "label");
            let (found, said) = if name == "calls" {
                judge_call(row, &settings)
            } else {
                let (found, other, said) = judge_result(row, &settings).ok_or("a row without a result")?;
                table.other_benign += usize::from(other && label == "benign");
                if show && other && label == "benign" {
                    println!("OTHER {} {said}", text(row, "id"));
                }
                (found, said)
            };
            if show && found == (label == "benign") {
                let injection: String = text(row, "injection").replace('\n', " ").chars().take(150).collect();
                println!("{} {} {injection} | {said}", if found { "FALSE" } else { "MISS" }, text(row, "id"));
            }
            table.add(&label, &groups(row), found);
        }
        table.print(name, json);
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
