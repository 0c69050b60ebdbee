//! The third step: values that have been read, with defaults and what follows from them.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use thoth_types::{AgentId, EndpointId, Redacted, TenantId, UserId};

use super::failure::{FailureDecision, Stage};
use super::guards::Guards;
use super::kind::{Kind, is_dns_label};
use super::merged::{Contest, Loss, Merged};
use super::setting::{Setting, State};
use super::table::{guards, keys, predicates, server, tls, who};
use super::written::{Given, Origin, Source, brief, is_address};
use crate::identity::{self, Endpoint, Machine};

/// A value that cannot stand. `thoth run` does not start with one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name.
    pub setting: &'static str,
    /// Where it was given.
    pub origin: Origin,
    /// What is wrong, and with what; never a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One line of what people see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The setting's name.
    pub name: &'static str,
    /// The value that holds, as it was written, which may have anything in it; `set` for a secret.
    pub value: Option<String>,
    /// Who gave it.
    pub source: Source,
    /// Where exactly.
    pub origin: Option<String>,
    /// What it does in this version; nothing for what is derived.
    pub state: Option<State>,
    /// What to know about it.
    pub notes: Vec<String>,
}

/// The texts of the predicates, for the data path to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Predicates {
    /// `THOTH_INTENT_TOOL_ALLOWLIST`
    pub intent_tool_allowlist: Option<String>,
    /// `THOTH_BLOCKED_LINEAGE_ANCESTOR_TOKENS`
    pub blocked_ancestor_tokens: Option<String>,
    /// `THOTH_BLOCKED_LINEAGE_UPSTREAM_BINARIES`
    pub blocked_upstream_binaries: Option<String>,
}

/// The texts of the TLS settings, for the client to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// `THOTH_TLS_VERIFY`
    pub verify: Option<String>,
    /// `THOTH_TLS_CA_BUNDLE`: a path.
    pub ca_bundle: Option<String>,
    /// `THOTH_TLS_PINNED_CERT_SHA256`
    pub pins: Option<String>,
}

/// The settings that hold.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The organisation.
    pub tenant: Option<TenantId>,
    /// The person.
    pub user: Option<UserId>,
    /// The agent.
    pub agent: Option<AgentId>,
    /// The machine.
    pub endpoint: Option<Endpoint>,
    /// What the machine is for.
    pub stage: Stage,
    /// As whom the gate may run.
    pub guards: Guards,
    /// What a call gets when the enforcer cannot be asked.
    pub failure_decision: FailureDecision,
    /// What is checked before the policy.
    pub predicates: Predicates,
    /// What connections are checked against; what is wrong with that, where it cannot be used.
    pub tls: Result<Tls, String>,
    /// The key for the enforcer.
    pub api_key: Option<Redacted<String>>,
    /// The enforcer that is asked, if any.
    pub enforcer_url: Option<String>,
    /// How long a connection to it may take, and how long the whole of an answer.
    pub enforcer_within: (Duration, Duration),
    /// How often the machine checks in with it.
    pub checkin_interval: Duration,
    /// The fleet that the machine belongs to, as it says.
    pub fleet: Option<String>,
    /// How the machine came under management, as it says.
    pub enrollment: Option<String>,
    /// The policy server's address for decisions, where tenant and domain are written. Nothing asks there.
    pub enforce_url: Option<String>,
    /// The same for registration and governance.
    pub grid_url: Option<String>,
    /// What stops `thoth run`.
    pub problems: Vec<Problem>,
    /// What does not.
    pub warnings: Vec<String>,
    /// Everything, for people.
    pub rows: Vec<Row>,
}

impl Merged {
    /// Reads the values that have won. A value that nothing uses is only worth a warning when it is wrong, except in the
    /// managed file and on the command line, which somebody has just written.
    #[must_use]
    pub fn resolve(self, machine: &Machine<'_>) -> Resolved {
        let Self { contests, foreign, warnings } = self;
        let asks = contests.iter().any(|contest| contest.setting.is(&server::ENFORCER_URL) && contest.winner.is_some());
        let mut reading = Reading { values: Vec::new(), problems: Vec::new(), warnings, asks };
        for contest in contests.iter().filter(|contest| !matches!(contest.setting.state, State::Elsewhere(_))) {
            let (value, is_wrong) = match reading.read(contest) {
                Ok(value) => (value, false),
                Err(Wrong) => (contest.setting.default.map(str::to_owned), true),
            };
            reading.values.push(Value { contest, value, is_wrong });
        }
        let mut resolved = reading.finish(machine);
        resolved.rows.extend(foreign.into_iter().map(|(name, program)| Row {
            name,
            value: None,
            source: Source::Environment,
            origin: Some(name.to_owned()),
            state: Some(State::Elsewhere(program)),
            notes: vec![format!("not read: of {program}")],
        }));
        resolved
    }
}

/// A value that has won and cannot be used; what is wrong was told.
struct Wrong;

/// What holds for one setting: the value that has won, or else the default.
struct Value<'m> {
    contest: &'m Contest,
    value: Option<String>,
    is_wrong: bool,
}

