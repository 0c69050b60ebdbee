//! Looks at every definition that the server shows before the client sees it: what it says, whether it is what was
//! approved, and what a scanner finds in it.
//!
//! What becomes of it is for the policy to say.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use thoth_audit::EventType;
use thoth_gate::pin::{Happened, Pin, state_of};
use thoth_gate::{Gate, Incident, Moment, PinKey, PinsError, Seen};
use thoth_policy::IntegrityRules;
use thoth_types::display::harmless;
use thoth_types::{Caller, Digest, Fingerprint, Integrity, ItemKind, PinState, Severity, Threat};

use crate::clock;
use crate::launch_record::{Launch, Origin};
use crate::neighbours::relate;
use crate::notices::{NO_EVIDENCE, say};
use crate::verdicts::{Verdicts, by_name, with_more};

/// What a scanner finds in one definition, given in its canonical form.
pub(crate) type Scan = fn(ItemKind, &Fingerprint) -> Vec<Threat>;

/// Tools of one listing that are read together.
const MAX_LISTING: usize = 4096;

/// How many news of one listing are said aloud.
const SAID: usize = 8;

/// How many findings of one page are recorded one by one, the worst first; of the others the ledger has the number. A page can
/// hold tens of thousands.
const RECORDED: usize = 64;

/// One definition that the server showed.
#[derive(Debug, Clone)]
pub(crate) struct Shown<'d> {
    pub(crate) name: Cow<'d, str>,
    pub(crate) fingerprint: Fingerprint,
}

/// What is known of a definition that the server showed in this session.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) fingerprint: Fingerprint,
    threats: Arc<[Threat]>,
    pub(crate) integrity: Arc<Integrity>,
    /// The store's version that this stems from, or an earlier one.
    version: Option<u64>,
}

impl Known {
    /// Whether it is what was approved and nothing is wrong with it.
    pub(crate) fn is_in_order(&self) -> bool {
        let Integrity { pin, threat, problem, .. } = &*self.integrity;
        *pin == Some(PinState::Approved) && threat.is_none() && problem.is_none()
    }
}

/// A tool of an earlier page in which more was found since.
pub(crate) struct Suspect {
    pub(crate) name: String,
    digest: Digest,
    threats: Arc<[Threat]>,
}

/// Findings that are to be told, each with the name of the item.
type Told<'d> = Vec<(&'d str, Threat)>;

/// Knows the definitions of one server.
pub(crate) struct Warden {
    gate: Arc<Gate>,
    caller: Caller,
    scan: Scan,
    clock: fn() -> Moment,
    verdicts: Mutex<Verdicts>,
    /// The store's version that what is known stems from.
    version: AtomicU64,
    /// How the server was started, until that was taken in.
    launch: Mutex<Option<Launch>>,
    /// The tools that the listing that is under way has shown so far, in its order.
    listing: Mutex<Vec<Shown<'static>>>,
    origin: OnceLock<Origin>,
}

impl std::fmt::Debug for Warden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Warden").field("server", &self.caller.server).finish_non_exhaustive()
    }
}

impl Warden {
    pub(crate) fn new(gate: Arc<Gate>, caller: Caller, scan: Scan) -> Self {
        let (verdicts, version) = (Mutex::default(), AtomicU64::new(0));
        Self {
            gate,
            caller,
            scan,
            clock: clock::now,
            verdicts,
            version,
            launch: Mutex::default(),
            listing: Mutex::default(),
            origin: OnceLock::new(),
        }
    }

    /// The same for a server that was started like this.
    pub(crate) fn with_launch(self, launch: Launch) -> Self {
        Self { launch: Mutex::new(Some(launch)), ..self }
    }

    /// What the policy says of this server's definitions.
    pub(crate) fn rules(&self) -> IntegrityRules {
        self.gate.integrity_rules(self.caller.server.as_str())
    }

    fn key(&self, kind: ItemKind, name: &str) -> PinKey {
        PinKey { server: self.caller.server.clone(), kind, name: name.into() }
    }

