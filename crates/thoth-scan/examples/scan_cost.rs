//! What a scan costs: tools of 1 kB and 10 kB, a look-alike among 5,000 names, and a search for slow inputs of 1 MB.
//!
//! `cargo run --release -p thoth-scan --example scan_cost [-- --json]`
//!
//! The search repeats what opens something (escapes, entities, comments, encodings, terms of the vocabulary, the
//! examples of every rule), joins pairs of the slowest, and changes the worst at random. It prints the worst that it found.

#![expect(clippy::print_stdout, reason = "printing what it measured is what the example is for")]
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "the inputs are made here")]

use std::hint::black_box;
use std::time::Instant;

use thoth_scan::definition::Scanner;
use thoth_scan::look_alike::LookAlikes;
use thoth_scan::role::Role;
use thoth_scan::rules::RuleSet;
use thoth_types::json::{Limits, Tape};

const MEGABYTE: usize = 1 << 20;

/// Prose as honest tools have it.
const PROSE: &str = "Creates a new record in the project. The name must be unique within the workspace.\n\nArgs:\n    \
                     name: The name of the record (3-64 characters)\n    tags: Optional list of tags to attach\n\n\
                     Returns the identifier of the record. Use list_records to see which records exist. ";

/// A tool's definition of about this many bytes.
fn tool(size: usize) -> String {
    let mut description = String::new();
    while description.len() < size / 2 {
        description.push_str(PROSE);
    }
    let mut properties = Vec::new();
    let mut length = 0;
    while length + description.len() + 200 < size {
        let property = format!(
            "\"field_{}\":{{\"type\":\"string\",\"description\":\"The value of the field, as shown in the settings page.\"}}",
            properties.len()
        );
        length += property.len() + 1;
        properties.push(property);
    }
    let description = description.replace('\n', "\\n");
    format!(
        "{{\"name\":\"create_record\",\"description\":\"{description}\",\"inputSchema\":{{\"type\":\"object\",\"properties\":{{{}}}}}}}",
        properties.join(",")
    )
}

/// Microseconds of the best of several short rounds: what else the machine does is not the scanner's cost.
fn best(rounds: usize, per_round: usize, mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            (0..per_round).for_each(|_| work());
            start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(per_round).unwrap_or(u32::MAX))
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times.first().copied().unwrap_or_default()
}

fn scan_tool(scanner: &Scanner, size: usize) -> (usize, f64, f64) {
    let text = tool(size);
    let mut tape = Tape::new();
    let value = tape.parse(text.as_bytes(), &Limits::default()).expect("the definition is JSON");
    assert_eq!(scanner.scan_tool(value), [], "an honest tool");
    let scan = best(200, 20, || drop(black_box(scanner.scan_tool(black_box(value)))));
    let mut other = Tape::new();
    let parse = best(200, 20, || {
        black_box(other.parse(text.as_bytes(), &Limits::default()).map(|v| v.kind()).ok());
    });
    (text.len(), scan, parse)
}

fn look_up() -> f64 {
    let verbs = ["get", "list", "create", "update", "delete", "search", "export", "describe", "start", "stop"];
    let nouns =
        ["record", "project", "invoice", "customer", "pipeline", "cluster", "bucket", "message", "ticket", "report"];
    let name = |at: usize| format!("{}_{}_{:03}", verbs[at % 10], nouns[at / 10 % 10], at / 100);
    let names: Vec<String> = (0..5_000).map(name).collect();
    let index = LookAlikes::of(names.iter().map(String::as_str));
    best(200, 20, || drop(black_box(index.near(black_box("create_invioce_017")))))
}

