//! The programs that measure, and how they are built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::report;
use crate::workspace::Workspace;

/// The product, and everything that stands in the pipe with it.
const IN_THE_PIPE: &[&str] = &["-p", "thoth-cli", "-p", "thoth-testkit", "--bins"];

/// The server, and what measures it. Built apart from the sidecar, which needs less of the libraries that both have.
const SERVER: &[&str] = &["-p", "thoth-server", "--bins", "--example", "serve_load"];

/// What measures one crate from inside. Built apart, so that what they need cannot change how the product is built.
const INSIDE: &[(&str, &str)] = &[
    ("thoth-policy", "decision_cost"),
    ("thoth-mcp", "parse_cost"),
    ("thoth-gate", "admit_cost"),
    ("thoth-audit", "append_rate"),
];

/// Where each program is.
#[derive(Debug)]
pub(super) struct Programs(BTreeMap<String, PathBuf>);

impl Programs {
    /// Builds all of them with the release profile; those for the server only if asked to.
    pub(super) fn build(workspace: &Workspace, server: bool) -> Result<Self> {
        report::step("build for measuring");
        let mut found = BTreeMap::new();
        build(workspace, IN_THE_PIPE, &mut found)?;
        let inside: Vec<&str> = INSIDE.iter().flat_map(|(krate, name)| ["-p", krate, "--example", name]).collect();
        build(workspace, &inside, &mut found)?;
        if server {
            build(workspace, SERVER, &mut found)?;
        }
        Ok(Self(found))
    }

    /// The path of one program.
    pub(super) fn path(&self, name: &str) -> Result<&Path> {
        self.0.get(name).map(PathBuf::as_path).with_context(|| format!("cargo built no program `{name}`"))
    }
}

fn build(workspace: &Workspace, what: &[&str], found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let flags = ["build", "--release", "--quiet", "--message-format", "json-render-diagnostics"];
    let output = workspace
        .cargo()
        .args(flags)
        .args(what)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start `cargo build`")?;
    if !output.status.success() {
        bail!("the release build failed");
    }
    found.extend(String::from_utf8_lossy(&output.stdout).lines().filter_map(executable));
    Ok(())
}

/// The name and the path in one of cargo's messages, when it is about a program.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    let path = message.get("executable")?.as_str()?;
    Some((name.to_owned(), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_about_programs_count() {
        let program = r#"{"reason":"compiler-artifact","target":{"name":"thoth"},"executable":"/out/thoth"}"#;
        assert_eq!(executable(program), Some(("thoth".to_owned(), "/out/thoth".into())));
        let library = r#"{"reason":"compiler-artifact","target":{"name":"serde"},"executable":null}"#;
        assert_eq!(executable(library), None);
        assert_eq!(executable("no JSON"), None);
    }
}
