//! Measures the definition scanner on labelled files: recall by surface, category and source, and false alarms.
//!
//! `cargo run --release -p thoth-scan --example eval -- --definitions FILE --real-tools FILE [--json] [--show missed|alarms|side-by-side]
//! [--sources A,B] [--rows]`

#![expect(clippy::print_stdout, reason = "printing the tables is what the example is for")]
#![expect(clippy::panic, reason = "a labelled file that cannot be read ends the measurement")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use thoth_scan::definition::{Scanner, Server};
use thoth_scan::finding::{Finding, worst};
use thoth_scan::threat::Severity;
use thoth_types::json::{Limits, Tape, Value};

/// One labelled definition, as JSON texts of its parts.
struct Row {
    id: String,
    source: String,
    category: String,
    surface: String,
    malicious: bool,
    server: String,
    tool: String,
    before: Option<String>,
    peers: Vec<(String, String)>,
}

fn raw(value: Option<Value<'_>>) -> Option<String> {
    value.filter(|value| !value.is_null()).map(|value| String::from_utf8_lossy(value.raw()).into_owned())
}

fn text(value: Option<Value<'_>>) -> String {
    value.and_then(|value| value.as_str()).unwrap_or_default().into_owned()
}

/// A tool's definition from the members of a row.
fn tool(row: Value<'_>, name: &str) -> String {
    let mut out = String::from("{\"name\":");
    out.push_str(&raw(row.get(name)).unwrap_or_else(|| "\"\"".to_owned()));
    for key in ["title", "description", "inputSchema", "outputSchema", "annotations", "icons", "_meta"] {
        if let Some(value) = raw(row.get(key)) {
            let _ = write!(out, ",\"{key}\":{value}");
        }
    }
    out.push('}');
    out
}

