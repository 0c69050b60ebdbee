//! Receipts: sealed documents in which a tenant's server says what it has decided about one call.
//!
//! A receipt proves that the holder of the tenant's seal said so, about a call with these very arguments. That it is in the
//! ledger, too, the ledger proves: `decision_id` is the `callId` there.

use std::path::Path;

use sha2::{Digest as _, Sha256};
use thoth_types::json::{Limits, Tape, Value};

use crate::canonical::exact;
use crate::keys::KeyError;
use crate::seal::{MAX_SEALED_BYTES, SealError, SealKey, SealOpener};

/// What receipts are sealed as.
pub const RECEIPT_DOMAIN: &str = "thoth/decision-receipt/1";
/// The version of their shape.
pub const RECEIPT_VERSION: &str = "1";

/// Why a receipt is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The seal.
    #[error("not a receipt of this key: {0}")]
    Seal(#[from] SealError),
    /// A member is missing, or not a text.
    #[error("the receipt has no `{0}`")]
    Incomplete(&'static str),
    /// It is of another shape.
    #[error("the receipt is of version `{0}`, which is not known here; update thoth")]
    Version(String),
    /// It is in an answer that says something else.
    #[error("the answer around the receipt has another `{0}` than the receipt")]
    Elsewhere(&'static str),
    /// There is no key.
    #[error("there is no seal key in `{0}`; name the `keys` folder of the tenant")]
    NoKey(String),
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A receipt whose seal was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Its members, as names and texts, for a person; those of `decision` among them.
    pub members: Vec<(&'static str, String)>,
    /// The receipt alone, as it came.
    pub document: String,
}

const REQUIRED: [&str; 9] = [
    "receipt_id",
    "decision_id",
    "tenant_id",
    "agent_id",
    "session_id",
    "tool_name",
    "arguments_sha256",
    "issued_at",
    "key_id",
];
const OPTIONAL: [&str; 5] = ["user_id", "endpoint_id", "violation_id", "enforcement_trace_id", "action_attestation_id"];
const DECIDED: [&str; 3] = ["authorization_decision", "decision_reason_code", "outcome"];

/// The key in a tenant's folder of keys.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn opener_in(keys: &Path) -> Result<SealOpener, ReceiptError> {
    let key = SealKey::load(keys)?;
    key.map(|key| key.opener()).ok_or_else(|| ReceiptError::NoKey(keys.display().to_string()))
}

/// Verifies a receipt: the document itself, or an answer that has it as `receipt`, and says what the receipt says.
///
/// # Errors
/// When it is none, is not complete, was not sealed by this key, or stands in an answer that says something else.
pub fn verify_receipt(document: &[u8], opener: &SealOpener) -> Result<Receipt, ReceiptError> {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: MAX_SEALED_BYTES, ..Limits::default() };
    let value = tape.parse(document, &limits).map_err(|_| SealError::NoObject)?;
    let receipt = value.get("receipt").unwrap_or(value);
    opener.open(RECEIPT_DOMAIN, receipt.raw())?;
    let text = |name: &str| receipt.get(name).and_then(|member| member.as_str()).map(std::borrow::Cow::into_owned);
    match text("schema_version") {
        Some(version) if version == RECEIPT_VERSION => {}
        Some(version) => return Err(ReceiptError::Version(version)),
        None => return Err(ReceiptError::Incomplete("schema_version")),
    }
    let mut members = Vec::new();
    for name in REQUIRED {
        members.push((name, text(name).ok_or(ReceiptError::Incomplete(name))?));
    }
    members.extend(OPTIONAL.iter().filter_map(|name| Some((*name, text(name)?))));
    let decision = receipt.get("decision");
    for name in DECIDED {
        let word = decision.and_then(|decision| decision.get(name)).and_then(|member| member.as_str());
        members.push((name, word.ok_or(ReceiptError::Incomplete(name))?.into_owned()));
    }
    if value.get("receipt").is_some() {
        agrees(value, &members)?;
    }
    let document = String::from_utf8(receipt.raw().to_vec()).map_err(|_| SealError::NoObject)?;
    Ok(Receipt { members, document })
}

/// Whether an answer says what its receipt says, as far as both say it. No seal is over the answer itself.
fn agrees(answer: Value<'_>, members: &[(&'static str, String)]) -> Result<(), ReceiptError> {
    const TOLD: [(&str, &str); 7] = [
        ("decision", "authorization_decision"),
        ("authorization_decision", "authorization_decision"),
        ("resolution", "authorization_decision"),
        ("decision_reason_code", "decision_reason_code"),
        ("violation_id", "violation_id"),
        ("enforcement_trace_id", "enforcement_trace_id"),
        ("action_attestation_id", "action_attestation_id"),
    ];
    let sealed = |name: &str| members.iter().find(|(own, _)| *own == name).map(|(_, text)| text.as_str());
    for (name, of_receipt) in TOLD {
        let Some(told) = answer.get(name).and_then(|told| told.as_str()) else { continue };
        if sealed(of_receipt) != Some(&*told) {
            return Err(ReceiptError::Elsewhere(name));
        }
    }
    let changed = answer.get("modified_tool_args").filter(Value::is_object);
    match changed.map(|changed| arguments_sha256(changed.raw())) {
        Some(digest) if digest.as_deref() != sealed("arguments_sha256") => {
            Err(ReceiptError::Elsewhere("modified_tool_args"))
        }
        _ => Ok(()),
    }
}

