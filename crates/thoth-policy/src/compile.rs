//! From files to a policy.

use std::collections::HashMap;
use std::sync::Arc;

use thoth_types::{Approval, RiskLevel};

use crate::approvals::Demand;
use crate::blocked_patterns::BlockedPatterns;
use crate::diagnostic::{Diagnostic, DiagnosticCode, File, LoadError};
use crate::digest;
use crate::include::{self, Loaded};
use crate::index::Index;
use crate::inspect::InspectSection;
use crate::integrity::IntegritySection;
use crate::letter_case;
use crate::policy::{Defaults, Evaluation, Lists, Part, Policy};
use crate::progressive::ProgressiveDraft;
use crate::read::{Document, Reader, RuleDraft, RuleMode};
use crate::rule::{Rule, RuleId, RuleInfo};
use crate::source::Source;
use crate::spell_out::Sections;
use crate::yaml::At;

/// Loads the policy called `root` and everything that it includes.
///
/// # Errors
/// Everything that is wrong with the files, each with its place. A policy that loads has no errors at all: nothing in
/// a policy is ever silently ignored.
pub fn load(root: &str, source: &dyn Source) -> Result<Policy, LoadError> {
    let files = include::gather(root, source)?;
    let mut merge = Merge::default();
    let mut errors = Vec::new();
    let mut warnings = Vec::new();
    for (index, Loaded { file, path, root }) in files.iter().enumerate() {
        let mut reader = Reader::new(file);
        let document = reader.document(root.as_ref());
        errors.append(&mut reader.errors);
        warnings.append(&mut reader.warnings);
        merge.add(file, (index > 0).then_some(&**path), document, &mut errors);
    }
    if !errors.is_empty() {
        return Err(LoadError { diagnostics: errors });
    }
    let policy = merge.finish(&files, warnings, &mut errors);
    if errors.is_empty() { Ok(policy) } else { Err(LoadError { diagnostics: errors }) }
}

/// A draft, its file and its final name.
struct Named {
    name: Arc<str>,
    file: Arc<File>,
    draft: RuleDraft,
    demand: Option<Box<Demand>>,
    /// Which of the policies that hold together it is of.
    part: u16,
}

#[derive(Default)]
pub(crate) struct Merge {
    /// Which of the policies that hold together the next file is of.
    pub(crate) part: u16,
    /// The policies, where several hold together.
    pub(crate) parts: Vec<Part>,
    approval: Option<Approval>,
    risk: Option<RiskLevel>,
    evaluation: Option<(Evaluation, Arc<File>, At)>,
    rules: Vec<Named>,
    pub(crate) lists: Lists,
    approvals: Sections,
    progressive: ProgressiveDraft,
    integrity: Vec<IntegritySection>,
    inspect: Vec<InspectSection>,
}