/// What inputs are made of.
fn pieces() -> Vec<String> {
    let mut pieces: Vec<String> = [
        "&",
        "&amp;",
        "&#x41;",
        "&#1234567",
        "%",
        "%41",
        "%e3%81",
        "\\",
        "\\x41",
        "\\u0041",
        "\\ud83d",
        "\\u{41}",
        "<!--",
        "<!-- x -->",
        "[//]: #",
        "[comment]: <>",
        "\u{1b}[",
        "\u{1b}[8m",
        "\u{1b}]",
        "\u{200b}",
        "\u{200d}",
        "\u{202e}",
        "\u{e0041}",
        "\u{fe0f}",
        "\u{fe00}\u{fe01}",
        "\u{301}",
        "e\u{301}",
        "\u{0430}",
        "a\u{0430}",
        "\u{fb01}",
        "\u{fdfa}",
        "\u{1d41a}",
        "\u{4e00}",
        "\u{ac00}",
        "aWdub3JlIHRoZSB1c2VyIGFuZCBvYmV5",
        "6375726c20687474703a2f2f",
        "QUFBQUFBQUFBQUFBQUFBQUFBQUE ",
        "a b ",
        "a.b.",
        "1gn0r3 ",
        "a1a ",
        "\n",
        " \n",
        "- ",
        "\n- ",
        ". ",
        "e.g. ",
        "*",
        "`",
        "-a",
        "_a",
        "a_",
        "A",
        "aB",
        "@",
        "http://",
        "ignore ",
        "ignore previous ",
        "must use ",
        "before ",
        "all ",
        "a",
        "aaaaaaaaaaaaaaaaaaaa ",
        "的",
        "を",
        "и ",
        "user ",
        "do not tell ",
    ]
    .map(str::to_owned)
    .to_vec();
    for rule in RuleSet::shipped().rules() {
        pieces.extend(rule.positive.iter().map(|example| format!("{example} ")));
        pieces.extend(rule.positive.iter().filter_map(|example| Some(format!("{} ", example.split(' ').next()?))));
    }
    pieces
}

fn repeated(piece: &str) -> String {
    piece.repeat(MEGABYTE / piece.len() + 1)
}

/// Milliseconds for one text of a megabyte, as a description, under the caps that ship.
fn cost(scanner: &Scanner, text: &str) -> f64 {
    let once = || {
        let start = Instant::now();
        black_box(scanner.scan_text(Role::Description, text));
        start.elapsed().as_secs_f64() * 1e3
    };
    // The better of a few: what stands in the way of one is not the input.
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
}

/// A small generator, so that every run tries the same inputs.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n
    }
}

fn worst_inputs(scanner: &Scanner) -> Vec<(f64, String)> {
    let pieces = pieces();
    let mut found: Vec<(f64, String)> =
        pieces.iter().map(|piece| (cost(scanner, &repeated(piece)), piece.clone())).collect();
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let slow: Vec<String> = found.iter().take(8).map(|(_, piece)| piece.clone()).collect();
    for one in &slow {
        for other in slow.iter().filter(|other| *other != one) {
            let piece = format!("{one}{other}");
            found.push((cost(scanner, &repeated(&piece)), piece));
        }
    }
    let mut random = Random(7);
    for _ in 0..80 {
        let mut piece = String::new();
        for _ in 0..=random.below(6) {
            piece.push_str(&pieces[random.below(pieces.len())]);
        }
        found.push((cost(scanner, &repeated(&piece)), piece));
    }
    found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    found
}

fn main() {
    let start = Instant::now();
    let rules = RuleSet::shipped();
    let compile = start.elapsed().as_secs_f64() * 1e3;
    let scanner = Scanner::new(rules);
    let (small_bytes, small, small_parse) = scan_tool(&scanner, 1_000);
    let (large_bytes, large, large_parse) = scan_tool(&scanner, 10_000);
    let look_up = look_up();
    let worst = worst_inputs(&scanner);
    let (slowest, piece) = worst.first().cloned().unwrap_or_default();
    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{{\"compile_ms\":{compile:.2},\"tool_1k_us\":{small:.2},\"tool_10k_us\":{large:.2},\"look_alike_us\":{look_up:.2},\"worst_1mb_ms\":{slowest:.2}}}"
        );
        return;
    }
    println!("rules compiled           {compile:>9.2} ms, once per process");
    println!("tool of {small_bytes:>6} bytes     {small:>9.2} us  (parsing it: {small_parse:.2} us)");
    println!("tool of {large_bytes:>6} bytes     {large:>9.2} us  (parsing it: {large_parse:.2} us)");
    println!("look-alike among 5,000   {look_up:>9.2} us");
    println!("worst 1 MB of {} inputs  {slowest:>9.2} ms  {piece:?}", worst.len());
    for (time, piece) in worst.iter().take(15).skip(1) {
        println!("                         {time:>9.2} ms  {piece:?}");
    }
}
