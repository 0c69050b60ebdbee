//! What a check finds, one kind after the other, and what it does not.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail the test")]

use thoth_policy::{Sources, load};
use thoth_workbench::{CheckOptions, KnownTools, Report, Tone, check, findings_text};

fn report(text: &str, tools: Option<&str>) -> Report {
    let policy = load("p", &Sources::one("p", text)).unwrap_or_else(|error| panic!("{}\n{text}", error.render(false)));
    let tools = tools.map(|text| KnownTools::parse(text).unwrap());
    check(&policy, &CheckOptions { from: "2026-03-02T12:00:00Z".parse().unwrap(), tools })
}

/// Each row: defaults, rules, and the findings as `kind severity rule call`.
#[test]
fn each_kind_is_found_and_only_where_it_is() {
    for (default, rules, expected) in [
        // Contradictions.
        ("block", "{match: {tool: [a, \"!a\"]}, approval: auto}", &["unreachable warning rule_0 -"] as &[_]),
        (
            "block",
            "{match: {tool: a}, approval: auto, conditions: {param_gt: {n: 5}, param_lt: {n: 2}}}",
            &["unreachable warning rule_0 -"],
        ),
        ("block", "{match: {tool: a}, approval: auto, conditions: {param_gt: {n: 5}, param_lt: {n: 6}}}", &[]),
        ("block", "{match: {tool: a}, approval: auto, expires: 2026-01-01}", &["unreachable warning rule_0 -"]),
        ("block", "{match: {tool: \"a*\"}, except: {tool: \"?*\"}, approval: auto}", &["unreachable warning rule_0 -"]),
        (
            "block",
            "{match: {tool: a}, approval: auto, conditions: {param_glob: {s: \"x*\"}, param_eq: {s: y}}}",
            &["unreachable warning rule_0 -"],
        ),
        // Covered by one rule, by two together, by times.
        (
            "approve",
            "{match: {tool: \"d*\"}, approval: block}, {match: {tool: del}, approval: block}",
            &[
                "look_alike_bypass note rule_0 ԁx on default approve",
                "case_bypass note rule_0 DX on default approve",
                "never_decisive warning rule_1 -",
            ],
        ),
        (
            "block",
            "{match: {tool: \"[ab]x\"}, approval: auto}, {match: {tool: ax}, approval: auto}, {match: {tool: bx}, approval: auto}",
            &["never_decisive warning rule_0 -", "never_decisive warning rule_1 -", "never_decisive warning rule_2 -"],
        ),
        (
            "block",
            "{match: {tool: a}, approval: auto, conditions: {time_after: \"08:00\", time_before: \"18:00\"}}, \
                   {match: {tool: a}, approval: auto, conditions: {time_after: \"17:00\", time_before: \"09:00\"}}",
            &[],
        ),
        // It lifts the floor that a rule sets which cannot be decided.
        (
            "block",
            "{name: all, match: {tool: a}, approval: approve}, \
                   {name: few, match: {tool: a}, approval: approve, conditions: {param_eq: {n: 0}}}, \
                   {name: loose, match: {tool: a}, approval: auto, override: [few]}",
            &["conflict note all a on default approve", "lint warning - -", "never_decisive warning few -"],
        ),
        // For every call, and by default.
        (
            "auto",
            "{match: {tool: a}, approval: auto}",
            &["allow_by_default warning - some_tool on default auto", "never_decisive note rule_0 -"],
        ),
        (
            "block",
            "{match: {tool: \"*\"}, approval: approve}",
            &["catch_all warning rule_0 some_tool on default approve"],
        ),
        // Letter case.
        (
            "auto",
            "{match: {tool: rm}, approval: block}",
            &["allow_by_default warning - some_tool on default auto", "case_bypass warning rule_0 RM on default auto"],
        ),
        // Expressions without anchors.
        (
            "block",
            "{match: {tool: a}, approval: auto, conditions: {param_matches: {q: \"SELECT [a-z]+\"}}}",
            &["unanchored_pattern warning rule_0 a on default {\"q\":\"anything SELECT x anything\"} auto"],
        ),
        ("block", "{match: {tool: a}, approval: auto, conditions: {param_matches: {q: \"^SELECT [a-z]+$\"}}}", &[]),
        // Rules that answer the same calls.
        (
            "block",
            "{match: {tool: \"r*\"}, approval: auto}, {match: {server: \"prod-*\"}, approval: approve}",
            &["conflict note rule_1 rx on prod-x approve"],
        ),
    ] {
        let text = format!("defaults: {{approval: {default}}}\nrules: [{rules}]\n");
        let report = report(&text, None);
        assert!(report.is_exact(), "{text}: {:?}", report.undecided);
        let mut found: Vec<String> = report
            .findings
            .iter()
            .map(|finding| {
                let call = finding.witness.as_ref().map(|(call, answer)| format!("{call} {answer}"));
                let rule = finding.rule.as_deref().unwrap_or("-");
                format!(
                    "{} {} {rule} {}",
                    finding.kind.as_str(),
                    finding.severity.as_str(),
                    call.as_deref().unwrap_or("-")
                )
            })
            .collect();
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
    }
}

