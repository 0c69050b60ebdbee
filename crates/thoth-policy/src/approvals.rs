//! What an approval takes, as files and rules ask for it together.

use std::collections::BTreeSet;
use std::sync::Arc;

use thoth_types::{ApproverRule, Requirement, Way};

use crate::name;
use crate::policy::Policy;
use crate::read::show_seconds;
use crate::rule::RuleId;
use crate::text_match::TextMatch;

/// What one file or rule asks of an approval. What it leaves out, it leaves to the others and then to
/// [`Requirement::default`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Demand {
    /// Each list sorted, each entry once.
    pub(crate) approvers: Vec<Vec<ApproverRule>>,
    pub(crate) quorum: Option<u8>,
    pub(crate) requester_may_approve: Option<bool>,
    pub(crate) terminal: Option<bool>,
    pub(crate) ttl_seconds: Option<u32>,
    pub(crate) longest_grant_seconds: Option<u32>,
    pub(crate) url: Option<Arc<str>>,
}

/// The one of two that holds where either is said.
pub(crate) fn both<T>(one: Option<T>, other: Option<T>, stricter: impl FnOnce(T, T) -> T) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(stricter(one, other)),
        (one, other) => one.or(other),
    }
}

impl Demand {
    /// Both at once: whatever either asks. The order makes no difference.
    pub(crate) fn and(self, other: &Self) -> Self {
        let mut approvers = self.approvers;
        approvers.extend(other.approvers.iter().cloned());
        approvers.sort();
        approvers.dedup();
        Self {
            approvers,
            quorum: both(self.quorum, other.quorum, u8::max),
            requester_may_approve: both(self.requester_may_approve, other.requester_may_approve, |a, b| a && b),
            terminal: both(self.terminal, other.terminal, |a, b| a || b),
            ttl_seconds: both(self.ttl_seconds, other.ttl_seconds, u32::min),
            longest_grant_seconds: both(self.longest_grant_seconds, other.longest_grant_seconds, u32::min),
            // Files that name different addresses do not load.
            url: both(self.url, other.url.clone(), Arc::min),
        }
    }

    pub(crate) fn requirement(self) -> Requirement {
        let nothing = Requirement::default();
        Requirement {
            approvers: if self.approvers.is_empty() { nothing.approvers } else { self.approvers },
            quorum: self.quorum.unwrap_or(nothing.quorum),
            requester_may_approve: self.requester_may_approve.unwrap_or(nothing.requester_may_approve),
            terminal: self.terminal.unwrap_or(nothing.terminal),
            ttl_seconds: self.ttl_seconds.unwrap_or(nothing.ttl_seconds),
            longest_grant_seconds: self.longest_grant_seconds.unwrap_or(nothing.longest_grant_seconds),
            url: self.url,
        }
    }
}

/// The way that asks the less of a client: waiting holds a call up, and a dialogue's answer is the client's word.
pub(crate) fn narrower(one: Way, other: Way) -> Way {
    let width = |way: &Way| match way {
        Way::Ticket => 0,
        Way::Inline => 1,
        Way::Elicit => 2,
        Way::Auto => 3,
    };
    std::cmp::min_by_key(one, other, width)
}

/// Arguments that an approval does not fix.
#[derive(Debug, Clone)]
pub(crate) struct Volatile {
    pub(crate) tools: TextMatch,
    /// Dotted paths.
    pub(crate) arguments: Box<[Arc<str>]>,
}

/// The `approvals` sections of all files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Approvals {
    pub(crate) demand: Demand,
    pub(crate) way: Option<Way>,
    pub(crate) volatile: Vec<Volatile>,
}

