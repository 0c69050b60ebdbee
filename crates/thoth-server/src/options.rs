//! Settings of `thothd`: what was given on the command line, in variables and in a file, and what of it holds.
//!
//! It reads no setting that the table does not have, and no message repeats one that is a secret.

mod file;
mod flags;
mod near;
mod reference;
mod resolved;
mod show;
mod table;

pub(crate) use flags::{DATABASE, Flags, PLACE, SERVING};
pub(crate) use reference::reference;
pub(crate) use resolved::{DATABASE_URL, HEADERS, Origin, Resolved};
pub(crate) use show::{ConfigCommand, run};
pub(crate) use table::TRACES_ENDPOINT;

use thoth_api::Url;
use thoth_server::{RoleMapping, TenantMapping};

/// What all variables begin with.
const PREFIX: &str = "THOTHD_";
/// The variable that names the file of settings.
const CONFIG: &str = "THOTHD_CONFIG";

/// Which commands take a setting: each part is taken by those that take a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// Whatever works on a database.
    Database = 1,
    /// Whatever works beside the server, on what it keeps.
    Place = 2,
    /// Only the server.
    Serving = 3,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file or a folder. In a file of settings, from the folder of that file on.
    Path,
    /// An address and a port.
    Address,
    /// A whole number from 1 on.
    Count,
    /// One of some words; those after the first that mean the same stand in one entry.
    Word(&'static [&'static [&'static str]]),
    /// Yes or no.
    Switch,
    /// The address of a server, which is asked over HTTP or HTTPS.
    Url,
    /// A number from 0 to 1.
    Share,
    /// A short text.
    Text,
    /// Any number of these: a list in a file, separated by commas in a variable, and a flag that is repeated.
    List(Item),
    /// A text that is shown nowhere.
    Secret,
}

/// What stands in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    /// A short text.
    Text,
    /// Which value of a claim means which tenant.
    Tenant,
    /// What a role may do.
    Role,
}

/// What stands between the parts of a list, where that is one text. No part has it.
pub(crate) const BETWEEN: char = '\n';

/// One setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Its name in a file; in capitals behind `THOTHD_`, the variable.
    pub(crate) name: &'static str,
    /// The same with `-` for `_`.
    pub(crate) flag: &'static str,
    pub(crate) part: Part,
    pub(crate) kind: Kind,
    /// What stands for a value in the help.
    pub(crate) value: &'static str,
    pub(crate) default: Option<&'static str>,
    /// What it is, for the help and the reference.
    pub(crate) what: &'static str,
    /// What else whoever sets it should know, for the reference.
    pub(crate) more: &'static str,
    /// Variables that many programs know. They count where nothing says it for this one, the first one first.
    pub(crate) common: &'static [&'static str],
}

impl Setting {
    fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.to_ascii_uppercase())
    }
}

impl Kind {
    /// Looks at a value. An error says what it should be; it does not repeat it.
    fn check(self, text: &str) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        match self {
            Self::Path | Self::Secret if text.is_empty() => wrong("it is empty"),
            Self::Path | Self::Secret => Ok(()),
            Self::Address if text.parse::<std::net::SocketAddr>().is_err() => {
                wrong("it is no address with a port, such as `127.0.0.1:8787` or `[::1]:8787`")
            }
            Self::Count if text.parse::<std::num::NonZeroU32>().is_err() => {
                wrong("it is no whole number from 1 to 4294967295")
            }
            Self::Word(words) if !words.iter().any(|same| same.contains(&text)) => {
                let first: Vec<&str> = words.iter().filter_map(|same| same.first().copied()).collect();
                Err(format!("it is none of {}", first.join(", ")))
            }
            Self::Switch if !matches!(text, "true" | "false") => wrong("it is neither `true` nor `false`"),
            Self::Url if !is_address(text) => {
                wrong("it is no address as `https://host:port`, without a name, a password, `?` and `#`")
            }
            Self::Share if !text.parse::<f64>().is_ok_and(|share| (0.0..=1.0).contains(&share)) => {
                wrong("it is no number from 0 to 1")
            }
            Self::Text if !is_short(text) => Err(not_short()),
            Self::List(item) => parts(text).try_for_each(|part| item.check(part)),
            Self::Address | Self::Count | Self::Word(_) | Self::Switch | Self::Url | Self::Share | Self::Text => Ok(()),
        }
    }
}

impl Item {
    fn check(self, part: &str) -> Result<(), String> {
        let checked = match self {
            _ if !is_short(part) => return Err(not_short()),
            Self::Text => Ok(()),
            Self::Tenant => part.parse::<TenantMapping>().map(drop),
            Self::Role => part.parse::<RoleMapping>().map(drop),
        };
        checked.map_err(|error| error.to_string())
    }
}

/// The parts of a list.
pub(crate) fn parts(list: &str) -> impl Iterator<Item = &str> {
    list.split(BETWEEN).filter(|part| !part.is_empty())
}

/// The longest text of a setting, in bytes.
const MAX_TEXT: usize = 512;

fn not_short() -> String {
    format!("it is empty, longer than {MAX_TEXT} bytes, or has control characters")
}

fn is_short(text: &str) -> bool {
    !text.trim().is_empty() && text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

fn is_address(text: &str) -> bool {
    let is_plain =
        |url: &Url| matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    // Before the name of a host, the parser would take it for one.
    text.contains("://") && !text.contains(['?', '#']) && Url::parse(text).is_ok_and(|url| is_plain(&url))
}
