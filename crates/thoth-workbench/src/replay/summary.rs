//! All replayed calls, summed up.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use thoth_types::Approval;
use thoth_types::display::harmless;

use super::{Change, RecordedCall, Replayed};

/// Calls with the same change by the same rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What was answered.
    pub old: Approval,
    /// What may be answered.
    pub new: BTreeSet<Approval>,
    /// The rule that decides, with its place.
    pub rule: Option<(String, String)>,
    /// What would have to be known.
    pub needs: BTreeSet<String>,
    /// How many calls.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<Example>,
}

/// A call, to find it in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Its name there.
    pub call_id: String,
    /// When it was made.
    pub at: String,
    /// The tool.
    pub tool: String,
    /// The server.
    pub server: String,
}

/// Calls of which a shadow would have answered the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowGroup {
    /// What was answered.
    pub old: Approval,
    /// What would have been.
    pub new: Approval,
    /// By which rule.
    pub rule: Option<String>,
    /// How many calls.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<Example>,
}

type Key = (Approval, BTreeSet<Approval>, Option<(String, String)>, BTreeSet<String>);
type ShadowKey = (Approval, Approval, Option<String>);
/// How many calls, and some of them.
type Counted = (u64, Vec<Example>);
type ShadowGroups = BTreeMap<ShadowKey, Counted>;

/// How many examples a group keeps at most, whatever is asked for.
const MOST_EXAMPLES: usize = 100;

/// What became of all calls.
#[derive(Debug, Default)]
pub struct Summary {
    examples: usize,
    counts: BTreeMap<Change, u64>,
    assumed: u64,
    groups: BTreeMap<Change, BTreeMap<Key, Counted>>,
    /// By who was asked and the digest of the policy.
    shadows: BTreeMap<(String, String), (u64, ShadowGroups)>,
}

impl Summary {
    /// A summary that keeps this many examples of each group.
    #[must_use]
    pub fn new(examples: usize) -> Self {
        Self { examples: examples.min(MOST_EXAMPLES), ..Self::default() }
    }

    /// Adds one call.
    pub fn add(&mut self, call: &RecordedCall, replayed: &Replayed) {
        *self.counts.entry(replayed.change).or_default() += 1;
        self.assumed += u64::from(replayed.assumed);
        let most = self.examples;
        let take = |(count, examples): &mut Counted| {
            *count += 1;
            if examples.len() < most {
                examples.push(Example::of(call));
            }
        };
        if replayed.change != Change::Unchanged {
            let rule = replayed
                .rule
                .as_ref()
                .map(|rule| (rule.to_string(), replayed.place.as_ref().map(ToString::to_string).unwrap_or_default()));
            let key = (replayed.old, replayed.new.clone(), rule, replayed.needs.clone());
            take(self.groups.entry(replayed.change).or_default().entry(key).or_default());
        }
        for shadow in &call.shadows {
            let who = (shadow.source.clone(), shadow.policy_digest.clone());
            let (asked, groups) = self.shadows.entry(who).or_default();
            *asked += 1;
            if shadow.approval != replayed.old {
                take(groups.entry((replayed.old, shadow.approval, shadow.rule.clone())).or_default());
            }
        }
    }

    /// How many calls changed in this way.
    #[must_use]
    pub fn count(&self, change: Change) -> u64 {
        self.counts.get(&change).copied().unwrap_or_default()
    }

    /// How many calls there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// For how many calls it was taken from the record what an inspection finds in their arguments.
    #[must_use]
    pub const fn assumed(&self) -> u64 {
        self.assumed
    }

    /// The groups of one change, the largest first.
    #[must_use]
    pub fn groups(&self, change: Change) -> Vec<Group> {
        let groups = self.groups.get(&change).into_iter().flatten();
        let mut groups: Vec<Group> = groups
            .map(|((old, new, rule, needs), (count, examples))| Group {
                old: *old,
                new: new.clone(),
                rule: rule.clone(),
                needs: needs.clone(),
                count: *count,
                examples: examples.clone(),
            })
            .collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        groups
    }

