//! The section `inspect`.

use std::collections::BTreeSet;
use std::sync::Arc;

use thoth_types::{HarmClass, InspectAction, Inspected};

use crate::diagnostic::DiagnosticCode;
use crate::inspect::{InspectDraft, InspectSection};
use crate::integrity::Said;
use crate::read::Reader;
use crate::yaml::{Content, Key, Node};

const OPTIONS: [&str; 4] = ["email", "phone", "allowed_hosts", "allowed_paths"];

fn keys(more: &'static str) -> Vec<&'static str> {
    HarmClass::ALL.iter().map(|class| class.as_str()).chain(OPTIONS).chain([more]).collect()
}

impl Reader<'_> {
    pub(crate) fn inspect(&mut self, node: &Node) -> InspectSection {
        let mut section = InspectSection::default();
        for (key, value) in self.fields(node, "`inspect`", &keys("servers")) {
            if &*key.text == "servers" {
                section.servers = self.inspect_servers(value);
            } else {
                self.inspect_key(key, value, &mut section.all);
            }
        }
        section
    }

    fn inspect_key(&mut self, key: &Key, value: &Node, draft: &mut InspectDraft) {
        match &*key.text {
            "email" => draft.email = self.boolean(value, "`email`"),
            "phone" => draft.phone = self.boolean(value, "`phone`"),
            "allowed_hosts" => draft.allowed_hosts = Some(self.allowed_hosts(value)),
            "allowed_paths" => draft.allowed_paths = Some(self.names(value, "`allowed_paths`")),
            class => {
                if let Ok(class) = class.parse() {
                    self.inspect_class(class, value, draft);
                }
            }
        }
    }

    /// Either one word, for every direction in which the class is looked for, or a word for each.
    fn inspect_class(&mut self, class: HarmClass, node: &Node, draft: &mut InspectDraft) {
        let directions = || Inspected::ALL.iter().filter(|direction| !class.actions(**direction).is_empty());
        if !matches!(node.content, Content::Map(_)) {
            for direction in directions() {
                if !self.inspect_action(class, *direction, node, draft) {
                    return;
                }
            }
            return;
        }
        let known: Vec<&str> = directions().map(|direction| direction.as_str()).collect();
        for (key, value) in self.fields(node, &format!("`{class}`"), &known) {
            if let Ok(direction) = key.text.parse() {
                self.inspect_action(class, direction, value, draft);
            }
        }
    }

    fn inspect_action(
        &mut self,
        class: HarmClass,
        inspected: Inspected,
        node: &Node,
        draft: &mut InspectDraft,
    ) -> bool {
        let known: Vec<&str> = class.actions(inspected).iter().map(|action| action.as_str()).collect();
        let Some(text) = self.text(node, "an answer") else { return false };
        let action: Option<InspectAction> =
            text.parse().ok().filter(|action| class.actions(inspected).contains(action));
        let Some(value) = action else {
            let message = format!("`{text}` is no answer to `{class}` in {inspected}");
            self.error_help(DiagnosticCode::BadValue, node.at, message, format!("known here: {}", known.join(", ")));
            return false;
        };
        if inspected == Inspected::Results && value == InspectAction::Ask {
            let message = format!("nobody can be asked about results: `{class}` in them is held back");
            self.warn(node.at, message, "write `block`, which is the same here");
        }
        draft.set(class, inspected, Said { value, place: self.file.place(node.at) });
        true
    }

    fn names(&mut self, node: &Node, what: &str) -> BTreeSet<Arc<str>> {
        // An empty list allows nothing, which is what a file may want to say beside others.
        if matches!(&node.content, Content::List(items) if items.is_empty()) {
            return BTreeSet::new();
        }
        let mut names = BTreeSet::new();
        for (text, at) in self.texts(node, what) {
            if text.trim().is_empty() {
                self.error(DiagnosticCode::BadValue, at, format!("an empty entry of {what} allows nothing"));
            }
            names.insert(Arc::clone(text));
        }
        names
    }

    fn allowed_hosts(&mut self, node: &Node) -> BTreeSet<Arc<str>> {
        let hosts = self.names(node, "`allowed_hosts`");
        for host in &hosts {
            let name = host.strip_prefix("*.").unwrap_or(host);
            if name.contains(['*', '/', '@', '?', ' ']) {
                let message = format!("`{host}` is no host");
                let help =
                    "write a name or an address without scheme and port; `*.corp.example` covers what is below it";
                self.error_help(DiagnosticCode::BadValue, node.at, message, help);
            }
        }
        hosts
    }

    fn inspect_servers(&mut self, node: &Node) -> Vec<(crate::text_match::TextMatch, InspectDraft)> {
        let Content::List(items) = &node.content else {
            self.wrong_type(node, "`servers`", "a list");
            return Vec::new();
        };
        let mut servers = Vec::new();
        for item in items {
            let (mut names, mut draft) = (None, InspectDraft::default());
            for (key, value) in self.fields(item, "an entry of `servers`", &keys("server")) {
                if &*key.text == "server" {
                    names = Some(self.globs(value, "`server`"));
                } else {
                    self.inspect_key(key, value, &mut draft);
                }
            }
            match names {
                Some(names) => servers.push((names, draft)),
                None => {
                    let message = "an entry of `servers` does not say which".to_owned();
                    let help = "write `{server: \"browser-*\", allowed_hosts: [localhost]}`";
                    self.error_help(DiagnosticCode::BadValue, item.at, message, help);
                }
            }
        }
        servers
    }
}
