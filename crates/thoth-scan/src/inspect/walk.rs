//! The walk over a document: every key, string and long number once, each under the detectors of its direction.

mod quota;

use std::borrow::Cow;

use thoth_types::json::{Kind, Limits, Tape, Value};

use super::argument_role::{Role, Tool};
use super::detection::{Class, Detection, Direction, Incomplete, Inspection};
use super::leaf::{Hit, Leaf, LeafKind, drop_covered};
use super::percent::Decoded;
use super::settings::InspectSettings;
use super::{
    encoded, injection, mark, path_abuse, percent, personal, preview, secret, shell_abuse, source_span, sql_abuse, ssrf,
};

use quota::Quota;
pub(super) use quota::is_unjudged;

/// The shortest key that could carry more than a name.
const MIN_KEY: usize = 16;
/// The shortest number that could be a card.
const MIN_NUMBER: usize = 13;

/// How many roles are kept, and for keys up to which length.
const MAX_ROLES: usize = 16;
const MAX_NAME: usize = 64;

/// One inspection under way.
pub(super) struct Walk<'s> {
    direction: Direction,
    tool: Tool,
    settings: &'s InspectSettings,
    /// The pointer to where the walk stands.
    pointer: String,
    hits: Vec<Hit>,
    /// What strings that are JSON are read into.
    spare: Tape,
    /// The roles of the keys that were met first: the items of a list have the same keys.
    roles: Vec<(Box<str>, Role)>,
    quota: Quota,
    found: Vec<Detection>,
    incomplete: Option<Incomplete>,
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
}

impl<'s> Walk<'s> {
    pub(super) fn new(direction: Direction, tool: &str, settings: &'s InspectSettings) -> Self {
        Self {
            direction,
            tool: Tool::of(tool),
            settings,
            pointer: String::new(),
            hits: Vec::new(),
            spare: Tape::new(),
            roles: Vec::new(),
            quota: Quota::default(),
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
        self.value(
            root,
            Place { key: "", named: None, role: settled.unwrap_or(Role::Scalar), schema, settled, level: 0 },
        );
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
                    let mark = self.pointer.len();
                    self.push_place(at);
                    self.value(element, Place { schema, named, ..place });
                    self.pointer.truncate(mark);
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
            let Some(name) = key.as_str() else { continue };
            let mark = self.pointer.len();
            self.push_key(&name);
            if name.len() >= MIN_KEY {
                self.leaf(key, &name, LeafKind::Key, Place { key: "", named: None, ..place });
            }
            let schema = properties.and_then(|properties| properties.get(&name));
            let role = place.settled.unwrap_or_else(|| self.role(&name, schema));
            if !(media && matches!(name.as_ref(), "data" | "blob") && is_base64(value)) {
                self.value(value, Place { key: &name, named: None, role, schema, ..place });
            }
            self.pointer.truncate(mark);
        }
    }

    fn role(&mut self, key: &str, schema: Option<Value<'_>>) -> Role {
        if schema.is_some() || key.len() > MAX_NAME {
            return self.tool.role(key, schema);
        }
        if let Some((_, role)) = self.roles.iter().find(|(known, _)| **known == *key) {
            return *role;
        }
        let role = self.tool.role(key, None);
        if self.roles.len() < MAX_ROLES {
            self.roles.push((key.into(), role));
        }
        role
    }

