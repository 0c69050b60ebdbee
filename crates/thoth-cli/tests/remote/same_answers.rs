//! One table of calls, put to both ways of having a call decided: to `/v1/enforce` of a real `thothd`, and to a real
//! `thoth run` that asks nobody.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use thoth_types::Approval;
use thoth_workbench::suite::{Case, read};

use crate::site::{Asking, Session, Thothd, of_kind};

/// A call and what its suite expects: a decision, and a code and a score where it says so.
struct Row {
    name: String,
    tool: String,
    arguments: Value,
    decision: &'static str,
    code: Option<String>,
    risk: Option<u64>,
}

/// A file of a pack.
fn file(pack: &str, name: &str) -> String {
    let packs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs");
    fs::read_to_string(packs.join(pack).join(name)).unwrap()
}

/// The cases of a pack's own tests that are one call by itself. What a suite says of a past or of an hour, neither way is told.
fn rows(pack: &str) -> Vec<Row> {
    let suite = read("policy.test.yaml", file(pack, "policy.test.yaml").into_bytes()).unwrap();
    let is_alone = |case: &Case| {
        let call = &case.call;
        let asks_of_more = call.agent.is_some() || call.user.is_some() || call.intent.is_some() || call.at.is_some();
        !asks_of_more && call.history.is_empty() && case.skipped.is_none()
    };
    let mut seen = BTreeSet::new();
    let row = |case: Case| {
        let decision = match case.expected.approval? {
            Approval::Auto => "ALLOW",
            Approval::Approve => "STEP_UP",
            Approval::Block => "BLOCK",
        };
        Some(Row {
            name: format!("{pack}: {}", case.name),
            tool: case.call.tool.to_string(),
            arguments: serde_json::from_str(case.call.arguments.as_deref().unwrap_or("{}")).unwrap(),
            decision,
            code: case.expected.code.map(|code| code.to_string()),
            risk: case.expected.risk.map(|risk| u64::from(risk.score())),
        })
    };
    let rows = suite.cases.into_iter().filter(is_alone).filter_map(row);
    // Two suites may say two things about one call.
    rows.filter(|row| seen.insert(format!("{} {}", row.tool, row.arguments))).collect()
}

/// Defends invariants 3 and 5: whichever way a call is decided, the same policy gives the same decision, reason and risk, and it
/// is what the policy's own tests say.
#[test]
fn the_server_and_the_sidecar_answer_alike() {
    let mut decided = BTreeSet::new();
    for pack in ["database", "developer", "read-only", "web"] {
        let (rows, policy) = (rows(pack), file(pack, "policy.yaml"));
        let site = Thothd::start(&policy);
        let key = site.agent_key();
        let mut session = Session::begin(&policy, &Asking::default().flag("--approval=ticket"));
        let mut remote = Vec::new();
        for row in &rows {
            let question = json!({
                "agent_id": "bot", "tenant_id": "acme", "user_id": "u", "session_id": "s", "approved_scope": [],
                "enforcement_mode": "block", "session_tool_calls": [], "tool_name": row.tool,
                "tool_args": row.arguments,
            });
            let told = site.post("/v1/enforce", &key, &question);
            // The contract has a number with a fraction, and the record a whole one.
            let score = told["risk_score"].to_string().trim_end_matches(".0").parse::<u64>().unwrap();
            remote.push([told["decision"].clone(), told["decision_reason_code"].clone(), json!(score)]);
            session.call(&row.tool, &row.arguments);
        }
        let events = session.end();
        let local = of_kind(&events, "TOOL_CALL_PRE");
        assert_eq!(local.len(), rows.len(), "{pack}: one question each");
        for ((row, remote), local) in rows.iter().zip(remote).zip(local) {
            let Row { name, tool, arguments, decision, code, risk } = row;
            let local = ["decision", "reasonCode", "riskScore"].map(|member| local[member].clone());
            assert_eq!(remote, local, "{name}: {tool} {arguments}");
            let expected = [Some(json!(decision)), code.as_ref().map(|code| json!(code)), risk.map(|risk| json!(risk))];
            for (found, expected) in remote.iter().zip(expected) {
                assert!(expected.is_none_or(|expected| expected == *found), "{name}: {tool} {arguments}: {remote:?}");
            }
            decided.insert((*decision, remote[1].as_str().unwrap_or_default().to_owned()));
        }
    }
    let decisions: BTreeSet<&str> = decided.iter().map(|(decision, _)| *decision).collect();
    assert_eq!(Vec::from_iter(decisions), ["ALLOW", "BLOCK", "STEP_UP"]);
    assert!(decided.len() > 5, "the table has many reasons: {decided:?}");
}
