//! The section `integrity`: what it says, how files add up, and what is found about a called tool.

use proptest::prelude::*;
use thoth_policy::{IntegrityRules, NoHistory, OnChange, OnFirstUse, Policy, Query, Shown, Sources};
use thoth_types::{Approval, Arguments, Integrity, Listed, PinState, Reaction, Severity, Threat};

fn load(text: &str) -> Result<Policy, String> {
    let text = format!("version: \"1\"\ndefaults: {{ approval: auto }}\n{text}\n");
    thoth_policy::load("p.yaml", &Sources::one("p.yaml", text)).map_err(|error| error.to_string())
}

/// What is found about a call: each code with what it demands and whether a mode may soften it.
fn found(policy: &Policy, server: &str, listed: Listed, known: &Integrity) -> Vec<(&'static str, Approval, bool)> {
    let query = Query {
        tool: "t",
        server,
        agent: None,
        user: None,
        intent: None,
        arguments: Arguments::NONE,
        now: jiff::Timestamp::UNIX_EPOCH,
        history: &NoHistory,
    };
    let mut findings = Vec::new();
    policy.integrity(&query, listed, known, &mut findings);
    findings.iter().map(|finding| (finding.code.as_str(), finding.approval, finding.hard)).collect()
}

fn pinned(pin: PinState) -> Integrity {
    Integrity { pin: Some(pin), ..Integrity::default() }
}

fn with_threat(severity: Severity) -> Integrity {
    let threat = Threat { severity, rule: "r".into(), message: "m".into() };
    Integrity { threat: Some(threat), ..pinned(PinState::Approved) }
}

/// Defends: what has changed, was revoked, is poisoned or cannot be told is refused whatever the mode, unless the policy
/// says otherwise by name.
#[test]
fn the_table_of_findings() {
    use Approval::{Approve, Block};
    use PinState::{Approved, Pending, Quarantined, Revoked};
    let broken = Integrity { problem: Some("x".into()), ..Integrity::default() };
    let stale = Integrity { stale: true, ..pinned(Approved) };
    type Case<'c> = (&'c str, Listed, Integrity, &'c [(&'static str, Approval, bool)]);
    let cases: &[Case<'_>] = &[
        ("", Listed::Yes, pinned(Approved), &[]),
        ("", Listed::Unknown, pinned(Approved), &[]),
        ("", Listed::No, pinned(Approved), &[("tool_unlisted", Approve, false)]),
        ("", Listed::Unknown, Integrity::default(), &[("tool_unlisted", Approve, false)]),
        ("on_unlisted: block", Listed::No, Integrity::default(), &[("tool_unlisted", Block, false)]),
        ("on_unlisted: allow", Listed::No, Integrity::default(), &[]),
        ("", Listed::Yes, stale.clone(), &[]),
        ("on_stale: ask", Listed::Yes, stale.clone(), &[("tool_stale", Approve, false)]),
        ("on_stale: block", Listed::Unknown, stale, &[("tool_stale", Block, false)]),
        ("", Listed::Yes, pinned(Pending), &[("tool_not_approved", Approve, false)]),
        ("on_first_use: ask", Listed::Yes, pinned(Pending), &[("tool_not_approved", Approve, false)]),
        ("on_first_use: block", Listed::Yes, pinned(Pending), &[("tool_not_approved", Block, true)]),
        ("", Listed::Yes, pinned(Quarantined), &[("tool_quarantined", Block, true)]),
        ("on_change: ask", Listed::Yes, pinned(Quarantined), &[("tool_changed", Approve, false)]),
        ("on_change: allow", Listed::Yes, pinned(Quarantined), &[]),
        ("on_change: allow", Listed::Yes, pinned(Revoked), &[("tool_revoked", Block, true)]),
        ("", Listed::Yes, with_threat(Severity::Critical), &[("tool_poisoned", Block, true)]),
        (
            "on_finding: {critical: ask}",
            Listed::Yes,
            with_threat(Severity::Critical),
            &[("tool_poisoned", Approve, false)],
        ),
        ("on_finding: {critical: allow}", Listed::Yes, with_threat(Severity::Critical), &[]),
        ("", Listed::Yes, with_threat(Severity::Warning), &[]),
        (
            "on_finding: {warning: block}",
            Listed::Yes,
            with_threat(Severity::Warning),
            &[("tool_suspicious", Block, true)],
        ),
        ("", Listed::Yes, with_threat(Severity::Info), &[]),
        ("", Listed::Yes, broken.clone(), &[("integrity_unavailable", Block, true)]),
        ("on_change: ask", Listed::Unknown, broken.clone(), &[("integrity_unavailable", Block, true)]),
        ("on_change: allow", Listed::Yes, broken.clone(), &[("integrity_unavailable", Block, true)]),
        (
            "on_first_use: block, on_change: allow",
            Listed::No,
            broken,
            &[("integrity_unavailable", Block, true), ("tool_unlisted", Approve, false)],
        ),
    ];
    for (section, listed, known, expected) in cases {
        let section = if section.is_empty() { String::new() } else { format!("integrity: {{{section}}}") };
        let policy = load(&section).unwrap();
        assert_eq!(found(&policy, "s", *listed, known), *expected, "{section} {listed:?} {known:?}");
        let rules = policy.integrity_rules("s");
        assert!(known.problem.is_none() || rules.withholds(known), "{section} {known:?}");
        // What is hidden from the client is exactly what is refused for good.
        let refused = found(&policy, "s", Listed::Yes, known).iter().any(|(_, _, hard)| *hard);
        assert_eq!(rules.refuses(known), refused, "{section} {known:?}");
    }
}

