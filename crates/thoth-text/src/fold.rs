//! What becomes of one character: a table that fills itself, page by page, from the Unicode crates.

use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{compose, is_combining_mark};
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};
use unicode_script::{Script, UnicodeScript};
use unicode_security::skeleton;

use super::invisible::{Invisible, invisible_kind};

/// What becomes of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// It is replaced by one character, perhaps itself.
    Become(char),
    /// Its compatibility form has several characters.
    Expand,
    /// A mark that belongs to the character before it.
    Mark,
    /// It is not shown.
    Hide(Invisible),
    /// A control character.
    Control,
}

/// A character's row in the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold {
    pub action: Action,
    /// The ASCII character that it looks like, if it is of another script.
    pub latin: Option<u8>,
    /// A letter of a script other than Latin.
    pub foreign: bool,
    /// A letter or a digit of any script.
    pub word: bool,
    /// Part of an emoji.
    pub pictograph: bool,
    /// A letter of a script in which joiners are orthography.
    pub joins: bool,
    /// Written from right to left.
    pub right_to_left: bool,
}

const PAGE: usize = 256;
const PAGES: usize = 0x11_0000 / PAGE;

/// The rows of a page, and the forms of those of its characters whose forms have several, in order.
struct Page {
    rows: Box<[Fold]>,
    forms: Box<[(char, Box<str>)]>,
}

/// Pages are made when first needed: a text costs what its scripts cost, once per process.
static TABLE: [OnceLock<Page>; PAGES] = [const { OnceLock::new() }; PAGES];

/// The row of a character.
pub(super) fn fold(c: char) -> Fold {
    let code = c as usize;
    let page = TABLE.get(code / PAGE).map(|page| page.get_or_init(|| make_page(code / PAGE)));
    page.and_then(|page| page.rows.get(code % PAGE)).copied().unwrap_or_else(|| make(c))
}

fn make_page(page: usize) -> Page {
    let codes = (page * PAGE)..((page + 1) * PAGE);
    let chars =
        codes.map(|code| u32::try_from(code).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER));
    let rows: Box<[Fold]> = chars.clone().map(make).collect();
    let expanded = chars.zip(&rows).filter(|(_, row)| row.action == Action::Expand);
    let mut forms: Vec<(char, Box<str>)> = expanded.map(|(c, _)| (c, form(c))).collect();
    forms.sort_unstable();
    Page { rows, forms: forms.into() }
}

/// Whether a character is a letter or a digit of any script.
#[must_use]
pub fn is_word(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphanumeric() } else { fold(c).word }
}

fn make(c: char) -> Fold {
    // Ideographs and syllables in their thousands are all alike, and asking the tables about each takes its time.
    if matches!(c, '\u{4E00}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}') {
        let action = Action::Become(c);
        return Fold {
            action,
            latin: None,
            foreign: true,
            word: true,
            pictograph: false,
            joins: false,
            right_to_left: false,
        };
    }
    let script = c.script();
    let category = c.general_category();
    let letter = c.is_alphabetic();
    let latin_script = script == Script::Latin;
    let foreign = letter && !latin_script && !matches!(script, Script::Common | Script::Inherited);
    let latin = if foreign || latin_script { looks_like(c) } else { None };
    let action = if let Some(kind) = invisible_kind(c, category) {
        Action::Hide(kind)
    } else if c.is_control() && !matches!(c, '\t' | '\n' | '\r') {
        Action::Control
    } else if is_combining_mark(c) {
        Action::Mark
    } else {
        visible(c, category, latin.filter(|_| latin_script))
    };
    Fold {
        action,
        latin: latin.filter(|_| foreign),
        foreign,
        word: c.is_alphanumeric(),
        pictograph: !c.is_ascii() && c.is_emoji_char() || matches!(c, '\u{1F3FB}'..='\u{1F3FF}'),
        joins: joins(script),
        right_to_left: matches!(
            script,
            Script::Arabic | Script::Hebrew | Script::Syriac | Script::Thaana | Script::Nko
        ),
    }
}