const TOOLS: &str = r##"{"servers": {"files": {"tools": [
    {"name": "read_file", "inputSchema": {"type": "object", "properties": {
        "path": {"type": "string"}, "depth": {"$ref": "#/$defs/depth"}, "mode": {"enum": ["text", "bytes"]},
        "options": {"type": "object", "properties": {"limit": {"type": "integer"}}}
    }, "$defs": {"depth": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}}},
    {"name": "free", "inputSchema": {"type": "object"}}
]}}}"##;

/// Rules held against tools: names, servers, paths, types and values.
#[test]
fn rules_are_held_against_the_tools() {
    for (rule, expected) in [
        ("{match: {tool: read_file}, approval: auto}", None),
        ("{match: {tool: read_fle}, approval: auto}", Some(("unknown_tool", "did you mean `read_file`?"))),
        (
            "{match: {tool: read_file, server: other}, approval: auto}",
            Some(("unknown_tool", "correct its `match`, or remove it if the tool is gone")),
        ),
        (
            "{match: {tool: read_file}, approval: auto, conditions: {param_glob: {pth: \"a*\"}}}",
            Some(("unknown_argument", "did you mean `path`?")),
        ),
        ("{match: {tool: read_file}, approval: auto, conditions: {param_glob: {path: \"a*\"}}}", None),
        (
            "{match: {tool: read_file}, approval: auto, conditions: {param_gt: {path: 5}}}",
            Some(("argument_type", "compare it with a value that the tool's `inputSchema` allows")),
        ),
        ("{match: {tool: read_file}, approval: auto, conditions: {param_gt: {depth: 5}}}", None),
        ("{match: {tool: read_file}, approval: auto, conditions: {param_gt: {options.limit: 5}}}", None),
        (
            "{match: {tool: read_file}, approval: auto, conditions: {param_gt: {options.limt: 5}}}",
            Some(("unknown_argument", "did you mean `limit`?")),
        ),
        (
            "{match: {tool: read_file}, approval: auto, conditions: {param_eq: {mode: json}}}",
            Some(("argument_type", "compare it with a value that the tool's `inputSchema` allows")),
        ),
        ("{match: {tool: read_file}, approval: auto, conditions: {param_eq: {mode: text}}}", None),
        ("{match: {tool: free}, approval: auto, conditions: {param_eq: {anything: 1}}}", None),
    ] {
        let text = format!("defaults: {{approval: block}}\nrules: [{rule}]\n");
        let report = report(&text, Some(TOOLS));
        let found: Vec<_> = report.findings.iter().map(|found| (found.kind.as_str(), &*found.remedy)).collect();
        assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{rule}");
    }
    for (text, error) in [
        ("x", "it is not JSON: expected value at line 1 column 1"),
        ("{}", "it has neither `tools` nor `servers`"),
        (r#"{"tools": {}}"#, "`tools` is not a list of tools"),
        (r#"{"result": {"tools": [{"name": "a"}, {}]}}"#, "tool 2 of `tools` has no `name`"),
    ] {
        assert_eq!(KnownTools::parse(text).unwrap_err().to_string(), error, "{text}");
    }
}

/// Defends that no tool is left out without a word: both forms count, and further pages are missed.
#[test]
fn all_tools_of_a_file_count() {
    for (text, tools, cut_short) in [
        (r#"{"tools": [{"name": "a"}], "servers": {"s": {"tools": [{"name": "b"}]}}}"#, "s:b -:a", ""),
        (r#"{"tools": [{"name": "a"}], "nextCursor": "2"}"#, "-:a", "`tools`"),
        (r#"{"result": {"tools": [{"name": "a"}], "nextCursor": null}}"#, "-:a", ""),
        (r#"{"servers": {"s": {"tools": [], "nextCursor": "x"}, "t": [{"name": "b"}]}}"#, "t:b", "`servers.s.tools`"),
    ] {
        let known = KnownTools::parse(text).unwrap();
        let shown = known.tools.iter().map(|tool| format!("{}:{}", tool.server.as_deref().unwrap_or("-"), tool.name));
        assert_eq!(shown.collect::<Vec<_>>().join(" "), tools, "{text}");
        assert_eq!(known.cut_short.join(" "), cut_short, "{text}");
        let report = report("defaults: {approval: block}\n", Some(text));
        assert_eq!(report.is_exact(), cut_short.is_empty(), "{:?}", report.undecided);
    }
}

/// Defends what a person is shown of a call: when, where a policy looks at the clock, and no more than can be read; a
/// script has the whole.
#[test]
fn calls_are_shown_as_far_as_they_matter() {
    let plain = |_: Tone, word: &str| word.to_owned();
    for (conditions, shown, whole) in [
        ("weekdays: [sat]", "x on default at 2026-03-07T00:00:00Z  auto", 0),
        ("param_eq: {n: 1}", "x on default {\"n\":1}  auto", 0),
        ("size: {s: {gt: 50000}}", "… (50009 bytes)  auto", 50_001),
    ] {
        let text = format!(
            "defaults: {{approval: block}}\nrules: [{{match: {{}}, approval: auto, conditions: {{{conditions}}}}}, \
             {{match: {{tool: x}}, approval: approve}}]\n"
        );
        let report = report(&text, None);
        let text = findings_text(&report, &plain);
        let witness = report.findings.iter().find_map(|finding| finding.witness.as_ref()).unwrap();
        assert!(text.contains(shown.trim_end_matches("  auto")), "{conditions}: {text}");
        assert!(text.lines().all(|line| line.len() < 1_000), "{conditions}");
        assert!(witness.0.to_json()["arguments"].to_string().len() >= whole, "{conditions}");
    }
}

/// Defends long lists of plain names: each is decided, whatever it is held against.
#[test]
fn long_lists_of_names_are_decided() {
    let names: Vec<String> = (0..20_000).map(|number| format!("tool_{number}")).collect();
    let names = names.join(", ");
    let rules =
        format!("{{match: {{tool: [{names}]}}, approval: auto}}, {{match: {{tool: [{names}]}}, approval: approve}}");
    let report = report(&format!("defaults: {{approval: block}}\nrules: [{rules}]\n"), None);
    assert!(report.is_exact(), "{:?}", report.undecided);
    let found: Vec<_> = report.findings.iter().map(|found| (found.kind.as_str(), found.rule.as_deref())).collect();
    assert_eq!(found, [("never_decisive", Some("rule_0")), ("conflict", Some("rule_1"))]);
}
