//! `thothctl bootstrap`: the first set-up of an organisation in one go. It can be run again: what is as it should be already
//! stays.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use thoth_api::contract::key::{Create, Permission, ScopeLevel};
use thoth_api::contract::policy_bundle::{ShowQuery, Upload};
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::{harmless_text, line, note};
use thoth_types::Redacted;

use crate::connection::Server;
use crate::packs::{self, Groups, Pack};
use crate::policies::{looked_at_text, text_of};
use crate::settings::{self, WantedArgs};

/// `thothctl bootstrap`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl bootstrap --compliance-profile hipaa --approver privacy=ann --approver privacy=bob --event-retention-days 30
  thothctl bootstrap --policy payments=payments.yaml --assign agent:billing-bot \\
      --agent-id billing-bot --agent-key-out billing-bot.key.json --json

What is there already and as it should be is left alone, so that it can be run again. Of a pack, \
the sections that are the server's own (approvals, inspect, integrity, progressive) are left out; \
they belong into the server's --policy. Whom its rules ask in groups are the people that --approver \
names.")]
pub(crate) struct BootstrapArgs {
    #[command(flatten)]
    settings: WantedArgs,
    /// A pack that Thoth brings along, as a policy bundle: hipaa, soc2, gdpr, `pci_dss`; repeat for several
    #[arg(long = "compliance-profile", value_name = "NAME", value_parser = packs::named)]
    profiles: Vec<Pack>,
    /// Who is in a group of the packs, by the name of their key; repeat for several
    #[arg(long = "approver", value_name = "GROUP=USER", value_parser = packs::approver)]
    approvers: Vec<(String, String)>,
    /// A policy bundle of this name with the text of this file; repeat for several
    #[arg(long = "policy", value_name = "NAME=FILE", value_parser = policy)]
    policies: Vec<(String, PathBuf)>,
    /// For whom new bundles are: all, fleet:ID, endpoint:ID, agent:ID; for all where nothing is said
    #[arg(long = "assign", value_name = "WHO")]
    assignments: Vec<String>,
    /// The agent that a key is made for
    #[arg(long, value_name = "ID", requires = "agent_key_out")]
    agent_id: Option<String>,
    /// The new file for the key, which only you can read; one that is there already is left as it is
    #[arg(long, value_name = "FILE", requires = "agent_id")]
    agent_key_out: Option<PathBuf>,
}

fn policy(text: &str) -> Result<(String, PathBuf), &'static str> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("it is not NAME=FILE"),
    }
}

/// What was done about one bundle.
#[derive(Debug, serde::Serialize)]
struct Done {
    name: String,
    version: u32,
    uploaded: bool,
    activated: bool,
}

