//! By ticket: the call is refused at once and named; made again after somebody approved it, it passes, once.

use serde_json::{Value, json};
use thoth_types::HoldToken;

use crate::client::{Options, PEERS, Peer, refusal, text_of};
use crate::site::{LOCAL_TERMINAL, LOCAL_USER, Site};

const TICKET: &[&str] = &["--approval", "ticket"];

/// Defends invariants 1 and 5, with every SDK in every era: one approval lets exactly one call through, and the server
/// hears of no other.
#[test]
fn an_approved_ticket_is_good_for_one_call_behind_the_gate() {
    for peer in PEERS {
        let site = Site::new(LOCAL_TERMINAL);
        let (mut client, upstream) = site.connect(peer, &Options::default(), TICKET);
        let arguments = json!({"path": "/etc/hosts", "n": 1});
        let first = refusal(&client.call("danger", &arguments));
        let token = first.ticket();
        assert_names_the_way_on(peer, &first.data, &token);
        // Nobody has answered: it is the same hold.
        assert_eq!(refusal(&client.call("danger", &arguments)).ticket(), token);
        assert_eq!((upstream.calls("danger"), site.ran().len()), (0, 0), "{peer:?}");
        site.approve(&token);
        assert_eq!(text_of(&client.call("danger", &arguments)), "ran", "{peer:?}");
        let again = refusal(&client.call("danger", &arguments)).ticket();
        assert_ne!(again, token, "{peer:?}: a used approval is asked for anew");
        // What needs no approval is not touched by any of this.
        assert_eq!(text_of(&client.call("safe", &arguments)), "ran", "{peer:?}");
        client.close();
        assert_eq!(
            site.ran(),
            [json!({"tool": "danger", "arguments": arguments}), json!({"tool": "safe", "arguments": arguments})]
        );
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (1, "spent"), "{peer:?}");
        let told = site.hold_events();
        for kind in ["HOLD_SHOWN", "HOLD_RESOLVED", "HOLD_SPENT"] {
            assert!(told.iter().any(|event| event == kind), "{peer:?}: {kind} is missing in {told:?}");
        }
    }
}

fn assert_names_the_way_on(peer: Peer, data: &Value, token: &HoldToken) {
    assert_eq!(data["reason_code"], "rule_approve", "{peer:?}");
    assert_eq!(data["rule"], "ask", "{peer:?}");
    let ends: jiff::Timestamp = data["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(ends > jiff::Timestamp::now(), "{peer:?}: {data}");
    let with = data["approve_with"].as_str().unwrap_or_default();
    assert!(with.starts_with("thoth approvals approve ") && with.contains(token.short()), "{peer:?}: {data}");
}

/// Defends invariant 5: a person's no is remembered, whoever asks again and however often.
#[test]
fn a_denied_ticket_stays_denied_behind_the_gate() {
    for peer in PEERS {
        let site = Site::new(LOCAL_TERMINAL);
        let (mut client, upstream) = site.connect(peer, &Options::default(), TICKET);
        let arguments = json!({"path": "/etc/hosts"});
        let token = refusal(&client.call("danger", &arguments)).ticket();
        site.answer(&token, false).unwrap();
        refusal(&client.call("danger", &arguments)).denied();
        site.answer(&token, true).unwrap_err();
        refusal(&client.call("danger", &arguments)).denied();
        client.close();
        let (mut later, _) = site.connect(peer, &Options::default(), TICKET);
        refusal(&later.call("danger", &arguments)).denied();
        later.close();
        assert_eq!((upstream.calls("danger"), site.ran().len()), (0, 0), "{peer:?}");
    }
}

/// A ticket asks nobody: neither a client that offers its dialogue nor one that wants to hear of progress hears of it.
#[test]
fn a_ticket_asks_no_client_behind_the_gate() {
    for peer in PEERS {
        let site = Site::new(LOCAL_USER);
        let accept = json!({"action": "accept", "content": {"decision": "allow once"}});
        let (mut client, upstream) = site.connect(peer, &Options::answering(&[accept]), TICKET);
        let number = client.begin("danger", &json!({}), &json!({"progress": true}));
        refusal(&client.expect("error")).ticket();
        assert_eq!(number, 1);
        assert_eq!(client.close(), ["ready", "error"], "{peer:?}");
        assert_eq!(upstream.calls("danger"), 0, "{peer:?}");
    }
}

/// Defends "nothing of ours leaks": with an approval the server sees, byte by byte, what it sees without one, apart from
/// the numbers that the client itself counts up.
#[test]
fn an_approved_ticket_leaves_no_trace_upstream_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts", "ü": [1, 2.5, "\u{2028}"]});
        let free = Site::that_allows_all();
        let (mut client, plain) = free.connect(peer, &Options::default(), &[]);
        let expected = client.call("danger", &arguments);
        client.close();

        let site = Site::new(LOCAL_TERMINAL);
        let (mut client, upstream) = site.connect(peer, &Options::default(), TICKET);
        site.approve(&refusal(&client.call("danger", &arguments)).ticket());
        let outcome = client.call("danger", &arguments);
        client.close();
        assert_eq!(outcome["result"], expected["result"], "{peer:?}");
        assert_eq!(upstream.seen(), plain.seen(), "{peer:?}");
        assert_eq!(upstream.calls("danger"), 1, "{peer:?}");
    }
}
