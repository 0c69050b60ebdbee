//! The section `inspect`, `gateway.blocked_patterns` and `gateway.builtin_sanitization`.
#![expect(clippy::panic, reason = "helpers of tests fail the test")]

use thoth_policy::{Policy, Query, Sources, load};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, HarmClass, InspectAction, Inspected};

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

/// Two files, one of which includes the other.
fn both(one: &str, other: &str) -> Policy {
    let root = format!("include: [b.yaml]\n{one}");
    let sources = Sources::one("a.yaml", root).with("b.yaml", other);
    load("a.yaml", &sources).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn action(policy: &Policy, class: HarmClass, inspected: Inspected) -> Option<InspectAction> {
    policy.inspect_rules("web").action(class, inspected).map(|(action, _)| action)
}

/// Defends the words: one word holds wherever the class is looked for, and each direction may have its own.
#[test]
fn words() {
    use HarmClass::{Injection, PersonalData, Secrets, Shell, Ssrf};
    use InspectAction::{Allow, Annotate, Ask, Block};
    use Inspected::{Arguments, Results};
    let policy = policy(
        "inspect:\n  secrets: block\n  ssrf: allow\n  injection: {results: annotate}\n  personal_data: {arguments: redact, results: ask}\n  \
         email: true\n  allowed_hosts: [localhost]\ngateway: {builtin_sanitization: true}",
    );
    for (class, inspected, expected) in [
        (Secrets, Arguments, Some(Block)),
        (Secrets, Results, Some(Block)),
        (Ssrf, Arguments, Some(Allow)),
        (Ssrf, Results, None),
        (Injection, Arguments, None),
        (Injection, Results, Some(Annotate)),
        // Built-in sanitisation blocks, whatever else is said.
        (PersonalData, Arguments, Some(Block)),
        (PersonalData, Results, Some(Ask)),
        (Shell, Arguments, Some(Block)),
    ] {
        assert_eq!(action(&policy, class, inspected), expected, "{class} {inspected}");
    }
    let rules = policy.inspect_rules("web");
    assert!(rules.email() && !rules.phone());
    assert_eq!(rules.allowed_hosts().collect::<Vec<_>>(), ["localhost"]);
    assert!(policy.warnings().iter().any(|warning| warning.to_string().contains("nobody can be asked")));
}

/// Defends merging: two files together are as strict as each, in either order; an own entry of a server comes first.
#[test]
fn files_tighten_each_other() {
    let texts = [
        "inspect: {ssrf: allow, secrets: {results: redact}, allowed_hosts: [a, b]}",
        "inspect: {ssrf: ask, allowed_hosts: [b, c], phone: true}",
        "inspect: {servers: [{server: \"w*\", ssrf: block}, {server: web, ssrf: allow, allowed_paths: [/x]}]}",
        "",
    ];
    for one in texts {
        for other in texts {
            let (here, there) = (both(one, other), both(other, one));
            for class in HarmClass::ALL {
                for inspected in Inspected::ALL {
                    let joined = action(&here, *class, *inspected);
                    assert_eq!(joined, action(&there, *class, *inspected), "{one} | {other}");
                    for alone in [one, other] {
                        assert!(joined >= action(&policy(alone), *class, *inspected), "{one} | {other}");
                    }
                }
            }
        }
    }
    let joined = both(texts[0], texts[1]);
    assert_eq!(joined.inspect_rules("s").allowed_hosts().collect::<Vec<_>>(), ["b"]);
    let named = policy(texts[2]);
    assert_eq!(action(&named, HarmClass::Ssrf, Inspected::Arguments), Some(InspectAction::Block));
    assert!(named.inspect_rules("other").action(HarmClass::Ssrf, Inspected::Arguments).is_none());
}

/// Defends whoever writes it: nothing is accepted that could not mean what it says.
#[test]
fn mistakes_are_load_errors() {
    for (text, message) in [
        ("inspect: [x]", "wants a mapping"),
        ("inspect: {secret: ask}", "did you mean `secrets`"),
        ("inspect: {secrets: deny}", "`deny` is no answer to `secrets` in arguments"),
        ("inspect: {secrets: annotate}", "`annotate` is no answer to `secrets` in arguments"),
        ("inspect: {ssrf: redact}", "`redact` is no answer to `ssrf` in arguments"),
        ("inspect: {ssrf: {results: ask}}", "unknown key `results`"),
        ("inspect: {secrets: {argument: ask}}", "did you mean `arguments`"),
        ("inspect: {email: 1}", "wants true or false"),
        ("inspect: {allowed_hosts: [\"http://x/\"]}", "is no host"),
        ("inspect: {allowed_hosts: [\"\"]}", "an empty entry"),
        ("inspect: {servers: [{ssrf: ask}]}", "does not say which"),
        ("inspect: {servers: {web: ask}}", "wants a list"),
        ("gateway: {blocked_patterns: x}", "wants a list"),
        ("gateway: {blocked_patterns: [\"\"]}", "would block every call"),
        ("gateway: {blocked_patterns: [{regex: \"(\"}]}", "bad regular expression"),
        ("gateway: {blocked_patterns: [{regex: \"(?=x)\"}]}", "bad regular expression"),
        ("gateway: {blocked_patterns: [{glob: \"[x\"}]}", "bad pattern"),
        ("gateway: {blocked_patterns: [{glob: x, regex: y}]}", "one text or one of these"),
        ("gateway: {blocked_patterns: [{globb: x}]}", "did you mean `glob`"),
        ("gateway: {builtin_sanitization: yes}", "wants true or false"),
    ] {
        let error = load("p.yaml", &Sources::one("p.yaml", text)).expect_err(text).render(false);
        assert!(error.contains(message), "{text}: {error}");
    }
}

/// Defends `blocked_patterns` against the ways around it that the gateway it is taken from has: letters beyond ASCII,
/// quotes, escapes, keys, depth and letter case.
#[test]
fn patterns() {
    for (pattern, arguments, blocked) in [
        // The documented examples.
        ("{regex: 'DROP\\s+TABLE'}", r#"{"sql":"SELECT * FROM users; DROP TABLE users;"}"#, true),
        ("{regex: ';\\s*(rm|del)\\b'}", r#"{"cmd":"ls; rm -r x"}"#, true),
        ("{regex: ';\\s*(rm|del)\\b'}", r#"{"query":"quarterly earnings"}"#, false),
        ("\"<script>\"", r#"{"html":"<SCRIPT>x</SCRIPT>"}"#, true),
        ("{glob: \"*.env\"}", r#"{"path":"config/prod.ENV"}"#, true),
        ("{glob: \"*.env\"}", r#"{"path":"prod.env.example"}"#, false),
        ("rm -rf", r#"{"a":"RM -RF /"}"#, true),
        ("rm -rf", r#"{"a":"rm  -rf /"}"#, false),
        ("rm -rf", r#"{"a":{"b":["x\u0072m -rf"]}}"#, true),
        ("rm -rf", r#"{"rm -rf":1}"#, true),
        ("größe", r#"{"a":"GRÖSSE Größe"}"#, true),
        (r#""say \"no\"""#, r#"{"a":"I say \"no\"."}"#, true),
        ("a.b", r#"{"a":"axb"}"#, false),
        ("{regex: \"^\\\\d{3}-\\\\d{2}$\"}", r#"{"a":"123-45"}"#, true),
        ("{regex: \"^\\\\d{3}-\\\\d{2}$\"}", r#"{"a":"x123-45"}"#, false),
        ("{regex: \"^4\\\\d{15}$\"}", r#"{"a":4111111111111111}"#, true),
        ("{glob: \"/etc/*\"}", r#"{"a":"/ETC/passwd"}"#, true),
        ("{glob: \"/etc/*\"}", r#"{"a":"see /etc/passwd"}"#, false),
        ("{glob: \"*.[!t]xt\"}", r#"{"a":"a.txt"}"#, false),
        ("{glob: \"*.[!t]xt\"}", r#"{"a":"a.rxt"}"#, true),
        ("{glob: \"a[]b]c\"}", r#"{"a":"a]c"}"#, true),
        ("{substring: \"ｒｍ\"}", r#"{"a":"ｒｍ"}"#, true),
        ("rm", r#"{"a":"ｒｍ"}"#, true),
        ("\"\\\"cmd\\\":\\\"rm\"", r#"{"cmd":"rm"}"#, true),
    ] {
        let policy = policy(&format!("gateway: {{blocked_patterns: [{pattern}]}}"));
        let mut tape = Tape::new();
        let value = tape.parse(arguments.as_bytes(), &Limits::default()).unwrap();
        let mut findings = Vec::new();
        policy
            .blocked_patterns(&Query { arguments: Arguments::new(Some(value)), ..Query::new("t", "s") }, &mut findings);
        assert_eq!(!findings.is_empty(), blocked, "{pattern} {arguments}");
        assert!(findings.iter().all(|finding| finding.hard && finding.place.is_some()));
    }
}