fn read(path: &str, default_surface: &str) -> Vec<Row> {
    let content = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut tape = Tape::new();
    let mut rows = Vec::new();
    for line in content.lines().filter(|line| !line.trim().is_empty()) {
        let row = tape.parse(line.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let peers = row
            .get("peers")
            .into_iter()
            .flat_map(|peers| peers.elements())
            .filter_map(|peer| Some((text(peer.get("server")), raw(peer.get("tool"))?)));
        let server = text(row.get("server"));
        let surface = text(row.get("surface"));
        // Only the fields that `before` has are compared: a row may leave out what did not change.
        let before = row
            .get("before")
            .map(|before| if before.get("tool").is_some() { tool(before, "tool") } else { tool(before, "name") });
        rows.push(Row {
            id: text(row.get("id")),
            source: text(row.get("source")),
            category: text(row.get("category")),
            surface: if surface.is_empty() { default_surface.to_owned() } else { surface },
            malicious: text(row.get("label")) == "malicious",
            server: if server.is_empty() { "this".to_owned() } else { server },
            tool: tool(row, "tool"),
            before,
            peers: peers.collect(),
        });
    }
    rows
}

fn scan(scanner: &Scanner, row: &Row) -> Vec<Finding> {
    let limits = Limits::default();
    let mut tapes: Vec<Tape> = row.peers.iter().map(|_| Tape::new()).collect();
    let mut tape = Tape::new();
    let tool = tape.parse(row.tool.as_bytes(), &limits).unwrap_or_else(|error| panic!("{}: {error}", row.id));
    let mut servers = vec![Server { name: &row.server, tools: vec![tool], ..Server::default() }];
    for ((server, peer), tape) in row.peers.iter().zip(&mut tapes) {
        let peer = tape.parse(peer.as_bytes(), &limits).unwrap_or_else(|error| panic!("{}: {error}", row.id));
        match servers.iter_mut().find(|known| known.name == server) {
            Some(known) => known.tools.push(peer),
            None => servers.push(Server { name: server, tools: vec![peer], ..Server::default() }),
        }
    }
    let mut findings: Vec<Finding> = scanner.scan_set(&servers);
    let own = servers.first().map_or("", |server| server.name);
    findings.retain(|finding| finding.server.as_deref() == Some(own));
    if let Some(before) = &row.before {
        let mut before_tape = Tape::new();
        let before =
            before_tape.parse(before.as_bytes(), &limits).unwrap_or_else(|error| panic!("{}: {error}", row.id));
        findings.extend(scanner.drift(before, tool));
    }
    findings
}

/// Alarms about honest servers, each with all its tools, all side by side as one client would have them.
fn side_by_side(scanner: &Scanner, rows: &[Row], show: bool) -> BTreeMap<String, Count> {
    let limits = Limits::default();
    let real: Vec<&Row> = rows.iter().filter(|row| row.surface == "real-tools").collect();
    let mut tapes: Vec<Tape> = real.iter().map(|_| Tape::new()).collect();
    let mut servers: Vec<Server<'_>> = Vec::new();
    for (row, tape) in real.iter().zip(&mut tapes) {
        let tool = tape.parse(row.tool.as_bytes(), &limits).unwrap_or_else(|error| panic!("{}: {error}", row.id));
        match servers.iter_mut().find(|known| known.name == row.server) {
            Some(known) => known.tools.push(tool),
            None => servers.push(Server { name: &row.server, tools: vec![tool], ..Server::default() }),
        }
    }
    let mut counts = BTreeMap::new();
    let mut flagged: BTreeMap<(Option<String>, String), Severity> = BTreeMap::new();
    for finding in scanner.scan_set(&servers).into_iter().filter(|finding| finding.severity >= Severity::Warning) {
        if show {
            println!(
                "## {}/{} {} {}",
                finding.server.as_deref().unwrap_or(""),
                finding.name,
                finding.rule,
                finding.message
            );
        }
        let worst = flagged.entry((finding.server, finding.name)).or_insert(Severity::Info);
        *worst = (*worst).max(finding.severity);
    }
    let count: &mut Count = counts.entry(format!("{} servers", servers.len())).or_default();
    (0..real.len().saturating_sub(flagged.len())).for_each(|_| count.add(None));
    flagged.into_values().for_each(|worst| count.add(Some(worst)));
    counts
}

#[derive(Default, Clone, Copy)]
struct Count {
    rows: u32,
    warned: u32,
    critical: u32,
}

impl Count {
    fn add(&mut self, worst: Option<Severity>) {
        self.rows += 1;
        self.warned += u32::from(worst >= Some(Severity::Warning));
        self.critical += u32::from(worst >= Some(Severity::Critical));
    }

    fn share(self, part: u32) -> f64 {
        if self.rows == 0 { 0.0 } else { f64::from(part) * 100.0 / f64::from(self.rows) }
    }
}

fn print(title: &str, counts: &BTreeMap<String, Count>) {
    println!("\n{title:<52} {:>6} {:>9} {:>9}", "rows", "warning+", "critical");
    for (name, count) in counts {
        println!(
            "{name:<52} {:>6} {:>8.1}% {:>8.1}%",
            count.rows,
            count.share(count.warned),
            count.share(count.critical)
        );
    }
}

fn json(tables: &[(&str, &BTreeMap<String, Count>)]) {
    let mut out = String::from("{");
    for (index, (title, counts)) in tables.iter().enumerate() {
        let _ = write!(out, "{}\"{title}\":{{", if index > 0 { "," } else { "" });
        for (number, (name, count)) in counts.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            let _ = write!(
                out,
                "{comma}\"{name}\":{{\"rows\":{},\"warning\":{},\"critical\":{}}}",
                count.rows, count.warned, count.critical
            );
        }
        out.push('}');
    }
    out.push('}');
    println!("{out}");
}

