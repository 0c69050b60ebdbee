//! The walk over a document: every key, string and long number once, each under the detectors of its direction.

mod crowd;
mod crowds;
mod quota;
mod roles;

use std::borrow::Cow;
use std::ops::Range;

use thoth_text::{Limits, Survey, Text};
use thoth_types::json::{self, Kind, Tape, Value, WalkPath, to_raw};

use super::argument_role::{Role, Tool, declared};
use super::detection::{Action, Class, Detection, Direction, Incomplete, Inspection};
use super::effort::{self, Effort};
use super::leaf::{Hit, Leaf, LeafKind, drop_covered};
use super::settings::InspectSettings;
use super::{abuse, hidden, injection, mark, personal, preview, secret};

use crowds::Crowds;
use quota::Quota;
pub(super) use quota::is_unjudged;
use roles::Roles;

/// How much of what is encoded in a text is decoded: all, as long as it is not in tiny pieces. What is read costs effort
/// besides; where more is encoded, the document is not read to its end.
const fn limits(text: &str) -> Limits {
    const LEAST: usize = 1 << 20;
    Limits { max_depth: 3, max_decoded: if text.len() > LEAST { text.len() } else { LEAST }, least_charge: 48 }
}

/// The shortest key that could carry more than a name.
const MIN_KEY: usize = 16;
/// The shortest key that could be a number of somebody, and how many digits it has.
const MIN_NUMBER_KEY: usize = 9;
const MIN_KEY_DIGITS: usize = 8;
/// The shortest number that could be a card.
const MIN_NUMBER: usize = 13;

/// Up to which length of the name a role is kept.
const MAX_NAME: usize = 64;
/// How many names of one document are asked for their role. No call that people make has as many.
const MAX_NAMES: usize = 4096;

/// One inspection under way.
pub(super) struct Walk<'s> {
    direction: Direction,
    tool: Tool,
    settings: &'s InspectSettings,
    /// Where the walk stands.
    path: WalkPath,
    hits: Vec<Hit>,
    /// What strings that are JSON are read into.
    spare: Tape,
    /// The roles of the names that were met: the items of a list have the same.
    roles: Roles,
    /// How many more names are asked for their role.
    new_roles: usize,
    quota: Quota,
    effort: Effort,
    /// How many values are still read alone.
    alone: usize,
    /// The values that are not.
    crowds: Crowds,
    found: Vec<Detection>,
    incomplete: Option<Incomplete>,
}

/// The document that is walked: the bytes, and where they begin.
#[derive(Clone, Copy)]
struct Source<'d> {
    bytes: &'d [u8],
    start: usize,
}

impl<'d> Source<'d> {
    fn of(root: Value<'d>) -> Self {
        Self { bytes: root.raw(), start: root.span().start }
    }

    fn get(self, span: Range<usize>) -> &'d [u8] {
        let range = span.start.saturating_sub(self.start)..span.end.saturating_sub(self.start);
        self.bytes.get(range).unwrap_or_default()
    }
}

/// What is known about the place of a value.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The nearest key.
    key: &'p str,
    /// What that key says of a list below it.
    named: Option<secret::Named>,
    role: Role,
    schema: Option<Value<'p>>,
    /// The role of everything below, where that is settled: all of a document is prose.
    settled: Option<Role>,
    /// How many strings it lies inside.
    level: u8,
    source: Source<'p>,
}

impl<'s> Walk<'s> {
    pub(super) fn new(direction: Direction, tool: &str, settings: &'s InspectSettings) -> Self {
        Self {
            direction,
            tool: Tool::of(tool),
            settings,
            path: WalkPath::default(),
            hits: Vec::new(),
            spare: Tape::new(),
            roles: Roles::default(),
            new_roles: MAX_NAMES,
            quota: Quota::default(),
            effort: Effort::of(0),
            alone: crowd::MAX_ALONE,
            crowds: Crowds::default(),
            found: Vec::new(),
            incomplete: None,
        }
    }

