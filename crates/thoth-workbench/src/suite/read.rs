//! Reads test files: Thoth's form, and both forms of Aegis as they are.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_policy::document::{self, Content, Node, Reader};
use thoth_policy::{DiagnosticCode, LoadError};
use thoth_types::{Approval, ReasonCode};

use super::{Call, Case, Expected, Invariant, PastCall, Suite};

/// The most tests in one file, after lists of tools and servers are spread.
pub const MAX_CASES: usize = 100_000;

pub(crate) const SUITE_KEYS: [&str; 7] = ["name", "suite", "policy", "description", "defaults", "tests", "invariants"];
pub(crate) const CASE_KEYS: [&str; 9] = [
    "name",
    "description",
    "call",
    "action",
    "expect",
    "expected_decision",
    "expected_risk_level",
    "skip",
    "skip_reason",
];
pub(crate) const CALL_KEYS: [&str; 18] = [
    "tool",
    "server",
    "agent",
    "user",
    "intent",
    "args",
    "at",
    "history",
    "labels",
    "type",
    "method",
    "target",
    "agent_id",
    "user_id",
    "params",
    "arguments",
    "time",
    "description",
];
pub(crate) const PAST_KEYS: [&str; 4] = ["tool", "server", "ago", "times"];
pub(crate) const EXPECT_KEYS: [&str; 7] =
    ["approval", "effect", "risk_level", "rule", "reason", "reason_code", "matched"];
pub(crate) const INVARIANT_KEYS: [&str; 4] = ["name", "description", "never", "always"];
pub(crate) const CLASS_KEYS: [&str; 4] = ["effect", "tool", "server", "agent"];
/// What an answer may be called; in Aegis's tests `allow` and `warn`, in decisions `allow`, `ask` and `deny`.
pub(crate) const ANSWERS: [(&str, Approval); 7] = [
    ("auto", Approval::Auto),
    ("approve", Approval::Approve),
    ("block", Approval::Block),
    ("allow", Approval::Auto),
    ("ask", Approval::Approve),
    ("warn", Approval::Approve),
    ("deny", Approval::Block),
];
/// The server that a call has when nothing is said, as in `thoth policy explain`.
const DEFAULT_SERVER: &str = "default";

/// Reads a test file.
///
/// # Errors
/// Everything that is wrong with the file, each with its place.
pub fn read(name: &str, bytes: Vec<u8>) -> Result<Suite, LoadError> {
    document::read(name, bytes, |reader, root| reader_suite(reader, name, root))
}

/// A call whose tool and server may still be lists.
#[derive(Clone)]
struct Calls {
    tools: Vec<Arc<str>>,
    servers: Vec<Arc<str>>,
    one: Call,
}

fn reader_suite(reader: &mut Reader<'_>, name: &str, root: Option<&Node>) -> Suite {
    let file: Arc<str> = name.into();
    let mut suite = Suite { name: Arc::clone(&file), file, policy: None, cases: Vec::new(), invariants: Vec::new() };
    let nothing =
        Node { at: document::At { line: 1, column: 1, ..document::At::default() }, content: Content::Map(Vec::new()) };
    let root = root.unwrap_or(&nothing);
    let fields = reader.fields(root, "a test file", &SUITE_KEYS);
    let server = Arc::from(DEFAULT_SERVER);
    let mut defaults = Calls { tools: Vec::new(), servers: vec![server], one: Call::default() };
    if let Some((_, node)) = fields.iter().find(|(key, _)| &*key.text == "defaults") {
        defaults = call(reader, node, "`defaults`", &defaults);
    }
    let mut any = false;
    for (key, value) in fields {
        match &*key.text {
            "name" | "suite" => {
                if let Some(text) = reader.text(value, &format!("`{}`", key.text)) {
                    suite.name = Arc::clone(text);
                }
            }
            "policy" => suite.policy = file_name(reader, value),
            "description" => drop(reader.text(value, "`description`").cloned()),
            "tests" => {
                for item in items(reader, value, "`tests`") {
                    any = true;
                    case(reader, item, &defaults, &mut suite.cases);
                }
            }
            "invariants" => {
                for item in items(reader, value, "`invariants`") {
                    any = true;
                    suite.invariants.extend(invariant(reader, item));
                }
            }
            _ => {}
        }
    }
    if !any && reader.is_good() {
        let help = "write `tests: [{call: {tool: read_file}, expect: auto}]`";
        reader.error_help(DiagnosticCode::BadValue, root.at, "a test file without tests".to_owned(), help);
    }
    suite
}

