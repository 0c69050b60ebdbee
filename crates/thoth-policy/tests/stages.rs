//! The stages beside the rules, the starter policy, and includes.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use thoth_policy::{Policy, Query, STARTER, ScopeList, Sources, load};
use thoth_types::{Approval, Finding, ReasonCode};

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

type Stage<'s> = &'s dyn Fn(&mut Vec<Finding>);

fn codes(stage: Stage<'_>) -> Vec<(ReasonCode, Approval)> {
    let mut findings = Vec::new();
    stage(&mut findings);
    findings.into_iter().map(|f| (f.code, f.approval)).collect()
}

/// Defends the block list: no spelling of a blocked DID passes.
#[test]
fn identity() {
    let policy = policy("trust: {blocked_dids: [\"did:mesh:Evil\"], require_did: true}");
    for (agent, expected) in [
        (Some("did:mesh:good"), vec![]),
        (Some("did:mesh:Evil"), vec![ReasonCode::AgentBlocked]),
        (Some("did:mesh:evil#key-1"), vec![ReasonCode::AgentBlocked, ReasonCode::IdentityMissing]),
        (Some("did:mesh:evil "), vec![ReasonCode::AgentBlocked, ReasonCode::IdentityMissing]),
        (Some("claude"), vec![ReasonCode::IdentityMissing]),
        (None, vec![ReasonCode::IdentityMissing]),
    ] {
        let query = Query { agent, ..Query::new("t", "s") };
        let found: Vec<_> = codes(&|out| policy.identity(&query, out)).into_iter().map(|(code, _)| code).collect();
        assert_eq!(found, expected, "{agent:?}");
    }
}

#[test]
fn intent() {
    let policy = policy("scope: {intents: {notes: [\"read_*\"], audit: {tools: list, otherwise: block}}}");
    for (intent, tool, expected) in [
        (None, "t", None),
        (Some("notes"), "read_a", None),
        (Some(" notes "), "write", Some(Approval::Approve)),
        (Some("audit"), "write", Some(Approval::Block)),
        (Some("other"), "read_a", Some(Approval::Approve)),
    ] {
        let query = Query { intent, ..Query::new(tool, "s") };
        let found = codes(&|out| policy.intent(&query, out));
        assert_eq!(found.first().map(|(_, approval)| *approval), expected, "{intent:?} {tool}");
        assert!(found.iter().all(|(code, _)| *code == ReasonCode::IntentMismatch));
    }
}

/// Defends the lists: case, white space and invisible characters evade neither deny nor allow lists.
#[test]
fn scope() {
    let text = "scope: {approved: [\"*_file\", \"*_dir\"]}\ngateway: {allowed_tools: [\"*_file\"], denied_tools: [Delete_file, \"!never\"], \
                sensitive_tools: [send_file]}\ntools: {\"drop_*\": {blocked: true}}";
    let policy = policy(text);
    let session = ScopeList::new(&["*_file".to_owned(), "!secret_file".to_owned()]).unwrap();
    for (tool, expected) in [
        ("read_file", vec![]),
        ("delete_file", vec![ReasonCode::ToolDenied]),
        (
            "DELETE_FILE",
            vec![
                ReasonCode::ToolDenied,
                ReasonCode::ToolNotInScope,
                ReasonCode::ToolNotInScope,
                ReasonCode::ToolNotInScope,
            ],
        ),
        (
            "delete_file\u{200B}",
            vec![
                ReasonCode::ToolDenied,
                ReasonCode::ToolNotInScope,
                ReasonCode::ToolNotInScope,
                ReasonCode::ToolNotInScope,
            ],
        ),
        ("make_dir", vec![ReasonCode::ToolNotInScope, ReasonCode::ToolNotInScope]),
        ("secret_file", vec![ReasonCode::ToolNotInScope]),
        ("send_file", vec![ReasonCode::ToolSensitive]),
        ("Drop_file", vec![ReasonCode::ToolBlocked]),
    ] {
        let found: Vec<_> = codes(&|out| policy.scope(&Query::new(tool, "s"), &session, out))
            .into_iter()
            .map(|(code, _)| code)
            .collect();
        assert_eq!(found, expected, "{tool:?}");
    }
    assert!(ScopeList::new(&["[".to_owned()]).is_err());
}

/// Defends the operator who writes an empty allow list and means that nothing is allowed.
#[test]
fn empty_allow_lists_are_refused() {
    for text in [
        "gateway: {allowed_tools: []}",
        "gateway: {allowed_tools: }",
        "scope: {approved: []}",
        "scope:\n  approved:\n",
        "scope: {intents: {notes: []}}",
    ] {
        let error = load("p.yaml", &Sources::one("p.yaml", text)).unwrap_err();
        let first = &error.diagnostics[0];
        assert!(first.message.contains("empty") && first.place.is_some(), "{text}: {error}");
        let helped = first.help.as_deref().is_some_and(|help| help.contains("defaults: {approval: block}"));
        assert!(helped || text.contains("intents"), "{text}: {error}");
    }
    let harmless = policy("defaults: {approval: auto}\ngateway: {denied_tools: [], sensitive_tools: []}");
    assert_eq!(harmless.warnings().len(), 2);
}

