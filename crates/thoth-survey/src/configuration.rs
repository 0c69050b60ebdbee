//! What an entry of a client's file shows by itself, before anything is started.

use std::path::Path;
use std::sync::Arc;

use thoth_endpoint::entry::{Contents, Reach};
use thoth_scan::finding::Evidence;
use thoth_scan::threat::Severity;

use crate::catalogue::Origin;
use crate::findings::Reported;

/// Programs that give the server more rights than its user has.
const ELEVATING: [&str; 6] = ["sudo", "doas", "pkexec", "su", "run0", "runas"];
/// Programs that take a command line as one argument.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "fish", "ksh", "cmd"];
/// Programs that bring something from the network.
const FETCHERS: [&str; 2] = ["curl", "wget"];
/// Where everybody can write, or where nothing stays.
const TEMPORARY: [&str; 6] =
    ["/tmp/", "/var/tmp/", "/dev/shm/", "/private/tmp/", "/private/var/tmp/", "/private/var/folders/"];
/// How files end that an interpreter runs.
const SCRIPTS: [&str; 13] = ["js", "mjs", "cjs", "ts", "mts", "py", "pyz", "sh", "rb", "pl", "php", "jar", "bat"];
/// Words of names that hold secrets. A name counts when one of its words is among them.
const SECRET_WORDS: [&str; 13] = [
    "key",
    "apikey",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "pat",
    "credential",
    "credentials",
    "auth",
    "authorization",
];
/// Words by which such a name says that it holds something else.
const OTHER_WORDS: [&str; 12] =
    ["public", "file", "path", "dir", "url", "uri", "id", "name", "type", "mode", "method", "endpoint"];
/// Values shorter than this are switches rather than secrets.
const SHORTEST_SECRET: usize = 8;

/// What is wrong with an entry. `is_shared` says that it is in a file that others get, too, such as a project's.
pub fn check(contents: &Contents, origin: &Origin, is_shared: bool) -> Vec<Reported> {
    let mut found = Found { server: &contents.server, origin, list: Vec::new() };
    match &contents.reach {
        Reach::Command { words, .. } => {
            elevation(words, &mut found);
            temporary(words, &mut found);
            piped(words, &mut found);
            for flag in secret_flags(words) {
                found.secret("args", &flag, is_shared);
            }
        }
        Reach::Address { url, headers } => {
            unencrypted(url, &mut found);
            for (name, value) in headers {
                if is_secret(name, value.split_whitespace().last().unwrap_or_default()) {
                    found.secret("headers", name, is_shared);
                }
            }
        }
        Reach::Unknown(_) => {}
    }
    for (name, value) in &contents.variables {
        if is_secret(name, value) {
            found.secret("env", name, is_shared);
        }
    }
    found.list
}

struct Found<'c> {
    server: &'c str,
    origin: &'c Origin,
    list: Vec<Reported>,
}

impl Found<'_> {
    fn push(&mut self, severity: Severity, rule: &str, pointer: String, message: String, evidence: &str, remedy: &str) {
        self.list.push(Reported {
            severity,
            server: self.server.to_owned(),
            origin: self.origin.clone(),
            item: "configuration",
            tool: String::new(),
            threat: None,
            rule: Arc::from(rule),
            pointer,
            bytes: None,
            message,
            remedy: Arc::from(remedy),
            evidence: Evidence::plain(evidence),
        });
    }

    /// The name is the evidence: a report is no place for the value.
    fn secret(&mut self, field: &str, name: &str, is_shared: bool) {
        let (severity, whose) = if is_shared {
            (Severity::Warning, "in a project's file, which others get too")
        } else {
            (Severity::Info, "in plain text")
        };
        let pointer = format!("/{field}/{}", name.replace('~', "~0").replace('/', "~1"));
        self.push(
            severity,
            "config.inline-secret",
            pointer,
            format!("the value of `{name}` looks like a secret and stands here {whose}"),
            name,
            "Keep it in the environment or the client's own store of secrets, and refer to it.",
        );
    }
}

fn elevation(words: &[String], found: &mut Found<'_>) {
    let Some(program) = words.first() else { return };
    let line = shell_line(words);
    let direct = ELEVATING.contains(&file_name(program)).then_some(program.as_str());
    let inside = || line.and_then(|line| commands(line).find(|word| ELEVATING.contains(&file_name(word))));
    if let Some(word) = direct.or_else(inside) {
        let message = format!("`{}` starts the server with more rights than its user has", file_name(word));
        let remedy = "Run the server as the user; give it what it needs in another way.";
        found.push(Severity::Warning, "config.elevated", "/command".to_owned(), message, word, remedy);
    }
}

