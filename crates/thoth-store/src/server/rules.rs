//! What becomes of machines and policy bundles: pure transitions, the same whatever keeps them. A store reads what they ask
//! for, within one transaction, and writes what they say.

use jiff::{SignedDuration, Timestamp};

use super::ServerError;
use super::bundles::{
    Bundle, BundleChange, MAX_ACTIVE_BUNDLES, MAX_BUNDLE_BYTES, MAX_BUNDLE_BYTES_OF_TENANT, MAX_BUNDLES_OF_TENANT,
    MAX_VERSIONS_OF_BUNDLE, NewVersion, Version,
};
use super::endpoints::{CheckIn, Endpoint, FORGOTTEN_AFTER_DAYS, MAX_AGENTS_OF_ENDPOINT, May, MayChange, Told};

/// What becomes of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// The machine is somebody else's.
    Refused,
    /// It is known, and this is what is known of it from now on.
    Known(Told),
    /// It is new.
    New(Told),
}

/// Takes a machine in, or what is new about one. A fleet that is not told stays.
///
/// # Errors
/// If it has too many agents then.
pub fn register(known: Option<&Endpoint>, told: &Told, may: &MayChange<'_>) -> Result<Registration, ServerError> {
    let Some(known) = known else { return Ok(Registration::New(told.clone())) };
    Ok(match may(known) {
        May::Nothing => Registration::Refused,
        May::Join => Registration::Known(Told {
            agents: joined(&known.told.agents, &told.agents)?,
            os_version: told.os_version.clone().or_else(|| known.told.os_version.clone()),
            proxy_version: told.proxy_version.clone().or_else(|| known.told.proxy_version.clone()),
            ..known.told.clone()
        }),
        May::Change => {
            Registration::Known(Told { fleet: told.fleet.clone().or_else(|| known.told.fleet.clone()), ..told.clone() })
        }
    })
}

/// What a machine that checks in tells, if it may.
///
/// # Errors
/// If it has too many agents then.
pub fn check_in(known: Option<&Endpoint>, told: &CheckIn, may: &MayChange<'_>) -> Result<Option<CheckIn>, ServerError> {
    let Some(known) = known else { return Ok(None) };
    Ok(match may(known) {
        May::Nothing => None,
        May::Join => {
            let agents = told.agents.as_ref().map(|agents| joined(&known.told.agents, agents)).transpose()?;
            Some(CheckIn { agents, ..told.clone() })
        }
        May::Change => Some(told.clone()),
    })
}

/// The agents of a machine with these beside.
fn joined(known: &[String], more: &[String]) -> Result<Vec<String>, ServerError> {
    let mut all = known.to_vec();
    all.extend(more.iter().filter(|agent| !known.contains(agent)).cloned());
    if all.len() > MAX_AGENTS_OF_ENDPOINT { Err(ServerError::TooManyAgents) } else { Ok(all) }
}

/// Since when a machine must not have been seen to give way to a new one.
#[must_use]
pub fn forgotten(now: Timestamp) -> Timestamp {
    let days = SignedDuration::from_hours(24 * FORGOTTEN_AFTER_DAYS);
    now.saturating_sub(days).unwrap_or(Timestamp::MIN)
}

/// Whether there is room for one more bundle beside so many that are not deleted.
///
/// # Errors
/// If there is none.
pub fn room_for_bundle(count: u64) -> Result<(), ServerError> {
    if count >= u64::from(MAX_BUNDLES_OF_TENANT) { Err(ServerError::TooManyBundles) } else { Ok(()) }
}

/// Whether a text can be that of a version at all.
///
/// # Errors
/// If it is too long.
pub fn fits(text: &str) -> Result<(), ServerError> {
    if text.len() > MAX_BUNDLE_BYTES { Err(ServerError::BundleTooLarge(text.len())) } else { Ok(()) }
}

/// Whether what is to be a version is the newest one already.
#[must_use]
pub fn is_known(new: &NewVersion<'_>, latest: &Version, text: &str) -> bool {
    text == new.text && latest.description.as_deref() == new.description && latest.decisions == new.decisions
}

/// The number of a bundle's next version, where all versions of its tenant have so many bytes.
///
/// # Errors
/// If there is no room.
pub fn next_version(bundle: &Bundle, bytes: u64, text: &str) -> Result<u32, ServerError> {
    let all = bytes.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
    if bundle.latest >= MAX_VERSIONS_OF_BUNDLE || all > MAX_BUNDLE_BYTES_OF_TENANT {
        return Err(ServerError::TooManyVersions);
    }
    Ok(bundle.latest.saturating_add(1))
}

