//! What a call uses an argument for: a command, a path, an address, SQL, prose.
//!
//! The same characters are abuse in one role and ordinary in another, so the role decides which detectors look. It is
//! told by the name of the argument, the name of the tool and the declared schema, in this order of trust.

use thoth_types::json::Value;

/// What an argument is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// A command line that the tool runs: only dangerous commands are abuse.
    Command,
    /// A file or folder.
    Path,
    /// An address.
    Url,
    /// A host name or network address.
    Host,
    /// A statement of SQL.
    Sql,
    /// Words to search for.
    Search,
    /// Source code, documents, messages: anything may stand in them.
    Prose,
    /// An opaque identifier: a key, a cursor, a hash.
    Opaque,
    /// A short value of another kind: a city, a name, an option.
    Scalar,
}

/// The words of a name: `inputFile`, `input_file` and `input-file` are the same two.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut last_lower = false;
    for character in name.chars().take(96) {
        let boundary = !character.is_alphanumeric() || (character.is_uppercase() && last_lower);
        if boundary && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        last_lower = character.is_lowercase() || character.is_numeric();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

const SHELL_TOOLS: &[&str] = &[
    "shell",
    "bash",
    "sh",
    "zsh",
    "powershell",
    "pwsh",
    "cmd",
    "terminal",
    "console",
    "exec",
    "execute",
    "command",
    "commands",
    "run",
    "process",
    "subprocess",
    "ssh",
    "spawn",
];
const SQL_TOOLS: &[&str] = &[
    "sql",
    "db",
    "database",
    "postgres",
    "postgresql",
    "mysql",
    "sqlite",
    "mariadb",
    "mssql",
    "oracle",
    "snowflake",
    "bigquery",
    "duckdb",
    "clickhouse",
    "redshift",
    "trino",
    "presto",
    "athena",
    "supabase",
];
const COMMANDS: &[&str] = &["command", "commands", "cmd", "cmdline", "commandline", "shell", "bash", "argv", "exec"];
const PATHS: &[&str] = &[
    "path",
    "paths",
    "file",
    "files",
    "filename",
    "filenames",
    "filepath",
    "dir",
    "directory",
    "folder",
    "dirname",
    "cwd",
    "root",
    "workdir",
    "destination",
    "dest",
    "dst",
    "src",
    "pathname",
    "outfile",
    "infile",
    "archive",
    "attachment",
    "attachments",
    "ruta",
    "archivo",
    "chemin",
    "fichier",
    "datei",
    "pfad",
    "caminho",
    "arquivo",
    "percorso",
];
const URLS: &[&str] = &[
    "url", "urls", "uri", "uris", "link", "links", "href", "endpoint", "webhook", "callback", "website", "site",
    "page", "feed", "redirect", "origin",
];
const HOSTS: &[&str] = &["host", "hosts", "hostname", "domain", "ip", "address", "addr", "server", "target", "proxy"];
const SQLS: &[&str] = &["sql", "statement", "statements"];
const SEARCHES: &[&str] = &[
    "query", "queries", "q", "search", "keyword", "keywords", "term", "terms", "pattern", "regex", "regexp", "filter",
    "question",
];
const PROSE: &[&str] = &[
    "content",
    "contents",
    "text",
    "body",
    "message",
    "messages",
    "description",
    "comment",
    "comments",
    "prompt",
    "html",
    "markdown",
    "md",
    "code",
    "script",
    "source",
    "snippet",
    "program",
    "diff",
    "patch",
    "note",
    "notes",
    "summary",
    "title",
    "subject",
    "expression",
    "data",
    "payload",
    "input",
    "instructions",
    "context",
    "document",
    "documents",
    "template",
    "string",
    "old",
    "new",
    "replacement",
    "yaml",
    "json",
    "xml",
    "css",
    "observations",
    "thought",
    "explanation",
    "answer",
    "reason",
    "caption",
    "story",
    "article",
    "post",
    "reply",
    "email",
    "log",
    "logs",
    "output",
    "mermaid",
    "svg",
];
const OPAQUE: &[&str] = &[
    "id",
    "ids",
    "uuid",
    "guid",
    "key",
    "token",
    "cursor",
    "hash",
    "sha",
    "sha1",
    "sha256",
    "md5",
    "etag",
    "checksum",
    "digest",
    "signature",
    "nonce",
    "after",
    "before",
    "continuation",
    "ref",
    "revision",
    "commit",
    "password",
    "secret",
    "blob",
    "base64",
    "image",
    "version",
    "timestamp",
    "auth",
    "authorization",
    "cookie",
    "certificate",
    "publickey",
    "encoded",
    "encryption",
];

fn any(words: &[String], of: &[&str]) -> bool {
    words.iter().any(|word| of.contains(&word.as_str()))
}

/// What the name of a tool says about its arguments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tool {
    runs_commands: bool,
    speaks_sql: bool,
    searches: bool,
    handles_files: bool,
}

