//! Globs with the meaning of Python's `fnmatch`: `*` crosses everything, `?` is one character, `[abc]` and `[!abc]`
//! are classes. Case-sensitive, whole string. Unlike `fnmatch`, an unclosed class is an error, not a literal.

/// One element of a glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// This character.
    Literal(char),
    /// One character, whichever.
    Any,
    /// Any text.
    Star,
    /// One character of a class.
    Class {
        /// One that is not in the ranges.
        negated: bool,
        /// First and last character of each range.
        ranges: Box<[(char, char)]>,
    },
}

/// A compiled glob. Matching takes time proportional to name length times pattern length at the very most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    shape: Shape,
}

/// The usual shapes are compared as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shape {
    Everything,
    Exact(Box<str>),
    Prefix(Box<str>),
    Suffix(Box<str>),
    Inside(Box<str>),
    General(Box<[Piece]>),
}

/// Why a text is not a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// It has no characters.
    #[error("the glob is empty")]
    Empty,
    /// A class without an end.
    #[error("`[` without a closing `]`")]
    Unclosed,
    /// Such as `[z-a]`.
    #[error("a range that runs backwards")]
    Backwards,
    /// It is too long.
    #[error("the glob is longer than {MAX_GLOB} characters")]
    TooLong,
}

/// The longest glob, in bytes.
const MAX_GLOB: usize = 1024;

impl Glob {
    /// Reads a glob.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.len() > MAX_GLOB {
            return Err(GlobError::TooLong);
        }
        if !text.contains(['*', '?', '[']) {
            return Ok(Self { shape: Shape::Exact(text.into()) });
        }
        let inner = text.trim_matches('*');
        if inner.is_empty() {
            return Ok(Self { shape: Shape::Everything });
        }
        if !inner.contains(['*', '?', '[']) {
            let shape = match (text.starts_with('*'), text.ends_with('*')) {
                (false, _) => Shape::Prefix(inner.into()),
                (true, false) => Shape::Suffix(inner.into()),
                (true, true) => Shape::Inside(inner.into()),
            };
            return Ok(Self { shape });
        }
        Ok(Self { shape: Shape::General(pieces(text)?) })
    }

    pub(crate) const fn matches_everything(&self) -> bool {
        matches!(self.shape, Shape::Everything)
    }

    /// Its elements, whatever its shape.
    #[must_use]
    pub fn pieces(&self) -> Vec<Piece> {
        let (before, text, after) = match &self.shape {
            Shape::General(pieces) => return pieces.to_vec(),
            Shape::Everything => return vec![Piece::Star],
            Shape::Exact(text) => (false, text, false),
            Shape::Prefix(text) => (false, text, true),
            Shape::Suffix(text) => (true, text, false),
            Shape::Inside(text) => (true, text, true),
        };
        let star = |there: bool| there.then_some(Piece::Star);
        star(before).into_iter().chain(text.chars().map(Piece::Literal)).chain(star(after)).collect()
    }

    /// The one text that it matches, if it has no wildcards.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        match &self.shape {
            Shape::Exact(text) => Some(text),
            _ => None,
        }
    }

    /// A text that it matches, where its shape has an obvious one.
    pub(crate) fn sample(&self) -> Option<&str> {
        match &self.shape {
            Shape::Exact(text) | Shape::Prefix(text) | Shape::Suffix(text) | Shape::Inside(text) => Some(text),
            Shape::Everything | Shape::General(_) => None,
        }
    }

    /// The longest text that every match contains; empty when there is none.
    pub(crate) fn literal(&self) -> String {
        match &self.shape {
            Shape::Everything => String::new(),
            Shape::Exact(text) | Shape::Prefix(text) | Shape::Suffix(text) | Shape::Inside(text) => {
                String::from(&**text)
            }
            Shape::General(pieces) => {
                let mut best = String::new();
                let mut run = String::new();
                for piece in pieces {
                    if let Piece::Literal(c) = piece {
                        run.push(*c);
                        if run.len() > best.len() {
                            best.clone_from(&run);
                        }
                    } else {
                        run.clear();
                    }
                }
                best
            }
        }
    }

    /// It as it can be written.
    pub(crate) fn show(&self) -> String {
        match &self.shape {
            Shape::Everything => "*".to_owned(),
            Shape::Exact(text) => text.to_string(),
            Shape::Prefix(text) => format!("{text}*"),
            Shape::Suffix(text) => format!("*{text}"),
            Shape::Inside(text) => format!("*{text}*"),
            Shape::General(pieces) => pieces.iter().map(Piece::show).collect(),
        }
    }

    /// A text that it matches: the shortest, where stars are.
    pub(crate) fn witness(&self) -> String {
        match &self.shape {
            Shape::Everything => "x".to_owned(),
            Shape::Exact(text) | Shape::Prefix(text) | Shape::Suffix(text) | Shape::Inside(text) => text.to_string(),
            Shape::General(pieces) => pieces.iter().filter_map(Piece::witness).collect(),
        }
    }

    /// Whether it matches the whole name.
    #[inline]
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.shape {
            Shape::Everything => true,
            Shape::Exact(text) => **text == *name,
            Shape::Prefix(text) => name.starts_with(&**text),
            Shape::Suffix(text) => name.ends_with(&**text),
            Shape::Inside(text) => name.contains(&**text),
            Shape::General(pieces) => wild(pieces, name),
        }
    }
}

