//! Which pins somebody means.

use std::str::FromStr as _;

use clap::Args;
use thoth_store::{Pin, Pins as _, PinsError, SqlitePins};
use thoth_types::display::name;
use thoth_types::{ItemKind, ServerName};

use crate::approvals::store::Store;
use thoth_shell::exit::Failure;
use thoth_shell::terminal::harmless_text;

/// Pins of one server.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// The server, as `thoth pins list` names it
    #[arg(value_name = "SERVER")]
    pub(crate) server: String,
    /// The tools or other things; without one, all that need a look
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Only things of this kind: tool, prompt, resource_template, instructions, launch
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub(crate) kind: Option<ItemKind>,
}

pub(crate) fn kind(text: &str) -> Result<ItemKind, String> {
    text.parse().map_err(|error: thoth_types::decision::UnknownWord| error.to_string())
}

impl Chosen {
    /// The pins that are meant. All that are named must be there; without a name, those that `wanted` picks.
    pub(crate) fn find(&self, pins: &SqlitePins, wanted: impl Fn(&Pin) -> bool) -> Result<Vec<Pin>, Failure> {
        let shown = harmless_text(&self.server);
        let server = ServerName::from_str(&self.server)
            .map_err(|error| Failure::usage(format!("`{shown}` is no name of a server: {error}")))?;
        let mut found = pins.list(Some(&server)).map_err(|error| failed(&error))?;
        if found.is_empty() {
            return Err(Failure::failed(format!("nothing of server `{shown}` is pinned"))
                .detail("code", "unknown_server")
                .hint("`thoth pins list` has what is; a server is pinned when a client lists its tools"));
        }
        found.retain(|pin| self.kind.is_none_or(|kind| pin.key.kind == kind));
        for one in &self.names {
            let with_name: Vec<&Pin> = found.iter().filter(|pin| *pin.key.name == **one).collect();
            if with_name.is_empty() {
                return Err(Failure::failed(format!("nothing of server `{shown}` called {} is pinned", name(one)))
                    .detail("code", "unknown_pin")
                    .hint(format_args!("`thoth pins list --server {shown}` has what is")));
            }
            if with_name.len() > 1 {
                let kinds: Vec<&str> = with_name.iter().map(|pin| pin.key.kind.as_str()).collect();
                return Err(Failure::failed(format!(
                    "{} is the name of several things: {}",
                    name(one),
                    kinds.join(", ")
                ))
                .detail("code", "ambiguous_pin")
                .hint("say which with --kind"));
            }
        }
        if self.names.is_empty() {
            found.retain(wanted);
        } else {
            found.retain(|pin| self.names.iter().any(|one| **one == *pin.key.name));
        }
        Ok(found)
    }
}

/// What a pin is of, for a sentence.
pub(crate) fn title(pin: &Pin) -> String {
    let server = name(pin.key.server.as_str());
    if pin.key.name.is_empty() {
        format!("the {} of {server}", pin.key.kind)
    } else {
        format!("{} {} of {server}", pin.key.kind, name(&pin.key.name))
    }
}

/// The pins of this installation.
pub(crate) fn store() -> Result<(Store, SqlitePins), Failure> {
    let store = Store::locate()?;
    let pins = store.holds().pins();
    Ok((store, pins))
}

/// The store could not do it.
pub(crate) fn failed(error: &PinsError) -> Failure {
    let (code, message) = match error {
        PinsError::Evidence(error) => ("unrecorded", format!("nothing was changed: it could not be recorded: {error}")),
        PinsError::Stale => ("stale", format!("nothing was approved: {error}")),
        PinsError::Nothing(_) => ("nothing", error.to_string()),
        error => ("store", error.to_string()),
    };
    Failure::failed(harmless_text(&message)).detail("code", code)
}
