//! The response scanner: its categories and descriptions.

use std::sync::LazyLock;

use regex::Regex;
use thoth_types::json::Value;

use super::super::{Class, InspectSettings, inspect_result};
use super::strings;
use thoth_text::Text;

/// A documented category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResponseCategory {
    /// A tag that dresses text up as instructions.
    InstructionInjection,
    /// An imperative that a model would follow.
    PromptInjection,
    /// A credential.
    CredentialLeak,
    /// Personal data.
    PiiLeak,
    /// An address that carries data away.
    DataExfiltration,
}

impl ResponseCategory {
    /// The documented name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InstructionInjection => "instruction_injection",
            Self::PromptInjection => "prompt_injection",
            Self::CredentialLeak => "credential_leak",
            Self::PiiLeak => "pii_leak",
            Self::DataExfiltration => "data_exfiltration",
        }
    }
}

/// A finding of the response scanner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseThreat {
    /// The documented category.
    pub category: ResponseCategory,
    /// The documented description; never what was found.
    pub description: String,
}

const TAG: &str = r"(?i)<(?:important|system|instructions?|hidden|inject|admin|override|prompt|role)\b[^<>]{0,64}>|\[(?:system|admin|instructions?)\]";
const IMPERATIVE: &str = r"(?i)ignore\s+(?:all\s+)?previous\s+(?:instructions?|context|rules?)|\b(?:forget|disregard|override)\s+(?:all\s+)?(?:previous|above|prior|earlier)\s+(?:instructions?|context|rules?|prompts?)|\bexecute\s+this\b|\byou\s+are\s+now\s+(?:an?|the|in)\b|\bnew\s+(?:role|instruction|directive|persona)\s*:|\bfrom\s+now\s+on\b|\bdo\s+not\s+(?:follow|obey|listen)\b";
const CARRIER: &str = r"(?i)https?://[^\s<>'\x22]*(?:\b(?:api[_-]?key|token|secret|payload|dump|exfil|webhook)=|webhook\.site|requestbin|pastebin\.com|ngrok|transfer\.sh)";

// INVARIANT: the patterns compile; a test holds it.
static PATTERNS: LazyLock<Vec<(ResponseCategory, &'static str, Regex)>> = LazyLock::new(|| {
    let rows = [
        (ResponseCategory::InstructionInjection, "Instruction tag detected in tool response.", TAG),
        (ResponseCategory::PromptInjection, "Imperative instruction detected in tool response.", IMPERATIVE),
        (ResponseCategory::DataExfiltration, "Potential data exfiltration URL detected in tool response.", CARRIER),
    ];
    rows.into_iter().filter_map(|(category, text, pattern)| Some((category, text, Regex::new(pattern).ok()?))).collect()
});

/// Scans a response. Each category and description is reported once. Personal data beyond cards, account numbers and
/// national identifiers is reported only where `settings` ask for it.
#[must_use]
pub fn scan_response(tool: &str, result: Value<'_>, settings: &InspectSettings) -> Vec<ResponseThreat> {
    let mut threats: Vec<ResponseThreat> = Vec::new();
    let mut add = |category, description: String| {
        let threat = ResponseThreat { category, description };
        if !threats.contains(&threat) {
            threats.push(threat);
        }
    };
    strings(result, "", 0, &mut |_, raw| {
        let text = Text::read(raw);
        let views = [raw, text.view()].into_iter().chain(text.segments().iter().map(|segment| segment.text.as_str()));
        for view in views {
            for (category, description, _) in PATTERNS.iter().filter(|(_, _, pattern)| pattern.is_match(view)) {
                add(*category, (*description).to_owned());
            }
        }
        true
    });
    for found in inspect_result(tool, result, settings).detections {
        match found.class {
            Class::Secrets => {
                add(ResponseCategory::CredentialLeak, format!("{} detected in tool response.", found.kind))
            }
            Class::PersonalData => add(ResponseCategory::PiiLeak, format!("{} detected in tool response.", found.kind)),
            Class::Injection => {
                add(ResponseCategory::PromptInjection, "Imperative instruction detected in tool response.".to_owned());
            }
            _ => {}
        }
    }
    threats.sort_by_key(|threat| threat.category);
    threats
}
