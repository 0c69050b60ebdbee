//! What is written into entries: read from the command line, checked before any file is touched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::ValueEnum as _;
use thoth_endpoint::settings::table::{self, elsewhere};
use thoth_endpoint::wrap::WrapOptions;
use thoth_types::{AgentId, IdError, Redacted, TenantId};

use super::WrapArgs;
use crate::cli::entry;
use crate::clients::Machine;
use crate::policy_files::PolicyFiles;
use thoth_shell::config_file;
use thoth_shell::exit::{Code, Failure};
use thoth_shell::home::Home;
use thoth_shell::terminal::quoted;

const API_KEY: &str = "THOTH_API_KEY";

/// Parts of the names of variables that nobody knows and that hold secrets, as far as one can tell.
const SECRET_WORDS: [&str; 4] = ["KEY", "TOKEN", "SECRET", "PASSWORD"];

/// Reads the options; takes the API key out of the arguments.
pub(super) fn collect(
    arguments: &mut WrapArgs,
    home: &Home,
    machine: &Machine,
    notes: &mut Vec<String>,
) -> Result<WrapOptions, Failure> {
    id::<AgentId>("--agent-id", arguments.agent_id.as_ref())?;
    id::<TenantId>("--tenant-id", arguments.tenant_id.as_ref())?;
    let mode = arguments.enforcement_mode.and_then(|mode| mode.to_possible_value());
    Ok(WrapOptions {
        agent_id: arguments.agent_id.clone(),
        tenant_id: arguments.tenant_id.clone(),
        enforcement_mode: mode.map(|mode| mode.get_name().to_owned()),
        policy: arguments.policy.as_deref().map(policy).transpose()?,
        session_intent: arguments.session_intent.clone(),
        intents: intents(arguments, home)?,
        env: variables(arguments, machine, notes)?,
        ..WrapOptions::default()
    })
}

fn id<T: FromStr<Err = IdError>>(flag: &str, text: Option<&String>) -> Result<(), Failure> {
    match text.map(|text| text.parse::<T>()) {
        Some(Err(error)) => Err(Failure::usage(format!("{flag}: {error}"))),
        _ => Ok(()),
    }
}

/// The policy's absolute path: clients start servers from directories of their own. A policy that does not load would
/// refuse every call.
fn policy(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let absolute =
        std::path::absolute(path).map_err(|error| Failure::usage(format!("--policy: `{shown}`: {error}")))?;
    PolicyFiles::new(absolute.clone()).load().map_err(|problem| {
        Failure::new(Code::InvalidPolicy, format!("--policy: {}", problem.first()))
            .hint(format_args!("`thoth policy check {shown}` says more; no file was changed"))
    })?;
    absolute.into_os_string().into_string().map_err(|_| Failure::usage(format!("--policy: `{shown}` is not UTF-8")))
}

/// The intents of servers by name.
fn intents(arguments: &WrapArgs, home: &Home) -> Result<BTreeMap<String, String>, Failure> {
    let path: PathBuf = match &arguments.intent_map {
        Some(path) => path.clone(),
        None => {
            let default = home.path().join("intent_map.json");
            if arguments.session_intent.is_some() || default.symlink_metadata().is_err() {
                return Ok(BTreeMap::new());
            }
            default
        }
    };
    let shown = path.display();
    let bad = |why: String| {
        Failure::usage(format!("the intent map cannot be used: {why}"))
            .hint("it is one JSON object, as in {\"github\": \"code_review\"}; no file was changed")
    };
    let found = config_file::read(&path).map_err(|problem| bad(problem.message))?;
    let bytes = found.bytes().strip_prefix(b"\xef\xbb\xbf").unwrap_or(found.bytes());
    let map: BTreeMap<String, String> = serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text);
        bad(format!("{shown}:{}:{}: {what}", error.line(), error.column()))
    })?;
    for (server, intent) in &map {
        entry(intent).map_err(|why| bad(format!("{shown}: the intent of `{server}`: {why}")))?;
    }
    Ok(map)
}

