//! What is wrong with a policy file, shown where it is wrong.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use thoth_types::Place;

use crate::yaml::At;

/// A policy file's text, kept for messages.
#[derive(Debug)]
pub(crate) struct File {
    pub name: Arc<str>,
    pub text: String,
}

impl File {
    pub(crate) fn place(&self, at: At) -> Place {
        Place { file: Arc::clone(&self.name), line: at.line, column: at.column }
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $word:literal),+ $(,)?) => {
        /// What kind of mistake it is: stable words for scripts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum DiagnosticCode { $($(#[$doc])* $variant),+ }

        impl DiagnosticCode {
            /// The stable word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

codes! {
    /// The file cannot be read.
    Unreadable => "unreadable",
    /// Not YAML, or YAML that policies do not use.
    Syntax => "syntax",
    /// A key twice in one mapping.
    DuplicateKey => "duplicate_key",
    /// A key that means nothing here.
    UnknownKey => "unknown_key",
    /// A key of the language that this version does not enforce yet.
    NotSupported => "not_supported",
    /// A value of the wrong kind.
    WrongType => "wrong_type",
    /// A value that cannot be right.
    BadValue => "bad_value",
    /// A glob that cannot be read.
    BadGlob => "bad_glob",
    /// A regular expression that cannot be compiled.
    BadPattern => "bad_pattern",
    /// A time, window, zone or weekday that cannot be.
    BadTime => "bad_time",
    /// Two rules or groups with one name.
    DuplicateName => "duplicate_name",
    /// A name that no rule has.
    UnknownRule => "unknown_rule",
    /// A name that no group of approvers has.
    UnknownGroup => "unknown_group",
    /// An include that cannot be followed.
    BadInclude => "bad_include",
    /// Files that contradict each other.
    Conflict => "conflict",
    /// Allowed, but probably not what was meant.
    Lint => "lint",
}

/// One message about a policy file.
#[derive(Clone)]
pub struct Diagnostic {
    /// What kind of mistake.
    pub code: DiagnosticCode,
    /// What is wrong.
    pub message: String,
    /// Where; absent when the file could not be read at all.
    pub place: Option<Place>,
    /// What to do about it.
    pub help: Option<String>,
    marks: Vec<Mark>,
    warning: bool,
}

#[derive(Clone)]
struct Mark {
    file: Arc<File>,
    at: At,
    label: Option<&'static str>,
}

impl fmt::Debug for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Diagnostic")
            .field("code", &self.code)
            .field("message", &self.message)
            .field("place", &self.place)
            .field("help", &self.help)
            .finish_non_exhaustive()
    }
}

/// How many findings are shown at once: more than anybody mends in one go, and a bound on what a broken file prints.
pub const MAX_SHOWN: usize = 100;

/// The first [`MAX_SHOWN`] findings, and how many there are besides.
#[must_use]
pub fn worth_showing(findings: &[Diagnostic]) -> (&[Diagnostic], usize) {
    findings.split_at_checked(MAX_SHOWN).map_or((findings, 0), |(shown, rest)| (shown, rest.len()))
}

/// Source lines longer than this are not shown: a snippet is for a person.
const MAX_SNIPPET_LINE: usize = 400;

impl Diagnostic {
    pub(crate) fn new(code: DiagnosticCode, file: &Arc<File>, at: At, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            place: Some(file.place(at)),
            help: None,
            marks: vec![Mark { file: Arc::clone(file), at, label: None }],
            warning: false,
        }
    }

    pub(crate) fn unplaced(code: DiagnosticCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None, help: None, marks: Vec::new(), warning: false }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn also(mut self, file: &Arc<File>, at: At, label: &'static str) -> Self {
        self.marks.push(Mark { file: Arc::clone(file), at, label: Some(label) });
        self
    }

    pub(crate) const fn into_warning(mut self) -> Self {
        self.warning = true;
        self
    }

    /// The message with its source lines, for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let level = if self.warning { Level::WARNING } else { Level::ERROR };
        let mut report = level
            .primary_title(self.message.as_str())
            .id(self.code.as_str())
            .elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        for (index, mark) in self.marks.iter().enumerate() {
            let Some((text, first_line, offset)) = mark.window() else { continue };
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let end = mark.end_on_line().max(mark.at.start);
            let span = mark.at.start.saturating_sub(offset)..end.saturating_sub(offset);
            let annotation = kind.span(span).label(mark.label);
            report = report.element(
                Snippet::source(text).line_start(first_line).path(&*mark.file.name).fold(false).annotation(annotation),
            );
        }
        if let Some(help) = &self.help {
            report = report.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[report])
    }
}

