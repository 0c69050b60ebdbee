//! Inline: the call waits for an answer that is given elsewhere.

use serde_json::{Value, json};

use crate::client::{Client, Options, PEERS, Peer, refusal, text_of};
use crate::site::{LOCAL_TERMINAL, Site, Upstream};

const INLINE: &[&str] = &["--approval", "inline"];
/// For as long as a test takes: neither side gives the call up.
const LONG: &[&str] = &["--approval", "inline", "--hold-timeout", "600"];
const BRIEFLY: &[&str] = &["--approval", "inline", "--hold-timeout", "1"];

/// A call that waits, in front of a server that has not heard of it.
struct Waiting {
    site: Site,
    client: Client,
    upstream: Upstream,
    number: u64,
}

fn waiting(peer: Peer, flags: &[&str], arguments: &Value, more: &Value) -> Waiting {
    let site = Site::new(LOCAL_TERMINAL);
    let (mut client, upstream) = site.connect(peer, &Options::default(), flags);
    let number = client.begin("danger", arguments, more);
    Waiting { site, client, upstream, number }
}

/// Defends invariants 1 and 5: the call goes out when, and only when, it was approved; the client sees nothing but its
/// result, and the server nothing but the call.
#[test]
fn a_waiting_call_goes_out_when_it_is_approved_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts", "ü": [1, 2.5]});
        let free = Site::that_allows_all();
        let (mut client, plain) = free.connect(peer, &Options::default(), &[]);
        let expected = client.call("danger", &arguments);
        client.close();

        let Waiting { site, mut client, upstream, number } = waiting(peer, INLINE, &arguments, &json!({}));
        let token = site.pending().token;
        assert_eq!(upstream.calls("danger"), 0, "{peer:?}");
        // What needs no approval does not wait behind what does.
        let safe = client.begin("safe", &json!({}), &json!({}));
        assert_eq!(text_of(&client.outcome(safe)), "ran", "{peer:?}");
        site.approve(&token);
        let outcome = client.outcome(number);
        assert_eq!(outcome["result"], expected["result"], "{peer:?}");
        client.close();
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (1, "spent"), "{peer:?}");
        assert_eq!(site.ran().last(), free.ran().last(), "{peer:?}");
        assert!(!upstream.was_cancelled() && plain.calls("danger") == 1, "{peer:?}");
    }
}

/// Defends "nothing of ours leaks": with an approval the server reads the very bytes that it reads without one.
#[test]
fn a_waiting_call_leaves_no_trace_upstream_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts", "ü": [1, 2.5, "\u{2028}"]});
        let more = json!({"progress": true});
        let free = Site::that_allows_all();
        let (mut client, plain) = free.connect(peer, &Options::default(), &[]);
        let number = client.begin("danger", &arguments, &more);
        client.outcome(number);
        client.close();

        let Waiting { site, mut client, upstream, number } = waiting(peer, INLINE, &arguments, &more);
        site.approve(&site.pending().token);
        client.outcome(number);
        client.close();
        let text = |upstream: &Upstream| String::from_utf8(upstream.read()).unwrap();
        assert_eq!(text(&upstream), text(&plain), "{peer:?}");
    }
}

/// Whoever asked for progress hears of it, in numbers that leave room for the server's own; nobody else does.
#[test]
fn who_asks_for_progress_hears_of_it_behind_the_gate() {
    // The last of them is answered after all have begun and most have been heard.
    let quiet = PEERS.map(|peer| waiting(peer, LONG, &json!({}), &json!({"timeout": 600_000})));
    let told = PEERS.map(|peer| waiting(peer, LONG, &json!({}), &json!({"progress": true, "timeout": 600_000})));
    for Waiting { site, mut client, number, .. } in told {
        let peer = client.peer;
        let heard = [client.expect("progress"), client.expect("progress")];
        let numbers = heard.map(|event| {
            assert_eq!(event["call"], number, "{peer:?}");
            let message = event["params"]["message"].as_str().unwrap();
            assert!(message.contains("thoth approvals approve"), "{peer:?}: {message}");
            event["params"]["progress"].as_f64().unwrap()
        });
        assert!(numbers[0] < numbers[1] && numbers[1] < 0.0, "{peer:?}: {numbers:?}");
        site.approve(&site.pending().token);
        assert_eq!(text_of(&client.outcome(number)), "ran", "{peer:?}");
        client.close();
    }
    // By now those have waited for longer than it takes to hear of progress twice.
    for Waiting { site, mut client, number, .. } in quiet {
        let peer = client.peer;
        site.approve(&site.pending().token);
        let event = client.event();
        if peer.chooses_progress() {
            assert_eq!((&event["event"], &event["call"]), (&json!("result"), &json!(number)), "{peer:?}: {event}");
        }
        client.close();
    }
}

