//! Calls that a rule was meant for and does not match: another letter case, a letter that looks the same, a text around
//! what an expression looks for.

use serde_json::Value as Json;
use thoth_policy::outline::{ArgumentPath, Condition, Test};
use thoth_types::Approval;

use super::{Checker, answer};
use crate::call::Call;
use crate::finding::{FindingKind, Severity};
use crate::model::{Rule, RuleRef, Space};

/// Letters of other scripts that look like Latin ones.
const LOOK_ALIKES: [(char, char); 12] = [
    ('a', 'а'),
    ('e', 'е'),
    ('o', 'о'),
    ('p', 'р'),
    ('c', 'с'),
    ('x', 'х'),
    ('i', 'і'),
    ('s', 'ѕ'),
    ('j', 'ј'),
    ('y', 'у'),
    ('h', 'һ'),
    ('d', 'ԁ'),
];

impl Checker<'_> {
    pub(super) fn bypasses(&mut self, space: &Space<'_>, at: RuleRef, sample: &Call) {
        let Some(rule) = space.rule(at) else { return };
        if rule.approval == Approval::Auto {
            self.unanchored(space, rule, sample);
        } else if rule.block.tool.is_some() {
            self.evaded(space, rule, sample);
        }
    }

    fn evaded(&mut self, space: &Space<'_>, rule: &Rule<'_>, sample: &Call) {
        let tool = &sample.tool;
        let look_alike = tool.chars().position(|c| LOOK_ALIKES.iter().any(|(plain, _)| *plain == c)).map(|position| {
            let other = |c: char| LOOK_ALIKES.iter().find(|(plain, _)| *plain == c).map_or(c, |(_, other)| *other);
            tool.chars().enumerate().map(|(at, c)| if at == position { other(c) } else { c }).collect::<String>()
        });
        let cases = [tool.to_uppercase(), tool.to_lowercase()].into_iter().filter(|other| other != tool);
        let cases = cases.map(|name| (FindingKind::CaseBypass, name));
        let look_alike = look_alike.into_iter().map(|name| (FindingKind::LookAlikeBypass, name));
        let mut done: Option<FindingKind> = None;
        for (kind, name) in cases.chain(look_alike) {
            if done == Some(kind) || rule.outline.matcher().tool.matches(&name) {
                continue;
            }
            let call = Call { tool: name, ..sample.clone() };
            let Some(answer) = answer(space, &call).filter(|answer| *answer < rule.approval) else { continue };
            done = Some(kind);
            let severity = if answer == Approval::Auto { Severity::Warning } else { Severity::Note };
            let what = if kind == FindingKind::CaseBypass {
                "in another letter case"
            } else {
                "with a letter that looks the same"
            };
            let message = format!(
                "rule `{}` ({}) does not match `{tool}` {what}: the answer is `{answer}`",
                rule.name(),
                rule.approval
            );
            let remedy = if kind == FindingKind::CaseBypass {
                "name it in `gateway.denied_tools`, which ignores letter case, or make `defaults` as strict"
            } else {
                "make `defaults` as strict, and name the tools that may run"
            };
            let finding = self.finding(rule, kind, severity, message, remedy);
            self.add_with(space, finding, call, |own| own == answer);
        }
    }

    fn unanchored(&mut self, space: &Space<'_>, rule: &Rule<'_>, sample: &Call) {
        for condition in rule.outline.conditions() {
            let Condition::Argument { path, test: Test::Pattern(pattern) } = condition else { continue };
            if is_anchored(pattern.as_str()) {
                continue;
            }
            let Some(arguments) = surrounded(&sample.arguments, path) else { continue };
            let call = Call { arguments, ..sample.clone() };
            if answer(space, &call) != Some(Approval::Auto) {
                continue;
            }
            let message = format!(
                "rule `{}` allows any text around what `{}` finds in `{}`",
                rule.name(),
                pattern.as_str(),
                path.text
            );
            let remedy = "anchor the expression: begin it with `^` and end it with `$`";
            let finding = self.finding(rule, FindingKind::UnanchoredPattern, Severity::Warning, message, remedy);
            self.add_with(space, finding, call, |answer| answer == Approval::Auto);
        }
    }
}

fn is_anchored(pattern: &str) -> bool {
    use regex_syntax::hir::Look;
    regex_syntax::parse(pattern).is_ok_and(|parsed| {
        let properties = parsed.properties();
        properties.look_set_prefix().contains(Look::Start) && properties.look_set_suffix().contains(Look::End)
    })
}

/// The arguments with a text before and after the one at the path.
fn surrounded(arguments: &str, path: &ArgumentPath) -> Option<String> {
    let mut whole: Json = serde_json::from_str(arguments).ok()?;
    let mut at = &mut whole;
    for step in &path.steps {
        at = match &step.name {
            Some(name) => at.get_mut(&**name)?,
            None => at.get_mut(step.index?)?,
        };
    }
    let text = at.as_str()?;
    *at = format!("anything {text} anything").into();
    Some(whole.to_string())
}