impl Mark {
    /// The line of the mark and the one before it, the number of the first, and its byte offset in the file.
    fn window(&self) -> Option<(&str, usize, usize)> {
        let text = &self.file.text;
        let before = text.get(..self.at.start)?;
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        let start = match line_start.checked_sub(1).and_then(|end| text.get(..end)) {
            Some(above) => above.rfind('\n').map_or(0, |i| i + 1),
            None => line_start,
        };
        let end = text.get(line_start..)?.find('\n').map_or(text.len(), |i| line_start + i);
        let window = text.get(start..end)?;
        if window.lines().any(|line| line.len() > MAX_SNIPPET_LINE) {
            return None;
        }
        let lines_above = usize::from(start != line_start);
        let line = usize::try_from(self.at.line).ok()?;
        Some((window, line.saturating_sub(lines_above).max(1), start))
    }

    fn end_on_line(&self) -> usize {
        let rest = self.file.text.get(self.at.start..self.at.end).unwrap_or_default();
        self.at.start + rest.find('\n').unwrap_or(rest.len())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// Why a policy could not be loaded: everything that was found, in the order of the files.
#[derive(Debug, Clone)]
pub struct LoadError {
    /// At least one message.
    pub diagnostics: Vec<Diagnostic>,
}

impl LoadError {
    pub(crate) fn one(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic] }
    }

    /// The first message in one line, `place: message`, and how many more there are: for places that may be seen by
    /// others than the policy's author. Without help, which may list what the policy has.
    #[must_use]
    pub fn first(&self) -> String {
        /// Messages repeat what the file says, which may be long.
        const MOST_CHARS: usize = 300;
        let Some(first) = self.diagnostics.first() else { return String::new() };
        let whole = match &first.place {
            Some(place) => format!("{place}: {}", first.message),
            None => first.message.clone(),
        };
        let mut line: String = whole.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST_CHARS).collect();
        if line.len() < whole.len() && line.chars().count() == MOST_CHARS {
            line.push('…');
        }
        match self.diagnostics.len() {
            0 | 1 => line,
            all => format!("{line} (and {} more)", all - 1),
        }
    }

    /// Where something is wrong and of what kind it is, in one line, and how many more there are: for logs, which are kept and
    /// sent on. Without the messages, which repeat what the files say.
    #[must_use]
    pub fn places(&self) -> String {
        const MOST: usize = 8;
        let told = self.diagnostics.iter().take(MOST).map(|diagnostic| match &diagnostic.place {
            Some(place) => format!("{place} ({})", diagnostic.code.as_str()),
            None => diagnostic.code.as_str().to_owned(),
        });
        let line: String = told.collect::<Vec<_>>().join(", ").replace(char::is_control, " ");
        match self.diagnostics.len() {
            all if all > MOST => format!("{line} and {} more", all - MOST),
            _ => line,
        }
    }

    /// The messages that are [`worth_showing`] with their source lines, and how many more there are, for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let (shown, rest) = worth_showing(&self.diagnostics);
        let mut parts: Vec<String> = shown.iter().map(|d| d.render(color)).collect();
        if rest > 0 {
            parts.push(format!("… and {rest} more; {} in all", self.diagnostics.len()));
        }
        parts.join("\n\n")
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
