//! Policies that take long: ones of an ordinary kind with many rules, and ones that are made so on purpose.

use std::fmt::Write as _;

/// Globs that look anywhere in a name, and windows of all kinds.
fn globs(rules: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: {approval: auto}\nrules:\n".to_owned();
    for index in 0..rules {
        let (hour, minute) = (index % 24, index % 60);
        let letters: String = (0..6).map(|bit| if index >> bit & 1 == 1 { "*a" } else { "*b?" }).collect();
        let approval = ["auto", "approve", "block"].get(index % 3).copied().unwrap_or("auto");
        let _ = write!(
            text,
            "  - match: {{tool: \"{letters}*{index}*\", server: \"*{letters}*\"}}\n    approval: {approval}\n    \
             conditions: {{time_after: \"{hour:02}:{minute:02}\", param_glob: {{x: \"*{index}*a*\"}}}}\n"
        );
    }
    text
}

/// Rules of which each overrides all before it.
fn overriding(rules: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: {approval: approve}\nrules:\n".to_owned();
    for index in 0..rules {
        let approval = ["auto", "block", "approve"].get(index % 3).copied().unwrap_or("auto");
        let earlier: Vec<String> = (0..index).map(|earlier| format!("r{earlier}")).collect();
        let of = if earlier.is_empty() { String::new() } else { format!(", override: [{}]", earlier.join(", ")) };
        let _ = writeln!(text, "  - {{name: r{index}, match: {{tool: \"*{index}*\"}}, approval: {approval}{of}}}");
    }
    text
}

/// Rules for every name, of which those in the second half override all in the first.
fn overridden(rules: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: {approval: auto}\nrules:\n".to_owned();
    let first: Vec<String> = (0..rules).map(|index| format!("r{index}")).collect();
    for index in 0..2 * rules {
        let (approval, of) = if index < rules {
            ("block", String::new())
        } else {
            ("auto", format!(", override: [{}]", first.join(", ")))
        };
        let _ = writeln!(text, "  - {{name: r{index}, match: {{tool: \"*{index}*\"}}, approval: {approval}{of}}}");
    }
    text
}

/// One rule after the other with these matches and conditions, and the answers by turns.
fn rules(count: usize, of: impl Fn(usize) -> String) -> String {
    let mut text = "version: \"1\"\ndefaults: {approval: approve}\nrules:\n".to_owned();
    for index in 0..count {
        let approval = ["auto", "approve", "block"].get(index % 3).copied().unwrap_or("auto");
        let _ = writeln!(text, "  - {{approval: {approval}, {}}}", of(index));
    }
    text
}

/// Comparisons of one argument, each with another number.
fn numbers(count: usize) -> String {
    rules(count, |at| {
        format!("match: {{}}, conditions: {{param_gt: {{x: {at}}}, param_lt: {{x: {}}}}}", at * 7 % count)
    })
}

/// Sizes of a text, and of all arguments.
fn sizes(count: usize) -> String {
    rules(count, |at| {
        format!("match: {{}}, conditions: {{size: {{x: {{gt: {}}}, $: {{lt: {}}}}}}}", 90_000 + at, 95_000 + at)
    })
}

/// Expressions.
fn patterns(count: usize) -> String {
    rules(count, |at| format!("match: {{}}, conditions: {{param_matches: {{x: \"(a|b{at}|c.)*{at}d\"}}}}"))
}

/// Windows in several zones, and ends.
fn times(count: usize) -> String {
    let zones = ["Europe/Paris", "Asia/Tokyo", "America/New_York", "Australia/Lord_Howe", "UTC"];
    rules(count, |at| {
        let zone = zones.get(at % zones.len()).copied().unwrap_or("UTC");
        let (hour, minute) = (at % 24, at * 7 % 60);
        format!(
            "match: {{tool: \"*{at}*\"}}, expires: 20{:02}-{:02}-{:02}, conditions: {{time_after: \"{hour:02}:{minute:02}\", \
             tz: {zone}}}",
            30 + at % 60,
            1 + at % 12,
            1 + at % 28
        )
    })
}

/// Long lists of names.
fn names(count: usize) -> String {
    rules(count, |at| {
        let names: Vec<String> = (0..count).map(|name| format!("t{}", (name * (at + 1)) % (2 * count))).collect();
        format!("match: {{tool: [{}]}}", names.join(", "))
    })
}

/// Exceptions, each of another kind.
fn exceptions(count: usize) -> String {
    rules(count, |at| {
        let except: Vec<String> =
            (0..40).map(|own| format!("{{tool: \"*{}*\", server: \"{own}*\", agent: \"*{at}\"}}", own * at)).collect();
        format!("match: {{}}, except: [{}]", except.join(", "))
    })
}

/// One rule with very many conditions, and one that has the others.
fn conditions(count: usize) -> String {
    rules(1 + count / 250, |at| {
        let tests: Vec<String> = (0..250).map(|own| format!("a{own}: {}", at * own)).collect();
        format!("match: {{}}, conditions: {{param_gt: {{{}}}}}", tests.join(", "))
    })
}

/// Rules that ask others, and override each other.
fn demands(count: usize) -> String {
    let mut text = "version: \"1\"\ndefaults: {approval: auto}\n".to_owned();
    text.push_str("approvals: {groups: {a: [local_user]}}\nrules:\n");
    for index in 0..count {
        let earlier: Vec<String> = (0..index).map(|earlier| format!("r{earlier}")).collect();
        let of = if earlier.is_empty() { String::new() } else { format!(", override: [{}]", earlier.join(", ")) };
        let _ = writeln!(
            text,
            "  - {{name: r{index}, match: {{tool: \"x{index}\"}}, approval: approve, approvers: \"group:a\"{of}}}"
        );
    }
    text
}

/// Lists in which letter case makes no difference.
fn lists(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|at| format!("\"*{at}s*x\"")).collect();
    let rules = rules(count, |at| format!("match: {{tool: \"*{at}*S\"}}"));
    format!("{rules}gateway: {{denied_tools: [{}]}}\n", names.join(", "))
}

/// Calls that came before.
fn past(count: usize) -> String {
    rules(count, |at| {
        format!(
            "match: {{}}, conditions: {{after_call: \"*{at}*\", rate: {{limit: {}, window: {}m, per: tool}}}}",
            at + 1,
            1 + count - at
        )
    })
}

/// All of them by name, with so many rules.
pub(crate) fn hostile_policies(count: usize) -> Vec<(&'static str, String)> {
    vec![
        ("globs", globs(count)),
        ("overriding", overriding(count)),
        ("overridden", overridden(count / 2)),
        ("numbers", numbers(count)),
        ("sizes", sizes(count)),
        ("patterns", patterns(count)),
        ("times", times(count)),
        ("names", names(count)),
        ("exceptions", exceptions(count)),
        ("conditions", conditions(count)),
        ("demands", demands(count)),
        ("lists", lists(count)),
        ("past", past(count)),
    ]
}