/// Every value of every key is read, and the places of findings are those of the keys.
#[test]
fn the_section_is_read() {
    let text = "integrity:\n  on_first_use: ask\n  on_change: ask\n  on_unlisted: block\n  on_stale: ask\n  \
                on_finding: { critical: ask, warning: block }\n  quarantined_tools: annotate\n  servers:\n    \
                - { server: \"dev-*\", on_change: allow, on_finding: { warning: allow } }\n    \
                - { server: dev-1, on_change: quarantine }";
    let policy = load(text).unwrap();
    let rules = IntegrityRules {
        on_first_use: OnFirstUse::Ask,
        on_change: OnChange::Ask,
        on_unlisted: Reaction::Block,
        on_stale: Reaction::Ask,
        on_critical: Reaction::Ask,
        on_warning: Reaction::Block,
        quarantined_tools: Shown::Annotate,
    };
    assert_eq!(policy.integrity_rules("files"), rules);
    let of_dev = IntegrityRules { on_change: OnChange::Allow, on_warning: Reaction::Allow, ..rules };
    assert_eq!(policy.integrity_rules("dev-2"), of_dev);
    // Of two entries for one server, the stricter holds.
    assert_eq!(policy.integrity_rules("dev-1"), IntegrityRules { on_change: OnChange::Quarantine, ..of_dev });
    assert_eq!(load("").unwrap().integrity_rules("files"), IntegrityRules::default());
    assert_eq!(load("integrity:").unwrap().integrity_rules("files"), IntegrityRules::default());
    for (bad, expected) in [
        ("integrity: []", "wants a mapping"),
        ("integrity: {on_chnage: ask}", "did you mean `on_change`?"),
        ("integrity: {on_change: block}", "`block` is no answer to a change"),
        ("integrity: {on_first_use: allow}", "`allow` is no answer to a first use"),
        ("integrity: {on_finding: {info: ask}}", "unknown key `info` in `on_finding`"),
        ("integrity: {on_finding: ask}", "wants a mapping"),
        ("integrity: {quarantined_tools: show}", "`show` is no way to show tools"),
        ("integrity: {servers: {dev: {}}}", "wants a list"),
        ("integrity: {servers: [{on_change: ask}]}", "does not say which"),
        ("integrity: {servers: [{server: \"[\", on_change: ask}]}", "bad pattern"),
    ] {
        let error = load(bad).unwrap_err();
        assert!(error.contains(expected) && error.contains("p.yaml:3:"), "{bad}: {error}");
    }
}

/// A section, and whether it says something of changes of any server, and of those of `s`.
#[derive(Debug, Clone)]
struct Section {
    text: String,
    of_all: bool,
    of_s: bool,
}

fn section() -> impl Strategy<Value = Section> {
    let word = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words));
    let change = word(&["allow", "ask", "quarantine"]);
    (word(&["pin", "ask", "block"]), change, word(&["allow", "ask", "block"]), word(&["allow", "quarantine"])).prop_map(
        |(first, change, critical, own)| {
            let mut said = Vec::new();
            said.extend(first.map(|word| format!("on_first_use: {word}")));
            said.extend(change.map(|word| format!("on_change: {word}")));
            said.extend(critical.map(|word| format!("on_finding: {{critical: {word}}}")));
            said.extend(own.map(|word| format!("servers: [{{server: s, on_change: {word}}}]")));
            let text = format!("integrity: {{{}}}\n", said.join(", "));
            Section { text, of_all: change.is_some(), of_s: change.is_some() || own.is_some() }
        },
    )
}

proptest! {
    /// Defends invariants 5 and 6: what one file demands, no other takes back, and it makes no difference which includes
    /// which.
    #[test]
    fn a_merge_only_tightens(one in section(), other in section()) {
        let file = |own: &str, include: &str| format!("version: \"1\"\ndefaults: {{approval: auto}}\n{include}{own}");
        let rules = |first: &str, second: &str| {
            let sources = Sources::one("a.yaml", file(first, "include: [b.yaml]\n")).with("b.yaml", file(second, ""));
            let policy = thoth_policy::load("a.yaml", &sources).unwrap();
            ["s", "t"].map(|server| policy.integrity_rules(server))
        };
        let merged = rules(&one.text, &other.text);
        prop_assert_eq!(merged, rules(&other.text, &one.text));
        for part in [one, other] {
            let alone = load(&part.text).unwrap();
            for (server, merged, says) in [("s", merged[0], part.of_s), ("t", merged[1], part.of_all)] {
                let alone = alone.integrity_rules(server);
                prop_assert!(!says || merged.on_change >= alone.on_change);
                prop_assert!(!part.text.contains("on_first_use") || merged.on_first_use >= alone.on_first_use);
                prop_assert!(!part.text.contains("critical") || merged.on_critical >= alone.on_critical);
            }
        }
    }
}
