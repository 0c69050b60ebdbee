//! The `thoth` command: the endpoint's runtime.
//!
//! One file per subcommand. This crate reads flags, files and the environment, and prints; it decides nothing, and it
//! never imports the gate.

mod account;
mod approvals;
mod audit;
mod auth;
mod checkup;
mod cli;
mod clients;
mod demo;
mod directed;
mod doctor;
mod enforcer;
mod fingerprint;
mod health;
mod manual;
mod pins;
mod policy;
mod policy_files;
mod profile;
mod reference;
mod report;
mod rewriting;
mod run;
mod scan;
mod scan_rules;
mod set_api_key;
mod settings;
mod status;
mod unwrap_config;
mod update;
mod wrap_config;

use std::process::ExitCode;

use crate::cli::Command;
use thoth_shell::command_line;
use thoth_shell::exit::Failure;

fn main() -> ExitCode {
    let cli = command_line::read::<cli::Cli>();
    let outcome = match cli.command {
        Command::Run(arguments) => run::run(*arguments),
        Command::Policy(command) => policy::run(command),
        Command::Approvals(command) => approvals::run(command),
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Fingerprint(arguments) => fingerprint::run(&arguments),
        Command::Report(arguments) => report::run(&arguments),
        Command::Pins(command) => pins::run(command),
        Command::Audit(command) => audit::run(command),
        Command::WrapConfig(arguments) => wrap_config::run(*arguments),
        Command::UnwrapConfig(arguments) => unwrap_config::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Health(arguments) => health::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Update(arguments) => update::run(&arguments),
        Command::Auth(arguments) => auth::run(&arguments),
        Command::SetApiKey(arguments) => set_api_key::run(arguments),
        Command::Reference { page } => reference::run(page),
        Command::Manual(arguments) => manual::manual(&arguments),
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::DemoServer => demo::server::run(),
        Command::Lifeline { group } => thoth_proxy::watch_lifeline(group)
            .map(|()| ExitCode::SUCCESS)
            .map_err(|error| Failure::failed(format!("cannot watch: {error}"))),
    };
    outcome.unwrap_or_else(|failure| failure.report())
}
