//! The file's sections beside the rules.

use std::sync::Arc;

use thoth_types::{Approval, RiskLevel};

use crate::diagnostic::DiagnosticCode;
use crate::glob::Glob;
use crate::inspect::InspectSection;
use crate::integrity::IntegritySection;
use crate::name;
use crate::policy::{Evaluation, IntentScope, Lists, ToolEntry, ToolList};
use crate::progressive::ProgressiveDraft;
use crate::read::Reader;
use crate::read::approvals::ApprovalsDraft;
use crate::read::rule::RuleDraft;
use crate::text_match::TextMatch;
use crate::yaml::{At, Content, Node};

const TOP_KEYS: [&str; 14] = [
    "version",
    "defaults",
    "rules",
    "scope",
    "scope_id",
    "tools",
    "gateway",
    "trust",
    "include",
    "evaluation",
    "approvals",
    "progressive",
    "integrity",
    "inspect",
];
const LATER_TOP_KEYS: [&str; 2] = ["budgets", "plan_rules"];

/// What one file says.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) approval: Option<Approval>,
    pub(crate) risk: Option<RiskLevel>,
    pub(crate) evaluation: Option<(Evaluation, At)>,
    pub(crate) rules: Vec<RuleDraft>,
    pub(crate) lists: Lists,
    pub(crate) approvals: ApprovalsDraft,
    pub(crate) progressive: ProgressiveDraft,
    pub(crate) integrity: Option<IntegritySection>,
    pub(crate) inspect: Option<InspectSection>,
}

