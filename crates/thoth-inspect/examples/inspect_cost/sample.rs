//! Texts of which documents are made, how they are written down, and what inspecting such a document costs.

use std::fmt;
use std::hint::black_box;
use std::time::Duration;

use thoth_inspect::{InspectSettings, inspect_arguments, inspect_result};
use thoth_types::json::{Limits, Tape};

pub(crate) const MEGABYTE: usize = 1 << 20;

/// Keys that lead to different roles; without one, the text is in a result.
pub(crate) const ROLES: &[&str] =
    &["command", "path", "url", "host", "sql", "query", "content", "city", "token", "password"];

/// How copies of a piece fill a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// All in one string.
    Whole,
    /// Each a string in a list.
    Items,
    /// Each the value of a member in a list of objects.
    Rows,
    /// Each a key, with a number that makes it the only one.
    Keys,
    /// Each the value of a key of its own.
    Members,
    /// A list of strings, written as JSON in a string.
    Inner,
    /// A list of such strings, with one string in each.
    Nested,
    /// A list of numbers of 16 digits, with the piece as the name above them.
    Numbers,
}

impl Layout {
    pub(crate) const ALL: [Self; 8] =
        [Self::Whole, Self::Items, Self::Rows, Self::Keys, Self::Members, Self::Inner, Self::Nested, Self::Numbers];

    const fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Items => "items",
            Self::Rows => "rows",
            Self::Keys => "keys",
            Self::Members => "members",
            Self::Inner => "inner",
            Self::Nested => "nested",
            Self::Numbers => "numbers",
        }
    }
}

/// A document in short: what is repeated, what stands once before it, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) layout: Layout,
    pub(crate) role: Option<&'static str>,
    pub(crate) head: String,
    pub(crate) piece: String,
}

impl Sample {
    /// Reads a line of the list of slow texts: layout, role, head and piece, with tabs between.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split('\t');
        let layout = fields.next()?;
        let layout = Layout::ALL.into_iter().find(|known| known.name() == layout)?;
        let role = match fields.next()? {
            "result" => None,
            key => Some(*ROLES.iter().find(|known| **known == key)?),
        };
        let (head, piece) = (unescape(fields.next()?)?, unescape(fields.next()?)?);
        (!piece.is_empty()).then_some(Self { layout, role, head, piece })
    }

    /// A document of about `size` bytes.
    pub(crate) fn document(&self, size: usize) -> String {
        let json = |text: &str| {
            let mut out = String::with_capacity(text.len() + 8);
            escape(text, &mut out);
            out
        };
        let (head, piece) = (json(&self.head), json(&self.piece));
        let mut out = match self.role {
            Some(key) => format!("{{\"{key}\":"),
            None => "{\"content\":[{\"type\":\"text\",\"text\":".to_owned(),
        };
        let (opening, before, after, closing) = match self.layout {
            Layout::Whole => (format!("\"{head}"), String::new(), String::new(), "\""),
            Layout::Items => (format!("[\"{head}\""), ",\"".to_owned(), "\"".to_owned(), "]"),
            Layout::Rows => {
                let key = self.role.unwrap_or("text");
                (format!("[{{\"{key}\":\"{head}\"}}"), format!(",{{\"{key}\":\""), "\"}".to_owned(), "]")
            }
            Layout::Keys => (format!("{{\"{head}\":0"), ",\"".to_owned(), "\":0".to_owned(), "}"),
            Layout::Members => (format!("{{\"{head}\":0"), ",\"some_key_".to_owned(), "\"".to_owned(), "}"),
            Layout::Inner => (format!("\"[\\\"{}\\\"", json(&head)), ",\\\"".to_owned(), "\\\"".to_owned(), "]\""),
            Layout::Nested => (format!("[\"{head}\""), ",\"[\\\"".to_owned(), "\\\"]\"".to_owned(), "]"),
            Layout::Numbers => (format!("{{\"{head}{piece}\":[0"), ",".to_owned(), String::new(), "]}"),
        };
        let piece = match self.layout {
            Layout::Inner | Layout::Nested => json(&piece),
            Layout::Numbers => "4111111111111111".to_owned(),
            _ => piece,
        };
        out.push_str(&opening);
        let mut number = 0_usize;
        while out.len() < size {
            out.push_str(&before);
            if self.layout == Layout::Members {
                out.push_str(&format!("{number}\":\""));
            }
            out.push_str(&piece);
            if self.layout == Layout::Keys {
                out.push_str(&number.to_string());
            }
            number += 1;
            out.push_str(&after);
        }
        out.push_str(closing);
        out.push_str(if self.role.is_some() { "}" } else { "}]}" });
        out
    }

    /// The shortest of `rounds` times that a document of `size` bytes takes, scaled to a megabyte.
    pub(crate) fn cost(&self, size: usize, rounds: u32, settings: &InspectSettings) -> Duration {
        let document = self.document(size);
        best(&document, self.role.is_some(), settings, rounds).mul_f64(MEGABYTE as f64 / document.len() as f64)
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layout, role) = (self.layout.name(), self.role.unwrap_or("result"));
        write!(f, "{layout}\t{role}\t{}\t{}", written(&self.head), written(&self.piece))
    }
}

/// A text as a line of a list holds it.
fn written(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '"' | '\'' => c.to_string().chars().collect::<Vec<_>>(),
            _ => c.escape_debug().collect(),
        })
        .collect()
}

/// The other way round. Nothing where the line is not well formed.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match rest.next()? {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            '0' => '\0',
            'u' => {
                let digits: String = rest.by_ref().skip(1).take_while(|c| *c != '}').collect();
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
            }
            other => other,
        });
    }
    Some(out)
}

/// Appends a text as it stands between the quotes of a JSON string.
pub(crate) fn escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
}

/// The shortest of `rounds` times that inspecting a document takes. Reading it is not part of that.
pub(crate) fn best(document: &str, arguments: bool, settings: &InspectSettings, rounds: u32) -> Duration {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: 16 * MEGABYTE, ..Limits::default() };
    let Ok(value) = tape.parse(document.as_bytes(), &limits) else { return Duration::ZERO };
    let once = || {
        let start = processor_time();
        if arguments {
            black_box(inspect_arguments("tool", value, None, settings));
        } else {
            black_box(inspect_result("tool", value, settings));
        }
        processor_time().saturating_sub(start)
    };
    (0..rounds).map(|_| once()).min().unwrap_or_default()
}

/// What this thread has used of a processor: what others do at the same time counts less.
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.try_into().unwrap_or(0))
}
