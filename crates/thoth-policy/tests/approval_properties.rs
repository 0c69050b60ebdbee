//! What holds of approvals for all policies and all answers, against a model that reads each key on its own.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::option::of as maybe;
use proptest::prelude::*;
use thoth_policy::{ArgumentPatterns, Policy, Query, Scratch, Sources, load};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Approver, ArgumentPattern, Arguments, Channel, Requester, Requirement, Vote};

const WORDS: [&str; 6] = ["local_user", "local_terminal", "user:alice", "user:bob", "user:carol", "group:team"];
const TEAM: [&str; 2] = ["alice", "carol"];
const LOCAL: u32 = 1000;

/// The keys of one section or rule, as written.
#[derive(Debug, Clone, Default)]
struct Part {
    approvers: Option<BTreeSet<&'static str>>,
    quorum: Option<u8>,
    ttl: Option<u32>,
    requester_may_approve: Option<bool>,
    terminal: Option<bool>,
    grants: Option<u32>,
}

/// One file: its section, and rules that match the one tool in question.
#[derive(Debug, Clone)]
struct OneFile {
    section: Part,
    rules: Vec<Part>,
}

impl Part {
    fn keys(&self, out: &mut String) {
        if let Some(own) = &self.approvers {
            write!(out, "approvers: {:?}, ", own.iter().collect::<Vec<_>>()).unwrap();
        }
        for (key, value) in [("requester_may_approve", self.requester_may_approve), ("terminal", self.terminal)] {
            value.into_iter().for_each(|value| write!(out, "{key}: {value}, ").unwrap());
        }
        self.quorum.into_iter().for_each(|quorum| write!(out, "quorum: {quorum}, ").unwrap());
        self.ttl.into_iter().for_each(|ttl| write!(out, "ttl: {ttl}s, ").unwrap());
        self.grants.into_iter().for_each(|longest| write!(out, "grants: {{longest: {longest}s}}, ").unwrap());
    }
}

impl OneFile {
    fn yaml(&self, name: &str) -> String {
        let mut text = "approvals: {".to_owned();
        self.section.keys(&mut text);
        text.push_str("}\nrules:\n");
        for (index, rule) in self.rules.iter().enumerate() {
            write!(text, "  - {{name: {name}{index}, match: {{tool: t}}, ").unwrap();
            rule.keys(&mut text);
            text.push_str("}\n");
        }
        text
    }
}

/// Loads the files in this order, unless nobody could approve. The group is declared beside them.
fn merged(files: &[(&str, &OneFile)]) -> Option<Policy> {
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    let root = format!("include: {names:?}\napprovals: {{groups: {{team: {TEAM:?}}}}}\n");
    let sources =
        files.iter().fold(Sources::new().with("p", root), |sources, (name, file)| sources.with(name, file.yaml(name)));
    let loaded = load("p", &sources);
    if let Err(error) = &loaded {
        assert!(error.to_string().contains("nobody could approve"), "{error}");
    }
    loaded.ok()
}

fn requirement(policy: &Policy) -> Requirement {
    let mut scratch = Scratch::new();
    let verdict = policy.rules(&Query::new("t", "s"), &mut scratch);
    assert!(!verdict.by_error);
    policy.requirement(scratch.matched())
}

fn requester() -> Requester {
    Requester { account: "dev".into(), uid: LOCAL, user: None, client: None }
}

/// The model: a vote counts if every part lets it, and as many accounts as any part wants must have voted so.
fn meets(parts: &[&Part], votes: &[Vote]) -> bool {
    let admits = |word: &str, vote: &Vote| {
        let local = vote.approver.uid == LOCAL;
        let by_hand = matches!(vote.channel, Channel::Terminal | Channel::Script);
        match word {
            "local_user" => local && (by_hand || vote.channel == Channel::Client),
            "local_terminal" => local && by_hand,
            "group:team" => TEAM.contains(&&*vote.approver.account) && by_hand,
            user => user.strip_prefix("user:") == Some(&vote.approver.account) && by_hand,
        }
    };
    let nobody_says = |said: fn(&Part) -> bool| !parts.iter().any(|part| said(part));
    let silent = nobody_says(|part| part.approvers.is_some());
    let terminal = nobody_says(|part| part.terminal.is_some()) || parts.iter().any(|part| part.terminal == Some(true));
    let counts = |vote: &&Vote| {
        vote.approves
            && (!silent || admits("local_terminal", vote))
            && !(terminal && vote.channel == Channel::Script)
            && parts.iter().all(|part| {
                part.approvers.as_ref().is_none_or(|own| own.iter().any(|word| admits(word, vote)))
                    && (part.requester_may_approve != Some(false) || vote.approver.uid != LOCAL)
            })
    };
    let accounts: BTreeSet<u32> = votes.iter().filter(counts).map(|vote| vote.approver.uid).collect();
    parts.iter().all(|part| accounts.len() >= part.quorum.map_or(1, usize::from))
}

/// Whether the model can be met by anybody, tried out: everybody votes at a terminal, and the account of the sidecar
/// is each of the people in turn.
fn somebody_meets(parts: &[&Part]) -> bool {
    let people = ["alice", "bob", "carol", "dev"];
    people.iter().any(|local| {
        let uid = |name: &str, other: u32| if name == *local { LOCAL } else { other };
        let all: Vec<Vote> =
            people.iter().zip(1..).map(|(name, other)| vote(name, uid(name, other), Channel::Terminal, true)).collect();
        meets(parts, &all)
    })
}