/// The third step under way.
struct Reading<'m> {
    values: Vec<Value<'m>>,
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// Whether an enforcer is to be asked.
    asks: bool,
}

impl Reading<'_> {
    /// The value that has won, or the default.
    fn read(&mut self, contest: &Contest) -> Result<Option<String>, Wrong> {
        let setting = contest.setting;
        let Some(winner) = &contest.winner else { return Ok(setting.default.map(str::to_owned)) };
        let kind = match (setting.kind, winner.origin.source) {
            // Whoever writes the flag may name the person as they like; fleets set the variable, and agree on addresses.
            (Kind::Email, Source::Flag) => Kind::User,
            (kind, _) => kind,
        };
        match kind.read(winner.text.exposed()) {
            Ok(value) => Ok(Some(value)),
            Err(wrong) => {
                let origin = &winner.origin;
                let what = match (setting.key, origin.source) {
                    (Some(key), Source::Managed) => format!("{origin}: `{key}`"),
                    _ => origin.to_string(),
                };
                let message = match winner.quoted().filter(|quoted| !quoted.is_empty()) {
                    Some(quoted) => format!("{what} is `{quoted}`: {wrong}"),
                    // The readers of lists repeat the entry that they stop at.
                    None if matches!(kind, Kind::IntentTools | Kind::Tokens) && !winner.text.exposed().is_empty() => {
                        format!("{what} cannot be used: it is not such a list")
                    }
                    None => format!("{what} cannot be used: {wrong}"),
                };
                let is_for_enforcer = matches!(setting.state, State::Update | State::Doctor | State::Enforcer);
                let stops = setting.state == State::Effective
                    || origin.source < Source::Environment
                    || (self.asks && is_for_enforcer);
                if stops {
                    self.problems.push(Problem { setting: setting.name(), origin: origin.clone(), message });
                } else {
                    let whom = if matches!(setting.state, State::Update | State::Doctor) {
                        "`thoth update` and `thoth doctor` stop at it"
                    } else if setting.state == State::Enforcer {
                        "nothing uses it without an enforcer"
                    } else {
                        "nothing uses it yet"
                    };
                    self.warnings.push(format!("{message}; {whom}"));
                }
                Err(Wrong)
            }
        }
    }

    fn value(&self, setting: &Setting) -> Option<&str> {
        self.values.iter().find(|held| held.contest.setting.is(setting)).and_then(|held| held.value.as_deref())
    }

    fn owned(&self, setting: &Setting) -> Option<String> {
        self.value(setting).map(str::to_owned)
    }

    /// A duration; the shortest there is where it cannot be told.
    fn seconds(&self, setting: &Setting) -> Duration {
        Duration::from_secs(self.value(setting).and_then(|seconds| seconds.parse().ok()).unwrap_or(1))
    }

    fn is_written(&self, setting: &Setting) -> bool {
        self.values.iter().any(|held| held.contest.setting.is(setting) && held.contest.winner.is_some())
    }

    fn is_true(&self, setting: &Setting) -> bool {
        self.value(setting) == Some("true")
    }

    fn guards(&self) -> Guards {
        let strict_stage =
            self.is_written(&who::ENV) && Stage::of(self.value(&who::ENV).unwrap_or_default()) != Stage::Dev;
        let non_root = match self.value(&guards::REQUIRE_NON_ROOT) {
            Some(value) => value == "true",
            None => strict_stage,
        };
        Guards {
            non_root,
            unguarded: !self.is_written(&guards::REQUIRE_NON_ROOT) && !self.is_written(&who::ENV),
            user: self.owned(&guards::EXPECTED_PROXY_USER),
            uid: self.value(&guards::EXPECTED_PROXY_UID).and_then(|uid| uid.parse().ok()),
        }
    }

    /// What connections are checked against. A wrong value is no absent one.
    fn tls(&self) -> Result<Tls, String> {
        let settings = [&tls::TLS_VERIFY, &tls::TLS_CA_BUNDLE, &tls::TLS_PINNED_CERT_SHA256];
        let wrong =
            |held: &&Value<'_>| held.is_wrong && settings.iter().any(|setting| held.contest.setting.is(setting));
        if let Some(given) = self.values.iter().find(wrong).and_then(|held| held.contest.winner.as_ref()) {
            return Err(note(given, "cannot be used"));
        }
        let [verify, ca_bundle, pins] = settings.map(|setting| self.owned(setting));
        Ok(Tls { verify, ca_bundle, pins })
    }

    /// The two addresses, where both parts are written.
    fn addresses(&mut self) -> (Option<String>, Option<String>) {
        let (Some(tenant), Some(apex)) = (self.value(&who::TENANT_ID), self.value(&server::APEX_DOMAIN)) else {
            return (None, None);
        };
        if !is_dns_label(tenant) {
            let named = if is_address(tenant) { String::new() } else { format!(" `{}`", brief(tenant)) };
            let told = format!("no addresses are derived: the tenant{named} is not a DNS label");
            self.warnings.push(told);
            return (None, None);
        }
        let address = |host: &str| Some(format!("https://{host}.{tenant}.{apex}"));
        (address("enforce"), address("grid"))
    }

    fn finish(mut self, machine: &Machine<'_>) -> Resolved {
        let (enforce_url, grid_url) = self.addresses();
        let guards = self.guards();
        let stage = Stage::of(self.value(&who::ENV).unwrap_or_default());
        let failure_decision = FailureDecision::holding(
            self.value(&server::ENFORCER_FAILURE_DECISION).and_then(FailureDecision::of),
            stage,
            self.is_true(&server::ENFORCER_ALLOW_FALLBACK_OVERRIDE),
        );
        let ids = [&who::ENDPOINT_ID, &who::INTUNE_DEVICE_ID, &who::JAMF_COMPUTER_ID];
        let given = ids.map(|setting| self.value(setting).and_then(|id| EndpointId::from_str(id).ok()));
        let endpoint = identity::endpoint(given, machine);
        let mut rows: Vec<_> = self.values.iter().map(row).collect();
        for row in &mut rows {
            if row.state == Some(State::Enforcer) && row.origin.is_some() && !self.asks {
                row.notes.insert(0, "not used without an enforcer".to_owned());
            }
            if row.name == guards::REQUIRE_NON_ROOT.name() && row.source == Source::Default {
                row.value = Some(guards.non_root.to_string());
            }
            if row.name == server::ENFORCER_FAILURE_DECISION.name()
                && row.value.as_deref() != Some(failure_decision.as_str())
            {
                row.notes.push(format!("counts as {} in {}", failure_decision.as_str(), stage.as_str()));
            }
        }
        let mut derived = |name, value: Option<&str>, note: Option<&str>| {
            if let Some(value) = value {
                let notes = note.into_iter().map(str::to_owned).collect();
                let value = Some(value.to_owned());
                rows.push(Row { name, value, source: Source::Derived, origin: None, state: None, notes });
            }
        };
        let from = endpoint.as_ref().map(|endpoint| endpoint.source.words());
        derived("endpoint", endpoint.as_ref().map(|endpoint| endpoint.id.as_str()), from);
        derived("enforce address", enforce_url.as_deref(), Some("not used yet"));
        derived("grid address", grid_url.as_deref(), Some("not used yet"));
        Resolved {
            tenant: self.value(&who::TENANT_ID).and_then(|id| id.parse().ok()),
            user: self.value(&who::USER_ID).and_then(|id| id.parse().ok()),
            agent: self.value(&who::AGENT_ID).and_then(|id| id.parse().ok()),
            endpoint,
            stage,
            guards,
            failure_decision,
            predicates: Predicates {
                intent_tool_allowlist: self.owned(&predicates::INTENT_TOOL_ALLOWLIST),
                blocked_ancestor_tokens: self.owned(&predicates::BLOCKED_LINEAGE_ANCESTOR_TOKENS),
                blocked_upstream_binaries: self.owned(&predicates::BLOCKED_LINEAGE_UPSTREAM_BINARIES),
            },
            tls: self.tls(),
            api_key: self.owned(&keys::API_KEY).map(Redacted::new),
            enforcer_url: self.owned(&server::ENFORCER_URL),
            enforcer_within: (self.seconds(&server::ENFORCER_CONNECT_TIMEOUT), self.seconds(&server::ENFORCER_TIMEOUT)),
            checkin_interval: self.seconds(&server::CHECKIN_INTERVAL),
            fleet: self.owned(&who::FLEET_ID),
            enrollment: self.owned(&who::ENROLLMENT_SOURCE),
            enforce_url,
            grid_url,
            problems: self.problems,
            warnings: self.warnings,
            rows,
        }
    }
}

