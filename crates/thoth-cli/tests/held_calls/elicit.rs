//! By elicitation: the client itself shows the question, where the policy lets its user answer.

use serde_json::{Value, json};

use crate::client::{Client, Options, PEERS, Peer, Sdk, eventually, refusal, text_of};
use crate::site::{LOCAL_TERMINAL, LOCAL_USER, Site, Upstream};

const ELICIT: &[&str] = &["--approval", "elicit"];
const BRIEFLY: &[&str] = &["--approval", "elicit", "--hold-timeout", "1"];

fn allow() -> Value {
    json!({"action": "accept", "content": {"decision": "allow once"}})
}

struct Asked {
    site: Site,
    client: Client,
    upstream: Upstream,
    question: Value,
    number: u64,
}

/// A client whose user answers like this makes a call and is asked.
fn asked(peer: Peer, answer: &Value, flags: &[&str], arguments: &Value) -> Asked {
    let site = Site::new(LOCAL_USER);
    let (mut client, upstream) = site.connect(peer, &Options::answering(std::slice::from_ref(answer)), flags);
    let number = client.begin("danger", arguments, &json!({}));
    let question = client.expect("elicited")["params"].clone();
    Asked { site, client, upstream, question, number }
}

fn assert_tells_the_call(peer: Peer, question: &Value) {
    let message = question["message"].as_str().unwrap();
    for part in ["danger", "/etc/hosts", "ask", "thoth"] {
        assert!(message.to_lowercase().contains(part), "{peer:?}: `{part}` is not told in {message}");
    }
    assert_eq!(question["requestedSchema"]["required"], json!(["decision"]), "{peer:?}: {question}");
}

/// Defends invariants 1 and 5, and "nothing of ours leaks": an accepted question lets this one call through, the client
/// sees nothing but its result, and the server sees what it sees without any of this.
#[test]
fn an_accepted_question_lets_the_call_through_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts", "ü": [1, 2.5, "\u{2028}"]});
        let free = Site::that_allows_all();
        // With the same capabilities, which modern requests carry.
        let (mut client, plain) = free.connect(peer, &Options::answering(&[allow()]), &[]);
        let expected = client.call("danger", &arguments);
        client.close();

        let Asked { site, mut client, upstream, question, number } = asked(peer, &allow(), ELICIT, &arguments);
        assert_tells_the_call(peer, &question);
        let outcome = client.outcome(number);
        assert_eq!(outcome["result"], expected["result"], "{peer:?}: {outcome}");
        assert!(!client.close().contains(&"error".to_owned()), "{peer:?}");
        assert_eq!(upstream.seen(), plain.seen(), "{peer:?}");
        assert_eq!((upstream.calls("danger"), site.ran()), (1, free.ran()), "{peer:?}");
        let told = site.hold_events();
        for kind in ["HOLD_SHOWN", "HOLD_RESOLVED", "HOLD_SPENT"] {
            assert!(told.iter().any(|event| event == kind), "{peer:?}: {kind} is missing in {told:?}");
        }
        let resolved = site.events().into_iter().find(|event| event["eventType"] == "HOLD_RESOLVED").unwrap();
        assert!(resolved.to_string().contains("\"client\""), "{peer:?}: {resolved}");
    }
}

/// Defends invariant 5: one accept is one call; the next one is asked for again.
#[test]
fn every_call_is_asked_for_anew_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts"});
        let Asked { site, mut client, number, .. } = asked(peer, &allow(), ELICIT, &arguments);
        assert_eq!(text_of(&client.outcome(number)), "ran", "{peer:?}");
        let number = client.begin("danger", &arguments, &json!({}));
        client.expect("elicited");
        assert_eq!(text_of(&client.outcome(number)), "ran", "{peer:?}");
        client.close();
        assert_eq!(site.ran().len(), 2, "{peer:?}");
    }
}

/// Defends invariant 5: a no in the dialogue is a no, which is remembered; it is not put to the user again.
#[test]
fn a_declined_question_is_a_denial_behind_the_gate() {
    let noes = [json!({"action": "decline"}), json!({"action": "accept", "content": {"decision": "deny"}})];
    for (peer, no) in PEERS.into_iter().flat_map(|peer| noes.iter().map(move |no| (peer, no))) {
        let arguments = json!({"path": "/etc/hosts"});
        let Asked { site, mut client, upstream, number, .. } = asked(peer, no, ELICIT, &arguments);
        refusal(&client.outcome(number)).denied();
        refusal(&client.call("danger", &arguments)).denied();
        client.close();
        assert_eq!((upstream.calls("danger"), site.ran().len()), (0, 0), "{peer:?} {no}");
    }
}

