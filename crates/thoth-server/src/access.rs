//! What a key or a login may do, and for whom.

use std::sync::Arc;

use thoth_api::contract::fault::Code;
use thoth_api::contract::key::{Permission, Permissions, ScopeLevel};
use thoth_audit::EventType;
use thoth_telemetry::traces::Below;

use crate::app::App;
use crate::clock;
use crate::fault::Fault;
use crate::oidc::Person;
use crate::tenant::Tenant;

/// A key that was found, without the key itself; or a person who logged in, and is taken as a key would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) level: ScopeLevel,
    /// The fleet, machine or agent.
    pub(crate) target: Option<String>,
    pub(crate) permissions: Permissions,
    pub(crate) expired: bool,
    /// Who logged in, where it is no key.
    pub(crate) person: Option<Person>,
}

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// To have calls decided.
    Execute,
    /// To tell of a machine: to have its calls decided, or to administer it.
    Report,
    /// To send events.
    Tell,
    /// To look at everything of the tenant.
    Look,
    /// To answer held calls and to make keys.
    Govern,
}

impl Key {
    /// Whether the key is still good, and may do this.
    pub(crate) fn may(&self, need: Need) -> Result<(), Fault> {
        if self.expired {
            return Err(Fault::new(Code::KeyExpired, "the API key has expired"));
        }
        let permissions: &[Permission] = match need {
            Need::Execute => &[Permission::Execute],
            Need::Look => &[Permission::Read],
            Need::Tell | Need::Govern => &[Permission::Write],
            Need::Report => &[Permission::Execute, Permission::Write],
        };
        if !permissions.iter().any(|permission| self.permissions.has(*permission)) {
            let words: Vec<String> = permissions.iter().map(|permission| format!("`{permission}`")).collect();
            let what = self.what();
            return Err(Fault::forbidden(format!("{what} has not the permission {}", words.join(" or "))));
        }
        if matches!(need, Need::Execute | Need::Tell | Need::Report) {
            return Ok(());
        }
        if self.level != ScopeLevel::Organization {
            return Err(Fault::forbidden("this takes an API key for the organization, and this one is for less"));
        }
        // INVARIANT (the governed side cannot loosen its governance): agents have such keys, and could answer themselves.
        if need == Need::Govern && self.permissions.has(Permission::Execute) {
            return Err(Fault::forbidden(
                "an API key that may have calls decided may neither answer them nor change keys; use one without `execute`",
            ));
        }
        Ok(())
    }

    /// The same, and whether a login is still good, and recent enough for this.
    pub(crate) fn may_now(&self, need: Need) -> Result<(), Fault> {
        self.may(need)?;
        self.person.as_ref().map_or(Ok(()), |person| person.may(need != Need::Look, clock::now().wall))
    }

    /// What it is, as the subject of a sentence.
    pub(crate) const fn what(&self) -> &'static str {
        if self.person.is_some() { "the login" } else { "the API key" }
    }

    /// By what a person knows it.
    pub(crate) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// The same with what it is looked up by, for the record.
    pub(crate) fn who(&self) -> String {
        let (id, named) = (self.origin(), |name: &String| format!("{name} ({})", self.origin()));
        self.name.as_ref().map_or(id, named)
    }

    /// What it is looked up by.
    pub(crate) fn origin(&self) -> String {
        match &self.person {
            Some(person) => format!("login {}", person.identity),
            None => format!("key {}", self.id),
        }
    }

    /// Whether it speaks for this agent on this machine of this fleet.
    fn covers(&self, agent: &str, endpoint: Option<&str>, fleet: Option<&str>) -> bool {
        let target = self.target.as_deref();
        match self.level {
            ScopeLevel::Organization => true,
            ScopeLevel::Agent => target == Some(agent),
            ScopeLevel::Endpoint => target.is_some() && target == endpoint,
            ScopeLevel::Fleet => target.is_some() && target == fleet,
        }
    }
}

/// A request that may go on: who asks, and of which tenant.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) key: Arc<Key>,
    pub(crate) app: Arc<App>,
    /// By what the key is found again; a login is in nobody's list.
    pub(crate) digest: Option<[u8; 32]>,
    pub(crate) need: Need,
    /// Where the steps of the request are told.
    pub(crate) spans: Below,
}

impl Access {
    /// Whether the key may still do what the request came for. Blocks on the disk.
    ///
    /// INVARIANT (a key that was taken back does nothing more): between a request's head and what comes of it its body
    /// arrives, and polls and sessions wait, all for as long as the client likes. It is asked right before the effect.
    pub(crate) fn still(&self) -> Result<(), Fault> {
        let Some(digest) = &self.digest else { return self.key.may_now(self.need) };
        let (owner, key) = self.app.holder(digest, self.need)?;
        if owner == self.tenant.id.as_str() && key == *self.key {
            return Ok(());
        }
        Err(Fault::unauthorized("the API key was changed while the request was on its way"))
    }

