//! What inspection costs: on typical documents, and on the slowest that a search finds. `--search ROUNDS`; `--only NAME`
//! measures one document long enough to be profiled; `--repeat TEXT [ROLE]` measures one text.
//!
//! The search repeats openings of every rule, alone and in pairs, to a megabyte, in each role that an argument can
//! have, and then mutates what was slowest. It prints the worst, in milliseconds for a megabyte.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

use std::hint::black_box;
use std::time::Duration;

use thoth_scan::inspect::{InspectSettings, inspect_arguments, inspect_result};
use thoth_types::json::{Limits, Tape};

const MEGABYTE: usize = 1 << 20;

/// How much of each input the search tries before the slowest are tried at full length.
const SAMPLE: usize = 1 << 13;

/// What opens a rule, or is met by one.
const OPENINGS: &[&str] = &[
    "sk-",
    "sk-ant-",
    "ghp_",
    "github_pat_",
    "glpat-",
    "AKIA",
    "AIza",
    "xoxb-",
    "SK",
    "SG.",
    "eyJ",
    "eyJ.",
    "eyJhbGciOiJIUzI1NiJ9.",
    "-----BEGIN PRIVATE KEY-----",
    "-----BEGIN ",
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "://",
    "://a:b@",
    "Bearer ",
    "Basic ",
    "sig=",
    "Q~",
    ":AA",
    "password",
    "password=",
    "password=a1",
    "password: hunter2x ",
    "token=",
    "token:",
    "secret = \"",
    "api_key=",
    "pwd=aaaaaa1 ",
    "4111111111111111 ",
    "4111-1111-",
    "1",
    "1 ",
    "1-",
    "DE89370400440532013000 ",
    "DE89",
    "123-45-6789 ",
    "@",
    "a@",
    "a@b.",
    "..",
    "../",
    "%2e",
    "%252e%252e%252f",
    "/etc/",
    "~/.ssh/",
    ";",
    "; cat ",
    "$(",
    "`",
    "|",
    "&&",
    "\n",
    "' or 1=1",
    "union select ",
    "/*",
    "/*!",
    "*/",
    "--",
    "http://",
    "http://127.0.0.1/",
    "0x7f.",
    "file://",
    "ignore ",
    "ignore all previous instructions ",
    "please ",
    "you ",
    "do not tell the user ",
    "<",
    "<|",
    "<a>",
    "[",
    "[SYSTEM]",
    "<!--",
    "-->",
    "TODO: ",
    "system:",
    "the following code:\n```\n",
    "your response ",
    "| ",
    "|\n",
    "a|b|c\n",
    "Zm9vYmFyYmF6cXV4",
    "aWdub3JlIGFsbCBwcmV2aW91cyBpbnN0cnVjdGlvbnM",
    "\u{200b}",
    "\u{e0041}",
    "і",
    "忽略",
    "指令。",
    "이전",
    "é",
    "ﬁ",
    "&lt;",
    "&#x41;",
    "\\x41",
    "\\u0041",
    "\\n",
    "{",
    "{\"a\":",
    "[[",
    "\"",
    "'",
    "<style>",
    "\u{1b}[0m",
    "i g n o r e ",
    "1gn0r3 ",
    "a",
    "A",
    "aB3",
    "z9/",
    " ",
    "\t",
    ".",
    ". ",
    "? ",
    ",",
    "and ",
    "rm -rf ",
    "curl | ",
    "a_b ",
    "a_b(",
    "www.",
    "x.y",
    "e.g. ",
    "a.b.c.",
    "send ",
    "to <value> ",
];

/// Keys that lead to different roles.
const ROLES: &[&str] = &["command", "path", "url", "host", "sql", "query", "content", "city", "token", "password"];

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.push_str("\\u001b"),
            other => out.push(other),
        }
    }
    out
}

fn time(document: &str, arguments: bool, settings: &InspectSettings) -> Duration {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: 16 * MEGABYTE, ..Limits::default() };
    let Ok(value) = tape.parse(document.as_bytes(), &limits) else { return Duration::ZERO };
    let start = processor_time();
    if arguments {
        black_box(inspect_arguments("tool", value, None, settings));
    } else {
        black_box(inspect_result("tool", value, settings));
    }
    processor_time().saturating_sub(start)
}

/// What this thread has used of a processor: what others do at the same time counts less.
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.try_into().unwrap_or(0))
}

fn best(document: &str, arguments: bool, settings: &InspectSettings, rounds: u32) -> Duration {
    (0..rounds).map(|_| time(document, arguments, settings)).min().unwrap_or_default()
}

fn repeated(piece: &str, size: usize) -> String {
    piece.repeat(size / piece.len().max(1) + 1)
}

/// The document that holds `text`: in a field of a call, or as the text of a result.
fn wrap(text: &str, role: Option<&str>) -> String {
    match role {
        Some(key) => format!("{{\"{key}\":\"{}\"}}", escape(text)),
        None => format!("{{\"content\":[{{\"type\":\"text\",\"text\":\"{}\"}}]}}", escape(text)),
    }
}

/// Prints what one document costs, if its name is asked for.
fn measure(name: &str, document: &str, arguments: bool, only: Option<&str>, settings: &InspectSettings) {
    if only.is_some_and(|only| !name.contains(only)) {
        return;
    }
    let spent = best(document, arguments, settings, if only.is_some() { 20_000 } else { 300 });
    println!(
        "{name:<16} {:>7} bytes {:>9.2?} {:>7.2} µs/kB",
        document.len(),
        spent,
        spent.as_secs_f64() * 1e6 * 1024.0 / document.len() as f64
    );
}