pub(crate) fn run(server: &Server, arguments: &BootstrapArgs) -> Outcome {
    let mut wanted = Vec::new();
    let mut groups = Groups::new();
    for (group, user) in &arguments.approvers {
        groups.entry(group.clone()).or_default().push(user.clone());
    }
    for pack in &arguments.profiles {
        let text = pack.bundle(&groups).map_err(|missing| {
            let missing: Vec<String> = missing.iter().map(|group| format!("--approver {group}=USER")).collect();
            Failure::usage(format!("the pack `{}` has calls approved by groups of people", pack.name))
                .hint(format!("say who they are, by the names of their keys: {}", missing.join(", ")))
        })?;
        wanted.push((pack.name.to_owned(), text));
    }
    for (name, file) in &arguments.policies {
        wanted.push((name.clone(), text_of(file)?));
    }
    let names: BTreeSet<&str> = wanted.iter().map(|(name, _)| &**name).collect();
    if names.len() < wanted.len() {
        return Err(Failure::usage("two policies have one name"));
    }
    // Before anything is changed.
    for (name, text) in &wanted {
        looked_at_text(server, text, name)?;
    }
    if let Some(warning) = crowded(&arguments.profiles) {
        note(warning);
    }
    // What is only there changes no answer yet.
    let mut bundles = Vec::new();
    for (name, text) in &wanted {
        bundles.push(there(server, name, text, &arguments.assignments)?);
    }
    let (answer, settings_updated) = settings::set(server, &arguments.settings, &[])?;
    for bundle in bundles.iter().filter(|bundle| bundle.activated) {
        server.ask(async |admin| admin.activate_bundle(&bundle.name, Some(bundle.version)).await)?;
    }
    let key = match (&arguments.agent_id, &arguments.agent_key_out) {
        (Some(agent), Some(path)) => key(server, agent, path)?,
        _ => None,
    };
    if server.json {
        return Server::print(&json!({
            "settings_updated": settings_updated,
            "settings_revision": answer.revision,
            "bundles": bundles,
            "key_created": key.is_some(),
            "key_id": key,
        }));
    }
    line(if settings_updated { "settings: set" } else { "settings: as they should be" })?;
    for Done { name, version, uploaded, activated } in &bundles {
        let what = match (uploaded, activated) {
            (true, _) => "uploaded, and holds",
            (false, true) => "holds from now on",
            (false, false) => "holds already",
        };
        line(format_args!("policy {}: version {version} {what}", harmless_text(name)))?;
    }
    match (&key, &arguments.agent_key_out) {
        (Some(id), Some(path)) => {
            line(format_args!("key {}: wrote {}", harmless_text(id), harmless_text(&path.display().to_string())))?;
        }
        (None, Some(path)) => {
            line(format_args!("key: `{}` is there already", harmless_text(&path.display().to_string())))?;
        }
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What becomes of calls where several packs hold.
fn crowded(packs: &[Pack]) -> Option<String> {
    let names: Vec<&str> = packs.iter().map(|pack| pack.name).collect();
    (names.len() > 1).then(|| {
        let names = names.join(", ");
        format!("each of {names} blocks what none of its own rules names: for one agent, only calls run that all of them let run")
    })
}

/// Has this text be there under this name, if it is not yet, and says whether it is yet to hold.
fn there(server: &Server, name: &str, text: &str, assignments: &[String]) -> Result<Done, Failure> {
    let known = server.ask(async |admin| admin.bundles().await)?.data.into_iter().find(|known| known.name == name);
    let latest = match &known {
        None => None,
        Some(known) => {
            let version = ShowQuery { version: Some(known.latest_version) };
            let shown = server.ask(async |admin| admin.bundle(&known.bundle_id, &version).await)?;
            (shown.version.policy.as_deref() == Some(text)).then_some(known.latest_version)
        }
    };
    let (version, uploaded) = match latest {
        Some(version) => (version, false),
        None => {
            let upload = Upload {
                name: name.to_owned(),
                policy: text.to_owned(),
                description: Some("by thothctl bootstrap".to_owned()),
                decisions: None,
                // What is there already stays for whom it is.
                assignments: Some(assignments.to_vec()).filter(|to| !to.is_empty() && known.is_none()),
                framework: None,
                status: None,
            };
            (server.ask(async |admin| admin.upload_bundle(&upload).await)?.version.version, true)
        }
    };
    let is_active = known.is_some_and(|known| known.active_version == Some(version));
    Ok(Done { name: name.to_owned(), version, uploaded, activated: !is_active })
}

/// Makes a key for an agent into a new file. `None`: there is one already.
fn key(server: &Server, agent: &str, path: &Path) -> Result<Option<String>, Failure> {
    let shown = harmless_text(&path.display().to_string());
    let mut file = match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
        Err(error) => return Err(Failure::failed(format!("cannot create `{shown}`: {error}"))),
    };
    let create = Create {
        name: Some(format!("bootstrap {agent}")),
        scope_level: ScopeLevel::Agent,
        scope_target_id: Some(agent.to_owned()),
        permissions: [Permission::Execute, Permission::Write].into_iter().collect(),
        ttl_seconds: None,
        jit_reason: None,
    };
    let created = server.ask(async |administration| administration.create_key(&create).await).inspect_err(|_| {
        // It is empty, and would be taken for a key the next time.
        drop(fs::remove_file(path));
    })?;
    let text = json!({ "api_key": created.api_key.expose_secret(), "key_id": created.row.id });
    let text = Redacted::new(format!("{text:#}\n"));
    let written = file.write_all(text.expose_secret().as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        drop(fs::remove_file(path));
        Failure::failed(format!("cannot write `{shown}`: {error}"))
            .hint(format!("the key is lost: `thothctl keys revoke {}`", harmless_text(&created.row.id)))
    })?;
    note("the key lets the agent have its calls decided and tell of them; it can approve nothing");
    Ok(Some(created.row.id))
}