fn vote(account: &str, uid: u32, channel: Channel, approves: bool) -> Vote {
    let approver = Approver { account: account.into(), uid };
    Vote { approver, approves, channel, origin: String::new(), at: jiff::Timestamp::UNIX_EPOCH, line: Vec::new() }
}

fn votes() -> impl Strategy<Value = Vec<Vote>> {
    let people = [("dev", LOCAL), ("alice", LOCAL), ("alice", 1), ("bob", 2), ("carol", 3), ("mallory", 4)];
    let channel = prop::sample::select(Channel::ALL.to_vec());
    let likely = prop_oneof![3 => Just(Channel::Terminal), 2 => channel];
    let one = (prop::sample::select(people.to_vec()), likely, prop::bool::weighted(0.9));
    let one = one.prop_map(|((account, uid), channel, approves)| vote(account, uid, channel, approves));
    prop::collection::vec(one, 0..6)
}

fn approvers() -> impl Strategy<Value = BTreeSet<&'static str>> {
    prop::collection::btree_set(prop::sample::select(WORDS.to_vec()), 1..5)
}

fn rule() -> impl Strategy<Value = Part> {
    (maybe(approvers()), maybe(1_u8..4), maybe(10_u32..90)).prop_map(|(approvers, quorum, ttl)| Part {
        approvers,
        quorum,
        ttl,
        ..Part::default()
    })
}

fn file() -> impl Strategy<Value = OneFile> {
    let others = (maybe(any::<bool>()), maybe(any::<bool>()), maybe(0_u32..90));
    let section = (rule(), others).prop_map(|(rule, (requester_may_approve, terminal, grants))| Part {
        requester_may_approve,
        terminal,
        grants,
        ..rule
    });
    (section, prop::collection::vec(rule(), 0..3)).prop_map(|(section, rules)| OneFile { section, rules })
}

/// A file that leaves nothing to the others of what they could loosen.
fn file_with_opinions() -> impl Strategy<Value = OneFile> {
    (file(), approvers(), any::<bool>(), 0_u32..90, 10_u32..90).prop_map(|(mut file, own, terminal, grants, ttl)| {
        file.section.approvers.get_or_insert(own);
        file.section.terminal.get_or_insert(terminal);
        file.section.grants.get_or_insert(grants);
        file.section.ttl.get_or_insert(ttl);
        file
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends the meaning of every key, alone and together: the same answers meet the policy and the model.
    #[test]
    fn requirements_equal_the_model(a in file(), b in file(), votes in votes()) {
        let parts: Vec<&Part> =
            [&a.section, &b.section].into_iter().chain(&a.rules).chain(&b.rules).collect();
        if let Some(policy) = merged(&[("a", &a), ("b", &b)]) {
            prop_assert_eq!(requirement(&policy).is_met_by(&votes, &requester()), meets(&parts, &votes));
        }
    }

    /// Defends "somebody can approve": a policy loads if and only if its sections, and each rule with them, could be met.
    #[test]
    fn what_loads_can_be_met(a in file(), b in file()) {
        let sections = [&a.section, &b.section];
        let mut rules = a.rules.iter().chain(&b.rules);
        let good = somebody_meets(&sections) && rules.all(|rule| somebody_meets(&[sections[0], sections[1], rule]));
        prop_assert_eq!(merged(&[("a", &a), ("b", &b)]).is_some(), good);
    }

    /// Defends grants for a directory: what a wildcard covers never leads out of it, however the path is written.
    #[test]
    fn wildcards_stay_below(path in "/srv/data/((\\.\\.|\\.|a|b\\.\\.|\\.\\.c|)[/\\\\]){0,6}(\\.\\.|k|)") {
        let pattern = ArgumentPattern { argument: "path".to_owned(), glob: "/srv/data/*".to_owned() };
        let text = serde_json::json!({"path": path}).to_string();
        let mut tape = Tape::new();
        let arguments = Arguments::new(Some(tape.parse(text.as_bytes(), &Limits::default()).unwrap()));
        let mut depth = 0_i32;
        let mut lowest = 0_i32;
        for step in path.strip_prefix("/srv/data/").unwrap().split(['/', '\\']) {
            depth += match step { ".." => -1, "" | "." => 0, _ => 1 };
            lowest = lowest.min(depth);
        }
        let covered = ArgumentPatterns::compile(&[pattern]).unwrap().matches(arguments);
        prop_assert!(!covered || lowest == 0, "{path}");
        prop_assert!(covered || path.contains(".."), "{path}");
    }

    /// Defends "a merge only tightens", in any order: what meets both files together meets each.
    #[test]
    fn merging_commutes_and_is_never_looser(a in file_with_opinions(), b in file_with_opinions(), votes in votes()) {
        let (one, other) = (merged(&[("a", &a), ("b", &b)]), merged(&[("b", &b), ("a", &a)]));
        prop_assert_eq!(one.is_some(), other.is_some());
        let (Some(one), Some(other)) = (one, other) else { return Ok(()) };
        let both = requirement(&one);
        prop_assert_eq!(&both, &requirement(&other));
        for (name, file) in [("a", &a), ("b", &b)] {
            let Some(alone) = merged(&[(name, file)]) else {
                return Err(TestCaseError::fail("a file that nobody can meet alone loads together"));
            };
            let alone = requirement(&alone);
            prop_assert!(!both.is_met_by(&votes, &requester()) || alone.is_met_by(&votes, &requester()));
            prop_assert!(!both.client_may_answer(&requester()) || alone.client_may_answer(&requester()));
            prop_assert!(both.ttl_seconds <= alone.ttl_seconds);
            prop_assert!(both.longest_grant_seconds <= alone.longest_grant_seconds);
        }
    }
}
