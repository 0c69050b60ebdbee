//! Instructions that are spread over the tools of a server, each part harmless alone.
//!
//! Two kinds of evidence: parts that say that they are parts (a step, a continuation, what another tool left) and that
//! together fetch something secret and carry it away; and rules that match only where the end of one description is
//! read on into the beginning of the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::walk::Path;
use super::{ItemScan, Scanner, Server};
use crate::finding::{Evidence, Finding, Item, bounded_name};
use crate::role::Role;
use crate::rules::{Concepts, Detector};
use thoth_text::Text;

/// How much of the end and of the beginning of a description is read on.
const SEAM: usize = 160;

/// How many pairs of descriptions are read where their order is not known: all of some five hundred tools.
const MOST_PAIRS: usize = 1 << 18;

/// What is known of the order of tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// They stand as the client gets them.
    Listed,
    /// Any may have come after any other.
    Unknown,
}

/// Reads the descriptions of a server's tools together.
pub(super) fn scan(scanner: &Scanner, server: &Server<'_>, order: Order) -> Vec<Finding> {
    if server.tools.len() < 2 {
        return Vec::new();
    }
    let text = |tool: &thoth_types::json::Value<'_>, key: &str| {
        tool.get(key).and_then(|value| value.as_str()).unwrap_or_default().into_owned()
    };
    let tools: Vec<(String, String)> =
        server.tools.iter().map(|tool| (text(tool, "name"), text(tool, "description"))).collect();
    let mut findings = parts(scanner, &tools, order);
    findings.extend(seams(scanner, &tools, order));
    findings
}

fn report(scanner: &Scanner, name: &str, message: String, evidence: Evidence) -> Vec<Finding> {
    let mut scan = ItemScan::new(scanner, Item::Tool, bounded_name(name));
    let root = Path::root();
    scan.detected(Detector::SplitPoisoning, None, &root.key("description"), message, evidence);
    scan.finish()
}

/// Tools that call themselves parts of something and together take and carry away.
fn parts(scanner: &Scanner, tools: &[(String, String)], order: Order) -> Vec<Finding> {
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
    let (mut takes, mut carries, mut sends) = (BTreeSet::<&str>::new(), BTreeSet::new(), BTreeSet::new());
    let other = |names: &BTreeSet<&'_ str>, name: &str| names.iter().find(|one| **one != name).map(ToString::to_string);
    for (name, description) in tools {
        let name = name.as_str();
        let mut matched = Vec::new();
        let text = Text::read(description);
        let said =
            scanner.rules().evaluate(&text, Role::Description, &Concepts::default(), &mut scan.scratch, &mut matched);
        if !said.contains(part) {
            continue;
        }
        if [path, secret, talk].iter().any(|concept| said.contains(*concept)) {
            takes.insert(name);
        }
        if [external, address].iter().any(|concept| said.contains(*concept)) {
            carries.insert(name);
        } else if said.contains(send) && (order == Order::Unknown || other(&takes, name).is_some()) {
            sends.insert(name);
        }
    }
    // What is sent was taken before.
    carries.extend(sends.into_iter().filter(|name| other(&takes, name).is_some()));
    // All are told: two of them may be there to hide the others, and a list that comes in pages shows one before anybody
    // knows the other.
    let all: BTreeSet<&str> = takes.union(&carries).copied().collect();
    let told = all.into_iter().filter_map(|name| {
        let carrier = takes.contains(name).then(|| other(&carries, name)).flatten();
        let (message, evidence) = match carrier {
            Some(carrier) => (format!("`{name}` takes what `{carrier}` carries away"), carrier),
            None if carries.contains(name) => {
                let taker = other(&takes, name)?;
                (format!("`{taker}` takes what `{name}` carries away"), taker)
            }
            None => return None,
        };
        Some(report(scanner, name, format!("is one part of a whole: {message}"), Evidence::plain(&evidence)))
    });
    told.flatten().collect()
}

/// The end of a description that does not end with its sentence.
fn broken_off(description: &str) -> Option<&str> {
    let text = description.trim_end();
    let ends = text.is_empty() || text.ends_with(['.', '!', '?', ':', ')', '"', '\'', '`', '>', '}', ']', '。']);
    if ends { None } else { text.get(text.ceil_char_boundary(text.len().saturating_sub(SEAM))..) }
}

/// The beginning of a description that does not begin its own sentence.
fn going_on(description: &str) -> Option<&str> {
    let goes_on = description.trim_start().chars().next().is_some_and(char::is_lowercase);
    if goes_on { description.get(..description.floor_char_boundary(SEAM)) } else { None }
}

/// Reads texts by all rules.
struct Reader<'s> {
    scanner: &'s Scanner,
    scan: ItemScan<'s>,
    /// What is found in texts that were read before.
    known: HashMap<String, BTreeSet<Arc<str>>>,
}

impl Reader<'_> {
    fn read(&mut self, text: &str) -> BTreeSet<Arc<str>> {
        let mut matched = Vec::new();
        let (text, topic) = (Text::read(text), Concepts::default());
        self.scanner.rules().evaluate(&text, Role::Description, &topic, &mut self.scan.scratch, &mut matched);
        matched.iter().filter(|found| !found.mentioned).map(|found| Arc::clone(&found.rule.id)).collect()
    }

    /// The rule that matches only where one is read on into the other.
    fn across(&mut self, tail: &str, head: &str) -> Option<Arc<str>> {
        let mut both = self.read(&format!("{tail} {head}"));
        for alone in [tail, head] {
            if both.is_empty() {
                break;
            }
            if !self.known.contains_key(alone) {
                let found = self.read(alone);
                self.known.insert(alone.to_owned(), found);
            }
            if let Some(found) = self.known.get(alone) {
                both.retain(|rule| !found.contains(rule));
            }
        }
        both.pop_first()
    }
}

/// Rules that match only over the seam between two descriptions of which one is cut off.
fn seams(scanner: &Scanner, tools: &[(String, String)], order: Order) -> Vec<Finding> {
    let scan = ItemScan::new(scanner, Item::Tool, String::new());
    let mut reader = Reader { scanner, scan, known: HashMap::new() };
    let mut findings = Vec::new();
    let mut tell = |(before, tail): (&str, &str), (name, head): (&str, &str)| {
        let Some(rule) = reader.across(tail, head) else { return false };
        let message = format!("goes on where `{before}` breaks off, and together they match `{rule}`");
        findings.extend(report(scanner, name, message, Evidence::plain(&format!("{tail} {head}"))));
        true
    };
    if order == Order::Listed {
        for pair in tools.windows(2) {
            let [(before, cut), (name, description)] = pair else { continue };
            if let (Some(tail), Some(head)) = (broken_off(cut), going_on(description)) {
                tell((before, tail), (name, head));
            }
        }
        return findings;
    }
    // Those that end alike are read once.
    let mut tails: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, description) in tools {
        if let Some(tail) = broken_off(description) {
            tails.entry(tail).or_default().push(name);
        }
    }
    let mut left = MOST_PAIRS;
    for (name, description) in tools {
        let Some(head) = going_on(description) else { continue };
        for (tail, of) in tails.iter().take(left) {
            let Some(before) = of.iter().find(|before| **before != name) else { continue };
            left = left.saturating_sub(1);
            // One is enough to look at it.
            if tell((before, tail), (name, head)) {
                break;
            }
        }
    }
    findings
}
