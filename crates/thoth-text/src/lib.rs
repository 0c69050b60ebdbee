//! Text as a reader would take it: the raw string, one normalised view of it with the way back to raw bytes, what was
//! decoded out of it, and what was strange about it.
//!
//! [`Text::read`] makes one pass. Printable ASCII in which nothing could be encoded is its own view: no copy is made.
//! Otherwise the view is what the raw text says after
//!
//! - Unicode compatibility forms, with accents of Latin letters dropped and other letters in lower case;
//! - look-alike letters turned into the Latin ones where a word mixes scripts;
//! - removal of invisible characters and terminal escapes;
//! - HTML entities, percent escapes and `\x41`, `\u0041`, `\u{41}` escapes.
//!
//! ASCII letters keep their case, for upper case is a signal: whoever matches on a view ignores ASCII case.
//! What is another text inside the text (tag characters, base64, hexadecimal, leetspeak, spaced-out letters) becomes a
//! [`Segment`], normalised in the same way, to a bounded depth and a bounded total size.

mod anomaly;
mod decode;
pub mod entropy;
mod escape;
mod fold;
mod invisible;
mod map;
mod normalise;
pub mod percent;
mod respell;
mod survey;

use std::borrow::Cow;
use std::ops::Range;

pub use anomaly::{Anomaly, AnomalyKind};
pub use fold::is_word;
pub use survey::{Survey, next_run};

use anomaly::Anomalies;
use map::Map;

/// Caps on what reading a text may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many times what was decoded is decoded again.
    pub max_depth: u8,
    /// How many bytes of decoded text are kept in total. What does not fit is reported as [`AnomalyKind::Truncated`].
    pub max_decoded: usize,
    /// How many of these bytes each text takes at least, however short it is: even a short one costs a reading of its own.
    pub least_charge: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: 3, max_decoded: 256 * 1024, least_charge: 512 }
    }
}

/// How a segment was hidden in the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Tag characters, which carry ASCII and are never shown.
    Tags,
    /// Variation selectors as bytes.
    VariationSelectors,
    /// Base64, standard or URL alphabet.
    Base64,
    /// Hexadecimal digits.
    Hex,
    /// Digits and signs in place of letters.
    Leet,
    /// Letters with a separator after each.
    Spaced,
}

impl Encoding {
    /// The stable word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tags => "tag characters",
            Self::VariationSelectors => "variation selectors",
            Self::Base64 => "base64",
            Self::Hex => "hexadecimal",
            Self::Leet => "leetspeak",
            Self::Spaced => "spaced-out letters",
        }
    }

    /// Whether no honest text is written so, whatever it says.
    #[must_use]
    pub const fn is_invisible(self) -> bool {
        matches!(self, Self::Tags | Self::VariationSelectors)
    }
}

/// Another text inside the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// How it was hidden; the outermost way, if several.
    pub encoding: Encoding,
    /// What it says, normalised.
    pub text: String,
    /// Where it stands in the raw text.
    pub raw: Range<usize>,
    /// 1 when it stands in the text itself, more when it was found inside another segment.
    pub depth: u8,
}

/// A text, read. See the module.
#[derive(Debug, Clone)]
pub struct Text<'r> {
    raw: &'r str,
    view: Cow<'r, str>,
    map: Map,
    segments: Vec<Segment>,
    anomalies: Vec<Anomaly>,
}

impl<'r> Text<'r> {
    /// Reads a text under the default [`Limits`].
    #[must_use]
    pub fn read(raw: &'r str) -> Self {
        Self::read_with(raw, Limits::default())
    }

    /// Reads a text.
    #[must_use]
    pub fn read_with(raw: &'r str, limits: Limits) -> Self {
        Self::read_surveyed(raw, Survey::of(raw), limits)
    }