/// Defends invariant 5: only the chosen word approves. Whatever else comes back leaves the hold to be answered elsewhere,
/// and the same question is not put again.
#[test]
fn an_answer_that_is_no_decision_leaves_a_ticket_behind_the_gate() {
    let answers = [
        json!({"action": "cancel"}),
        json!({"action": "accept"}),
        json!({"action": "accept", "content": {}}),
        json!({"action": "accept", "content": {"decision": "allow"}}),
        json!("throw"),
    ];
    for (peer, given) in PEERS.into_iter().flat_map(|peer| answers.iter().map(move |given| (peer, given))) {
        let arguments = json!({"path": "/etc/hosts"});
        let Asked { site, mut client, upstream, number, .. } = asked(peer, given, BRIEFLY, &arguments);
        let token = if peer.is_modern() && *given == "throw" {
            // A modern client whose dialogue breaks makes no second request: nobody else hears of it.
            client.given_up(number);
            site.pending().token
        } else {
            let token = refusal(&client.outcome(number)).ticket();
            assert_eq!(refusal(&client.call("danger", &arguments)).ticket(), token, "{peer:?} {given}");
            token
        };
        assert_eq!(upstream.calls("danger"), 0, "{peer:?} {given}");
        site.approve(&token);
        assert_eq!(text_of(&client.call("danger", &arguments)), "ran", "{peer:?} {given}");
        client.close();
        assert_eq!(upstream.calls("danger"), 1, "{peer:?} {given}");
    }
}

/// Nobody waits for ever for a dialogue that never answers: the call becomes a ticket. In the modern era the client holds
/// the call itself, and does not come back.
#[test]
fn a_question_that_is_never_answered_leaves_a_ticket_behind_the_gate() {
    for peer in PEERS.into_iter().filter(|peer| peer.hears_while_it_asks()) {
        let arguments = json!({"path": "/etc/hosts"});
        let Asked { site, mut client, upstream, number, .. } = asked(peer, &json!("silent"), BRIEFLY, &arguments);
        let token = site.pending().token;
        if !peer.is_modern() {
            assert_eq!(refusal(&client.outcome(number)).ticket(), token, "{peer:?}");
        }
        site.approve(&token);
        assert_eq!(text_of(&client.call("danger", &arguments)), "ran", "{peer:?}");
        upstream.heard_of("danger");
        drop(client);
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (1, "spent"), "{peer:?}");
    }
}

/// While the client's dialogue is open, somebody else may answer.
#[test]
fn an_open_question_can_be_answered_elsewhere_behind_the_gate() {
    for peer in PEERS.into_iter().filter(|peer| !peer.is_modern() && peer.hears_while_it_asks()) {
        let arguments = json!({"path": "/etc/hosts"});
        let Asked { site, mut client, upstream, number, .. } = asked(peer, &json!("silent"), ELICIT, &arguments);
        site.approve(&site.pending().token);
        assert_eq!(text_of(&client.outcome(number)), "ran", "{peer:?}");
        upstream.heard_of("danger");
        assert_eq!(upstream.calls("danger"), 1, "{peer:?}");
    }
}

/// Defends "a client without elicitation never receives one", and "a client's accept counts only where the policy says
/// so": neither is asked, whatever way was chosen.
#[test]
fn who_cannot_answer_is_not_asked_behind_the_gate() {
    let cases = [(LOCAL_USER, Options::default()), (LOCAL_TERMINAL, Options::answering(&[allow()]))];
    for (peer, (requirement, options)) in PEERS.into_iter().flat_map(|peer| cases.iter().map(move |case| (peer, case)))
    {
        for way in ["elicit", "auto"] {
            let site = Site::new(requirement);
            let (mut client, upstream) = site.connect(peer, options, &["--approval", way, "--hold-timeout", "1"]);
            let number = client.begin("danger", &json!({}), &json!({}));
            // A question would be an event of its own, and comes before the refusal.
            let event = client.event_but_progress();
            assert_eq!((&event["event"], &event["call"]), (&json!("error"), &json!(number)), "{peer:?}: {event}");
            refusal(&event).ticket();
            assert!(!client.close().contains(&"elicited".to_owned()), "{peer:?}");
            assert_eq!(upstream.calls("danger"), 0, "{peer:?}");
        }
    }
}

