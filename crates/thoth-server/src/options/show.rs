//! `thothd config`: what settings hold and where they stand, without the secrets among them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use thoth_shell::exit::Outcome;
use thoth_shell::terminal::{DIM, harmless_text, line, styled};

use super::flags::{Flags, SERVING};
use super::table::TABLE;
use super::{Kind, Resolved, reference};
use crate::serving::Serving;

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Says what is wrong with the settings; nothing is started or written
    Check(CheckArgs),
    /// Shows every setting as it holds, and where it stands; takes the flags of `serve`
    Show(Box<Flags<SERVING>>),
    /// Prints docs/reference/thothd.md
    #[command(hide = true)]
    Reference,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// A file of settings; `THOTHD_CONFIG` unless given
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(crate) fn run(command: ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Check(CheckArgs { file }) => {
            Resolved::tell_unknown_variables();
            let resolved = Resolved::of(&Flags::<SERVING> { config: file, ..Flags::default() })?;
            let serving = Serving::of(&resolved)?;
            // What the start would refuse beside single values.
            drop(serving.tls()?);
            drop(serving.database()?);
            drop(serving.traces()?);
            drop(serving.logins()?);
            line("the settings can be used")?;
        }
        ConfigCommand::Show(flags) => show(&Resolved::of(&*flags)?)?,
        ConfigCommand::Reference => line(reference().trim_end())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(resolved: &Resolved) -> Result<(), thoth_shell::exit::Failure> {
    let width = TABLE.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
    for setting in TABLE {
        let name = setting.name;
        let (value, origin) = match resolved.get(name) {
            None => ("not set".to_owned(), String::new()),
            Some(value) if setting.kind == Kind::Secret => ("set, not shown".to_owned(), value.origin.to_string()),
            Some(value) if matches!(setting.kind, Kind::List(_)) => {
                let shown: Vec<String> = resolved.list(name).into_iter().map(harmless_text).collect();
                (shown.join(", "), value.origin.to_string())
            }
            Some(value) => (harmless_text(value.text.expose_secret()), value.origin.to_string()),
        };
        line(format_args!("{name:width$}  {value}  {}", styled(DIM, origin)).to_string().trim_end())?;
    }
    Ok(())
}
