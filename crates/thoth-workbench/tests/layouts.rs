//! The layout: nothing is lost, nothing means something else, and a second time changes nothing.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use proptest::prelude::*;
use thoth_policy::{Policy, Sources, document};
use thoth_testkit::naive_policy::policies_with_overrides;
use thoth_workbench::layout::{LayoutError, lay_out};
use thoth_workbench::packs::PACKS;

fn laid_out(text: &str) -> String {
    lay_out("p.yaml", text.as_bytes()).unwrap_or_else(|error| format!("error: {error}"))
}

/// What the layout makes of each thing that a file may have.
#[test]
fn everything_has_its_place() {
    for (text, expected) in [
        ("", ""),
        ("# only\n\n\n#this\n", "# only\n\n#this\n"),
        ("a:   1\nb:    [x,y ,{p:  q}]\n", "a: 1\nb: [x, y, {p: q}]\n"),
        ("---\na: 1\n...\n", "a: 1\n"),
        ("\n\na: 1\n\n\n\nb: 2", "a: 1\n\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        (
            "rules:\n- name: a\n  match:\n      tool: x\n- name: b\n",
            "rules:\n  - name: a\n    match:\n      tool: x\n  - name: b\n",
        ),
        ("rules:\n    -\n        name: a\n", "rules:\n  - name: a\n"),
        ("a:\n- - 1\n  - 2\n", "a:\n  -\n    - 1\n    - 2\n"),
        ("a: 'it''s'\nb: \"x\"\nc: x y\n", "a: 'it''s'\nb: \"x\"\nc: x y\n"),
        ("a: one\n  two\nb: 'one\n\n  two'\n", "a: \"one two\"\nb: \"one\\ntwo\"\n"),
        (
            "a: |\n     x\n       y\n\n     z\nb: >-\n  folded\n  more\nc: 1\n",
            "a: |\n  x\n    y\n\n  z\nb: >-\n  folded\n  more\nc: 1\n",
        ),
        ("a: |+\n  x\n\n\nb: 1\n", "a: \"x\\n\\n\\n\"\n\nb: 1\n"),
        ("a:\nb: ~\nc: {x, y: }\n", "a:\nb: ~\nc: {x: ~, y: ~}\n"),
        ("a: []\nb: {}\n", "a: []\nb: {}\n"),
        (
            "a: &x [1]\nb: *x\nc: &y\n  d: 1\ne:\n  - &z\n    f: 1\n  - *z\n",
            "a: &x [1]\nb: *x\nc: &y\n  d: 1\ne:\n  - &z\n    f: 1\n  - *z\n",
        ),
        ("? a\n: 1\n", "a: 1\n"),
        (
            "r:\n- a: |\n     x\n      y\n\n  b: >-\n   z\n   w\n",
            "r:\n  - a: |\n      x\n       y\n\n    b: >-\n      z\n      w\n",
        ),
        ("a: |\n  x\n   ", "a: \"x\\n \\n\"\n"),
        // Comments.
        ("#x\na: 1 #y\n   # z\nb:\n#w\n    c: 1\n", "#x\na: 1 #y\n# z\nb:\n  #w\n  c: 1\n"),
        (
            "rules: # all\n  # one\n  - name: a # first\n    # inside\n\n  # two\n  - name: b\n    # last\n# end\n",
            "rules: # all\n  # one\n  - name: a # first\n    # inside\n\n  # two\n  - name: b\n    # last\n# end\n",
        ),
        (
            "rules:\n- a: 1\n# about b\n- b: 1\n# about c\nc: 1\n",
            "rules:\n  - a: 1\n  # about b\n  - b: 1\n# about c\nc: 1\n",
        ),
        ("a: [x, # one\n  y] # two\n", "a: # two\n  - x # one\n  - y\n"),
        ("a: [ # in\n x,\n # below\n]\n", "a: # in\n  - x\n  # below\n"),
        ("a: {x: 1} # beside\n", "a: {x: 1} # beside\n"),
        ("- # c\n  a: 1\n", "# c\n- a: 1\n"),
        ("[\n# c\n] ", "[]\n# c\n"),
        ("a: {\n# c\n}\nb: [[ # d\n], 1]\n", "a: {}\n# c\nb:\n  - [] # d\n  - 1\n"),
        ("a: | # why\n  x\nb: # no\n  - 1\n", "a: | # why\n  x\nb: # no\n  - 1\n"),
        ("a:\n  # between\n  1\n", "# between\na: 1\n"),
        ("{a: 1} # c\n", "{a: 1} # c\n"),
        // What is left alone.
        (
            "# c\nx\n",
            "error: p.yaml:2:1: a file that is one single value, which the layout does not know; write it otherwise",
        ),
        ("a: [", "error: p.yaml:1:4: not valid YAML: unclosed bracket '['"),
        (
            "a: 1\n---\nb: 1\n",
            "error: p.yaml:2:1: a second document in one file (keep one document per file and join files with `include`)",
        ),
        ("%YAML 1.2\n---\na: 1\n", "error: p.yaml:2:1: a YAML directive, which policies do not use"),
        (
            "&k a: 1\n",
            "error: p.yaml:1:4: an anchor or alias at a key, which the layout does not know; write it otherwise",
        ),
    ] {
        assert_eq!(laid_out(text), expected, "{text}");
        if !expected.starts_with("error") {
            assert_eq!(laid_out(expected), expected, "again: {text}");
        }
    }
}

