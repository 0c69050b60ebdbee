//! The flags that name an issuer whose logins are taken, and what they grant.

use std::path::PathBuf;

use clap::Args;
use thoth_api::{CaBundle, TlsSettings};
use thoth_server::{ClaimName, OidcOptions, RoleMapping, TenantMapping};
use thoth_shell::exit::Failure;
use thoth_shell::key_file::regular;
use thoth_shell::terminal::harmless_text;

/// The largest file with certificates, in bytes.
const MAX_BUNDLE: u64 = 1 << 20;

/// Whose logins are taken.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logins of people (OpenID Connect)")]
pub(crate) struct OidcArgs {
    /// Take the logins of people with this issuer, beside API keys; exactly as it stands in its tokens
    #[arg(long, value_name = "URL", requires_all = ["oidc_client_id", "oidc_tenants", "oidc_roles"])]
    oidc_issuer: Option<String>,
    /// As which client people log in there
    #[arg(long, value_name = "ID", requires = "oidc_issuer")]
    oidc_client_id: Option<String>,
    /// Take access tokens for this audience, too; repeat for several
    #[arg(long = "oidc-audience", value_name = "ID", requires = "oidc_issuer")]
    oidc_audiences: Vec<String>,
    /// What people ask the issuer for when they log in; what is needed to stay logged in, unless given
    #[arg(long, value_name = "WORDS", requires = "oidc_issuer")]
    oidc_scope: Option<String>,
    /// The claim that says of which tenant somebody is: a name, or a path as in `/a/b`
    #[arg(long, value_name = "CLAIM", default_value = "org_id")]
    oidc_tenant_claim: ClaimName,
    /// Which value of it means which tenant: `VALUE=TENANT`, or `TENANT` where both are the same; repeat for several
    #[arg(long = "oidc-tenant", value_name = "VALUE=TENANT", requires = "oidc_issuer")]
    oidc_tenants: Vec<TenantMapping>,
    /// The claim with somebody's roles: a name, or a path as in `/realm_access/roles`
    #[arg(long, value_name = "CLAIM", default_value = "roles")]
    oidc_role_claim: ClaimName,
    /// What a role may do: `ROLE=read`, or `ROLE=write`, which is both; repeat for several. Others may do nothing
    #[arg(long = "oidc-role", value_name = "ROLE=RIGHTS", requires = "oidc_issuer")]
    oidc_roles: Vec<RoleMapping>,
    /// The only authorities to trust when the issuer is asked for its keys, in PEM; the system's unless given
    #[arg(long, value_name = "FILE", requires = "oidc_issuer")]
    oidc_ca_file: Option<PathBuf>,
}

impl OidcArgs {
    /// The issuer, if one is named. Nobody has asked it anything yet.
    pub(crate) fn options(self) -> Result<Option<OidcOptions>, Failure> {
        let (Some(issuer), Some(client_id)) = (self.oidc_issuer, self.oidc_client_id) else { return Ok(None) };
        let tls = match &self.oidc_ca_file {
            None => TlsSettings::default(),
            Some(path) => {
                let shown = harmless_text(&path.to_string_lossy());
                let failed =
                    |what: &dyn std::fmt::Display| Failure::failed(format!("--oidc-ca-file `{shown}`: {what}"));
                let Some((pem, true)) = regular(path, MAX_BUNDLE).map_err(|error| failed(&error))? else {
                    return Err(failed(&"it is not there, or larger than 1 MiB"));
                };
                let bundle = CaBundle { name: shown.clone(), pem };
                TlsSettings::parse(None, Some(bundle), None).map_err(|error| failed(&error))?
            }
        };
        let tenants = (self.oidc_tenant_claim, self.oidc_tenants);
        let roles = (self.oidc_role_claim, self.oidc_roles);
        let options = OidcOptions::new((&issuer, &client_id), tenants, roles)
            .and_then(|options| options.audiences(&self.oidc_audiences))
            .and_then(|options| self.oidc_scope.iter().try_fold(options, |options, scope| options.scope(scope)));
        options.map(|options| Some(options.tls(tls))).map_err(|error| Failure::usage(format!("--oidc-…: {error}")))
    }
}
