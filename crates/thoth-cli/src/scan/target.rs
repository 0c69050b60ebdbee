//! What is to be scanned: files with definitions, commands, addresses, clients' files, or all that is found here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use thoth_api::TlsSettings;
use thoth_endpoint::server_name;
use thoth_survey::catalogue::Origin;
use thoth_survey::visits::{self, Job, Way};
use thoth_survey::{Collected, named, tools_file};
use thoth_types::display::name;

use crate::clients::{Machine, known_hosts};
use crate::settings;
use thoth_shell::exit::Failure;
use thoth_shell::home::Home;
use thoth_shell::terminal::harmless_text;

use super::{consent, entries};

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
    /// Only files of this client, such as claude-desktop or cursor. With a file as TARGET: whose it is
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Option<String>,
    /// How long the visit of one server may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    pub(crate) timeout: u32,
    /// Environment variable for the server of COMMAND, which otherwise gets only PATH, HOME, TMPDIR and the locale;
    /// without a value, ours; repeatable
    #[arg(long, value_name = "NAME[=VALUE]", requires = "command")]
    pub(crate) env: Vec<String>,
    /// Look at clients' files alone: start nothing and connect to nothing
    #[arg(long, conflicts_with = "command")]
    pub(crate) static_only: bool,
    /// Start what clients' files name, and connect to it, without asking
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    /// The command of a server to start and ask
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

impl TargetArgs {
    /// Gets the definitions of everything that is named.
    pub(crate) fn collect(&self) -> Result<Collected, Failure> {
        let mut collected = Collected::default();
        if self.tools.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
            return Err(Failure::usage("standard input can be read once only"));
        }
        if let Some(host) = self.host.as_deref().filter(|host| thoth_endpoint::hosts::host(host).is_none()) {
            return Err(Failure::usage(format!("--host: no client `{}` is known", harmless_text(host)))
                .hint(format_args!("known are {}", known_hosts())));
        }
        for path in &self.tools {
            match tools_file::read(path) {
                Ok((found, rest)) => {
                    collected.catalogues.extend(found);
                    collected.missed.extend(rest);
                }
                Err(missed) => collected.missed.push(*missed),
            }
        }
        let mut jobs = self.named()?;
        let files: Vec<PathBuf> = self.targets.iter().filter(|text| !is_address(text)).map(PathBuf::from).collect();
        let is_named = !self.tools.is_empty() || !self.command.is_empty() || !self.targets.is_empty();
        if !files.is_empty() || !is_named {
            let machine = Machine::here()?;
            let found = entries::collect(self, &files, &machine, &mut collected);
            jobs.extend(consent::agreed(found, self.yes, &mut collected)?);
        }
        let tls = tls(&jobs)?;
        visits::run(jobs, Duration::from_secs(u64::from(self.timeout)), &tls, &mut collected);
        self.select(&mut collected)?;
        Ok(collected)
    }

    /// The command and the addresses of the command line. Whoever named them has agreed to them.
    fn named(&self) -> Result<Vec<Job>, Failure> {
        let mut jobs = Vec::new();
        if let Some(program) = self.command.first() {
            if program.is_empty() {
                return Err(Failure::usage("the server's command is empty"));
            }
            let server = server_name::from_command(&self.command);
            let origin = Origin::Command(Path::new(program).to_string_lossy().into_owned());
            let variables = self.env.iter().map(|text| variable(text)).collect::<Result<_, _>>()?;
            let way = Way::Command { command: self.command.clone(), variables, directory: None };
            jobs.push(Job { server, origin, way });
        }
        if let Some(text) = self.targets.iter().find(|text| !is_address(text) && has_scheme(text)) {
            return Err(Failure::usage(format!(
                "`{}`: servers are visited at https:// addresses",
                harmless_text(text)
            ))
            .hint("http:// is for servers on this very machine; a file is named by its path"));
        }
        for text in self.targets.iter().filter(|text| is_address(text)) {
            let (server, shown) =
                named(text).map_err(|error| Failure::usage(format!("`{}`: {error}", harmless_text(text))))?;
            if self.static_only {
                return Err(Failure::usage("--static-only connects to nothing, and an address is nothing else"));
            }
            let way = Way::Address { url: text.clone(), headers: Vec::new() };
            jobs.push(Job { server, origin: Origin::Url(shown), way });
        }
        Ok(jobs)
    }

    /// Leaves out what was not asked for.
    fn select(&self, collected: &mut Collected) -> Result<(), Failure> {
        if self.server.is_empty() {
            return Ok(());
        }
        let Collected { catalogues, configuration, missed, .. } = collected;
        let is_wanted = |server: &String| self.server.contains(server);
        let known = |name: &String| {
            catalogues.iter().any(|one| one.server == *name) || missed.iter().any(|one| one.server == *name)
        };
        if let Some(unknown) = self.server.iter().find(|name| !known(name)) {
            let names = catalogues.iter().map(|one| &one.server).chain(&collected.passed_over);
            let mut names: Vec<_> = names.map(|server| name(server)).collect();
            names.sort();
            names.dedup();
            let there =
                if names.is_empty() { "there is none".to_owned() } else { format!("there are {}", names.join(", ")) };
            return Err(
                Failure::usage(format!("--server: there is no server `{}`", harmless_text(unknown))).hint(there)
            );
        }
        catalogues.retain(|one| is_wanted(&one.server));
        configuration.retain(|one| is_wanted(&one.server));
        missed.retain(|one| is_wanted(&one.server));
        Ok(())
    }
}

/// Whether a target is an address rather than a file.
fn is_address(text: &str) -> bool {
    text.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
        || text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"))
}

/// Whether a target is an address of some kind: files are not named like that.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// `NAME=VALUE`, or `NAME` for what we have ourselves.
fn variable(text: &str) -> Result<(String, OsString), Failure> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (text, std::env::var_os(text)),
    };
    let value = value.ok_or_else(|| Failure::usage(format!("--env: `{}` is not set here", harmless_text(name))))?;
    Ok((name.to_owned(), value))
}

/// The settings for TLS where there is an address, without the certificates that are pinned for the policy server.
fn tls(jobs: &[Job]) -> Result<TlsSettings, Failure> {
    if !jobs.iter().any(|job| matches!(job.way, Way::Address { .. })) {
        return Ok(TlsSettings::default());
    }
    let resolved = settings::load(&Home::locate()?, &Vec::new())?;
    Ok(settings::tls(&resolved)?.without_pins())
}
