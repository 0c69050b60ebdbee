//! What it costs to read a message: framing, JSON, envelope and views, per frame and per byte.
//!
//! Without arguments: a table with one line per kind of message, beside `serde_json` on the same bytes: into a tree, and
//! checking only (`--quick`: fewer rounds). With `--callgrind N MESSAGE`: reads that message exactly N times, for
//! instruction counts: the difference of two runs with different N is free of the set-up. Run it in release.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use thoth_mcp::{BatchRule, Decoder, Direction, FrameBuffer, Framed, Message};

/// How long one round runs: short, so that some rounds are undisturbed on a busy machine. The fastest counts.
const ROUND: Duration = Duration::from_micros(500);
const ROUNDS: usize = 1500;
/// The longest line that is taken, in bytes.
const LARGEST: usize = 10 * 1024 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, count, name] = arguments.as_slice()
        && mode == "--callgrind"
    {
        return exactly(count.parse()?, name);
    }
    let rounds = if arguments.iter().any(|argument| argument == "--quick") { ROUNDS / 8 } else { ROUNDS };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| message | bytes | thoth ns per frame | thoth ns per kB | thoth MB/s | serde_json tree ns | serde_json check ns |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for (name, direction, line) in messages() {
        let (mut buffer, mut decoder) = (FrameBuffer::new(LARGEST), Decoder::default());
        let thoth = cost(rounds, || read_once(&mut buffer, &mut decoder, direction, line.as_bytes()));
        let tree = cost(rounds, || by_serde_json(line.as_bytes()));
        let check = cost(rounds, || checked_by_serde_json(line.as_bytes()));
        let (per_kb, rate) = (thoth * 1000.0 / line.len() as f64, line.len() as f64 * 1000.0 / thoth);
        writeln!(out, "| {name} | {} | {thoth:.0} | {per_kb:.0} | {rate:.0} | {tree:.0} | {check:.0} |", line.len())?;
    }
    Ok(())
}

/// Reads one message as often as asked, and does nothing else after the set-up.
fn exactly(count: usize, wanted: &str) -> Result<(), Box<dyn std::error::Error>> {
    let found = messages().into_iter().find(|(name, ..)| *name == wanted);
    let (_, direction, line) = found.ok_or_else(|| format!("no message is called `{wanted}`"))?;
    let (mut buffer, mut decoder) = (FrameBuffer::new(LARGEST), Decoder::default());
    for _ in 0..count {
        if read_once(&mut buffer, &mut decoder, direction, line.as_bytes()) != 1 {
            return Err("the message was refused".into());
        }
    }
    Ok(())
}

fn messages() -> Vec<(&'static str, Direction, String)> {
    let mut objects = String::new();
    for i in 0..1700 {
        let _ = write!(objects, r#"{{"id":{i},"name":"item {i}","done":true,"tags":["a","b"]}},"#);
    }
    let objects = objects.trim_end_matches(',');
    let prose = "All happy families are alike; each unhappy family is unhappy in its own way. ";
    let call = format!(
        r#"{{"method":"tools/call","params":{{"name":"write_file","arguments":{{"path":"/home/user/notes/2026/today.md","mode":"append","create":true,"retries":3,"content":"{}"}},"_meta":{{"progressToken":17}}}},"jsonrpc":"2.0","id":17}}"#,
        prose.repeat(10)
    );
    let result = |text: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":17,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
    };
    vec![
        ("call_1kB", Direction::ClientToServer, call + "\n"),
        ("result_100kB_string", Direction::ServerToClient, result(&prose.repeat(1300)) + "\n"),
        ("result_100kB_escaped", Direction::ServerToClient, result(&(prose.to_owned() + r"\n").repeat(1280)) + "\n"),
        (
            "result_100kB_non_ascii",
            Direction::ServerToClient,
            result(&"Все счастливые семьи похожи. ".repeat(1900)) + "\n",
        ),
        (
            "result_100kB_objects",
            Direction::ServerToClient,
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":17,\"result\":{{\"structuredContent\":[{objects}],\"content\":[]}}}}\n"
            ),
        ),
    ]
}

/// Nanoseconds per frame; `read` says how many frames it read.
fn cost(rounds: usize, mut read: impl FnMut() -> u32) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        let mut frames = 0_u32;
        while start.elapsed() < ROUND {
            frames += read();
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(frames));
    }
    best
}

/// The peer: the same line, without framing, envelope rules and views.
fn by_serde_json(line: &[u8]) -> u32 {
    u32::from(black_box(serde_json::from_slice::<serde_json::Value>(black_box(line))).is_ok())
}

/// The same peer when it keeps nothing.
fn checked_by_serde_json(line: &[u8]) -> u32 {
    u32::from(black_box(serde_json::from_slice::<&serde_json::value::RawValue>(black_box(line))).is_ok())
}

/// Copies the line into the buffer as a read would, and reads what is there.
fn read_once(buffer: &mut FrameBuffer, decoder: &mut Decoder, direction: Direction, mut rest: &[u8]) -> u32 {
    let mut frames = 0;
    while !rest.is_empty() {
        let spare = buffer.spare();
        let (now, later) = rest.split_at(spare.len().min(rest.len()));
        for (to, from) in spare.iter_mut().zip(now) {
            *to = *from;
        }
        rest = later;
        buffer.advance(now.len());
        for framed in buffer.frames() {
            if let Framed::Line { body, .. } = framed
                && let Ok(frame) = decoder.decode(body, direction, BatchRule::Refuse)
            {
                frames += 1;
                for message in frame.messages() {
                    view(message);
                }
            }
        }
        buffer.consume();
    }
    frames
}

fn view(message: &Message<'_>) {
    match message {
        Message::Request(request) => {
            black_box(request.tool_call().ok());
            black_box(request.id.key());
        }
        Message::Response(response) => {
            black_box(response.call_result());
            black_box(response.id.map(|id| id.key()));
        }
        Message::Notification(notification) => {
            black_box(notification.method.len());
        }
    }
}