    fn push_place(&mut self, at: usize) {
        self.pointer.push('/');
        // Long lists of short values are counted up faster than a number is formatted.
        let mut digits = [b'0'; 20];
        let (mut rest, mut from) = (at, digits.len());
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            from = place;
            if rest == 0 {
                break;
            }
        }
        self.pointer.extend(digits.iter().skip(from).map(|digit| char::from(*digit)));
    }

    fn push_key(&mut self, name: &str) {
        self.pointer.push('/');
        if !name.contains(['~', '/']) {
            self.pointer.push_str(name);
            return;
        }
        for character in name.chars() {
            match character {
                '~' => self.pointer.push_str("~0"),
                '/' => self.pointer.push_str("~1"),
                other => self.pointer.push(other),
            }
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
        let limits = Limits { max_bytes: self.settings.max_bytes, ..Limits::default() };
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
        let mark = self.pointer.len();
        self.pointer.push('!');
        let settled = place.settled.or((place.role == Role::Prose).then_some(Role::Prose));
        self.value(inner, Place { settled, schema: None, level: place.level + 1, ..place });
        self.pointer.truncate(mark);
        let mut offsets: Vec<usize> =
            self.found.iter().skip(before).flat_map(|found| [found.span.start, found.span.end]).collect();
        offsets.sort_unstable();
        let raw = raw_offsets(outer, &offsets);
        let place_of = |offset: usize| offsets.binary_search(&offset).ok().and_then(|at| raw.get(at)).copied();
        for found in self.found.iter_mut().skip(before) {
            if let (Some(start), Some(end)) = (place_of(found.span.start), place_of(found.span.end)) {
                found.span = start..end;
            }
        }
    }

    fn leaf(&mut self, value: Value<'_>, text: &str, kind: LeafKind, place: Place<'_>) {
        if says_nothing(text, kind, place.role) {
            return;
        }
        let leaf = Leaf::new(text, place.key, kind, place.role, self.direction);
        let leaf = Leaf { named: place.named, ..leaf };
        let mut hits = std::mem::take(&mut self.hits);
        hits.clear();
        let blank = mark::blanked(text);
        let unmarked = Leaf { text: &blank, ..leaf };
        secret::find(&unmarked, self.settings, &mut hits);
        personal::find(&unmarked, self.settings, &mut hits);
        if hits.iter().filter(|hit| hit.confidence >= self.settings.min_confidence).count()
            > self.settings.max_detections
        {
            // Refused already; nothing that is found further changes that.
            self.incomplete = Some(Incomplete::TooManyDetections);
            self.hits = hits;
            return;
        }
        if kind != LeafKind::Number {
            if self.direction == Direction::Arguments && kind == LeafKind::Text {
                if !quota::counts(&leaf) || self.quota.take(&leaf) {
                    abuse(&leaf, self.settings, &mut hits);
                } else {
                    self.quota.tell(&leaf, &mut hits);
                }
            }
            injection::find(&leaf, &mut hits);
        }
        hits.retain(|hit| hit.confidence >= self.settings.min_confidence);
        if !hits.is_empty() {
            let (settings, direction) = (self.settings, self.direction);
            drop_covered(&mut hits, |hit| settings.action(hit.class, hit.kind, direction));
            self.report(value, &leaf, &hits);
        }
        self.hits = hits;
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
                pointer: self.pointer.clone(),
                span,
                in_key: leaf.kind == LeafKind::Key,
                is_number: number,
                confidence: hit.confidence,
                message: hit.message,
                preview: preview::of(leaf, hit, has_secret),
                action: self.settings.action(hit.class, hit.kind, self.direction),
            });
        }
    }
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

/// What only arguments can do.
fn abuse(leaf: &Leaf<'_>, settings: &InspectSettings, hits: &mut Vec<Hit>) {
    // Commands and prose are judged as they stand.
    let decoded = match leaf.role {
        Role::Command | Role::Prose => Decoded::plain(leaf.start()),
        _ => percent::decode(leaf.start()),
    };
    if !quota::is_plain(leaf) {
        path_abuse::find(leaf, &decoded, settings, hits);
        shell_abuse::find(leaf, &decoded, hits);
        ssrf::find(leaf, settings, hits);
    }
    sql_abuse::find(leaf, &decoded, hits);
    encoded::find(leaf, hits);
}

/// Offsets in the bytes of the document for ascending offsets in a string's decoded text.
fn raw_offsets(string: Value<'_>, decoded: &[usize]) -> Vec<usize> {
    let base = string.span().start + 1;
    let raw = string.raw();
    let body = raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default();
    source_span::to_raw(body, decoded).into_iter().map(|offset| base + offset).collect()
}

/// Whether a string is nothing but base64, as the media of a content block are.
fn is_base64(value: Value<'_>) -> bool {
    let Some(Cow::Borrowed(text)) = value.as_str() else { return false };
    text.len() >= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

#[cfg(test)]
mod tests;