/// How many different accounts could approve, at the very most: nothing is known here of the machine's accounts but
/// the names that the policy gives. Where people answer over the network, whoever is named is a local user, too.
pub(crate) fn most_approvers(requirement: &Requirement, over_the_network: bool) -> usize {
    let lists = &requirement.approvers;
    let local = |list: &[ApproverRule]| {
        list.iter().any(|rule| matches!(rule, ApproverRule::LocalUser | ApproverRule::LocalTerminal))
    };
    let names: BTreeSet<&ApproverRule> =
        lists.iter().flatten().filter(|rule| matches!(rule, ApproverRule::Account(_))).collect();
    let admits = |list: &Vec<ApproverRule>, name| list.contains(name) || (over_the_network && local(list));
    let (everywhere, elsewhere): (Vec<_>, Vec<_>) =
        names.into_iter().partition(|name| lists.iter().all(|list| admits(list, name)));
    // The account of the sidecar may have any name. It is one more only under one that is not counted already.
    let one_more = requirement.requester_may_approve
        && (lists.iter().all(|list| local(list))
            || elsewhere.iter().any(|name| lists.iter().all(|list| local(list) || list.contains(name))));
    everywhere.len() + usize::from(one_more)
}

/// Whether any votes at all could meet it.
pub(crate) fn can_be_met(requirement: &Requirement, over_the_network: bool) -> bool {
    most_approvers(requirement, over_the_network) >= usize::from(requirement.quorum.max(1))
}

/// An approver as policies write it.
pub(crate) fn approver_word(rule: &ApproverRule) -> String {
    match rule {
        ApproverRule::LocalUser => "local_user".to_owned(),
        ApproverRule::LocalTerminal => "local_terminal".to_owned(),
        ApproverRule::Account(account) => format!("user:{account}"),
    }
}

/// What an approval takes, for a person: one line on who, one on when and how.
#[must_use]
pub fn describe_requirement(requirement: &Requirement) -> (String, String) {
    let list = |list: &Vec<ApproverRule>| list.iter().map(approver_word).collect::<Vec<_>>().join(", ");
    let who = match requirement.approvers.as_slice() {
        [one] => format!("one of {}", list(one)),
        several => {
            let lists: Vec<_> = several.iter().map(|own| format!("one of ({})", list(own))).collect();
            lists.join(" who is also ")
        }
    };
    let mut who = match requirement.quorum {
        0 | 1 => who,
        several => format!("{several} different accounts, each {who}"),
    };
    if !requirement.requester_may_approve {
        who.push_str("; not the account that asks");
    }
    let mut how = format!("within {}", show_seconds(requirement.ttl_seconds));
    how.push_str(if requirement.terminal { "" } else { "; no terminal needed" });
    if requirement.longest_grant_seconds > 0 {
        how.push_str(&format!("; or a grant of up to {}", show_seconds(requirement.longest_grant_seconds)));
    }
    if let Some(url) = &requirement.url {
        how.push_str(&format!("; at {url}"));
    }
    (who, how)
}

impl Policy {
    /// What an approval takes of a call that these rules matched: what the `approvals` sections say and, at once, what
    /// those rules say that ask.
    #[must_use]
    pub fn requirement(&self, matched: &[RuleId]) -> Requirement {
        let mut demand = self.approvals.demand.clone();
        for own in matched.iter().filter_map(|id| self.get(*id)).filter_map(|rule| rule.demand.as_deref()) {
            demand = demand.and(own);
        }
        demand.requirement()
    }

    /// How the policy wants people to be asked, if it says.
    #[must_use]
    pub const fn way(&self) -> Option<Way> {
        self.approvals.way
    }

    /// The arguments of this tool that an approval does not fix: paths of member names with dots between, sorted,
    /// each once. A tool must be named as written and as it reads, since this loosens.
    pub fn volatile(&self, tool: &str) -> impl Iterator<Item = &str> {
        let reads_as = name::normalised(tool);
        let mut paths: Vec<&str> = self
            .approvals
            .volatile
            .iter()
            .filter(|entry| entry.tools.matches(tool) && entry.tools.matches(&reads_as))
            .flat_map(|entry| entry.arguments.iter().map(|path| &**path))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths.into_iter()
    }
}