/// Defends invariant 1: a call that is given up while its question is open reaches nobody. In the modern era the gate has
/// answered by then, and nothing waits.
#[test]
fn a_call_that_is_cancelled_while_it_is_asked_about_never_goes_out_behind_the_gate() {
    for peer in PEERS.into_iter().filter(|peer| !peer.is_modern() && peer.hears_while_it_asks()) {
        let arguments = json!({"path": "/etc/hosts"});
        let Asked { site, mut client, upstream, number, .. } = asked(peer, &json!("silent"), ELICIT, &arguments);
        let token = site.pending().token;
        client.cancel(number);
        client.given_up(number);
        assert_eq!(text_of(&client.call("safe", &json!({}))), "ran", "{peer:?}");
        site.approve(&token);
        assert_eq!(text_of(&client.call("safe", &json!({}))), "ran", "{peer:?}");
        assert_eq!(upstream.calls("danger"), 0, "{peer:?}");
        drop(client);
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (0, "approved"), "{peer:?}");
    }
}

/// A server that asks for itself is asked about once, and its own questions and answers pass as they are.
#[test]
fn a_server_that_asks_for_itself_is_asked_about_once_behind_the_gate() {
    // The servers' own questions, and how they are answered.
    let modern = ("test_input_required_result_request_state", json!({}), json!({"ok": true}), "state-ok");
    let legacy = ("test_elicitation", json!({"message": "who?"}), json!({"response": "me"}), "me");
    for peer in PEERS {
        let (tool, arguments, content, result) = if peer.is_modern() { &modern } else { &legacy };
        let theirs = json!({"action": "accept", "content": content});
        let free = Site::that_allows_all();
        let (mut client, plain) =
            free.connect_to(&free.asking_server(), peer, &Options::answering(std::slice::from_ref(&theirs)), &[]);
        let number = client.begin(tool, arguments, &json!({}));
        let expected = client.expect("elicited")["params"].clone();
        client.outcome(number);
        client.close();

        let site = Site::new(LOCAL_USER);
        let (mut client, upstream) =
            site.connect_to(&site.asking_server(), peer, &Options::answering(&[allow(), theirs]), ELICIT);
        let number = client.begin(tool, arguments, &json!({}));
        let ours = client.expect("elicited");
        assert!(ours["params"]["message"].as_str().unwrap().contains("Thoth"), "{peer:?}: {ours}");
        assert_eq!(client.expect("elicited")["params"], expected, "{peer:?}");
        let outcome = client.outcome(number);
        assert!(text_of(&outcome).contains(result), "{peer:?}: {outcome}");
        client.close();
        // States that the server seals for itself are different each time.
        if !peer.is_modern() {
            assert_eq!(upstream.seen(), plain.seen(), "{peer:?}");
        }
        assert_eq!(upstream.calls(tool), plain.calls(tool), "{peer:?}");
        let read = String::from_utf8(upstream.read()).unwrap();
        assert!(!read.contains("thoth"), "{peer:?}: {read}");
        assert_eq!(site.hold_events().iter().filter(|kind| *kind == "HOLD_SPENT").count(), 1, "{peer:?}");
    }
}

/// An address is only opened: the call waits until it is answered there, and the client hears when that is done.
#[test]
fn an_address_that_is_opened_approves_nothing_behind_the_gate() {
    let requirement = "approvers: [local_terminal], url: \"https://approve.example/{hold}\"";
    for sdk in [Sdk::TypeScript1, Sdk::TypeScript2, Sdk::Python1, Sdk::Python2, Sdk::Rust] {
        let peer = Peer::new(sdk, "legacy");
        let site = Site::new(requirement);
        let options = Options { elicit: vec![json!({"action": "accept"})], url: true };
        let (mut client, upstream) = site.connect(peer, &options, ELICIT);
        let number = client.begin("danger", &json!({"path": "/etc/hosts"}), &json!({}));
        let question = client.expect("elicited")["params"].clone();
        let token = site.pending().token;
        assert_eq!(question["url"], format!("https://approve.example/{token}"), "{peer:?}: {question}");
        assert_eq!(text_of(&client.call("safe", &json!({}))), "ran", "{peer:?}");
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (0, "pending"), "{peer:?}");
        site.approve(&token);
        let mut result = Value::Null;
        eventually("the call has no outcome", || {
            result = client.event();
            result["event"] == "result"
        });
        assert_eq!((result["call"].as_u64(), text_of(&result)), (Some(number), "ran"), "{peer:?}");
        client.close();
        assert_eq!(upstream.calls("danger"), 1, "{peer:?}");
    }
}