fn pieces(text: &str) -> Result<Box<[Piece]>, GlobError> {
    let mut pieces = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        pieces.push(match c {
            '*' if pieces.last() == Some(&Piece::Star) => continue,
            '*' => Piece::Star,
            '?' => Piece::Any,
            '[' => class(&mut rest)?,
            c => Piece::Literal(c),
        });
    }
    Ok(pieces.into())
}

/// Reads a class, standing after its `[`. A `]` that comes first is a member, as in `fnmatch`.
fn class(rest: &mut std::str::Chars<'_>) -> Result<Piece, GlobError> {
    let mut members: Vec<char> = Vec::new();
    let mut negated = false;
    let mut first = true;
    loop {
        match rest.next() {
            None => return Err(GlobError::Unclosed),
            Some('!') if first && !negated => {
                negated = true;
                continue;
            }
            Some(']') if !first => break,
            Some(c) => members.push(c),
        }
        first = false;
    }
    let mut ranges = Vec::new();
    let mut members = members.as_slice();
    while let Some((&low, after)) = members.split_first() {
        if let ['-', high, tail @ ..] = after {
            if low > *high {
                return Err(GlobError::Backwards);
            }
            ranges.push((low, *high));
            members = tail;
        } else {
            ranges.push((low, low));
            members = after;
        }
    }
    Ok(Piece::Class { negated, ranges: ranges.into() })
}

impl Piece {
    fn show(&self) -> String {
        match self {
            Self::Literal(c) => c.to_string(),
            Self::Any => "?".to_owned(),
            Self::Star => "*".to_owned(),
            Self::Class { negated, ranges } => {
                let member = |(low, high): &(char, char)| {
                    if low == high { low.to_string() } else { format!("{low}-{high}") }
                };
                let members: String = ranges.iter().map(member).collect();
                format!("[{}{members}]", if *negated { "!" } else { "" })
            }
        }
    }

    fn witness(&self) -> Option<char> {
        match self {
            Self::Literal(c) => Some(*c),
            Self::Any => Some('x'),
            Self::Star => None,
            Self::Class { .. } => ('!'..='~').find(|c| self.takes(*c)),
        }
    }

    /// Whether it can stand for this character.
    #[must_use]
    pub fn takes(&self, c: char) -> bool {
        match self {
            Self::Literal(own) => *own == c,
            Self::Any | Self::Star => true,
            Self::Class { negated, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated,
        }
    }
}

/// Greedy matching that goes back only to the last star: quadratic at worst, without recursion or allocation.
fn wild(pieces: &[Piece], name: &str) -> bool {
    let mut chars = name.chars();
    let mut at = 0;
    let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
    loop {
        match pieces.get(at) {
            Some(Piece::Star) => {
                retry = Some((at, chars.clone()));
                at += 1;
                continue;
            }
            Some(piece) => {
                let mut ahead = chars.clone();
                if ahead.next().is_some_and(|c| piece.takes(c)) {
                    chars = ahead;
                    at += 1;
                    continue;
                }
            }
            None if chars.as_str().is_empty() => return true,
            None => {}
        }
        let Some((star, from)) = &mut retry else { return false };
        if from.next().is_none() {
            return false;
        }
        at = *star + 1;
        chars = from.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table was made with Python 3.11 `fnmatch.fnmatchcase`.
    #[test]
    fn matches_like_fnmatch() {
        for (glob, name, expected) in [
            ("*", "", true),
            ("*", "a/b.c::d", true),
            ("read_file", "read_file", true),
            ("read_file", "Read_File", false),
            ("read_file", "read_file\n", false),
            ("list_*", "list_", true),
            ("list_*", "xlist_a", false),
            ("*_file", "a_file", true),
            ("*_file", "a_files", false),
            ("*db*", "a/db.x", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "a\u{1F600}c", true),
            ("[abc]x", "bx", true),
            ("[!abc]x", "bx", false),
            ("[!abc]x", "dx", true),
            ("[a-c]x", "cx", true),
            ("[]]", "]", true),
            ("[!]]", "]", false),
            ("[!]]", "a", true),
            ("[a-]", "-", true),
            ("[-a]", "-", true),
            ("a*b*c", "a__b__c", true),
            ("a*b*c", "a__c__b", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaa", false),
            ("**x", "x", true),
        ] {
            assert_eq!(Glob::parse(glob).unwrap().matches(name), expected, "{glob} {name:?}");
        }
        assert_eq!(Glob::parse("[abc"), Err(GlobError::Unclosed));
        assert_eq!(Glob::parse("[c-a]"), Err(GlobError::Backwards));
        assert_eq!(Glob::parse(""), Err(GlobError::Empty));
    }

    #[test]
    fn literals_are_required() {
        for (glob, literal) in [("read_*", "read_"), ("a?bcd*e", "bcd"), ("*", ""), ("[ab]", ""), ("x", "x")] {
            assert_eq!(Glob::parse(glob).unwrap().literal(), literal, "{glob}");
        }
    }
}