/// A text, and nothing that only looks like one.
fn file_name(reader: &mut Reader<'_>, node: &Node) -> Option<Arc<str>> {
    let text = reader.text(node, "`policy`")?;
    if !reader.json(node)?.starts_with('"') {
        reader.error(DiagnosticCode::WrongType, node.at, format!("`policy` wants a text, not `{text}`: quote a name"));
    }
    Some(Arc::clone(text))
}

fn items<'n>(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> &'n [Node] {
    match &node.content {
        Content::List(items) => items,
        _ => {
            let message = format!("{what} wants a list, not {}", node.kind());
            reader.error(DiagnosticCode::WrongType, node.at, message);
            &[]
        }
    }
}

fn case(reader: &mut Reader<'_>, node: &Node, defaults: &Calls, cases: &mut Vec<Case>) {
    let mut calls: Option<Calls> = None;
    let mut expected = Expected::default();
    let (mut name, mut description, mut skip, mut why) = (None, None, false, None);
    for (key, value) in reader.fields(node, "a test", &CASE_KEYS) {
        match &*key.text {
            "name" => name = words(reader, value, "`name`"),
            "description" => description = words(reader, value, "`description`"),
            "call" | "action" => {
                if calls.is_some() {
                    let message = "`call` and `action` are two names for the same thing";
                    reader.error(DiagnosticCode::DuplicateKey, key.at, message);
                }
                calls = Some(call(reader, value, &format!("`{}`", key.text), defaults));
            }
            "expect" => expect(reader, value, &mut expected),
            "expected_decision" => set(reader, key.at, &mut expected.approval, |r| answer(r, value)),
            "expected_risk_level" if !is_blank(value) => set(reader, key.at, &mut expected.risk, |r| r.risk(value)),
            "skip" => skip = reader.boolean(value, "`skip`").unwrap_or_default(),
            "skip_reason" => why = words(reader, value, "`skip_reason`"),
            _ => {}
        }
    }
    let Some(calls) = calls else {
        let help = "write `call: {tool: read_file, server: files}`";
        return reader.error_help(DiagnosticCode::BadValue, node.at, "a test without a call".to_owned(), help);
    };
    if calls.tools.is_empty() && reader.is_good() {
        let help = "write `call: {tool: read_file}`";
        reader.error_help(DiagnosticCode::BadValue, node.at, "a call that names no tool".to_owned(), help);
    }
    if expected.says_nothing() && reader.is_good() {
        let help = "write `expect: auto`, `expect: approve` or `expect: block`";
        reader.error_help(DiagnosticCode::BadValue, node.at, "a test that expects nothing".to_owned(), help);
    }
    let skipped = skip.then(|| why.unwrap_or_else(|| "skipped".to_owned()));
    let place = reader.place(node.at);
    let several = calls.tools.len() * calls.servers.len() > 1;
    if cases.len() + calls.tools.len() * calls.servers.len() > MAX_CASES {
        let message = format!("more than {MAX_CASES} tests in one file");
        return reader.error(DiagnosticCode::BadValue, node.at, message);
    }
    let title = name.or(description);
    for tool in &calls.tools {
        for server in &calls.servers {
            let call = Call { tool: Arc::clone(tool), server: Arc::clone(server), ..calls.one.clone() };
            let name = match &title {
                Some(title) if several => format!("{title} ({tool} @ {server})"),
                Some(title) => title.clone(),
                None => call.to_string(),
            };
            let (place, expected, skipped) = (place.clone(), expected.clone(), skipped.clone());
            cases.push(Case { name, place, call, expected, skipped });
        }
    }
}

/// Takes a value once: two keys that say the same could disagree.
fn set<T>(
    reader: &mut Reader<'_>,
    at: document::At,
    place: &mut Option<T>,
    take: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) {
    if place.is_some() {
        return reader.error(DiagnosticCode::DuplicateKey, at, "two keys say the same");
    }
    *place = take(reader);
}

fn words(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    if is_blank(node) {
        return None;
    }
    reader.text(node, what).map(|text| text.to_string())
}

/// An empty text, which the tests of Aegis write for "nothing".
fn is_blank(node: &Node) -> bool {
    matches!(&node.content, Content::Scalar { text, .. } if text.is_empty())
}

