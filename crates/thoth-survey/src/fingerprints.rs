//! Fingerprints as they are written down. The keys are part of the contract; docs/scan.md lists them.

mod baseline;

use serde_json::{Value, json};
use thoth_scan::fingerprint::{digest_of, of_definition, of_text};
use thoth_types::json::Tape;
use thoth_types::{Fingerprint, ItemKind};

use crate::catalogue::{Catalogue, Open, Origin, name_of};
use crate::missed::Missed;

pub use baseline::{Baseline, BaselineError, Change, What, compare, read_baseline};

/// What stands at the head of the document.
pub const FORMAT: &str = "thoth-fingerprints-1";

/// One server's fingerprints.
#[derive(Debug)]
pub struct ServerPrint {
    /// The server's name.
    pub server: String,
    /// Where it was found.
    pub origin: Origin,
    /// Of all its items, in whatever order it lists them.
    pub digest: String,
    /// What it offers.
    pub items: Vec<ItemPrint>,
}

/// The fingerprint of one thing that a server offers.
#[derive(Debug)]
pub struct ItemPrint {
    /// What it is.
    pub kind: ItemKind,
    /// Empty for what a server has only one of.
    pub name: String,
    /// Its digests.
    pub print: Fingerprint,
}

impl ItemPrint {
    /// The name, where there is one.
    pub fn shown_name(&self) -> &str {
        if self.name.is_empty() { "-" } else { &self.name }
    }

    fn to_json(&self) -> Value {
        let fields = self.print.fields.iter();
        json!({
            "kind": self.kind.as_str(),
            "name": self.name,
            "digest": self.print.digest.to_string(),
            "fields": fields.map(|field| json!({"field": &*field.field, "digest": field.digest.to_string()})).collect::<Vec<_>>(),
        })
    }
}

/// The fingerprints of all servers that can be read; the others are noted.
pub fn servers(catalogues: &[Catalogue], missed: &mut Vec<Missed>) -> Vec<ServerPrint> {
    let mut servers = Vec::new();
    let mut tape = Tape::new();
    for catalogue in catalogues {
        match catalogue.open(&mut tape) {
            Ok(open) => servers.push(server(&open)),
            Err(error) => {
                let message = format!("its answers are not acceptable JSON: {}", error.code);
                missed.push(Missed::new(&catalogue.server, catalogue.origin.clone(), "invalid_json", message));
            }
        }
    }
    servers
}

fn server(open: &Open<'_>) -> ServerPrint {
    let instructions = open.instructions.as_deref().map(|text| ItemPrint {
        kind: ItemKind::Instructions,
        name: String::new(),
        print: of_text("instructions", text),
    });
    let items = open.items().map(|(kind, value)| ItemPrint {
        kind,
        name: name_of(kind, value),
        print: of_definition(kind, value),
    });
    let items: Vec<ItemPrint> = instructions.into_iter().chain(items).collect();
    let mut digests: Vec<String> = items.iter().map(|item| format!("{} {}\n", item.kind, item.print.digest)).collect();
    digests.sort();
    let digest = digest_of(digests.concat().as_bytes()).to_string();
    let Catalogue { server, origin, .. } = open.catalogue;
    ServerPrint { server: server.clone(), origin: origin.clone(), digest, items }
}

/// The whole.
pub fn to_json(servers: &[ServerPrint], missed: &[Missed]) -> Value {
    json!({
        "schema_version": 1,
        "format": FORMAT,
        "servers": servers.iter().map(ServerPrint::to_json).collect::<Vec<_>>(),
        "not_read": missed.iter().map(Missed::to_json).collect::<Vec<_>>(),
    })
}

impl ServerPrint {
    fn to_json(&self) -> Value {
        json!({
            "server": self.server,
            "origin": self.origin.shown(),
            "digest": self.digest,
            "items": self.items.iter().map(ItemPrint::to_json).collect::<Vec<_>>(),
        })
    }
}
