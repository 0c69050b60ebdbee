//! Putting the servers of a client's file under `thoth run`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use thoth_types::ServerName;

use crate::document::Document;
use crate::entry::{Entry, Reason, Slot, Start, State, is_setting, listed};
use crate::hosts::Shape;
use crate::launch::{Launch, is_gate};
use crate::rewrite::{Change, Outcome, Plan, Rewrite, WrapError, carry_out, outcome, slots, variable};

/// The program that is written where none is chosen: found through `PATH`.
const THOTH: &str = "thoth";

/// How servers are to be governed.
///
/// What is chosen here is written into all selected entries. What is not chosen stays as it is where an entry is
/// governed already, so that wrapping again changes nothing.
#[derive(Clone, Default)]
pub struct WrapOptions {
    /// The agent id of newly governed servers: the client's name.
    pub default_agent: String,
    /// The program that newly governed servers are started by, where `thoth` does not choose one; `thoth` without it.
    /// One that [`is_gate`] accepts, as `thoth` too.
    pub default_thoth: Option<String>,
    /// The program to start.
    pub thoth: Option<String>,
    /// Programs of governed servers that are not to start them any longer: `default_thoth` takes their place.
    pub replaced: Vec<String>,
    /// `--agent-id`
    pub agent_id: Option<String>,
    /// `--tenant-id`
    pub tenant_id: Option<String>,
    /// `--enforcement-mode`
    pub enforcement_mode: Option<String>,
    /// `--policy`
    pub policy: Option<String>,
    /// `--session-intent`, for servers that `intents` does not name.
    pub session_intent: Option<String>,
    /// `--session-intent` by server.
    pub intents: BTreeMap<String, String>,
    /// Environment variables. A variable that an entry has of its own keeps its value.
    pub env: Vec<(String, String)>,
    /// Only servers with these names; all of them if empty.
    pub servers: Vec<String>,
    /// The file belongs to a project, and so to whoever wrote that. An entry there must not govern the gate itself.
    pub of_project: bool,
}

/// Values of environment variables can be secrets.
impl fmt::Debug for WrapOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapOptions")
            .field("default_agent", &self.default_agent)
            .field("default_thoth", &self.default_thoth)
            .field("thoth", &self.thoth)
            .field("replaced", &self.replaced)
            .field("agent_id", &self.agent_id)
            .field("tenant_id", &self.tenant_id)
            .field("enforcement_mode", &self.enforcement_mode)
            .field("policy", &self.policy)
            .field("session_intent", &self.session_intent)
            .field("intents", &self.intents)
            .field("env", &self.env.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("servers", &self.servers)
            .field("of_project", &self.of_project)
            .finish()
    }
}

/// Puts the selected servers of a file under `thoth run`, or brings those that are up to date.
///
/// Nothing else changes: not a byte outside of the entries, and in them only the command, the beginning of its
/// arguments, and environment variables that were asked for. Entries that cannot be governed are named in the outcomes.
///
/// # Errors
///
/// An option that cannot be written down, or more than [`MAX_SERVERS`](crate::rewrite::MAX_SERVERS) servers.
pub fn wrap(document: &Document, shape: &Shape, options: &WrapOptions) -> Result<Rewrite, WrapError> {
    if let Some((name, _)) = options.env.iter().find(|(name, _)| !is_variable_name(name)) {
        return Err(WrapError::VariableName(name.escape_debug().to_string()));
    }
    let programs = [&options.thoth, &options.default_thoth].into_iter().flatten();
    if let Some(program) = programs.into_iter().find(|program| !is_gate(program)) {
        return Err(WrapError::Program(program.escape_debug().to_string()));
    }
    let tasks = slots(document, shape)?.iter().map(|slot| options.task(document, slot)).collect();
    Ok(carry_out(document, shape, tasks))
}

/// A list of names is written with commas, and a name that looks like an assignment would not be one.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_control() || matches!(c, ',' | '='))
}

