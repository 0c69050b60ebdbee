//! Where things are, and what `cargo metadata` says about the members.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// This checkout.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// One member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// The package's name.
    pub(crate) name: String,
    /// The folder of its manifest.
    pub(crate) dir: PathBuf,
    /// Names of the packages it names under `[dependencies]` and `[build-dependencies]`.
    pub(crate) dependencies: BTreeSet<String>,
    /// Names of the packages it names under `[dev-dependencies]`.
    pub(crate) dev_dependencies: BTreeSet<String>,
}

impl Workspace {
    /// Finds the checkout that this program was built from.
    pub(crate) fn locate() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder of the root manifest.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where set-up fixtures live. Fixed, whatever `CARGO_TARGET_DIR` says, so that every build finds one copy.
    pub(crate) fn fixtures(&self) -> PathBuf {
        self.root.join("target").join("fixtures")
    }

    /// Where downloaded development tools live.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target").join("tools")
    }

    /// The cargo that started this program, or the one on the path; run from the root.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root);
        // What CI builds is built once: notes for building it again take a third of the disk.
        if std::env::var_os("CI").is_some() {
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
    }

    /// The members, with their direct dependencies.
    pub(crate) fn members(&self) -> Result<Vec<Member>> {
        let output = self
            .cargo()
            .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
            .output()
            .context("cannot start `cargo metadata`")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        members_of(&serde_json::from_slice(&output.stdout)?)
    }

    /// Every file under version control, or about to be, relative to the root.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let output = Command::new("git")
            .current_dir(&self.root)
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .output()
            .context("cannot start `git ls-files`")?;
        if !output.status.success() {
            bail!("`git ls-files` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let listing = String::from_utf8(output.stdout).context("a committed path is not UTF-8")?;
        let paths = listing.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
        // A deleted file stays in the index until the deletion is committed.
        Ok(paths.filter(|path| self.root.join(path).is_file()).collect())
    }
}

fn members_of(metadata: &Value) -> Result<Vec<Member>> {
    let packages = metadata.get("packages").and_then(Value::as_array).context("`cargo metadata` names no packages")?;
    packages.iter().map(member_of).collect()
}

fn member_of(package: &Value) -> Result<Member> {
    let text = |key: &str| package.get(key).and_then(Value::as_str).with_context(|| format!("package without `{key}`"));
    let manifest = PathBuf::from(text("manifest_path")?);
    let listed = package.get("dependencies").and_then(Value::as_array).context("package without `dependencies`")?;
    let named = |development: bool| {
        listed
            .iter()
            .filter(|entry| (entry.get("kind").and_then(Value::as_str) == Some("dev")) == development)
            .filter_map(|entry| entry.get("name").and_then(Value::as_str))
            .map(str::to_owned)
            .collect()
    };
    Ok(Member {
        name: text("name")?.to_owned(),
        dir: manifest.parent().context("manifest without a folder")?.to_owned(),
        dependencies: named(false),
        dev_dependencies: named(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Development edges must not count as product edges, or every layer rule would forbid the testkit.
    #[test]
    fn development_dependencies_are_kept_apart() {
        let metadata = serde_json::json!({"packages": [{
            "name": "thoth-gate",
            "manifest_path": "/repo/crates/thoth-gate/Cargo.toml",
            "dependencies": [
                {"name": "thoth-types", "kind": null},
                {"name": "cc", "kind": "build"},
                {"name": "thoth-testkit", "kind": "dev"},
            ],
        }]});
        let members = members_of(&metadata).unwrap();
        assert_eq!(members.len(), 1);
        assert_eq!(members[0].dir, PathBuf::from("/repo/crates/thoth-gate"));
        assert_eq!(members[0].dependencies, BTreeSet::from(["cc".to_owned(), "thoth-types".to_owned()]));
        assert_eq!(members[0].dev_dependencies, BTreeSet::from(["thoth-testkit".to_owned()]));
    }
}
