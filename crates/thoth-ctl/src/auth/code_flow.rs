//! A login in the browser of this machine: the code flow with PKCE (RFC 7636), and a redirect to this machine (RFC 8252).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use thoth_api::Url;
use thoth_shell::exit::Failure;
use thoth_shell::terminal::{harmless_text, note};
use thoth_types::Redacted;

use super::browser;
use super::claims::Claims;
use super::issuer::{Issuer, Tokens};
use super::redirect::Redirect;

/// How long ago somebody may have shown the issuer who they are, in seconds; it asks them again otherwise. A login counts
/// for some hours where something is changed, and is to be worth most of them.
pub(super) const MAX_AGE: &str = "3600";

/// Logs somebody in. The address is opened in a browser, or only shown.
pub(super) async fn log_in(issuer: &Issuer, scope: &str, hint: Option<&str>, open: bool) -> Result<Tokens, Failure> {
    let redirect = Redirect::open().await?;
    let uri = redirect.uri();
    let (state, nonce, verifier) = (random()?, random()?, random()?);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose_secret()));
    let mut url = Url::parse(&issuer.metadata.authorization_endpoint)
        .ok()
        .filter(|url| matches!(url.scheme(), "https" | "http"))
        .ok_or_else(|| Failure::failed("the issuer's address for logging in is none"))?;
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &issuer.client_id)
        .append_pair("redirect_uri", &uri)
        .append_pair("scope", scope)
        .append_pair("state", state.expose_secret())
        .append_pair("nonce", nonce.expose_secret())
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("max_age", MAX_AGE)
        .extend_pairs(hint.map(|hint| ("login_hint", hint)))
        // Without it some issuers do not let a login be renewed.
        .extend_pairs(scope.split(' ').any(|word| word == "offline_access").then_some(("prompt", "consent")));
    let opened = open && browser::open(url.as_str()).is_ok();
    note(if opened {
        "a browser was opened; if not, open this address on this machine:"
    } else {
        "open this address on this machine:"
    });
    note(format_args!("  {}", harmless_text(url.as_str())));
    let code = redirect.wait(state.expose_secret(), &issuer.metadata.issuer).await?;
    let tokens = issuer.redeem(&code, &uri, &verifier).await?;
    Claims::read(&tokens.id_token)?.answers(nonce.expose_secret())?;
    Ok(tokens)
}

/// 32 random bytes as a text that fits everywhere.
fn random() -> Result<Redacted<String>, Failure> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|_| Failure::failed("the system has no randomness"))?;
    Ok(Redacted::new(URL_SAFE_NO_PAD.encode(bytes)))
}
