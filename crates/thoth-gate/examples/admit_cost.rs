//! What one governed call costs inside the process: decide, record, permit and settle, without pipes.
//!
//! `admit_cost` prints a table of microseconds per call (`--quick`: fewer calls); `admit_cost --callgrind N` makes exactly
//! N calls of 1 kB, for counting instructions: the difference of two runs with different N is free of the set-up.
#![expect(clippy::print_stdout, reason = "a measuring program for people")]

use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use thoth_audit::{ContentKey, ContentMode, Leaves};
use thoth_gate::{Evidence, EvidenceError, Gate, GateSession, Moment, Outcome, Outcomes, Standing};
use thoth_policy::{ScopeList, Sources};
use thoth_types::json::{Limits, Tape};
use thoth_types::{AgentId, Arguments, Caller, Listed, Mode, ServerName, SessionId, ToolCall};

const POLICY: &str = "version: \"1\"\ndefaults: { approval: block }\nrules:\n  - { name: echo, match: { tool: \"echo*\" }, approval: auto, risk_level: low }\n";

/// Takes everything and keeps nothing, so that what is measured is the work before the write.
struct Nowhere;

impl Evidence for Nowhere {
    fn append(&self, leaves: &Leaves) -> Result<(), EvidenceError> {
        std::hint::black_box(leaves);
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("--callgrind") {
        let calls = arguments.next().ok_or("how many calls?")?.parse()?;
        run(ContentMode::Redacted, 1_000, calls)?;
        return Ok(());
    }
    let budget = if first.as_deref() == Some("--quick") { 4_000_000 } else { 20_000_000 };
    println!("| arguments | content | µs per call, best of 5 |");
    println!("|---|---|---|");
    for bytes in [100, 1_000, 10_000, 100_000] {
        for mode in ContentMode::ALL {
            let calls = budget / (bytes + 1_000);
            let mut best = f64::MAX;
            for _ in 0..5 {
                let started = Instant::now();
                run(*mode, bytes, calls)?;
                best = best.min(started.elapsed().as_secs_f64() * 1e6 / calls as f64);
            }
            println!("| {bytes} B | {} | {best:.2} |", mode.as_str());
        }
    }
    Ok(())
}

fn run(mode: ContentMode, bytes: usize, calls: usize) -> Result<(), Box<dyn std::error::Error>> {
    let policy = thoth_policy::load("bench.yaml", &Sources::one("bench.yaml", POLICY))?;
    let gate = Gate::new(Standing::Valid(Box::new(policy)), Arc::new(Nowhere), mode, ContentKey::new([7; 32]));
    let caller = Caller {
        tenant: None,
        user: None,
        endpoint: None,
        agent: Some(AgentId::from_str("bench-agent")?),
        session: SessionId::from_str("0123456789abcdef0123456789abcdef")?,
        server: ServerName::from_str("bench")?,
        intent: None,
        approved_scope: Vec::new(),
        mode: Mode::Block,
    };
    let mut session = GateSession::new(caller, ScopeList::default(), [7; 8]);
    let padding: String = "lorem ipsum dolor sit amet ".chars().cycle().take(bytes).collect();
    let text = format!(r#"{{"path":"/data/report.txt","mode":"read","limit":100,"text":"{padding}"}}"#);
    let mut tape = Tape::new();
    let arguments = Arguments::new(Some(tape.parse(text.as_bytes(), &Limits::default())?));
    let now = Moment { wall: jiff::Timestamp::from_second(1_790_000_000)?, monotonic_us: 0 };
    let mut outcomes = Outcomes::default();
    for _ in 0..calls {
        let call = ToolCall {
            tool: "echo".into(),
            arguments,
            listed: Listed::Unknown,
            integrity: None,
            retry_of: None,
            task: false,
            remote: None,
            also_sent: Box::default(),
            enforcement_trace: None,
        };
        let mut round = gate.round(&mut session);
        round.admit(&call, b"frame\n".as_slice().into(), &|| None, now);
        for ticket in round.commit().permits.iter().flat_map(thoth_gate::Permit::tickets) {
            let outcome = Outcome { kind: "result", result_bytes: 1000, task_id: None, found: None };
            outcomes.settle(session.caller(), ticket, &outcome, now);
        }
        gate.record(&mut outcomes)?;
    }
    Ok(())
}