impl Tool {
    pub(super) fn of(name: &str) -> Self {
        let words = words(name);
        Self {
            runs_commands: any(&words, SHELL_TOOLS),
            speaks_sql: any(&words, SQL_TOOLS)
                || (any(&words, &["query"]) && any(&words, &["execute", "run", "table"])),
            searches: any(&words, &["search", "find", "lookup", "ask", "docs", "web", "google", "news"]),
            handles_files: any(&words, &["file", "files", "directory", "dir", "folder", "path", "ls", "filesystem"]),
        }
    }

    /// The role of a value under `key`, whose schema is `schema` where there is one.
    pub(super) fn role(self, key: &str, schema: Option<Value<'_>>) -> Role {
        if let Some(role) = schema.and_then(declared) {
            return role;
        }
        let words = words(key);
        // A name is about its last word; `file_content` is content and `content_file` a file. So each list is
        // asked for the last word first.
        let last = words.last().cloned().into_iter().collect::<Vec<_>>();
        self.by_words(&last).or_else(|| self.by_words(&words)).unwrap_or(Role::Scalar)
    }

    fn by_words(self, words: &[String]) -> Option<Role> {
        let runs =
            self.runs_commands && any(words, &["args", "arguments", "script", "code", "input", "line", "program"]);
        Some(if any(words, COMMANDS) || (runs && !any(words, &["code"])) {
            Role::Command
        } else if any(words, SQLS) {
            Role::Sql
        } else if any(words, SEARCHES) {
            if self.speaks_sql && any(words, &["query", "queries"]) && !self.searches {
                Role::Sql
            } else {
                Role::Search
            }
        } else if any(words, PATHS)
            || (self.handles_files && any(words, &["name", "source", "target", "location", "output", "input"]))
        {
            Role::Path
        } else if any(words, URLS) {
            Role::Url
        } else if any(words, HOSTS) {
            Role::Host
        } else if any(words, OPAQUE) {
            Role::Opaque
        } else if any(words, PROSE) {
            Role::Prose
        } else {
            return None;
        })
    }
}

/// The role that a schema declares beyond doubt.
fn declared(schema: Value<'_>) -> Option<Role> {
    if schema.get("contentMediaType").is_some() || schema.get("contentEncoding").is_some() {
        return Some(Role::Prose);
    }
    let format = schema.get("format")?.as_str()?;
    match format.as_ref() {
        "uri" | "url" | "uri-reference" | "iri" | "iri-reference" => Some(Role::Url),
        "hostname" | "idn-hostname" | "ipv4" | "ipv6" => Some(Role::Host),
        "path" | "file-path" | "directory-path" => Some(Role::Path),
        "uuid" | "date-time" | "date" | "time" | "email" | "duration" | "byte" => Some(Role::Opaque),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_roles() {
        for (tool, key, role) in [
            ("run_shell", "args", Role::Command),
            ("execute_command", "command", Role::Command),
            ("read_file", "path", Role::Path),
            ("file_converter", "input_file", Role::Path),
            ("write_file", "file_content", Role::Prose),
            ("write_file", "content", Role::Prose),
            ("fetch", "webhookUrl", Role::Url),
            ("ping", "host", Role::Host),
            ("database_query", "query", Role::Sql),
            ("web_search", "query", Role::Search),
            ("search_database_docs", "query", Role::Search),
            ("weather", "city", Role::Scalar),
            ("list", "page_token", Role::Opaque),
            ("run_python", "code", Role::Prose),
        ] {
            assert_eq!(Tool::of(tool).role(key, None), role, "{tool}.{key}");
        }
    }
}