impl Reader<'_> {
    /// Reads a whole file; `None` stands for an empty one.
    pub(crate) fn document(&mut self, root: Option<&Node>) -> Document {
        let mut document = Document::default();
        let Some(root) = root else { return document };
        for (key, value) in self.fields_or_later(root, "the policy", &TOP_KEYS, &LATER_TOP_KEYS) {
            match &*key.text {
                "version" => self.version(value),
                "defaults" => self.defaults(value, &mut document),
                "rules" => document.rules = self.rules(value),
                "scope" => self.scope(value, &mut document.lists),
                "scope_id" => self.warn(key.at, "`scope_id` of Aegis has no effect here", "remove it"),
                "tools" => self.tools(value, &mut document.lists),
                "gateway" => self.gateway(value, &mut document.lists),
                "trust" => self.trust(value, &mut document.lists),
                "evaluation" => document.evaluation = self.evaluation(value).map(|e| (e, value.at)),
                "approvals" => document.approvals = self.approvals(value),
                "progressive" => document.progressive = self.progressive(value),
                "inspect" => document.inspect = Some(self.inspect(value)),
                "integrity" => document.integrity = Some(self.integrity(value)),
                // `include` was followed when the files were gathered.
                _ => {}
            }
        }
        document
    }

    fn version(&mut self, node: &Node) {
        let Some(text) = self.text(node, "`version`") else { return };
        if &**text != "1" {
            let message = format!("version `{text}` of the policy language is unknown");
            self.error_help(DiagnosticCode::BadValue, node.at, message, "write `version: \"1\"`");
        }
    }

    fn defaults(&mut self, node: &Node, document: &mut Document) {
        for (key, value) in self.fields(node, "`defaults`", &["approval", "risk_level"]) {
            match &*key.text {
                "approval" => document.approval = self.approval(value),
                _ => document.risk = self.risk(value),
            }
        }
    }

    fn evaluation(&mut self, node: &Node) -> Option<Evaluation> {
        let text = self.text(node, "`evaluation`")?;
        match &**text {
            "strictest" => Some(Evaluation::Strictest),
            "first-match" => Some(Evaluation::FirstMatch),
            other => {
                let message = format!("`{other}` is no way to combine rules");
                self.unknown(DiagnosticCode::BadValue, node.at, &message, other, &["strictest", "first-match"]);
                None
            }
        }
    }

    /// A list of the only tools that may run. In the source system an empty one allows all tools, and whoever writes
    /// it means none: it is refused.
    pub(super) fn only_tools(&mut self, node: &Node, what: &str) -> Option<ToolList> {
        if node.is_null() || matches!(&node.content, Content::List(items) if items.is_empty()) {
            let message = format!("{what} is empty, which could mean every tool or none");
            let help = "leave the key out to allow all tools; write `defaults: {approval: block}` to allow none";
            self.error_help(DiagnosticCode::BadValue, node.at, message, help);
            return None;
        }
        self.tool_list(node, what, false)
    }

    /// A list of tools that something is done about; an empty one does nothing, as it says, and is worth a warning.
    pub(super) fn tool_list(&mut self, node: &Node, what: &str, fold: bool) -> Option<ToolList> {
        if matches!(&node.content, Content::List(items) if items.is_empty()) {
            self.warn(node.at, format!("{what} is empty and has no effect"), "remove it or name tools");
            return None;
        }
        let written = self.globs(node, what);
        let tools = if fold {
            // Such a list holds for the names as written and in any letter case. What is wrong was said above.
            let said = (self.errors.len(), self.warnings.len());
            let folded = self.globs_with(node, what, &|text| name::folded(text).into_owned());
            self.errors.truncate(said.0);
            self.warnings.truncate(said.1);
            let both = |one: Box<[Glob]>, other: Box<[Glob]>| one.into_iter().chain(other).collect();
            TextMatch::new(both(written.any, folded.any), both(written.none, folded.none))
        } else {
            written
        };
        Some(ToolList { place: self.file.place(node.at), tools })
    }

    fn scope(&mut self, node: &Node, lists: &mut Lists) {
        if matches!(node.content, Content::Scalar { .. }) && !node.is_null() {
            let help = "write `scope: {approved: [...]}` to name the approved tools";
            return self.warn(node.at, "`scope` as a text is a label of Aegis and has no effect", help);
        }
        for (key, value) in self.fields(node, "`scope`", &["approved", "intents"]) {
            match &*key.text {
                "approved" => lists.approved.extend(self.only_tools(value, "`approved`")),
                _ => self.intents(value, lists),
            }
        }
    }

    fn intents(&mut self, node: &Node, lists: &mut Lists) {
        for (key, value) in self.entries(node, "`intents`").unwrap_or_default() {
            let mut otherwise = Approval::Approve;
            let mut tools = None;
            if let Content::Map(_) = &value.content {
                for (field, value) in self.fields(value, "an intent", &["tools", "otherwise"]) {
                    match &*field.text {
                        "tools" => tools = Some(self.globs(value, "`tools`")),
                        _ => otherwise = self.approval(value).unwrap_or(otherwise),
                    }
                }
            } else {
                tools = Some(self.globs(value, "an intent"));
            }
            if otherwise == Approval::Auto {
                self.error(DiagnosticCode::BadValue, value.at, "`otherwise: auto` would make the intent meaningless");
            }
            let Some(tools) = tools else {
                self.error(DiagnosticCode::BadValue, key.at, format!("intent `{}` names no tools", key.text));
                continue;
            };
            let scope = IntentScope { place: self.file.place(key.at), tools, otherwise };
            lists.intents.entry(key.text.trim().to_owned()).or_default().push(scope);
        }
    }

    fn tools(&mut self, node: &Node, lists: &mut Lists) {
        const KNOWN: [&str; 3] = ["blocked", "max_calls_per_minute", "description"];
        const LATER: [&str; 2] = ["min_trust", "required_capabilities"];
        for (key, value) in self.entries(node, "`tools`").unwrap_or_default() {
            if key.text.starts_with("x-") {
                continue;
            }
            let pattern = Node { at: key.at, content: Content::Scalar { text: Arc::clone(&key.text), plain: false } };
            let Some(list) = self.tool_list(&pattern, "`tools`", true) else { continue };
            let mut entry = ToolEntry {
                name: Arc::clone(&key.text),
                place: self.file.place(key.at),
                tool: list.tools,
                blocked: false,
                max_calls_per_minute: None,
            };
            for (field, value) in self.fields_or_later(value, "an entry of `tools`", &KNOWN, &LATER) {
                match &*field.text {
                    "blocked" => entry.blocked = self.boolean(value, "`blocked`").unwrap_or_default(),
                    "max_calls_per_minute" => {
                        let most = u64::from(u32::MAX);
                        let number = self.whole(value, "`max_calls_per_minute`", 0, most);
                        // 0 means no limit in the source system.
                        entry.max_calls_per_minute = number.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
                    }
                    _ => {
                        self.text(value, "`description`");
                    }
                }
            }
            lists.tools.push(entry);
        }
    }

    fn trust(&mut self, node: &Node, lists: &mut Lists) {
        for (key, value) in
            self.fields_or_later(node, "`trust`", &["blocked_dids", "require_did"], &["default_min_trust"])
        {
            match &*key.text {
                "require_did" => {
                    if self.boolean(value, "`require_did`") == Some(true) {
                        lists.require_did = Some(self.file.place(key.at));
                    }
                }
                _ => {
                    if matches!(&value.content, Content::List(items) if items.is_empty()) {
                        continue;
                    }
                    for (did, at) in self.texts(value, "`blocked_dids`") {
                        let folded = name::folded_did(did).into_owned();
                        if folded.is_empty() {
                            self.error(DiagnosticCode::BadValue, at, "an empty entry blocks nobody");
                        }
                        lists.blocked_dids.insert(folded, self.file.place(at));
                    }
                }
            }
        }
    }
}
