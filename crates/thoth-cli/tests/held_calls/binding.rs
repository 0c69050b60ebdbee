//! An approval is for one very call: what may be spelled differently, and what may not.

use std::time::Duration;

use serde_json::{Value, json};
use thoth_testkit::bypass::call;
use thoth_testkit::stdio_peer::StdioPeer;
use thoth_types::HoldToken;

use crate::client::{Options, Peer, Refusal, Sdk, refusal};
use crate::site::{LOCAL_TERMINAL, Site};

const TICKET: &[&str] = &["--approval", "ticket"];
const SOON: Duration = Duration::from_secs(60);

/// The approved arguments, and others: whether they are the same call.
const SPELLINGS: &[(&str, &str, bool)] = &[
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1,"b":"x"}"#, true),
    (r#"{"a":1,"b":"x"}"#, "{ \"b\" : \"x\" ,\t\"a\" : 1 }", true),
    (r#"{"a":1,"b":"x"}"#, r#"{"\u0061":1,"b":"\u0078"}"#, true),
    (r#"{"a":{"b":1,"c":2}}"#, r#"{"a":{"c":2,"b":1}}"#, true),
    ("{}", "{ }", true),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1,"b":"X"}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1,"b":"x "}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":2,"b":"x"}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1.0,"b":"x"}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1e0,"b":"x"}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":"1","b":"x"}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"a":1,"b":"x","c":null}"#, false),
    (r#"{"a":1,"b":"x"}"#, r#"{"A":1,"b":"x"}"#, false),
    (r#"{"a":[1,2]}"#, r#"{"a":[2,1]}"#, false),
    (r#"{"a":0}"#, r#"{"a":-0}"#, false),
    (r#"{"a":9007199254740992}"#, r#"{"a":9007199254740993}"#, false),
    (r#"{"a":"e\u0301"}"#, r#"{"a":"\u00e9"}"#, false),
];

fn answer(peer: &mut StdioPeer, line: &[u8]) -> Value {
    peer.send(line).unwrap();
    serde_json::from_slice(&peer.receive(SOON).unwrap().unwrap()).unwrap()
}

fn ticket(answer: &Value) -> HoldToken {
    Refusal { code: answer["error"]["code"].as_i64(), data: answer["error"]["data"].clone() }.ticket()
}

/// Defends invariant 5: the digest that an approval is bound to tells apart what servers tell apart, and nothing else.
#[test]
fn an_approval_covers_the_same_arguments_only_behind_the_gate() {
    let site = Site::new(LOCAL_TERMINAL);
    let (mut peer, upstream) = site.raw(TICKET);
    let mut id = 0;
    for (approved, other, same) in SPELLINGS {
        let mut ask = |arguments: &str| {
            id += 10;
            answer(&mut peer, &call(id, "danger", arguments))
        };
        let token = ticket(&ask(approved));
        site.approve(&token);
        let outcome = ask(other);
        assert_eq!(outcome.get("result").is_some(), *same, "{approved} and {other}: {outcome}");
        if !same {
            assert_ne!(ticket(&outcome), token, "{approved} and {other}");
            assert_eq!(site.state_of(&token), "approved", "{other} must not use up what {approved} was approved for");
            assert!(ask(approved).get("result").is_some(), "{approved} must still pass");
            site.answer(&ticket(&outcome), false).unwrap();
        }
    }
    peer.finish(SOON).unwrap();
    assert_eq!(upstream.calls("danger"), SPELLINGS.len());
}

/// Defends invariant 5: not another tool, not another server, not another agent.
#[test]
fn an_approval_is_no_good_for_anybody_else_behind_the_gate() {
    let peer = Peer::new(Sdk::TypeScript2, "modern");
    let site = Site::new(LOCAL_TERMINAL);
    let arguments = json!({"path": "/etc/hosts"});
    let sessions: [(&str, &[&str]); 4] = [
        ("danger", &["--approval", "ticket", "--server-name", "other", "--agent-id", "a"]),
        ("danger", &["--approval", "ticket", "--server-name", "s", "--agent-id", "b"]),
        ("danger", &["--approval", "ticket", "--server-name", "s", "--agent-id", "a", "--tenant-id", "t"]),
        ("other", TICKET),
    ];
    let (mut client, _) = site.connect(peer, &Options::default(), TICKET);
    let token = refusal(&client.call("danger", &arguments)).ticket();
    site.approve(&token);
    for (tool, flags) in sessions {
        let (mut other, upstream) = site.connect(peer, &Options::default(), flags);
        assert_ne!(refusal(&other.call(tool, &arguments)).ticket(), token, "{tool} {flags:?}");
        other.close();
        assert_eq!(upstream.calls(tool), 0, "{tool} {flags:?}");
    }
    // Another session of the same agent is the same caller, and it is good for one of them only.
    let (mut second, upstream) = site.connect(peer, &Options::default(), TICKET);
    assert_eq!(second.call("danger", &arguments)["event"], "result");
    assert_ne!(refusal(&client.call("danger", &arguments)).ticket(), token);
    second.close();
    client.close();
    assert_eq!((upstream.calls("danger"), site.ran().len()), (1, 1));
}