    /// Takes one page of tools in, the `first` of a listing or one that goes on with it: what is known of each, and the
    /// tools of earlier pages of which more is known now.
    pub(crate) fn judge_tools(&self, shown: &[Shown<'_>], first: bool) -> (Vec<Known>, Vec<Suspect>) {
        let launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(launch) = launch {
            let fingerprint = launch.fingerprint(self.gate.pin_desk().pins());
            launch.origin(&fingerprint).into_iter().for_each(|origin| drop(self.origin.set(origin)));
            self.judge(ItemKind::Launch, &[Shown { name: "".into(), fingerprint }]);
        }
        let earlier = self.earlier(shown, first);
        let mut threats = self.scan_all(ItemKind::Tool, shown);
        let suspects = self.compare(&earlier, shown, &mut threats);
        (self.take_in(ItemKind::Tool, shown, threats), suspects)
    }

    /// What the earlier pages of this listing have shown, in order; the page in hand is taken note of.
    fn earlier(&self, shown: &[Shown<'_>], first: bool) -> Vec<Shown<'static>> {
        let mut listing = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        if first {
            listing.clear();
        }
        let earlier = listing.clone();
        let room = MAX_LISTING.saturating_sub(listing.len());
        let owned = |one: &Shown<'_>| Shown { name: one.name.to_string().into(), fingerprint: one.fingerprint.clone() };
        listing.extend(shown.iter().take(room).map(owned));
        earlier
    }

    /// Takes definitions in, and says what is known of each.
    pub(crate) fn judge(&self, kind: ItemKind, shown: &[Shown<'_>]) -> Vec<Known> {
        self.take_in(kind, shown, self.scan_all(kind, shown))
    }

    /// The same with what was found in each.
    fn take_in(&self, kind: ItemKind, shown: &[Shown<'_>], threats: Vec<Arc<[Threat]>>) -> Vec<Known> {
        let rules = self.rules();
        let seen: Vec<Seen> = shown
            .iter()
            .zip(&threats)
            .map(|(one, threats)| Seen {
                key: self.key(kind, &one.name),
                fingerprint: one.fingerprint.clone(),
                pin_at_once: rules.pins_at_once(threats.iter().map(|threat| threat.severity).max()),
            })
            .collect();
        // Asked for before, so that nothing that lands in between is missed. After, it would be told apart from what we write
        // ourselves, but not from an approval that is taken back right after the comparison.
        let version = self.store_version();
        let pins = self.observe(&seen);
        let known = shown.iter().zip(threats).zip(pins).map(|((one, threats), pin)| {
            let (pin, problem) = pin.map_or_else(|problem| (None, Some(problem)), |pin| (Some(pin), None));
            let integrity = Integrity { problem, ..integrity_of(pin.as_deref(), &one.fingerprint, &threats) };
            Known { fingerprint: one.fingerprint.clone(), threats, integrity: Arc::new(integrity), version }
        });
        known.collect()
    }

    /// Takes definitions to the desk: the pin of each, or why there is none.
    fn observe(&self, seen: &[Seen]) -> Vec<Result<Arc<Pin>, Arc<str>>> {
        match self.gate.pin_desk().observe(&self.caller, seen, (self.clock)().wall) {
            Ok(lookout) => {
                self.say(&lookout.news);
                let missing = || Err("it was not compared".into());
                let mut pins = lookout.pins.into_iter();
                seen.iter().map(|_| pins.next().map_or_else(missing, Ok)).collect()
            }
            // One that is too much must not keep the others from being compared.
            Err(PinsError::Full(_)) if seen.len() > 1 => {
                seen.iter().flat_map(|one| self.observe(std::slice::from_ref(one))).collect()
            }
            Err(error) => vec![Err(trouble(&error)); seen.len()],
        }
    }

    /// What a scanner finds in definitions that are not pinned.
    pub(crate) fn glance(&self, kind: ItemKind, shown: &[Shown<'_>]) -> Vec<Known> {
        let glance = |(one, threats): (&Shown<'_>, Arc<[Threat]>)| {
            let integrity = Arc::new(integrity_of(None, &one.fingerprint, &threats));
            Known { fingerprint: one.fingerprint.clone(), threats, integrity, version: None }
        };
        shown.iter().zip(self.scan_all(kind, shown)).map(glance).collect()
    }

    /// What is known of a tool of an earlier page, in which more was found since; nothing where another one has its name.
    pub(crate) fn judge_again(&self, suspect: &Suspect, known: &Known) -> Option<Known> {
        let threats = Arc::clone(&suspect.threats);
        let known = Known { threats, version: None, ..known.clone() };
        (known.fingerprint.digest == suspect.digest).then(|| self.again(ItemKind::Tool, &suspect.name, &known))
    }

    /// What is known of something that this session has seen, as the store has it now.
    pub(crate) fn again(&self, kind: ItemKind, name: &str, known: &Known) -> Known {
        let version = self.store_version();
        if version.is_some() && version == known.version && known.integrity.problem.is_none() {
            return known.clone();
        }
        let integrity = match self.gate.pin_desk().pins().look(&self.key(kind, name)) {
            Ok(Some(pin)) => integrity_of(Some(&pin), &known.fingerprint, &known.threats),
            // What was shown and could not be taken in, or is gone again, was never compared: that it is unknown to the store
            // must not make it one that nothing is wrong with.
            Ok(None) => {
                let problem = known.integrity.problem.clone();
                let problem =
                    Some(problem.unwrap_or_else(|| "it is not among the pins any more; list it again".into()));
                Integrity { problem, ..integrity_of(None, &known.fingerprint, &known.threats) }
            }
            Err(error) => Integrity { problem: Some(trouble(&error)), ..Integrity::default() },
        };
        Known { integrity: Arc::new(integrity), version, ..known.clone() }
    }

    /// What is known of something that this session has not seen, from other sessions.
    pub(crate) fn unseen(&self, kind: ItemKind, name: &str) -> Integrity {
        match self.gate.pin_desk().pins().look(&self.key(kind, name)) {
            Ok(None) => Integrity::default(),
            Ok(Some(pin)) => match pin.latest() {
                Some(latest) => {
                    let mut told = Told::new();
                    let threats = self.threats(kind, name, &latest.fingerprint, &mut told);
                    self.tell(kind, told);
                    Integrity { stale: true, ..integrity_of(Some(&pin), &latest.fingerprint, &threats) }
                }
                None => Integrity { pin: Some(pin.state()), stale: true, ..Integrity::default() },
            },
            Err(error) => Integrity { problem: Some(trouble(&error)), ..Integrity::default() },
        }
    }

    /// Whether the store may have changed since this was last asked.
    pub(crate) fn has_news(&self) -> bool {
        match self.gate.pin_desk().pins().version() {
            Ok(version) => self.version.swap(version, Ordering::Relaxed) != version,
            // Whatever is asked next will say what is wrong.
            Err(_) => true,
        }
    }

    /// Whether the store may have changed since any of this was learned from it.
    pub(crate) fn is_outdated(&self, known: &[(String, Known)]) -> bool {
        let version = self.store_version();
        known.iter().any(|(_, known)| version.is_none() || known.version != version)
    }

    fn store_version(&self) -> Option<u64> {
        self.gate.pin_desk().pins().version().ok()
    }

    /// What a scanner finds in each. What is worth a look is told once.
    fn scan_all(&self, kind: ItemKind, shown: &[Shown<'_>]) -> Vec<Arc<[Threat]>> {
        let mut told = Told::new();
        let found = shown.iter().map(|one| self.threats(kind, &one.name, &one.fingerprint, &mut told)).collect();
        self.tell(kind, told);
        found
    }

    /// What a scanner finds; what is new of it is to be told.
    fn threats<'d>(
        &self,
        kind: ItemKind,
        name: &'d str,
        fingerprint: &Fingerprint,
        told: &mut Told<'d>,
    ) -> Arc<[Threat]> {
        let known = self.verdicts().get(kind, fingerprint.digest);
        known.unwrap_or_else(|| {
            let found: Arc<[Threat]> = (self.scan)(kind, fingerprint).into();
            self.verdicts().keep(kind, fingerprint.digest, &found);
            told.extend(found.iter().map(|threat| (name, threat.clone())));
            found
        })
    }

    /// Adds what is found when the tools of this server are seen beside each other and beside those of others, where one of
    /// them is new to this session, to the `threats` of those that are `shown`. Returns those of earlier pages in which
    /// something was found by that.
    fn compare(&self, earlier: &[Shown<'_>], shown: &[Shown<'_>], threats: &mut [Arc<[Threat]>]) -> Vec<Suspect> {
        let digests = || shown.iter().map(|one| one.fingerprint.digest);
        let mut suspects = Vec::new();
        if self.verdicts().were_compared(digests()) {
            return suspects;
        }
        // Without the pins of others, a tool is judged by itself, and by its own pin.
        let Ok(pins) = self.gate.pin_desk().pins().list(None) else { return suspects };
        let related = by_name(relate((&self.caller.server, self.origin.get()), earlier, shown, &pins));
        let mut told = Told::new();
        // Each definition once, however often it is listed.
        let mut judged: HashMap<Digest, Option<Arc<[Threat]>>> = HashMap::new();
        let here = shown.iter().zip(threats).map(|(one, threats)| (one, Some(threats)));
        for (one, place) in earlier.iter().map(|one| (one, None)).chain(here) {
            let Some(now) = related.get(&*one.name) else { continue };
            let digest = one.fingerprint.digest;
            if let Some(all) = judged.get(&digest) {
                place.into_iter().zip(all).for_each(|(place, all)| *place = Arc::clone(all));
                continue;
            }
            let before = place.as_deref().cloned();
            let before = before.unwrap_or_else(|| self.threats(ItemKind::Tool, &one.name, &one.fingerprint, &mut told));
            let Some((threats, more)) = with_more(&before, now) else {
                judged.insert(digest, None);
                continue;
            };
            self.verdicts().keep(ItemKind::Tool, digest, &threats);
            told.extend(more.into_iter().map(|threat| (&*one.name, threat)));
            judged.insert(digest, Some(Arc::clone(&threats)));
            match place {
                Some(place) => *place = threats,
                None => suspects.push(Suspect { name: one.name.to_string(), digest, threats }),
            }
        }
        self.tell(ItemKind::Tool, told);
        self.verdicts().note_compared(digests());
        suspects
    }

    /// Records what is worth a look, and says aloud what is worse.
    fn tell(&self, kind: ItemKind, mut told: Told<'_>) {
        told.retain(|(_, threat)| threat.severity >= Severity::Warning);
        told.sort_by_key(|(_, threat)| Reverse(threat.severity));
        for (at, (name, Threat { severity, rule, message })) in told.iter().take(RECORDED).enumerate() {
            let named = if name.is_empty() { String::new() } else { format!(" `{name}`") };
            let detail = harmless(&format!("{severity} in the {kind}{named}: {message} ({rule})"));
            self.record(&detail);
            if *severity == Severity::Critical && at < SAID {
                say(&detail);
            }
        }
        let more = told.len().saturating_sub(RECORDED);
        if more > 0 {
            self.record(&format!(
                "{more} more findings in what the server listed as {kind} are not recorded one by one"
            ));
        }
        let critical = told.iter().filter(|(_, threat)| threat.severity == Severity::Critical).count();
        if critical > SAID {
            say(&format!("{} more critical findings; `thoth pins show` has them", critical - SAID));
        }
    }

    fn record(&self, detail: &str) {
        let incident = Incident { kind: EventType::ToolFlagged, detail, refusal: None };
        if let Err(error) = self.gate.note(&self.caller, &incident, (self.clock)()) {
            NO_EVIDENCE.say(&error.to_string());
        }
    }

    fn verdicts(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, news: &[(Happened, PinKey)]) {
        let changed = news.iter().filter(|(happened, _)| *happened == Happened::Changed);
        let server = &self.caller.server;
        for (_, key) in changed.clone().take(SAID) {
            let PinKey { kind, name, .. } = key;
            let text = match kind {
                ItemKind::Instructions | ItemKind::Launch => format!("the {kind} of server `{server}`"),
                _ => format!("the {kind} `{name}` of server `{server}`"),
            };
            say(&harmless(&format!("{text} changed since it was approved; `thoth pins diff` shows how")));
        }
        let more = changed.count().saturating_sub(SAID);
        if more > 0 {
            say(&format!("{more} more things of server `{server}` changed; `thoth pins list` has them"));
        }
    }
}

fn integrity_of(pin: Option<&Pin>, seen: &Fingerprint, threats: &[Threat]) -> Integrity {
    let state = pin.map(|pin| state_of(pin, seen.digest));
    let approved = pin.and_then(|pin| pin.approved.as_ref());
    let changed = match (state, approved) {
        (Some(PinState::Quarantined), Some((version, _))) => version.fingerprint.changed_fields(seen).into(),
        _ => Arc::from([]),
    };
    // What somebody accepted, they accepted of the definition that they saw.
    let accepted = approved.filter(|_| state == Some(PinState::Approved)).map(|(_, approval)| &approval.accepted);
    let open = |threat: &&Threat| !accepted.is_some_and(|accepted| accepted.contains(&threat.rule));
    let threat = threats.iter().filter(open).rev().max_by_key(|threat| threat.severity).cloned();
    let definition = Some(Arc::clone(&seen.definition));
    Integrity { pin: state, changed, stale: false, threat, problem: None, definition }
}

fn trouble(error: &PinsError) -> Arc<str> {
    harmless(&error.to_string()).into()
}
