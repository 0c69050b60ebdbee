//! Variables of Thoth's other programs. `thoth` does not read them, and does not take them for spelling mistakes.

/// A program, and the variables that it reads.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// What it is, for a sentence.
    pub name: &'static str,
    /// Its variables, apart from those that are also the endpoint's.
    pub variables: &'static [&'static str],
    /// Those of them whose values are secrets.
    pub secrets: &'static [&'static str],
}

/// All of them.
pub static PROGRAMS: &[Program] = &[
    Program {
        name: "the SDKs",
        variables: &[
            "THOTH_AGENT_ID",
            "THOTH_API_URL",
            "THOTH_APPROVED_SCOPE",
            "THOTH_DATA_CLASSIFICATION",
            "THOTH_ENFORCEMENT",
            "THOTH_ENFORCEMENT_MODE",
            "THOTH_ENFORCEMENT_TRACE_ID",
            "THOTH_ENVIRONMENT",
            "THOTH_EVENT_INGEST_TOKEN",
            "THOTH_FAIL_OPEN",
            "THOTH_LOG_LEVEL",
            "THOTH_PURPOSE",
            "THOTH_SESSION_INTENT",
            "THOTH_TASK_CONTEXT_JSON",
            "THOTH_TOOL_INVENTORY",
        ],
        secrets: &["THOTH_EVENT_INGEST_TOKEN"],
    },
    Program {
        name: "`thothctl`",
        variables: &[
            "THOTH_ADMIN_BEARER_TOKEN",
            "THOTH_ADMIN_BEARER_TOKEN_FILE",
            "THOTH_AUTH_SESSION_FILE",
            "THOTH_ORG_API_KEY",
        ],
        secrets: &["THOTH_ADMIN_BEARER_TOKEN", "THOTH_ORG_API_KEY"],
    },
    Program {
        name: "the bootstrap script",
        variables: &[
            "THOTH_COMPLIANCE_PROFILE",
            "THOTH_EVIDENCE_CHAIN_LIMIT",
            "THOTH_EVIDENCE_VERIFY",
            "THOTH_JSON_OUTPUT",
            "THOTH_MDM_CONFIG_FILE",
            "THOTH_MDM_ENABLED",
            "THOTH_MDM_NAME",
            "THOTH_MDM_PROVIDER",
            "THOTH_MDM_START_SYNC",
            "THOTH_REGULATORY_REGIMES_CSV",
            "THOTH_SHADOW_CRITICAL",
            "THOTH_SHADOW_HIGH",
            "THOTH_SHADOW_LOW",
            "THOTH_SHADOW_MEDIUM",
            "THOTH_TEST_WEBHOOK",
            "THOTH_TIMEOUT_SECONDS",
            "THOTH_TOOL_RISK_OVERRIDES_CSV",
            "THOTH_WEBHOOK_ENABLED",
            "THOTH_WEBHOOK_SECRET",
            "THOTH_WEBHOOK_URL",
        ],
        secrets: &["THOTH_WEBHOOK_SECRET"],
    },
];

/// The program that reads a variable.
#[must_use]
pub fn program(variable: &str) -> Option<&'static str> {
    PROGRAMS.iter().find(|program| program.variables.contains(&variable)).map(|program| program.name)
}

/// Whether a variable of another program holds a secret.
#[must_use]
pub fn is_secret(variable: &str) -> bool {
    PROGRAMS.iter().any(|program| program.secrets.contains(&variable))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_among_the_variables() {
        for program in PROGRAMS {
            assert!(program.secrets.iter().all(|secret| program.variables.contains(secret)), "{}", program.name);
        }
        assert!(is_secret("THOTH_ORG_API_KEY") && !is_secret("THOTH_ADMIN_BEARER_TOKEN_FILE"));
    }
}
