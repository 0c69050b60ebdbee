//! The enforcer that the settings name, ready to be asked.

use thoth_api::contract::key::ApiKey;
use thoth_api::{Enforcer, Timeouts, Url};
use thoth_endpoint::settings::Resolved;
use thoth_proxy::RemoteOptions;

use crate::settings;
use thoth_shell::exit::Failure;

/// What `thoth run` asks, if anything. What is missing stops it: a session that should ask and cannot would refuse
/// everything.
pub(crate) fn remote(resolved: &Resolved) -> Result<Option<RemoteOptions>, Failure> {
    let Some(text) = &resolved.enforcer_url else { return Ok(None) };
    let missing = |what: &str, hint: &str| {
        Failure::usage(format!("an enforcer is to be asked, and {what} is given")).hint(hint.to_owned())
    };
    if resolved.tenant.is_none() {
        return Err(missing("no tenant", "give --tenant-id or THOTH_TENANT_ID: the organisation that the key is of"));
    }
    if resolved.agent.is_none() {
        return Err(missing("no agent", "give --agent-id: the agent that the key is for"));
    }
    let key = resolved.api_key.as_ref().and_then(|key| ApiKey::parse(key.expose_secret()));
    let Some(key) = key else {
        return Err(missing("no usable key", "run `thoth set-api-key`, or set THOTH_API_KEY or THOTH_API_KEY_FILE"));
    };
    let url =
        Url::parse(text).map_err(|error| Failure::usage(format!("the enforcer's address cannot be read: {error}")))?;
    let tls = settings::tls(resolved)?;
    let (connect, within) = resolved.enforcer_within;
    let timeouts = Timeouts { connect: connect.min(within), idle: within };
    let enforcer = Enforcer::with_timeouts(url, key, &tls, timeouts).map_err(Failure::failed)?;
    let (failure, environment) = (resolved.failure_decision, resolved.stage.as_str());
    Ok(Some(RemoteOptions { enforcer, within, failure, environment }))
}