#[test]
fn limits_are_the_smallest_that_apply() {
    let policy = policy(
        "gateway: {max_tool_calls: 9}\ntools: {\"a*\": {max_calls_per_minute: 5}, ab: {max_calls_per_minute: 3}}",
    );
    let limits = |tool| policy.limits(tool, "s").max_calls_per_minute;
    assert_eq!((limits("ab"), limits("AB"), limits("ac"), limits("b")), (Some(3), Some(3), Some(5), None));
    assert_eq!(policy.limits("b", "s").max_tool_calls, Some(9));
}

/// Defends the first minute: what the starter policy says about the tools of the best-known servers.
#[test]
fn the_starter_policy_behaves_well() {
    let policy =
        load("starter.yaml", &Sources::one("starter.yaml", STARTER)).unwrap_or_else(|e| panic!("{}", e.render(false)));
    assert!(policy.warnings().is_empty(), "{:?}", policy.warnings());
    for (approval, tools) in [
        (
            Approval::Auto,
            "read_file read_text_file read_media_file read_multiple_files list_directory list_directory_with_sizes \
             directory_tree search_files get_file_info list_allowed_directories read_graph search_nodes open_nodes echo \
             get-sum get-tiny-image get-annotated-message getTinyImage listIssues get_issue find_symbol",
        ),
        (
            Approval::Approve,
            "write_file edit_file create_directory move_file create_entities create_relations add_observations get-env \
             printEnv createIssue update_issue run_query execute_sql find_and_replace getOrCreateUser unknown_tool \
             get_secret readable_but_not_read sampleLLM toggle-simulated-logging get_api_key",
        ),
        (
            Approval::Block,
            "delete_entities delete_observations delete_relations delete_file deleteIssue remove-user drop_table \
             bulk_delete issueDelete list_and_delete rm truncate_table",
        ),
    ] {
        for tool in tools.split_whitespace() {
            let answer = policy.explain(&Query::new(tool, "any"), false);
            assert_eq!(answer.approval, approval, "{tool}: {}", answer.reason);
        }
    }
}

/// Defends includes: circles, missing files and too many of them are errors with a place; a file counts once.
#[test]
fn includes() {
    let rule = |name: &str| format!("rules: [{{name: {name}, match: {{tool: {name}}}}}]\n");
    let base = || Sources::new().with("b", rule("b")).with("c", format!("include: b\n{}", rule("c")));
    let diamond = load("a", &base().with("a", "include: [b, c]")).unwrap();
    assert_eq!(diamond.rule_table().count(), 2);
    assert_eq!(diamond.files().len(), 3);
    for (root, message) in [
        ("include: a", "includes itself"),
        ("include: missing", "no such file `missing`"),
        ("include: {x: 1}", "wants file names"),
        ("include: [[b]]", "wants file names"),
    ] {
        let error = load("a", &base().with("a", root)).unwrap_err().to_string();
        assert!(error.contains(message) && error.starts_with("a:1:"), "{error}");
    }
    let mut chain = Sources::new();
    for i in 0..20 {
        chain = chain.with(&format!("f{i}"), format!("include: f{}", i + 1));
    }
    assert!(load("f0", &chain).unwrap_err().to_string().contains("deep"));
    let circle = Sources::new().with("a", "include: b").with("b", "include: a");
    assert!(load("a", &circle).unwrap_err().to_string().starts_with("b:1:10"));
    let unnamed =
        Sources::new().with("a", "include: b\nrules: [{match: {tool: x}}]").with("b", "rules: [{match: {tool: y}}]");
    let names: Vec<_> = load("a", &unnamed).unwrap().rule_table().map(|(_, r)| r.name.to_string()).collect();
    assert_eq!(names, ["b:rule_0", "rule_0"]);
}

/// Defends the caps: neither long files, deep nesting nor aliases exhaust memory.
#[test]
fn caps() {
    let fails = |text: String| load("p", &Sources::one("p", text)).unwrap_err().to_string();
    assert!(fails("#".repeat(9 * 1024 * 1024)).contains("the most is"));
    assert!(!fails("[".repeat(500)).is_empty());
    let mut bomb = "x-a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..8 {
        let refs = vec![format!("*a{}", i - 1); 10].join(", ");
        bomb.push_str(&format!("x-a{i}: &a{i} [{refs}]\n"));
    }
    assert!(fails(bomb).contains("anchors and aliases name more than"));
    let nested = format!("x-a: {}{}", "&a [".repeat(40), "x, ".repeat(20_000)) + &"]".repeat(40);
    assert!(fails(nested).contains("anchors and aliases name more than"));
    assert!(fails("\u{0}".to_owned()).len() > 1);
    let bytes = load("p", &Sources::one("p", vec![b'a', 0xff])).unwrap_err().to_string();
    assert!(bytes.contains("not UTF-8 at byte 1"), "{bytes}");
}
