//! Approvals of all files together: groups spelled out, demands joined, and whether anybody could approve.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thoth_types::{ApproverRule, Requirement, Way};

use crate::approvals::{Approvals, Demand, both, can_be_met, most_approvers, narrower};
use crate::diagnostic::{Diagnostic, DiagnosticCode, File};
use crate::read::{ApprovalsDraft, ApproverDraft, DemandDraft, GroupDraft, Reader};
use crate::yaml::At;

/// Which key a requirement comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Approvers,
    Quorum,
    Requester,
}

type Source = (Part, Arc<File>, At);

/// The sections of the files so far.
#[derive(Default)]
pub(crate) struct Sections {
    files: Vec<(Arc<File>, ApprovalsDraft)>,
}

/// All sections, joined.
pub(crate) struct Joined {
    pub(crate) approvals: Approvals,
    groups: Groups,
    /// The groups that some list names.
    used: BTreeSet<Arc<str>>,
    sources: Vec<Source>,
    /// Whether the sections alone can be met; if not, that is said, and not again of each rule.
    meetable: bool,
    over_the_network: bool,
}

type Groups = BTreeMap<Arc<str>, (Arc<File>, At, Vec<Arc<str>>)>;

impl Sections {
    pub(crate) fn add(&mut self, file: &Arc<File>, draft: ApprovalsDraft) {
        self.files.push((Arc::clone(file), draft));
    }

    /// `over_the_network`: people answer there, where any of them is a local user.
    pub(crate) fn join(
        self,
        over_the_network: bool,
        errors: &mut Vec<Diagnostic>,
        warnings: &mut Vec<Diagnostic>,
    ) -> Joined {
        let mut joined = Joined {
            over_the_network,
            approvals: Approvals::default(),
            groups: Groups::new(),
            used: BTreeSet::new(),
            sources: Vec::new(),
            meetable: true,
        };
        let mut sections = Vec::new();
        for (file, mut draft) in self.files {
            for group in std::mem::take(&mut draft.groups) {
                joined.declare(&file, group, errors);
            }
            sections.push((file, draft));
        }
        let before = errors.len();
        let mut url: Option<(Arc<str>, Arc<File>, At)> = None;
        let mut ways = Vec::new();
        for (file, draft) in sections {
            let mut demand = joined.demand(&file, &draft.demand, errors);
            demand.requester_may_approve = draft.requester_may_approve.as_ref().map(|told| told.value);
            demand.terminal = draft.terminal;
            demand.longest_grant_seconds = draft.longest_grant;
            if let Some(own) = draft.url {
                match &url {
                    Some((first, first_file, first_at)) if *first != own.value => {
                        let message = "the files of one policy disagree on `url` of `approvals`";
                        let error = Diagnostic::new(DiagnosticCode::Conflict, &file, own.at, message);
                        errors.push(error.also(first_file, *first_at, "the other file"));
                    }
                    _ => {
                        demand.url = Some(Arc::clone(&own.value));
                        url = Some((own.value, Arc::clone(&file), own.at));
                    }
                }
            }
            joined.sources.extend(parts(&file, &draft.demand));
            joined.sources.extend(
                draft
                    .requester_may_approve
                    .filter(|told| !told.value)
                    .map(|told| (Part::Requester, Arc::clone(&file), told.at)),
            );
            let approvals = &mut joined.approvals;
            approvals.demand = std::mem::take(&mut approvals.demand).and(&demand);
            if let Some(way) = draft.way {
                approvals.way = both(approvals.way, Some(way.value), narrower);
                ways.push((Arc::clone(&file), way));
            }
            approvals.volatile.extend(draft.volatile);
        }
        // With a list missing, what is left says nothing.
        if errors.len() == before {
            let requirement = joined.approvals.demand.clone().requirement();
            let problem = nobody(&requirement, joined.over_the_network, &joined.sources);
            joined.meetable = problem.is_none();
            errors.extend(problem);
            if joined.approvals.way == Some(Way::Elicit) && !asks_clients(&requirement) {
                for (file, way) in ways.iter().filter(|(_, way)| way.value == Way::Elicit) {
                    let message = "`ask: elicit` never asks the client, whose answer could not count";
                    let warning = Diagnostic::new(DiagnosticCode::Lint, file, way.at, message);
                    let help = "name `local_user` in `approvers`, with a `quorum` of 1, or leave `ask` out";
                    warnings.push(warning.help(help).into_warning());
                }
            }
        }
        joined
    }
}

impl Joined {
    fn declare(&mut self, file: &Arc<File>, group: GroupDraft, errors: &mut Vec<Diagnostic>) {
        if let Some((first, first_at, _)) = self.groups.get(&group.name) {
            let message = format!("two groups are called `{}`", group.name);
            let error = Diagnostic::new(DiagnosticCode::DuplicateName, file, group.at, message);
            errors.push(error.also(first, *first_at, "the first one").help("declare a group in one file only"));
            return;
        }
        self.groups.insert(group.name, (Arc::clone(file), group.at, group.members));
    }

