//! A pin: what of a server was approved, what was seen since, and what can become of both.
//!
//! A store runs these transitions in its transactions and decides nothing itself.

use std::sync::Arc;

use jiff::Timestamp;
use thoth_types::{Channel, Digest, Fingerprint, PinState};

use crate::pins::{PinKey, PinsError, Seen};

/// A definition, and since when it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The definition.
    pub fingerprint: Fingerprint,
    /// When it was first seen.
    pub seen_at: Timestamp,
}

/// How a definition came to be approved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The account that approved it; `None` for what was approved as it was first seen.
    pub by: Option<Arc<str>>,
    /// How; `None` as above.
    pub channel: Option<Channel>,
    /// From where, in words.
    pub origin: Arc<str>,
    /// When.
    pub at: Timestamp,
    /// The scanner's rules whose findings were shown to whoever approved it, and accepted.
    pub accepted: Arc<[Arc<str>]>,
}

/// One pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// What it is of.
    pub key: PinKey,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// What was approved, and how.
    pub approved: Option<(Version, Approval)>,
    /// What was seen last, where that is not what was approved.
    pub candidate: Option<Version>,
    /// Whether the approval was taken back. What was approved is kept to be compared with.
    pub revoked: bool,
}

/// What happened to a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// It was seen for the first time, and approved as it is.
    Pinned,
    /// It was seen for the first time, and waits for an approval.
    Met,
    /// It is no longer what was approved.
    Changed,
    /// It is again what was approved.
    Restored,
    /// It was approved.
    Approved,
    /// Its approval was taken back.
    Revoked,
    /// It was brought from another installation.
    Imported,
}

/// A pin as it is to be written, and why.
#[derive(Debug, Clone)]
pub struct Step {
    /// The pin afterwards.
    pub pin: Pin,
    /// What happened to it.
    pub happened: Happened,
}

/// Where the digests of `pin` say that a definition stands that was seen under its key.
#[must_use]
pub fn state_of(pin: &Pin, seen: Digest) -> PinState {
    match &pin.approved {
        _ if pin.revoked => PinState::Revoked,
        Some((version, _)) if version.fingerprint.digest == seen => PinState::Approved,
        Some(_) => PinState::Quarantined,
        None => PinState::Pending,
    }
}

/// What a definition that was just seen makes of what is known. `None` where it changes nothing.
///
/// INVARIANT: seeing never approves what has a pin already, however often and in whatever order definitions are seen;
/// only the approved definition itself brings a pin back into order.
#[must_use]
pub fn observe(known: Option<&Pin>, seen: &Seen, now: Timestamp) -> Option<Step> {
    let version = || Version { fingerprint: seen.fingerprint.clone(), seen_at: now };
    let Some(known) = known else {
        let approval =
            || Approval { by: None, channel: None, origin: "first use".into(), at: now, accepted: Arc::from([]) };
        let (approved, candidate, happened) = if seen.pin_at_once {
            (Some((version(), approval())), None, Happened::Pinned)
        } else {
            (None, Some(version()), Happened::Met)
        };
        let pin = Pin { key: seen.key.clone(), first_seen: now, approved, candidate, revoked: false };
        return Some(Step { pin, happened });
    };
    let digest = seen.fingerprint.digest;
    let is = |version: &Version| version.fingerprint.digest == digest;
    if known.approved.as_ref().is_some_and(|(version, _)| is(version)) {
        known.candidate.as_ref()?;
        return Some(Step { pin: Pin { candidate: None, ..known.clone() }, happened: Happened::Restored });
    }
    if known.candidate.as_ref().is_some_and(is) {
        return None;
    }
    Some(Step { pin: Pin { candidate: Some(version()), ..known.clone() }, happened: Happened::Changed })
}

impl Pin {
    /// Where it stands with what was seen last.
    #[must_use]
    pub fn state(&self) -> PinState {
        match (&self.approved, &self.candidate) {
            _ if self.revoked => PinState::Revoked,
            (None, _) => PinState::Pending,
            (Some(_), Some(_)) => PinState::Quarantined,
            (Some(_), None) => PinState::Approved,
        }
    }

    /// What was seen last.
    #[must_use]
    pub fn latest(&self) -> Option<&Version> {
        self.candidate.as_ref().or(self.approved.as_ref().map(|(version, _)| version))
    }

    /// Approves what was seen last, if that is still what `looked_at` says: nobody approves what they have not seen.
    ///
    /// # Errors
    /// If it is not, or it is approved already.
    pub fn approve(&mut self, looked_at: Digest, approval: Approval) -> Result<(), PinsError> {
        let Some(latest) = self.latest().cloned() else { return Err(PinsError::Nothing("nothing was seen of it yet")) };
        if latest.fingerprint.digest != looked_at {
            return Err(PinsError::Stale);
        }
        let covers = |known: &Approval| approval.accepted.iter().all(|rule| known.accepted.contains(rule));
        let is_known = |(_, known): &(Version, Approval)| known.by.is_some() && covers(known);
        if self.state() == PinState::Approved && self.approved.as_ref().is_some_and(is_known) {
            return Err(PinsError::Nothing("it is approved already"));
        }
        self.approved = Some((latest, approval));
        self.candidate = None;
        self.revoked = false;
        Ok(())
    }