/// One row and what was found in it, for whoever counts in another way.
fn row_json(row: &Row, findings: &[Finding]) -> String {
    let found: Vec<_> =
        findings.iter().map(|finding| format!("[\"{}\",\"{}\"]", finding.rule, finding.severity)).collect();
    let (malicious, found) = (row.malicious, found.join(","));
    let Row { id, source, category, surface, .. } = row;
    format!(
        "{{\"id\":{id:?},\"source\":{source:?},\"category\":{category:?},\"surface\":{surface:?},\
         \"malicious\":{malicious},\"findings\":[{found}]}}"
    )
}

fn option(arguments: &[String], name: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == name)?;
    arguments.get(at + 1).cloned()
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let show = option(&arguments, "--show").unwrap_or_default();
    let only: Option<Vec<String>> =
        option(&arguments, "--sources").map(|list| list.split(',').map(str::to_owned).collect());
    let mut rows = Vec::new();
    if let Some(path) = option(&arguments, "--definitions") {
        rows.extend(read(&path, "metadata"));
    }
    if let Some(path) = option(&arguments, "--real-tools") {
        rows.extend(read(&path, "real-tools"));
    }
    if let Some(only) = &only {
        rows.retain(|row| only.contains(&row.source) || row.surface == "real-tools");
    }
    let each = arguments.iter().any(|argument| argument == "--rows");
    let scanner = Scanner::default();
    let (mut recall, mut sources, mut categories, mut alarms, mut rules) =
        (BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::<String, Count>::new());
    let start = Instant::now();
    for row in &rows {
        let findings = scan(&scanner, row);
        let worst = worst(&findings);
        let table: &mut BTreeMap<String, Count> = if row.malicious { &mut recall } else { &mut alarms };
        table.entry(row.surface.clone()).or_default().add(worst);
        if row.malicious && row.surface != "capability" {
            sources.entry(format!("{} / {}", row.surface, row.source)).or_insert_with(Count::default).add(worst);
            categories.entry(format!("{} / {}", row.surface, row.category)).or_insert_with(Count::default).add(worst);
        }
        if each {
            println!("{}", row_json(row, &findings));
            continue;
        }
        let label = if row.malicious { "malicious" } else { "benign" };
        let mut own: Vec<&str> = findings
            .iter()
            .filter(|finding| finding.severity >= Severity::Warning)
            .map(|finding| &*finding.rule)
            .collect();
        own.sort_unstable();
        own.dedup();
        for rule in own {
            let surface = if row.surface == "capability" { "capability" } else { label };
            rules.entry(format!("{rule} / {surface}")).or_default().add(worst);
        }
        let wanted = match show.as_str() {
            "missed" => row.malicious && row.surface != "capability" && worst < Some(Severity::Warning),
            "alarms" => !row.malicious && worst >= Some(Severity::Warning),
            _ => false,
        };
        if wanted {
            let tool: String = row.tool.chars().take(1500).collect();
            println!("## {} [{} {}] {tool}", row.id, row.surface, row.category);
            for peer in &row.peers {
                println!("   peer {} {}", peer.0, peer.1.chars().take(500).collect::<String>());
            }
            for finding in findings.iter().filter(|finding| finding.severity >= Severity::Warning) {
                println!(
                    "   -> {} {} {} {:?}",
                    finding.rule, finding.severity, finding.pointer, finding.evidence.normalised
                );
            }
        }
    }
    let spent = start.elapsed();
    if each {
        println!("{{\"rows\":{},\"milliseconds\":{:.3}}}", rows.len(), spent.as_secs_f64() * 1000.0);
        return;
    }
    let together = side_by_side(&scanner, &rows, show == "side-by-side");
    let tables: [(&str, &BTreeMap<String, Count>); 6] = [
        ("recall by surface", &recall),
        ("recall by source", &sources),
        ("recall by category", &categories),
        ("false alarms", &alarms),
        ("false alarms side by side", &together),
        ("rules", &rules),
    ];
    if arguments.iter().any(|argument| argument == "--json") {
        json(&tables);
    } else {
        for (title, counts) in tables {
            print(title, counts);
        }
        println!("\n{} rows in {:.1} ms", rows.len(), spent.as_secs_f64() * 1000.0);
    }
}