    /// Inspects a whole document.
    pub(super) fn run(mut self, root: Value<'_>, schema: Option<Value<'_>>) -> Inspection {
        if root.raw().len() > self.settings.max_bytes {
            return Inspection { detections: Vec::new(), incomplete: Some(Incomplete::TooLong) };
        }
        let settled = (self.direction == Direction::Results).then_some(Role::Prose);
        let (role, source) = (settled.unwrap_or(Role::Scalar), Source::of(root));
        self.effort = Effort::of(root.raw().len());
        self.value(root, Place { key: "", named: None, role, schema, settled, level: 0, source });
        self.read_crowds(false, source);
        self.found.sort_by_key(|detection| (detection.span.start, detection.class));
        Inspection { detections: self.found, incomplete: self.incomplete }
    }

    fn value(&mut self, value: Value<'_>, place: Place<'_>) {
        if self.incomplete.is_some() {
            return;
        }
        match value.kind() {
            Kind::Object => self.object(value, place),
            Kind::Array => {
                let schema = place.schema.and_then(|schema| schema.get("items"));
                let named = place.named.or_else(|| Some(secret::Named::by(place.key)));
                for (at, element) in value.elements().enumerate() {
                    self.path.push_element(at);
                    self.value(element, Place { schema, named, ..place });
                    self.path.pop();
                }
            }
            Kind::String => self.string(value, place),
            Kind::Number if value.raw().len() >= MIN_NUMBER => {
                if let Some(text) = value.number_text() {
                    self.leaf(value, text, LeafKind::Number, place);
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, object: Value<'_>, place: Place<'_>) {
        let media = object.get("mimeType").is_some();
        let properties = place.schema.and_then(|schema| schema.get("properties"));
        for (key, value) in object.members() {
            if self.incomplete.is_some() {
                return;
            }
            let Some(name) = key.as_str() else { continue };
            self.path.push_key(&name);
            if self.may_carry(&name) {
                self.leaf(key, &name, LeafKind::Key, Place { key: "", named: None, ..place });
            }
            let schema = properties.and_then(|properties| properties.get(&name));
            // What only a text is used for is not asked of a number.
            let used = matches!(value.kind(), Kind::String | Kind::Array | Kind::Object);
            let role = match place.settled {
                Some(role) => role,
                None if used => self.role(&name, schema).unwrap_or_else(|| {
                    self.judge_no_more(key, &name);
                    Role::Scalar
                }),
                None => place.role,
            };
            if !(media && matches!(name.as_ref(), "data" | "blob") && is_base64(value)) {
                self.value(value, Place { key: &name, named: None, role, schema, ..place });
            }
            self.path.pop();
        }
    }

    /// Whether a key may be more than a name: long, a long number, or in arguments what leads somewhere or does something.
    fn may_carry(&self, name: &str) -> bool {
        name.len() >= MIN_KEY
            || (name.len() >= MIN_NUMBER_KEY && name.bytes().filter(u8::is_ascii_digit).count() >= MIN_KEY_DIGITS)
            || (self.direction == Direction::Arguments && is_address(name))
    }

    /// What a name says its value is used for; nothing where too many names were asked.
    fn role(&mut self, key: &str, schema: Option<Value<'_>>) -> Option<Role> {
        if let Some(role) = schema.and_then(declared) {
            return Some(role);
        }
        if let Some(role) = self.roles.get(key) {
            return Some(role);
        }
        self.new_roles = self.new_roles.checked_sub(1)?;
        let role = self.tool.role(key, None);
        if key.len() <= MAX_NAME {
            self.roles.insert(key, role);
        }
        Some(role)
    }

    /// Tells that from here on no value is judged by what it is used for.
    fn judge_no_more(&mut self, key: Value<'_>, name: &str) {
        self.quota.exhaust();
        let leaf = Leaf::surveyed(name, "", LeafKind::Key, Role::Scalar, self.direction, Survey::default());
        let mut hits = Vec::new();
        self.quota.tell(&leaf, &mut hits);
        let refused = hits.iter().any(|hit| self.refuses_unjudged(hit));
        self.settle(&mut hits);
        self.report(key, &leaf, &hits);
        if refused {
            self.incomplete = self.incomplete.or(Some(Incomplete::TooManyValues));
        }
    }

    fn string(&mut self, value: Value<'_>, place: Place<'_>) {
        let Some(text) = value.as_str() else { return };
        // Other blanks than those of ASCII are none in JSON.
        let trimmed = text.trim_ascii();
        let braces = (trimmed.starts_with('{') && trimmed.ends_with('}'))
            || (trimmed.starts_with('[') && trimmed.ends_with(']'));
        if braces && trimmed.len() > 2 {
            let mut tape = std::mem::take(&mut self.spare);
            let done = self.document(value, &text, &mut tape, place);
            self.spare = tape;
            if done {
                return;
            }
        }
        self.leaf(value, &text, LeafKind::Text, place);
    }

    /// A string that may be JSON, read into a tape. Returns whether its values were looked at.
    fn document(&mut self, outer: Value<'_>, text: &str, tape: &mut Tape, place: Place<'_>) -> bool {
        let limits = json::Limits { max_bytes: self.settings.max_bytes, ..json::Limits::default() };
        self.effort.reads(effort::JSON + text.len() / 4);
        let Ok(inner) = tape.parse(text.as_bytes(), &limits) else { return false };
        if !matches!(inner.kind(), Kind::Object | Kind::Array) {
            return false;
        }
        if place.level < self.settings.max_nesting {
            self.inside(outer, inner, place);
            return true;
        }
        // Looked at as plain text, which shows everything that is not spelled in escapes.
        if text.contains("\\u") {
            self.incomplete = Some(Incomplete::TooDeep);
        }
        false
    }

    /// A string that is JSON: its values are looked at, and what is found is placed in the string's own bytes.
    fn inside(&mut self, outer: Value<'_>, inner: Value<'_>, place: Place<'_>) {
        let before = self.found.len();
        let around = self.crowds.each().map(|(crowd, _)| crowd.len());
        let around = std::mem::replace(&mut self.crowds.outer, around);
        self.path.push_inside();
        let settled = place.settled.or((place.role == Role::Prose).then_some(Role::Prose));
        let source = Source::of(inner);
        self.value(inner, Place { settled, schema: None, level: place.level + 1, source, ..place });
        self.path.pop();
        if self.crowds.each().iter().map(|(crowd, from)| crowd.len() - from).sum::<usize>() >= crowd::WORTHWHILE {
            self.read_crowds(false, source);
        }
        place_in(outer, self.found.iter_mut().skip(before).map(|found| &mut found.span));
        for (crowd, from) in self.crowds.each() {
            let members = crowd.members_mut(from);
            members.iter_mut().for_each(|member| member.exact = false);
            place_in(outer, members.iter_mut().map(|member| &mut member.span));
        }
        self.crowds.outer = around;
        // Documents of a few values each fill it, too.
        self.read_crowds(true, place.source);
    }

    fn leaf(&mut self, value: Value<'_>, text: &str, kind: LeafKind, place: Place<'_>) {
        if says_nothing(text, kind, place.role) {
            return;
        }
        self.effort.reads(effort::VALUE);
        let alone = kind == LeafKind::Number || text.len() >= crowd::LONG || self.alone > 0;
        let argument = self.direction == Direction::Arguments && kind == LeafKind::Text;
        let abusable = argument && place.role != Role::Prose && !self.quota.is_told();
        let survey = if alone || abusable { Survey::of(text) } else { Survey::default() };
        let leaf = Leaf::surveyed(text, place.key, kind, place.role, self.direction, survey);
        let leaf = Leaf { named: place.named, ..leaf };
        let mut hits = std::mem::take(&mut self.hits);
        hits.clear();
        if alone {
            self.alone = self.alone.saturating_sub(usize::from(kind != LeafKind::Number));
            self.carried(&leaf, &mut hits);
        }
        if self.incomplete.is_none() && abusable {
            if !self.quota.is_used_up() && (!quota::counts(&leaf) || self.quota.take(&leaf)) {
                abuse::find(&leaf, self.settings, &mut self.effort, &mut hits);
            } else {
                self.quota.tell(&leaf, &mut hits);
            }
        }
        // What stands in a document that is written as a text is part of that text.
        let lone = matches!(place.role, Role::Prose | Role::Search) && place.settled.is_none();
        if self.incomplete.is_none() && argument && lone {
            abuse::find_lone(&leaf, self.settings, &mut self.effort, &mut hits);
        }
        if self.direction == Direction::Arguments
            && kind == LeafKind::Key
            && (text.len() >= MIN_KEY || is_address(text))
        {
            if !self.quota.take(&leaf) {
                self.quota.tell(&Leaf { role: Role::Scalar, ..leaf }, &mut hits);
            } else if self.incomplete.is_none() && is_address(text) {
                abuse::find(&leaf, self.settings, &mut self.effort, &mut hits);
            }
        }
        let refused = self.quota.is_used_up() && hits.iter().any(|hit| self.refuses_unjudged(hit));
        if alone && self.incomplete.is_none() && kind != LeafKind::Number {
            let speech = injection::may_instruct(&leaf);
            self.read(&leaf, speech, &mut hits);
        } else if !alone && text.len() >= SHORTEST_WORD {
            self.join(value, &leaf, &mut hits, place.source);
        }
        self.settle(&mut hits);
        if !hits.is_empty() && self.incomplete.is_none() {
            self.report(value, &leaf, &hits);
        }
        self.hits = hits;
        if refused {
            // Nothing that is found further changes that.
            self.incomplete = self.incomplete.or(Some(Incomplete::TooManyValues));
        }
        self.end_where_spent();
    }

    /// Finds what a text says once it is read as a reader takes it.
    fn read(&mut self, leaf: &Leaf<'_>, speech: bool, hits: &mut Vec<Hit>) {
        if !speech && !leaf.survey.needs_normalising() {
            return;
        }
        if speech && !self.effort.affords(leaf.text.len()) {
            return;
        }
        let text = Text::read_surveyed(leaf.text, leaf.survey, limits(leaf.text));
        hidden::find(leaf, &text, self.settings, &mut self.effort, hits);
        if speech {
            injection::find(leaf, &text, &mut self.effort, hits);
        }
    }

    /// Ends the walk of a document that costs more than any other.
    fn end_where_spent(&mut self) {
        if self.effort.is_spent() {
            self.incomplete = self.incomplete.or(Some(Incomplete::TooDense));
        }
    }

    /// Whether a class that was not looked for in all values refuses the document by that alone.
    fn refuses_unjudged(&self, hit: &Hit) -> bool {
        is_unjudged(hit.kind) && self.settings.action(hit.class, hit.kind, self.direction) == Action::Block
    }

    /// What a text carries along: secrets and personal data.
    fn carried(&mut self, leaf: &Leaf<'_>, hits: &mut Vec<Hit>) {
        let blank = mark::blanked(leaf.text);
        let unmarked = Leaf { text: &blank, ..*leaf };
        secret::find(&unmarked, self.settings, &mut self.effort, hits);
        personal::find(&unmarked, self.settings, &mut self.effort, hits);
        self.end_where_spent();
        let sure = hits.iter().filter(|hit| hit.confidence >= self.settings.min_confidence).count();
        if sure > self.settings.max_detections {
            // Refused already; nothing that is found further changes that.
            self.incomplete = Some(Incomplete::TooManyDetections);
        }
    }

    /// Leaves of what was found what is sure enough, and each once.
    fn settle(&self, hits: &mut Vec<Hit>) {
        hits.retain(|hit| hit.confidence >= self.settings.min_confidence);
        if !hits.is_empty() {
            drop_covered(hits, |hit| self.settings.action(hit.class, hit.kind, self.direction));
        }
    }

    fn report(&mut self, value: Value<'_>, leaf: &Leaf<'_>, hits: &[Hit]) {
        if self.found.len() + hits.len() > self.settings.max_detections {
            self.incomplete = Some(Incomplete::TooManyDetections);
            return;
        }
        let number = leaf.kind == LeafKind::Number;
        let mut offsets: Vec<usize> = hits.iter().flat_map(|hit| [hit.range.start, hit.range.end]).collect();
        offsets.sort_unstable();
        let raw = if number { Vec::new() } else { raw_offsets(value, &offsets) };
        let place_of = |offset: usize| offsets.binary_search(&offset).ok().and_then(|at| raw.get(at)).copied();
        let has_secret = hits.iter().any(|hit| matches!(hit.class, Class::Secrets | Class::PersonalData));
        for hit in hits {
            let span = match (place_of(hit.range.start), place_of(hit.range.end)) {
                (Some(start), Some(end)) if !number => start..end,
                _ => value.span(),
            };
            self.found.push(Detection {
                class: hit.class,
                kind: hit.kind,
                direction: self.direction,
                pointer: self.path.pointer().to_owned(),
                span,
                in_key: leaf.kind == LeafKind::Key,
                is_number: number,
                confidence: hit.confidence,
                message: hit.message,
                preview: preview::of(leaf.text, hit, has_secret),
                action: self.settings.action(hit.class, hit.kind, self.direction),
            });
        }
    }
}

/// Whether a key may be a path, an address or a command.
fn is_address(name: &str) -> bool {
    name.bytes().any(|byte| matches!(byte, b'/' | b'\\' | b';'))
}

/// The shortest text that any detector reports where the text is one word.
const SHORTEST_WORD: usize = 6;

/// Whether a value is too short to say anything in its role. Documents are full of them.
fn says_nothing(text: &str, kind: LeafKind, role: Role) -> bool {
    kind == LeafKind::Text && text.len() < SHORTEST_WORD && {
        let word = matches!(role, Role::Scalar | Role::Opaque | Role::Search)
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // An escape is one byte. A null byte means something to a path however short, and a digit alone is an address.
        let escape = |part: &&[u8]| matches!(part, [b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
        let escapes = || text.as_bytes().windows(3).filter(escape).count();
        let null = |byte| byte == 0 || (byte == b'0' && text.contains('%'));
        let more = |byte: u8| null(byte) || (role == Role::Url && byte.is_ascii_digit());
        word || text.len() - 2 * escapes() < shortest(role) && !text.bytes().any(more)
    }
}

/// The shortest text in which a detector reports anything in a role.
const fn shortest(role: Role) -> usize {
    match role {
        // Secrets and numbers.
        Role::Prose => SHORTEST_WORD,
        // `rm /`, `'--x`
        Role::Command | Role::Search => 4,
        // `;ls`, `/..`
        Role::Scalar | Role::Opaque | Role::Sql => 3,
        // `-x`, `::`
        Role::Path | Role::Host | Role::Url => 2,
    }
}

/// Moves spans in the text of a string to where they stand in the document.
fn place_in<'s>(string: Value<'_>, spans: impl Iterator<Item = &'s mut Range<usize>>) {
    let mut spans: Vec<&mut Range<usize>> = spans.collect();
    if spans.is_empty() {
        return;
    }
    let mut offsets: Vec<usize> = spans.iter().flat_map(|span| [span.start, span.end]).collect();
    offsets.sort_unstable();
    let raw = raw_offsets(string, &offsets);
    let place_of = |offset: usize| offsets.binary_search(&offset).ok().and_then(|at| raw.get(at)).copied();
    for span in &mut spans {
        if let (Some(start), Some(end)) = (place_of(span.start), place_of(span.end)) {
            **span = start..end;
        }
    }
}

/// Offsets in the bytes of the document for ascending offsets in a string's decoded text.
fn raw_offsets(string: Value<'_>, decoded: &[usize]) -> Vec<usize> {
    let base = string.span().start + 1;
    let raw = string.raw();
    let body = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    to_raw(body, decoded).into_iter().map(|offset| base + offset).collect()
}

/// Whether a string is nothing but base64, as the media of a content block are.
fn is_base64(value: Value<'_>) -> bool {
    let Some(Cow::Borrowed(text)) = value.as_str() else { return false };
    text.len() >= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests;
