//! What an operator demands of every session on a machine, beside the policy: which tools an intent may use, and under
//! which processes and with which programs no call is allowed. Each is one text, in a variable of the environment.
//!
//! They can only tighten. So a text that cannot be read is an error and never counts as absent.

use std::collections::{BTreeMap, BTreeSet};

/// The variable with an [`IntentTools`] list.
pub const INTENT_TOOLS: &str = "THOTH_INTENT_TOOL_ALLOWLIST";
/// The variable with the [`Tokens`] that no process above a session may match.
pub const ANCESTOR_TOKENS: &str = "THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS";
/// The variable with the [`Tokens`] that no server's program may match.
pub const UPSTREAM_BINARIES: &str = "THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES";

/// How a scope entry may be written that means "the tool of this name".
const TOOL_PREFIX: &str = "tool_call:";

/// A text that is not what its variable holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable}, character {character}: {problem}")]
pub struct PredicateError {
    /// The variable.
    pub variable: &'static str,
    /// Where in the text, in characters from 1.
    pub character: usize,
    /// What is wrong there, and what to write.
    pub problem: String,
}

/// Which tools a session with a certain intent may call: `intent=tool|tool,intent2=tool`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntentTools(BTreeMap<String, BTreeSet<String>>);

impl IntentTools {
    /// Reads the list. White space around names is dropped, and `tool_call:` before a tool means nothing.
    ///
    /// # Errors
    /// If an entry has no `=`, a name is empty or has a control character, or an intent comes twice.
    pub fn parse(text: &str) -> Result<Self, PredicateError> {
        let mut intents = BTreeMap::new();
        for (at, entry) in split(text, ',', 1) {
            let Some((intent, tools)) = entry.split_once('=') else {
                let problem = match entry.trim() {
                    "" => "an entry is missing; write `intent=tool|tool,intent2=tool`".to_owned(),
                    entry => format!("`{}` has no `=`; write `intent=tool|tool`", entry.escape_debug()),
                };
                return Err(PredicateError { variable: INTENT_TOOLS, character: at, problem });
            };
            let name = name(INTENT_TOOLS, "the intent", at, intent)?;
            let mut allowed = BTreeSet::new();
            for (at, tool) in split(tools, '|', at + intent.chars().count() + 1) {
                let tool = tool.trim().strip_prefix(TOOL_PREFIX).unwrap_or(tool);
                allowed.insert(self::name(INTENT_TOOLS, "the tool", at, tool)?.to_owned());
            }
            if intents.insert(name.to_owned(), allowed).is_some() {
                let problem = format!("the intent `{name}` stands there twice; join its tools with `|`");
                return Err(PredicateError { variable: INTENT_TOOLS, character: at, problem });
            }
        }
        Ok(Self(intents))
    }

    /// The tools that a session with this intent may call, by their exact names. An intent that the list does not name
    /// has none; a session without an intent is not restricted by it, which is `None`.
    #[must_use]
    pub fn allowed(&self, intent: Option<&str>) -> Option<BTreeSet<String>> {
        intent.map(|intent| self.0.get(intent.trim()).cloned().unwrap_or_default())
    }
}

/// Parts of names that are not allowed: a list with commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens(Vec<String>);

impl Tokens {
    /// Reads the list that `variable` holds. White space around tokens is dropped.
    ///
    /// # Errors
    /// If a token is empty, which would match everything, or has a control character.
    pub fn parse(variable: &'static str, text: &str) -> Result<Self, PredicateError> {
        let tokens = split(text, ',', 1).map(|(at, token)| Ok(name(variable, "the token", at, token)?.to_owned()));
        tokens.collect::<Result<_, _>>().map(Self)
    }

    /// The first token that is in the text, whatever the case of ASCII letters.
    #[must_use]
    pub fn found_in(&self, text: &str) -> Option<&str> {
        let text = text.to_ascii_lowercase();
        self.0.iter().find(|token| text.contains(&token.to_ascii_lowercase())).map(String::as_str)
    }
}

/// The parts between separators, with the place of each in characters; the text itself begins at `start`.
fn split(text: &str, separator: char, start: usize) -> impl Iterator<Item = (usize, &str)> {
    text.split(separator).scan(start, |at, part| {
        let here = *at;
        *at += part.chars().count() + 1;
        Some((here, part))
    })
}

/// A name without the white space around it.
fn name<'t>(variable: &'static str, what: &str, character: usize, text: &'t str) -> Result<&'t str, PredicateError> {
    let name = text.trim();
    let problem = if name.is_empty() {
        format!("{what} is empty; remove the separator or write a name")
    } else if name.chars().any(char::is_control) {
        format!("{what} `{}` has a control character", name.escape_debug())
    } else {
        return Ok(name);
    };
    Err(PredicateError { variable, character, problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_have_their_tools() {
        let list = IntentTools::parse("triage=read_file|list, testing = tool_call:run ,triage2=a.b=c").unwrap();
        let tools = |intent: &str| list.allowed(Some(intent)).map(|tools| tools.into_iter().collect::<Vec<_>>());
        for (intent, expected) in [
            ("triage", &["list", "read_file"] as &[&str]),
            (" triage ", &["list", "read_file"]),
            ("testing", &["run"]),
            ("triage2", &["a.b=c"]),
            // An intent that is not there may use nothing.
            ("Triage", &[]),
            ("", &[]),
        ] {
            assert_eq!(tools(intent).unwrap(), expected, "{intent}");
        }
        assert_eq!(list.allowed(None), None);
    }

    #[test]
    fn tokens_match_parts_whatever_the_case() {
        let tokens = Tokens::parse(ANCESTOR_TOKENS, " osascript,PowerShell ,/tmp/").unwrap();
        for (text, found) in [
            ("osascript", Some("osascript")),
            ("/usr/bin/OSAScript", Some("osascript")),
            ("pwsh", None),
            (r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", Some("PowerShell")),
            ("/tmp/x", Some("/tmp/")),
            ("", None),
        ] {
            assert_eq!(tokens.found_in(text), found, "{text}");
        }
    }

    /// A list that cannot be read never counts as none.
    #[test]
    fn errors_name_the_place() {
        let intents = |text: &str| IntentTools::parse(text).unwrap_err().to_string();
        for (text, place, problem) in [
            ("", 1, "an entry is missing"),
            ("a=b,", 5, "an entry is missing"),
            ("a=b,triage", 5, "`triage` has no `=`"),
            ("é=ü,=b", 5, "the intent is empty"),
            ("a=", 3, "the tool is empty"),
            ("a=b||c", 5, "the tool is empty"),
            ("a=tool_call:", 3, "the tool is empty"),
            ("a=b|c\u{7}d", 5, r"the tool `c\u{7}d` has a control character"),
            ("a=b,c=d,a=e", 9, "the intent `a` stands there twice"),
        ] {
            let error = intents(text);
            assert!(error.starts_with(&format!("{INTENT_TOOLS}, character {place}: {problem}")), "{text:?}: {error}");
        }
        for (text, place) in [("", 1), (" ", 1), ("a,,b", 3), ("a,", 3), ("a,b\nc", 3)] {
            let error = Tokens::parse(UPSTREAM_BINARIES, text).unwrap_err();
            assert_eq!((error.variable, error.character), (UPSTREAM_BINARIES, place), "{text:?}");
        }
    }
}
