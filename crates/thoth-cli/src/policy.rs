//! `thoth policy`.

mod explain;
mod fmt;
mod init;
mod replay;
mod schema;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr as _;

use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use serde_json::json;
use thoth_policy::{
    Asks, Diagnostic, Explanation, IntegrityRules, Labelled, Policy, Query, Sources, Truth, describe_requirement,
    worth_showing,
};
use thoth_types::json::{Limits, Tape};
use thoth_types::{Arguments, Effect, HarmClass, Stage};

mod check;
mod diff;
mod migrate;
mod revision;

pub(crate) use check::CheckArgs;
pub(crate) use diff::DiffArgs;
pub(crate) use migrate::MigrateArgs;

use crate::policy_files::{PolicyFiles, Problem};
use thoth_shell::exit::{Code, Failure, Outcome, finish};
use thoth_shell::home::Home;
use thoth_shell::terminal::{BAD, CARE, DIM, GOOD, fields, line, note, styled};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Loads a policy file, reports what is wrong with it, and proves which rules cannot matter and which calls slip through
    Check(CheckArgs),
    /// Compares two policies by meaning: which calls get another answer
    Diff(DiffArgs),
    /// Says what changes when the strictest rule decides instead of the first, and writes such a file
    Migrate(MigrateArgs),
    /// Says what a policy decides about one call, and why
    Explain(Box<ExplainArgs>),
    /// Says how a policy would have decided the calls that a ledger recorded
    Replay(replay::ReplayArgs),
    /// Lays policies out: one layout, comments kept
    Fmt(fmt::FmtArgs),
    /// Writes a policy to start from, with its tests
    Init(init::InitArgs),
    /// Prints the JSON Schema of policies, for editors
    Schema(schema::SchemaArgs),
    /// Runs the tests of a policy
    Test(test::TestArgs),
}

/// `thoth policy explain`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  thoth policy explain --tool delete_file --server prod-filesystem
  thoth policy explain --policy team.yaml --tool send --args '{\"to\": \"a@b.c\"}' --at 2026-11-20T22:00:00Z --json")]
pub(crate) struct ExplainArgs {
    /// Policy file; the default is `~/.thoth/policy.yaml`, or the built-in starter while that does not exist
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// The tool that would be called
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) tool: String,
    /// The server that would execute it
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) server: String,
    /// The agent that would call
    #[arg(long, value_name = "ID", visible_alias = "agent-id", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) agent: Option<String>,
    /// The person behind the agent
    #[arg(long, value_name = "ID", visible_alias = "user-id", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) user: Option<String>,
    /// What the session is for; a tool that the policy's `scope.intents` does not list for it is asked for or blocked,
    /// as `otherwise` there says
    #[arg(long, value_name = "INTENT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) session_intent: Option<String>,
    /// What was found in a result of the session before; may be given several times
    #[arg(long = "label", value_name = "CLASS", value_parser = label())]
    pub(crate) labels: Vec<HarmClass>,
    /// The call's arguments, a JSON object
    #[arg(long, value_name = "JSON")]
    pub(crate) args: Option<String>,
    /// When, such as 2026-11-20T22:00:00Z; the default is now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Show every rule that was looked at, and what would have to be otherwise for another answer
    #[arg(long)]
    pub(crate) trace: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn run(command: PolicyCommand) -> Outcome {
    match command {
        PolicyCommand::Check(arguments) => check::check(&arguments),
        // These keep 1 for what they found.
        PolicyCommand::Diff(arguments) => {
            let json = arguments.json;
            finish(diff::diff(&arguments).map_err(Failure::not_scanned), json)
        }
        PolicyCommand::Migrate(arguments) => migrate::migrate(&arguments).map_err(Failure::not_scanned),
        PolicyCommand::Explain(arguments) => {
            let json = arguments.json;
            finish(explain(*arguments), json)
        }
        PolicyCommand::Replay(arguments) => {
            let json = arguments.json;
            finish(replay::run(arguments), json)
        }
        PolicyCommand::Fmt(arguments) => fmt::run(arguments),
        PolicyCommand::Init(arguments) => init::run(arguments),
        PolicyCommand::Schema(arguments) => schema::run(&arguments),
        PolicyCommand::Test(arguments) => test::run(arguments),
    }
}

/// Findings of the loader, for scripts; no more than people are shown.
fn findings(all: &[Diagnostic]) -> Vec<serde_json::Value> {
    worth_showing(all).0.iter().map(finding).collect()
}

fn finding(finding: &Diagnostic) -> serde_json::Value {
    json!({
        "code": finding.code.as_str(),
        "message": finding.message,
        "help": finding.help,
        "span": finding.place.as_ref().map(|place| json!({
            "file": &*place.file, "line": place.line, "column": place.column,
        })),
    })
}

fn invalid(file: &str, problem: &Problem) -> Failure {
    let errors = &problem.error().diagnostics;
    Failure::new(Code::InvalidPolicy, format!("the policy is invalid\n{}", problem.rendered()))
        .detail("valid", false)
        .detail("file", file)
        .detail("errors", findings(errors))
        .detail("errors_total", errors.len())
}

/// What stands for the file's name where the built-in starter policy was used.
const STARTER_NAME: &str = "built-in starter";

