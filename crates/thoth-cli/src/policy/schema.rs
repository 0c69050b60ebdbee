//! `thoth policy schema`

use std::process::ExitCode;

use clap::Args;
use thoth_shell::exit::Outcome;
use thoth_shell::terminal::line;
use thoth_workbench::schema::{Of, schema};

/// `thoth policy schema`
#[derive(Debug, Args)]
#[command(after_help = "\
Editors with a YAML language server complete and check a policy that begins with
  # yaml-language-server: $schema=policy.schema.json

Examples:
  thoth policy schema > policy.schema.json
  thoth policy schema --tests > policy-tests.schema.json")]
pub(crate) struct SchemaArgs {
    /// The schema of test files instead
    #[arg(long)]
    pub(crate) tests: bool,
}

pub(super) fn run(arguments: &SchemaArgs) -> Outcome {
    let of = if arguments.tests { Of::Tests } else { Of::Policy };
    line(format_args!("{:#}", schema(of)))?;
    Ok(ExitCode::SUCCESS)
}
