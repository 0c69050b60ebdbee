//! Other scanners on the same rows, in one table with our own.
//!
//! They come from package registries, pinned, and never enter the product's build: the Python ones lie under `target/`, the
//! Rust one is a workspace of its own in `benches/peers`.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::rows::{Rows, Severity};
use crate::bench::machine;
use crate::workspace::Workspace;
use crate::{fixtures, report};

/// What is counted, in the order of the columns, and whether finding it is right.
const KINDS: [(&str, &str); 5] = [
    ("malicious metadata", "metadata found"),
    ("malicious structural", "structural found"),
    ("malicious rug_pull", "rug pulls found"),
    ("benign metadata", "hard benign rows flagged"),
    ("benign real-tools", "real tools flagged"),
];

/// The same rows by every scanner that can be had: one line of a table each.
pub(super) fn measure(workspace: &Workspace, files: &[PathBuf], own: &Rows) -> Result<String> {
    let mut scanners = vec![ours(own)];
    let script = workspace.root().join("crates/thoth-testkit/fixtures/bench/scan_peers.py");
    let python = fixtures::python_scanners(workspace)?;
    scanners.extend(lines(Command::new(python).arg(script).args(files))?);
    let manifest = workspace.root().join("benches/peers/Cargo.toml");
    let target = workspace.root().join("target/peers");
    let mut rust = workspace.cargo();
    rust.args(["run", "--quiet", "--release", "--locked", "--manifest-path"]).arg(manifest);
    scanners.extend(lines(rust.arg("--target-dir").arg(target).arg("--").args(files))?);
    Ok(table(&scanners, &machine::described()))
}

/// What our own scanner found, in the form in which the peers print theirs.
fn ours(rows: &Rows) -> Value {
    let mut counts = serde_json::Map::new();
    for row in &rows.list {
        let kind = format!("{} {}", if row.malicious { "malicious" } else { "benign" }, row.surface);
        let worst = row.worst(|_| true);
        let count = counts.entry(kind).or_insert_with(|| json!([0, 0, 0]));
        let found = [true, worst >= Some(Severity::Warning), worst >= Some(Severity::Critical)];
        for (cell, found) in count.as_array_mut().into_iter().flatten().zip(found) {
            *cell = json!(cell.as_u64().unwrap_or_default() + u64::from(found));
        }
    }
    let number = f64::from(u32::try_from(rows.list.len()).unwrap_or(u32::MAX)).max(1.0);
    json!({"scanner": "Thoth", "counts": counts, "microseconds": rows.milliseconds * 1000.0 / number})
}

/// The lines of JSON that a peer prints.
fn lines(command: &mut Command) -> Result<Vec<Value>> {
    let program = command.get_program().to_string_lossy().into_owned();
    report::step(&format!("scan with `{program}`"));
    // What packages say on standard error, such as that they cannot reach the network, is no result.
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{program}`"))?;
    if !output.status.success() {
        bail!("`{program}` failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout).with_context(|| format!("`{program}` printed what is not text"))?;
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("`{program}` printed `{line}`"));
    text.lines().filter(|line| line.starts_with('{')).map(parse).collect()
}

fn table(scanners: &[Value], machine: &str) -> String {
    let mut text = format!("### Beside other scanners\n\n{machine}\n\n| scanner |");
    KINDS.iter().for_each(|(_, title)| text.push_str(&format!(" {title} |")));
    text.push_str(" µs for a row |\n|---|");
    KINDS.iter().for_each(|_| text.push_str("---:|"));
    text.push_str("---:|\n");
    for scanner in scanners {
        text.push_str(&format!("| {} |", scanner.get("scanner").and_then(Value::as_str).unwrap_or("?")));
        for (kind, _) in KINDS {
            text.push_str(&format!(" {} |", cell(scanner.pointer(&format!("/counts/{kind}")))));
        }
        let time = scanner.get("microseconds").and_then(Value::as_f64).unwrap_or_default();
        text.push_str(&format!(" {time:.1} |\n"));
    }
    text.push_str(
        "\nEach counted by what it calls a warning or worse. Thoth's rules were written by people who had read these rows, the \
         others' were not: hold the left-out sources against them. Thoth's time includes reading the row and its peers.\n\n",
    );
    text
}

/// `found of all (share)`.
fn cell(count: Option<&Value>) -> String {
    let number =
        |at: usize| count.and_then(|count| count.get(at)).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    match (number(0), number(1)) {
        (Some(all), Some(found)) if all > 0 => {
            format!("{found} of {all} ({:.1} %)", f64::from(found) * 100.0 / f64::from(all))
        }
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: our rows are counted as the peers count theirs, and what a peer has not is no zero.
    #[test]
    fn one_table_for_all() {
        let printed = r#"{"id":"1","source":"a","category":"x","surface":"metadata","malicious":true,"findings":[["r","warning"]]}
{"id":"2","source":"a","category":"x","surface":"metadata","malicious":true,"findings":[["r","info"]]}
{"rows":2,"milliseconds":1.0}"#;
        let ours = ours(&Rows::read(printed).unwrap());
        let peer = json!({"scanner": "peer", "counts": {"benign real-tools": [4, 1, 0]}, "microseconds": 2.0});
        let text = table(&[ours, peer], "A machine.");
        assert!(text.contains("| Thoth | 1 of 2 (50.0 %) | - | - | - | - | 500.0 |"), "{text}");
        assert!(text.contains("| peer | - | - | - | - | 1 of 4 (25.0 %) | 2.0 |"), "{text}");
    }
}
