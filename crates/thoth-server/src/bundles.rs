//! `…/policy-bundles`: policies in versions, which of them hold, and for whom. Every change of what holds is in the ledger
//! before it counts, with whoever made it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use thoth_api::contract::fault::Code;
use thoth_api::contract::list::List;
use thoth_api::contract::policy_bundle::{
    Activate, Assign, Bundle, Decisions, Effective, Report, ShowQuery, Shown, Upload, Uploaded, Validate, Version,
    WhoseQuery,
};
use thoth_api::contract::read;
use thoth_audit::EventType;
use thoth_store::server::ServerError;
use thoth_store::server::bundles::{
    ActiveBundle, Bundle as Stored, BundleChange, Changed, MAX_ASSIGNMENTS, NewVersion, Version as StoredVersion,
};

use crate::access::Access;
use crate::app::App;
use crate::assignment;
use crate::clock;
use crate::enforce::unreadable;
use crate::examine::examine;
use crate::fault::Fault;
use crate::hold::instant;
use crate::holding::{file_name, together};
use crate::policy_document::whose;
use crate::random;

/// The longest name, in bytes.
const MAX_NAME: usize = 64;
/// The longest description, in bytes.
const MAX_DESCRIPTION: usize = 1024;
/// Words that stand in addresses where names do.
const RESERVED: [&str; 2] = ["effective", "validate"];

pub(crate) fn failed(error: ServerError) -> Fault {
    match error {
        error if error.is_outage() => Fault::unavailable(error),
        error => Fault::bad(error.to_string()),
    }
}

fn unknown() -> Fault {
    Fault::not_found("there is no such policy bundle")
}

fn conflict(message: impl Into<String>) -> Fault {
    Fault::new(Code::Conflict, message)
}

/// All bundles that are not deleted. Blocks on the disk.
pub(crate) fn list(app: &App, access: &Access) -> Result<List<Bundle>, Fault> {
    let bundles = app.store.bundles(access.tenant.id.as_str()).map_err(failed)?;
    Ok(List::complete(bundles.iter().map(row).collect()))
}

/// Says what is wrong or odd with a policy.
pub(crate) fn validate(body: &[u8]) -> Result<Report, Fault> {
    let Validate { policy, name } = read(body).map_err(|error| unreadable(&error))?;
    if let Some(name) = &name {
        plain_name(name)?;
    }
    examine(&name.map_or_else(|| "policy.yaml".to_owned(), |name| format!("{name}.yaml")), &policy)
}

/// Refuses what would come to something else than whoever wrote it means.
fn only_ours(framework: Option<&str>, status: Option<&str>) -> Result<(), Fault> {
    if framework.is_some_and(|word| !word.eq_ignore_ascii_case("thoth")) {
        return Err(Fault::bad("`framework` is `thoth`: only policies of Thoth are taken, none of OPA or Cedar"));
    }
    if status.is_some_and(|word| !word.eq_ignore_ascii_case("staged")) {
        return Err(Fault::bad(
            "`status` is `staged`: a version that comes holds once it is activated, and no longer once it is deactivated",
        ));
    }
    Ok(())
}

/// Takes in a version. Blocks on the disk.
pub(crate) fn upload(app: &App, access: &Access, body: &[u8]) -> Result<Uploaded, Fault> {
    let wanted: Upload = read(body).map_err(|error| unreadable(&error))?;
    plain_name(&wanted.name)?;
    let description = wanted.description.as_deref();
    if description.is_some_and(|text| text.len() > MAX_DESCRIPTION || text.chars().any(char::is_control)) {
        return Err(Fault::bad(format!(
            "`description` is longer than {MAX_DESCRIPTION} bytes or has control characters"
        )));
    }
    only_ours(wanted.framework.as_deref(), wanted.status.as_deref())?;
    let tenant = access.tenant.id.as_str();
    let asked = wanted.assignments.map(checked).transpose()?;
    let known = app.store.bundle(tenant, &wanted.name).map_err(failed)?;
    if let (Some(asked), Some(known)) = (&asked, &known)
        && BTreeSet::from_iter(asked) != BTreeSet::from_iter(&known.assignments)
    {
        return Err(conflict(
            "the policy bundle is there already and for others than `assignments` says: leave them out, and assign it by itself",
        ));
    }
    let assignments = asked.map_or_else(|| checked(vec!["all".to_owned()]), Ok)?;
    let report = examine(&format!("{}.yaml", wanted.name), &wanted.policy)?;
    if !report.valid {
        return Err(Fault::bad(format!("the policy is not valid\n{}", report.text.unwrap_or_default())));
    }
    let random = random::eight().ok_or_else(|| Fault::unavailable("the system has no randomness"))?;
    let new = NewVersion {
        id: &format!("bundle_{:016x}", u64::from_be_bytes(random)),
        name: &wanted.name,
        text: &wanted.policy,
        digest: &report.digest,
        description,
        decisions: wanted.decisions.unwrap_or(Decisions::Remote).as_str(),
        created_by: access.key.label(),
        assignments: &assignments,
    };
    let (bundle, version) = app.store.add_bundle_version(tenant, &new, clock::now().wall).map_err(failed)?;
    Ok(Uploaded { bundle: row(&bundle), version: version_row(&version, None)?, report })
}