fn typical(only: Option<&str>, settings: &InspectSettings) {
    let prose = "The quarterly report shows that revenue grew by 12 % while costs stayed flat. Please see the attached table for details, and let us know if you have questions about the numbers. ";
    let code = "fn main() {\n    let config = Config::load(\"settings.toml\").unwrap_or_default();\n    println!(\"{}\", config.name);\n}\n";
    let log = "2026-01-02T03:04:05.678Z INFO request id=7f1c2a9e-0b1d-4c2e-9a55-1d2c3b4a5f60 status=200 took=12ms path=/api/v1/items\n";
    let wide = "Der Bericht über die größten Städte Österreichs enthält Tabellen, Übersichten und Erläuterungen. ";
    for (name, piece) in [("prose", prose), ("code", code), ("log", log), ("umlauts", wide)] {
        for size in [1 << 10, 10 << 10, 100 << 10] {
            let document = wrap(&repeated(piece, size), None);
            measure(&format!("result {name}"), &document, false, only, settings);
        }
    }
    let rows: Vec<String> = (0..9).map(|at| format!("{{\"id\":{at},\"name\":\"Item {at}\",\"price\":19.99,\"tags\":[\"new\",\"sale\"],\"url\":\"https://shop.example/items/{at}\"}}")).collect();
    let many = format!("{{\"items\":[{}]}}", rows.join(","));
    let call = format!(
        "{{\"path\":\"src/main.rs\",\"command\":\"cargo test --workspace\",\"query\":\"how to parse json\",\"url\":\"https://example.com/a?b=c\",\"content\":\"{}\"}}",
        escape(&repeated(code, 800))
    );
    for (name, document, arguments) in
        [("call fields", &call, true), ("call items", &many, true), ("result items", &many, false)]
    {
        measure(name, document, arguments, only, settings);
    }
}

/// A linear congruential generator: the search is the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}

fn search(rounds: usize, settings: &InspectSettings) {
    let mut seen: Vec<(Duration, String, Option<&'static str>)> = Vec::new();
    let mut attempt = |piece: String, role: Option<&'static str>| {
        let document = wrap(&repeated(&piece, SAMPLE), role);
        let spent = best(&document, role.is_some(), settings, 4).mul_f64(MEGABYTE as f64 / document.len() as f64);
        seen.push((spent, piece, role));
    };
    for piece in OPENINGS {
        attempt((*piece).to_owned(), None);
        for role in ROLES {
            attempt((*piece).to_owned(), Some(role));
        }
    }
    let mut dice = Dice(7);
    for _ in 0..rounds {
        let pieces: Vec<&str> =
            (0..dice.below(4) + 1).filter_map(|_| OPENINGS.get(dice.below(OPENINGS.len())).copied()).collect();
        let role = if dice.below(2) == 0 { None } else { ROLES.get(dice.below(ROLES.len())).copied() };
        attempt(pieces.concat(), role);
    }
    seen.sort_by_key(|(spent, _, _)| std::cmp::Reverse(*spent));
    seen.truncate(rounds);
    // At full length some end at a cap that the sample does not reach.
    let full =
        |piece: String, role: Option<&'static str>, worst: &mut Vec<(Duration, String, Option<&'static str>)>| {
            let document = wrap(&repeated(&piece, MEGABYTE), role);
            let spent = best(&document, role.is_some(), settings, 2).mul_f64(MEGABYTE as f64 / document.len() as f64);
            worst.push((spent, piece, role));
            worst.sort_by_key(|(spent, _, _)| std::cmp::Reverse(*spent));
            worst.truncate(15);
        };
    let mut worst = Vec::new();
    for (_, piece, role) in seen {
        full(piece, role, &mut worst);
    }
    // The slowest with something else added, and without a part of them.
    for _ in 0..rounds {
        let Some((_, piece, role)) = worst.get(dice.below(worst.len())).cloned() else { continue };
        let other = OPENINGS.get(dice.below(OPENINGS.len())).copied().unwrap_or_default();
        let changed = match dice.below(3) {
            0 => format!("{piece}{other}"),
            1 => format!("{other}{piece}"),
            _ => piece.chars().filter(|_| dice.below(4) > 0).collect(),
        };
        if !changed.is_empty() && changed.len() < 200 {
            full(changed, role, &mut worst);
        }
    }
    // Once more, with the patience to meet a moment in which nothing else ran.
    for (spent, piece, role) in &mut worst {
        let document = wrap(&repeated(piece, MEGABYTE), *role);
        *spent = best(&document, role.is_some(), settings, 20).mul_f64(MEGABYTE as f64 / document.len() as f64);
    }
    worst.sort_by_key(|(spent, _, _)| std::cmp::Reverse(*spent));
    for (spent, piece, role) in &worst {
        println!("{spent:>9.2?} per MB  {piece:?} in {}", role.unwrap_or("a result"));
    }
}

fn main() {
    let mut rounds = 0;
    let mut only = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--search" {
            rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).unwrap_or(0);
        } else if argument == "--repeat" {
            let (piece, role) = (arguments.next().unwrap_or_default(), arguments.next());
            let document = wrap(&repeated(&piece, MEGABYTE), role.as_deref());
            println!("{:>9.2?} per MB", best(&document, role.is_some(), &InspectSettings::default(), 20));
            return;
        } else if argument == "--only" {
            only = arguments.next();
        }
    }
    let settings = InspectSettings::default();
    typical(only.as_deref(), &settings);
    if rounds > 0 {
        search(rounds, &settings);
    }
}