    /// The same for a text whose bytes were looked at already.
    #[must_use]
    pub fn read_surveyed(raw: &'r str, survey: Survey, limits: Limits) -> Self {
        if survey.is_plain() {
            return Self {
                raw,
                view: Cow::Borrowed(raw),
                map: Map::identity(),
                segments: Vec::new(),
                anomalies: Vec::new(),
            };
        }
        let mut budget = limits.max_decoded;
        let level = Level::read(raw, survey, 0, limits, &mut budget);
        Self {
            raw,
            view: level.view,
            map: level.map,
            segments: level.segments,
            anomalies: level.anomalies.into_sorted(),
        }
    }

    /// The text as it was given.
    #[must_use]
    pub const fn raw(&self) -> &'r str {
        self.raw
    }

    /// The normalised view. Match on it without regard to ASCII case.
    #[must_use]
    pub fn view(&self) -> &str {
        &self.view
    }

    /// The raw bytes behind a range of the view, on character boundaries of the raw text.
    #[must_use]
    pub fn raw_range(&self, view: Range<usize>) -> Range<usize> {
        self.map.raw_range(view, self.raw.len())
    }

    /// The texts inside the text, outer before inner.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// What was strange, in the order in which it stands.
    #[must_use]
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// Of how many pieces the view was put together: none where it is the raw text.
    #[must_use]
    pub const fn pieces(&self) -> usize {
        self.map.len()
    }

    /// Whether the view is the raw text and nothing was found.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.view, Cow::Borrowed(_)) && self.segments.is_empty() && self.anomalies.is_empty()
    }
}

/// One level of reading: the text itself, or a decoded segment of it.
struct Level<'r> {
    view: Cow<'r, str>,
    map: Map,
    segments: Vec<Segment>,
    anomalies: Anomalies,
}

/// Another text, found but not yet read.
struct Found {
    encoding: Encoding,
    text: String,
    /// Where it stands in the raw text of this level.
    raw: Range<usize>,
}

impl<'r> Level<'r> {
    fn read(raw: &'r str, survey: Survey, depth: u8, limits: Limits, budget: &mut usize) -> Self {
        let mut anomalies = Anomalies::default();
        let mut found = Vec::new();
        let (view, map) = if survey.needs_normalising() {
            let (view, map) = normalise::normalise(raw, &mut anomalies, &mut found);
            (Cow::Owned(view), map)
        } else {
            (Cow::Borrowed(raw), Map::identity())
        };
        let survey = if matches!(view, Cow::Owned(_)) { Survey::of(&view) } else { survey };
        anomaly::comments_and_padding(&view, survey, |range| map.raw_range(range, raw.len()), &mut anomalies);
        decode::runs(&view, survey, *budget, |range| map.raw_range(range, raw.len()), &mut found);
        respell::respellings(&view, survey, |range| map.raw_range(range, raw.len()), &mut found);
        let mut segments = Vec::new();
        for Found { encoding, mut text, raw } in found {
            // A respelling of the view is no longer than that and needs no second reading: what else it hides was found in
            // the view.
            if encoding == Encoding::Leet {
                segments.push(Segment { encoding, text, raw, depth: depth + 1 });
                continue;
            }
            if depth >= limits.max_depth || *budget == 0 {
                anomalies.note(AnomalyKind::Truncated, raw);
                continue;
            }
            if text.len() > *budget {
                anomalies.note(AnomalyKind::Truncated, raw.clone());
                text.truncate(text.floor_char_boundary(*budget));
            }
            *budget = budget.saturating_sub(text.len().max(limits.least_charge));
            let inner_survey = Survey::of(&text);
            // Short ones come in tens of thousands.
            if inner_survey.is_plain() {
                segments.push(Segment { encoding, text, raw, depth: depth + 1 });
                continue;
            }
            let inner = Level::read(&text, inner_survey, depth + 1, limits, budget);
            let deeper = inner.segments.into_iter().map(|segment| Segment { encoding, raw: raw.clone(), ..segment });
            let deeper: Vec<Segment> = deeper.collect();
            anomalies.absorb(inner.anomalies, &raw);
            segments.push(Segment { encoding, text: inner.view.into_owned(), raw, depth: depth + 1 });
            segments.extend(deeper);
        }
        Self { view, map, segments, anomalies }
    }
}

#[cfg(test)]
mod tests;
