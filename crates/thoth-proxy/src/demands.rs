//! The operator's demands on this session, checked when it begins.

use thoth_endpoint::lineage::{LineageError, Process};
use thoth_endpoint::predicates::{ANCESTOR_TOKENS, IntentTools, PredicateError, Tokens, UPSTREAM_BINARIES};
use thoth_endpoint::settings::Predicates;
use thoth_gate::Preflight;
use thoth_types::ReasonCode;

use crate::program::Program;

/// What the operator demands of every session on this machine. It can only tighten.
#[derive(Debug)]
pub(crate) struct Demands {
    intent_tools: Option<IntentTools>,
    blocked_ancestors: Option<Tokens>,
    blocked_upstreams: Option<Tokens>,
}

impl Demands {
    /// Reads the texts. One that cannot be read keeps the session from beginning: it never counts as absent.
    pub(crate) fn parse(texts: &Predicates) -> Result<Self, PredicateError> {
        let tokens = |variable, text: &Option<String>| text.as_deref().map(|text| Tokens::parse(variable, text));
        Ok(Self {
            intent_tools: texts.intent_tool_allowlist.as_deref().map(IntentTools::parse).transpose()?,
            blocked_ancestors: tokens(ANCESTOR_TOKENS, &texts.blocked_ancestor_tokens).transpose()?,
            blocked_upstreams: tokens(UPSTREAM_BINARIES, &texts.blocked_upstream_binaries).transpose()?,
        })
    }

    /// Why the server's program may not be started, if so. It counts under the name in the command, under the path where
    /// it was found, and under the path that this is a link to.
    pub(crate) fn blocked_upstream(&self, program: &Program<'_>) -> Option<String> {
        let tokens = self.blocked_upstreams.as_ref()?;
        let target = std::fs::canonicalize(&program.resolved.path).map(|path| path.to_string_lossy().into_owned());
        let names = [program.name, &program.resolved.path].into_iter().chain(target.as_deref());
        let (token, name) = names.filter_map(|name| Some((tokens.found_in(name)?, name))).next()?;
        Some(format!("the program `{}` matches `{token}` in {UPSTREAM_BINARIES}", name.escape_debug()))
    }

    /// What holds for every call of the session. `ancestors` is asked only if somebody wants to know.
    pub(crate) fn preflight(
        &self,
        intent: Option<&str>,
        ancestors: impl FnOnce() -> Result<Vec<Process>, LineageError>,
    ) -> (Preflight, Option<String>) {
        let mut preflight = Preflight::default();
        if let Some(tools) = self.intent_tools.as_ref().and_then(|list| list.allowed(intent)) {
            preflight = preflight.only(tools);
        }
        let reason = self.blocked_ancestors.as_ref().and_then(|tokens| blocked_ancestor(tokens, ancestors()));
        if let Some(reason) = &reason {
            preflight = preflight.refuse_all(ReasonCode::LineageAncestorBlocked, reason.clone());
        }
        (preflight, reason)
    }
}

/// Why nothing is allowed under these processes, if so. What cannot be told is refused.
fn blocked_ancestor(tokens: &Tokens, ancestors: Result<Vec<Process>, LineageError>) -> Option<String> {
    let line = match ancestors {
        Ok(line) => line,
        Err(error) => {
            return Some(format!(
                "{ANCESTOR_TOKENS} is set, and the processes above this session cannot be told: {error}"
            ));
        }
    };
    line.iter().find_map(|process| {
        let token = process.names.iter().find_map(|name| tokens.found_in(name))?;
        let name = process.names.first().map(|name| name.escape_debug().to_string()).unwrap_or_default();
        Some(format!(
            "the session was started under `{name}` (process {}), which matches `{token}` in {ANCESTOR_TOKENS}",
            process.id
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{find, own_environment};

    fn demands(ancestors: Option<&str>, upstreams: Option<&str>) -> Demands {
        let texts = Predicates {
            intent_tool_allowlist: None,
            blocked_ancestor_tokens: ancestors.map(str::to_owned),
            blocked_upstream_binaries: upstreams.map(str::to_owned),
        };
        Demands::parse(&texts).unwrap()
    }

    #[test]
    fn a_text_that_cannot_be_read_is_no_absent_one() {
        let text = |text: &str| Some(text.to_owned());
        for texts in [
            Predicates { intent_tool_allowlist: text("triage"), ..Predicates::default() },
            Predicates { blocked_ancestor_tokens: text("a,,b"), ..Predicates::default() },
            Predicates { blocked_upstream_binaries: text(" "), ..Predicates::default() },
        ] {
            assert!(Demands::parse(&texts).is_err(), "{texts:?}");
        }
        assert!(Demands::parse(&Predicates::default()).is_ok());
    }

    #[test]
    fn a_programs_name_and_all_of_its_paths_count() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("innocent");
        std::os::unix::fs::symlink("/bin/cat", &link).unwrap();
        let reason = |tokens: &str, program: &str| {
            let command = [program.into(), "curl".into()];
            demands(None, Some(tokens)).blocked_upstream(&find(&command, &own_environment()).unwrap())
        };
        let innocent = link.to_str().unwrap();
        for (tokens, program, blocked) in [
            ("curl,CAT", "cat", true),
            ("curl,CAT", innocent, true),
            ("curl,CAT", "/bin/sh", false),
            ("bin/", "sh", true),
            ("innocent", innocent, true),
            ("../x", "/bin/sh", false),
        ] {
            assert_eq!(reason(tokens, program).is_some(), blocked, "{tokens} {program}");
        }
        assert!(reason("cat", "cat").unwrap().contains("`cat` in THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES"));
    }

    /// Fail closed: a line that cannot be told is as good as a blocked one, where anything is blocked at all.
    #[test]
    fn an_unknown_line_is_refused_where_tokens_are_set() {
        let process = |id, names: &[&str]| Process {
            id,
            parent: id + 1,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let line = || Ok(vec![process(7, &["zsh", "-zsh", "/bin/zsh"]), process(8, &["Agent", "/opt/Evil/Agent"])]);
        let reason = |tokens: Option<&str>, line| demands(tokens, None).preflight(None, || line).1;
        for (tokens, line, told) in [
            (None, Err(LineageError::TooLong), None),
            (None, line(), None),
            (Some("bash"), line(), None),
            (Some("bash"), Ok(Vec::new()), None),
            (Some("bash,evil"), line(), Some("started under `Agent` (process 8), which matches `evil`")),
            (Some("ZSH"), line(), Some("started under `zsh` (process 7), which matches `ZSH`")),
            (Some("bash"), Err(LineageError::Unreadable(9)), Some("cannot be told: process 9 cannot be read")),
        ] {
            let reason = reason(tokens, line);
            assert_eq!(reason.is_some(), told.is_some(), "{tokens:?} {reason:?}");
            assert!(told.is_none_or(|told| reason.as_ref().unwrap().contains(told)), "{reason:?}");
        }
    }
}