/// What a receipt says of a call's arguments: the SHA-256, in hexadecimal digits, of their RFC 8785 form with every number as
/// it was written; of `{}` where there are none. `None`: they are no JSON.
#[must_use]
pub fn arguments_sha256(arguments: &[u8]) -> Option<String> {
    let mut tape = Tape::new();
    let limits = Limits { max_bytes: arguments.len(), ..Limits::default() };
    let mut form = Vec::with_capacity(arguments.len());
    exact(tape.parse(arguments, &limits).ok()?, &mut form);
    Some(crate::hex::encode(&Sha256::digest(&form)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt() -> String {
        let mut members: Vec<String> = REQUIRED
            .iter()
            .filter(|name| **name != "key_id")
            .map(|name| format!("\"{name}\":\"{name} of it\""))
            .collect();
        members.push("\"schema_version\":\"1\"".to_owned());
        let decided: Vec<String> = DECIDED.iter().map(|name| format!("\"{name}\":\"x\"")).collect();
        members.push(format!("\"decision\":{{{}}}", decided.join(",")));
        format!("{{{}}}", members.join(","))
    }

    /// Defends: a receipt is accepted whole, alone or in an answer, and with any member changed, missing or of another kind
    /// of document it is not.
    #[test]
    fn the_table_of_receipts() {
        let key = SealKey::new(&[7; 32]);
        let sealed = key.seal(RECEIPT_DOMAIN, &receipt()).unwrap();
        let opener = key.opener();
        let good = verify_receipt(sealed.as_bytes(), &opener).unwrap();
        assert_eq!(good.members.len(), REQUIRED.len() + DECIDED.len());
        let answer = |told: &str| format!("{{{told},\"receipt\": {sealed} }}");
        for told in ["\"decision\":\"x\"", "\"decision\":null,\"violation_id\":null", "\"reason\":\"y\""] {
            assert_eq!(verify_receipt(answer(told).as_bytes(), &opener).unwrap(), good);
        }
        for name in
            ["decision", "authorization_decision", "decision_reason_code", "violation_id", "enforcement_trace_id"]
        {
            let other = verify_receipt(answer(&format!("\"{name}\":\"y\"")).as_bytes(), &opener);
            assert!(matches!(other, Err(ReceiptError::Elsewhere(found)) if found == name), "{name}: {other:?}");
        }
        let other = verify_receipt(answer("\"modified_tool_args\":{\"a\":1}").as_bytes(), &opener);
        assert!(matches!(other, Err(ReceiptError::Elsewhere("modified_tool_args"))), "{other:?}");
        for name in REQUIRED.iter().filter(|name| **name != "key_id").chain(&DECIDED) {
            let without = receipt().replace(&format!("\"{name}\":"), "\"other\":");
            let without = key.seal(RECEIPT_DOMAIN, &without).unwrap();
            assert!(
                matches!(verify_receipt(without.as_bytes(), &opener), Err(ReceiptError::Incomplete(lacks)) if lacks == *name)
            );
            let changed = sealed.replacen(&format!("\"{name}\":\""), &format!("\"{name}\":\"x"), 1);
            assert!(matches!(verify_receipt(changed.as_bytes(), &opener), Err(ReceiptError::Seal(_))), "{name}");
        }
        let newer = key.seal(RECEIPT_DOMAIN, &receipt().replace("_version\":\"1", "_version\":\"2")).unwrap();
        assert!(matches!(verify_receipt(newer.as_bytes(), &opener), Err(ReceiptError::Version(_))));
        let other_kind = key.seal("thoth/policy-bundle/1", &receipt()).unwrap();
        assert!(verify_receipt(other_kind.as_bytes(), &opener).is_err());
        assert!(verify_receipt(sealed.as_bytes(), &SealKey::new(&[8; 32]).opener()).is_err());
    }

    /// Equal arguments have one digest, and different ones have two, however close their numbers are.
    #[test]
    fn arguments_are_told_apart() {
        let one = arguments_sha256(br#"{"a":9007199254740993,"b":"x"}"#).unwrap();
        assert_eq!(arguments_sha256(b"{ \"b\":\"\\u0078\", \"a\":9007199254740993 }").unwrap(), one);
        assert_ne!(arguments_sha256(br#"{"a":9007199254740992,"b":"x"}"#).unwrap(), one);
        assert_eq!(arguments_sha256(b"{"), None);
    }
}