    /// Takes the approval back.
    ///
    /// # Errors
    /// If it was taken back already.
    pub fn revoke(&mut self) -> Result<(), PinsError> {
        if self.revoked {
            return Err(PinsError::Nothing("its approval was taken back already"));
        }
        self.revoked = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use thoth_types::ItemKind;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn seen(text: &str, pin_at_once: bool) -> Seen {
        let mut digest = [0; 32];
        digest[..text.len()].copy_from_slice(text.as_bytes());
        let fingerprint = Fingerprint { digest: Digest(digest), fields: Arc::from([]), definition: text.into() };
        let key = PinKey { server: "s".parse().unwrap(), kind: ItemKind::Tool, name: "t".into() };
        Seen { key, fingerprint, pin_at_once }
    }

    fn approval() -> Approval {
        let channel = Some(Channel::Terminal);
        Approval { by: Some("root".into()), channel, origin: "tty".into(), at: at(9), accepted: Arc::from([]) }
    }

    /// Defends: showing a changed definition again, or others after it, never approves it.
    #[test]
    fn re_registering_never_launders_a_change() {
        let first = observe(None, &seen("a", true), at(0)).unwrap();
        assert_eq!((first.happened, first.pin.state()), (Happened::Pinned, PinState::Approved));
        let mut pin = first.pin;
        assert!(observe(Some(&pin), &seen("a", true), at(1)).is_none(), "no change, no alarm");
        for (text, expected) in [
            ("b", Some(Happened::Changed)),
            ("b", None),
            ("c", Some(Happened::Changed)),
            ("b", Some(Happened::Changed)),
        ] {
            let step = observe(Some(&pin), &seen(text, true), at(2));
            assert_eq!(step.as_ref().map(|step| step.happened), expected, "{text}");
            pin = step.map_or(pin, |step| step.pin);
            assert_eq!(pin.state(), PinState::Quarantined, "{text}");
            assert_eq!(state_of(&pin, seen("a", true).fingerprint.digest), PinState::Approved);
        }
        let back = observe(Some(&pin), &seen("a", true), at(3)).unwrap();
        assert_eq!((back.happened, back.pin.state()), (Happened::Restored, PinState::Approved));
    }

    /// Defends: an approval is of the definition that was looked at, and of no other.
    #[test]
    fn what_was_looked_at_is_approved() {
        let mut pin = observe(None, &seen("a", false), at(0)).unwrap().pin;
        assert_eq!(pin.state(), PinState::Pending);
        let (a, b) = (seen("a", true).fingerprint.digest, seen("b", true).fingerprint.digest);
        pin = observe(Some(&pin), &seen("b", true), at(1)).unwrap().pin;
        assert_eq!(pin.state(), PinState::Pending, "it is still not approved");
        assert!(matches!(pin.approve(a, approval()), Err(PinsError::Stale)));
        pin.approve(b, approval()).unwrap();
        assert_eq!((pin.state(), state_of(&pin, a)), (PinState::Approved, PinState::Quarantined));
        assert!(matches!(pin.approve(b, approval()), Err(PinsError::Nothing(_))));
        pin.revoke().unwrap();
        assert_eq!((pin.state(), state_of(&pin, b)), (PinState::Revoked, PinState::Revoked));
        assert!(observe(Some(&pin), &seen("b", true), at(2)).is_none(), "a revoked pin stays so when it is seen");
        assert!(pin.revoke().is_err());
        pin.approve(b, approval()).unwrap();
        assert_eq!(pin.state(), PinState::Approved);
    }

    /// Defends: what a rule finds after an update can be accepted, and nothing is approved twice for nothing.
    #[test]
    fn what_is_found_later_is_approved_anew() {
        let mut pin = observe(None, &seen("a", true), at(0)).unwrap().pin;
        let a = seen("a", true).fingerprint.digest;
        let accepting = |rules: &[&str]| {
            let accepted: Vec<Arc<str>> = rules.iter().map(|rule| Arc::from(*rule)).collect();
            Approval { accepted: accepted.into(), ..approval() }
        };
        for (rules, is_new) in [
            (&[][..], true),
            (&[], false),
            (&["x"], true),
            (&["x"], false),
            (&["x", "y"], true),
            (&["y"], false),
            (&["z"], true),
        ] {
            assert_eq!(pin.approve(a, accepting(rules)).is_ok(), is_new, "{rules:?}");
        }
        assert_eq!(pin.approved.unwrap().1.accepted, accepting(&["z"]).accepted);
    }
}
