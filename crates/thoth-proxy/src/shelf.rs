//! What the server has offered in this session beside tools, as far as requests for it depend on it.

use std::collections::{HashMap, HashSet};

use thoth_types::ItemKind;

use crate::offers::worse;
use crate::warden::Known;

/// Things remembered of each kind. A server that goes beyond is not an honest one.
const MAX_REMEMBERED: usize = 4096;

/// Prompts and resources. Nothing is asked for by the name of a template.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// What is known of each prompt; what is forgotten, the store of pins still knows.
    prompts: HashMap<String, Known>,
    /// Resources that are kept from the client.
    withheld: HashSet<String>,
    /// What the pages of each listing that is under way have shown so far.
    shown: HashMap<ItemKind, HashSet<String>>,
}

impl Shelf {
    /// A listing of this kind begins anew.
    pub(crate) fn begin(&mut self, kind: ItemKind) {
        self.shown.remove(&kind);
    }

    /// Whether a listing shows a name for the second time, which no honest one does: a client may take either, so that the one
    /// in worse order counts. Of a listing without an end that is said of everything.
    fn is_again(&mut self, kind: ItemKind, name: &str) -> bool {
        let shown = self.shown.entry(kind).or_default();
        shown.contains(name) || shown.len() >= MAX_REMEMBERED || !shown.insert(name.to_owned())
    }

    /// A prompt as it was listed.
    pub(crate) fn put_prompt(&mut self, name: String, known: Known) {
        let again = self.is_again(ItemKind::Prompt, &name);
        match self.prompts.get(&name) {
            Some(first) if again && worse(first, Some(&known)) => {}
            None if self.prompts.len() >= MAX_REMEMBERED => {}
            _ => drop(self.prompts.insert(name, known)),
        }
    }

    /// What is known of a prompt that was listed.
    pub(crate) fn prompt(&self, name: &str) -> Option<&Known> {
        self.prompts.get(name)
    }

    /// A resource as it was listed, and whether it is kept from the client.
    pub(crate) fn put_resource(&mut self, name: String, withheld: bool) {
        let again = self.is_again(ItemKind::Resource, &name);
        if !withheld && !again {
            self.withheld.remove(&name);
        } else if withheld && self.withheld.len() < MAX_REMEMBERED {
            self.withheld.insert(name);
        }
    }

    /// Whether a resource is kept from the client.
    pub(crate) fn withholds_resource(&self, name: &str) -> bool {
        self.withheld.contains(name)
    }
}
