//! What there is to ask a server, and where. It is the only list: a server serves these routes, and the published document
//! describes them.

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// To look.
    Get,
    /// To ask, tell or make.
    Post,
    /// To set as a whole.
    Put,
    /// To take back.
    Delete,
}

impl Method {
    /// Its name in HTTP.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

macro_rules! routes {
    ($($(#[doc = $doc:literal])* $route:ident => $method:ident $path:literal),+ $(,)?) => {
        /// One thing that there is to ask.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Route {
            $($(#[doc = $doc])* $route),+
        }

        impl Route {
            /// Every route.
            pub const ALL: &'static [Self] = &[$(Self::$route),+];

            /// How it is asked.
            #[must_use]
            pub const fn method(self) -> Method {
                match self {
                    $(Self::$route => Method::$method),+
                }
            }

            /// Where it is asked; what stands in braces is filled in.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self {
                    $(Self::$route => $path),+
                }
            }

            /// What it is, in one sentence.
            #[must_use]
            pub fn summary(self) -> &'static str {
                match self {
                    $(Self::$route => concat!($($doc),*).trim()),+
                }
            }
        }
    };
}

routes! {
    /// Whether the process lives.
    Healthz => Get "/healthz",
    /// Whether the server can read and write its keys, and its policy is valid.
    Readyz => Get "/readyz",
    /// May this agent call this tool with these arguments?
    Enforce => Post "/v1/enforce",
    /// Has anybody answered a held call?
    Poll => Get "/v1/enforce/hold/{token}",
    /// What a refusal means, in words for people.
    Explain => Post "/v1/explain",
    /// Takes in what a client tells of what it did.
    TellEvents => Post "/v1/events/batch",
    /// Takes in a machine, or what is new about one.
    RegisterEndpoint => Post "/v1/endpoints/register",
    /// Notes that a machine is still there, and tells how it stands.
    CheckInEndpoint => Post "/v1/endpoints/checkin",
    /// Held calls, newest first.
    ListApprovals => Get "/{tenant}/thoth/approvals",
    /// One held call, with all of its arguments.
    ShowApproval => Get "/{tenant}/thoth/approvals/{token}",
    /// A person's answer to a held call.
    ResolveApproval => Post "/{tenant}/thoth/approvals/{token}/resolve",
    /// The keys of a tenant, without the keys themselves.
    ListKeys => Get "/{tenant}/thoth/api-keys",
    /// Makes a key, which is shown this once.
    CreateKey => Post "/{tenant}/thoth/api-keys",
    /// Makes a key in place of another one, which ends.
    RotateKey => Post "/{tenant}/thoth/api-keys/{id}/rotate",
    /// Whether a text is this key, and what it may do. Nothing is changed or counted.
    AuthorizeKey => Post "/{tenant}/thoth/api-keys/{id}/authorize",
    /// Takes a key back.
    RevokeKey => Delete "/{tenant}/thoth/api-keys/{id}",
    /// The machines of a tenant, those that registered last first.
    ListEndpoints => Get "/{tenant}/thoth/endpoints",
    /// How many machines there are of each kind.
    CountEndpoints => Get "/{tenant}/thoth/endpoints/stats",
    /// Takes in a machine, at its other address.
    AddEndpoint => Post "/{tenant}/thoth/endpoints",
    /// One machine.
    ShowEndpoint => Get "/{tenant}/thoth/endpoints/{id}",
    /// Refuses all calls of a machine, or no longer.
    QuarantineEndpoint => Post "/{tenant}/thoth/endpoints/{id}/quarantine",
    /// The policy bundles of a tenant, by name.
    ListBundles => Get "/{tenant}/thoth/policy-bundles",
    /// Takes in a policy as a new version of a bundle. It does not hold yet.
    UploadBundle => Post "/{tenant}/thoth/policy-bundles",
    /// Says what is wrong or odd with a policy, and keeps nothing.
    ValidateBundle => Post "/{tenant}/thoth/policy-bundles/validate",
    /// Which policy holds for somebody.
    ShowEffective => Get "/{tenant}/thoth/policy-bundles/effective",
    /// One bundle, with the text of a version.
    ShowBundle => Get "/{tenant}/thoth/policy-bundles/{id}",
    /// Deletes a bundle that is not active.
    DeleteBundle => Delete "/{tenant}/thoth/policy-bundles/{id}",
    /// The versions of a bundle, newest first.
    ListBundleVersions => Get "/{tenant}/thoth/policy-bundles/{id}/versions",
    /// Has a version of a bundle hold from the next call on.
    ActivateBundle => Post "/{tenant}/thoth/policy-bundles/{id}/activate",
    /// Has no version of a bundle hold.
    DeactivateBundle => Post "/{tenant}/thoth/policy-bundles/{id}/deactivate",
    /// Has the version hold that did before.
    RollBackBundle => Post "/{tenant}/thoth/policy-bundles/{id}/rollback",
    /// Says for whom a bundle is.
    AssignBundle => Post "/{tenant}/thoth/policy-bundles/{id}/assignments",
    /// What holds for a sidecar, as a sealed document.
    FetchPolicy => Get "/v1/policy-bundle",
    /// Where people log in, where the server takes their logins at all.
    ShowLogin => Get "/v1/auth/config",
    /// What was decided, newest first, as the ledger says.
    ListDecisions => Get "/{tenant}/thoth/decisions",
    /// The decisions that refused or held a call.
    ListViolations => Get "/{tenant}/thoth/violations",
    /// One of them, with its record.
    ShowViolation => Get "/{tenant}/thoth/violations/{id}",
    /// The sessions in which calls were decided, those that began last first.
    ListSessions => Get "/{tenant}/thoth/sessions",
    /// One session.
    ShowSession => Get "/{tenant}/thoth/sessions/{id}",
    /// The evidence of a session, with the proof that each record is in the ledger.
    ExportSession => Get "/{tenant}/thoth/sessions/{id}/evidence-bundle",
    /// The agents of which calls were decided, by name.
    ListAgents => Get "/{tenant}/thoth/agents",
    /// One agent, with the policy that holds for it.
    ShowAgent => Get "/{tenant}/thoth/agents/{id}",
    /// Records of the ledger, with its signed head.
    ShowChain => Get "/{tenant}/thoth/evidence/chain",
    /// Whether a part of the ledger is what was signed.
    VerifyChain => Get "/{tenant}/thoth/evidence/verify",
    /// Checks a part of the ledger, at its other address.
    VerifyGovernanceChain => Get "/{tenant}/governance/evidence/verify-chain",
    /// Takes in the tools that an agent says it has.
    TellTools => Post "/{tenant}/thoth/tool-inventory",
    /// The tools of agents, and what was decided about their calls.
    ReportTools => Get "/{tenant}/thoth/mcp/inventory/report",
    /// What is set for the whole organisation, and what holds.
    ShowSettings => Get "/{tenant}/thoth/settings",
    /// Sets it, where nobody else has in between.
    ChangeSettings => Put "/{tenant}/thoth/settings",
    /// What clients told.
    ListEvents => Get "/{tenant}/thoth/events",
}
