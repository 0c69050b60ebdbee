//! A name for a server that was given none, read from its command.
//!
//! The name goes into the ledger, so a wrong guess must not carry a secret there: a word is taken only where everything
//! before it is understood. Otherwise the program's own name is used.

mod runner;

use std::ffi::OsString;

use runner::Runner;

/// What a server is called when not even its program has a usable name.
const NAMELESS: &str = "server";
/// The longest name that is guessed, in bytes.
const LONGEST: usize = 64;
/// Letters and digits in a row from which on they are taken for a key or a digest, if there are digits among them.
const LONGEST_MIXED_RUN: usize = 20;
/// How well-known tokens begin.
const TOKENS: [&str; 12] =
    ["sk-", "sk_", "pk_", "rk_", "ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xox", "eyJ", "AKIA"];

/// The last part of the package or program, without scope, version, ending and the usual `server-` or `mcp-` around
/// it: `npx -y @modelcontextprotocol/server-filesystem /data` is `filesystem`.
#[must_use]
pub fn from_command(command: &[OsString]) -> String {
    let mut words = command.iter().map(|word| word.to_string_lossy());
    let Some(program) = words.next() else { return NAMELESS.to_owned() };
    let words: Vec<_> = words.collect();
    let mut words = words.iter().map(|word| &**word);
    let mut name = named(&program).filter(|_| !is_assignment(&program)).unwrap_or(NAMELESS);
    // Each round takes words away, so this ends.
    while let Some(runner) = Runner::find(name) {
        let Some(operand) = operand(runner, &mut words).and_then(named) else { break };
        name = operand;
    }
    for affix in ["mcp-server-", "server-", "mcp-"] {
        name = name.strip_prefix(affix).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    for affix in ["-mcp-server", "-server", "-mcp"] {
        name = name.strip_suffix(affix).filter(|rest| !rest.is_empty()).unwrap_or(name);
    }
    name.to_owned()
}

/// What a runner runs, or nothing where one of its flags is not known: its value could be anything.
fn operand<'w>(runner: &Runner, words: &mut impl Iterator<Item = &'w str>) -> Option<&'w str> {
    while let Some(word) = words.next() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, _)) => (flag, true),
            None => (word, false),
        };
        if word == "--" {
            return words.next().filter(|word| !is_assignment(word));
        } else if runner.runs_module(flag) {
            return if attached { None } else { words.next() };
        } else if !word.starts_with('-') {
            if runner.has_verb(word) || (runner.sets_variables() && is_assignment(word)) {
                continue;
            }
            return (!is_assignment(word)).then_some(word);
        } else if runner.is_switch(flag) || (attached && runner.takes_value(flag)) || runner.has_value_attached(flag) {
            continue;
        } else if runner.takes_value(flag) {
            words.next()?;
        } else {
            return None;
        }
    }
    None
}

/// `KEY=VALUE`, but not a version as in `package==1.2`.
fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(_, value)| {
        value.strip_prefix('=').is_none_or(|version| !version.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// The word's last part, if that can be a name: `@scope/name@1.2.3`, `/usr/bin/name.js`, `host/name:tag` and
/// `name[extra]==1.0` are all `name`.
fn named(word: &str) -> Option<&str> {
    let path = word.split(['?', '#']).next().unwrap_or(word);
    // What stands before the path of a URL can be a user's name and password.
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => path,
    };
    let last = path.trim_end_matches('/').rsplit(['/', '\\']).next().unwrap_or(path);
    let unversioned = last.split(['@', ':', '[', '=', '<', '>', '~', '!', ';', ',']).next().unwrap_or(last);
    let name = match unversioned.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => unversioned,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.len() <= LONGEST
        && name.chars().all(plain)
        && !looks_like_secret(name);
    good.then_some(name)
}

/// Whether a text begins as a well-known token does, or has a run of letters and digits as long as that of a key.
#[must_use]
pub fn looks_like_secret(name: &str) -> bool {
    let long_run = name
        .split(|c: char| !c.is_ascii_alphanumeric())
        .any(|run| run.len() >= LONGEST_MIXED_RUN && run.contains(|c: char| c.is_ascii_digit()));
    long_run || TOKENS.iter().any(|token| name.starts_with(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(command: &str) -> String {
        let words: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        from_command(&words)
    }

    #[test]
    fn names() {
        for (command, expected) in [
            ("npx -y @modelcontextprotocol/server-filesystem /data", "filesystem"),
            ("npx -y @modelcontextprotocol/server-memory@2026.8.31", "memory"),
            ("npx -p some-package mcp-thing", "thing"),
            ("npm exec --yes -- weather-server", "weather"),
            ("uvx mcp-server-git --repository .", "git"),
            ("uvx mcp-server-git[all]==1.2.3 --repository .", "git"),
            ("uvx --from git+https://token@example.org/a/b mcp-server-x", "x"),
            ("uvx --from=./local --with httpx mcp-server-x", "x"),
            ("uv run weather-mcp", "weather"),
            ("uv --directory /srv/weather run weather.py", "weather"),
            ("uv run --with mcp python -m mail_server", "mail_server"),
            ("pipx run --spec x mail-mcp", "mail"),
            ("/opt/tools/everything.js", "everything"),
            ("node --enable-source-maps /srv/dist/index.js", "index"),
            ("deno run --allow-net=example.org -A jsr:@a/mail-server@1", "mail"),
            ("python3 -m mail_server", "mail_server"),
            ("/usr/bin/python3.12 -u mail.py", "mail"),
            ("env API_KEY=secret python server.py", "server"),
            ("env -u HOME A=b c=d npx -y mcp-mail", "mail"),
            ("docker run -i --rm mcp/fetch", "fetch"),
            ("docker run -e TOKEN=abc img", "img"),
            ("docker run -i --rm -e TOKEN -v /home/me:/data ghcr.io/github/github-mcp-server:v1 stdio", "github"),
            ("docker run -eTOKEN=abc -p8080:80 --mount type=bind,src=/a,dst=/b img", "img"),
        ] {
            assert_eq!(name(command), expected, "{command}");
        }
    }

    /// What is not understood, and what could be a secret, is never the name.
    #[test]
    fn falls_back_to_the_program() {
        for (command, expected) in [
            ("node", "node"),
            ("docker run --no-such-flag s3cret img", "docker"),
            ("docker run -e s3cret", "docker"),
            ("npx --call s3cret", "npx"),
            ("python -c print('s3cret')", "python"),
            ("node -e s3cret", "node"),
            ("env -S s3cret python x.py", "env"),
            ("env API_KEY=s3cret", "env"),
            ("npx KEY=s3cret mcp-mail", "npx"),
            ("npx c2VjcmV0== mcp-mail", "npx"),
            ("npx ghp_0123456789", "npx"),
            ("uvx 0123456789abcdef0123456789abcdef", "uvx"),
            ("npx https://user:s3cret@example.org/?token=s3cret", "npx"),
            ("npx https://s3cret@example.org", "npx"),
            ("KEY=s3cret python x.py", "server"),
            ("/opt/ghp_0123456789", "server"),
        ] {
            assert_eq!(name(command), expected, "{command}");
        }
        assert_eq!(from_command(&[]), "server");
        assert_eq!(from_command(&[OsString::new()]), "server");
    }
}
