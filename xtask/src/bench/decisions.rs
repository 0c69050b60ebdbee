//! Decisions of Thoth, of the Python packages that do such a thing, and of other engines written in Rust, in one table.

use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::workspace::Workspace;
use crate::{fixtures, process, report};

/// Cells that say which rules a row is about, after the engine's name.
const SETTING: std::ops::Range<usize> = 1..3;
/// The cell with the median when the last rule hits.
const HIT: usize = 3;

/// Runs Thoth's program and then the peers' one, and prints the rows of equal settings together.
pub(super) fn measure(workspace: &Workspace, mut thoth: Command, quick: bool) -> Result<()> {
    let own = table(&mut thoth)?;
    let mut peers = match fixtures::python_peers(workspace) {
        Ok(python) => {
            let script = workspace.root().join("crates/thoth-testkit/fixtures/bench/peers.py");
            table(Command::new(python).arg(script).args(quick.then_some("--quick")))?
        }
        Err(reason) => {
            report::warning(&format!("no Python peers in this table: {reason:#}"));
            Vec::new()
        }
    };
    peers.extend(engines(workspace, quick)?);
    joined(&own, &peers).iter().for_each(|line| report::say(line));
    Ok(())
}

/// The rows of engines that are a workspace of their own. They are built on the first run, which takes minutes; nothing
/// else of the repository builds them.
fn engines(workspace: &Workspace, quick: bool) -> Result<Vec<String>> {
    let manifest = workspace.root().join("benches/engines/Cargo.toml");
    let target = workspace.root().join("target/engines");
    let build = |word: &str| {
        let mut cargo = workspace.cargo();
        cargo.arg(word).args(["--release", "--quiet", "--locked", "--manifest-path"]).arg(&manifest);
        cargo.arg("--target-dir").arg(&target);
        cargo
    };
    if let Err(reason) = process::must(&mut build("build")) {
        report::warning(&format!("no other engines in this table: {reason:#}"));
        return Ok(Vec::new());
    }
    table(build("run").arg("--").args(quick.then_some("--quick")))
}

/// The lines that a program prints.
fn table(command: &mut Command) -> Result<Vec<String>> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start a measuring program")?;
    if !output.status.success() {
        bail!("`{}` failed", command.get_program().display());
    }
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

fn cells(line: &str) -> Vec<&str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

/// The table of Thoth, each row followed by the peers' rows of the same setting and by how often as long they take.
fn joined(own: &[String], peers: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, line) in own.iter().enumerate() {
        lines.push(match index {
            0 => format!("{line} × thoth, last rule hit |"),
            1 => format!("{line}---|"),
            _ => format!("{line} 1 |"),
        });
        let ours = cells(line);
        for peer in peers.iter().filter(|_| index > 1) {
            let theirs = cells(peer);
            if theirs.get(SETTING) == ours.get(SETTING) {
                let figure = |row: &[&str]| row.get(HIT).and_then(|cell| cell.parse::<f64>().ok());
                let times = figure(&theirs).zip(figure(&ours)).map_or_else(|| "-".to_owned(), |(t, o)| ratio(t, o));
                lines.push(format!("{peer} {times} |"));
            }
        }
    }
    lines
}

fn ratio(theirs: f64, ours: f64) -> String {
    format!("{:.0}", theirs / ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer must stand beside the figure for the very same rules, or the table compares nothing.
    #[test]
    fn rows_of_equal_settings_stand_together() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let own = lines(
            "| engine | rules are | rules | p50 |\n|---|---|---|---|\n| thoth | exact | 10 | 0.5 |\n| thoth | exact | 100 | 0.5 |",
        );
        let peers = lines("| a | exact | 10 | 5.0 |\n| a | exact | 100 | 50.0 |\n| b | exact | 100 | - |");
        assert_eq!(
            joined(&own, &peers),
            [
                "| engine | rules are | rules | p50 | × thoth, last rule hit |",
                "|---|---|---|---|---|",
                "| thoth | exact | 10 | 0.5 | 1 |",
                "| a | exact | 10 | 5.0 | 10 |",
                "| thoth | exact | 100 | 0.5 | 1 |",
                "| a | exact | 100 | 50.0 | 100 |",
                "| b | exact | 100 | - | - |",
            ]
        );
    }
}
