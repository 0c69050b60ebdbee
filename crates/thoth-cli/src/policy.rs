//! `thoth policy`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::{Args, Subcommand};
use serde_json::json;
use thoth_policy::{Diagnostic, Explanation, NoHistory, Policy, Query, Truth};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Effect};

use crate::exit::{Code, Failure, Outcome};
use crate::home::Home;
use crate::policy_files::{PolicyFiles, Problem};
use crate::terminal::{BAD, CARE, DIM, GOOD, fields, line, styled};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Loads a policy file and reports what is wrong with it
    Check(CheckArgs),
    /// Says what a policy decides about one call, and why
    Explain(Box<ExplainArgs>),
}

/// `thoth policy check`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  thoth policy check policy.yaml")]
pub(crate) struct CheckArgs {
    /// The policy file
    pub(crate) file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// `thoth policy explain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth policy explain --tool delete_file --server prod-filesystem
  thoth policy explain --policy team.yaml --tool send --args '{\"to\": \"a@b.c\"}' --at 2026-11-20T22:00:00Z --json")]
pub(crate) struct ExplainArgs {
    /// Policy file; the default is `~/.thoth/policy.yaml`
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// The tool that would be called
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: String,
    /// The server that would execute it
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) server: String,
    /// The agent that would call
    #[arg(long, value_name = "ID")]
    pub(crate) agent: Option<String>,
    /// The person behind the agent
    #[arg(long, value_name = "ID")]
    pub(crate) user: Option<String>,
    /// What the session is for
    #[arg(long, value_name = "INTENT")]
    pub(crate) session_intent: Option<String>,
    /// The call's arguments, a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) args: Option<String>,
    /// When, as RFC 3339; the default is now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Show every rule that was looked at
    #[arg(long)]
    pub(crate) trace: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Check(arguments) => check(arguments),
        PolicyCommand::Explain(arguments) => explain(*arguments),
    }
}

fn check(arguments: CheckArgs) -> Outcome {
    let name = arguments.file.display().to_string();
    match PolicyFiles::new(arguments.file).load() {
        Ok(policy) => {
            let warnings: Vec<_> = policy.warnings().iter().map(ToString::to_string).collect();
            if arguments.json {
                let report = json!({
                    "valid": true,
                    "file": name,
                    "rules": policy.rule_table().count(),
                    "policy_digest": policy.digest(),
                    "warnings": warnings,
                    "errors": [],
                });
                line(report)?;
            } else {
                for warning in &warnings {
                    line(format_args!("{}: {warning}", styled(CARE, "warning")))?;
                }
                line(format_args!("{} {name}", styled(GOOD, "valid")))?;
                fields(&[("rules", policy.rule_table().count().to_string()), ("digest", policy.digest().to_owned())])?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(problem) if arguments.json => {
            line(json!({
                "valid": false,
                "file": name,
                "warnings": [],
                "errors": problem.error().diagnostics.iter().map(diagnostic).collect::<Vec<_>>(),
            }))?;
            Ok(ExitCode::from(Code::InvalidPolicy as u8))
        }
        Err(problem) => Err(invalid(&problem)),
    }
}

/// One finding of the loader, for scripts.
fn diagnostic(finding: &Diagnostic) -> serde_json::Value {
    json!({
        "code": finding.code.as_str(),
        "message": finding.message,
        "help": finding.help,
        "span": finding.place.as_ref().map(|place| json!({
            "file": &*place.file, "line": place.line, "column": place.column,
        })),
    })
}

fn invalid(problem: &Problem) -> Failure {
    Failure::new(Code::InvalidPolicy, format!("the policy is invalid\n{}", problem.rendered()))
}

fn explain(arguments: ExplainArgs) -> Outcome {
    let path = match arguments.policy {
        Some(path) => path,
        None => Home::open()?.policy()?.0,
    };
    let policy = PolicyFiles::new(path).load().map_err(|problem| invalid(&problem))?;
    let usage = |what: &str, error: &dyn std::fmt::Display| Failure::new(Code::Usage, format!("{what}: {error}"));
    let now = match &arguments.at {
        None => jiff::Timestamp::now(),
        Some(text) => jiff::Timestamp::from_str(text)
            .map_err(|e| usage("--at", &e).hint("use RFC 3339, such as 2026-11-20T22:00:00Z"))?,
    };
    let mut tape = Tape::new();
    let value = match &arguments.args {
        None => None,
        Some(text) => Some(tape.parse(text.as_bytes(), &Limits::default()).map_err(|e| usage("--args", &e))?),
    };
    if value.is_some_and(|value| !value.is_object()) {
        return Err(usage("--args", &"the arguments of a call are a JSON object"));
    }
    let query = Query {
        tool: &arguments.tool,
        server: &arguments.server,
        agent: arguments.agent.as_deref(),
        user: arguments.user.as_deref(),
        intent: arguments.session_intent.as_deref(),
        arguments: Arguments::new(value),
        now,
        history: &NoHistory,
        labels: &[],
    };
    let explanation = policy.explain(&query, arguments.trace);
    if arguments.json {
        line(explanation.to_json())?
    } else {
        show(&policy, &explanation)?
    }
    Ok(ExitCode::SUCCESS)
}

fn show(policy: &Policy, explanation: &Explanation) -> Result<(), Failure> {
    let style = match explanation.effect {
        Effect::Allow => GOOD,
        Effect::Ask => CARE,
        Effect::Deny => BAD,
    };
    let rule = match (&explanation.rule, &explanation.place) {
        (Some(rule), Some(place)) => format!("{rule} {}", styled(DIM, format_args!("({place})"))),
        (Some(rule), None) => rule.to_string(),
        (None, Some(place)) => styled(DIM, format_args!("none ({place})")),
        (None, None) => styled(DIM, "none"),
    };
    let matched: Vec<_> = explanation.matched.iter().map(ToString::to_string).collect();
    fields(&[
        ("effect", styled(style, explanation.effect)),
        ("approval", explanation.approval.to_string()),
        ("risk", explanation.risk_level.to_string()),
        ("rule", rule),
        ("reason", explanation.reason.to_string()),
        ("matched", if matched.is_empty() { styled(DIM, "no rule") } else { matched.join(", ") }),
        ("policy", policy.digest().to_owned()),
    ])?;
    for rule in explanation.trace.iter().flatten() {
        let mark = if rule.applied { styled(GOOD, "applies") } else { styled(DIM, "no     ") };
        line(format_args!("\n{mark}  {} {}", rule.rule, styled(DIM, &rule.place)))?;
        for condition in &rule.conditions {
            let outcome = match condition.outcome {
                Truth::True => "holds",
                Truth::False => "fails",
                Truth::Error => "unknown",
            };
            let value = condition.value.as_deref().unwrap_or("absent");
            line(format_args!("    {:7}  {}  {}", outcome, condition.condition, styled(DIM, value)))?;
        }
    }
    Ok(())
}
