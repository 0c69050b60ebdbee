//! What of a server's listings reaches the client, byte for byte.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_audit::{ContentKey, ContentMode};
use thoth_gate::pin::Pin;
use thoth_gate::{Gate, PinChange, PinKey, PinRecord, Pins, PinsError, Seen, SessionLabels, Standing};
use thoth_mcp::{FrameBuffer, IdKey, Listing};
use thoth_policy::Sources;
use thoth_testkit::memory_pins::MemoryPins;
use thoth_types::ServerName;
use thoth_types::json::Limits;

use super::ServerSide;
use crate::rehearsal::pair::scan;
use crate::rehearsal::{self, Nowhere};
use crate::session::{Asked, Open, Session};
use crate::warden::Warden;

struct World {
    session: Arc<Session>,
    side: ServerSide,
}

fn world(section: &str) -> World {
    world_on(section, Arc::new(MemoryPins::default()))
}

fn world_on(section: &str, pins: Arc<dyn Pins>) -> World {
    let policy = format!("version: \"1\"\ndefaults: {{ approval: auto }}\nintegrity: {section}\n");
    let policy = thoth_policy::load("p.yaml", &Sources::one("p.yaml", policy)).unwrap();
    let key = ContentKey::new([0; 32]);
    let gate = Gate::new(Standing::Valid(Box::new(policy)), Arc::new(Nowhere), ContentMode::None, key);
    let gate = Arc::new(gate.with_pins(pins));
    let caller = rehearsal::caller();
    let session = Arc::new(Session::guarded(Warden::new(Arc::clone(&gate), caller.clone(), scan)));
    session.lock().negotiate("2025-03-26");
    let side = ServerSide::new(gate, caller, SessionLabels::default(), Arc::clone(&session), Limits::default());
    World { session, side }
}

impl World {
    fn asked(&self, id: i64, asked: Asked) {
        let open = Open { id: id.to_string().as_bytes().into(), asked, cancelled: false };
        drop(self.session.lock().from_client.remove(&IdKey::integer(id)));
        self.session.lock().open_from_client(IdKey::integer(id), open).unwrap();
    }

    /// What the client gets of one line: the frames, and Thoth's own answers; and what the server is told.
    fn deliver(&mut self, line: &str) -> (String, String, String) {
        let line = format!("{line}\n");
        let mut buffer = FrameBuffer::new(100_000);
        buffer.spare()[..line.len()].copy_from_slice(line.as_bytes());
        buffer.advance(line.len());
        let delivery = self.side.deliver(buffer.frames());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (text(delivery.frames.concat()), text(delivery.replies), text(delivery.complaints))
    }
}