/// A call that nobody answers in time becomes a ticket: approved later and made again, it passes.
#[test]
fn a_waiting_call_becomes_a_ticket_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts"});
        let Waiting { site, mut client, upstream, number } = waiting(peer, BRIEFLY, &arguments, &json!({}));
        let token = refusal(&client.outcome(number)).ticket();
        assert_eq!(upstream.calls("danger"), 0, "{peer:?}");
        site.approve(&token);
        assert_eq!(text_of(&client.call("danger", &arguments)), "ran", "{peer:?}");
        client.close();
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (1, "spent"), "{peer:?}");
    }
}

/// Defends invariant 5: a person's no reaches the call that waits, and stands.
#[test]
fn a_waiting_call_that_is_denied_is_refused_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts"});
        let Waiting { site, mut client, upstream, number } = waiting(peer, INLINE, &arguments, &json!({}));
        site.answer(&site.pending().token, false).unwrap();
        refusal(&client.outcome(number)).denied();
        refusal(&client.call("danger", &arguments)).denied();
        client.close();
        assert_eq!((upstream.calls("danger"), site.ran().len()), (0, 0), "{peer:?}");
    }
}

/// Defends invariant 1: a call that its client has given up reaches nobody, even if somebody approves it later.
#[test]
fn a_waiting_call_that_is_cancelled_never_goes_out_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts"});
        let Waiting { site, mut client, upstream, number } = waiting(peer, INLINE, &arguments, &json!({}));
        let token = site.pending().token;
        client.cancel(number);
        client.given_up(number);
        // In order after the cancellation: when this is answered, that has been read.
        assert_eq!(text_of(&client.call("safe", &json!({}))), "ran", "{peer:?}");
        site.approve(&token);
        assert_eq!(text_of(&client.call("safe", &json!({}))), "ran", "{peer:?}");
        client.close();
        assert_eq!(upstream.calls("danger"), 0, "{peer:?}");
        assert!(!upstream.was_cancelled(), "{peer:?}: the server hears nothing of a call that it never saw");
        // The approval was for the call, not for the client's wish to make it: it is not lost.
        assert_eq!(site.state_of(&token), "approved", "{peer:?}");
    }
}

/// Clients give up by themselves, too: what they then no longer wait for does not go out either.
#[test]
fn a_call_whose_client_has_timed_out_never_goes_out_behind_the_gate() {
    // The Python SDK 1 tells nobody that it has stopped waiting.
    for peer in PEERS.into_iter().filter(|peer| peer.sdk != crate::client::Sdk::Python1) {
        let arguments = json!({"path": "/etc/hosts"});
        let Waiting { site, mut client, upstream, number } =
            waiting(peer, INLINE, &arguments, &json!({"timeout": 1500}));
        let token = site.pending().token;
        client.given_up(number);
        assert_eq!(text_of(&client.call("safe", &json!({}))), "ran", "{peer:?}");
        site.approve(&token);
        client.close();
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (0, "approved"), "{peer:?}");
    }
}

/// Defends invariant 1: a client that is gone leaves nothing behind that could go out.
#[test]
fn a_waiting_call_whose_client_dies_never_goes_out_behind_the_gate() {
    for peer in PEERS {
        let arguments = json!({"path": "/etc/hosts"});
        let Waiting { site, client, upstream, .. } = waiting(peer, INLINE, &arguments, &json!({}));
        let token = site.pending().token;
        client.die();
        site.approve(&token);
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (0, "approved"), "{peer:?}");
        // Whoever makes the same call next has it approved.
        let (mut next, upstream) = site.connect(peer, &Options::default(), INLINE);
        assert_eq!(text_of(&next.call("danger", &arguments)), "ran", "{peer:?}");
        next.close();
        assert_eq!((upstream.calls("danger"), site.state_of(&token)), (1, "spent"), "{peer:?}");
    }
}
