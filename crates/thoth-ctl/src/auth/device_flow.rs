//! A login on another device, with a code (RFC 8628).

use std::time::Duration;

use thoth_shell::exit::Failure;
use thoth_shell::terminal::{harmless_text, note};
use tokio::time::Instant;

use super::code_flow::MAX_AGE;
use super::issuer::{Issuer, NoTokens, Tokens};

/// How often it is asked where the issuer does not say.
const INTERVAL: u64 = 5;
/// How much less often after each time that the issuer says it was too often.
const SLOWER: u64 = 5;
/// No longer pause is kept.
const LONGEST_INTERVAL: u64 = 60;
/// No code is waited for longer.
const LONGEST: u64 = 30 * 60;

/// Logs somebody in.
pub(super) async fn log_in(issuer: &Issuer, scope: &str) -> Result<Tokens, Failure> {
    let code = issuer.device(scope, MAX_AGE).await?;
    let shown = |text: &str| harmless_text(text);
    note(format_args!("on any device, open {}", shown(&code.verification_uri)));
    note(format_args!("and enter the code  {}", shown(&code.user_code)));
    if let Some(complete) = &code.verification_uri_complete {
        note(format_args!("or open {}", shown(complete)));
    }
    let over = || Failure::failed("nobody has logged in with the code in time").hint("run it again for a new code");
    let deadline = Instant::now() + Duration::from_secs(code.expires_in.min(LONGEST));
    let mut interval = code.interval.unwrap_or(INTERVAL).clamp(1, LONGEST_INTERVAL);
    loop {
        let next = Instant::now() + Duration::from_secs(interval);
        if next >= deadline {
            return Err(over());
        }
        tokio::time::sleep_until(next).await;
        let refusal = match issuer.poll(&code).await {
            Ok(tokens) => return Ok(tokens),
            Err(NoTokens::Refused(refusal)) => refusal,
            Err(NoTokens::Unusable(failure)) => return Err(failure),
            // The connection may come back before the code is over.
            Err(NoTokens::Unreached(failure)) => {
                note(format_args!("{}; asking again", failure.message()));
                interval = (interval * 2).min(LONGEST_INTERVAL);
                continue;
            }
        };
        match &*refusal.error {
            "authorization_pending" => {}
            "slow_down" => interval = (interval + SLOWER).min(LONGEST_INTERVAL),
            "expired_token" => return Err(over()),
            "access_denied" => return Err(Failure::failed("the login was refused at the issuer")),
            _ => return Err(refusal.failure()),
        }
    }
}
