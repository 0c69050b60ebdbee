//! What a call uses an argument for: a command, a path, an address, SQL, prose.
//!
//! The same characters are abuse in one role and ordinary in another, so the role decides which detectors look. It is
//! told by the name of the argument, the name of the tool and the declared schema, in this order of trust.

use std::collections::HashMap;
use std::sync::LazyLock;

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
const SEARCH_TOOLS: &[&str] = &["search", "find", "lookup", "ask", "docs", "web", "google", "news"];
const FILE_TOOLS: &[&str] = &["file", "files", "directory", "dir", "folder", "path", "ls", "filesystem"];
/// What names a file when the tool is about files.
const FILE_NAMES: &[&str] = &["name", "source", "target", "location", "output", "input"];
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

/// Groups of words, as bits.
const GROUPS: [&[&str]; 13] = [
    SHELL_TOOLS,
    SQL_TOOLS,
    COMMANDS,
    PATHS,
    URLS,
    HOSTS,
    SQLS,
    SEARCHES,
    PROSE,
    OPAQUE,
    SEARCH_TOOLS,
    FILE_TOOLS,
    FILE_NAMES,
];
const IS_SHELL_TOOL: u16 = 1 << 0;
const IS_SQL_TOOL: u16 = 1 << 1;
const IS_COMMAND: u16 = 1 << 2;
const IS_PATH: u16 = 1 << 3;
const IS_URL: u16 = 1 << 4;
const IS_HOST: u16 = 1 << 5;
const IS_SQL: u16 = 1 << 6;
const IS_SEARCH: u16 = 1 << 7;
const IS_PROSE: u16 = 1 << 8;
const IS_OPAQUE: u16 = 1 << 9;
const IS_SEARCH_TOOL: u16 = 1 << 10;
const IS_FILE_TOOL: u16 = 1 << 11;
const IS_FILE_NAME: u16 = 1 << 12;

static WORDS: LazyLock<HashMap<&'static str, u16>> = LazyLock::new(|| {
    let mut all = HashMap::new();
    for (at, words) in GROUPS.iter().enumerate() {
        for word in *words {
            *all.entry(*word).or_default() |= 1 << at;
        }
    }
    all
});

/// The groups of the words of a name: of its last word, and of all.
fn groups(name: &str) -> (u16, u16) {
    let mut word = String::with_capacity(16);
    let (mut last, mut all) = (0, 0);
    let mut close = |word: &mut String| {
        if !word.is_empty() {
            last = WORDS.get(word.as_str()).copied().unwrap_or(0);
            all |= last;
            word.clear();
        }
    };
    let mut last_lower = false;
    // `inputFile`, `input_file` and `input-file` are the same two words.
    for character in name.chars().take(96) {
        if !character.is_alphanumeric() || (character.is_uppercase() && last_lower) {
            close(&mut word);
        }
        if character.is_ascii_alphanumeric() {
            word.push(character.to_ascii_lowercase());
        } else if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        last_lower = character.is_lowercase() || character.is_numeric();
    }
    close(&mut word);
    (last, all)
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
        let (_, all) = groups(name);
        let lower = name.to_ascii_lowercase();
        let runs_query =
            lower.contains("query") && (lower.contains("execute") || lower.contains("run") || lower.contains("table"));
        Self {
            runs_commands: all & IS_SHELL_TOOL != 0,
            speaks_sql: all & IS_SQL_TOOL != 0 || runs_query,
            searches: all & IS_SEARCH_TOOL != 0,
            handles_files: all & IS_FILE_TOOL != 0,
        }
    }

    /// The role of a value under `key`, whose schema is `schema` where there is one.
    pub(super) fn role(self, key: &str, schema: Option<Value<'_>>) -> Role {
        if let Some(role) = schema.and_then(declared) {
            return role;
        }
        // A name is about its last word: `file_content` is content and `content_file` a file.
        let (last, all) = groups(key);
        self.by_groups(last, key).or_else(|| self.by_groups(all, key)).unwrap_or(Role::Scalar)
    }

    fn by_groups(self, groups: u16, key: &str) -> Option<Role> {
        let is = |group: u16| groups & group != 0;
        let run = self.runs_commands && matches!(key, "args" | "arguments" | "script" | "input" | "line" | "program");
        Some(if is(IS_COMMAND) || run {
            Role::Command
        } else if is(IS_SQL) {
            Role::Sql
        } else if is(IS_SEARCH) {
            if self.speaks_sql && !self.searches && matches!(key, "query" | "queries") {
                Role::Sql
            } else {
                Role::Search
            }
        } else if is(IS_PATH) || (self.handles_files && is(IS_FILE_NAME)) {
            Role::Path
        } else if is(IS_URL) {
            Role::Url
        } else if is(IS_HOST) {
            Role::Host
        } else if is(IS_OPAQUE) {
            Role::Opaque
        } else if is(IS_PROSE) {
            Role::Prose
        } else {
            return None;
        })
    }
}

/// Whether a tool's definition, as JSON text, may say what role an argument has. Most do not, and need not be read.
#[must_use]
pub fn declares_roles(definition: &str) -> bool {
    DECLARING.iter().any(|key| memchr::memmem::find(definition.as_bytes(), key.as_bytes()).is_some())
        // A key may be written in escapes.
        || memchr::memmem::find(definition.as_bytes(), b"\\u").is_some()
}

/// The keys that [`declared`] reads.
const DECLARING: &[&str] = &["\"format\"", "\"contentMediaType\"", "\"contentEncoding\""];

/// The role that a schema declares beyond doubt.
pub(super) fn declared(schema: Value<'_>) -> Option<Role> {
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

    /// Defends that a definition is read wherever it matters.
    #[test]
    fn a_definition_that_declares_roles_is_told() {
        for (definition, declares) in [
            (r#"{"inputSchema":{"properties":{"u":{"format":"uri","type":"string"}}}}"#, true),
            (r#"{"inputSchema":{"properties":{"u":{"contentEncoding":"base64"}}}}"#, true),
            (r#"{"inputSchema":{"properties":{"u":{"contentMediaType":"text/html"}}}}"#, true),
            (r#"{"inputSchema":{"properties":{"u":{"f\u006frmat":"uri"}}}}"#, true),
            (r#"{"inputSchema":{"properties":{"u":{"type":"string"}}}}"#, false),
        ] {
            assert_eq!(declares_roles(definition), declares, "{definition}");
        }
    }

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
