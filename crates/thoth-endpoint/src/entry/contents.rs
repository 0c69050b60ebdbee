//! All that an entry says about how its server is reached, for those who reach it themselves. Unlike an
//! [`Entry`](super::Entry), it holds values, which can be secrets; it is never printed.

use std::fmt;

use super::find::{ADDRESSES, Slot, find};
use super::{Reading, Reason, is_command_line};
use crate::document::{Document, Node, Place, Value};
use crate::hosts::Shape;

/// How one server of a file is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Contents {
    /// Its name.
    pub server: String,
    /// What it is private to, such as a project's path.
    pub group: Option<String>,
    /// Where it is in the file.
    pub place: Place,
    /// The client does not start it now.
    pub disabled: bool,
    /// The way.
    pub reach: Reach,
    /// Environment variables, as written.
    pub variables: Vec<(String, String)>,
}

/// The way to a server.
#[derive(Clone, PartialEq, Eq)]
pub enum Reach {
    /// A command, without the `thoth run` before it if it is governed.
    Command {
        /// Program and arguments, as written.
        words: Vec<String>,
        /// The directory to start it in, as written.
        directory: Option<String>,
        /// Whether the client also reads variables from a file that the entry names.
        reads_file: bool,
    },
    /// An address.
    Address {
        /// As written.
        url: String,
        /// HTTP headers, as written.
        headers: Vec<(String, String)>,
    },
    /// None that is known here.
    Unknown(Reason),
}

/// Without values.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contents").field("server", &self.server).field("reach", &self.reach).finish_non_exhaustive()
    }
}

/// Without values.
impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { .. } => f.write_str("Command(..)"),
            Self::Address { .. } => f.write_str("Address(..)"),
            Self::Unknown(reason) => f.debug_tuple("Unknown").field(reason).finish(),
        }
    }
}

/// How the servers of a file are reached, in order of appearance.
#[must_use]
pub fn contents(document: &Document, shape: &Shape) -> Vec<Contents> {
    find(document, shape).iter().map(|slot| slot.contents(document)).collect()
}

impl Slot<'_> {
    fn contents(&self, document: &Document) -> Contents {
        let (reach, variables) = match (&self.start, &self.reading(document)) {
            (Ok(start), Ok(reading)) => {
                let mut variables = start.assignments(document);
                let text = |name: &str| start.table.get(name).and_then(Node::text).map(str::to_owned);
                let command = |words| Reach::Command {
                    words,
                    directory: text("cwd").or_else(|| text("workingDirectory")),
                    reads_file: start.reads_variables_from_file(),
                };
                let reach = match reading {
                    Reading::Launch(launch, _) => {
                        let ours = launch.added.as_ref().map(|added| added.variables.as_slice()).unwrap_or_default();
                        variables.retain(|(name, _)| !ours.contains(name));
                        command(launch.upstream.clone())
                    }
                    Reading::Thoth => Reach::Unknown(Reason::Thoth),
                    Reading::Other => match start.words(document) {
                        words if is_command_line(&words) => Reach::Unknown(Reason::CommandLine),
                        words => command(words),
                    },
                };
                (reach, variables)
            }
            (Err(reason @ Reason::Remote { .. }), _) => (address(document, self.node, reason), Vec::new()),
            (Err(reason), _) | (_, Err(reason)) => (Reach::Unknown(reason.clone()), Vec::new()),
        };
        Contents {
            server: self.server.clone(),
            group: self.group.clone(),
            place: document.place(self.at),
            disabled: self.disabled,
            reach,
            variables,
        }
    }
}

fn address(document: &Document, entry: &Node, reason: &Reason) -> Reach {
    let Some(url) = ADDRESSES.into_iter().find_map(|name| entry.get(name)).and_then(Node::text) else {
        return Reach::Unknown(reason.clone());
    };
    let tables = ["headers", "http_headers"].into_iter().filter_map(|name| entry.get(name));
    let headers = tables.flat_map(Node::members).map(|member| (member.key.clone(), written(document, &member.node)));
    Reach::Address { url: url.to_owned(), headers: headers.collect() }
}

/// A text's content; anything else as it is written.
pub(super) fn written(document: &Document, node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        _ => document.text().get(node.span.clone()).unwrap_or_default().to_owned(),
    }
}
