//! How well-known programs are installed.

use crate::platform::Platform;

/// A program that servers are commonly started with.
struct WellKnown {
    names: &'static [&'static str],
    /// What it comes with.
    product: &'static str,
    /// The page that tells how to install it.
    page: &'static str,
    /// The packages of Homebrew and of winget.
    homebrew: &'static str,
    winget: &'static str,
}

const WELL_KNOWN: &[WellKnown] = &[
    WellKnown {
        names: &["node", "npx", "npm", "corepack"],
        product: "Node.js",
        page: "https://nodejs.org",
        homebrew: "node",
        winget: "OpenJS.NodeJS.LTS",
    },
    WellKnown {
        names: &["uv", "uvx"],
        product: "uv",
        page: "https://docs.astral.sh/uv",
        homebrew: "uv",
        winget: "astral-sh.uv",
    },
    WellKnown {
        names: &["python", "python3", "pip", "pip3"],
        product: "Python 3",
        page: "https://www.python.org",
        homebrew: "python",
        winget: "Python.Python.3.13",
    },
    WellKnown { names: &["pipx"], product: "pipx", page: "https://pipx.pypa.io", homebrew: "pipx", winget: "" },
    WellKnown {
        names: &["docker"],
        product: "Docker",
        page: "https://docs.docker.com/get-docker",
        homebrew: "",
        winget: "Docker.DockerDesktop",
    },
    WellKnown {
        names: &["podman"],
        product: "Podman",
        page: "https://podman.io",
        homebrew: "podman",
        winget: "RedHat.Podman",
    },
    WellKnown { names: &["bun", "bunx"], product: "Bun", page: "https://bun.sh", homebrew: "", winget: "Oven-sh.Bun" },
    WellKnown {
        names: &["deno"],
        product: "Deno",
        page: "https://deno.com",
        homebrew: "deno",
        winget: "DenoLand.Deno",
    },
    WellKnown {
        names: &["pnpm"],
        product: "pnpm",
        page: "https://pnpm.io/installation",
        homebrew: "pnpm",
        winget: "pnpm.pnpm",
    },
    WellKnown {
        names: &["java"],
        product: "a Java runtime",
        page: "https://adoptium.net",
        homebrew: "openjdk",
        winget: "EclipseAdoptium.Temurin.21.JRE",
    },
    WellKnown {
        names: &["dotnet"],
        product: ".NET",
        page: "https://dotnet.microsoft.com/download",
        homebrew: "",
        winget: "Microsoft.DotNet.SDK.9",
    },
    WellKnown { names: &["go"], product: "Go", page: "https://go.dev/dl", homebrew: "go", winget: "GoLang.Go" },
    WellKnown {
        names: &["cargo"],
        product: "Rust",
        page: "https://rustup.rs",
        homebrew: "rustup",
        winget: "Rustlang.Rustup",
    },
];

/// What to do when a program is missing, if it is a well-known one.
pub(super) fn install(platform: Platform, program: &str) -> Option<String> {
    let name = match platform {
        Platform::Windows => {
            let lower = program.to_ascii_lowercase();
            let stem = lower.rsplit_once('.').filter(|(_, end)| matches!(*end, "exe" | "com" | "cmd" | "bat"));
            stem.map_or(lower.clone(), |(stem, _)| stem.to_owned())
        }
        Platform::Linux | Platform::MacOs => program.to_owned(),
    };
    let found = WELL_KNOWN.iter().find(|known| known.names.contains(&name.as_str()))?;
    let comes_with = if found.product.eq_ignore_ascii_case(&name) {
        format!("Install {}", found.product)
    } else {
        format!("Install {}, which has `{name}`", found.product)
    };
    let command = match platform {
        Platform::MacOs if !found.homebrew.is_empty() => format!("`brew install {}`, or ", found.homebrew),
        Platform::Windows if !found.winget.is_empty() => format!("`winget install {}`, or ", found.winget),
        _ => String::new(),
    };
    Some(format!("{comes_with} ({command}see {})", found.page))
}