/// The form of a character that is shown.
fn visible(c: char, category: GeneralCategory, latin: Option<u8>) -> Action {
    if c.is_ascii() {
        return Action::Become(c);
    }
    if category == GeneralCategory::SpaceSeparator || c == '\u{2800}' {
        return Action::Become(' ');
    }
    if matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') {
        return Action::Become('\n');
    }
    let mut form = c.nfkd().filter(|c| !is_combining_mark(*c));
    if let (Some(base), None) = (form.next(), form.next())
        && base.is_ascii()
    {
        return Action::Become(base);
    }
    if let Some(ascii) = latin {
        return Action::Become(char::from(ascii));
    }
    if let Some(ascii) = punctuation(c) {
        return Action::Become(ascii);
    }
    let mut form = c.nfkc();
    let (first, second) = (form.next(), form.next());
    match (first, second) {
        (Some(one), None) => {
            let mut lower = one.to_lowercase();
            let (low, more) = (lower.next(), lower.next());
            Action::Become(low.filter(|_| more.is_none()).unwrap_or(one))
        }
        _ => Action::Expand,
    }
}

/// Quotation marks, dashes and the like, as ASCII writes them.
fn punctuation(c: char) -> Option<char> {
    Some(match c {
        '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}' | '\u{2032}' => '\'',
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{201F}' | '\u{2033}' | '\u{AB}' | '\u{BB}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2044}' | '\u{2215}' => '/',
        _ => return None,
    })
}

/// The ASCII character that a character looks like, by the Unicode confusables.
fn looks_like(c: char) -> Option<u8> {
    if c.is_ascii() {
        return None;
    }
    let mut lower = c.to_lowercase();
    // Lower case first: the prototype of a capital `I` in any script is `l`.
    let candidates = [lower.next(), Some(c)];
    candidates.into_iter().flatten().find_map(prototype)
}

fn prototype(c: char) -> Option<u8> {
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    let mut form = skeleton(text).filter(|c| !is_combining_mark(*c));
    match (form.next(), form.next(), form.next()) {
        (Some(one), None, _) => u8::try_from(one).ok().filter(u8::is_ascii_alphanumeric),
        (Some('r'), Some('n'), None) => Some(b'm'),
        _ => None,
    }
}

/// Scripts in which zero-width joiners and non-joiners are spelling, not hiding.
fn joins(script: Script) -> bool {
    use Script as S;
    matches!(
        script,
        S::Arabic
            | S::Syriac
            | S::Mongolian
            | S::Devanagari
            | S::Bengali
            | S::Gurmukhi
            | S::Gujarati
            | S::Oriya
            | S::Tamil
            | S::Telugu
            | S::Kannada
            | S::Malayalam
            | S::Sinhala
            | S::Thai
            | S::Lao
            | S::Khmer
            | S::Myanmar
            | S::Tibetan
    )
}

/// The longest compatibility form that is spelled out; a few characters stand for whole sentences.
const LONGEST_FORM: usize = 8;

/// A compatibility form of several characters, in lower case.
fn form(c: char) -> Box<str> {
    let parts = c.nfkd().filter(|c| !is_combining_mark(*c)).take(LONGEST_FORM);
    parts.flat_map(char::to_lowercase).collect::<String>().into()
}

/// Appends the compatibility form of a character whose form has several.
pub(super) fn expand(c: char, out: &mut String) {
    let code = c as usize;
    let page = TABLE.get(code / PAGE).and_then(OnceLock::get);
    let forms = page.and_then(|page| {
        let at = page.forms.binary_search_by_key(&c, |(expanded, _)| *expanded).ok()?;
        page.forms.get(at)
    });
    match forms {
        Some((_, form)) => out.push_str(form),
        None => out.push_str(&form(c)),
    }
}

/// A base and its mark as one character, where there is one.
pub(super) fn composed(base: char, mark: char) -> Option<char> {
    compose(base, mark)
}
