//! The flags of the settings, made from the table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Command};
use thoth_types::Redacted;

use super::table::TABLE;
use super::{BETWEEN, Kind, Part, Setting};

/// Those that were given, of the settings up to a part.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags<const PART: u8> {
    pub(super) given: BTreeMap<&'static str, Redacted<String>>,
    /// The file of settings.
    pub(super) config: Option<PathBuf>,
}

fn taken(part: u8) -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(move |setting| setting.part as u8 <= part)
}

fn arg(setting: &'static Setting) -> Arg {
    let mut help = setting.what.to_owned();
    if let Some(default) = setting.default {
        help.push_str(&format!(" [default: {default}]"));
    }
    let heading = setting.name.starts_with("oidc_").then_some("Logins of people (OpenID Connect)");
    let arg = Arg::new(setting.name)
        .long(setting.flag)
        .value_name(setting.value)
        // What is wrong with a value is said in one place, wherever it stands.
        .value_parser(ValueParser::string())
        .help_heading(heading)
        .help(help);
    match setting.kind {
        Kind::List(_) => arg.action(ArgAction::Append).value_parser(part),
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        _ => arg,
    }
}

/// One part of a list. What is between parts cannot stand in one; all else is looked at later.
fn part(text: &str) -> Result<String, &'static str> {
    if text.contains(BETWEEN) { Err("it has control characters") } else { Ok(text.to_owned()) }
}

impl<const PART: u8> clap::FromArgMatches for Flags<PART> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = taken(PART).filter_map(|setting| {
            let texts = matches.get_many::<String>(setting.name)?.map(String::as_str);
            let text = texts.collect::<Vec<_>>().join(BETWEEN.encode_utf8(&mut [0; 4]));
            Some((setting.name, Redacted::new(text)))
        });
        Ok(Self { given: given.collect(), config: matches.get_one::<PathBuf>("config").cloned() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<const PART: u8> clap::Args for Flags<PART> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Read settings from this file; THOTHD_CONFIG unless given. docs/reference/thothd.md lists them");
        taken(PART).fold(command.arg(config), |command, setting| command.arg(arg(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Flags of what works on a database.
pub(crate) const DATABASE: u8 = Part::Database as u8;
/// Flags of what works beside the server.
pub(crate) const PLACE: u8 = Part::Place as u8;
/// Flags of the server.
pub(crate) const SERVING: u8 = Part::Serving as u8;
