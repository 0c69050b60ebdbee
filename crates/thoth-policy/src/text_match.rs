//! Lists of globs: any of them, less those that start with `!`.

use crate::glob::Glob;
use crate::name;
use crate::naming::word;

/// A list of globs as written in `match` and elsewhere: matches when any plain entry matches (or there is none) and
/// no `!` entry does.
#[derive(Debug, Clone, Default)]
pub struct TextMatch {
    /// One of these must match; empty for any text.
    pub any: Box<[Glob]>,
    /// None of these may match.
    pub none: Box<[Glob]>,
}

impl TextMatch {
    pub(crate) fn new(any: Vec<Glob>, none: Vec<Glob>) -> Self {
        Self { any: any.into(), none: none.into() }
    }

    /// Whether no text can fail, as far as its form shows.
    #[must_use]
    pub fn matches_everything(&self) -> bool {
        self.none.is_empty() && (self.any.is_empty() || self.any.iter().any(Glob::matches_everything))
    }

    /// It as it can be written; nothing where it was left out.
    pub(crate) fn show(&self) -> Option<String> {
        let any = self.any.iter().map(Glob::show);
        let none = self.none.iter().map(|glob| format!("!{}", glob.show()));
        let entries: Vec<String> = any.chain(none).map(|entry| word(&entry)).collect();
        match entries.as_slice() {
            [] => None,
            [one] => Some(one.clone()),
            several => Some(format!("[ {} ]", several.join(", "))),
        }
    }

    /// Whether the text matches.
    #[inline]
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        (self.any.is_empty() || self.any.iter().any(|glob| glob.matches(text)))
            && !self.none.iter().any(|glob| glob.matches(text))
    }
}

/// A session's own approved scope, compiled: tool globs, one of which must match.
#[derive(Debug, Clone, Default)]
pub struct ScopeList(Option<TextMatch>);

impl ScopeList {
    /// Compiles the globs; an empty list restricts nothing.
    ///
    /// # Errors
    /// The first entry that is not a glob, with the reason.
    pub fn new(entries: &[String]) -> Result<Self, String> {
        if entries.is_empty() {
            return Ok(Self(None));
        }
        let mut any = Vec::new();
        let mut none = Vec::new();
        for entry in entries {
            let (list, text) = match entry.strip_prefix('!') {
                Some(text) => (&mut none, text),
                None => (&mut any, entry.as_str()),
            };
            list.push(Glob::parse(text).map_err(|error| format!("`{entry}` is not a tool pattern: {error}"))?);
        }
        Ok(Self(Some(TextMatch::new(any, none))))
    }

    /// Whether the tool may be used, as written and as it reads.
    pub(crate) fn allows(&self, tool: &str) -> bool {
        self.0.as_ref().is_none_or(|list| list.matches(tool) && list.matches(&name::normalised(tool)))
    }
}
