//! How the tools of several servers relate: names that look alike, and tools that talk about each other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::kept::Kept;
use super::similar::{Overlap, words, words_of_name};
use super::walk::Path;
use super::{ItemScan, Scanner, Server};
use crate::finding::{Evidence, Finding, Item, bounded};
use crate::look_alike::{LookAlikes, skeleton};
use crate::rules::Detector;
use crate::threat::Severity;

/// Descriptions with fewer words in common than this say too little to be copies.
const FEWEST_SHARED: usize = 3;
/// Two authors arrive at the same few words by chance; tools whose names have nothing in common are copies of each other
/// only when at least this many words are the same.
const FEWEST_TELLING: usize = 5;
/// How many likenesses of one tool are told.
const MOST_TOLD: usize = 8;
/// How many tools of other servers one tool is held against, those that are most like it first.
const MOST_JUDGED: usize = 32;
/// Names shorter than this are words that anybody would use.
const SHORTEST_REFERENCE: usize = 5;

struct Tool {
    server: usize,
    name: String,
    description: String,
    words: HashSet<String>,
    name_words: HashSet<String>,
}

/// Compares the tools of all servers with each other: what is found, and of which server.
pub(super) fn scan(scanner: &Scanner, servers: &[Server<'_>]) -> Vec<(usize, Finding)> {
    let mut tools = Vec::new();
    for (index, server) in servers.iter().enumerate() {
        for tool in server.tools.iter().take(scanner.limits.max_items) {
            let text = |key: &str| tool.get(key).and_then(|value| value.as_str()).unwrap_or_default().into_owned();
            let description = text("description");
            let words = words(&description);
            let name = text("name");
            let name_words = words_of_name(&name);
            tools.push(Tool { server: index, name, description, words, name_words });
        }
    }
    if servers.len() < 2 {
        return Vec::new();
    }
    let mut findings = names(scanner, servers, &tools);
    findings.extend(references(scanner, servers, &tools));
    findings
}

fn finish(scan: ItemScan<'_>, at: usize, server: &Server<'_>) -> impl Iterator<Item = (usize, Finding)> {
    let name = server.name.to_owned();
    scan.finish().into_iter().map(move |finding| (at, Finding { server: Some(name.clone()), ..finding }))
}

/// Who may be taken for a tool: names that look alike, names that share their words, and descriptions of the same words.
struct Neighbours {
    alike: LookAlikes,
    by_word: HashMap<String, Filed>,
    by_description: HashMap<u64, Filed>,
    /// Which of all tools are those of each server.
    own: Vec<Range<usize>>,
}

/// The tools that have something in common: of each server only so many, so that none fills the place of another's.
#[derive(Default)]
struct Filed {
    tools: Vec<usize>,
    server: usize,
    of_server: usize,
}

impl Filed {
    /// Files a tool. Those of one server come in a row.
    fn add(&mut self, at: usize, server: usize) {
        if self.server != server {
            (self.server, self.of_server) = (server, 0);
        }
        if self.of_server < MOST_PER_WORD {
            self.of_server += 1;
            self.tools.push(at);
        }
    }
}

/// Words of names by which nothing is told apart.
const COMMON_WORDS: &[&str] = &[
    "get", "list", "create", "update", "delete", "set", "add", "remove", "tool", "the", "all", "by", "info", "new",
    "my",
];
/// A word that more tools of one server than this have in their names tells little.
const MOST_PER_WORD: usize = 64;

impl Neighbours {
    fn of(tools: &[Tool], servers: usize) -> Self {
        let alike = LookAlikes::of(tools.iter().map(|tool| tool.name.as_str()));
        let mut by_word: HashMap<String, Filed> = HashMap::new();
        for (at, tool) in tools.iter().enumerate() {
            for word in tool.name_words.iter().filter(|word| !COMMON_WORDS.contains(&word.as_str())) {
                by_word.entry(word.clone()).or_default().add(at, tool.server);
            }
        }
        let mut by_description: HashMap<u64, Filed> = HashMap::new();
        for (at, tool) in tools.iter().enumerate().filter(|(_, tool)| tool.words.len() >= FEWEST_TELLING) {
            by_description.entry(digest(&tool.words)).or_default().add(at, tool.server);
        }
        let edge = |server: usize| tools.partition_point(|tool| tool.server < server);
        let own = (0..servers).map(|server| edge(server)..edge(server + 1)).collect();
        Self { alike, by_word, by_description, own }
    }

    /// The tools of other servers that may be taken for this one, each once, those that are most like it first; those with
    /// names that look alike with how many characters differ.
    fn of_tool(&self, tool: &Tool, tools: &[Tool]) -> Vec<(usize, Option<usize>)> {
        let own = self.own.get(tool.server).cloned().unwrap_or_default();
        let mut alike = self.alike.near_outside(&tool.name, own.clone());
        alike.sort_by_key(|near| near.distance);
        let alike: Vec<(usize, Option<usize>)> = alike.into_iter().map(|near| (near.id, Some(near.distance))).collect();
        let by_description = self.by_description(tool, tools).into_iter().map(|id| (id, None));
        let by_words = self.by_words(tool, tools).into_iter().map(|id| (id, None));
        let mut known = HashSet::new();
        let all = alike.into_iter().chain(by_description).chain(by_words);
        all.filter(|(id, _)| !own.contains(id) && known.insert(*id)).collect()
    }

    /// The tools that are described in the very same words, whatever they are called.
    fn by_description(&self, tool: &Tool, tools: &[Tool]) -> Vec<usize> {
        let filed = self.by_description.get(&digest(&tool.words)).map(|filed| &*filed.tools).unwrap_or_default();
        let same = |at: &&usize| tools.get(**at).is_some_and(|other| other.words == tool.words);
        filed.iter().filter(same).copied().collect()
    }

    /// The tools that share most words of their names with this one.
    fn by_words(&self, tool: &Tool, tools: &[Tool]) -> Vec<usize> {
        let filed = tool.name_words.iter().filter_map(|word| self.by_word.get(word)).flat_map(|filed| &filed.tools);
        let found: BTreeSet<usize> = filed.copied().collect();
        let shares = |at: &usize| {
            tools.get(*at).is_some_and(|other| Overlap::of(&tool.name_words, &other.name_words).of_all(60))
        };
        found.into_iter().filter(shares).collect()
    }
}

/// The same name or a look-alike, on another server.
fn names(scanner: &Scanner, servers: &[Server<'_>], tools: &[Tool]) -> Vec<(usize, Finding)> {
    let mut findings = Vec::new();
    let neighbours = Neighbours::of(tools, servers.len());
    let root = Path::root();
    let path = root.key("name");
    for tool in tools {
        let Some(server) = servers.get(tool.server) else { continue };
        let mut scan = ItemScan::new(scanner, Item::Tool, tool.name.clone());
        scan.kept = Kept::new(MOST_TOLD);
        let near = neighbours.of_tool(tool, tools);
        for (id, distance) in near.iter().take(MOST_JUDGED) {
            let Some(other) = tools.get(*id) else { continue };
            let theirs = servers.get(other.server).map_or("", |server| server.name);
            if let Some((detector, severity, message)) = judge(tool, other, *distance, theirs) {
                let evidence = Evidence { raw: bounded(&tool.name), normalised: bounded(&other.name), encoding: None };
                scan.detected(detector, severity, &path, message, evidence);
            }
        }
        if near.len() > MOST_JUDGED {
            // Where so many servers have such a tool, that is no sign of anything by itself.
            let message = format!("may be like {} tools of other servers; {MOST_JUDGED} were compared", near.len());
            scan.detected(Detector::TooLarge, Some(Severity::Info), &path, message, Evidence::default());
        }
        findings.extend(finish(scan, tool.server, server));
    }
    findings
}

/// What one tool's likeness to a tool of another server means.
fn judge(
    tool: &Tool,
    other: &Tool,
    distance: Option<usize>,
    theirs: &str,
) -> Option<(Detector, Option<Severity>, String)> {
    let name = &other.name;
    if distance == Some(0) && tool.name != *name && skeleton(&tool.name) != tool.name.to_lowercase() {
        let message = format!("looks like `{name}` of the server `{theirs}` and is written with other letters");
        return Some((Detector::LookAlikeName, Some(Severity::Critical), message));
    }
    if distance == Some(1) && is_swapped(&tool.name, name) {
        let message = format!("is `{name}` of the server `{theirs}` with two letters swapped");
        return Some((Detector::LookAlikeName, None, message));
    }
    let overlap = Overlap::of(&tool.words, &other.words);
    // Names that share only their words need descriptions that are nearly the same.
    let enough = if distance.is_some() { 60 } else { 75 };
    if overlap.shared() < FEWEST_SHARED || !overlap.contained() || !overlap.of_all(enough) {
        return None;
    }
    let message = if tool.name == *name {
        format!("has the name and nearly the description of `{name}` of the server `{theirs}`")
    } else if distance.is_some() {
        format!("is nearly called `{name}` as a tool of the server `{theirs}`, and says nearly the same")
    } else {
        format!("is described as `{name}` of the server `{theirs}` is, under another name")
    };
    Some((Detector::Impersonation, None, message))
}

/// Whether two neighbouring letters within a word, and nothing else, tell the names apart: a slip, or meant to be read past.
fn is_swapped(one: &str, other: &str) -> bool {
    let differ = |(a, b): &(u8, u8)| !a.eq_ignore_ascii_case(b);
    let pairs: Vec<(u8, u8)> = one.bytes().zip(other.bytes()).collect();
    let Some(at) = pairs.iter().position(differ) else { return false };
    let same_length = one.len() == other.len() && pairs.iter().filter(|pair| differ(pair)).count() == 2;
    let swapped = matches!(pairs.get(at..at + 2), Some([(a, b), (c, d)]) if a.eq_ignore_ascii_case(d) && b.eq_ignore_ascii_case(c));
    let letters = pairs.get(at..at + 2).is_some_and(|two| two.iter().all(|(a, _)| a.is_ascii_alphabetic()));
    same_length && swapped && letters
}

/// One number for a set of words, whatever their order.
fn digest(words: &HashSet<String>) -> u64 {
    let one = |word: &String| {
        let mut hasher = DefaultHasher::new();
        word.hash(&mut hasher);
        hasher.finish()
    };
    words.iter().map(one).fold(0, u64::wrapping_add)
}

/// A description that names a tool of another server and says what to do about it.
fn references(scanner: &Scanner, servers: &[Server<'_>], tools: &[Tool]) -> Vec<(usize, Finding)> {
    let mut owners: HashMap<String, HashSet<usize>> = HashMap::new();
    for tool in tools.iter().filter(|tool| is_identifier(&tool.name)) {
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
            let message = format!("gives directions about `{name}`, a tool of another server");
            let evidence = Evidence::plain(around(&tool.description, found.range()));
            scan.detected_at(Detector::CrossServerReference, None, &path, found.range(), message, evidence);
        }
        findings.extend(finish(scan, tool.server, server));
    }
    findings
}

/// Whether a name could not be a word of a sentence.
fn is_identifier(name: &str) -> bool {
    name.contains(['_', '-', '.', '/'])
        || name.chars().zip(name.chars().skip(1)).any(|(a, b)| a.is_lowercase() && b.is_uppercase())
}

fn stands_alone(text: &str, range: Range<usize>) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.get(..range.start).and_then(|text| text.chars().next_back());
    let after = text.get(range.end..).and_then(|text| text.chars().next());
    !before.is_some_and(joins) && !after.is_some_and(joins)
}

/// The text around a place, for people.
fn around(text: &str, range: Range<usize>) -> &str {
    let start = text.floor_char_boundary(range.start.saturating_sub(60));
    let end = text.ceil_char_boundary((range.end + 60).min(text.len()));
    text.get(start..end).unwrap_or(text)
}
