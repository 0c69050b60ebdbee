//! Lines and columns.

use std::fmt;

/// How many bytes a lookup walks at most.
const STRIDE: usize = 1024;

/// A place in a text as people count: lines and columns begin with 1, columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    const FIRST: Self = Self { line: 1, column: 1 };

    /// The place of a byte of `text`; of a byte beyond its end, the end. Walks the text: for more than a few, ask a
    /// [`Document`](super::Document).
    #[must_use]
    pub fn of(text: &str, byte: usize) -> Self {
        Self::FIRST.walk(text.get(..byte).unwrap_or(text))
    }

    fn walk(mut self, text: &str) -> Self {
        for character in text.chars() {
            if character == '\n' {
                self = Self { line: self.line + 1, column: 1 };
            } else {
                self.column += 1;
            }
        }
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The places of one text, found without walking all of it: a file may be one line of megabytes.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Bytes at regular distances and their places, in ascending order; never empty.
    known: Vec<(usize, Place)>,
}

impl Places {
    /// The text counts from `start`: a byte order mark is no column.
    pub(super) fn new(text: &str, start: usize) -> Self {
        let mut known = vec![(start, Place::FIRST)];
        let (mut from, mut place) = (start, Place::FIRST);
        while text.len().saturating_sub(from) > STRIDE {
            let to = text.floor_char_boundary(from + STRIDE);
            place = place.walk(text.get(from..to).unwrap_or_default());
            from = to;
            known.push((from, place));
        }
        Self { known }
    }

    pub(super) fn of(&self, text: &str, byte: usize) -> Place {
        let byte = text.floor_char_boundary(byte);
        let next = self.known.partition_point(|(known, _)| *known <= byte);
        let Some((from, place)) = next.checked_sub(1).and_then(|index| self.known.get(index)) else {
            return Place::FIRST;
        };
        place.walk(text.get(*from..byte).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let text = "aé\n\nb";
        for (byte, place) in [(0, "1:1"), (3, "1:3"), (4, "2:1"), (5, "3:1"), (6, "3:2"), (99, "3:2")] {
            assert_eq!(Place::of(text, byte).to_string(), place, "{byte}");
            assert_eq!(Places::new(text, 0).of(text, byte).to_string(), place, "{byte}");
        }
    }

    /// The index says what walking says, across its strides and inside characters.
    #[test]
    fn an_index_agrees_with_walking() {
        let text = "añ\r\n😀x,".repeat(700) + &"é".repeat(3 * STRIDE);
        let places = Places::new(&text, 0);
        for byte in 0..=text.len() {
            if text.is_char_boundary(byte) && byte % 7 < 2 {
                assert_eq!(places.of(&text, byte), Place::of(&text, byte), "{byte}");
            }
        }
    }
}
