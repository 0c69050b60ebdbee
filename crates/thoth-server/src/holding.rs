//! Which policy holds for whom: the server's own, and the active bundles that are assigned to them, added to it.
//!
//! INVARIANT: it is looked up before each call, and what is compiled is kept by the versions of the bundles and the state of
//! the server's own policy, so that no call is decided by one that no longer holds. A set of bundles that cannot be added to
//! the server's own policy refuses every call that it is for: to decide without them would be to loosen.

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use thoth_api::contract::policy_bundle::{BundleRef, Decisions};
use thoth_gate::{Gate, Standing};
use thoth_policy::{LoadError, Policy, Source, SourceError, SourceText, load_together};
use thoth_shell::policy_files::PolicyTexts;
use thoth_shell::terminal::note;
use thoth_store::server::ServerError;
use thoth_store::server::bundles::{ActiveBundle, BundleRecords};

use crate::tenant::Tenant;

/// How many sets of bundles are kept compiled per tenant; the longest unused gives way.
const MAX_BUILT: usize = 64;
/// Of how many sets it is remembered that something was said of them.
const MAX_COMPLAINED: usize = 1_024;

/// Whose calls they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whose {
    pub(crate) agent: Option<String>,
    pub(crate) endpoint: Option<String>,
    /// All that are told or known: what is assigned to any of them holds.
    pub(crate) fleets: Vec<String>,
}

impl Whose {
    /// Whether something that is assigned to this holds for them.
    fn is_meant(&self, assignment: &str) -> bool {
        match assignment.split_once(':') {
            None => assignment == "all",
            Some(("agent", id)) => self.agent.as_deref() == Some(id),
            Some(("endpoint", id)) => self.endpoint.as_deref() == Some(id),
            Some(("fleet", id)) => self.fleets.iter().any(|fleet| fleet == id),
            Some(_) => false,
        }
    }
}

/// The server's own policy, as it was loaded last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Own {
    /// Another number whenever it was loaded anew.
    pub(crate) epoch: u64,
    /// Nothing where there never was a valid one.
    pub(crate) texts: Option<Arc<PolicyTexts>>,
}

/// A set of bundles added to the server's own policy.
#[derive(Debug)]
struct Built {
    gate: Gate,
    digest: String,
}

/// What holds for somebody.
#[derive(Debug)]
pub(crate) struct Holding {
    built: Option<Arc<Built>>,
    /// The bundles, in the order in which they are added.
    pub(crate) bundles: Vec<Arc<ActiveBundle>>,
    /// The tenant's counter then.
    pub(crate) sequence: u64,
}

impl Holding {
    /// The gate that decides.
    pub(crate) fn gate<'h>(&'h self, tenant: &'h Tenant) -> &'h Gate {
        self.built.as_ref().map_or(&tenant.gate, |built| &built.gate)
    }

    /// The digest of the policy as a whole.
    pub(crate) fn digest(&self, tenant: &Tenant) -> String {
        self.built.as_ref().map_or_else(|| tenant.gate.policy_digest(), |built| built.digest.clone())
    }

    /// The bundles without their texts.
    pub(crate) fn references(&self) -> Vec<BundleRef> {
        let reference = |bundle: &Arc<ActiveBundle>| BundleRef {
            bundle_id: bundle.id.clone(),
            name: bundle.name.clone(),
            version: bundle.version,
            digest: bundle.digest.clone(),
        };
        self.bundles.iter().map(reference).collect()
    }

    /// Who decides: sidecars only where every bundle says so, and there is one.
    pub(crate) fn decisions(&self) -> Decisions {
        let is_local = |bundle: &Arc<ActiveBundle>| Decisions::parse(&bundle.decisions) == Some(Decisions::Local);
        if !self.bundles.is_empty() && self.bundles.iter().all(is_local) { Decisions::Local } else { Decisions::Remote }
    }
}

type Key = Vec<(String, u32)>;

#[derive(Debug, Default)]
struct State {
    /// What `active` was read at.
    counter: Option<u64>,
    /// Shared with the calls that they hold for: their texts are long.
    active: Vec<Arc<ActiveBundle>>,
    epoch: u64,
    /// The one that was used last at the end.
    built: Vec<(Key, Arc<Built>)>,
    /// Sets of which it was said that they cannot be added.
    complained: BTreeSet<Key>,
}

/// What holds in one tenant.
#[derive(Debug, Default)]
pub(crate) struct Holdings(Mutex<State>);

