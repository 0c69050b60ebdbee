//! Which rules can match a call at all, found without looking at every rule.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::glob::Glob;
use crate::rule::{Rule, RuleId};
use crate::text_match::TextMatch;

/// The most memory for the fast automaton, in bytes.
const MAX_DFA_BYTES: usize = 16 * 1024 * 1024;

/// The fast automaton where it fits. Left to itself the builder takes the slower one beyond 100 literals.
fn automaton(literals: &[(String, Vec<RuleId>)]) -> Option<AhoCorasick> {
    let mut seen = [false; 256];
    let mut states = 1_usize;
    for byte in literals.iter().flat_map(|(literal, _)| literal.bytes()) {
        states += 1;
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    // A state for each byte at most; in each, 4 bytes for every byte that occurs and one for all others.
    let row = (seen.iter().filter(|seen| **seen).count() + 1).next_power_of_two() * size_of::<u32>();
    let kind = (states.saturating_mul(row) <= MAX_DFA_BYTES).then_some(AhoCorasickKind::DFA);
    AhoCorasick::builder().kind(kind).build(literals.iter().map(|(literal, _)| literal.as_str())).ok()
}

/// An automaton over the literals that globs require, and the rules behind each literal.
#[derive(Debug, Default)]
struct Literals {
    finder: Option<AhoCorasick>,
    rules: Vec<Box<[RuleId]>>,
}

impl Literals {
    fn build(by_literal: HashMap<String, Vec<RuleId>>) -> Self {
        if by_literal.is_empty() {
            return Self::default();
        }
        let mut entries: Vec<_> = by_literal.into_iter().collect();
        entries.sort_unstable();
        let finder = automaton(&entries);
        Self { finder, rules: entries.into_iter().map(|(_, rules)| rules.into()).collect() }
    }

    #[inline]
    fn collect(&self, text: &str, into: &mut Vec<RuleId>) {
        let Some(finder) = &self.finder else {
            // Not built: literals beyond the automaton's limits. Every rule is then a candidate.
            self.rules.iter().for_each(|rules| into.extend_from_slice(rules));
            return;
        };
        for hit in finder.find_overlapping_iter(text) {
            if let Some(rules) = self.rules.get(hit.pattern().as_usize()) {
                into.extend_from_slice(rules);
            }
        }
    }
}

/// The index. Each rule stands under the most telling thing that it requires: exact tool and server, exact tool,
/// a literal of its tool globs, exact server, a literal of its server globs; else it is a candidate for every call.
#[derive(Debug, Default)]
pub(crate) struct Index {
    tool_on_server: HashMap<Box<str>, HashMap<Box<str>, Vec<RuleId>>>,
    tool: HashMap<Box<str>, Vec<RuleId>>,
    server: HashMap<Box<str>, Vec<RuleId>>,
    tool_literals: Literals,
    server_literals: Literals,
    residual: Vec<RuleId>,
}

/// How a list of globs can be looked up.
enum Lookup<'a> {
    Exact(Vec<&'a str>),
    /// One literal per glob, exact ones included.
    Literal(Vec<String>),
    None,
}

fn lookup(list: &TextMatch) -> Lookup<'_> {
    if list.any.is_empty() {
        return Lookup::None;
    }
    if let Some(exact) = list.any.iter().map(Glob::exact).collect::<Option<Vec<_>>>() {
        return Lookup::Exact(exact);
    }
    let literals: Vec<String> = list.any.iter().map(Glob::literal).collect();
    if literals.iter().any(String::is_empty) { Lookup::None } else { Lookup::Literal(literals) }
}

impl Index {
    /// Of the rules that `with` accepts.
    pub(crate) fn build(rules: &[Rule], with: impl Fn(&Rule) -> bool) -> Self {
        let mut index = Self::default();
        let mut tool_literals: HashMap<String, Vec<RuleId>> = HashMap::new();
        let mut server_literals: HashMap<String, Vec<RuleId>> = HashMap::new();
        for (rule, id) in rules.iter().zip(0_u32..).filter(|(rule, _)| with(rule)) {
            let id = RuleId(id);
            match (lookup(&rule.matcher.tool), lookup(&rule.matcher.server)) {
                (Lookup::Exact(tools), Lookup::Exact(servers)) => {
                    for tool in tools {
                        let servers_of = index.tool_on_server.entry(tool.into()).or_default();
                        for server in &servers {
                            servers_of.entry((*server).into()).or_default().push(id);
                        }
                    }
                }
                (Lookup::Exact(tools), _) => {
                    for tool in tools {
                        index.tool.entry(tool.into()).or_default().push(id);
                    }
                }
                (_, Lookup::Exact(servers)) => {
                    for server in servers {
                        index.server.entry(server.into()).or_default().push(id);
                    }
                }
                (Lookup::Literal(literals), _) => {
                    for literal in literals {
                        tool_literals.entry(literal).or_default().push(id);
                    }
                }
                (_, Lookup::Literal(literals)) => {
                    for literal in literals {
                        server_literals.entry(literal).or_default().push(id);
                    }
                }
                (Lookup::None, Lookup::None) => index.residual.push(id),
            }
        }
        index.tool_literals = Literals::build(tool_literals);
        index.server_literals = Literals::build(server_literals);
        index
    }

    /// Adds every rule whose match could hold, and some whose match does not; sorted, each once.
    #[inline]
    pub(crate) fn candidates(&self, tool: &str, server: &str, into: &mut Vec<RuleId>) {
        into.clear();
        into.extend_from_slice(&self.residual);
        if let Some(rules) = self.tool.get(tool) {
            into.extend_from_slice(rules);
        }
        if let Some(rules) = self.tool_on_server.get(tool).and_then(|servers| servers.get(server)) {
            into.extend_from_slice(rules);
        }
        if let Some(rules) = self.server.get(server) {
            into.extend_from_slice(rules);
        }
        self.tool_literals.collect(tool, into);
        self.server_literals.collect(server, into);
        into.sort_unstable();
        into.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(count: usize, length: usize) -> Literals {
        let literal = |i: usize| format!("{i:0>length$}");
        Literals::build((0_u32..).take(count).map(|i| (literal(i as usize), vec![RuleId(i)])).collect())
    }

    /// Defends "as fast with 10,000 rules as with 10", and that memory has a limit: beyond it the same rules are found
    /// by the automaton that is smaller and slower.
    #[test]
    fn the_fast_automaton_is_kept_while_it_fits() {
        for (count, length, fast) in [(10, 20, true), (101, 20, true), (10_000, 20, true), (2_000, 1_000, false)] {
            let literals = literals(count, length);
            let kind = literals.finder.as_ref().map(AhoCorasick::kind);
            assert_eq!(kind == Some(AhoCorasickKind::DFA), fast, "{count} of {length}");
            let mut found = Vec::new();
            literals.collect(&format!("x{:0>length$}y", 7), &mut found);
            assert_eq!(found, [RuleId(7)], "{count} of {length}");
        }
    }
}