/// The policy to explain, and the name of its file. Nothing is written: without a file the starter that `thoth run`
/// would write is used as it is.
fn load(given: Option<PathBuf>) -> Result<(Policy, String), Failure> {
    let path = match given {
        Some(path) => path,
        None => {
            let path = Home::locate()?.policy_file();
            if !path.exists() {
                note(format_args!("there is no `{}` yet; using the built-in starter policy", path.display()));
                let policy = thoth_policy::load(STARTER_NAME, &Sources::one(STARTER_NAME, thoth_policy::STARTER))
                    .map_err(Failure::failed)?;
                return Ok((policy, STARTER_NAME.to_owned()));
            }
            path
        }
    };
    let name = path.display().to_string();
    match PolicyFiles::new(path).load() {
        Ok(policy) => Ok((policy, name)),
        Err(problem) => Err(invalid(&name, &problem)),
    }
}

fn label() -> impl TypedValueParser<Value = HarmClass> {
    PossibleValuesParser::new(HarmClass::labels().map(HarmClass::as_str)).try_map(|word| word.parse::<HarmClass>())
}

/// The time that `--at` says, or now.
fn moment(at: Option<&str>) -> Result<jiff::Timestamp, Failure> {
    let Some(text) = at else { return Ok(jiff::Timestamp::now()) };
    // The library's own message speaks of its parser.
    jiff::Timestamp::from_str(text).map_err(|_| {
        let shown = text.escape_debug();
        Failure::usage(format!("--at: `{shown}` is not a date, a time and an offset"))
            .hint("write it as 2026-11-20T22:00:00Z or 2026-11-20T22:00:00+01:00")
    })
}

fn explain(arguments: ExplainArgs) -> Outcome {
    let (policy, file) = load(arguments.policy)?;
    let usage = |what: &str, error: &dyn std::fmt::Display| Failure::usage(format!("{what}: {error}"));
    let now = moment(arguments.at.as_deref())?;
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
        history: &Labelled(arguments.labels.iter().copied().collect()),
    };
    let explanation = policy.explain_by(&query, &mut |query| thoth_proxy::foresee(&policy, query), arguments.trace);
    if arguments.json {
        line(with_file(&explanation, &file))?
    } else {
        show(&policy, &file, &explanation)?
    }
    Ok(ExitCode::SUCCESS)
}

/// The explanation for scripts, with the name of the policy's file.
fn with_file(explanation: &Explanation, file: &str) -> serde_json::Value {
    let mut answer: serde_json::Value = serde_json::from_str(&explanation.to_json()).unwrap_or_default();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert("policy_file".to_owned(), file.into());
    }
    answer
}

/// What becomes of tools that are not as they were approved, for a person.
fn integrity(rules: &IntegrityRules) -> String {
    let said = [
        ("new", rules.on_first_use.as_str()),
        ("changed", rules.on_change.as_str()),
        ("unlisted", rules.on_unlisted.as_str()),
        ("stale", rules.on_stale.as_str()),
        ("critical", rules.on_critical.as_str()),
        ("warning", rules.on_warning.as_str()),
    ];
    let said: Vec<String> = said.iter().map(|(what, word)| format!("{what}: {word}")).collect();
    said.join(", ")
}

/// What an approval takes, for a person.
fn asks(asks: &Asks) -> Vec<(&'static str, String)> {
    let (who, how) = describe_requirement(&asks.requirement);
    let who = if asks.can_be_met { who } else { format!("{} {who}", styled(BAD, "nobody: it would take")) };
    let mut rows = vec![("approver", who), ("answer", how), ("ask", asks.way.to_string())];
    if !asks.volatile.is_empty() {
        rows.push(("volatile", asks.volatile.join(", ")));
    }
    rows
}

fn show(policy: &Policy, file: &str, explanation: &Explanation) -> Result<(), Failure> {
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
    let asks: Vec<(&str, String)> = explanation.asks.as_ref().map(asks).unwrap_or_default();
    let matched: Vec<_> = explanation.matched.iter().map(ToString::to_string).collect();
    let mut rows = vec![
        ("effect", styled(style, explanation.effect)),
        ("approval", explanation.approval.to_string()),
        ("risk", explanation.risk_level.to_string()),
        ("rule", rule),
        ("reason", explanation.reason.to_string()),
        ("matched", if matched.is_empty() { styled(DIM, "no rule") } else { matched.join(", ") }),
    ];
    rows.extend(asks);
    rows.extend(explanation.shadow.as_ref().map(|shadow| ("shadow", explain::shadow(shadow))));
    rows.push(("integrity", integrity(&explanation.integrity)));
    let inspected = explanation.findings.iter().filter(|finding| finding.stage == Stage::Inspection);
    rows.extend(inspected.map(|finding| ("inspection", format!("{}: {}", finding.approval, finding.detail))));
    rows.push(("policy", format!("{} {}", policy.digest(), styled(DIM, format_args!("({file})")))));
    fields(&rows)?;
    for rule in explanation.trace.iter().flatten() {
        line(format_args!("\n{}  {} {}", explain::mark(rule), rule.rule, styled(DIM, &rule.place)))?;
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
    explain::near_misses(explanation)
}