/// What a change of a bundle makes of it; nothing where it is in no state for it. Of one that activates a version it must be
/// known whether there is that version, and how many other bundles are active.
///
/// # Errors
/// If too many would be active.
pub fn change(
    bundle: &Bundle,
    change: &BundleChange<'_>,
    (has_version, others): (bool, u64),
    now: Timestamp,
) -> Result<Option<Bundle>, ServerError> {
    if bundle.deleted_at.is_some() {
        return Ok(None);
    }
    let mut next = Bundle { updated_at: now, ..bundle.clone() };
    match change {
        BundleChange::Activate { active: Some(_), .. } if !has_version => return Ok(None),
        BundleChange::Activate { active: Some(_), .. } if others >= u64::from(MAX_ACTIVE_BUNDLES) => {
            return Err(ServerError::TooManyActive);
        }
        BundleChange::Activate { active, previous } => (next.active, next.previous) = (*active, *previous),
        BundleChange::Assign(assignments) => next.assignments = assignments.to_vec(),
        BundleChange::Delete if bundle.active.is_some() => return Ok(None),
        BundleChange::Delete => next.deleted_at = Some(now),
    }
    Ok(Some(next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(agents: &[&str], fleet: Option<&str>) -> Told {
        Told {
            hostname: "h".to_owned(),
            agents: agents.iter().map(|agent| (*agent).to_owned()).collect(),
            fleet: fleet.map(str::to_owned),
            proxy_version: Some("1".to_owned()),
            ..Told::default()
        }
    }

    fn endpoint(told: Told) -> Endpoint {
        let at = Timestamp::UNIX_EPOCH;
        Endpoint {
            id: "m".to_owned(),
            tenant: "acme".to_owned(),
            told,
            policy_digest: None,
            events_pending: None,
            created_at: at,
            updated_at: at,
            last_seen: at,
            quarantine: None,
        }
    }

    /// Who joins a machine adds itself, and describes nothing that is there.
    #[test]
    fn who_joins_adds_itself() {
        let known = endpoint(told(&["a"], Some("f")));
        let mine = Told {
            hostname: "other".to_owned(),
            os: Some("linux".to_owned()),
            environment: Some("dev".to_owned()),
            proxy_version: Some("2".to_owned()),
            ..told(&["b"], None)
        };
        let joined = Told { proxy_version: Some("2".to_owned()), ..told(&["a", "b"], Some("f")) };
        let changed = Told { fleet: Some("f".to_owned()), ..mine.clone() };
        for (may, expected) in [
            (May::Nothing, Registration::Refused),
            (May::Join, Registration::Known(joined)),
            (May::Change, Registration::Known(changed)),
        ] {
            assert_eq!(register(Some(&known), &mine, &|_| may).unwrap(), expected, "{may:?}");
        }
        assert_eq!(register(None, &mine, &|_| May::Nothing).unwrap(), Registration::New(mine.clone()));
        let told = CheckIn { agents: Some(vec!["b".to_owned()]), events_pending: Some(1), ..CheckIn::default() };
        let agents = |may| check_in(Some(&known), &told, &|_| may).unwrap().map(|told| told.agents.unwrap().join(","));
        assert_eq!(agents(May::Nothing), None);
        assert_eq!(agents(May::Join).as_deref(), Some("a,b"));
        assert_eq!(agents(May::Change).as_deref(), Some("b"));
        let full: Vec<String> = (0..MAX_AGENTS_OF_ENDPOINT).map(|number| number.to_string()).collect();
        let full = endpoint(Told { agents: full, ..Told::default() });
        assert!(matches!(register(Some(&full), &mine, &|_| May::Join), Err(ServerError::TooManyAgents)));
        assert!(check_in(Some(&full), &told, &|_| May::Join).is_err());
        let again = CheckIn { agents: Some(vec!["7".to_owned()]), ..CheckIn::default() };
        let known = check_in(Some(&full), &again, &|_| May::Join).unwrap().unwrap();
        assert_eq!(known.agents, Some(full.told.agents), "it is one of them");
    }

    /// A bundle changes where it is in a state for it, and within the bounds.
    #[test]
    fn the_table_of_changes() {
        let at = Timestamp::UNIX_EPOCH;
        let base = Bundle {
            id: "b".to_owned(),
            name: "n".to_owned(),
            active: None,
            previous: None,
            latest: 2,
            assignments: vec!["all".to_owned()],
            created_at: at,
            updated_at: at,
            deleted_at: None,
        };
        let active = Bundle { active: Some(2), previous: Some(1), ..base.clone() };
        let deleted = Bundle { deleted_at: Some(at), ..base.clone() };
        let on = BundleChange::Activate { active: Some(2), previous: Some(1) };
        let off = BundleChange::Activate { active: None, previous: Some(2) };
        let most = u64::from(MAX_ACTIVE_BUNDLES);
        let to = ["agent:x".to_owned()];
        for (bundle, what, facts, expected) in [
            (&base, on, (true, most - 1), Ok(Some(active.clone()))),
            (
                &base,
                on,
                (true, most),
                Err("32 policy bundles are active, and no more may be; deactivate one".to_owned()),
            ),
            (&base, on, (false, 0), Ok(None)),
            (&active, off, (false, most), Ok(Some(Bundle { previous: Some(2), ..base.clone() }))),
            (
                &base,
                BundleChange::Assign(&to),
                (false, 0),
                Ok(Some(Bundle { assignments: to.to_vec(), ..base.clone() })),
            ),
            (&base, BundleChange::Delete, (false, 0), Ok(Some(deleted.clone()))),
            (&active, BundleChange::Delete, (false, 0), Ok(None)),
            (&deleted, on, (true, 0), Ok(None)),
            (&deleted, BundleChange::Assign(&to), (true, 0), Ok(None)),
            (&deleted, BundleChange::Delete, (true, 0), Ok(None)),
        ] {
            let next = change(bundle, &what, facts, at).map_err(|error| error.to_string());
            assert_eq!(next, expected, "{bundle:?} {what:?}");
        }
        assert_eq!(next_version(&base, MAX_BUNDLE_BYTES_OF_TENANT - 1, "x").unwrap(), 3);
        let full = Bundle { latest: MAX_VERSIONS_OF_BUNDLE, ..base.clone() };
        for next in [next_version(&base, MAX_BUNDLE_BYTES_OF_TENANT, "x"), next_version(&full, 0, "x")] {
            assert!(matches!(next, Err(ServerError::TooManyVersions)), "{next:?}");
        }
        assert!(room_for_bundle(u64::from(MAX_BUNDLES_OF_TENANT) - 1).is_ok());
        assert!(matches!(room_for_bundle(u64::from(MAX_BUNDLES_OF_TENANT)), Err(ServerError::TooManyBundles)));
    }
}
