//! `…/policy-bundles` and `GET /v1/policy-bundle`: policies that come to a server over HTTP, and what of them holds for whom.

use serde::{Deserialize, Serialize};

use super::endpoint::Standing;
use super::read::{Extra, list, text};
use super::words;

/// What [`Document`] is sealed as: the domain of its signature.
pub const DOCUMENT_DOMAIN: &str = "thoth/policy-bundle/1";

words! {
    /// Who decides under a policy.
    Decisions {
        /// The server, about each call.
        Remote => "remote",
        /// Sidecars that hold the policy may, too.
        Local => "local",
    }
}

/// A policy that is to be a version of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleUpload))]
pub struct Upload {
    /// Names the bundle: lower-case letters, digits, `-`, `_` and `.`. One of this name gets another version.
    pub name: String,
    /// The policy, YAML. It is one text: `include` is refused.
    #[serde(alias = "raw_policy", alias = "rawPolicy")]
    pub policy: String,
    /// What it is for.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who decides under it; the server where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<Decisions>,
    /// For whom it is, if it is the first version: `all`, `fleet:ID`, `endpoint:ID`, `agent:ID`. For all where nothing is said.
    /// For a bundle that is there already and for others it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignments: Option<Vec<String>>,
    /// In which language it is: `thoth`, and no other is taken.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub framework: Option<String>,
    /// How it is to stand: `staged`, and nothing else: a version holds once it is activated.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// A policy that is only looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyToValidate))]
pub struct Validate {
    /// The policy, YAML.
    #[serde(alias = "raw_policy", alias = "rawPolicy")]
    pub policy: String,
    /// What it is called in messages.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyProblem))]
pub struct Problem {
    /// What kind of mistake it is.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// In which line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// In which column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What to do.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// What was found in a policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyReport))]
pub struct Report {
    /// Whether it can be a version of a bundle.
    pub valid: bool,
    /// The digest of its text.
    pub digest: String,
    /// What keeps it from that.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub errors: Vec<Problem>,
    /// What is odd about it, as `thoth policy check --json` has it.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true, value_type = Vec<Object>))]
    pub findings: Vec<Extra>,
    /// Whether something of that is probably not as it was meant.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub warned: bool,
    /// All of it for a person, with the lines that it is about.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A version of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleVersion))]
pub struct Version {
    /// From 1.
    pub version: u32,
    /// Of its text: `sha256:` and 64 hexadecimal digits.
    #[serde(alias = "policy_hash", alias = "policyHash")]
    pub digest: String,
    /// What it is for.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who decides under it.
    pub decisions: Decisions,
    /// The name of the key that brought it.
    #[serde(alias = "createdBy")]
    pub created_by: String,
    /// When, RFC 3339.
    #[serde(alias = "createdAt")]
    pub created_at: String,
    /// The policy, where one version is shown.
    #[serde(default, alias = "raw_policy", alias = "rawPolicy", skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// A bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundle))]
pub struct Bundle {
    /// Names it for good.
    #[serde(alias = "id", alias = "bundleId")]
    pub bundle_id: String,
    /// Names it among those that are not deleted.
    pub name: String,
    /// Which version holds.
    #[serde(default, alias = "activeVersion", skip_serializing_if = "Option::is_none")]
    pub active_version: Option<u32>,
    /// Which one a rollback goes back to.
    #[serde(default, alias = "previousVersion", skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<u32>,
    /// The newest version.
    #[serde(alias = "latestVersion")]
    pub latest_version: u32,
    /// For whom it is.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub assignments: Vec<String>,
    /// When the first version came, RFC 3339.
    #[serde(alias = "createdAt")]
    pub created_at: String,
    /// When something about it changed last, RFC 3339.
    #[serde(alias = "updatedAt")]
    pub updated_at: String,
    /// When it was deleted, RFC 3339.
    #[serde(default, alias = "deletedAt", deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<String>,
}

/// A bundle with the version that holds, or else the newest one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleShown))]
pub struct Shown {
    /// The bundle.
    pub bundle: Bundle,
    /// The version, with its text.
    pub version: Version,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleUploaded))]
pub struct Uploaded {
    /// The bundle.
    pub bundle: Bundle,
    /// The version that it is; the newest one, if that says the same already.
    pub version: Version,
    /// What was found in it.
    pub report: Report,
}

/// Which version is to be shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct ShowQuery {
    /// The one that holds, or else the newest, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
}

/// Which version is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleActivation))]
pub struct Activate {
    /// From 1.
    pub version: u32,
}

/// For whom a bundle is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleAssignments))]
pub struct Assign {
    /// `all`, `fleet:ID`, `endpoint:ID`, `agent:ID`; nobody where it is empty.
    pub assignments: Vec<String>,
}

/// Who asks what holds for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams), into_params(parameter_in = Query))]
pub struct WhoseQuery {
    /// The agent.
    #[serde(default, alias = "agentId", skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The machine.
    #[serde(default, alias = "endpointId", skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The fleet; beside the one that the machine registered with.
    #[serde(default, alias = "fleetId", skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
}

/// A version of a bundle that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyBundleRef))]
pub struct BundleRef {
    /// The bundle.
    #[serde(alias = "bundleId")]
    pub bundle_id: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// Of its text.
    pub digest: String,
}

/// What holds for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = EffectivePolicy))]
pub struct Effective {
    /// The digest of the whole, with the server's own policy; `invalid` where nothing is allowed because it cannot be read.
    pub digest: String,
    /// The bundles, in the order in which they are added to the server's own policy.
    #[serde(default, deserialize_with = "list")]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub bundles: Vec<BundleRef>,
    /// Who decides: sidecars only where all of the bundles say so, and there is one.
    pub decisions: Decisions,
    /// How often the tenant's bundles have changed.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(required = true))]
    pub sequence: u64,
}

/// One policy text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyText {
    /// What it is called in reasons.
    pub name: String,
    /// YAML.
    pub text: String,
}

/// What holds for somebody, as a document that the tenant's server has sealed. Who holds it verifies the seal, that it is for
/// them, that it has not expired, and that its `sequence` is not below one that they had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = PolicyDocument))]
pub struct Document {
    /// The organisation.
    pub tenant_id: String,
    /// The agent that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The machine that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_id: Option<String>,
    /// The fleet that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet_id: Option<String>,
    /// Whether calls are decided, or all refused.
    pub status: Standing,
    /// The bundles, in the order in which they are added.
    pub bundles: Vec<BundleRef>,
    /// The server's own policy, then what it includes, then the bundles: the first is the one that the others are added to.
    pub policy: Vec<PolicyText>,
    /// How many of these are the server's own: the first, and what it includes.
    pub own_texts: u32,
    /// The digest of the whole.
    pub policy_digest: String,
    /// Who decides.
    pub decisions: Decisions,
    /// When it was made, RFC 3339.
    pub issued_at: String,
    /// Until when it holds, RFC 3339.
    pub expires_at: String,
    /// How often the tenant's bundles had changed.
    pub sequence: u64,
    /// The key that sealed it.
    pub key_id: String,
    /// `ed25519`.
    pub signing_algorithm: String,
    /// Base64.
    pub signature: String,
}
