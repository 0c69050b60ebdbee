//! The answers that the guide's files must give, unchanged.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use thoth_policy::{Explanation, Policy, Query, Sources, load};
use thoth_types::{Approval, Effect, RiskLevel};

const GUIDE: &str = include_str!("policies/guide.yaml");
const PER_SERVER: &str = include_str!("policies/per_server.yaml");

fn one(text: &str) -> Policy {
    load("policy.yaml", &Sources::one("policy.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn ask(policy: &Policy, call: &str) -> Explanation {
    let (tool, server) = call.split_once('@').unwrap();
    policy.explain(&Query::new(tool.trim(), server.trim()), false)
}

fn check(policy: &Policy, call: &str, approval: Approval, risk: RiskLevel, rule: Option<&str>) {
    let answer = ask(policy, call);
    assert_eq!((answer.approval, answer.risk_level), (approval, risk), "{call}");
    assert_eq!(answer.rule.as_deref(), rule, "{call}");
}

/// Defends the guide's table, which first-match evaluation gets wrong.
#[test]
fn the_guides_file_gives_the_guides_table() {
    use Approval::{Approve, Auto, Block};
    use RiskLevel::{Critical, Low, Medium};
    let policy = one(GUIDE);
    check(&policy, "read_file @ dev-filesystem", Auto, Low, Some("mcp_read"));
    check(&policy, "list_directory @ dev-filesystem", Auto, Low, Some("mcp_list"));
    check(&policy, "write_file @ dev-filesystem", Approve, Medium, Some("mcp_write"));
    check(&policy, "delete_file @ dev-filesystem", Block, Critical, Some("mcp_delete"));
    check(&policy, "move_file @ dev-filesystem", Approve, Medium, None);
    for tool in ["write_file", "read_file", "list_x", "delete_file", "move_file"] {
        check(&policy, &format!("{tool} @ prod-filesystem"), Block, Critical, Some("prod_fs_block"));
    }
    let both = ask(&policy, "delete_file @ prod-filesystem");
    assert_eq!(both.matched.iter().map(|name| &**name).collect::<Vec<_>>(), ["mcp_delete", "prod_fs_block"]);
    assert_eq!(ask(&policy, "write_file @ dev-filesystem").effect, Effect::Ask);
    let place = ask(&policy, "delete_file @ dev-filesystem").place.unwrap();
    assert_eq!(place.to_string(), "policy.yaml:21:5");
}

#[test]
fn the_per_server_file_alone() {
    use Approval::{Approve, Auto, Block};
    use RiskLevel::{Critical, Low, Medium};
    let policy = one(PER_SERVER);
    check(&policy, "anything @ dev-a", Auto, Low, Some("dev_auto"));
    check(&policy, "anything @ staging-b", Approve, Medium, Some("staging_approve"));
    check(&policy, "anything @ prod-c", Block, Critical, Some("prod_block"));
    check(&policy, "anything @ other", Block, Medium, None);
    assert!(policy.warnings()[0].message.contains("no `defaults.approval`"));
}

/// Defends "merging files is commutative": both orders, one digest, one answer.
#[test]
fn both_files_merged_in_any_order() {
    let merged = |list: &str| {
        let sources = Sources::new()
            .with("policy.yaml", format!("include: {list}"))
            .with("guide.yaml", GUIDE)
            .with("per_server.yaml", PER_SERVER);
        load("policy.yaml", &sources).unwrap()
    };
    for list in ["[guide.yaml, per_server.yaml]", "[per_server.yaml, guide.yaml]"] {
        let policy = merged(list);
        for (call, approval) in [
            ("delete_file @ dev-a", Approval::Block),
            ("write_file @ dev-a", Approval::Approve),
            ("read_file @ prod-a", Approval::Block),
        ] {
            assert_eq!(ask(&policy, call).approval, approval, "{list} {call}");
        }
    }
}

/// Defends Aegis compatibility: first-match gives what Aegis gives, its gap included.
#[test]
fn first_match_reproduces_aegis() {
    use Approval::{Approve, Auto, Block};
    use RiskLevel::{Critical, Low, Medium};
    let policy = one(&format!("evaluation: first-match\n{GUIDE}"));
    check(&policy, "write_file @ prod-filesystem", Approve, Medium, Some("mcp_write"));
    check(&policy, "read_file @ prod-filesystem", Auto, Low, Some("mcp_read"));
    check(&policy, "move_file @ prod-filesystem", Block, Critical, Some("prod_fs_block"));
}
