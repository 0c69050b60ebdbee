//! JUnit XML, which build servers read.

use std::fmt::Write as _;

use thoth_types::Place;

use crate::mutate::Mutant;
use crate::suite::{Held, Report, Run, Verdict};

/// The report as JUnit XML: a suite for each test file, and one for the changes that must be noticed.
#[must_use]
pub fn junit(report: &Report<'_>) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for run in report.runs {
        suite(run, &mut out);
    }
    if let Some(mutants) = report.mutants {
        changes(mutants, &mut out);
    }
    out.push_str("</testsuites>\n");
    out
}

/// One test: nothing, a failure or the reason why it was not run.
enum Came<'r> {
    Passed,
    Failed(String, &'r str),
    Skipped(&'r str),
}

fn suite(run: &Run, out: &mut String) {
    let mut rows: Vec<(&str, &Place, Came<'_>)> = Vec::new();
    for case in &run.cases {
        let came = match &case.verdict {
            Verdict::Passed => Came::Passed,
            Verdict::Skipped(why) => Came::Skipped(why),
            Verdict::Failed(mismatches) => {
                let all: Vec<String> = mismatches
                    .iter()
                    .map(|own| format!("{}: expected {}, found {}", own.what, own.expected, own.found))
                    .collect();
                Came::Failed(all.join("; "), &case.call)
            }
        };
        rows.push((&case.name, &case.place, came));
    }
    for invariant in &run.invariants {
        let came = match &invariant.held {
            Held::Holds => Came::Passed,
            Held::Violated(call) => Came::Failed("the invariant does not hold".to_owned(), &call.whole),
            Held::Unknown(why) => Came::Failed("it could not be told whether the invariant holds".to_owned(), why),
        };
        rows.push((&invariant.name, &invariant.place, came));
    }
    write(&run.suite, &rows, out);
}

fn changes(mutants: &[Mutant], out: &mut String) {
    let names: Vec<String> = mutants.iter().map(|mutant| format!("{}: {}", mutant.rule, mutant.words)).collect();
    let rows: Vec<(&str, &Place, Came<'_>)> = mutants
        .iter()
        .zip(&names)
        .map(|(mutant, name)| {
            let came = match &mutant.noticed_by {
                Some(_) => Came::Passed,
                None if mutant.must_be_noticed() => Came::Failed("no test notices the change".to_owned(), ""),
                None => Came::Skipped("no test notices the change, or no call needs the condition"),
            };
            (name.as_str(), &mutant.place, came)
        })
        .collect();
    write("changes of rules", &rows, out);
}

fn write(name: &str, rows: &[(&str, &Place, Came<'_>)], out: &mut String) {
    let name = escaped(name);
    let count = |wanted: fn(&Came<'_>) -> bool| rows.iter().filter(|(.., came)| wanted(came)).count();
    let failed = count(|came| matches!(came, Came::Failed(..)));
    let skipped = count(|came| matches!(came, Came::Skipped(_)));
    let tests = rows.len();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\">"
    );
    for (case, place, came) in rows {
        let (case, file, line) = (escaped(case), escaped(&place.file), place.line);
        let head = format!("    <testcase name=\"{case}\" classname=\"{name}\" file=\"{file}\" line=\"{line}\"");
        let _ = match came {
            Came::Passed => writeln!(out, "{head}/>"),
            Came::Skipped(why) => writeln!(out, "{head}><skipped message=\"{}\"/></testcase>", escaped(why)),
            Came::Failed(message, text) => {
                writeln!(out, "{head}><failure message=\"{}\">{}</failure></testcase>", escaped(message), escaped(text))
            }
        };
    }
    out.push_str("  </testsuite>\n");
}

/// A text inside XML. Characters that XML 1.0 cannot hold, and white space that a reader would change, are spelt out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' | '\r' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_inside_their_attribute() {
        assert_eq!(escaped("a\"><b>&\n\u{1b}é"), "a&quot;&gt;&lt;b&gt;&amp;&#10;\\u{1b}é");
    }
}