impl Merge {
    /// Adds one file, with its path where it is included. Apart from the rules' positions, the order in which files are added makes no difference.
    pub(crate) fn add(
        &mut self,
        file: &Arc<File>,
        included: Option<&str>,
        document: Document,
        errors: &mut Vec<Diagnostic>,
    ) {
        self.approval = self.approval.max(document.approval);
        self.risk = self.risk.max(document.risk);
        if let Some((evaluation, at)) = document.evaluation {
            match &self.evaluation {
                Some((other, first, first_at)) if *other != evaluation => errors.push(
                    Diagnostic::new(
                        DiagnosticCode::Conflict,
                        file,
                        at,
                        "the files of one policy disagree on `evaluation`",
                    )
                    .also(first, *first_at, "the other file"),
                ),
                _ => self.evaluation = Some((evaluation, Arc::clone(file), at)),
            }
        }
        for draft in document.rules {
            let name = match (&draft.name, included) {
                (Some((name, _)), _) => Arc::clone(name),
                (None, None) => format!("rule_{}", draft.position).into(),
                (None, Some(path)) => format!("{path}:rule_{}", draft.position).into(),
            };
            let part = self.part;
            self.rules.push(Named { name, file: Arc::clone(file), draft, demand: None, part });
        }
        self.approvals.add(file, document.approvals);
        self.progressive = self.progressive.and(document.progressive);
        self.integrity.extend(document.integrity);
        self.inspect.extend(document.inspect);
        let lists = document.lists;
        self.lists.approved.extend(lists.approved);
        self.lists.allowed.extend(lists.allowed);
        self.lists.denied.extend(lists.denied);
        self.lists.sensitive.extend(lists.sensitive);
        self.lists.tools.extend(lists.tools);
        for (intent, scopes) in lists.intents {
            self.lists.intents.entry(intent).or_default().extend(scopes);
        }
        self.lists.max_tool_calls = match (self.lists.max_tool_calls, lists.max_tool_calls) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.lists.blocked_dids.extend(lists.blocked_dids);
        self.lists.require_did = self.lists.require_did.take().or(lists.require_did);
        self.lists.blocked_patterns.extend(lists.blocked_patterns);
        self.lists.sanitized = self.lists.sanitized.take().or(lists.sanitized);
    }

    pub(crate) fn finish(
        mut self,
        files: &[Loaded],
        mut warnings: Vec<Diagnostic>,
        errors: &mut Vec<Diagnostic>,
    ) -> Policy {
        let evaluation = self.evaluation.map_or_else(Evaluation::default, |(evaluation, ..)| evaluation);
        if let (None, Some(root)) = (self.approval, files.first()) {
            let message = "no `defaults.approval`: calls that no rule matches are blocked";
            let warning =
                Diagnostic::new(DiagnosticCode::Lint, &root.file, At { line: 1, column: 1, ..At::default() }, message);
            warnings.push(warning.help("say so: `defaults: {approval: block}`").into_warning());
        }
        let defaults = Defaults {
            approval: self.approval.unwrap_or(Approval::Block),
            risk: self.risk.unwrap_or(RiskLevel::Medium),
        };
        let over_the_network = self.parts.len() > 1;
        let mut joined = self.approvals.join(over_the_network, errors, &mut warnings);
        for named in &mut self.rules {
            named.demand = joined.of_rule(&named.file, &named.draft.demand, errors);
        }
        joined.warn_unused(&mut warnings);
        check_names(&self.rules, errors);
        check_overrides(&self.rules, evaluation, errors, &mut warnings);
        warn_catch_all(&self.rules, evaluation, defaults, &mut warnings);
        let rules = if errors.is_empty() { compile_rules(self.rules, evaluation, errors) } else { Box::default() };
        let highest_risk = rules.iter().map(|rule| rule.info.risk).max().unwrap_or(defaults.risk).max(defaults.risk);
        let patterns = std::mem::take(&mut self.lists.blocked_patterns);
        let blocked_patterns = BlockedPatterns::compile(patterns).unwrap_or_else(|error| {
            // Each of them was found good: together they are too large.
            if let Some(root) = files.first() {
                let message = format!("`blocked_patterns` take too much memory together: {error}");
                errors.push(Diagnostic::new(DiagnosticCode::BadPattern, &root.file, At::default(), message));
            }
            BlockedPatterns::default()
        });
        let mut policy = Policy {
            digest: digest::of_files(files.iter().map(|loaded| loaded.file.text.as_bytes())).into(),
            evaluation,
            defaults,
            index: Index::build(&rules, |rule| rule.info.enforced),
            shadow_index: rules
                .iter()
                .any(|rule| rule.info.shadow)
                .then(|| Index::build(&rules, |rule| rule.info.enforced || rule.info.shadow)),
            has_overrides: rules.iter().any(|rule| !rule.overrides.is_empty()),
            rules,
            parts: self.parts.into(),
            lists: self.lists,
            approvals: joined.approvals,
            progressive: self.progressive.finish(),
            integrity: self.integrity,
            inspect: self.inspect,
            blocked_patterns,
            highest_risk,
            warnings,
            files: files.iter().map(|loaded| Arc::clone(&loaded.file.name)).collect(),
        };
        let warning = letter_case::evaded(&policy);
        policy.warnings.extend(warning);
        policy
    }
}

