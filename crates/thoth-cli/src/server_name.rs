//! A name for a server that was given none, read from its command.

use std::ffi::OsString;
use std::path::Path;

/// Programs that run another program, which is then the one to name the server after.
const RUNNERS: [&str; 14] =
    ["npx", "npm", "pnpm", "bunx", "bun", "node", "deno", "uvx", "uv", "pipx", "python", "python3", "docker", "env"];
/// Their subcommands, which are not the name either.
const VERBS: [&str; 5] = ["run", "exec", "dlx", "x", "tool"];

/// The last part of the package or program, without scope, version, ending and the usual `server-` or `mcp-` around
/// it: `npx -y @modelcontextprotocol/server-filesystem /data` is `filesystem`.
pub(crate) fn from_command(command: &[OsString]) -> String {
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let named = words
        .iter()
        .map(|word| base(word))
        .find(|word| !word.is_empty() && !word.starts_with('-') && !RUNNERS.contains(word) && !VERBS.contains(word))
        .or_else(|| words.first().map(|word| base(word)));
    let mut name = named.unwrap_or("server");
    for affix in ["mcp-server-", "server-", "mcp-"] {
        name = name.strip_prefix(affix).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    for affix in ["-mcp-server", "-server", "-mcp"] {
        name = name.strip_suffix(affix).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    name.to_owned()
}

/// `@scope/name@1.2.3` and `/usr/bin/name.js` are both `name`.
fn base(word: &str) -> &str {
    if word.starts_with('-') {
        return word;
    }
    let last = word.rsplit(['/', '\\']).next().unwrap_or(word);
    let unversioned = last.split_once('@').map_or(last, |(name, _)| name);
    Path::new(unversioned).file_stem().and_then(|stem| stem.to_str()).unwrap_or(unversioned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (command, name) in [
            ("npx -y @modelcontextprotocol/server-filesystem /data", "filesystem"),
            ("npx -y @modelcontextprotocol/server-memory@2026.8.31", "memory"),
            ("uvx mcp-server-git --repository .", "git"),
            ("uv run weather-mcp", "weather"),
            ("/opt/tools/everything.js", "everything"),
            ("node /srv/dist/index.js", "index"),
            ("python3 -m mail_server", "mail_server"),
            ("docker run -i --rm mcp/fetch", "fetch"),
            ("node", "node"),
        ] {
            let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
            assert_eq!(from_command(&words), name, "{command}");
        }
    }
}
