//! `thoth policy replay`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use thoth_audit::verify::{Fault, Report, VerifyError, VerifyOptions, verify_each};
use thoth_policy::Policy;
use thoth_workbench::replay::{Change, RecordError, RecordedCall, Replay, Summary};

use super::load;
use crate::audit;
use thoth_shell::exit::{Code, Failure, Outcome};
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, fields, harmless_text, line, note, styled};

/// `thoth policy replay`
#[derive(Debug, Args)]
#[command(after_help = "\
The ledger is verified first; one that does not verify is not replayed. Each call is judged as it was made, with what the
session had called before it. Arguments that the ledger does not have are not guessed: where they matter, the result is
unknown.

Exit codes: 0 replayed, whatever the policy answers; 1 the ledger or the policy cannot be read; 2 a wrong command line; 3
the policy is invalid; 4 the ledger does not verify.

Examples:
  thoth policy replay --policy stricter.yaml
  thoth policy replay ./ledger --policy b.yaml --examples 10
  thoth policy replay --policy b.yaml --json | jq '.changes[] | select(.change == \"looser\")'")]
pub(crate) struct ReplayArgs {
    /// Ledger directory; the default is `~/.thoth/ledger`
    pub(crate) dir: Option<PathBuf>,
    /// The policy to replay the calls under; the default is the one that `thoth run` uses
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// How many examples to show of each change
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) examples: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(arguments: ReplayArgs) -> Outcome {
    let (policy, file) = load(arguments.policy)?;
    let dir = audit::directory(arguments.dir, Code::NotVerified)?;
    let (calls, report) = recorded(&dir)?;
    let mut replay = Replay::new(&policy, &thoth_proxy::foresee);
    let mut summary = Summary::new(arguments.examples);
    for call in &calls {
        let replayed = replay.call(call);
        summary.add(call, &replayed);
    }
    let sessions = replay.sessions();
    if arguments.json {
        let mut json = summary.to_json();
        if let Some(json) = json.as_object_mut() {
            json.insert("policy_digest".to_owned(), policy.digest().into());
            json.insert("policy_file".to_owned(), file.into());
            json.insert("sessions".to_owned(), sessions.into());
            json.insert("ledger".to_owned(), dir.display().to_string().into());
            json.insert("events".to_owned(), (report.size + report.pending).into());
            json.insert("root".to_owned(), audit::hex(&report.root).into());
        }
        line(json)?;
    } else {
        show(&policy, &file, &dir, &report, sessions, &summary)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The decided calls of a ledger that verifies, and of no other.
fn recorded(dir: &Path) -> Result<(Vec<RecordedCall>, Report), Failure> {
    let mut calls: Vec<RecordedCall> = Vec::new();
    let mut odd: Option<RecordError> = None;
    let verified = verify_each(dir, &VerifyOptions::default(), &mut |event| match RecordedCall::read(event) {
        Ok(call) => calls.extend(call),
        Err(error) => odd = odd.take().or(Some(error)),
    });
    let report = match verified {
        Ok(report) => report,
        Err(VerifyError { fault: Fault::Interrupted(report), .. }) => {
            note(audit::Interrupted(dir));
            *report
        }
        Err(error) => return Err(audit::not_verified(dir, &error).hint("nothing was replayed")),
    };
    match odd {
        None => Ok((calls, report)),
        Some(error) => Err(Failure::failed(format!("cannot replay the ledger: {error}"))
            .detail("code", "unreadable_event")
            .detail("dir", dir.display().to_string())
            .hint("is it from a newer version? `thoth update` says which is the latest")),
    }
}

fn show(
    policy: &Policy,
    file: &str,
    dir: &Path,
    report: &Report,
    sessions: usize,
    summary: &Summary,
) -> Result<(), Failure> {
    let style = |change| match change {
        Change::Looser => BAD,
        Change::Stricter | Change::Unknown => CARE,
        Change::Unchanged => GOOD,
    };
    let events = report.size + report.pending;
    let mut rows = vec![
        ("replayed", {
            let said = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
            format!("{} of {}", said(summary.total(), "call"), said(sessions as u64, "session"))
        }),
        ("ledger", format!("{} {}", dir.display(), styled(DIM, format_args!("(verified, {events} events)")))),
        ("policy", format!("{} {}", policy.digest(), styled(DIM, format_args!("({file})")))),
    ];
    for change in Change::ALL.iter().rev() {
        let count = summary.count(*change);
        let count = if count == 0 { styled(DIM, count) } else { styled(style(*change), count) };
        rows.push((change.as_str(), count));
    }
    if summary.assumed() > 0 {
        let assumed = "calls whose arguments are not kept: what an inspection finds in them is taken from the record";
        rows.push(("assumed", format!("{} {assumed}", summary.assumed())));
    }
    fields(&rows)?;
    for change in Change::ALL {
        let groups = summary.groups(change);
        if groups.is_empty() {
            continue;
        }
        line(format_args!("\n{}", styled(style(change), change.as_str())))?;
        for group in groups {
            line(group.line())?;
            for example in &group.examples {
                line(format_args!("          {}", styled(DIM, example)))?;
            }
        }
    }
    for (source, digest, asked, groups) in summary.shadows() {
        let who = if source == "rules" { "rules in shadow mode of" } else { "in shadow" };
        let differ: u64 = groups.iter().map(|group| group.count).sum();
        line(format_args!("\nshadow: {who} {}", harmless_text(digest)))?;
        line(format_args!("{:>8}  calls answered otherwise, of {asked} on which it was asked", differ))?;
        for group in groups {
            line(group.line())?;
            for example in &group.examples {
                line(format_args!("          {}", styled(DIM, example)))?;
            }
        }
    }
    Ok(())
}