fn check_names(rules: &[Named], errors: &mut Vec<Diagnostic>) {
    let mut seen: HashMap<&str, &Named> = HashMap::with_capacity(rules.len());
    for named in rules {
        let Some(first) = seen.insert(&named.name, named) else { continue };
        let at = named.draft.name.as_ref().map_or(named.draft.at, |(_, at)| *at);
        let first_at = first.draft.name.as_ref().map_or(first.draft.at, |(_, at)| *at);
        errors.push(
            Diagnostic::new(
                DiagnosticCode::DuplicateName,
                &named.file,
                at,
                format!("two rules are called `{}`", named.name),
            )
            .also(&first.file, first_at, "the first one")
            .help("give each rule its own name: evidence refers to rules by name"),
        );
    }
}

fn check_overrides(
    rules: &[Named],
    evaluation: Evaluation,
    errors: &mut Vec<Diagnostic>,
    warnings: &mut Vec<Diagnostic>,
) {
    if rules.iter().all(|named| named.draft.overrides.is_empty()) {
        return;
    }
    let names: Vec<&str> = rules.iter().map(|named| &*named.name).collect();
    for named in rules {
        for (target, at) in &named.draft.overrides {
            let message = format!("rule `{}` loosens `{target}`", named.name);
            warnings.push(Diagnostic::new(DiagnosticCode::Lint, &named.file, *at, message).into_warning());
            if evaluation == Evaluation::FirstMatch {
                let message = "`override` has no meaning with `evaluation: first-match`";
                errors.push(Diagnostic::new(DiagnosticCode::Conflict, &named.file, *at, message));
            } else if *target == named.name {
                errors.push(Diagnostic::new(
                    DiagnosticCode::BadValue,
                    &named.file,
                    *at,
                    "a rule cannot override itself",
                ));
            } else if !names.contains(&&**target) {
                let mut reader = Reader::new(&named.file);
                reader.unknown(
                    DiagnosticCode::UnknownRule,
                    *at,
                    &format!("no rule is called `{target}`"),
                    target,
                    &names,
                );
                errors.append(&mut reader.errors);
            }
        }
    }
}

/// A rule for every call replaces the defaults: what was meant as a last resort may block, or allow, everything.
fn warn_catch_all(rules: &[Named], evaluation: Evaluation, defaults: Defaults, warnings: &mut Vec<Diagnostic>) {
    for Named { file, draft, name, .. } in rules {
        let every_call = draft.matcher.matches_everything() && draft.conditions.is_empty() && draft.except.is_empty();
        if !every_call || draft.mode != RuleMode::Enforce {
            continue;
        }
        let (message, help) = if draft.approval < defaults.approval {
            let (own, other) = (draft.approval, defaults.approval);
            let message =
                format!("rule `{name}` answers `{own}` for every call, so that `{other}` of `defaults` never holds");
            (message, "name the tools that are meant, or change `defaults`")
        } else if draft.approval == Approval::Block && evaluation == Evaluation::Strictest {
            let message = format!("rule `{name}` blocks every call, whatever the other rules say");
            (message, "move it to `defaults: {approval: block}`; here the strictest rule wins, not the first")
        } else {
            continue;
        };
        warnings.push(Diagnostic::new(DiagnosticCode::Lint, file, draft.at, message).help(help).into_warning());
    }
}