/// One bundle with a version. Blocks on the disk.
pub(crate) fn show(app: &App, access: &Access, id: &str, query: ShowQuery) -> Result<Shown, Fault> {
    let (tenant, bundle) = find(app, access, id)?;
    let number = query.version.or(bundle.active).unwrap_or(bundle.latest);
    let found = app.store.bundle_version(tenant, &bundle.id, number).map_err(failed)?;
    let (version, text) = found.ok_or_else(|| Fault::not_found("the policy bundle has no such version"))?;
    Ok(Shown { bundle: row(&bundle), version: version_row(&version, Some(text))? })
}

/// All versions of a bundle. Blocks on the disk.
pub(crate) fn versions(app: &App, access: &Access, id: &str) -> Result<List<Version>, Fault> {
    let (tenant, bundle) = find(app, access, id)?;
    let versions = app.store.bundle_versions(tenant, &bundle.id).map_err(failed)?;
    Ok(List::complete(versions.iter().map(|version| version_row(version, None)).collect::<Result<_, _>>()?))
}

/// Which policy holds for somebody. Blocks on the disk.
pub(crate) fn effective(app: &App, access: &Access, query: WhoseQuery) -> Result<Effective, Fault> {
    let (whose, _) = whose(app, access, query)?;
    access.tenant.look_unasked();
    let holding = access.tenant.holdings.of(&access.tenant, &*app.store, &whose).map_err(failed)?;
    Ok(Effective {
        digest: holding.digest(&access.tenant),
        bundles: holding.references(),
        decisions: holding.decisions(),
        sequence: holding.sequence,
    })
}

/// Has a version hold. Blocks on the disk.
pub(crate) fn activate(app: &App, access: &Access, id: &str, body: &[u8]) -> Result<Bundle, Fault> {
    let Activate { version } = read(body).map_err(|error| unreadable(&error))?;
    let seen = app.store.policy_change(access.tenant.id.as_str()).map_err(failed)?;
    let (_, bundle) = find(app, access, id)?;
    if bundle.active == Some(version) {
        return Ok(row(&bundle));
    }
    hold(app, access, seen, &bundle, version, bundle.active, "activate")
}

/// Has the version hold that did before. Blocks on the disk.
pub(crate) fn roll_back(app: &App, access: &Access, id: &str) -> Result<Bundle, Fault> {
    let seen = app.store.policy_change(access.tenant.id.as_str()).map_err(failed)?;
    let (_, bundle) = find(app, access, id)?;
    let previous = bundle.previous.ok_or_else(|| conflict("no version of it was active before; activate one"))?;
    hold(app, access, seen, &bundle, previous, None, "roll back to")
}

fn hold(
    app: &App,
    access: &Access,
    seen: u64,
    bundle: &Stored,
    version: u32,
    previous: Option<u32>,
    what: &str,
) -> Result<Bundle, Fault> {
    let tenant = access.tenant.id.as_str();
    let found = app.store.bundle_version(tenant, &bundle.id, version).map_err(failed)?;
    let (found, text) = found.ok_or_else(|| Fault::not_found("the policy bundle has no such version"))?;
    let (_, mut all) = app.store.active_bundles(tenant).map_err(failed)?;
    all.retain(|other| other.id != bundle.id);
    all.push(ActiveBundle {
        id: bundle.id.clone(),
        name: bundle.name.clone(),
        version,
        digest: found.digest.clone(),
        text,
        decisions: found.decisions,
        assignments: Vec::new(),
    });
    // What is valid with all bundles is valid with some of them, so that no call finds a set that is not.
    access.tenant.look_unasked();
    let own = access.tenant.own().texts.ok_or_else(|| {
        conflict("the server's own policy is not valid, so that nothing can be added to it; its own messages say where")
    })?;
    together(&own, &all).map_err(|error| {
        // The server's own policy is not for whoever administers a tenant.
        let places = error.diagnostics.iter().filter_map(|diagnostic| {
            let place = diagnostic.place.as_ref()?;
            let is_theirs = all.iter().any(|bundle| *place.file == *file_name(&bundle.name, bundle.version));
            is_theirs.then(|| format!("{place}: {}", diagnostic.message))
        });
        let places: Vec<String> = places.take(8).collect();
        conflict(format!(
            "it cannot hold together with the server's own policy and the other active bundles: {}",
            places.join("; ")
        ))
    })?;
    let what = format!("{what} version {version} ({}) of the policy bundle `{}`", found.digest, bundle.name);
    let change = BundleChange::Activate { active: Some(version), previous };
    changed(app, access, seen, bundle, &change, &what)
}

