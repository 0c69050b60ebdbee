//! The enforcer's policy document, as the session heeds it: its texts compiled as the enforcer compiles them.

use thoth_api::contract::endpoint::Standing;
use thoth_api::contract::policy_bundle::{Decisions, PolicyText};
use thoth_liaison::{Directed, Verified};
use thoth_policy::load_by_name;
use thoth_proxy::{Directive, Directives};

/// Has a session heed the documents that are put to it.
pub(crate) struct ByDocument(pub(crate) Directives);

impl Directed for ByDocument {
    fn put(&mut self, document: &Verified) -> Result<(), String> {
        match directive(document) {
            Ok(directive) => {
                self.0.put(Some(directive));
                Ok(())
            }
            Err(why) => {
                self.0.put(None);
                Err(why)
            }
        }
    }

    fn rely(&mut self, on: bool) {
        self.0.rely(on);
    }
}

fn directive(verified: &Verified) -> Result<Directive, String> {
    let document = verified.document();
    let texts: Vec<(&str, &str)> = document.policy.iter().map(|PolicyText { name, text }| (&**name, &**text)).collect();
    let own = usize::try_from(document.own_texts).unwrap_or(usize::MAX).min(texts.len());
    let (own, added) = texts.split_at(own);
    let policy = load_by_name(own, added).map_err(|error| {
        format!("this version of thoth cannot use the enforcer's policy, a newer one may: {}", error.first())
    })?;
    if policy.digest() != document.policy_digest {
        return Err(format!(
            "the enforcer's policy is {} here and {} there: the document does not have all of it",
            policy.digest(),
            document.policy_digest
        ));
    }
    let decides = document.decisions == Decisions::Local && document.status == Standing::Active;
    Ok(Directive::new(policy, decides, verified.issued_at(), verified.expires_at()))
}
