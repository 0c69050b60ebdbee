//! The schema of test files.

use serde_json::{Value as Json, json};
use thoth_types::{ReasonCode, RiskLevel};

use super::parts::{
    Definitions, any_case, boolean, described, duration, globs, labels, list, mapping, text, texts, whole,
};
use crate::suite::ANSWERS;

pub(super) fn root(parts: &mut Definitions) -> Json {
    let call = call(parts);
    let expect = json!({"anyOf": [answer(), expect(parts)]});
    let case = mapping(
        "A test",
        vec![
            ("name", described("Its title", text())),
            ("description", described("Its title where it has no `name`", text())),
            ("call", call.clone()),
            ("action", described("Another name for `call`", call.clone())),
            ("expect", described("What the policy must say", expect)),
            ("expected_decision", described("The answer, as in Aegis", answer())),
            ("expected_risk_level", described("The risk, as in Aegis", blank_or_risk())),
            ("skip", described("Whether it is left out", boolean())),
            ("skip_reason", described("Why it is left out", text())),
        ],
    );
    let class = mapping(
        "A class of calls and answers",
        vec![
            (
                "effect",
                described(
                    "One answer or several",
                    json!({"anyOf": [answer(), {"type": "array", "minItems": 1, "items": answer()}]}),
                ),
            ),
            ("tool", globs(parts)),
            ("server", globs(parts)),
            ("agent", globs(parts)),
        ],
    );
    let invariant = mapping(
        "What must hold for every call",
        vec![
            ("name", described("Its title", text())),
            ("description", described("For people", text())),
            ("never", described("No such call gets one of these answers", class.clone())),
            ("always", described("Every such call gets one of these answers", class)),
        ],
    );
    mapping(
        "Tests of a policy",
        vec![
            ("name", described("The file's title", text())),
            ("suite", described("Another name for `name`", text())),
            ("policy", described("The policy that the file is for, relative to it", text())),
            ("description", described("For people", text())),
            ("defaults", described("What all calls have in common", call)),
            ("tests", list("The tests", case)),
            ("invariants", list("What must hold for every call", invariant)),
        ],
    )
}

fn answer() -> Json {
    any_case(ANSWERS.map(|(word, _)| word))
}

fn risk() -> Json {
    any_case(RiskLevel::ALL.iter().map(|risk| risk.as_str()))
}

fn blank_or_risk() -> Json {
    json!({"anyOf": [risk(), {"const": ""}]})
}

fn call(parts: &mut Definitions) -> Json {
    parts.part("call", |parts| {
        let past = mapping(
            "Calls before",
            vec![
                ("tool", text()),
                ("server", text()),
                ("ago", described("How long before", duration())),
                ("times", described("How many", whole(1, 1_000_000))),
            ],
        );
        let arguments = json!({"description": "The arguments", "type": "object"});
        let time = described("When, such as 2026-11-20T22:00:00Z", text());
        let names = texts(parts);
        mapping(
            "A call",
            vec![
                ("tool", described("The tool, or several", names.clone())),
                ("server", described("The server, or several", names.clone())),
                ("agent", described("Who calls", text())),
                ("user", described("The person behind the agent", text())),
                ("intent", described("What the session is for", text())),
                ("args", arguments.clone()),
                ("at", time.clone()),
                ("history", list("The calls before", json!({"anyOf": [text(), past]}))),
                ("labels", described("What was found in results of the session", labels())),
                ("type", described("Another name for `tool`", names.clone())),
                ("method", described("Another name for `tool`", names.clone())),
                ("target", described("Another name for `server`", names)),
                ("agent_id", described("Another name for `agent`", text())),
                ("user_id", described("Another name for `user`", text())),
                ("params", arguments.clone()),
                ("arguments", arguments),
                ("time", time),
                ("description", described("For people", text())),
            ],
        )
    })
}

fn expect(parts: &mut Definitions) -> Json {
    mapping(
        "What the policy must say",
        vec![
            ("approval", answer()),
            ("effect", described("Another name for `approval`", answer())),
            ("risk_level", blank_or_risk()),
            (
                "rule",
                described("The rule that decides; `~`: none", json!({"type": ["string", "number", "boolean", "null"]})),
            ),
            ("reason", described("A part of the reason", text())),
            ("reason_code", json!({"enum": ReasonCode::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>()})),
            ("matched", described("Rules that match", texts(parts))),
        ],
    )
}
