//! A policy that came as texts with their names: one with what it includes, and others that are added to it. It reads no
//! files: what is not among the texts is not there.

use crate::diagnostic::{Diagnostic, DiagnosticCode, LoadError};
use crate::policy::Policy;
use crate::source::{Source, SourceError, SourceText};
use crate::together::load_together;

/// Loads the first of `own`, which includes the others of them by their names, and adds the policies in `added` to it, in
/// this order, as [`load_together`] does. A name and its text each.
///
/// # Errors
/// As for [`load_together`]; also when there is no text at all.
pub fn load_by_name(own: &[(&str, &str)], added: &[(&str, &str)]) -> Result<Policy, LoadError> {
    let Some((root, _)) = own.first() else {
        let nothing = Diagnostic::unplaced(DiagnosticCode::Unreadable, "there is no policy to begin with".to_owned());
        return Err(LoadError { diagnostics: vec![nothing] });
    };
    let texts = Texts { own, added };
    if added.is_empty() {
        return crate::load(root, &texts);
    }
    let others: Vec<&str> = added.iter().map(|(name, _)| *name).collect();
    load_together(root, &others, &texts)
}

struct Texts<'t> {
    own: &'t [(&'t str, &'t str)],
    added: &'t [(&'t str, &'t str)],
}

impl Source for Texts<'_> {
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError> {
        let named = |texts: &[(&'_ str, &'_ str)]| {
            texts.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).as_bytes().to_vec())
        };
        // What is included is the first policy's own: added ones are one text each.
        let added = if from.is_none() { named(self.added) } else { None };
        let bytes = added.or_else(|| named(self.own)).ok_or_else(|| SourceError::NotFound(name.to_owned()))?;
        Ok(SourceText { identity: name.to_owned(), name: name.to_owned(), bytes })
    }
}

#[cfg(test)]
mod tests {
    use thoth_types::Approval;

    use super::*;
    use crate::{Query, Scratch};

    const ROOT: &str = "version: \"1\"\ninclude: more.yaml\ndefaults: { approval: auto }\n";
    const MORE: &str = "version: \"1\"\nrules:\n- { match: { tool: rm }, approval: block }\n";
    const ADDED: &str = "version: \"1\"\nrules:\n- { name: pay, match: { tool: pay }, approval: block }\n";

    /// What is included and what is added hold, and nothing else is to be had.
    #[test]
    fn texts_are_found_by_their_names() {
        let own = [("root.yaml", ROOT), ("more.yaml", MORE)];
        for (added, rm, pay) in [
            (&[][..], Approval::Block, Approval::Auto),
            (&[("pay@1.yaml", ADDED)][..], Approval::Block, Approval::Block),
        ] {
            let policy = load_by_name(&own, added).unwrap();
            let asks = |tool: &str| policy.rules(&Query::new(tool, "sdk"), &mut Scratch::default()).approval;
            assert_eq!((asks("rm"), asks("pay"), asks("read")), (rm, pay, Approval::Auto));
        }
        for (own, added, expected) in [
            (&[][..], &[][..], "no policy to begin with"),
            (&own[..1], &[][..], "no such file `more.yaml`"),
            (&own[..1], &[("more.yaml", MORE)][..], "no such file `more.yaml`"),
            (&own[..], &[("pay@1.yaml", ROOT)][..], "is one text"),
        ] {
            let error = load_by_name(own, added).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
