//! Rules.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_types::{Approval, RiskLevel};

use crate::condition::Condition;
use crate::diagnostic::DiagnosticCode;
use crate::read::Reader;
use crate::read::approvals::{DEMAND_KEYS, DemandDraft};
use crate::rule::MatchBlock;
use crate::yaml::{At, Content, Node};

/// Whether a rule has a say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleMode {
    Enforce,
    Shadow,
    Off,
}

/// A rule as read from one file.
#[derive(Debug)]
pub(crate) struct RuleDraft {
    pub(crate) name: Option<(Arc<str>, At)>,
    /// Its place in its file's list, from zero: its name when it has none.
    pub(crate) position: usize,
    pub(crate) at: At,
    pub(crate) description: Option<Arc<str>>,
    pub(crate) reason: Option<Arc<str>>,
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) controls: Vec<Arc<str>>,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) mode: RuleMode,
    pub(crate) approval: Approval,
    pub(crate) risk: RiskLevel,
    pub(crate) matcher: MatchBlock,
    pub(crate) except: Vec<MatchBlock>,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) overrides: Vec<(Arc<str>, At)>,
    pub(crate) demand: DemandDraft,
}

const RULE_KEYS: [&str; 16] = [
    "name",
    "match",
    "approval",
    "risk_level",
    "conditions",
    "except",
    "description",
    "reason",
    "owner",
    "controls",
    "expires",
    "mode",
    "override",
    "approvers",
    "quorum",
    "ttl",
];
const LATER_RULE_KEYS: [&str; 3] = ["redact", "transform", "when"];
pub(crate) const APPROVALS: [&str; 3] = ["auto", "approve", "block"];
pub(crate) const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];