/// Has no version hold. Blocks on the disk.
pub(crate) fn deactivate(app: &App, access: &Access, id: &str) -> Result<Bundle, Fault> {
    let seen = app.store.policy_change(access.tenant.id.as_str()).map_err(failed)?;
    let (_, bundle) = find(app, access, id)?;
    let Some(version) = bundle.active else { return Ok(row(&bundle)) };
    let change = BundleChange::Activate { active: None, previous: Some(version) };
    let what = format!("deactivate version {version} of the policy bundle `{}`", bundle.name);
    changed(app, access, seen, &bundle, &change, &what)
}

/// Says for whom a bundle is. Blocks on the disk.
pub(crate) fn assign(app: &App, access: &Access, id: &str, body: &[u8]) -> Result<Bundle, Fault> {
    let Assign { assignments } = read(body).map_err(|error| unreadable(&error))?;
    let assignments = checked(assignments)?;
    let seen = app.store.policy_change(access.tenant.id.as_str()).map_err(failed)?;
    let (_, bundle) = find(app, access, id)?;
    let mut shown = assignments.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    if assignments.len() > 8 {
        shown.push_str(&format!(" and {} more", assignments.len() - 8));
    }
    let shown = if shown.is_empty() { "nobody".to_owned() } else { shown };
    let what = format!("assign the policy bundle `{}` to {shown}", bundle.name);
    changed(app, access, seen, &bundle, &BundleChange::Assign(&assignments), &what)
}

/// Deletes a bundle that is not active. Blocks on the disk.
pub(crate) fn delete(app: &App, access: &Access, id: &str) -> Result<Bundle, Fault> {
    let seen = app.store.policy_change(access.tenant.id.as_str()).map_err(failed)?;
    let (_, bundle) = find(app, access, id)?;
    if bundle.active.is_some() {
        return Err(conflict("it is active; deactivate it first"));
    }
    let what = format!("delete the policy bundle `{}` ({})", bundle.name, bundle.id);
    changed(app, access, seen, &bundle, &BundleChange::Delete, &what)
}

/// Makes a change, which is in the ledger before it counts and after.
fn changed(
    app: &App,
    access: &Access,
    seen: u64,
    bundle: &Stored,
    change: &BundleChange<'_>,
    what: &str,
) -> Result<Bundle, Fault> {
    access.change(EventType::PolicyBundleChanged, what, || {
        let tenant = access.tenant.id.as_str();
        let changed = app.store.change_bundle(tenant, &bundle.id, change, seen, clock::now().wall).map_err(failed)?;
        Ok(match changed {
            Changed::Done(bundle) => Ok(row(&bundle)),
            Changed::Gone => Err(conflict("it is no longer in a state for this; look again")),
            Changed::Moved => Err(conflict("other bundles were changed in between; look again")),
        })
    })
}

fn find<'a>(app: &App, access: &'a Access, id: &str) -> Result<(&'a str, Stored), Fault> {
    let tenant = access.tenant.id.as_str();
    let found = app.store.bundle(tenant, id).map_err(failed)?;
    Ok((tenant, found.ok_or_else(unknown)?))
}

fn plain_name(name: &str) -> Result<(), Fault> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let good = name.len() <= MAX_NAME
        && name.bytes().next().is_some_and(plain)
        && name.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_' | b'.'))
        && !RESERVED.contains(&name);
    if good {
        return Ok(());
    }
    Err(Fault::bad(format!(
        "`name` has 1 to {MAX_NAME} lower-case letters, digits, `-`, `_` and `.`, begins with a letter or digit, and is none \
         of {}",
        RESERVED.join(", ")
    )))
}

/// Assignments in their one spelling, each once.
fn checked(assignments: Vec<String>) -> Result<Vec<String>, Fault> {
    if assignments.len() > MAX_ASSIGNMENTS {
        return Err(Fault::bad(format!("`assignments` has more than {MAX_ASSIGNMENTS} entries")));
    }
    let mut all = Vec::new();
    for assignment in assignments {
        let assignment = assignment::parse(&assignment)?;
        if !all.contains(&assignment) {
            all.push(assignment);
        }
    }
    Ok(all)
}

fn row(bundle: &Stored) -> Bundle {
    let when = |at: Timestamp| instant(at);
    Bundle {
        bundle_id: bundle.id.clone(),
        name: bundle.name.clone(),
        active_version: bundle.active,
        previous_version: bundle.previous,
        latest_version: bundle.latest,
        assignments: bundle.assignments.clone(),
        created_at: when(bundle.created_at),
        updated_at: when(bundle.updated_at),
        deleted_at: bundle.deleted_at.map(when),
    }
}

fn version_row(version: &StoredVersion, text: Option<String>) -> Result<Version, Fault> {
    let decisions = Decisions::parse(&version.decisions);
    Ok(Version {
        version: version.version,
        digest: version.digest.clone(),
        description: version.description.clone(),
        decisions: decisions.ok_or_else(|| Fault::broken("a bundle is written down in words that are not known"))?,
        created_by: version.created_by.clone(),
        created_at: instant(version.created_at),
        policy: text,
    })
}
