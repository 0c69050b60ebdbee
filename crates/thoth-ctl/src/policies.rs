//! `thothctl policies`: policy bundles of the server.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_api::contract::list::List;
use thoth_api::contract::policy_bundle::{
    Assign, Bundle, Decisions, Effective, Report, ShowQuery, Upload, Validate, WhoseQuery,
};
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{fields, harmless_text, line, note};

use crate::connection::Server;
use crate::group::NoFlags;
use crate::table::{self, shown, time};

/// `thothctl policies`
#[derive(Debug, Subcommand)]
pub(crate) enum PoliciesCommand {
    /// Lists bundles
    List,
    /// Uploads a policy as a new version; it does not hold until it is activated
    Upload(UploadArgs),
    /// Says what is wrong or odd with a policy; nothing is kept
    Validate {
        /// The policy file
        file: PathBuf,
    },
    /// Prints a bundle and the policy of a version: the active one, or else the newest
    Show {
        /// The bundle: its name or id
        bundle: String,
        /// Another version
        #[arg(long, value_name = "N")]
        number: Option<u32>,
    },
    /// Lists the versions of a bundle, newest first
    Versions {
        /// The bundle: its name or id
        bundle: String,
    },
    /// Has a version hold, from the next call on
    Activate {
        /// The bundle: its name or id
        bundle: String,
        /// The version
        #[arg(value_name = "N")]
        number: u32,
    },
    /// Has no version of a bundle hold
    Deactivate {
        /// The bundle: its name or id
        bundle: String,
    },
    /// Has the version hold that did before
    Rollback {
        /// The bundle: its name or id
        bundle: String,
    },
    /// Says for whom a bundle is, instead of those before
    #[command(after_help = "\
Examples:
  thothctl policies assign payments all
  thothctl policies assign payments fleet:berlin agent:billing-bot
  thothctl policies assign payments --nobody")]
    Assign {
        /// The bundle: its name or id
        bundle: String,
        /// `all`, `fleet:ID`, `endpoint:ID`, `agent:ID`
        #[arg(required_unless_present = "nobody", conflicts_with = "nobody", value_name = "WHO")]
        assignments: Vec<String>,
        /// For nobody
        #[arg(long)]
        nobody: bool,
    },
    /// Deletes a bundle that is not active; its versions stay for the record
    Delete {
        /// The bundle: its name or id
        bundle: String,
    },
    /// Says which bundles hold for somebody
    Effective(EffectiveArgs),
}

impl From<NoFlags> for PoliciesCommand {
    fn from(_: NoFlags) -> Self {
        Self::List
    }
}

/// `thothctl policies upload`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thothctl policies upload payments.yaml --name payments --assign agent:billing-bot
  thothctl policies upload payments.yaml --name payments --description 'as of ticket 42' && thothctl policies activate payments 2

Exit codes: 0 done, also where something about it is odd, which `validate` tells by 5; 3 the policy \
is not valid; else as for every command.")]
pub(crate) struct UploadArgs {
    /// The policy file: one text, without `include`
    file: PathBuf,
    /// The bundle; one of this name gets another version
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Who decides under it: remote, the server; local, sidecars that hold it may, too
    #[arg(long, value_name = "WHO", value_parser = decisions)]
    decisions: Option<Decisions>,
    /// For whom it is, if it is the first version; refused where the bundle is for others. Repeat for several
    #[arg(long = "assign", value_name = "WHO")]
    assignments: Vec<String>,
}

/// `thothctl policies effective`
#[derive(Debug, Args)]
pub(crate) struct EffectiveArgs {
    /// The agent
    #[arg(long, value_name = "ID")]
    agent_id: Option<String>,
    /// The machine
    #[arg(long, value_name = "ID")]
    endpoint_id: Option<String>,
    /// The fleet
    #[arg(long, value_name = "ID")]
    fleet_id: Option<String>,
}

fn decisions(text: &str) -> Result<Decisions, &'static str> {
    Decisions::parse(text).ok_or("it is none of remote, local")
}