impl WrapOptions {
    /// What is to be done about an entry, and what will be said about it; nothing about an entry that is not selected.
    fn task(&self, document: &Document, slot: &Slot<'_>) -> (Option<Plan>, Option<Outcome>) {
        if !self.servers.is_empty() && !self.servers.contains(&slot.server) {
            return (None, None);
        }
        let mut warnings = Vec::new();
        let Entry { state, variables, .. } = slot.entry(document);
        let own: Vec<String> = variables.into_iter().filter(|name| is_setting(name)).collect();
        if self.of_project && !own.is_empty() && !matches!(state, State::NotWrappable(_)) {
            let change = Change::Skipped(Reason::OwnSettings { names: own });
            return (None, Some(outcome(document, slot, change, warnings)));
        }
        if !own.is_empty() {
            warnings.push(format!("it sets {}, which governs `thoth run` too", listed(&own)));
        }
        if self.of_project && slot.start.as_ref().is_ok_and(Start::reads_variables_from_file) {
            warnings.push("it reads environment variables from a file, which can govern `thoth run` too".to_owned());
        }
        let (plan, change) = match state {
            State::NotWrappable(reason) => (None, Change::Skipped(reason)),
            State::Plain(_) => (Some(self.fresh(document, slot, &mut warnings)), Change::Wrapped),
            State::Governed(launch) => match self.update(document, slot, &launch, &mut warnings) {
                Some(plan) => (Some(plan), Change::Updated),
                None => (None, Change::Unchanged),
            },
        };
        (plan, Some(outcome(document, slot, change, warnings)))
    }

    fn fresh(&self, document: &Document, slot: &Slot<'_>, warnings: &mut Vec<String>) -> Plan {
        let launch = Launch {
            program: self.default_program(),
            agent_id: Some(self.default_agent.clone()).filter(|agent| !agent.is_empty()),
            server_name: Some(slot.server.clone()).filter(|name| ServerName::from_str(name).is_ok()),
            ..Launch::default()
        };
        if launch.server_name.is_none() {
            warnings
                .push("its name cannot be a server's name in a policy; the name is read from its command".to_owned());
        }
        self.warn_of_kept_variables(document, slot, &[], warnings);
        Plan::Govern { launch: Box::new(self.applied_to(launch, &slot.server)), variables: self.env.clone() }
    }

    /// The new settings of a governed entry, if they differ from those that it has.
    fn update(
        &self,
        document: &Document,
        slot: &Slot<'_>,
        launch: &Launch,
        warnings: &mut Vec<String>,
    ) -> Option<Plan> {
        let wanted = self.applied_to(launch.clone(), &slot.server);
        let ours = launch.added.as_ref().map(|added| added.variables.as_slice()).unwrap_or_default();
        self.warn_of_kept_variables(document, slot, ours, warnings);
        let can_hold = slot.start.as_ref().is_ok_and(Start::can_hold_variables);
        let differs = |(name, value): &(String, String)| match variable(document, slot, name) {
            None => can_hold,
            Some(found) => ours.contains(name) && found != *value,
        };
        if wanted == *launch && !self.env.iter().any(differs) {
            return None;
        }
        let kept = ours.iter().filter(|name| self.env.iter().all(|(chosen, _)| chosen != *name));
        let kept = kept.filter_map(|name| variable(document, slot, name).map(|value| (name.clone(), value)));
        let variables = kept.chain(self.env.iter().cloned()).collect();
        Some(Plan::Govern { launch: Box::new(wanted), variables })
    }

    fn default_program(&self) -> String {
        self.default_thoth.clone().unwrap_or_else(|| THOTH.to_owned())
    }

    fn applied_to(&self, mut launch: Launch, server: &str) -> Launch {
        if let Some(program) = &self.thoth {
            launch.program.clone_from(program);
        } else if self.replaced.contains(&launch.program) {
            launch.program = self.default_program();
        }
        let intent = self.intents.get(server).or(self.session_intent.as_ref());
        for (field, chosen) in [
            (&mut launch.agent_id, self.agent_id.as_ref()),
            (&mut launch.tenant_id, self.tenant_id.as_ref()),
            (&mut launch.enforcement_mode, self.enforcement_mode.as_ref()),
            (&mut launch.session_intent, intent),
            (&mut launch.policy, self.policy.as_ref()),
        ] {
            if let Some(chosen) = chosen {
                *field = Some(chosen.clone());
            }
        }
        launch
    }

    fn warn_of_kept_variables(
        &self,
        document: &Document,
        slot: &Slot<'_>,
        ours: &[String],
        warnings: &mut Vec<String>,
    ) {
        if !self.env.is_empty() && !slot.start.as_ref().is_ok_and(Start::can_hold_variables) {
            warnings.push("its environment variables are not a table; none were added".to_owned());
        }
        for (name, value) in &self.env {
            if !ours.contains(name) && variable(document, slot, name).is_some_and(|found| found != *value) {
                warnings.push(format!("its environment variable `{}` keeps its own value", name.escape_debug()));
            }
        }
    }
}
