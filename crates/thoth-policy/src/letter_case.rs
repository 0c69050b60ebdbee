//! A lint: block rules that a tool evades by its letter case.

use thoth_types::Approval;

use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::evaluate::Scratch;
use crate::glob::Glob;
use crate::policy::Policy;
use crate::query::Query;
use crate::rule::Rule;
use crate::text_match::ScopeList;

/// How many rules are looked at: a warning is not worth more time.
const MOST_RULES: usize = 1_000;

/// Warns of the first block rule of which a tool in another letter case runs, because nothing else stops it. Names
/// that the rule's globs make possible are tried; globs with `?`, classes or inner stars are left out.
pub(crate) fn evaded(policy: &Policy) -> Option<Diagnostic> {
    if policy.default_answer().0 != Approval::Auto {
        return None;
    }
    let mut scratch = Scratch::deciding();
    let blocking = |rule: &&Rule| rule.info.enforced && rule.info.approval == Approval::Block;
    policy.rules.iter().filter(blocking).take(MOST_RULES).find_map(|rule| {
        let server = rule.matcher.server.any.iter().find_map(Glob::sample).unwrap_or_default();
        let samples = rule.matcher.tool.any.iter().filter_map(Glob::sample);
        let tool = samples.filter_map(other_case).find(|tool| runs(policy, rule, tool, server, &mut scratch))?;
        let message = format!("rule `{}` blocks one letter case only: `defaults` let `{tool}` run", rule.info.name);
        let help =
            "name it in `gateway.denied_tools`, which ignores letter case, or write `defaults: {approval: approve}`";
        let mut warning = Diagnostic::unplaced(DiagnosticCode::Lint, message).help(help).into_warning();
        warning.place = Some(rule.info.place.clone());
        Some(warning)
    })
}

/// The name in capitals, or in small letters when it has capitals only; `None` without letters.
fn other_case(name: &str) -> Option<String> {
    [name.to_uppercase(), name.to_lowercase()].into_iter().find(|other| other != name)
}

fn runs(policy: &Policy, rule: &Rule, tool: &str, server: &str, scratch: &mut Scratch) -> bool {
    if rule.matcher.tool.matches(tool) {
        return false;
    }
    let query = Query::new(tool, server);
    let mut findings = Vec::new();
    policy.scope(&query, &ScopeList::default(), &mut findings);
    let verdict = policy.rules(&query, scratch);
    findings.is_empty() && (verdict.approval == Approval::Auto || verdict.by_error)
}
