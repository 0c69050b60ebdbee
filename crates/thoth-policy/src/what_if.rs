//! The same call, with one argument otherwise: such that a condition comes out as wanted.

use thoth_types::Arguments;
use thoth_types::json::{Kind, Limits, Tape};

use crate::condition::{ArgumentPath, Bounds, Condition, Found, Step, Test};
use crate::glob::Glob;
use crate::literal::Literal;
use crate::query::Query;
use crate::truth::Truth;

/// The longest text or list that is made up to have a size.
const MAX_MADE_UP: u64 = 64;

/// Other arguments, and what is other about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WhatIf {
    /// All arguments, as JSON text.
    pub(crate) arguments: String,
    /// The value of the argument that was changed, as JSON text.
    pub(crate) example: String,
}

impl Condition {
    /// The call's arguments with one changed so that this condition surely comes out as `wanted`, if a value for that
    /// can be told from the condition.
    pub(crate) fn altered(&self, tool: &str, query: &Query<'_>, wanted: bool) -> Option<WhatIf> {
        let Self::Argument { path, test } = self else { return None };
        let now = match path.find(query.arguments) {
            Found::Ambiguous => return None,
            Found::Value(value) if value.kind() == Kind::String => value.as_str(),
            _ => None,
        };
        test.values(now.as_deref().unwrap_or_default()).into_iter().find_map(|example| {
            let arguments = replaced(path, query.arguments, &example)?;
            let mut tape = Tape::new();
            let value = tape.parse(arguments.as_bytes(), &Limits::default()).ok()?;
            let other = Query { arguments: Arguments::new(Some(value)), ..*query };
            let outcome = self.holds(tool, &other);
            (outcome == Truth::from(wanted)).then_some(WhatIf { arguments, example })
        })
    }
}

impl Test {
    /// Values at its edges, as JSON texts: with some of them it holds, with others it does not. `now` is the text that
    /// the argument has.
    fn values(&self, now: &str) -> Vec<String> {
        match self {
            Self::Equals(literal) | Self::Ordered(_, literal) => beside(literal),
            Self::Contains(literal) => {
                let without = if let Literal::Text(own) = literal { now.replace(&**own, "") } else { String::new() };
                vec![literal.show(), format!("[{}]", literal.show()), text(&without), "[]".to_owned()]
            }
            Self::In(literals) | Self::NotIn(literals) => literals.iter().flat_map(beside).collect(),
            Self::Exists(_) => vec![text("x")],
            Self::Pattern(_) => Vec::new(),
            Self::Glob(globs, _) => {
                let some = globs.any.iter().map(Glob::witness);
                some.chain(["x".to_owned(), String::new()]).map(|value| text(&value)).collect()
            }
            Self::Under(directories, _) => {
                let inside = directories.iter().map(crate::lexical_path::Directory::show);
                inside.chain(["/".to_owned(), "elsewhere".to_owned()]).map(|path| text(&path)).collect()
            }
            Self::Host(hosts, _) => {
                // `*.example.com` is not to become `.example.com`.
                let host = |glob: &Glob| match glob.witness() {
                    witness if witness.starts_with('.') => format!("www{witness}"),
                    witness => witness,
                };
                let inside = hosts.iter().map(host);
                inside.chain(["host.invalid".to_owned()]).map(|host| text(&format!("https://{host}/"))).collect()
            }
            Self::Size(bounds) => sizes(bounds),
        }
    }
}

fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// The literal itself, and values next to it.
fn beside(literal: &Literal) -> Vec<String> {
    let mut values = vec![literal.show()];
    match literal {
        Literal::Number(number) => {
            if let Ok(whole) = number.parse::<i64>() {
                values.extend([whole.checked_sub(1), whole.checked_add(1)].iter().flatten().map(i64::to_string));
            } else if let Ok(number) = number.parse::<f64>() {
                values.extend([number - 1.0, number + 1.0].iter().filter(|n| n.is_finite()).map(f64::to_string));
            }
        }
        Literal::Text(own) => values.extend([text(&format!("{own}_")), text("")]),
        Literal::Bool(own) => values.push((!own).to_string()),
        Literal::Null | Literal::List(_) | Literal::Map(_) => {}
    }
    values
}

fn sizes(bounds: &Bounds) -> Vec<String> {
    let lengths = [Some(bounds.least), bounds.least.checked_sub(1), bounds.most.checked_add(1)];
    let lengths = lengths.iter().flatten().filter(|length| **length <= MAX_MADE_UP);
    lengths.map(|length| text(&"x".repeat(usize::try_from(*length).unwrap_or_default()))).collect()
}

/// The arguments with `value` at `path`; every other byte stays.
fn replaced(path: &ArgumentPath, arguments: Arguments<'_>, value: &str) -> Option<String> {
    let Some(root) = arguments.value() else { return nested(&path.steps, value) };
    let whole = std::str::from_utf8(root.raw()).ok()?;
    let base = root.span().start;
    if let Found::Value(there) = path.find(arguments) {
        let span = there.span();
        let (before, after) = (whole.get(..span.start.checked_sub(base)?)?, whole.get(span.end.checked_sub(base)?..)?);
        return Some(format!("{before}{value}{after}"));
    }
    let found = path.steps_in(arguments);
    let object = found.last().filter(|value| value.kind() == Kind::Object)?;
    let inner = nested(path.steps.get(found.len().checked_sub(1)?..)?, value)?;
    let inner = inner.strip_prefix('{')?.strip_suffix('}')?;
    let at = object.span().start.checked_sub(base)? + 1;
    let comma = if object.members().next().is_some() { ", " } else { "" };
    Some(format!("{}{inner}{comma}{}", whole.get(..at)?, whole.get(at..)?))
}

/// Objects around a value; nothing where a list would be needed.
fn nested(steps: &[Step], value: &str) -> Option<String> {
    steps.iter().rev().try_fold(value.to_owned(), |inner, step| {
        let name = step.name.as_ref()?;
        Some(format!("{{{}: {inner}}}", serde_json::Value::from(&**name)))
    })
}
