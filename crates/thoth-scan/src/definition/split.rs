//! Instructions that are spread over the tools of a server, each part harmless alone.
//!
//! Two kinds of evidence: parts that say that they are parts (a step, a continuation, what another tool left) and that
//! together fetch something secret and carry it away; and rules that match only where the end of one description is
//! read on into the beginning of the next.

use std::collections::BTreeSet;

use super::walk::Path;
use super::{ItemScan, Scanner, Server};
use crate::finding::{Evidence, Finding, Item, bounded};
use crate::role::Role;
use crate::rules::{Concepts, Detector};
use thoth_text::Text;

/// How much of the end and of the beginning of a description is read on.
const SEAM: usize = 160;

/// Reads the descriptions of a server's tools together.
pub(super) fn scan(scanner: &Scanner, server: &Server<'_>) -> Vec<Finding> {
    if server.tools.len() < 2 {
        return Vec::new();
    }
    let text = |tool: &thoth_types::json::Value<'_>, key: &str| {
        tool.get(key).and_then(|value| value.as_str()).unwrap_or_default().into_owned()
    };
    let tools: Vec<(String, String)> =
        server.tools.iter().map(|tool| (text(tool, "name"), text(tool, "description"))).collect();
    let mut findings = parts(scanner, &tools);
    findings.extend(seams(scanner, &tools));
    findings
}

fn report(scanner: &Scanner, name: &str, message: String, evidence: Evidence) -> Vec<Finding> {
    let mut scan = ItemScan::new(scanner, Item::Tool, bounded(name));
    let root = Path::root();
    scan.detected(Detector::SplitPoisoning, None, &root.key("description"), message, evidence);
    scan.finish()
}

/// Tools that call themselves parts of something and together take and carry away.
fn parts(scanner: &Scanner, tools: &[(String, String)]) -> Vec<Finding> {
    let named = |name: &str| scanner.rules().concept(name);
    let (Some(part), Some(path), Some(secret), Some(talk), Some(send), Some(external), Some(address)) = (
        named("part_of"),
        named("secret_path"),
        named("secret"),
        named("conversation"),
        named("send"),
        named("external"),
        named("address"),
    ) else {
        return Vec::new();
    };
    let mut scan = ItemScan::new(scanner, Item::Tool, String::new());
    let (mut takes, mut carries): (Option<&str>, Option<&str>) = (None, None);
    let mut together = 0;
    for (name, description) in tools {
        let mut matched = Vec::new();
        let text = Text::read(description);
        let said =
            scanner.rules().evaluate(&text, Role::Description, &Concepts::default(), &mut scan.scratch, &mut matched);
        if !said.contains(part) {
            continue;
        }
        together += 1;
        if [path, secret, talk].iter().any(|concept| said.contains(*concept)) {
            takes = takes.or(Some(name));
        }
        if [external, address].iter().any(|concept| said.contains(*concept))
            || (said.contains(send) && takes.is_some_and(|taker| taker != name))
        {
            carries = carries.or(Some(name));
        }
    }
    match (takes, carries) {
        (Some(takes), Some(carries)) if together > 1 && takes != carries => {
            let message = format!("is one part of a whole: `{takes}` takes what `{carries}` carries away");
            // Both are told: a list that comes in pages shows one of them before anybody knows the other.
            let mut findings = report(scanner, takes, message.clone(), Evidence::plain(carries));
            findings.extend(report(scanner, carries, message, Evidence::plain(takes)));
            findings
        }
        _ => Vec::new(),
    }
}

/// Rules that match only over the seam between two descriptions of which one is cut off.
fn seams(scanner: &Scanner, tools: &[(String, String)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut scan = ItemScan::new(scanner, Item::Tool, String::new());
    for pair in tools.windows(2) {
        let [(_, before), (name, after)] = pair else { continue };
        let before = before.trim_end();
        // A description that ends with its sentence is not read on, nor into one that begins its own.
        let goes_on = after.trim_start().chars().next().is_some_and(char::is_lowercase);
        if before.is_empty()
            || !goes_on
            || before.ends_with(['.', '!', '?', ':', ')', '"', '\'', '`', '>', '}', ']', '。'])
        {
            continue;
        }
        let tail = before.get(before.ceil_char_boundary(before.len().saturating_sub(SEAM))..).unwrap_or_default();
        let head = after.get(..after.floor_char_boundary(SEAM)).unwrap_or_default();
        let joined = format!("{tail} {head}");
        let mut of = |text: &str| -> BTreeSet<String> {
            let mut matched = Vec::new();
            scanner.rules().evaluate(
                &Text::read(text),
                Role::Description,
                &Concepts::default(),
                &mut scan.scratch,
                &mut matched,
            );
            matched.iter().filter(|found| !found.mentioned).map(|found| found.rule.id.to_string()).collect()
        };
        let alone: BTreeSet<String> = of(tail).union(&of(head)).cloned().collect();
        if let Some(rule) = of(&joined).difference(&alone).next() {
            let message = format!("goes on where the tool before it breaks off, and together they match `{rule}`");
            findings.extend(report(scanner, name, message, Evidence::plain(&joined)));
        }
    }
    findings
}