fn call(reader: &mut Reader<'_>, node: &Node, what: &str, defaults: &Calls) -> Calls {
    let mut calls = defaults.clone();
    let mut seen: Vec<&str> = Vec::new();
    for (key, value) in reader.fields(node, what, &CALL_KEYS) {
        let meaning = match &*key.text {
            "tool" | "type" | "method" => "tool",
            "server" | "target" => "server",
            "agent" | "agent_id" => "agent",
            "user" | "user_id" => "user",
            "args" | "arguments" | "params" => "arguments",
            "at" | "time" => "time",
            other => other,
        };
        if seen.contains(&meaning) {
            let message = format!("`{}` says the same as a key before it: the {meaning}", key.text);
            reader.error(DiagnosticCode::DuplicateKey, key.at, message);
        }
        seen.push(meaning);
        let what = format!("`{}`", key.text);
        match meaning {
            // Aegis's tests may leave a target or an agent empty.
            "server" | "agent" | "user" if is_blank(value) => {}
            "tool" => calls.tools = names(reader, value, &what),
            "server" => calls.servers = names(reader, value, &what),
            "agent" => calls.one.agent = reader.text(value, &what).cloned(),
            "user" => calls.one.user = reader.text(value, &what).cloned(),
            "intent" => calls.one.intent = reader.text(value, &what).cloned(),
            "arguments" => calls.one.arguments = arguments(reader, value, &what),
            "time" => calls.one.at = time(reader, value, &what),
            "history" => calls.one.history = history(reader, value),
            "labels" => calls.one.labels = reader.labels(value),
            _ => {
                words(reader, value, &what);
            }
        }
    }
    calls
}

fn names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<Arc<str>> {
    let mut names = Vec::new();
    for (text, at) in reader.texts(node, what) {
        if text.is_empty() {
            reader.error(DiagnosticCode::BadValue, at, format!("{what} is empty"));
        }
        names.push(Arc::clone(text));
    }
    names
}

fn arguments(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    if !matches!(node.content, Content::Map(_)) {
        let message = format!("{what} wants a mapping, not {}", node.kind());
        reader.error(DiagnosticCode::WrongType, node.at, message);
        return None;
    }
    reader.json(node)
}

