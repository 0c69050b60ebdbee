//! What is to be scanned: files with definitions, commands, addresses, clients' files, or all that is found here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::exit::Failure;

use super::catalogue::Catalogue;
use super::findings::Reported;
use super::missed::Missed;
use super::tools_file;

/// What is to be scanned.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// A client's configuration file, or the address of a server that speaks Streamable HTTP; without any target, all
    /// servers of the clients found on this machine
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// File with definitions: a `tools/list` result, an array of tools, or `{"servers": {"NAME": {"tools": […]}}}`; `-` is
    /// standard input; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Vec<PathBuf>,
    /// Only servers of this name; repeatable
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Vec<String>,
    /// The command of a server to start and ask
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// What was collected.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) catalogues: Vec<Catalogue>,
    /// What the clients' files themselves show.
    pub(crate) configuration: Vec<Reported>,
    pub(crate) missed: Vec<Missed>,
}

impl TargetArgs {
    /// Gets the definitions of everything that is named.
    pub(crate) fn collect(&self) -> Result<Collected, Failure> {
        let mut collected = Collected::default();
        let stdin = self.tools.iter().filter(|path| path.as_os_str() == "-").count();
        if stdin > 1 {
            return Err(Failure::usage("standard input can be read once only"));
        }
        for path in &self.tools {
            match tools_file::read(path) {
                Ok(found) => collected.catalogues.extend(found),
                Err(missed) => collected.missed.push(missed),
            }
        }
        self.select(&mut collected)?;
        Ok(collected)
    }

    /// Leaves out what was not asked for.
    fn select(&self, collected: &mut Collected) -> Result<(), Failure> {
        if self.server.is_empty() {
            return Ok(());
        }
        let Collected { catalogues, configuration, missed } = collected;
        let is_wanted = |server: &String| self.server.contains(server);
        let known = |name: &String| {
            catalogues.iter().any(|one| one.server == *name) || missed.iter().any(|one| one.server == *name)
        };
        if let Some(unknown) = self.server.iter().find(|name| !known(name)) {
            let names: Vec<_> = catalogues.iter().map(|one| thoth_types::display::name(&one.server)).collect();
            let there = if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
            return Err(Failure::usage(format!("--server: no server `{}`", crate::terminal::harmless_text(unknown)))
                .hint(there));
        }
        catalogues.retain(|one| is_wanted(&one.server));
        configuration.retain(|one| is_wanted(&one.server));
        missed.retain(|one| is_wanted(&one.server));
        Ok(())
    }
}
