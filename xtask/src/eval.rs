//! `cargo xtask eval`: how much of labelled attacks the scanner and the inspection find, and how often they are wrong
//! about honest tools.
//!
//! The labelled files are not part of this repository: their texts are other people's, and rules that are tuned while
//! their judges stand beside them prove nothing. The command takes their paths.

mod document;
mod peers;
mod rows;
mod tables;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use self::rows::Rows;
use crate::report;
use crate::workspace::Workspace;

/// What to measure on.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Labelled tool definitions, as JSON lines: source, id, tool, description, inputSchema, label, category, surface
    #[arg(long, value_name = "FILE")]
    definitions: Option<PathBuf>,
    /// Definitions of real servers, all of them honest, in the same form
    #[arg(long, value_name = "FILE")]
    real_tools: Option<PathBuf>,
    /// Labelled results of tools, as JSON lines: tool, result, label, category
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Labelled calls of tools, as JSON lines: tool, arguments, label, category
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Scan the definitions with other scanners, too, and show all in one table; installs them first
    #[arg(long, requires = "definitions")]
    peers: bool,
    /// Put the tables into `docs/detection.md`
    #[arg(long)]
    write_docs: bool,
}

const MISSING: &str = "no labelled file is given, and none is part of this repository; give at least --definitions FILE and \
                       --real-tools FILE (`cargo xtask eval --help` says what stands in them)";

/// Everything that was measured.
#[derive(Debug)]
struct Measured {
    rows: Option<Rows>,
    /// Findings about honest servers that one client has all at once.
    side_by_side: Option<Value>,
    /// What the inspection found, one object a file.
    inspected: Vec<Value>,
    /// What a scan costs.
    cost: Option<Value>,
    /// The table with other scanners.
    peers: Option<String>,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let Options { definitions, real_tools, results, calls, peers, write_docs } = options;
    let given = |flag: &'static str, path: &Option<PathBuf>| path.clone().map(|path| (flag, path));
    let definitions = [given("--definitions", definitions), given("--real-tools", real_tools)];
    let definitions: Vec<_> = definitions.into_iter().flatten().collect();
    let inspected = [given("--calls", calls), given("--results", results)];
    let inspected: Vec<_> = inspected.into_iter().flatten().collect();
    if definitions.is_empty() && inspected.is_empty() {
        bail!(MISSING);
    }
    for (flag, path) in definitions.iter().chain(&inspected) {
        if !path.is_file() {
            bail!("{flag}: there is no file `{}`", path.display());
        }
    }
    let mut measured = Measured { rows: None, side_by_side: None, cost: None, inspected: Vec::new(), peers: None };
    if !definitions.is_empty() {
        report::step("scan definitions");
        measured.rows = Some(Rows::read(&example(workspace, "thoth-scan", "eval", &definitions, "--rows")?)?);
        let tables = example(workspace, "thoth-scan", "eval", &definitions, "--json")?;
        let tables: Value = serde_json::from_str(&tables).context("cannot read what `eval --json` printed")?;
        measured.side_by_side = tables.get("false alarms side by side").cloned();
        report::step("measure what a scan costs");
        let cost = example(workspace, "thoth-scan", "scan_cost", &[], "--json")?;
        measured.cost = Some(serde_json::from_str(&cost).context("cannot read what `scan_cost --json` printed")?);
        if let (true, Some(rows)) = (*peers, &measured.rows) {
            let files = definitions.iter().map(|(_, path)| std::path::absolute(path)).collect::<Result<Vec<_>, _>>()?;
            measured.peers = Some(peers::measure(workspace, &files, rows)?);
        }
    }
    if !inspected.is_empty() {
        if workspace.root().join("crates/thoth-inspect/examples/inspect_eval.rs").is_file() {
            report::step("inspect calls and results");
            for line in example(workspace, "thoth-inspect", "inspect_eval", &inspected, "--json")?.lines() {
                let set = serde_json::from_str(line).context("cannot read what `inspect_eval --json` printed")?;
                measured.inspected.push(set);
            }
        } else {
            report::warning("this checkout has no `inspect_eval`; --calls and --results were not looked at");
        }
    }
    let text = tables::all(&measured);
    report::say(&text);
    if *write_docs {
        document::write(workspace, &text)?;
    }
    Ok(true)
}

/// Builds an example of a crate with the release profile, runs it, and returns what it printed.
fn example(
    workspace: &Workspace,
    package: &str,
    name: &str,
    files: &[(&'static str, PathBuf)],
    mode: &str,
) -> Result<String> {
    let mut command: Command = workspace.cargo();
    command.args(["run", "--quiet", "--release", "-p", package, "--example", name, "--"]);
    for (flag, path) in files {
        // It runs from the root, and paths are meant from here.
        let path = std::path::absolute(path).with_context(|| format!("cannot tell where `{}` is", path.display()))?;
        command.arg(flag).arg(path);
    }
    let output = command.arg(mode).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start the example `{name}`"))?;
    if !output.status.success() {
        bail!("the example `{name}` failed");
    }
    String::from_utf8(output.stdout).with_context(|| format!("the example `{name}` printed what is not text"))
}
