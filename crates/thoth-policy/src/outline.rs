//! What a loaded policy consists of, as data: for programs that reason about all calls instead of asking about one.
//! Nothing here changes a policy, and nothing here decides: [`Policy::rules`] and [`Policy::scope`] do.

use std::borrow::Cow;
use std::fmt::Debug;

use thoth_types::{Approval, Place, ReasonCode};

use crate::judge::ByTheCall;
use crate::name;
use crate::policy::{Policy, ToolList};
use crate::query::Query;
use crate::rule::{Rule, RuleId, RuleInfo};
use crate::truth::Truth;

pub use crate::condition::{ArgumentPath, Bounds, Comparison, Condition, Step, Test};
pub use crate::glob::{Glob, GlobError, Piece};
pub use crate::lexical_path::Directory;
pub use crate::literal::Literal;
pub use crate::rule::MatchBlock;
pub use crate::semantic::Semantic;
pub use crate::text_match::TextMatch;
pub use crate::window::Window;

/// The name of a tool as it reads: what rules answer for beside the name as sent.
#[must_use]
pub fn reads_as(tool: &str) -> Cow<'_, str> {
    name::normalised(tool)
}

/// One rule as data.
#[derive(Debug, Clone, Copy)]
pub struct RuleOutline<'p> {
    /// By which the policy knows it.
    pub id: RuleId,
    rule: &'p Rule,
}

impl<'p> RuleOutline<'p> {
    /// Its name, place, answer and risk.
    #[must_use]
    pub const fn info(&self) -> &'p RuleInfo {
        &self.rule.info
    }

    /// Its place in the order of the files, which first-match evaluation follows.
    #[must_use]
    pub const fn position(&self) -> u32 {
        self.rule.position
    }

    /// Which calls it is about.
    #[must_use]
    pub const fn matcher(&self) -> &'p MatchBlock {
        &self.rule.matcher
    }

    /// Which calls it leaves out.
    #[must_use]
    pub const fn except(&self) -> &'p [MatchBlock] {
        &self.rule.except
    }

    /// All of these must hold.
    #[must_use]
    pub const fn conditions(&self) -> &'p [Condition] {
        &self.rule.conditions
    }

    /// The rules that have no say where this one surely matches.
    #[must_use]
    pub const fn overrides(&self) -> &'p [RuleId] {
        &self.rule.overrides
    }

    /// Its place in the order in which rules override others.
    #[must_use]
    pub const fn override_rank(&self) -> u32 {
        self.rule.override_rank
    }

    /// What it asks of an approval beside what the sections ask, in no particular form: equal texts ask the same.
    #[must_use]
    pub fn demand(&self) -> Option<String> {
        self.rule.demand.as_ref().map(unplaced)
    }

    /// How it comes out for a call under one form of the tool's name.
    #[must_use]
    pub fn holds(&self, tool: &str, query: &Query<'_>) -> Truth {
        if self.rule.info.enforced { self.rule.holds(self.id, tool, query, &mut ByTheCall) } else { Truth::False }
    }
}

/// A list of tools that answers on its own, beside the rules.
#[derive(Debug, Clone, Copy)]
pub struct ListOutline<'p> {
    /// Why it answers.
    pub code: ReasonCode,
    /// What it answers.
    pub approval: Approval,
    /// Where it stands.
    pub place: &'p Place,
    /// The tools. Where case does not count, these are the globs as written and without case.
    pub tools: &'p TextMatch,
    /// Whether it answers for the tools that it names, or for all others.
    pub named: bool,
    /// Whether a tool is also looked for without its letter case.
    pub any_case: bool,
}