    /// Makes a change to the tenant, of which `change` says whether it was made, or that others were quicker.
    ///
    /// INVARIANT (evidence before effect): what is asked for is in the ledger before it can count, and what came of it after. One
    /// record before would tell of changes that were never made, and one after would miss some that were: a server can be
    /// killed in between.
    pub(crate) fn change<T>(
        &self,
        kind: EventType,
        what: &str,
        change: impl FnOnce() -> Result<Result<T, Fault>, Fault>,
    ) -> Result<T, Fault> {
        let who = self.key.who();
        self.tenant.note(kind, &format!("asked for by {who}: {what}"))?;
        let changed = change();
        let came = match &changed {
            Ok(Ok(_)) => "done",
            Ok(Err(_)) => "not done, since something else was changed in between",
            Err(_) => "not known whether it was done",
        };
        if let Err(fault) = self.tenant.note(kind, &format!("{came}: {what}, as {who} asked")) {
            let cause = fault.cause.unwrap_or(fault.message);
            self.tenant.complaints.say(format_args!("it was not recorded what came of a change ({came}): {cause}"));
        }
        changed?
    }

    pub(crate) fn covers(&self, agent: &str, endpoint: Option<&str>, fleet: Option<&str>) -> bool {
        self.key.covers(agent, endpoint, fleet)
    }

    /// Refuses what the key does not speak for.
    pub(crate) fn speaks_for(
        &self,
        tenant: &str,
        agent: &str,
        endpoint: Option<&str>,
        fleet: Option<&str>,
    ) -> Result<(), Fault> {
        if tenant != self.tenant.id.as_str() {
            return Err(Fault::forbidden(format!("{} is of another tenant", self.key.what())));
        }
        if !self.covers(agent, endpoint, fleet) {
            return Err(Fault::forbidden(format!("the API key is for another {}", self.key.level)));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(level: ScopeLevel, target: Option<&str>, permissions: &[Permission]) -> Key {
        Key {
            id: "key_1".to_owned(),
            name: None,
            level,
            target: target.map(str::to_owned),
            permissions: permissions.iter().copied().collect(),
            expired: false,
            person: None,
        }
    }

    /// Defends invariant 6: what a key may do, over all needs.
    #[test]
    fn the_table_of_permissions() {
        use Need::{Execute, Govern, Look, Report, Tell};
        use Permission::{Execute as E, Read as R, Write as W};
        use ScopeLevel::{Agent, Organization};
        let cases: [(ScopeLevel, &[Permission], &[Need]); 7] = [
            (Organization, &[E], &[Execute, Report]),
            (Organization, &[R, W], &[Tell, Look, Govern, Report]),
            (Organization, &[R, W, E], &[Execute, Tell, Look, Report]),
            (Organization, &[W], &[Tell, Govern, Report]),
            (Organization, &[R], &[Look]),
            (Agent, &[R, W, E], &[Execute, Tell, Report]),
            (Agent, &[W], &[Tell, Report]),
        ];
        for (level, permissions, may) in cases {
            let target = (level == Agent).then_some("bot");
            for need in [Execute, Tell, Look, Govern, Report] {
                let found = key(level, target, permissions).may(need);
                assert_eq!(found.is_ok(), may.contains(&need), "{level} {permissions:?} {need:?}");
            }
        }
        let expired = Key { expired: true, ..key(Organization, None, &[E]) };
        assert_eq!(expired.may(Execute).map_err(|fault| fault.code), Err(Code::KeyExpired));
    }

    #[test]
    fn a_key_speaks_for_its_own_only() {
        use ScopeLevel::{Agent, Endpoint, Fleet, Organization};
        for (level, target, agent, endpoint, fleet, expected) in [
            (Organization, None, "a", None, None, true),
            (Agent, Some("a"), "a", None, None, true),
            (Agent, Some("a"), "b", None, None, false),
            (Agent, None, "", None, None, false),
            (Endpoint, Some("e"), "a", Some("e"), None, true),
            (Endpoint, Some("e"), "a", None, None, false),
            (Endpoint, None, "a", None, None, false),
            (Fleet, Some("f"), "a", None, Some("f"), true),
            (Fleet, Some("f"), "a", Some("f"), None, false),
            (Fleet, None, "a", None, None, false),
        ] {
            assert_eq!(key(level, target, &[]).covers(agent, endpoint, fleet), expected, "{level} {target:?} {agent}");
        }
    }
}
