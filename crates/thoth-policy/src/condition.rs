//! Conditions, compiled.

use std::cmp::Ordering;

use jiff::SignedDuration;
use regex::Regex;
use thoth_types::json::{Kind, Value};
use thoth_types::{Arguments, HarmClass, HarmClasses};

use crate::glob::Glob;
use crate::host;
use crate::lexical_path::Directory;
use crate::literal::{Literal, any_equals};
use crate::naming::word;
use crate::query::{Query, RateScope};
use crate::semantic::Semantic;
use crate::text_match::TextMatch;
use crate::truth::Truth;
use crate::window::{self, Window};

/// One condition of a rule. All of a rule's conditions must hold.
#[derive(Debug, Clone)]
pub enum Condition {
    /// One argument passes a test.
    Argument {
        /// Which one.
        path: ArgumentPath,
        /// What it must pass.
        test: Test,
    },
    /// The size of all arguments together, in bytes as sent.
    ArgumentsSize(Bounds),
    /// The clock.
    When(Window),
    /// This call would be one too many.
    Rate {
        /// How many calls are allowed in the window.
        limit: u64,
        /// How far back calls count.
        window: SignedDuration,
        /// Which calls count.
        scope: RateScope,
    },
    /// An earlier call of the session.
    AfterCall {
        /// Its tool.
        tool: TextMatch,
        /// Its server.
        server: TextMatch,
    },
    /// One of these was found in a result of the session.
    Labels(HarmClasses),
    /// Keywords.
    Semantic(Semantic),
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `param_gt`
    Gt,
    /// `param_lt`
    Lt,
    /// `param_gte`
    Gte,
    /// `param_lte`
    Lte,
}

impl Comparison {
    pub(crate) const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Gt => matches!(order, Ordering::Greater),
            Self::Lt => matches!(order, Ordering::Less),
            Self::Gte => !matches!(order, Ordering::Less),
            Self::Lte => !matches!(order, Ordering::Greater),
        }
    }

    /// The key that is written in policies.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Gt => "param_gt",
            Self::Lt => "param_lt",
            Self::Gte => "param_gte",
            Self::Lte => "param_lte",
        }
    }
}

/// Inclusive bounds on a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest size that holds.
    pub least: u64,
    /// The largest.
    pub most: u64,
}

impl Bounds {
    fn hold(&self, size: usize) -> Truth {
        u64::try_from(size).map_or(Truth::Error, |size| (self.least <= size && size <= self.most).into())
    }

    pub(crate) fn show(&self) -> String {
        if self.most == u64::MAX { format!(">= {}", self.least) } else { format!("{}..={}", self.least, self.most) }
    }
}

/// A test of one argument.
#[derive(Debug, Clone)]
pub enum Test {
    /// `param_eq`
    Equals(Literal),
    /// `param_gt` and its kind.
    Ordered(Comparison, Literal),
    /// `param_contains`
    Contains(Literal),
    /// `param_in`
    In(Box<[Literal]>),
    /// `param_not_in`
    NotIn(Box<[Literal]>),
    /// `param_exists`
    Exists(bool),
    /// `param_matches`
    Pattern(Regex),
    /// `param_glob`, and as it is written.
    Glob(TextMatch, Box<str>),
    /// `path_under`, and as it is written.
    Under(Box<[Directory]>, Box<str>),
    /// `host_in`, and as it is written.
    Host(Box<[Glob]>, Box<str>),
    /// `size`
    Size(Bounds),
}

/// Where an argument stands: member names and list positions.
#[derive(Debug, Clone)]
pub struct ArgumentPath {
    /// As it is written.
    pub text: Box<str>,
    /// Its steps, outermost first.
    pub steps: Box<[Step]>,
}

/// One step of an [`ArgumentPath`].
#[derive(Debug, Clone)]
pub struct Step {
    /// As a member's name; `None` for a position in brackets.
    pub name: Option<Box<str>>,
    /// As a position in a list, if it is a number.
    pub index: Option<usize>,
}

impl Step {
    /// What it leads to.
    pub(crate) fn of<'a>(&self, value: Value<'a>) -> Option<Value<'a>> {
        match (value.kind(), &self.name, self.index) {
            (Kind::Object, Some(name), _) => value.get(name),
            (Kind::Array, _, Some(index)) => value.elements().nth(index),
            _ => None,
        }
    }
}