fn row(held: &Value<'_>) -> Row {
    let setting = held.contest.setting;
    let mut notes = Vec::new();
    let mut winner = held.contest.winner.as_ref();
    if let Some(wrong) = winner.filter(|_| held.is_wrong) {
        notes.push(note(wrong, "cannot be used"));
        winner = None;
    }
    if winner.is_some() && matches!(setting.state, State::Planned | State::NoEffect) {
        notes.push(setting.state.words().to_owned());
    }
    notes.extend(held.contest.lost.iter().map(|(given, loss)| match loss {
        Loss::Weaker => note(given, "does not count"),
        Loss::Loosens => note(given, "is not heeded, it would loosen"),
    }));
    let value = held.value.as_deref().map(|value| match winner {
        Some(winner) if setting.secret => winner.text.to_string(),
        _ => value.to_owned(),
    });
    Row {
        name: setting.name(),
        value,
        source: winner.map_or(Source::Default, |winner| winner.origin.source),
        origin: winner.map(|winner| winner.origin.to_string()),
        state: Some(setting.state),
        notes,
    }
}

/// A value that does not hold, and why.
fn note(given: &Given, why: &str) -> String {
    let text = given.quoted().map(|quoted| format!(" `{quoted}`")).unwrap_or_default();
    format!("{}{text} {why}", given.origin)
}
