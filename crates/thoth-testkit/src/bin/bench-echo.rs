//! The upstream of the benchmarks: answers every line that has an id, as fast as it can, with a result of a fixed size.
//!
//! It finds the id by its text, not by parsing, so that what is measured is the way to it and not the server.

use std::io::{self, BufRead, BufReader, BufWriter, Write};

fn main() -> io::Result<()> {
    let bytes = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1000);
    // Spaces and escapes as in ordinary text results.
    let text: String =
        "The quick brown fox jumps over the lazy dog; it is 12:30.\\n".chars().cycle().take(bytes).collect();
    let text = text.trim_end_matches('\\').to_owned();
    let mut input = BufReader::with_capacity(1 << 16, io::stdin().lock());
    let mut output = BufWriter::with_capacity(1 << 17, io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if let Some(id) = id_of(&line) {
            output.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":")?;
            output.write_all(id)?;
            if is_list(&line) {
                output.write_all(
                    b",\"result\":{\"tools\":[{\"name\":\"echo\",\"inputSchema\":{\"type\":\"object\"}}]}}\n",
                )?;
                output.flush()?;
                continue;
            }
            output.write_all(b",\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"")?;
            output.write_all(text.as_bytes())?;
            output.write_all(b"\"}]}}\n")?;
        }
        // Answers of requests that arrived together leave together.
        if input.buffer().is_empty() {
            output.flush()?;
        }
    }
}

/// Whether it asks for the tools, which the driver does once, near the start of the line.
fn is_list(line: &[u8]) -> bool {
    line.get(..64.min(line.len())).is_some_and(|head| head.windows(12).any(|window| window == b"\"tools/list\""))
}

/// The number after `"id":`, which the driver always writes near the start of the line.
fn id_of(line: &[u8]) -> Option<&[u8]> {
    let head = line.get(..40.min(line.len()))?;
    let at = head.windows(5).position(|window| window == b"\"id\":")? + 5;
    let digits = line.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    line.get(at..at + digits)
}
