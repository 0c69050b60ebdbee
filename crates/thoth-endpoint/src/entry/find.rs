//! Where in a document the servers are, and how each is started.

use std::collections::BTreeSet;

use super::Reason;
use super::contents::written;
use crate::document::{Document, Format, Member, Node, Value};
use crate::hosts::{Servers, Shape};

/// A server's place in a document.
#[derive(Debug)]
pub(crate) struct Slot<'d> {
    pub(crate) server: String,
    pub(crate) group: Option<String>,
    /// The byte where it begins.
    pub(crate) at: usize,
    pub(crate) disabled: bool,
    /// The whole entry.
    pub(crate) node: &'d Node,
    pub(crate) start: Result<Start<'d>, Reason>,
}

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'d> {
    /// The table that has the command and what belongs to it.
    pub(crate) table: &'d Node,
    /// The member with the program, or with the whole command.
    pub(crate) command: &'d Member,
    pub(crate) style: Style<'d>,
    /// The member with environment variables, and the name of that member.
    pub(crate) env: Option<&'d Member>,
    pub(crate) env_name: &'static str,
}

/// How a command is written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style<'d> {
    /// A program, and beside it a list of arguments, which may be missing, and its name.
    Apart(Option<&'d Member>, &'static str),
    /// One list.
    Together,
}

/// All servers of a document.
pub(crate) fn find<'d>(document: &'d Document, shape: &Shape) -> Vec<Slot<'d>> {
    let mut slots = Vec::new();
    for servers in shape.servers {
        walk(document.root(), servers.path, None, &mut |node, group| {
            collect(document, node, group, servers, shape, &mut slots);
        });
    }
    slots.sort_by_key(|slot| slot.at);
    slots
}

/// Calls `visit` with each node that the path leads to, and the name that a star stood for.
fn walk<'d>(node: &'d Node, path: &[&str], group: Option<&str>, visit: &mut impl FnMut(&'d Node, Option<&str>)) {
    let Some((name, rest)) = path.split_first() else { return visit(node, group) };
    for member in node.members() {
        if *name == "*" {
            walk(&member.node, rest, Some(&member.key), visit);
        } else if member.key == *name {
            walk(&member.node, rest, group, visit);
        }
    }
}

fn collect<'d>(
    document: &'d Document,
    node: &'d Node,
    group: Option<&str>,
    servers: &Servers,
    shape: &Shape,
    slots: &mut Vec<Slot<'d>>,
) {
    let mut push = |server: &str, at: usize, entry: &'d Node| {
        slots.push(Slot {
            server: server.to_owned(),
            group: group.map(str::to_owned),
            at,
            disabled: is_disabled(entry),
            node: entry,
            start: start(document, entry, shape),
        });
    };
    for member in node.members() {
        if !servers.settings.contains(&&*member.key) || looks_like_server(&member.node, shape) {
            push(&member.key, member.key_span.start, &member.node);
        }
    }
    for item in node.items() {
        let name = ["name", "uses"].into_iter().find_map(|name| item.get(name).and_then(Node::text));
        push(name.unwrap_or_default(), item.span.start, item);
    }
}

fn looks_like_server(node: &Node, shape: &Shape) -> bool {
    let scalar = |name: &str| node.get(name).is_some_and(|value| !matches!(value.value, Value::Map(_)));
    scalar(shape.command) || scalar("type") || ADDRESSES.into_iter().any(scalar)
}

fn is_disabled(entry: &Node) -> bool {
    let is = |name: &str, wanted: bool| entry.get(name).is_some_and(|node| node.value == Value::Bool(wanted));
    is("disabled", true) || is("enabled", false)
}

/// The name under which YAML takes the members of another table over.
const MERGE: &str = "<<";

/// The fields that hold a remote server's address, in one client or another.
pub(super) const ADDRESSES: [&str; 7] = ["url", "serverUrl", "server_url", "httpUrl", "http_url", "uri", "endpoint"];

/// What `type` or `transport` says of remote servers, in one client or another; without regard to case and separators.
const REMOTE: [&str; 7] = ["http", "sse", "streamablehttp", "remote", "ws", "websocket", "httpsse"];

/// What it says of servers that the client starts.
const LOCAL: [&str; 2] = ["stdio", "local"];

