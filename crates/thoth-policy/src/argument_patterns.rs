//! What a call's arguments must be for a grant to cover it.

use thoth_types::json::Value;
use thoth_types::{ArgumentPattern, Arguments};

use crate::condition::{ArgumentPath, Found};
use crate::glob::Glob;

/// The most patterns of one grant.
const MAX_PATTERNS: usize = 64;

/// Patterns of a grant, compiled. They can only narrow: what cannot be decided does not match.
#[derive(Debug, Clone, Default)]
pub struct ArgumentPatterns(Box<[One]>);

#[derive(Debug, Clone)]
struct One {
    path: ArgumentPath,
    glob: Glob,
    /// How many steps upwards the pattern itself has.
    climbs: usize,
}

/// Why patterns of arguments cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentPatternError {
    /// The argument cannot be named in this way.
    #[error("`{argument}` is no argument path: write `name`, `outer.inner` or `list[0].name`")]
    Argument {
        /// As written.
        argument: String,
    },
    /// The pattern cannot be read.
    #[error("bad pattern `{glob}` for `{argument}`: {reason}")]
    Glob {
        /// The argument.
        argument: String,
        /// The pattern as written.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There are too many.
    #[error("{count} patterns; the most is {MAX_PATTERNS}")]
    TooMany {
        /// How many.
        count: usize,
    },
}

impl ArgumentPatterns {
    /// Compiles them. No patterns match all arguments.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn compile(patterns: &[ArgumentPattern]) -> Result<Self, ArgumentPatternError> {
        if patterns.len() > MAX_PATTERNS {
            return Err(ArgumentPatternError::TooMany { count: patterns.len() });
        }
        let one = |pattern: &ArgumentPattern| {
            let path = ArgumentPath::parse(&pattern.argument)
                .ok_or_else(|| ArgumentPatternError::Argument { argument: pattern.argument.clone() })?;
            let glob = Glob::parse(&pattern.glob).map_err(|error| ArgumentPatternError::Glob {
                argument: pattern.argument.clone(),
                glob: pattern.glob.clone(),
                reason: error.to_string(),
            })?;
            Ok(One { path, glob, climbs: climbs(&pattern.glob) })
        };
        patterns.iter().map(one).collect::<Result<_, _>>().map(Self)
    }

    /// Whether each of the arguments named is there and matches: a string by its text, any other value by its exact
    /// JSON text. An argument that two values could be meant by matches nothing. Wildcards take no step upwards
    /// (`..`), so that `/srv/data/*` does not cover `/srv/data/../keys`.
    #[must_use]
    pub fn matches(&self, arguments: Arguments<'_>) -> bool {
        self.0.iter().all(|one| match one.path.find(arguments) {
            Found::Value(value) => one.matches(value),
            Found::Missing | Found::Ambiguous => false,
        })
    }
}

impl One {
    fn matches(&self, value: Value<'_>) -> bool {
        if let Some(text) = value.as_str() {
            return self.glob.matches(&text) && (self.glob.exact().is_some() || climbs(&text) == self.climbs);
        }
        let Ok(text) = std::str::from_utf8(value.raw()) else { return false };
        // Texts inside may be paths, and escapes may hide what they say.
        let plain = !text.contains("..") && !text.contains("\\u");
        self.glob.matches(text) && (self.glob.exact().is_some() || plain)
    }
}

/// How many steps of a path in the text lead upwards.
fn climbs(text: &str) -> usize {
    text.split(['/', '\\']).filter(|step| *step == "..").count()
}
