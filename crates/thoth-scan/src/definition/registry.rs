//! How the tools of several servers relate: names that look alike, and tools that talk about each other.

use std::collections::{HashMap, HashSet};

use aho_corasick::{AhoCorasick, MatchKind};

use super::similar::{containment, similarity, words};
use super::walk::Path;
use super::{ItemScan, Scanner, Server};
use crate::finding::{Evidence, Finding, Item};
use crate::look_alike::{LookAlikes, skeleton};
use crate::rules::Detector;
use crate::threat::Severity;

/// Descriptions that share at least this much say the same.
const SAME: f64 = 0.6;
/// Names shorter than this are words that anybody would use.
const SHORTEST_REFERENCE: usize = 5;

struct Tool {
    server: usize,
    name: String,
    description: String,
    words: HashSet<String>,
}

/// Compares the tools of all servers with each other.
pub(super) fn scan(scanner: &Scanner, servers: &[Server<'_>]) -> Vec<Finding> {
    let mut tools = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        for tool in server.tools.iter().take(scanner.limits.max_items) {
            let text = |key: &str| tool.get(key).and_then(|value| value.as_str()).unwrap_or_default().into_owned();
            let description = text("description");
            let words = words(&description);
            tools.push(Tool { server: index, name: text("name"), description, words });
        }
    }
    if servers.len() < 2 {
        return Vec::new();
    }
    let mut findings = names(scanner, servers, &tools);
    findings.extend(references(scanner, servers, &tools));
    findings
}

fn finish(scan: ItemScan<'_>, server: &Server<'_>) -> impl Iterator<Item = Finding> {
    let name = server.name.to_owned();
    scan.finish().into_iter().map(move |finding| Finding { server: Some(name.clone()), ..finding })
}

/// The same name or a look-alike, on another server.
fn names(scanner: &Scanner, servers: &[Server<'_>], tools: &[Tool]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut index = LookAlikes::default();
    for (at, tool) in tools.iter().enumerate() {
        index.insert(&tool.name, at);
    }
    let root = Path::root();
    let path = root.key("name");
    for (at, tool) in tools.iter().enumerate() {
        let Some(server) = servers.get(tool.server) else { continue };
        let mut scan = ItemScan::new(scanner, Item::Tool, tool.name.clone());
        let mut told = HashSet::new();
        for near in index.near(&tool.name) {
            let Some(other) = tools.get(near.id).filter(|other| near.id != at && other.server != tool.server) else {
                continue;
            };
            if !told.insert((other.server, near.id)) || told.len() > 8 {
                continue;
            }
            let theirs = servers.get(other.server).map_or("", |server| server.name);
            let alike = similarity(&tool.words, &other.words).max(containment(&tool.words, &other.words) * 0.8);
            let evidence = Evidence { raw: tool.name.clone(), normalised: other.name.clone(), encoding: None };
            if near.distance == 0 && tool.name == other.name {
                if alike >= SAME {
                    let message =
                        format!("has the name and nearly the description of `{}` of the server `{theirs}`", other.name);
                    scan.detected(Detector::Impersonation, Some(Severity::Warning), &path, message, evidence);
                }
            } else if near.distance == 0 && skeleton(&tool.name) != tool.name.to_lowercase() {
                let message =
                    format!("looks like `{}` of the server `{theirs}` and is written with other letters", other.name);
                scan.detected(Detector::LookAlikeName, Some(Severity::Critical), &path, message, evidence);
            } else if alike >= SAME {
                let message = format!(
                    "is nearly called `{}` as a tool of the server `{theirs}`, and says nearly the same",
                    other.name
                );
                scan.detected(Detector::LookAlikeName, None, &path, message, evidence);
            }
        }
        findings.extend(finish(scan, server));
    }
    findings
}

/// A description that names a tool of another server and says what to do about it.
fn references(scanner: &Scanner, servers: &[Server<'_>], tools: &[Tool]) -> Vec<Finding> {
    let mut owners: HashMap<String, HashSet<usize>> = HashMap::new();
    for tool in tools {
        owners.entry(tool.name.to_lowercase()).or_default().insert(tool.server);
    }
    let mut names: Vec<&String> = owners.keys().filter(|name| name.len() >= SHORTEST_REFERENCE).collect();
    names.sort();
    let built =
        AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(&names);
    let Ok(automaton) = built else { return Vec::new() };
    let root = Path::root();
    let path = root.key("description");
    let mut findings = Vec::new();
    for tool in tools {
        let Some(server) = servers.get(tool.server) else { continue };
        let mut scan = ItemScan::new(scanner, Item::Tool, tool.name.clone());
        let mut told = HashSet::new();
        for found in automaton.find_iter(&tool.description) {
            let Some(name) = names.get(found.pattern().as_usize()) else { continue };
            let foreign = owners.get(*name).is_some_and(|owners| !owners.contains(&tool.server));
            if !foreign || !stands_alone(&tool.description, found.range()) || !told.insert(*name) {
                continue;
            }
            // A name that is one plain word is a word.
            let identifier = name.contains(['_', '-', '.'])
                || tool
                    .description
                    .get(found.range())
                    .is_some_and(|text| text.chars().any(char::is_uppercase) && text.chars().any(char::is_lowercase));
            if !identifier {
                continue;
            }
            let message = format!("gives directions about `{name}`, a tool of another server");
            let evidence = Evidence::plain(around(&tool.description, found.range()));
            scan.detected_at(Detector::CrossServerReference, None, &path, found.range(), message, evidence);
        }
        findings.extend(finish(scan, server));
    }
    findings
}

fn stands_alone(text: &str, range: std::ops::Range<usize>) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.get(..range.start).and_then(|text| text.chars().next_back());
    let after = text.get(range.end..).and_then(|text| text.chars().next());
    !before.is_some_and(joins) && !after.is_some_and(joins)
}

/// The text around a place, for people.
fn around(text: &str, range: std::ops::Range<usize>) -> &str {
    let start = text.floor_char_boundary(range.start.saturating_sub(60));
    let end = text.ceil_char_boundary((range.end + 60).min(text.len()));
    text.get(start..end).unwrap_or(text)
}