/// What stands at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    Value(Value<'a>),
    Missing,
    /// Both a member with the whole dotted name and a nested value: the server could mean either.
    Ambiguous,
}

impl ArgumentPath {
    /// Splits `a.b[0].c`. `None` when a step is empty or brackets are not closed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        for part in text.split('.') {
            let (name, brackets) = part.split_at(part.find('[').unwrap_or(part.len()));
            if name.is_empty() && (brackets.is_empty() || !steps.is_empty()) {
                return None;
            }
            if !name.is_empty() {
                let plain = name.len() == 1 || !name.starts_with('0');
                steps.push(Step { name: Some(name.into()), index: name.parse().ok().filter(|_| plain) });
            }
            let mut rest = brackets;
            while let Some(inner) = rest.strip_prefix('[') {
                let (index, after) = inner.split_once(']')?;
                steps.push(Step { name: None, index: Some(index.parse().ok()?) });
                rest = after;
            }
            if !rest.is_empty() {
                return None;
            }
        }
        Some(Self { text: text.into(), steps: steps.into() })
    }

    pub(crate) fn find<'a>(&self, arguments: Arguments<'a>) -> Found<'a> {
        let Some(root) = arguments.value() else { return Found::Missing };
        let at = self.steps.iter().try_fold(root, |value, step| step.of(value));
        let whole = if self.steps.len() > 1 { root.get(&self.text) } else { None };
        match (at, whole) {
            (Some(_), Some(_)) => Found::Ambiguous,
            (Some(value), None) | (None, Some(value)) => Found::Value(value),
            (None, None) => Found::Missing,
        }
    }
}

impl Test {
    fn holds(&self, found: Found<'_>) -> Truth {
        let value = match (self, found) {
            (Self::Exists(wanted), Found::Missing) => return (!*wanted).into(),
            (Self::Exists(wanted), Found::Ambiguous) => return (*wanted).into(),
            // To some servers a null argument is present, to others it is not.
            (Self::Exists(wanted), Found::Value(value)) => {
                return if value.is_null() { Truth::Error } else { (*wanted).into() };
            }
            (_, Found::Missing | Found::Ambiguous) => return Truth::Error,
            (_, Found::Value(value)) => value,
        };
        match self {
            Self::Equals(literal) => literal.equals(value),
            Self::Ordered(comparison, literal) => {
                literal.order(value).map_or(Truth::Error, |order| comparison.holds(order).into())
            }
            Self::Contains(literal) => literal.contained_in(value),
            Self::In(literals) => any_equals(literals, value),
            Self::NotIn(literals) => !any_equals(literals, value),
            Self::Exists(_) => Truth::Error,
            Self::Pattern(pattern) => strings(value, &|text| pattern.is_match(text).into()),
            Self::Glob(globs, _) => strings(value, &|text| globs.matches(text).into()),
            Self::Under(directories, _) => strings(value, &|text| {
                directories.iter().fold(Truth::False, |any, directory| any.or(directory.contains(text)))
            }),
            Self::Host(hosts, _) => strings(value, &|text| host::is_in(hosts, text)),
            Self::Size(bounds) => match value.kind() {
                Kind::String => value.as_str().map_or(Truth::Error, |text| bounds.hold(text.chars().count())),
                Kind::Array => bounds.hold(value.elements().count()),
                _ => Truth::Error,
            },
        }
    }

    fn show(&self, path: &str) -> String {
        let list = |items: &[Literal]| items.iter().map(Literal::show).collect::<Vec<_>>().join(", ");
        match self {
            Self::Equals(literal) => format!("param_eq {path} {}", literal.show()),
            Self::Ordered(comparison, literal) => format!("{} {path} {}", comparison.key(), literal.show()),
            Self::Contains(literal) => format!("param_contains {path} {}", literal.show()),
            Self::In(items) => format!("param_in {path} [{}]", list(items)),
            Self::NotIn(items) => format!("param_not_in {path} [{}]", list(items)),
            Self::Exists(wanted) => format!("param_exists {path} {wanted}"),
            Self::Pattern(pattern) => format!("param_matches {path} {}", pattern.as_str()),
            Self::Glob(_, text) => format!("param_glob {path} {text}"),
            Self::Under(_, text) => format!("path_under {path} {text}"),
            Self::Host(_, text) => format!("host_in {path} {text}"),
            Self::Size(bounds) => format!("size {path} {}", bounds.show()),
        }
    }
}