fn time(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Timestamp> {
    let text = reader.text(node, what)?;
    let time = text.parse().ok();
    if time.is_none() {
        let message = format!("`{text}` is not a date, a time and an offset");
        let help = "write 2026-11-20T22:00:00Z or 2026-11-20T22:00:00+01:00";
        reader.error_help(DiagnosticCode::BadTime, node.at, message, help);
    }
    time
}

/// A list of the calls before: a tool's name, or a mapping that says more.
fn history(reader: &mut Reader<'_>, node: &Node) -> Vec<PastCall> {
    /// The longest window that a policy can look back.
    const MOST_AGO: u32 = 31 * 86_400;
    let mut calls = Vec::new();
    for item in items(reader, node, "`history`") {
        let mut call = PastCall { tool: Arc::from(""), server: Arc::from(DEFAULT_SERVER), ago: 0, times: 1 };
        if matches!(item.content, Content::Scalar { .. }) {
            call.tool = reader.text(item, "a call before").cloned().unwrap_or(call.tool);
        } else {
            for (key, value) in reader.fields(item, "a call before", &PAST_KEYS) {
                match &*key.text {
                    "tool" => call.tool = reader.text(value, "`tool`").cloned().unwrap_or(call.tool),
                    "server" => call.server = reader.text(value, "`server`").cloned().unwrap_or(call.server),
                    "ago" => call.ago = reader.seconds(value, "`ago`", 0, MOST_AGO).unwrap_or_default(),
                    _ => call.times = reader.whole(value, "`times`", 1, 1_000_000).unwrap_or(1),
                }
            }
        }
        if call.tool.is_empty() && reader.is_good() {
            reader.error(DiagnosticCode::BadValue, item.at, "a call before that names no tool");
        }
        calls.push(call);
    }
    calls
}

fn expect(reader: &mut Reader<'_>, node: &Node, expected: &mut Expected) {
    if matches!(node.content, Content::Scalar { .. }) && !node.is_null() {
        return set(reader, node.at, &mut expected.approval, |reader| answer(reader, node));
    }
    for (key, value) in reader.fields(node, "`expect`", &EXPECT_KEYS) {
        match &*key.text {
            "approval" | "effect" => set(reader, key.at, &mut expected.approval, |reader| answer(reader, value)),
            "risk_level" if is_blank(value) => {}
            "risk_level" => set(reader, key.at, &mut expected.risk, |reader| reader.risk(value)),
            "rule" if value.is_null() => expected.rule = Some(None),
            "rule" => expected.rule = reader.text(value, "`rule`").cloned().map(Some),
            "reason" => expected.reason = reader.text(value, "`reason`").cloned(),
            "matched" => expected.matched = names(reader, value, "`matched`"),
            _ => {
                let known: Vec<&str> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
                expected.code = reader.word(value, "reason code", &known);
            }
        }
    }
}

/// An answer, in any letter case, as Aegis reads it.
fn answer(reader: &mut Reader<'_>, node: &Node) -> Option<Approval> {
    let text = reader.text(node, "an answer")?;
    let lower = text.to_ascii_lowercase();
    let found = ANSWERS.iter().find(|(word, _)| *word == lower).map(|(_, approval)| *approval);
    if found.is_none() {
        let known = ANSWERS.map(|(word, _)| word);
        reader.unknown(DiagnosticCode::BadValue, node.at, &format!("`{text}` is no answer"), text, &known);
    }
    found
}

fn invariant(reader: &mut Reader<'_>, node: &Node) -> Option<Invariant> {
    let mut name = None;
    let mut found: Option<Invariant> = None;
    for (key, value) in reader.fields(node, "an invariant", &INVARIANT_KEYS) {
        match &*key.text {
            "name" => name = words(reader, value, "`name`"),
            "description" => {
                words(reader, value, "`description`");
            }
            word => {
                if found.is_some() {
                    let message = "an invariant says `never` or `always`, and once";
                    reader.error(DiagnosticCode::DuplicateKey, key.at, message);
                }
                found = class(reader, value, word == "always", reader.place(node.at));
            }
        }
    }
    match found {
        Some(mut invariant) => {
            invariant.name = name.unwrap_or(invariant.name);
            Some(invariant)
        }
        None => {
            let message = "an invariant wants `never` or `always`".to_owned();
            let help = "write `never: {effect: auto, server: \"prod-*\"}`";
            if reader.is_good() {
                reader.error_help(DiagnosticCode::BadValue, node.at, message, help);
            }
            None
        }
    }
}

/// A class of calls and the answers that they never, or always, get.
fn class(reader: &mut Reader<'_>, node: &Node, always: bool, place: thoth_types::Place) -> Option<Invariant> {
    let word = if always { "always" } else { "never" };
    let mut effects: Vec<Approval> = Vec::new();
    let mut rule = crate::Invariant::default();
    let mut patterns = String::new();
    for (key, value) in reader.fields(node, &format!("`{word}`"), &CLASS_KEYS) {
        let what = format!("`{}`", key.text);
        match &*key.text {
            "effect" => {
                let one = std::slice::from_ref(value);
                let all = if let Content::List(items) = &value.content { items } else { one };
                for item in all {
                    effects.extend(answer(reader, item));
                }
            }
            "tool" => rule.tool = reader.globs(value, &what),
            "server" => rule.server = reader.globs(value, &what),
            _ => rule.agent = reader.globs(value, &what),
        }
        if &*key.text != "effect" {
            patterns.push_str(&format!(" {} {}", key.text, as_written(value)));
        }
    }
    if effects.is_empty() {
        if reader.is_good() {
            let help = format!("write `{word}: {{effect: auto, server: \"prod-*\"}}`");
            reader.error_help(DiagnosticCode::BadValue, node.at, format!("`{word}` names no effect"), help);
        }
        return None;
    }
    let said: Vec<&str> = effects.iter().map(|effect| effect.as_str()).collect();
    let name = format!("{word} {}{patterns}", said.join("|"));
    let forbidden = Approval::ALL.iter().copied().filter(|approval| effects.contains(approval) != always);
    rule.never = forbidden.collect();
    if rule.never.is_empty() || rule.never.len() == Approval::ALL.len() {
        let message = format!("`{word}` with these effects says nothing about a policy");
        reader.error(DiagnosticCode::BadValue, node.at, message);
        return None;
    }
    Some(Invariant { name, place, rule })
}

/// Patterns as they stand in the file, for a name.
fn as_written(node: &Node) -> String {
    match &node.content {
        Content::Scalar { text, .. } => text.to_string(),
        Content::List(items) => items.iter().map(as_written).collect::<Vec<_>>().join("|"),
        Content::Map(_) => String::new(),
    }
}
