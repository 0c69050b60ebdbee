//! The built-in families of the gateway's sanitisation and of the trust proxy's argument scan.

use std::sync::LazyLock;

use regex::Regex;
use thoth_types::json::Value;

use super::super::argument_role::{Role, Tool};
use super::super::detection::Direction;
use super::super::leaf::{Leaf, LeafKind};
use super::super::{InspectSettings, personal};
use super::strings;
use thoth_text::Text;

/// A built-in family of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Builtin {
    /// A US social security number.
    SocialSecurity,
    /// A payment card number.
    PaymentCard,
    /// A destructive command behind a semicolon.
    DestructiveCommand,
    /// `$(…)`
    CommandSubstitution,
    /// A pair of backticks.
    Backticks,
}

impl Builtin {
    /// The expression that the documented reason names.
    #[must_use]
    pub const fn pattern(self) -> &'static str {
        match self {
            Self::SocialSecurity => r"\b\d{3}-\d{2}-\d{4}\b",
            Self::PaymentCard => r"\b\d{4}[- ]?\d{4}[- ]?\d{4}[- ]?\d{4}\b",
            Self::DestructiveCommand => r";\s*(rm|del|format|mkfs)\b",
            Self::CommandSubstitution => r"\$\(.*\)",
            Self::Backticks => r"`[^`]+`",
        }
    }

    /// The documented reason.
    #[must_use]
    pub fn reason(self) -> String {
        format!("Parameters matched dangerous pattern: {}", self.pattern())
    }
}

// INVARIANT: the patterns compile; a test holds it.
static SHELL: LazyLock<Vec<(Builtin, Regex)>> = LazyLock::new(|| {
    let all = [Builtin::DestructiveCommand, Builtin::CommandSubstitution, Builtin::Backticks];
    all.into_iter()
        .filter_map(|family| Some((family, Regex::new(&format!("(?i){}", family.pattern())).ok()?)))
        .collect()
});

/// The first built-in family that the arguments of a call match.
#[must_use]
pub fn builtin_sanitization(tool: &str, arguments: Value<'_>, schema: Option<Value<'_>>) -> Option<Builtin> {
    let tool = Tool::of(tool);
    let settings = InspectSettings::default();
    let properties = schema.and_then(|schema| schema.get("properties"));
    let mut found = None;
    strings(arguments, "", 0, &mut |key, text| {
        let mut hits = Vec::new();
        let leaf = Leaf::new(text, key, LeafKind::Text, Role::Scalar, Direction::Arguments);
        personal::find(&leaf, &settings, &mut hits);
        found = hits.iter().find_map(|hit| match hit.kind {
            "personal_data.us_ssn" => Some(Builtin::SocialSecurity),
            "personal_data.payment_card" => Some(Builtin::PaymentCard),
            _ => None,
        });
        let role = tool.role(key, properties.and_then(|properties| properties.get(key)));
        if found.is_none() && !matches!(role, Role::Prose | Role::Search) {
            found = SHELL.iter().find(|(_, pattern)| pattern.is_match(text)).map(|(family, _)| *family);
        }
        found.is_none()
    });
    found
}

/// A family of the trust proxy's argument scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrustFamily {
    /// Sets instructions aside.
    DirectOverride,
    /// Gives a privileged part to play.
    RoleplayJailbreak,
    /// Asks for the system prompt.
    SystemPromptExfiltration,
    /// Delimiters of roles and documents.
    DelimiterAttack,
}

impl TrustFamily {
    /// The documented name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DirectOverride => "direct_override",
            Self::RoleplayJailbreak => "roleplay_jailbreak",
            Self::SystemPromptExfiltration => "system_prompt_exfiltration",
            Self::DelimiterAttack => "delimiter_attack",
        }
    }

    /// The documented reason.
    #[must_use]
    pub fn reason(self) -> String {
        format!("Injection pattern detected in tool arguments: {}", self.as_str())
    }
}

static TRUST: LazyLock<Vec<(TrustFamily, Regex)>> = LazyLock::new(|| {
    let rows = [
        (
            TrustFamily::DirectOverride,
            r"(?i)\bignore\s+(?:all\s+)?(?:your\s+|the\s+)?(?:previous|prior|above)\s+instructions?\b",
        ),
        (
            TrustFamily::RoleplayJailbreak,
            r"(?i)\b(?:you\s+are\s+now|act\s+as|pretend\s+(?:to\s+be|you\s+are))\s+(?:an?\s+|the\s+)?(?:admin(?:istrator)?|root|system|superuser|developer|god)\s*(?:$|[^\w\s]|\n)",
        ),
        (
            TrustFamily::SystemPromptExfiltration,
            r"(?i)\b(?:reveal|show|output|print)\s+(?:me\s+)?(?:your\s+|the\s+)?system\s+(?:prompt|instructions?|rules?)\b",
        ),
        (TrustFamily::DelimiterAttack, r"(?im)^\s*###|---\s*END\s*---|\[SYSTEM\]|<\|im_start\|>"),
    ];
    rows.into_iter().filter_map(|(family, pattern)| Some((family, Regex::new(pattern).ok()?))).collect()
});

/// The first family that a key or string of the arguments matches, as it stands or as a reader would take it.
#[must_use]
pub fn trust_proxy_scan(arguments: Value<'_>) -> Option<TrustFamily> {
    let mut found = None;
    strings(arguments, "", 0, &mut |_, raw| {
        let text = Text::read(raw);
        let views = [raw, text.view()].into_iter().chain(text.segments().iter().map(|segment| segment.text.as_str()));
        for view in views {
            if let Some((family, _)) = TRUST.iter().find(|(_, pattern)| pattern.is_match(view)) {
                found = Some(*family);
                return false;
            }
        }
        true
    });
    found
}

/// How many expressions compiled.
#[cfg(test)]
pub(super) fn compiled() -> usize {
    SHELL.len() + TRUST.len()
}
