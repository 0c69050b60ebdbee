//! One policy with others added to it, each of which can only tighten it.

use std::sync::Arc;

use thoth_types::{Approval, RiskLevel};

use crate::compile::Merge;
use crate::diagnostic::{Diagnostic, DiagnosticCode, LoadError};
use crate::include::{self, Loaded};
use crate::policy::{Defaults, Evaluation, Part, Policy};
use crate::read::Reader;
use crate::source::{Source, SourceError};
use crate::yaml::{self, Content, Key, Node};

/// Keys that an added policy does not have: with them it could loosen what holds where the first one says nothing. What is
/// included is refused because an added policy is one text.
const OF_THE_FIRST: [(&str, &str); 5] = [
    ("include", "a policy that is added to another is one text: put what is included into it"),
    ("approvals", "`approvals` belongs into the policy that others are added to; single rules may say who approves"),
    ("progressive", "`progressive` belongs into the policy that others are added to"),
    ("integrity", "`integrity` belongs into the policy that others are added to"),
    ("inspect", "`inspect` belongs into the policy that others are added to"),
];

/// Loads the policy called `first`, with everything that it includes, and adds the policies called `others` to it, in this
/// order. Rules of several policies have different names; where the rules of one have none, they are named after its name.
///
/// INVARIANT (the governed side cannot loosen its governance): a call is answered at least as strictly as by `first` alone.
/// * Of all matching rules the strictest holds, and so do the defaults of `first` for a call that none of its own rules
///   matches; those of an added policy likewise, where it has any.
/// * A rule overrides only rules of its own policy: each is loaded alone as well.
/// * Lists of tools that may be called each have to have the tool; limits are the smallest.
/// * `evaluation: first-match` is refused in all of them, because the order of the policies would decide then.
///
/// # Errors
/// As for [`crate::load`], also where they contradict each other, or an added one says what it may not.
pub fn load_together(first: &str, others: &[&str], source: &dyn Source) -> Result<Policy, LoadError> {
    let mut merge = Merge::default();
    let (mut errors, mut warnings, mut all) = (Vec::new(), Vec::new(), Vec::<Loaded>::new());
    for (part, name) in (0_u16..).zip(std::iter::once(&first).chain(others)) {
        if part > 0 {
            refuse(name, source)?;
        }
        // Alone, so that it finds what it overrides in itself.
        crate::load(name, source)?;
        let files = include::gather(name, source)?;
        let mut defaults = (None, None);
        for (at, Loaded { file, path, root }) in files.iter().enumerate() {
            let mut reader = Reader::new(file);
            let document = reader.document(root.as_ref());
            errors.append(&mut reader.errors);
            warnings.append(&mut reader.warnings);
            if let Some((Evaluation::FirstMatch, at)) = document.evaluation {
                let message = "`evaluation: first-match` cannot hold where policies are added to one another";
                errors.push(Diagnostic::new(DiagnosticCode::Conflict, file, at, message));
            }
            defaults = (defaults.0.max(document.approval), defaults.1.max(document.risk));
            let included = match (part, at) {
                (0, 0) => None,
                (0, _) => Some(Arc::clone(path)),
                _ => Some(Arc::from(*name)),
            };
            merge.part = part;
            merge.add(file, included.as_deref(), document, &mut errors);
        }
        merge.parts.push(Part { name: Arc::from(*name), defaults: of_part(part, defaults) });
        if part == 0 && !merge.lists.intents.is_empty() {
            merge.lists.own_intents = Some(merge.lists.intents.keys().cloned().collect());
        }
        all.extend(files);
    }
    if !errors.is_empty() {
        return Err(LoadError { diagnostics: errors });
    }
    let policy = merge.finish(&all, warnings, &mut errors);
    if errors.is_empty() { Ok(policy) } else { Err(LoadError { diagnostics: errors }) }
}

/// What a policy says of calls that none of its rules matches. The first one always says something.
fn of_part(part: u16, (approval, risk): (Option<Approval>, Option<RiskLevel>)) -> Option<Defaults> {
    let approval = if part == 0 { Some(approval.unwrap_or(Approval::Block)) } else { approval };
    approval.map(|approval| Defaults { approval, risk: risk.unwrap_or(RiskLevel::Medium) })
}

