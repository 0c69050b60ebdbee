//! `thoth set-api-key`: puts the key for the policy server where only its owner can read it.

mod prompt;

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value};
use thoth_endpoint::settings::table::keys;
use thoth_types::Redacted;

use crate::profile;
use thoth_shell::exit::{Failure, Outcome};
use thoth_shell::home::Home;
use thoth_shell::key_file::{self, Content, KeyFile};
use thoth_shell::terminal::{harmless_text, line, note};

/// The longest key, in bytes.
const MAX_KEY: usize = 4096;
/// What may stand around it, in bytes: a byte order mark and a line end; and one more, to see that it is too long.
const ROOM: usize = 6;

/// `thoth set-api-key`
#[derive(Debug, Args)]
#[command(after_help = "\
The key goes to `~/.thoth/proxy_api_key.json`, readable by you alone; everything else in that file stays. Without a value,
`thoth set-api-key` asks for it on a terminal, or reads it from standard input.

Examples:
  thoth set-api-key
  thoth set-api-key --api-key - < key.txt
  pass show thoth | thoth set-api-key")]
pub(crate) struct SetApiKeyArgs {
    /// The key; `-` reads it from standard input, no value asks for it. Other users can see a value while this runs
    #[arg(long, value_name = "KEY", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "the flag may be there without a value")]
    api_key: Option<Option<String>>,
    /// The key, where `--api-key` stands without one
    #[arg(long, value_name = "KEY")]
    api_key_value: Option<String>,
}

pub(crate) fn run(arguments: SetApiKeyArgs) -> Outcome {
    let given = match (arguments.api_key.flatten(), arguments.api_key_value) {
        (Some(_), Some(_)) => {
            return Err(Failure::usage("the key is given twice").hint("leave out --api-key-value"));
        }
        (first, second) => first.or(second).map(Redacted::new),
    };
    let key = match given {
        Some(key) if key.expose_secret() != "-" => {
            note("other users of this machine can see a key on a command line; pipe it in instead");
            key
        }
        None if io::stdin().is_terminal() => ask()?,
        _ => from_standard_input()?,
    };
    let key = Redacted::new(key.expose_secret().trim().to_owned());
    if key.expose_secret().len() > MAX_KEY {
        return Err(Failure::usage(format!("this is not an API key: it is longer than {MAX_KEY} bytes")));
    }
    if let Err(problem) = keys::API_KEY.kind.read(key.expose_secret()) {
        return Err(Failure::usage(format!("this is not an API key: {problem}")));
    }
    let home = Home::open()?;
    profile::prepare(&home)?;
    let path = home.api_key();
    let others = others(&path)?;
    write(&path, others, &key)
        .map_err(|error| Failure::failed(format!("cannot write `{}`: {error}", path.display())))?;
    line(format_args!("wrote the API key to {}", path.display()))?;
    for setting in [&keys::API_KEY, &keys::API_KEY_FILE] {
        for name in setting.names.iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())) {
            note(format_args!("{name} is set, and counts before this file"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What stands in the file beside the key, to be kept; in an empty one, what stands in a new one.
fn others(path: &Path) -> Result<Map<String, Value>, Failure> {
    let hint = "repair the file, or move it away; nothing was changed";
    let file = key_file::read(path).map_err(|problem| Failure::failed(problem).hint(hint))?;
    match file.map(|KeyFile { content, .. }| content) {
        None | Some(Content::Nothing) => Ok(Map::from_iter([("key_id".to_owned(), Value::from(profile::key_id()))])),
        Some(Content::Object(others)) => Ok(others),
        Some(Content::Bare) => {
            let shown = harmless_text(&path.display().to_string());
            Err(Failure::failed(format!("`{shown}` is not a JSON object, and would be lost")).hint(hint))
        }
    }
}

fn ask() -> Result<Redacted<String>, Failure> {
    prompt::ask()
        .map_err(|error| Failure::failed(format!("cannot ask for the key: {error}")).hint("pipe it in instead"))
}

fn from_standard_input() -> Result<Redacted<String>, Failure> {
    let mut text = String::new();
    let limit = u64::try_from(MAX_KEY + ROOM).unwrap_or(u64::MAX);
    let read = io::stdin().lock().take(limit).read_to_string(&mut text);
    let text = Redacted::new(text);
    read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
    let key = text.expose_secret();
    Ok(Redacted::new(key.strip_prefix('\u{feff}').unwrap_or(key).to_owned()))
}

/// Replaces the file at once: readers see the old one or the new one. A link stays a link.
fn write(path: &Path, mut content: Map<String, Value>, key: &Redacted<String>) -> io::Result<()> {
    content.insert("api_key".to_owned(), Value::from(key.expose_secret().as_str()));
    let text = Redacted::new(format!("{:#}\n", Value::Object(content)));
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
