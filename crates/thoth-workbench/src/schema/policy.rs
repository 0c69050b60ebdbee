//! The schema of policy files.

use serde_json::{Value as Json, json};
use thoth_policy::{Evaluation, OnChange, OnFirstUse, RateScope, Shown};
use thoth_types::{Approval, HarmClass, Inspected, Reaction, RiskLevel, Severity, Way};

use super::parts::{
    Definitions, any_case, boolean, described, duration, globs, labels, list, mapping, named, section, some_named,
    text, texts, whole, words,
};

pub(super) fn root(parts: &mut Definitions) -> Json {
    section(
        "A policy: which tool calls run, which ask a person, which are blocked",
        vec![
            ("version", json!({"description": "The language's version", "enum": ["1", 1]})),
            ("include", described("Files that belong to the policy, relative to this one", texts(parts))),
            (
                "evaluation",
                described(
                    "How matching rules are combined",
                    words([Evaluation::Strictest, Evaluation::FirstMatch].map(Evaluation::as_str)),
                ),
            ),
            (
                "defaults",
                section(
                    "What holds when no rule matches",
                    vec![("approval", approval("The answer")), ("risk_level", risk())],
                ),
            ),
            (
                "rules",
                json!({"description": "The rules; the strictest that matches decides", "type": ["array", "null"], "items": rule(parts)}),
            ),
            ("scope", scope(parts)),
            ("scope_id", described("Has no effect", text())),
            ("tools", tools()),
            ("gateway", gateway(parts)),
            ("trust", trust()),
            ("approvals", approvals(parts)),
            (
                "progressive",
                section(
                    "What the mode `progressive` does about violations",
                    vec![
                        ("warn", described("How many pass", whole(0, 1_000))),
                        ("ask", described("How many are then asked about", whole(0, 1_000))),
                        ("per", words(["session", "agent"])),
                        ("window", described("How long a violation counts", duration())),
                    ],
                ),
            ),
            ("integrity", integrity(parts)),
            ("inspect", inspect(parts)),
        ],
    )
}

fn tools_list(parts: &mut Definitions, what: &str) -> Json {
    described(what, globs(parts))
}

fn scope(parts: &mut Definitions) -> Json {
    json!({"anyOf": [
        section("The only tools that may run", vec![
            ("approved", tools_list(parts, "The only tools that may run")),
            ("intents", named("The tools that a session with this intent needs; others ask", json!({"anyOf": [
                globs(parts),
                mapping("An intent", vec![
                    ("tools", globs(parts)),
                    ("otherwise", described("What becomes of other tools", words(["approve", "block"]))),
                ]),
            ]}))),
        ]),
        {"type": "string"},
    ]})
}

fn tools() -> Json {
    json!({
        "description": "Tools, by name or glob",
        "type": ["object", "null"],
        "additionalProperties": section("A tool", vec![
            ("blocked", described("Whether it is blocked", boolean())),
            ("max_calls_per_minute", described("Calls of one tool in the last 60 seconds; 0 means no limit", whole(0, u32::MAX.into()))),
            ("description", described("For people", text())),
        ]),
        "patternProperties": {"^x-": true},
    })
}

fn gateway(parts: &mut Definitions) -> Json {
    let pattern = json!({"anyOf": [text(), mapping("How a text is to be read", vec![
        ("substring", text()), ("regex", text()), ("glob", text()),
    ])]});

    section(
        "Lists and limits",
        vec![
            ("allowed_tools", tools_list(parts, "Any other tool is blocked")),
            ("denied_tools", described("Blocked, in any letter case", any_globs(parts))),
            ("sensitive_tools", described("Asked for, in any letter case", any_globs(parts))),
            ("max_tool_calls", described("Calls in one session", json!({"type": "integer", "minimum": 0}))),
            ("blocked_patterns", list("Texts that no argument may have", pattern)),
            (
                "builtin_sanitization",
                described("Whether personal data and shell commands in arguments are blocked", boolean()),
            ),
        ],
    )
}

fn trust() -> Json {
    section(
        "Agents",
        vec![
            (
                "blocked_dids",
                described("Agents that are blocked", json!({"anyOf": [text(), {"type": "array", "items": text()}]})),
            ),
            ("require_did", described("Whether an agent must name itself by a DID", boolean())),
        ],
    )
}

/// Globs of which there may be none.
fn any_globs(parts: &mut Definitions) -> Json {
    json!({"anyOf": [globs(parts), {"type": "array", "maxItems": 0}]})
}