/// Refuses what an added policy may not say, before anything that it includes is looked for.
fn refuse(name: &str, source: &dyn Source) -> Result<(), LoadError> {
    let unreadable = |error: SourceError| Diagnostic::unplaced(DiagnosticCode::Unreadable, error.to_string());
    let parsed = source.read(name, None).map_err(unreadable).and_then(include::decode).and_then(|file| {
        let root = yaml::parse(&file).map_err(|diagnostic| *diagnostic)?;
        Ok((file, root))
    });
    let (file, root) = parsed.map_err(|diagnostic| LoadError { diagnostics: vec![diagnostic] })?;
    let Some(Node { content: Content::Map(entries), .. }) = root else { return Ok(()) };
    let refused = |key: &Key| {
        let (_, message) = OF_THE_FIRST.iter().find(|(name, _)| *name == &*key.text)?;
        Some(Diagnostic::new(DiagnosticCode::Conflict, &file, key.at, *message))
    };
    let diagnostics: Vec<Diagnostic> = entries.iter().filter_map(|(key, _)| refused(key)).collect();
    if diagnostics.is_empty() { Ok(()) } else { Err(LoadError { diagnostics }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Query, Scratch, Sources};

    const FIRST: &str = "version: \"1\"\ndefaults: { approval: approve }\nrules:\n\
        - { name: no, match: { tool: rm }, approval: block }\n- { name: yes, match: { tool: \"get_*\" }, approval: auto }\n";

    fn asks(policy: &Policy, tool: &str) -> Approval {
        policy.rules(&Query::new(tool, "sdk"), &mut Scratch::default()).approval
    }

    /// Defends invariant 6: whatever is added, no call is answered more loosely than before; what is added can tighten.
    #[test]
    fn what_is_added_only_tightens() {
        use Approval::{Approve, Auto, Block};
        let allow_all = "version: \"1\"\ndefaults: { approval: auto }\nrules:\n- { name: a, match: { tool: \"*\" }, approval: auto }\n";
        let block_get = "version: \"1\"\nrules:\n- { name: b, match: { tool: \"get_x\" }, approval: block }\n";
        let block_rest =
            "version: \"1\"\ndefaults: { approval: block }\nrules:\n- { match: { tool: \"get_*\" }, approval: auto }\n";
        let sources =
            Sources::one("first", FIRST).with("all", allow_all).with("get", block_get).with("rest", block_rest);
        for (others, rm, get_x, get_y, other) in [
            (&[][..], Block, Auto, Auto, Approve),
            (&["all"], Block, Auto, Auto, Approve),
            (&["get"], Block, Block, Auto, Approve),
            (&["all", "get"], Block, Block, Auto, Approve),
            (&["get", "all"], Block, Block, Auto, Approve),
            (&["rest"], Block, Auto, Auto, Block),
            (&["rest", "all"], Block, Auto, Auto, Block),
        ] {
            let policy = load_together("first", others, &sources).unwrap();
            let found = ["rm", "get_x", "get_y", "other"].map(|tool| asks(&policy, tool));
            assert_eq!(found, [rm, get_x, get_y, other], "{others:?}");
        }
        let alone = crate::load("first", &sources).unwrap();
        assert_eq!(load_together("first", &[], &sources).unwrap().digest(), alone.digest());
        let both = |others: &[&str]| load_together("first", others, &sources).unwrap().digest().to_owned();
        assert_eq!(both(&["all", "get"]), both(&["get", "all"]), "the digest is of what holds, not of the order");
    }

    /// Defends invariant 3: where a rule matches and the defaults of another policy are stricter, the reason is those, and the
    /// rule is said.
    #[test]
    fn the_reason_names_whose_defaults_hold() {
        let added = "version: \"1\"\ndefaults: { approval: block }\nrules:\n- { name: ok, match: { tool: x }, approval: auto }\n";
        let sources = Sources::one("first", FIRST).with("added", added);
        let policy = load_together("first", &["added"], &sources).unwrap();
        for (tool, code, reason, matched) in [
            (
                "get_y",
                "default_block",
                "rule `yes` allows this call; the policy `added` has no rule for it, and its defaults hold",
                1,
            ),
            (
                "x",
                "default_approve",
                "rule `ok` allows this call; the policy that others are added to has no rule for it, and its defaults hold",
                1,
            ),
            ("rm", "rule_block", "rule `no` blocks this call", 1),
            ("other", "default_block", "no rule matches; the policy's defaults hold", 0),
        ] {
            let mut scratch = Scratch::default();
            let finding = policy.rules_finding(&policy.rules(&Query::new(tool, "sdk"), &mut scratch));
            let found = (finding.code.as_str(), &*finding.detail, scratch.matched().len());
            assert_eq!(found, (code, reason, matched), "{tool}");
        }
    }

    /// People answer a server over the network, where whoever is named is one of its local users, too.
    #[test]
    fn an_added_rule_may_want_two_of_those_it_names() {
        let first = "version: \"1\"\napprovals: { approvers: [local_user] }\n";
        let added = |approvers: &str| {
            format!(
                "version: \"1\"\nrules:\n- {{ name: two, match: {{ tool: x }}, approval: approve, quorum: 2, approvers: [{approvers}] }}\n"
            )
        };
        for (first, approvers, good) in [
            (first.to_owned(), "\"user:ann\", \"user:bob\"", true),
            (first.to_owned(), "\"user:ann\"", false),
            (first.replace("local_user", "\"user:ann\", \"user:bob\""), "\"user:ann\", \"user:bob\"", true),
            (first.replace("local_user", "\"user:cy\""), "\"user:ann\", \"user:bob\"", false),
        ] {
            let sources = Sources::one("first", first.clone()).with("added", added(approvers));
            let loaded = load_together("first", &["added"], &sources);
            assert_eq!(loaded.is_ok(), good, "{first} {approvers}: {:?}", loaded.err().map(|error| error.to_string()));
        }
    }

    /// What could turn that round is refused, with its place.
    #[test]
    fn the_table_of_refusals() {
        let rule = "version: \"1\"\nrules:\n- { name: a, match: { tool: x }, approval: auto";
        for (added, expected) in [
            (format!("{rule} }}\nevaluation: first-match\n"), "cannot hold where policies are added"),
            (format!("{rule}, override: [no] }}\n"), "no rule is called `no`"),
            (format!("{} }}\n", rule.replace("name: a", "name: no")), "two rules are called `no`"),
            (format!("{rule} }}\ninclude: other\n"), "is one text"),
            (format!("{rule} }}\napprovals: {{ ttl: 24h }}\n"), "`approvals` belongs"),
            (format!("{rule} }}\nintegrity: {{ on_unlisted: allow }}\n"), "`integrity` belongs"),
            (format!("{rule} }}\ninspect: {{ secrets: allow }}\n"), "`inspect` belongs"),
        ] {
            let sources = Sources::one("first", FIRST).with("added", added.clone()).with("other", "version: \"1\"\n");
            let error = load_together("first", &["added"], &sources).unwrap_err();
            assert!(error.to_string().contains(expected), "{added}: {error}");
            assert!(error.diagnostics.iter().all(|diagnostic| diagnostic.place.is_some()), "{error}");
        }
        let sources =
            Sources::one("first", format!("{FIRST}evaluation: first-match\n")).with("all", rule.to_owned() + " }\n");
        assert!(load_together("first", &["all"], &sources).is_err());
    }

    /// An intent that only an added policy knows is one that the first does not know.
    #[test]
    fn added_intents_are_still_asked_about() {
        let intents = |name: &str| format!("version: \"1\"\nscope: {{ intents: {{ {name}: {{ tools: [x] }} }} }}\n");
        let sources = Sources::one("first", intents("a")).with("added", intents("b"));
        let policy = load_together("first", &["added"], &sources).unwrap();
        for (intent, findings) in [("a", 0), ("b", 1), ("c", 1)] {
            let mut found = Vec::new();
            policy.intent(&Query { intent: Some(intent), ..Query::new("x", "sdk") }, &mut found);
            assert_eq!(found.len(), findings, "{intent}");
        }
    }
}