pub(crate) fn run(server: &Server, command: PoliciesCommand) -> Outcome {
    use PoliciesCommand::{
        Activate, Assign as To, Deactivate, Delete, Effective, List, Rollback, Show, Upload, Validate, Versions,
    };
    match command {
        List => list(server),
        Upload(arguments) => upload(server, arguments),
        Validate { file } => {
            let report = looked_at(server, &file, None)?;
            if server.json {
                Server::print(&report)?;
            } else if report.valid {
                line("valid")?;
            }
            Ok(code_of(&report))
        }
        Show { bundle, number } => show(server, &bundle, number),
        Versions { bundle } => versions(server, &bundle),
        Activate { bundle, number } => {
            let now = server.ask(async |admin| admin.activate_bundle(&bundle, Some(number)).await)?;
            told(server, &bundle, now, &format!("version {number} holds from now on"))
        }
        Deactivate { bundle } => {
            let now = server.ask(async |admin| admin.activate_bundle(&bundle, None).await)?;
            told(server, &bundle, now, "no version holds")
        }
        Rollback { bundle } => {
            let now = server.ask(async |admin| admin.roll_back_bundle(&bundle).await)?;
            let version = now.as_ref().and_then(|now| now.active_version);
            let what = version.map_or_else(|| "rolled back".to_owned(), |n| format!("version {n} holds again"));
            told(server, &bundle, now, &what)
        }
        To { bundle, assignments, .. } => {
            let to = Assign { assignments };
            let now = server.ask(async |admin| admin.assign_bundle(&bundle, &to).await)?;
            let who = if to.assignments.is_empty() { "nobody".to_owned() } else { to.assignments.join(", ") };
            told(server, &bundle, now, &format!("it is for {}", harmless_text(&who)))
        }
        Delete { bundle } => {
            let now = server.ask(async |admin| admin.delete_bundle(&bundle).await)?;
            told(server, &bundle, now, "deleted")
        }
        Effective(arguments) => effective(server, arguments),
    }
}

fn told(server: &Server, id: &str, now: Option<Bundle>, what: &str) -> Outcome {
    if server.json {
        return Server::print(&now.map_or_else(|| serde_json::json!({ "name": id }), |now| serde_json::json!(now)));
    }
    line(format_args!("{}: {what}", shown(Some(id))))?;
    Ok(ExitCode::SUCCESS)
}

/// The server's own words about a policy, on standard error.
fn looked_at(server: &Server, file: &PathBuf, name: Option<&str>) -> Result<Report, Failure> {
    let policy = text_of(file)?;
    let name = name.map(str::to_owned);
    let report = server
        .ask(async |admin| admin.validate_policy(&Validate { policy: policy.clone(), name: name.clone() }).await)?;
    if !server.json {
        report.text.iter().flat_map(|text| text.lines()).for_each(|text| note(harmless_text(text)));
    }
    Ok(report)
}

/// The same for a text; one that is not valid is a failure.
pub(crate) fn looked_at_text(server: &Server, policy: &str, name: &str) -> Result<(), Failure> {
    let wanted = Validate { policy: policy.to_owned(), name: Some(name.to_owned()) };
    let report = server.ask(async |admin| admin.validate_policy(&wanted).await)?;
    if report.valid {
        return Ok(());
    }
    report.text.iter().flat_map(|text| text.lines()).for_each(|text| note(harmless_text(text)));
    Err(Failure::new(
        Code::InvalidPolicy,
        format!("the policy `{}` is not valid; nothing was changed", shown(Some(name))),
    ))
}

pub(crate) fn text_of(file: &PathBuf) -> Result<String, Failure> {
    let shown = harmless_text(&file.display().to_string());
    fs::read_to_string(file).map_err(|error| Failure::usage(format!("cannot read `{shown}`: {error}")))
}

/// As `thoth policy check` ends.
fn code_of(report: &Report) -> ExitCode {
    match (report.valid, report.warned) {
        (false, _) => ExitCode::from(Code::InvalidPolicy as u8),
        (true, true) => ExitCode::from(Code::Warned as u8),
        (true, false) => ExitCode::SUCCESS,
    }
}