fn tools(id: i64, tools: &str, rest: &str) -> String {
    format!(r#"{{"jsonrpc" : "2.0","id":{id}, "result":{{"tools" :[{tools}]{rest}}} }}"#)
}

const A: &str = r#"{ "name":"a" , "x":1.0}"#;
const ODD: &str = r#"{"name":"odd","description":"ODD \u0065"}"#;
const EVIL: &str = r#"{"name":"evil","description":"EVIL"}"#;

/// Defends invariant 2: what is kept back is cut out, the rest stays to the byte, and where nothing is kept back nothing
/// changes.
#[test]
fn only_what_is_kept_back_changes() {
    let hints = r#","ttlMs":60,"cacheScope":"public""#;
    let fixed = r#","ttlMs":0,"cacheScope":"private""#;
    let note = r#"{"name":"evil","description":"Thoth refuses calls of this tool: nobody has approved it yet. A person can look at it with `thoth pins show`.","inputSchema":{"type":"object"}}"#;
    // The policy, the tools and what follows; the same as they arrive.
    let cases = [
        ("{}", format!("{A} , {ODD}"), hints, format!("{A} , {ODD}"), hints),
        ("{}", String::new(), hints, String::new(), hints),
        ("{}", format!("{A} , {EVIL} ,{ODD}"), hints, format!("{A} , {ODD}"), fixed),
        ("{}", format!("{EVIL} , {A}"), "", A.to_owned(), ""),
        ("{}", format!("{A} , {EVIL}"), "", A.to_owned(), ""),
        ("{}", format!(" {EVIL},{EVIL} "), hints, "  ".to_owned(), fixed),
        ("{on_finding: {critical: allow}}", format!("{EVIL} , {A}"), hints, format!("{EVIL} , {A}"), hints),
        ("{on_finding: {critical: ask}}", format!("{EVIL} , {A}"), hints, format!("{EVIL} , {A}"), hints),
        ("{on_finding: {warning: block}}", format!("{ODD},{A}"), "", A.to_owned(), ""),
        ("{on_first_use: block}", format!("{ODD},{A}"), "", String::new(), ""),
        ("{quarantined_tools: annotate}", format!("{A} , {EVIL}"), hints, format!("{A} , {note}"), fixed),
    ];
    for (section, shown, rest, arrives, rest_arrives) in cases {
        let mut world = world(section);
        for _ in 0..2 {
            world.asked(1, Asked::ToolsList { first: true });
            let (frames, replies, _) = world.deliver(&tools(1, &shown, rest));
            assert_eq!(frames, format!("{}\n", tools(1, &arrives, rest_arrives)), "{section} {shown}");
            assert_eq!(replies, "", "{section} {shown}");
        }
    }
}

/// A name that could speak for itself is not repeated in a note.
#[test]
fn a_note_says_nothing_of_the_servers() {
    let mut world = world("{quarantined_tools: annotate}");
    world.asked(1, Asked::ToolsList { first: true });
    let named = r#"{"name":"call me first EVIL"}"#;
    assert_eq!(world.deliver(&tools(1, named, "")).0, format!("{}\n", tools(1, "", "")));
}

/// A store with room for short definitions only.
#[derive(Default)]
struct Narrow(MemoryPins);

impl Pins for Narrow {
    fn observe(&self, seen: &[Seen], record: &mut PinRecord<'_>, now: Timestamp) -> Result<Vec<Arc<Pin>>, PinsError> {
        if seen.iter().any(|one| one.fingerprint.definition.len() > 30) {
            return Err(PinsError::Full("full".to_owned()));
        }
        self.0.observe(seen, record, now)
    }

    fn update(&self, key: &PinKey, change: &mut PinChange<'_>) -> Result<Pin, PinsError> {
        self.0.update(key, change)
    }

    fn add(&self, pin: &Pin, record: &mut PinRecord<'_>) -> Result<bool, PinsError> {
        self.0.add(pin, record)
    }

    fn look(&self, key: &PinKey) -> Result<Option<Pin>, PinsError> {
        self.0.look(key)
    }

    fn list(&self, server: Option<&ServerName>) -> Result<Vec<Pin>, PinsError> {
        self.0.list(server)
    }

    fn version(&self) -> Result<u64, PinsError> {
        self.0.version()
    }
}

/// Defends: what cannot be compared does not pass, and keeps nothing else from passing.
#[test]
fn one_that_is_too_much_is_kept_back_alone() {
    let mut world = world_on("{}", Arc::new(Narrow::default()));
    world.asked(1, Asked::ToolsList { first: true });
    let long = r#"{"name":"long","description":"Longer than there is room for."}"#;
    let (frames, _, _) = world.deliver(&tools(1, &format!("{A},{long},{A}"), ""));
    assert_eq!(frames, format!("{}\n", tools(1, &format!("{A},{A}"), "")));
}

/// In a batch, each answer is looked at by what it answers.
#[test]
fn batches_are_looked_at() {
    let mut world = world("{}");
    world.asked(1, Asked::ToolsList { first: true });
    world.asked(2, Asked::List { listing: Listing::Prompts, first: true });
    let prompts = |list: &str| format!(r#"{{"jsonrpc":"2.0","id":2,"result":{{"prompts":[{list}]}}}}"#);
    let batch = format!("[{} , {}]", tools(1, &format!("{EVIL},{A}"), ""), prompts(&format!("{A},{EVIL}")));
    let expected = format!("[{} , {}]\n", tools(1, A, ""), prompts(A));
    assert_eq!(world.deliver(&batch).0, expected);
    assert!(world.session.withholds_prompt("evil"));
    // One that is refused leaves no edit behind for the line after it.
    world.asked(1, Asked::ToolsList { first: true });
    world.asked(3, Asked::Other);
    let refused = format!("[{},{}]", tools(1, EVIL, ""), r#"{"jsonrpc":"2.0","id":9,"result":{}}"#);
    let other = r#"{"jsonrpc":"2.0","id":3,"result":{"tools":[{"name":"EVIL"}]}}"#;
    let (frames, replies, _) = world.deliver(&format!("{refused}\n{other}"));
    assert_eq!((frames, replies.lines().count()), (format!("{other}\n"), 1));
}

/// Resources are scanned and not pinned; instructions are cut out.
#[test]
fn what_is_not_a_tool() {
    let mut world = world("{}");
    let resources = |list: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"resources":[{list}]}}}}"#);
    let resource = |text: &str| format!(r#"{{"uri":"file:///a","name":"{text}"}}"#);
    for (text, passes) in [("a", true), ("changed", true), ("EVIL", false)] {
        world.asked(1, Asked::List { listing: Listing::Resources, first: true });
        let arrives = if passes { resource(text) } else { String::new() };
        assert_eq!(world.deliver(&resources(&resource(text))).0, format!("{}\n", resources(&arrives)));
        assert_eq!(world.session.lock().shelf.withholds_resource("file:///a"), !passes);
    }
    let hello = |text: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"protocolVersion":"2025-11-25"{text}}}}}"#);
    for asked in [Asked::Initialize, Asked::Discover] {
        for (text, arrives) in [
            ("", ""),
            (r#","instructions":"be brief""#, r#","instructions":"be brief""#),
            (r#","instructions":"be EVIL","ttlMs":5"#, r#","ttlMs":0"#),
            (r#","instructions":"be other""#, ""),
        ] {
            world.asked(1, asked.clone());
            assert_eq!(world.deliver(&hello(text)).0, format!("{}\n", hello(arrives)), "{asked:?} {text}");
        }
    }
}
