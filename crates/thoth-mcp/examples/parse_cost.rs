//! What it costs to read a message: framing, JSON, envelope and views, per frame and per byte.
//!
//! Prints one line per kind of message: `name bytes ns_per_frame MB_per_s`. Run it in release.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::time::{Duration, Instant};

use thoth_mcp::{BatchRule, Decoder, Direction, FrameBuffer, Framed, Message};

/// How long one round runs: short, so that some rounds are undisturbed on a busy machine. The fastest counts.
const ROUND: Duration = Duration::from_micros(500);
const ROUNDS: usize = 1500;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<24} {:>8} {:>12} {:>9}", "message", "bytes", "ns/frame", "MB/s")?;
    for (name, direction, line) in messages() {
        let nanoseconds = cost(direction, line.as_bytes());
        let rate = line.len() as f64 * 1000.0 / nanoseconds;
        writeln!(out, "{name:<24} {:>8} {nanoseconds:>12.1} {rate:>9.0}", line.len())?;
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

/// Nanoseconds per frame, bytes copied into the buffer as a read would.
fn cost(direction: Direction, line: &[u8]) -> f64 {
    let mut buffer = FrameBuffer::new(10 * 1024 * 1024);
    let mut decoder = Decoder::default();
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut frames = 0_u32;
        while start.elapsed() < ROUND {
            frames += read_once(&mut buffer, &mut decoder, direction, line);
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(frames));
    }
    best
}

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
