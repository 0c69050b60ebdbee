//! Scanning what servers say about themselves: tools, prompts, resources, instructions, messages.
//!
//! [`Scanner::scan_tool`] looks at one definition alone; [`Scanner::scan_server`] at everything of one server, for what
//! only shows when its parts are read together; [`Scanner::scan_set`] at several servers, for names that look alike and
//! tools that talk about each other.

mod capability;
mod destination;
mod drift;
mod hidden;
mod item;
mod kept;
mod registry;
mod schema;
mod similar;
mod split;
mod walk;

use std::sync::Arc;

use thoth_types::json::Value;

use crate::finding::{Evidence, Finding, Item, bounded_name};
use crate::role::Role;
use crate::rules::{Detector, RuleSet, Scratch};
use crate::threat::Severity;
use kept::Kept;
use walk::Walked;

/// Caps on one definition. What exceeds them is itself a finding: it was not read completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanLimits {
    /// How deep schemas may nest.
    pub max_depth: usize,
    /// How many strings a definition may have, keys included.
    pub max_strings: usize,
    /// How many bytes all strings of a definition may have together. The longest honest definition known has a tenth of it.
    pub max_bytes: usize,
    /// How many findings are kept of one definition: the worst ones. That there were more is one more finding.
    pub max_findings: usize,
    /// How many tools a server may have.
    pub max_items: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { max_depth: 64, max_strings: 20_000, max_bytes: 128 * 1024, max_findings: 64, max_items: 5_000 }
    }
}

/// A server, as its own answers describe it. Each value is an object as it came over the wire.
#[derive(Debug, Clone, Default)]
pub struct Server<'d> {
    /// The name by which the client knows it.
    pub name: &'d str,
    /// Its `instructions`.
    pub instructions: Option<&'d str>,
    /// Elements of `tools`.
    pub tools: Vec<Value<'d>>,
    /// Elements of `prompts`.
    pub prompts: Vec<Value<'d>>,
    /// Elements of `resources`.
    pub resources: Vec<Value<'d>>,
    /// Elements of `resourceTemplates`.
    pub resource_templates: Vec<Value<'d>>,
}

/// Scans definitions by a set of rules. Cheap to clone; share it between threads.
#[derive(Debug, Clone)]
pub struct Scanner {
    rules: Arc<RuleSet>,
    limits: ScanLimits,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new(RuleSet::shipped())
    }
}