/// Brings the rules into the order in which they are evaluated and resolves overrides.
fn compile_rules(rules: Vec<Named>, evaluation: Evaluation, errors: &mut Vec<Diagnostic>) -> Box<[Rule]> {
    let mut rules: Vec<(u32, Named)> = (0_u32..).zip(rules).collect();
    if evaluation == Evaluation::Strictest {
        // Strictest first, and among equals the one that explains best, so that evaluation may stop early.
        rules.sort_by(|(_, a), (_, b)| {
            let key = |n: &Named| (n.draft.approval, n.draft.risk, !n.draft.matcher.server.matches_everything());
            key(b).cmp(&key(a)).then_with(|| a.name.cmp(&b.name))
        });
    }
    let with_targets = rules.iter().any(|(_, named)| !named.draft.overrides.is_empty());
    let ids: HashMap<Arc<str>, RuleId> = if with_targets {
        rules.iter().zip(0_u32..).map(|((_, named), id)| (Arc::clone(&named.name), RuleId(id))).collect()
    } else {
        HashMap::new()
    };
    let mut compiled: Vec<Rule> = Vec::with_capacity(rules.len());
    let mut places: Vec<(Arc<File>, At)> = Vec::new();
    for (position, Named { name, file, draft, demand, part }) in rules {
        if with_targets {
            places.push((Arc::clone(&file), draft.at));
        }
        compiled.push(Rule {
            info: RuleInfo {
                name,
                place: file.place(draft.at),
                description: draft.description,
                reason: draft.reason,
                owner: draft.owner,
                controls: draft.controls,
                approval: draft.approval,
                risk: draft.risk,
                expires: draft.expires,
                enforced: draft.mode == RuleMode::Enforce,
                shadow: draft.mode == RuleMode::Shadow,
                conditions: draft.conditions.len(),
                overrides: draft.overrides.iter().map(|(name, _)| Arc::clone(name)).collect(),
            },
            position,
            matcher: draft.matcher,
            except: draft.except.into(),
            conditions: draft.conditions.into(),
            demand,
            overrides: {
                let mut overrides: Vec<RuleId> =
                    draft.overrides.iter().filter_map(|(name, _)| ids.get(name).copied()).collect();
                overrides.sort_unstable();
                overrides.into()
            },
            override_rank: 0,
            overridable: false,
            part,
        });
    }
    if with_targets {
        rank_overrides(&mut compiled, &places, errors);
    }
    compiled.into()
}

/// Gives rules that override a rank below those that they override. A circle has no answer and is an error.
fn rank_overrides(rules: &mut [Rule], places: &[(Arc<File>, At)], errors: &mut Vec<Diagnostic>) {
    let edges: Vec<Box<[RuleId]>> = rules.iter().map(|rule| rule.overrides.clone()).collect();
    let mut incoming = vec![0_usize; rules.len()];
    for target in edges.iter().flatten() {
        if let (Some(count), Some(rule)) = (incoming.get_mut(target.0 as usize), rules.get_mut(target.0 as usize)) {
            *count += 1;
            rule.overridable = true;
        }
    }
    let mut ready: Vec<usize> = (0..rules.len()).filter(|i| incoming.get(*i) == Some(&0)).collect();
    let mut rank = 0;
    let mut ranked = vec![false; rules.len()];
    while let Some(index) = ready.pop() {
        if let (Some(rule), Some(done)) = (rules.get_mut(index), ranked.get_mut(index)) {
            rule.override_rank = rank;
            rank += 1;
            *done = true;
        }
        for target in edges.get(index).into_iter().flatten() {
            let target = target.0 as usize;
            if let Some(count) = incoming.get_mut(target) {
                *count -= 1;
                if *count == 0 {
                    ready.push(target);
                }
            }
        }
    }
    if let Some(index) = ranked.iter().position(|done| !done)
        && let (Some(rule), Some((file, at))) = (rules.get(index), places.get(index))
    {
        let message = format!("rule `{}` overrides in a circle", rule.info.name);
        errors.push(Diagnostic::new(DiagnosticCode::Conflict, file, *at, message));
    }
}
