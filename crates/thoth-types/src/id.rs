//! Identifiers: one type per kind, so that an agent can never be passed where a tenant is meant.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The longest identifier accepted, in bytes. Long enough for a `did:key` of any key type and for an e-mail address
/// (254 bytes, RFC 5321 4.5.3.1.3).
pub const MAX_ID_BYTES: usize = 512;

/// The name of the server that an enforcer's policies see: whatever runs the calls that it decides, it is not for it to know.
pub const ENFORCED_SERVER: &str = "sdk";

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has no characters.
    #[error("{kind} is empty")]
    Empty {
        /// Which kind of identifier was wanted.
        kind: &'static str,
    },
    /// The text is longer than [`MAX_ID_BYTES`].
    #[error("{kind} is {bytes} bytes long; the most is {MAX_ID_BYTES}")]
    TooLong {
        /// Which kind of identifier was wanted.
        kind: &'static str,
        /// How long the text was.
        bytes: usize,
    },
    /// The text has a control character, or white space at an end: two identifiers that a person cannot tell apart.
    #[error("{kind} `{text}` has a control character or surrounding white space")]
    Invisible {
        /// Which kind of identifier was wanted.
        kind: &'static str,
        /// The text, escaped.
        text: String,
    },
}

fn check(kind: &'static str, text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty { kind });
    }
    if text.len() > MAX_ID_BYTES {
        return Err(IdError::TooLong { kind, bytes: text.len() });
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err(IdError::Invisible { kind, text: text.escape_debug().to_string() });
    }
    Ok(())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                check($kind, text)?;
                Ok(Self(Arc::from(text)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({:?})", stringify!($name), &*self.0)
            }
        }
    };
}

id!(
    /// The organisation on whose behalf calls are made.
    TenantId, "tenant id"
);
id!(
    /// The person for whom the agent acts; an e-mail address in managed fleets.
    UserId, "user id"
);
id!(
    /// The agent that makes the call: a plain name or a DID.
    AgentId, "agent id"
);
id!(
    /// The machine on which Thoth runs.
    EndpointId, "endpoint id"
);
id!(
    /// One connection of one client to one server, as Thoth sees it.
    SessionId, "session id"
);
id!(
    /// The name under which the operator knows an MCP server; what `match.server` in a policy is compared with.
    ServerName, "server name"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_that_look_alike_are_refused() {
        for (text, good) in [
            ("claude-desktop", true),
            ("did:key:z6Mk", true),
            ("a b", true),
            ("", false),
            ("agent ", false),
            ("agent\n", false),
            ("a\u{0}b", false),
        ] {
            assert_eq!(AgentId::from_str(text).is_ok(), good, "{text:?}");
        }
        assert!(AgentId::from_str(&"x".repeat(MAX_ID_BYTES + 1)).is_err());
    }
}
