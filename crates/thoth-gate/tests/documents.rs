//! The enforcer's own policy beside the one in force: what it refuses here, what it lets out without a question, and what is
//! still asked.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::Value;
use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::{
    Answer, Directive, Directives, Evidence, EvidenceError, Gate, GateSession, Moment, Standing, Unasked,
};
use thoth_policy::{Policy, ScopeList, Sources, load, load_by_name};
use thoth_testkit::memory_holds::MemoryHolds;
use thoth_testkit::naive_policy::{NaiveCall, calls, policies_with_overrides};
use thoth_types::json::{Limits, Tape};
use thoth_types::{
    AgentId, Approval, Arguments, Caller, Decision, Listed, Mode, ReasonCode, Remote, RemoteTold, RemoteVerdict,
    Requester, ServerName, SessionId, ToolCall,
};

#[derive(Default)]
struct Memory(Mutex<Vec<Value>>);

impl Evidence for Memory {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        self.0.lock().unwrap().extend(leaves.iter().map(|leaf| serde_json::from_slice::<Value>(leaf).unwrap()));
        Ok(())
    }
}

/// One side: a gate and a session of it.
struct Side {
    memory: Arc<Memory>,
    gate: Gate,
    session: GateSession,
    directives: Directives,
}

fn policy(text: &str) -> Policy {
    load("p.yaml", &Sources::one("p.yaml", text)).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn at(second: i64) -> Moment {
    Moment { wall: jiff::Timestamp::from_second(1_790_000_000 + second).unwrap(), monotonic_us: 0 }
}

fn random() -> Option<[u8; 16]> {
    static NAMED: AtomicU64 = AtomicU64::new(0);
    Some(u128::from(NAMED.fetch_add(1, Ordering::Relaxed)).to_be_bytes())
}

impl Side {
    fn new(text: &str, server: &str, agent: Option<&str>, mode: Mode) -> Self {
        let memory = Arc::new(Memory::default());
        let caller = Caller {
            tenant: None,
            user: None,
            endpoint: None,
            agent: agent.map(|agent| AgentId::from_str(agent).unwrap()),
            session: SessionId::from_str("session").unwrap(),
            server: ServerName::from_str(server).unwrap(),
            intent: None,
            approved_scope: Vec::new(),
            mode,
        };
        let evidence: Arc<dyn Evidence> = Arc::clone(&memory) as Arc<dyn Evidence>;
        let standing = Standing::Valid(Box::new(policy(text)));
        let gate = Gate::new(standing, evidence, ContentMode::Redacted, ContentKey::new([1; 32]))
            .with_holds(Arc::new(MemoryHolds::default()));
        let requester = Requester { account: "1000".into(), uid: 1000, user: None, client: None };
        let directives = Directives::default();
        let session = GateSession::new(caller, ScopeList::default(), [7; 8]).requested_by(requester);
        Self { memory, gate, session, directives }
    }

    /// A sidecar, which asks an enforcer and heeds this policy of it.
    fn sidecar(text: &str, agent: Option<&str>, mode: Mode, document: Policy) -> Self {
        let Self { memory, gate, session, directives } = Self::new(text, "notes", agent, mode);
        directives.put(Some(Directive::new(document, true, at(0).wall, at(86_400).wall)));
        directives.rely(true);
        let session = session.asking_an_enforcer(true).directed(directives.clone());
        Self { memory, gate, session, directives }
    }

    fn put(&mut self, tool: &str, arguments: &str, remote: Option<Remote>, second: i64) -> Answer {
        let mut tape = Tape::new();
        let arguments = Arguments::new(Some(tape.parse(arguments.as_bytes(), &Limits::default()).unwrap()));
        let call = ToolCall {
            tool: tool.into(),
            arguments,
            listed: Listed::Yes,
            integrity: None,
            retry_of: None,
            task: false,
            also_sent: Box::default(),
            enforcement_trace: None,
            remote: remote.map(Arc::new),
        };
        let mut round = self.gate.round(&mut self.session);
        let answer = round.admit(&call, arguments.raw().to_vec().into(), &random, at(second));
        let committed = round.commit();
        assert!(committed.error.is_none());
        assert_eq!(!committed.permits.is_empty(), matches!(answer, Answer::Admitted));
        answer
    }

    fn last(&self) -> Value {
        self.memory.0.lock().unwrap().last().unwrap().clone()
    }
}

fn answer(unasked: &Unasked, verdict: RemoteVerdict) -> Remote {
    Remote {
        verdict,
        code: if verdict == RemoteVerdict::Allow { ReasonCode::RuleAuto } else { ReasonCode::EnforcerBlock },
        reason: "so it says".to_owned(),
        call_id: Arc::clone(&unasked.call_id),
        trace_id: Arc::clone(&unasked.trace_id),
        retry_after_seconds: None,
        modified_digest: None,
        told: RemoteTold::default(),
    }
}

/// `out`, `asked`, or why it is refused.
fn word(answer: &Answer) -> String {
    match answer {
        Answer::Admitted => "out".to_owned(),
        Answer::Unasked(_) => "asked".to_owned(),
        Answer::Refused(refused) => refused.reason_code.to_string(),
    }
}

const HERE: &str = "version: \"1\"\ndefaults: { approval: auto }\nrules:\n\
    - { name: no, match: { tool: never }, approval: block }\n- { name: ask, match: { tool: held }, approval: approve }\n";
const OWN: &str = "version: \"1\"\ndefaults: { approval: auto }\nrules:\n\
    - { name: no, match: { tool: \"rm_*\" }, approval: block }\n\
    - { name: sdk, match: { tool: here, server: sdk }, approval: block }\n\
    - { name: notes, match: { tool: there, server: notes }, approval: block }\n\
    - { name: private, match: { tool: send }, conditions: { labels: [secrets] }, approval: block }\n\
    - { name: ask, match: { tool: \"write_*\" }, approval: approve }\n\
    - { match: { tool: held }, approval: auto }\n\
    tools: { often: { max_calls_per_minute: 1 } }\ngateway: { denied_tools: [denied], allowed_tools: [\"[!u]*\"] }\n\
    inspect: { secrets: redact }\n";
const PAY: &str =
    "version: \"1\"\nrules:\n- { name: no_pay, match: { tool: pay }, approval: block, reason: not today }\n";

fn document() -> Policy {
    load_by_name(&[("own.yaml", OWN)], &[("pay@1.yaml", PAY)]).unwrap()
}

/// Defends invariants 3 and 5: what the document surely refuses is refused, under its reason and with its place; what it
/// allows goes out unasked, and nothing else does.
#[test]
fn the_table_of_calls() {
    let secret = format!(r#"{{"text":"ghp_{}"}}"#, "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
    let long = "x".repeat(513);
    for (tool, arguments, expected, in_observe) in [
        ("read", "{}", "out", "asked"),
        ("pay", "{}", "rule_block", "rule_block"),
        ("rm_x", "{}", "rule_block", "rule_block"),
        ("denied", "{}", "tool_denied", "tool_denied"),
        // Softer modes may soften this, and only the enforcer knows which one it has.
        ("unlisted", "{}", "tool_not_in_scope", "asked"),
        ("write_x", "{}", "asked", "asked"),
        ("here", "{}", "rule_block", "rule_block"),
        // No server of this name is known to the enforcer.
        ("there", "{}", "out", "asked"),
        ("read", &secret, "asked", "asked"),
        ("never", "{}", "rule_block", "rule_block"),
        ("held", "{}", "rule_approve", "asked"),
        (&long, "{}", "asked", "asked"),
        ("read", "[]", "asked", "asked"),
        ("send", "{}", "out", "asked"),
    ] {
        for (mode, expected) in [(Mode::Block, expected), (Mode::Observe, in_observe)] {
            let here = format!("{HERE}inspect: {{ secrets: allow }}\n");
            let mut side = Side::sidecar(&here, Some("bot"), mode, document());
            let answer = side.put(tool, arguments, None, 0);
            assert_eq!(word(&answer), expected, "{mode} {tool} {arguments}");
            if tool == "pay" {
                let Answer::Refused(refused) = answer else { panic!("{answer:?}") };
                let place = refused.place.unwrap();
                assert_eq!((refused.rule.as_deref(), &*place.file, place.line), (Some("no_pay"), "pay@1.yaml", 3));
                let record = side.last();
                assert_eq!(record["enforcerPolicyDigest"], document().digest(), "{record}");
                assert_eq!((&record["rule"], &record["findings"][1]["stage"]), (&"no_pay".into(), &"document".into()));
            }
            if expected == "out" {
                let record = side.last();
                assert_eq!(record["enforcerPolicyDigest"], document().digest(), "{record}");
                assert!(record["enforcerAttestationId"].is_null(), "nobody was asked: {record}");
            }
        }
    }
}

/// Defends invariant 5: whatever is wrong with a document, each call is asked about; what it refuses is refused as long as
/// it holds.
#[test]
fn without_a_good_document_each_call_is_asked_about() {
    let side = |document: &str, decides, from: i64, until: i64| {
        let side = Side::sidecar(HERE, Some("bot"), Mode::Block, policy(document));
        side.directives.put(Some(Directive::new(policy(document), decides, at(from).wall, at(until).wall)));
        side
    };
    let counts = "version: \"1\"\ndefaults: { approval: auto }\nrules:\n- { name: rm, match: { tool: rm_x }, approval: block }\n\
        - { name: often, match: { tool: read }, conditions: { rate: { limit: 9, window: 1m } }, approval: approve }\n";
    for (name, mut side, read, rm) in [
        ("good", side(OWN, true, 0, 10), "out", "rule_block"),
        ("remote", side(OWN, false, 0, 10), "asked", "rule_block"),
        ("expired", side(OWN, true, -10, 0), "asked", "asked"),
        ("ahead by a little", side(OWN, true, 299, 600), "out", "rule_block"),
        ("ahead by too much", side(OWN, true, 301, 600), "asked", "asked"),
        ("asks by history", side(counts, true, 0, 10), "asked", "rule_block"),
    ] {
        let found = [side.put("read", "{}", None, 0), side.put("rm_x", "{}", None, 0)].map(|answer| word(&answer));
        assert_eq!(found, [read, rm], "{name}");
    }
    let mut unsure = side(OWN, true, 0, 10);
    unsure.directives.rely(false);
    assert_eq!(word(&unsure.put("read", "{}", None, 0)), "asked");
    assert_eq!(word(&unsure.put("rm_x", "{}", None, 0)), "rule_block");
    unsure.directives.rely(true);
    assert_eq!(word(&unsure.put("read", "{}", None, 0)), "out");
    unsure.directives.put(None);
    assert_eq!(word(&unsure.put("rm_x", "{}", None, 0)), "asked");
}

/// A question of the document is put to the enforcer, and nobody here is asked it, too; a question of the policy here is put
/// to a person here, once.
#[test]
fn nobody_is_asked_twice() {
    let mut side = Side::sidecar(HERE, Some("bot"), Mode::Block, document());
    let Answer::Unasked(unasked) = side.put("write_x", "{}", None, 0) else { panic!() };
    let answered = side.put("write_x", "{}", Some(answer(&unasked, RemoteVerdict::Allow)), 0);
    assert_eq!(word(&answered), "out", "as the enforcer says, and no person here beside it");
    let Answer::Refused(held) = side.put("held", "{}", None, 0) else { panic!() };
    assert!(held.hold.is_some() && held.remote.is_none());
}

/// What only a limit stands in the way of comes back, as the enforcer would say; the calls that were decided here count.
#[test]
fn a_limit_is_no_refusal_for_good() {
    let mut side = Side::sidecar(HERE, Some("bot"), Mode::Block, document());
    assert_eq!(word(&side.put("often", "{}", None, 0)), "out");
    let Answer::Refused(refused) = side.put("often", "{}", None, 20) else { panic!() };
    assert_eq!((refused.decision, refused.reason_code), (Decision::Defer, ReasonCode::RateLimited));
    assert_eq!((refused.retry_after_seconds, side.last()["decision"].as_str()), (Some(40), Some("DEFER")));
    assert_eq!(word(&side.put("often", "{}", None, 61)), "out");
}

/// What labels a session tightens: the enforcer does not know of it, and the sidecar does.
#[test]
fn what_results_bring_only_tightens() {
    let mut side = Side::sidecar(HERE, Some("bot"), Mode::Block, document());
    let secret =
        format!(r#"{{"content":[{{"type":"text","text":"ghp_{}"}}]}}"#, "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gH3jK5");
    let mut tape = Tape::new();
    let result = tape.parse(secret.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(word(&side.put("send", "{}", None, 0)), "out");
    let labels = side.session.labels();
    drop(side.gate.inspect_result(side.session.caller(), &labels, "read", result, || None));
    assert_eq!(word(&side.put("send", "{}", None, 0)), "rule_block");
}

/// Both at once: the document changes while an answer is on its way. The call is decided by the one of then, once.
#[test]
fn the_document_of_then_decides() {
    let mut side = Side::sidecar(HERE, Some("bot"), Mode::Block, policy(OWN));
    let Answer::Unasked(unasked) = side.put("write_x", "{}", None, 0) else { panic!() };
    let stricter = policy(
        "version: \"1\"\ndefaults: { approval: block }\nrules:\n- { name: w, match: { tool: \"w*\" }, approval: block }\n",
    );
    let digest = stricter.digest().to_owned();
    side.directives.put(Some(Directive::new(stricter, true, at(0).wall, at(10).wall)));
    let answered = side.put("write_x", "{}", Some(answer(&unasked, RemoteVerdict::Allow)), 0);
    assert_eq!(word(&answered), "rule_block");
    assert_eq!(side.last()["enforcerPolicyDigest"], digest);
}

/// What an enforcer says of a call that it is asked about.
fn enforcer_says(enforcer: &mut Side, tool: &str, arguments: &str, second: i64) -> RemoteVerdict {
    match enforcer.put(tool, arguments, None, second) {
        Answer::Admitted => RemoteVerdict::Allow,
        Answer::Refused(_) => RemoteVerdict::Block,
        Answer::Unasked(_) => panic!("it asks nobody"),
    }
}

/// Puts a call to a sidecar, which asks the enforcer where it must. Whether the call goes out, and whether it was asked.
fn goes_out(sidecar: &mut Side, enforcer: &mut Side, tool: &str, arguments: &str, second: i64) -> (bool, bool) {
    match sidecar.put(tool, arguments, None, second) {
        Answer::Admitted => (true, false),
        Answer::Refused(_) => (false, false),
        Answer::Unasked(unasked) => {
            let said = enforcer_says(enforcer, tool, arguments, second);
            let answered = sidecar.put(tool, arguments, Some(answer(&unasked, said)), second);
            (matches!(answered, Answer::Admitted), true)
        }
    }
}

fn rules() -> impl Strategy<Value = String> {
    let tool = prop::sample::select(vec!["a", "b", "\"*\""]);
    let server = prop::sample::select(vec!["", ", server: sdk", ", server: notes"]);
    let condition = prop::sample::select(vec![
        "",
        "rate: { limit: 2, window: 1m }",
        "rate: { limit: 1, window: 1m, per: tool }",
        "after_call: a",
        "after_call: { tool: b, server: sdk }",
        "after_call: { tool: b, server: notes }",
        "param_gt: { n: 1 }",
    ]);
    let approval = prop::sample::select(Approval::ALL);
    let rule = (tool, server, condition, approval);
    let limits = prop::sample::select(vec![
        "",
        "gateway: { max_tool_calls: 3 }\n",
        "tools: { a: { max_calls_per_minute: 2 } }\n",
        "gateway: { sensitive_tools: [b] }\n",
    ]);
    let defaults = prop_oneof![2 => Just(Approval::Auto), 1 => prop::sample::select(Approval::ALL)];
    (prop::collection::vec(rule, 0..4), defaults, limits).prop_map(
        |(rules, defaults, limits)| {
            let rules: String = rules
                .iter()
                .enumerate()
                .map(|(at, (tool, server, condition, approval))| {
                    format!(
                        "- {{ name: r{at}, match: {{ tool: {tool}{server} }}, conditions: {{ {condition} }}, approval: {approval} }}\n"
                    )
                })
                .collect();
            let rules = if rules.is_empty() { "[]\n".to_owned() } else { format!("\n{rules}") };
            format!("version: \"1\"\ndefaults: {{ approval: {defaults} }}\nrules: {rules}{limits}")
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Defends invariant 5: with a document a call goes out only if the policy here and the enforcer's, by the naive
    /// evaluator, both allow it; and is refused by the document only if the enforcer's policy blocks it.
    #[test]
    fn a_document_is_never_looser_than_both(here in policies_with_overrides(), there in policies_with_overrides(), call in calls()) {
        let call = NaiveCall { server: "notes".to_owned(), labels: Vec::new(), ..call };
        let mut side = Side::sidecar(&here.to_yaml(), call.agent.as_deref(), Mode::Block, policy(&there.to_yaml()));
        let own = here.evaluate(&call).approval;
        let theirs = there.evaluate(&NaiveCall { server: "sdk".to_owned(), ..call.clone() }).approval;
        let answer = side.put(&call.tool, &call.arguments.to_string(), None, 0);
        let expected = match (own, theirs) {
            (Approval::Auto, Approval::Auto) => "out",
            (Approval::Auto, Approval::Approve) => "asked",
            (Approval::Approve, Approval::Auto | Approval::Approve) => "held",
            _ => "refused",
        };
        let found = match &answer {
            Answer::Admitted => "out",
            Answer::Unasked(_) => "asked",
            Answer::Refused(refused) if refused.hold.is_some() => "held",
            Answer::Refused(_) => "refused",
        };
        prop_assert_eq!(found, expected, "{:?}\n{}\n{}", call, here.to_yaml(), there.to_yaml());
    }

    /// Defends invariant 5 over whole sessions, with rates, budgets and what came before: a sidecar with a document, whose
    /// enforcer does not hear of the calls that are decided here, lets no call out that would be refused if the enforcer were
    /// asked about each.
    #[test]
    fn no_session_is_looser_with_a_document(
        // Mostly one that lets everything through: what it refuses, the other one is not asked about.
        here in prop_oneof![3 => Just("version: \"1\"\ndefaults: { approval: auto }\n".to_owned()), 1 => rules()],
        there in rules(),
        calls in prop::collection::vec((prop::sample::select(vec!["a", "b", "c"]), 0_u8..3, 0_i64..50), 1..10),
    ) {
        let side = |text: &str| Side::new(text, "sdk", Some("bot"), Mode::Block);
        let (mut enforcer, mut model_enforcer) = (side(&there), side(&there));
        let mut sidecar = Side::sidecar(&here, Some("bot"), Mode::Block, policy(&there));
        let mut model = Side::sidecar(&here, Some("bot"), Mode::Block, policy(&there));
        model.directives.put(None);
        let (mut second, mut unasked) = (0, 0);
        for (tool, n, pause) in calls {
            second += pause;
            let arguments = format!(r#"{{"n":{n}}}"#);
            let (out, asked) = goes_out(&mut sidecar, &mut enforcer, tool, &arguments, second);
            let (expected, _) = goes_out(&mut model, &mut model_enforcer, tool, &arguments, second);
            unasked += u32::from(out && !asked);
            prop_assert_eq!(out, expected, "{} after {} unasked\n{}\n{}", tool, unasked, here, there);
        }
    }
}
