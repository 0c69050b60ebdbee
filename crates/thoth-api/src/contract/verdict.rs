//! The words for decisions and modes, and the other words for them that are read.

use thoth_types::{Decision, Mode};

use super::words::{plain, unknown};

/// Reads the word of a decision. What is none is a refusal: who does not understand an answer does not run the call.
#[must_use]
pub fn decision(text: &str) -> Decision {
    known_decision(text).unwrap_or(Decision::Block)
}

/// Reads the word of a decision, or nothing where it is none: who asks for what was decided so is not to get what was not.
#[must_use]
pub fn known_decision(text: &str) -> Option<Decision> {
    match &*plain(text) {
        "allow" => Some(Decision::Allow),
        "step_up" | "challenge" | "escalate" | "review" => Some(Decision::StepUp),
        "modify" | "modified" | "transform" => Some(Decision::Modify),
        "defer" | "deferred" | "hold" => Some(Decision::Defer),
        "block" | "blocked" | "deny" | "denied" => Some(Decision::Block),
        _ => None,
    }
}

/// Reads the word of a mode.
#[must_use]
pub fn mode(text: &str) -> Option<Mode> {
    match &*plain(text) {
        "observe" | "shadow" => Some(Mode::Observe),
        "step_up" => Some(Mode::StepUp),
        "progressive" => Some(Mode::Progressive),
        "block" => Some(Mode::Block),
        _ => None,
    }
}

/// A risk score is 0 to 100. A number with a point that is at most 1 is a share of one, as older servers give it.
#[must_use]
pub fn risk_score(number: &serde_json::Number) -> Option<f64> {
    let value = number.as_f64().filter(|value| value.is_finite())?;
    let score = if number.is_f64() && (0.0..=1.0).contains(&value) { value * 100.0 } else { value };
    Some(score.clamp(0.0, 100.0))
}

/// For optional decisions: the word, or nothing.
pub(crate) mod decision_word {
    use serde::{Deserialize, Deserializer, Serializer};
    use thoth_types::Decision;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Decision>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(decision) => serializer.serialize_str(decision.as_str()),
            None => serializer.serialize_none(),
        }
    }

    /// A blank word is none.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decision>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        Ok(text.filter(|text| !text.trim().is_empty()).map(|text| super::decision(&text)))
    }
}

/// For modes: absent or blank is the strictest, an unknown word is an error.
pub(crate) mod mode_word {
    use serde::{Deserialize, Deserializer, Serializer};
    use thoth_types::Mode;

    pub(crate) fn serialize<S: Serializer>(value: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        match text.filter(|text| !text.trim().is_empty()) {
            None => Ok(strictest()),
            Some(text) => {
                super::mode(&text).ok_or_else(|| super::unknown(&["observe", "step_up", "progressive", "block"]))
            }
        }
    }

    pub(crate) const fn strictest() -> Mode {
        Mode::Block
    }
}

/// For risk scores.
pub(crate) mod score {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and is at most 100")]
    pub(crate) fn serialize<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(score) if score.fract() == 0.0 && (0.0..=100.0).contains(score) => {
                serializer.serialize_u8(*score as u8)
            }
            Some(score) => serializer.serialize_f64(*score),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
        Ok(Option::<serde_json::Number>::deserialize(deserializer)?.as_ref().and_then(super::risk_score))
    }
}