impl Policy {
    /// All rules that are enforced, in the order of the files.
    #[must_use]
    pub fn rule_outlines(&self) -> Vec<RuleOutline<'_>> {
        let all = self.rules.iter().zip(0_u32..).map(|(rule, id)| RuleOutline { id: RuleId(id), rule });
        let mut rules: Vec<RuleOutline<'_>> = all.filter(|outline| outline.rule.info.enforced).collect();
        rules.sort_by_key(RuleOutline::position);
        rules
    }

    /// Adds every rule whose match could hold for this tool and server, and some whose match does not.
    pub fn rule_candidates(&self, tool: &str, server: &str, into: &mut Vec<RuleId>) {
        self.index.candidates(tool, server, into);
    }

    /// The lists of tools that decide beside the rules, whatever the session.
    #[must_use]
    pub fn list_outlines(&self) -> Vec<ListOutline<'_>> {
        let lists = &self.lists;
        const fn outline(code: ReasonCode, approval: Approval, named: bool, list: &ToolList) -> ListOutline<'_> {
            ListOutline { code, approval, place: &list.place, tools: &list.tools, named, any_case: named }
        }
        let denied = lists.denied.iter().map(|list| outline(ReasonCode::ToolDenied, Approval::Block, true, list));
        let allowed = lists.allowed.iter().chain(&lists.approved);
        let allowed = allowed.map(|list| outline(ReasonCode::ToolNotInScope, Approval::Block, false, list));
        let sensitive =
            lists.sensitive.iter().map(|list| outline(ReasonCode::ToolSensitive, Approval::Approve, true, list));
        let blocked = lists.tools.iter().filter(|entry| entry.blocked).map(|entry| ListOutline {
            code: ReasonCode::ToolBlocked,
            approval: Approval::Block,
            place: &entry.place,
            tools: &entry.tool,
            named: true,
            any_case: true,
        });
        denied.chain(blocked).chain(allowed).chain(sensitive).collect()
    }

    /// Everything that can change an answer beside rules, defaults and lists of tools: the names of the sections, and a
    /// text of each that is equal where they say the same. Where it stands in the files makes no difference.
    #[must_use]
    pub fn other_sections(&self) -> Vec<(&'static str, String)> {
        let lists = &self.lists;
        let mut intents: Vec<String> = lists.intents.iter().map(|entry| unplaced(&entry)).collect();
        intents.sort();
        let mut dids: Vec<&String> = lists.blocked_dids.keys().collect();
        dids.sort();
        let mut limits: Vec<String> = lists
            .tools
            .iter()
            .filter_map(|entry| entry.max_calls_per_minute.map(|most| format!("{} {most}", entry.name)))
            .collect();
        limits.sort();
        let mut patterns: Vec<String> =
            self.blocked_patterns.entries.iter().map(|pattern| unplaced(&pattern)).collect();
        patterns.sort();
        vec![
            ("scope.intents", intents.join("\n")),
            ("trust", format!("{dids:?} {}", lists.require_did.is_some())),
            ("limits", format!("{limits:?} {:?}", lists.max_tool_calls)),
            ("gateway.blocked_patterns", patterns.join("\n")),
            ("inspect", format!("{} {}", unplaced(&self.inspect), lists.sanitized.is_some())),
            ("integrity", unplaced(&self.integrity)),
            ("approvals", unplaced(&self.approvals)),
            ("progressive", unplaced(&self.progressive)),
        ]
    }
}

/// A debugging text without the places in it.
fn unplaced(value: &impl Debug) -> String {
    const START: &str = "Place { file: ";
    let text = format!("{value:?}");
    let mut out = String::with_capacity(text.len());
    let mut rest = &*text;
    while let Some((before, after)) = rest.split_once(START) {
        out.push_str(before);
        // A file's name is printed with its quotes and backslashes escaped, so the numbers are the first after it.
        rest = after.split_once(", column: ").and_then(|(_, tail)| tail.split_once('}')).map_or("", |(_, tail)| tail);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use crate::{Sources, load};

    fn sections(text: &str) -> Vec<(&'static str, String)> {
        load("p", &Sources::one("p", text)).unwrap().other_sections()
    }

    /// Defends comparing sections by what they say: where they stand makes no difference, and what they say does.
    #[test]
    fn sections_are_compared_without_their_places() {
        let text = "defaults: {approval: block}\ninspect: {shell: block}\nintegrity: {on_change: ask}\n\
                    gateway: {blocked_patterns: [x, y], builtin_sanitization: true}\ntrust: {require_did: true}\n";
        let moved = format!("# a line\n\n{text}");
        assert_eq!(sections(text), sections(&moved));
        for (old, new) in [("shell: block", "shell: ask"), ("change: ask", "change: allow"), ("[x, y]", "[x]")] {
            assert_ne!(sections(text), sections(&text.replace(old, new)), "{new}");
        }
    }
}