/// Whether a variable of Thoth's holds a secret.
fn holds_secret(name: &str) -> bool {
    if let Some(known) = table::all().find(|setting| setting.names.contains(&name)) {
        return known.secret;
    }
    if elsewhere::program(name).is_some() {
        return elsewhere::is_secret(name);
    }
    let name = name.to_ascii_uppercase();
    name.starts_with("THOTH_") && SECRET_WORDS.iter().any(|word| name.contains(word))
}

/// `--env`, `--inherit-path` and an API key that is to be embedded.
fn variables(
    arguments: &mut WrapArgs,
    machine: &Machine,
    notes: &mut Vec<String>,
) -> Result<Vec<(String, String)>, Failure> {
    let mut variables: Vec<(String, String)> = Vec::new();
    for text in &arguments.env {
        // The value may be a secret; only the name is ever said.
        let Some((name, value)) = text.split_once('=').filter(|(name, _)| !name.trim().is_empty()) else {
            return Err(Failure::usage("--env: what is given is not of the form `KEY=VALUE`"));
        };
        if name.chars().any(|c| c.is_control() || c.is_whitespace() || c == ',') || value.contains('\0') {
            return Err(Failure::usage(format!("--env: `{name}` cannot be the name of an environment variable")));
        }
        if holds_secret(name) && !arguments.embed_api_key {
            return Err(Failure::usage(format!(
                "--env: `{name}` holds a secret, which is not written into clients' files"
            ))
            .hint("run `thoth set-api-key`; or add --embed-api-key to write it all the same"));
        }
        if variables.iter().any(|(known, _)| known == name) {
            return Err(Failure::usage(format!("--env: `{name}` is given twice")));
        }
        variables.push((name.to_owned(), value.to_owned()));
    }
    if arguments.inherit_path && !variables.iter().any(|(name, _)| name == "PATH") {
        let path = machine.environment.get("PATH").ok_or_else(|| Failure::usage("--inherit-path: PATH is not set"))?;
        variables.push(("PATH".to_owned(), path.to_owned()));
    }
    let key = arguments.api_key.take().map(Redacted::new);
    if arguments.embed_api_key {
        let variable = || machine.environment.get(API_KEY).map(|key| Redacted::new(key.to_owned()));
        if let Some(key) = key.or_else(variable) {
            variables.retain(|(name, _)| name != API_KEY);
            variables.push((API_KEY.to_owned(), key.expose_secret().clone()));
        } else if !variables.iter().any(|(name, _)| name == API_KEY) {
            return Err(Failure::usage("--embed-api-key: there is no key").hint("add --api-key, or set THOTH_API_KEY"));
        }
        notes.push(
            "the API key is written into the files; every program that can read them can use it. `thoth set-api-key` keeps \
             it in one private file instead"
                .to_owned(),
        );
    } else if key.is_some() {
        notes.push("the API key was not written anywhere; run `thoth set-api-key` to store it".to_owned());
    }
    if let Some(home) =
        machine.environment.get("THOTH_HOME").filter(|_| !variables.iter().any(|(name, _)| name == "THOTH_HOME"))
    {
        notes.push(format!(
            "THOTH_HOME is set here, and clients do not know it; --env {} tells the servers",
            quoted(format_args!("THOTH_HOME={home}"))
        ));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Defends: whatever any program of ours reads a secret from is known as such, and what only says where one is, is not.
    #[test]
    fn secrets_are_known() {
        for name in [
            "THOTH_API_KEY",
            "THOTH_GOVAPI_API_KEY",
            "THOTH_GOVAPI_BEARER_TOKEN",
            "THOTH_RUNTIME_BEARER_TOKEN",
            "THOTH_AUTH_TOKEN",
            "THOTH_ADMIN_BEARER_TOKEN",
            "THOTH_EVENT_INGEST_TOKEN",
            "THOTH_ORG_API_KEY",
            "THOTH_WEBHOOK_SECRET",
            "THOTH_NEW_PASSWORD",
            "thoth_api_key",
        ] {
            assert!(holds_secret(name), "{name}");
        }
        for name in
            ["THOTH_API_KEY_FILE", "THOTH_API_KEY_ID", "THOTH_ADMIN_BEARER_TOKEN_FILE", "THOTH_HOME", "GITHUB_TOKEN"]
        {
            assert!(!holds_secret(name), "{name}");
        }
    }
}
