//! Who may import whom.
//!
//! The table says it once; the edges that `cargo metadata` reports and the wrappers in `deny.toml` must both agree
//! with it. cargo-deny sees direct edges only and no more does this, which is enough: every crate has a row.

use std::collections::BTreeSet;

use super::Problem;
use crate::workspace::Member;

/// One crate, and which of our crates the product code in it may import.
struct Row {
    name: &'static str,
    may_import: &'static [&'static str],
}

/// The house, from the ground up. L1 crates are siblings and never import each other; the gate knows no MCP; the
/// command line never imports the gate.
const HOUSE: &[Row] = &[
    Row { name: "thoth-types", may_import: &[] },
    Row { name: "thoth-text", may_import: &[] },
    Row { name: "thoth-policy", may_import: &["thoth-types"] },
    Row { name: "thoth-mcp", may_import: &["thoth-types"] },
    Row { name: "thoth-audit", may_import: &["thoth-types"] },
    Row { name: "thoth-endpoint", may_import: &["thoth-types"] },
    Row { name: "thoth-scan", may_import: &["thoth-types", "thoth-text"] },
    Row { name: "thoth-inspect", may_import: &["thoth-types", "thoth-text"] },
    Row {
        name: "thoth-gate",
        may_import: &["thoth-types", "thoth-policy", "thoth-audit", "thoth-scan", "thoth-inspect"],
    },
    Row { name: "thoth-api", may_import: &["thoth-types"] },
    Row {
        name: "thoth-proxy",
        may_import: &[
            "thoth-types",
            "thoth-policy",
            "thoth-mcp",
            "thoth-audit",
            "thoth-endpoint",
            "thoth-scan",
            "thoth-gate",
            "thoth-api",
        ],
    },
    Row {
        name: "thoth-survey",
        may_import: &["thoth-types", "thoth-endpoint", "thoth-scan", "thoth-api", "thoth-proxy"],
    },
    Row { name: "thoth-liaison", may_import: &["thoth-types", "thoth-audit", "thoth-api"] },
    Row { name: "thoth-workbench", may_import: &["thoth-types", "thoth-policy"] },
    Row { name: "thoth-shell", may_import: &["thoth-types", "thoth-policy", "thoth-endpoint"] },
    Row { name: "thoth-store", may_import: &["thoth-types", "thoth-audit", "thoth-gate"] },
    Row { name: "thoth-postgres", may_import: &["thoth-types", "thoth-audit", "thoth-gate", "thoth-store"] },
    Row { name: "thoth-update", may_import: &["thoth-types", "thoth-audit", "thoth-api"] },
    Row { name: "thoth-telemetry", may_import: &["thoth-types"] },
    Row { name: "thoth-ctl", may_import: &["thoth-types", "thoth-api", "thoth-shell"] },
    Row {
        name: "thoth-server",
        may_import: &[
            "thoth-types",
            "thoth-policy",
            "thoth-audit",
            "thoth-scan",
            "thoth-gate",
            "thoth-api",
            "thoth-store",
            "thoth-postgres",
            "thoth-shell",
            "thoth-workbench",
            "thoth-telemetry",
        ],
    },
    Row {
        name: "thoth-cli",
        may_import: &[
            "thoth-types",
            "thoth-policy",
            "thoth-audit",
            "thoth-endpoint",
            "thoth-scan",
            "thoth-api",
            "thoth-store",
            "thoth-proxy",
            "thoth-survey",
            "thoth-liaison",
            "thoth-update",
            "thoth-workbench",
            "thoth-shell",
        ],
    },
    Row {
        name: "thoth-testkit",
        may_import: &[
            "thoth-types",
            "thoth-policy",
            "thoth-mcp",
            "thoth-audit",
            "thoth-endpoint",
            "thoth-gate",
            "thoth-api",
            "thoth-store",
            "thoth-proxy",
            "thoth-update",
            "thoth-workbench",
        ],
    },
    Row { name: "xtask", may_import: &[] },
];

/// Only tests may use these, so only `[dev-dependencies]` may name them.
const DEVELOPMENT_ONLY: &[&str] = &["thoth-testkit", "xtask"];

/// Every edge between our crates is in the table.
pub(super) fn edges_point_down(members: &[Member]) -> Vec<Problem> {
    let ours: BTreeSet<&str> = members.iter().map(|member| member.name.as_str()).collect();
    let mut problems = Vec::new();
    for member in members {
        let Some(row) = HOUSE.iter().find(|row| row.name == member.name) else {
            problems.push(Problem::Failure(format!(
                "`{}` has no row in the layer table of `cargo xtask tidy`",
                member.name
            )));
            continue;
        };
        let imported = member.dependencies.iter().filter(|name| ours.contains(name.as_str()));
        for name in imported.filter(|name| !row.may_import.contains(&name.as_str())) {
            problems.push(Problem::Failure(format!("`{}` must not import `{name}`", member.name)));
        }
        let tested = member.dev_dependencies.iter().filter(|name| ours.contains(name.as_str()));
        let allowed = |name: &str| row.may_import.contains(&name) || DEVELOPMENT_ONLY.contains(&name);
        // The tests of the programs at the top may look at everything; a sibling's tests may not, or the siblings grow
        // together.
        let is_top = matches!(member.name.as_str(), "thoth-cli" | "thoth-ctl");
        for name in tested.filter(|name| !allowed(name) && !is_top) {
            problems.push(Problem::Failure(format!("the tests of `{}` must not import `{name}`", member.name)));
        }
    }
    problems
}