impl Holdings {
    /// What holds for them now. Blocks on the disk.
    pub(crate) fn of(
        &self,
        tenant: &Tenant,
        store: &(impl BundleRecords + ?Sized),
        whose: &Whose,
    ) -> Result<Holding, ServerError> {
        let own = tenant.own();
        let sequence = store.policy_change(tenant.id.as_str())?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.counter != Some(sequence) {
            let (counter, active) = store.active_bundles(tenant.id.as_str())?;
            (state.counter, state.active) = (Some(counter), active.into_iter().map(Arc::new).collect());
        }
        if state.epoch != own.epoch {
            state.epoch = own.epoch;
            state.built.clear();
            state.complained.clear();
        }
        let is_meant = |bundle: &&Arc<ActiveBundle>| bundle.assignments.iter().any(|to| whose.is_meant(to));
        let bundles: Vec<Arc<ActiveBundle>> = state.active.iter().filter(is_meant).map(Arc::clone).collect();
        let sequence = state.counter.unwrap_or(sequence);
        let built = match &own.texts {
            Some(own) if !bundles.is_empty() => Some(built(&mut state, tenant, own, &bundles)),
            // Without a policy of its own every call is refused as it is.
            _ => None,
        };
        Ok(Holding { built, bundles, sequence })
    }
}

fn built(state: &mut State, tenant: &Tenant, own: &PolicyTexts, bundles: &[Arc<ActiveBundle>]) -> Arc<Built> {
    let key: Key = bundles.iter().map(|bundle| (bundle.id.clone(), bundle.version)).collect();
    let kept = &mut state.built;
    if let Some(at) = kept.iter().position(|(known, _)| *known == key) {
        let found = kept.remove(at);
        let built = Arc::clone(&found.1);
        kept.push(found);
        return built;
    }
    let standing = match together(own, bundles) {
        Ok(policy) => Standing::Valid(Box::new(policy)),
        Err(error) => {
            if state.complained.len() >= MAX_COMPLAINED {
                state.complained.clear();
            }
            // A set that gave way to others is compiled again, and says nothing new.
            if state.complained.insert(key.clone()) {
                note(format_args!(
                    "tenant {}: policy bundles cannot be added to the server's own policy; every call that they are for is \
                     refused: {}",
                    tenant.id,
                    error.places()
                ));
            }
            // Whoever calls keeps neither the policy nor the bundles.
            Standing::Invalid {
                reason: "the policies that hold here contradict each other; the server's own messages say where"
                    .to_owned(),
            }
        }
    };
    let digest = standing.digest().to_owned();
    let built = Arc::new(Built { gate: tenant.gate_under(standing), digest });
    if kept.len() >= MAX_BUILT {
        kept.remove(0);
    }
    kept.push((key, Arc::clone(&built)));
    built
}

/// What a version of a bundle is called in reasons and messages.
pub(crate) fn file_name(name: &str, version: u32) -> String {
    format!("{name}@{version}.yaml")
}

/// The bundles added to the server's own policy.
pub(crate) fn together(own: &PolicyTexts, bundles: &[impl Borrow<ActiveBundle>]) -> Result<Policy, LoadError> {
    let bundles = || bundles.iter().map(Borrow::borrow);
    let names: Vec<String> = bundles().map(|bundle| file_name(&bundle.name, bundle.version)).collect();
    let texts = names.iter().map(String::as_str).zip(bundles().map(|bundle| &*bundle.text)).collect();
    let others: Vec<&str> = names.iter().map(String::as_str).collect();
    load_together(own.root(), &others, &Texts { own, added: texts })
}

struct Texts<'t> {
    own: &'t PolicyTexts,
    added: Vec<(&'t str, &'t str)>,
}

impl Source for Texts<'_> {
    fn read(&self, name: &str, from: Option<&str>) -> Result<SourceText, SourceError> {
        let added = self.added.iter().find(|(known, _)| from.is_none() && *known == name);
        match added {
            Some((name, text)) => {
                Ok(SourceText { identity: (*name).to_owned(), name: (*name).to_owned(), bytes: (*text).into() })
            }
            None => self.own.read(name, from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom an assignment means, over all kinds.
    #[test]
    fn the_table_of_assignments() {
        let whose = Whose {
            agent: Some("a".to_owned()),
            endpoint: Some("e".to_owned()),
            fleets: vec!["f".to_owned(), "g".to_owned()],
        };
        for (assignment, expected) in [
            ("all", true),
            ("agent:a", true),
            ("agent:e", false),
            ("endpoint:e", true),
            ("endpoint:", false),
            ("fleet:g", true),
            ("fleet:h", false),
            ("a", false),
            ("odd:a", false),
            ("", false),
        ] {
            assert_eq!(whose.is_meant(assignment), expected, "{assignment}");
            assert_eq!(Whose::default().is_meant(assignment), assignment == "all", "{assignment}");
        }
    }
}
