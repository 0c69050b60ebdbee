//! The compliance packs that Thoth brings along, as texts for a server. What they mean is for the server to say.

use std::collections::{BTreeMap, BTreeSet};

/// A pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pack {
    /// What its bundle is called.
    pub(crate) name: &'static str,
    policy: &'static str,
}

const PACKS: [Pack; 4] = [
    Pack { name: "gdpr", policy: include_str!("../../../packs/gdpr/policy.yaml") },
    Pack {
        name: "hipaa-minimum-necessary",
        policy: include_str!("../../../packs/hipaa-minimum-necessary/policy.yaml"),
    },
    Pack { name: "pci-dss", policy: include_str!("../../../packs/pci-dss/policy.yaml") },
    Pack { name: "soc2", policy: include_str!("../../../packs/soc2/policy.yaml") },
];

/// Sections that no bundle has: they are the server's own.
const OF_THE_SERVER: [&str; 4] = ["approvals", "inspect", "integrity", "progressive"];

/// The pack of a name, or of what else it is called.
pub(crate) fn named(text: &str) -> Result<Pack, &'static str> {
    let name = match text.to_ascii_lowercase().replace('_', "-").as_str() {
        "hipaa" | "healthcare" | "hipaa-minimum-necessary" => "hipaa-minimum-necessary",
        "soc2" | "soc2-type2" => "soc2",
        "gdpr" | "privacy" => "gdpr",
        "pci" | "pci-dss" => "pci-dss",
        _ => "",
    };
    PACKS
        .into_iter()
        .find(|pack| pack.name == name)
        .ok_or("there is no such pack; there are hipaa, soc2, gdpr, pci_dss")
}

/// Who the groups of packs are: the names of keys by the group's name.
pub(crate) type Groups = BTreeMap<String, Vec<String>>;

/// `GROUP=USER`, as a flag has it.
pub(crate) fn approver(text: &str) -> Result<(String, String), &'static str> {
    let is_name = |text: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        !text.is_empty() && text.bytes().all(plain)
    };
    match text.split_once('=') {
        Some((group, user)) if is_name(group) && is_name(user) => Ok((group.to_owned(), user.to_owned())),
        _ => Err("it is not GROUP=USER, of letters, digits, `-`, `_`, `.` and `@`"),
    }
}

impl Pack {
    /// Its policy as a bundle: without the sections that are the server's own, with people in place of groups, which are
    /// declared in one of those, and with names for its rules that no other pack has.
    ///
    /// # Errors
    /// The groups that it is not said of who they are.
    pub(crate) fn bundle(self, groups: &Groups) -> Result<String, BTreeSet<String>> {
        let (mut text, mut missing, mut is_kept) = (String::with_capacity(self.policy.len()), BTreeSet::new(), true);
        let (mut approvers, mut before) = ("", "");
        for line in self.policy.split_inclusive('\n') {
            // A section begins in the first column; what is indented, blank or a comment belongs to the one above.
            if let Some(section) = line.split_once(':').map(|(section, _)| section)
                && !section.is_empty()
                && section.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            {
                is_kept = !OF_THE_SERVER.contains(&section);
            }
            if !is_kept && !line.starts_with('#') {
                if line.trim_start().starts_with("approvers:") {
                    approvers = line.trim();
                }
                continue;
            }
            // Several must agree: of those that the pack names for all of its rules.
            if line.trim_start().starts_with("quorum:") && !before.trim_start().starts_with("approvers:") {
                text.push_str(&people(&format!("    {approvers}\n"), groups, &mut missing));
            }
            before = line;
            if let Some(name) = line.strip_prefix("  - name: ") {
                text.push_str(&format!("  - name: {}-{name}", self.name));
            } else if line.trim_start().starts_with("approvers:") {
                text.push_str(&people(line, groups, &mut missing));
            } else {
                text.push_str(line);
            }
        }
        if missing.is_empty() { Ok(text) } else { Err(missing) }
    }
}

/// A line with the people of each group in its place.
fn people(line: &str, groups: &Groups, missing: &mut BTreeSet<String>) -> String {
    let (mut text, mut rest) = (String::new(), line);
    while let Some((before, group)) = rest.split_once("\"group:") {
        let Some((group, after)) = group.split_once('"') else { break };
        text.push_str(before);
        match groups.get(group) {
            Some(users) => {
                let users: Vec<String> = users.iter().map(|user| format!("\"user:{user}\"")).collect();
                text.push_str(&users.join(", "));
            }
            None => drop(missing.insert(group.to_owned())),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        ["privacy", "operations", "custodians", "security", "reviewers"]
            .map(|group| (group.to_owned(), vec!["ann".to_owned(), "bob".to_owned()]))
            .into()
    }

    /// Every pack keeps its rules and loses exactly what a bundle may not have; no two packs have a rule of one name.
    #[test]
    fn packs_lose_what_is_the_servers_own() {
        let mut rules = BTreeSet::new();
        for pack in PACKS {
            assert_eq!(named(pack.name), Ok(pack));
            let sections = |text: &str| -> Vec<String> {
                let section = |line: &str| {
                    let is_section = line.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
                    line.split_once(':').filter(|_| is_section).map(|(section, _)| section.to_owned())
                };
                text.lines().filter_map(section).collect()
            };
            let expected: Vec<String> =
                sections(pack.policy).into_iter().filter(|section| !OF_THE_SERVER.contains(&&**section)).collect();
            let bundle = pack.bundle(&groups()).unwrap();
            assert_eq!(sections(&bundle), expected, "{}", pack.name);
            assert!(expected.contains(&"rules".to_owned()) && expected.contains(&"version".to_owned()));
            assert!(!bundle.contains("group:") && bundle.contains("user:ann"), "{bundle}");
            let count = |text: &str| text.lines().filter(|line| line.starts_with("  - name: ")).count();
            assert_eq!(count(&bundle), count(pack.policy));
            let names = bundle.lines().filter_map(|line| line.strip_prefix("  - name: "));
            assert!(names.into_iter().all(|name| rules.insert(name.to_owned())), "{}", pack.name);
            assert!(pack.bundle(&Groups::new()).is_err_and(|missing| !missing.is_empty()));
        }
        assert!(named("odd").is_err());
    }

    #[test]
    fn who_is_in_a_group() {
        assert_eq!(approver("privacy=ann@example.com"), Ok(("privacy".to_owned(), "ann@example.com".to_owned())));
        for bad in ["privacy", "=ann", "privacy=", "privacy=a b", "privacy=\"", "pri\"=ann"] {
            assert!(approver(bad).is_err(), "{bad}");
        }
    }
}