impl Scanner {
    /// A scanner with these rules and the default limits.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>) -> Self {
        Self { rules, limits: ScanLimits::default() }
    }

    /// The same scanner under other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: ScanLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The rules that it scans by.
    #[must_use]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Scans one tool's definition.
    #[must_use]
    pub fn scan_tool(&self, tool: Value<'_>) -> Vec<Finding> {
        self.scan_item(Item::Tool, tool)
    }

    /// Scans one definition of any kind: a tool, a prompt, a resource or a template.
    #[must_use]
    pub fn scan_item(&self, item: Item, definition: Value<'_>) -> Vec<Finding> {
        let mut scan = ItemScan::new(self, item, item::name_of(definition));
        item::scan(&mut scan, definition);
        scan.finish()
    }

    /// Scans a text that stands alone: `instructions`, a question of an elicitation, a message of a sampling request.
    #[must_use]
    pub fn scan_text(&self, role: Role, text: &str) -> Vec<Finding> {
        let item = if role == Role::Instructions { Item::Instructions } else { Item::Message };
        let mut scan = ItemScan::new(self, item, String::new());
        scan.purpose = self.rules.purpose(text, false, &mut scan.scratch);
        scan.lone_string(role, text);
        scan.finish()
    }

    /// Scans everything of one server.
    #[must_use]
    pub fn scan_server(&self, server: &Server<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(instructions) = server.instructions {
            findings.extend(self.scan_text(Role::Instructions, instructions));
        }
        let kinds = [
            (Item::Tool, &server.tools),
            (Item::Prompt, &server.prompts),
            (Item::Resource, &server.resources),
            (Item::ResourceTemplate, &server.resource_templates),
        ];
        for (item, values) in kinds {
            for value in values.iter().take(self.limits.max_items) {
                findings.extend(self.scan_item(item, *value));
            }
            if values.len() > self.limits.max_items {
                let mut scan = ItemScan::new(self, item, String::new());
                let message =
                    format!("the server has {} of them; only {} were read", values.len(), self.limits.max_items);
                scan.detected(Detector::TooLarge, None, &walk::Path::root(), message, Evidence::default());
                findings.extend(scan.finish());
            }
        }
        findings.extend(split::scan(self, server, split::Order::Listed));
        for finding in &mut findings {
            finding.server = Some(server.name.to_owned());
        }
        findings
    }

    /// Scans several servers, and how they relate.
    #[must_use]
    pub fn scan_set(&self, servers: &[Server<'_>]) -> Vec<Finding> {
        self.scan_each(servers).into_iter().map(|(_, finding)| finding).collect()
    }

    /// Likewise, each finding with the place of its server among them: several may have one name.
    #[must_use]
    pub fn scan_each(&self, servers: &[Server<'_>]) -> Vec<(usize, Finding)> {
        let own = |(at, server)| self.scan_server(server).into_iter().map(move |finding| (at, finding));
        let mut findings: Vec<(usize, Finding)> = servers.iter().enumerate().flat_map(own).collect();
        findings.extend(registry::scan(self, servers));
        findings
    }

    /// What only shows when the tools of one server are read together, without what each definition says by itself.
    #[must_use]
    pub fn scan_together(&self, server: &Server<'_>) -> Vec<Finding> {
        let own = |finding| Finding { server: Some(server.name.to_owned()), ..finding };
        split::scan(self, server, split::Order::Listed).into_iter().map(own).collect()
    }

    /// Likewise, where it is not known in which order the server lists them: all that any order would show.
    #[must_use]
    pub fn scan_unordered(&self, server: &Server<'_>) -> Vec<Finding> {
        let own = |finding| Finding { server: Some(server.name.to_owned()), ..finding };
        split::scan(self, server, split::Order::Unknown).into_iter().map(own).collect()
    }

    /// How the tools of several servers relate, without what each definition says by itself.
    #[must_use]
    pub fn compare_servers(&self, servers: &[Server<'_>]) -> Vec<Finding> {
        registry::scan(self, servers).into_iter().map(|(_, finding)| finding).collect()
    }

    /// Compares an approved definition of a tool with what the server sends now. Empty when both mean the same.
    #[must_use]
    pub fn drift(&self, before: Value<'_>, after: Value<'_>) -> Vec<Finding> {
        drift::compare(self, before, after)
    }
}

/// The scan of one definition: what it is, and what was found so far.
struct ItemScan<'s> {
    scanner: &'s Scanner,
    item: Item,
    name: String,
    kept: Kept,
    scratch: Scratch,
    /// What the definition is about, by its name and its first sentence.
    purpose: crate::rules::Concepts,
    /// What its prose speaks of.
    spoken: crate::rules::Concepts,
    walked: Walked,
}

impl<'s> ItemScan<'s> {
    fn new(scanner: &'s Scanner, item: Item, name: String) -> Self {
        Self {
            scanner,
            item,
            name,
            kept: Kept::new(scanner.limits.max_findings),
            scratch: Scratch::default(),
            purpose: crate::rules::Concepts::default(),
            spoken: crate::rules::Concepts::default(),
            walked: Walked::default(),
        }
    }

    /// Adds what a detector found, with the severity that the data gives it unless the code knows better.
    fn detected(
        &mut self,
        detector: Detector,
        severity: Option<Severity>,
        path: &walk::Path<'_>,
        message: String,
        evidence: Evidence,
    ) {
        let bytes = 0..evidence.raw.len();
        self.detected_at(detector, severity, path, bytes, message, evidence);
    }

    fn detected_at(
        &mut self,
        detector: Detector,
        severity: Option<Severity>,
        path: &walk::Path<'_>,
        bytes: std::ops::Range<usize>,
        message: String,
        evidence: Evidence,
    ) {
        let finding = self.of_detector(detector, severity, path, bytes, message, evidence);
        finding.into_iter().for_each(|finding| self.kept.push(finding));
    }

    fn of_detector(
        &self,
        detector: Detector,
        severity: Option<Severity>,
        path: &walk::Path<'_>,
        bytes: std::ops::Range<usize>,
        message: String,
        evidence: Evidence,
    ) -> Option<Finding> {
        let entry = self.scanner.rules.detector(detector)?;
        Some(Finding {
            server: None,
            item: self.item,
            name: self.name.clone(),
            threat: entry.threat,
            severity: severity.unwrap_or(entry.severity),
            rule: Arc::clone(&entry.id),
            pointer: path.pointer(),
            bytes,
            message,
            remedy: Arc::clone(&entry.remedy),
            evidence,
        })
    }

    fn finish(self) -> Vec<Finding> {
        let more = self.kept.dropped().and_then(|(count, worst)| {
            let message = format!("has {count} more findings than are told");
            let (path, evidence) = (walk::Path::root(), Evidence::default());
            self.of_detector(Detector::TooLarge, Some(worst), &path, 0..0, message, evidence)
        });
        self.kept.into_findings().chain(more).collect()
    }

    fn bounded_name(&self) -> String {
        bounded_name(&self.name)
    }
}

#[cfg(test)]
mod tests;