    /// Warns of groups that neither a section nor a rule names.
    pub(crate) fn warn_unused(&self, warnings: &mut Vec<Diagnostic>) {
        for (name, (file, at, _)) in self.groups.iter().filter(|(name, _)| !self.used.contains(*name)) {
            let message = format!("no list names group `{name}`");
            let warning = Diagnostic::new(DiagnosticCode::Lint, file, *at, message);
            warnings.push(warning.help("remove it, or name it as an approver: `group:NAME`").into_warning());
        }
    }

    /// What a rule asks; nothing if it says nothing.
    pub(crate) fn of_rule(
        &mut self,
        file: &Arc<File>,
        draft: &DemandDraft,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<Box<Demand>> {
        if draft.is_empty() {
            return None;
        }
        let before = errors.len();
        let demand = self.demand(file, draft, errors);
        if errors.len() == before && self.meetable {
            let mut sources = self.sources.clone();
            sources.extend(parts(file, draft));
            let together = self.approvals.demand.clone().and(&demand).requirement();
            errors.extend(nobody(&together, self.over_the_network, &sources));
        }
        Some(Box::new(demand))
    }

    fn demand(&mut self, file: &Arc<File>, draft: &DemandDraft, errors: &mut Vec<Diagnostic>) -> Demand {
        let mut approvers = Vec::new();
        if let Some(own) = &draft.approvers {
            let mut list = Vec::new();
            for entry in &own.value {
                match entry {
                    ApproverDraft::One(rule) => list.push(rule.clone()),
                    ApproverDraft::Group(name, at) => list.extend(self.members(file, name, *at, errors)),
                }
            }
            list.sort();
            list.dedup();
            approvers.push(list);
        }
        Demand {
            approvers,
            quorum: draft.quorum.as_ref().map(|said| said.value),
            ttl_seconds: draft.ttl.as_ref().map(|said| said.value),
            ..Demand::default()
        }
    }

    fn members(
        &mut self,
        file: &Arc<File>,
        name: &Arc<str>,
        at: At,
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<ApproverRule> {
        if let Some((.., members)) = self.groups.get(name) {
            self.used.insert(Arc::clone(name));
            return members.iter().map(|member| ApproverRule::Account(Arc::clone(member))).collect();
        }
        let mut reader = Reader::new(file);
        let known: Vec<&str> = self.groups.keys().map(|name| &**name).collect();
        let message = format!("no group is called `{name}`");
        if known.is_empty() {
            let help = "declare it: `approvals: {groups: {NAME: [ACCOUNT]}}`";
            reader.error_help(DiagnosticCode::UnknownGroup, at, message, help);
        } else {
            reader.unknown(DiagnosticCode::UnknownGroup, at, &message, name, &known);
        }
        errors.append(&mut reader.errors);
        Vec::new()
    }
}

fn parts(file: &Arc<File>, draft: &DemandDraft) -> Vec<Source> {
    let approvers = draft.approvers.as_ref().map(|said| (Part::Approvers, Arc::clone(file), said.at));
    let quorum = draft.quorum.as_ref().map(|said| (Part::Quorum, Arc::clone(file), said.at));
    approvers.into_iter().chain(quorum).collect()
}

/// Whether a client can be asked at all: for an answer that counts, or to send its user to a page.
fn asks_clients(requirement: &Requirement) -> bool {
    let answers = requirement.quorum <= 1
        && requirement.requester_may_approve
        && requirement.approvers.iter().all(|list| list.contains(&ApproverRule::LocalUser));
    answers || requirement.url.is_some()
}

/// A requirement that no answers could meet: every call that asks would be refused in the end, which nobody means.
fn nobody(requirement: &Requirement, over_the_network: bool, sources: &[Source]) -> Option<Diagnostic> {
    if can_be_met(requirement, over_the_network) {
        return None;
    }
    let most = most_approvers(requirement, over_the_network);
    let asking = Requirement { requester_may_approve: true, ..requirement.clone() };
    let (part, message, help) = if most > 0 {
        let wanted = requirement.quorum;
        let message = format!("nobody could approve: {wanted} different accounts must, and no more than {most} may");
        (Part::Quorum, message, "name more accounts in `approvers`, or lower `quorum`")
    } else if most_approvers(&asking, over_the_network) > 0 {
        let message = "nobody could approve: whoever asks may not, and nobody else is named".to_owned();
        (Part::Requester, message, "name others: `approvers: [user:NAME]`")
    } else {
        let message = "nobody could approve: no account is on every list of `approvers`".to_owned();
        (Part::Approvers, message, "who approves must be on the list of each file and rule")
    };
    // The last one is the rule's own, where there is one.
    let main = sources.iter().rposition(|(own, ..)| *own == part).or_else(|| sources.len().checked_sub(1))?;
    let (_, file, at) = sources.get(main)?;
    let mut error = Diagnostic::new(DiagnosticCode::BadValue, file, *at, message).help(help);
    for (index, (_, file, at)) in sources.iter().enumerate().filter(|(_, (part, ..))| *part != Part::Quorum) {
        if index != main {
            error = error.also(file, *at, "together with this");
        }
    }
    Some(error)
}