/// Brackets stay on one line while there is room.
#[test]
fn long_lists_are_broken() {
    let items = |count: usize| vec!["tool"; count].join(", ");
    let fits = format!("a: [{}]\n", items(19));
    assert_eq!(laid_out(&fits), fits);
    assert_eq!(laid_out(&format!("abcd: [{}]\n", items(19))), format!("abcd: [{}]\n", items(19)));
    assert_eq!(laid_out(&format!("a: [{}]\n", items(20))), format!("a:\n{}", "  - tool\n".repeat(20)));
}

/// The policies that Thoth gives are laid out, and their tests.
#[test]
fn packs_are_laid_out() {
    for pack in PACKS {
        assert_eq!(laid_out(pack.policy), pack.policy, "{}", pack.name);
        assert_eq!(laid_out(pack.tests), pack.tests, "{}", pack.name);
    }
    assert_eq!(laid_out(thoth_policy::STARTER), thoth_policy::STARTER);
}

fn loaded(text: &str) -> Policy {
    thoth_policy::load("p", &Sources::one("p", text)).unwrap()
}

fn json(text: &str) -> String {
    document::read("p", text.into(), |reader, root| reader.json(root.unwrap())).unwrap().unwrap()
}

/// A policy as somebody may have typed it: comments, blank lines and spaces where YAML allows them. `choices` says
/// where, line by line.
fn untidy(tidy: &str, choices: &[u8]) -> String {
    let mut out = String::new();
    let mut choices = choices.iter().cycle();
    for (number, line) in tidy.lines().enumerate() {
        let depth = line.len() - line.trim_start().len();
        let choice = choices.next().unwrap();
        match choice % 8 {
            0 => out.push_str("\n\n"),
            1 => out.push_str(&format!("# above {number}\n")),
            2 => out.push_str(&format!("\n{}# deep {number}\n", " ".repeat(depth + 2))),
            3 => out.push_str(&format!("{}# level {number}\n\n", " ".repeat(depth))),
            _ => {}
        }
        out.push_str(line);
        if choice & 8 == 0 {
            out.push_str(&format!("  # beside {number}"));
        }
        out.push_str(if choice & 16 == 0 { "\n" } else { " \n" });
    }
    out
}

/// What YAML is made of.
const WORDS: &[&str] = &[
    "a",
    "b",
    "'c'",
    "\"d\\n\"",
    "1",
    "~",
    ": ",
    ":",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\n  ",
    "\n    ",
    "- ",
    "# c",
    " # d",
    "#",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "|\n  x\n",
    ">-\n    y\n   z\n",
    "|+\n x\n\n",
    "&x ",
    "*x",
    "? ",
    "\r\n",
    "\t",
    "---\n",
    "...",
    "\u{e9}",
    "\u{85}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends: every comment is kept, a second time changes nothing, and every rule is what it was.
    #[test]
    fn layouts_keep_everything(policy in policies_with_overrides(), choices in prop::collection::vec(any::<u8>(), 1..40)) {
        let tidy = laid_out(&policy.to_yaml());
        prop_assert!(!tidy.starts_with("error"), "{tidy}");
        let text = untidy(&tidy, &choices);
        let once = laid_out(&text);
        prop_assert!(!once.starts_with("error"), "{once}\n{text}");
        prop_assert_eq!(&laid_out(&once), &once, "{}", text);
        let comments = |text: &str| text.lines().filter_map(|line| line.split_once('#').map(|(_, text)| text.trim().to_owned())).collect::<std::collections::BTreeSet<_>>();
        prop_assert_eq!(comments(&text), comments(&once), "{}", text);
        prop_assert_eq!(json(&text), json(&once), "{}", text);
        let shown = |policy: &Policy| {
            let mut rules: Vec<String> = policy.rule_table().map(|(id, rule)| format!("{} {} {:?} {:?} {:?}", rule.name, rule.approval, rule.risk, rule.overrides, policy.conditions(id))).collect();
            rules.sort();
            rules
        };
        prop_assert_eq!(shown(&loaded(&once)), shown(&loaded(&policy.to_yaml())));
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends: whatever text is given is laid out, is no YAML, or is refused for a reason with a place.
    #[test]
    fn any_text_is_laid_out_or_refused(words in prop::collection::vec(prop::sample::select(WORDS), 1..24)) {
        let text = words.concat();
        if let Err(error) = lay_out("p", text.as_bytes()) {
            prop_assert!(!matches!(error, LayoutError::Differs { .. }), "{error}\n{text:?}");
        }
    }
}