fn temporary(words: &[String], found: &mut Found<'_>) {
    for (at, word) in words.iter().enumerate() {
        let is_temporary = TEMPORARY.iter().any(|place| word.starts_with(place));
        let extension = Path::new(word).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        // Data may lie there; what is run may not.
        if is_temporary && (at == 0 || SCRIPTS.contains(&&*extension.to_ascii_lowercase())) {
            let pointer = if at == 0 { "/command".to_owned() } else { format!("/args/{}", at - 1) };
            let message = "the server's code is in a folder for temporary files, where other programs can replace it";
            let remedy = "Install it where only its user can write.";
            found.push(Severity::Warning, "config.temporary-program", pointer, message.to_owned(), word, remedy);
        }
    }
}

fn piped(words: &[String], found: &mut Found<'_>) {
    let Some(line) = shell_line(words) else { return };
    let fetches = commands(line).any(|word| FETCHERS.contains(&file_name(word)));
    let runs = line.split('|').skip(1).filter_map(|part| part.split_whitespace().next());
    if fetches && runs.into_iter().any(|word| SHELLS.contains(&file_name(word)) || file_name(word) == "python3") {
        let message = "each start runs what an address answers at that time".to_owned();
        let remedy = "Install the server once, from a source that can be checked.";
        found.push(Severity::Warning, "config.runs-download", "/command".to_owned(), message, line, remedy);
    }
}

fn unencrypted(url: &str, found: &mut Found<'_>) {
    let Some(rest) = url.trim().strip_prefix("http://") else { return };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let name = host.strip_prefix('[').map_or_else(|| host.split(':').next(), |rest| rest.split(']').next());
    let is_here = name.is_some_and(|name| matches!(name, "localhost" | "::1") || name.starts_with("127."));
    if !is_here {
        let message = "the server is reached without encryption: anybody on the way can change its tools".to_owned();
        let remedy = "Use its https:// address.";
        found.push(Severity::Warning, "config.unencrypted", "/url".to_owned(), message, host, remedy);
    }
}

/// The command line that a shell is given.
fn shell_line(words: &[String]) -> Option<&str> {
    let (program, rest) = words.split_first()?;
    let is_flag = |word: &&String| word.starts_with('-') && !word.starts_with("--") && word.ends_with('c');
    if !SHELLS.contains(&file_name(program)) {
        return None;
    }
    let at = rest.iter().position(|word| is_flag(&word) || word.eq_ignore_ascii_case("/c"))?;
    rest.get(at + 1).map(String::as_str)
}

/// The words of a command line at which a command begins.
fn commands(line: &str) -> impl Iterator<Item = &str> {
    line.split(['|', ';', '&', '(', '\n']).filter_map(|part| part.split_whitespace().find(|word| !word.contains('=')))
}

/// The flags whose values look like secrets: `--api-key=…`, `--token …`.
fn secret_flags(words: &[String]) -> Vec<String> {
    let mut flags = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(flag) = word.strip_prefix("--") else { continue };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value),
            None => (flag, words.get(at + 1).map_or("", String::as_str)),
        };
        if !value.starts_with('-') && is_secret(name, value) {
            flags.push(format!("--{name}"));
        }
    }
    flags
}

/// Whether a name with this value holds a secret that stands here.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let words = || lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let last_is_other = words().next_back().is_some_and(|word| OTHER_WORDS.contains(&word));
    let names_secret = words().any(|word| SECRET_WORDS.contains(&word)) && !words().any(|word| word == "public");
    names_secret && !last_is_other && value.len() >= SHORTEST_SECRET && !is_placeholder(value)
}

/// A reference, or what a template has in the place of a value.
fn is_placeholder(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let refers = value.contains("${") || value.contains("{{") || value.starts_with('$') || value.starts_with("op://");
    let asks = value.starts_with('<') || lower.contains("your") || lower.contains("xxxx") || lower.contains("changeme");
    refers || asks || value.contains(char::is_whitespace) || value.starts_with(['/', '~']) || value.contains("://")
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}