fn upload(server: &Server, arguments: UploadArgs) -> Outcome {
    let report = looked_at(server, &arguments.file, Some(&arguments.name))?;
    if !report.valid {
        if server.json {
            Server::print(&report)?;
        }
        return Ok(code_of(&report));
    }
    let wanted = Upload {
        name: arguments.name,
        policy: text_of(&arguments.file)?,
        description: arguments.description,
        decisions: arguments.decisions,
        assignments: Some(arguments.assignments).filter(|assignments| !assignments.is_empty()),
        framework: None,
        status: None,
    };
    let made = server.ask(async |admin| admin.upload_bundle(&wanted).await)?;
    if server.json {
        return Server::print(&made);
    }
    let name = shown(Some(&made.bundle.name));
    line(format_args!("{name}: version {}", made.version.version))?;
    if made.bundle.active_version != Some(made.version.version) {
        note(format_args!("it does not hold yet: thothctl policies activate {name} {}", made.version.version));
    }
    Ok(ExitCode::SUCCESS)
}

fn list(server: &Server) -> Outcome {
    let list: List<Bundle> = server.ask(async |admin| admin.bundles().await)?;
    if server.json {
        return Server::print(&list);
    }
    if list.data.is_empty() {
        line("there are no policy bundles")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = list.data.iter().map(|bundle| {
        let number = |version: Option<u32>| version.map_or_else(|| "-".to_owned(), |version| version.to_string());
        let nobody = || "nobody".to_owned();
        let to =
            Some(bundle.assignments.join(" ")).filter(|to| !to.is_empty()).map_or_else(nobody, |to| shown(Some(&to)));
        [
            shown(Some(&bundle.name)),
            number(bundle.active_version),
            bundle.latest_version.to_string(),
            to,
            time(Some(&bundle.updated_at)),
            shown(Some(&bundle.bundle_id)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["NAME", "ACTIVE", "LATEST", "FOR", "CHANGED", "ID"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn versions(server: &Server, bundle: &str) -> Outcome {
    let list = server.ask(async |admin| admin.bundle_versions(bundle).await)?;
    if server.json {
        return Server::print(&list);
    }
    let rows = list.data.iter().map(|version| {
        [
            version.version.to_string(),
            version.decisions.to_string(),
            shown(Some(version.digest.get(..19).unwrap_or(&version.digest))),
            shown(Some(&version.created_by)),
            time(Some(&version.created_at)),
            shown(version.description.as_deref()),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["VERSION", "DECISIONS", "DIGEST", "BY", "UPLOADED", "DESCRIPTION"], &rows)?;
    Ok(ExitCode::SUCCESS)
}

fn show(server: &Server, id: &str, version: Option<u32>) -> Outcome {
    let found = server.ask(async |admin| admin.bundle(id, &ShowQuery { version }).await)?;
    if server.json {
        return Server::print(&found);
    }
    let (bundle, version) = (&found.bundle, &found.version);
    let active = bundle.active_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
    let to = bundle.assignments.join(" ");
    fields(&[
        ("bundle", format!("{} ({})", shown(Some(&bundle.name)), shown(Some(&bundle.bundle_id)))),
        ("active", active),
        ("for", if to.is_empty() { "nobody".to_owned() } else { harmless_text(&to) }),
        ("version", version.version.to_string()),
        ("digest", harmless_text(&version.digest)),
        ("decisions", version.decisions.to_string()),
        ("uploaded", format!("{} by {}", time(Some(&version.created_at)), shown(Some(&version.created_by)))),
        ("description", shown(version.description.as_deref())),
    ])?;
    line("")?;
    let text = version.policy.as_deref().unwrap_or_default();
    text.lines().try_for_each(|text| line(harmless_text(text)))?;
    Ok(ExitCode::SUCCESS)
}

fn effective(server: &Server, arguments: EffectiveArgs) -> Outcome {
    let EffectiveArgs { agent_id, endpoint_id, fleet_id } = arguments;
    let whose = WhoseQuery { agent_id, endpoint_id, fleet_id };
    let found: Effective = server.ask(async |admin| admin.effective_policy(&whose).await)?;
    if server.json {
        return Server::print(&found);
    }
    fields(&[("digest", harmless_text(&found.digest)), ("decisions", found.decisions.to_string())])?;
    if found.bundles.is_empty() {
        line("only the server's own policy holds")?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = found.bundles.iter().map(|held| {
        [shown(Some(&held.name)), held.version.to_string(), shown(Some(held.digest.get(..19).unwrap_or(&held.digest)))]
    });
    let rows: Vec<_> = rows.collect();
    table::print(["BUNDLE", "VERSION", "DIGEST"], &rows)?;
    Ok(ExitCode::SUCCESS)
}
