//! What inspection costs: on typical documents, on all that were ever found to be slow, and on what a search finds.
//!
//! `--only NAME` measures one typical document long enough to be profiled; `--repeat TEXT [ROLE]` measures one text and
//! `--line LINE` one line of the list of slow ones; `--search ROUNDS [--seed N]` climbs from all of these. What the search
//! prints over the limit belongs into `slow.txt`, as it is printed.
#![expect(clippy::print_stdout, reason = "a program for the terminal")]

mod sample;
mod search;

use std::time::Duration;

use thoth_inspect::InspectSettings;

use sample::{Layout, MEGABYTE, Sample, best, escape};
use search::{LIMIT, Search};

/// Ordinary text.
const PROSE: &str = "The quarterly report shows that revenue grew by 12 % while costs stayed flat. Please see the attached table for details, and let us know if you have questions about the numbers. ";

fn repeated(piece: &str, size: usize) -> String {
    piece.repeat(size / piece.len().max(1) + 1)
}

/// The document that holds `text` as the text of a result.
fn wrap(text: &str) -> String {
    let mut out = "{\"content\":[{\"type\":\"text\",\"text\":\"".to_owned();
    escape(text, &mut out);
    out.push_str("\"}]}");
    out
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
    let code = "fn main() {\n    let config = Config::load(\"settings.toml\").unwrap_or_default();\n    println!(\"{}\", config.name);\n}\n";
    let log = "2026-01-02T03:04:05.678Z INFO request id=7f1c2a9e-0b1d-4c2e-9a55-1d2c3b4a5f60 status=200 took=12ms path=/api/v1/items\n";
    let wide = "Der Bericht über die größten Städte Österreichs enthält Tabellen, Übersichten und Erläuterungen. ";
    for (name, piece) in [("prose", PROSE), ("code", code), ("log", log), ("umlauts", wide)] {
        for size in [1 << 10, 10 << 10, 100 << 10] {
            let document = wrap(&repeated(piece, size));
            measure(&format!("result {name}"), &document, false, only, settings);
        }
    }
    let rows: Vec<String> = (0..9).map(|at| format!("{{\"id\":{at},\"name\":\"Item {at}\",\"price\":19.99,\"tags\":[\"new\",\"sale\"],\"url\":\"https://shop.example/items/{at}\"}}")).collect();
    let many = format!("{{\"items\":[{}]}}", rows.join(","));
    let mut call = "{\"path\":\"src/main.rs\",\"command\":\"cargo test --workspace\",\"query\":\"how to parse json\",\"url\":\"https://example.com/a?b=c\",\"content\":\"".to_owned();
    escape(&repeated(code, 800), &mut call);
    call.push_str("\"}");
    for (name, document, arguments) in
        [("call fields", &call, true), ("call items", &many, true), ("result items", &many, false)]
    {
        measure(name, document, arguments, only, settings);
    }
}

/// What a megabyte of ordinary text costs: where others use the machine, all costs grow alike.
fn prose_now(settings: &InspectSettings) -> Duration {
    let sample = Sample { layout: Layout::Whole, role: None, head: String::new(), piece: PROSE.to_owned() };
    sample.cost(MEGABYTE, 10, settings)
}

/// Prints what samples cost, and whether that is too much.
fn print(all: &[(Duration, Sample)]) {
    for (cost, sample) in all {
        println!("{cost:>9.2?} {} {sample}", if *cost > LIMIT { "OVER" } else { "    " });
    }
}

/// Measures what was ever found to be slow, and prints the slowest.
fn known(most: usize, settings: &InspectSettings) {
    let cost = |sample: Sample| (sample.cost(MEGABYTE, 5, settings), sample);
    let mut all: Vec<(Duration, Sample)> = search::known().into_iter().map(cost).collect();
    all.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    let over = all.iter().filter(|(cost, _)| *cost > LIMIT).count();
    let (count, prose) = (all.len(), prose_now(settings));
    println!(
        "\na megabyte of each of {count} slow texts: {over} take more than {LIMIT:?}; prose takes {prose:.2?} now"
    );
    all.truncate(most);
    print(&all);
}

fn main() {
    let settings = InspectSettings::default();
    let (mut rounds, mut seed, mut only) = (0, 7, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut next = || arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--search" => rounds = next().parse().unwrap_or(0),
            "--seed" => seed = next().parse().unwrap_or(seed),
            "--only" => only = Some(next()),
            "--repeat" | "--line" => {
                let line = match argument.as_str() {
                    "--line" => next(),
                    _ => {
                        let piece = next();
                        let role = Some(next()).filter(|role| !role.is_empty()).unwrap_or_else(|| "result".to_owned());
                        format!("whole\t{role}\t\t{piece}")
                    }
                };
                match Sample::parse(&line) {
                    Some(sample) => print(&[(sample.cost(MEGABYTE, 20, &settings), sample)]),
                    None => println!("not a sample: {line}"),
                }
                return;
            }
            other => {
                println!("unknown: {other}");
                return;
            }
        }
    }
    typical(only.as_deref(), &settings);
    if only.is_some() {
        return;
    }
    known(10, &settings);
    if rounds > 0 {
        let mut search = Search::new(seed, &settings);
        search.run(rounds);
        let worst = search.worst(20);
        println!("\nthe slowest after {rounds} rounds, seed {seed}; prose takes {:.2?} now", prose_now(&settings));
        print(&worst);
    }
}