    /// What rules and policies in shadow mode answered when the calls were made: who, of how many calls, and where they
    /// differed.
    pub fn shadows(&self) -> impl Iterator<Item = (&str, &str, u64, Vec<ShadowGroup>)> {
        self.shadows.iter().map(|((source, digest), (asked, groups))| {
            let mut groups: Vec<ShadowGroup> = groups
                .iter()
                .map(|((old, new, rule), (count, examples))| ShadowGroup {
                    old: *old,
                    new: *new,
                    rule: rule.clone(),
                    count: *count,
                    examples: examples.clone(),
                })
                .collect();
            groups.sort_by_key(|group| std::cmp::Reverse(group.count));
            (&**source, &**digest, *asked, groups)
        })
    }

    /// One JSON object: `calls, unchanged, stricter, looser, unknown, inspection_assumed, changes, shadow`.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let changes: Vec<Json> = Change::ALL
            .iter()
            .flat_map(|change| self.groups(*change).into_iter().map(|group| group.to_json(*change)))
            .collect();
        let shadows: Vec<Json> = self
            .shadows()
            .map(|(source, digest, asked, groups)| {
                let changes: Vec<Json> = groups.iter().map(ShadowGroup::to_json).collect();
                json!({"source": source, "policy_digest": digest, "calls": asked, "changes": changes})
            })
            .collect();
        json!({
            "calls": self.total(),
            "unchanged": self.count(Change::Unchanged),
            "stricter": self.count(Change::Stricter),
            "looser": self.count(Change::Looser),
            "unknown": self.count(Change::Unknown),
            "inspection_assumed": self.assumed,
            "changes": changes,
            "shadow": shadows,
        })
    }
}

impl Example {
    fn of(call: &RecordedCall) -> Self {
        Self {
            call_id: call.call_id.clone(),
            at: call.at.to_string(),
            tool: call.tool.clone(),
            server: call.server.clone(),
        }
    }

    fn to_json(&self) -> Json {
        json!({"call_id": self.call_id, "at": self.at, "tool": self.tool, "server": self.server})
    }
}

impl std::fmt::Display for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}  {} @ {}  {}", self.at, harmless(&self.tool), harmless(&self.server), harmless(&self.call_id))
    }
}

fn words(answers: &BTreeSet<Approval>) -> Vec<&'static str> {
    answers.iter().map(|answer| answer.as_str()).collect()
}

fn examples(examples: &[Example]) -> Vec<Json> {
    examples.iter().map(Example::to_json).collect()
}

impl Group {
    /// The change, and what it comes from, in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let by = match &self.rule {
            Some((rule, place)) => format!("by {} ({})", harmless(rule), harmless(place)),
            None if self.needs.is_empty() => "by no rule".to_owned(),
            None => String::new(),
        };
        let needs: Vec<&str> = self.needs.iter().map(String::as_str).collect();
        let needs = if needs.is_empty() { String::new() } else { format!("needs {}", harmless(&needs.join(", "))) };
        let line = format!("{:>8}  {} -> {}  {by}{needs}", self.count, self.old, words(&self.new).join(" or "));
        line.trim_end().to_owned()
    }

    fn to_json(&self, change: Change) -> Json {
        json!({
            "change": change.as_str(),
            "old": self.old.as_str(),
            "new": words(&self.new),
            "rule": self.rule.as_ref().map(|(rule, _)| rule),
            "place": self.rule.as_ref().map(|(_, place)| place),
            "needs": self.needs,
            "calls": self.count,
            "examples": examples(&self.examples),
        })
    }
}

impl ShadowGroup {
    /// The difference in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let by = self.rule.as_deref().map_or_else(|| "no rule".to_owned(), harmless);
        format!("{:>8}  {} -> {}  by {by}", self.count, self.old, self.new)
    }

    fn to_json(&self) -> Json {
        json!({
            "old": self.old.as_str(),
            "new": self.new.as_str(),
            "rule": self.rule,
            "calls": self.count,
            "examples": examples(&self.examples),
        })
    }
}
