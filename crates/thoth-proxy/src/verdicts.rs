//! What was found in the definitions of one server, kept by their digests.

use std::collections::HashMap;
use std::sync::Arc;

use thoth_types::{Digest, ItemKind, Threat};

/// Verdicts that are remembered. Forgetting one costs scanning it again. Tests go beyond it.
const MAX_VERDICTS: usize = if cfg!(test) { 64 } else { 8192 };

#[derive(Debug, Default)]
pub(crate) struct Verdicts(HashMap<(ItemKind, Digest), Verdict>);

#[derive(Debug)]
struct Verdict {
    found: Arc<[Threat]>,
    /// It is a tool that was seen beside the others of its listing. That one was scanned says nothing of that: it is also
    /// scanned when it is called before it is listed.
    compared: bool,
}

impl Verdicts {
    pub(crate) fn get(&self, kind: ItemKind, digest: Digest) -> Option<Arc<[Threat]>> {
        self.0.get(&(kind, digest)).map(|verdict| Arc::clone(&verdict.found))
    }

    pub(crate) fn keep(&mut self, kind: ItemKind, digest: Digest, found: &Arc<[Threat]>) {
        if self.0.len() >= MAX_VERDICTS {
            self.0.clear();
        }
        self.0.insert((kind, digest), Verdict { found: Arc::clone(found), compared: false });
    }

    /// Whether all of these tools were seen beside others, and what was found by that is known.
    pub(crate) fn were_compared(&self, tools: impl IntoIterator<Item = Digest>) -> bool {
        let compared = |tool| self.0.get(&(ItemKind::Tool, tool)).is_some_and(|verdict| verdict.compared);
        tools.into_iter().all(compared)
    }

    pub(crate) fn note_compared(&mut self, tools: impl IntoIterator<Item = Digest>) {
        for tool in tools {
            if let Some(verdict) = self.0.get_mut(&(ItemKind::Tool, tool)) {
                verdict.compared = true;
            }
        }
    }
}

/// What was found in tools, by their names: of each rule the worst. A listing may have one name thousands of times.
pub(crate) fn by_name(found: Vec<(String, Threat)>) -> HashMap<String, Vec<Threat>> {
    let mut all: HashMap<String, Vec<Threat>> = HashMap::new();
    for (name, threat) in found {
        let own = all.entry(name).or_default();
        match own.iter_mut().find(|known| known.rule == threat.rule) {
            Some(known) if known.severity >= threat.severity => {}
            Some(known) => *known = threat,
            None => own.push(threat),
        }
    }
    all
}

/// What was found before with what is found now; nothing where that says no more. What was found before is found again beside
/// a tool that is new, perhaps in other words.
pub(crate) fn with_more(before: &Arc<[Threat]>, now: &[Threat]) -> Option<(Arc<[Threat]>, Vec<Threat>)> {
    let is_known =
        |threat: &Threat| before.iter().any(|known| known.rule == threat.rule && known.severity >= threat.severity);
    let more: Vec<Threat> = now.iter().filter(|threat| !is_known(threat)).cloned().collect();
    if more.is_empty() {
        return None;
    }
    Some((before.iter().chain(&more).cloned().collect(), more))
}
