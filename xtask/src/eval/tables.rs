//! The measured as Markdown tables, which people read as they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Measured;
use super::rows::{Count, EXPECTED, Rows};

/// All tables.
pub(super) fn all(measured: &Measured) -> String {
    let mut text = String::new();
    if let Some(rows) = &measured.rows {
        definitions(rows, measured.side_by_side.as_ref(), &mut text);
        if let Some(measured) = &measured.cost {
            cost(measured, &mut text);
        }
        text.push_str(measured.peers.as_deref().unwrap_or_default());
    }
    for set in &measured.inspected {
        inspected(set, &mut text);
    }
    text.trim_end().to_owned()
}

fn definitions(rows: &Rows, side_by_side: Option<&Value>, text: &mut String) {
    let recall = rows.count(|row| row.malicious.then(|| row.surface.clone()));
    heading("Found in definitions, by where the attack can be seen", "surface", text);
    let order =
        EXPECTED.iter().copied().chain(recall.keys().map(String::as_str).filter(|name| !EXPECTED.contains(name)));
    for name in order {
        if let Some(count) = recall.get(name) {
            line(name, *count, text);
        }
    }
    let categories = rows.count(|row| {
        let is_expected = row.malicious && EXPECTED.contains(&row.surface.as_str());
        is_expected.then(|| format!("{} / {}", row.surface, row.category))
    });
    table("By kind of attack", "surface / kind", &categories, text);

    let mut alarms = rows.count(|row| (!row.malicious).then(|| row.surface.clone()));
    for (name, count) in side_by_side.and_then(Value::as_object).into_iter().flatten() {
        let number =
            |key: &str| count.get(key).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let count = Count { rows: number("rows"), warning: number("warning"), critical: number("critical") };
        alarms.insert(format!("real-tools, all {name} side by side"), count);
    }
    table("False alarms", "honest definitions", &alarms, text);
    left_out(rows, text);
    let tools = f64::from(u32::try_from(rows.list.len()).unwrap_or(u32::MAX));
    if tools > 0.0 {
        let each = rows.milliseconds * 1000.0 / tools;
        text.push_str(&format!("Time: {each:.0} µs for a row, with its peers and with reading it, in one thread.\n\n"));
    }
}

/// What a scan costs, as `scan_cost` measured it, beside what it may.
fn cost(measured: &Value, text: &mut String) {
    const ROWS: [(&str, &str, &str, u32); 4] = [
        ("a tool of 1 kB", "tool_1k_us", "µs", 20),
        ("a tool of 10 kB", "tool_10k_us", "µs", 150),
        ("a look-alike among 5,000 names", "look_alike_us", "µs", 10),
        ("the slowest megabyte that a search finds", "worst_1mb_ms", "ms", 20),
    ];
    text.push_str("### What a scan costs\n\n| what | best of many rounds, one thread | at most |\n|---|---:|---:|\n");
    for (what, key, unit, most) in ROWS {
        let shown = measured
            .get(key)
            .and_then(Value::as_f64)
            .map_or_else(|| "?".to_owned(), |cost| format!("{cost:.1} {unit}"));
        text.push_str(&format!("| {what} | {shown} | {most} {unit} |\n"));
    }
    text.push('\n');
}

fn left_out(rows: &Rows, text: &mut String) {
    let counts = rows.left_out();
    text.push_str("### Each source left out\n\n");
    text.push_str(
        "| surface / source | rows | all rules | rules that another source supports |\n|---|---:|---:|---:|\n",
    );
    let mut totals: BTreeMap<&str, (Count, Count)> = BTreeMap::new();
    for ((surface, source), (all, rest)) in &counts {
        text.push_str(&format!(
            "| {surface} / {source} | {} | {} | {} |\n",
            all.rows,
            share(all.warning, all.rows),
            share(rest.warning, rest.rows),
        ));
        let (total_all, total_rest) = totals.entry(surface).or_default();
        for (total, count) in [(total_all, all), (total_rest, rest)] {
            total.rows += count.rows;
            total.warning += count.warning;
            total.critical += count.critical;
        }
    }
    for (surface, (all, rest)) in &totals {
        text.push_str(&format!(
            "| **{surface}, all sources** | {} | {} | {} |\n",
            all.rows,
            share(all.warning, all.rows),
            share(rest.warning, rest.rows),
        ));
    }
    text.push('\n');
    for surface in EXPECTED {
        let of_surface = counts.iter().filter(|((own, _), _)| own == surface);
        // In millionths, as floating point numbers have no order.
        let worst = of_surface.min_by_key(|(_, (_, rest))| {
            (u64::from(rest.warning) * 1_000_000).checked_div(u64::from(rest.rows)).unwrap_or_default()
        });
        if let Some(((_, source), (_, rest))) = worst {
            let found = share(rest.warning, rest.rows);
            text.push_str(&format!("Worst left-out source, {surface}: {source}, {found} of {} rows.\n", rest.rows));
        }
    }
    text.push('\n');
}

fn inspected(set: &Value, text: &mut String) {
    let name = set.get("set").and_then(Value::as_str).unwrap_or("?");
    let pair = |value: Option<&Value>| {
        let number = |at: usize| value.and_then(|pair| pair.get(at)).and_then(Value::as_u64).unwrap_or_default();
        (u32::try_from(number(0)).unwrap_or(u32::MAX), u32::try_from(number(1)).unwrap_or(u32::MAX))
    };
    text.push_str(&format!("### Inspection of {name}\n\n| rows | all | found | share |\n|---|---:|---:|---:|\n"));
    let mut row = |name: &str, (found, all): (u32, u32)| {
        text.push_str(&format!("| {name} | {all} | {found} | {} |\n", share(found, all)));
    };
    row("malicious", pair(set.get("malicious")));
    row("benign", pair(set.get("benign")));
    for (group, counts) in set.get("groups").and_then(Value::as_object).into_iter().flatten() {
        if !group.contains("position") {
            row(group, pair(Some(counts)));
        }
    }
    text.push('\n');
}

fn table(title: &str, first: &str, counts: &BTreeMap<String, Count>, text: &mut String) {
    if counts.is_empty() {
        return;
    }
    text.push('\n');
    heading(title, first, text);
    counts.iter().for_each(|(name, count)| line(name, *count, text));
    text.push('\n');
}

fn heading(title: &str, first: &str, text: &mut String) {
    text.push_str(&format!("### {title}\n\n| {first} | rows | warning or worse | critical |\n|---|---:|---:|---:|\n"));
}

fn line(name: &str, count: Count, text: &mut String) {
    let Count { rows, warning, critical } = count;
    text.push_str(&format!(
        "| {name} | {rows} | {warning} ({}) | {critical} ({}) |\n",
        share(warning, rows),
        share(critical, rows)
    ));
}

/// A share in percent.
fn share(part: u32, of: u32) -> String {
    if of == 0 { "-".to_owned() } else { format!("{:.1} %", f64::from(part) * 100.0 / f64::from(of)) }
}
