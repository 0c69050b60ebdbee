//! `thoth pins export`: approved definitions for another installation.

use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thoth_store::{Pin, Pins as _};
use thoth_types::{ItemKind, PinState};

use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::terminal::json_line;

use super::chosen::{failed, store};

/// What stands at the head of the file.
pub(crate) const FORMAT: &str = "thoth-pins-1";

/// `thoth pins export`
#[derive(Debug, Args)]
#[command(after_help = "\
Only definitions that are approved as they are. The file goes to standard output.

Example:
  thoth pins export > pins.json")]
pub(crate) struct ExportArgs {
    /// Only those of these servers
    #[arg(long, value_name = "NAME")]
    server: Vec<String>,
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exported {
    pub(crate) format: String,
    pub(crate) pins: Vec<ExportedPin>,
}

/// One pin in it. Digests are computed anew by whoever reads it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportedPin {
    pub(crate) server: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) definition: Box<RawValue>,
}

pub(crate) fn run(arguments: &ExportArgs) -> Outcome {
    let (_, pins) = store()?;
    let pins = pins.list(None).map_err(|error| failed(&error))?;
    let wanted = |pin: &&Pin| {
        // Where a program lies is this machine's own affair.
        pin.state() == PinState::Approved
            && pin.key.kind != ItemKind::Launch
            && (arguments.server.is_empty() || arguments.server.iter().any(|server| server == pin.key.server.as_str()))
    };
    let exported = pins.iter().filter(wanted).filter_map(|pin| {
        let (version, _) = pin.approved.as_ref()?;
        Some(RawValue::from_string(version.fingerprint.definition.to_string()).map(|definition| ExportedPin {
            server: pin.key.server.to_string(),
            kind: pin.key.kind.to_string(),
            name: pin.key.name.to_string(),
            digest: version.fingerprint.digest.to_string(),
            definition,
        }))
    });
    let pins = exported.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
    let file = Exported { format: FORMAT.to_owned(), pins };
    json_line(&serde_json::to_string(&file).map_err(Failure::failed)?)?;
    Ok(ExitCode::SUCCESS)
}
