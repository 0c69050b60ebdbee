//! The section `integrity`.

use thoth_types::{Reaction, Severity};

use crate::diagnostic::DiagnosticCode;
use crate::integrity::{IntegrityDraft, IntegritySection, OnChange, OnFirstUse, Said, Shown};
use crate::read::Reader;
use crate::yaml::{Key, Node};

const KEYS: [&str; 6] = ["on_first_use", "on_change", "on_unlisted", "on_stale", "on_finding", "quarantined_tools"];
const KEYS_OF_SECTION: [&str; 7] =
    ["on_first_use", "on_change", "on_unlisted", "on_stale", "on_finding", "quarantined_tools", "servers"];

impl Reader<'_> {
    pub(crate) fn integrity(&mut self, node: &Node) -> IntegritySection {
        let mut section = IntegritySection::default();
        for (key, value) in self.fields(node, "`integrity`", &KEYS_OF_SECTION) {
            if &*key.text == "servers" {
                section.servers = self.integrity_servers(value);
            } else {
                self.integrity_key(key, value, &mut section.all);
            }
        }
        section
    }

    fn integrity_key(&mut self, key: &Key, value: &Node, draft: &mut IntegrityDraft) {
        match &*key.text {
            "on_first_use" => {
                draft.on_first_use = self.said(value, "answer to a first use", OnFirstUse::ALL, OnFirstUse::as_str);
            }
            "on_change" => draft.on_change = self.said(value, "answer to a change", OnChange::ALL, OnChange::as_str),
            "on_unlisted" => draft.on_unlisted = self.reaction(value),
            "on_stale" => draft.on_stale = self.reaction(value),
            "on_finding" => self.on_finding(value, draft),
            _ => draft.quarantined_tools = self.said(value, "way to show tools", Shown::ALL, Shown::as_str),
        }
    }

    fn on_finding(&mut self, node: &Node, draft: &mut IntegrityDraft) {
        let known = [Severity::Critical.as_str(), Severity::Warning.as_str()];
        for (key, value) in self.fields(node, "`on_finding`", &known) {
            let reaction = self.reaction(value);
            if key.text.parse() == Ok(Severity::Critical) {
                draft.on_critical = reaction;
            } else {
                draft.on_warning = reaction;
            }
        }
    }

    fn integrity_servers(&mut self, node: &Node) -> Vec<(crate::text_match::TextMatch, IntegrityDraft)> {
        let crate::yaml::Content::List(items) = &node.content else {
            self.wrong_type(node, "`servers`", "a list");
            return Vec::new();
        };
        let mut servers = Vec::new();
        for item in items {
            let (mut names, mut draft) = (None, IntegrityDraft::default());
            let known: Vec<&str> = ["server"].into_iter().chain(KEYS).collect();
            for (key, value) in self.fields(item, "an entry of `servers`", &known) {
                if &*key.text == "server" {
                    names = Some(self.globs(value, "`server`"));
                } else {
                    self.integrity_key(key, value, &mut draft);
                }
            }
            match names {
                Some(names) => servers.push((names, draft)),
                None => {
                    let message = "an entry of `servers` does not say which".to_owned();
                    let help = "write `{server: \"dev-*\", on_change: ask}`";
                    self.error_help(DiagnosticCode::BadValue, item.at, message, help);
                }
            }
        }
        servers
    }

    fn reaction(&mut self, node: &Node) -> Option<Said<Reaction>> {
        self.said(node, "answer", Reaction::ALL, Reaction::as_str)
    }

    fn said<T: Copy + std::str::FromStr>(
        &mut self,
        node: &Node,
        what: &str,
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) -> Option<Said<T>> {
        let known: Vec<&str> = all.iter().map(|value| word(*value)).collect();
        let value = self.word(node, what, &known)?;
        Some(Said { value, place: self.file.place(node.at) })
    }
}