fn start<'d>(document: &Document, entry: &'d Node, shape: &Shape) -> Result<Start<'d>, Reason> {
    if !matches!(entry.value, Value::Map(_)) {
        return Err(if is_alias(document, entry) {
            Reason::Referenced
        } else {
            Reason::Malformed("it is not a table")
        });
    }
    let kind = ["type", "transport"].into_iter().find_map(|name| entry.get(name)).and_then(Node::text);
    let plain_kind: String =
        kind.unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let address = ADDRESSES.into_iter().find_map(|name| entry.get(name));
    let command = last(entry, shape.command).filter(|command| !is_null(document, &command.node));
    let Some(command) = command else {
        return Err(if address.is_some() || REMOTE.contains(&&*plain_kind) {
            Reason::Remote { host: address.and_then(Node::text).and_then(host) }
        } else if ["uses", MERGE].into_iter().any(|name| entry.get(name).is_some()) {
            Reason::Referenced
        } else if entry.get("source").and_then(Node::text) == Some("extension") || entry.get("settings").is_some() {
            Reason::Extension
        } else if let Some(kind) = kind.filter(|_| !LOCAL.contains(&&*plain_kind)) {
            Reason::BuiltIn { kind: kind.to_owned() }
        } else {
            Reason::NoCommand
        });
    };
    if REMOTE.contains(&&*plain_kind) {
        return Err(Reason::Remote { host: address.and_then(Node::text).and_then(host) });
    }
    let empty = |node: &Node| node.text().is_some_and(|text| text.trim().is_empty());
    // Which of the two counts differs by client.
    let has_address =
        ADDRESSES.into_iter().filter_map(|name| entry.get(name)).any(|node| !is_null(document, node) && !empty(node));
    if has_address && !LOCAL.contains(&&*plain_kind) {
        return Err(Reason::Malformed("it has both a command and an address"));
    }
    match &command.node.value {
        Value::Text(_) if empty(&command.node) => Err(Reason::NoCommand),
        Value::Text(_) => Ok(Start {
            table: entry,
            command,
            style: apart(entry, shape.args)?,
            env: last(entry, shape.env),
            env_name: shape.env,
        }),
        Value::List(words) if words.first().is_none_or(|word| word.text().is_none() || empty(word)) => {
            Err(Reason::NoCommand)
        }
        Value::List(_) => Ok(Start {
            table: entry,
            command,
            style: Style::Together,
            env: last(entry, shape.env),
            env_name: shape.env,
        }),
        Value::Map(_) => nested(&command.node),
        Value::Other if is_alias(document, &command.node) => Err(Reason::Referenced),
        Value::Bool(_) | Value::Other => Err(Reason::Malformed("its command is not a text")),
    }
}

/// Zed before version 0.192: the command is a table of its own.
fn nested(table: &Node) -> Result<Start<'_>, Reason> {
    match last(table, "path") {
        Some(command) if command.node.text().is_some_and(|path| !path.trim().is_empty()) => {
            Ok(Start { table, command, style: apart(table, "args")?, env: last(table, "env"), env_name: "env" })
        }
        _ => Err(Reason::NoCommand),
    }
}

fn apart<'d>(table: &'d Node, name: &'static str) -> Result<Style<'d>, Reason> {
    let args = last(table, name);
    if args.is_some_and(|args| !matches!(args.node.value, Value::List(_))) {
        return Err(Reason::Malformed("its arguments are not a list"));
    }
    Ok(Style::Apart(args, name))
}

/// The member that readers take where there are several.
fn last<'d>(table: &'d Node, name: &str) -> Option<&'d Member> {
    table.members().iter().rev().find(|member| member.key == name)
}

/// As JSON and YAML write it.
fn is_null(document: &Document, node: &Node) -> bool {
    node.value == Value::Other && matches!(source(document, node), "" | "null" | "Null" | "NULL" | "~")
}

/// Of YAML.
fn is_alias(document: &Document, node: &Node) -> bool {
    document.format() == Format::Yaml && node.value == Value::Other && source(document, node).starts_with('*')
}

fn source<'d>(document: &'d Document, node: &Node) -> &'d str {
    document.text().get(node.span.clone()).unwrap_or_default()
}

/// The host and port of an address, if they are written plainly: user names, paths and placeholders can be secrets.
fn host(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    (!host.is_empty() && host.len() <= 253 && host.chars().all(plain)).then(|| host.to_owned())
}

impl Start<'_> {
    /// Whether it has a table of environment variables, or can get one.
    pub(crate) fn can_hold_variables(&self) -> bool {
        self.env.is_none_or(|env| matches!(env.node.value, Value::Map(_)))
    }

    /// Whether the client sets the variables that another file names.
    pub(crate) fn reads_variables_from_file(&self) -> bool {
        ["envFile", "env_file"].into_iter().any(|name| last(self.table, name).is_some())
    }

    /// The names of the environment variables that it sets, in order, each once; for what stands elsewhere in YAML, the
    /// reference as it is written.
    pub(crate) fn variables(&self, document: &Document) -> Vec<String> {
        let (mut names, mut known) = (Vec::new(), BTreeSet::new());
        let mut add = |name: &str| {
            if known.insert(name.to_owned()) {
                names.push(name.to_owned());
            }
        };
        for member in self.table.members() {
            if member.key == MERGE && document.format() == Format::Yaml {
                add(MERGE);
            }
            // Which of two with one name counts is for the client to say.
            if member.key != self.env_name {
                continue;
            }
            if is_alias(document, &member.node) {
                add(source(document, &member.node));
            }
            member.node.members().iter().for_each(|variable| add(&variable.key));
            // As containers are given them: `NAME=value`.
            let items = member.node.items().iter().filter_map(Node::text);
            items.for_each(|item| add(item.split('=').next().unwrap_or_default()));
        }
        names
    }

    /// The environment variables that it sets, as far as they stand here.
    pub(super) fn assignments(&self, document: &Document) -> Vec<(String, String)> {
        let Some(env) = self.env else { return Vec::new() };
        let members = env.node.members().iter();
        let named = members.map(|member| (member.key.clone(), written(document, &member.node)));
        // As containers are given them: `NAME=value`.
        let items = env.node.items().iter().filter_map(Node::text).filter_map(|item| item.split_once('='));
        named.chain(items.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }

    /// The words of the command; what is not a text, as it is written.
    pub(crate) fn words(&self, document: &Document) -> Vec<String> {
        let word = |node: &Node| match node.text() {
            Some(text) => text.to_owned(),
            None => source(document, node).to_owned(),
        };
        match self.style {
            Style::Together => self.command.node.items().iter().map(word).collect(),
            Style::Apart(args, _) => {
                let args = args.map(|args| args.node.items()).unwrap_or_default();
                std::iter::once(&self.command.node).chain(args).map(word).collect()
            }
        }
    }
}