fn approval(what: &str) -> Json {
    described(
        &format!("{what}: `auto` runs, `approve` asks a person, `block` does not run"),
        words(Approval::ALL.iter().map(|approval| approval.as_str())),
    )
}

fn risk() -> Json {
    described("How much harm a call can do", any_case(RiskLevel::ALL.iter().map(|risk| risk.as_str())))
}

fn match_block(parts: &mut Definitions) -> Json {
    parts.part("match", |parts| {
        let block: Vec<(&str, Json)> = [
            ("tool", "The tool's name"),
            ("server", "The server's name"),
            ("agent", "The agent's id"),
            ("type", "Another name for `tool`"),
            ("method", "Another name for `tool`"),
            ("target", "Another name for `server`"),
        ]
        .into_iter()
        .map(|(key, what)| (key, described(what, globs(parts))))
        .collect();
        mapping("Which calls", block)
    })
}

/// `approvers`, `quorum` and `ttl`, which a rule and the section share.
fn demand(parts: &mut Definitions) -> Vec<(&'static str, Json)> {
    let who = "Who may approve: `local_terminal`, `local_user`, `user:NAME` or `group:NAME`";
    vec![
        ("approvers", described(who, texts(parts))),
        ("quorum", described("How many accounts must approve", whole(1, 8))),
        ("ttl", described("How long a hold can be answered", duration())),
    ]
}

fn rule(parts: &mut Definitions) -> Json {
    parts.part("rule", |parts| {
        let block = match_block(parts);
        let mut keys = vec![
            ("name", described("By which answers and records name the rule", text())),
            ("match", described("Which calls; all of its keys must fit", block.clone())),
            (
                "except",
                described(
                    "Calls that are left out",
                    json!({"anyOf": [block.clone(), {"type": "array", "items": block}]}),
                ),
            ),
            ("conditions", conditions(parts)),
            ("approval", approval("What the rule asks for; the default is `approve`")),
            ("risk_level", risk()),
            ("reason", described("Why, in words that the agent is shown", text())),
            ("description", described("For people", text())),
            ("owner", described("For people", text())),
            (
                "controls",
                described(
                    "The controls that the rule serves, as `hipaa:164.502(b)`; they stand in its records",
                    texts(parts),
                ),
            ),
            ("expires", described("From when on the rule does not match: 2026-12-31 or 2026-12-31T18:00:00Z", text())),
            ("mode", described("`shadow`: asked and recorded, without effect", words(["enforce", "shadow", "off"]))),
            (
                "override",
                described("Rules that have no say where this one surely matches: the one way to loosen", texts(parts)),
            ),
        ];
        keys.extend(demand(parts));
        mapping("A rule", keys)
    })
}