/// A test of text applied to a string, or to a list of strings that must agree. Numbers have many spellings and are
/// undecided.
fn strings(value: Value<'_>, test: &dyn Fn(&str) -> Truth) -> Truth {
    let one = |value: Value<'_>| match value.kind() {
        Kind::String => value.as_str().map_or(Truth::Error, |text| test(&text)),
        _ => Truth::Error,
    };
    match value.kind() {
        Kind::Array => Truth::unanimous(value.elements().map(one)),
        _ => one(value),
    }
}

impl Condition {
    /// Whether it holds for a call of `tool`, which may be a normalised form of the query's tool.
    #[must_use]
    pub fn holds(&self, tool: &str, query: &Query<'_>) -> Truth {
        match self {
            Self::Argument { path, test } => test.holds(path.find(query.arguments)),
            Self::ArgumentsSize(bounds) => bounds.hold(query.arguments.raw().len()),
            Self::When(window) => window.holds(query.now),
            Self::Rate { limit, window, scope } => {
                let since = query.now.checked_sub(*window).unwrap_or(jiff::Timestamp::MIN);
                (query.history.calls_since(*scope, query.tool, since) >= *limit).into()
            }
            Self::AfterCall { tool, server } => query
                .history
                .called_before(&mut |was, on| {
                    (tool.matches(was) || tool.matches(&crate::name::normalised(was))) && server.matches(on)
                })
                .into(),
            Self::Labels(any) => query.history.labels().meets(*any).into(),
            Self::Semantic(semantic) => semantic.holds(tool, query),
        }
    }

    /// It as a line of a trace.
    #[must_use]
    pub fn show(&self) -> String {
        match self {
            Self::Argument { path, test } => test.show(&word(&path.text)),
            Self::ArgumentsSize(bounds) => format!("size $ {}", bounds.show()),
            Self::When(window) => {
                let zone = window.zone.iana_name().unwrap_or("UTC");
                let time = |t: Option<jiff::civil::Time>| t.map_or("-".to_owned(), |t| t.strftime("%H:%M").to_string());
                let days = window.days.map(|days| format!(" on {}", window::show_days(days))).unwrap_or_default();
                format!("time {}..{}{days} {zone}", time(window.after), time(window.before))
            }
            Self::Rate { limit, window, scope } => {
                format!("rate {limit} per {}s per {}", window.as_secs(), scope.as_str())
            }
            Self::AfterCall { tool, server } => match (tool.show(), server.show()) {
                (tool, None) => format!("after_call {}", tool.as_deref().unwrap_or("*")),
                (tool, Some(server)) => format!("after_call {} on {server}", tool.as_deref().unwrap_or("*")),
            },
            Self::Labels(any) => format!("labels {any}"),
            Self::Semantic(semantic) => format!("semantic {} (heuristic)", semantic.text),
        }
    }

    /// The value it looked at, as JSON text, for a trace.
    pub(crate) fn value(&self, query: &Query<'_>) -> Option<String> {
        const MOST: usize = 200;
        let shorten = |text: &str| {
            let mut short: String = text.chars().take(MOST).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            short
        };
        match self {
            Self::Argument { path, .. } => match path.find(query.arguments) {
                Found::Value(value) => Some(shorten(&String::from_utf8_lossy(value.raw()))),
                Found::Missing => None,
                Found::Ambiguous => Some("two arguments answer to this name".to_owned()),
            },
            Self::ArgumentsSize(_) => Some(query.arguments.raw().len().to_string()),
            Self::When(window) => Some(window.zone.to_datetime(query.now).to_string()),
            Self::Rate { window, scope, .. } => {
                let since = query.now.checked_sub(*window).unwrap_or(jiff::Timestamp::MIN);
                Some(query.history.calls_since(*scope, query.tool, since).to_string())
            }
            Self::Labels(_) => {
                let labels: Vec<&str> = query.history.labels().iter().map(HarmClass::as_str).collect();
                Some(serde_json::Value::from(labels).to_string())
            }
            Self::AfterCall { .. } | Self::Semantic(_) => None,
        }
    }
}