/// For each of our crates that is imported at all, `deny.toml` lists exactly the crates that the table lets import it.
pub(super) fn wrappers_agree(members: &[Member], deny: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for member in members.iter().filter(|member| !DEVELOPMENT_ONLY.contains(&member.name.as_str())) {
        let importers = HOUSE.iter().filter(|row| row.may_import.contains(&member.name.as_str())).map(|row| row.name);
        let mut expected: BTreeSet<&str> = importers.collect();
        // cargo-deny counts development edges too.
        let testers = members.iter().filter(|other| other.dev_dependencies.contains(&member.name));
        expected.extend(testers.map(|other| other.name.as_str()));
        let Some(found) = wrappers(deny, &member.name) else {
            if !expected.is_empty() {
                problems.push(Problem::Failure(format!("deny.toml has no wrappers for `{}`", member.name)));
            }
            continue;
        };
        for name in
            expected.iter().filter(|name| members.iter().any(|other| other.name == **name) && !found.contains(*name))
        {
            problems.push(Problem::Failure(format!("deny.toml: the wrappers of `{}` lack `{name}`", member.name)));
        }
        for name in found.iter().filter(|name| !expected.contains(*name)) {
            problems.push(Problem::Failure(format!("deny.toml: `{name}` must not be a wrapper of `{}`", member.name)));
        }
    }
    problems
}

/// The wrappers that `deny.toml` gives for a crate. One entry per line, which is how the file is written.
fn wrappers<'d>(deny: &'d str, name: &str) -> Option<BTreeSet<&'d str>> {
    let entry = format!("crate = \"{name}\"");
    let line = deny.lines().map(str::trim).find(|line| line.starts_with('{') && line.contains(&entry))?;
    let list = line.split_once("wrappers = [")?.1.split_once(']')?.0;
    Some(list.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn member(name: &str, dependencies: &[&str], dev_dependencies: &[&str]) -> Member {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Member {
            name: name.to_owned(),
            dir: PathBuf::from("crates").join(name),
            dependencies: owned(dependencies),
            dev_dependencies: owned(dev_dependencies),
        }
    }

    /// Every crate of the house, with no edges but those given for one of them.
    fn house_with(name: &str, dependencies: &[&str], dev_dependencies: &[&str]) -> Vec<Member> {
        let rows = HOUSE.iter().filter(|row| row.name != name).map(|row| member(row.name, &[], &[]));
        rows.chain([member(name, dependencies, dev_dependencies)]).collect()
    }

    #[test]
    fn the_table_only_points_down() {
        for (index, row) in HOUSE.iter().enumerate() {
            for name in row.may_import {
                let below = HOUSE.iter().position(|other| other.name == *name);
                assert!(below.is_some_and(|below| below < index), "{} imports {name}", row.name);
            }
        }
    }

    /// Defends the layers of the design: siblings apart, no MCP in the gate, no gate in the command line.
    #[test]
    fn forbidden_edges_are_found() {
        let forbidden = [
            ("thoth-policy", "thoth-mcp"),
            ("thoth-mcp", "thoth-audit"),
            ("thoth-gate", "thoth-mcp"),
            ("thoth-cli", "thoth-gate"),
            ("thoth-types", "thoth-policy"),
            ("thoth-proxy", "thoth-testkit"),
        ];
        for (from, to) in forbidden {
            let expected = Problem::Failure(format!("`{from}` must not import `{to}`"));
            assert_eq!(edges_point_down(&house_with(from, &[to], &[])), [expected]);
        }
        assert_eq!(edges_point_down(&house_with("thoth-proxy", &["thoth-gate", "memchr"], &["thoth-testkit"])), []);
    }

    #[test]
    fn tests_do_not_join_siblings() {
        let problems = edges_point_down(&house_with("thoth-policy", &[], &["thoth-mcp"]));
        assert_eq!(problems, [Problem::Failure("the tests of `thoth-policy` must not import `thoth-mcp`".to_owned())]);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        let mut members = house_with("thoth-types", &[], &[]);
        members.push(member("thoth-misc", &[], &[]));
        assert_eq!(edges_point_down(&members).len(), 1);
    }

    #[test]
    fn wrappers_follow_the_table() {
        let members = [
            member("thoth-types", &[], &[]),
            member("thoth-policy", &["thoth-types"], &[]),
            member("thoth-gate", &["thoth-types", "thoth-policy"], &[]),
        ];
        let good = "    { crate = \"thoth-types\", wrappers = [\"thoth-policy\", \"thoth-gate\"] },\n    \
                    { crate = \"thoth-policy\", wrappers = [\"thoth-gate\"] },\n";
        let problems = wrappers_agree(&members, good);
        assert_eq!(problems, [Problem::Failure("deny.toml has no wrappers for `thoth-gate`".to_owned())]);
        let loose = good.replace("[\"thoth-gate\"]", "[\"thoth-gate\", \"thoth-mcp\"]");
        assert!(
            wrappers_agree(&members, &loose).contains(&Problem::Failure(
                "deny.toml: `thoth-mcp` must not be a wrapper of `thoth-policy`".to_owned()
            ))
        );
        let tight = good.replace("\"thoth-policy\", \"thoth-gate\"", "\"thoth-policy\"");
        assert!(
            wrappers_agree(&members, &tight)
                .contains(&Problem::Failure("deny.toml: the wrappers of `thoth-types` lack `thoth-gate`".to_owned()))
        );
    }
}
