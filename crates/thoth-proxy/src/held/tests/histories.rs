//! Any history of calls, cancellations, answers and waiting, in any order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    /// A call of one of a few spellings.
    Call(u8),
    /// The client calls one of its requests off, open or not.
    Cancel(u8),
    /// Somebody at a terminal answers one of the holds.
    Vote(u8, bool),
    /// The client answers one of our questions, open or not, in one of a few ways.
    Answer(u8, u8),
    /// Time passes, in looks or in seconds.
    Blink(u8),
    Pass(u8),
    /// The ledger is full, or is no longer.
    Full(bool),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0..3_u8).prop_map(Event::Call),
        2 => any::<u8>().prop_map(Event::Cancel),
        4 => (any::<u8>(), prop::bool::weighted(0.8)).prop_map(|(which, yes)| Event::Vote(which, yes)),
        4 => (any::<u8>(), 0..4_u8).prop_map(|(which, how)| Event::Answer(which, how)),
        3 => (1..4_u8).prop_map(Event::Blink),
        2 => (1..50_u8).prop_map(Event::Pass),
        1 => any::<bool>().prop_map(Event::Full),
    ]
}

/// What was seen from outside.
#[derive(Debug, Default)]
struct Seen {
    lines: BTreeMap<u32, String>,
    questions: Vec<Value>,
    forwarded: BTreeSet<u32>,
    answered: BTreeSet<u32>,
    called_off: BTreeSet<u32>,
}

impl Seen {
    fn take(&mut self, out: &Out) {
        for line in &out.server {
            let message: Value = serde_json::from_str(line).unwrap();
            if message["method"] == "notifications/cancelled" {
                let id = u32::try_from(message["params"]["requestId"].as_u64().unwrap()).unwrap();
                assert!(self.forwarded.contains(&id) || self.answered.contains(&id) || self.called_off.contains(&id));
                continue;
            }
            let id = u32::try_from(message["id"].as_u64().unwrap()).unwrap();
            assert_eq!(*line, format!("{}\n", self.lines[&id]), "byte by byte, and nothing else");
            assert!(self.forwarded.insert(id), "{id} went out twice");
            assert!(!self.answered.contains(&id) && !self.called_off.contains(&id), "{id}");
        }
        for message in &out.client {
            if message["method"] == "elicitation/create" {
                self.questions.push(message["id"].clone());
            } else if message["method"].is_null() {
                let id = u32::try_from(message["id"].as_u64().unwrap()).unwrap();
                assert!(self.answered.insert(id), "{id} was answered twice");
                assert!(!self.forwarded.contains(&id) && !self.called_off.contains(&id), "{id}");
            }
        }
    }
}

fn happen(world: &mut World, seen: &mut Seen, event: &Event) -> Out {
    match event {
        Event::Call(which) => {
            let id = u32::try_from(seen.lines.len()).unwrap();
            let line = call(id, &format!("t{which}"));
            seen.lines.insert(id, line.clone());
            world.hear(&line)
        }
        Event::Cancel(which) => {
            let Some(id) =
                (!seen.lines.is_empty()).then(|| u32::from(*which) % u32::try_from(seen.lines.len()).unwrap())
            else {
                return Out::default();
            };
            let out = world.hear(&cancel(&id.to_string()));
            if !seen.forwarded.contains(&id) && !seen.answered.contains(&id) && seen.called_off.insert(id) {
                assert!(
                    !out.server.iter().any(|line| line.contains("cancelled")),
                    "the server has never heard of {id}"
                );
            }
            out
        }
        Event::Vote(which, approves) => {
            let holds = world.holds();
            if let Some(hold) = holds.get(usize::from(*which) % holds.len().max(1)) {
                let approver = Approver { account: "dev".into(), uid: 1000 };
                let (channel, origin) = (Channel::Terminal, String::new());
                let vote = Vote { approver, approves: *approves, channel, origin, at: now().wall, line: Vec::new() };
                // It may have been answered before.
                drop(world.gate.desk().vote(&hold.token, &vote));
            }
            Out::default()
        }
        Event::Answer(which, how) => {
            let Some(id) = seen.questions.get(usize::from(*which) % seen.questions.len().max(1)) else {
                return Out::default();
            };
            let result = [
                r#"{"action":"accept","content":{"decision":"allow once"}}"#,
                r#"{"action":"decline"}"#,
                r#"{"action":"cancel"}"#,
                "{}",
            ][usize::from(*how)];
            world.hear(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#))
        }
        Event::Blink(times) => (0..*times).fold(Out::default(), |out, _| out.and(world.blink())),
        Event::Pass(seconds) => world.pass((*seconds).into()),
        Event::Full(full) => {
            world.disk.full.store(*full, Ordering::Relaxed);
            Out::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Invariants 1 and 5, and nobody is left waiting: in any history, each call is forwarded as it was sent, or answered,
    /// or called off, and once; and as many calls went out as approvals were used up.
    #[test]
    fn each_call_has_one_end(events in prop::collection::vec(event(), 1..40), asks in any::<bool>()) {
        let mut world = World::new(POLICY, None);
        if asks {
            world.initialize(r#"{"elicitation":{}}"#, "c");
        }
        let mut seen = Seen::default();
        for event in &events {
            let out = happen(&mut world, &mut seen, event);
            seen.take(&out);
        }
        seen.take(&world.pass(60));
        prop_assert!(!world.side.waits());
        for id in seen.lines.keys() {
            let ends = [&seen.forwarded, &seen.answered, &seen.called_off].map(|end| usize::from(end.contains(id)));
            prop_assert_eq!(ends.iter().sum::<usize>(), 1, "{}", id);
        }
        let spent = world.holds().iter().filter(|hold| hold.state == HoldState::Spent).count();
        prop_assert_eq!(seen.forwarded.len(), spent);
        prop_assert_eq!(world.disk.count("FRAME_REFUSED"), 0);
    }
}