fn conditions(parts: &mut Definitions) -> Json {
    parts.part("conditions", |parts| {
        let any = || Json::Bool(true);
        let each = |what: &str, value: Json| some_named(&format!("By argument, as in `a.b[0]`: {what}"), value);
        let ordered = || json!({"type": ["number", "string"]});
        let time = || json!({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"});
        let values = || json!({"type": "array", "minItems": 1});
        let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let long = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let day = json!({"anyOf": [any_case(days.into_iter().chain(long)), whole(1, 7), words(["1", "2", "3", "4", "5", "6", "7"])]});
        let bound = || json!({"type": "integer", "minimum": 0});
        let bounds = mapping("Bounds of a size", vec![
            ("gt", bound()), ("gte", bound()), ("lt", bound()), ("lte", bound()), ("eq", bound()),
        ]);
        let rate = mapping("That many calls were already allowed", vec![
            ("limit", json!({"type": "integer", "minimum": 1})),
            ("window", duration()),
            ("per", words([RateScope::Session, RateScope::Tool, RateScope::Agent].map(RateScope::as_str))),
        ]);
        let block = match_block(parts);
        let names = globs(parts);
        section("All must hold", vec![
            ("time_after", described("From this time of day on", time())),
            ("time_before", described("Before this time of day; earlier than `time_after`: over midnight", time())),
            ("tz", described("The zone of times and days, such as `Europe/Berlin`; the default is UTC", text())),
            ("weekdays", described("Days; 1 is Monday", json!({"anyOf": [day, {"type": "array", "minItems": 1, "items": day}]}))),
            ("param_eq", each("equal to this value", any())),
            ("param_gt", each("greater", ordered())),
            ("param_lt", each("less", ordered())),
            ("param_gte", each("greater or equal", ordered())),
            ("param_lte", each("less or equal", ordered())),
            ("param_contains", each("a text in it, an element of it, a key of it", any())),
            ("param_in", each("one of these", values())),
            ("param_not_in", each("none of these", values())),
            ("param_exists", json!({"description": "The argument is there", "anyOf": [
                texts(parts), some_named("By argument: whether it is there", boolean()),
            ]})),
            ("param_matches", each("the regular expression is found in it", text())),
            ("param_glob", each("the whole text matches", names.clone())),
            ("path_under", each("the path is this directory or below it", texts(parts))),
            ("host_in", each("the host of the address", names.clone())),
            ("size", each("characters, elements, or with `$` the bytes of all arguments", bounds)),
            ("rate", rate),
            ("after_call", described("An earlier call of the session", json!({"anyOf": [names, block]}))),
            ("labels", described("One of these was found in a result of the session", labels())),
            ("semantic", described("A category or keywords; it understands nothing", text())),
        ])
    })
}

fn approvals(parts: &mut Definitions) -> Json {
    let mut keys = demand(parts);
    keys.extend([
        ("groups", json!({"description": "Accounts by group", "type": ["object", "null"], "additionalProperties": texts(parts)})),
        ("requester_may_approve", described("Whether whoever asks may also approve", boolean())),
        ("terminal", described("Whether approving takes a terminal", boolean())),
        ("on_timeout", words(["block"])),
        ("ask", described("How people are asked", words(Way::ALL.iter().map(|way| way.as_str())))),
        ("grants", mapping("Approvals for a while", vec![("longest", described("How long; `0s` allows none", duration()))])),
        ("volatile", list("Arguments that an approval does not fix", mapping("Of these tools, these arguments", vec![
            ("tool", globs(parts)), ("arguments", texts(parts)),
        ]))),
        ("url", described("A page where holds are answered, with `{hold}`", text())),
    ]);
    section("Who may approve what asks, and how", keys)
}

fn integrity(parts: &mut Definitions) -> Json {
    let reaction = || words(Reaction::ALL.iter().map(|reaction| reaction.as_str()));
    let keys = || {
        vec![
            ("on_first_use", described("A tool that is new", words(OnFirstUse::ALL.iter().map(|own| own.as_str())))),
            ("on_change", described("A tool that has changed", words(OnChange::ALL.iter().map(|own| own.as_str())))),
            ("on_unlisted", described("A tool that the server never listed", reaction())),
            ("on_stale", described("A tool that the server lists no more", reaction())),
            (
                "on_finding",
                section(
                    "A tool in which something was found",
                    vec![(Severity::Critical.as_str(), reaction()), (Severity::Warning.as_str(), reaction())],
                ),
            ),
            ("quarantined_tools", words(Shown::ALL.iter().map(|own| own.as_str()))),
        ]
    };
    let mut server = keys();
    server.push(("server", globs(parts)));
    let mut all = keys();
    all.push(("servers", list("What holds for some servers instead", mapping("Some servers", server))));
    section("Tools that are new, changed, unlisted or suspicious", all)
}

fn inspect(parts: &mut Definitions) -> Json {
    let class = |class: &HarmClass| {
        let directions = Inspected::ALL.iter().filter(|direction| !class.actions(**direction).is_empty());
        let action = |direction: &Inspected| words(class.actions(*direction).iter().map(|action| action.as_str()));
        let common = directions.clone().map(action).collect::<Vec<_>>();
        let each = directions.map(|direction| (direction.as_str(), action(direction))).collect();
        json!({"anyOf": [{"allOf": common}, mapping("By direction", each)]})
    };
    let keys = |parts: &mut Definitions| {
        let names = json!({"anyOf": [texts(parts), {"type": "array", "maxItems": 0}]});
        let mut keys: Vec<(&str, Json)> = HarmClass::ALL.iter().map(|own| (own.as_str(), class(own))).collect();
        keys.extend([
            ("email", described("Whether addresses of mail are personal data", boolean())),
            ("phone", described("Whether telephone numbers are personal data", boolean())),
            ("allowed_hosts", described("Hosts that may be named", names.clone())),
            ("allowed_paths", described("Paths that may be named", names)),
        ]);
        keys
    };
    let mut server = keys(parts);
    server.push(("server", globs(parts)));
    let mut all = keys(parts);
    all.push(("servers", list("What holds for some servers", mapping("Some servers", server))));
    section("What becomes of what is found in arguments and results", all)
}