impl Reader<'_> {
    pub(crate) fn rules(&mut self, node: &Node) -> Vec<RuleDraft> {
        match &node.content {
            Content::List(items) => {
                items.iter().enumerate().filter_map(|(position, item)| self.rule(item, position)).collect()
            }
            _ if node.is_null() => Vec::new(),
            _ => {
                self.error(DiagnosticCode::WrongType, node.at, format!("`rules` wants a list, not {}", node.kind()));
                Vec::new()
            }
        }
    }

    fn rule(&mut self, node: &Node, position: usize) -> Option<RuleDraft> {
        if node.is_null() || !matches!(node.content, Content::Map(_)) {
            self.error(DiagnosticCode::WrongType, node.at, format!("a rule wants a mapping, not {}", node.kind()));
            return None;
        }
        let mut rule = RuleDraft {
            name: None,
            position,
            at: node.at,
            description: None,
            reason: None,
            owner: None,
            controls: Vec::new(),
            expires: None,
            mode: RuleMode::Enforce,
            approval: Approval::Approve,
            risk: RiskLevel::Medium,
            matcher: MatchBlock::default(),
            except: Vec::new(),
            conditions: Vec::new(),
            overrides: Vec::new(),
            demand: DemandDraft::default(),
        };
        let mut has_match = false;
        let fields = self.fields_or_later(node, "a rule", &RULE_KEYS, &LATER_RULE_KEYS);
        for (key, value) in &fields {
            match &*key.text {
                "name" => rule.name = self.rule_name(value),
                "match" => {
                    // What was meant to stand there, such as a commented-out block, is not known.
                    if value.is_null() {
                        let help = "name a tool, or write `match: {tool: \"*\"}` if every call is meant";
                        self.error_help(DiagnosticCode::WrongType, value.at, "`match` is empty".to_owned(), help);
                    }
                    has_match = !matches!(&value.content, Content::Map(entries) if entries.is_empty());
                    rule.matcher = self.match_block(value, "`match`");
                }
                "approval" => rule.approval = self.approval(value).unwrap_or(rule.approval),
                "risk_level" => rule.risk = self.risk(value).unwrap_or(rule.risk),
                "conditions" => rule.conditions = self.conditions(value),
                "except" => rule.except = self.except(value),
                "description" => rule.description = self.text(value, "`description`").cloned(),
                "reason" => rule.reason = self.text(value, "`reason`").cloned(),
                "owner" => rule.owner = self.text(value, "`owner`").cloned(),
                "controls" => rule.controls = self.controls(value),
                "expires" => rule.expires = self.expiry(value),
                "mode" => rule.mode = self.rule_mode(value),
                "override" => {
                    let names = self.texts(value, "`override`");
                    rule.overrides = names.into_iter().map(|(text, at)| (Arc::clone(text), at)).collect();
                }
                _ => self.demand(key, value, &mut rule.demand),
            }
        }
        for (key, _) in fields.iter().filter(|(key, _)| DEMAND_KEYS.contains(&&*key.text)) {
            self.demand_of_rule(key, rule.approval);
        }
        if !has_match {
            self.warn(node.at, "a rule without `match` applies to every call", "add `match: {tool: \"*\"}` if meant");
        }
        Some(rule)
    }

    fn rule_name(&mut self, node: &Node) -> Option<(Arc<str>, At)> {
        /// Names stand in evidence and messages.
        const MAX_NAME: usize = 200;
        let text = self.text(node, "`name`")?;
        if text.trim() != &**text || text.is_empty() || text.len() > MAX_NAME || text.chars().any(char::is_control) {
            let message = format!("a rule's name is 1 to {MAX_NAME} bytes of visible text");
            self.error(DiagnosticCode::BadValue, node.at, message);
            return None;
        }
        Some((Arc::clone(text), node.at))
    }

    /// What a rule serves: controls of regulations or standards, such as `hipaa:164.502(b)`.
    fn controls(&mut self, node: &Node) -> Vec<Arc<str>> {
        /// They stand in every record of the rule's calls.
        const MOST: usize = 16;
        const MAX_CONTROL: usize = 100;
        let mut controls: Vec<Arc<str>> = Vec::new();
        for (text, at) in self.texts(node, "`controls`") {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let good = text.split_once(':').is_some_and(|(regime, control)| {
                let visible = !control.is_empty() && control.chars().all(|c| c.is_ascii_graphic());
                !regime.is_empty() && regime.chars().all(plain) && visible
            });
            if good && text.len() <= MAX_CONTROL {
                controls.push(Arc::clone(text));
            } else {
                let message = format!("`{text}` names no control");
                let help = "write the regime, a colon and the control, without spaces, as in `hipaa:164.502(b)`";
                self.error_help(DiagnosticCode::BadValue, at, message, help);
            }
        }
        if controls.len() > MOST {
            self.error(DiagnosticCode::BadValue, node.at, format!("a rule names at most {MOST} controls"));
        }
        controls.sort_unstable();
        controls.dedup();
        controls
    }

    pub(crate) fn approval(&mut self, node: &Node) -> Option<Approval> {
        self.word(node, "approval", &APPROVALS)
    }

    /// A risk level, in any letter case, as Aegis reads it.
    pub fn risk(&mut self, node: &Node) -> Option<RiskLevel> {
        let text = self.text(node, "`risk_level`")?;
        match text.to_ascii_lowercase().parse() {
            Ok(risk) => Some(risk),
            Err(_) => {
                self.unknown(DiagnosticCode::BadValue, node.at, &format!("`{text}` is no risk level"), text, &RISKS);
                None
            }
        }
    }

    fn rule_mode(&mut self, node: &Node) -> RuleMode {
        let Some(text) = self.text(node, "`mode`") else { return RuleMode::Enforce };
        match &**text {
            "enforce" => RuleMode::Enforce,
            "shadow" => RuleMode::Shadow,
            "off" => RuleMode::Off,
            other => {
                let message = format!("`{other}` is no mode of a rule");
                self.unknown(DiagnosticCode::BadValue, node.at, &message, other, &["enforce", "shadow", "off"]);
                RuleMode::Enforce
            }
        }
    }

    /// A date, meaning the end of that day in UTC, or an RFC 3339 time.
    fn expiry(&mut self, node: &Node) -> Option<Timestamp> {
        let text = self.text(node, "`expires`")?;
        let end_of_day = || {
            let date: jiff::civil::Date = text.parse().ok()?;
            let next = date.tomorrow().ok()?;
            next.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp())
        };
        let is_date = text.len() == "2026-12-31".len();
        let time = if is_date { end_of_day() } else { text.parse::<Timestamp>().ok() };
        if time.is_none() {
            let message = format!("`{text}` is no date or time");
            self.error_help(DiagnosticCode::BadTime, node.at, message, "write 2026-12-31 or 2026-12-31T18:00:00Z");
        }
        time
    }

    fn except(&mut self, node: &Node) -> Vec<MatchBlock> {
        let blocks: Vec<MatchBlock> = match &node.content {
            Content::List(items) => items.iter().map(|item| self.match_block(item, "`except`")).collect(),
            _ => vec![self.match_block(node, "`except`")],
        };
        if blocks.iter().any(MatchBlock::matches_everything) {
            let message = "`except` takes everything away, so the rule never matches";
            self.error(DiagnosticCode::BadValue, node.at, message);
        }
        blocks
    }

    pub(crate) fn match_block(&mut self, node: &Node, what: &str) -> MatchBlock {
        const KEYS: [&str; 6] = ["tool", "server", "agent", "type", "target", "method"];
        let mut block = MatchBlock::default();
        let mut seen: Vec<&str> = Vec::new();
        for (key, value) in self.fields(node, what, &KEYS) {
            let meaning = match &*key.text {
                "tool" | "type" | "method" => "tool",
                "server" | "target" => "server",
                _ => "agent",
            };
            if seen.contains(&meaning) {
                let message = format!("`{}` says the same as a key before it: which {meaning}", key.text);
                self.error(DiagnosticCode::DuplicateKey, key.at, message);
            }
            seen.push(meaning);
            let what = match &*key.text {
                "tool" => "`tool`",
                "server" => "`server`",
                "agent" => "`agent`",
                "type" => "`type`",
                "target" => "`target`",
                _ => "`method`",
            };
            let globs = self.globs(value, what);
            match meaning {
                "tool" => block.tool = globs,
                "server" => block.server = globs,
                _ => block.agent = globs,
            }
        }
        block
    }
}
