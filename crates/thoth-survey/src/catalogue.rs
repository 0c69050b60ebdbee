//! What one server says that it offers, kept as the bytes that came: a scan must see every byte of a definition, members
//! that no version of the protocol knows and the spelling of numbers included.

use std::borrow::Cow;
use std::path::PathBuf;

use thoth_scan::definition::Server;
use thoth_types::ItemKind;
use thoth_types::json::{JsonError, Limits, Tape, Value};

/// What is read of one server, at most. The scanner's own caps are below that and are findings.
pub const LIMITS: Limits = Limits { max_bytes: 64 << 20, max_depth: 128, max_values: 4 << 20 };

/// The lists of a server, as the protocol calls them.
pub const LISTS: [(&str, ItemKind); 4] = [
    ("tools", ItemKind::Tool),
    ("prompts", ItemKind::Prompt),
    ("resources", ItemKind::Resource),
    ("resourceTemplates", ItemKind::ResourceTemplate),
];

/// Where a server was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file with definitions.
    File(PathBuf),
    /// Definitions on standard input.
    Stdin,
    /// A command of the command line. Only its program is kept: arguments can hold secrets.
    Command(String),
    /// An address, without what can be secret in it.
    Url(String),
    /// An entry of a client's file.
    Entry {
        /// The client's id.
        client: &'static str,
        /// The file.
        path: PathBuf,
        /// The entry's line.
        line: usize,
    },
}

impl Origin {
    /// The client in which it meets other servers.
    pub const fn client(&self) -> &str {
        match self {
            Self::Entry { client, .. } => client,
            _ => "",
        }
    }

    /// For people, not yet harmless.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::File(path) => path.to_string_lossy(),
            Self::Stdin => "standard input".into(),
            Self::Command(text) | Self::Url(text) => text.into(),
            Self::Entry { path, line, .. } => format!("{}:{line}", path.display()).into(),
        }
    }
}

/// One server's answers.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// The name by which it is known here.
    pub server: String,
    /// Where it was found.
    pub origin: Origin,
    /// An object of lists, each element as it came.
    document: Vec<u8>,
}

impl Catalogue {
    /// A catalogue of what is in an object: `instructions` and lists, such as the result of `tools/list`.
    pub fn of_object(server: String, origin: Origin, object: Value<'_>) -> Self {
        Self { server, origin, document: object.raw().to_vec() }
    }

    /// A catalogue of an array of tools.
    pub fn of_tools(server: String, origin: Origin, tools: Value<'_>) -> Self {
        Self { server, origin, document: [b"{\"tools\":", tools.raw(), b"}"].concat() }
    }

    /// A catalogue of an object that was put together from answers.
    pub fn of_answers(server: String, origin: Origin, document: Vec<u8>) -> Self {
        Self { server, origin, document }
    }

    /// Reads it.
    pub fn open<'d>(&'d self, tape: &'d mut Tape) -> Result<Open<'d>, JsonError> {
        let root = tape.parse(&self.document, &LIMITS)?;
        let instructions = root.get("instructions").and_then(|text| text.as_str());
        Ok(Open { catalogue: self, root, instructions })
    }
}

/// A catalogue that was read.
#[derive(Debug)]
pub struct Open<'d> {
    /// What was read.
    pub catalogue: &'d Catalogue,
    root: Value<'d>,
    /// The server's `instructions`.
    pub instructions: Option<Cow<'d, str>>,
}

impl<'d> Open<'d> {
    /// Whether another one offers the very same.
    pub fn offers_as(&self, other: &Self) -> bool {
        self.root.raw() == other.root.raw()
    }

    /// The elements of a list.
    pub fn list(&self, name: &str) -> Vec<Value<'d>> {
        self.root.get(name).into_iter().flat_map(|list| list.elements()).collect()
    }

    /// Everything in it, list by list.
    pub fn items(&self) -> impl Iterator<Item = (ItemKind, Value<'d>)> {
        LISTS.into_iter().flat_map(|(name, kind)| self.list(name).into_iter().map(move |value| (kind, value)))
    }

    /// The server as the scanner takes it.
    pub fn as_server(&self) -> Server<'_> {
        Server {
            name: &self.catalogue.server,
            instructions: self.instructions.as_deref(),
            tools: self.list("tools"),
            prompts: self.list("prompts"),
            resources: self.list("resources"),
            resource_templates: self.list("resourceTemplates"),
        }
    }
}

/// What a list's element calls itself.
pub fn name_of(kind: ItemKind, value: Value<'_>) -> String {
    let key = match kind {
        ItemKind::Resource => "uri",
        ItemKind::ResourceTemplate => "uriTemplate",
        _ => "name",
    };
    value.get(key).and_then(|name| name.as_str()).unwrap_or_default().into_owned()
}
